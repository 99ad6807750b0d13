"""Proved bounds of functions far out, and of what an integral over a half-line leaves out: int_R^inf |f| phi dt.

|f| is bounded by a majorant c t^n exp(a_1 t + a_2 t^2 + …) for t >= start >= 1, built up along the expression; a
function of several coordinates is bounded so for all |z| <= t. What stands below a quotient has a bound of the same
form from below, a minorant, so that exp(t^2) / (2 + exp(t^2)) is seen to be bounded. With
h = n log t + sum_j a_j t^j - t^2/2 and h' <= -delta beyond R, the tail is at most c exp(h(R)) / (delta sqrt(2 pi)).
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction
from functools import reduce
from math import ceil, comb

import sympy as sp
from flint import arb, fmpq

from ..errors import RebatchError
from ..exact.ball import constant_ball
from .ranges import as_polynomial, factored, range_of

# The variable on its positive side; for the other side, -t is put in.
T = sp.Symbol("t", positive=True)

# One term of a sum is to outgrow the others before 2^12.
_DOUBLINGS = 13
# Denominator of rational numbers beside irrational ones.
_FINE = 4096


class UnboundedError(RebatchError):
    """A function whose tail under the Gaussian could not be bounded."""


@dataclass(frozen=True)
class Majorant:
    """c t^n exp(sum_j a_j t^j), for t >= start; c > 0 and the a_j are balls, n >= 0."""

    c: arb
    n: Fraction = Fraction(0)
    a: dict[int, arb] = field(default_factory=dict)
    start: arb = field(default_factory=lambda: arb(1))

    def __add__(self, other: "Majorant") -> "Majorant":
        a = {
            j: _larger(self.a.get(j, arb(0)), other.a.get(j, arb(0))) for j in self.a.keys() | other.a.keys()
        }
        return Majorant(self.c + other.c, max(self.n, other.n), a, self.start.max(other.start))

    def __mul__(self, other: "Majorant") -> "Majorant":
        a = {j: self.a.get(j, arb(0)) + other.a.get(j, arb(0)) for j in self.a.keys() | other.a.keys()}
        return Majorant(self.c * other.c, self.n + other.n, a, self.start.max(other.start))

    def power(self, r: Fraction) -> "Majorant":
        """Return the majorant of |f|^r, r > 0."""
        exponent = arb(fmpq(r.numerator, r.denominator))
        return Majorant(
            self.c**exponent, self.n * r, {j: a * exponent for j, a in self.a.items()}, self.start
        )

    def inverse(self) -> "Majorant":
        """Return the majorant of 1/|f| of a minorant, n = 0, or the minorant of 1/|f|: t^n <= exp(n t)."""
        a = {j: -a for j, a in self.a.items()}
        if self.n:
            a[1] = a.get(1, arb(0)) - arb(fmpq(self.n.numerator, self.n.denominator))
        return Majorant(1 / self.c, a=a, start=self.start)

    def highest(self) -> arb | None:
        """Return a bound of it for all t >= start where it decays exponentially, else None.

        t^n exp(-a t^j) is largest at t^j = n / (j a), where it is (n / (j a e))^(n / j).
        """
        decaying = {j: a for j, a in self.a.items() if a < 0}
        if not decaying or not all(a <= 0 for a in self.a.values()):
            return None
        j, a = max(decaying.items())
        n = arb(fmpq(self.n.numerator, self.n.denominator))
        return self.c * (n / (-a * j * arb(1).exp())) ** (n / j) if self.n else self.c

    def tail(self, R: arb) -> arb | None:
        """Return a bound of int_R^inf c t^n exp(sum_j a_j t^j - t^2/2) dt / sqrt(2 pi), or None: R is too small.

        Raises
        ------
        UnboundedError
            If the majorant outgrows the Gaussian density.
        """
        a = {**self.a, 2: self.a.get(2, arb(0)) - arb(fmpq(1, 2))}
        degree = max((j for j, value in a.items() if not value.is_zero()), default=0)
        n = arb(fmpq(self.n.numerator, self.n.denominator))
        if degree == 0 or not a[degree] < 0:
            raise UnboundedError("it outgrows the Gaussian density")
        if not self.start <= R:
            return None
        rest = sum((value.nonnegative_part() * j for j, value in a.items() if j < degree), arb(0)) + n / R
        decay = -a[degree] * degree * (R if degree > 1 else 1) - rest
        if decay > (1 if degree > 1 else -a[degree] / 2):
            # For degree > 1 the decay is at least t^(degree - 2) (…) >= 1.
            decay = decay.min(1) if degree > 1 else decay
        elif not (decay := _least_decay(a, R) - n / R) > 1:
            return None
        exponent = sum((value * R**j for j, value in a.items()), arb(0)) + n * R.log()
        return self.c * exponent.exp() / decay / (2 * arb.pi()).sqrt()


def _least_decay(a: dict[int, arb], R: arb) -> arb:
    """Return a lower bound of -(sum_j a_j t^j)' for t >= R: its value at R, if no Taylor coefficient there is < 0."""
    taylor = [
        sum((-j * comb(j - 1, m) * value * R ** (j - 1 - m) for j, value in a.items() if j > m), arb(0))
        for m in range(max(a))
    ]
    return taylor[0] if all(c >= 0 for c in taylor[1:]) else arb(0)


