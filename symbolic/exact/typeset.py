"""Equations in LaTeX, one to a row and no longer than a line, and LaTeX as MathML.

A display holds one equation, or an ``aligned`` with a row for each; a long one is broken before its terms.
"""

import re
from collections.abc import Iterable, Sequence

# Characters of LaTeX on a row: about what a page of text is wide when it is typeset.
WIDTH = 120
# Fences that a line break may stand between, as \left and \right allow none.
OPEN, CLOSE = r"\bigl(", r"\bigr)"
# What latex2mathml does not know, in what it does.
_REWRITTEN = (
    (r"\begin{aligned}", r"\begin{array}{rl}"),
    (r"\end{aligned}", r"\end{array}"),
    (OPEN, "("),
    (CLOSE, ")"),
    (r"\thinspace", r"\,"),
    (r"\lvert", "|"),
    (r"\log", r"\,\log\,"),
    (r"\sim", r"\;\sim\;"),
    (r"\rvert", "|"),
)
# Columns of a display as browsers align them, whose MathML knows no columnalign, with fractions of full size.
_ALIGNED = (
    ('<mtable><mtr><mtd columnalign="right">', '<mtable displaystyle="true"><mtr><mtd columnalign="right">'),
    ('columnalign="right"', 'style="text-align:right;padding-right:0"'),
    ('columnalign="left"', 'style="text-align:left;padding-left:0.3em"'),
)


def equation(left: str, terms: Sequence[str]) -> str:
    """Return "left = sum of terms" with a mark where rows are aligned, broken before terms where it is long.

    Examples
    --------
    >>> equation("x", ["a", "- b"])
    'x &= a - b'
    """
    rows = [f"{left} &= {terms[0] if terms else '0'}"]
    for term in terms[1:]:
        signed = f"- {term[1:].lstrip()}" if term.startswith("-") else f"+ {term}"
        if len(rows[-1]) + len(signed) < WIDTH:
            rows[-1] += f" {signed}"
        else:
            rows.append(rf"&\quad {signed}")
    return " \\\\\n".join(rows)


def aligned(equations: Iterable[str]) -> str:
    """Return equations, as :func:`equation` writes them, in one display: a single short one as it is."""
    body = " \\\\\n".join(equations)
    if "\n" not in body:
        return body.replace(" &= ", " = ", 1)
    return f"\\begin{{aligned}}\n{body}\n\\end{{aligned}}"


def display(equations: Iterable[str]) -> str:
    """Return equations as a display of amsmath, a row to each."""
    return "\n".join([r"\begin{align*}", " \\\\\n".join(equations), r"\end{align*}"])


def mathml(latex: str, *, display: bool = True) -> str:
    """Return a formula as MathML, which browsers draw themselves, with its LaTeX for who cannot see it."""
    from latex2mathml.converter import convert  # noqa: PLC0415 - only notebooks and pages need it

    text = re.sub(r"\s+", " ", latex).strip()
    for ours, theirs in _REWRITTEN:
        latex = latex.replace(ours, theirs)
    written = str(convert(re.sub(r"\s+", " ", latex).strip(), display="block" if display else "inline"))
    for ours, theirs in _ALIGNED:
        written = written.replace(ours, theirs)
    label = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return written.replace("<math ", f'<math aria-label="{label}" ', 1)
