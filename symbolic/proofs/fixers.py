"""Which orthogonal maps fix a target: exactly for polynomials, by proved identities for the others."""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations, permutations, product
from math import comb

import numpy as np
import sympy as sp
from flint import fmpq
from numpy.typing import NDArray

from ..errors import TooLargeError
from ..exact.effort import spend
from ..exact.frame import framed
from ..exact.polynomial import is_polynomial
from ..exact.subspace import Subspace, Vector, as_floats, axis, is_exact, is_rational
from .averages import Averages
from .cells import is_zero_on_cells
from .frames import FrameSearch, guessed
from .permutations import (
    signed_permutation,
)
from .polynomial_fixer import PolynomialFixer
from .rotations import rotation, rotation_symmetry, scaled_to, turn_in_words
from .structure import exchanges, is_permuted, multiplied_out
from .symmetry import Matrix, Symmetry, described, exact_matrix, moved
from .turns import turns

MAX_EXPRESSION_COORDINATES_SEARCHED = 5
# A rotation by 2 pi / m has a power of prime order, which moves the same plane.
MAX_TURN = 13
# Polynomials inside a function are written out up to so many terms.
_MAX_TERMS_WRITTEN = 20_000
_FINGERPRINT_POINTS = 8
# Far above rounding: a map that fixes the target must pass, the normal form decides on those that pass.
_FINGERPRINT_TOLERANCE = 1e-7
_FAR = (1, 8, 64)
# Units of work: a part of an expression is put together again in so many microseconds.
_PER_NODE_MOVED = 200
# Units of work: points of one linear form that are evaluated in about a microsecond.
_ENTRIES_PER_UNIT = 20


