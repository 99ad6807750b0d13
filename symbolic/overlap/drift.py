"""Does one-pass descent carry an overlap m_0 on to 1? The sign of a polynomial, by proof (theory, 11).

One neuron of unit length under correlation loss climbs C(m) = E[g(z) sigma(h)], (z, h) normal with correlation m:

    dm/dt = (1 - m^2) C'(m),   C(m) = sum_j c_j m^j,   c_j = E[sigma He_j] E[g He_j] / j!,

so that m -> 1 in O(d) samples if and only if C' > 0 on (m_0, 1), and m -> -1 from m_0 < 0 if and only if C' < 0 on
(-1, m_0). Where target or activation is a polynomial the sum ends: with rational c_j roots are counted exactly
(Sturm), with others the sign is enclosed by balls on intervals that cover (m_0, 1). Where it does not end, what is
left out is at most x^J (E[sigma'^2] - sum_{j <= J} b_j^2 / (j - 1)!)^(1/2) times the same of g (Cauchy and Schwarz;
Parseval).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import reduce
from math import factorial
from typing import Any

import numpy as np
import sympy as sp
from flint import arb, fmpq

from ..calculus.gaussian import expectation
from ..calculus.hermite import hermite_series
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.irrational import Scalar, as_expr
from ..exact.known import How, worst
from ..exact.polynomial import is_polynomial
from ..exact.subspace import Vector, squared_length
from ..language.symbols import ACTIVATION_VARIABLE as H
from ..language.symbols import coordinate
from ..language.target import Target
from .activation import Activation

# Of a series that does not end; of one along a direction among several, where each term is a cubature.
_ORDER, _ORDER_AMONG_SEVERAL = 20, 6
# An interval is halved so often before its sign stays open.
_HALVINGS = 12
_BITS = 128
_GRID = 4001
# Terms that are written, and letters of an exact coefficient.
_SHOWN, _SHORT = 6, 24


@dataclass(frozen=True)
class Decision:
    """Whether the drift points to overlap 1 all the way.

    Attributes
    ----------
    positive : bool or None
        None: not decided.
    how : How
    stops : float or None
        Where it first stops on the way, as far as it is seen in floating point.
    reason : str
    """

    positive: bool | None
    how: How
    stops: float | None
    reason: str


@dataclass(frozen=True)
class Drift:
    """C along one direction.

    Attributes
    ----------
    direction : vector
    coefficients : tuple of Expectation
        c_0, c_1, …, c_J.
    rest : Expectation or None
        What bounds |sum_{j > J} j c_j m^(j-1)| / |m|^J; exactly 0 where the sum ends; None: nothing is known.
    """

    direction: Vector
    coefficients: tuple[Expectation, ...]
    rest: Expectation | None

    @property
    def complete(self) -> bool:
        """Whether the sum ends."""
        return self.rest is not None and self.rest.is_zero() is True

    @property
    def is_zero(self) -> bool:
        """Whether C is constant: nothing drives the overlap."""
        return self.complete and all(c.is_zero() is True for c in self.coefficients[1:])

    @property
    def how(self) -> How:
        """How the coefficients are known."""
        return worst(c.how for c in self.coefficients)

    def slope(self, m: float) -> float:
        """Return C'(m) of the terms that are known."""
        return float(sum(j * float(c) * m ** (j - 1) for j, c in enumerate(self.coefficients) if j))

    def __str__(self) -> str:
        terms = [
            f"{_written(c)}{'' if j == 0 else ' m' if j == 1 else f' m^{j}'}"
            for j, c in enumerate(self.coefficients)
            if c.is_zero() is not True
        ]
        rest = [] if self.complete and len(terms) <= _SHOWN else ["..."]
        return f"C(m) = {' + '.join(terms[:_SHOWN] + rest) or '0'}".replace("+ -", "- ")

    def to_json(self) -> dict[str, Any]:
        """Return the coefficients, and how they are known."""
        return {
            "coefficients": [c.to_json() for c in self.coefficients],
            "complete": self.complete,
            "how": str(self.how),
        }

    def decide(self, sign: int, low: Fraction, high: Fraction) -> Decision:
        """Return whether +-C'(+-x) > 0 for x from |m_0|, which lies between low and high, to 1.

        Parameters
        ----------
        sign : {1, -1}
            Of m_0.
        low, high : Fraction
            From 0 to 1.
        """
        terms = self._divided(sign)
        if not terms:
            if self.complete:
                return Decision(False, self.how, float(low), "C' is 0: nothing drives the overlap")
            return Decision(None, How.UNDECIDED, None, "no coefficient of C is known to differ from 0")
        exact = self.complete and all(c.how is How.EXACT and c.value.is_Rational for c in terms)
        of, how = (_by_roots, How.EXACT) if exact else (self._by_balls, worst([How.ENCLOSURE, self.how]))
        name = "C'" if sign > 0 else "-C'(-x)"
        if (first := of(terms, low)) is True:
            where = f"({float(low):.4g}, 1)" if low else "(0, 1)"
            return Decision(True, how, None, f"{name} > 0 on {where}")
        stops = _first_stop(terms, float(high))
        second = of(terms, high)
        if first is False and second is False:
            where = "from the start" if stops is None else f"beyond {stops:.4g}"
            return Decision(False, how, stops, f"{name} is not positive {where}")
        return Decision(None, How.UNDECIDED, stops, f"the sign of {name} on the way is not decided")

    def _divided(self, sign: int) -> list[Expectation]:
        """Return the coefficients of +-C'(+-x) / x^(l-1), c_l the first that is not known to vanish."""
        terms = [c * (j * sign**j) for j, c in enumerate(self.coefficients) if j]
        first = next((i for i, c in enumerate(terms) if c.is_zero() is not True), len(terms))
        return terms[first:]

    def _by_balls(self, terms: Sequence[Expectation], low: Fraction) -> bool | None:
        """Whether the sum is positive on (low, 1], by balls on intervals: False where one point is below 0."""
        if self.rest is None:
            return None
        balls = [c.ball(_BITS) for c in terms]
        bound = abs(self.rest.ball(_BITS)).upper()
        open_intervals = [(low, Fraction(1), 0)]
        undecided = False
        while open_intervals:
            a, b, depth = open_intervals.pop()
            middle = (a + b) / 2
            at = _ball(middle)
            if _sum_at(balls, bound, at) < 0:
                return False
            if _sum_at(balls, bound, arb(at.mid(), _ball((b - a) / 2).upper())) > 0:
                continue
            if depth == _HALVINGS:
                undecided = True
                continue
            open_intervals += [(middle, b, depth + 1), (a, middle, depth + 1)]
        return None if undecided else True


