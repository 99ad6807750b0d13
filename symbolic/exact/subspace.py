"""Subspaces of R^k: spans, membership and orthogonal complements, by exact linear algebra.

Vectors are kept unnormalised and, for the reader, as primitive integer vectors whose first nonzero entry is
positive: directions need square roots only to have length one (theory, 3.3). Where a direction is not rational its
entries are numbers of `irrational.py`, and elimination goes on without division.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, hypot, lcm
from typing import TYPE_CHECKING

import sympy as sp
from flint import fmpq, fmpq_mat

from .irrational import Real, Scalar, as_expr, as_float, from_root, how_known, single_root
from .known import How, worst

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Vector = tuple[Scalar, ...]
# A product of powers of linear forms: (b, n) stands for (b.z)^n.
Factors = tuple[tuple[Vector, int], ...]


@dataclass(frozen=True, eq=False)
class Subspace:
    """A linear subspace of R^k.

    Attributes
    ----------
    ambient : int
        k.
    rows : tuple of vectors
        Its basis in reduced row echelon form, up to factors of the rows where they are not rational.
    """

    ambient: int
    rows: tuple[Vector, ...]

    @classmethod
    def span(cls, vectors: Iterable[Sequence[Scalar]], ambient: int) -> Subspace:
        """Return the span of the vectors, each of `ambient` entries."""
        entries = [list(vector) for vector in vectors]
        if not entries:
            return cls(ambient, ())
        if not all(map(is_rational, entries)):
            return cls(ambient, _eliminated(entries))
        reduced, rank = fmpq_mat(entries).rref()
        return cls(ambient, tuple(map(tuple, reduced.tolist()[:rank])))

    @classmethod
    def zero(cls, ambient: int) -> Subspace:
        """Return {0}."""
        return cls(ambient, ())

    @property
    def dimension(self) -> int:
        """Its dimension."""
        return len(self.rows)

    @property
    def how(self) -> How:
        """How its directions are known."""
        return worst(how_known(x) for row in self.rows for x in row)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Subspace) and self.dimension == other.dimension and self <= other

    def __hash__(self) -> int:
        return hash((self.ambient, self.dimension))

    def __add__(self, other: Subspace) -> Subspace:
        return Subspace.span((*self.rows, *other.rows), self.ambient)

    def __contains__(self, vector: Sequence[Scalar]) -> bool:
        return Subspace.span((*self.rows, vector), self.ambient).dimension == self.dimension

    def __le__(self, other: Subspace) -> bool:
        return (self + other).dimension == other.dimension

    def complement(self) -> Subspace:
        """Return its orthogonal complement in R^k."""
        # The null space of the rows: a vector per free column, read off the pivots.
        pivots = [_leading(row) for row in self.rows]
        vectors = []
        for free in (j for j in range(self.ambient) if j not in pivots):
            vector: list[Scalar] = [fmpq(int(j == free)) for j in range(self.ambient)]
            for row, pivot in zip(self.rows, pivots, strict=True):
                vector[pivot] = -row[free] / row[pivot]
            vectors.append(vector)
        return Subspace.span(vectors, self.ambient)

    def within(self, larger: Subspace) -> Subspace:
        """Return the orthogonal complement of this subspace inside a larger one."""
        return (self + larger.complement()).complement()

    def orthogonal_basis(self) -> tuple[Vector, ...]:
        """Return an orthogonal basis of primitive vectors (Gram-Schmidt without normalisation)."""
        return self._orthogonal_basis

    @cached_property
    def _orthogonal_basis(self) -> tuple[Vector, ...]:
        basis: list[Vector] = []
        for row in self.rows:
            rest = orthogonalised(row, basis)
            if any(rest):
                basis.append(primitive(rest))
        return tuple(basis)


def axis(i: int, k: int) -> Vector:
    """Return the unit vector of coordinate i, counted from 0."""
    return tuple(fmpq(int(i == j)) for j in range(k))


def identity(k: int) -> fmpq_mat:
    """Return the identity matrix."""
    return fmpq_mat([axis(i, k) for i in range(k)])


def orthogonalised(vector: Sequence[Scalar], basis: Iterable[Vector]) -> Vector:
    """Return the part of `vector` that is orthogonal to every vector of an orthogonal basis."""
    rest = tuple(vector)
    for b in basis:
        along = dot(rest, b)
        if isinstance(along, fmpq) and along == 0:
            continue
        scale = along / dot(b, b)
        rest = tuple(x - scale * y for x, y in zip(rest, b, strict=True))
    return rest


def projected(vector: Sequence[Scalar], space: Subspace) -> Vector:
    """Return the orthogonal projection of `vector` onto a subspace."""
    if space.dimension == space.ambient:
        return tuple(vector)
    rest = orthogonalised(vector, space.orthogonal_basis())
    return tuple(x - y for x, y in zip(vector, rest, strict=True))


def dot(a: Sequence[Scalar], b: Sequence[Scalar]) -> Scalar:
    """Return the inner product."""
    return sum((x * y for x, y in zip(a, b, strict=True)), fmpq(0))


def is_rational(vector: Iterable[Scalar]) -> bool:
    """Whether every entry is a rational number."""
    return not any(isinstance(x, Real) for x in vector)


def is_exact(vector: Iterable[Scalar]) -> bool:
    """Whether every entry is known exactly."""
    return all(as_expr(x) is not None for x in vector)


def primitive(vector: Sequence[Scalar]) -> Vector:
    """Return the multiple of a vector with coprime integer entries, the first nonzero one positive; 0 stays 0.

    Where its ratios are not rational: the multiple that is shortest to write among those with an entry 1.
    """
    if not any(vector):
        return tuple(vector)
    rational = [x for x in vector if not isinstance(x, Real)]
    if len(rational) < len(vector):
        # An entry over itself is 1, whatever its error.
        multiples = [
            tuple(fmpq(1) if i == j else x / entry for i, x in enumerate(vector))
            for j, entry in enumerate(vector)
            if entry != 0
        ]
        shortest = min(multiples, key=lambda v: (not is_rational(v), sum(len(str(x)) for x in v)))
        return primitive(shortest) if is_rational(shortest) else _positive(shortest)
    scale = lcm(*(int(x.q) for x in rational))
    integers = [int((x * scale).p) for x in rational]
    divisor = gcd(*integers)
    return _positive([fmpq(i // divisor) for i in integers])


def _positive(vector: Sequence[Scalar]) -> Vector:
    return tuple(vector) if vector[_leading(vector)] > 0 else tuple(-x for x in vector)


def _leading(vector: Sequence[Scalar]) -> int:
    return next(j for j, entry in enumerate(vector) if entry != 0)


def _eliminated(entries: list[list[Scalar]]) -> tuple[Vector, ...]:
    """Return independent rows of the same span, each with 0 in the leading columns of the others."""
    scaled = _with_common_roots(entries)
    if scaled is not None:
        matrix, roots = scaled
        reduced, rank = fmpq_mat(matrix).rref()
        return tuple(
            primitive([from_root(x, n) for x, n in zip(row, roots, strict=True)])
            for row in reduced.tolist()[:rank]
        )
    rows: list[Vector] = []
    for entry in entries:
        rest = _cleared(entry, rows)
        if any(rest):
            rest = primitive(rest)
            # What is left of a row may no longer be told from 0.
            rows = [row for row in (_cleared(row, [rest]) for row in rows) if any(row)] + [rest]
    return tuple(sorted(map(primitive, rows), key=_leading))


def _with_common_roots(entries: list[list[Scalar]]) -> tuple[list[list[fmpq]], list[int]] | None:
    """Return rational rows and a root sqrt(n_j) for each column whose products span the same; None if there are none.

    Directions of standardised coordinates are such: rational numbers, each over the deviation of its coordinate.
    """
    roots = [0] * len(entries[0])
    rows: list[list[fmpq]] = []
    for entry in entries:
        row = [fmpq(0)] * len(entry)
        known = {j: (x, 1) if isinstance(x, fmpq) else single_root(x) for j, x in enumerate(entry) if x != 0}
        # The row's own root, which multiplies the others.
        own = next((_product_root(x[1], roots[j]) for j, x in known.items() if x and roots[j]), 1)
        for j, x in known.items():
            if x is None:
                return None
            roots[j] = roots[j] or _product_root(x[1], own)
            if _product_root(own, roots[j]) != x[1]:
                return None
            row[j] = x[0] / gcd(own, roots[j])
        rows.append(row)
    return rows, roots


def _product_root(m: int, n: int) -> int:
    """Return the root of sqrt(m n) of numbers without square factors."""
    common = gcd(m, n)
    return m // common * (n // common)


def _cleared(vector: Sequence[Scalar], rows: Iterable[Vector]) -> Vector:
    """Return a multiple of a vector, less multiples of the rows, with 0 in their leading columns."""
    rest = tuple(vector)
    for row in rows:
        column = _leading(row)
        factor, pivot = rest[column], row[column]
        if factor != 0:
            rest = tuple(
                fmpq(0) if j == column else pivot * x - factor * y
                for j, (x, y) in enumerate(zip(rest, row, strict=True))
            )
    return rest


def squared_length(vector: Sequence[Scalar]) -> sp.Expr | None:
    """Return |v|^2 of a vector that is known exactly, else None."""
    entries = [entry for x in vector if (entry := as_expr(x)) is not None]
    return sp.expand(sp.Add(*(x**2 for x in entries))) if len(entries) == len(vector) else None


def as_floats(vector: Iterable[Scalar]) -> NDArray[np.float64]:
    """Return a vector in floating point."""
    import numpy as np  # noqa: PLC0415 - exact vectors do without

    return np.array([as_float(x) for x in vector])


def as_text(vector: Sequence[Scalar]) -> list[str]:
    """Return the entries as text, exact where they are ("1/2", "sqrt(2)"), else six digits of the unit vector."""
    if is_exact(vector):
        return [str(as_expr(x)) for x in vector]
    entries = [as_float(x) for x in vector]
    length = hypot(*entries)
    return [f"{x / length:.6g}" for x in entries]


def as_latex(vector: Sequence[Scalar]) -> list[str]:
    """Return the entries in LaTeX."""
    return [str(sp.latex(as_expr(x))) for x in vector] if is_exact(vector) else as_text(vector)


def in_words(vector: Sequence[Scalar]) -> str:
    """Return a vector as a combination of the unit vectors e1, e2, …: "e1 - 2 e3"."""
    sizes = as_text([-x if x < 0 else x for x in vector])
    terms = []
    for i, (entry, size) in enumerate(zip(vector, sizes, strict=True), start=1):
        if entry != 0:
            factor = f"({size}) " if " " in size else "" if size == "1" else f"{size} "
            terms.append(("-" if entry < 0 else "+", f"{factor}e{i}"))
    words = " ".join(f"{sign} {term}" for sign, term in terms)
    return (
        words.removeprefix("+ ").replace("- ", "-", 1) if words.startswith("- ") else words.removeprefix("+ ")
    )
