"""What every answer can do beside printing itself: tables in HTML and LaTeX, a data frame, and a figure.

An answer says what its rows are (:meth:`Tabulated.records`, numbers) and, where they read better otherwise, how they
are written (:meth:`Tabulated.sheets`, texts). Tables in LaTeX are set with booktabs, and a paper that is cited as
[D24] is cited with the key of its BibTeX entry, which :func:`~rebatch.symbolic.language.papers.bibtex` prints.

Figures are drawn above the floor of theory, and an answer asks for its own by the name of who draws
(:mod:`~rebatch.symbolic.exact.painter`): nothing down here knows Matplotlib.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import painter

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes

_CITED = re.compile(r"\[([A-Z][A-Za-z]*\d{2}(?:, [A-Z][A-Za-z]*\d{2})*)(?:, ([^\]]*))?\]")
_ESCAPED = {c: rf"\{c}" for c in "&%$#_{}"} | {"\\": r"\textbackslash{}", "^": r"\^{}", "~": r"\~{}"}
_ESCAPED |= {
    "±": r"$\pm$",
    "…": r"\dots{}",
    "–": "--",
    "<": r"$<$",
    ">": r"$>$",
    "∞": r"$\infty$",
    "√": r"$\sqrt{}$",
}
_ESCAPED |= {
    "α": r"$\alpha$",
    "η": r"$\eta$",
    "λ": r"$\lambda$",
    "σ": r"$\sigma$",
    "Θ": r"$\Theta$",
    "|": r"\textbar{}",
}
# Rows that a notebook is to hold of one table.
_MOST_ROWS = 60
# Cells that are longer are broken over lines.
_LONG = 36


@dataclass(frozen=True)
class Sheet:
    """A table of texts.

    Attributes
    ----------
    head : tuple of str
    rows : tuple of tuple of str
    title : str
        What it is of; may be empty.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str = ""

    def shortened(self) -> "Sheet":
        """Return the table with its first and last rows alone, where there are more than a notebook is to hold."""
        if len(self.rows) <= _MOST_ROWS:
            return self
        gap = tuple("…" for _ in self.head)
        half = _MOST_ROWS // 2
        return Sheet(self.head, (*self.rows[:half], gap, *self.rows[-half:]), self.title)

    def html(self) -> str:
        """Return the table in HTML, everything in it escaped."""
        title = f"<p>{escape(self.title)}</p>" if self.title else ""
        cells = "".join(f"<th>{escape(name)}</th>" for name in self.head)
        body = "".join(f"<tr>{''.join(f'<td>{escape(x)}</td>' for x in row)}</tr>" for row in self.rows)
        return f"{title}<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"

    def latex(self) -> str:
        """Return the table in LaTeX, with the rules of booktabs; its title is a comment."""
        columns = list(zip(self.head, *self.rows, strict=True))
        long = [any(len(cell) > _LONG for cell in column) for column in columns]
        width = 0.8 / max(1, sum(long))
        form = "".join(rf"p{{{width:.2g}\linewidth}}" if is_long else "l" for is_long in long)
        lines = [" & ".join(map(in_tex, row)) + r" \\" for row in (self.head, *self.rows)]
        lines = [rf"\begin{{tabular}}{{{form}}}", r"\toprule", lines[0], r"\midrule", *lines[1:]]
        comment = [f"% {' '.join(self.title.split())}"] if self.title else []
        return "\n".join([*comment, *lines, r"\bottomrule", r"\end{tabular}"])


def in_tex(text: str) -> str:
    r"""Return a text in LaTeX: what has a meaning there is escaped, and papers are cited.

    Examples
    --------
    >>> print(in_tex("d^2 log d [A23]"))
    d\^{}2 log d \cite{A23}
    """
    from ..language.papers import papers  # noqa: PLC0415 - reads the bibliography: only for LaTeX

    known = papers()
    parts, at = [], 0
    for match in _CITED.finditer(text):
        keys = match[1].split(", ")
        if all(key in known for key in keys):
            note = f"[{in_tex(match[2])}]" if match[2] else ""
            parts += [_plain(text[at : match.start()]), rf"\cite{note}{{{','.join(keys)}}}"]
            at = match.end()
    return "".join([*parts, _plain(text[at:])])


def _plain(text: str) -> str:
    return "".join(_ESCAPED.get(letter, letter) for letter in text)


class Tabulated:
    """An answer that is a table, or several."""

    def records(self) -> Sequence[Mapping[str, Any]]:
        """Return the rows as data: numbers, and texts for what is exact."""
        raise NotImplementedError

    def sheets(self) -> Sequence[Sheet]:
        """Return the tables as a reader sees them; by default one of the records."""
        rows = self.records()
        head = tuple(dict.fromkeys(name for row in rows for name in row))
        return (Sheet(head, tuple(tuple(_written(row.get(name)) for name in head) for row in rows)),)

    def to_dataframe(self) -> "pd.DataFrame":
        """Return the rows as a pandas data frame."""
        import pandas as pd  # noqa: PLC0415 - answers are had without it, and it loads slowly

        return pd.DataFrame.from_records(list(self.records()))

    def to_latex(self) -> str:
        """Return the tables in LaTeX (booktabs), papers cited by their BibTeX keys."""
        return "\n\n".join(sheet.latex() for sheet in self.sheets())

    def _repr_html_(self) -> str:
        return "".join(sheet.shortened().html() for sheet in self.sheets())

    def _repr_latex_(self) -> str:
        return "\n\n".join(sheet.shortened().latex() for sheet in self.sheets())


class Drawn:
    """An answer that has a figure."""

    def plot(self, ax: "Axes | Sequence[Axes] | None" = None, **options: Any) -> "np.ndarray[Any, Any]":
        """Draw it and return the axes, shape (panels,); see :func:`rebatch.plot.draw` for the options of each kind.

        Parameters
        ----------
        ax : Axes or sequence of Axes, optional
            Where; by default a new figure of pyplot, which notebooks show by themselves.
        **options
            Of the kind of answer.

        Raises
        ------
        RebatchError
            If an option does not fit, or there are other than as many axes as panels.
        """
        drawn: np.ndarray[Any, Any] = import_module(painter.module).draw(self, ax, **options)
        return drawn


def _written(value: Any) -> str:
    """Return a cell as a reader sees it."""
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
