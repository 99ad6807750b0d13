"""Orthogonal maps R with g(Rz) = g(z): the certificates that a direction stays hidden (theory, 3.4).

If R fixes the target, E[F(y) z] = R E[F(y) z] for every F, so every direction in the image of I - R is hidden. With
a group of them, the hidden directions are the orthogonal complement of its fixed space. Each map is checked exactly,
on the polynomial or in the normal form of any other target; the search covers

1. all signed permutations of the coordinates (complete up to `MAX_COORDINATES_SEARCHED` coordinates of a polynomial,
   `MAX_EXPRESSION_COORDINATES_SEARCHED` of another target);
2. the reflection along any direction that is asked about, and minus the identity on V; for ridge sums also the
   reflections that swap two of their directions;
3. rotations by 2 pi / m of a plane on which nothing was learned. Of a polynomial they are read off the powers of
   w = t1 + i t2: its terms w^a conj(w)^b turn by (a - b) angles, so m is their greatest common divisor (complete for
   a plane). Of any other target each prime m up to `MAX_TURN` is tried, and the quarter turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, permutations, product
from math import gcd
from typing import Protocol

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mpoly
from numpy.typing import NDArray

from ..exact.expectation import Expectation
from ..exact.polynomial import ring
from ..exact.real import Scalar, as_expr, scalar
from ..exact.subspace import (
    Subspace,
    Vector,
    as_floats,
    dot,
    in_words,
    is_exact,
    is_rational,
    projected,
    squared_length,
)
from ..language.target import Target
from .averages import Averages

MAX_COORDINATES_SEARCHED = 12
MAX_EXPRESSION_COORDINATES_SEARCHED = 5
# A rotation by 2 pi / m has a power of prime order, which moves the same plane.
MAX_TURN = 13
_FINGERPRINT_POINTS = 8
Matrix = Sequence[Sequence[Scalar]]

# Far above rounding: a map that fixes the target must pass, the normal form decides on those that pass.
_FINGERPRINT_TOLERANCE = 1e-7
# Partial maps tried for one pair of coordinates before the search for that pair is given up.
_MAX_PARTIAL_MAPS = 20_000


@dataclass(frozen=True)
class Symmetry:
    """An orthogonal map R that fixes a target.

    Attributes
    ----------
    matrix : tuple of rows of sympy.Expr
        R, so that g(R z) = g(z).
    moved : tuple of vectors
        They span the image of I - R: the directions that R proves hidden.
    kind : str
        What it is, in words.
    """

    matrix: tuple[tuple[sp.Expr, ...], ...]
    moved: tuple[Vector, ...]
    kind: str

    def __str__(self) -> str:
        return f"g(Rz) = g(z), R {self.kind}"

    def to_json(self) -> dict[str, object]:
        """Return the matrix as exact text, and what it is in words."""
        return {"matrix": [[str(x) for x in row] for row in self.matrix], "kind": self.kind}


class Fixer(Protocol):
    """What the search asks about a target: whether a map fixes it, exactly."""

    k: int

    def fixes(self, matrix: Matrix) -> bool:
        """Whether g(R z) = g(z) is proved."""
        ...

    def signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return signed permutations that fix g and have the fixed space of all, and whether all were tried."""
        ...

    def rotation(self, plane: Subspace) -> Symmetry | None:
        """Return a rotation of a plane that fixes g, where one is looked for."""
        ...

    def mirrors(self) -> list[Vector]:
        """Return directions along which a reflection may fix g."""
        ...


