"""An expression rewritten for floating point: the same function, without the overflow and cancellation in its terms.

log(sum_j c_j e^(a_j))              LogSum: the greatest exponent taken out first; cosh(u) is (e^u + e^-u)/2
e^a prod_i (sum_j e^(b_ij))^(-n_i)  one exponential, so that a quotient of two overflows is a number
1/(1 + e^u), sinh/cosh, 1/cosh      logistic function, tanh, Sech
e^a cosh(u), e^a sinh(u)            exponents added before they are taken
log(1 + u), e^u - 1                 log1p, expm1
1 +- erf(u), 1 +- tanh(u)           erfc, twice a logistic function
log(erfc(u))                        LogErfc, where erfc(u) is below floating point
a step times f                      Stepped: 0 where the step is closed, whatever f is there
sum_n c_n u^n of high degree        HermiteSum, where it has fewer terms in He_n(u)
"""

from collections.abc import Callable
from math import comb, factorial

import sympy as sp
from sympy.codegen.cfunctions import expm1, log1p

Rewrite = Callable[[sp.Expr], sp.Expr]
# (coefficient > 0, exponent) of a term c e^a.
Terms = list[tuple[sp.Expr, sp.Expr]]

# Products of sums of exponentials are multiplied out up to so many terms.
_MAX_TERMS = 12
# Polynomials of lower degree lose little in powers.
_LEAST_DEGREE = 10


class LogSum(sp.Function):  # type: ignore[misc]
    """log(sum_j exp(a_j)) of its arguments a_j."""


class Sech(sp.Function):  # type: ignore[misc]
    """1/cosh(u)."""


class Sinhc(sp.Function):  # type: ignore[misc]
    """e^a sinh(u) of (a, u)."""


class Stepped(sp.Function):  # type: ignore[misc]
    """A step times f, of (step, f)."""


class HermiteSum(sp.Function):  # type: ignore[misc]
    """sum_n c_n He_n(u) / sqrt(n!) of (u, c_0, c_1, …)."""


class LogErfc(sp.Function):  # type: ignore[misc]
    """log(erfc(u))."""


class Logistic(sp.Function):  # type: ignore[misc]
    """1 / (1 + e^-u)."""


def stable(expr: sp.Basic) -> sp.Basic:
    """Return the function in forms that floating point evaluates well."""
    known: dict[sp.Basic, sp.Basic] = {}
    return _rewritten(expr, known)


def _rewritten(expr: sp.Basic, known: dict[sp.Basic, sp.Basic]) -> sp.Basic:
    if not expr.args or (isinstance(expr, sp.Expr) and expr.is_number):
        return expr
    if expr not in known:
        known[expr] = _outermost(expr, known)
    return known[expr]


def _outermost(expr: sp.Basic, known: dict[sp.Basic, sp.Basic]) -> sp.Basic:
    """Rewrite an expression; its patterns are looked for before its parts are rewritten."""

    def inside(e: sp.Expr) -> sp.Expr:
        return _rewritten(e, known)

    if isinstance(expr, sp.log):
        return _logarithm(expr, inside)
    if expr.is_Mul:
        return _product(expr, inside)
    plain_power = expr.is_Pow and not isinstance(expr, sp.exp)
    if plain_power and (power := _negative_power(expr.base, expr.exp, inside)) is not None:
        return power
    if expr.is_Add:
        return _sum(expr, inside)
    return expr.func(*(_rewritten(a, known) for a in expr.args))


def _exponentials(u: sp.Expr) -> Terms | None:
    """Return u as a sum of c e^a with c > 0, if it is one of at least two terms that are not all constant."""
    terms = _terms(u)
    return terms if terms is not None and len(terms) > 1 and any(not a.is_number for _, a in terms) else None


def _terms(u: sp.Expr) -> Terms | None:
    """Return u as a sum of c e^a with c > 0, as pairs (c, a), or None."""
    if u.is_number:
        return [(u, sp.Integer(0))] if u.is_positive else None
    if isinstance(u, sp.exp):
        return [(sp.Integer(1), u.args[0])]
    if isinstance(u, sp.cosh):
        half = sp.Rational(1, 2)
        return [(half, u.args[0]), (half, -u.args[0])]
    if u.is_Add:
        parts = [_terms(a) for a in u.args]
        return None if None in parts else [term for part in parts if part for term in part]
    if u.is_Mul:
        product: Terms = [(sp.Integer(1), sp.Integer(0))]
        for factor in u.args:
            terms = _terms(factor)
            if terms is None or len(terms) * len(product) > _MAX_TERMS:
                return None
            product = [(c * d, a + b) for c, a in product for d, b in terms]
        return product
    return None


def _log_of(terms: Terms, inside: Rewrite) -> sp.Expr:
    """Return the logarithm of a sum of exponentials."""
    return LogSum(*(inside(a) + (0 if c == 1 else sp.log(c)) for c, a in terms))


def _logarithm(expr: sp.Expr, inside: Rewrite) -> sp.Expr:
    u = expr.args[0]
    if (terms := _exponentials(u)) is not None:
        return _log_of(terms, inside)
    c, tail = inside(u).as_coeff_Mul()
    if c > 0 and isinstance(tail, sp.erfc):
        return sp.log(c) + LogErfc(*tail.args)
    return log1p(inside(u - 1)) if u.is_Add and 1 in u.args else sp.log(inside(u))


