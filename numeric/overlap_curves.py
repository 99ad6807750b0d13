"""The overlap after two steps, drawn: against the step size with and without reuse, and as a map (Matplotlib).

Numbers by integration have errors, and what is drawn shows them: a curve has a band of two errors, and where a
symmetry or the order of the direction says that the overlap is 0, it is drawn as 0. A map has one cell for each pair
of parameters, nothing between them, and is white where the value is within two errors of 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..symbolic.errors import RebatchError
from ..symbolic.exact.known import How
from ..symbolic.exact.subspace import axis, dot
from ..symbolic.language.compiled import compiled
from ..symbolic.language.target import Target
from ..symbolic.learnability.exponents import isotropic_leap
from ..symbolic.learnability.verdict import second_step, two_step_verdict
from ..symbolic.overlap.eta import ALPHA, ETA, LAM
from ..symbolic.overlap.series import OverlapSeries
from ..symbolic.overlap.two_steps import TwoStepOverlap
from .canvas import COLOURS, NEW, Canvas, fitted, styled
from .two_steps import TwoStepNumbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float64]
Prediction = TwoStepOverlap | OverlapSeries | TwoStepNumbers
# Values of a parameter that are drawn: a formula costs nothing, an integral a tenth of a second.
_FORMULA, _NUMBERS = 99, 25
_MAP_FORMULA, _MAP_NUMBERS = 101, 12


class Measured(Protocol):
    """What runs gave at one step size: an agreement."""

    mean: Array
    standard_error: Array


@styled
def draw_two_steps(
    reused: Prediction,
    one_pass: Prediction,
    *,
    alpha: float,
    etas: Sequence[float],
    simulated: Mapping[bool, Mapping[float, Measured]] | None = None,
    weight_decay: float = 0.0,
    d: int | None = None,
    canvas: Canvas = NEW,
) -> "np.ndarray[Any, Any]":
    """Draw the first neuron's M^2 against the step size, a panel per direction, with and without reuse.

    Parameters
    ----------
    reused, one_pass : TwoStepOverlap, OverlapSeries or TwoStepNumbers
        The predictions.
    alpha : float
    etas : sequence of float
        Grid on which they are drawn.
    simulated : mapping, optional
        reuse -> eta -> agreement of the runs at that step size; drawn with two standard errors.
    weight_decay : float
    d : int, optional
        Of the runs, for the heading.
    canvas : Canvas

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (k,)
    """
    target = reused.target
    kind = _kind(reused)
    panels = canvas.panels(target.k)
    grid = {"alpha": alpha, "eta": np.asarray(etas), "weight_decay": weight_decay}
    ways = (
        (True, reused, COLOURS[0], "-", "reused batch"),
        (False, one_pass, COLOURS[1], "--", "fresh batches"),
    )
    for reuse, prediction, colour, line, name in ways:
        values, errors = _evaluated(prediction, reuse=reuse, grid=grid)
        points = (simulated or {}).get(reuse, {})
        for r, panel in enumerate(panels):
            panel.plot(etas, values[r], line, color=colour, label=f"{name}: {kind}")
            if errors is not None and errors[r].any():
                label = f"{name}: 2 errors of integration"
                low, high = values[r] - 2 * errors[r], values[r] + 2 * errors[r]
                panel.fill_between(etas, low, high, color=colour, alpha=0.25, linewidth=0, label=label)
            if points:
                _draw_measured(panel, points, r, colour, name)
    for r, panel in enumerate(panels):
        panel.set_xlabel(r"step size $\eta$")
        panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        fitted(panel, f"direction z{r + 1}")
    panels[0].set_ylabel(r"overlap $M^{2}$ after two steps")
    found: dict[str, Any] = {}
    for panel in panels:
        for handle, label in zip(*panel.get_legend_handles_labels(), strict=True):
            found.setdefault(label, handle)
    canvas.legend(panels, [_named(handle, label) for label, handle in found.items()])
    canvas.say(panels, _heading(reused, weight_decay, alpha=alpha, d=d))
    return panels


def _named(handle: Any, label: str) -> Any:
    handle.set_label(label)
    return handle


def _draw_measured(panel: "Axes", points: Mapping[float, Measured], r: int, colour: str, name: str) -> None:
    panel.errorbar(
        list(points),
        [a.mean[2, 0, r] for a in points.values()],
        [2 * a.standard_error[2, 0, r] for a in points.values()],
        fmt="o",
        color=colour,
        label=f"{name}: simulated, 2 s.e.",
    )


@styled
def draw_map(
    prediction: Prediction,
    *,
    alphas: Sequence[float],
    etas: Sequence[float],
    weight_decay: float = 0.0,
    canvas: Canvas = NEW,
) -> "np.ndarray[Any, Any]":
    """Draw M^2 of the first neuron over (alpha, eta) as a map, a panel per direction.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (k,)
    """
    panels = canvas.panels(prediction.target.k)
    reuse = prediction.setting.reuse if isinstance(prediction, TwoStepNumbers) else prediction.reuse
    grid = {"alpha": np.asarray(alphas)[:, None], "eta": np.asarray(etas), "weight_decay": weight_decay}
    values, errors = _evaluated(prediction, reuse=reuse, grid=grid)
    if errors is not None:
        values = np.where(np.abs(values) <= 2 * errors, 0.0, values)
    for r, panel in enumerate(panels):
        largest = float(np.abs(values[r]).max()) or 1.0
        mesh = panel.pcolormesh(
            etas,
            alphas,
            values[r],
            cmap="RdBu_r",
            vmin=-largest,
            vmax=largest,
            shading="nearest",
            rasterized=True,
        )
        panel.figure.colorbar(mesh, ax=panel, label=r"$M^2$")
        panel.set_xlabel(r"step size $\eta$")
        fitted(panel, f"direction z{r + 1}")
    panels[0].set_ylabel(r"samples per dimension $\alpha$")
    white = "" if errors is None else "; white: within 2 errors of 0"
    batch = "one batch reused" if reuse else "fresh batches"
    canvas.say(panels, f"{_heading(prediction, weight_decay)}, {batch}{white}")
    return panels


def _evaluated(prediction: Prediction, *, reuse: bool, grid: Mapping[str, Any]) -> tuple[Array, Array | None]:
    """Return M^2 of the first neuron on a grid by direction, and its errors; exactly 0 where theory says so."""
    if isinstance(prediction, TwoStepOverlap):
        return prediction.at(**grid)[2, 0], None
    if isinstance(prediction, OverlapSeries):
        return _summed(prediction, **grid), None
    values, errors = (array[2, 0] for array in prediction.with_errors(**grid))
    if prediction.setting.start == "orthogonal":
        for r in range(prediction.target.k):
            if is_zero(prediction.target, r, reuse=reuse):
                values[r] = errors[r] = 0.0
    return values, errors


def _summed(series: OverlapSeries, alpha: Any, eta: Any, weight_decay: Any) -> Array:
    """Return the terms of a series that are known, on a grid, for the first neuron by direction."""
    terms = series.to_expr()[0, :]
    if open_symbols := terms.free_symbols - {ALPHA, ETA, LAM}:
        raise RebatchError(
            f"the series is open in {', '.join(sorted(map(str, open_symbols)))}; allowed for a figure are series "
            "with an activation and a readout of numbers"
        )
    shape = np.broadcast_shapes(*(np.shape(x) for x in (alpha, eta, weight_decay)))
    values = compiled(sp.Tuple(*terms), (ALPHA, ETA, LAM))(*map(np.asarray, (alpha, eta, weight_decay)))
    return np.stack([np.broadcast_to(value, shape) for value in values]).astype(float)


def curve_grid(prediction: Prediction, highest: float) -> list[float]:
    """Return the step sizes at which a curve up to `highest` is drawn."""
    return np.linspace(highest / 50, highest, _NUMBERS if _is_integral(prediction) else _FORMULA).tolist()  # type: ignore[no-any-return]


def map_grid(prediction: Prediction, alpha: float, eta: float) -> dict[str, list[float]]:
    """Return the parameters over which a map is drawn, up to twice the given ones.

    From a small positive value on: without samples or steps there is nothing to integrate.
    """
    count = _MAP_NUMBERS if _is_integral(prediction) else _MAP_FORMULA
    return {
        name: np.linspace(x / 50, 2 * x, count).tolist() for name, x in (("alphas", alpha), ("etas", eta))
    }


def _is_integral(prediction: Prediction) -> bool:
    return isinstance(prediction, TwoStepNumbers)


def fresh_of(prediction: Prediction) -> Prediction:
    """Return the same prediction with a fresh batch for the second step."""
    if isinstance(prediction, TwoStepNumbers):
        return replace(prediction, setting=replace(prediction.setting, reuse=False))
    return prediction.one_pass


def _kind(prediction: Prediction) -> str:
    if isinstance(prediction, OverlapSeries):
        return f"series to $\\eta^{{{prediction.order}}}$"
    return "formula" if isinstance(prediction, TwoStepOverlap) else "limit"


def is_zero(target: Target, r: int, *, reuse: bool) -> bool:
    """Whether theory says that M^2 e_r is 0 from M = 0, whatever the step size (theory, 3.3 and 3.4)."""
    v = axis(r, target.k)
    seen = [verdict.direction for verdict in two_step_verdict(target) if not verdict.stays_hidden]
    if not any(dot(v, w) != 0 for w in seen):
        return True
    if reuse:
        return False
    if not target.inputs.is_gaussian:
        return all(dot(v, w) == 0 for w in second_step(target).fresh_bound.rows)
    leap = isotropic_leap(target)
    if leap.how not in (How.EXACT, How.THEOREM, How.ENCLOSURE):
        return False
    linear: list[Any] = []
    for order, directions in leap.sequence:
        if order != 1:
            break
        linear += directions
    return not any(dot(v, w) != 0 for w in linear)


def _heading(
    prediction: Prediction, weight_decay: float, *, alpha: float | None = None, d: int | None = None
) -> str:
    """Return what was drawn: target, sigma, p, loss, and the numbers that are fixed."""
    of = prediction.setting if isinstance(prediction, TwoStepNumbers) else prediction
    known = {
        TwoStepOverlap: "exact formula",
        OverlapSeries: "series in eta",
        TwoStepNumbers: "limit by integration",
    }
    parts = [
        f"sigma = {of.activation}",
        f"p = {len(of.readout)}",
        *([] if alpha is None else [f"alpha = {alpha:g}"]),
        *([f"lam = {weight_decay:g}"] if weight_decay else []),
        f"{of.loss} loss",
        known[type(prediction)],
        *([] if d is None else [f"runs at d = {d}"]),
    ]
    return f"g(z) = {prediction.target.text}; {', '.join(parts)}"