class PolynomialFixer:
    """Decides on a polynomial by expanding both sides."""

    def __init__(self, g: fmpq_mpoly) -> None:
        self.g, self.k = g, int(g.context().nvars())

    def fixes(self, matrix: Matrix) -> bool:
        """Whether g(R z) = g(z)."""
        return fixes(self.g, matrix)

    def signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return signed permutations that fix g; complete up to `MAX_COORDINATES_SEARCHED` coordinates."""
        return signed_permutation_symmetries(self.g)

    def rotation(self, plane: Subspace) -> Symmetry | None:
        """Return the rotation of a plane by the least angle that fixes g."""
        return rotation_symmetry(self.g, plane)

    def mirrors(self) -> list[Vector]:
        """Return no direction: those that are asked about are tried anyway."""
        return []


class ExpressionFixer:
    """Decides on any target: points in floating point sort out most maps, the normal form proves the others."""

    def __init__(self, averages: Averages) -> None:
        self.averages, self.k = averages, averages.target.k
        # Any points will do: they only spare exact work.
        self.points = np.random.default_rng(0).standard_normal((_FINGERPRINT_POINTS, self.k))
        self._values = averages.target(self.points)

    def fixes(self, matrix: Matrix, sign: int = 1) -> bool:
        """Whether g(R z) = sign g(z) is proved."""
        R = np.array([as_floats(row) for row in matrix])
        if not self._agrees(self.points @ R.T, sign) or not all(map(is_exact, matrix)):
            return False
        difference = moved(self.averages.target, matrix) - sign * self.averages.target.expr
        # Arguments of functions are compared as they are written: a second time written out.
        return self.averages.is_identity(difference) or self.averages.is_identity(sp.expand(difference))

    def _agrees(self, points: NDArray[np.float64], sign: int) -> bool:
        with np.errstate(all="ignore"):
            difference = np.abs(self.averages.target(points) - sign * self._values)
        return bool(np.all(difference <= _FINGERPRINT_TOLERANCE * (1 + np.abs(self._values))))

    def signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return signed permutations of the coordinates that fix g.

        Complete up to `MAX_EXPRESSION_COORDINATES_SEARCHED` coordinates that occur; beyond, swaps and single flips.
        """
        return self._signed_permutations

    @cached_property
    def _signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        used = self.averages.used
        complete = len(used) <= MAX_EXPRESSION_COORDINATES_SEARCHED
        found: list[Symmetry] = []
        hidden = Subspace.zero(self.k)
        for order in permutations(range(len(used))) if complete else _swaps(len(used)):
            for signs in product((1, -1), repeat=len(used)) if complete else _single_flips(len(used)):
                images = [(m, 1) for m in range(self.k)]
                for m, (image, sign) in enumerate(zip(order, signs, strict=True)):
                    images[used[m]] = (used[image], sign)
                where, flips = zip(*images, strict=True)
                if not self._agrees(self.points[:, where] * np.array(flips), 1):
                    continue
                symmetry = _signed_permutation(images)
                larger = hidden + Subspace.span(symmetry.moved, self.k)
                matrix = [[fmpq(sign * int(j == image)) for j in range(self.k)] for image, sign in images]
                if larger != hidden and self.fixes(matrix):
                    found.append(symmetry)
                    hidden = larger
        return tuple(found), complete

    def rotation(self, plane: Subspace) -> Symmetry | None:
        """Return a rotation of a plane by 2 pi / m that fixes g, of those m that are tried."""
        for m in (*sp.primerange(3, MAX_TURN + 1), 4):
            turn = _rotation(plane, m)
            if turn is not None and self.fixes(turn):
                return Symmetry(_exact(turn), plane.orthogonal_basis(), _turn_in_words(plane, f"2 pi / {m}"))
        return None

    def mirrors(self) -> list[Vector]:
        """Return the linear forms u of the target, and u - u' and u + u' scaled to one length, which swap two."""
        forms = self.averages.directions
        found = [*forms]
        for u, v in combinations(forms, 2):
            if (w := scaled_to(v, u)) is not None:
                found += [tuple(a + s * b for a, b in zip(u, w, strict=True)) for s in (-1, 1)]
        return [v for v in found if any(v)]


def moved(target: Target, matrix: Matrix) -> sp.Expr:
    """Return g(R z) as an expression."""
    z = target.coordinates
    images = {
        zi: sp.Add(*(as_expr(x) * zj for x, zj in zip(row, z, strict=True)))
        for zi, row in zip(z, matrix, strict=True)
    }
    return target.expr.xreplace(images)