def _negative_power(base: sp.Expr, exponent: sp.Expr, inside: Rewrite) -> sp.Expr | None:
    """Return base^-n of a sum of exponentials: Sech, the logistic function, or an exponential."""
    if not (exponent.is_Rational and exponent < 0) or (terms := _exponentials(base)) is None:
        return None
    if isinstance(base, sp.cosh):
        return Sech(inside(base.args[0])) ** -exponent
    if len(terms) == 2 and all(c == 1 for c, _ in terms) and any(a == 0 for _, a in terms):
        (a,) = [a for _, a in terms if a != 0]
        return Logistic(inside(-a)) ** -exponent
    return sp.exp(exponent * _log_of(terms, inside))


def _product(expr: sp.Expr, inside: Rewrite) -> sp.Expr:
    numbers, functions = sp.sift(expr.args, lambda f: f.is_number, binary=True)
    steps, rest = sp.sift(functions, lambda f: isinstance(f, sp.Heaviside), binary=True)
    value = sp.Mul(*numbers) * _without_steps(rest, inside)
    return Stepped(sp.Mul(*map(inside, steps)), value) if steps else value


def _without_steps(factors: list[sp.Expr], inside: Rewrite) -> sp.Expr:
    """Return a product whose growing factors meet the falling ones: one exponential, tanh and sech."""
    exponent = sp.Add(*(f.args[0] for f in factors if isinstance(f, sp.exp)))
    if exponent != 0:
        return _with_exponential(exponent, [f for f in factors if not isinstance(f, sp.exp)], inside)
    falling = {f.base.args[0]: -f.exp for f in factors if _is_power(f, sp.cosh) and f.exp < 0}
    result = []
    for f in factors:
        u = f.base.args[0] if _is_power(f, sp.sinh) else f.args[0] if isinstance(f, sp.sinh) else None
        n = f.exp if _is_power(f, sp.sinh) else 1
        if u is not None and 0 < n <= falling.get(u, 0):
            # sinh^n / cosh^m = tanh^n / cosh^(m - n)
            falling[u] -= n
            result.append(sp.tanh(inside(u)) ** n)
        elif not (_is_power(f, sp.cosh) and f.exp < 0):
            result.append(inside(f))
    return sp.Mul(*result, *(Sech(inside(u)) ** n for u, n in falling.items()))


def _is_power(f: sp.Expr, function: type[sp.Function]) -> bool:
    return bool(f.is_Pow and isinstance(f.base, function) and f.exp.is_Integer)


def _with_exponential(exponent: sp.Expr, factors: list[sp.Expr], inside: Rewrite) -> sp.Expr:
    """Return e^exponent times factors; what grows or falls exponentially goes into the exponent."""
    total, others = inside(exponent), []
    grown = None
    for f in factors:
        base, e = f.as_base_exp()
        terms = _exponentials(base) if e.is_Rational and base is not sp.E else None
        if terms is not None:
            total = total + e * _log_of(terms, inside)
        elif isinstance(f, sp.sinh) and grown is None:
            grown = inside(f.args[0])
        else:
            others.append(inside(f))
    return sp.Mul(*others, sp.exp(total) if grown is None else Sinhc(total, grown))


def _sum(expr: sp.Expr, inside: Rewrite) -> sp.Expr:
    """Return a sum without the cancellation of 1 - erf, 1 - tanh, exp - 1 and Hermite polynomials."""
    if len(expr.args) == 2 and expr.args[0].is_number:
        c, rest = expr.args
        factor, f = rest.as_coeff_Mul()
        if abs(factor) == abs(c):
            if isinstance(f, sp.erf):
                return c * sp.erfc(inside(-f.args[0] if factor == c else f.args[0]), evaluate=False)
            if isinstance(f, sp.tanh):
                return 2 * c * Logistic(2 * inside(f.args[0] if factor == c else -f.args[0]))
            if isinstance(f, sp.exp) and factor == -c:
                return factor * expm1(inside(f.args[0]))
    if (hermite := _in_hermite(expr, inside)) is not None:
        return hermite
    return sp.Add(*map(inside, expr.args))


def _in_hermite(expr: sp.Expr, inside: Rewrite) -> sp.Expr | None:
    """Return a sum in which the powers of one base have a high degree, those in Hermite polynomials; else None."""
    powers: dict[sp.Expr, dict[int, sp.Rational]] = {}
    for term in expr.args:
        c, f = term.as_coeff_Mul()
        base, n = f.as_base_exp()
        if c.is_Rational and n.is_Integer and n > 0 and not base.is_number:
            powers.setdefault(base, {})[int(n)] = c
    for base, coefficients in powers.items():
        degree = max(coefficients)
        if degree < _LEAST_DEGREE:
            continue
        rest = expr - sp.Add(*(c * base**n for n, c in coefficients.items()))
        constant = sp.Integer(0)
        if rest.is_Add and rest.args[0].is_Rational:
            constant = rest.args[0]
        elif rest.is_Rational:
            constant = rest
        series = hermite_coefficients({**coefficients, 0: constant})
        if sum(c != 0 for c in series) < len(coefficients) + (constant != 0):
            scaled = (c * sp.sqrt(factorial(n)) for n, c in enumerate(series))
            return HermiteSum(inside(base), *scaled) + inside(rest - constant)
    return None


def hermite_coefficients(powers: dict[int, sp.Rational]) -> list[sp.Rational]:
    """Return the coefficients on He_n of sum_n c_n u^n: u^n = sum_m n! He_(n-2m) / (m! (n-2m)! 2^m)."""
    series = [sp.Integer(0)] * (max(powers) + 1)
    for n, c in powers.items():
        for m in range(n // 2 + 1):
            series[n - 2 * m] += c * comb(n, 2 * m) * factorial(2 * m) / (2**m * factorial(m))
    return series