def _sum_at(balls: Sequence[arb], bound: arb, x: arb) -> arb:
    """Return the divided sum at x, with all that may be left out."""
    value = reduce(lambda total, c: total * x + c, reversed(balls), arb(0))
    return value + arb(0, 1) * bound * x ** len(balls)


def _ball(x: Fraction) -> arb:
    return arb(fmpq(x.numerator, x.denominator))


def _by_roots(terms: Sequence[Expectation], low: Fraction) -> bool:
    """Whether a polynomial with rational coefficients is positive on the open interval (low, 1), by Sturm."""
    x = sp.Symbol("x")
    P = sp.Poly([c.value for c in reversed(terms)], x, domain="QQ")
    a, b = sp.Rational(low.numerator, low.denominator), sp.Integer(1)
    if a >= b:
        return bool(P.eval(b) >= 0)
    inside = P.count_roots(a, b) - sum(P.eval(end) == 0 for end in (a, b))
    return inside == 0 and bool(P.eval((a + b) / 2) > 0)


def _first_stop(terms: Sequence[Expectation], start: float) -> float | None:
    """Return the first sign change or touch of 0 beyond the start, as floating point sees it."""
    x = np.linspace(start, 1, _GRID)[1:-1]
    values = np.polynomial.polynomial.polyval(x, [float(c) for c in terms])
    if not values.size or values[0] <= 0:
        return None
    below = np.flatnonzero(values <= 0)
    return float(x[below[0]]) if below.size else None


