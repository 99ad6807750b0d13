"""Polynomials with rational coefficients: from SymPy to python-flint's sparse `fmpq_mpoly`, and back.

The exact part of rebatch computes in these rings; SymPy only reads and prints.
"""

from collections.abc import Sequence
from fractions import Fraction
from math import comb, prod

import sympy as sp
from flint import Ordering, fmpq, fmpq_mpoly, fmpq_mpoly_ctx

from ..errors import NotPolynomialError, TooLargeError

MAX_TERMS = 1_000_000


def ring(names: Sequence[str]) -> fmpq_mpoly_ctx:
    """Return the ring of polynomials over the rationals in these variables."""
    return fmpq_mpoly_ctx.get(tuple(names), Ordering.degrevlex)


def rational(value: fmpq | Fraction | int) -> sp.Rational:
    """Return an exact number of python-flint, or of Python, as SymPy's."""
    if isinstance(value, fmpq):
        return sp.Rational(int(value.p), int(value.q))
    return sp.Rational(value)


def to_fmpq(value: sp.Rational) -> fmpq:
    """Return a rational number of SymPy as python-flint's."""
    return fmpq(int(value.p), int(value.q))


def is_polynomial(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> bool:
    """Whether `expr` is written as a polynomial in `symbols` with rational coefficients."""
    return _offender(expr, frozenset(symbols)) is None


def to_polynomial(expr: sp.Expr, symbols: Sequence[sp.Symbol]) -> fmpq_mpoly:
    """Return `expr` as an expanded polynomial in `symbols`.

    Raises
    ------
    NotPolynomialError
        If a part of it is not a polynomial with rational coefficients; the message names that part.
    TooLargeError
        If the expanded polynomial may have more than 1,000,000 terms.
    """
    if (part := _offender(expr, frozenset(symbols))) is not None:
        raise NotPolynomialError(
            f"{part} is not a polynomial with rational coefficients; only polynomials are supported here"
        )
    terms, degrees = size(expr)
    refuse_beyond(
        terms, f"degree up to {max(degrees.values(), default=0)} in each of {len(degrees)} variables"
    )
    context = ring([str(symbol) for symbol in symbols])
    return expanded(expr, dict(zip(symbols, context.gens(), strict=True)), context)


def allowed_powers(polynomial: fmpq_mpoly, highest: int, max_terms: int, *, smoothed: bool = False) -> int:
    """Return how many of y, y^2, …, y^highest surely have at most so many terms; the first always counts.

    smoothed: their Hermite forms, in which z^n has the floor(n / 2) terms of lower degree besides.
    """
    degrees, total = [int(d) for d in polynomial.degrees()], max(0, int(polynomial.total_degree()))
    occurring = sum(d > 0 for d in degrees)
    for m in range(2, highest + 1):
        products = comb(len(polynomial) + m - 1, m) * (
            prod(m * d // 2 + 1 for d in degrees) if smoothed else 1
        )
        box, simplex = prod(m * d + 1 for d in degrees), comb(m * total + occurring, occurring)
        if min(products, box, simplex) > max_terms:
            return m - 1
    return highest


def _offender(expr: sp.Expr, symbols: frozenset[sp.Symbol]) -> sp.Expr | None:
    """Return the first part that is not polynomial over the rationals, or None."""
    if expr.is_Rational or expr in symbols:
        return None
    if expr.is_Add or expr.is_Mul:
        return next((bad for part in expr.args if (bad := _offender(part, symbols)) is not None), None)
    if expr.is_Pow and expr.exp.is_Integer and expr.exp >= 0:
        return _offender(expr.base, symbols)
    return expr


def refuse_beyond(terms: int, what: str) -> None:
    """Refuse a polynomial whose estimated number of terms is beyond the limit.

    Raises
    ------
    TooLargeError
    """
    if terms > MAX_TERMS:
        raise TooLargeError(f"{what}: up to {terms:,} terms; at most {MAX_TERMS:,} are allowed")


def size(expr: sp.Expr) -> tuple[int, dict[sp.Symbol, int]]:
    """Return upper bounds of the number of terms and of the degree in each variable, without expanding.

    Sums add terms, products multiply them, an n-th power of t terms has comb(n + t - 1, n); and no polynomial has
    more terms than monomials fit under its degrees.
    """
    if expr.is_Symbol:
        return 1, {expr: 1}
    if not expr.args:
        return 1, {}
    if expr.is_Pow:
        n = int(expr.exp)
        inner, degrees = size(expr.base)
        terms, degrees = comb(n + inner - 1, n), {z: n * d for z, d in degrees.items()}
    else:
        parts = [size(part) for part in expr.args]
        symbols = {z for _, degrees in parts for z in degrees}
        together = max if expr.is_Add else sum
        degrees = {z: together([d.get(z, 0) for _, d in parts]) for z in symbols}
        terms = sum(t for t, _ in parts) if expr.is_Add else prod(t for t, _ in parts)
    return min(terms, prod(d + 1 for d in degrees.values())), degrees


def expanded(expr: sp.Expr, generators: dict[sp.Symbol, fmpq_mpoly], context: fmpq_mpoly_ctx) -> fmpq_mpoly:
    """Return a polynomial expression with ring elements in place of its symbols."""
    if expr.is_Rational:
        return context.constant(to_fmpq(expr))
    if expr.is_Symbol:
        return generators[expr]
    if expr.is_Pow:
        return expanded(expr.base, generators, context) ** int(expr.exp)
    parts = [expanded(part, generators, context) for part in expr.args]
    total = parts[0]
    for part in parts[1:]:
        total = total + part if expr.is_Add else total * part
    return total