def _swaps(n: int) -> Iterator[tuple[int, ...]]:
    """Yield the identity and the transpositions of n things."""
    yield tuple(range(n))
    for i, j in combinations(range(n), 2):
        yield tuple(j if m == i else i if m == j else m for m in range(n))


def _single_flips(n: int) -> Iterator[tuple[int, ...]]:
    """Yield no sign flip, all together and each alone."""
    yield (1,) * n
    yield (-1,) * n
    for i in range(n):
        yield tuple(-1 if m == i else 1 for m in range(n))


def signed_permutation_symmetries(g: fmpq_mpoly) -> tuple[tuple[Symmetry, ...], bool]:
    """Return signed permutations that fix g and generate the fixed space of all of them.

    The fixed space of the group needs only to know, for every i and j, whether some member maps e_i to e_j or to
    -e_j: a search for each pair that is not settled by the members found before, never the 2^k k! maps.

    Returns
    -------
    tuple of Symmetry
    bool
        Whether the search was complete.
    """
    k = g.context().nvars()
    search = _SignedPermutationSearch(g)
    found: list[Symmetry] = []
    hidden = Subspace.zero(k)
    for i in range(k):
        for j in range(i, k):
            for sign in (-1, 1):
                difference = [fmpq(int(m == i)) - fmpq(sign * int(m == j)) for m in range(k)]
                if not any(difference) or difference in hidden:
                    continue
                images = search.member(i, j, sign)
                if images is not None:
                    found.append(_signed_permutation(images))
                    hidden = hidden + Subspace.span(found[-1].moved, k)
    return tuple(found), search.complete


class _SignedPermutationSearch:
    """Backtracking over images of the coordinates, pruned by what must agree on the coordinates mapped so far."""

    def __init__(self, g: fmpq_mpoly) -> None:
        self.k = g.context().nvars()
        self.terms = {tuple(map(int, S)): c for S, c in g.to_dict().items()}
        self.complete = self.k <= MAX_COORDINATES_SEARCHED
        self._colors = [self._color(i) for i in range(self.k)]

    def _color(self, i: int) -> tuple[object, ...]:
        """Return what a signed permutation cannot change of a coordinate: its terms, up to signs and order."""
        described = ((S[i], tuple(sorted(S)), str(abs(c))) for S, c in self.terms.items() if S[i])
        return tuple(sorted(described))

    def member(self, i: int, j: int, sign: int) -> list[tuple[int, int]] | None:
        """Return a map that fixes g and sends coordinate i to sign * j, as (image, sign) by coordinate."""
        if not self.complete or self._colors[i] != self._colors[j]:
            return None
        order = [i, *(m for m in range(self.k) if m != i)]
        self._budget = _MAX_PARTIAL_MAPS
        images = self._extend(order, {}, forced=(j, sign))
        return None if images is None else [images[m] for m in range(self.k)]

    def _extend(
        self, order: Sequence[int], images: dict[int, tuple[int, int]], forced: tuple[int, int] | None
    ) -> dict[int, tuple[int, int]] | None:
        if len(images) == self.k:
            return images
        m = order[len(images)]
        for candidate in [forced] if forced else self._candidates(m, images):
            if self._budget == 0:
                self.complete = False
                return None
            self._budget -= 1
            extended = {**images, m: candidate}
            if self._agrees(extended, m):
                complete = self._extend(order, extended, None)
                if complete is not None:
                    return complete
        return None

    def _candidates(self, m: int, images: dict[int, tuple[int, int]]) -> Iterator[tuple[int, int]]:
        used = {image for image, _ in images.values()}
        # The identity first: most members move few coordinates.
        targets = sorted((j for j in range(self.k) if j not in used), key=lambda j: j != m)
        for j, sign in product(targets, (1, -1)):
            if self._colors[j] == self._colors[m]:
                yield j, sign

    def _agrees(self, images: dict[int, tuple[int, int]], newest: int) -> bool:
        """Whether the terms in mapped coordinates only, the newest among them, go to terms of g and back."""
        sources, targets = set(images), {j for j, _ in images.values()}
        expected = sum(
            1
            for S in self.terms
            if S[images[newest][0]] and all(n == 0 or j in targets for j, n in enumerate(S))
        )
        matched = 0
        for S, c in self.terms.items():
            if not S[newest] or any(n and m not in sources for m, n in enumerate(S)):
                continue
            image, sign = [0] * self.k, 1
            for m, n in enumerate(S):
                if n:
                    j, s = images[m]
                    image[j], sign = n, sign * s**n
            if self.terms.get(tuple(image)) != sign * c:
                return False
            matched += 1
        return matched == expected


