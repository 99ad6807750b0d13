"""Conditional second moments of a label of one or two directions and signs, on cells (theory, 9).

On a small cell the label is linear, so it is distributed like the sum of two independent uniform numbers, as wide
as the label changes along the two sides; the cell lays its exact Gaussian moments on bins of the label in these
shares. A cell with a jump lays them on the labels of both sides in the shares in which the jump divides it, and a
flat cell on an atom. Then

    E[m m^T] = sum over bins of N N^T / N_1,

extrapolated in the widths of the bins and of the cells, on three grids that also tell the error.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import ndtr

from ...symbolic.errors import RebatchError, TooLargeError
from ...symbolic.exact.effort import spend
from .latent import Latent, step_arguments

Array = NDArray[np.float64]
_REACH = 7.0
_CELLS, _BINS = (256, 512, 1024), 3072
# On one direction there may be so many times more.
_LINE_FACTOR = 256
_CHUNK = 1 << 19
# Bins under cells, together: half a minute.
_MOST_LAID = 1 << 27
_PER_BIN = 0.15
# A value that flat cells share counts as an atom above this probability; below, it is a maximum on the grid.
_LEAST_ATOM = 1e-5
# The narrower of the two uniform numbers is at least this share of the wider: it does not show, and nothing cancels.
_NARROW = 1e-2


def second_moments(latent: Latent) -> tuple[Array, float]:
    """Return E[m m^T], m = E[f | y], and an estimated error; no label noise.

    Raises
    ------
    RebatchError
        If g is not finite within reach.
    """
    edges = quantiles(latent, _BINS)
    values, spread = zip(*(_in_bins(latent, cells, edges) for cells in _CELLS), strict=True)
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
        Of at most two continuous coordinates.
    cells : int
        Along each of two coordinates.
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
    two = len(latent.continuous) == 2
    side = np.linspace(-_REACH, _REACH, (cells if two else _LINE_FACTOR * cells) + 1)
    store = _Store(latent, edges)
    step = max(1, _CHUNK // len(side))
    for choice, expr in latent.states:
        g = latent.compiled(expr)
        jumps = [latent.compiled(u) for u in step_arguments(expr)]
        if not two:
            store.add(choice, g, jumps, np.zeros(0), side)
            continue
        for start in range(0, len(side) - 1, step):
            store.add(choice, g, jumps, side[start : start + step + 1], side)
    return store.result()


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
        rows: Array,
        columns: Array,
    ) -> None:
        """Lay the cells between the ends of `rows` (empty: one direction) and of `columns` into the bins."""
        point = (rows[:, None], columns[None, :]) if len(rows) else (columns[None, :],)
        shape = (max(1, len(rows)), len(columns))
        values = np.array(np.broadcast_to(g(*point), shape))
        if not np.isfinite(values).all():
            raise RebatchError(f"the target {self.latent.target} is not finite within |z| <= {_REACH}")
        moments = self._moments(choice, rows, columns)
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
        smooth = ~flat & ~jumping
        self._spread(corners[:, smooth], moments[:, smooth])

    def _moments(self, choice: tuple[int, ...], rows: Array, columns: Array) -> Array:
        """Return mass and features of every cell, shape (1 + features, cells)."""
        mass, t, t2 = (x[None, None, :] for x in _inside(columns))
        if len(rows):
            outer = [x[None, :, None] for x in _inside(rows)]
            mass = mass * outer[0]
            t, t2 = (np.concatenate(np.broadcast_arrays(a, b)) for a, b in ((outer[1], t), (outer[2], t2)))
        features = self.latent.features(choice, t, t2) * mass / len(self.latent.states)
        mass = mass / len(self.latent.states)
        return np.concatenate([mass, features]).reshape(self.size, -1)

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
    """Return the values at the corners of the cells, shape (4 or 2, cells)."""
    if len(values) == 1:
        return np.stack([values[0, :-1], values[0, 1:]])
    return np.stack(
        [values[i : len(values) - 1 + i, j : values.shape[1] - 1 + j].ravel() for i in (0, 1) for j in (0, 1)]
    )


class _Linear:
    """A linear function on cells: its value at the centre, and how far it changes along each side."""

    def __init__(self, center: Array, wide: Array, narrow: Array) -> None:
        self.center, self.wide, self.narrow = center, wide, narrow

    @classmethod
    def of(cls, corners: Array) -> "_Linear":
        """Return it from the corners."""
        if len(corners) == 2:
            wide = np.abs(corners[1] - corners[0])
            narrow = np.zeros_like(wide)
        else:
            a, b, c, d = corners
            along, across = np.abs(b - a + d - c) / 2, np.abs(c - a + d - b) / 2
            wide, narrow = np.maximum(along, across), np.minimum(along, across)
        # A saddle or an extremum within the cell: as wide as the corners lie apart.
        wide = np.maximum(wide, np.ptp(corners, axis=0) - narrow)
        wide = np.maximum(wide, 1e-280)
        return cls(corners.mean(axis=0), wide, np.maximum(narrow, _NARROW * wide))

    @property
    def reach(self) -> Array:
        """Half of the whole change."""
        return (self.wide + self.narrow) / 2

    def at(self, index: NDArray[np.intp]) -> "_Linear":
        """Return it for some cells."""
        return _Linear(self.center[index], self.wide[index], self.narrow[index])


def _below(cell: _Linear, y: Array) -> Array:
    """Return the share of each cell in which the function is below y: a trapezoid of two uniform numbers."""
    x = (y - cell.center) / cell.wide
    narrow = cell.narrow / cell.wide

    def ramp(s: Array) -> Array:
        return np.square(np.maximum(s, 0.0))

    inside = ramp(x + (1 + narrow) / 2) - ramp(x + (1 - narrow) / 2)
    inside = inside - ramp(x - (1 - narrow) / 2) + ramp(x - (1 + narrow) / 2)
    # Far to the right the ramps would cancel.
    return np.where(x >= (1 + narrow) / 2, 1.0, np.where(x <= -(1 + narrow) / 2, 0.0, inside / (2 * narrow)))
