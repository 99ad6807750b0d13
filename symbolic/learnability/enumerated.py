"""What is decided of a target by going through all values of its inputs (theory, 13).

With characters phi_S (parities, on the cube) and S seen where c_S = E[g phi_S] != 0 or, by functions of the label,
where E[phi_S | y] is not identically 0:

- leap: the closure of 3.2 over the S that are seen; an S costs its degree in coordinates not yet covered [A23,
  JMS24];
- a loss l lets through the functions of y in the span of u -> d l(u, y) / du, constants apart. Squared: y alone, so
  its leap is the correlational one. Absolute, sign(u - y), and hinge, -y 1[u y < 1]: all functions of a label of
  finitely many values. Logistic, -y / (1 + exp(u y)) = -y/2 + |y|/2 tanh(u |y| / 2): y and all functions of |y|,
  since the tanh(u a), a > 0, are linearly independent;
- two steps on one batch: span{E[F(y) z]} is spanned by the E[1[y = l] z], a vector for each label. What it leaves is
  hidden: a complete decision. The reuse staircase goes on with functions of y and of z on what is learned.

z stands for z - E[z] where the law has a mean.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq
from numpy.typing import NDArray

from ..calculus.hermite_form import MultiIndex
from ..calculus.product_form import monic_norm
from ..enumeration.grid import WORD, Integers
from ..enumeration.labels import distinct
from ..enumeration.spectrum import Spectrum
from ..errors import RebatchError
from ..exact.ball import constant_ball
from ..exact.expectation import Expectation
from ..exact.irrational import Scalar, scalar
from ..exact.known import How, worst
from ..exact.polynomial import rational, to_fmpq
from ..exact.subspace import Subspace, Vector, axis, in_words, primitive
from ..language.target import Target
from ..proofs.symmetry import Symmetry, those_that_hide
from .direction_verdict import DirectionVerdict
from .known_exponents import NO_DIRECTION, Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .product_exponents import (
    MOST_WRITTEN,
    NO_ROTATION,
    CoordinateLeap,
    Fourier,
    ProductVerdict,
    SecondStep,
    centred_name,
    character_name,
    leap_over,
    signed_permutation,
)
from .standardised import Standardised

# Coefficients that agree to so many digits count as equal in size.
_DIGITS = 12
# Terms of sums of irrational labels that moments E[y^m z] may take: about half a second. Beyond, single labels are
# the witnesses: theirs are rational.
_MOST_SUMMED = 2**11
# Products of residues, 64 of them summed, stay in machine words.
_PRIME = 2**28 - 57
# Coefficients that are written out at least, and the irrational numbers that all of them may hold.
_FEW, _MOST_TERMS = 8, 2**10
# Characters of an exact number that a person reads; a longer one is given in decimals.
_READABLE = 60
NOTHING = Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)


class EnumeratedReading:
    """One target under a finite law; each question is answered from the same spectrum."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self.spectrum = Spectrum(target)
        self._centre = centred_name(target.inputs)
        self._standard = Standardised(target.inputs, target.k)

    @property
    def _constant(self) -> bool:
        return self.spectrum.labels.count == 1

    @cached_property
    def relevant(self) -> Subspace:
        """The axes of the coordinates on which the target depends."""
        return Subspace.span((axis(i, self.k) for i in self.spectrum.relevant), self.k)

    def information_exponent(self) -> Exponent:
        """Return the least |S| >= 1 with c_S != 0."""
        return self._least(self.spectrum.nonzero, self.spectrum.correlation_how, self._coefficient_in_words)

    def generative_exponent(self) -> Exponent:
        """Return the least |S| >= 1 that the label shows."""
        return self._least(
            self.spectrum.detectable, self.spectrum.how, lambda place: f"E[{self._name(place)} | y] is not 0"
        )

    def _least(self, seen: NDArray[np.bool_], how: How, words: Callable[[int], str]) -> Exponent:
        if self._constant:
            return NOTHING
        degrees = self.spectrum.degrees.sum(axis=1)
        places = np.flatnonzero(seen & (degrees > 0))
        least = int(degrees[places].min())
        return Exponent(least, how, witness=words(self.spectrum.first(places[degrees[places] == least])))

    def leap(self) -> CoordinateLeap:
        """Return the leap for correlational queries."""
        return self._leap(self.spectrum.nonzero, self.spectrum.correlation_how)

    def statistical_leap(self) -> CoordinateLeap:
        """Return the leap for queries on any function of the label."""
        return self._leap(self.spectrum.detectable, self.spectrum.how)

    def loss_leap(self) -> dict[str, Exponent]:
        """Return the leap of each loss."""
        statistical = self.statistical_leap()
        return {
            "squared": self.leap(),
            "absolute": statistical,
            "hinge": statistical,
            "logistic": self._leap(self._logistic, worst([self.spectrum.correlation_how, self.spectrum.how])),
        }

    @property
    def _logistic(self) -> NDArray[np.bool_]:
        """What y and functions of |y| show."""
        labels = self.spectrum.labels
        sizes = distinct([-y if constant_ball(y) < 0 else y for y in labels.values])[1]
        return self.spectrum.nonzero | self.spectrum.seen(labels.merged(list(map(int, sizes))))

    def coordinate_leap(self) -> dict[str, Exponent]:
        """Return both leaps where an S costs the number of its new coordinates, whatever its degree [JMS24].

        For queries that may take any function of a coordinate; the same as the leaps by degree on two values.
        """
        return {
            "correlational": self._leap(
                self.spectrum.nonzero, self.spectrum.correlation_how, by_degree=False
            ),
            "statistical": self._leap(self.spectrum.detectable, self.spectrum.how, by_degree=False),
        }

    def _leap(self, seen: NDArray[np.bool_], how: How, *, by_degree: bool = True) -> CoordinateLeap:
        places = np.flatnonzero(seen)
        return leap_over(
            self.spectrum.degrees[places],
            how,
            lambda some: int(np.searchsorted(places, self.spectrum.first(places[some]))),
            lambda place: self._name(int(places[place])),
            by_degree=by_degree,
        )

    def cover(self) -> Exponent:
        """Return the largest, over coordinates, of the least |S| that the label shows and that holds it."""
        if self._constant:
            return NOTHING
        degrees = self.spectrum.degrees[self.spectrum.detectable]
        sizes = degrees.sum(axis=1)
        least = {i: int(sizes[degrees[:, i] > 0].min()) for i in self.spectrum.relevant}
        hardest = max(least, key=lambda i: (least[i], -i))
        return Exponent(
            least[hardest], self.spectrum.how, witness=f"z{hardest + 1}, by {least[hardest]} coordinate(s)"
        )

    def isotropic_leap(self) -> IsotropicLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(f"inputs = {self.target.inputs}: {NO_ROTATION}, so there is no isotropic leap")

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(
            f"inputs = {self.target.inputs}: {NO_ROTATION}; the statistical leap replaces the generative one"
        )

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return all that two steps reach, by E[y^m z] where m <= max_order shows it, and the last m searched."""
        return tuple(self._learned(max_order)), max_order

    def _learned(self, max_order: int) -> list[DirectionVerdict]:
        """Return what E[y^m z] and, beyond max_order, E[1[y = l] z] reach."""
        sums, span = self._sums, self._span(self._sums)
        found: list[DirectionVerdict] = []
        averages: list[Vector] = []

        def learned(moment: Sequence[Scalar], **known: Any) -> None:
            new = self._standard.rest(moment, averages)
            if not any(new):
                return
            if len(found) == span.dimension - 1 and self._standard.is_plain:
                # What the others leave of the span, which is rational.
                (new,) = Subspace.span(averages, self.k).within(span).orthogonal_basis()
            averages.append(primitive(new))
            direction = primitive(self._standard.vector(averages[-1]))
            found.append(
                ProductVerdict(direction, "learned", self.spectrum.how, centre=self._centre, **known)
            )

        at_most = False
        for m, (moment, decided) in enumerate(self._moments(sums, max_order), start=1):
            if len(found) == span.dimension:
                return found
            learned(moment, order=m, witness=tuple(_as_witness(x) for x in moment), at_most=at_most)
            at_most = at_most or not decided
        for label, row in zip(self.spectrum.labels.values, sums, strict=True):
            if len(found) == span.dimension:
                break
            learned(
                tuple(fmpq(int(x)) for x in row), proof=self._expectation_in_words(f"1[y = {label}]", row)
            )
        return found

    @cached_property
    def _sums(self) -> Integers:
        """The E[1[y = l] z], up to one factor, shape (labels, k)."""
        return self.spectrum.class_sums(self.spectrum.labels.codes.ravel())

    def _span(self, sums: Integers) -> Subspace:
        """Return the span of the rows."""
        return Subspace.span([_whole(sums[at]) for at in _outside(sums, Subspace.zero(self.k))], self.k)

    def _moments(self, sums: Integers, max_order: int) -> Iterator[tuple[tuple[Scalar, ...], bool]]:
        """Yield E[y^m z] for m = 1, 2, …, and whether it is known exactly which of its entries vanish."""
        labels = self.spectrum.labels
        factor = sp.Integer(1) / (self.spectrum.scale * self.spectrum.centring)
        if labels.are_rational:
            whole, denominator = self._rational
            weighted = sums.astype(object)
            for m in range(1, max_order + 1):
                weighted = whole[:, None] * weighted
                scaled = [sp.Integer(int(x)) * factor / denominator**m for x in weighted.sum(axis=0)]
                yield tuple(to_fmpq(x) for x in scaled), True
            return
        yield _decided(self.spectrum.first_moments)
        for m in range(2, min(max_order, _MOST_SUMMED // sums.size) + 1):
            powers = [sp.expand(y**m) for y in labels.values]
            yield _decided(
                [
                    sp.Add(*(int(x) * y for x, y in zip(column, powers, strict=True) if x)) * factor
                    for column in sums.T
                ]
            )

    def correlations(self, degree: int) -> dict[MultiIndex, sp.Expr]:
        """Return E[g phi_S] of the monic orthogonal polynomials phi_S of a degree, those that are not 0."""
        spectrum = self.spectrum
        places = np.flatnonzero(spectrum.nonzero & (spectrum.degrees.sum(axis=1) == degree))
        known = ((tuple(map(int, spectrum.degrees[place])), int(place)) for place in places)
        return {
            S: spectrum.coefficient(place)
            * sp.sqrt(rational(monic_norm(self.target.inputs, S)) / spectrum.norm(place))
            for S, place in known
        }

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return that what is left is hidden from F(y): all labels have been gone through; first what stays so."""
        if not left.dimension:
            return ()
        seen = self._centre if self._standard.is_plain else "(z - E[z])/s"
        proof = f"E[1[y = l] v.{seen}] = 0 for each of the {self.spectrum.labels.count} labels l"
        stay = self.second_step().reused.within(left)
        more = f"{proof}; not so given E[y {seen}].{seen}, which a first step shows to the second"
        return (
            *(ProductVerdict(v, "hidden", self.spectrum.how, proof=proof) for v in stay.orthogonal_basis()),
            *(
                ProductVerdict(v, "hidden", self.spectrum.how, proof=more, given_first=True)
                for v in stay.within(left).orthogonal_basis()
            ),
        )

    def second_step(self) -> SecondStep:
        """Return what a second step sees: class by class of the label and of mu.z.

        Of labels that are not rational z on all coordinates that mu has stands for mu.z: no less is seen so, and what
        a fresh batch sees at least is left at mu.
        """
        spectrum, rational = self.spectrum, self.spectrum.labels.are_rational
        codes = spectrum.labels.codes.ravel()
        if rational:
            mu = Subspace.span([_whole(self._rational[0] @ self._sums.astype(object))], self.k)
            columns = list(map(self._along, self._standard.forms(mu)))
        else:
            moment, _ = _decided(spectrum.first_moments)
            mu = Subspace.span([moment], self.k)
            columns = [z for z, x in zip(spectrum.centred, moment, strict=True) if x != 0]
        past = _joint([np.zeros_like(codes), *columns])
        both = _joint([past, codes])
        sums = spectrum.class_sums(both)
        reused = self._standard.space(self._span(sums))
        if not rational:
            return SecondStep(reused, self._standard.space(mu), reused)
        place = np.unique(both, return_index=True)[1]
        seen = np.zeros((int(past.max()) + 1, self.k), dtype=object)
        np.add.at(seen, past[place], self._rational[0][codes[place], None] * sums.astype(object))
        own = self._span(spectrum.class_sums(past))
        fresh = self._span(seen)
        return SecondStep(reused, self._standard.space(fresh), self._standard.space(fresh + own))

    @cached_property
    def _rational(self) -> tuple[Integers, int]:
        """Rational labels as integers over a denominator."""
        values = self.spectrum.labels.values
        denominator = int(sp.ilcm(1, *(int(y.q) for y in values)))
        return np.array([int(y * denominator) for y in values], dtype=object), denominator

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return sign flips and exchanges of two coordinates that fix the target, until all hidden is moved."""
        return those_that_hide(self._symmetries(), reached.within(self.relevant))

    def _symmetries(self) -> Iterator[Symmetry]:
        """Yield sign flips, then exchanges of two coordinates, that fix the target and the law of the inputs."""
        for i in self.spectrum.relevant:
            flips = self.spectrum.flips(i)
            if flips:
                yield signed_permutation(self.k, {j: (j, -1) for j in flips})
        for i in self.spectrum.relevant:
            for j in self.spectrum.relevant:
                for sign in (1, -1):
                    if i < j and self.spectrum.exchanges(i, j, sign):
                        yield signed_permutation(self.k, {i: (j, sign), j: (i, sign)})

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return the subspaces that more and more steps on one batch reach.

        U_{t+1} = U_t + the span of E[z | y, z_U] over all values of y and of z on U_t.
        """
        spectrum = self.spectrum
        spaces: list[Subspace] = []
        witnesses: list[str] = []
        learned = Subspace.zero(self.k)
        codes = spectrum.labels.codes.ravel()
        while True:
            sums = spectrum.class_sums(codes)
            reached = learned + self._span(sums)
            if reached == learned:
                break
            witnesses.append("; ".join(self._shown(codes, sums, learned)))
            spaces.append(self._standard.space(reached))
            columns = [spectrum.labels.codes.ravel(), *map(self._along, self._standard.forms(reached))]
            codes = _joint(columns)
            learned = reached
        power = max(1, spectrum.labels.count - 1)
        return ReuseStaircase(tuple(spaces), power, spectrum.how, tuple(witnesses))

    def _along(self, form: Sequence[Scalar]) -> Integers:
        """Return a linear form of z at every point, up to an affine map."""
        phi = self.spectrum.centred
        b = [int(x.p) for x in form]  # type: ignore[union-attr]
        small = sum(map(abs, b)) * int(np.abs(phi).max()) < WORD
        return np.asarray(
            np.array(b) @ phi if small else np.array(b, dtype=np.object_) @ phi.astype(np.object_)
        )

    def _shown(self, codes: NDArray[np.int64], sums: Integers, learned: Subspace) -> Iterator[str]:
        """Yield for each direction that a round adds one class of points that shows it."""
        basis = self._standard.forms(learned)
        labels, flat = self.spectrum.labels, self.spectrum.labels.codes.ravel()
        for code in _outside(sums, learned):
            place = int((codes == code).argmax())
            given = [f"y = {labels.values[int(flat[place])]}"]
            given += [f"{in_words(b).replace('e', 'z')} = {self._value(b, place)}" for b in basis]
            yield self._expectation_in_words(f"1[{', '.join(given)}]", sums[code])

    def _value(self, b: Sequence[Scalar], place: int) -> sp.Expr:
        """Return <b, z> at a point."""
        z = self.spectrum.centred[:, place]
        parts = (
            sp.Rational(int(x.p), int(x.q)) * (int(phi) / self.spectrum.centring + part.mean)  # type: ignore[union-attr]
            for x, phi, part in zip(b, z, self.target.inputs.each(self.k), strict=True)
        )
        return sp.Add(*parts)

    def _expectation_in_words(self, what: str, row: Integers) -> str:
        factor = self.spectrum.scale * self.spectrum.centring
        entries = ", ".join(str(sp.Integer(int(x)) / factor) for x in row)
        return f"E[{what} {self._centre}] = ({entries})"

    def fourier(self) -> Fourier:
        """Return coefficients, weights by degree and influences."""
        spectrum = self.spectrum
        nonzero = np.flatnonzero(spectrum.nonzero)
        sizes = spectrum.degrees.sum(axis=1)
        # Equal ones up to rounding in the order of degree and coordinates.
        heights = np.round(np.abs(spectrum.floats[nonzero]), _DIGITS)
        order = np.lexsort((-nonzero, sizes[nonzero], -heights))
        most = min(MOST_WRITTEN, max(_FEW, _MOST_TERMS // spectrum.terms))
        written = [int(place) for place in nonzero[order[:most]]]
        weights = tuple(spectrum.weight(sizes == n) for n in range(int(sizes[nonzero].max(initial=0)) + 1))
        influences = tuple(spectrum.weight(spectrum.degrees[:, i] > 0) for i in range(self.k))
        coefficients = tuple((self._name(place) or "1", spectrum.normalised(place)) for place in written)
        return Fourier(coefficients, len(nonzero), weights, influences)

    def _name(self, place: int) -> str:
        """Return a character as "z1 z3", or "phi2(z1) phi1(z3)"."""
        return character_name(self.spectrum.degrees[place], self.target.inputs)

    def _coefficient_in_words(self, place: int) -> str:
        c = self.spectrum.normalised(place)
        text = str(c)
        if len(text) > _READABLE:
            text = f"{float(constant_ball(c).mid()):.8g}"
        return f"E[g {self._name(place)}] = {text}"


def _as_witness(x: Scalar) -> fmpq | Expectation:
    return x if isinstance(x, fmpq) else x.known


def _whole(row: Integers) -> list[fmpq]:
    return [fmpq(int(x)) for x in row]


def _outside(sums: Integers, space: Subspace) -> Iterator[int]:
    """Yield rows that lie neither in a space nor in the span of it and those before, until none is left.

    They are looked for modulo a prime, where few bits do; that none is left is found exactly.
    """
    residues = (sums % _PRIME).astype(np.int64)
    while across := [_in_integers(row) for row in space.complement().rows]:
        columns: Integers = np.array(across, dtype=np.object_).T
        shows = (residues @ (columns % _PRIME).astype(np.int64) % _PRIME).any(axis=1)
        if not shows.any():
            size = max(abs(int(sums.max())), abs(int(sums.min()))) * int(np.abs(columns).sum())
            word = np.int64 if size < WORD else np.object_
            shows = (sums.astype(word) @ columns.astype(word)).any(axis=1)
        if not shows.any():
            return
        at = int(shows.argmax())
        yield at
        space = space + Subspace.span([_whole(sums[at])], space.ambient)


def _in_integers(row: Vector) -> list[int]:
    """Return a multiple of a rational vector with integer entries."""
    return [int(x.p) for x in primitive(row)]  # type: ignore[union-attr]


def _decided(moment: Sequence[sp.Expr]) -> tuple[tuple[Scalar, ...], bool]:
    """Return the entries of a moment, and whether it is known exactly which of them vanish."""
    exact = [Expectation.exact(x) for x in moment]
    return tuple(map(scalar, exact)), all(x.is_zero() is not None for x in exact)


def _joint(columns: Sequence[Integers]) -> NDArray[np.int64]:
    """Return one code, 0, 1, …, for each combination of values."""
    codes = np.zeros(len(columns[0]), dtype=np.int64)
    for column in columns:
        values = np.unique(column, return_inverse=True)[1]
        codes = np.unique(codes * (int(values.max()) + 1) + values, return_inverse=True)[1]
    return codes
