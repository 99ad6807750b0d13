"""Bounds of a function over the whole space, proved from how it is written: 1 + u^2 >= 1, 1 + tanh(u) > 0.

Interval arithmetic in which bounds may be infinite and values never are: 0 times any value is 0. Whether a bound is
attained is kept beside it, so that exp(u) + exp(-u) is seen to be positive although its lower bound is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache, reduce
from math import inf
from operator import add, mul

import sympy as sp
from flint import arb, ctx, fmpq, fmpq_poly

from ..exact.ball import constant_ball
from ..exact.effort import spend

_INFINITE = arb(inf)
_BITS = 128
# Longer sums are bounded term by term.
_MAX_TERMS, _MAX_OPERATIONS, _MAX_DEGREE = 30, 200, 24
# The last digits of bounds of quotients of several variables.
_HALVINGS = 8
# Units of work.
_PER_FACTORING = 2000
# Increasing functions of the whole line: the method of balls, and the limits.
_INCREASING: dict[type[sp.Basic], tuple[Callable[[arb], arb], float, float]] = {
    sp.exp: (arb.exp, 0, inf),
    sp.sinh: (arb.sinh, -inf, inf),
    sp.tanh: (arb.tanh, -1, 1),
    sp.erf: (arb.erf, -1, 1),
    sp.atan: (arb.atan, -2, 2),
}


@dataclass(frozen=True)
class Bound:
    """A bound of a function from above; `open`: it is proved not to be attained."""

    value: arb = _INFINITE
    open: bool = True

    def __add__(self, other: Bound) -> Bound:
        return _bound(self.value + other.value, self.open or other.open)

    def __mul__(self, other: Bound) -> Bound:
        """Return the product of two ends; a factor 0 that is attained makes a product 0 that is."""
        zeros = [end for end in (self, other) if end.value.is_zero()]
        value = arb(0) if zeros else self.value * other.value
        return _bound(value, all(end.open for end in zeros) if zeros else self.open or other.open)

    def below(self, level: arb | int) -> bool:
        """Whether the function stays below a level."""
        return bool(self.value < level or (self.open and self.value <= level))


def _bound(value: arb, is_open: bool) -> Bound:
    """Return a bound; what could not be computed is infinite."""
    return Bound() if value.is_nan() else Bound(value, is_open)


def _largest(bounds: Iterable[Bound]) -> Bound:
    """Return the largest bound; it is open if all are that may be the largest."""
    bounds = list(bounds)
    value = reduce(arb.max, (bound.value for bound in bounds))
    return _bound(value, all(bound.open for bound in bounds if not bound.value < value))


def _least(bounds: Iterable[Bound]) -> Bound:
    """Return the least bound, of what all of them bound; it is open if one is that is certainly the least."""
    bounds = list(bounds)
    value = reduce(arb.min, (bound.value for bound in bounds))
    return _bound(value, any(bound.open and bound.value <= value for bound in bounds))


@dataclass(frozen=True)
class Range:
    """Where the values of f lie, over the whole space.

    Attributes
    ----------
    upper, lower : Bound
        Of f from above, and of -f from above.
    """

    upper: Bound = Bound()
    lower: Bound = Bound()

    @property
    def sign(self) -> int:
        """The sign that f is proved to have everywhere; 0: none is."""
        return 1 if self.lower.below(0) else -1 if self.upper.below(0) else 0

    @property
    def nonnegative(self) -> bool:
        """Whether f >= 0 is proved."""
        return bool(self.lower.value <= 0)

    @property
    def size(self) -> arb:
        """A bound of |f|, perhaps infinite."""
        return _largest((self.upper, self.lower)).value

    def __neg__(self) -> Range:
        return Range(self.lower, self.upper)

    def __add__(self, other: Range) -> Range:
        return Range(self.upper + other.upper, self.lower + other.lower)

    def __mul__(self, other: Range) -> Range:
        return Range(self._upper_of_product(other), (-self)._upper_of_product(other))

    def _upper_of_product(self, other: Range) -> Bound:
        crossed = (self.upper * other.lower, self.lower * other.upper)
        ends = [self.upper * other.upper, self.lower * other.lower]
        return _largest([*ends, *(Bound(-end.value, end.open) for end in crossed)])

    def and_also(self, other: Range) -> Range:
        """Return what follows from both."""
        return Range(_least((self.upper, other.upper)), _least((self.lower, other.lower)))

    def absolute(self) -> Range:
        """Return the range of |f|."""
        if self.sign:
            return self if self.sign > 0 else -self
        return Range(_largest((self.upper, self.lower)), Bound(arb(0), False))

    def inverse(self) -> Range:
        """Return the range of 1/f; nothing is known of it where f may vanish."""
        if self.sign < 0:
            return -(-self).inverse()
        if not self.sign:
            return Range()
        least = -self.lower.value
        upper = Bound(1 / least, self.lower.open) if least > 0 else Bound()
        return Range(upper, _bound(-1 / self.upper.value, self.upper.open))

    def image(self, increasing: Callable[[arb], arb], low: float = -inf, high: float = inf) -> Range:
        """Return the range of an increasing function of f, with its limits at -inf and inf."""
        top = increasing(self.upper.value) if self.upper.value.is_finite() else arb(high)
        bottom = increasing(-self.lower.value) if self.lower.value.is_finite() else arb(low)
        return Range(_bound(top, self.upper.open), _bound(-bottom, self.lower.open))


@lru_cache(maxsize=4096)
def range_of(u: sp.Expr) -> Range:
    """Return bounds of u(z) over all z at which it is defined; infinite ones of what cannot be read."""
    with ctx.workprec(_BITS):
        if u.is_number:
            return _between(constant_ball(u, _BITS), constant_ball(u, _BITS))
        if u.is_Symbol:
            return Range(lower=Bound(arb(0))) if u.is_positive else Range()
        if u.is_Pow and not isinstance(u, sp.exp):
            return _of_power(u)
        if u.is_Mul:
            return _of_product(u)
        return _of_function(u, [range_of(a) for a in u.args])


def _between(low: arb, high: arb) -> Range:
    """Return a range whose bounds may be attained."""
    return Range(_bound(high, False), _bound(-low, False))


def _of_power(u: sp.Pow) -> Range:
    """Return the range of a power; a root has values only where its base is not negative."""
    base, exponent = range_of(u.base), u.exp
    if not (exponent.is_number and exponent.is_real):
        return Range()
    if exponent.is_negative:
        return range_of(u.base**-exponent).inverse()
    if exponent.is_Integer and exponent % 2:
        return base.image(lambda x: x ** int(exponent))
    if exponent.is_Integer:
        base = base.absolute()
    power = (
        arb(fmpq(int(exponent.p), int(exponent.q)))
        if exponent.is_Rational
        else constant_ball(exponent, _BITS)
    )
    nonnegative = Range(base.upper, _least((base.lower, Bound(arb(0), False))))
    return nonnegative.image(lambda x: arb(0) if x.is_zero() else x**power)


def _of_product(u: sp.Mul) -> Range:
    """Return the range of a product, in which v sign(v) is |v|."""
    for step in (f for f in u.args if isinstance(f, sp.sign)):
        v = sp.Mul.make_args(step.args[0])
        if set(v) <= set(u.args):
            rest = (f for f in u.args if f != step and f not in v)
            return range_of(step.args[0]).absolute() * range_of(sp.Mul(*rest))
    known = reduce(mul, map(range_of, u.args))
    return known if known.size.is_finite() else known.and_also(_of_quotient(u)).and_also(_of_bump(u))


def _of_quotient(u: sp.Mul) -> Range:
    """Return the range of P/Q, Q without a zero: on the line its limits, and its values where the slope is 0."""
    over, under = u.as_numer_denom()
    if under.is_number or not u.free_symbols or u.count_ops() > _MAX_OPERATIONS:
        return Range()
    z = tuple(u.free_symbols)
    if not (over.is_polynomial(*z) and under.is_polynomial(*z) and (sign := range_of(under).sign)):
        return Range()
    P, Q = sp.Poly(over, *z), sp.Poly(under, *z)
    if len(z) > 1:
        return Range(_of_multiple(sign * P, sign * Q), _of_multiple(-sign * P, sign * Q))
    if P.degree() > Q.degree() or Q.degree() > _MAX_DEGREE or not {P.domain, Q.domain} <= {sp.ZZ, sp.QQ}:
        return Range()
    spend(_PER_FACTORING)
    slope, p, q = (_flint(r) for r in (P.diff() * Q - P * Q.diff(), P, Q))
    limit = constant_ball(P.LC() / Q.LC() if P.degree() == Q.degree() else sp.Integer(0), _BITS)
    found = [(limit, True)]
    for root, _ in slope.complex_roots() if slope.degree() > 0 else ():
        if root.imag.contains(0):
            found.append((_value(p, root.real) / _value(q, root.real), False))
    return Range(
        _largest(_bound(value, is_open) for value, is_open in found),
        _largest(_bound(-value, is_open) for value, is_open in found),
    )


def _of_multiple(P: sp.Poly, Q: sp.Poly) -> Bound:
    """Return a bound c of P/Q from above, Q > 0: c Q - P >= 0, by bisection."""
    rational = {P.domain, Q.domain} <= {sp.ZZ, sp.QQ}
    if not rational or P.total_degree() > Q.total_degree() or Q.total_degree() > _MAX_DEGREE:
        return Bound()

    def holds(c: sp.Rational) -> bool:
        spend(_PER_FACTORING)
        p = Q * c - P
        return bool(_above(p).value <= 0 or _by_young(p.as_expr()).value <= 0)

    low, high = sp.Integer(0), next((c for c in (sp.Integer(4) ** j for j in range(-1, 4)) if holds(c)), None)
    if high is None:
        return Bound()
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return Bound(arb(fmpq(int(high.p), int(high.q))), False)


def _of_bump(u: sp.Mul) -> Range:
    """Return the range of x^n exp(-a x^2 + …): |x|^n exp(-a x^2) <= (n / (2 a e))^(n/2), attained."""
    rest = list(u.args)
    total = Range(Bound(arb(1), False), Bound(arb(-1), False))
    for power in [f for f in u.args if not f.is_number and f.as_base_exp()[1].is_Integer]:
        x, n = power.as_base_exp()
        fall = next((f for f in rest if isinstance(f, sp.exp) and f.args[0].coeff(x, 2).is_negative), None)
        if n < 1 or fall is None:
            continue
        a = -fall.args[0].coeff(x, 2)
        if not a.is_Rational:
            continue
        top = constant_ball((sp.Integer(n) / (2 * a * sp.E)) ** sp.Rational(n, 2), _BITS)
        total = total * (_between(-top, top) if n % 2 else _between(arb(0), top))
        rest.remove(power)
        rest[rest.index(fall)] = sp.exp(fall.args[0] + a * x**2)
    return reduce(mul, map(range_of, rest), total) if len(rest) < len(u.args) else Range()


def _of_sum(u: sp.Add, parts: list[Range]) -> Range:
    """Return the range of a sum: term by term, or of the polynomial that it is in its functions."""
    known = reduce(add, parts).and_also(_of_waves(u, parts))
    away = known.lower.value < 0 or known.upper.value < 0
    if away or len(u.args) > _MAX_TERMS or u.count_ops() > _MAX_OPERATIONS:
        return known
    known = known.and_also(Range(_by_young(-u), _by_young(u)))
    polynomial = as_polynomial(u)
    if polynomial is None:
        return known
    if (reduced := _without_squares_of_roots(polynomial)) is not None:
        known = known.and_also(Range(_above(-reduced), _above(reduced)))
    if polynomial.is_univariate:
        return known.and_also(_of_polynomial(polynomial, range_of(polynomial.gen)))
    for constant in {polynomial.nth(*(0,) * len(polynomial.gens)), sp.Integer(0)}:
        product = factored(polynomial - constant)
        if product is not None:
            known = known.and_also(range_of(product) + range_of(constant))
    return known.and_also(Range(_above(-polynomial), _above(polynomial)))


def _of_waves(u: sp.Add, parts: list[Range]) -> Range:
    """Return the range of a sum term by term, a sin(v) + b cos(v) as a wave of amplitude sqrt(a^2 + b^2)."""
    rest = dict(zip(u.args, parts, strict=True))
    total = Range(Bound(arb(0), False), Bound(arb(0), False))
    for v in {f.args[0] for f in u.atoms(sp.sin)} & {f.args[0] for f in u.atoms(sp.cos)}:
        pair = [(u.coeff(f(v)), f(v)) for f in (sp.sin, sp.cos)]
        if all(c.is_number and c * f in rest for c, f in pair):
            size = constant_ball(sp.sqrt(sp.Add(*(c**2 for c, _ in pair))), _BITS)
            total = total + _between(-size, size)
            for c, f in pair:
                del rest[c * f]
    return reduce(add, rest.values(), total)


def _without_squares_of_roots(polynomial: sp.Poly) -> sp.Poly | None:
    """Return a polynomial in functions among which is s = sqrt(v) with v as s^2: z^2 is s^2 - 1 for v = 1 + z^2."""
    for s in (f for f in polynomial.gens if f.is_Pow and f.exp == sp.Rational(1, 2)):
        gens = (*(f for f in polynomial.gens if f != s), s)
        v = s.base.as_poly(*gens)
        if v is None or v.is_ground or not (v.domain.is_ZZ or v.domain.is_QQ):
            continue
        names = [sp.Dummy() for _ in gens]
        relation = sp.Poly.from_dict(v.as_dict(), *names).as_expr() - names[-1] ** 2
        p = sp.Poly.from_dict(polynomial.reorder(*gens).as_dict(), *names).as_expr()
        spend(_PER_FACTORING)
        _, rest = sp.reduced(p, [relation], *names, order="lex")
        if not rest.is_number:
            found: sp.Poly = sp.Poly.from_dict(sp.Poly(rest, *names).as_dict(), *gens, domain="QQ").exclude()
            return found
    return None


def _above(polynomial: sp.Poly) -> Bound:
    """Return a bound of -p from above: a x^2 + B x + C >= C - B^2 / (4 a), one function after the other."""
    functions = {sp.Dummy(): f for f in polynomial.gens}
    p = sp.Poly.from_dict(polynomial.as_dict(), *functions, domain="QQ")
    while not p.is_univariate:
        parts = ((x, *(sp.Poly(p.as_expr().coeff(x, n), *functions) for n in (2, 1, 0))) for x in p.gens)
        found = next(((x, a, B, C) for x, a, B, C in parts if p.degree(x) == 2 and _is_positive(a)), None)
        if found is None:
            return Bound()
        _, a, B, C = found
        p = (C - B**2 * (1 / (4 * a.as_expr()))).exclude()
        if p.is_ground:
            return Bound(-constant_ball(p.as_expr(), _BITS), False)
    return _of_polynomial(p, range_of(functions[p.gen])).lower


def _by_young(u: sp.Add) -> Bound:
    """Return a bound of -u from above, for a polynomial u in functions f_i, its real coefficients known by balls.

    A product of several functions is at least -|c| sum_i (n_i / n) |f_i|^n, n = sum_i n_i, or 0 if it is a square
    with c > 0: what is left is a sum of polynomials of one |f_i| each.
    """
    polynomial = u.as_poly()
    functions = [] if polynomial is None else [f for f in polynomial.gens if f.free_symbols]
    polynomial = u.as_poly(*functions) if functions else None
    if polynomial is None or polynomial.total_degree() > _MAX_DEGREE:
        return Bound()
    constant = arb(0)
    alone: list[dict[int, arb]] = [{} for _ in polynomial.gens]
    for powers, coefficient in polynomial.terms():
        if coefficient.free_symbols or not coefficient.is_real:
            return Bound()
        c, n = constant_ball(coefficient, _BITS), sum(powers)
        held = [i for i, power in enumerate(powers) if power]
        if not held:
            constant += c
        elif len(held) == 1 and n % 2 == 0:
            alone[held[0]][n] = alone[held[0]].get(n, arb(0)) + c
        elif not (c > 0 and all(power % 2 == 0 for power in powers)):
            for i in held:
                alone[i][n] = alone[i].get(n, arb(0)) - abs(c) * powers[i] / n
    for f, terms in zip(polynomial.gens, alone, strict=True):
        if terms:
            size = range_of(f).absolute()
            p = fmpq_poly([terms[n].lower().fmpq() if n in terms else 0 for n in range(max(terms) + 1)])
            constant -= _of_coefficients(p, size).lower.value
    return _bound(-constant, False)


def _is_positive(a: sp.Poly) -> bool:
    return bool(a.is_ground and a.as_expr() > 0)


def as_polynomial(u: sp.Expr) -> sp.Poly | None:
    """Return a sum as a polynomial over Q in the functions that it holds; None if it is none, or too long."""
    if len(u.args) > _MAX_TERMS or u.count_ops() > _MAX_OPERATIONS:
        return None
    polynomial = u.as_poly()
    if polynomial is None or polynomial.total_degree() > _MAX_DEGREE:
        return None
    return polynomial if polynomial.domain.is_ZZ or polynomial.domain.is_QQ else None


def factored(polynomial: sp.Poly) -> sp.Expr | None:
    """Return a polynomial as the product of its factors; None where it is irreducible."""
    spend(_PER_FACTORING)
    content, factors = polynomial.factor_list()
    if sum(multiplicity for _, multiplicity in factors) < 2:
        return None
    return sp.Mul(content, *(f.as_expr() ** multiplicity for f, multiplicity in factors))


def _of_polynomial(polynomial: sp.Poly, x: Range) -> Range:
    """Return the range of a polynomial of one function: its values at the ends and where its slope is 0."""
    return _of_coefficients(_flint(polynomial), x)


def _of_coefficients(P: fmpq_poly, x: Range) -> Range:
    """Return the range of a polynomial of what has the range x."""
    if P.degree() < 1:
        return _between(arb(P[0]), arb(P[0]))
    flat = [root.real for root, _ in P.derivative().complex_roots() if root.imag.contains(0)]
    inside = [t for t in flat if not (t > x.upper.value or t < -x.lower.value)]
    found = [Bound(_value(P, t), False) for t in inside]
    for end, side in ((x.upper, 1), (x.lower, -1)):
        limit = _INFINITE * (1 if P[P.degree()] > 0 else -1) * (side if P.degree() % 2 else 1)
        found.append(_bound(_value(P, end.value * side) if end.value.is_finite() else limit, end.open))
    return Range(_largest(found), _largest(Bound(-value.value, value.open) for value in found))


def _flint(polynomial: sp.Poly) -> fmpq_poly:
    return fmpq_poly([fmpq(int(c.p), int(c.q)) for c in reversed(polynomial.all_coeffs())])


def _value(P: fmpq_poly, x: arb) -> arb:
    """Return the ball of P(x), by Horner's rule."""
    return reduce(lambda total, c: total * x + c, reversed(P.coeffs()), arb(0))


