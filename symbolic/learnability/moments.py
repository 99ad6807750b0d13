"""What the moments of its inputs tell of a polynomial, where their values cannot be gone through (theory, 13).

The law has a density (uniform, Laplace, Student), or too many values in all. On its orthogonal polynomials phi_S a
polynomial has finitely many coefficients c_S = E[g phi_S], all exact: the information exponent and the correlational
leap are those of 3.1 and 3.2 with phi_S in place of He_S. What a function of the label shows is sought among powers,
E[y^m phi_S], which bounds the statistical leap from above; two steps are decided by witnesses E[y^m z] and by signed
permutations that keep the law and fix the target, and stay undecided between them.

A character is shown to some function of the label only if no sign flip that fixes the target changes its sign: its
degrees modulo 2 lie in the span, over the field of two elements, of those of the target. That bounds from below.
"""

from collections.abc import Iterator, Sequence
from functools import cached_property
from itertools import combinations, combinations_with_replacement
from math import prod

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..calculus.hermite_form import MultiIndex
from ..calculus.product_form import Form, first_moments, monic_norm, orthogonal_form, powers_of
from ..enumeration.signs import generators, perpendicular
from ..errors import DivergentError, NotPolynomialError, RebatchError
from ..exact.known import How
from ..exact.polynomial import is_polynomial, rational, to_polynomial
from ..exact.subspace import Subspace, Vector, as_text, axis, in_words, primitive
from ..language.target import Target
from ..proofs.symmetry import Symmetry, those_that_hide
from .direction_verdict import DirectionVerdict, undecided
from .known_exponents import MAX_POWER, NO_DIRECTION, Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .product_exponents import (
    MOST_WRITTEN,
    NO_ROTATION,
    CoordinateLeap,
    Fourier,
    ProductVerdict,
    SecondStep,
    centred_name,
    character_name,
    decided,
    leap_over,
    signed_permutation,
)
from .standardised import Standardised

# Products of terms for one power of the label, and for all of a round of reuse: about a second of work on them.
_MOST_PRODUCTS = 30_000
# Degrees in what is learned that a later round of reuse tries.
_MAX_DEGREE = 2


