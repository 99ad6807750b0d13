"""The answers that belong to inputs with a product law: leaps over sets of coordinates, coefficients, verdicts.

The leap absorbs greedily, as in 3.2: of the characters that are seen, the one of least degree in coordinates not yet
covered; the largest degree met is the leap (theory, 3.2 and 13).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import sympy as sp
from flint import fmpq

from ..exact.known import How
from ..exact.subspace import Subspace, Vector
from ..language.law import Law
from ..proofs.symmetry import Symmetry
from .direction_verdict import DirectionVerdict
from .known_exponents import NO_DIRECTION, Exponent

if TYPE_CHECKING:  # Gaussian inputs need no arrays here
    import numpy as np
    from numpy.typing import NDArray

LOSSES = ("squared", "absolute", "hinge", "logistic")
NO_ROTATION = "no rotation keeps the law of these inputs, only signed permutations of the coordinates"
# Coefficients that an answer holds: the largest.
MOST_WRITTEN = 64


@dataclass(frozen=True)
class CoordinateLeap(Exponent):
    """A leap in the given coordinates.

    Attributes
    ----------
    sequence : tuple of (cost, coordinates)
        What each step adds to the covered coordinates, counted from 0, and the degree that it costs.
    """

    sequence: tuple[tuple[int, frozenset[int]], ...] = field(default=())

    def order_of(self, direction: Vector) -> int | None:
        """Return the largest cost met until the coordinates of a direction are covered; None if they never are."""
        wanted = {i for i, x in enumerate(direction) if x != 0}
        largest = 0
        for cost, covered in self.sequence:
            largest = max(largest, cost)
            wanted -= covered
            if not wanted:
                return largest
        return None


@dataclass(frozen=True)
class ProductVerdict(DirectionVerdict):
    """A two-step verdict that rests on all labels.

    Attributes
    ----------
    proof : str
        What was gone through, where neither a moment nor a symmetry says it.
    centre : str
        What stands under the expectation: "z", or "(z - 1/2)" where the inputs have a mean.
    """

    proof: str = ""
    centre: str = "z"

    def reason(self) -> str:
        """Return the proof in one line."""
        if self.witness is None and self.certificate is None:
            return self.proof
        text = super().reason()
        return text if self.witness is None else text.replace(" z] =", f" {self.centre}] =", 1)

    def to_json(self) -> dict[str, Any]:
        """Return all fields, numbers as exact text."""
        return {**super().to_json(), "proof": self.proof}


@dataclass(frozen=True)
class SecondStep:
    """What a second step sees of z from no overlap, its first along mu = E[y z] (theory, 13).

    Attributes
    ----------
    reused : Subspace
        It has no overlap outside: the span of the E[F(y, mu.z) z].
    fresh : Subspace
        On a fresh batch, for almost every activation: the span of the E[y F(mu.z) z].
    fresh_bound : Subspace
        On a fresh batch it has no overlap outside: that, and the E[F(mu.z) z] of the network's own output.
    """

    reused: Subspace
    fresh: Subspace
    fresh_bound: Subspace


@dataclass(frozen=True)
class Fourier:
    """The coefficients of a target on the orthonormal characters of its inputs.

    Attributes
    ----------
    coefficients : tuple of (name, value)
        The largest, at most 64, by size: ("z1 z2", 1/2).
    count : int
        How many are not 0.
    weights : tuple of sympy.Expr or float
        sum of c_S^2 over |S| = 0, 1, …; exact where the labels are rational.
    influences : tuple of sympy.Expr or float
        sum of c_S^2 over the S that hold a coordinate.
    """

    coefficients: tuple[tuple[str, sp.Expr], ...]
    count: int
    weights: tuple[sp.Expr | float, ...]
    influences: tuple[sp.Expr | float, ...]

    def to_json(self) -> dict[str, Any]:
        """Return exact numbers as text."""
        return {
            "coefficients": {name: str(c) for name, c in self.coefficients},
            "count": self.count,
            "weights": list(map(str, self.weights)),
            "influences": list(map(str, self.influences)),
            "total_influence": str(sum(self.influences)),
        }


def leap_over(
    degrees: NDArray[np.int64],
    how: How,
    first: Callable[[NDArray[np.intp]], int],
    name: Callable[[int], str],
    *,
    by_degree: bool = True,
) -> CoordinateLeap:
    """Return the leap over characters that are seen.

    Parameters
    ----------
    degrees : ndarray of int, shape (N, k)
        S for each of them; 0 may be among them.
    how : How
    first : callable
        Which of several places is absorbed first.
    name : callable
        The character at a place in words.
    by_degree : bool
        Whether a coordinate costs its degree, or 1.
    """
    import numpy as np  # noqa: PLC0415 - as above

    costs = degrees if by_degree else np.sign(degrees)
    sizes = degrees.sum(axis=1)
    open_ = np.ones(degrees.shape[1], dtype=np.int64)
    steps: list[str] = []
    sequence: list[tuple[int, frozenset[int]]] = []
    while (uncovered := costs @ open_).any():
        least = int(uncovered[uncovered > 0].min())
        candidates = np.flatnonzero(uncovered == least)
        place = first(candidates[sizes[candidates] == sizes[candidates].min()])
        added = np.flatnonzero(degrees[place] * open_)
        steps.append(f"{name(place)} (+{least})")
        sequence.append((least, frozenset(map(int, added))))
        open_[added] = 0
    if not steps:
        return CoordinateLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
    largest = max(cost for cost, _ in sequence)
    return CoordinateLeap(largest, how, witness="absorb " + ", then ".join(steps), sequence=tuple(sequence))


def decided(upper: CoordinateLeap, lower: int) -> CoordinateLeap:
    """Return a leap whose bounds meet, or that it is undecided and at most so large."""
    if upper.value is None or upper.value <= lower:
        return upper
    return replace(upper, value=None, how=How.UNDECIDED, witness=f"at most {upper.value}: {upper.witness}")


def character_name(S: Sequence[int], law: Law) -> str:
    """Return a character as "z1 z3", or "phi2(z1) phi1(z3)" where it is no product of coordinates."""
    return " ".join(
        f"z{i + 1}" if law.at(i).is_boolean else f"phi{n}(z{i + 1})" for i, n in enumerate(S) if n
    )


def centred_name(law: Law) -> str:
    """Return what z less its mean is called: "z", "(z - 1/2)", "(z - E[z])" where means differ."""
    if law.parts:
        return "z" if all(part.mean == 0 for part in law.parts) else "(z - E[z])"
    return "z" if law.mean == 0 else f"(z - {law.mean})" if law.mean > 0 else f"(z + {-law.mean})"


def signed_permutation(k: int, images: dict[int, tuple[int, int]]) -> Symmetry:
    """Return z_i -> sign z_j for the given coordinates, as a map."""
    full = [images.get(i, (i, 1)) for i in range(k)]
    matrix = tuple(tuple(sp.Integer(sign * int(j == column)) for column in range(k)) for j, sign in full)
    moved = [[fmpq(int(i == r) - int(matrix[i][r])) for i in range(k)] for r in range(k)]
    words = ", ".join(
        f"z{i + 1} -> {'-' if sign < 0 else ''}z{j + 1}" for i, (j, sign) in sorted(images.items())
    )
    return Symmetry(matrix, Subspace.span(moved, k).orthogonal_basis(), f"maps {words}")
