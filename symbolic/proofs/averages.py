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

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus.algebra import Element, OutOfSlotsError, rational_ratios
from ..calculus.cubature import cubature
from ..calculus.domain import require_defined
from ..calculus.gaussian import Average, with_average
from ..calculus.hermite_form import MultiIndex, hermite_polynomial
from ..errors import RebatchError, TooLargeError
from ..exact.effort import EffortSpentError, effort, spend
from ..exact.expectation import Expectation
from ..exact.irrational import Real, Scalar, as_expectation, as_expr, scalar, vanishes
from ..exact.known import How
from ..exact.polynomial import rational, ring
from ..exact.subspace import Factors, Vector, axis, dot, is_rational
from ..language.symbols import hermite
from ..language.target import Target
from .forms import along_forms, orthogonal_forms
from .structure import Key, Leaf, decomposed, leaves, multiplied_out, values_of

T = TypeVar("T")

# An integral with a larger error cannot tell a zero from what would matter.
_COARSE = 1e-5
# A label of more values is taken as one of a continuum.
_FEW_VALUES = 3
# A function is read into the normal form if that takes seconds; one of more coordinates only if it takes little.
_FEW_COORDINATES = 5
_READING_EFFORT = 5_000_000
_LITTLE_EFFORT = 100_000
_IDENTITY_EFFORT = 100_000


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

    @property
    def vanishes(self) -> bool:
        """Whether it is proved to be 0."""
        return self.zero and self.proved


VANISHES = Coefficient(Expectation.exact(0), True, True)
# An average of a power that does not exist, or is too large to write out, shows nothing.
UNKNOWN = Coefficient(Expectation.exact(0), True, False)


def averages_of(target: Target) -> "Averages":
    """Return the averages of a target, along its linear forms where these are orthogonal in a hidden frame."""
    forms = orthogonal_forms(target.expr, target.coordinates)
    return Averages(target) if forms is None else AveragesAlongForms(target, forms)


