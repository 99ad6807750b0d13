"""From two steps on one batch to a small test error: the chain of three stages (theory, 11).

1. *Two steps* on one batch of alpha d samples, from M = 0: the overlap m_0 = M / sqrt(Q) of one neuron.
2. *One pass* from there: a fresh sample a step, correlation loss, rows of unit length. With the step eta / d and the
   time t = (samples) / d, as d -> infinity,

       dm/dt = eta (E[g z] - m E[g h]) - eta^2 / 2 m E[g^2],   g = sigma'(h) y,

   of which the first part is eta (1 - m^2) C'(m), and the second what the noise of single samples costs: it keeps
   1 - m^2 at eta E[g^2] / (2 C'). So eta is divided by four until that is small.
3. *Readout*: ridge regression on features sigma(h + b).

Whether the chain succeeds in O(d) samples is decided by proof where it can be (:mod:`rebatch.symbolic.overlap.drift`,
:mod:`rebatch.symbolic.overlap.suitability`); the error is predicted from the limits of the stages, and simulated.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from math import sqrt
from typing import Any, Literal

import numpy as np
import sympy as sp
from flint import fmpq
from numpy.typing import NDArray

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.known import How, worst
from ..symbolic.exact.polynomial import is_polynomial
from ..symbolic.exact.shown import Drawn, Sheet, Tabulated
from ..symbolic.exact.subspace import in_words
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation
from ..symbolic.overlap.drift import Decision, Drift, along_line, drift_along
from ..symbolic.overlap.eta import ALPHA, ETA, LAM
from ..symbolic.overlap.network import exact
from ..symbolic.overlap.suitability import DirectionShown, activation_check
from ..symbolic.overlap.two_steps import two_step_overlap
from .chain import Chain, Measured, mean_and_error
from .engines.descent import silent_stops
from .machine.memory import require
from .one_pass import OnePass, Plan
from .setting import Setting
from .simulate import simulate

Array = NDArray[np.float64]
Outcome = Literal["learned", "not learned", "undecided"]

# An overlap of the limit this many of its errors from 0 is one; and what is rounding of an exact rule.
_CLEAR, _ROUNDING = 6.0, 1e-9
# Step sizes of the two steps that are tried, in units of that at which the noise of one is as long as the weights;
# the one where nothing is to be found; and how much of the largest overlap is enough: smaller steps have tamer tails.
_STEP_SIZES = 2.0 ** np.arange(-14, 3)
_USUAL, _LARGE = 0.25, 0.7
# Where no tensor rule is exact: points of the survey, and of a last try to tell an overlap from 0.
_SURVEY: dict[str, Any] = {"points": 2**13, "scrambles": 4}
_SHARPER: dict[str, Any] = {"points": 2**18, "scrambles": 8}
# Updates of one run of the one pass that are simulated: a few minutes.
_MOST_UPDATES = 1e9
_BYTES_PER_RUN = 500.0
_LEAST_D = 3
_ARRIVED = 0.9
# An overlap below it is written with its power of ten.
_SMALL = 1e-3


@dataclass(frozen=True)
class Stage:
    """One stage of the chain.

    Attributes
    ----------
    name : str
    samples : float
        In units of d, or their number where it does not grow with d.
    per_dimension : bool
        Whether it is in units of d.
    steps : float
        Updates, in the same units as a one-pass stage has samples; 2 in the first.
    overlap : float
        Predicted at its end.
    """

    name: str
    samples: float
    per_dimension: bool
    steps: float
    overlap: float

    def cells(self) -> tuple[str, ...]:
        """Return the stage as a row of texts."""
        unit = " d" if self.per_dimension else ""
        steps = f"{self.steps:.4g}{' d' if self.steps == self.samples and self.per_dimension else ''}"
        return self.name, f"{self.samples:.4g}{unit}", steps, _overlap(self.overlap)


@dataclass(frozen=True)
class Generalization(Tabulated, Drawn):
    """The chain for one target and activation: whether it succeeds, its stages, and the test loss.

    Attributes
    ----------
    target : Target
    activation : Activation
    shown : DirectionShown
        What two steps show of the direction.
    drift : Drift
    decision : Decision or None
        Of the sign of the drift; None where two steps leave no overlap to start from.
    outcome : {"learned", "not learned", "undecided"}
        In O(d) samples by this chain.
    how : How
    reason : str
    alpha, eta : float
        Of the two steps.
    start, start_error : float
        m_0 of the limit d -> infinity.
    plan : Plan
        Step sizes of the one pass, and the samples per dimension with each.
    stages : tuple of Stage
    baseline : float
        Loss of the best constant, half the variance of the label.
    predicted, predicted_error : float
        Test loss at the end as d -> infinity.
    curve : tuple of arrays
        Samples per dimension in the one pass, and the predicted overlap.
    measured : tuple of Measured
    """

    target: Target
    activation: Activation
    shown: DirectionShown
    drift: Drift
    decision: Decision | None
    outcome: Outcome
    how: How
    reason: str
    alpha: float
    eta: float
    start: float
    start_error: float
    plan: Plan
    stages: tuple[Stage, ...]
    baseline: float
    predicted: float
    predicted_error: float
    curve: tuple[Array, Array]
    measured: tuple[Measured, ...]

    @property
    def relative(self) -> float:
        """The predicted test loss against that of the best constant."""
        return self.predicted / self.baseline

    def heading(self) -> str:
        """Return what it is of, in one line."""
        return (
            f"g(z) = {self.target.text}, sigma = {self.activation}, along {in_words(self.shown.verdict.direction)}: "
            f"alpha = {self.alpha:.4g}, eta = {self.eta:.4g}"
        )

    def verdict(self) -> str:
        """Return the outcome with its reason."""
        words = {
            "learned": "a small error in O(d) samples",
            "not learned": "not in O(d) samples by this chain",
        }
        return f"{self.outcome}: {words.get(self.outcome, 'not decided')} ({self.how}): {self.reason}"

    def arrived(self, run: Measured) -> int:
        """Return how many runs end at nine tenths of the predicted overlap or beyond; 0 where it is to be none."""
        goal = _ARRIVED * self.stages[1].overlap
        return sum(abs(m) >= goal for m in run.overlap) if self.plan.arrives else 0

    def records(self) -> list[dict[str, Any]]:
        """Return a row for the limit and for each dimension: overlaps and test loss, means over runs."""
        rows: list[tuple[Any, ...]] = [
            (None, self.start, self.stages[1].overlap, "", self.predicted, self.predicted_error)
        ]
        for x in self.measured:
            overlaps = (mean_and_error(np.abs(values))[0] for values in (x.start, x.overlap))
            arrived = f"{self.arrived(x)} of {len(x.loss)}" if self.plan.arrives else ""
            rows.append((x.d, *overlaps, arrived, *mean_and_error(x.loss)))
        names = ("d", "after two steps", "after one pass", "arrived", "test loss", "error")
        return [{**dict(zip(names, row, strict=True)), "relative": row[4] / self.baseline} for row in rows]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the stages, and the overlaps and the loss predicted and simulated."""
        rows = tuple(("limit" if r["d"] is None else f"d = {r['d']}", *_cells(r)) for r in self.records())
        head = ("", "|m| two steps", "|m| one pass", "arrive", "test loss", "of a constant's")
        stages = tuple(stage.cells() for stage in self.stages)
        return (
            Sheet(("stage", "samples", "steps", "overlap after it"), stages, self.heading()),
            Sheet(head, rows, self.verdict()),
        )

    def remarks(self) -> tuple[str, ...]:
        """Return the drift and what a reader must know of the numbers."""
        sizes = ", ".join(
            f"{eta:.3g} for {time:.4g} d" for eta, time in zip(self.plan.etas, self.plan.times, strict=True)
        )
        return str(self.drift), f"one pass: step sizes {sizes}"

    def __str__(self) -> str:
        rows = [" | ".join(row) for sheet in self.sheets() for row in (sheet.head, *sheet.rows)]
        return "\n".join([self.heading(), self.verdict(), *self.remarks(), *rows])

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        names = ("name", "samples", "per_dimension", "steps", "overlap")
        return {
            "target": self.target.text,
            "activation": self.activation.name,
            "outcome": self.outcome,
            "how": str(self.how),
            "reason": self.reason,
            "two_steps": self.shown.to_json(),
            "drift": self.drift.to_json(),
            "drift_positive": None if self.decision is None else self.decision.positive,
            "drift_how": None if self.decision is None else str(self.decision.how),
            "alpha": self.alpha,
            "eta": self.eta,
            "start": self.start,
            "start_error": self.start_error,
            "one_pass": [{"eta": e, "time": t} for e, t in zip(self.plan.etas, self.plan.times, strict=True)],
            "stages": [{name: getattr(stage, name) for name in names} for stage in self.stages],
            "baseline": self.baseline,
            "predicted": {"test_loss": self.predicted, "error": self.predicted_error},
            "simulated": [
                {
                    "d": m.d,
                    "start": list(m.start),
                    "overlap": list(m.overlap),
                    "test_loss": list(m.loss),
                    "arrived": self.arrived(m) if self.plan.arrives else None,
                    "mean": mean_and_error(m.loss)[0],
                    "standard_error": mean_and_error(m.loss)[1],
                }
                for m in self.measured
            ],
        }


