"""All values of independent coordinates with finite laws, and the characters of these laws (theory, 13).

A law of r values has the orthogonal polynomials phi_0 = 1, phi_1, …, phi_{r-1}; the characters of k coordinates are
their products phi_S(z) = prod_i phi_{S_i}(z_i), S_i < r_i. On the cube phi_1(z) = z, and phi_S is the parity
of a set of coordinates. Everything here is in integers: weights are multiples of one unit, and each phi_n is scaled
to coprime integer values, so that a sum over the grid is exact and a division is left to the end. A transform goes
through the coordinates one by one (Walsh-Hadamard, on the cube): r k r^k multiplications where all have r values.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import gcd, lcm, prod
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..errors import TooLargeError
from ..language.law import Law

# Of machine words, or of Python's integers where sums may not fit.
Integers = NDArray[Any]

MAX_POINTS = 2**16
# Sums of integers whose sizes add up to less stay in machine words.
WORD = 2**62


@dataclass(frozen=True)
class Grid:
    """The values of k coordinates, as arrays with an axis for each coordinate.

    Attributes
    ----------
    law : Law
        Of finitely many values.
    k : int

    Raises
    ------
    TooLargeError
        If there are more than 2^16 points.
    """

    law: Law
    k: int

    def __post_init__(self) -> None:
        points = self.law.points(self.k)
        if points <= MAX_POINTS:
            return
        if self.law.parts:
            raise TooLargeError(
                f"{self.k} coordinates with inputs {self.law} have {points:,} points; allowed are at most "
                f"{MAX_POINTS:,}"
            )
        r = len(self.law.atoms)
        most = max(k for k in range(MAX_POINTS.bit_length()) if r**k <= MAX_POINTS)
        raise TooLargeError(
            f"{self.k} coordinates of {r} values have {r}^{self.k} points; allowed are at most {MAX_POINTS:,}, "
            f"{most} coordinates"
        )

    @cached_property
    def axes(self) -> "tuple[Axis, ...]":
        """The values and characters of each coordinate."""
        known = {part: Axis(part) for part in set(self.law.each(self.k))}
        return tuple(known[part] for part in self.law.each(self.k))

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """The shape of an array over the grid."""
        return tuple(len(part.atoms) for part in self.law.each(self.k))

    @cached_property
    def scale(self) -> int:
        """The weight of all points together: a transform over it is an expectation."""
        return prod(axis.unit for axis in self.axes)

    @cached_property
    def points(self) -> Integers:
        """The weight of every point, shape (r_1, …, r_k)."""
        dtype = self._dtype(self.scale)
        total: Integers = np.ones((), dtype=dtype)
        for axis in self.axes:
            total = np.multiply.outer(total, np.array(axis.weights, dtype=dtype))
        return total

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """S at every point of the dual grid, shape (points, k)."""
        return (
            np.stack(np.unravel_index(np.arange(prod(self.shape)), self.shape), axis=-1)
            if self.k
            else np.zeros((1, 0), dtype=np.int64)
        )

    def transform(self, values: Integers) -> Integers:
        """Return sum_z weight(z) f(z) phi_S(z) for every S, over the last k axes; E[f phi_S] is that over `scale`.

        Parameters
        ----------
        values : ndarray of int64 or of Python integers, shape (…, r_1, …, r_k)
        """
        largest = max((abs(int(values.max())), abs(int(values.min()))), default=0) if values.size else 0
        growth = prod(axis.growth for axis in self.axes)
        result: Integers = values.astype(self._dtype(largest * growth))
        lead = values.shape[: values.ndim - self.k]
        before = prod(lead)
        for axis in self.axes:
            columns = result.reshape(before, axis.r, -1)
            result = np.empty_like(columns)
            for n, row in enumerate(axis.matrix):
                result[:, n] = _combined(row, columns)
            before *= axis.r
        return result.reshape(*lead, *self.shape)

    @staticmethod
    def _dtype(bound: int) -> type:
        return np.int64 if bound < WORD else np.object_


@dataclass(frozen=True)
class Axis:
    """The values of one coordinate, and its characters.

    Attributes
    ----------
    law : Law
        Of finitely many values.
    """

    law: Law

    @property
    def r(self) -> int:
        """The number of values."""
        return len(self.law.atoms)

    @cached_property
    def unit(self) -> int:
        """The denominator of the probabilities."""
        return lcm(*(int(p.q) for _, p in self.law.atoms))

    @cached_property
    def weights(self) -> tuple[int, ...]:
        """The probabilities, in units."""
        return tuple(int(p * self.unit) for _, p in self.law.atoms)

    @cached_property
    def characters(self) -> tuple[tuple[int, ...], ...]:
        """The values of phi_0 … phi_{r-1}, each scaled to coprime integers, phi_n > 0 at the largest value of z."""
        rows: list[tuple[int, ...]] = []
        for n in range(self.r):
            row = [a**n for a, _ in self.law.atoms]
            for other in rows:
                overlap = sum(w * x * y for w, x, y in zip(self.weights, row, other, strict=True))
                size = sum(w * y * y for w, y in zip(self.weights, other, strict=True))
                row = [x - sp.Rational(overlap, size) * y for x, y in zip(row, other, strict=True)]
            scale = lcm(*(int(sp.Rational(x).q) for x in row))
            whole = [int(x * scale) for x in row]
            rows.append(tuple(x // gcd(*whole) for x in whole))
        return tuple(rows)

    @cached_property
    def norms(self) -> tuple[sp.Rational, ...]:
        """E[phi_n^2] of the scaled phi_n."""
        return tuple(
            sp.Rational(sum(w * x * x for w, x in zip(self.weights, row, strict=True)), self.unit)
            for row in self.characters
        )

    @cached_property
    def matrix(self) -> list[list[int]]:
        """The weighted characters, a row for each: what a transform multiplies by."""
        return [[w * x for w, x in zip(self.weights, row, strict=True)] for row in self.characters]

    @cached_property
    def growth(self) -> int:
        """By how much a transform along the coordinate may enlarge a number."""
        return max(sum(map(abs, row)) for row in self.matrix)

    @cached_property
    def centring(self) -> sp.Rational:
        """The factor c with phi_1(z) = c (z - mean)."""
        largest, _ = self.law.atoms[0]
        return sp.Rational(self.characters[1][0]) / (largest - self.law.mean)


def _combined(row: Sequence[int], columns: Integers) -> Integers:
    """Return sum_a row[a] columns[:, a]; factors of 1 and -1 cost an addition."""
    total = row[0] * columns[:, 0] if row[0] != 1 else columns[:, 0]
    for a, factor in enumerate(row[1:], start=1):
        if factor == 1:
            total = total + columns[:, a]
        elif factor == -1:
            total = total - columns[:, a]
        elif factor:
            total = total + factor * columns[:, a]
    return total
