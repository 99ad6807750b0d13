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
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

from ..numeric.machine.draws import seeds
from ..numeric.sweep import simulate_kept as simulate
from ..symbolic import checks
from ..symbolic.errors import TooLargeError
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation
from .power_law import (
    Array,
    Outcome,
    PowerLaw,
    bootstrap_log_error,
    power_law,
    sample_quantile,
)
from .protocol import PATIENCE, Protocol, protocol, sizes_of
from .regime import regime
from .study import Study, at_each, require_finished

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
    batch: Fraction | float | str | None = None,
    look_ahead: float = 0.0,
    look_ahead_power: Fraction | float | str = 0,
    false_alarm: float = 1e-3,
    threads: int | None = None,
) -> "Scaling":
    """Measure the weak-recovery time of online descent against d, and hold it against theory.

    With several directions of first order the norm of M along all of them together is measured. The law is that of
    the information exponent, or what the phase diagram says at a batch size or a look-ahead.

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
        c = share |q|/v: the size of the steps against that at which noise balances drift; by default 1/2 below order
        4 and 1/4 from there on.
    batch : Fraction, int, float or str, optional
        mu: a step takes d^mu fresh samples, 0 <= mu below the order; by default one.
    look_ahead : float
        rho0 of a look-ahead rho = rho0 d^r of every step, on the same sample; 0: none.
    look_ahead_power : Fraction, int, float or str
        r <= 0.
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
        If an argument is not allowed, IE is infinite or undecided, E[sigma^(n)] is zero or not known not to be, or
        the piece of the phase diagram is open.
    TooLargeError
        If the study would take more than MOST_STEPS replica-steps.

    References
    ----------
    [BA21]; theory, 6.3 and 12.
    """
    point = regime(batch, look_ahead, look_ahead_power)
    plan = protocol(target, activation, threshold=threshold, share=share, point=point)
    sizes = sizes_of(plan, dimensions)
    replicas, seed = checks.integer("replicas", replicas, least=_FEWEST), checks.seed(seed)
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=1)
    work = replicas * sum(plan.drift_time(d) * point.samples(d) for d in sizes)
    if work > MOST_STEPS:
        raise TooLargeError(
            f"about {work:.1g} samples of all replicas at d = {', '.join(map(str, sizes))} (the steps grow like "
            f"{plan.law.in_words()}); the limit is {MOST_STEPS:.0g}: give smaller dimensions or fewer replicas"
        )

    def hitting_steps(d: int, own: int) -> Array:
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
        hit = require_finished(run, "a smaller share").data["hitting_step"].values.astype(float)
        return np.where(hit < 0, np.inf, hit)

    rows, interrupted = at_each(sizes, seeds(seed, len(sizes)), hitting_steps)
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

    Or another quantile, as the protocol says. A dimension where its interval reaches into the censored times is left
    out of the fit.
    """
    d, replicas, at = np.array(dimensions), times.shape[1], plan.quantile
    # The r-th smallest of n is above the quantile q with probability P(Bin(n, q) < r), and likewise from above.
    r, s = (int(binom.ppf(false_alarm / 2, replicas, q)) for q in (at, 1 - at))
    ordered = np.sort(times, axis=1)
    low = ordered[:, r - 1] if r else np.zeros(len(d))
    high = ordered[:, replicas - s] if s else np.full(len(d), np.inf)
    median = np.array([sample_quantile(row, at) for row in times])
    budget = np.array([plan.budget(size) for size in dimensions])
    known = np.isfinite(high)
    fit = None
    if known.sum() >= 3:
        errors = [
            bootstrap_log_error(row, cap, seed, at)
            for row, cap in zip(times[known], budget[known], strict=True)
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
class Scaling(Study):
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
        The median, or the quantile of the protocol, and its distribution-free interval of the level of `false_alarm`,
        from order statistics: infinite where they are among the replicas that were given up.
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
        """Where it is certain, up to the false-alarm rate, that the quantile is beyond the budget."""
        return np.isinf(self.low)

    @property
    def outcome(self) -> Outcome:
        """Whether theory and numbers agree.

        ====================================================================== =============
        at some d the quantile is beyond 8 times the drift's time              inconsistent
        fewer than 3 dimensions have a quantile                                undecided
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
        plan, law = self.protocol, self.protocol.law.in_words()
        if self.overdue.any():
            late = ", ".join(map(str, self.d[self.overdue]))
            return (
                f"inconsistent with {plan.basis()}: at d = {late} the {plan.statistic} is more than {PATIENCE} times "
                f"the steps of the drift (false-alarm rate {self.false_alarm:g})"
            )
        if self.fit is None:
            return f"undecided: fewer than 3 dimensions have a {plan.statistic}; theory says {law}"
        low, high = self.fit.interval
        what = "steps / log d" if plan.law.log else "steps"
        return (
            f"{self.fit.outcome}, {plan.basis()} says {law}: {what} grow like d^{self.fit.slope:.2f}, interval "
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
                **dict(zip((self.protocol.statistic, "low", "high"), map(float, known), strict=True)),
            }
            for d, budget, times, *known in rows
        ]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; times that were not reached are null."""
        p = self.protocol
        return {
            "target": p.target.text,
            **({} if p.target.inputs.is_gaussian else {"inputs": p.target.inputs.name}),
            "information_exponent": {"value": p.information_exponent, "how": str(p.law.how)},
            "law": {"steps": p.law.in_words(), "term": [p.law.k, p.law.i], "how": str(p.law.how)},
            **({} if p.point.is_plain else {"point": p.point.to_json(), "quantile": p.quantile}),
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
                    p.statistic.replace(" ", "_"): _finite(median),
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

    def lines(self) -> list[str]:
        """Return what was measured at each dimension."""
        rows = zip(self.d, self.times, self.median, self.low, self.high, strict=True)
        return [
            f"d = {d}: {self.protocol.statistic} {median:g} steps ({low:g} to {high:g}), "
            f"{int(np.isfinite(times).sum())} of {self.replicas} reached"
            for d, times, median, low, high in rows
        ]


def _finite(x: float) -> float | None:
    return float(x) if math.isfinite(x) else None
