"""How a step sees its samples, and the weak-recovery time that theory says for it: a point of the phase diagram.

    single samples    theory, 6.3: d^max(l - 1, 1), with log d at l = 2
    batches of d^mu   theory, 12: d^(max(l/2, 1) - mu + max(l/2 - 1, 0)) steps until that leaves steps of order one
    rho = rho0 d^r    theory, 12: the pair (k, i) that rules there, in d^(-2 (k - 1) r + max(i - 1, 1)) steps

Here rho is that of a :class:`~rebatch.Setting`, which theory, 12 writes rho d. The drift of a step on one sample is
(eta/d) q rho^(k-1) m^(i-1) for an overlap m with a unit vector v, M = 0 otherwise,

    q = a^k E[g^k He_i(v.z)] E[sigma'^(k-1) sigma^(k) He_(i-1)] / ((k-1)! (i-1)!),   k = 1, i = IE without look-ahead,

from E[f(z, h) z_perp] = (1 - m^2) sum_j m^j / j! E[f He_(j+1)(z) He_j(h)]; at a kink with what takes the place of y^k
there (`symbolic/phases/slopes.py`).
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import sympy as sp

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.expectation import Expectation
from ..symbolic.exact.known import How
from ..symbolic.exact.subspace import Vector
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation
from ..symbolic.phases.batch import least_delta, steps_at
from ..symbolic.phases.diagram import phase_diagram
from ..symbolic.phases.pieces import Line, power_in_words
from ..symbolic.phases.slopes import Slopes

_SINGLE = Fraction(0)


@dataclass(frozen=True)
class Regime:
    """A point of the phase diagram.

    Attributes
    ----------
    batch : Fraction
        mu: a step has d^mu samples.
    rho0 : float
        0 without look-ahead.
    r : Fraction
        The look-ahead is rho0 d^r.
    """

    batch: Fraction = _SINGLE
    rho0: float = 0.0
    r: Fraction = _SINGLE

    @property
    def is_plain(self) -> bool:
        """Whether a step sees one sample, without look-ahead."""
        return not self.batch and not self.rho0

    def samples(self, d: int) -> int:
        """Return the samples of a step."""
        return max(1, round(math.pow(d, self.batch)))

    def rho(self, d: int) -> float:
        """Return the look-ahead."""
        return float(self.rho0 * d ** float(self.r))

    def in_words(self) -> str:
        """Return what differs from single samples, or nothing."""
        if self.rho0:
            return f"look-ahead rho = {self.rho0:g}" + (f" d^({self.r})" if self.r else "")
        return f"batches of d^({self.batch}) samples" if self.batch else ""

    def to_json(self) -> dict[str, str | float]:
        """Return what was asked for, rationals as text."""
        return {"batch": str(self.batch), "look_ahead": self.rho0, "look_ahead_power": str(self.r)}


SINGLE_SAMPLES = Regime()


def regime(
    batch: Fraction | float | str | None, look_ahead: float, look_ahead_power: Fraction | float | str
) -> Regime:
    """Return a point of the phase diagram.

    Raises
    ------
    RebatchError
        If mu is negative, r is positive or without a look-ahead, or both batches and a look-ahead are asked for.
    """
    mu = _SINGLE if batch is None else checks.rational("batch", batch)
    rho0, r = checks.number("look_ahead", look_ahead), checks.rational("look_ahead_power", look_ahead_power)
    if mu < 0:
        raise RebatchError(f"batch = {mu}; allowed are batches of d^mu samples, mu >= 0")
    if r > 0:
        raise RebatchError(f"look_ahead_power = {r}; allowed are r <= 0: a look-ahead of order one at most")
    if r and not rho0:
        raise RebatchError(f"look_ahead_power = {r} without look_ahead; give its size rho0 too: rho0 d^r")
    if mu and rho0:
        raise RebatchError(
            f"batch = {mu} and look_ahead = {rho0:g}; allowed is one of them: theory, 12 treats them apart"
        )
    return Regime(mu, rho0, r)


@dataclass(frozen=True)
class Law:
    """How the steps until weak recovery grow.

    Attributes
    ----------
    k, i : int
        The pair that rules: the drift grows like rho^(k-1) m^(i-1).
    exponent : Fraction
        Of d.
    log : bool
        Whether there is a factor log d.
    how : How
        How the pair is known.
    """

    k: int
    i: int
    exponent: Fraction
    log: bool
    how: How

    def in_words(self) -> str:
        """Return the law: d, d log d, d^(3/2), …."""
        return power_in_words(Line(Fraction(0), self.exponent), "", log=self.log)


def batch_law(order: int, how: How, point: Regime) -> Law:
    """Return the law of the steps on batches, at the largest stable step.

    Raises
    ------
    RebatchError
        If one giant step is enough.
    """
    if point.batch and point.batch >= order:
        raise RebatchError(
            f"batch = {point.batch}; allowed are mu below {order}, where one giant step is enough"
        )
    return Law(1, order, steps_at(order, least_delta(order, point.batch)), order == 2, how)


def look_ahead_law(target: Target, activation: Activation, point: Regime) -> tuple[Law, tuple[Vector, ...]]:
    """Return the law of the steps with look-ahead, and the directions that are found first.

    Raises
    ------
    RebatchError
        If no pair is known to find a direction, or which one is first is undecided.
    """
    if point.rho0 < 0 and Slopes(activation).kink is not None:
        raise RebatchError(
            f"look_ahead = {point.rho0:g} with sigma = {activation}; allowed are positive ones: the law of crossing "
            f"a kink is that of descent"
        )
    pieces = [
        (phases.direction, phases.ahead(point.r)) for phases in phase_diagram(target, activation).directions
    ]
    costs = {v: (piece.time(point.r), piece.log) for v, piece in pieces if piece.time is not None}
    if not costs:
        reason = "; ".join(piece.open or "no pair (k, i) finds it" for _, piece in pieces)
        raise RebatchError(
            f"the look-ahead of sigma = {activation} has no law to measure at r = {point.r}: {reason}"
        )
    first = min(costs.values())
    found = tuple(v for v, cost in costs.items() if cost == first)
    term = next(piece.term for v, piece in pieces if v == found[0])
    assert term is not None
    return Law(term.k, term.i, *first, term.how), found


def shown_label(target: Target, activation: Activation, k: int, sign: int) -> sp.Expr:
    """Return what takes the place of y^k for a second layer a = sign: (a y)^k, or that of a kink."""
    y, kink = sign * target.expr, Slopes(activation).kink
    return y**k if k == 1 or kink is None else kink.label(y, k)


def activation_factor(activation: Activation, k: int, i: int) -> Expectation:
    """Return E[sigma'^(k-1) sigma^(k) He_(i-1)] / (k-1)!, or what stands for it at a kink.

    Raises
    ------
    RebatchError
        If it does not exist, or cannot be computed.
    """
    slopes = Slopes(activation)
    value = slopes.moment(k, i - 1)
    if value is None:
        raise RebatchError(f"{slopes.in_words(k, i - 1)} is not known for sigma = {activation}")
    if k == 1 or slopes.kink is not None:
        return value
    return value * Expectation.exact(sp.Rational(1, math.factorial(k - 1)))