def _overlap(m: float) -> str:
    return f"{m:.4f}" if m == 0 or m >= _SMALL else f"{m:.1e}"


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    error = "" if np.isnan(row["error"]) else f" ± {row['error']:.2g}"
    return (
        _overlap(row["after two steps"]),
        _overlap(row["after one pass"]),
        row["arrived"],
        f"{row['test loss']:.4g}{error}",
        f"{100 * row['relative']:.3g}%",
    )


def generalization(
    target: Target | str,
    activation: Activation | str,
    *,
    alpha: float = 8.0,
    eta: float | None = None,
    accuracy: float = 0.05,
    d: Sequence[int] | int = (500, 2000, 8000),
    runs: int = 4,
    samples: int = 4000,
    seed: int = 0,
    threads: int | None = None,
) -> Generalization:
    """Return whether two steps on one batch, one pass and a readout learn a target of one direction in O(d) samples.

    Parameters
    ----------
    target : Target or str
        With one index direction.
    activation : Activation or str
        relu, erf, tanh or a polynomial.
    alpha : float
        Samples per dimension of the two steps.
    eta : float, optional
        Their step size; by default the least of seventeen that leaves a large part of the largest |m_0|.
    accuracy : float
        1 - m^2 at which the one pass ends, from 0 to 1.
    d : sequence of int, or int
        Dimensions of the simulations; empty: none.
    runs : int
        At each.
    samples : int
        Of the readout.
    seed : int
    threads : int, optional

    Raises
    ------
    RebatchError
        If an argument is not allowed, or the target has other than one direction.

    References
    ----------
    [D24], corollary on generalisation; [SS95]; theory, 11.

    Examples
    --------
    >>> chain = generalization("He(3, z)", "h + He(3, h)", d=())
    >>> chain.outcome, str(chain.how)
    ('learned', 'exact')
    >>> generalization("He(4, z)", "h + He(3, h)", d=()).outcome
    'not learned'
    """
    whole, sigma = Target(target), Activation(activation)
    alpha = checks.number("alpha", alpha, above=0)
    accuracy = checks.number("accuracy", accuracy, above=0, below=1)
    runs, samples = checks.integer("runs", runs, least=1), checks.integer("samples", samples, least=2)
    require(_BYTES_PER_RUN * runs, f"{runs} runs")
    dimensions = [checks.integer("d", x, least=_LEAST_D) for x in (d if isinstance(d, Sequence) else [d])]
    seed = checks.integer("seed", seed, least=0)
    shown = _one_direction(whole, sigma)
    line = along_line(whole, shown.verdict.direction)
    drift = drift_along(line, sigma, (fmpq(1),))
    one_pass = OnePass(line, sigma, tuple(map(float, drift.coefficients)) if drift.complete else ())
    setting = _two_steps(one_pass, shown, alpha, eta, threads)
    start, error = (0.0, 0.0) if _leaves_nothing(shown) else _sharp_start(setting, threads)
    sign, sign_how = _sign(setting, shown, start, error)
    decision = _decision(drift, one_pass, sign, abs(start), error)
    # Where nothing drives it does not matter from where.
    outcome, how, reason = _outcome(shown, decision, sign, drift.how if drift.is_zero else sign_how)
    m = start if sign else 0.0
    plan = one_pass.plan(m, sign or 1, accuracy, succeeds=outcome == "learned")
    if outcome == "learned" and not plan.arrives:
        reason = f"{reason}; |m_0| = {abs(m):.1e} takes too many samples to follow: the stages end before"
    times, overlaps = one_pass.path(m, plan)
    chain = Chain(setting, plan, samples, seed, threads)
    predicted, predicted_error = chain.readout(float(overlaps[-1]), runs)
    return Generalization(
        target=whole,
        activation=sigma,
        shown=shown,
        drift=drift,
        decision=None if decision is None else decision[0],
        outcome=outcome,
        how=how,
        reason=reason,
        alpha=alpha,
        eta=setting.eta,
        start=abs(m),
        start_error=error,
        plan=plan,
        stages=_stages(alpha, plan, samples, abs(m), abs(float(overlaps[-1]))),
        baseline=one_pass.variance / 2,
        predicted=predicted,
        predicted_error=predicted_error,
        curve=(times, np.abs(overlaps)),
        measured=tuple(chain.measured(x, runs) for x in _affordable(dimensions, plan)),
    )