def _of_function(u: sp.Expr, parts: list[Range]) -> Range:
    """Return the range of a function from those of its arguments."""
    part = parts[0] if parts else Range()
    if u.is_Add:
        return _of_sum(u, parts)
    if isinstance(u, sp.Max):
        return Range(_largest(p.upper for p in parts), _least(p.lower for p in parts))
    if isinstance(u, sp.Min):
        return Range(_least(p.upper for p in parts), _largest(p.lower for p in parts))
    if isinstance(u, sp.Abs):
        return part.absolute()
    if isinstance(u, sp.cosh):
        return part.absolute().image(arb.cosh)
    if isinstance(u, sp.sin | sp.cos):
        whole = (-part.lower.value).union(part.upper.value) if part.size.is_finite() else None
        ball = arb(0, 1) if whole is None else whole.sin() if isinstance(u, sp.sin) else whole.cos()
        return _between(ball.lower().max(arb(-1)), ball.upper().min(arb(1)))
    if isinstance(u, sp.log):
        return part.image(arb.log)
    if isinstance(u, sp.sign):
        return _between(arb(part.sign or -1), arb(part.sign or 1))
    if isinstance(u, sp.Heaviside):
        return _between(arb(int(part.sign > 0)), arb(int(part.sign >= 0)))
    if isinstance(u, sp.erfc):
        return (-part).image(lambda x: (-x).erfc(), 0, 2)
    return part.image(*_INCREASING[u.func]) if u.func in _INCREASING else Range()
