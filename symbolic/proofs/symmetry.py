"""Orthogonal maps R with g(Rz) = g(z): the certificates that a direction stays hidden (theory, 3.4).

If R fixes the target, E[F(y) z] = R E[F(y) z] for every F, so every direction in the image of I - R is hidden. With
a group of them, the hidden directions are the orthogonal complement of its fixed space. Each map is checked exactly,
on the polynomial or in the normal form of any other target; the search covers

1. all signed permutations of the coordinates (complete up to `MAX_COORDINATES_SEARCHED` coordinates of a polynomial,
   `MAX_EXPRESSION_COORDINATES_SEARCHED` of another target);
2. the reflection along any direction that is asked about, and minus the identity on V; for ridge sums also the
   reflections that swap two of their directions;
3. continuous rotations, by linear algebra on the polynomial, or on the polynomials of which g is a function;
4. maps found in floating point, whatever the frame (`frames.py`), and the rotations of the planes in which they turn;
5. rotations by 2 pi / m of a plane on which nothing was learned. Of a polynomial they are read off the powers of
   w = t1 + i t2: its terms w^a conj(w)^b turn by (a - b) angles, so m is their greatest common divisor (complete for
   a plane). Of any other target each prime m up to `MAX_TURN` is tried, and the quarter turn.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import sympy as sp
from flint import fmpq, fmpq_mat

from ..exact.irrational import Scalar, as_expr
from ..exact.subspace import (
    Subspace,
    Vector,
    dot,
    identity,
    in_words,
    projected,
)
from ..language.target import Target

Matrix = Sequence[Sequence[Scalar]]
# Of a map of higher order its words do not say which.
_LONGEST_ORDER = 12


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

    def turns(self) -> list[Symmetry]:
        """Return rotations that fix g and belong to continuous ones."""
        ...

    def in_any_frame(self, fixed: Subspace, free: Subspace) -> Iterator[Symmetry]:
        """Yield maps that fix g and one subspace, and move another, as far as they are found."""
        ...


def moved(target: Target, matrix: Matrix) -> sp.Expr:
    """Return g(R z) as an expression."""
    z = target.coordinates
    images = {
        zi: sp.Add(*(as_expr(x) * zj for x, zj in zip(row, z, strict=True)))
        for zi, row in zip(z, matrix, strict=True)
    }
    return target.expr.xreplace(images)


def reflection_symmetry(g: Fixer, v: Vector) -> Symmetry | None:
    """Return the reflection z -> z - 2 <v,z> v / <v,v> if it fixes g, else None."""
    size = dot(v, v)
    matrix = [[fmpq(int(i == j)) - 2 * v[i] * v[j] / size for j in range(len(v))] for i in range(len(v))]
    if not g.fixes(matrix):
        return None
    return Symmetry(exact_matrix(matrix), (v,), f"reflects along {in_words(v)}")


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
    return Symmetry(exact_matrix(matrix), basis, f"is -1 on the span of {', '.join(map(in_words, basis))}")


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
    free = learned.within(relevant)
    for space in (rest(), free):
        if rest().dimension and space.dimension == 2:
            add([g.rotation(space)])
    if rest().dimension:
        add(g.turns())
    # On a line there is only the reflection, which was tried.
    if rest().dimension and free.dimension > 1:
        for symmetry in g.in_any_frame(learned, free):
            add([symmetry])
            if not rest().dimension:
                break
    return tuple(symmetries), hidden, rest().dimension == 0


def those_that_hide(symmetries: Iterable[Symmetry], left: Subspace) -> tuple[Symmetry, ...]:
    """Return the symmetries that move directions which those before them do not, until as many move as are left."""
    moved = Subspace.zero(left.ambient)
    found: list[Symmetry] = []
    for symmetry in symmetries if left.dimension else ():
        larger = moved + Subspace.span(symmetry.moved, left.ambient)
        if larger.dimension > moved.dimension:
            moved = larger
            found.append(symmetry)
        if moved.dimension == left.dimension:
            break
    return tuple(found)


def described(R: Sequence[Sequence[fmpq]]) -> Symmetry:
    """Return a rational orthogonal map with what it moves, and what it is in words."""
    k = len(R)
    matrix, one = fmpq_mat([list(row) for row in R]), identity(k)
    basis = Subspace.span((matrix.transpose() - one).tolist(), k).orthogonal_basis()
    words = ", ".join(map(in_words, basis))
    powers = [matrix]
    while len(powers) < _LONGEST_ORDER and powers[-1] != one:
        powers.append(powers[-1] * matrix)
    if len(powers) == 2:
        kind = f"is -1 on the span of {words}" if len(basis) > 1 else f"reflects along {words}"
    elif powers[-1] == one:
        kind = f"is of order {len(powers)} on the span of {words}"
    else:
        kind = f"turns the span of {words}"
    return Symmetry(exact_matrix(R), basis, kind)


def exact_matrix(matrix: Matrix) -> tuple[tuple[sp.Expr, ...], ...]:
    """Return the entries of a matrix as exact expressions."""
    return tuple(tuple(map(as_expr, row)) for row in matrix)
