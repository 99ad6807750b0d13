"""How close descent comes to the best possible: cosines against products with the data (theory, 9).

Of several directions, the cosine is the root of the mean square of those between the learned span and theirs.

A step of gradient descent and a step of message passing both take one product with X and one with its
transpose. Among all methods with as many products, Bayes-optimal message passing has the largest overlap
(Celentano, Montanari, Wu 2020), so its state evolution is the ceiling; descent is that of as many neurons as
directions in the limit d -> infinity, its step size tuned for every number of steps over a grid.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...symbolic import checks
from ...symbolic.exact.shown import Drawn, Tabulated
from ...symbolic.language.target import Target
from ..engines.descent import silent_stops
from ..machine.progress import progress
from ..setting import Setting
from ..simulate import simulate
from .state_evolution import state_evolution

Array = NDArray[np.float64]
ETAS = tuple(float(x) for x in np.geomspace(0.02, 5.0, 9))
# Limit runs of so many steps for each step size, some minutes: their time grows with the square.
_MOST_STEPS = 400
_SAMPLES = 1 << 13
_SCRAMBLES = 4
# Weights this close to dependent span less.
_DEPENDENT = 1e-9


@dataclass(frozen=True)
class Ceiling(Tabulated, Drawn):
    """Cosines with the hidden direction after 0, 1, … steps of each method.

    Attributes
    ----------
    target : Target
    alpha : float
    activation : str
    best : ndarray, shape (steps + 1,)
        Bayes-optimal message passing: no first-order method has more.
    reused, fresh : ndarray, shape (steps + 1,)
        Gradient descent on one batch of alpha d samples, and on a new one at every step.
    eta_reused, eta_fresh : ndarray, shape (steps + 1,)
        The step sizes that were best for each number of steps; nan for none.
    etas : tuple of float
        The grid.
    directions : int
        As many neurons descend.
    """

    target: Target
    alpha: float
    activation: str
    best: Array
    reused: Array
    fresh: Array
    eta_reused: Array
    eta_fresh: Array
    etas: tuple[float, ...]
    directions: int = 1

    @property
    def products(self) -> NDArray[np.int64]:
        """The products with X or its transpose after each number of steps."""
        return 2 * np.arange(len(self.best))

    @property
    def efficiency(self) -> float | None:
        """The share of the ceiling that two steps on one batch reach; None where the ceiling is 0."""
        return float(self.reused[2] / self.best[2]) if self.best[2] > _VISIBLE else None

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each number of products with X."""
        columns = {
            "products": self.products,
            "best possible": self.best,
            "reused": self.reused,
            "eta reused": self.eta_reused,
            "fresh": self.fresh,
            "eta fresh": self.eta_fresh,
        }
        return [
            dict(zip(columns, row, strict=True))
            for row in zip(*(x.tolist() for x in columns.values()), strict=True)
        ]

    def statement(self) -> str:
        """Return the one number in a sentence."""
        if self.efficiency is None:
            return (
                "no method reaches anything in a finite number of products from no knowledge: from a random start it "
                "takes of order log d steps above the threshold"
            )
        return (
            f"two steps on one batch reach {100 * self.efficiency:.0f}% of the cosine that any first-order method "
            f"can with as many products ({self.reused[2]:.3f} of {self.best[2]:.3f})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the curves as JSON-ready data."""
        return {
            "target": self.target.text,
            "alpha": self.alpha,
            "activation": self.activation,
            "directions": self.directions,
            "products": self.products.tolist(),
            "ceiling": self.best.tolist(),
            "reused": self.reused.tolist(),
            "one_pass": self.fresh.tolist(),
            "eta_reused": self.eta_reused.tolist(),
            "eta_one_pass": self.eta_fresh.tolist(),
            "etas": list(self.etas),
            "efficiency": self.efficiency,
        }


# A cosine below it is that of the start, 0.003, with what few steps make of it.
_VISIBLE = 0.05


def ceiling(
    target: Target | str,
    *,
    alpha: float = 2.0,
    steps: int = 6,
    activation: str = "relu",
    etas: Sequence[float] = ETAS,
    seed: int = 0,
) -> Ceiling:
    """Return the cosines of descent, tuned over its step size, beside those of the best first-order method.

    Parameters
    ----------
    target : Target or str
        Of one direction or two; label noise counts.
    alpha : float
        Samples per dimension.
    steps : int
        At least 2, and at most 400; the time grows with the square, half a minute at 200.
    activation : str
        Of the neurons, one for each direction, which descend the correlation loss with readouts 1, -1.
    etas : sequence of float
        Step sizes; for each number of steps the one with the largest cosine counts.
    seed : int

    Raises
    ------
    RebatchError
        If an argument is out of range, or the target has more than two directions.
    """
    target = Target(target)
    steps = checks.integer("steps", steps, least=2, most=_MOST_STEPS)
    alpha, seed = checks.number("alpha", alpha, above=0), checks.seed(seed)
    etas = [checks.number("a step size", x) for x in checks.sequence("etas", etas, "one or more step sizes")]
    evolution = state_evolution(target, alpha, steps=steps)
    readout = [(-1.0) ** j for j in range(len(evolution.basis))]
    best = np.sqrt(np.trace(evolution.Q, axis1=1, axis2=2) / len(readout))
    with progress("step sizes", 2 * len(etas)) as done:
        reused = _tuned(target, alpha, steps, activation, readout, etas, seed, done, reuse=True)
        fresh = _tuned(
            target,
            alpha,
            steps,
            activation,
            readout,
            etas,
            seed,
            lambda count: done(len(etas) + count),
            reuse=False,
        )
    return Ceiling(
        target,
        float(alpha),
        activation,
        best,
        reused[0],
        fresh[0],
        reused[1],
        fresh[1],
        tuple(map(float, etas)),
        len(readout),
    )


def _tuned(
    target: Target,
    alpha: float,
    steps: int,
    activation: str,
    readout: list[float],
    etas: Sequence[float],
    seed: int,
    done: Callable[[int], None],
    *,
    reuse: bool,
) -> tuple[Array, Array]:
    """Return the largest cosine at every step over the step sizes, and where it is reached."""
    curves = np.zeros((len(etas), steps + 1))
    for count, (row, eta) in enumerate(zip(curves, etas, strict=True), 1):
        setting = Setting(
            target=target,
            activation=activation,
            alpha=alpha,
            eta=float(eta),
            steps=steps,
            loss="correlation",
            neurons=len(readout),
            readout=readout,
            reuse=reuse,
        )
        with silent_stops():
            run = simulate(setting, "limit", seed=seed, points=_SAMPLES, scrambles=_SCRAMBLES, rule="sobol")
        # A run that diverged keeps the steps before.
        row[: len(run.M)] = span_cosine(np.asarray(run.M), np.asarray(run.Q))
        done(count)
    where = curves.argmax(axis=0)
    best = curves.max(axis=0)
    return best, np.where(best > 0, np.asarray(etas, float)[where], np.nan)


def span_cosine(M: Array, Q: Array) -> Array:
    """Return the root mean square cosine between the spans of p weights and p directions, from M (n, p, k) and Q."""
    return np.asarray(
        np.sqrt(np.einsum("nik,nik->n", M, np.linalg.pinv(Q, rcond=_DEPENDENT) @ M) / M.shape[1])
    )
