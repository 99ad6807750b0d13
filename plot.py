"""Draw any result (Matplotlib): what the commands draw, on a figure of pyplot or on your own axes.

Every result that has a figure has a method ``plot``, which is :func:`draw`. A new figure is one of pyplot: a notebook
shows it by itself and ``plt.show()`` opens it, as with other libraries that draw. Commands and reports, which no
window is to follow, draw the same on plain figures.
"""

from collections.abc import Callable, Sequence
from inspect import signature
from typing import TYPE_CHECKING, Any

import numpy as np

from .numeric.canvas import COLOURS, Canvas, style
from .numeric.drawing import draw_sweep
from .numeric.generalization import Generalization
from .numeric.generalization_drawing import draw_generalization
from .numeric.inference.amp import MessagePassing
from .numeric.inference.ceiling import Ceiling
from .numeric.inference.drawing import (
    VARIANCES,
    draw_alpha_curve,
    draw_ceiling,
    draw_certificates,
    draw_cosines,
    draw_threshold,
    draw_transform,
)
from .numeric.inference.state_evolution import StateEvolution
from .numeric.inference.threshold import AlphaCurve
from .numeric.overlap_curves import Prediction, curve_grid, draw_map, draw_two_steps, fresh_of, map_grid
from .numeric.own_data import LearnedDirections
from .numeric.own_data_drawing import draw_movement
from .numeric.phases_drawing import draw_phases
from .numeric.sweep import Runs
from .numeric.trajectory import Trajectory
from .numeric.two_steps import TwoStepNumbers
from .symbolic import checks
from .symbolic.errors import RebatchError
from .symbolic.overlap.series import OverlapSeries
from .symbolic.overlap.two_steps import TwoStepOverlap
from .symbolic.phases.diagram import PhaseDiagram
from .symbolic.thresholds.threshold import Threshold
from .verify import drawing
from .verify.agreement import Agreement
from .verify.convergence import Convergence
from .verify.full_batch import FullBatchScaling
from .verify.learnability import LearnabilityCheck
from .verify.paper import Paper
from .verify.paper_drawing import draw_paper
from .verify.reuse_samples import ReuseScaling
from .verify.scaling import Scaling
from .verify.universality_check import Universality

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["COLOURS", "draw", "style"]


def draw(result: Any, ax: "Axes | Sequence[Axes] | None" = None, **options: Any) -> "np.ndarray[Any, Any]":
    """Draw a result and return its axes.

    Parameters
    ----------
    result
        See the table.
    ax : Axes or sequence of Axes, optional
        As many as panels. By default a new figure of pyplot.
    **options
        See the table.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (panels,)

    Raises
    ------
    RebatchError
        If the result has no figure, an option is not one of its kind, or the axes are too many or too few.

    Notes
    -----
    ======================== ============================================== ==========================================
    result                   panels                                         options
    ======================== ============================================== ==========================================
    Trajectory               overlaps against the step, by direction; the   runs: trajectories drawn as points
                             training loss where no direction is known
    learned_directions       singular values of the movement of W
    sweep (Runs)             last overlaps, by direction                    x, y: parameters on the axes
    two-step formula, series M^2 against the step size, by direction        alpha, eta: up to 2 eta; kind="map"
    Agreement                overlaps against the step, by direction
    universality             overlaps against the step, by direction
    convergence              deviation and spread against d
    learnability             size of M v against d, by direction v
    scaling, reuse_scaling   times or samples against d
    full_batch_scaling       times against d; growth of small overlaps
    Threshold                alpha_c against the variance of noise          kind="certificates": bounds by degree;
                                                                            kind="transform": that of the label;
                                                                            variances
    alpha_curve              alpha_c against the variance of noise
    ceiling                  cosines against products with X
    state_evolution, amp     cosine against the step
    phase_diagram            three panels by direction
    generalization           overlap in one pass, test loss against d
    ======================== ============================================== ==========================================

    Examples
    --------
    >>> import rebatch as rb
    >>> diagram = rb.phase_diagram("He(3, z)")
    >>> diagram.plot().shape
    (3,)
    """
    for kind, function in _KINDS:
        if isinstance(result, kind):
            if unknown := options.keys() - set(_own(function)):
                allowed = ", ".join(["ax", *_own(function)])
                raise RebatchError(
                    f"plot has no option {', '.join(sorted(unknown))} here; allowed are {allowed}"
                )
            drawn: np.ndarray[Any, Any] = function(result, _canvas(ax), **options)
            return drawn
    raise RebatchError(
        f"a {type(result).__name__} has no figure; allowed are the results that have a method plot"
    )