def _one_direction(target: Target, sigma: Activation) -> DirectionShown:
    """Return what two steps show of the only direction of a target."""
    target.require_gaussian("the chain from two steps to a small error", "it is a theorem of Gaussian inputs")
    directions = activation_check(target, sigma).directions
    if len(directions) != 1:
        raise RebatchError(
            f"{target.text} has {len(directions)} directions; allowed are targets of one: a neuron goes to one"
        )
    return directions[0]


def _leaves_nothing(shown: DirectionShown) -> bool:
    """Whether two steps provably leave no overlap."""
    return shown.outcome in ("hidden", "not shown")


def _two_steps(
    one_pass: OnePass, shown: DirectionShown, alpha: float, eta: float | None, threads: int | None
) -> Setting:
    """Return the setting of the two steps, by default with the least step size that leaves a large overlap."""
    # At the first step h is independent of z: E[g^2] at overlap 0.
    length = sqrt(alpha * one_pass.noise(0.0)) or 1.0
    setting = Setting(
        target=one_pass.target,
        activation=one_pass.activation,
        alpha=alpha,
        eta=_USUAL / length if eta is None else checks.number("eta", eta, above=0),
        steps=2,
        loss="correlation",
        readout=[1.0],
    )
    if eta is not None or _leaves_nothing(shown):
        return setting
    tried = [replace(setting, eta=float(x / length)) for x in _STEP_SIZES]
    options = {} if _is_polynomial(setting) else _SURVEY
    surveyed = np.array([_start_of(each, threads, **options) for each in tried])
    found = np.maximum(0.0, np.abs(surveyed[:, 0]) - 2 * surveyed[:, 1])
    return tried[int(np.argmax(found >= _LARGE * found.max()))]


