"""E[F(t) exp(e(t)) He_n(t); a < t < b], t ~ N(0, 1), as a ball that provably contains it.

[a, b], cut to [-R, R], is integrated with Arb's adaptive Gauss-Legendre quadrature (`acb.integral`, Petras'
algorithm), whose error bounds are proved from the values on complex balls; what lies beyond R is bounded by a
majorant (`tail.py`). Kinks are signs sign(u(t)) in F: between proved zeros of u (`zeros.py`) they are constants; the
narrow cells around the zeros contribute a ball of values times the width.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from functools import lru_cache
from math import factorial, inf

import numpy as np
import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpz_poly

from ..exact.ball import Evaluator, constant_ball, evaluator
from ..exact.effort import Memory
from ..exact.integral import integral
from ..language.symbols import hermite_powers
from .tail import Majorant, T, UnboundedError, larger_of, majorant, without_cancellation
from .zeros import signs

# A real symbol: on it odd and even functions show.
LINE = sp.Symbol("t", real=True)

_MAX_REACH = 4000
_MAX_EVALUATIONS = 200_000
# Coefficients of an exponent beyond it call for the centred form, and for more bits.
_STEEP = 1000
# An exponent whose greatest value is beyond it is shifted.
_HIGH = 30


class LineIntegral:
    """The table n -> E[F(t) exp(growth + i phase) He_n(t); a < t < b]; each entry is computed when asked for.

    Parameters
    ----------
    F : sympy.Expr
        A function of `LINE`.
    growth, phase : sympy.Expr
        Real polynomials in `LINE`.
    a, b : sympy.Expr or None
        The ends of the interval; None for an infinite one.

    Raises
    ------
    RebatchError
        If a function in F has no rigorous evaluation.
    """

    def __init__(
        self, F: sp.Expr, growth: sp.Expr, phase: sp.Expr, a: sp.Expr | None, b: sp.Expr | None
    ) -> None:
        self._given = F
        F = F.replace(lambda u: u.is_Add, lambda u: without_cancellation(u) or u)
        self.F, self.growth, self.phase, self.a, self.b = F, growth, phase, a, b
        self._evaluators = {F: evaluator(F, [LINE])}
        # The exponent is integrated less its greatest value: tolerances are about 1.
        self._height = _height(growth - LINE**2 / 2, a, b) if growth != 0 else sp.Integer(0)
        exponent = growth + sp.I * phase - LINE**2 / 2 - self._height
        self._exponent = _exponent(exponent)
        # What its terms cancel.
        self._cancelled = max(_bits(c) for c in sp.Poly(exponent, LINE).all_coeffs())
        self._parity = _parity(F, growth) if a is None and b is None and phase == 0 else 0
        self._majorants: dict[int, Majorant] = {}
        self._known: Memory[acb] = Memory()

    def require_decay(self, n: int) -> None:
        """Check that the n-th entry exists.

        Raises
        ------
        UnboundedError
            If that is not shown.
        """
        for side, end in ((1, self.b), (-1, self.a)):
            if end is None:
                self._reach(side, n, arb(1))

    def _majorant(self, far_out: dict[sp.Expr, sp.Expr]) -> Majorant:
        """Return that of F with what cancels carried out, or of F as it is given: the one that grows less."""
        reasons, bounds = [], []
        for form in dict.fromkeys((self.F, self._given)):
            try:
                bounds.append(majorant(form.xreplace(far_out)))
            except UnboundedError as error:
                reasons.append(error)
        if not bounds:
            raise reasons[0]
        return min(bounds, key=lambda bound: sum(larger_of(other, bound) is bound for other in bounds))

    def value(self, n: int, digits: int) -> acb:
        """Return the ball of the n-th entry, to a relative accuracy of 10^-digits where it is not 0.

        A value that cannot be told from 0 comes as a ball around 0 that is 10^(-2 digits) sqrt(n!) wide or less.
        Where more zeros of a kink's argument crowd than can be separated, the ball is wider.

        Raises
        ------
        UnboundedError
            If the tail could not be bounded.
        """
        if self._parity and self._parity * (-1) ** n < 0:
            # Odd, and 0 if it exists at all.
            self.require_decay(n)
            return acb(0)
        ball = self._known.get((n, digits), lambda: self._value(n, digits))
        return ball * constant_ball(sp.exp(self._height), ctx.prec) if self._height else ball

    def _value(self, n: int, digits: int) -> acb:
        """Return the n-th Hermite average to so many digits relative to its size, or as near as it can be had."""
        bits = int(digits * 3.33) + 8
        scale = arb(factorial(n)).sqrt()
        tolerance = scale * arb(2) ** -bits
        ball = self._integral(n, tolerance, bits)
        for deeper in (bits, 2 * bits):
            size, width = abs(ball.mid()), arb(ball.real.rad()) + arb(ball.imag.rad())
            if width <= size * arb(2) ** -bits:
                return ball
            goal = arb(size.mid()) if size > width else arb(2) ** -deeper * scale
            tolerance = (goal * arb(2) ** -(bits + 4)).mid()
            narrower = self._integral(n, tolerance, bits + deeper)
            if not arb(narrower.real.rad()) + arb(narrower.imag.rad()) < width / 2:
                break
            ball = narrower
        return ball

    def _integral(self, n: int, tolerance: arb, bits: int) -> acb:
        """Return an enclosure of E[F He_n] whose radius is about the tolerance."""
        # He_n cancels by up to the size of its coefficients.
        coefficients = hermite_powers(n)
        working = bits + 40 + max(abs(c).bit_length() for c in coefficients) + self._cancelled
        with ctx.workprec(working):
            He = fmpz_poly(list(coefficients))
            norm = 1 / (2 * arb.pi()).sqrt()

            def over(F: sp.Expr, a: arb, b: arb) -> acb:
                evaluate, width = self._evaluator(F), b - a

                def f(x: acb, analytic: bool) -> acb:
                    t = a + width * x
                    weight = self._exponent(t).exp() * He(t) * norm * width
                    return evaluate((t,), analytic) * weight

                # The weight and the callback take as long as some ten operations.
                units = (10 + sum(1 for _ in sp.preorder_traversal(F))) * (1 + working // 256)
                if F.has(sp.sign):
                    return f(acb(arb(fmpq(1, 2), 0.5)), False)
                return integral(
                    f, tolerance / 4, arb(2) ** -working, evaluations=_MAX_EVALUATIONS, units=units
                )

            total = acb(0)
            halves = self._pieces(n, tolerance)
            # An even integrand is twice what it is on one side; an odd one does not come here.
            sides = 2 if self._parity else 1
            for a, b, left_out in halves[: len(halves) // sides]:
                total += sum((over(*cell) for cell in _between_zeros(self.F, a, b)), acb(0))
                total += acb(arb(0, left_out.upper()), arb(0, left_out.upper() if self.phase != 0 else 0))
            total *= sides
            return total if self.phase != 0 else acb(total.real)

    def _evaluator(self, F: sp.Expr) -> Evaluator:
        if F not in self._evaluators:
            self._evaluators[F] = evaluator(F, [LINE])
        return self._evaluators[F]

    def _pieces(self, n: int, tolerance: arb) -> list[tuple[arb, arb, arb]]:
        """Return (from, to, bound of what is left out beyond), the whole line in two pieces."""
        a = None if self.a is None else constant_ball(self.a, ctx.prec)
        b = None if self.b is None else constant_ball(self.b, ctx.prec)
        if a is not None and b is not None:
            return [(a, b, arb(0))]
        if a is not None:
            R, left_out = self._reach(1, n, tolerance)
            return [(a, R + abs(a).upper(), left_out)]
        if b is not None:
            R, left_out = self._reach(-1, n, tolerance)
            return [(-R - abs(b).upper(), b, left_out)]
        right, beyond = self._reach(1, n, tolerance)
        left, before = self._reach(-1, n, tolerance)
        return [(arb(0), right, beyond), (-left, arb(0), before)]

    def _reach(self, side: int, n: int, tolerance: arb) -> tuple[arb, arb]:
        """Return R such that the tail beyond side * R is below the tolerance, and a bound of it."""
        if side not in self._majorants:
            growth = sp.expand(self.growth.xreplace({LINE: side * T})) - self._height
            self._majorants[side] = self._majorant({LINE: side * T}) * majorant(sp.exp(growth))
        hermite = Majorant(arb(sum(map(abs, hermite_powers(n)))), n=Fraction(n))
        return _reach(self._majorants[side] * hermite, tolerance / 8)


def _between_zeros(F: sp.Expr, a: arb, b: arb) -> Iterator[tuple[sp.Expr, arb, arb]]:
    """Yield (F with its signs as constants, from, to) over [a, b]; signs that are not known there stay in F."""
    innermost = (s for s in F.atoms(sp.sign) if not s.args[0].has(sp.sign))
    sign = min(innermost, key=str, default=None)
    if sign is None:
        yield F, a, b
        return
    cells = signs(sign.args[0], LINE, a, b)
    for i, cell in enumerate(cells):
        start, end = a if i == 0 else cell.a, b if i == len(cells) - 1 else cell.b
        if cell.sign:
            yield from _between_zeros(F.xreplace({sign: sp.Integer(cell.sign)}), start, end)
        else:
            yield F, start, end


@lru_cache(maxsize=512)
def line_integral(
    F: sp.Expr, growth: sp.Expr, phase: sp.Expr, a: sp.Expr | None, b: sp.Expr | None
) -> LineIntegral:
    """Return the table of these integrals, the same one for the same arguments."""
    return LineIntegral(F, growth, phase, a, b)


def _height(e: sp.Expr, a: sp.Expr | None, b: sp.Expr | None) -> sp.Integer:
    """Return the greatest value of a real polynomial between a and b, about; 0 where that is small."""
    polynomial = sp.Poly(e, LINE)
    coefficients = [float(c) for c in polynomial.all_coeffs()]
    ends = [end for end in (a, b) if end is not None]
    low, high = (float(x) for x in (-inf if a is None else a, inf if b is None else b))
    stationary = map(complex, np.roots(np.polyder(coefficients)) if np.all(np.isfinite(coefficients)) else ())
    inside = [x.real for x in stationary if abs(x.imag) <= 1e-6 * abs(x) and low < x.real < high]
    values = [polynomial.eval(x) for x in (*ends, *map(sp.Rational, inside))]
    heights = [constant_ball(sp.sympify(value)) for value in values]
    highest = max((ball.mid() for ball in heights if ball.is_finite()), default=arb(0))
    return sp.Integer(int(highest.fmpq().floor())) if abs(highest) > _HIGH else sp.Integer(0)


def _exponent(e: sp.Expr) -> Callable[[acb], acb]:
    """Return a polynomial as a function of balls; a steep one as e(m) + e'(x) (x - m), m the middle of x.

    Plain evaluation loses what the terms of a steep polynomial cancel, and a narrow peak would take 1 / width balls.
    """
    f = evaluator(e, [LINE])
    if not any(map(_bits, sp.Poly(e, LINE).all_coeffs())):
        return lambda x: f((x,), False)
    slope = evaluator(sp.diff(e, LINE), [LINE])

    def centred(x: acb) -> acb:
        middle = x.mid()
        return f((middle,), False) + slope((x,), False) * (x - middle)

    return centred


def _bits(c: sp.Expr) -> int:
    """Return the bits before the point of a coefficient, if it is steep, else 0."""
    size = evaluator(c, [])([], False)
    size = abs(size).upper()
    return int(size.fmpq().floor()).bit_length() if size > _STEEP else 0


def _parity(F: sp.Expr, growth: sp.Expr) -> int:
    """Return 1 for an even, -1 for an odd integrand, 0 where neither is seen."""
    mirror = {LINE: -LINE}
    if sp.expand(growth.xreplace(mirror) - growth) != 0:
        return 0
    mirrored = F.xreplace(mirror)
    if mirrored == F or sp.expand(mirrored - F) == 0:
        return 1
    return -1 if mirrored == -F or sp.expand(mirrored + F) == 0 else 0


def _reach(bound: Majorant, tolerance: arb) -> tuple[arb, arb]:
    """Return the least integer R with a tail below the tolerance, and that tail."""
    R = 2
    while R <= _MAX_REACH:
        tail = bound.tail(arb(R))
        if tail is not None and tail < tolerance:
            return arb(R), tail
        R += 1 if R < 60 else R // 8
    raise UnboundedError(f"its tail is not below {float(tolerance):.1e} at {_MAX_REACH}")
