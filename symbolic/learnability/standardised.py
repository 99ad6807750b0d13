"""Directions of the coordinates that a network sees, (z - mean) / deviation, from averages of z - mean (theory, 13).

Where all deviations are the same the two are parallel. Where they differ an average E[F z] of centred coordinates is
the direction with entries E[F z_i] / s_i; and a linear form of what is learned, along the directions b of centred
coordinates, has the coefficients b_i / s_i^2, which are rational.
"""

from collections.abc import Sequence
from functools import cached_property

import sympy as sp
from flint import fmpq

from ..exact.expectation import Expectation
from ..exact.irrational import Scalar, scalar
from ..exact.polynomial import to_fmpq
from ..exact.subspace import Subspace, Vector, dot, orthogonalised, primitive
from ..language.law import Law


class Standardised:
    """The deviations of the coordinates of one law.

    Parameters
    ----------
    law : Law
    k : int
    """

    def __init__(self, law: Law, k: int) -> None:
        self.k = k
        self._variances = [part.variance for part in law.each(k)]

    @property
    def is_plain(self) -> bool:
        """Whether all coordinates have the same deviation."""
        return len(set(self._variances)) <= 1

    @cached_property
    def _factors(self) -> list[Scalar]:
        """s_1 / s_i."""
        first = self._variances[0]
        return [scalar(Expectation.exact(sp.sqrt(first / variance))) for variance in self._variances]

    def vector(self, moment: Sequence[Scalar]) -> Vector:
        """Return the direction of an average of centred coordinates."""
        if self.is_plain:
            return tuple(moment)
        return tuple(
            x * factor if x != 0 else fmpq(0) for x, factor in zip(moment, self._factors, strict=True)
        )

    def space(self, averages: Subspace) -> Subspace:
        """Return the span of directions from that of averages of centred coordinates."""
        # Rows in echelon form stay so.
        return averages if self.is_plain else Subspace(self.k, tuple(map(self.vector, averages.rows)))

    def rest(self, moment: Sequence[Scalar], found: Sequence[Vector]) -> Vector:
        """Return an average less what lies, as a direction, along others that are orthogonal as directions."""
        if self.is_plain:
            return orthogonalised(moment, found)
        left = tuple(moment)
        for b in found:
            weighted = self._form(b)
            scale = dot(left, weighted) / dot(b, weighted)
            left = tuple(x - scale * y for x, y in zip(left, b, strict=True))
        return left

    def forms(self, averages: Subspace) -> list[Vector]:
        """Return linear forms of z that are known on the span of such averages, one for each dimension."""
        basis = averages.orthogonal_basis()
        if self.is_plain:
            return list(basis)
        return [primitive(self._form(b)) for b in basis]

    def _form(self, b: Vector) -> Vector:
        return tuple(x / to_fmpq(v) for x, v in zip(b, self._variances, strict=True))
