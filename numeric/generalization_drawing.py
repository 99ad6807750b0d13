"""The chain from two steps to a small error, drawn: the overlap in one pass, the test loss against d (Matplotlib)."""

from typing import TYPE_CHECKING, Any

import numpy as np

from .canvas import COLOURS, NEW, Canvas, styled
from .chain import mean_and_error
from .generalization import Generalization

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_THEORY, _RUNS, _NOTHING = COLOURS[0], COLOURS[1], "0.5"


@styled
def draw_generalization(result: Generalization, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw two panels: the overlap against the samples of the one pass, and the test loss against d.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (2,)
    """
    panels = canvas.panels(2, width=3.8, height=3.4)
    _draw_overlap(panels[0], result)
    _draw_loss(panels[1], result)
    canvas.say(panels, f"{result.heading()}; {result.outcome} ({result.how})")
    handles = [h for panel in panels for h in panel.get_legend_handles_labels()[0]]
    canvas.legend(panels, list({h.get_label(): h for h in handles}.values()))
    return panels


def _draw_overlap(panel: "Axes", result: Generalization) -> None:
    """Draw the predicted overlap, and where runs began and ended at the largest d."""
    times, overlaps = result.curve
    panel.plot(times, overlaps, color=_THEORY, label="predicted, d infinite")
    for end in np.cumsum(result.plan.times)[:-1]:
        panel.axvline(end, color=_NOTHING, linewidth=0.6, linestyle=":")
    if result.measured:
        last = result.measured[-1]
        for at, values in ((0.0, last.start), (float(times[-1]), last.overlap)):
            panel.plot([at] * len(values), np.abs(values), "o", color=_RUNS, alpha=0.6, clip_on=False)
    panel.set(xlabel="samples of the one pass / d", ylabel="|m|", ylim=(-0.02, 1.02))
    said = [f"runs at d = {result.measured[-1].d}"] if result.measured else []
    if len(result.plan.etas) > 1:
        said.append("dotted: a smaller step")
    panel.set_title("; ".join(["overlap", *said]))


def _draw_loss(panel: "Axes", result: Generalization) -> None:
    """Draw the test loss of the runs against d, beside the predicted one and that of the best constant."""
    panel.axhline(result.baseline, color=_NOTHING, linestyle="--", label="best constant")
    panel.axhline(result.predicted, color=_THEORY, label="predicted, d infinite")
    if np.isfinite(result.predicted_error):
        low, high = (result.predicted + x * result.predicted_error for x in (-2, 2))
        panel.axhspan(low, high, color=_THEORY, alpha=0.15, linewidth=0)
    if result.measured:
        d = [x.d for x in result.measured]
        means, errors = np.array([mean_and_error(x.loss) for x in result.measured]).T
        panel.errorbar(
            d, means, 2 * np.nan_to_num(errors), fmt="o", color=_RUNS, label="runs, two standard errors"
        )
        panel.set_xscale("log")
        panel.set_xticks(d, list(map(str, d)))
        panel.set_xticks([], minor=True)
    panel.set(xlabel="d", ylabel="test loss")
    panel.set_ylim(bottom=0)
    panel.set_title("after the readout")