def _signed_permutation(images: Sequence[tuple[int, int]]) -> Symmetry:
    """Return z_m -> sign z_image as a map; its row m is sign * e_image."""
    k = len(images)
    matrix = [[sign * int(j == image) for j in range(k)] for image, sign in images]
    moved = [[fmpq(int(m == j) - matrix[m][j]) for m in range(k)] for j in range(k)]
    words = ", ".join(
        f"z{m + 1} -> {'-' if sign < 0 else ''}z{image + 1}"
        for m, (image, sign) in enumerate(images)
        if (image, sign) != (m, 1)
    )
    space = Subspace.span(moved, k)
    return Symmetry(
        tuple(tuple(map(sp.Integer, row)) for row in matrix), space.orthogonal_basis(), f"maps {words}"
    )


def reflection_symmetry(g: Fixer, v: Vector) -> Symmetry | None:
    """Return the reflection z -> z - 2 <v,z> v / <v,v> if it fixes g, else None."""
    size = dot(v, v)
    matrix = [[fmpq(int(i == j)) - 2 * v[i] * v[j] / size for j in range(len(v))] for i in range(len(v))]
    if not g.fixes(matrix):
        return None
    return Symmetry(_exact(matrix), (v,), f"reflects along {in_words(v)}")


def inversion_symmetry(g: Fixer, space: Subspace) -> Symmetry | None:
    """Return the map that is -1 on `space` and 1 on its complement if it fixes g, else None."""
    k = space.ambient
    basis = space.orthogonal_basis()
    matrix = [
        [fmpq(int(i == j)) - sum((2 * b[i] * b[j] / dot(b, b) for b in basis), fmpq(0)) for j in range(k)]
        for i in range(k)
    ]
    if not g.fixes(matrix):
        return None
    return Symmetry(_exact(matrix), basis, f"is -1 on the span of {', '.join(map(in_words, basis))}")


def rotation_symmetry(g: fmpq_mpoly, plane: Subspace) -> Symmetry | None:
    """Return the rotation of a plane by the least angle 2 pi / m that fixes g, m >= 2, else None.

    The plane's orthogonal basis is scaled to one length first, which over the rationals needs |b1| / |b2| rational;
    otherwise there is no answer by this means.
    """
    b1, b2 = plane.orthogonal_basis()
    b2 = scaled_to(b2, b1) or ()
    if not b2 or not is_rational(b2):
        return None
    angles = _angular_orders(g, b1, b2, plane)
    m = gcd(*angles) if angles else 0
    if m == 1:
        return None
    # A radial target is fixed by every rotation; a quarter turn is rational.
    turn = _rotation(plane, m or 4)
    assert turn is not None
    angle = "every angle" if m == 0 else f"2 pi / {m}"
    return Symmetry(_exact(turn), plane.orthogonal_basis(), _turn_in_words(plane, angle))


def scaled_to(v: Vector, u: Vector) -> Vector | None:
    """Return v scaled to the length of u; None if one of them is not known exactly."""
    wanted, present = squared_length(u), squared_length(v)
    if wanted is None or present is None:
        return None
    ratio = scalar(Expectation.exact(sp.sqrt(wanted / present)))
    return tuple(ratio * x for x in v)


def _rotation(plane: Subspace, m: int) -> list[list[Scalar]] | None:
    """Return the matrix of the rotation of a plane by 2 pi / m; None if the plane is not known exactly."""
    b1, other = plane.orthogonal_basis()
    b2, size = scaled_to(other, b1), dot(b1, b1)
    if b2 is None:
        return None
    c, s = (scalar(Expectation.exact(f(2 * sp.pi / m))) for f in (sp.cos, sp.sin))
    k = range(plane.ambient)
    return [
        [
            ((c - 1) * (b1[i] * b1[j] + b2[i] * b2[j]) + s * (b2[i] * b1[j] - b1[i] * b2[j])) / size
            + int(i == j)
            for j in k
        ]
        for i in k
    ]