def _own(function: Callable[..., Any]) -> list[str]:
    """Return the options of a kind: what a function takes beside the result and where it is drawn."""
    return list(signature(function).parameters)[2:]


def _canvas(ax: "Axes | Sequence[Axes] | None") -> Canvas:
    if ax is not None:
        return Canvas(ax)
    from matplotlib import pyplot as plt  # noqa: PLC0415 - chooses a backend: only where a figure is asked for

    # Loads the backend, which may say that figures show themselves (as notebooks' does): within the style, which
    # puts all settings back, that would be forgotten, and the next figure not be shown.
    plt.draw_if_interactive()  # type: ignore[no-untyped-call]
    return Canvas(make=plt.figure)


def _trajectory(
    result: Trajectory, canvas: Canvas, runs: Sequence[Trajectory] = ()
) -> "np.ndarray[Any, Any]":
    return result.draw(canvas, runs)


def _sweep(
    result: Runs, canvas: Canvas, x: str | None = None, y: str | None = None
) -> "np.ndarray[Any, Any]":
    return draw_sweep(result.data, x, y, canvas)


def _formula(
    result: Prediction,
    canvas: Canvas,
    alpha: float = 2.0,
    eta: float = 0.1,
    kind: str = "curves",
    weight_decay: float = 0.0,
) -> "np.ndarray[Any, Any]":
    checks.one_of("kind", kind, ("curves", "map"))
    alpha, eta = checks.number("alpha", alpha, above=0), checks.number("eta", eta, above=0)
    if kind == "map":
        return draw_map(result, **map_grid(result, alpha, eta), weight_decay=weight_decay, canvas=canvas)
    etas = curve_grid(result, 2 * eta)
    return draw_two_steps(
        result, fresh_of(result), alpha=alpha, etas=etas, weight_decay=weight_decay, canvas=canvas
    )


def _threshold(
    result: Threshold, canvas: Canvas, kind: str = "noise", variances: Any = None
) -> "np.ndarray[Any, Any]":
    kind = checks.one_of("kind", kind, ("noise", "certificates", "transform"))
    if kind != "noise":
        return (draw_certificates if kind == "certificates" else draw_transform)(result, canvas)
    return draw_threshold(
        result,
        VARIANCES if variances is None else variances,
        canvas,
    )


def _state_evolution(result: StateEvolution, canvas: Canvas) -> "np.ndarray[Any, Any]":
    said = f"state evolution, alpha = {result.alpha:g}, d infinite{'' if result.converged else ': not converged'}"
    return draw_cosines(result.cosine, said, "state evolution", canvas)


def _message_passing(result: MessagePassing, canvas: Canvas) -> "np.ndarray[Any, Any]":
    said = f"message passing, d = {result.d}, n = {result.n}, alpha = {result.n / result.d:g}"
    return draw_cosines(result.cosine, said, "message passing", canvas)


_KINDS: tuple[tuple[Any, Callable[..., Any]], ...] = (
    (Trajectory, _trajectory),
    (Runs, _sweep),
    (LearnedDirections, draw_movement),
    ((TwoStepOverlap, TwoStepNumbers, OverlapSeries), _formula),
    (Agreement, drawing.draw_agreement),
    (Universality, drawing.draw_universality),
    (Convergence, drawing.draw_convergence),
    (LearnabilityCheck, drawing.draw_learnability),
    (Scaling, drawing.draw_scaling),
    (ReuseScaling, drawing.draw_reuse),
    (FullBatchScaling, drawing.draw_full_batch),
    (Threshold, _threshold),
    (AlphaCurve, draw_alpha_curve),
    (Ceiling, draw_ceiling),
    (StateEvolution, _state_evolution),
    (MessagePassing, _message_passing),
    (PhaseDiagram, draw_phases),
    (Generalization, draw_generalization),
    (Paper, draw_paper),
)