class Averages:
    """The averages of one target: one normal form, powers and integrals shared.

    Attributes
    ----------
    target : Target
    used : tuple of int
        The coordinates, counted from 0, that occur in the target.
    forms : tuple of vectors
        An orthogonal basis along which the target is simple, where that is not the coordinates; else none.
    """

    forms: tuple[Vector, ...] = ()

    def __init__(self, target: Target) -> None:
        self.target = target
        self.used = tuple(i for i, z in enumerate(target.coordinates) if z in target.expr.free_symbols)
        self._parts: dict[sp.Expr, Averages] = {}
        self.structure = decomposed(multiplied_out(target.expr), self._of_part)
        self._powers: dict[int, Element] = {}
        self._known: dict[tuple[int, Factors], Coefficient] = {}
        self._numbers: dict[tuple[int, Key], Expectation] = {}
        if isinstance(self.structure, Leaf):
            self._average: Average | None = self._read()
        else:
            require_defined(target.expr)
            self._average = None

    def _read(self) -> Average | None:
        """Return the average that has read the target; None of a function too large for that."""
        few = len(self.used) <= _FEW_COORDINATES
        try:
            with effort(_READING_EFFORT if few else _LITTLE_EFFORT):
                return with_average(self.target.expr, lambda average: average)
        except (EffortSpentError, TooLargeError) as error:
            spend(0)
            if few and isinstance(error, TooLargeError):
                raise
            return None

    @property
    def is_opaque(self) -> bool:
        """Whether it neither falls apart nor has a normal form: its averages are numbers with an error."""
        return self._average is None and isinstance(self.structure, Leaf)

    def _of_part(self, expr: sp.Expr, k: int) -> Callable[[int, tuple[int, ...]], Expectation]:
        """Return what answers for a part of the target: averages of its own, shared by equal parts."""
        return lambda power, index: self._averages_of(expr, k).moment(power, index)

    def _averages_of(self, expr: sp.Expr, k: int) -> "Averages":
        if expr not in self._parts:
            self._parts[expr] = Averages(Target(expr, k=k))
        return self._parts[expr]

    def moment(self, power: int, S: MultiIndex) -> Expectation:
        """Return E[g^power He_S].

        Raises
        ------
        RebatchError
            If it does not exist.
        """
        return self._decided(power, {S: fmpq(1)}).value

    def of(self, power: int, S: MultiIndex) -> Coefficient:
        """Return E[g^power He_S], decided, as :meth:`coefficient` does."""
        return self.coefficient(power, tuple((axis(i, len(S)), n) for i, n in enumerate(S) if n))

    def ask(self, question: Callable[[Average], T]) -> T:
        """Return question(average), in a larger algebra where this one runs out of generators."""
        assert self._average is not None
        try:
            return question(self._average)
        except OutOfSlotsError:
            self._powers.clear()
            self._average, answer = with_average(
                self.target.expr, lambda average: (average, question(average))
            )
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
            spend(0)
            try:
                self._known[key] = self._decided(power, wick(factors, self.target.k))
            except EffortSpentError:
                raise
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
        """Decide sum_S w_S E[g^m He_S]."""
        # Coordinates that do not occur average to 0.
        kept = {
            S: w for S, w in weights.items() if w != 0 and all(i in self.used for i, n in enumerate(S) if n)
        }
        if not kept:
            return VANISHES
        if self._average is None:
            return self._by_structure(power, kept)
        if any(as_expr(w) is None for w in kept.values()):
            known = ((as_expectation(w), self._decided(power, {S: fmpq(1)})) for S, w in kept.items())
            terms = [w * c.value for w, c in known if not (c.zero and c.proved)]
            return Coefficient.decided(reduce(add, terms)) if terms else VANISHES
        return Coefficient.decided(
            self.ask(lambda average: average.of(self._integrand(average, power, kept)))
        )

    def _by_structure(self, power: int, weights: dict[MultiIndex, Scalar]) -> Coefficient:
        """Return the decision on sum_S w_S E[g^power He_S], weights of equal averages added up first."""
        total: dict[Key, Scalar] = {}
        indices: dict[Key, MultiIndex] = {}
        for S, w in weights.items():
            key = self.structure.key(S)
            total[key] = total.get(key, fmpq(0)) + w
            indices.setdefault(key, S)
        terms = []
        for key, w in total.items():
            # What cancels has to exist.
            moment = self._moment_of_structure(power, indices[key])
            if w != 0 and moment.is_zero() is not True:
                terms.append(moment * as_expectation(w))
        return Coefficient.decided(reduce(add, terms)) if terms else VANISHES

    def _moment_of_structure(self, power: int, S: MultiIndex) -> Expectation:
        """Return E[g^m He_S] of a target that is not read: by its parts, else by cubature."""
        if not isinstance(self.structure, Leaf):
            return self.structure.moment(power, S)
        key = (power, self.structure.key(S))
        if key not in self._numbers:
            z = self.target.coordinates
            he = sp.Mul(*(hermite(n, z[i]) for i, n in enumerate(S) if n))
            integrand = self.target.expr**power * he
            self._numbers[key] = Expectation.numeric(*cubature(integrand, tuple(z[i] for i in self.used)))
        return self._numbers[key]

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
        expr = multiplied_out(expr)
        if expr == 0:
            return True
        if self.is_opaque:
            return False
        if self._average is not None:
            return self.ask(lambda average: average.reader.element(expr).is_zero())
        try:
            with effort(_IDENTITY_EFFORT):
                return with_average(expr, lambda average: average.g.is_zero())
        except RebatchError:
            spend(0)
            return False

    @cached_property
    def values(self) -> frozenset[sp.Rational] | None:
        """The values that the target takes, where they are proved to be few rational numbers."""
        if not isinstance(self.structure, Leaf):
            return values_of(
                self.structure, lambda leaf: self._averages_of(leaf.own, len(leaf.positions)).values
            )
        if self.is_opaque:
            return None
        with np.errstate(all="ignore"):
            seen = np.unique(
                np.round(self.target(np.random.default_rng(1).standard_normal((64, self.target.k))), 9)
            )
        if len(seen) > _FEW_VALUES or not np.all(np.isfinite(seen)):
            return None
        values = [sp.Rational(str(v)).limit_denominator(1000) for v in seen]
        vanishing = sp.Mul(*(self.target.expr - v for v in values))
        return frozenset(values) if self.is_identity(vanishing) else None

    @cached_property
    def directions(self) -> list[Vector]:
        """Directions whose span contains all on which the target depends, each rational where it can be."""
        if self._average is None:
            return self._directions_of_parts()

        def found(average: Average) -> list[Vector]:
            k = self.target.k
            vectors: list[Vector] = []
            for direction in average.reader.algebra.directions(average.g):
                ratios = rational_ratios(direction)
                if ratios is not None:
                    entries = dict(zip(self.used, ratios, strict=True))
                else:
                    constants = map(average.reader.algebra.constant_expr, direction)
                    exact = (scalar(Expectation.exact(x)) for x in constants)
                    entries = dict(zip(self.used, exact, strict=True))
                vectors.append(tuple(entries.get(i, fmpq(0)) for i in range(k)))
            return vectors

        return self.ask(found)

    def _directions_of_parts(self) -> list[Vector]:
        """Return the directions of all parts; of one that could not be read, its axes."""
        found: list[Vector] = []
        for leaf in leaves(self.structure):
            r = len(leaf.positions)
            read = leaf is not self.structure
            own = self._averages_of(leaf.own, r).directions if read else [axis(i, r) for i in range(r)]
            for direction in own:
                entries = dict(zip(leaf.positions, direction, strict=True))
                found.append(tuple(entries.get(i, fmpq(0)) for i in range(self.target.k)))
        return found


