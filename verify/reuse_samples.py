"""How many samples a reused batch needs against d: n = Theta(d), where one pass needs d^{l-1} (theory, 3.4 and 3.7).

Directions that one pass meets at order l >= 2, and two steps on one batch by E[y^m z] != 0, m >= 2, are learned by
the latter with n = alpha d samples: in the limit the cosine of a neuron with them, |M v|/sqrt(Q), is a function of
alpha [D24]. The sample size needed at dimension d is the least n at which the median of the cosine over
runs exceeds a fixed threshold; here the value that the limit has at a given alpha, so that theory says n = alpha d
with this very constant. Runs are exact in law (theory, 6.2); medians do not mind heavy tails (theory, 5.3).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..numeric.machine.draws import seeds
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import Vector, as_floats, in_words
from ..symbolic.language.target import Target
from ..symbolic.learnability.exponents import isotropic_leap
from ..symbolic.learnability.reading import read_product
from ..symbolic.learnability.verdict import two_step_verdict
from ..symbolic.overlap.activation import Activation
from .power_law import Array, Outcome, PowerLaw, distinct_sizes, power_law
from .protocol import mean_square
from .study import Study, at_each, require_affordable, require_finished

# alpha is searched on alpha_0 2^{j/2}, |j| <= _REACH: a factor of 32 either way.
_RATIO = math.sqrt(2)
_REACH = 10
# A random unit vector has a cosine of about 0.67/sqrt(d); the threshold is to stand out of it.
_ABOVE_NOISE = 4.0
_LEAST_OVERLAP = 0.01
_SIZES = 5
_RESAMPLES = 2000
_FEWEST = 8


def reuse_scaling(
    target: Target | str,
    activation: Activation | str = "tanh",
    *,
    eta: float | None = None,
    steps: int = 2,
    alpha: float = 4.0,
    dimensions: Sequence[int] | None = None,
    runs: int = 32,
    seed: int = 0,
    false_alarm: float = 1e-3,
    threads: int | None = None,
) -> "ReuseScaling":
    """Measure the samples that steps on a reused batch need against d, and hold them against n = Theta(d).

    One neuron, correlation loss, M = 0 at the start.

    Parameters
    ----------
    target : Target or str
        With a direction that two reused steps learn and one pass meets at order 2 or more.
    activation : Activation or str
        With a kernel; a bounded slope keeps the tails tame.
    eta : float, optional
        By default 1/2 over the root of E[y^2].
    steps : int
        At least 2.
    alpha : float
        The threshold is the limit's overlap at this many samples per dimension.
    dimensions : sequence of int, optional
        At least 3 different ones; by default five from where the threshold stands out of the noise, each twice the
        one before.
    runs : int
        At each dimension and sample size, at least 8.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    false_alarm : float
        Chance that a true law is called inconsistent.
    threads : int, optional
        By default one per core.

    Returns
    -------
    ReuseScaling
        On Ctrl-C with the dimensions finished before.

    Raises
    ------
    RebatchError
        If an argument is not allowed, no direction separates reuse from one pass, or the limit's overlap is too small
        to be seen.
    TooLargeError
        If the study would take more than MOST_SAMPLES samples.

    References
    ----------
    [D24]; theory, 3.4, 5.3, 6.2.
    """
    target = Target(target)
    steps = checks.integer("steps", steps, least=2, why=": the first step is that of one pass")
    runs = checks.integer("runs", runs, least=_FEWEST)
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=1)
    directions, order = _separating(target)
    scale = math.sqrt(mean_square(target))
    setting = Setting(
        target=target,
        activation=activation,
        alpha=alpha,
        eta=0.5 / scale if eta is None else eta,
        steps=steps,
        loss="correlation",
    )
    basis = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in directions])
    threshold = _visible_overlap(setting, basis, seed, threads)
    sizes = _sizes(dimensions, threshold)
    # A search looks at about five values of alpha around the one it finds.
    require_affordable(6 * runs * setting.steps * setting.alpha * sum(sizes), sizes)
    search = _Search(setting, basis, threshold, runs, threads)
    children = np.random.SeedSequence(seed).spawn(len(sizes))
    rows, interrupted = at_each(sizes, children, search.needed, "samples for reuse")
    measured = np.array(sizes[: len(rows)])
    needed, errors, fresh = np.array(rows).T
    known = np.isfinite(needed)
    fit = None
    if known.sum() >= 3:
        fit = power_law(
            measured[known], needed[known] * measured[known], errors[known], 1.0, false_alarm=false_alarm
        )
    names = tuple(map(in_words, directions))
    return ReuseScaling(
        setting,
        names,
        order,
        threshold,
        measured,
        runs,
        seed,
        needed,
        errors,
        fresh,
        fit,
        false_alarm,
        interrupted,
    )


def _visible_overlap(setting: Setting, basis: Array, seed: int, threads: int | None) -> float:
    """Return the limit's overlap after the last step, refused where runs could not show it."""
    found = _overlap(simulate(setting, "limit", seed=seed, points=2**14, threads=threads), basis)
    if found < _LEAST_OVERLAP:
        raise RebatchError(
            f"in the limit the overlap at alpha = {setting.alpha:g}, eta = {setting.eta:.3g} is {found:.2g}, too "
            f"small to be seen (allowed is {_LEAST_OVERLAP:g} or more); give a larger alpha, another eta, activation "
            "or steps"
        )
    return found


