"""The answer to E[g(z)] = ?: a value, how it is known, its error, and whether it is zero.

exact       a SymPy number; zero only if proved so
enclosure   an arb ball of python-flint that provably contains the value
numeric     a float with a tolerance: evidence, never a proof that it is or is not zero
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, inf, isfinite, log10, ulp
from typing import Any

import sympy as sp
from flint import arb, ctx

from .ball import constant_ball, is_zero_constant
from .effort import count
from .known import How
from .shown import Tabulated
from .typeset import mathml

_NUMERIC_DIGITS = 17
# Exact numbers of more characters are written in digits within a sentence.
_SHORT = 60
# Below it floating point has fewer digits.
_SMALLEST = 2.3e-308
# An exact number is read off a ball of so many correct bits, computed with at most _MAX_BITS.
_CORRECT_BITS = 70
_MAX_BITS = 1 << 15
# Units of work for each product of two terms of exact numbers, which SymPy multiplies out.
_PER_PRODUCT = 100


@dataclass(frozen=True, eq=False)
class Expectation(Tabulated):
    """The expectation of a function under the standard Gaussian.

    Attributes
    ----------
    value : sympy.Expr, flint.arb or float
        By `how`: an exact number, a ball that contains the value, or a float.
    how : How
        EXACT, ENCLOSURE or NUMERIC.
    error : float
        0 if exact; the radius of the ball (a proved bound); or the estimated error of a float.
    note : str
        Why, where that is short to say: "odd under z1 -> -z1".

    Examples
    --------
    >>> from rebatch.symbolic.calculus.gaussian import expectation
    >>> print(expectation("abs(z1)"))
    sqrt(2)/sqrt(pi)
    >>> expectation("sign(z1) * z2").is_zero()
    True
    """

    value: Any
    how: How
    error: float = 0.0
    note: str = ""

    @classmethod
    def exact(cls, value: sp.Expr | int | Fraction, note: str = "") -> Expectation:
        """Return an exact number as an expectation."""
        return cls(sp.sympify(value) if not isinstance(value, sp.Basic) else value, How.EXACT, note=note)

    @classmethod
    def enclosed(cls, ball: arb) -> Expectation:
        """Return a ball as an expectation."""
        radius = arb(ball.rad())
        # A radius below floating point is not 0.
        return cls(ball, How.ENCLOSURE, 0.0 if radius.is_zero() else max(float(radius.upper()), 5e-324))

    @classmethod
    def numeric(cls, value: float, error: float) -> Expectation:
        """Return a float with its estimated error as an expectation; an infinite error: nothing is known."""
        return cls(value, How.NUMERIC, error if isfinite(value) else inf)

    def is_zero(self) -> bool | None:
        """Whether the expectation vanishes: True and False are proved, None is not known. Always terminates.

        ========== ================================= ===================================== ==========
        how        True                              False                                 None
        ========== ================================= ===================================== ==========
        exact      it cancels, or a separation bound a ball of up to 4096 bits excludes 0  otherwise
        enclosure  the ball is exactly 0             the ball excludes 0                   otherwise
        numeric    never                             never                                 always
        ========== ================================= ===================================== ==========
        """
        if self.how is How.EXACT:
            return _is_zero(self.value)
        if self.how is How.ENCLOSURE:
            if self.value.is_zero():
                return True
            return None if self.value.contains(0) else False
        return None

    def ball(self, bits: int = 128) -> arb:
        """Return a ball around the value: proved, except for a numeric one, whose radius is the estimated error."""
        if self.how is How.EXACT:
            return constant_ball(self.value, bits)
        return self.value if self.how is How.ENCLOSURE else arb(self.value, self.error)

    def __float__(self) -> float:
        """Return the value in floating point: 0 only for what rounds to it, inf beyond 1.8e308."""
        if self.how is How.NUMERIC:
            return float(self.value)
        return float(self.sharp().mid())

    def sharp(self) -> arb:
        """Return a ball: of an exact number as accurate as a float, whatever cancels, else the ball that is known."""
        return _sharp(self.value) if self.how is How.EXACT else self.ball()

    def in_decimals(self, digits: int = 6) -> str:
        """Return the value in a few decimals, whatever its size (1.3e-8700): never 0 or inf for something else."""
        if self.how is How.NUMERIC:
            return f"{self.value:.{digits}g}"
        middle = self.sharp().mid()
        x = float(middle)
        if middle.is_zero() or (isfinite(x) and abs(x) >= _SMALLEST):
            return f"{x:.{digits}g}"
        return str(middle.str(digits, radius=False))

    def in_short(self) -> str:
        """Return an exact number as it is where it is short, else six digits."""
        exact = str(self.value) if self.how is How.EXACT else ""
        return exact if 0 < len(exact) <= _SHORT else self.in_decimals()

    def __add__(self, other: Expectation) -> Expectation:
        if self.how is How.EXACT and other.how is How.EXACT:
            count(_count_terms(self.value) + _count_terms(other.value))
            return Expectation.exact(self.value + other.value)
        if self.how is How.EXACT and self.value == 0:
            return other
        if other.how is How.EXACT and other.value == 0:
            return self
        if How.NUMERIC in (self.how, other.how):
            return _rounded(float(self) + float(other), self.error + other.error)
        with ctx.workprec(self._bits(other)):
            return Expectation.enclosed(self.ball(ctx.prec) + other.ball(ctx.prec))

    def __mul__(self, other: Expectation | sp.Expr | int | Fraction) -> Expectation:
        """Return the product with an exact number, or with the expectation of something independent."""
        if not isinstance(other, Expectation):
            other = Expectation.exact(other)
        if self.how is How.EXACT and other.how is How.EXACT:
            if self.value.is_Rational and other.value.is_Rational:
                return Expectation.exact(self.value * other.value)
            count(_PER_PRODUCT * _count_terms(self.value) * _count_terms(other.value))
            return Expectation.exact(sp.expand_mul(self.value * other.value))
        for factor in (self, other):
            if factor.how is How.EXACT and factor.value == 0:
                return factor
        if How.NUMERIC in (self.how, other.how):
            a, b = float(self), float(other)
            return _rounded(a * b, _times(a, other.error) + _times(b, self.error) + self.error * other.error)
        with ctx.workprec(self._bits(other)):
            return Expectation.enclosed(self.ball(ctx.prec) * other.ball(ctx.prec))

    __rmul__ = __mul__

    def __truediv__(self, other: Expectation) -> Expectation:
        """Return the quotient by an expectation that is known not to vanish."""
        if self.how is How.EXACT and other.how is How.EXACT:
            return Expectation.exact(self.value / other.value)
        if How.NUMERIC in (self.how, other.how):
            a, b = float(self), float(other)
            return _rounded(a / b, (self.error + _times(a / b, other.error)) / abs(b))
        with ctx.workprec(self._bits(other)):
            return Expectation.enclosed(self.ball(ctx.prec) / other.ball(ctx.prec))

    def __neg__(self) -> Expectation:
        return self * -1

    def __sub__(self, other: Expectation) -> Expectation:
        return self + -other

    def __eq__(self, other: object) -> bool:
        """Whether it is the same answer; an exact one equals its number."""
        if isinstance(other, Expectation):
            same_ball = self.how is How.ENCLOSURE and repr(self.value) == repr(other.value)
            return self.how is other.how and (same_ball or bool(self.value == other.value))
        return self.how is How.EXACT and bool(self.value == other)

    def __hash__(self) -> int:
        return hash((self.how, repr(self.value) if self.how is How.ENCLOSURE else self.value))

    def _bits(self, other: Expectation) -> int:
        """Return a working precision beyond the accuracy of both balls."""
        accuracy = [e.value.rel_accuracy_bits() for e in (self, other) if e.how is How.ENCLOSURE]
        return max(128, *(int(bits) + 64 for bits in accuracy if bits < 10**6), 128)

    def __str__(self) -> str:
        if self.how is How.EXACT:
            return str(self.value)
        if self.how is How.ENCLOSURE:
            return str(_in_digits(self.value))
        if not isfinite(self.error):
            return f"not known (estimates near {self.value:.2g} do not agree)"
        return f"{self.value:.{_NUMERIC_DIGITS}g} (estimated error {self.error:.1e})"

    def latex(self) -> str:
        """Return the value in LaTeX, with its error where it has one."""
        if self.how is How.EXACT:
            return str(sp.latex(self.value))
        if not isfinite(self.error):
            return r"\text{not known}"
        digits = max(
            1,
            min(_NUMERIC_DIGITS, ceil(-log10(self.error / abs(float(self)))))
            if self.error and float(self)
            else 15,
        )
        return rf"{sp.latex(sp.Float(float(self), digits))} \pm {sp.latex(sp.Float(self.error, 2))}"

    def records(self) -> list[dict[str, Any]]:
        """Return one row: the value as text and as a number, its error, and how it is known."""
        return [{"value": str(self), "number": float(self), "error": self.error, "how": str(self.how)}]

    def to_latex(self) -> str:
        """Return the value as inline mathematics."""
        return f"${self.latex()}$"

    def _repr_latex_(self) -> str:
        return self.to_latex()

    def _repr_html_(self) -> str:
        return mathml(self.latex(), display=False)

    def to_json(self) -> dict[str, Any]:
        """Return value as text, decimal value, warrant and error."""
        known: dict[str, Any] = {
            "value": str(self.value if self.how is not How.ENCLOSURE else _in_digits(self.value)),
            "float": float(self) if isfinite(float(self)) else None,
            "how": str(self.how),
            "error": self.error if isfinite(self.error) else None,
            "zero": self.is_zero(),
        }
        if known["float"] is None or (known["float"] == 0 and known["zero"] is False):
            # Beyond floating point.
            known["decimal"] = self.in_decimals()
        if self.note:
            known["note"] = self.note
        return known


def _count_terms(value: sp.Expr) -> int:
    return len(value.args) if value.is_Add else 1


def _rounded(value: float, error: float) -> Expectation:
    """Return a numeric expectation whose error is not below the spacing of floats at its value."""
    return Expectation.numeric(value, max(error, ulp(value)) if isfinite(value) else inf)


def _times(value: float, error: float) -> float:
    """Return |value| error, where an unknown factor of 0 is 0."""
    return abs(value) * error if value else 0.0


@lru_cache(maxsize=4096)
def _is_zero(value: sp.Expr) -> bool | None:
    return is_zero_constant(value)


@lru_cache(maxsize=4096)
def _sharp(value: sp.Expr) -> arb:
    """Return a ball around an exact number with the accuracy of a float, whatever cancels; 0 where it is proved."""
    bits = 128
    ball = constant_ball(value, bits)
    while ball.rel_accuracy_bits() < _CORRECT_BITS and bits < _MAX_BITS:
        if bits == 128 and _is_zero(value):
            return arb(0)
        bits *= 2
        ball = constant_ball(value, bits)
    return ball


def _in_digits(ball: arb) -> str:
    """Return a ball in decimals, all that are known."""
    if ball.is_exact():
        return str(ball.str(_NUMERIC_DIGITS))
    digits = max(1, int(ball.rel_accuracy_bits() * log10(2)) + 1)
    with ctx.workprec(max(64, 4 * digits)):
        return str(ball.str(digits))
