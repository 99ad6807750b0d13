"""Labels of finitely many values: thresholds as exact sums over the values (theory, 9).

That y takes no other values is proved in the normal form, prod_v (g - v) = 0. Then 1[y = v] is the Lagrange
polynomial of the values, so P(y = v) and N(v) = E[1[y = v] (z z^T - I)] are moments of the label, and G(v) = N(v)
/ P(y = v):

    F(A) = sum_v N(v) A N(v) / P(y = v).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import prod

import numpy as np
import sympy as sp

from ..errors import RebatchError
from ..exact.irrational import as_expr
from ..exact.known import How
from ..exact.subspace import Subspace, Vector, dot
from ..language.target import Target
from ..proofs.averages import Averages

_MAX_VALUES = 8
_MAX_DENOMINATOR = 1000
_POINTS = 4096
_ROUNDED = 9


@dataclass(frozen=True)
class FiniteLabels:
    """The law of a label of finitely many values, exactly.

    Attributes
    ----------
    values : tuple of rationals
    probabilities : tuple of sympy.Expr
    moments : tuple of sympy matrices, shape (r, r)
        E[1[y = v] (b.z b'.z / |b||b'| - delta)] on an orthogonal basis of the directions asked about.
    """

    values: tuple[sp.Rational, ...]
    probabilities: tuple[sp.Expr, ...]
    moments: tuple[sp.Matrix, ...]

    def operator(self) -> sp.Matrix:
        """Return F on symmetric matrices, in the orthonormal basis E_ii, (E_ij + E_ji) / sqrt(2)."""
        r = self.moments[0].rows if self.moments else 0
        pairs = list(combinations_with_replacement(range(r), 2))
        units = []
        for i, j in pairs:
            unit = sp.zeros(r, r)
            unit[i, j] = unit[j, i] = 1 if i == j else 1 / sp.sqrt(2)
            units.append(unit)
        images = [
            sum(
                (N * A * N / p for N, p in zip(self.moments, self.probabilities, strict=True)), sp.zeros(r, r)
            )
            for A in units
        ]
        return sp.Matrix(
            len(units),
            len(units),
            lambda a, b: sp.simplify(sum(x * y for x, y in zip(units[a], images[b], strict=True))),
        )


def finite_values(target: Target, averages: Averages) -> tuple[sp.Rational, ...]:
    """Return the values of the label if they are proved to be few and rational, else nothing."""
    points = np.random.default_rng(1).standard_normal((_POINTS, target.k))
    with np.errstate(all="ignore"):
        found = np.unique(np.round(target(points), _ROUNDED))
    if not 2 <= len(found) <= _MAX_VALUES or not np.isfinite(found).all():
        return ()
    values = tuple(sp.Rational(str(v)).limit_denominator(_MAX_DENOMINATOR) for v in found)
    g = target.expr
    return (
        values if averages.is_identity(sp.expand(prod((g - v for v in values), start=sp.Integer(1)))) else ()
    )


def finite_labels(target: Target, left: Subspace) -> FiniteLabels | None:
    """Return the label's law and its second moments on `left`; None unless all of it is exact."""
    averages = Averages(target)
    values = finite_values(target, averages)
    basis = left.orthogonal_basis()
    if not values:
        return None
    try:
        plain = _powers(averages, len(values), ())
        table = {
            (i, j): _powers(averages, len(values), _pair(basis, i, j))
            for i, j in combinations_with_replacement(range(len(basis)), 2)
        }
    except (RebatchError, _InexactError):
        return None
    lagrange = [_lagrange(values, v) for v in values]
    probabilities = tuple(_combined(weights, plain) for weights in lagrange)
    lengths = [sp.sqrt(as_expr(dot(b, b))) for b in basis]
    moments = []
    for weights in lagrange:
        N = sp.zeros(len(basis), len(basis))
        for (i, j), powers in table.items():
            N[i, j] = N[j, i] = sp.simplify(_combined(weights, powers) / lengths[i] / lengths[j])
        moments.append(N)
    return FiniteLabels(values, probabilities, tuple(moments))


class _InexactError(Exception):
    """A moment that has no closed form."""


def _pair(basis: Sequence[Vector], i: int, j: int) -> tuple[tuple[Vector, int], ...]:
    return ((basis[i], 2),) if i == j else ((basis[i], 1), (basis[j], 1))


def _powers(averages: Averages, count: int, factors: tuple[tuple[Vector, int], ...]) -> list[sp.Expr]:
    """Return E[y^m :factors:] for m = 0 … count - 1."""
    powers: list[sp.Expr] = [sp.Integer(0 if factors else 1)]
    for m in range(1, count):
        known = averages.coefficient(m, factors)
        if known.value.how is not How.EXACT:
            raise _InexactError
        powers.append(known.value.value)
    return powers


def _lagrange(values: Sequence[sp.Rational], v: sp.Rational) -> list[sp.Rational]:
    """Return the coefficients, from y^0 on, of the polynomial that is 1 at v and 0 at the other values."""
    y = sp.Symbol("y")
    polynomial = sp.Poly(prod(((y - w) / (v - w) for w in values if w != v), start=sp.Integer(1)), y)
    return list(reversed(polynomial.all_coeffs()))


def _combined(weights: Sequence[sp.Rational], powers: Sequence[sp.Expr]) -> sp.Expr:
    return sp.simplify(sp.Add(*(w * x for w, x in zip(weights, powers, strict=False))))
