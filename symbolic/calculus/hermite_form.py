"""The Hermite form of a polynomial, G(x) = E[g(x + z)] = sum_S c_S x^S / S!, exactly (theory, 2)."""

from collections.abc import Sequence
from functools import reduce
from math import factorial, prod
from operator import mul

from flint import fmpq, fmpq_mpoly

from ..exact.polynomial import ring
from .gaussian import smoothed

MultiIndex = tuple[int, ...]


def hermite_polynomial(n: int, z: fmpq_mpoly) -> fmpq_mpoly:
    """Return He_n(z), by He_{n+1} = z He_n - n He_{n-1}."""
    before, here = z * 0, z * 0 + 1
    for m in range(n):
        before, here = here, z * here - before * m
    return here


def hermite_form(polynomial: fmpq_mpoly) -> fmpq_mpoly:
    """Return G(x) = E[g(x + z)] = sum_S c_S x^S / S!."""
    return smoothed(polynomial)


def hermite_coefficients(form: fmpq_mpoly) -> dict[MultiIndex, fmpq]:
    """Return S -> c_S, the nonzero ones, from the Hermite form."""
    return {tuple(map(int, S)): c * prod(factorial(n) for n in S) for S, c in form.to_dict().items()}


def rotated_form(form: fmpq_mpoly, basis: Sequence[Sequence[fmpq]]) -> fmpq_mpoly:
    """Return t -> G(sum_i t_i b_i): the Hermite tensors contracted with the vectors b_i.

    The basis need not be normalised; the coefficient of t^T / T! is C_n[b^T].
    """
    t = ring([f"t{i + 1}" for i in range(len(basis))]).gens()
    columns = zip(*basis, strict=True)
    linear = [reduce(lambda a, b: a + b, map(mul, t, column)) for column in columns]
    return form.compose(*linear)
