"""The symbols of the language: latent coordinates z1, z2, …, the activation's variable h, He_n."""

from functools import cache

import sympy as sp


@cache
def coordinate(i: int) -> sp.Symbol:
    """Return the latent coordinate z_i, counted from 1, as a real SymPy symbol."""
    return sp.Symbol(f"z{i}", real=True)


ACTIVATION_VARIABLE = sp.Symbol("h", real=True)


def as_real(expr: sp.Expr) -> sp.Expr:
    """Return an expression with symbols of which nothing is assumed taken as the real ones of their names.

    One that assumes more, positive=True say, may have lost what it is where it is negative, and stays.

    Examples
    --------
    >>> as_real(sp.sqrt(sp.Symbol("z1") ** 2))
    Abs(z1)
    """
    plain = [s for s in expr.free_symbols if s == sp.Symbol(s.name)]
    return expr.xreplace({s: sp.Symbol(s.name, real=True) for s in plain})


@cache
def hermite_powers(n: int) -> tuple[int, ...]:
    """Return the coefficients of the probabilists' Hermite polynomial He_n, the constant first (theory, 2).

    Examples
    --------
    >>> hermite_powers(3)  # u^3 - 3 u
    (0, -3, 0, 1)
    """
    coefficients = [0] * (n + 1)
    value = 1
    for j in range(n // 2 + 1):
        coefficients[n - 2 * j] = value
        value = -value * (n - 2 * j) * (n - 2 * j - 1) // (2 * (j + 1))
    return tuple(coefficients)


def hermite(n: int, u: sp.Expr) -> sp.Expr:
    """Return He_n at u, written out in powers of u, the highest first."""
    powers = reversed(list(enumerate(hermite_powers(n))))
    return sp.Add(*(coefficient * u**power for power, coefficient in powers if coefficient))
