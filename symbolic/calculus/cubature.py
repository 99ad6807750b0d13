"""E[g(z)] numerically, with an error estimated at two resolutions: for functions of several directions at once.

Up to four dimensions: the trapezoidal rule on R^r, which for analytic integrands that decay like a Gaussian
converges faster than any power of the step; the grid is shifted at each refinement, so that a kink on a grid line
cannot flatter the estimate. Beyond: scrambled Sobol points through the inverse normal distribution, in independent
scrambles.
"""

from collections.abc import Callable, Iterator
from itertools import product
from math import pi, sqrt

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..errors import RebatchError
from ..language.compiled import compiled

Array = NDArray[np.float64]

_BUDGET = 4_000_000
_CHUNK = 1 << 18
_TOLERANCE = 1e-13
_REACHES = (8.0, 10.0, 13.0, 17.0, 24.0, 36.0)
_SHIFT = (sqrt(5) - 1) / 2
_SCRAMBLES = 16
_SOBOL_POINTS = 1 << 15
_SEED = 20_240_201


def cubature(expr: sp.Expr, coordinates: tuple[sp.Symbol, ...]) -> tuple[float, float]:
    """Return (E[g(z)], estimated error).

    Parameters
    ----------
    expr : sympy.Expr
        g, which came through our parser.
    coordinates : tuple of symbols
        Those that occur in it; at least one.

    Raises
    ------
    RebatchError
        If g times the Gaussian density does not decay, or is not finite.
    """
    g = compiled(expr, coordinates)
    with np.errstate(all="ignore"):
        if len(coordinates) > 4:
            return _sobol(g, len(coordinates))
        return _trapezoid(g, len(coordinates))


def _trapezoid(g: Callable[..., Array], r: int) -> tuple[float, float]:
    limit = int(_BUDGET ** (1 / r))
    reach = _reach(g, r)
    points = min(limit // 4, 64)
    previous, error = None, np.inf
    while True:
        total, size = _grid_sum(g, r, points, reach)
        if previous is not None:
            # Refining leaves the error of the finer grid below the change; twice that for luck in the change.
            error = 2 * abs(total - previous) + 1e-15 * size + 1e-16 * sqrt(points) * size
            if error <= _TOLERANCE * size:
                return total, error
        if points * 2 > limit:
            return total, error
        previous, points = total, points * 2


def _reach(g: Callable[..., Array], r: int) -> float:
    """Return how far the grid must extend: until the faces of the cube hold nothing."""
    for reach in _REACHES:
        _, size = _grid_sum(g, r, 17, reach)
        if not np.isfinite(size):
            raise RebatchError("the integrand is not finite in floating point")
        if _largest_on_faces(g, r, reach) * (2 * reach) ** r <= 1e-16 * size:
            return reach
    raise RebatchError(
        f"the integrand times the Gaussian density does not decay within |z| <= {_REACHES[-1]:g}"
    )


def _largest_on_faces(g: Callable[..., Array], r: int, reach: float) -> float:
    """Return the largest |g| phi on the faces of the cube."""
    side = np.linspace(-reach, reach, 33)
    largest = 0.0
    for axis, end in product(range(r), (-reach, reach)):
        axes = [np.array([end]) if i == axis else side for i in range(r)]
        z = np.stack([m.ravel() for m in np.meshgrid(*axes, indexing="ij")])
        largest = max(largest, float(np.max(np.abs(_weighted(g, z)))))
    return largest


def _weighted(g: Callable[..., Array], z: Array) -> Array:
    """Return g phi at the columns of z, shape (r, n)."""
    density = np.exp(-0.5 * np.sum(z * z, axis=0)) / (2 * pi) ** (len(z) / 2)
    return np.asarray(np.broadcast_to(g(*z), density.shape) * density)


def _grid_sum(g: Callable[..., Array], r: int, points: int, reach: float) -> tuple[float, float]:
    """Return the trapezoidal sums of g phi and |g| phi."""
    h = 2 * reach / points
    axis = -reach + h * (np.arange(points) + (_SHIFT * points) % 1)
    total = size = 0.0
    for z in _grid(axis, r):
        values = _weighted(g, z)
        total += float(np.sum(values))
        size += float(np.sum(np.abs(values)))
    return total * h**r, size * h**r


def _grid(axis: NDArray[np.floating], r: int) -> Iterator[Array]:
    """Yield the points of the grid in chunks, shape (r, n)."""
    rest = (
        np.stack([m.ravel() for m in np.meshgrid(*[axis] * (r - 1), indexing="ij")])
        if r > 1
        else np.empty((0, 1))
    )
    rows = max(1, _CHUNK // rest.shape[1])
    for start in range(0, len(axis), rows):
        first = axis[start : start + rows]
        yield np.vstack([np.repeat(first, rest.shape[1])[None], np.tile(rest, (1, len(first)))])


def _sobol(g: Callable[..., Array], r: int) -> tuple[float, float]:
    """Return the mean over independent scrambles, and four of its standard errors."""
    # Loading scipy.stats takes longer than most answers: only this rule waits for it.
    from scipy.special import ndtri  # noqa: PLC0415
    from scipy.stats import qmc  # noqa: PLC0415

    means = []
    for seed in np.random.SeedSequence(_SEED).spawn(_SCRAMBLES):
        u = qmc.Sobol(r, scramble=True, rng=np.random.default_rng(seed)).random(_SOBOL_POINTS)
        u = np.clip(u, 2.0**-40, 1 - 2.0**-40)
        values = np.broadcast_to(g(*ndtri(u.T)), _SOBOL_POINTS)
        means.append(float(np.mean(values)))
    if not np.all(np.isfinite(means)):
        raise RebatchError("the integrand is not finite in floating point")
    return float(np.mean(means)), 4 * float(np.std(means, ddof=1)) / sqrt(_SCRAMBLES)
