"""Continuous rotations that fix a polynomial, by linear algebra (theory, 3.4).

exp(theta S) fixes g for every theta if and only if <grad g, S z> = 0 for the skew S. Along an orthogonal basis b_i,
z = sum_i t_i b_i, with S = sum_ij sigma_ij b_i b_j' that is

    sum_{i<j} sigma_ij (|b_j|^2 t_j d_i g - |b_i|^2 t_i d_j g) = 0,

linear in sigma: all of them are a null space. The image of S is hidden. Where the squares of the frequencies of S are
n_j^2 s^2 with integers n_j and a rational s^2, a member of the rotation is rational: with cos theta = x and
sin theta = s y on the conic x^2 + s^2 y^2 = 1,

    exp(theta S / s) = P_0 + sum_j (T_n(x) P_j + y U_{n-1}(x) S P_j / n),     n = n_j, P_j the spectral projections.
"""

from collections.abc import Sequence
from itertools import combinations
from math import gcd, isqrt, lcm

import sympy as sp
from flint import fmpq, fmpq_mat

from ..exact.frame import Framed
from ..exact.subspace import Subspace, Vector, dot, identity

# Equations are of so many terms at most.
_MAX_TERMS = 200_000
# A point of the conic that is no root of unity.
_T = fmpq(1, 3)
_HIGHEST_MULTIPLE = 64


def turns(parts: Sequence[Framed]) -> list[list[list[fmpq]]]:
    """Return rational rotations, as matrices in R^k, that generate what continuous rotations of all parts move.

    The parts are written along one basis.
    """
    (basis, k), places = (parts[0].basis, parts[0].ambient), list(combinations(range(len(parts[0].basis)), 2))
    if not places or len(places) * sum(len(part.polynomial) for part in parts) > _MAX_TERMS:
        return []
    found = []
    for sigma in _null_space(parts, places).rows:
        S = fmpq_mat(k, k)
        for (i, j), weight in zip(places, sigma, strict=True):
            S += (_column(basis[i]) * _row(basis[j]) - _column(basis[j]) * _row(basis[i])) * weight
        if (R := _rotation(S)) is not None:
            found.append(R.tolist())
    return found


def _null_space(parts: Sequence[Framed], places: Sequence[tuple[int, int]]) -> Subspace:
    """Return the sigma_ij for which every part is fixed."""
    sizes = [dot(b, b) for b in parts[0].basis]
    rows: dict[tuple[int, ...], list[fmpq]] = {}
    for number, part in enumerate(parts):
        t = part.polynomial.context().gens()
        slopes = [part.polynomial.derivative(i) for i in range(len(sizes))]
        for column, (i, j) in enumerate(places):
            along = slopes[i] * t[j] * sizes[j] - slopes[j] * t[i] * sizes[i]
            for S, c in along.to_dict().items():
                rows.setdefault((number, *map(int, S)), [fmpq(0)] * len(places))[column] = c
    return Subspace.span(rows.values(), len(places)).complement()


def _rotation(S: fmpq_mat) -> fmpq_mat | None:
    """Return a rational member of exp(theta S); None if its frequencies are not of the kind that has one."""
    k, square = S.nrows(), S * S
    roots = [(value, int(n)) for value, n in _rational_roots(square)]
    if sum(n for _, n in roots) < k:
        return None
    nonzero = [-value for value, _ in roots if value != 0]
    multiples = _multiples(nonzero)
    if not nonzero or multiples is None:
        return None
    base = nonzero[0] / multiples[0] ** 2
    x, y = (1 - base * _T**2) / (1 + base * _T**2), 2 * _T / (1 + base * _T**2)
    R = _projection(square, fmpq(0), [-value for value in nonzero])
    for value, n in zip(nonzero, multiples, strict=True):
        others = [-other for other in nonzero if other != value]
        P = _projection(square, -value, [*others, fmpq(0)])
        c, u = _chebyshev(n, x)
        R += P * c + S * P * (y * u / n)
    return R


def _rational_roots(matrix: fmpq_mat) -> list[tuple[fmpq, int]]:
    """Return the rational eigenvalues of a matrix, each with its multiplicity."""
    x = sp.Symbol("x")
    coefficients = [sp.Rational(int(c.p), int(c.q)) for c in reversed(matrix.charpoly().coeffs())]
    factors = sp.factor_list(sp.Poly(coefficients, x))[1]
    return [
        (fmpq(int(root.p), int(root.q)), n)
        for factor, n in factors
        if factor.degree() == 1
        for root in [-factor.nth(0) / factor.nth(1)]
    ]


def _multiples(squares: Sequence[fmpq]) -> list[int] | None:
    """Return coprime integers n_j with squares in these ratios; None if there are none, or only large ones."""
    ratios = []
    for value in squares:
        ratio = value / squares[0]
        p, q = isqrt(int(ratio.p)), isqrt(int(ratio.q))
        if p * p != ratio.p or q * q != ratio.q:
            return None
        ratios.append(fmpq(p, q))
    scale = lcm(*(int(r.q) for r in ratios))
    integers = [int((r * scale).p) for r in ratios]
    divisor = gcd(*integers)
    multiples = [n // divisor for n in integers]
    return multiples if max(multiples, default=1) <= _HIGHEST_MULTIPLE else None


def _projection(matrix: fmpq_mat, value: fmpq, others: Sequence[fmpq]) -> fmpq_mat:
    """Return the projection on the eigenspace of one of the eigenvalues of a symmetric matrix."""
    P = one = identity(matrix.nrows())
    for other in others:
        P = P * (matrix - one * other) * (1 / (value - other))
    return P


def _chebyshev(n: int, x: fmpq) -> tuple[fmpq, fmpq]:
    """Return T_n(x) and U_{n-1}(x)."""
    T, U = fmpq(1), fmpq(0)
    for _ in range(n):
        T, U = x * T - (1 - x * x) * U, T + x * U
    return T, U


def _column(v: Vector) -> fmpq_mat:
    return fmpq_mat([[x] for x in v])


def _row(v: Vector) -> fmpq_mat:
    return fmpq_mat([list(v)])
