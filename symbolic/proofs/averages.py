"""E[g^m :(b_1.z)^n_1 ... (b_r.z)^n_r:] of any target, decided: zero or not, and whether that is proved.

The colons are the Wick product: sum_S w_S He_S, where sum_S w_S x^S is the product of the (b_i.x)^n_i. It is the
Hermite tensor C_n of g^m contracted with the b_i (theory, 2), taken as one expectation rather than as a sum, so
that what a symmetry cancels is exactly 0.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from operator import add, mul
from typing import TypeVar

import sympy as sp
from flint import fmpq

from ..calculus.algebra import Element, OutOfSlotsError
from ..calculus.gaussian import Average, reading
from ..calculus.hermite_form import MultiIndex, hermite_polynomial
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How
from ..exact.polynomial import ring
from ..exact.real import Real, Scalar, as_expectation, as_expr, scalar, vanishes
from ..exact.subspace import Vector, is_rational
from ..language.target import Target

T = TypeVar("T")
Factors = tuple[tuple[Vector, int], ...]

# An integral with a larger error cannot tell a zero from what would matter.
_COARSE = 1e-5


@dataclass(frozen=True)
class Coefficient:
    """An expectation with the decision whether it vanishes.

    Attributes
    ----------
    value : Expectation
    zero, proved : bool
        Not proved: the float is within, or beyond, eight times its estimated error.
    """

    value: Expectation
    zero: bool
    proved: bool

    @classmethod
    def decided(cls, value: Expectation) -> "Coefficient":
        """Return the decision on an expectation."""
        return cls(value, *vanishes(value))

    @property
    def how(self) -> How:
        """How the decision is known."""
        return self.value.how if self.proved else How.NUMERIC

    @property
    def tells(self) -> bool:
        """Whether a decision that is not proved means anything: a coarse integral cannot tell a zero."""
        return self.proved or not self.zero or self.value.error <= _COARSE


VANISHES = Coefficient(Expectation.exact(0), True, True)
# An average of a power that does not exist, or is too large to write out, shows nothing.
UNKNOWN = Coefficient(Expectation.exact(0), True, False)


class Averages:
    """The averages of one target: one normal form, powers and integrals shared.

    Attributes
    ----------
    target : Target
    used : tuple of int
        The coordinates, counted from 0, that occur in the target.
    """

    def __init__(self, target: Target) -> None:
        self.target = target
        self.used = tuple(i for i, z in enumerate(target.coordinates) if z in target.expr.free_symbols)
        self._average = reading(target.expr, lambda average: average)
        self._powers: dict[int, Element] = {}
        self._known: dict[tuple[int, Factors], Coefficient] = {}

    def ask(self, question: Callable[[Average], T]) -> T:
        """Return question(average), in a larger algebra where this one runs out of generators."""
        try:
            return question(self._average)
        except OutOfSlotsError:
            self._powers.clear()
            self._average, answer = reading(self.target.expr, lambda average: (average, question(average)))
            return answer

    def coefficient(self, power: int, factors: Factors) -> Coefficient:
        """Return E[g^power :prod_i (b_i.z)^n_i:], decided; `UNKNOWN` for a higher power without expectation.

        Raises
        ------
        RebatchError
            If the expectation of g itself, times a polynomial, does not exist.
        """
        key = (power, factors)
        if key not in self._known:
            try:
                self._known[key] = self._decided(power, wick(factors, self.target.k))
            except RebatchError:
                if power == 1:
                    raise
                self._known[key] = UNKNOWN
        return self._known[key]

    def combination(self, power: int, terms: Sequence[tuple[Scalar, Factors]]) -> Coefficient:
        """Return a linear combination of such averages as one expectation, decided."""
        total: dict[MultiIndex, Scalar] = {}
        for weight, factors in terms:
            for S, w in wick(factors, self.target.k).items():
                total[S] = total.get(S, fmpq(0)) + weight * w
        return self._decided(power, total)

    def _decided(self, power: int, weights: dict[MultiIndex, Scalar]) -> Coefficient:
        # Coordinates that do not occur average to 0.
        kept = {
            S: w for S, w in weights.items() if w != 0 and all(i in self.used for i, n in enumerate(S) if n)
        }
        if not kept:
            return VANISHES
        if any(as_expr(w) is None for w in kept.values()):
            known = ((as_expectation(w), self._decided(power, {S: fmpq(1)})) for S, w in kept.items())
            terms = [w * c.value for w, c in known if not (c.zero and c.proved)]
            return Coefficient.decided(reduce(add, terms)) if terms else VANISHES
        return Coefficient.decided(
            self.ask(lambda average: average.of(self._integrand(average, power, kept)))
        )

    def _integrand(self, average: Average, power: int, weights: dict[MultiIndex, Scalar]) -> Element:
        """Return g^power sum_S w_S He_S: one integrand, so that what cancels is gone before it is integrated."""
        reader, algebra = average.reader, average.reader.algebra
        z = dict(zip(self.used, algebra.z, strict=True))
        rational, others = algebra.one * 0, []
        for S, w in weights.items():
            he = reduce(mul, (hermite_polynomial(n, z[i]) for i, n in enumerate(S) if n), algebra.one)
            if isinstance(w, Real):
                others.append(reader.element(as_expr(w)).scaled(he))
            else:
                rational = rational + he * w
        power_of_g = self._power(average, power)
        return reduce(add, (power_of_g * other for other in others), power_of_g.scaled(rational))

    def _power(self, average: Average, power: int) -> Element:
        if average is not self._average:
            return average.g**power
        if power not in self._powers:
            lower = self._powers.get(power - 1)
            self._powers[power] = average.g**power if lower is None else lower * average.g
        return self._powers[power]

    def is_identity(self, expr: sp.Expr) -> bool:
        """Whether an expression in the coordinates vanishes in the normal form, which proves that it is 0."""
        return self.ask(lambda average: average.reader.element(expr).is_zero())

    @cached_property
    def directions(self) -> list[Vector]:
        """Directions whose span contains all on which the target depends, each rational where it can be."""

        def found(average: Average) -> list[Vector]:
            k = self.target.k
            vectors: list[Vector] = []
            for direction in average.reader.algebra.directions(average.g):
                first = next(x for x in direction if x != 0)
                ratios = [
                    x.leading_coefficient() / first.leading_coefficient() if x != 0 else fmpq(0)
                    for x in direction
                ]
                if all(x == first * ratio for x, ratio in zip(direction, ratios, strict=True)):
                    entries = dict(zip(self.used, ratios, strict=True))
                else:
                    constants = map(average.reader.algebra.constant_expr, direction)
                    exact = (scalar(Expectation.exact(x)) for x in constants)
                    entries = dict(zip(self.used, exact, strict=True))
                vectors.append(tuple(entries.get(i, fmpq(0)) for i in range(k)))
            return vectors

        return self.ask(found)


def wick(factors: Factors, k: int) -> dict[MultiIndex, Scalar]:
    """Return S -> w_S of the Wick product sum_S w_S He_S of (b_i.z)^n_i."""
    if all(is_rational(direction) for direction, _ in factors):
        context = ring([f"x{i + 1}" for i in range(k)])
        product = context.constant(1)
        for direction, n in factors:
            linear = reduce(add, map(mul, context.gens(), direction))
            product = product * linear**n
        return {tuple(map(int, S)): w for S, w in product.to_dict().items()}
    weights: dict[MultiIndex, Scalar] = {(0,) * k: fmpq(1)}
    for direction in (direction for direction, n in factors for _ in range(n)):
        raised: dict[MultiIndex, Scalar] = {}
        for S, w in weights.items():
            for i, x in enumerate(direction):
                T = (*S[:i], S[i] + 1, *S[i + 1 :])
                raised[T] = raised.get(T, fmpq(0)) + w * x
        weights = raised
    return weights
