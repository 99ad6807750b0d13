"""The answer to E[g(z)] = ?: a value, how it is known, its error, and whether it is zero.

exact       a SymPy number; zero only if proved so
enclosure   an arb ball of python-flint that provably contains the value
numeric     a float with a tolerance: evidence, never a proof that it is or is not zero
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, log10
from typing import Any

import sympy as sp
from flint import arb, ctx

from .ball import constant_ball, is_zero_constant
from .known import How

_NUMERIC_DIGITS = 17


@dataclass(frozen=True, eq=False)
class Expectation:
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
        return cls(ball, How.ENCLOSURE, float(arb(ball.rad()).upper()))

    @classmethod
    def numeric(cls, value: float, error: float) -> Expectation:
        """Return a float with its estimated error as an expectation."""
        return cls(value, How.NUMERIC, error)

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
        return float(self.value if self.how is How.NUMERIC else self.ball().mid())

    def __add__(self, other: Expectation) -> Expectation:
        if self.how is How.EXACT and other.how is How.EXACT:
            return Expectation.exact(self.value + other.value)
        if self.how is How.EXACT and self.value == 0:
            return other
        if other.how is How.EXACT and other.value == 0:
            return self
        if How.NUMERIC in (self.how, other.how):
            return Expectation.numeric(float(self) + float(other), self.error + other.error)
        with ctx.workprec(self._bits(other)):
            return Expectation.enclosed(self.ball(ctx.prec) + other.ball(ctx.prec))

    def __mul__(self, other: Expectation | sp.Expr | int | Fraction) -> Expectation:
        """Return the product with an exact number, or with the expectation of something independent."""
        if not isinstance(other, Expectation):
            other = Expectation.exact(other)
        if self.how is How.EXACT and other.how is How.EXACT:
            return Expectation.exact(sp.expand_mul(self.value * other.value))
        for factor in (self, other):
            if factor.how is How.EXACT and factor.value == 0:
                return factor
        if How.NUMERIC in (self.how, other.how):
            a, b = float(self), float(other)
            return Expectation.numeric(
                a * b, abs(a) * other.error + abs(b) * self.error + self.error * other.error
            )
        with ctx.workprec(self._bits(other)):
            return Expectation.enclosed(self.ball(ctx.prec) * other.ball(ctx.prec))

    __rmul__ = __mul__

    def __truediv__(self, other: Expectation) -> Expectation:
        """Return the quotient by an expectation that is known not to vanish."""
        if self.how is How.EXACT and other.how is How.EXACT:
            return Expectation.exact(self.value / other.value)
        if How.NUMERIC in (self.how, other.how):
            a, b = float(self), float(other)
            return Expectation.numeric(a / b, (self.error + abs(a / b) * other.error) / abs(b))
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
        return f"{self.value:.{_NUMERIC_DIGITS}g} (estimated error {self.error:.1e})"

    def latex(self) -> str:
        """Return the value in LaTeX, with its error where it has one."""
        if self.how is How.EXACT:
            return str(sp.latex(self.value))
        digits = max(
            1,
            min(_NUMERIC_DIGITS, ceil(-log10(self.error / abs(float(self)))))
            if self.error and float(self)
            else 15,
        )
        return rf"{sp.latex(sp.Float(float(self), digits))} \pm {sp.latex(sp.Float(self.error, 2))}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"

    def to_json(self) -> dict[str, Any]:
        """Return value as text, decimal value, warrant and error."""
        known: dict[str, Any] = {
            "value": str(self.value if self.how is not How.ENCLOSURE else _in_digits(self.value)),
            "float": float(self),
            "how": str(self.how),
            "error": self.error,
            "zero": self.is_zero(),
        }
        if self.note:
            known["note"] = self.note
        return known


@lru_cache(maxsize=4096)
def _is_zero(value: sp.Expr) -> bool | None:
    return is_zero_constant(value)


def _in_digits(ball: arb) -> str:
    """Return a ball in decimals, all that are known."""
    if ball.is_exact():
        return str(ball.str(_NUMERIC_DIGITS))
    digits = max(1, int(ball.rel_accuracy_bits() * log10(2)) + 1)
    with ctx.workprec(max(64, 4 * digits)):
        return str(ball.str(digits))
