"""SymPy expressions as rigorous balls (Arb, through python-flint), and the sign of exact constants.

A ball provably contains the value, so a ball that excludes 0 proves that a constant is not 0. That a constant *is* 0
is proved for algebraic numbers by a separation bound: an expression of integers, + - * /, k-th roots, zeros of
polynomials and cosines of rational multiples of pi that is not 0 has absolute value at least 1 / (l u^(D - 1)), with
u, l, D read off the expression [BFMSS01].

References
----------
[BFMSS01] Burnikel, Funke, Mehlhorn, Schirra, Schmitt, "A separation bound for real algebraic expressions", ESA 2001.
"""

import copyreg
from collections.abc import Callable, Sequence
from functools import lru_cache, reduce
from math import log, prod
from operator import add, attrgetter, mul

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_poly

from ..errors import RebatchError

# (values of the variables, whether the integrator asks for a proof of analyticity) -> value
Evaluator = Callable[[Sequence[acb], bool], acb]

_MAX_BITS = 4096
_MAX_SEPARATION_BITS = 60_000

# SymPy's function -> the method of balls; log and sqrt, which have a branch cut, are apart.
_FUNCTIONS: dict[type[sp.Basic], str] = {
    sp.exp: "exp",
    sp.sin: "sin",
    sp.cos: "cos",
    sp.tan: "tan",
    sp.sinh: "sinh",
    sp.cosh: "cosh",
    sp.tanh: "tanh",
    sp.erf: "erf",
    sp.erfc: "erfc",
    sp.erfi: "erfi",
    sp.asin: "asin",
    sp.atan: "atan",
}
_BOUNDED_BY_ONE = (sp.sin, sp.cos, sp.tanh, sp.erf)
_ATOMS: dict[sp.Expr, Callable[[], arb | acb]] = {
    sp.pi: arb.pi,
    sp.E: lambda: arb(1).exp(),
    sp.EulerGamma: arb.const_euler,
    sp.I: lambda: acb(0, 1),
}


def evaluator(expr: sp.Expr, variables: Sequence[sp.Symbol]) -> Evaluator:
    """Return a function that evaluates an analytic expression on balls, at the precision of the moment.

    On complex balls, and on real ones where the expression has no constant i and asks for no proof. The sign of a
    ball that holds 0 is [-1, 1], and not finite where a proof of analyticity is asked for.

    Raises
    ------
    RebatchError
        If the expression holds a function that has no ball arithmetic here.
    """
    return _compiled(expr, {symbol: i for i, symbol in enumerate(variables)})


def _compiled(expr: sp.Expr, positions: dict[sp.Symbol, int]) -> Evaluator:
    if expr in positions:
        position = positions[expr]
        return lambda x, _: x[position]
    if expr.is_number:
        real = not expr.has(sp.I)
        return lambda _x, _a: _constant(expr, ctx.prec).real if real else _constant(expr, ctx.prec)
    return _node(expr, positions)


def _node(expr: sp.Expr, positions: dict[sp.Symbol, int]) -> Evaluator:
    """Compile the outermost operation of an expression."""
    if expr.is_Pow:
        return _power(expr, positions)
    arguments = [_compiled(a, positions) for a in expr.args]
    if expr.is_Add:
        return lambda x, a: reduce(add, (f(x, a) for f in arguments))
    if expr.is_Mul:
        return lambda x, a: reduce(mul, (f(x, a) for f in arguments))
    if isinstance(expr, sp.log):
        inner = arguments[0]
        return lambda x, a: inner(x, a).log(analytic=True) if a else inner(x, a).log()
    if isinstance(expr, sp.sign):
        inner = arguments[0]
        return lambda x, a: (
            value.real_sgn(analytic=a) if isinstance(value := inner(x, a), acb) else value.sgn()
        )
    if expr.func in _FUNCTIONS:
        function, inner = attrgetter(_FUNCTIONS[expr.func]), arguments[0]
        if expr.func in _BOUNDED_BY_ONE:
            return lambda x, a: _within_one(function(inner(x, a))())
        return lambda x, a: function(inner(x, a))()
    raise RebatchError(f"no rigorous evaluation of {expr.func.__name__} in {expr}")


