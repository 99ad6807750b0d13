"""Hypothesis strategies: targets and transformations on which a claim can be tried (extra ``verify``).

Everything shrinks towards few coordinates, low degree and small integers, and prints so that it can be pasted back.
"""

from collections.abc import Sequence

import sympy as sp
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ..symbolic.parse import coordinate
from ..symbolic.target import Target

Matrix = tuple[tuple[sp.Rational, ...], ...]


def polynomial_targets(
    *, max_degree: int = 4, max_coordinates: int = 3, max_terms: int = 4
) -> SearchStrategy[Target]:
    """Generate targets that are polynomials with small rational coefficients; constants among them."""

    def build(k: int, terms: dict[tuple[int, ...], sp.Rational]) -> Target:
        z = [coordinate(i + 1) for i in range(k)]
        expr = sp.Add(*(c * sp.Mul(*(zi**n for zi, n in zip(z, S, strict=True))) for S, c in terms.items()))
        return Target(expr, k=k)

    def with_terms(k: int) -> SearchStrategy[Target]:
        index = st.lists(st.integers(0, max_degree), min_size=k, max_size=k).map(tuple)
        allowed = index.filter(lambda S: sum(S) <= max_degree)
        return st.dictionaries(allowed, _coefficients(), max_size=max_terms).map(
            lambda terms: build(k, terms)
        )

    return st.integers(1, max_coordinates).flatmap(with_terms)


def _coefficients() -> SearchStrategy[sp.Rational]:
    numerators = st.integers(-4, 4).filter(bool)
    return st.builds(sp.Rational, numerators, st.sampled_from([1, 2, 3]))


def rotations(k: int) -> SearchStrategy[Matrix]:
    """Generate orthogonal k x k matrices with rational entries: products of up to two reflections.

    A reflection along an integer vector v is I - 2 v v^T / v.v; the simplest is the identity.
    """

    def reflect(vectors: Sequence[Sequence[int]]) -> Matrix:
        matrix = sp.eye(k)
        for v in vectors:
            column = sp.Matrix(v)
            matrix = matrix * (sp.eye(k) - 2 * column * column.T / column.dot(column))
        return tuple(tuple(matrix.row(i)) for i in range(k))

    vector = st.lists(st.integers(-3, 3), min_size=k, max_size=k).filter(any)
    return st.lists(vector, max_size=2).map(reflect)


def signed_permutations(k: int) -> SearchStrategy[Matrix]:
    """Generate k x k matrices with one entry +1 or -1 in every row and column."""

    def build(order: Sequence[int], signs: Sequence[int]) -> Matrix:
        return tuple(
            tuple(sp.Integer(s if j == image else 0) for j in range(k))
            for image, s in zip(order, signs, strict=True)
        )

    signs = st.lists(st.sampled_from([1, -1]), min_size=k, max_size=k)
    return st.builds(build, st.permutations(range(k)), signs)


def transformed(target: Target, matrix: Matrix) -> Target:
    """Return z -> g(R z), the target in rotated coordinates."""
    z = target.coordinates
    images = {
        zi: sum(r * zj for r, zj in zip(row, z, strict=True)) for zi, row in zip(z, matrix, strict=True)
    }
    return Target(sp.expand(target.expr.xreplace(images)), k=target.k, noise_std=target.noise_std)
