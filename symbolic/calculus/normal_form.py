"""From a SymPy expression to its normal form (the algebra of `algebra.py`): which function becomes what.

    sin, cos, sinh, cosh           exponentials                 Abs(f) = f sign(f)
    sign(f)                        2 H - 1 for linear f; the product over real roots for a polynomial of one direction
    Heaviside(f) = (1 + sign f)/2  Max(a, b) = a + (b - a) Heaviside(b - a)
    erf(u.z - b) = 2 N - 1         sqrt(f^2) = |f|
    1/(e^a + e^b) = e^-m / (2 cosh w), log(e^a + e^b) = m + log(2 cosh w), m = (a + b)/2, w = (a - b)/2

The last line shows the parity of sigmoid, silu and softplus. Everything else stands for itself.
"""

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from operator import mul
from typing import TypeVar

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..errors import RebatchError, TooLargeError
from ..exact.ball import is_zero_constant
from ..exact.effort import spend
from ..exact.polynomial import rational, to_fmpq
from .algebra import Algebra, Direction, Element, Kind, OutOfSlotsError, Slot
from .dominance import divided, dominant
from .ranges import range_of
from .thin import has_thin_zeros

_FIRST_SLOTS = 10
_MAX_SLOTS = 400
# Two branches are read, expressions among them.
_BRANCH = 3000
_PER_GENERATOR = 25
# Trial division only beyond it: what is left is then one root, whose zeros show by a separation bound.
_MAX_FACTORED = 2**80
_KINKS = (sp.Abs, sp.Max, sp.Min, sp.Heaviside, sp.Piecewise)
_ODD_INCREASING = (sp.tanh, sp.sinh, sp.erf, sp.atan)

T = TypeVar("T")


def in_normal_form(coordinates: Sequence[sp.Symbol], compute: "Callable[[Reader], T]") -> T:
    """Return compute(reader), in an algebra large enough for it.

    Raises
    ------
    TooLargeError
        If it needs more than 400 constants, steps and functions.
    """
    return Readers(coordinates).ask(compute)


class Readers:
    """A reader that is kept from one question to the next, until one of them needs a larger algebra."""

    def __init__(self, coordinates: Sequence[sp.Symbol]) -> None:
        self._coordinates, self._slots = coordinates, _FIRST_SLOTS
        self._reader = Reader(Algebra(coordinates, _FIRST_SLOTS))

    def ask(self, compute: "Callable[[Reader], T]") -> T:
        """Return compute(reader).

        Raises
        ------
        TooLargeError
            If it needs more than 400 constants, steps and functions.
        """
        while True:
            try:
                return compute(self._reader)
            except OutOfSlotsError:
                if 2 * self._slots > _MAX_SLOTS:
                    raise TooLargeError(
                        f"the target has over {_MAX_SLOTS} constants, kinks and functions, the most that is allowed"
                    ) from None
                self._slots *= 2
                self._reader = Reader(Algebra(self._coordinates, self._slots))


