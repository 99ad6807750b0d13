"""The main job on the paper's example: z1 + He(3, z2), which one pass cannot learn in its second direction.

Correlation loss and a small step keep the signal's fourth moment tame, so that standard errors can be trusted
(theory, 5.3).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..numeric.setting import Setting
from . import comparison
from .tables import agreement_table

TARGET = "z1 + He(3, z2)"
ACTIVATION = "h + h^2/2 + h^3/6"
ALPHA = 2.0
ETA = 0.05
ETAS = (0.02, 0.035, ETA, 0.065, 0.08)

EXPERIMENT = Setting(target=TARGET, activation=ACTIVATION, alpha=ALPHA, eta=ETA, steps=2, loss="correlation")


@dataclass(frozen=True)
class Demonstration:
    """The two formulas (by reuse) and their agreement with runs (by reuse and step size)."""

    formulas: comparison.Formulas
    agreements: comparison.Agreements
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


def run(d: int, runs: int, progress: comparison.Progress) -> Demonstration:
    """Predict and simulate with and without reuse, at every step size of the figure."""
    formulas = comparison.exact_formulas(EXPERIMENT)
    return Demonstration(
        formulas, comparison.held_against_runs(formulas, EXPERIMENT, ETAS, runs, d, progress), d
    )


def draw(result: Demonstration, path: Path) -> Path:
    """Write the figure of M^2 against eta, formulas and runs, and return its path."""
    return comparison.draw_curves(
        result.formulas, EXPERIMENT, 1.05 * max(ETAS), result.agreements, result.d, path
    )


def show(result: Demonstration, console: Console) -> None:
    """Print the formulas, and prediction beside simulation at the step size in the middle."""
    for reuse, formula in result.formulas.items():
        batch = "one batch, used twice" if reuse else "a fresh batch for each step"
        console.print(f"\n[bold]{batch}[/]: sigma = {ACTIVATION}, correlation loss", highlight=False)
        console.print(str(formula), highlight=False, markup=False, soft_wrap=True)
        console.print(f"alpha = {ALPHA:g}, eta = {ETA:g}, d = {result.d}", highlight=False)
        console.print(agreement_table(result.agreements[reuse][ETA]))