def _turn_in_words(plane: Subspace, angle: str) -> str:
    return f"rotates the plane of {', '.join(map(in_words, plane.orthogonal_basis()))} by {angle}"


def _angular_orders(g: fmpq_mpoly, b1: Vector, b2: Vector, plane: Subspace) -> set[int]:
    """Return |a - b| over the terms w^a conj(w)^b, w = t1 + i t2, of g in coordinates along the plane.

    t1 = (w + v) / 2 and t2 = (w - v) / 2i for v = conj(w). The powers of i are carried in a ring with i^2 = -1.
    """
    rest = plane.complement().orthogonal_basis()
    context = ring(["w", "v", "i", *(f"t{m}" for m in range(len(rest)))])
    w, v, i, *others = context.gens()
    t1, t2 = (w + v) * fmpq(1, 2), (v - w) * i * fmpq(1, 2)
    coordinates = []
    for r in range(plane.ambient):
        z = t1 * b1[r] + t2 * b2[r]
        for b, t in zip(rest, others, strict=True):
            z = z + t * b[r]
        coordinates.append(z)
    expanded = g.compose(*coordinates, ctx=context)
    total: dict[tuple[int, ...], list[fmpq]] = {}
    for exponents, coefficient in expanded.to_dict().items():
        power = int(exponents[2])
        key = (int(exponents[0]), int(exponents[1]), *map(int, exponents[3:]))
        parts = total.setdefault(key, [fmpq(0), fmpq(0)])
        parts[power % 2] += coefficient * (-1) ** (power // 2)
    return {abs(key[0] - key[1]) for key, parts in total.items() if any(parts) and key[0] != key[1]}


def fixes(g: fmpq_mpoly, matrix: Sequence[Sequence[fmpq]]) -> bool:
    """Whether g(R z) = g(z), by expanding both sides."""
    generators = g.context().gens()
    images = []
    for row in matrix:
        image = g.context().constant(0)
        for x, z in zip(row, generators, strict=True):
            image = image + x * z
        images.append(image)
    return bool(g.compose(*images) == g)


def hidden_directions(
    g: Fixer, relevant: Subspace, learned: Subspace
) -> tuple[tuple[Symmetry, ...], Subspace, bool]:
    """Return symmetries of g, the directions of V that they prove hidden, and whether all were searched.

    The search is complete where it settles every direction of V that is not learned.
    """
    k = relevant.ambient
    symmetries: list[Symmetry] = []
    # Outside V the target does not depend on z: only what a map moves inside V counts.
    hidden = Subspace.zero(k)

    def add(candidates: Iterable[Symmetry | None]) -> None:
        nonlocal hidden
        for symmetry in candidates:
            if symmetry is None:
                continue
            larger = hidden + Subspace.span((projected(v, relevant) for v in symmetry.moved), k)
            if larger != hidden:
                hidden = larger
                symmetries.append(symmetry)

    def rest() -> Subspace:
        return (learned + hidden).within(relevant)

    add([inversion_symmetry(g, relevant)])
    if rest().dimension:
        add(g.signed_permutations()[0])
    for v in g.mirrors() if rest().dimension else ():
        add([reflection_symmetry(g, v)])
    if rest().dimension:
        add([inversion_symmetry(g, rest())])
    for v in rest().orthogonal_basis():
        add([reflection_symmetry(g, v)])
    for space in (rest(), learned.within(relevant)):
        if rest().dimension and space.dimension == 2:
            add([g.rotation(space)])
    return tuple(symmetries), hidden, rest().dimension == 0


def _exact(matrix: Matrix) -> tuple[tuple[sp.Expr, ...], ...]:
    return tuple(tuple(map(as_expr, row)) for row in matrix)
