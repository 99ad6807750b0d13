"""E[He_l(z) | y] of a function of one direction, on the level sets {g = y} (theory, 3.6).

Given y, z sits at the roots z_i of g(z) = y with weights phi(z_i) / |g'(z_i)|, so that

    E[He_l(z) | y] = sum_i He_l(z_i) phi(z_i) / |g'(z_i)|  /  sum_i phi(z_i) / |g'(z_i)|.

The generative exponent is the first l >= 1 at which it does not vanish for all y. At each level roots are isolated
with proof (`zeros.py`): between them the sign of g - y is proved, so that none is missed within the reach. What
vanishes at every level tried, to rounding, is taken to vanish: evidence, not proof.
"""

from itertools import pairwise

import numpy as np
import sympy as sp
from flint import arb, ctx
from numpy.polynomial import hermite_e
from numpy.typing import NDArray

from ..calculus.zeros import signs
from ..errors import RebatchError
from ..language.compiled import compiled
from ..language.symbols import coordinate

Array = NDArray[np.float64]

# Beyond it the density is below 1e-17: roots there weigh nothing.
_REACH = 9
_LEVELS = 24
_BITS = 96
# Roots are isolated to 1e-12, weights good to 1e-9 unless the slope is tiny: levels near an extremum are left out.
_ISOLATED = 1e-12
_VANISHES = 1e-7
_DIFFERS = 1e-4
_LEAST_SLOPE = 1e-3


def first_order_on_level_sets(g: sp.Expr, highest: int) -> int | None:
    """Return the first l, 1 <= l <= highest, with E[He_l(z) | y] not 0 at some level; None if that stays unclear.

    Parameters
    ----------
    g : sympy.Expr
        In the coordinate z1 alone.
    highest : int
        The last l that is asked about.

    References
    ----------
    [DPLB24]; theory, 3.6.
    """
    z = coordinate(1)
    with np.errstate(all="ignore"):
        # Between jumps, which no label that is looked at lies on.
        between = sp.diff(g, z).replace(lambda f: isinstance(f, sp.DiracDelta), lambda _: sp.Integer(0))
        value, slope = compiled(g, (z,)), compiled(between, (z,))
        averages = [
            mean for y in _levels(value, slope) if (mean := _conditional(g, slope, y, highest)) is not None
        ]
    if len(averages) < _LEVELS // 3:
        return None
    largest = np.max(np.abs(np.array(averages)), axis=0)
    for order in range(1, highest + 1):
        if largest[order] > _DIFFERS:
            return order
        if largest[order] > _VANISHES:
            return None
    return None


def _levels(value, slope) -> list[float]:  # type: ignore[no-untyped-def]
    """Return labels y = g(t) at places t spread over the bulk, away from extrema and flat parts."""
    places = np.random.default_rng(0).uniform(-2.5, 2.5, _LEVELS)
    return [float(value(t)) for t in places if abs(float(slope(t))) > _LEAST_SLOPE]


def _conditional(g: sp.Expr, slope, y: float, highest: int) -> Array | None:  # type: ignore[no-untyped-def]
    """Return E[He_l | y] for l = 0 … highest, scaled by E[|He_l| | y] where that exceeds 1; None near an extremum."""
    roots = _roots(g - sp.Rational(y))
    if roots is None:
        return None
    if not len(roots):
        return None
    slopes = np.abs(np.broadcast_to(slope(roots), roots.shape))
    weights = np.exp(-(roots**2) / 2) / slopes
    if not np.all(np.isfinite(weights)) or np.min(slopes[weights > 1e-12 * weights.sum()]) < _LEAST_SLOPE:
        return None
    values = hermite_e.hermevander(roots, highest) * (weights / weights.sum())[:, None]
    return np.asarray(values.sum(axis=0) / np.maximum(1, np.abs(values).sum(axis=0)))


def _roots(u: sp.Expr) -> Array | None:
    """Return the roots of u within reach, each alone where u changes sign; None if not all are isolated so."""
    reach = arb(_REACH)
    try:
        with ctx.workprec(_BITS):
            cells = signs(u, coordinate(1), -reach, reach)
    except RebatchError:  # u has no ball arithmetic
        return None
    proved = [cell for cell in cells if cell.sign]
    if not proved or float(proved[0].a + reach) > _ISOLATED or float(reach - proved[-1].b) > _ISOLATED:
        return None
    roots = []
    for left, right in pairwise(proved):
        if float(right.a - left.b) > _ISOLATED or (left.sign == right.sign and left.b < right.a):
            return None
        if left.sign != right.sign:
            roots.append(float((left.b + right.a) / 2))
    return np.array(roots)