def _within_one(value: acb) -> acb:
    """Return a value on the real line that is bounded by 1, for arguments of any width."""
    return arb(0, 1) if isinstance(value, arb) and not value.is_finite() else value


def _power(expr: sp.Expr, positions: dict[sp.Symbol, int]) -> Evaluator:
    """Return the evaluator of base^exponent, analytic where the exponent allows it."""
    base, exponent = _compiled(expr.base, positions), expr.exp
    if exponent.is_Integer:
        n = int(exponent)
        return lambda x, a: base(x, a) ** n
    if exponent.is_Rational and exponent.q == 2:
        n = int(exponent.p)
        return lambda x, a: (base(x, a).sqrt(analytic=True) if a else base(x, a).sqrt()) ** n
    if exponent.is_Rational and exponent > 0:
        return _root(base, arb(fmpq(int(exponent.p), int(exponent.q))))
    power = _compiled(exponent, positions)
    return lambda x, a: (power(x, a) * (base(x, a).log(analytic=True) if a else base(x, a).log())).exp()


def _root(base: Evaluator, exponent: arb) -> Evaluator:
    """Return a positive power, also of a ball that holds 0, where it has no derivative."""

    def power(x: Sequence[acb], analytic: bool) -> acb:
        value = base(x, analytic)
        if not analytic and value.contains(0):
            bound = value.abs_upper() ** exponent
            ball = arb(0, bound.upper()) if bound > 0 else arb(0)
            return ball if isinstance(value, arb) else acb(ball, ball)
        return (exponent * (value.log(analytic=True) if analytic else value.log())).exp()

    return power


@lru_cache(maxsize=4096)
def _constant(expr: sp.Expr, bits: int) -> acb:
    """Return the ball of a constant; `bits` is the working precision of the moment, and the key of the cache."""
    if expr.is_Rational:
        return acb(arb(fmpq(int(expr.p), int(expr.q))))
    if isinstance(expr, sp.CRootOf):
        coefficients = [fmpq(int(c.p), int(c.q)) for c in reversed(expr.poly.all_coeffs())]
        roots = [root.real for root, _ in fmpq_poly(coefficients).complex_roots() if root.imag == 0]
        return acb(sorted(roots, key=lambda root: root.mid().fmpq())[expr.index])
    if expr in _ATOMS:
        return acb(_ATOMS[expr]())
    return _node(expr, {})((), False)


def constant_ball(expr: sp.Expr, bits: int = 128) -> arb:
    """Return a ball that contains the real constant `expr`, computed with `bits` bits.

    Examples
    --------
    >>> constant_ball(sp.erf(1) - sp.exp(-1)) > 0
    True
    """
    with ctx.workprec(bits):
        return _constant(expr, bits).real


def is_zero_constant(expr: sp.Expr) -> bool | None:
    """Whether an exact real constant vanishes; None where neither is proved. Always terminates.

    Not zero: a ball of up to 4096 bits excludes 0. Zero: as a combination of transcendental monomials (products of
    powers of e, pi, erf, asin …) every algebraic coefficient vanishes, each by a separation bound.
    """
    if expr.is_Rational:
        return bool(expr == 0)
    if not constant_ball(expr).contains(0):
        return False
    if all(map(_is_algebraic_zero, _collected(expr).values())):
        return True
    for bits in (512, _MAX_BITS):
        if not constant_ball(expr, bits).contains(0):
            return False
    return None


def is_positive_constant(expr: sp.Expr) -> bool | None:
    """Whether an exact real constant is positive; None where its sign is not proved."""
    if is_zero_constant(expr):
        return False
    for bits in (128, 512, _MAX_BITS):
        ball = constant_ball(expr, bits)
        if ball > 0:
            return True
        if ball < 0:
            return False
    return None


def _collected(expr: sp.Expr) -> dict[sp.Expr, sp.Expr]:
    """Return transcendental monomial -> algebraic coefficient, of the expanded constant."""
    coefficients: dict[sp.Expr, sp.Expr] = {}
    for term in sp.Add.make_args(sp.expand(expr)):
        algebraic, rest = sp.sift(sp.Mul.make_args(term), _is_algebraic, binary=True)
        monomial = sp.Mul(*rest)
        coefficients[monomial] = coefficients.get(monomial, 0) + sp.Mul(*algebraic)
    return coefficients


