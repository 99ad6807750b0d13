"""How long full-batch descent takes to leave M = 0 on one batch, where two steps do not suffice (theory, 12).

Even directions stay hidden after two steps on a batch of n = alpha d samples: no F has E[F(y) <v, z>] != 0. But the
overlap of a random start, |M| of order d^{-1/2}, may grow from step to step. In the limit M^0 -> M^t is linear at 0,
M^t = A_t M^0 along the hidden directions, found by symmetric differences of limit runs on the same points, as long as
both are small. If the last factor |A_t| / |A_{t-1}| is lambda > 1, an overlap of order one takes

    t(d) = log d / (2 log lambda) + O(1)

steps; directions seen by E[F(y) z] take a number that does not grow. Settled is the case sigma' = c h, where a step
is one of power iteration for sum_v y_v x_v x_v^T, and lambda falls to the ratio of its outlier to its bulk; for other
activations the linear map holds for times that do not grow with d: that it goes on to log d is measured, not proved.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.stats import t as student

from ..numeric.machine.draws import seeds
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import Subspace, Vector, as_floats, in_words
from ..symbolic.language.symbols import ACTIVATION_VARIABLE
from ..symbolic.language.target import Target
from ..symbolic.learnability.verdict import two_step_verdict
from ..symbolic.overlap.activation import Activation
from .power_law import Array, distinct_sizes
from .study import Study, at_each, require_affordable, require_finished

Growth = Literal["log d", "constant", "undecided"]
DIMENSIONS = (250, 1_000, 4_000)
# Small beside what bends the map, large beside rounding.
_START = 1e-4
# Beyond, the map is bent; the points of the limit are not symmetric, and that grows too.
_SMALL = 0.1
_POINTS = 2**15
_FEWEST = 6
# Steps per factor e of d that are called none: over the default dimensions less than one step.
_NONE = 0.25


def full_batch_scaling(
    target: Target | str,
    activation: Activation | str = "He(2, h)/2",
    *,
    alpha: float = 16.0,
    eta: float = 0.1,
    steps: int = 24,
    threshold: float = 0.4,
    dimensions: Sequence[int] | None = None,
    runs: int = 48,
    seed: int = 0,
    false_alarm: float = 1e-3,
    threads: int | None = None,
) -> "FullBatchScaling":
    """Measure how the weak-recovery time of full-batch descent on one batch grows with d.

    One neuron, correlation loss, unit rows, random start, exact in law; of a = 1 and -1 the second layer with the
    larger growth in the limit. |M| is that along the directions that two steps do not show, or along all where there
    is none; the time at which it crosses the threshold is interpolated between steps.

    Parameters
    ----------
    target : Target or str
    activation : Activation or str
    alpha, eta : float
        n = alpha d samples, and the step size.
    steps : int
        After which a run is given up.
    threshold : float
        Of the overlap, in (0, 1).
    dimensions : sequence of int, optional
        At least 3 different ones.
    runs : int
        At each dimension, at least 6.
    seed : int
    false_alarm : float
        Chance that times that do not grow are called growing.
    threads : int, optional
        By default one per core.

    Raises
    ------
    RebatchError
        If an argument is not allowed, the target has no direction, or a run diverges.
    TooLargeError
        If the study would take more than MOST_SAMPLES samples.
    """
    target = Target(target)
    target.require_gaussian("full-batch scaling", "the limit is that of Gaussian inputs")
    threshold = checks.number("threshold", threshold, above=0, below=1)
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=1)
    runs, seed = checks.integer("runs", runs, least=_FEWEST), checks.seed(seed)
    sizes = list(DIMENSIONS) if dimensions is None else distinct_sizes(dimensions)
    setting = Setting(
        target=target,
        activation=activation,
        alpha=alpha,
        eta=eta,
        steps=steps,
        loss="correlation",
        normalize=True,
        start="random",
    )
    require_affordable(runs * setting.steps * setting.alpha * sum(sizes), sizes)
    directions = _followed(target)
    basis = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in directions])
    grown = {a: _amplification(replace(setting, readout=(a,)), basis, seed, threads) for a in (1.0, -1.0)}
    a = max(grown, key=lambda sign: grown[sign][-1] / grown[sign][-2])
    setting = replace(setting, readout=(a,))

    def crossings(d: int, own: int) -> Array:
        own_runs = (simulate(setting, d=d, seed=s, threads=threads) for s in seeds(own, runs))
        return np.array([_crossing(_along(run, basis), threshold) for run in own_runs])

    rows, interrupted = at_each(sizes, seeds(seed, len(sizes)), crossings, "steps on one batch")
    return FullBatchScaling(
        setting,
        tuple(map(in_words, directions)),
        threshold,
        grown[a],
        np.array(sizes[: len(rows)]),
        seed,
        np.array(rows),
        false_alarm,
        interrupted,
    )


def _followed(target: Target) -> tuple[Vector, ...]:
    """Return an orthogonal basis of what two steps do not show; of all directions where they show them all.

    Raises
    ------
    RebatchError
        If there is none.
    """
    verdicts = two_step_verdict(target)
    if not verdicts:
        raise RebatchError(f"{target.text} has no direction; allowed are targets that are not constant")
    hidden = [v.direction for v in verdicts if v.verdict != "learned"]
    return Subspace.span(hidden or [v.direction for v in verdicts], target.k).orthogonal_basis()


def _along(run: Trajectory, basis: Array) -> Array:
    """Return M along the directions, shape (steps + 1, directions)."""
    return np.asarray(require_finished(run).M.values[:, 0] @ basis.T)


def _amplification(setting: Setting, basis: Array, seed: int, threads: int | None) -> Array:
    """Return |A_t|, A_t = dM^t / dM^0 at 0, t = 0, 1, …, by symmetric differences while all ends are small."""

    def end(m: Array) -> Array:
        start = (tuple(map(float, m)),)
        run = simulate(replace(setting, start=start), "limit", seed=seed, points=_POINTS, threads=threads)
        return _along(run, basis)

    ends = np.array([[end(sign * _START * v) for sign in (1, -1)] for v in basis])
    large = np.flatnonzero(np.abs(ends).max(axis=(0, 1, 3)) > _SMALL)
    known = max(2, int(large[0]) if len(large) else ends.shape[2])
    columns = (ends[:, 0, :known] - ends[:, 1, :known]) / (2 * _START)
    return np.asarray(np.linalg.norm(columns.transpose(1, 2, 0), ord=2, axis=(1, 2)))


def _crossing(M: Array, threshold: float) -> float:
    """Return the time at which log |M| crosses that of the threshold, linear between steps; infinite if never."""
    size = np.linalg.norm(M, axis=1)
    above = np.flatnonzero(size > threshold)
    if not len(above):
        return math.inf
    t = int(above[0])
    if t == 0:
        return 0.0
    low, high = np.log(max(size[t - 1], np.finfo(float).tiny)), np.log(size[t])
    return float(t - 1 + (math.log(threshold) - low) / (high - low))


@dataclass(frozen=True, eq=False)
class FullBatchScaling(Study):
    """Weak-recovery times of full-batch descent at several dimensions.

    Attributes
    ----------
    setting : Setting
    names : tuple of str
        The directions measured, in words.
    threshold : float
    amplification : ndarray
        |A_t| of the limit's linearisation at M = 0, for the first steps.
    d : ndarray of int, shape (sizes,)
    seed : int
    times : ndarray, shape (sizes, runs)
        Infinite where the threshold was not reached.
    false_alarm : float
    interrupted : bool
    """

    setting: Setting
    names: tuple[str, ...]
    threshold: float
    amplification: Array
    d: NDArray[np.int64]
    seed: int
    times: Array
    false_alarm: float
    interrupted: bool = False

    @property
    def rate(self) -> float:
        """lambda: the last factor by which a small overlap grows."""
        return float(self.amplification[-1] / self.amplification[-2])

    @property
    def expected(self) -> float:
        """Steps per factor e of d by the linearisation; infinite where it does not grow."""
        return 1 / (2 * math.log(self.rate)) if self.rate > 1 else math.inf

    @property
    def basis(self) -> str:
        """What is known of the linear map at times that grow with d."""
        sigma = self.setting.activation
        settled = sigma.is_polynomial and sp.Poly(sigma.derivative, ACTIVATION_VARIABLE).monoms() == [(1,)]
        return "settled: power iteration" if settled else "beyond constant time measured only"

    @property
    def slope(self) -> tuple[float, float, float] | None:
        """Steps per factor e of d: mean of the runs' own slopes, and its interval; None without three times of each.

        The i-th runs at all dimensions make one fit of t against log d.
        """
        whole = np.isfinite(self.times).all(axis=0)
        if len(self.d) < 3 or whole.sum() < max(3, 0.9 * self.times.shape[1]):
            return None
        x = np.log(self.d) - np.log(self.d).mean()
        own = x @ self.times[:, whole] / (x @ x)
        half = float(student.ppf(1 - self.false_alarm / 2, len(own) - 1)) * own.std(ddof=1) / len(own) ** 0.5
        return float(own.mean()), float(own.mean() - half), float(own.mean() + half)

    @property
    def growth(self) -> Growth:
        """Whether the time grows with log d.

        ========================== ============
        interval of the slope      growth
        ========================== ============
        above 0                    log d
        within 1/4 of 0            constant
        otherwise, or no interval  undecided
        ========================== ============
        """
        if self.slope is None:
            return "undecided"
        _, low, high = self.slope
        if low > -_NONE and high < _NONE:
            return "constant"
        return "log d" if low > 0 else "undecided"

    @property
    def outcome(self) -> Literal["consistent", "inconsistent", "undecided"]:
        """Undecided as the growth is; nothing here contradicts a theorem."""
        return "undecided" if self.growth == "undecided" else "consistent"

    def heading(self) -> str:
        """Return what was run and measured."""
        return f"{self.setting}\nfull batch: steps until |M| along {', '.join(self.names)} exceeds {self.threshold:g}"

    def statement(self) -> str:
        """Return the growth in one sentence, with what theory says and how it is known."""
        says = f"at M = 0 the limit multiplies a small overlap by {self.rate:.2f} a step ({self.basis})" + (
            f", {self.expected:.2f} steps per factor e of d" if self.rate > 1 else ": no growth"
        )
        if self.slope is None:
            late, most = int(np.isinf(self.times).sum()), self.setting.steps
            return f"undecided: {late} of {self.times.size} runs did not reach it in {most} steps; {says}"
        words = {
            "log d": "the time grows like log d",
            "constant": "the time does not grow",
            "undecided": "growth",
        }
        mean, low, high = self.slope
        return (
            f"{self.outcome}, {words[self.growth]}: {mean:.2f} steps per factor e of d, interval {low:.2f} to "
            f"{high:.2f} (false-alarm rate {self.false_alarm:g}); {says}"
        )

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each dimension."""
        return [
            {
                "d": int(d),
                "median": float(np.median(times)),
                "fastest": float(times.min()),
                "slowest": float(times.max()),
                "reached": int(np.isfinite(times).sum()),
                "runs": len(times),
            }
            for d, times in zip(self.d, self.times, strict=True)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; times that were not reached are null."""
        return {
            "setting": self.setting.to_dict(),
            "directions": list(self.names),
            "threshold": self.threshold,
            "growth_at_zero": {"amplification": self.amplification.tolist(), "rate": self.rate},
            "seed": self.seed,
            "sizes": [
                {"d": int(d), "times": [t if math.isfinite(t) else None for t in map(float, times)]}
                for d, times in zip(self.d, self.times, strict=True)
            ],
            "slope": self.slope,
            "false_alarm": self.false_alarm,
            "interrupted": self.interrupted,
            "growth": self.growth,
            "statement": self.statement(),
        }

    def lines(self) -> list[str]:
        """Return what was measured at each dimension."""
        return [
            f"d = {r['d']}: median {r['median']:.2f} steps, {r['reached']} of {r['runs']} reached"
            for r in self.records()
        ]