class ExpressionFixer:
    """Decides on any target: points in floating point sort out most maps, the normal form proves the others."""

    def __init__(self, averages: Averages) -> None:
        self.averages, self.k = averages, averages.target.k
        # Any points will do: they only spare exact work. A product of many kinks is 0 but where all are on one side.
        points = np.random.default_rng(0).standard_normal((_FINGERPRINT_POINTS, self.k))
        near = np.vstack([points, np.abs(points), -np.abs(points)])
        with np.errstate(all="ignore"):
            # Where a function is the same at all of them, as relu(z1 - 10), points farther out tell more.
            differ = (far * near for far in _FAR if np.ptp(averages.target(far * near)) != 0)
            self.points = next(differ, near)
            self._values = averages.target(self.points)

    def fixes(self, matrix: Matrix, sign: int = 1) -> bool:
        """Whether g(R z) = sign g(z) is proved."""
        R = np.array([as_floats(row) for row in matrix])
        if not self._agrees(self.points @ R.T, sign) or not all(map(is_exact, matrix)):
            return False
        images = _permutation(matrix)
        if images is not None and sign == 1 and is_permuted(self._written, images):
            return True
        if sign == 1 and self._holds_parts(matrix):
            return True
        if self.averages.is_opaque:
            return False
        spend(_PER_NODE_MOVED * sum(1 for _ in sp.preorder_traversal(self.averages.target.expr)))
        difference = moved(self.averages.target, matrix) - sign * self.averages.target.expr
        # Arguments of functions are compared as they are written: a second time written out.
        written = (difference, sp.expand(difference))
        return any(map(self.averages.is_identity, written)) or is_zero_on_cells(difference)

    @cached_property
    def _written(self) -> sp.Expr:
        return multiplied_out(self.averages.target.expr)

    @cached_property
    def _parts(self) -> list[PolynomialFixer]:
        """The rational polynomials of which the target is a function, in the coordinates that occur.

        None where one of them would be too large written out.
        """
        z, k = self.averages.target.coordinates, self.k
        axes = [axis(i, k) for i in self.averages.used]
        try:
            parts = [framed(p, z) for p in polynomial_parts(self._written, z)]
        except TooLargeError:
            return []
        degree = max((int(part.polynomial.total_degree()) for part in parts), default=0)
        if comb(degree + len(axes), len(axes)) > _MAX_TERMS_WRITTEN:
            return []
        return [PolynomialFixer(part.along(axes)) for part in parts]

    def _holds_parts(self, matrix: Matrix) -> bool:
        """Whether each polynomial of which the target is a function is fixed, and so the target."""
        if not self._parts:
            return False
        return all(map(is_rational, matrix)) and all(part.fixes(matrix) for part in self._parts)

    def _agrees(self, points: NDArray[np.float64], sign: int) -> bool:
        with np.errstate(all="ignore"):
            difference = np.abs(self.averages.target(points) - sign * self._values)
        return bool(np.all(difference <= _FINGERPRINT_TOLERANCE * (1 + np.abs(self._values))))

    def signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return signed permutations of the coordinates that fix g.

        Complete up to `MAX_EXPRESSION_COORDINATES_SEARCHED` coordinates that occur; beyond, the likely ones.
        """
        return self._signed_permutations

    @cached_property
    def _signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return the maps that fix g and hide something new, and whether all were tried."""
        complete = len(self.averages.used) <= MAX_EXPRESSION_COORDINATES_SEARCHED
        found: list[Symmetry] = []
        hidden = Subspace.zero(self.k)
        for images in self._every_map() if complete else self._likely_maps():
            where, flips = zip(*images, strict=True)
            if not self._agrees(self.points[:, where] * np.array(flips), 1):
                continue
            symmetry = signed_permutation(images)
            larger = hidden + Subspace.span(symmetry.moved, self.k)
            matrix = [[fmpq(sign * int(j == image)) for j in range(self.k)] for image, sign in images]
            if larger != hidden and self.fixes(matrix):
                found.append(symmetry)
                hidden = larger
        return tuple(found), complete

    def _every_map(self) -> Iterator[list[tuple[int, int]]]:
        """Yield every signed permutation of the coordinates that occur, as (image, sign) by coordinate."""
        used = self.averages.used
        for order in permutations(used):
            for signs in product((1, -1), repeat=len(used)):
                yield self._images(dict(zip(used, order, strict=True)), dict(zip(used, signs, strict=True)))

    def _likely_maps(self) -> Iterator[list[tuple[int, int]]]:
        """Yield flips of one, two or all coordinates, swaps with and without one, and exchanges of equal parts."""
        used = self.averages.used
        single = [{}, dict.fromkeys(used, -1), *({i: -1} for i in used)]
        yield from (self._images({}, signs) for signs in single)
        yield from (self._images({}, {i: -1, j: -1}) for i, j in combinations(used, 2))
        for i, j in combinations(used, 2):
            yield from (self._images({i: j, j: i}, signs) for signs in single)
        for pairs in exchanges(self.averages.structure):
            yield self._images({a: b for i, j in pairs for a, b in ((i, j), (j, i))}, {})

    def _images(self, moves: dict[int, int], signs: dict[int, int]) -> list[tuple[int, int]]:
        return [(moves.get(m, m), signs.get(m, 1)) for m in range(self.k)]

    def rotation(self, plane: Subspace) -> Symmetry | None:
        """Return a rotation of a plane by 2 pi / m that fixes g: of the polynomials in it, else of those m tried."""
        parts = [part.g for part in self._parts]
        if parts and plane <= self._occurring and (found := rotation_symmetry(plane, *parts)) is not None:
            return found
        for m in (*sp.primerange(3, MAX_TURN + 1), 4):
            turn = rotation(plane, m)
            if turn is not None and self.fixes(turn):
                return Symmetry(
                    exact_matrix(turn), plane.orthogonal_basis(), turn_in_words(plane, f"2 pi / {m}")
                )
        return None

    @cached_property
    def _occurring(self) -> Subspace:
        return Subspace.span((axis(i, self.k) for i in self.averages.used), self.k)

    def turns(self) -> list[Symmetry]:
        """Return the continuous rotations of the polynomials of which the target is a function."""
        parts = [part.g for part in self._parts]
        return [described(R) for R in turns(parts) if self._holds_parts(R)] if parts else []

    def in_any_frame(self, fixed: Subspace, free: Subspace) -> Iterator[Symmetry]:
        """Yield maps that fix g and a subspace, found in floating point and proved."""
        search = FrameSearch(lambda z: self.averages.target(z)[:, None], self.k, fixed, free)
        yield from guessed(search, self.fixes, self.rotation)

    def mirrors(self) -> list[Vector]:
        """Return those of the linear forms u, and of u - u' and u + u' scaled to one length, that may be mirrors.

        Points in floating point sort out the others before any exact number is formed: pairs are many.
        """
        forms = self.averages.directions
        likely = np.array([as_floats(u) for u in forms]).reshape(-1, self.k)
        likely /= np.abs(likely).max(axis=1, keepdims=True)
        found = [u for u, v in zip(forms, likely, strict=True) if self._may_mirror(v)]
        lengths = np.linalg.norm(likely, axis=1)
        for i, j in combinations(range(len(forms)), 2):
            signs = [
                s for s in (-1, 1) if self._may_mirror(likely[i] / lengths[i] + s * likely[j] / lengths[j])
            ]
            if signs and (w := scaled_to(forms[j], forms[i])) is not None:
                found += [tuple(a + s * b for a, b in zip(forms[i], w, strict=True)) for s in signs]
        return [v for v in found if any(v)]

    def _may_mirror(self, v: NDArray[np.float64]) -> bool:
        """Whether the reflection along v fixes g at the points."""
        spend(self.points.size * len(self.averages.directions) // _ENTRIES_PER_UNIT)
        size = v @ v
        return bool(size > 0) and self._agrees(self.points - np.outer(self.points @ v, 2 / size * v), 1)


def polynomial_parts(expr: sp.Expr, coordinates: Sequence[sp.Symbol]) -> list[sp.Expr]:
    """Return polynomials with rational coefficients of which an expression is a function, as large as it is written.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> polynomial_parts(sp.tanh(x * y) + x**2 + y, (x, y))
    [x**2 + y, x*y]
    """
    found: dict[sp.Expr, None] = {}

    def read(part: sp.Basic) -> None:
        if not part.free_symbols:
            return
        if is_polynomial(part, coordinates):
            found[part] = None
            return
        parts = list(part.args)
        if isinstance(part, sp.Add | sp.Mul):
            plain = [a for a in parts if a.free_symbols and is_polynomial(a, coordinates)]
            parts = [part.func(*plain), *(a for a in parts if a not in plain)]
        for a in parts:
            read(a)

    read(expr)
    return list(found)


def _permutation(matrix: Matrix) -> dict[int, int] | None:
    """Return where each coordinate goes under a permutation matrix, else None."""
    images = {}
    for i, row in enumerate(matrix):
        ones = [j for j, x in enumerate(row) if x == 1]
        if len(ones) != 1 or sum(x != 0 for x in row) != 1:
            return None
        images[i] = ones[0]
    return images
