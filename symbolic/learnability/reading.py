"""One reading of a target, to which every question about its learnability goes.

A target is read once, as a polynomial (`polynomial.py`) or by search (`searched.py`); where its inputs are not
Gaussian by going through all their values (`enumerated.py`), as a polynomial whose moments are known (`moments.py`),
or value by value as a Gaussian target of the other coordinates, those with a density as functions of normals
(`mixed.py`). The reading keeps what has been worked
out - Hermite forms, powers, rotated forms, symmetries, subspaces - and the questions of `exponents.py` and
`verdict.py` share it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Protocol

import sympy as sp

from ..exact.polynomial import is_polynomial
from ..exact.subspace import Subspace
from ..language.law import Law
from ..language.target import Target
from ..proofs.symmetry import Symmetry
from .direction_verdict import DirectionVerdict
from .known_exponents import Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .polynomial import PolynomialReading

if TYPE_CHECKING:
    from ..calculus.hermite_form import MultiIndex
    from .product_exponents import CoordinateLeap, Fourier, SecondStep


class Reading(Protocol):
    """What is asked of a target that was read; each answer is as the public function of its name says."""

    target: Target
    k: int

    @property
    def relevant(self) -> Subspace:
        """V(g), or a subspace that contains it."""
        ...

    def information_exponent(self) -> Exponent:
        """Return the least order of a nonzero Hermite tensor."""
        ...

    def leap(self) -> Exponent:
        """Return the leap in the given coordinates."""
        ...

    def isotropic_leap(self) -> IsotropicLeap:
        """Return the coordinate-free leap."""
        ...

    def generative_exponent(self) -> Exponent:
        """Return the first order at which labels tell something."""
        ...

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Return the generative leap, with powers of the label up to an order."""
        ...

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return the subspaces that more and more steps on one batch reach."""
        ...

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return the directions that moments E[y^m z] reach, each at its least m, and the last m searched."""
        ...

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return symmetries that hide directions, looked for where nothing was reached."""
        ...

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return the verdict on what has neither witness nor symmetry."""
        ...


class ProductReading(Reading, Protocol):
    """What else is asked where the inputs are not Gaussian (theory, 13)."""

    def leap(self) -> CoordinateLeap:
        """Return the leap for correlational queries."""
        ...

    def statistical_leap(self) -> CoordinateLeap:
        """Return the leap for queries on any function of the label."""
        ...

    def loss_leap(self) -> dict[str, Exponent]:
        """Return the leap of each loss."""
        ...

    def cover(self) -> Exponent:
        """Return what queries need that do not build on each other."""
        ...

    def coordinate_leap(self) -> dict[str, Exponent]:
        """Return both leaps with a coordinate counted once, whatever its degree."""
        ...

    def correlations(self, degree: int) -> dict[MultiIndex, sp.Expr]:
        """Return E[g phi_S] of the monic orthogonal polynomials phi_S of a degree, those that are not 0."""
        ...

    def second_step(self) -> SecondStep:
        """Return what a second step sees of z."""
        ...

    def fourier(self) -> Fourier | None:
        """Return the coefficients on the characters; None where there is no end of them."""
        ...


def read(target: Target | str) -> Reading:
    """Return the reading of a target; the last few are kept, with all that they found."""
    target = Target(target)
    if not target.inputs.is_gaussian:
        return read_product(target)
    return _read(target.expr, target.k)


def read_product(target: Target) -> ProductReading:
    """Return the reading of a target whose inputs are not Gaussian."""
    return _read_product(target.expr, target.k, target.inputs)


def forget() -> None:
    """Drop the readings that are kept, as before the first question."""
    _read.cache_clear()
    _read_product.cache_clear()


@lru_cache(maxsize=8)
def _read(expr: sp.Expr, k: int) -> Reading:
    target = Target(expr, k=k)
    if is_polynomial(expr, target.coordinates):
        return PolynomialReading(target)
    from .searched import SearchedReading  # noqa: PLC0415 - loads the calculus, which polynomials do without

    return SearchedReading(target)


@lru_cache(maxsize=8)
def _read_product(expr: sp.Expr, k: int, inputs: Law) -> ProductReading:
    """Return the reading by all values, by those of some coordinates, or by moments."""
    from ..enumeration.spectrum import is_enumerable  # noqa: PLC0415 - only other inputs need what follows
    from .enumerated import EnumeratedReading  # noqa: PLC0415
    from .moments import MomentReading  # noqa: PLC0415

    target = Target(expr, k=k, inputs=inputs)
    if is_enumerable(target):
        return EnumeratedReading(target)
    if inputs.has_averages and not inputs.is_finite and not is_polynomial(expr, target.coordinates):
        from .mixed import MixedReading  # noqa: PLC0415 - loads the calculus, which polynomials do without

        return MixedReading(target)
    return MomentReading(target)