class MomentReading:
    """One polynomial under a law with known moments.

    Raises
    ------
    NotPolynomialError
        If the target is no polynomial.
    DivergentError
        If a coefficient needs a moment that is infinite.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.k, self.law = target, target.k, target.inputs
        if not is_polynomial(target.expr, target.coordinates):
            raise NotPolynomialError(
                f"{target} with inputs {self.law}; allowed are polynomials with rational coefficients, whose moments "
                "are known, or inputs without Student's law: its normals have no closed form"
            )
        self._polynomial = to_polynomial(target.expr, target.coordinates)
        self._form = orthogonal_form(self._polynomial, self.law)
        self._centre = centred_name(self.law)
        self._standard = Standardised(self.law, self.k)

    @cached_property
    def relevant(self) -> Subspace:
        """The axes of the coordinates on which the target depends."""
        used = [i for i in range(self.k) if any(S[i] for S in self._form)]
        return Subspace.span((axis(i, self.k) for i in used), self.k)

    @cached_property
    def _powers(self) -> list[Form]:
        """The forms of y, y^2, …, as far as moments are finite and they are not too large."""
        forms: list[Form] = []
        try:
            for power in powers_of(self._polynomial, self.law, MAX_POWER, _MOST_PRODUCTS):
                forms.append(orthogonal_form(power, self.law))
        except DivergentError:
            if not forms:
                raise
        return forms

    def _degrees(self, forms: Sequence[Form]) -> NDArray[np.int64]:
        """Return the S of some forms, those that come first in the coordinates first."""
        seen = {S for form in forms for S in form if any(S)}
        ordered = sorted(seen, key=lambda S: tuple(-n for n in S))
        return np.array(ordered, dtype=np.int64).reshape(len(ordered), self.k)

    def information_exponent(self) -> Exponent:
        """Return the least |S| >= 1 with c_S != 0."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        S = min((S for S in self._form if any(S)), key=lambda S: (sum(S), tuple(-n for n in S)))
        return Exponent(sum(S), How.EXACT, witness=f"E[g {self._name(S)}] = {self._coefficient(S)}")

    def generative_exponent(self) -> Exponent:
        """Return the least |S| >= 1 that a power of the label shows, where nothing less is possible."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        degrees = self._degrees(self._powers)
        S = degrees[int(degrees.sum(axis=1).argmin())]
        upper = Exponent(int(S.sum()), How.EXACT, witness=f"E[{self._name(S)} | y] is not 0")
        if upper.value == self._least_shown:
            return upper
        return Exponent(None, How.UNDECIDED, witness=f"at most {upper.value}: {upper.witness}")

    def leap(self) -> CoordinateLeap:
        """Return the leap for correlational queries."""
        return self._leap([self._form])

    def statistical_leap(self) -> CoordinateLeap:
        """Return the leap for queries on powers of the label, where nothing less is possible."""
        return decided(self._leap(self._powers), self._least_leap)

    def loss_leap(self) -> dict[str, Exponent]:
        """Return the leap of each loss: see `enumerated.py`."""
        statistical = self.statistical_leap()
        even = self._leap([self._form, *self._powers[1::2]])
        return {
            "squared": self.leap(),
            "absolute": statistical,
            "hinge": statistical,
            "logistic": decided(even, self._least_leap),
        }

    def coordinate_leap(self) -> dict[str, Exponent]:
        """Return both leaps with a coordinate counted once, whatever its degree."""
        return {
            "correlational": self._leap([self._form], by_degree=False),
            "statistical": decided(self._leap(self._powers, by_degree=False), 1),
        }

    def cover(self) -> Exponent:
        """Return the largest, over coordinates, of the least |S| that holds it and that a power of y shows."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        degrees = self._degrees(self._powers)
        sizes = degrees.sum(axis=1)
        used = np.flatnonzero(degrees.any(axis=0))
        least = {int(i): int(sizes[degrees[:, i] > 0].min()) for i in used}
        hardest = max(least, key=lambda i: (least[i], -i))
        witness = f"z{hardest + 1}, by {least[hardest]} coordinate(s)"
        if least[hardest] == self._least_leap:
            return Exponent(least[hardest], How.EXACT, witness=witness)
        return Exponent(None, How.UNDECIDED, witness=f"at most {least[hardest]}: {witness}")

    def _leap(self, forms: Sequence[Form], *, by_degree: bool = True) -> CoordinateLeap:
        degrees = self._degrees(forms)
        return leap_over(
            degrees,
            How.EXACT,
            lambda some: int(some[0]),
            lambda place: self._name(degrees[place]),
            by_degree=by_degree,
        )

    @property
    def _least_shown(self) -> int:
        """A lower bound of every |S| that some function of the label shows."""
        return 1 if self._alone else 2

    @property
    def _least_leap(self) -> int:
        """A lower bound of leap and cover: 2 if a flip hides a coordinate, until another that it moves is covered."""
        return 1 if all(i in self._alone for i in range(self.k) if any(S[i] for S in self._form)) else 2

    @cached_property
    def _alone(self) -> frozenset[int]:
        """The coordinates whose sign no flip changes that fixes the target: all, where the law knows no flips."""
        return frozenset(i for i in range(self.k) if not any(s >> i & 1 for s in self._flips))

    @cached_property
    def _flips(self) -> list[int]:
        """Sets of coordinates, as bits, whose change of sign fixes target and law; they generate all of them."""
        symmetric = sum(1 << i for i, part in enumerate(self.law.each(self.k)) if part.is_symmetric)
        parities = (sum(1 << i for i, n in enumerate(S) if n % 2) & symmetric for S in self._form)
        relevant = sum(1 << i for i in range(self.k) if any(S[i] for S in self._form))
        return perpendicular(generators(parities), relevant & symmetric)

    def isotropic_leap(self) -> IsotropicLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(f"inputs = {self.law}: {NO_ROTATION}, so there is no isotropic leap")

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(
            f"inputs = {self.law}: {NO_ROTATION}; the statistical leap replaces the generative one"
        )

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return the directions that moments E[y^m z] reach, each at its least m, and the last m searched."""
        found: list[DirectionVerdict] = []
        averages: list[Vector] = []
        m = 0
        for m, moment in enumerate(self._moments(max_order), start=1):
            new = self._standard.rest(moment, averages)
            if any(new):
                averages.append(primitive(new))
                direction = primitive(self._standard.vector(averages[-1]))
                found.append(ProductVerdict(direction, "learned", How.EXACT, m, moment, centre=self._centre))
            if len(found) == self.relevant.dimension:
                break
        return tuple(found), m

    def _moments(self, max_order: int) -> Iterator[Vector]:
        """Yield E[y^m (z - mean)] for m = 1, 2, …, as far as they are finite and not too large."""
        try:
            for power in powers_of(self._polynomial, self.law, max_order, _MOST_PRODUCTS):
                yield first_moments(power, self.law)
        except DivergentError:
            return

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return sign flips and exchanges of two coordinates that fix the target and the law."""
        return those_that_hide(self._symmetries(), reached.within(self.relevant))

    def _symmetries(self) -> Iterator[Symmetry]:
        """Yield sign flips, then exchanges of two coordinates of one law, that fix the target and its inputs."""
        used = [i for i in range(self.k) if any(S[i] for S in self._form)]
        for flips in self._flips:
            yield signed_permutation(self.k, {j: (j, -1) for j in range(self.k) if flips >> j & 1})
        for i, j in combinations(used, 2):
            alike = self.law.at(i) == self.law.at(j)
            signs = (1, -1) if self.law.at(i).is_symmetric else (1,)
            for sign in signs if alike else ():
                if exchanged(self._form, i, j, sign) == self._form:
                    yield signed_permutation(self.k, {i: (j, sign), j: (i, sign)})

    def correlations(self, degree: int) -> dict[MultiIndex, sp.Expr]:
        """Return E[g phi_S] of the monic orthogonal polynomials phi_S of a degree, those that are not 0."""
        of_degree = (S for S in self._form if sum(S) == degree)
        return {S: rational(self._form[S] * monic_norm(self.law, S)) for S in of_degree}

    def second_step(self) -> SecondStep:
        """Return that mu = E[y z] is seen; what else is, is known of symmetries alone."""
        mu = Subspace.span([first_moments(self._polynomial, self.law)], self.k)
        relevant = self._standard.space(self.relevant)
        return SecondStep(relevant, self._standard.space(mu), relevant)

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return that nothing is decided of what has neither witness nor symmetry."""
        return undecided(left, searched)

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return what E[y^m p(z_U) z] reaches round by round, p a product of at most two linear forms of U."""
        spaces: list[Subspace] = []
        witnesses: list[str] = []
        learned = Subspace.zero(self.k)
        while True:
            reached, shown = learned, []
            for words, moment in self._conditional(learned, max_order):
                if any(moment) and moment not in reached:
                    reached = reached + Subspace.span([moment], self.k)
                    shown.append(f"E[{words} {self._centre}] = ({', '.join(as_text(moment))})")
                if reached == self.relevant:
                    break
            if reached == learned:
                return ReuseStaircase(tuple(spaces), max_order, How.EXACT, tuple(witnesses), capped=True)
            learned = reached
            spaces.append(self._standard.space(learned))
            witnesses.append("; ".join(shown))

    def _conditional(self, learned: Subspace, max_order: int) -> Iterator[tuple[str, Vector]]:
        """Yield y^m p(z_U) in words and E[y^m p(z_U) (z - mean)]."""
        z = self._polynomial.context().gens()
        forms = [
            (in_words(b).replace("e", "z"), sum((x * zi for x, zi in zip(b, z, strict=True)), z[0] * 0))
            for b in self._standard.forms(learned)
        ]
        factors = [("", z[0] * 0 + 1)]
        for degree in range(1, _MAX_DEGREE + 1):
            for some in combinations_with_replacement(forms, degree):
                factors.append(
                    (
                        " ".join(f"({name})" for name, _ in some),
                        prod((f for _, f in some), start=z[0] * 0 + 1),
                    )
                )
        work = 0
        try:
            powers = powers_of(self._polynomial, self.law, max_order, _MOST_PRODUCTS)
            for m, power in enumerate(powers, start=1):
                for name, factor in factors:
                    work += len(power) * len(factor)
                    if work > _MOST_PRODUCTS:
                        return
                    moment = first_moments(power * factor, self.law)
                    yield f"{'y' if m == 1 else f'y^{m}'} {name}".strip(), moment
        except DivergentError:
            return

    def fourier(self) -> Fourier:
        """Return coefficients, weights by degree and influences."""
        squares = {S: rational(c * c * monic_norm(self.law, S)) for S, c in self._form.items()}
        order = sorted(self._form, key=lambda S: (-squares[S], sum(S), tuple(-n for n in S)))
        degree = max(map(sum, self._form), default=0)
        return Fourier(
            tuple((self._name(S) or "1", self._coefficient(S)) for S in order[:MOST_WRITTEN]),
            len(self._form),
            tuple(sp.Add(*(x for S, x in squares.items() if sum(S) == n)) for n in range(degree + 1)),
            tuple(sp.Add(*(x for S, x in squares.items() if S[i])) for i in range(self.k)),
        )

    def _coefficient(self, S: MultiIndex) -> sp.Expr:
        """Return the coefficient on the orthonormal character."""
        return rational(self._form[S]) * sp.sqrt(rational(monic_norm(self.law, S)))

    def _name(self, S: Sequence[int]) -> str:
        return character_name(S, self.law)


def exchanged(form: Form, i: int, j: int, sign: int) -> Form:
    """Return a form after z_i -> sign z_j, z_j -> sign z_i."""
    image: Form = {}
    for S, c in form.items():
        T = list(S)
        T[i], T[j] = S[j], S[i]
        image[tuple(T)] = c * sign ** (S[i] + S[j])
    return image
