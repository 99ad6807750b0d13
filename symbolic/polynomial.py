"""Polynomials with rational coefficients: from SymPy to python-flint's sparse `fmpq_mpoly`, and back.

The exact part of rebatch computes in these rings; SymPy only reads and prints.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import comb

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from .errors import NotPolynomialError, TooLargeError

MAX_TERMS = 1_000_000


def ring(names: Sequence[str]) -> fmpq_mpoly_ctx:
    """Return the ring of polynomials over the rationals in these variables."""
    return fmpq_mpoly_ctx.get(tuple(names), Ordering.degrevlex)


def rational(value: fmpq | Fraction | int) -> sp.Rational:
    """Return an exact number of python-flint, or of Python, as SymPy's."""
    if isinstance(value, fmpq):
        return sp.Rational(int(value.p), int(value.q))
    return sp.Rational(value)


def is_polynomial(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> bool:
    """Whether `expr` is written as a polynomial in `symbols` with rational coefficients."""
    try:
        _check(expr, frozenset(symbols))
    except NotPolynomialError:
        return False
    return True


def to_polynomial(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> fmpq_mpoly:
    """Return `expr` as an expanded polynomial in `symbols`.

    Raises
    ------
    NotPolynomialError
        If a part of it is not a polynomial with rational coefficients; the message names that part.
    TooLargeError
        If the expanded polynomial may have more than 1,000,000 terms.
    """
    _check(expr, frozenset(symbols))
    degree = _degree(expr)
    variables = max(1, len(expr.free_symbols))
    terms = comb(degree + variables, variables)
    if terms > MAX_TERMS:
        raise TooLargeError(
            f"degree {degree} in {variables} variables: up to {terms:,} terms; at most {MAX_TERMS:,} are allowed"
        )
    context = ring([str(symbol) for symbol in symbols])
    return _expand(expr, dict(zip(symbols, context.gens(), strict=True)), context)


def from_polynomial(polynomial: fmpq_mpoly, symbols: Sequence[sp.Symbol]) -> sp.Expr:
    """Return the SymPy expression of `polynomial`, its variables written as `symbols`."""
    terms = (
        rational(coefficient) * sp.Mul(*(s ** int(e) for s, e in zip(symbols, exponents, strict=True)))
        for exponents, coefficient in polynomial.to_dict().items()
    )
    return sp.Add(*terms)


def _check(expr: sp.Expr, symbols: frozenset[sp.Symbol]) -> None:
    """Raise NotPolynomialError at the first part that is not polynomial over the rationals."""
    if expr.is_Rational or expr in symbols:
        return
    if expr.is_Add or expr.is_Mul:
        for part in expr.args:
            _check(part, symbols)
        return
    if expr.is_Pow and expr.exp.is_Integer and expr.exp >= 0:
        _check(expr.base, symbols)
        return
    raise NotPolynomialError(
        f"{expr} is not a polynomial with rational coefficients; only polynomials are supported here"
    )


def _degree(expr: sp.Expr) -> int:
    """Return an upper bound of the total degree, without expanding."""
    if expr.is_Add:
        return max(map(_degree, expr.args))
    if expr.is_Mul:
        return sum(map(_degree, expr.args))
    if expr.is_Pow:
        return int(expr.exp) * _degree(expr.base)
    return int(expr.is_Symbol)


def _expand(expr: sp.Expr, generators: dict[sp.Symbol, fmpq_mpoly], context: fmpq_mpoly_ctx) -> fmpq_mpoly:
    if expr.is_Rational:
        return context.constant(fmpq(int(expr.p), int(expr.q)))
    if expr.is_Symbol:
        return generators[expr]
    if expr.is_Pow:
        return _expand(expr.base, generators, context) ** int(expr.exp)
    parts = [_expand(part, generators, context) for part in expr.args]
    total = parts[0]
    for part in parts[1:]:
        total = total + part if expr.is_Add else total * part
    return total
