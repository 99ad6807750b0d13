"""E[g(z)] numerically, with an error that survives oscillation: for functions of several directions at once.

*Up to four dimensions*: the trapezoidal rule on R^r, which for analytic integrands that decay like a Gaussian
converges faster than any power of the step; the grid is shifted at each refinement, so that a kink on a grid line
cannot flatter the estimate. Its error is what refinement changes, or what a third rule with an incommensurate step
changes, and on top of it the *unresolved mass*: that of points whose neighbours on the grid say something else, which
is nearly all of it where the integrand oscillates faster than the grid.

*Beyond, and where a grid cannot resolve the integrand*: scrambled Sobol points through the inverse normal
distribution, in independent scrambles whose spread is the error, if the second moment is known to exist. Where it is
not, or where the two rules disagree, nothing is known: the error is infinite.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial, reduce
from itertools import product
from math import inf, isfinite, pi, sqrt, ulp

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..errors import RebatchError
from ..exact.effort import spend
from ..language.compiled import compiled
from .ranges import range_of
from .sharp import left_out

Array = NDArray[np.float64]

_NANOSECONDS = 1000
_MOST_NODES = 4_000_000
# Values of an expression are computed so many at a time: what stands between stays near the processor.
_CHUNK = 1 << 16
# Neighbours are looked at in arrays of so many, in sweeps over a part of it.
_TOGETHER = 1 << 18
_NEAR = 1 << 14
# Nanoseconds of a node: to weigh and add it; for each sum or product, and each function, of all coordinates.
_PER_NODE, _PER_PRODUCT, _PER_FUNCTION = 8, 5, 30
# Units of work: an operation of an expression is translated into floating point in so many microseconds.
_PER_OPERATION = 100
_TOLERANCE = 1e-13
_REACHES = (8.0, 10.0, 13.0, 17.0, 24.0, 36.0)
_SHIFT = (sqrt(5) - 1) / 2
# The step of the third rule against that of the last refinement: no simple fraction, and nearly as fine.
_INCOMMENSURATE = 0.8090169943749475
# The third rule may differ from the last by so many times what the last refinement changed; and where convergence
# is slow, the error is so many times what any two of them differ by.
_LUCK = 4.0
# More unresolved mass than this share, and rules may agree by aliasing; less is seen by how they differ.
_ALIASED = 0.01
# A grid whose relative error is above it is asked to agree with points at random.
_COARSE = 1e-5
# Above it refinements of a grid hit or miss what is narrow, and what they change by is no bound.
_ERRATIC = 1e-3
_SCRAMBLES = 16
_SOBOL_POINTS = 1 << 15
# Standard errors of the mean over scrambles: Student's t with 15 degrees of freedom leaves 4e-5 beyond.
_STANDARD_ERRORS = 5.5
_SEED = 20_240_201
# Where P(|g| > t) falls like t^-index with an index near 1, up to the largest of so many values, as at a peak of
# 1 / (e + |z|^2) in the plane, the mean rests on values that were not met.
_TAIL = 200
_LIGHT = 1.3
# What n samples do not meet is rarer than this / n, but for once in a thousand cases: e^-7.
_NONE_SEEN = 7


@dataclass(frozen=True, eq=False)
class Function:
    """A function of arrays, and the nanoseconds that one of its values costs."""

    value: Callable[..., Array]
    cost: int

    def __call__(self, *z: NDArray[np.floating]) -> Array:
        """Return its values."""
        return self.value(*z)


@dataclass(frozen=True, eq=False)
class Gaussian:
    """A normal distribution.

    Attributes
    ----------
    mean : array, shape (r,)
    covariance : array, shape (r, r)
    """

    mean: Array
    covariance: Array

    def marginal(self, kept: Sequence[int]) -> "Gaussian":
        """Return the distribution of some of the coordinates."""
        return Gaussian(self.mean[kept], self.covariance[np.ix_(kept, kept)])


def cubature(
    expr: sp.Expr,
    coordinates: tuple[sp.Symbol, ...],
    law: Gaussian | None = None,
    *,
    tame: bool = True,
    written: sp.Expr | None = None,
) -> tuple[float, float]:
    """Return (E[g(z)], estimated error); the error is infinite where nothing is known.

    Parameters
    ----------
    expr : sympy.Expr
        g, which came through our parser.
    coordinates : tuple of symbols
        Those that occur in it; at least one.
    law : Gaussian, optional
        The distribution of z; standard by default.
    tame : bool
        Whether E[g^2] is known to be finite.
    written : sympy.Expr, optional
        g as it is to be evaluated, if not as `expr`, which is looked at for places where it is steep.

    Raises
    ------
    RebatchError
        If g times the Gaussian density does not decay, or is not finite.
    """

    def moved(f: Callable[..., Array]) -> Callable[..., Array]:
        return f if law is None else _moved(f, law)

    evaluated, r = expr if written is None else written, len(coordinates)
    # What is common to several parts is computed once.
    operations = {part for part in sp.preorder_traversal(evaluated) if part.args}
    spend(_PER_OPERATION * len(operations))
    # On a grid a part of fewer coordinates costs nothing beside the others; turned, each holds all of them.
    full = [part for part in operations if law is not None or len(part.free_symbols) == r]
    g = Function(moved(compiled(evaluated, coordinates)), _PER_NODE + sum(map(_cost, full)))
    with np.errstate(all="ignore"):
        try:
            value, error = _estimate(g, expr, coordinates, moved, tame)
        except _NotFiniteError:
            # Of what is bounded little is left out: sin(exp(exp(z))) is no number beyond z = 6.6.
            largest = float(range_of(expr).size)
            if not isfinite(largest):
                raise
            left = largest * _share_not_finite(g, r)
            value, error = _estimate(Function(partial(_finite, g), g.cost), expr, coordinates, moved, tame)
            error += left
    # No float is known better than to its own spacing.
    return value, max(error, ulp(value))


def _estimate(
    g: Function,
    expr: sp.Expr,
    coordinates: tuple[sp.Symbol, ...],
    moved: Callable[[Callable[..., Array]], Callable[..., Array]],
    tame: bool,
) -> tuple[float, float]:
    """Return the estimate of the rule that serves, and its error."""
    r = len(coordinates)
    if r > 4:
        return _sobol(g, r) if tame else (_sobol(g, r)[0], inf)
    value, error, size, grid = _trapezoid(g, r)
    # With a share that a grid leaves out, the points at random decide, if they agree.
    missed = left_out(expr, coordinates, moved, *grid)
    error += missed if missed > _TOLERANCE * size else 0.0
    if error > _COARSE * size:
        value, error = _agreed((value, error), _sobol(g, r), tame, erratic=error > _ERRATIC * size)
    return value, error


class _NotFiniteError(RebatchError):
    """An integrand that is not finite in floating point somewhere."""

    def __init__(self) -> None:
        super().__init__("the integrand is not finite in floating point")


def _share_not_finite(g: Function, r: int) -> float:
    """Return an upper bound of the share of samples at which g is not finite, from so many as a scramble has."""
    bad = np.count_nonzero(~np.isfinite(np.broadcast_to(g(*_normals(r, 0)), _SOBOL_POINTS)))
    return float((2 * bad + _NONE_SEEN) / _SOBOL_POINTS)


def _finite(g: Function, *z: NDArray[np.floating]) -> Array:
    """Return g, and 0 where it is not finite."""
    values = np.asarray(g(*z))
    return np.where(np.isfinite(values), values, 0.0)


def _cost(part: sp.Expr) -> int:
    return _PER_PRODUCT if part.is_Add or part.is_Mul or part.is_Pow else _PER_FUNCTION


def _moved(g: Callable[..., Array], law: Gaussian) -> Callable[..., Array]:
    """Return g in standard normal coordinates."""
    root, r = np.linalg.cholesky(law.covariance), len(law.mean)

    def moved(*z: Array) -> Array:
        # z_i holds the first i only: what a grid holds on fewer points stays so.
        rows = ([root[i, j] * z[j] for j in range(i + 1) if root[i, j]] for i in range(r))
        return g(*(reduce(np.add, row, m) for row, m in zip(rows, law.mean, strict=True)))

    return moved


def _agreed(
    grid: tuple[float, float], random: tuple[float, float], tame: bool, *, erratic: bool
) -> tuple[float, float]:
    """Return the better of two estimates, if they agree within their errors; where none is known, no error is.

    erratic: refinements of the grid do not bound its error.
    """
    if not tame:
        # The spread of points at random means nothing.
        return grid if abs(grid[0] - random[0]) <= grid[1] else (grid[0], inf)
    if abs(grid[0] - random[0]) > grid[1] + random[1]:
        return random[0], inf
    value, error = random if erratic else min(grid, random, key=lambda estimate: estimate[1])
    # What they differ by has been seen, whatever each says of itself.
    return value, max(error, abs(grid[0] - random[0]))


def _trapezoid(g: Function, r: int) -> tuple[float, float, float, tuple[float, int]]:
    """Return the sum over the finest grid, its error, the sum of |g|, and reach and points of the grid."""
    limit = int(_MOST_NODES ** (1 / r))
    reach = _reach(g, r)
    points = min(limit // 4, 64)
    previous, change, error = None, inf, inf
    while True:
        last = points * 2 > limit
        total, size, unresolved = _grid_sum(g, r, points, reach, resolve=last)
        if previous is not None:
            change = abs(total - previous)
            # Refining leaves the error of the finer grid below the change; twice that for luck in the change.
            error = 2 * change + 1e-15 * size + 1e-16 * sqrt(points) * size
        if error <= _TOLERANCE * size or last:
            break
        previous, points = total, points * 2
    if not last:
        _, _, unresolved = _grid_sum(g, r, points, reach, resolve=True)
    third, _, _ = _grid_sum(g, r, int(points * _INCOMMENSURATE) | 1, reach)
    if abs(third - total) > _LUCK * max(change, error):
        error = 2 * abs(third - total)
    if error > _COARSE * size:
        # At jumps and kinks what refinement changes by is a matter of luck, twice over.
        error = max(error, _LUCK * change, _LUCK * abs(third - total))
    error += unresolved if unresolved > _ALIASED * size else 0.0
    return total, error, size, (reach, points)


def _reach(g: Function, r: int) -> float:
    """Return how far the grid must extend: until the faces of the cube hold nothing."""
    for reach in _REACHES:
        _, size, _ = _grid_sum(g, r, 17, reach)
        if not np.isfinite(size):
            raise _NotFiniteError
        if _largest_on_faces(g, r, reach) * (2 * reach) ** r <= 1e-16 * size:
            return reach
    raise RebatchError(
        f"the integrand times the Gaussian density does not decay within |z| <= {_REACHES[-1]:g}"
    )


def _largest_on_faces(g: Function, r: int, reach: float) -> float:
    """Return the largest |g| phi on the faces of the cube."""
    side = np.linspace(-reach, reach, 33)
    largest = 0.0
    for axis, end in product(range(r), (-reach, reach)):
        axes = [np.array([end]) if i == axis else side for i in range(r)]
        largest = max(largest, float(np.max(np.abs(_weighted(g, np.ix_(*axes))))))
    return largest


def _weighted(g: Function, z: Sequence[NDArray[np.floating]]) -> Array:
    """Return g phi at points whose coordinates broadcast: a part of fewer coordinates is computed on fewer."""
    density = reduce(np.multiply, (np.exp(-0.5 * x * x) / sqrt(2 * pi) for x in z))
    return np.asarray(g(*z) * density)


def _grid_sum(
    g: Function, r: int, points: int, reach: float, *, resolve: bool = False
) -> tuple[float, float, float]:
    """Return the trapezoidal sums of g phi, of |g| phi, and, if that is asked for, of what is not resolved of it."""
    spend(points**r * g.cost // _NANOSECONDS)
    h = 2 * reach / points
    axis = -reach + h * (np.arange(points) + (_SHIFT * points) % 1)
    total = size = unresolved = 0.0
    layers: list[Array] = []
    for z in _grid(axis, r):
        values = _weighted(g, z)
        total += float(np.sum(values))
        size += float(np.sum(np.abs(values)))
        if resolve:
            layers.append(values)
            if sum(len(layer) for layer in layers) * values[0].size >= _TOGETHER or z[0].flat[-1] == axis[-1]:
                together = np.concatenate(layers)
                unresolved += _unresolved(together, np.abs(together))
                layers = []
    return total * h**r, size * h**r, unresolved * h**r


def _unresolved(values: Array, sizes: Array) -> float:
    """Return twice the sum of |values| over points that stand out from both neighbours along an axis.

    There |a - 2 b + c| is nearly |a| + 2 |b| + |c|, as for values of alternating signs; at a jump it is half of that,
    where a grid resolves the function much less. Of points at random about half are counted.
    """
    rough = np.zeros(values.shape, dtype=bool)
    # A few layers at a time stay near the processor.
    layers = max(1, _NEAR // values[0].size)
    for first in range(0, len(values), layers):
        here = slice(first, first + layers)
        around = slice(max(first - 1, 0), first + layers + 1)
        _mark_bends(values[around], sizes[around], rough[around])
        for axis in range(1, values.ndim):
            v, size = np.moveaxis(values[here], axis, 0), np.moveaxis(sizes[here], axis, 0)
            _mark_bends(v, size, np.moveaxis(rough[here], axis, 0))
    return 2 * float(np.sum(sizes[rough]))


def _mark_bends(v: Array, size: Array, rough: NDArray[np.bool_]) -> None:
    """Mark the points that stand out from both neighbours along the first axis."""
    bend = v[:-2] + v[2:]
    bend -= 2 * v[1:-1]
    np.abs(bend, out=bend)
    most = size[:-2] + size[2:]
    most += 2 * size[1:-1]
    most *= 0.75
    rough[1:-1] |= bend > most


def _grid(axis: NDArray[np.floating], r: int) -> Iterator[tuple[NDArray[np.floating], ...]]:
    """Yield the points of the grid in chunks, as arrays of one coordinate each that broadcast."""
    rows = max(1, _CHUNK // len(axis) ** (r - 1))
    for start in range(0, len(axis), rows):
        yield np.ix_(axis[start : start + rows], *[axis] * (r - 1))


def _sobol(g: Function, r: int) -> tuple[float, float]:
    """Return the mean over independent scrambles, and its error by their spread; infinite with too heavy a tail."""
    means, largest = [], []
    for scramble in range(_SCRAMBLES):
        spend(_SOBOL_POINTS * g.cost // _NANOSECONDS)
        values = np.broadcast_to(g(*_normals(r, scramble)), _SOBOL_POINTS)
        means.append(float(np.mean(values)))
        largest.append(np.partition(np.abs(values), -_TAIL)[-_TAIL:])
    if not all(map(isfinite, means)):
        raise _NotFiniteError
    if _tail_index(np.sort(np.concatenate(largest))[-_TAIL:]) < _LIGHT:
        return float(np.mean(means)), inf
    return float(np.mean(means)), _STANDARD_ERRORS * float(np.std(means, ddof=1)) / sqrt(_SCRAMBLES)


@lru_cache(maxsize=_SCRAMBLES)
def _normals(r: int, scramble: int) -> Array:
    """Return the points of a scramble, shape (r, points); those of one r are kept for the next moment."""
    # Loading scipy.stats takes longer than most answers: only this rule waits for it.
    from scipy.special import ndtri  # noqa: PLC0415
    from scipy.stats import qmc  # noqa: PLC0415

    seed = np.random.SeedSequence(_SEED).spawn(_SCRAMBLES)[scramble]
    u = qmc.Sobol(r, scramble=True, rng=np.random.default_rng(seed)).random(_SOBOL_POINTS)
    return np.asarray(ndtri(np.clip(u, 2.0**-40, 1 - 2.0**-40).T))


def _tail_index(largest: Array) -> float:
    """Return Hill's estimate of the index of a tail from its largest values, sorted; infinite of equal ones."""
    if largest[0] <= 0:
        return inf
    mean = float(np.mean(np.log(largest[1:] / largest[0])))
    return 1 / mean if mean > 0 else inf
