"""Numbers that are not rational as entries of vectors: sqrt(2), exp(-1/2), an enclosure of E[tanh(z) z].

A scalar is an fmpq or a Real, and every operation returns an fmpq where its result is rational: so a Real is never 0,
and the linear algebra of `subspace.py` reads the same over both. That a number is not 0 is proved for exact ones and
enclosures. What cannot be told from 0 counts as 0: a subspace may then come out too small, never too large.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from math import gcd, inf, isqrt, lcm
from operator import add, mul, truediv
from typing import Any, TypeAlias

import sympy as sp
from flint import fmpq

from .ball import constant_ball
from .effort import Memory, count
from .expectation import Expectation
from .known import How
from .polynomial import rational
from .surds import rationalised

# An exact number of more operations goes on as a ball of that precision: elimination makes them longer and longer.
_LONGEST = 20
_BITS = 512
_FEW_ROOTS = 2
_LOW_DEGREE = 12
# Results that are kept: a target of four irrational forms asks for some thousand different ones.
_REMEMBERED = 1 << 14
# Units of work: SymPy takes so long for each operation in a number that it brings into another form.
_PER_OPERATION = 500
_PER_BALL = 20
# A float counts as nonzero beyond this many times its estimated error, and as evidence only.
SIGNIFICANT = 8


class Real:
    """A number that is not known to be rational, and that differs from 0.

    Attributes
    ----------
    known : Expectation
        Its value, and how it is known.
    """

    __slots__ = ("known",)

    def __init__(self, known: Expectation) -> None:
        self.known = known

    @property
    def how(self) -> How:
        """How the number is known."""
        return self.known.how

    def __float__(self) -> float:
        return float(self.known)

    def __add__(self, other: Scalar | int) -> Scalar:
        return _combined(add, self, other)

    __radd__ = __add__

    def __mul__(self, other: Scalar | int) -> Scalar:
        return _combined(mul, self, other)

    __rmul__ = __mul__

    def __neg__(self) -> Scalar:
        return Real(-self.known)

    def __sub__(self, other: Scalar | int) -> Scalar:
        return self + -other

    def __rsub__(self, other: Scalar | int) -> Scalar:
        return -self + other

    def __truediv__(self, other: Scalar | int) -> Scalar:
        return _combined(truediv, self, other)

    def __rtruediv__(self, other: Scalar | int) -> Scalar:
        return _combined(truediv, other, self)

    def __lt__(self, other: Scalar | int) -> bool:
        return _sign(self - other) < 0

    def __gt__(self, other: Scalar | int) -> bool:
        return _sign(self - other) > 0

    def __eq__(self, other: object) -> bool:
        """Whether it is written in the same way; two forms of one number have the difference fmpq(0)."""
        return isinstance(other, Real) and self.known == other.known

    def __hash__(self) -> int:
        return hash(self.known)

    def __str__(self) -> str:
        return _text(self.known.value) if self.how is How.EXACT else self.known.in_decimals()

    __repr__ = __str__


Scalar: TypeAlias = fmpq | Real


def _sign(x: Scalar) -> int:
    if isinstance(x, Real):
        middle = x.known.value if x.how is How.NUMERIC else x.known.sharp().mid()
        return 1 if middle > 0 else -1
    return int(x > 0) - int(x < 0)


Operation = Callable[[Any, Any], Any]


def _combined(operation: Operation, a: Scalar | int, b: Scalar | int) -> Scalar:
    """Return the sum, product or quotient."""
    x, y = as_expectation(a), as_expectation(b)
    if x.how is y.how is How.EXACT:
        # Elimination meets the same ones over and over.
        return _combinations.get(
            (operation, x.value, y.value), lambda: _combined_exactly(operation, x.value, y.value)
        )
    count(_PER_BALL)
    return scalar(operation(x, y))


_combinations: Memory[Scalar] = Memory(_REMEMBERED)


def _combined_exactly(operation: Operation, a: sp.Expr, b: sp.Expr) -> Scalar:
    """Return the sum, product or quotient of exact numbers."""
    x, y = _single_root(a), _single_root(b)
    if x is not None and y is not None:
        (p, m), (q, n) = x, y
        if operation is not add:
            common = gcd(m, n)
            factor = q if operation is mul else 1 / (q * n)
            return from_root(p * factor * common, m // common * (n // common))
        if m == n:
            return from_root(p + q, m)
    return scalar(operation(Expectation.exact(a), Expectation.exact(b)))


def single_root(x: Scalar) -> tuple[fmpq, int] | None:
    """Return q and n of q sqrt(n), n a positive integer; None of another number."""
    return _single_root(x.known.value) if isinstance(x, Real) and x.how is How.EXACT else None


@lru_cache(maxsize=_REMEMBERED)
def _single_root(x: sp.Expr) -> tuple[fmpq, int] | None:
    """Return q and n of q sqrt(n), as SymPy writes it; None of another number, and of 0."""
    q, root = x.as_coeff_Mul(rational=True)
    if root is sp.S.One and q != 0:
        return fmpq(int(q.p), int(q.q)), 1
    if root.is_Pow and root.exp is sp.S.Half and root.base.is_Integer and root.base > 0:
        return fmpq(int(q.p), int(q.q)), int(root.base)
    return None


def from_root(q: fmpq, n: int) -> Scalar:
    """Return q sqrt(n)."""
    whole = isqrt(n)
    return q * whole if whole**2 == n or q == 0 else Real(Expectation.exact(rational(q) * sp.sqrt(n)))


@lru_cache(maxsize=_REMEMBERED)
def _text(x: sp.Expr) -> str:
    known = _single_root(x)
    if known is None:
        return str(x)
    q, n = known
    front = "" if q.p == 1 else "-" if q.p == -1 else f"{q.p}*"
    return f"{front}sqrt({n})" + ("" if q.q == 1 else f"/{q.q}")


def scalar(value: Expectation) -> Scalar:
    """Return an expectation as a scalar: rational where it is, and 0 where it cannot be told from 0."""
    if value.how is How.EXACT:
        if (operations := int(sp.count_ops(value.value))) > _LONGEST:
            count(_PER_OPERATION)
            value = Expectation.enclosed(constant_ball(value.value, _BITS))
        else:
            count(_PER_OPERATION * operations)
            value = Expectation.exact(_shortened(value.value))
            if value.value.is_Rational:
                return fmpq(int(value.value.p), int(value.value.q))
    return fmpq(0) if vanishes(value)[0] else Real(value)


@lru_cache(maxsize=4096)
def _shortened(x: sp.Expr) -> sp.Expr:
    """Return an exact number without roots in a denominator where they are few, or with a fraction reduced."""
    x = sp.expand(x)
    fraction = sp.together(x)
    bottom = sp.fraction(fraction)[1]
    if bottom.is_Rational:
        return x
    if x.is_algebraic:
        if len(bottom.atoms(sp.Pow)) > _FEW_ROOTS:
            return x
        shorter = rationalised(x)
        return sp.radsimp(x) if shorter is None else shorter
    # exp(1/32) and exp(1/50) are powers of exp(1/800): a polynomial of high degree.
    degree = lcm(*(int(power.exp.q) for power in fraction.atoms(sp.exp) if power.exp.is_Rational))
    return sp.cancel(fraction) if degree <= _LOW_DEGREE else x


def vanishes(value: Expectation) -> tuple[bool, bool]:
    """Return whether an expectation counts as 0, and whether that is proved."""
    known = value.is_zero()
    if known is not None:
        return known, True
    # An exact number that no ball of 4096 bits tells from 0.
    return value.how is How.EXACT or abs(float(value)) <= SIGNIFICANT * value.error, False


def as_expectation(x: Scalar | int) -> Expectation:
    """Return a scalar with what is known of it."""
    return x.known if isinstance(x, Real) else Expectation.exact(rational(x))


def as_expr(x: Scalar) -> sp.Expr | None:
    """Return an exact scalar as a SymPy number; None if it is not known exactly."""
    if isinstance(x, Real):
        return x.known.value if x.how is How.EXACT else None
    return rational(x)


def as_float(x: Scalar | int) -> float:
    """Return a scalar in floating point."""
    if isinstance(x, fmpq):
        try:
            return int(x.p) / int(x.q)
        except OverflowError:
            return inf if x > 0 else -inf
    return float(x)


def how_known(x: Scalar) -> How:
    """Return how a scalar is known."""
    return x.how if isinstance(x, Real) else How.EXACT
