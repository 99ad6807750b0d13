"""The Hermite form of a polynomial, G(x) = E[g(x + z)] = sum_S c_S x^S / S!, exactly (theory, 2)."""

from collections.abc import Sequence
from functools import reduce
from math import factorial, prod

from flint import fmpq, fmpq_mpoly

from ..language.symbols import hermite_powers
from .moments import smoothed, smoothed_along

MultiIndex = tuple[int, ...]


def hermite_polynomial(n: int, z: fmpq_mpoly) -> fmpq_mpoly:
    """Return He_n(z) in the ring of z."""
    return reduce(lambda value, c: value * z + c, reversed(hermite_powers(n)), z * 0)


def hermite_form(polynomial: fmpq_mpoly, variances: Sequence[fmpq] | None = None) -> fmpq_mpoly:
    """Return G(x) = E[g(x + z)] = sum_S c_S x^S / S!, z_i of variance 1 or of these variances."""
    return smoothed(polynomial) if variances is None else smoothed_along(polynomial, variances)


def hermite_coefficients(form: fmpq_mpoly) -> dict[MultiIndex, fmpq]:
    """Return S -> c_S, the nonzero ones, from the Hermite form."""
    return {tuple(map(int, S)): c * prod(factorial(n) for n in S) for S, c in form.to_dict().items()}
