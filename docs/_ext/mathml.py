"""Formulas as MathML, which browsers draw themselves: no script, no font, no network."""

from typing import Any

from rebatch.symbolic.exact.typeset import mathml


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
