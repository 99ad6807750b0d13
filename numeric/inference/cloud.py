"""What a label tells of directions that are partly known: points on its level sets (theory, 9).

Learned directions t have the posterior N(omega, V) before the label is seen, V = I - Q, omega ~ N(0, Q); hidden
ones are N(0, I). A fine grid is laid once on the bins of the label: what falls into one bin within one cell of t is
a point with its Gaussian mass, its mean t and the mean features of the hidden directions. At any omega

    N_b = sum over points of bin b of mass N(t; omega, V) / N(t; 0, I) (1, t - omega, features),

and E[g_out g_out^T | omega] = V^-1 (sum_b N N^T / N_1) V^-1, E[G . G | omega] alike, extrapolated in the width of the
bins. Atoms have bins of their own; jumps fall between the points of the grid; label noise spreads bins over bins.
The mean over omega is a trapezoidal sum, whose step follows sqrt(V).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement, product

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from ...symbolic.errors import RebatchError
from ...symbolic.language.compiled import compiled
from ..machine.memory import require
from .latent import MEAN_OF_HALF, Latent

Array = NDArray[np.float64]
_REACH = 6.5
_MAX_AXES = 2
# Cells along an axis, grid points within one, and bins, for one axis and two: bins of few points tell too much.
_RESOLUTION = {1: (2048, 128, 2048), 2: (128, 16, 160)}
_FOR_QUANTILES = 1 << 18
# Labels closer than this, relative to their size, are one.
_SAME = 1e-9
# exp(-20) of the weight of a point at omega is left out.
_FAR = 40.0
_LEAST_MASS = 1e-200
# Numbers that are kept for each node of the grid, beside its labels and features.
_PER_NODE = 8
# So many nodes of omega are taken at once.
_TOGETHER = 12
# Below these overlaps g_out is nearly linear in omega: so many nodes of Gauss and Hermite suffice.
_NEARLY_LINEAR = ((0.01, 4), (0.1, 6))
# The step of the trapezoidal sum in units of sqrt(V), and of sqrt(Q).
_STEP, _WIDEST_STEP = 0.5, 1.0
_OMEGA_REACH = 4.2
# Bins for noisy labels: at most so many per standard deviation of the noise, as far from ends and atoms; bins so
# narrow count as atoms, of which so many are looked around: more lie close together.
_PER_SIGMA, _NOISE_REACH = 16, 7
_NARROW = 1e-3
_CENTRES = 256


@dataclass(frozen=True)
class Told:
    """What one label tells on average, at overlaps Q.

    Attributes
    ----------
    square : ndarray, shape (s, s)
        E[g_out g_out^T] of the learned directions.
    first : ndarray, shape (h, h)
        E[K K^T], K = E[z_hidden | y, omega].
    second : ndarray, shape (pairs, pairs)
        E[G_ab G_cd], G = E[z z^T - I | y, omega] of the hidden directions, a <= b, c <= d.
    mass : float
        1, but for the error of quadrature.
    """

    square: Array
    first: Array
    second: Array
    mass: float


class Cloud:
    """The points of a target's level sets.

    Parameters
    ----------
    latent : Latent
        The learned directions first; of hidden ones all but one may count by their sign alone.
    learned : int
        s >= 1.
    coarser : int
        By how much cells and bins are fewer.

    Attributes
    ----------
    largest_overlap : float
        1 less the squared width of a cell: a direction with this overlap counts as known.

    Raises
    ------
    RebatchError
        If the grid would have more than two axes, or g is not finite on it.
    """

    def __init__(self, latent: Latent, learned: int, *, coarser: int = 1) -> None:
        self.latent, self.learned = latent, learned
        self.hidden = latent.r - learned
        self.axes = [i for i in range(latent.r) if i < learned or i in latent.continuous]
        if len(self.axes) > _MAX_AXES:
            raise RebatchError(
                f"{latent.target} needs a grid of {len(self.axes)} directions here; allowed are {_MAX_AXES}"
            )
        cells, inside, bins = _RESOLUTION[len(self.axes)]
        self.cells = cells // coarser
        self.largest_overlap = 1 - (2 * _REACH / self.cells) ** 2
        told = self.hidden * (self.hidden + 3) // 2
        numbers = _PER_NODE + (2 + told) * 2 ** (latent.r - len(self.axes)) + 2 * (learned + told)
        require(8.0 * numbers * (self.cells * inside) ** len(self.axes), f"the grid for {latent.target}")
        grid, y, features = self._grid(self.cells * inside)
        edges = self._edges(grid, y, bins // coarser)
        found = [self._points(grid, label, rows, edges) for label, rows in zip(y, features, strict=True)]
        of_bin, points = (np.concatenate(part, axis=-1) for part in zip(*found, strict=True))
        order = np.argsort(of_bin, kind="stable")
        self.bin, points = of_bin[order], points[:, order]
        self.mass, self.t, self.features = points[0], points[1 : 1 + learned], points[1 + learned :]
        self.mass /= self.mass.sum()
        self.spread = spread(edges, latent.target.noise_std) if latent.target.noise_std else None
        self.bins = len(edges) - 1

    def _grid(self, count: int) -> tuple[Array, Array, list[Array]]:
        """Return the nodes, and for every choice of the hidden signs the label and the hidden features there."""
        side = -_REACH + 2 * _REACH / count * (np.arange(count) + 0.5)
        nodes = np.array(np.meshgrid(*[side] * len(self.axes), indexing="ij")).reshape(len(self.axes), -1)
        nodes = nodes[:, (nodes**2).sum(axis=0) < _REACH**2]
        signs = [i for i in range(self.latent.r) if i not in self.axes]
        g = compiled(self.latent.expr, self.latent.coordinates)
        labels, features = [], []
        for choice in product((1.0, -1.0), repeat=len(signs)):
            z = np.zeros((self.latent.r, nodes.shape[1]))
            z[self.axes], z[signs] = nodes, np.array(choice)[:, None]
            labels.append(np.array(np.broadcast_to(g(*z), nodes.shape[1]), dtype=float))
            z[signs] *= MEAN_OF_HALF
            features.append(self._features(z[self.learned :], [i - self.learned for i in signs]))
        y = np.array(labels)
        if not np.isfinite(y).all():
            raise RebatchError(f"the target {self.latent.target} is not finite within |z| <= {_REACH}")
        return nodes, y, features

    def _features(self, z: Array, signs: list[int]) -> Array:
        """Return z and z z^T - I of the hidden directions, given the signs of some."""
        second = [
            np.zeros(z.shape[1]) if a == b and a in signs else z[a] * z[b] - (a == b)
            for a, b in combinations_with_replacement(range(self.hidden), 2)
        ]
        return np.concatenate([z, np.array(second).reshape(-1, z.shape[1])])

    @staticmethod
    def _edges(grid: Array, y: Array, bins: int) -> Array:
        """Return edges of bins of about equal weight, the fourth moment of z weighed in; atoms stand alone."""
        some = np.random.default_rng(0).integers(grid.shape[1], size=_FOR_QUANTILES)
        size = (grid[:, some] ** 2).sum(axis=0)
        weight = np.tile(np.exp(-size / 2) * (1 + size**2 / 8), len(y))
        values = y[:, some].ravel()
        order = np.argsort(values)
        shares = np.cumsum(weight[order])
        quantiles = values[order][np.searchsorted(shares, shares[-1] * np.arange(1, bins) / bins)]
        same = _SAME * max(1.0, float(np.abs(quantiles).max()))
        atoms = np.unique(quantiles[1:][np.diff(quantiles) <= same])
        # An edge lies below the labels that share its value but for rounding.
        inner = np.concatenate([quantiles - same, atoms + same])
        ends = float(y.min()) - 2 * same, float(y.max()) + 2 * same
        return np.unique(np.concatenate([[ends[0]], inner[(inner > ends[0]) & (inner < ends[1])], [ends[1]]]))

    def _points(self, grid: Array, y: Array, features: Array, edges: Array) -> tuple[NDArray[np.intp], Array]:
        """Return the bin of every point, and mass, mean t and features, shape (1 + s + features, points)."""
        bins = np.searchsorted(edges, y, side="right") - 1
        key = bins.astype(np.int64)
        for t in grid[: self.learned]:
            key = key * self.cells + ((t + _REACH) / (2 * _REACH) * self.cells).astype(np.int64)
        density = np.exp(-0.5 * (grid**2).sum(axis=0))
        rows = density * np.concatenate([np.ones((1, len(y))), grid[: self.learned], features])
        sums = np.array([np.bincount(key, row) for row in rows])
        kept = np.flatnonzero(sums[0] > 0)
        sums = sums[:, kept]
        return kept // self.cells**self.learned, np.concatenate([sums[:1], sums[1:] / sums[0]])

    def told(self, Q: Array) -> Told:
        """Return what a label tells at overlaps Q, shape (s, s), with eigenvalues in [0, largest_overlap]."""
        overlaps, turn = np.linalg.eigh(Q)
        overlaps = np.clip(overlaps, 0.0, self.largest_overlap)
        V = 1 - overlaps
        t = turn.T @ self.t
        prior = (t**2).sum(axis=0)
        rules = [_rule(float(q)) for q in overlaps]
        s, h = self.learned, self.hidden
        total, mass = np.zeros((s + len(self.features),) * 2), 0.0
        for weights, N in self._labels(t, prior, V, rules):
            total += _extrapolated(N, weights)
            mass += float(N[0].sum(axis=0) @ weights)
        back = turn / V
        return Told(back @ total[:s, :s] @ back.T, total[s : s + h, s : s + h], total[s + h :, s + h :], mass)

    def _labels(
        self, t: Array, prior: Array, V: Array, rules: list[tuple[Array, Array]]
    ) -> Iterator[tuple[Array, Array]]:
        """Yield the probabilities of some omega, and for them N, shape (1 + s + features, bins, omegas).

        Points far from omega are left out: one omega of the first axis at a time, several of the last one.
        """
        *outer, (nodes, shares) = rules
        columns = np.concatenate([np.ones((1, t.shape[1])), t, self.features])
        for picked in product(*(list(zip(*rule, strict=True)) for rule in outer)):
            away = np.zeros(t.shape[1])
            for axis, (node, _) in enumerate(picked):
                away += (t[axis] - node) ** 2 / V[axis]
            for start in range(0, len(nodes), _TOGETHER):
                part = nodes[start : start + _TOGETHER]
                gap = np.maximum(np.maximum(part[0] - t[-1], t[-1] - part[-1]), 0.0)
                kept = np.flatnonzero(away + gap**2 / V[-1] < _FAR)
                if not len(kept):
                    continue
                distance = away[kept, None] + (t[-1, kept, None] - part) ** 2 / V[-1]
                p = np.exp((prior[kept, None] - distance) / 2) * (self.mass[kept, None] / np.sqrt(np.prod(V)))
                bins = self.bin[kept]
                starts = np.flatnonzero(np.diff(bins, prepend=-1))
                N = np.zeros((len(columns), self.bins, len(part)))
                for row, column in zip(N, columns, strict=True):
                    row[bins[starts]] = np.add.reduceat(p * column[kept, None], starts, axis=0)
                for axis, (node, _) in enumerate(picked):
                    N[1 + axis] -= node * N[0]
                N[len(rules)] -= part * N[0]
                weights = np.prod([share for _, share in picked]) * shares[start : start + _TOGETHER]
                yield weights, N if self.spread is None else self.spread.T @ N


def _rule(q: float) -> tuple[Array, Array]:
    """Return nodes and weights of N(0, q) for functions that vary over sqrt(1 - q)."""
    if q <= 0:
        return np.zeros(1), np.ones(1)
    for below, nodes in _NEARLY_LINEAR:
        if q < below:
            x, w = np.polynomial.hermite_e.hermegauss(nodes)
            return np.sqrt(q) * x, w / w.sum()
    step = min(_WIDEST_STEP, _STEP * np.sqrt((1 - q) / q))
    half = int(np.ceil(_OMEGA_REACH / step))
    x = step * np.arange(-half, half + 1)
    w = np.exp(-(x**2) / 2)
    return np.sqrt(q) * x, w / w.sum()


def _extrapolated(N: Array, weights: Array) -> Array:
    """Return the weighted sum of N N^T / N_1 over bins, whose error falls with the square of their width."""
    pairs = np.arange(0, N.shape[1], 2)
    fine, half = _total(N, weights), _total(np.add.reduceat(N, pairs, axis=1), weights)
    return fine + (fine - half) / 3


def _total(N: Array, weights: Array) -> Array:
    seen = N[0] > _LEAST_MASS
    told = N[1:] * np.where(seen, weights / np.where(seen, N[0], 1.0), 0.0)
    return np.asarray(told.reshape(len(told), -1) @ N[1:].reshape(len(told), -1).T)


def spread(edges: Array, sigma: float) -> Array:
    """Return the probability that noise carries a label from each bin, uniform in it, to others."""
    around = sigma * np.linspace(-_NOISE_REACH, _NOISE_REACH, 2 * _NOISE_REACH * _PER_SIGMA + 1)
    narrow = np.diff(edges) <= _NARROW * sigma
    centres = np.concatenate([edges[[0, -1]], edges[:-1][narrow][:: max(1, int(narrow.sum()) // _CENTRES)]])
    wide = np.unique(np.concatenate([edges, np.add.outer(centres, around).ravel()]))
    # Bins much narrower than the noise tell no more.
    wide = wide[np.diff(np.floor(wide * _PER_SIGMA / sigma), prepend=-np.inf) > 0]
    low, high = (wide[None, :] - end[:, None] for end in (edges[:-1], edges[1:]))
    width = np.diff(edges)[:, None]
    # The mean of Phi over a bin by its integral, which cancels where the bin is narrow.
    mean = (_integral(low / sigma) - _integral(high / sigma)) * sigma / width
    below = np.where(width > _NARROW * sigma, mean, ndtr((low + high) / 2 / sigma))
    below[:, 0], below[:, -1] = 0.0, 1.0
    return np.diff(below, axis=1)


def _integral(x: Array) -> Array:
    """Return the integral of Phi up to x."""
    return np.asarray(x * ndtr(x) + np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
