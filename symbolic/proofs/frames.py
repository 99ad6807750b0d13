"""Orthogonal maps that may fix a function, whatever the frame in which it is simple: found in floating point.

A map that fixes g and every vector of a subspace L is a zero of

    rho -> sum_n (g(R z_n) - g(z_n))^2,      R = rho on the complement W of L, 1 on L,

over rho in O(W). From random starts, all of them together, Levenberg-Marquardt steps rho <- rho cayley(S), S skew,
find zeros; where the maps that fix g are finitely many these are members of their group. What is found is a guess:
its entries, or the plane in which it turns, are read as rational numbers, and whoever asks proves or drops them.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import cached_property
from itertools import product

import numpy as np
from flint import fmpq, fmpq_mat
from numpy.typing import NDArray

from ..exact.frame import Framed
from ..exact.irrational import as_float
from ..exact.subspace import Subspace, as_floats, dot, identity
from .symmetry import Matrix, Symmetry, described

Floats = NDArray[np.float64]
# Points, shape (n, k), to the values of functions that are all to be fixed, shape (n, parts).
Values = Callable[[Floats], Floats]

# More directions that nothing is known of have too many maps to start from.
_MAX_FREE = 4
_STARTS = 64
# Products of so many maps are tried.
_MULTIPLIED = 8
_ITERATIONS = 60
_POINTS_PER_PARAMETER = 4
_DIFFERENCE = 1e-6
# A zero is reached by steps that square the error; local minima stay far above.
_ZERO = 1e-9
_SAME = 1e-6
# Entries of a rational frame of small numbers; the exact check sorts out the rest.
_MAX_DENOMINATOR = 20_000
_RATIONAL = 1e-10


def guessed(
    search: "FrameSearch", fixes: Callable[[Matrix], bool], rotation: Callable[[Subspace], Symmetry | None]
) -> Iterator[Symmetry]:
    """Yield what is proved of the maps that a search finds: the rational ones, else rotations of their planes.

    Parameters
    ----------
    search : FrameSearch
    fixes : callable
        Whether a map fixes the function, exactly.
    rotation : callable
        The rotation of a plane that fixes the function, if there is one.
    """
    tried: list[Subspace] = []
    for R in _with_products(search.maps()):
        exact = as_rational_map(R)
        if exact is not None and fixes(exact):
            yield described(exact)
        for plane in planes_of(R) if exact is None else ():
            if plane not in tried:
                tried.append(plane)
                if (symmetry := rotation(plane)) is not None:
                    yield symmetry


def _with_products(maps: Iterator[Floats]) -> Iterator[Floats]:
    """Yield maps, then products of two: one of them may turn a single plane."""
    found = []
    for R in maps:
        found.append(R)
        yield R
    for R, T in product(found[:_MULTIPLIED], repeat=2):
        yield R @ T


class FrameSearch:
    """The search for one function, over the maps that fix a subspace."""

    def __init__(self, values: Values, ambient: int, fixed: Subspace, free: Subspace) -> None:
        self._values, self._k = values, ambient
        self._free = _orthonormal(free)
        self._fixed = _orthonormal(fixed)

    def maps(self) -> Iterator[Floats]:
        """Yield maps R, shape (k, k), distinct and none of them the identity, that fix the function numerically."""
        if not 2 <= self._free.shape[1] <= _MAX_FREE:
            return
        found: list[Floats] = [np.eye(self._free.shape[1])]
        for rho in self._zeros:
            if all(np.abs(rho - other).max() > _SAME for other in found):
                found.append(rho)
                outside = np.eye(self._k) - self._free @ self._free.T
                yield outside + self._free @ rho @ self._free.T

    @cached_property
    def _zeros(self) -> Floats:
        """The rho at which the sum vanishes, shape (number, w, w)."""
        draw = np.random.default_rng(3)
        w = self._free.shape[1]
        pairs = [(i, j) for i in range(w) for j in range(i)]
        n = _POINTS_PER_PARAMETER * (len(pairs) + 2)
        a, rest = (
            draw.standard_normal((n, w)),
            draw.standard_normal((n, self._fixed.shape[1])) @ self._fixed.T,
        )
        # With random signs the orthogonal factor is spread over all maps evenly.
        rho = np.linalg.qr(draw.standard_normal((_STARTS, w, w)))[0] * draw.choice(
            [-1.0, 1.0], (_STARTS, 1, w)
        )
        wanted = self._at(a, rest)
        # Each part counts alike.
        scale = np.sqrt(np.mean(wanted**2, axis=0))
        scale[scale == 0] = 1.0
        damping = np.full(_STARTS, 1e-2)
        moved = a @ rho.transpose(0, 2, 1)
        residual = _flat((self._at(moved, rest) - wanted) / scale)
        for _ in range(_ITERATIONS):
            slopes = np.einsum("snpi,sij->snpj", self._slopes(moved, rest) / scale[:, None], rho)
            columns = [
                _flat(slopes[..., i] * a[:, None, j] - slopes[..., j] * a[:, None, i]) for i, j in pairs
            ]
            step = _damped(np.stack(columns, axis=-1), residual, damping)
            tried = rho @ _cayley(step, pairs, w)
            image = a @ tried.transpose(0, 2, 1)
            new = _flat((self._at(image, rest) - wanted) / scale)
            better = np.sum(new**2, axis=1) < np.sum(residual**2, axis=1)
            rho[better], moved[better], residual[better] = tried[better], image[better], new[better]
            damping = np.clip(np.where(better, damping / 5, damping * 4), 1e-12, 1e6)
        return np.asarray(rho[np.abs(residual).max(axis=1) < _ZERO])

    def _at(self, a: Floats, rest: Floats) -> Floats:
        """Return the parts at points with coordinates a in the free space, shape (…, n, parts)."""
        z = a @ self._free.T + rest
        with np.errstate(all="ignore"):
            values = self._values(z.reshape(-1, self._k))
        return np.where(np.isfinite(values), values, 0.0).reshape(*z.shape[:-1], values.shape[-1])

    def _slopes(self, a: Floats, rest: Floats) -> Floats:
        """Return their derivatives along the free space, shape (…, n, parts, w), by central differences."""
        steps = _DIFFERENCE * np.eye(a.shape[-1])
        columns = [(self._at(a + h, rest) - self._at(a - h, rest)) / (2 * _DIFFERENCE) for h in steps]
        return np.stack(columns, axis=-1)


def as_fractions(matrix: Floats) -> list[list[fmpq]] | None:
    """Return a matrix in fractions with small denominators, if all its entries are near some."""
    guess = [[Fraction(float(x)).limit_denominator(_MAX_DENOMINATOR) for x in row] for row in matrix]
    if np.abs(np.array(guess, dtype=float) - matrix).max() > _RATIONAL:
        return None
    return [[fmpq(x.numerator, x.denominator) for x in row] for row in guess]


def as_rational_map(R: Floats) -> list[list[fmpq]] | None:
    """Return an orthogonal matrix in fractions that is exactly orthogonal; None if it is not of that kind."""
    rows = as_fractions(R)
    if rows is None:
        return None
    return rows if fmpq_mat(rows) * fmpq_mat(rows).transpose() == identity(len(rows)) else None


def planes_of(R: Floats) -> Iterator[Subspace]:
    """Yield the rational planes in which a map turns by an angle other than a half turn."""
    values, vectors = np.linalg.eig(R)
    for value, vector in zip(values, vectors.T, strict=True):
        if value.imag <= _SAME or np.sum(np.abs(values - value) < _SAME) > 1:
            continue
        # Of an orthogonal map both parts of such a vector are orthogonal and of one length.
        parts = np.array([vector.real, vector.imag])
        projection = as_fractions(2 * parts.T @ parts)
        plane = None if projection is None else Subspace.span(projection, len(R))
        if plane is not None and plane.dimension == 2:
            yield plane


def values_of(g: Framed) -> Values:
    """Return the homogeneous parts of a polynomial as a function of points z: each of them is fixed by itself."""
    terms = [(tuple(map(int, S)), as_float(c)) for S, c in g.polynomial.to_dict().items()]
    along = np.array([as_floats(b) / as_float(dot(b, b)) for b in g.basis]).T
    highest = max((n for S, _ in terms for n in S), default=0)

    def values(z: Floats) -> Floats:
        t = z @ along
        powers = t[None] ** np.arange(1 + highest)[:, None, None]
        parts = {sum(S): np.zeros(len(z)) for S, _ in terms}
        for S, c in terms:
            term = np.full(len(z), c)
            for i, n in enumerate(S):
                if n:
                    term *= powers[n, :, i]
            parts[sum(S)] += term
        return np.stack(list(parts.values()), axis=-1)

    return values


def _flat(values: Floats) -> Floats:
    """Return values at points and of parts in one row for each start."""
    return values.reshape(len(values), -1)


def _orthonormal(space: Subspace) -> Floats:
    """Return an orthonormal basis in floating point, shape (ambient, dimension)."""
    basis = [as_floats(b) for b in space.orthogonal_basis()]
    return np.array([b / np.linalg.norm(b) for b in basis]).T.reshape(space.ambient, len(basis))


def _damped(jacobian: Floats, residual: Floats, damping: Floats) -> Floats:
    """Return -(J'J + damping)^(-1) J'F for each start."""
    normal = jacobian.transpose(0, 2, 1) @ jacobian
    right = (jacobian.transpose(0, 2, 1) @ residual[..., None])[..., 0]
    eye = np.eye(normal.shape[-1])
    return np.asarray(
        -np.linalg.solve(normal + (damping[:, None, None] + 1e-14) * eye, right[..., None])[..., 0]
    )


def _cayley(step: Floats, pairs: list[tuple[int, int]], w: int) -> Floats:
    """Return (1 - S/2)^(-1) (1 + S/2) of the skew matrices of a step: orthogonal, 1 + S to first order."""
    S = np.zeros((len(step), w, w))
    for column, (i, j) in enumerate(pairs):
        S[:, i, j], S[:, j, i] = step[:, column], -step[:, column]
    return np.asarray(np.linalg.solve(np.eye(w) - S / 2, np.eye(w) + S / 2))