class Reader:
    """Reads expressions into one algebra, each once."""

    def __init__(self, algebra: Algebra) -> None:
        self.algebra = algebra
        self._elements: dict[sp.Expr, Element] = {}
        self._readers: dict[type[sp.Basic], Callable[[Element, sp.Expr], Element]] = {
            sp.sign: self.sign,
            sp.Abs: lambda f, e: f * self.sign(f, e),
            sp.Heaviside: self.indicator,
            sp.erf: self._erf,
            sp.erfc: lambda f, e: algebra.constant(1) - self._erf(f, e),
            sp.sin: lambda f, e: self._circular(f, e, sp.sin),
            sp.cos: lambda f, e: self._circular(f, e, sp.cos),
            sp.sinh: lambda f, e: self._circular(f, e, sp.sinh),
            sp.cosh: lambda f, e: self._circular(f, e, sp.cosh),
            sp.tanh: self._tanh,
            sp.log: self._log,
        }

    def element(self, expr: sp.Expr) -> Element:
        """Return the normal form of an expression in the coordinates of the algebra."""
        known = self._elements.get(expr)
        if known is None:
            known = self._elements[expr] = self._read(expr)
        return known

    def _read(self, expr: sp.Expr) -> Element:
        """Read one node of an expression."""
        algebra = self.algebra
        if expr.is_Rational:
            return algebra.constant(to_fmpq(expr))
        if expr in algebra.coordinates:
            return algebra.of(algebra.z[algebra.coordinates.index(expr)])
        if expr is sp.I:
            return algebra.of(algebra.generators[algebra.k])
        if expr.is_Add:
            return Element(algebra, (part for a in expr.args for part in self.element(a).parts.values()))
        if expr.is_Mul:
            return reduce(mul, map(self.element, expr.args))
        if expr is sp.pi:
            return self._power(sp.pi, sp.Integer(1))
        if expr is sp.E or expr.is_Pow or isinstance(expr, sp.exp):
            return self._power(*(expr.as_base_exp() if expr is not sp.E else (sp.E, sp.Integer(1))))
        if isinstance(expr, sp.Max | sp.Min):
            return self._extremum(expr)
        if isinstance(expr, sp.Piecewise):
            return self._piecewise(expr)
        if not expr.args or isinstance(expr, sp.CRootOf):
            return self.itself(expr)
        read = self._readers.get(expr.func, lambda f, e: self._function(f, e, expr.func))
        argument = expr.args[0]
        return self._split(self.element(argument), argument, read)

    def _split(self, f: Element, expr: sp.Expr, function: Callable[[Element, sp.Expr], Element]) -> Element:
        """Return F(f), branch by branch of the steps in f; `function` takes a branch and its expression."""
        algebra = self.algebra
        step = next((j for j in algebra.used(f) if algebra.slots[j].kind == "step"), None)
        if step is None:
            return function(f, expr)
        spend(_BRANCH + _PER_GENERATOR * len(algebra.generators))
        H = algebra.of(algebra.generators[step])
        total = algebra.constant(0)
        for indicator, value in ((H, 1), (algebra.constant(1) - H, 0)):
            branch = algebra.with_steps(f, {step: value})
            total = total + indicator * self._split(branch, algebra.to_expr(branch), function)
        return total

    def _function(self, f: Element, expr: sp.Expr, function: type[sp.Function]) -> Element:
        """Return a function that stands for itself, its argument written in one way."""
        value = function(self._written(f, expr))
        if value.func is not function:
            return self.element(value)
        origin = function(expr)
        return self.itself(value, origin if origin.func is function else None)

    def _written(self, f: Element, expr: sp.Expr) -> sp.Expr:
        """Return the argument of a function in one way, with the sign as the only kink."""
        return self.algebra.to_expr(f) if f.polynomial() is not None or expr.has(*_KINKS) else expr

    def itself(self, expr: sp.Expr, origin: sp.Expr | None = None) -> Element:
        """Return a function of z or a constant as a generator; an odd function has given up its sign."""
        algebra = self.algebra
        if expr.is_number:
            return algebra.of(algebra.slot(("constant", expr), Slot("constant", expr)))
        directions: list[Direction] = []
        for argument in expr.args:
            for d in algebra.directions(self.element(argument)):
                if not any(algebra.parallel(d, other) for other in directions):
                    directions.append(d)
        # sign^2 is 1 only where the argument vanishes on a null set at most.
        squares = isinstance(expr, sp.sign) and has_thin_zeros(expr.args[0])
        order, power = (2, fmpq(1)) if squares else (0, fmpq(0))
        return algebra.of(
            algebra.slot(
                ("opaque", expr),
                Slot("opaque", expr, order, power, directions=tuple(directions), origin=origin),
            )
        )

    def _power(self, base: sp.Expr, exponent: sp.Expr) -> Element:
        """Read base^exponent, each kind of it as the function or the product that it is."""
        if base is sp.E:
            return self._split(self.element(exponent), exponent, self._exponential)
        if exponent.is_Integer and exponent > 0 and base is not sp.pi:
            return self.element(base) ** int(exponent)
        if base.is_number and not exponent.is_number:
            return self.element(sp.exp(exponent * sp.log(base)))
        if base is sp.pi and exponent.is_Rational and exponent.q <= 2:
            return self.algebra.of(self._pi(1 if exponent > 0 else -1) ** int(abs(exponent) * 2))
        if base.is_Rational and base > 0 and exponent.is_Rational:
            return self.algebra.of(self._radical(base, exponent))
        if exponent.is_Rational:
            # u**(p/q) as the p-th power of one function, so that powers of a target meet.
            unit = sp.Rational(1, exponent.q) * (1 if exponent > 0 else -1)
            power = abs(int(exponent.p))
            return self._split(
                self.element(base),
                base,
                lambda f, e: (
                    self._unit_power(f, e if e is base else self._positive(f, e, unit), unit) ** power
                ),
            )
        return self.itself(base**exponent)

    def _positive(self, f: Element, expr: sp.Expr, exponent: sp.Rational) -> sp.Expr:
        """Return |f| for a root of f on the cell where it is positive, as |z1 z2| for z1 z2: defined on all cells.

        Functions of one direction are integrated cell by cell, where that is not needed, but for a monomial: there
        the cells on both sides of 0 meet in one function.
        """
        P = f.polynomial()
        if exponent.q == 1 or (P is not None and len(P) > 1 and len(self.algebra.directions(f)) == 1):
            return expr
        return expr * sp.sign(expr)

    def _exponential(self, f: Element, expr: sp.Expr) -> Element:
        E = self._polynomial(f)
        if E is None or any(self.algebra.slots[j].kind != "constant" for j in self.algebra.used(f)):
            return self.itself(sp.exp(self._written(f, expr)))
        return Element(self.algebra, [(E, self.algebra.one)])

    def _pi(self, sign: int) -> fmpq_mpoly:
        """Return sqrt(pi), or 1/sqrt(pi)."""
        return self.algebra.slot(("pi", sign), Slot("constant", sp.pi ** sp.Rational(sign, 2)))

    def _radical(self, base: sp.Rational, exponent: sp.Rational) -> fmpq_mpoly:
        """Return base**exponent over roots of primes, which are independent: zeros show."""
        result = self.algebra.one
        for prime, multiplicity in _factored(base).items():
            power = multiplicity * exponent
            whole = int(sp.floor(power))
            rest = power - whole
            result = result * (fmpq(int(prime)) ** whole)
            if rest:
                root = Slot("constant", sp.Pow(prime, sp.Rational(1, rest.q)), int(rest.q), fmpq(int(prime)))
                result = result * self.algebra.slot(("root", prime, rest.q), root) ** int(rest.p)
        return result

    def _unit_power(self, f: Element, expr: sp.Expr, exponent: sp.Rational) -> Element:
        """Return f**exponent for the exponents 1/q and -1/q; a logistic function by its odd part tanh."""
        algebra = self.algebra
        if exponent == -1:
            if len(f.parts) == 1:
                E, P = next(iter(f.parts.values()))
                if P.is_constant():
                    return Element(algebra, [(E * -1, algebra.one * (1 / P.leading_coefficient()))])
            if (cosh := self._as_cosh(f)) is not None:
                factor, centre, w = cosh
                S = algebra.generators[algebra.hyperbolic(w).sech]
                inverse = Element(algebra, [(centre * -1, algebra.one * (1 / factor))])
                return inverse * algebra.of(S)
        if exponent == fmpq(1, 2) and (P := f.polynomial()) is not None:
            root = self._root(P)
            if root is not None:
                return root
        if (E := dominant(f)) is not None and E != 0:
            rest = divided(f, E)
            power = self._unit_power(rest, algebra.to_expr(rest), exponent)
            return Element(algebra, [(E * to_fmpq(exponent), algebra.one)]) * power
        value = (expr if expr.has(sp.sign) else self._written(f, expr)) ** exponent
        return (
            self.itself(value, expr**exponent)
            if value.is_Pow and value.exp == exponent
            else self.element(value)
        )

    def _as_cosh(self, f: Element) -> tuple[fmpq, fmpq_mpoly, fmpq_mpoly] | None:
        """Return (c, m, w) of f = c exp(m) cosh(w) if f is c/2 (exp(m + w) + exp(m - w)), w a polynomial in z."""
        algebra = self.algebra
        if len(f.parts) != 2:
            return None
        (E, P), (F, R) = f.parts.values()
        half = algebra.one * fmpq(1, 2)
        w = algebra.reduced((E - F) * half)
        if not (P.is_constant() and P == R and algebra.is_real_polynomial(w)):
            return None
        if w.leading_coefficient() < 0:
            w = w * -1
        return P.leading_coefficient() * 2, algebra.reduced((E + F) * half), w

    def _tanh(self, f: Element, expr: sp.Expr) -> Element:
        w = self._polynomial(f)
        if w is None or w == 0 or not self.algebra.is_real_polynomial(w):
            return self._function(f, expr, sp.tanh)
        sign = 1 if w.leading_coefficient() > 0 else -1
        T = self.algebra.generators[self.algebra.hyperbolic(w * sign).tanh]
        return self.algebra.of(T * sign)

    def _root(self, P: fmpq_mpoly) -> Element | None:
        """Return the square root of a polynomial whose factors are all squares: the root of a square is |f|."""
        algebra = self.algebra
        if not algebra.is_real_polynomial(P):
            return None
        content, factors = P.factor()
        if content < 0 or any(multiplicity % 2 for _, multiplicity in factors):
            return None
        root = sp.sqrt(rational(content))
        for factor, multiplicity in factors:
            root = root * sp.Abs(algebra.constant_expr(factor)) ** int(multiplicity // 2)
        return self.element(root)

    def _circular(self, f: Element, expr: sp.Expr, function: type[sp.Function]) -> Element:
        """Return sin, cos, sinh or cosh through (e^w ± e^-w)/2."""
        E = self._polynomial(f)
        if E is None or any(self.algebra.slots[j].kind != "constant" for j in self.algebra.used(f)):
            return self._function(f, expr, function)
        algebra = self.algebra
        i = algebra.generators[algebra.k]
        w = algebra.reduced(E * i) if function in (sp.sin, sp.cos) else E
        half = algebra.one * fmpq(1, 2)
        if function is sp.sin:
            half = half * i * -1
        sign = -1 if function in (sp.sin, sp.sinh) else 1
        return Element(algebra, [(w, half), (w * -1, half * sign)])

    def _log(self, f: Element, expr: sp.Expr) -> Element:
        """Return log(f), less the exponent that outgrows the others, or by its even part."""
        if (E := dominant(f)) is not None:
            rest = divided(f, E)
            return self.algebra.of(E) + self._function(rest, self.algebra.to_expr(rest), sp.log)
        if (cosh := self._as_cosh(f)) is not None and cosh[0] > 0:
            factor, centre, w = cosh
            even = self.itself(sp.log(2 * sp.cosh(self.algebra.constant_expr(w))))
            constant = self.element(sp.log(rational(factor / 2)))
            return self.algebra.of(centre) + even + constant
        return self._function(f, expr, sp.log)

    def _erf(self, f: Element, expr: sp.Expr) -> Element:
        P = self._polynomial(f)
        affine = None if P is None else self.algebra.linear(P)
        if affine is None or not any(x != 0 for x in affine[0]):
            return self._function(f, expr, sp.erf)
        N = self._step(affine[0], affine[1] * -1, "smooth step")
        return N + N - self.algebra.constant(1)

    def indicator(self, f: Element, expr: sp.Expr) -> Element:
        """Return 1{f > 0}, up to sets of measure zero."""
        return (self.algebra.constant(1) + self.sign(f, expr)).scaled(self.algebra.one * fmpq(1, 2))

    def sign(self, f: Element, expr: sp.Expr) -> Element:
        """Return the sign of f, branch by branch of its steps."""
        while expr.func in _ODD_INCREASING:
            expr = expr.args[0]
            f = self.element(expr)
        return self._split(f, expr, self._sign)

    def _sign(self, f: Element, expr: sp.Expr) -> Element:
        """Read sign(expr): a constant where the sign is known, else a function of its own."""
        algebra = self.algebra
        if f.is_zero():
            return f
        if (P := self._polynomial(f)) is None and len(f.parts) == 1:
            E, factor = next(iter(f.parts.values()))
            P = None if len(E) and E.degrees()[algebra.k] else factor
        if P is not None and (known := self._polynomial_sign(P)) is not None:
            return known
        if expr.is_number:
            return algebra.constant(1 if algebra.is_positive(algebra.one * 0 + self.plain(f)) else -1)
        if expr.is_Mul:
            signed, others = sp.sift(expr.args, lambda a: range_of(a).sign != 0, binary=True)
            if signed and others:
                rest = sp.Mul(*others)
                return self.sign(self.element(rest), rest).scaled(
                    algebra.one * prod(range_of(a).sign for a in signed)
                )
        if sign := range_of(expr).sign or range_of(self._written(f, expr)).sign:
            return algebra.constant(sign)
        one_sided = next((s for s in (1, -1) if range_of(s * expr).nonnegative), 0)
        if one_sided and has_thin_zeros(expr):
            # Almost everywhere, as for z1^2 + z2^2.
            return algebra.constant(one_sided)
        return self._function(f, expr, sp.sign)

    def _polynomial_sign(self, P: fmpq_mpoly) -> Element | None:
        """Return the sign of a polynomial as the product over its factors; None if one of them is not understood."""
        algebra = self.algebra
        if (affine := algebra.linear(P)) is not None:
            return self._affine_sign(*affine)
        if any(d for j, d in enumerate(P.degrees()) if j >= algebra.k):
            return None
        content, factors = P.factor()
        total = algebra.constant(1 if content > 0 else -1)
        for factor, multiplicity in factors:
            if multiplicity % 2:
                sign = self._factor_sign(factor)
                if sign is None:
                    return None
                total = total * sign
        return total

    def _affine_sign(self, u: Direction, c: fmpq_mpoly) -> Element:
        if not any(x != 0 for x in u):
            return self.algebra.constant(1 if self.algebra.is_positive(c) else -1)
        H = self._step(u, c * -1, "step")
        return H + H - self.algebra.constant(1)

    def _factor_sign(self, factor: fmpq_mpoly) -> Element | None:
        """Return the sign of an irreducible polynomial over Q, if it is linear or has one direction."""
        algebra = self.algebra
        if (affine := algebra.linear(factor)) is not None:
            return self._affine_sign(*affine)
        directions = algebra.directions(algebra.of(factor))
        if len(directions) > 1:
            sign = range_of(algebra.constant_expr(factor)).sign
            return algebra.constant(sign) if sign else None
        (u,) = directions
        pivot = next(i for i, x in enumerate(u) if x != 0)
        direction = tuple(self.simplified(x * self.inverse(u[pivot])) for x in u)
        # The factor is a function of s = u.z with u_pivot = 1: read it along that axis.
        s = sp.Symbol("x")
        along = {int(e[pivot]): rational(c) for e, c in factor.to_dict().items() if sum(e) == e[pivot]}
        polynomial = sp.Poly(along, s)
        last = algebra.constant(1 if polynomial.LC() > 0 else -1)
        for root in polynomial.real_roots(multiple=True):
            H = self._step(direction, self.plain(self.element(root)), "step")
            # Right of every root the sign is that of the leading coefficient.
            last = last * (H + H - algebra.constant(1))
        return last

    def _extremum(self, expr: sp.Expr) -> Element:
        """Return Max or Min of several arguments: Max(a, b) = a + (b - a) 1{b > a}."""
        first, *rest = sorted(expr.args, key=lambda a: not a.is_number)
        value, value_expr = self.element(first), first
        for argument in rest:
            spend(_BRANCH + _PER_GENERATOR * len(self.algebra.generators))
            other = self.element(argument)
            above = self.indicator(other - value, argument - value_expr)
            low, high = (value, other) if isinstance(expr, sp.Max) else (other, value)
            value = low + (high - low) * above
            value_expr = expr.func(value_expr, argument)
        return value

    def _piecewise(self, expr: sp.Piecewise) -> Element:
        total, remaining = self.algebra.constant(0), self.algebra.constant(1)
        for value, condition in expr.args:
            holds = self._condition(condition)
            total = total + remaining * holds * self.element(value)
            remaining = remaining - remaining * holds
        if not remaining.is_zero():
            raise RebatchError(f"{expr} is not defined everywhere; its last case must hold for all z")
        return total

    def _condition(self, condition: sp.Basic) -> Element:
        """Return the indicator of a condition, up to sets of measure zero."""
        one = self.algebra.constant(1)
        if condition in (sp.true, sp.false):
            return self.algebra.constant(int(condition == sp.true))
        if isinstance(condition, sp.Not):
            return one - self._condition(condition.args[0])
        if isinstance(condition, sp.And):
            return reduce(mul, map(self._condition, condition.args))
        if isinstance(condition, sp.Or):
            return one - reduce(mul, (one - self._condition(a) for a in condition.args))
        if isinstance(condition, sp.Eq | sp.Ne):
            difference = condition.lhs - condition.rhs
            tie = self._split(self.element(difference), difference, lambda f, e: self._sided(f, e, 1, 0))
            return tie if isinstance(condition, sp.Eq) else one - tie
        difference = condition.gts - condition.lts
        at_zero = int(isinstance(condition, sp.Ge | sp.Le))
        return self._split(
            self.element(difference), difference, lambda f, e: self._sided(f, e, at_zero, None)
        )

    def _sided(self, f: Element, expr: sp.Expr, at_zero: int, elsewhere: int | None) -> Element:
        """Return the indicator of a relation to 0 of a function without steps: by whether it is 0 everywhere.

        elsewhere: its value where f is not 0; None: the indicator of f > 0.

        Raises
        ------
        RebatchError
            If f may vanish on a set of positive measure.
        """
        if f.is_zero():
            return self.algebra.constant(at_zero)
        if not has_thin_zeros(self.algebra.to_expr(f)):
            raise RebatchError(f"where {expr} is 0, and whether that is a null set, could not be decided")
        return self.indicator(f, expr) if elsewhere is None else self.algebra.constant(elsewhere)

    def _step(self, direction: Direction, threshold: fmpq_mpoly, kind: Kind) -> Element:
        """Return 1{u.z > b}, or N = (1 + erf(u.z - b))/2."""
        algebra = self.algebra
        lead = next(u for u in direction if u != 0)
        flipped = not algebra.is_positive(lead)
        scale = self.inverse(lead) if kind == "step" else algebra.one * (-1 if flipped else 1)
        u = tuple(self.simplified(x * scale) for x in direction)
        b = self.simplified(threshold * scale)
        form = sp.Add(*(algebra.constant_expr(x) * s for x, s in zip(u, algebra.coordinates, strict=True)))
        form = form - algebra.constant_expr(b)
        value = sp.Heaviside(form) if kind == "step" else (1 + sp.erf(form)) / 2
        H = algebra.slot((kind, str(u), str(b)), Slot(kind, value, direction=u, threshold=b))
        return algebra.of(1 - H) if flipped else algebra.of(H)

    def inverse(self, c: fmpq_mpoly) -> fmpq_mpoly:
        """Return 1/c of a constant.

        Raises
        ------
        RebatchError
            If it is not known to differ from 0.
        """
        if c.is_constant() and c != 0:
            return self.algebra.one * (1 / c.leading_coefficient())
        expr = self.algebra.constant_expr(c)
        if is_zero_constant(expr) is not False:
            raise RebatchError(f"division by {expr}, which is not known to differ from 0")
        inverse = 1 / expr
        return self.plain(self.element(sp.radsimp(inverse) if expr.is_algebraic else inverse))

    def simplified(self, c: fmpq_mpoly) -> fmpq_mpoly:
        """Return a constant with what cancels in it: cos(1) times 1/cos(1) is 1."""
        c = self.algebra.reduced(c)
        if c.is_constant():
            return c
        expr = self.algebra.constant_expr(c)
        quotient = any(power.exp.is_negative and power.base.is_Add for power in expr.atoms(sp.Pow))
        return self.plain(self.element(sp.cancel(expr) if quotient else expr))

    def _polynomial(self, f: Element) -> fmpq_mpoly | None:
        """Return f as a polynomial, the exponentials of constants in it as symbols; None if it has others."""
        slots = self.algebra.slots
        constant = {self.algebra.k, *(j for j, slot in slots.items() if slot.kind == "constant")}
        exponents = (E.degrees() for E, _ in f.parts.values() if len(E))
        if any(n and j not in constant for degrees in exponents for j, n in enumerate(degrees)):
            return None
        return self.plain(f)

    def plain(self, f: Element) -> fmpq_mpoly:
        """Return a constant as a polynomial: its exponentials, sines and cosines become symbols of their own."""
        algebra = self.algebra
        i = algebra.generators[algebra.k]
        total = algebra.one * 0
        for E, P in f.parts.values():
            growth, phase = algebra.real_and_imaginary(E)
            turn = self._symbol(sp.cos(phase)) + self._symbol(sp.sin(phase)) * i
            total = total + P * self._symbol(sp.exp(growth)) * turn
        return algebra.reduced(total)

    def _symbol(self, value: sp.Expr) -> fmpq_mpoly:
        """Return c f, f an exponential, a sine or a cosine of a number, as c times a symbol; others as they are."""
        if value.is_Rational:
            return self.algebra.one * to_fmpq(value)
        c, f = value.as_coeff_Mul()
        if not (f is sp.E or isinstance(f, sp.exp | sp.sin | sp.cos)):
            return self.plain(self.element(value))
        return self.algebra.slot(("constant", f), Slot("constant", f)) * to_fmpq(c)


def _factored(x: sp.Rational) -> dict[sp.Integer, int]:
    """Return prime -> power of a positive rational; of a large one a last factor may be composite."""
    powers: dict[sp.Integer, int] = {}
    for part, sign in ((int(x.p), 1), (int(x.q), -1)):
        small = part <= _MAX_FACTORED
        for prime, n in sp.factorint(part, limit=2**20, use_rho=small, use_pm1=small, use_ecm=False).items():
            powers[sp.Integer(prime)] = powers.get(sp.Integer(prime), 0) + sign * n
    return powers