def drift_along(target: Target | str, activation: Activation | str, direction: Vector) -> Drift:
    """Return C along a direction of a target; where it has others, as if the overlap with those stayed 0.

    Raises
    ------
    RebatchError
        If the direction is known in decimals only, a coefficient cannot be computed, or the inputs are not Gaussian.

    References
    ----------
    [D24], corollary on generalisation; theory, 11.

    Examples
    --------
    >>> from flint import fmpq
    >>> drift = drift_along("He(3, z1)", "h + He(3, h)", (fmpq(1),))
    >>> print(drift)
    C(m) = 6 m^3
    >>> drift.decide(1, Fraction(0), Fraction(0)).positive
    True
    """
    target, sigma = Target(target), Activation(activation)
    target.require_gaussian("the drift")
    for x in direction:
        _exactly(x)
    order = _degree(target, sigma)
    g = _coefficients_along(target, direction, order)
    highest = len(g) - 1
    series = sigma.hermite_series(highest).coefficients
    b = [series.get((j,), Expectation.exact(0)) for j in range(highest + 1)]
    c = tuple(x * y * sp.Rational(1, factorial(j)) for j, (x, y) in enumerate(zip(b, g, strict=True)))
    return Drift(
        direction, c, Expectation.exact(0) if order is not None else _rest(target, sigma, direction, b, g)
    )


def _degree(target: Target, sigma: Activation) -> int | None:
    """Return up to which order coefficients may differ from 0; None where neither is a polynomial."""
    degrees = []
    if is_polynomial(target.expr, target.coordinates):
        degrees.append(int(sp.Poly(target.expr, *target.coordinates).total_degree()))
    if sigma.is_polynomial:
        degrees.append(sigma.degree)
    return min(degrees) if degrees else None


def along_line(target: Target, direction: Vector) -> Target:
    """Return g as a function of z1 = <v, z> / |v| alone, where it depends on nothing else."""
    if target.k == 1:
        return target
    length = sp.sqrt(_exactly(squared_length(direction)))
    point = {
        z: _exactly(x) / length * coordinate(1) for z, x in zip(target.coordinates, direction, strict=True)
    }
    return Target(target.expr.xreplace(point), noise=target.noise)


def _exactly(x: Scalar) -> sp.Expr:
    """Return an entry of a direction as a number.

    Raises
    ------
    RebatchError
        If it is known in decimals only.
    """
    if (value := as_expr(x)) is None:
        raise RebatchError("a direction that is known in decimals only; allowed are exact ones")
    return value


def _coefficients_along(target: Target, v: Vector, order: int | None) -> list[Expectation]:
    """Return E[g He_j(<v, z> / |v|)], j = 0 … order."""
    if target.k == 1:
        highest = _ORDER if order is None else order
        series = hermite_series(target, highest).coefficients
        return [series.get((j,), Expectation.exact(0)) for j in range(highest + 1)]
    highest = _ORDER_AMONG_SEVERAL if order is None else order
    square = _exactly(squared_length(v))
    form = sp.Add(*(_exactly(x) * z for x, z in zip(v, target.coordinates, strict=True)))
    # |v|^j He_j(u / |v|) = u |v|^(j-1) He_(j-1) - (j - 1) |v|^2 |v|^(j-2) He_(j-2): no root.
    wick = [sp.Integer(1), form]
    for j in range(2, highest + 1):
        wick.append(sp.expand(form * wick[-1] - (j - 1) * square * wick[-2]))
    return [
        expectation(target.expr * w) * square ** sp.Rational(-j, 2) for j, w in enumerate(wick[: highest + 1])
    ]


def _rest(
    target: Target, sigma: Activation, v: Vector, b: Sequence[Expectation], g: Sequence[Expectation]
) -> Expectation | None:
    """Return the bound of what is left out of C'; None where a derivative is not square integrable as a function."""
    z = coordinate(1)
    if target.k > 1:
        return None
    slopes = sp.diff(target.expr, z), sigma.derivative.xreplace({H: z})
    total = arb(1)
    for slope, coefficients in zip(slopes, (g, b), strict=True):
        if slope.has(sp.DiracDelta, sp.Derivative, sp.Subs):
            return None
        try:
            left = expectation(slope**2)
        except RebatchError:
            return None
        for j, x in enumerate(coefficients):
            if j:
                left = left - x * x * sp.Rational(1, factorial(j - 1))
        total = total * left.ball(_BITS).max(arb(0)).sqrt()
    return Expectation.enclosed(arb(0, total.upper()))


def _written(c: Expectation) -> str:
    short = c.how is How.EXACT and not c.value.is_Add and len(str(c)) <= _SHORT
    return str(c) if short else c.in_decimals()