def _is_polynomial(setting: Setting) -> bool:
    """Whether tensor rules are exact up to rounding."""
    return setting.activation.is_polynomial and is_polynomial(setting.target.expr, setting.target.coordinates)


def _clear(start: float, error: float) -> bool:
    """Whether an overlap is one."""
    return abs(start) > _CLEAR * error


def _sharp_start(setting: Setting, threads: int | None) -> tuple[float, float]:
    """Return m_0 with its error, from more points where it cannot be told from 0 otherwise."""
    found = _start_of(setting, threads)
    return found if _clear(*found) or _is_polynomial(setting) else _start_of(setting, threads, **_SHARPER)


def _start_of(setting: Setting, threads: int | None, **options: Any) -> tuple[float, float]:
    """Return m_0 = M / sqrt(Q) after two steps as d -> infinity, with its error."""
    with silent_stops():
        run = simulate(setting, "limit", seed=0, threads=threads, overlaps_only=True, **options)
    if run.interrupted:
        raise KeyboardInterrupt
    if run.stopped:
        return 0.0, 0.0
    length = sqrt(float(run.Q.values[-1, 0, 0]))
    return float(run.M.values[-1, 0, 0]) / length, float(run.data["M_error"].values[-1, 0, 0]) / length


def _sign(setting: Setting, shown: DirectionShown, start: float, error: float) -> tuple[int, How]:
    """Return the sign of m_0, and how it is known; 0 where there is none, or it is not known."""
    if _leaves_nothing(shown):
        return 0, shown.how
    if _is_polynomial(setting):
        try:
            formula = two_step_overlap(setting.target, setting.activation, loss="correlation", readout=[1])
        except RebatchError:
            formula = None
        if formula is not None:
            point = {ALPHA: exact(setting.alpha), ETA: exact(setting.eta), LAM: 0}
            return int(sp.sign(formula.M2[0, 0].xreplace(point))), How.EXACT
    return (int(np.sign(start)), How.NUMERIC) if _clear(start, error) else (0, How.UNDECIDED)


