"""Overlaps against the step, drawn: predictions as curves with a band, runs as points with bars (Matplotlib)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .canvas import COLOURS, NEW, Canvas, colours, fitted, heading, neuron_key, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .setting import Setting

Array = np.ndarray[Any, Any]


@styled
def draw_trajectory(
    curve: xr.Dataset,
    runs: Sequence[xr.Dataset] = (),
    canvas: Canvas = NEW,
    setting: "Setting | None" = None,
) -> Array:
    """Draw the overlaps of a trajectory against the step, a panel per direction and a colour per neuron.

    Parameters
    ----------
    curve : xarray.Dataset
        The data of a trajectory. Drawn as lines, with a band of two standard errors where it states its errors;
        replicas by their mean.
    runs : sequence of xarray.Dataset
        Drawn as points: their mean with two standard errors, at the steps that all of them have.
    canvas : Canvas
    setting : Setting, optional
        What was run, for the heading.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (k,)

    Raises
    ------
    RebatchError
        If there are not k axes.
    """
    M = curve.M.mean("replica") if "replica" in curve.M.dims else curve.M
    names = [f"direction {name}" for name in M.direction.values]
    panels = canvas.panels(len(names), sharey=True)
    errors = curve["M_error"].values if "M_error" in curve else None
    draw_lines(panels, M.step.values, M.values, errors)
    shown = [_grey("-", str(curve.attrs.get("engine", "trajectory")), band=errors is not None)]
    if runs:
        mean, spread, label = _mean_of([run["M"] for run in runs])
        draw_points(panels, mean.step.values, mean.values, spread)
        shown.append(_grey("o", label))
    _finish(canvas, panels, names, M.sizes["neuron"], shown)
    if setting is not None:
        canvas.say(panels, heading(setting, d=_dimension([*runs, curve])))
    return panels


@styled
def draw_losses(
    curve: xr.Dataset,
    runs: Sequence[xr.Dataset] = (),
    canvas: Canvas = NEW,
    setting: "Setting | None" = None,
) -> Array:
    """Draw the training loss against the step, on one panel: what there is of a run without directions.

    Parameters
    ----------
    curve, runs, canvas, setting
        As for :func:`draw_trajectory`.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (1,)

    Raises
    ------
    RebatchError
        If there is not one axis.
    """
    panels = canvas.panels(1)
    loss = curve.training_loss
    panels[0].plot(loss.step.values, loss.values, "o-", color=COLOURS[0], label="this run")
    if runs:
        mean, spread, label = _mean_of([run.training_loss for run in runs])
        bars = None if spread is None else 2 * spread
        panels[0].errorbar(mean.step.values, mean.values, bars, fmt="s", color=COLOURS[1], label=label)
        canvas.legend(panels, panels[0].get_legend_handles_labels()[0])
    panels[0].set(xlabel="step", ylabel="training loss")
    _whole(panels[0])
    if setting is not None:
        canvas.say(panels, heading(setting, d=_dimension([*runs, curve])))
    return panels


def _mean_of(runs: Sequence[xr.DataArray]) -> tuple[xr.DataArray, Array | None, str]:
    """Return the mean of runs at the steps that all have, its standard error if there are two, and its name."""
    points = xr.concat(list(runs), "run", join="inner")
    mean, count = points.mean("run"), points.sizes["run"]
    if count == 1:
        return mean, None, "1 run"
    return mean, points.std("run", ddof=1).values / np.sqrt(count), f"mean of {count} runs, 2 s.e."


def _dimension(sources: Sequence[xr.Dataset]) -> Any:
    """Return the dimension of runs, or that they have none: the limit."""
    known = [source.attrs["d"] for source in sources if source.attrs.get("d") is not None]
    return known[0] if known else "infinite"


@styled
def draw_overlaps(
    step: Array,
    predicted: Array,
    predicted_error: Array,
    mean: Array,
    standard_error: Array,
    runs: int,
    canvas: Canvas,
) -> Array:
    """Draw predictions as lines and runs as points, shape (steps, p, k) each, a panel per direction."""
    _, p, k = predicted.shape
    panels = canvas.panels(k, sharey=True)
    band = predicted_error if predicted_error.any() else None
    draw_lines(panels, step, predicted, band)
    draw_points(panels, step, mean, standard_error)
    shown = [_grey("-", "predicted", band=band is not None), _grey("o", f"mean of {runs} runs, 2 s.e.")]
    _finish(canvas, panels, [f"direction z{r + 1}" for r in range(k)], p, shown)
    return panels


def draw_lines(panels: Array, step: Array, M: Array, errors: Array | None) -> None:
    """Draw M, shape (steps, p, k), as lines, with a band of two errors where there are some."""
    for j, colour in enumerate(colours(M.shape[1])):
        for r, panel in enumerate(panels):
            values = M[:, j, r]
            panel.plot(step, values, color=colour, linewidth=1.2)
            if errors is not None:
                error = 2 * errors[:, j, r]
                panel.fill_between(
                    step, values - error, values + error, color=colour, alpha=0.25, linewidth=0
                )


def draw_points(panels: Array, step: Array, mean: Array, errors: Array | None) -> None:
    """Draw means, shape (steps, p, k), as points with two standard errors."""
    for j, colour in enumerate(colours(mean.shape[1])):
        for r, panel in enumerate(panels):
            bars = None if errors is None else 2 * errors[:, j, r]
            panel.errorbar(step, mean[:, j, r], bars, fmt="o", color=colour, markersize=3.5)


def _grey(mark: str, label: str, *, band: bool = False) -> Any:
    """Return what a line or a point means, whatever its colour."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - numbers are had without it, and it loads slowly

    text = f"{label}, band 2 s.e." if band else label
    if mark == "-":
        return Line2D([], [], color="0.35", label=text)
    return Line2D([], [], color="0.35", linestyle="", marker=mark, label=text)


def _finish(canvas: Canvas, panels: Array, names: Sequence[str], neurons: int, shown: Sequence[Any]) -> None:
    for panel, name in zip(panels, names, strict=True):
        fitted(panel, name)
        panel.set_xlabel("step")
        panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        _whole(panel)
    panels[0].set_ylabel("overlap $M$")
    neuron_key(canvas, panels, neurons, shown)


def _whole(panel: "Axes") -> None:
    """Let the axis of steps have whole numbers."""
    from matplotlib.ticker import MaxNLocator  # noqa: PLC0415 - as above

    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