def _is_algebraic(expr: sp.Expr) -> bool:
    """Whether the separation bound can read it: integers, + - * /, roots, and zeros of polynomials."""
    if expr.is_Rational or isinstance(expr, sp.CRootOf):
        return True
    if expr.is_Add or expr.is_Mul:
        return all(map(_is_algebraic, expr.args))
    if isinstance(expr, sp.cos | sp.sin | sp.tan):
        return (expr.args[0] / sp.pi).is_Rational is True
    return bool(expr.is_Pow and expr.exp.is_Rational and _is_algebraic(expr.base))


def _is_algebraic_zero(expr: sp.Expr) -> bool:
    """Whether a constant is proved to be 0: algebraic, and below its separation bound."""
    if expr.is_Rational:
        return bool(expr == 0)
    if not _is_algebraic(expr):
        return False
    roots: dict[sp.Expr, int] = {}
    log_u, log_l = _separation(expr, roots)
    degree = prod(roots.values())
    bits = ((degree - 1) * log_u + log_l) / log(2) + 64
    if bits > _MAX_SEPARATION_BITS:
        return False
    # Below the bound only 0 is left: the ball is at most half of it wide.
    ball = constant_ball(expr, int(bits) + 128)
    return bool(ball.contains(0) and ball.abs_upper() < arb(2) ** -int(bits))


def _separation(expr: sp.Expr, roots: dict[sp.Expr, int]) -> tuple[float, float]:
    """Return (log u, log l) of [BFMSS01], here u and v, and collect the distinct roots with their degrees.

    The cosine of a rational multiple of pi is one more kind of leaf: 2 cos(2 pi k / n) is an algebraic integer whose
    conjugates are at most 2, in the field of the n-th roots of unity, of degree phi(n). So is a zero of a polynomial
    of integers: c times it, c the leading one, is an algebraic integer whose conjugates are at most c + max |c_j|
    (Cauchy).
    """
    if expr.is_Rational:
        return log(max(1, abs(int(expr.p)))), log(int(expr.q))
    if isinstance(expr, sp.CRootOf):
        lead, *others = (abs(int(c)) for c in expr.poly.all_coeffs())
        roots[expr] = int(expr.poly.degree())
        return log(lead + max(others)), log(lead)
    if expr.is_Pow:
        u, v = _separation(expr.base, roots)
        p, q = int(expr.exp.p), int(expr.exp.q)
        if q > 1:
            roots[sp.Pow(expr.base, sp.Rational(1, q), evaluate=False)] = q
            u, v = ((u + (q - 1) * v) / q, v) if u >= v else (u, ((q - 1) * u + v) / q)
        if p < 0:
            u, v = v, u
        return abs(p) * u, abs(p) * v
    if isinstance(expr, sp.cos | sp.sin | sp.tan):
        # With sin(x) = cos(x - pi/2) and a quotient of both in one field: 4 times the denominator serves all of them.
        n = 4 * int((expr.args[0] / sp.pi).q)
        field = sp.exp(2 * sp.pi * sp.I / n, evaluate=False)
        roots[field] = int(sp.totient(n))
        return log(2), log(2)
    bounds = [_separation(part, roots) for part in expr.args]
    if expr.is_Mul:
        return sum(u for u, _ in bounds), sum(v for _, v in bounds)
    total_l = sum(v for _, v in bounds)
    return max(u - v for u, v in bounds) + total_l + log(len(bounds)), total_l


def _arb(mid: tuple[int, int] | str, rad: tuple[int, int] | str) -> arb:
    """Return the ball of these bits: the precision of the moment does not round them."""
    return arb(mid, rad)


def _acb(real: arb, imag: arb) -> acb:
    return acb(real, imag)


def _bits(value: arb) -> tuple[int, int] | str:
    """Return an exact number as its bits, or as a text where it is infinite or none."""
    if value.is_finite():
        mantissa, exponent = value.man_exp()
        return int(mantissa), int(exponent)
    return "inf" if value > 0 else "-inf" if value < 0 else "nan"


# Balls travel to other processes, and copies are made of answers that hold them; the library says of neither how.
copyreg.pickle(arb, lambda ball: (_arb, (_bits(ball.mid()), _bits(ball.rad()))))
copyreg.pickle(acb, lambda ball: (_acb, (ball.real, ball.imag)))
