"""The information exponent as measured: weak-recovery time of online descent against d (theory, 6.3).

One sample a step, correlation loss, one neuron, rows back to norm sqrt(d) after each step, random start. With
n = IE(g) and m the overlap with a direction v of first order, the drift of a step is

    E[dm] = (eta/d) q m^{n-1},   q = a E[sigma^(n)] C_n(g)[v, …, v] / (n-1)!,

from |m| of order 1/sqrt(d); the random part of the step shortens m by (eta/d)^2 d v m / 2, v = E[y^2] E[sigma'^2].
Both are of one size at eta/d = c d^{-max(n,2)/2} with c a share of |q|/v, and the time at which |M| first exceeds
a threshold then grows like d (n = 1), d log d (n = 2), d^{n-1} (n >= 3) [BA21]. The time is measured by the exact
chain of overlaps (`numeric/online.py`) and held against that law.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ..numeric.machine.draws import seeds
from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..symbolic.calculus.gaussian import expectation
from ..symbolic.calculus.hermite import hermite_series
from ..symbolic.errors import RebatchError, TooLargeError
from ..symbolic.exact.known import How
from ..symbolic.exact.subspace import as_floats, in_words
from ..symbolic.language.parse import ACTIVATION_VARIABLE, coordinate
from ..symbolic.language.target import Target
from ..symbolic.learnability.exponents import information_exponent, isotropic_leap
from ..symbolic.overlap.activation import Activation
from .power_law import (
    Array,
    Outcome,
    PowerLaw,
    bootstrap_log_error,
    distinct_sizes,
    power_law,
    require_rate,
    sample_median,
)

# By default from where the law is seen to where a run takes a minute or so on two cores.
DIMENSIONS: dict[int, tuple[int, ...]] = {
    1: (64, 128, 256, 512, 1024, 2048, 4096),
    2: (64, 128, 256, 512, 1024, 2048, 4096),
    3: (64, 96, 128, 192, 256, 384),
    4: (32, 48, 64, 96, 128),
}
_FALLBACK = (16, 24, 32, 48)
# A replica is given up after so many times the time that the drift alone takes.
_PATIENCE = 8
# Replica-steps beyond which a study is refused: about an hour at 0.1 microseconds each on two cores.
MOST_STEPS = 6e10
_DIRECTIONS_TRIED = 4096
# For He_4 the law is seen only with small steps: with 1/2, steps / d^3 falls from 0.50 at d = 32 to 0.28 at d = 128;
# with 1/5 it is even up to the errors (1.2, 1.1, 1.2, 1.0 up to d = 96).
_SHARE, _SMALL_SHARE = 0.5, 0.25
# Below, an interval for the median of the usual level is all of the half line; and a random start is no small one.
_FEWEST, _SMALLEST = 16, 16


def scaling(
    target: Target | str,
    activation: Activation | str | None = None,
    *,
    dimensions: Sequence[int] | None = None,
    replicas: int = 192,
    seed: int = 0,
    threshold: float = 0.5,
    share: float | None = None,
    false_alarm: float = 1e-3,
    threads: int | None = None,
) -> "Scaling":
    """Measure the weak-recovery time of online descent against d, and hold it against the information exponent.

    With several directions of first order the norm of M along all of them together is measured.

    Parameters
    ----------
    target : Target or str
    activation : Activation or str, optional
        With E[sigma^(n)] != 0 at n = IE(g), checked exactly; by default He_n(h)/n!, whose moment is 1.
    dimensions : sequence of int, optional
        At least 3 different ones; by default what takes a minute or two at this exponent.
    replicas : int
        Runs at each dimension, at least 16.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    threshold : float
        Of the overlap, in (0, 1).
    share : float, optional
        c = share |q|/v: the size of the steps against that at which noise balances drift; by default 1/2 below IE = 4
        and 1/4 from there on.
    false_alarm : float
        Chance that a true law is called inconsistent by the fit.
    threads : int, optional
        By default one per core.

    Returns
    -------
    Scaling
        On Ctrl-C with the dimensions finished before.

    Raises
    ------
    RebatchError
        If an argument is not allowed, IE is infinite or undecided, or E[sigma^(n)] is zero or not known not to be.
    TooLargeError
        If the study would take more than MOST_STEPS replica-steps.

    References
    ----------
    [BA21]; theory, 6.3.
    """
    plan = protocol(target, activation, threshold=threshold, share=share)
    sizes = _sizes(plan, dimensions)
    if isinstance(replicas, bool) or not isinstance(replicas, int) or replicas < _FEWEST:
        raise RebatchError(f"replicas = {replicas!r}; allowed are integers >= {_FEWEST}")
    require_rate(false_alarm)
    work = replicas * sum(plan.drift_time(d) for d in sizes)
    if work > MOST_STEPS:
        raise TooLargeError(
            f"about {work:.1g} steps of all replicas at d = {', '.join(map(str, sizes))} (the time grows like "
            f"{law_in_words(plan.order)}); the limit is {MOST_STEPS:.0g}: give smaller dimensions or fewer replicas"
        )
    rows: list[Array] = []
    interrupted = False
    for d, own in zip(sizes, seeds(seed, len(sizes)), strict=True):
        try:
            run = simulate(
                plan.setting(d),
                "online",
                d=d,
                seed=own,
                threads=threads,
                replicas=replicas,
                stop=threshold,
                stop_along=plan.directions,
            )
        except KeyboardInterrupt:
            interrupted = True
        interrupted = interrupted or run.interrupted
        if interrupted:
            break
        if run.stopped:
            raise RebatchError(
                f"at d = {d} a run {run.stopped}; allowed are steps that do not: a smaller share"
            )
        hit = run.data["hitting_step"].values.astype(float)
        rows.append(np.where(hit < 0, np.inf, hit))
    if not rows:
        raise KeyboardInterrupt
    return judged(plan, sizes[: len(rows)], np.array(rows), seed, false_alarm, interrupted=interrupted)


def judged(
    plan: "Protocol",
    dimensions: Sequence[int],
    times: Array,
    seed: int,
    false_alarm: float,
    *,
    interrupted: bool = False,
) -> "Scaling":
    """Return the medians of right-censored times, shape (sizes, replicas), and their law beside that of theory.

    A dimension whose median's interval reaches into the censored times is left out of the fit.
    """
    d, replicas = np.array(dimensions), times.shape[1]
    # The r-th smallest and r-th largest of n hold the median with probability 1 - 2 P(Bin(n, 1/2) < r).
    r = int(binom.ppf(false_alarm / 2, replicas, 0.5))
    ordered = np.sort(times, axis=1)
    low, high = (
        (ordered[:, r - 1], ordered[:, replicas - r]) if r else (np.zeros(len(d)), np.full(len(d), np.inf))
    )
    median = np.array([sample_median(row) for row in times])
    budget = np.array([plan.budget(size) for size in dimensions])
    known = np.isfinite(high)
    fit = None
    if known.sum() >= 3:
        errors = [
            bootstrap_log_error(row, cap, seed) for row, cap in zip(times[known], budget[known], strict=True)
        ]
        fit = power_law(
            d[known],
            median[known] / plan.factor(d[known]),
            errors,
            plan.exponent,
            delta=plan.finite_size(d[known]),
            false_alarm=false_alarm,
        )
    return Scaling(plan, d, replicas, seed, times, budget, median, low, high, fit, false_alarm, interrupted)


def protocol(
    target: Target | str,
    activation: Activation | str | None = None,
    *,
    threshold: float = 0.5,
    share: float | None = None,
) -> "Protocol":
    """Return how the weak-recovery time of a target is measured: order, directions, activation, step size.

    Raises
    ------
    RebatchError
        As for :func:`scaling`.
    """
    target = Target(target)
    if not 0 < threshold < 1:
        raise RebatchError(f"threshold = {threshold}; allowed are overlaps between 0 and 1")
    if share is not None and not (math.isfinite(share) and share > 0):
        raise RebatchError(f"share = {share}; allowed are finite numbers > 0")
    exponent = information_exponent(target)
    if exponent.value is None:
        raise RebatchError(
            f"the information exponent of {target.text} is {exponent}: there is no law to measure"
        )
    n = exponent.value
    sigma = Activation(activation if activation is not None else _matched(n))
    moment = sigma.moment(order=n)
    if moment.is_zero() is not False:
        known = "is 0" if moment.is_zero() else "is not known not to be 0"
        raise RebatchError(
            f"E[sigma^({n})] {known} for sigma = {sigma}, so the drift at order IE = {n} is none; allowed is an "
            f"activation with this moment, such as {_matched(n)}"
        )
    added = isotropic_leap(target).sequence[0][1]
    directions = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in added])
    lowest, highest = _form_range(target, n, directions)
    # An odd form takes both signs; of an even one the larger side shall lead away from 0.
    towards = highest if highest >= -lowest else lowest
    slope = sigma.derivative.xreplace({ACTIVATION_VARIABLE: coordinate(1)})
    noise = (float(expectation(target.expr**2)) + target.noise_std**2) * float(expectation(slope**2))
    return Protocol(
        target,
        sigma,
        n,
        exponent.how,
        directions,
        tuple(in_words(v) for v in added),
        1.0 if towards * float(moment) > 0 else -1.0,
        str(moment),
        abs(towards * float(moment)) / math.factorial(n - 1),
        noise,
        float(threshold),
        float(_SHARE if n < 4 else _SMALL_SHARE) if share is None else float(share),
    )


def _matched(n: int) -> str:
    """Return the activation that has order n alone, scaled so that E[sigma^(n)] = 1."""
    return "h" if n == 1 else f"He({n}, h)/{math.factorial(n)}"


def _form_range(target: Target, n: int, directions: Array) -> tuple[float, float]:
    """Return the least and largest C_n(g)[v, …, v] = n! sum_S c_S v^S / S! over unit v in the span of `directions`.

    The maxima are those over random unit vectors: they set the scale of the steps, of which only the order counts.
    """
    terms = [(S, float(c)) for S, c in hermite_series(target, n).coefficients.items() if sum(S) == n]
    rng = np.random.default_rng(0)
    v = np.vstack([np.eye(len(directions)), rng.standard_normal((_DIRECTIONS_TRIED, len(directions)))])
    v = v / np.linalg.norm(v, axis=1, keepdims=True) @ directions
    form = sum(
        c * math.factorial(n) / math.prod(map(math.factorial, S)) * np.prod(v ** np.array(S), axis=1)
        for S, c in terms
    )
    return float(np.min(form)), float(np.max(form))


def _sizes(plan: "Protocol", dimensions: Sequence[int] | None) -> list[int]:
    """Return the dimensions, sorted."""
    if dimensions is None:
        return list(DIMENSIONS.get(plan.order, _FALLBACK))
    sizes = distinct_sizes(dimensions)
    if sizes[0] < _SMALLEST:
        raise RebatchError(f"d = {sizes[0]}; allowed are dimensions >= {_SMALLEST}")
    return sizes


@dataclass(frozen=True)
class Protocol:
    """How a target's weak-recovery time is measured.

    Attributes
    ----------
    target : Target
    activation : Activation
    order : int
        IE(g).
    how : How
        How the order is known.
    directions : ndarray, shape (q, k)
        Basis of the directions of first order, along which the overlap is measured.
    names : tuple of str
        The same in words.
    readout : float
        a: 1 or -1, so that the drift leads away from 0.
    activation_moment : str
        E[sigma^(n)], n = IE(g): not zero.
    drift, noise : float
        |q| at its largest over unit directions, and v.
    threshold : float
    share : float
        c = share |q|/v.
    """

    target: Target
    activation: Activation
    order: int
    how: How
    directions: Array
    names: tuple[str, ...]
    readout: float
    activation_moment: str
    drift: float
    noise: float
    threshold: float
    share: float

    @property
    def exponent(self) -> int:
        """The power of d in the law of the time, max(IE - 1, 1); at IE = 2 the law has a factor log d too."""
        return max(self.order - 1, 1)

    @property
    def law_in_words(self) -> str:
        """The law of the time: d, d log d, d^2, …."""
        return law_in_words(self.order)

    def law(self, d: Array | Sequence[int]) -> Array:
        """Return the law of the time up to its constant: d^{max(IE-1,1)}, times log d at IE = 2."""
        size = np.asarray(d, dtype=np.float64)
        return np.asarray(size**self.exponent * self.factor(size))

    def factor(self, d: Array | Sequence[int]) -> Array:
        """Return what the law has beside its power of d: log d at IE = 2, else 1."""
        size = np.asarray(d, dtype=np.float64)
        return np.log(size) if self.order == 2 else np.ones_like(size)

    def finite_size(self, d: Array | Sequence[int]) -> Array:
        """Return the leading finite-size term up to its coefficient: 1/log d at IE = 2, else 1/sqrt(d)."""
        size = np.asarray(d, dtype=np.float64)
        return 1 / np.log(size) if self.order == 2 else 1 / np.sqrt(size)

    def step_size(self, d: int) -> float:
        """Return eta/d = c d^{-max(IE,2)/2}."""
        return self.share * self.drift / self.noise * math.pow(d, -max(self.order, 2) / 2)

    def drift_time(self, d: int) -> float:
        """Return the steps that the drift alone takes from |m| = 0.67/sqrt(d), a median start, to the threshold."""
        n, rate = self.order, self.step_size(d) * self.drift
        start = min(0.67 / math.sqrt(d), self.threshold / 2)
        if n == 1:
            return self.threshold / rate
        if n == 2:
            return math.log(self.threshold / start) / rate
        return float((start ** (2 - n) - self.threshold ** (2 - n)) / ((n - 2) * rate))

    def budget(self, d: int) -> int:
        """Return the number of steps after which a replica is given up."""
        return math.ceil(_PATIENCE * self.drift_time(d))

    def setting(self, d: int) -> Setting:
        """Return the experiment at dimension d."""
        steps = self.budget(d)
        return Setting(
            target=self.target,
            activation=self.activation,
            alpha=1,
            eta=self.step_size(d) * d,
            steps=steps,
            loss="correlation",
            readout=[self.readout],
            start="random",
            reuse=False,
            normalize=True,
            record_every=steps,
        )

    def __str__(self) -> str:
        sign = "-" if self.readout < 0 else ""
        return (
            f"{self.target.text}: IE = {self.order} ({self.how}); |M| along {', '.join(self.names)} exceeds "
            f"{self.threshold:g}; sigma = {sign}({self.activation}), E[sigma^({self.order})] = "
            f"{self.activation_moment}"
        )


@dataclass(frozen=True)
class Scaling:
    """Weak-recovery times at several dimensions beside their law.

    Attributes
    ----------
    protocol : Protocol
    d : ndarray of int, shape (sizes,)
    replicas : int
    seed : int
    times : ndarray, shape (sizes, replicas)
        Step at which the overlap first exceeds the threshold; infinite where that did not happen within the budget.
    budget : ndarray of int, shape (sizes,)
    median, low, high : ndarray, shape (sizes,)
        The median and its distribution-free interval of the level of `false_alarm`, from order statistics: infinite
        where they are among the replicas that were given up.
    fit : PowerLaw or None
        Of the dimensions with a finite `high`; None with fewer than 3.
    false_alarm : float
    interrupted : bool
        Ctrl-C ended the study before its last dimension.
    """

    protocol: Protocol
    d: NDArray[np.int64]
    replicas: int
    seed: int
    times: Array
    budget: NDArray[np.int64]
    median: Array
    low: Array
    high: Array
    fit: PowerLaw | None
    false_alarm: float
    interrupted: bool = False

    @property
    def overdue(self) -> NDArray[np.bool_]:
        """Where it is certain, up to the false-alarm rate, that most replicas need longer than the budget."""
        return np.isinf(self.low)

    @property
    def outcome(self) -> Outcome:
        """Whether theory and numbers agree.

        ====================================================================== =============
        at some d most replicas need longer than 8 times the drift's time     inconsistent
        fewer than 3 dimensions have a median                                  undecided
        otherwise                                                              as the fit
        ====================================================================== =============
        """
        if self.overdue.any():
            return "inconsistent"
        return "undecided" if self.fit is None else self.fit.outcome

    @property
    def agrees(self) -> bool | None:
        """True where consistent, False where inconsistent, None where undecided."""
        return {"consistent": True, "inconsistent": False, "undecided": None}[self.outcome]

    def heading(self) -> str:
        """Return what was run and measured, in one line."""
        return f"{self.protocol}"

    def statement(self) -> str:
        """Return the outcome in one sentence, with its false-alarm rate."""
        n, law = self.protocol.order, self.protocol.law_in_words
        if self.overdue.any():
            late = ", ".join(map(str, self.d[self.overdue]))
            return (
                f"inconsistent with IE = {n}: at d = {late} most replicas need more than {_PATIENCE} times the steps "
                f"of the drift (false-alarm rate {self.false_alarm:g})"
            )
        if self.fit is None:
            return f"undecided: fewer than 3 dimensions have a median recovery time; theory says {law}"
        low, high = self.fit.interval
        what = "steps / log d" if n == 2 else "steps"
        return (
            f"{self.fit.outcome}, IE = {n} says {law}: {what} grow like d^{self.fit.slope:.2f}, interval "
            f"{low:.2f} to {high:.2f} (false-alarm rate {self.false_alarm:g}), theory {self.fit.expected:g}, "
            f"allowance for finite size ±{self.fit.allowance:.2f}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; times that were not reached are null."""
        p = self.protocol
        return {
            "target": p.target.text,
            "information_exponent": {"value": p.order, "how": str(p.how)},
            "activation": p.activation.name,
            "activation_moment": p.activation_moment,
            "directions": list(p.names),
            "threshold": p.threshold,
            "replicas": self.replicas,
            "seed": self.seed,
            "sizes": [
                {
                    "d": int(d),
                    "step_size": p.step_size(int(d)),
                    "budget": int(budget),
                    "reached": int(np.isfinite(times).sum()),
                    "median": _finite(median),
                    "interval": [_finite(low), _finite(high)],
                    "times": [_finite(t) for t in times],
                }
                for d, budget, times, median, low, high in zip(
                    self.d, self.budget, self.times, self.median, self.low, self.high, strict=True
                )
            ],
            "fit": None if self.fit is None else self.fit.to_json(),
            "false_alarm": self.false_alarm,
            "interrupted": self.interrupted,
            "outcome": self.outcome,
            "statement": self.statement(),
        }

    def __str__(self) -> str:
        lines = [self.heading()]
        for d, times, median, low, high in zip(
            self.d, self.times, self.median, self.low, self.high, strict=True
        ):
            reached = int(np.isfinite(times).sum())
            lines.append(
                f"d = {d}: median {median:g} steps ({low:g} to {high:g}), {reached} of {self.replicas} reached"
            )
        return "\n".join([*lines, self.statement()])


def law_in_words(order: int) -> str:
    """Return the law of the time: d, d log d, d^2, …."""
    return {1: "d", 2: "d log d"}.get(order, f"d^{order - 1}")


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