class AveragesAlongForms(Averages):
    """The averages of g(z) = G(u), u_i = <f_i, z> / |f_i|: those of G, whose coordinates are normal too.

    z_i = sum_j f_ji u_j / |f_j|. A common factor 1 / |f_1| is taken out, so that most weights are rational.
    """

    def __init__(self, target: Target, forms: tuple[Vector, ...]) -> None:
        super().__init__(target)
        self.forms = forms
        self._inside = Averages(Target(along_forms(target.expr, target.coordinates, forms), k=target.k))
        lengths = [sp.sqrt(rational(dot(f, f))) for f in forms]
        self._length = lengths[0]
        self._written: dict[MultiIndex, dict[MultiIndex, Scalar]] = {}
        self._ratios = [scalar(Expectation.exact(length / lengths[0])) for length in lengths]

    def _read(self) -> None:
        """Leave the target unread in its own coordinates."""

    @property
    def is_opaque(self) -> bool:
        """Whether the function of the forms neither falls apart nor has a normal form."""
        return self._inside.is_opaque

    def _along(self, S: MultiIndex) -> dict[MultiIndex, Scalar]:
        """Return T -> w_T of He_S(z) = sum_T w_T He_T(u)."""
        if S not in self._written:
            images = [
                tuple(f[i] / r for f, r in zip(self.forms, self._ratios, strict=True)) for i in range(len(S))
            ]
            scale = scalar(Expectation.exact(self._length ** -sum(S)))
            product = wick(tuple((b, n) for b, n in zip(images, S, strict=True) if n), len(S))
            self._written[S] = {T: w * scale for T, w in product.items() if w != 0}
        return self._written[S]

    def _decided(self, power: int, weights: dict[MultiIndex, Scalar]) -> Coefficient:
        """Decide sum_S w_S E[g^m He_S]: by moments that are shared, in one integral where their sum tells nothing."""
        total: dict[MultiIndex, Scalar] = {}
        for S, w in weights.items():
            for T, v in self._along(S).items():
                total[T] = total.get(T, fmpq(0)) + w * v
        known = {T: self._inside.of(power, T) for T, w in total.items() if w != 0}
        if any(c is UNKNOWN for c in known.values()):
            return UNKNOWN
        left = {T: total[T] for T, c in known.items() if not c.vanishes}
        if not left:
            return VANISHES
        found = Coefficient.decided(
            reduce(add, (known[T].value * as_expectation(w) for T, w in left.items()))
        )
        return found if len(left) == 1 or not found.zero else self._inside._decided(power, left)

    def is_identity(self, expr: sp.Expr) -> bool:
        """See :meth:`Averages.is_identity`."""
        return self._inside.is_identity(along_forms(expr, self.target.coordinates, self.forms))

    @cached_property
    def values(self) -> frozenset[sp.Rational] | None:
        """See :attr:`Averages.values`."""
        return self._inside.values

    @cached_property
    def directions(self) -> list[Vector]:
        """See :attr:`Averages.directions`."""
        found = []
        for direction in self._inside.directions:
            parts = [
                (x / r, f) for x, r, f in zip(direction, self._ratios, self.forms, strict=True) if x != 0
            ]
            found.append(tuple(sum((x * f[i] for x, f in parts), fmpq(0)) for i in range(self.target.k)))
        return found


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
