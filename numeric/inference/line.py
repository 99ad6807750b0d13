"""Conditional second moments of a label that depends on one direction and on signs, by roots on level sets.

Given y, the direction t sits at the roots of g_s(t) = y, s the signs, with weights p_s phi(t) / |g_s'(t)|, so that

    E[m m^T],  m(y) = E[f | y],  is the integral over y of  N N^T / N_1,  N = sum over roots of p_s phi f / |g_s'|.

Between the levels at which roots appear, merge or jump, the roots are smooth in y. Each such interval is
integrated along every one of its roots, dy = |g'| dt, with nodes that cluster at both ends, which takes the
square-root (or any power) singularities of critical values away. Where a piece of g is flat the label has an atom
(theory, 9).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]
Function = Callable[[Array], Array]
# Beyond it E[t^4] keeps less than 1e-8.
REACH = 7.2
_GRID = 6001
_NODES = 64
# Smooth pieces or levels beyond these are left to the histogram of `cells.py`.
_MAX_PIECES = 400
_MAX_INTERVALS = 3000
_BISECTIONS = 52
_STEPS = 60
_CONVERGED = 1e-12
# Levels closer than this, relative to the range of the label, are one.
_SAME_LEVEL = 1e-11
_FLAT = 1e-14
_TABLE = 257
_OFF = 1e-13
_LEAST_SLOPE = 1e-280
_TINY = 1e-300


class TooManyPiecesError(Exception):
    """The function oscillates too much for its roots to be followed one by one."""


@dataclass(frozen=True)
class Branch:
    """The label for one choice of the signs.

    Attributes
    ----------
    weight : float
        The probability of the signs.
    value, slope : callable
        t -> g_s(t) and its derivative.
    breaks : sequence of float
        Where g_s has kinks or jumps.
    features : callable
        (1, t, t^2 - 1), shape (3, n), -> the conditional features f, shape (features, n): linear.
    """

    weight: float
    value: Function
    slope: Function
    breaks: Sequence[float]
    features: Callable[[Array], Array]


@dataclass(frozen=True)
class Piece:
    """A monotone piece of a branch on (a, b), with g tabulated for starting values."""

    branch: Branch
    a: float
    b: float
    t: Array
    y: Array

    @property
    def low(self) -> float:
        """The lowest label on it."""
        return float(min(self.y[0], self.y[-1]))

    @property
    def high(self) -> float:
        """The highest label on it."""
        return float(max(self.y[0], self.y[-1]))


@dataclass(frozen=True)
class Atom:
    """A flat piece: the label is `value` on (a, b)."""

    branch: Branch
    a: float
    b: float
    value: float

    def moments(self) -> Array:
        """Return the integrals of phi f over the piece, and its mass first."""
        a, b = self.a, self.b
        mass = ndtr(b) - ndtr(a) if a < 0 else ndtr(-a) - ndtr(-b)
        basic = np.array([[mass], [_phi(a) - _phi(b)], [a * _phi(a) - b * _phi(b)]])
        return self.branch.weight * np.concatenate([basic[:1], self.branch.features(basic)])[:, 0]


def second_moments(branches: Sequence[Branch]) -> tuple[Array, float]:
    """Return E[m m^T], m = E[f | y], and an estimated error.

    Raises
    ------
    TooManyPiecesError
        If there are too many pieces.
    """
    pieces: list[Piece] = []
    atoms: list[Atom] = []
    for branch in branches:
        split(branch, pieces, atoms)
    if len(pieces) > _MAX_PIECES:
        raise TooManyPiecesError
    still = _atoms(atoms)
    total, coarse = (_smooth_part(pieces, nodes) for nodes in (_NODES, _NODES // 2))
    # Mass that the roots have missed is missing in the moments too, at most with the largest f^2 of the bulk.
    mass = total[1] + sum(atom[0] for atom in still)
    matrix = total[0] + sum((np.outer(a[1:], a[1:]) / a[0] for a in still), np.zeros_like(total[0]))
    error = float(np.abs(total[0] - coarse[0]).max()) + 4 * abs(1 - float(mass)) + 1e-12
    return np.asarray(matrix), error


def split(branch: Branch, pieces: list[Piece], atoms: list[Atom]) -> None:
    """Cut a branch at its breaks and at the zeros of its slope."""
    inside = sorted({x for x in branch.breaks if -REACH < x < REACH})
    ends = [-REACH, *inside, REACH]
    for a, b in pairwise(ends):
        if b - a < 1e-9:
            continue
        count = max(33, int(_GRID * (b - a) / (2 * REACH)))
        t = np.linspace(a, b, count)
        inner = t.copy()
        margin = 1e-9 * (b - a)
        inner[0], inner[-1] = a + margin, b - margin
        slope = np.broadcast_to(branch.slope(inner), t.shape)
        value = np.broadcast_to(branch.value(inner), t.shape)
        scale = max(1.0, float(np.abs(value).max()))
        if float(np.ptp(value)) <= _FLAT * scale:
            atoms.append(Atom(branch, a, b, float(value[len(t) // 2])))
            continue
        cuts = _zeros_of_slope(branch.slope, inner, slope)
        places = [a, *cuts, b]
        if len(pieces) + len(places) > _MAX_PIECES:
            raise TooManyPiecesError
        for left, right in pairwise(places):
            if right - left < 1e-9:
                continue
            s = left + (right - left) * _table_places()
            y = np.array(np.broadcast_to(branch.value(s), s.shape), dtype=float)
            # What is not monotone in the table is rounding.
            y = (np.maximum if y[-1] > y[0] else np.minimum).accumulate(y)
            if y[-1] != y[0]:
                pieces.append(Piece(branch, left, right, s, y))


@cache
def _table_places() -> Array:
    """Return places on (0, 1), dense at both ends, which stay off them: at a jump the limit from inside counts."""
    x = np.linspace(0, 1, _TABLE)
    return np.asarray(np.clip(x**3 * (10 - 15 * x + 6 * x**2), _OFF, 1 - _OFF))


def _zeros_of_slope(slope: Function, t: Array, values: Array) -> list[float]:
    """Return the places where the slope changes sign, or touches 0."""
    zero = np.flatnonzero(values[1:] * values[:-1] < 0)
    low, high = t[zero], t[zero + 1]
    if len(zero) > _MAX_PIECES:
        raise TooManyPiecesError
    start = np.sign(values[zero])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        same = np.sign(np.broadcast_to(slope(middle), middle.shape)) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    touching = np.flatnonzero(values == 0)
    return sorted({*((low + high) / 2).tolist(), *t[touching].tolist()})


def _atoms(atoms: Sequence[Atom]) -> list[Array]:
    """Return mass and moments of every level at which something is flat."""
    levels: dict[float, Array] = {}
    for atom in atoms:
        key = next((v for v in levels if abs(v - atom.value) <= 1e-12 * max(1, abs(v))), atom.value)
        levels[key] = levels.get(key, 0.0) + atom.moments()
    return [moments for moments in levels.values() if moments[0] > 0]


def _smooth_part(pieces: Sequence[Piece], nodes: int) -> tuple[Array, float]:
    """Return the integral of N N^T / N_1 over all levels, and its mass."""
    if not pieces:
        return np.zeros((1, 1)), 0.0
    size = len(pieces[0].branch.features(np.ones((3, 1))))
    matrix, mass = np.zeros((size, size)), 0.0
    levels = _distinct(sorted({x for p in pieces for x in (p.low, p.high)}))
    if len(levels) > _MAX_INTERVALS:
        raise TooManyPiecesError
    for low, high in pairwise(levels):
        middle = (low + high) / 2
        active = [p for p in pieces if p.low < middle < p.high]
        if active:
            part, m = _over_interval(active, low, high, nodes)
            matrix += part
            mass += m
    return matrix, mass


def _distinct(levels: list[float]) -> list[float]:
    kept: list[float] = []
    for level in levels:
        if not kept or level - kept[-1] > _SAME_LEVEL * max(1.0, abs(level)):
            kept.append(level)
    return kept


def _over_interval(active: Sequence[Piece], low: float, high: float, nodes: int) -> tuple[Array, float]:
    """Integrate m m^T over low < y < high along each root: where roots merge, only weights in m are uncertain."""
    x, w = clustered(nodes)
    ends = [roots_of(piece, np.array([low, high])) for piece in active]
    along = [a + (b - a) * x for a, b in ends]
    y = np.concatenate(
        [np.broadcast_to(p.branch.value(t), t.shape) for p, t in zip(active, along, strict=True)]
    )
    N: Array = np.zeros(())
    mass = []
    for i, (piece, t, (a, b)) in enumerate(zip(active, along, ends, strict=True)):
        root = roots_of(piece, y)
        root[i * nodes : (i + 1) * nodes] = t
        slope = np.abs(np.broadcast_to(piece.branch.slope(root), root.shape))
        density = piece.branch.weight * _phi(root) / np.maximum(slope, _LEAST_SLOPE)
        N = N + density * _with_mass(piece.branch, root)
        mass.append(piece.branch.weight * _phi(t) * np.abs(b - a) * w)
    m, weights = N[1:] / np.maximum(N[0], _TINY), np.concatenate(mass)
    return (m * weights) @ m.T, float(weights.sum())


def _with_mass(branch: Branch, t: Array) -> Array:
    """Return 1 and the features at t."""
    basic = np.stack([np.ones_like(t), t, t**2 - 1])
    return np.concatenate([basic[:1], branch.features(basic)])


def roots_of(piece: Piece, y: Array) -> Array:
    """Return t in the piece with g(t) = y: a bracket from a table, then Newton's steps inside it."""
    up = 1.0 if piece.y[-1] > piece.y[0] else -1.0
    table, wanted = up * piece.y, up * y
    index = np.clip(np.searchsorted(table, wanted), 1, len(table) - 1)
    low, high = piece.t[index - 1].copy(), piece.t[index].copy()
    low[index == 1], high[index == len(table) - 1] = piece.a, piece.b
    rise = np.maximum(table[index] - table[index - 1], _TINY)
    share = np.clip((wanted - table[index - 1]) / rise, 0.0, 1.0)
    t = low + share * (high - low)
    value, slope = piece.branch.value, piece.branch.slope
    left = np.arange(len(t))
    for _ in range(_STEPS):
        at = t[left]
        excess = up * np.broadcast_to(value(at), at.shape) - wanted[left]
        low[left], high[left] = np.where(excess < 0, at, low[left]), np.where(excess < 0, high[left], at)
        with np.errstate(all="ignore"):
            # A slope that is infinite, or no number, at an end is followed by bisection.
            new = at - excess / np.maximum(up * np.broadcast_to(slope(at), at.shape), _TINY)
        t[left] = np.where((new > low[left]) & (new < high[left]), new, (low[left] + high[left]) / 2)
        left = left[np.abs(t[left] - at) >= _CONVERGED]
        if not left.size:
            break
    t[wanted <= table[0]], t[wanted >= table[-1]] = (piece.a, piece.b)
    return t


def _phi(t: Array | float) -> Array:
    return np.asarray(np.exp(-0.5 * np.square(t)) / np.sqrt(2 * np.pi))


@cache
def clustered(nodes: int) -> tuple[Array, Array]:
    """Return nodes and weights on (0, 1): Gauss-Legendre in s, x the smoothstep of degree 7 of s."""
    s, w = np.polynomial.legendre.leggauss(nodes)
    s, w = (s + 1) / 2, w / 2
    x = s**4 * (35 - 84 * s + 70 * s**2 - 20 * s**3)
    return x, w * 140 * s**3 * (1 - s) ** 3
