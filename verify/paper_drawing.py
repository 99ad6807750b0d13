"""The paper's figures, ours and as printed (Matplotlib): a panel per experiment, overlaps against the step."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ..numeric.canvas import COLOURS, NEW, Canvas, fitted, styled
from .paper import Curve, Paper, Rerun

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# More panels than this in a row are too small on a page.
_COLUMNS = 4


@styled
def draw_paper(result: Paper, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw a panel per experiment: our curves with 2 s.e. as lines, printed theory as crosses, printed dots as dots.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (experiments,)
    """
    count = len(result.experiments)
    rows = math.ceil(count / _COLUMNS)
    columns = math.ceil(count / rows)
    panels = canvas.panels(rows * columns if canvas.given is None else count, rows=rows, height=3.4)
    for panel, rerun in zip(panels, result.experiments, strict=False):
        _draw(panel, rerun)
    for panel in panels[count:]:
        panel.set_visible(False)
    canvas.say(panels, "[D24] rerun with the numbers of its captions; first neuron; ours with 2 s.e.")
    canvas.legend(panels, _key(result))
    return panels


def _draw(panel: "Axes", rerun: Rerun) -> None:
    """Draw one experiment; curves of the same kind of batches and axis have one colour."""
    kinds = list(dict.fromkeys(_kind(curve) for curve in rerun.curves))
    drawn = set()
    for curve in rerun.curves:
        colour = COLOURS[kinds.index(_kind(curve)) % len(COLOURS)]
        ours = (_kind(curve), curve.by, curve.steps)
        if ours not in drawn:
            drawn.add(ours)
            style = "-" if curve.by == "limit" else "s--"
            panel.errorbar(
                curve.steps, curve.computed, 2 * np.array(curve.error), fmt=style, color=colour, mfc="none"
            )
        if curve.by == "limit":
            marker = "x" if curve.of == "theory" else "o"
            panel.plot(curve.steps, curve.published, marker, color=colour, alpha=0.7)
    for i, kind in enumerate(kinds):
        panel.plot([], [], "-", color=COLOURS[i % len(COLOURS)], label=kind)
    panel.legend(fontsize=7, loc="best")
    single = rerun.setting.batches == "single"
    panel.set(xlabel="epoch" if single else "step", ylabel="overlap")
    panel.set_xticks(sorted({step for curve in rerun.curves for step in curve.steps}))
    said = "agrees" if rerun.verdict.startswith("agrees") else "does not agree"
    fitted(panel, f"{rerun.id}: {rerun.setting.target.text}; {said}")


def _kind(curve: Curve) -> str:
    """Return what batches and axis a curve is of: its name without who shows it."""
    return curve.name.partition(", published")[0]


def _key(result: Paper) -> list[Any]:
    """Return what lines, crosses and dots are, in grey."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - numbers are had without it, and it loads slowly

    every = [curve for rerun in result.experiments for curve in rerun.curves]
    shown: list[tuple[bool, str, dict[str, Any]]] = [
        (any(c.by == "limit" for c in every), "limit, here", {"linestyle": "-"}),
        (any(c.by == "simulation" for c in every), "runs, here", {"linestyle": "--", "marker": "s"}),
        (any(c.of == "theory" for c in every), "published theory", {"linestyle": "", "marker": "x"}),
        (any(c.of == "simulation" for c in every), "published simulations", {"linestyle": "", "marker": "o"}),
    ]
    return [
        Line2D([], [], color="0.4", mfc="none", label=label, **how) for there, label, how in shown if there
    ]
