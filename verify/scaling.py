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
from ..numeric.sweep import simulate_kept as simulate
from ..symbolic import checks
from ..symbolic.errors import RebatchError, TooLargeError
from ..symbolic.exact.shown import Drawn, Tabulated
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation
from .power_law import (
    Array,
    Outcome,
    PowerLaw,
    bootstrap_log_error,
    power_law,
    sample_median,
)
from .protocol import PATIENCE, Protocol, law_in_words, protocol, sizes_of

# Below, an interval for the median of the usual level is all of the half line.
_FEWEST = 16
# Replica-steps beyond which a study is refused: about an hour at 0.1 microseconds each on two cores.
MOST_STEPS = 6e10


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
    sizes = sizes_of(plan, dimensions)
    replicas, seed = checks.integer("replicas", replicas, least=_FEWEST), checks.seed(seed)
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=1)
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
                stop_along=plan.directions.tolist(),
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


@dataclass(frozen=True, eq=False)
class Scaling(Tabulated, Drawn):
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
        at some d most replicas need longer than 8 times the drift's time      inconsistent
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
                f"inconsistent with IE = {n}: at d = {late} most replicas need more than {PATIENCE} times the steps "
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

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each dimension; what was not reached is infinite."""
        rows = zip(self.d, self.budget, self.times, self.median, self.low, self.high, strict=True)
        return [
            {
                "d": int(d),
                "step size": self.protocol.step_size(int(d)),
                "budget": int(budget),
                "reached": int(np.isfinite(times).sum()),
                "replicas": self.replicas,
                **dict(zip(("median", "low", "high"), map(float, known), strict=True)),
            }
            for d, budget, times, *known in rows
        ]

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


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
