"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

import re
from typing import Any

from latex2mathml.converter import convert

# What latex2mathml does not know, in what it does.
_REWRITTEN = (
    (r"\thinspace", r"\,"),
    (r"\lvert", "|"),
    (r"\log", r"\,\log\,"),
    (r"\sim", r"\;\sim\;"),
    (r"\rvert", "|"),
)


def mathml(latex: str, *, display: bool) -> str:
    """Return a formula as MathML, with the LaTeX as its text for who cannot see it."""
    for ours, theirs in _REWRITTEN:
        latex = latex.replace(ours, theirs)
    text = re.sub(r"\s+", " ", latex).strip()
    written = convert(text, display="block" if display else "inline")
    label = text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return written.replace("<math ", f'<math aria-label="{label}" ', 1)


def _inline(translator: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    translator.body.append(mathml(node.astext(), display=False))
    raise SkipNode


def _block(translator: Any, node: Any) -> None:
    from docutils.nodes import SkipNode

    translator.body.append(f"<div>{mathml(node.astext(), display=True)}</div>")
    raise SkipNode


def setup(app: Any) -> dict[str, Any]:
    """Name the renderer."""
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
