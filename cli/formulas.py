"""Formulas as a terminal shows them: Greek letters, powers and indices where its encoding has them."""

import re
import sys

_GREEK = {"alpha": "α", "eta": "η", "lam": "λ", "sigma": "σ", "pi": "π"}
_RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
_WIDTH = 1200
_LOWERED = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def for_terminal(text: str, encoding: str | None = None) -> str:
    """Return a formula in Unicode, or as it is where the encoding of the output, by default stdout's, lacks it.

    Examples
    --------
    >>> for_terminal("M2[1, z1] = 1215*alpha*eta**3/2", "utf-8")
    'M²[1, z₁] = 1215 α η³/2'
    """
    pretty = in_unicode(text)
    try:
        pretty.encode(encoding or getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return text
    return pretty


def folded(line: str, width: int = _WIDTH) -> str:
    """Return a formula, or as many of its terms as a person reads: --json has the others.

    Examples
    --------
    >>> folded("M = 1 + 2 (3 + 4) - 5", 17)
    'M = 1 + 2 (3 + 4) + ... (1 more term: --json)'
    """
    if len(line) <= width:
        return line
    depth, ends = 0, []
    for i, letter in enumerate(line):
        depth += (letter in "([") - (letter in ")]")
        if not depth and line[i : i + 3] in (" + ", " - "):
            ends.append(i)
    kept = sum(end <= width for end in ends)
    if not kept:
        return f"{re.split('(?<=[=:]) ', line, maxsplit=1)[0]} ... (long: --json)"
    left = len(ends) + 1 - kept
    return f"{line[: ends[kept - 1]]} + ... ({left} more term{'s' * (left > 1)}: --json)"


def in_unicode(text: str) -> str:
    """Return a formula of SymPy's in Unicode."""
    for name, letter in _GREEK.items():
        text = re.sub(rf"(?<![A-Za-z]){name}(?![A-Za-z])", letter, text)
    text = re.sub(r"\b([aezst])(\d+)\b", lambda m: m[1] + m[2].translate(_LOWERED), text)
    text = re.sub(r"(?:\*\*|\^)(\d+)", lambda m: m[1].translate(_RAISED), text)
    text = re.sub(r"\*\*(\(\d+/\d+\))", r"^\1", text)
    text = re.sub(r"\bM(\d)\[", lambda m: f"M{m[1].translate(_RAISED)}[", text)
    return re.sub(r"sqrt\((\d+)\)", r"√\1", text).replace("*", " ")
