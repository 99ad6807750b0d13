"""E[He_l(z) | y] of a function of one direction, on the level sets {g = y} (theory, 3.6).

Given y, z sits at the roots z_i of g(z) = y with weights phi(z_i) / |g'(z_i)|, so that

    E[He_l(z) | y] = sum_i He_l(z_i) phi(z_i) / |g'(z_i)|  /  sum_i phi(z_i) / |g'(z_i)|.

The generative exponent is the first l >= 1 at which it does not vanish for all y. Roots are bracketed on a grid and
polished; what vanishes at every level tried, to rounding, is taken to vanish: evidence, not proof.
"""

import numpy as np
import sympy as sp
from numpy.polynomial import hermite_e
from numpy.typing import NDArray

from .parse import coordinate
from .target import compiled

Array = NDArray[np.float64]

_REACH = 9.0
_GRID = 6001
_LEVELS = 48
# Roots are good to 1e-13, their weights to 1e-10 unless the slope is tiny: levels near an extremum are left out.
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
        value, slope = compiled(g, (z,)), compiled(sp.diff(g, z), (z,))
        averages = [
            mean
            for y in _levels(value, slope)
            if (mean := _conditional(value, slope, y, highest)) is not None
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


def _conditional(value, slope, y: float, highest: int) -> Array | None:  # type: ignore[no-untyped-def]
    """Return E[He_l | y] for l = 0 … highest, scaled by E[|He_l| | y] where that exceeds 1; None near an extremum."""
    from scipy.optimize import brentq  # noqa: PLC0415 - slow to load, and few targets need level sets

    grid = np.linspace(-_REACH, _REACH, _GRID) + 1e-4 * np.pi
    difference = np.broadcast_to(value(grid), grid.shape) - y
    if not np.all(np.isfinite(difference)):
        return None
    brackets = np.flatnonzero(np.sign(difference[1:]) * np.sign(difference[:-1]) < 0)
    roots = np.array(
        [brentq(lambda t: float(value(t)) - y, grid[i], grid[i + 1], xtol=1e-15) for i in brackets]
    )
    if not len(roots):
        return None
    slopes = np.abs(np.broadcast_to(slope(roots), roots.shape))
    weights = np.exp(-(roots**2) / 2) / slopes
    if not np.all(np.isfinite(weights)) or np.min(slopes[weights > 1e-12 * weights.sum()]) < _LEAST_SLOPE:
        return None
    values = hermite_e.hermevander(roots, highest) * (weights / weights.sum())[:, None]
    return np.asarray(values.sum(axis=0) / np.maximum(1, np.abs(values).sum(axis=0)))
