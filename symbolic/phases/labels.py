"""The label's side of look-ahead: which directions E[g^k He_A(z_U) He_i(z_perp)] shows, given U (theory, 3.3 and 12).

For one power k, one order i in the directions that are left and one level |A| in those of U, the contractions span a
subspace. That there is none is proved by the Hermite form of a polynomial, and for other targets by parity, symmetry
and sums over what is known; else it is undecided.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Protocol

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus.hermite_form import MultiIndex
from ..exact.expectation import Expectation
from ..exact.frame import framed
from ..exact.irrational import as_expr
from ..exact.known import How, worst
from ..exact.polynomial import allowed_powers
from ..exact.subspace import Subspace, Vector, dot
from ..language.target import Target
from ..learnability.growth import Growth, factors_of
from ..learnability.known_exponents import moment_in_words
from ..learnability.parity import Parity
from ..learnability.polynomial import Powers
from ..learnability.reading import read
from ..learnability.search import CAP, Search
from ..learnability.searched import SearchedReading
from ..proofs.averages import Averages
from .pieces import Signs
from .slopes import Kink

# Powers of a polynomial with more terms are not smoothed for a Hermite form.
_MAX_FORM_TERMS = 50_000
# Levels |A| in the directions known, of targets with infinitely many.
_LEVELS = 4
# An eigenvalue has a sign where it is so large beside the largest.
_CLEAR = 1e-6
# Characters of an exact number that is written out.
_SHORT = 40
# Contractions of one question after which it is given up; integrals in floating point weigh more.
_BUDGET, _NUMERIC_WEIGHT = 200, 25


Parts = dict[tuple[int, int], dict[MultiIndex, fmpq]]


@dataclass(frozen=True)
class Answer:
    """What the contractions of one power, order and level show.

    Attributes
    ----------
    space : Subspace
        The directions; {0} where there are none.
    words : str
        One of the contractions, with its value.
    how : How
        How it is known: UNDECIDED where none was found and none excluded.
    signs : frozenset of int, or None
        Of E[g^k He_i(v.z)] over v in the directions left, at level 0; None where undecided.
    """

    space: Subspace
    words: str
    how: How
    signs: Signs = None


class Labels(Protocol):
    """What look-ahead asks of a target."""

    target: Target

    @property
    def powers(self) -> int:
        """The highest power that can be asked for."""
        ...

    @property
    def complete(self) -> bool:
        """Whether higher powers show nothing that these do not."""
        ...

    def orders(self, power: int) -> tuple[int, bool]:
        """Return the highest order that can be asked for, and whether all higher ones vanish."""
        ...

    def levels(self, power: int, learned: Subspace, order: int) -> tuple[int, bool]:
        """Return the highest level that can be asked for, and whether all higher ones vanish."""
        ...

    def totals(self, power: int, learned: Subspace) -> frozenset[int]:
        """Return which order + level, modulo 2, are not excluded by reflections."""
        ...

    def ask(self, power: int, learned: Subspace, order: int, level: int) -> Answer:
        """Return what the contractions show."""
        ...


class PolynomialLabels:
    """The powers of a polynomial, by their Hermite forms along (U, what is left): all is finite and exact."""

    def __init__(self, target: Target, relevant: Subspace, max_power: int) -> None:
        self.target, self.relevant = target, relevant
        self._written = framed(target.expr, target.coordinates).along(relevant.orthogonal_basis())
        self.powers = allowed_powers(self._written.polynomial, max_power, _MAX_FORM_TERMS, smoothed=True)
        self.complete = False
        self._along: dict[Subspace, Powers] = {}
        self._parts: dict[tuple[int, Subspace], Parts] = {}

    def orders(self, power: int) -> tuple[int, bool]:
        """Return the degree of the power."""
        return power * int(self._written.polynomial.total_degree()), True

    def levels(self, power: int, learned: Subspace, order: int) -> tuple[int, bool]:
        """Return what the degree leaves for the directions known."""
        return (self.orders(power)[0] - order if learned.dimension else 0), True

    def totals(self, power: int, learned: Subspace) -> frozenset[int]:
        """Return both: there are finitely many orders, and each is looked at."""
        return frozenset({0, 1})

    def ask(self, power: int, learned: Subspace, order: int, level: int) -> Answer:
        """Return the span of the coefficients of the gradient in the directions left."""
        known, rest = learned.orthogonal_basis(), learned.within(self.relevant).orthogonal_basis()
        if (power, learned) not in self._parts:
            self._parts[power, learned] = self._split(power, learned, (*known, *rest))
        part = self._parts[power, learned].get((level, order), {})
        if not part:
            return Answer(Subspace.zero(self.target.k), "", How.EXACT)
        rows: dict[MultiIndex, list[fmpq]] = {}
        for S, c in part.items():
            for i in range(len(known), len(S)):
                if S[i]:
                    lowered = (*S[:i], S[i] - 1, *S[i + 1 :])
                    rows.setdefault(lowered, [fmpq(0)] * len(S))[i] = c * S[i]
        space = Subspace.span(map(self._along[learned].g.dual, rows.values()), self.target.k)
        S = max(part, key=lambda S: (max(S), S))
        value = part[S] * prod(factorial(n) for n in S)
        exact = {S[len(known) :]: c * prod(factorial(n) for n in S) for S, c in part.items()}
        # Signs are those of the ratios, which floats hold whatever the size.
        largest = max(map(abs, exact.values()))
        moments = {T: float(c / largest) for T, c in exact.items()}
        return Answer(
            space,
            moment_in_words(power, factors_of((*known, *rest), S), str(value)),
            How.EXACT,
            signs_of(moments, space.dimension) if level == 0 else None,
        )

    def _split(self, power: int, learned: Subspace, basis: tuple[Vector, ...]) -> "Parts":
        """Return the terms of the Hermite form of a power by their degrees in U and in what is left."""
        if learned not in self._along:
            self._along[learned] = Powers(self._written.along(basis))
        result: Parts = {}
        n = learned.dimension
        for exponents, c in self._along[learned].form(power).to_dict().items():
            S = tuple(map(int, exponents))
            result.setdefault((sum(S[:n]), sum(S[n:])), {})[S] = c
        return result


class SearchedLabels:
    """The powers of any other target, or what a kink puts in their place, by their averages."""

    def __init__(
        self, target: Target, search: Search, powers: int, kink: Kink | None, *, complete: bool
    ) -> None:
        self.target, self.search, self._kink = target, search, kink
        self.powers, self.complete = powers, complete
        self._crossings: dict[int, Averages | None] = {}
        self._sums: dict[Subspace, Averages | None] = {}

    def orders(self, power: int) -> tuple[int, bool]:
        """Return the cap of the search, or the degree of a polynomial with coefficients that are not rational."""
        degree = self.search.degree
        if power == 1 and degree is not None:
            return degree, True
        return CAP, False

    def levels(self, power: int, learned: Subspace, order: int) -> tuple[int, bool]:
        """Return a low level, and whether higher ones vanish: where nothing is known, or g is a sum over it."""
        if not learned.dimension:
            return 0, True
        if self._rest_of_sum(learned) is not None and (power == 1 or self._kink is None):
            return 0, True
        if power == 1 and self.search.degree is not None:
            return self.search.degree - order, True
        return _LEVELS, False

    def totals(self, power: int, learned: Subspace) -> frozenset[int]:
        """Return what the reflections leave that keep g or change its sign."""
        known, rest = self.search.basis(learned)
        return self.search.parity((*known, *rest)).totals(power)

    def ask(self, power: int, learned: Subspace, order: int, level: int) -> Answer:
        """Return what the averages show; zeros that are not proved are evidence."""
        nothing = Answer(Subspace.zero(self.target.k), "", How.EXACT)
        known, rest = self.search.basis(learned)
        if power > 1 and self._kink is not None:
            averages = self._crossing(power)
            return (
                nothing
                if averages is None
                else self._asked(averages, 1, learned, order, level, "crossing(y)")
            )
        parity = self.search.parity((*known, *rest))
        if order < parity.least_order(range(len(known), parity.size), labels=power == 1):
            return nothing
        separate = self._rest_of_sum(learned)
        if separate is None:
            return self._asked(self.search.averages, power, learned, order, level, parity=parity)
        # E[(f + q)^k He_A He_T] = sum_j binom(k, j) E[f^(k-j) He_A] E[q^j He_T]: lower powers came before.
        for lower in range(1, power):
            answer = self._asked(separate, lower, learned, order, 0)
            if answer.space.dimension or answer.how is How.UNDECIDED:
                return Answer(nothing.space, "", How.UNDECIDED)
        return self._asked(separate, power, learned, order, 0)

    def _asked(
        self,
        averages: Averages,
        power: int,
        learned: Subspace,
        order: int,
        level: int,
        label: str = "",
        parity: Parity | None = None,
    ) -> Answer:
        """Return what the averages of one label show, and a contraction in words."""
        known, rest = self.search.basis(learned)
        found = Growth(averages, known, rest, isotropic=True)
        spent, hows, words = 0, [], ""
        for A in _compositions(len(known), level):
            tensor = {}
            for T in _compositions(len(rest), order):
                if parity is not None and not parity.allows((*A, *T), power):
                    continue
                factors = factors_of((*known, *rest), (*A, *T))
                tensor[T] = c = averages.coefficient(power, factors)
                spent += _NUMERIC_WEIGHT if c.value.how is How.NUMERIC else 1
                if c.zero:
                    hows.append(c.how if c.tells else How.UNDECIDED)
                elif not words:
                    words = moment_in_words(power, factors, in_short(c.value))
                if spent > _BUDGET:
                    return Answer(Subspace.zero(self.target.k), "", How.UNDECIDED)
            found.add(power, A, tensor)
        if not found.rows:
            return Answer(Subspace.zero(self.target.k), "", worst(hows))
        space, how = found.directions()
        signs = None
        if level == 0:
            signs = signs_of(
                {T: float(c.value) for T, c in tensor.items() if not c.zero and c.tells}, space.dimension
            )
        return Answer(space, words.replace("E[g", f"E[{label}", 1) if label else words, how, signs)

    def _rest_of_sum(self, learned: Subspace) -> Averages | None:
        """Return the averages of q where g(z) = f(z_U) + q(z_perp), the function of what is left; else None."""
        if not learned.dimension:
            return None
        if learned not in self._sums:
            known, rest = self.search.basis(learned)
            apart = None
            if self.search.is_sum(known):
                z = self.target.coordinates
                along = [(b, sp.Add(*(as_expr(x) * s for x, s in zip(b, z, strict=True)))) for b in rest]
                images = {
                    s: sp.Add(*(as_expr(b[r] / dot(b, b)) * form for b, form in along))
                    for r, s in enumerate(z)
                }
                apart = Averages(Target(self.target.expr.xreplace(images), k=self.target.k))
            self._sums[learned] = apart
        return self._sums[learned]

    def _crossing(self, power: int) -> Averages | None:
        """Return the averages of what a kink puts in the place of y^power; None where it is identically 0."""
        if power not in self._crossings and self._kink is not None:
            expr = self._kink.label(self.target.expr, power)
            self._crossings[power] = None if expr == 0 else Averages(Target(expr, k=self.target.k))
        return self._crossings[power]


def labels_of(target: Target, max_power: int, kink: Kink | None) -> Labels:
    """Return the label's side of a target; next to a kink no power of the label is a polynomial."""
    reading = read(target)
    if isinstance(reading, SearchedReading):
        # A label of two values makes every power an affine function of the first.
        complete = reading.two_values is not None and kink is None
        return SearchedLabels(target, reading.search, 1 if complete else max_power, kink, complete=complete)
    if kink is None:
        return PolynomialLabels(target, reading.relevant, max_power)
    return SearchedLabels(target, Search(target), max_power, kink, complete=False)


