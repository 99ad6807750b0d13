"""Subspaces of Q^k: spans, membership and orthogonal complements, by exact linear algebra.

Vectors are kept unnormalised and, for the reader, as primitive integer vectors whose first nonzero entry is
positive: directions need square roots only to have length one (theory, 3.3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import gcd, lcm

import sympy as sp
from flint import fmpq, fmpq_mat

Vector = tuple[fmpq, ...]


@dataclass(frozen=True)
class Subspace:
    """A linear subspace of Q^k.

    Attributes
    ----------
    ambient : int
        k.
    rows : tuple of vectors
        Its basis in reduced row echelon form: equal subspaces have equal rows.
    """

    ambient: int
    rows: tuple[Vector, ...]

    @classmethod
    def span(cls, vectors: Iterable[Sequence[fmpq]], ambient: int) -> "Subspace":
        """Return the span of the vectors, each of `ambient` entries."""
        entries = [list(vector) for vector in vectors]
        if not entries:
            return cls(ambient, ())
        reduced, rank = fmpq_mat(entries).rref()
        return cls(ambient, tuple(map(tuple, reduced.tolist()[:rank])))

    @classmethod
    def zero(cls, ambient: int) -> "Subspace":
        """Return {0}."""
        return cls(ambient, ())

    @property
    def dimension(self) -> int:
        """Its dimension."""
        return len(self.rows)

    def __add__(self, other: "Subspace") -> "Subspace":
        return Subspace.span((*self.rows, *other.rows), self.ambient)

    def __contains__(self, vector: Sequence[fmpq]) -> bool:
        return Subspace.span((*self.rows, vector), self.ambient).dimension == self.dimension

    def __le__(self, other: "Subspace") -> bool:
        return (self + other).dimension == other.dimension

    def complement(self) -> "Subspace":
        """Return its orthogonal complement in Q^k."""
        # The null space of rref rows: a vector per free column, read off the pivots.
        pivots = [next(j for j, entry in enumerate(row) if entry != 0) for row in self.rows]
        vectors = []
        for free in (j for j in range(self.ambient) if j not in pivots):
            vector = [fmpq(int(j == free)) for j in range(self.ambient)]
            for row, pivot in zip(self.rows, pivots, strict=True):
                vector[pivot] = -row[free]
            vectors.append(vector)
        return Subspace.span(vectors, self.ambient)

    def within(self, larger: "Subspace") -> "Subspace":
        """Return the orthogonal complement of this subspace inside a larger one."""
        return (self + larger.complement()).complement()

    def orthogonal_basis(self) -> tuple[Vector, ...]:
        """Return an orthogonal basis of primitive integer vectors (Gram-Schmidt over the rationals)."""
        basis: list[Vector] = []
        for row in self.rows:
            basis.append(primitive(orthogonalised(row, basis)))
        return tuple(basis)


def orthogonalised(vector: Sequence[fmpq], basis: Iterable[Vector]) -> Vector:
    """Return the part of `vector` that is orthogonal to every vector of an orthogonal basis."""
    rest = tuple(vector)
    for b in basis:
        scale = dot(rest, b) / dot(b, b)
        rest = tuple(x - scale * y for x, y in zip(rest, b, strict=True))
    return rest


def projected(vector: Sequence[fmpq], space: Subspace) -> Vector:
    """Return the orthogonal projection of `vector` onto a subspace."""
    rest = orthogonalised(vector, space.orthogonal_basis())
    return tuple(x - y for x, y in zip(vector, rest, strict=True))


def dot(a: Sequence[fmpq], b: Sequence[fmpq]) -> fmpq:
    """Return the inner product."""
    return sum((x * y for x, y in zip(a, b, strict=True)), fmpq(0))


def primitive(vector: Sequence[fmpq]) -> Vector:
    """Return the multiple of a nonzero vector with coprime integer entries, the first nonzero one positive."""
    scale = lcm(*(int(x.q) for x in vector))
    integers = [int((x * scale).p) for x in vector]
    divisor = gcd(*integers) * (1 if next(i for i in integers if i) > 0 else -1)
    return tuple(fmpq(i // divisor) for i in integers)


def as_text(vector: Sequence[fmpq]) -> list[str]:
    """Return the entries as exact text, "1/2"."""
    return [str(sp.Rational(int(x.p), int(x.q))) for x in vector]


def in_words(vector: Sequence[fmpq]) -> str:
    """Return a vector as a combination of the unit vectors e1, e2, …: "e1 - 2 e3"."""
    terms = [
        ("-" if entry < 0 else "+", f"{abs(entry)} e{i}" if abs(entry) != 1 else f"e{i}")
        for i, entry in enumerate(vector, start=1)
        if entry != 0
    ]
    words = " ".join(f"{sign} {term}" for sign, term in terms)
    return (
        words.removeprefix("+ ").replace("- ", "-", 1) if words.startswith("- ") else words.removeprefix("+ ")
    )