def majorant(expr: sp.Expr) -> Majorant:
    """Return a majorant of |expr(t)| as t -> inf; other symbols than t have absolute value at most t.

    Raises
    ------
    UnboundedError
        If a part of it has none of that form.
    """
    try:
        return _from_parts(expr)
    except UnboundedError:
        size = range_of(expr).size
        if not size.is_finite():
            raise
        return Majorant(size)


def _from_parts(expr: sp.Expr) -> Majorant:
    """Return a majorant built from those of the parts."""
    if expr.is_number:
        return Majorant(abs(constant_ball(expr)))
    if expr.is_Symbol:
        return Majorant(arb(1), Fraction(1))
    if expr.is_Add:
        return reduce(Majorant.__add__, map(majorant, expr.args))
    if expr.is_Mul:
        return reduce(Majorant.__mul__, map(majorant, expr.args))
    if isinstance(expr, sp.exp):
        return _of_exponential(expr.args[0])
    if expr.is_Pow and expr.exp.is_Rational:
        r = Fraction(int(expr.exp.p), int(expr.exp.q))
        if r > 0:
            return majorant(expr.base).power(r)
        return minorant(expr.base).inverse().power(-r)
    if expr.is_Pow and expr.exp.is_number and expr.exp.is_real:
        # |f|^r <= 1 + |f|^q for a rational q a little above r.
        q = Fraction(int(sp.ceiling(abs(expr.exp) * _FINE)), _FINE)
        base = majorant(expr.base) if expr.exp.is_positive else minorant(expr.base).inverse()
        return Majorant(arb(1)) + base.power(q)
    if isinstance(expr, sp.tan):
        return _of_tangent(expr.args[0])
    if isinstance(expr, sp.cosh | sp.sinh):
        return _of_exponential(expr.args[0]) + _of_exponential(-expr.args[0])
    if isinstance(expr, sp.Abs):
        return majorant(expr.args[0])
    if isinstance(expr, sp.Max | sp.Min):
        return reduce(Majorant.__add__, map(majorant, expr.args))
    if isinstance(expr, sp.log):
        return _of_logarithm(expr.args[0])
    raise UnboundedError(f"no bound is known for {expr.func.__name__} in {expr}")


def _of_exponential(u: sp.Expr) -> Majorant:
    """Return a majorant of exp(u), from an upper bound of u."""
    if u.is_Add:
        return reduce(Majorant.__mul__, map(_of_exponential, u.args))
    if u.is_number:
        return Majorant(constant_ball(u).exp())
    c, power = u.as_coeff_exponent(T)
    if c.is_number and power.is_Integer and power > 0:
        return Majorant(arb(1), a={int(power): constant_ball(c)})
    if (top := range_of(u).upper.value).is_finite():
        return Majorant(top.exp())
    bound = majorant(u)
    if (highest := bound.highest()) is not None:
        return Majorant(highest.exp(), start=bound.start)
    if any(not a.is_zero() for a in bound.a.values()):
        raise UnboundedError(f"no bound is known for exp({u})")
    n = ceil(bound.n)
    return (
        Majorant(bound.c.exp(), start=bound.start)
        if n == 0
        else Majorant(arb(1), a={n: bound.c}, start=bound.start)
    )


