"""What a kink of sigma shows after two steps on one batch: at eta^2, whatever the witness order (theory, 5.2 and 10).

sigma' jumps at c from s_- to s_+. A sample whose field is within eta of c is carried across by its own first gradient
eta a s y, on one side only, and changes its second signal by the jump. With u = y for a > 0 and u = -y for a < 0,

    M^2 v = alpha eta^2 a |a| K(v) + (higher powers of eta or alpha),
    K(v) = +-E[s'_regular s] E[y^2 <v, z>] + sum_c phi(c) (s_+ - s_-) E[y ((s_- u)_+ - (s_+ u)_-) <v, z>],

+ for a > 0. The expectations over y are multiples of P = E[max(y, 0)^2 <v, z>] and N = E[max(-y, 0)^2 <v, z>]: half
moments, which see what whole ones do not. relu has K = phi(0) N for a > 0 and -phi(0) P for a < 0, so that it shows
He_3 at eta^2, although E[y^2 z] = 0.
"""

from collections.abc import Callable
from dataclasses import dataclass

import sympy as sp

from ..calculus.gaussian import expectation
from ..exact.expectation import Expectation
from ..language.symbols import ACTIVATION_VARIABLE as H
from ..language.symbols import coordinate
from .activation import Activation

_JUMPING = (sp.Heaviside, sp.sign)
# A second derivative of what is left after the jumps has none of these.
_NO_FUNCTIONS = (sp.DiracDelta, sp.Derivative, sp.Subs)


@dataclass(frozen=True)
class Kink:
    """A place where sigma' jumps.

    Attributes
    ----------
    at : sympy.Rational
        c.
    left, right : sympy.Expr
        s_- and s_+.
    """

    at: sp.Rational
    left: sp.Expr
    right: sp.Expr

    def weights(self, a: int) -> tuple[sp.Expr, sp.Expr]:
        """Return what multiplies P and N in K, for the sign a of the second layer."""
        density = sp.exp(-(self.at**2) / 2) / sp.sqrt(2 * sp.pi)
        up, down = a * self.left, a * self.right
        # y (s y)_+ is max(s, 0) P - max(-s, 0) N, and y (s y)_- the same with P and N changed, times -1.
        of_P = _positive(up) - _positive(-down)
        of_N = _positive(down) - _positive(-up)
        size = density * (self.right - self.left)
        return size * of_P, size * of_N


def _positive(x: sp.Expr) -> sp.Expr:
    return sp.Max(0, x)


def kinks(activation: Activation) -> tuple[Kink, ...] | None:
    """Return the jumps of sigma'; None where sigma itself jumps, or they are at no rational places.

    Examples
    --------
    >>> kinks(Activation("relu"))
    (Kink(at=0, left=0, right=1),)
    """
    slope = activation.derivative
    if slope.has(*_NO_FUNCTIONS):
        return None
    jumping = sorted(slope.atoms(*_JUMPING), key=str)
    places = set()
    for term in jumping:
        inner = term.args[0]
        if not inner.is_polynomial(H) or sp.degree(inner, H) != 1:
            return None
        places.add(-inner.coeff(H, 0) / inner.coeff(H, 1))
    if not all(place.is_Rational for place in places):
        return None
    found = (
        Kink(c, *(sp.simplify(_side(slope, jumping, c, side)) for side in (-1, 1))) for c in sorted(places)
    )
    return tuple(kink for kink in found if kink.left != kink.right)


def _side(slope: sp.Expr, jumping: list[sp.Expr], c: sp.Rational, side: int) -> sp.Expr:
    """Return the limit of sigma' at c from the right (side = 1) or from the left (-1)."""
    values = {}
    for term in jumping:
        inner = sp.expand(term.args[0])
        at = inner.subs(H, c)
        sign = sp.sign(at) if at != 0 else side * sp.sign(inner.coeff(H, 1))
        values[term] = sign if isinstance(term, sp.sign) else (1 + sign) / 2
    return slope.xreplace(values).subs(H, c)


def kink_coefficients(
    activation: Activation, found: tuple[Kink, ...], half: Callable[[int], Expectation]
) -> tuple[Expectation, Expectation]:
    """Return K(v) for a > 0 and for a < 0.

    Parameters
    ----------
    activation : Activation
    found : tuple of Kink
        Its kinks.
    half : callable
        P for +1 and N for -1: E[max(+-y, 0)^2 <v, z>].
    """
    P, N = half(1), half(-1)
    smooth = _regular(activation)
    result = []
    for a in (1, -1):
        total = (P + N) * smooth * a
        for kink in found:
            of_P, of_N = kink.weights(a)
            total = total + P * of_P + N * of_N
        result.append(total)
    return result[0], result[1]


def _regular(activation: Activation) -> Expectation:
    """Return E[s'_regular s], the part of E[sigma' sigma''] without the jumps."""
    slope = activation.derivative
    second = sp.diff(slope, H).replace(lambda x: isinstance(x, sp.DiracDelta), lambda _: sp.Integer(0))
    return expectation((slope * second).xreplace({H: coordinate(1)}))