def _decision(
    drift: Drift, one_pass: OnePass, sign: int, size: float, error: float
) -> tuple[Decision, How] | None:
    """Return whether the drift carries on: from any m_0 of this sign, or from the one of the limit.

    By proof where its sign has one, else as quadrature sees it. Beside it how the answer is known where m_0 is a
    number.
    """
    nothing = Fraction(0)
    anywhere = drift.decide(sign or 1, nothing, nothing)
    if drift.is_zero:
        return anywhere, anywhere.how
    if not sign:
        return None
    if anywhere.positive:
        return anywhere, anywhere.how
    margin = _CLEAR * error + _ROUNDING
    low, high = Fraction(max(0.0, size - margin)), Fraction(min(1.0, size + margin))
    here = drift.decide(sign, low, high)
    if here.positive is None:
        carries, places = one_pass.carries(sign, size)
        here = Decision(carries, How.NUMERIC, None, f"by quadrature C' {'has' if carries else 'has not'} the sign of "
                        f"m_0 at {places} overlaps from m_0 to 1")  # fmt: skip
    return here, worst([How.NUMERIC, here.how])


def _outcome(
    shown: DirectionShown, decision: tuple[Decision, How] | None, sign: int, sign_how: How
) -> tuple[Outcome, How, str]:
    """Return whether the chain succeeds, how it is known, and why."""
    if _leaves_nothing(shown):
        return "not learned", shown.how, f"two steps leave no overlap: {shown.reason}"
    if decision is None:
        if sign_how is How.EXACT:
            return "not learned", How.EXACT, "two steps leave no overlap at this alpha and eta"
        return "undecided", How.UNDECIDED, "the overlap after two steps cannot be told from 0"
    drift, how = decision
    if drift.positive is None:
        return "undecided", How.UNDECIDED, drift.reason
    if not drift.positive:
        return "not learned", worst([sign_how, how]), f"two steps: {shown.summary}, but {drift.reason}"
    side = "m_0 > 0" if sign > 0 else "m_0 < 0"
    return "learned", worst([sign_how, how]), f"two steps give {side} ({sign_how}), and {drift.reason}"


def _stages(alpha: float, plan: Plan, samples: int, start: float, end: float) -> tuple[Stage, ...]:
    return (
        Stage("two steps on one batch", alpha, True, 2.0, start),
        Stage("one pass", plan.time, True, plan.time, end),
        Stage("readout", float(samples), False, 1.0, end),
    )


def _affordable(dimensions: Sequence[int], plan: Plan) -> list[int]:
    """Return the dimensions at which the one pass can be simulated.

    Raises
    ------
    RebatchError
        If there is one at which it cannot.
    """
    for d in dimensions:
        if (updates := d * plan.time) > _MOST_UPDATES:
            raise RebatchError(
                f"d = {d}: one pass of {updates:.2g} steps; at most {_MOST_UPDATES:.0e} are simulated: give a "
                "smaller d, or a larger alpha or accuracy"
            )
    return list(dimensions)
