"""Formulas of the two-step overlap held against runs over several step sizes, with and without reuse, and drawn."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..numeric.trajectory import Trajectory
from ..symbolic.overlap import TwoStepOverlap, two_step_overlap
from ..verify.agreement import Agreement, agreement
from .figures import overlap_map_figure, save, two_step_figure

Formulas = dict[bool, TwoStepOverlap]
Agreements = dict[bool, dict[float, Agreement]]
Job = tuple[bool, float, int]
Progress = Callable[[list[Job]], Iterable[Job]]


def formulas_of(experiment: Setting, readout: Sequence[float] | None = None) -> Formulas:
    """Return the exact formulas of an experiment, by whether the batch is reused."""
    return {
        reuse: two_step_overlap(
            experiment.target,
            experiment.activation,
            neurons=experiment.neurons,
            readout=readout,
            loss=experiment.loss,
            reuse=reuse,
            normalize=experiment.normalize,
            start=None if isinstance(experiment.start, str) else experiment.start,
            start_Q=experiment.start_Q,
        )
        for reuse in (True, False)
    }


def held_against_runs(
    formulas: Formulas, experiment: Setting, etas: Sequence[float], runs: int, d: int, progress: Progress
) -> Agreements:
    """Return the agreement of runs with the formulas, by reuse and step size; every run has its own seed.

    Points that shared a seed would err together.
    """
    given = {name: getattr(experiment, name) for name in asdict(experiment)}
    settings = {
        (reuse, eta): Setting(**{**given, "reuse": reuse, "eta": eta}) for reuse in formulas for eta in etas
    }
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
    formulas: Formulas, experiment: Setting, highest: float, agreements: Agreements, path: Path
) -> Path:
    """Write the figure of M^2 against eta up to `highest`, formulas and runs, and return its path."""
    etas: list[Any] = list(np.linspace(0, highest, 101))
    figure = two_step_figure(
        formulas[True], formulas[False], alpha=experiment.alpha, etas=etas, simulated=agreements,
        weight_decay=experiment.weight_decay,
    )  # fmt: skip
    return save(figure, path)


def draw_map(formula: TwoStepOverlap, experiment: Setting, path: Path) -> Path:
    """Write the map of M^2 over (alpha, eta), up to twice the experiment's, and return its path."""
    alphas, etas = (list(np.linspace(0, 2 * x, 101)) for x in (experiment.alpha, experiment.eta))
    return save(
        overlap_map_figure(formula, alphas=alphas, etas=etas, weight_decay=experiment.weight_decay), path
    )
