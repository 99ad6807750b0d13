"""The symbols of the language: latent coordinates z1, z2, …, the activation's variable h, He_n."""

from functools import cache

import sympy as sp

MAX_COORDINATES = 12


@cache
def coordinate(i: int) -> sp.Symbol:
    """Return the latent coordinate z_i, counted from 1, as a real SymPy symbol."""
    return sp.Symbol(f"z{i}", real=True)


ACTIVATION_VARIABLE = sp.Symbol("h", real=True)


def hermite(n: int, u: sp.Expr) -> sp.Expr:
    """Return the probabilists' Hermite polynomial He_n at u, written out in powers of u (theory, 2)."""
    terms = []
    coefficient = sp.Integer(1)
    for j in range(n // 2 + 1):
        terms.append(coefficient * u ** (n - 2 * j))
        coefficient = -coefficient * (n - 2 * j) * (n - 2 * j - 1) / (2 * (j + 1))
    return sp.Add(*terms)
