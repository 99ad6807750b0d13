"""Formulas of the two-step overlap held against runs over several step sizes, with and without reuse, and drawn."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..numeric.machine.memory import require
from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..numeric.trajectory import Trajectory
from ..numeric.two_steps import TwoStepNumbers
from ..symbolic.overlap.two_steps import TwoStepOverlap, two_step_overlap
from ..verify.agreement import Agreement, agreement

Prediction = TwoStepOverlap | TwoStepNumbers
Formulas = dict[bool, TwoStepOverlap]
Predictions = Mapping[bool, Prediction]
Agreements = dict[bool, dict[float, Agreement]]
Job = tuple[bool, float, int]
Progress = Callable[[list[Job]], Iterable[Job]]


# Enough for errors near 1e-3, the width of a line.
_CURVE_POINTS = 2**12


def exact_formulas(experiment: Setting, readout: Sequence[float] | None = None) -> Formulas:
    """Return the exact formulas of an experiment, by whether the batch is reused."""
    reused = two_step_overlap(
        experiment.target,
        experiment.activation,
        neurons=experiment.neurons,
        readout=readout,
        loss=experiment.loss,
        normalize=experiment.normalize,
        start=None if isinstance(experiment.start, str) else experiment.start,
        start_Q=experiment.start_Q,
    )
    return {True: reused, False: reused.one_pass}


def predictions_of(experiment: Setting, readout: Sequence[float] | None = None) -> Predictions:
    """Return the exact formulas of an experiment where there are any, else what the limit engine gives."""
    if experiment.activation.is_polynomial:
        return exact_formulas(experiment, readout)
    return {reuse: TwoStepNumbers(replace(experiment, reuse=reuse), _CURVE_POINTS) for reuse in (True, False)}


def held_against_runs(
    formulas: Predictions, experiment: Setting, etas: Sequence[float], runs: int, d: int, progress: Progress
) -> Agreements:
    """Return the agreement of runs with the formulas, by reuse and step size; every run has its own seed.

    Points that shared a seed would err together.
    """
    settings = {(reuse, eta): replace(experiment, reuse=reuse, eta=eta) for reuse in formulas for eta in etas}
    require(500.0 * runs * len(settings), f"{runs} runs at each of {len(settings)} step sizes")
    jobs = [(*key, i * runs + run) for i, key in enumerate(settings) for run in range(runs)]
    found: dict[tuple[bool, float], list[Trajectory]] = {key: [] for key in settings}
    for reuse, eta, seed in progress(jobs):
        found[reuse, eta].append(simulate(settings[reuse, eta], d=d, seed=seed))
    return {
        reuse: {
            eta: agreement(
                formula.at(alpha=experiment.alpha, eta=eta, weight_decay=experiment.weight_decay),
                found[reuse, eta],
            )
            for eta in etas
        }
        for reuse, formula in formulas.items()
    }


def draw_curves(
    formulas: Predictions, experiment: Setting, highest: float, agreements: Agreements, d: int, path: Path
) -> Path:
    """Write the figure of M^2 against eta up to `highest`, formulas and runs, and return its path."""
    from ..numeric.overlap_curves import curve_grid, draw_two_steps  # noqa: PLC0415 - as below
    from .figures import figure_of, save  # noqa: PLC0415 - loads Matplotlib

    figure = figure_of(
        draw_two_steps,
        formulas[True],
        formulas[False],
        alpha=experiment.alpha,
        etas=curve_grid(formulas[True], highest),
        simulated=agreements,
        weight_decay=experiment.weight_decay,
        d=d if any(agreements.values()) else None,
    )
    return save(figure, path)


def draw_map(formula: Prediction, experiment: Setting, path: Path) -> Path:
    """Write the map of M^2 over (alpha, eta), up to twice the experiment's, and return its path."""
    from ..numeric.overlap_curves import draw_map as draw  # noqa: PLC0415 - as below
    from ..numeric.overlap_curves import map_grid  # noqa: PLC0415 - as below
    from .figures import figure_of, save  # noqa: PLC0415 - loads Matplotlib

    grid = map_grid(formula, experiment.alpha, experiment.eta)
    return save(figure_of(draw, formula, **grid, weight_decay=experiment.weight_decay), path)
