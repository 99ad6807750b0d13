"""Conditional second moments of a label of up to three directions and signs, on cells (theory, 9).

On a small cell the label is linear, so it is distributed like the sum of independent uniform numbers, as wide as
the label changes along each side; the cell lays its exact Gaussian moments on bins of the label in these shares. A
cell with a jump lays them on the labels of both sides in the shares in which the jump divides it, and a flat cell on
an atom. Then

    E[m m^T] = sum over bins of N N^T / N_1,

extrapolated in the widths of the bins and of the cells, on three grids that also tell the error.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise, product
from math import factorial

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import ndtr

from ...symbolic.errors import RebatchError, TooLargeError
from ...symbolic.exact.effort import spend
from .latent import Latent, step_arguments

Array = NDArray[np.float64]
_REACH = 7.0
# Cells along an axis, on three grids, and bins, for so many axes: five to ten seconds.
_CELLS = {0: (256, 512, 1024), 1: (1 << 16, 1 << 17, 1 << 18), 2: (256, 512, 1024), 3: (24, 48, 96)}
_BINS = {0: 3072, 1: 3072, 2: 3072, 3: 1024}
_CHUNK = 1 << 19
# Bins under cells, together: half a minute.
_MOST_LAID = 1 << 27
_PER_BIN = 0.15
# A cell of less is left out: a million of them together hold 1e-6 of z^4.
_LEAST_MASS = 1e-16
# A value that flat cells share counts as an atom above this probability; below, it is a maximum on the grid.
_LEAST_ATOM = 1e-5
# The narrower uniform numbers are at least this share of the widest: it does not show, and nothing cancels.
_NARROW = 1e-2


def second_moments(latent: Latent) -> tuple[Array, float]:
    """Return E[m m^T], m = E[f | y], and an estimated error; no label noise.

    Raises
    ------
    RebatchError
        If g is not finite within reach.
    """
    axes = len(latent.continuous)
    edges = quantiles(latent, _BINS[axes])
    values, spread = zip(*(_in_bins(latent, cells, edges) for cells in _CELLS[axes]), strict=True)
    # The error falls with the square of the width of a cell; where it does not, the two extrapolations differ.
    worse, better = (fine + (fine - coarse) / 3 for coarse, fine in pairwise(values))
    return better, float(np.abs(better - worse).max()) + spread[-1]


def _in_bins(latent: Latent, cells: int, edges: Array) -> tuple[Array, float]:
    """Return E[m m^T], extrapolated in the width of the bins, and what that changes."""
    N, atoms, _ = label_moments(latent, cells, edges)
    fine, half, quarter = (_total(np.add.reduceat(N, np.arange(0, N.shape[1], s), axis=1)) for s in (1, 2, 4))
    better, worse = fine + (fine - half) / 3, half + (half - quarter) / 3
    return better + _total(atoms), float(np.abs(better - worse).max())


def _total(N: Array) -> Array:
    """Return sum N N^T / N_1 over bins, mass in the first row."""
    kept = N[:, N[0] > 1e-280]
    return np.asarray((kept[1:] / kept[0]) @ kept[1:].T)


def quantiles(latent: Latent, bins: int) -> Array:
    """Return edges of bins of about equal probability, a tenth of them for what weighs z^4."""
    rng = np.random.default_rng(0)
    count = 200_000
    t = rng.standard_normal((len(latent.continuous), count))
    t[:, : count // 10] *= 2.0
    values = np.concatenate([_evaluated(latent, expr, t) for _, expr in latent.states])
    if not np.isfinite(values).all():
        raise RebatchError(f"the target {latent.target} is not finite within |z| <= {_REACH}")
    edges = np.unique(np.quantile(values, np.linspace(0, 1, bins + 1)))
    spread = max(1.0, float(np.abs(edges).max()))
    return np.concatenate([[edges[0] - 1e-9 * spread], edges[1:-1], [edges[-1] + 1e-9 * spread]])


def _evaluated(latent: Latent, expr: sp.Expr, t: Array) -> Array:
    return np.broadcast_to(latent.compiled(expr)(*t) if len(t) else float(expr), t.shape[1:])


def label_moments(latent: Latent, cells: int, edges: Array) -> tuple[Array, Array, Array]:
    """Return mass and moments of the features in the bins of the label, and those of its atoms.

    Parameters
    ----------
    latent : Latent
        Of at most three continuous coordinates.
    cells : int
        Along each of them.
    edges : ndarray, shape (bins + 1,)

    Returns
    -------
    ndarray, shape (1 + features, bins)
    ndarray, shape (1 + features, atoms)
    ndarray, shape (atoms,)
        Their values.
    """
    if not latent.continuous:
        return _of_signs(latent, edges)
    side = sides(cells)
    store = _Store(latent, edges)
    *rest, last = [side] * len(latent.continuous)
    step = max(1, _CHUNK // len(side) ** len(rest))
    for choice, expr in latent.states:
        g = latent.compiled(expr)
        jumps = [latent.compiled(u) for u in step_arguments(expr)]
        for start in range(0, len(side) - 1, step):
            store.add(choice, g, jumps, [last[start : start + step + 1], *rest])
    return store.result()


def sides(cells: int) -> Array:
    """Return the ends of cells along an axis: half as wide at 0, where the mass is, and twice as wide far out."""
    s = np.linspace(-1.0, 1.0, cells + 1)
    return np.asarray(_REACH * (s + s**3) / 2)


def _of_signs(latent: Latent, edges: Array) -> tuple[Array, Array, Array]:
    """Return the moments of a label of signs alone, all in atoms."""
    nothing = np.zeros((0, 1))
    values = np.array([float(expr) for _, expr in latent.states])
    features = np.hstack([latent.features(choice, nothing, nothing) for choice, _ in latent.states])
    keys, where = np.unique(np.round(values, 12), return_inverse=True)
    rows = np.vstack([np.ones(len(values)), features]) / len(values)
    sums = np.array([np.bincount(where, row, minlength=len(keys)) for row in rows])
    return np.zeros((len(rows), len(edges) - 1)), sums, keys


def _inside(side: Array) -> tuple[Array, Array, Array]:
    """Return mass, E[t] and E[t^2 - 1] of the intervals between the ends."""
    phi = np.exp(-(side**2) / 2) / np.sqrt(2 * np.pi)
    mass = np.where(side[1:] <= 0, np.diff(ndtr(side)), -np.diff(ndtr(-side)))
    return mass, -np.diff(phi) / mass, -np.diff(side * phi) / mass


class _Store:
    """Mass and moments by bin, and by the values of flat cells."""

    def __init__(self, latent: Latent, edges: Array) -> None:
        self.latent, self.edges = latent, edges
        self.size = 1 + latent.r + len(latent.pairs)
        self.N = np.zeros((self.size, len(edges) - 1))
        self.flat: list[tuple[Array, Array]] = []
        self._laid = 0

    def add(
        self,
        choice: tuple[int, ...],
        g: Callable[..., Array],
        jumps: list[Callable[..., Array]],
        axes: Sequence[Array],
    ) -> None:
        """Lay the cells between the ends along every axis into the bins."""
        point = np.meshgrid(*axes, indexing="ij", sparse=True)
        shape = tuple(map(len, axes))
        values = np.array(np.broadcast_to(g(*point), shape))
        if not np.isfinite(values).all():
            raise RebatchError(f"the target {self.latent.target} is not finite within |z| <= {_REACH}")
        moments = self._moments(choice, axes)
        corners = _corners(values)
        flat = (corners == corners[0]).all(axis=0)
        jumping = np.zeros(len(flat), dtype=bool)
        for jump in jumps:
            u = _corners(np.broadcast_to(jump(*point), shape))
            crossing = ~jumping & (u.min(axis=0) < 0) & (u.max(axis=0) > 0)
            jumping |= crossing
            self._divide(u[:, crossing], corners[:, crossing], moments[:, crossing])
        flat &= ~jumping
        if flat.any():
            self._keep_flat(corners[0, flat], moments[:, flat])
        smooth = ~flat & ~jumping & (moments[0] > _LEAST_MASS)
        self._spread(corners[:, smooth], moments[:, smooth])

    def _moments(self, choice: tuple[int, ...], axes: Sequence[Array]) -> Array:
        """Return mass and features of every cell, shape (1 + features, cells)."""
        mass, t, t2 = (
            np.array(np.meshgrid(*rows, indexing="ij")) for rows in zip(*map(_inside, axes), strict=True)
        )
        weight = mass.prod(axis=0)[None] / len(self.latent.states)
        features = self.latent.features(choice, t, t2) * weight
        return np.concatenate([weight, features]).reshape(self.size, -1)

    def _divide(self, u: Array, corners: Array, moments: Array) -> None:
        """Lay cells that a jump at u = 0 divides on the mean labels of both sides."""
        before = _below(_Linear.of(u), np.zeros(u.shape[1]))
        for side, share in ((u < 0, before), (u >= 0, 1 - before)):
            label = np.sum(corners * side, axis=0) / np.maximum(np.sum(side, axis=0), 1)
            self._keep_flat(label, moments * share)

    def _spread(self, corners: Array, moments: Array) -> None:
        """Lay every cell on the bins between its lowest and highest label."""
        edges, bins = self.edges, len(self.edges) - 1
        cell = _Linear.of(corners)
        low, high = cell.center - cell.reach, cell.center + cell.reach
        first = np.clip(np.searchsorted(edges, low, side="right") - 1, 0, bins - 1)
        last = np.clip(np.searchsorted(edges, high, side="left") - 1, 0, bins - 1)
        single = first >= last
        for row in range(self.size):
            self.N[row] += np.bincount(first[single], moments[row, single], minlength=bins)
        many = np.flatnonzero(~single)
        total = np.cumsum(last[many] - first[many] + 1)
        self._laid += int(total[-1]) if len(many) else 0
        if self._laid > _MOST_LAID:
            raise TooLargeError(
                f"the target {self.latent.target} changes so fast that cells reach over {self._laid:,} bins of "
                f"labels; allowed are {_MOST_LAID:,}: a label of fewer oscillations"
            )
        for some in np.split(many, np.flatnonzero(np.diff(total // _CHUNK)) + 1):
            self._spread_over(cell, some, first, last, moments)

    def _spread_over(
        self,
        cell: "_Linear",
        many: NDArray[np.intp],
        first: NDArray[np.intp],
        last: NDArray[np.intp],
        moments: Array,
    ) -> None:
        """Lay some cells on the several bins that each of them reaches."""
        edges, bins = self.edges, len(self.edges) - 1
        count = last[many] - first[many] + 1
        owner = np.repeat(many, count)
        spend(int(_PER_BIN * len(owner)))
        begins = np.cumsum(count) - count
        bin_ = first[owner] + np.arange(len(owner)) - np.repeat(begins, count)
        upper = _below(cell.at(owner), edges[bin_ + 1])
        # The outermost bins also take what lies beyond them; each bin takes what the ones before it have not.
        upper[begins + count - 1] = 1.0
        lower = np.concatenate([[0.0], upper[:-1]])
        lower[begins] = 0.0
        part = upper - lower
        for row in range(self.size):
            self.N[row] += np.bincount(bin_, moments[row, owner] * part, minlength=bins)

    def _keep_flat(self, values: Array, moments: Array) -> None:
        keys, where = np.unique(np.round(values, 12), return_inverse=True)
        sums = np.array([np.bincount(where, row, minlength=len(keys)) for row in moments])
        self.flat.append((keys, sums))

    def result(self) -> tuple[Array, Array, Array]:
        """Return the bins and the atoms; values of little probability go back to the bins."""
        if not self.flat:
            return self.N, np.zeros((self.size, 0)), np.zeros(0)
        keys, where = np.unique(np.concatenate([k for k, _ in self.flat]), return_inverse=True)
        moments = np.concatenate([m for _, m in self.flat], axis=1)
        sums = np.array([np.bincount(where, row, minlength=len(keys)) for row in moments])
        atoms = sums[0] > _LEAST_ATOM
        bins = len(self.edges) - 1
        at = np.clip(np.searchsorted(self.edges, keys[~atoms], side="right") - 1, 0, bins - 1)
        for row in range(self.size):
            self.N[row] += np.bincount(at, sums[row, ~atoms], minlength=bins)
        return self.N, sums[:, atoms], keys[atoms]


def _corners(values: Array) -> Array:
    """Return the values at the corners of the cells, shape (2^axes, cells), those of the last axis side by side."""
    ends = (slice(None, -1), slice(1, None))
    return np.stack([values[corner].ravel() for corner in product(ends, repeat=values.ndim)])


class _Linear:
    """A linear function on cells: its value at the centre, and how far it changes along each side, widest first."""

    def __init__(self, center: Array, widths: Array) -> None:
        self.center, self.widths = center, widths

    @classmethod
    def of(cls, corners: Array) -> "_Linear":
        """Return it from the corners."""
        axes = len(corners).bit_length() - 1
        cube = corners.reshape(*(2,) * axes, -1)
        along = [np.abs(np.diff(cube, axis=a).reshape(2 ** (axes - 1), -1).mean(axis=0)) for a in range(axes)]
        widths = np.sort(along, axis=0)[::-1]
        # A saddle or an extremum within the cell: as wide as the corners lie apart.
        widths[0] = np.maximum(widths[0], np.ptp(corners, axis=0) - widths[1:].sum(axis=0))
        widths[0] = np.maximum(widths[0], 1e-280)
        widths[1:] = np.maximum(widths[1:], _NARROW * widths[0])
        return cls(corners.mean(axis=0), widths)

    @property
    def reach(self) -> Array:
        """Half of the whole change."""
        return np.asarray(self.widths.sum(axis=0) / 2)

    def at(self, index: NDArray[np.intp]) -> "_Linear":
        """Return it for some cells."""
        return _Linear(self.center[index], self.widths[:, index])


def _below(cell: _Linear, y: Array) -> Array:
    """Return the share of each cell in which the function is below y: the law of a sum of uniform numbers.

    P(sum_i w_i U_i <= x) = sum over signs s of (prod s) (x + s.w / 2)_+^n / (n! prod w), U_i uniform on [-1/2, 1/2].
    """
    x = (y - cell.center) / cell.widths[0]
    widths = cell.widths / cell.widths[0]
    n, half = len(widths), widths.sum(axis=0) / 2
    inside = np.zeros_like(x)
    for signs in product((1, -1), repeat=n):
        base = np.maximum(x + sum(s * w for s, w in zip(signs, widths / 2, strict=True)), 0.0)
        power = base
        for _ in range(n - 1):
            power = power * base
        inside += power if signs.count(-1) % 2 == 0 else -power
    # Far to the right the powers would cancel.
    inside /= factorial(n) * widths.prod(axis=0)
    return np.where(x >= half, 1.0, np.where(x <= -half, 0.0, inside))