@dataclass(frozen=True, eq=False)
class ReuseScaling(Study):
    """The sample size that a reused batch needs, at several dimensions.

    Attributes
    ----------
    setting : Setting
        With the alpha that sets the threshold.
    names : tuple of str
        The directions measured, in words.
    one_pass_order : int
        The order l at which one pass meets them: it needs d^{max(l-1,1)} samples.
    threshold : float
        Of the cosine.
    d : ndarray of int, shape (sizes,)
    runs, seed : int
    alpha : ndarray, shape (sizes,)
        Least n/d at which the median over runs exceeds the threshold; infinite if none tried does.
    log_error : ndarray, shape (sizes,)
        Standard error of its logarithm.
    fresh : ndarray, shape (sizes,)
        Median cosine after the same steps on fresh batches of n = alpha d each, alpha that of the setting: noise.
    fit : PowerLaw or None
        Of n = alpha d, expected exponent 1; None with fewer than 3 dimensions.
    false_alarm : float
    interrupted : bool
        Ctrl-C ended the study before its last dimension.
    """

    setting: Setting
    names: tuple[str, ...]
    one_pass_order: int
    threshold: float
    d: NDArray[np.int64]
    runs: int
    seed: int
    alpha: Array
    log_error: Array
    fresh: Array
    fit: PowerLaw | None
    false_alarm: float
    interrupted: bool = False

    @property
    def one_pass_exponent(self) -> int:
        """The power of d that one pass needs."""
        return max(self.one_pass_order - 1, 1)

    @property
    def outcome(self) -> Outcome:
        """Whether n = Theta(d); inconsistent too where 32 times the samples of the limit do not suffice."""
        if np.isinf(self.alpha).any():
            return "inconsistent"
        return "undecided" if self.fit is None else self.fit.outcome

    def heading(self) -> str:
        """Return what was run and measured, in two lines."""
        along = ", ".join(self.names)
        return f"{self.setting}\n|M| along {along}, over sqrt(Q), exceeds {self.threshold:.3f} at the median"

    def statement(self) -> str:
        """Return the outcome in one sentence, with its false-alarm rate."""
        if np.isinf(self.alpha).any():
            late = ", ".join(map(str, self.d[np.isinf(self.alpha)]))
            most = self.setting.alpha * _RATIO**_REACH
            return f"inconsistent with n = Theta(d): at d = {late} not even n = {most:g} d suffices"
        if self.fit is None:
            return "undecided: fewer than 3 dimensions were measured; theory says n = Theta(d)"
        low, high = self.fit.interval
        return (
            f"{self.fit.outcome}, theory says n = Theta(d) on a reused batch: n grows like d^{self.fit.slope:.2f}, "
            f"interval {low:.2f} to {high:.2f} (false-alarm rate {self.false_alarm:g}), allowance for finite size "
            f"±{self.fit.allowance:.2f}; n = {self.fit.constant:.2f} d, the limit says {self.setting.alpha:g} d; "
            f"one pass needs {'d log d' if self.one_pass_order == 2 else f'd^{self.one_pass_exponent}'}"
        )

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each dimension; what was not found is infinite."""
        rows = zip(self.d, self.alpha, self.log_error, self.fresh, strict=True)
        return [
            {
                "d": int(d),
                "samples": float(alpha * d),
                "alpha": float(alpha),
                "log_error": float(error),
                "one pass": float(fresh),
            }
            for d, alpha, error, fresh in rows
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {
            "setting": self.setting.to_dict(),
            "directions": list(self.names),
            "threshold": self.threshold,
            "one_pass": {"order": self.one_pass_order, "exponent": self.one_pass_exponent},
            "runs": self.runs,
            "seed": self.seed,
            "sizes": [
                {
                    "d": int(d),
                    "alpha": float(alpha) if math.isfinite(alpha) else None,
                    "samples": float(alpha * d) if math.isfinite(alpha) else None,
                    "log_error": float(error) if math.isfinite(error) else None,
                    "one_pass_overlap": float(fresh),
                }
                for d, alpha, error, fresh in zip(self.d, self.alpha, self.log_error, self.fresh, strict=True)
            ],
            "fit": None if self.fit is None else self.fit.to_json(),
            "false_alarm": self.false_alarm,
            "interrupted": self.interrupted,
            "outcome": self.outcome,
            "statement": self.statement(),
        }

    def lines(self) -> list[str]:
        """Return what was measured at each dimension."""
        return [
            f"d = {d}: n = {alpha * d:.0f} (alpha = {alpha:.2f} ± {alpha * error:.2f}); fresh batches: {fresh:.3f}"
            for d, alpha, error, fresh in zip(self.d, self.alpha, self.log_error, self.fresh, strict=True)
        ]


class _Search:
    """Runs of one setting at any alpha and d, and the least alpha at which the median overlap is large enough."""

    def __init__(
        self, setting: Setting, basis: Array, threshold: float, runs: int, threads: int | None
    ) -> None:
        self.setting, self.basis, self.threshold, self.runs = setting, basis, threshold, runs
        self.threads = threads

    def needed(self, d: int, seed: np.random.SeedSequence) -> tuple[float, float, float]:
        """Return the least alpha at dimension d, the standard error of its logarithm, and the overlap of one pass.

        Bisection on the grid, then interpolation in log alpha between its last two points. Each point of the grid has
        its own seed, so that what is found does not hang on the way of the search.
        """
        states = seed.generate_state(2 * _REACH + 3)
        known: dict[int, Array] = {}

        def large(j: int) -> bool:
            if j not in known:
                alpha = self.setting.alpha * _RATIO**j
                known[j] = self.overlaps(alpha, d, int(states[j + _REACH]), reuse=True)
            return bool(np.median(known[j]) > self.threshold)

        fresh = float(np.median(self.overlaps(self.setting.alpha, d, int(states[-1]), reuse=False)))
        low, high = _bracket(large)
        if high is None:
            return math.inf, math.inf, fresh
        if low is None:
            raise RebatchError(
                f"at d = {d} the overlap exceeds the threshold {self.threshold:.3g} at the fewest samples tried; "
                "allowed are dimensions at which it stands out of the noise"
            )
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if large(middle) else (middle, high)
        at = self._crossing(known[low], known[high])
        rng = np.random.default_rng(states[-2])
        samples = [
            self._crossing(rng.choice(known[low], self.runs), rng.choice(known[high], self.runs))
            for _ in range(_RESAMPLES)
        ]
        step = math.log(_RATIO)
        return self.setting.alpha * _RATIO ** (low + at), step * float(np.std(samples, ddof=1)), fresh

    def overlaps(self, alpha: float, d: int, seed: int, *, reuse: bool) -> Array:
        """Return the cosine of every run, shape (runs,)."""
        setting = replace(self.setting, alpha=alpha, reuse=reuse)
        runs = (simulate(setting, d=d, seed=own, threads=self.threads) for own in seeds(seed, self.runs))
        return np.array([_overlap(run, self.basis) for run in runs])

    def _crossing(self, below: Array, above: Array) -> float:
        """Return where the medians of two neighbouring points cross the threshold, in steps of the grid."""
        low, high = np.median(below), np.median(above)
        if not high > low:
            return 0.5
        return float(np.clip((self.threshold - low) / (high - low), -1, 2))


def _bracket(large: Callable[[int], bool]) -> tuple[int | None, int | None]:
    """Return the last point of the grid seen that is not large, and the first that is; None where there is none."""
    inside, direction = 0, -1 if large(0) else 1
    for reach in (*(2**i for i in range(_REACH.bit_length() - 1)), _REACH):
        outside = direction * reach
        if large(outside) == (direction == 1):
            return (inside, outside) if direction == 1 else (outside, inside)
        inside = outside
    return (inside, None) if direction == 1 else (None, inside)


def _overlap(run: Trajectory, basis: Array) -> float:
    """Return |M v| / sqrt(Q) of the neuron after the last step, over the directions together."""
    require_finished(run)
    M, Q = run.M.values[-1, 0], run.Q.values[-1, 0, 0]
    return float(np.linalg.norm(basis @ M) / np.sqrt(Q))


def _separating(target: Target) -> tuple[tuple[Vector, ...], int]:
    """Return the directions that two reused steps learn and one pass meets at order >= 2, and the highest order.

    Raises
    ------
    RebatchError
        If there is none.
    """
    verdicts = two_step_verdict(target)
    # Where no rotation keeps the law of the inputs, the leap over coordinates: those that are met count as known.
    leap = isotropic_leap(target) if target.inputs.is_gaussian else read_product(target).leap()
    orders = {v.direction: leap.order_of(v.direction) for v in verdicts if v.verdict == "learned"}
    separating = {v: order for v, order in orders.items() if order is not None and order > 1}
    if not separating:
        said = "; ".join(f"{in_words(v.direction)}: {v.said}" for v in verdicts)
        easy = ", ".join(in_words(v) for v in orders)
        because = f"one pass learns {easy} with n = Theta(d) too" if easy else said or "it has no direction"
        raise RebatchError(
            f"no direction of {target.text} tells a reused batch from one pass: {because}; allowed are targets with "
            "a direction that two reused steps learn and one pass meets at order 2 or more, such as He(3, z)"
        )
    return tuple(separating), max(separating.values())


def _sizes(dimensions: Sequence[int] | None, threshold: float) -> list[int]:
    """Return the dimensions, sorted; by default doubling from where the threshold stands out of the noise."""
    least = math.ceil((_ABOVE_NOISE * 0.67 / threshold) ** 2)
    if dimensions is None:
        first = max(128, 2 ** math.ceil(math.log2(least)))
        return [first * 2**i for i in range(_SIZES)]
    sizes = distinct_sizes(dimensions)
    if sizes[0] < least:
        raise RebatchError(
            f"d = {sizes[0]}; allowed are dimensions >= {least}, where the threshold {threshold:.3g} stands out of "
            "the overlap of a random neuron"
        )
    return sizes
