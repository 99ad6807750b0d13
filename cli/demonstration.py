"""The main job on the paper's example: z1 + He(3, z2), which one pass cannot learn in its second direction.

Correlation loss and a small step keep the signal's fourth moment tame, so that standard errors can be trusted
(theory, 5.3).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..symbolic.overlap import TwoStepOverlap, two_step_overlap
from ..verify.agreement import Agreement, agreement
from .figures import save, two_step_figure
from .tables import agreement_table

TARGET = "z1 + He(3, z2)"
ACTIVATION = "h + h^2/2 + h^3/6"
ALPHA = 2.0
ETA = 0.05
ETAS = (0.02, 0.035, ETA, 0.065, 0.08)

Formulas = dict[bool, TwoStepOverlap]
Job = tuple[bool, float, int]


@dataclass(frozen=True)
class Demonstration:
    """The two formulas (by reuse) and their agreement with runs (by reuse and step size)."""

    formulas: Formulas
    agreements: dict[bool, dict[float, Agreement]]
    d: int

    def to_json(self) -> dict[str, Any]:
        """Return formulas and agreements as JSON-ready data."""
        return {
            "d": self.d,
            "alpha": ALPHA,
            "formulas": [formula.to_json() for formula in self.formulas.values()],
            "agreements": [
                {"reuse": reuse, "eta": eta, **result.to_json()}
                for reuse, by_eta in self.agreements.items()
                for eta, result in by_eta.items()
            ],
        }


def run(d: int, runs: int, progress: Callable[[list[Job]], Iterable[Job]]) -> Demonstration:
    """Predict and simulate with and without reuse, at every step size of the figure."""
    formulas = {
        reuse: two_step_overlap(TARGET, ACTIVATION, loss="correlation", reuse=reuse)
        for reuse in (True, False)
    }
    settings = {
        (reuse, eta): Setting(
            target=TARGET,
            activation=ACTIVATION,
            alpha=ALPHA,
            eta=eta,
            steps=2,
            loss="correlation",
            reuse=reuse,
        )
        for reuse in formulas
        for eta in ETAS
    }
    # Every run has its own seed: points that shared one would err together.
    jobs = [(*key, i * runs + run) for i, key in enumerate(settings) for run in range(runs)]
    trajectories: dict[tuple[bool, float], list[Any]] = {key: [] for key in settings}
    for reuse, eta, seed in progress(jobs):
        trajectories[reuse, eta].append(simulate(settings[reuse, eta], d=d, seed=seed))
    return Demonstration(
        formulas,
        {
            reuse: {
                eta: agreement(formula.at(alpha=ALPHA, eta=eta), trajectories[reuse, eta]) for eta in ETAS
            }
            for reuse, formula in formulas.items()
        },
        d,
    )


def draw(result: Demonstration, path: Path) -> Path:
    """Write the figure of M^2 against eta, formulas and runs, and return its path."""
    figure = two_step_figure(
        result.formulas[True],
        result.formulas[False],
        alpha=ALPHA,
        etas=list(np.linspace(0, max(ETAS) * 1.05, 100)),
        simulated=result.agreements,
    )
    return save(figure, path)


def show(result: Demonstration, console: Console) -> None:
    """Print the formulas, and prediction beside simulation at the step size in the middle."""
    for reuse, formula in result.formulas.items():
        batch = "one batch, used twice" if reuse else "a fresh batch for each step"
        console.print(f"\n[bold]{batch}[/]: sigma = {ACTIVATION}, correlation loss", highlight=False)
        console.print(str(formula), highlight=False, markup=False, soft_wrap=True)
        console.print(f"alpha = {ALPHA:g}, eta = {ETA:g}, d = {result.d}", highlight=False)
        console.print(agreement_table(result.agreements[reuse][ETA]))