def _of_logarithm(u: sp.Expr) -> Majorant:
    """Return |log u| <= (|log c| + n + sum |a_j| + |log least|) t^m, m the highest power that occurs."""
    upper = majorant(u)
    lower = minorant(u)
    scale = abs(upper.c.log()) + abs(lower.c.log()) + arb(fmpq(upper.n.numerator, upper.n.denominator))
    scale = scale + sum((abs(a) for a in (*upper.a.values(), *lower.a.values())), arb(0))
    return Majorant(scale, Fraction(max([1, *upper.a, *lower.a])), start=upper.start.max(lower.start))


def _of_tangent(u: sp.Expr) -> Majorant:
    """Return a bound of |tan u| for |u| <= c < pi/2."""
    if (size := range_of(u).size) < arb.pi() / 2:
        return Majorant(size.tan())
    bound = _constant_bound(u)
    if bound is None or not bound[0] < arb.pi() / 2:
        raise UnboundedError(f"no bound is known for tan({u})")
    return Majorant(bound[0].tan(), start=bound[1])


def minorant(u: sp.Expr) -> Majorant:
    """Return c exp(sum_j a_j t^j) <= |u(t)| for t >= start, c > 0.

    Raises
    ------
    UnboundedError
        If none is found.
    """
    if u.is_number:
        size = abs(constant_ball(u))
        if not size > 0:
            raise UnboundedError(f"no lower bound is known for {u}")
        return Majorant(size)
    if isinstance(u, sp.exp):
        return _below_exponential(u.args[0])
    if isinstance(u, sp.cosh):
        return _below_cosh(u.args[0])
    if isinstance(u, sp.erfc):
        # erfc(v) >= 1, or >= 2 exp(-v^2) / sqrt(pi) / (v + sqrt(v^2 + 2)), and that is below 2v + sqrt(2).
        v = u.args[0]
        return (_of_exponential(v**2) * (Majorant(arb(3)) + majorant(v) * Majorant(arb(2)))).inverse()
    if isinstance(u, sp.Abs):
        return minorant(u.args[0])
    if u.free_symbols == {T} and u.is_polynomial(T):
        return _below_polynomial(u)
    if u.is_Mul:
        return reduce(Majorant.__mul__, map(minorant, u.args))
    if u.is_Pow and u.exp.is_Rational:
        r = Fraction(int(u.exp.p), int(u.exp.q))
        return minorant(u.base).power(r) if r > 0 else majorant(u.base).inverse().power(-r)
    if isinstance(u, sp.log) and range_of(u.args[0] - 1).nonnegative:
        # log(1 + w) >= 1/(1 + 1/w).
        return (Majorant(arb(1)) + minorant(u.args[0] - 1).inverse()).inverse()
    least = -range_of(u).absolute().lower.value
    known = [Majorant(least)] if least > 0 else []
    if u.is_Add and (found := _below_sum(u)) is not None:
        known.append(found)
    if not known:
        raise UnboundedError(f"no lower bound is known for {u}")
    return reduce(larger_of, known)


def _below_exponential(v: sp.Expr) -> Majorant:
    """Return a minorant of exp(v): of a polynomial in t itself, of what is not negative 1."""
    if v.free_symbols == {T} and v.is_polynomial(T):
        coefficients = {power: constant_ball(c) for (power,), c in sp.Poly(v, T).terms()}
        return Majorant(coefficients.pop(0, arb(0)).exp(), a=coefficients)
    return _of_exponential(-v).inverse()


def _below_cosh(v: sp.Expr) -> Majorant:
    """Return a minorant of cosh(v) >= exp(|v|)/2, and >= 1."""
    if v.free_symbols == {T} and v.is_polynomial(T):
        sign = 1 if constant_ball(sp.Poly(v, T).LC()) > 0 else -1
        half = _below_exponential(sign * v)
        return Majorant(half.c / 2, a=half.a)
    return Majorant(arb(1))


