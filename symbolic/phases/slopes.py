"""The activation's side of look-ahead: E[sigma'^(k-1) sigma^(k) He_n(h)], and what takes its place at a kink.

The signal after looking ahead by c = rho d on the same sample is sigma'(h + c y sigma'(h)) y. Where sigma is smooth
its Taylor series in c has y^k sigma'^(k-1) sigma^(k) / (k-1)! at c^(k-1) (theory, 12).

At a kink, sigma'' is a delta and the series does not exist: a sample crosses the kink by its own look-ahead, on one
side only. For slopes s- below 0 and s+ above, J = s+ - s-, the exact law is

    y sigma'(h)  -  J y 1[0 < h < (-c s+ y)_+]  +  J y 1[-(c s- y)_+ < h < 0],

and since the integral of phi He_n from 0 to b is phi(0) sum_(j >= 0) (-1)^j He_(n+j)(0) b^(j+1) / (j+1)!, the place
of y^k at c^(k-1) is taken by

    J y [ (-1)^(k-1) ((-s+ y)_+)^(k-1) + ((s- y)_+)^(k-1) ],   c > 0,

beside phi(0) He_(n+k-2)(0) / (k-1)!.
"""

from dataclasses import dataclass
from functools import cache
from math import factorial

import sympy as sp

from ..calculus.gaussian import expectation
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..language.symbols import ACTIVATION_VARIABLE as H
from ..language.symbols import coordinate, hermite
from ..overlap.activation import Activation

# What stands in a derivative beyond the functions.
_NO_FUNCTIONS = (sp.DiracDelta, sp.Derivative, sp.Subs)


@dataclass(frozen=True)
class Kink:
    """A function of two slopes that meet at 0.

    Attributes
    ----------
    below, above : sympy.Expr
        Its slopes.
    """

    below: sp.Expr
    above: sp.Expr

    def label(self, y: sp.Expr, k: int) -> sp.Expr:
        """Return what takes the place of y^k, k >= 2, for a look-ahead that descends (c > 0)."""
        up = (-1) ** (k - 1) * sp.Max(0, -self.above * y) ** (k - 1)
        down = sp.Max(0, self.below * y) ** (k - 1)
        return (self.above - self.below) * y * (up + down)


class Slopes:
    """The moments of one activation, or of any where it is left open."""

    def __init__(self, activation: Activation | None) -> None:
        self.activation = activation
        self.kink = None if activation is None else _kink(activation.expr)
        self.moment = cache(self._moment)
        self.parity = cache(self._parity)

    @property
    def highest(self) -> int | None:
        """The largest k with sigma^(k) != 0, of a polynomial; None without bound."""
        sigma = self.activation
        return sigma.degree if sigma is not None and sigma.is_polynomial else None

    def _parity(self, k: int) -> int | None:
        """Return n + 1 modulo 2 of all n with E[sigma'^(k-1) sigma^(k) He_n] != 0, but for n = 0 at k = 1; else None.

        An odd function plus a constant has even slopes, and n + 1 as k; an even one has sigma'^(k-1) sigma^(k) odd
        for every k, and a linear function beside it is seen at k = 1, n = 0 alone.
        """
        if self.activation is None:
            return None
        expr = self.activation.expr.rewrite(sp.Abs)
        mirrored = expr.xreplace({H: -H})
        even, odd = (sp.expand(expr + sign * mirrored) for sign in (1, -1))
        if not even.has(H) and (self.kink is None or k == 1):
            return k % 2
        if not odd.has(H) or (k == 1 and odd.is_polynomial(H) and sp.degree(odd, H) == 1):
            return 0 if self.kink is None or k == 1 else None
        return None

    def _moment(self, k: int, n: int) -> Expectation | None:
        """Return E[sigma'^(k-1) sigma^(k) He_n]; None if it does not exist, or cannot be computed."""
        if self.activation is None:
            raise RebatchError("an open activation has no moments")
        if k == 1:
            return self.activation.moment(order=n + 1)
        if self.kink is not None:
            value = sp.functions.special.polynomials.hermite_prob(n + k - 2, 0) / sp.Integer(factorial(k - 1))
            return Expectation.exact(value / sp.sqrt(2 * sp.pi))
        first, last = (sp.diff(self.activation.expr, H, m) for m in (1, k))
        integrand = first ** (k - 1) * last * hermite(n, H)
        if integrand.has(*_NO_FUNCTIONS):
            return None
        try:
            return expectation(integrand.xreplace({H: coordinate(1)}))
        except RebatchError:
            return None

    def in_words(self, k: int, n: int) -> str:
        """Return E[sigma'^(k-1) sigma^(k) He_n] in symbols."""
        if self.kink is not None and k > 1:
            factors = ["crossing"]
        else:
            factors = [f"sigma'^{k - 1}" if k > 2 else "sigma'"] if k > 1 else []
            factors.append("sigma" + ("'" * k if k <= 3 else f"^({k})"))
        return f"E[{' '.join([*factors, *([f'He{n}'] if n else [])])}]"


def _kink(expr: sp.Expr) -> Kink | None:
    """Return the slopes of a function that is linear on either side of 0 and continuous there, with a kink."""
    t = sp.Symbol("t", positive=True)
    above, below = (sp.expand(expr.xreplace({H: s * t}).doit()) for s in (1, -1))
    if not all(side.is_polynomial(t) and sp.degree(side, t) <= 1 for side in (above, below)):
        return None
    up, down = (side.coeff(t, 1) for side in (above, below))
    if up + down == 0 or above.coeff(t, 0) != below.coeff(t, 0):
        return None
    return Kink(-down, up)
