"""The papers that rebatch cites, by the keys of code and documentation: [D24] is the entry D24 of references.bib."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from ..errors import RebatchError

_ENTRY = re.compile(r"@(\w+)\{(\w+),\n(.*?)\n\}", re.DOTALL)
_FIELD = re.compile(r"^\s*(\w+) = \{(.*)\},?$", re.MULTILINE)
_ACCENT = re.compile(r"\{\\(['`\"v])\{?(\w)\}?\}")
_COMBINING = {"'": "\u0301", "`": "\u0300", '"': "\u0308", "v": "\u030c"}
# Beyond, "et al.".
_MOST_NAMES = 4


@dataclass(frozen=True)
class Paper:
    """A paper.

    Attributes
    ----------
    key : str
        As in [D24].
    authors : tuple of str
        Family names.
    year : int
    title : str
    note : str
        What it is cited for, in a few words.
    bibtex : str
        Its entry.
    """

    key: str
    authors: tuple[str, ...]
    year: int
    title: str
    note: str
    bibtex: str

    def __str__(self) -> str:
        names = self.authors if len(self.authors) <= _MOST_NAMES else (f"{self.authors[0]} et al.",)
        return f"{', '.join(names)} {self.year}, {self.note}"


@cache
def papers() -> Mapping[str, Paper]:
    """Return the papers by their keys, in the order of references.bib.

    Examples
    --------
    >>> print(papers()["A23"])
    Abbe, Boix-Adserà, Misiakiewicz 2023, the leap complexity
    """
    text = resources.files(__package__).joinpath("references.bib").read_text(encoding="utf-8")
    return {match[2]: _paper(match) for match in _ENTRY.finditer(text)}


def bibtex(*keys: str) -> str:
    """Return the BibTeX entries of papers.

    Raises
    ------
    RebatchError
        If a key is none of them.
    """
    known = papers()
    if unknown := [key for key in keys if key not in known]:
        raise RebatchError(f"no paper {', '.join(unknown)}; allowed are {', '.join(known)}")
    return "\n\n".join(known[key].bibtex for key in keys)


def _paper(match: re.Match[str]) -> Paper:
    fields = {name: _plain(value) for name, value in _FIELD.findall(match[3])}
    authors = tuple(name.partition(",")[0] for name in fields["author"].split(" and "))
    return Paper(match[2], authors, int(fields["year"]), fields["title"], fields["annote"], match[0])


def _plain(text: str) -> str:
    accented = _ACCENT.sub(lambda m: unicodedata.normalize("NFC", m[2] + _COMBINING[m[1]]), text)
    return re.sub(r"[{}]", "", accented).replace("--", "–").replace("``", "“").replace("''", "”")