def _below_polynomial(u: sp.Expr, less: Sequence[tuple[arb, arb]] = ()) -> Majorant:
    """Return a minorant of a polynomial less functions that are bounded by c_i from start_i on.

    Beyond 3 max_j |c_(n-j) / lead|^(1/j) the terms below t^n are at most half of it, as
    sum_j |c_(n-j) / lead| t^-j <= sum_j 3^-j <= 1/2; beyond (4 c / |lead|)^(1/n), c = sum_i c_i, a quarter is c.
    """
    lead, *lower = (constant_ball(c) for c in sp.Poly(u, T).all_coeffs())
    if not abs(lead) > 0:
        raise UnboundedError(f"no lower bound is known for {u}")
    roots = (abs(c / lead).upper() ** (arb(1) / j) for j, c in enumerate(lower, 1))
    start = reduce(arb.max, (3 * root for root in roots), arb(1))
    if not less:
        return Majorant(abs(lead) / 2, start=start)
    c = sum((c for c, _ in less), arb(0))
    start = reduce(arb.max, (s for _, s in less), start)
    start = start.max((4 * c / abs(lead)).upper() ** (arb(1) / len(lower)))
    return Majorant(abs(lead) / 4, start=start)


def _below_sum(u: sp.Add) -> Majorant | None:
    """Return a minorant of a sum: of one term if all have one sign, else large less small; None: none found."""
    for terms in (u.args, tuple(-a for a in u.args)):
        if all(range_of(a).nonnegative for a in terms):
            known = [bound for a in terms if (bound := _or_none(minorant, a)) is not None]
            if known:
                return reduce(larger_of, known)
    if (other := without_cancellation(u) or _as_product(u)) is not None:
        return _or_none(minorant, other)
    bounds = [(a, _constant_bound(a)) for a in u.args]
    bounded = [bound for _, bound in bounds if bound is not None]
    rest = [a for a, bound in bounds if bound is None]
    if bounded and (polynomial := sp.Add(*rest)).free_symbols == {T} and polynomial.is_polynomial(T):
        return _below_polynomial(polynomial, less=bounded)
    if (
        bounded
        and rest
        and (bottom := _or_none(minorant, sp.Add(*rest))) is not None
        and _never_falls(bottom)
    ):
        less = sum((c for c, _ in bounded), arb(0))
        start = reduce(arb.max, (s for _, s in bounded), bottom.start)
        # From start on it is at least c times its value there, and only grows.
        size = bottom.c * sum((a * start.upper() ** j for j, a in bottom.a.items()), arb(0)).exp()
        if size > less:
            return Majorant(bottom.c * (1 - less / size), a=bottom.a, start=start)
    return _dominated(u) or _next_to_bounds(u)


def _next_to_bounds(u: sp.Add) -> Majorant | None:
    """Return a minorant of c + sum f_i, |f_i| <= B_i, sum B_i <= c, from how far an f_i stays below B_i."""
    for terms in (u.args, tuple(-a for a in u.args)):
        constant = sum((constant_ball(a) for a in terms if a.is_number), arb(0))
        others = (_short_of_bound(a) for a in terms if not a.is_number and not range_of(a).nonnegative)
        bounds = list(others)
        gaps = [Majorant(B) * gap for B, gap in bounds if gap is not None]
        if gaps and constant >= sum((B for B, _ in bounds), arb(0)):
            return reduce(larger_of, gaps)
    return None


def _short_of_bound(f: sp.Expr) -> tuple[arb, Majorant | None]:
    """Return B >= |f|, perhaps infinite, and a minorant of 1 - |f| / B; None where none is known.

    1 - tanh(|v|) >= exp(-2 |v|), 1 - erf(|v|) = erfc(|v|), a product of numbers in [0, 1] is at most each of them.
    """
    if isinstance(f, sp.Abs):
        return _short_of_bound(f.args[0])
    if f.is_Pow and f.exp.is_Integer and f.exp > 0:
        B, gap = _short_of_bound(f.base)
        return B ** int(f.exp), gap
    if f.is_Mul:
        factors = [_short_of_bound(a) for a in f.args]
        gaps = [gap for _, gap in factors if gap is not None]
        return reduce(arb.__mul__, (B for B, _ in factors)), reduce(larger_of, gaps) if gaps else None
    if isinstance(f, sp.tanh):
        grown = _or_none(_of_exponential, 2 * sp.Abs(f.args[0]))
        return arb(1), None if grown is None else grown.inverse()
    if isinstance(f, sp.erf):
        return arb(1), _or_none(minorant, sp.erfc(sp.Abs(f.args[0]), evaluate=False))
    return range_of(f).size, None


