"""A polynomial along an orthogonal basis of a subspace that holds all its directions (theory, 2).

g depends on z through its projection P z on the span of the linear forms in it, and P z = sum_i t_i b_i for an
orthogonal basis b_i of that span, t_i = <b_i, z> / |b_i|^2. So g is written as the polynomial

    t -> g(sum_i t_i b_i),      t_i independent, t_i ~ N(0, 1 / |b_i|^2),

in as many variables as it has linear forms: (z1 + … + z12)^10 in one. The basis is not normalised, which keeps
everything rational.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from math import comb
from operator import add

import sympy as sp
from flint import fmpq, fmpq_mpoly

from .polynomial import expanded, refuse_beyond, ring, size, to_polynomial
from .subspace import Subspace, Vector, axis, dot


@dataclass(frozen=True, eq=False)
class Framed:
    """A polynomial t -> g(sum_i t_i b_i).

    Attributes
    ----------
    polynomial : fmpq_mpoly
        In a variable for each vector of the basis.
    basis : tuple of vectors
        Rational and orthogonal, not normalised.
    ambient : int
        The number of coordinates of z.
    """

    polynomial: fmpq_mpoly
    basis: tuple[Vector, ...]
    ambient: int

    @cached_property
    def variances(self) -> tuple[fmpq, ...]:
        """Var t_i = 1 / |b_i|^2."""
        return tuple(1 / dot(b, b) for b in self.basis)

    @cached_property
    def space(self) -> Subspace:
        """The span of the basis."""
        return Subspace.span(self.basis, self.ambient)

    def vector(self, t: Sequence[fmpq]) -> Vector:
        """Return sum_i t_i b_i."""
        terms = list(zip(t, self.basis, strict=True))
        return tuple(sum((x * b[r] for x, b in terms), fmpq(0)) for r in range(self.ambient))

    def dual(self, products: Sequence[fmpq]) -> Vector:
        """Return the vector of the span with these inner products with the basis."""
        return self.vector([x * v for x, v in zip(products, self.variances, strict=True)])

    def coordinates(self, vector: Vector) -> tuple[fmpq, ...]:
        """Return t of the projection of a vector on the span."""
        return tuple(dot(vector, b) * v for b, v in zip(self.basis, self.variances, strict=True))

    def along(self, basis: Sequence[Vector]) -> "Framed":
        """Return the polynomial restricted to the span of another orthogonal basis, and written along it."""
        if tuple(basis) == self.basis:
            return self
        return Framed(self.restricted(self.polynomial, basis), tuple(basis), self.ambient)

    def restricted(self, polynomial: fmpq_mpoly, vectors: Sequence[Vector]) -> fmpq_mpoly:
        """Return s -> p(sum_j s_j v_j) of a polynomial p along this basis."""
        context = ring([f"t{j + 1}" for j in range(len(vectors))])
        rows = [self.coordinates(v) for v in vectors]
        images = [
            reduce(
                add, (s * row[i] for s, row in zip(context.gens(), rows, strict=True)), context.constant(0)
            )
            for i in range(len(self.basis))
        ]
        return polynomial.compose(*images, ctx=context)


def framed(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> Framed:
    """Return a polynomial along a basis of the linear forms in it: the axes, unless the forms are fewer.

    Raises
    ------
    NotPolynomialError
        If it is no polynomial with rational coefficients.
    TooLargeError
        If the expanded polynomial may have more than 1,000,000 terms.
    """
    k = len(symbols)
    forms = Subspace.span(_linear_forms(expr, {z: axis(i, k) for i, z in enumerate(symbols)}), k)
    if forms.dimension == k or forms.dimension == len(expr.free_symbols):
        used = [i for i, z in enumerate(symbols) if z in expr.free_symbols]
        names = [symbols[i] for i in used]
        return Framed(to_polynomial(expr, names), tuple(axis(i, k) for i in used), k)
    basis = forms.orthogonal_basis()
    r = len(basis)
    _, degrees = size(expr)
    degree = _degree(expr)
    refuse_beyond(comb(degree + r, r), f"degree {degree} in {r} linear forms of {len(degrees)} variables")
    context = ring([f"t{i + 1}" for i in range(r)])
    images = {
        z: reduce(add, (t * b[j] for t, b in zip(context.gens(), basis, strict=True)), context.constant(0))
        for j, z in enumerate(symbols)
    }
    return Framed(expanded(expr, images, context), basis, k)


def _linear_forms(expr: sp.Expr, axes: dict[sp.Symbol, Vector]) -> Iterator[Vector]:
    """Yield the linear parts of the largest affine expressions in a polynomial."""
    linear = _linear_part(expr, axes)
    if linear is not None:
        yield linear
        return
    parts = list(expr.args)
    if expr.is_Add:
        affine = [part for part in parts if _linear_part(part, axes) is not None]
        parts = [sp.Add(*affine), *(part for part in parts if part not in affine)]
    for part in parts:
        yield from _linear_forms(part, axes)


def _linear_part(expr: sp.Expr, axes: dict[sp.Symbol, Vector]) -> Vector | None:
    """Return a of an affine expression <a, z> + c; None if it is not written as one."""
    if expr in axes:
        return axes[expr]
    if expr.is_Rational:
        return tuple(fmpq(0) for _ in axes)
    if expr.is_Add:
        parts = [_linear_part(part, axes) for part in expr.args]
        known = [part for part in parts if part is not None]
        return tuple(map(sum, zip(*known, strict=True))) if len(known) == len(parts) else None
    if expr.is_Mul and len(expr.args) == 2 and expr.args[0].is_Rational:
        factor, inner = fmpq(int(expr.args[0].p), int(expr.args[0].q)), _linear_part(expr.args[1], axes)
        return None if inner is None else tuple(factor * x for x in inner)
    return None


def _degree(expr: sp.Expr) -> int:
    """Return an upper bound of the total degree, without expanding."""
    if not expr.args:
        return int(expr.is_Symbol)
    if expr.is_Pow:
        return _degree(expr.base) * int(expr.exp)
    degrees = [_degree(part) for part in expr.args]
    return sum(degrees) if expr.is_Mul else max(degrees)
