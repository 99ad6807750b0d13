"""What a grid leaves out because it falls between its points: ridges, dips and steps narrower than the step.

A function such as sech(a u)^2, tanh(a u)^2 or 1/(1 + a^2 u^2) has its features where a part u of it is 0, however
narrow they are. Along random lines parallel to the axes those places are found by bisection, and the integral over
the line is taken with points that crowd geometrically towards them; the sum over the points of the grid's step on the
same line is held against it. Differences of both signs average out over the lines of a grid, as those of a kink do;
where they are of one sign mass is left out (or counted too often), and their mean estimates it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..exact.effort import spend
from ..language.compiled import compiled

Array = NDArray[np.float64]

_LINES = 40
# In one dimension they are one line, on which only the grid is moved.
_SHIFTS = 4
# Of one sign: the sum of the differences is at least this share of the sum of their sizes.
_ONE_SIDED = 0.5
# The mean over so few lines is itself known to a part.
_SAFETY = 2.0
_MOST_PARTS = 12
_BISECTIONS = 50
# Of a step of the grid: where the chord's zero is looked for.
_BESIDE = 2.0**-42
_MOST_ZEROS = 24
_CROWDING = 2.0 ** -np.arange(1, 40)
# Nodes of one array cost less than a unit each.
_NODES_PER_UNIT = 16
_NEAR = 1 << 15
_SEED = 11


def left_out(
    expr: sp.Expr,
    coordinates: Sequence[sp.Symbol],
    moved: Callable[[Callable[..., Array]], Callable[..., Array]],
    reach: float,
    points: int,
) -> float:
    """Return an estimate of the mass that a grid with so many points along an axis leaves out.

    Parameters
    ----------
    expr : sympy.Expr
    coordinates : sequence of symbols
    moved : callable
        Takes a function of the coordinates to the one in standard normal coordinates.
    reach : float
    points : int
    """
    parts = parts_of(expr)[:_MOST_PARTS]
    if not parts:
        return 0.0
    g, *zeros_of = (moved(_compiled(u, tuple(coordinates))) for u in (expr, *parts))
    draw = np.random.default_rng(_SEED)
    largest, r = 0.0, len(coordinates)
    lines = _LINES if r > 1 else _SHIFTS
    for axis in range(r):
        at, shift = draw.standard_normal((lines, r)), draw.random(lines)
        differences = _differences(_Lines(at, axis), g, zeros_of, reach, points, shift)
        size = float(np.sum(np.abs(differences)))
        if np.isfinite(size) and abs(float(np.sum(differences))) >= _ONE_SIDED * size:
            largest = max(largest, _SAFETY * size / lines)
    return largest


@lru_cache(maxsize=64)
def _compiled(u: sp.Expr, coordinates: tuple[sp.Symbol, ...]) -> Callable[..., Array]:
    """Return a function of the coordinates, kept: the moments of a target have the same parts."""
    return compiled(u, coordinates)


@dataclass(frozen=True)
class _Lines:
    """Lines parallel to an axis through points, shape (lines, r)."""

    at: Array
    axis: int

    def values(self, f: Callable[..., Array], line: NDArray[np.intp], x: Array) -> Array:
        """Return f at the places x of the lines of these numbers."""
        z = [x if i == self.axis else self.at[line, i] for i in range(self.at.shape[1])]
        return np.asarray(np.broadcast_to(f(*z), x.shape), dtype=float)


def parts_of(expr: sp.Expr) -> list[sp.Expr]:
    """Return the arguments of functions, and the bases of powers of more than a coordinate, that depend on z."""
    found: dict[sp.Expr, None] = {}
    for part in sp.preorder_traversal(expr):
        if isinstance(part, sp.Max | sp.Min):
            first, *rest = part.args
            found |= dict.fromkeys(first - other for other in rest)
        elif isinstance(part, sp.Function) and len(part.args) and isinstance(part.args[0], sp.Expr):
            found[part.args[0]] = None
        elif part.is_Pow and part.exp.is_number and not part.base.is_Symbol:
            found[part.base] = None
    return [u for u in found if u.free_symbols and not (u.is_positive or u.is_negative)]


def _differences(
    lines: _Lines,
    g: Callable[..., Array],
    parts: Sequence[Callable[..., Array]],
    reach: float,
    points: int,
    shift: Array,
) -> Array:
    """Return, for each line, the integral over it less the sum over the points of a grid on it."""
    step = 2 * reach / points
    grid = -reach + step * (np.arange(points) + shift[:, None])
    found = [_zeros(lines, u, grid) for u in parts]
    line, zero = _fewest_of_each(*(np.concatenate(both) for both in zip(*found, strict=True)))
    total = np.zeros(len(grid))
    if not len(line):
        return total
    here = np.unique(line)
    crowded = zero[:, None] + step * np.concatenate([-_CROWDING, [0.0], _CROWDING])
    at = np.concatenate([np.repeat(here, points), np.repeat(line, crowded.shape[1])])
    ends = np.concatenate([grid[here].ravel(), crowded.ravel()])
    order = np.lexsort((ends, at))
    at, ends = at[order], ends[order]
    # Between the ends of one line; where two fall together there is nothing between them.
    low, high, number = ends[:-1], ends[1:], at[:-1]
    inside = (at[1:] == number) & (high > low)
    low, half, number = low[inside], (high - low)[inside] / 2, number[inside]
    nodes, weights = np.polynomial.legendre.leggauss(4)
    spend(low.size * len(nodes) // _NODES_PER_UNIT)
    for node, weight in zip(nodes, weights, strict=True):
        fine = weight * half * _weighted(lines, g, number, low + half * (1 + node))
        total += np.bincount(number, fine, len(total))
    coarse = _weighted(lines, g, np.repeat(here, points), grid[here].ravel()).reshape(-1, points)
    total[here] -= step * (coarse.sum(axis=1) - (coarse[:, 0] + coarse[:, -1]) / 2)
    return total


def _fewest_of_each(line: NDArray[np.intp], zero: Array) -> tuple[NDArray[np.intp], Array]:
    """Return at most so many zeros of a line, the first found; one line after the other."""
    order = np.argsort(line, kind="stable")
    line, zero = line[order], zero[order]
    rank = np.arange(len(line)) - np.searchsorted(line, line)
    return line[rank < _MOST_ZEROS], zero[rank < _MOST_ZEROS]


def _weighted(lines: _Lines, g: Callable[..., Array], line: NDArray[np.intp], x: Array) -> Array:
    """Return g times the density along the line; a few values at a time stay near the processor."""
    pieces = [slice(first, first + _NEAR) for first in range(0, len(x), _NEAR)]
    values = np.concatenate([lines.values(g, line[piece], x[piece]) for piece in pieces])
    return np.asarray(values * np.exp(-x * x / 2) / np.sqrt(2 * np.pi))


def _zeros(lines: _Lines, u: Callable[..., Array], grid: Array) -> tuple[NDArray[np.intp], Array]:
    """Return the lines and the places where a part changes its sign between points, by bisection."""
    spend(grid.size // _NODES_PER_UNIT)
    every = np.repeat(np.arange(len(grid)), grid.shape[1])
    values = lines.values(u, every, grid.ravel()).reshape(grid.shape)
    line, place = np.nonzero(np.sign(values[:, :-1]) * np.sign(values[:, 1:]) < 0)
    low, high, start = grid[line, place], grid[line, place + 1], np.sign(values[line, place])
    # A part that is linear has its zero where the chord has it: the places beside it show that.
    with np.errstate(all="ignore"):
        share = values[line, place] / (values[line, place] - values[line, place + 1])
    chord, beside = low + share * (high - low), _BESIDE * (high - low)
    for middle in (chord - beside, chord + beside):
        low, high = _halved(lines, u, line, middle, (low, high), start)
    for _ in range(_BISECTIONS):
        wide = high - low > 4 * beside
        if not wide.any():
            break
        ends = low[wide], high[wide]
        low[wide], high[wide] = _halved(lines, u, line[wide], (ends[0] + ends[1]) / 2, ends, start[wide])
    return line, np.asarray((low + high) / 2)


def _halved(
    lines: _Lines,
    u: Callable[..., Array],
    line: NDArray[np.intp],
    middle: Array,
    ends: tuple[Array, Array],
    start: Array,
) -> tuple[Array, Array]:
    """Return ends between which the sign still changes: one of each pair is moved to a place between them."""
    low, high = ends
    place = np.clip(np.where(np.isfinite(middle), middle, (low + high) / 2), low, high)
    left = np.sign(lines.values(u, line, place)) == start
    return np.where(left, place, low), np.where(left, high, place)