def without_cancellation(u: sp.Add) -> sp.Expr | None:
    """Return a sum whose terms cancel far out with that carried out; None of another one.

    c (1 + tanh v) = 2c / (1 + exp(-2v)), c (1 - erf v) = c erfc(v), log(2 cosh v) + v = log(1 + exp(2v)).
    """
    c, rest = u.as_coeff_Add()
    d, f = rest.as_coeff_Mul()
    if c != 0 and abs(c) == abs(d) and isinstance(f, sp.tanh):
        return 2 * c / (1 + sp.exp(-2 * sp.sign(c * d) * f.args[0]))
    if c != 0 and abs(c) == abs(d) and isinstance(f, sp.erf):
        return c * sp.erfc(-sp.sign(c * d) * f.args[0], evaluate=False)
    for log in (f for f in u.args if isinstance(f, sp.log)):
        n, cosh = log.args[0].as_coeff_Mul()
        if n == 2 and isinstance(cosh, sp.cosh):
            for v in (v for v in u.args if cosh.args[0] in (v, -v)):
                return u - log - v + sp.log(1 + sp.exp(2 * v))
    return None


def _as_product(u: sp.Add) -> sp.Expr | None:
    polynomial = as_polynomial(u)
    return None if polynomial is None else factored(polynomial)


def _dominated(u: sp.Add) -> Majorant | None:
    """Return a minorant of a sum in which one term outgrows the others together; None where none does."""
    known = [(a, bound) for a in u.args if (bound := _or_none(minorant, a)) is not None]
    if not known:
        return None
    bottom = reduce(larger_of, (bound for _, bound in known))
    largest = next(a for a, bound in known if bound is bottom)
    others = _or_none(majorant, u - largest)
    if others is None:
        return None
    R = _from_where_below(others * bottom.inverse(), arb(fmpq(1, 2)))
    if R is None:
        return None
    return Majorant(bottom.c / 2, a=bottom.a, start=bottom.start.max(others.start).max(R))


def _from_where_below(ratio: Majorant, level: arb) -> arb | None:
    """Return R such that a majorant is below a level for all t >= R, falling from there on; None: none found."""
    n = arb(fmpq(ratio.n.numerator, ratio.n.denominator))
    for doubling in range(_DOUBLINGS):
        R = arb(2**doubling)
        exponent = sum((a * R**j for j, a in ratio.a.items()), arb(0)) + n * R.log()
        falls = not ratio.a or _least_decay(ratio.a, R) > n / R
        if falls and (ratio.a or not ratio.n) and ratio.c * exponent.exp() < level:
            return R
    return None


def _never_falls(bound: Majorant) -> bool:
    return all(a >= 0 for a in bound.a.values())


def larger_of(f: Majorant, g: Majorant) -> Majorant:
    """Return the one that grows faster; f where they cannot be told apart."""
    for j in sorted(f.a.keys() | g.a.keys(), reverse=True):
        a, b = f.a.get(j, arb(0)), g.a.get(j, arb(0))
        if a > b or b > a:
            return f if a > b else g
    return f


def _or_none(bound: Callable[[sp.Expr], Majorant], u: sp.Expr) -> Majorant | None:
    """Return the bound of an expression, None where it has none."""
    with suppress(UnboundedError):
        return bound(u)
    return None


def _constant_bound(u: sp.Expr) -> tuple[arb, arb] | None:
    """Return (c, start) with |u| <= c from there on, for what is no number; None if no such bound is known."""
    if u.is_number:
        return None
    try:
        bound = majorant(u)
    except UnboundedError:
        return None
    return (bound.c, bound.start) if bound.n == 0 and all(a <= 0 for a in bound.a.values()) else None


def _larger(a: arb, b: arb) -> arb:
    return a.max(b)