def signs_of(moments: dict[MultiIndex, float], dimension: int) -> Signs:
    """Return the signs of a form E[g^k He_i(v.z)] over all v, from its moments E[g^k He_T], |T| = i.

    A form of degree 2 has those of its eigenvalues, as many as the dimension of what it shows; a power of one linear
    form, and one that takes both signs on the axes, are told by the axes.
    """
    n, i = len(next(iter(moments))), sum(next(iter(moments)))
    if i == 2:
        H = np.zeros((n, n))
        for T, c in moments.items():
            r, s = np.repeat(np.arange(n), T)
            H[r, s] = H[s, r] = c
        values = sorted(np.linalg.eigvalsh(H), key=abs)
        if abs(values[-dimension]) < _CLEAR * abs(values[-1]):
            return None
        return frozenset(1 if x > 0 else -1 for x in values[-dimension:])
    axes = frozenset(1 if c > 0 else -1 for T, c in moments.items() if max(T) == i)
    return axes if axes and (dimension == 1 or len(axes) == 2) else None


def in_short(value: Expectation) -> str:
    """Return a value as it is where it is exact and short, else six digits."""
    text = str(value)
    return text if value.how is How.EXACT and len(text) <= _SHORT else f"{float(value):.6g}"


def _compositions(n: int, degree: int) -> Iterator[MultiIndex]:
    """Yield the multi-indices of n entries and this degree, the first entries first."""
    for chosen in combinations_with_replacement(range(n), degree):
        yield tuple(chosen.count(i) for i in range(n))
