"""What is read off a polynomial, exactly: its exponents, subspaces and witnesses.

Theory, 3.1-3.6. Everything comes from the Hermite forms of its powers,

    G_m(x) = E[g(x + z)^m] = sum_S E[g^m He_S] x^S / S!,

in an orthogonal basis of V(g). Given U, the part of G of degree j in the coordinates perpendicular to U holds the
conditional tensors of order j: D_j(U) is spanned by the coefficient vectors of its gradient there. Of degree 1 that
is the gradient of G on U, so that only its restriction to U is needed; for a higher order g is rotated once, then
raised to powers.
"""

from collections.abc import Iterable, Iterator, Sequence
from math import comb, factorial, prod
from operator import le

from flint import fmpq, fmpq_mpoly

from ..calculus.hermite_form import MultiIndex, hermite_form
from ..calculus.moments import first_moments
from ..errors import TooLargeError
from ..exact.effort import Memory, spend
from ..exact.frame import Framed, framed
from ..exact.known import How
from ..exact.polynomial import MAX_TERMS, allowed_powers
from ..exact.subspace import Factors, Subspace, Vector, as_text, axis, in_words, orthogonalised, primitive
from ..language.target import Target
from ..proofs.polynomial_fixer import PolynomialFixer
from ..proofs.symmetry import Symmetry, hidden_directions
from .direction_verdict import DirectionVerdict, undecided
from .known_exponents import (
    MAX_POWER,
    NO_DIRECTION,
    Exponent,
    GenerativeLeap,
    IsotropicLeap,
    ReuseStaircase,
    hermite_in_words,
    moment_in_words,
)

# Powers of y with more terms are not raised for a moment E[y^m z], or not smoothed for a Hermite form.
_MAX_MOMENT_TERMS = 300_000
_MAX_FORM_TERMS = 50_000
# Powers that cost less than a search for symmetries.
_LOW_POWERS = 3
# No polynomial has a larger generative leap.
_MOST = 2
_AT_MOST_TWO = "a polynomial, so at most 2 [DLB25]"


class Powers:
    """The powers of a polynomial along a basis, and their Hermite forms, each computed once."""

    def __init__(self, g: Framed) -> None:
        self.g = g
        self._powers: Memory[fmpq_mpoly] = Memory()
        self._forms: Memory[fmpq_mpoly] = Memory()

    def power(self, m: int) -> fmpq_mpoly:
        """Return y^m."""
        return self.g.polynomial if m == 1 else self._powers.get(m, lambda: self._raised(m))

    def _raised(self, m: int) -> fmpq_mpoly:
        lower = self.power(m - 1)
        spend(len(lower) * len(self.g.polynomial) // 8)
        return lower * self.g.polynomial

    def form(self, m: int) -> fmpq_mpoly:
        """Return G_m."""

        def smoothed() -> fmpq_mpoly:
            power = self.power(m)
            spend(len(power) * (1 + int(power.total_degree())))
            return hermite_form(power, self.g.variances)

        return self._forms.get(m, smoothed)


class PolynomialReading:
    """One polynomial target: its Hermite forms, powers, rotated forms and symmetries, each worked out once."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        written = framed(target.expr, target.coordinates)
        span = _gradient_span(hermite_form(written.polynomial, written.variances), range(len(written.basis)))
        self.relevant = Subspace.span(map(written.dual, span.rows), self.k)
        smaller = self.relevant.dimension < len(written.basis)
        self._g = written.along(self.relevant.orthogonal_basis()) if smaller else written
        self._powers = Powers(self._g)
        self._fixer = PolynomialFixer(self._g)
        self._rotated: dict[tuple[Vector, ...], Powers] = {}
        self._moments: Memory[Vector] = Memory()
        self._linear: Memory[list[tuple[Factors, Vector]]] = Memory()
        self._found: Memory[tuple[tuple[Symmetry, ...], Subspace]] = Memory()

    @property
    def _constant(self) -> bool:
        return self.relevant.dimension == 0

    def information_exponent(self) -> Exponent:
        """Return the least degree of the Hermite form, with the coefficient that comes first in the coordinates."""
        if self._constant:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        form = self._powers.form(1)
        degree = min(int(sum(S)) for S in form.monoms() if any(S))
        S, c = self._first_coefficient(_part(form, range(len(self._g.basis)), degree))
        return Exponent(degree, How.EXACT, witness=f"E[g {hermite_in_words(S)}] = {c}")

    def _first_coefficient(self, part: fmpq_mpoly) -> tuple[MultiIndex, fmpq]:
        """Return the first S and c_S of one degree: as many derivatives along z1 as leave something, then z2, …."""
        S = []
        for j in range(self.k):
            along = self._g.coordinates(axis(j, self.k))
            n = 0
            while (derived := _derivative(part, along)) != 0:
                part, n = derived, n + 1
            S.append(n)
        return tuple(S), part.leading_coefficient()

    def leap(self) -> Exponent:
        """Return the coordinate leap: greedily the coefficient of least uncovered degree, then of least degree."""
        if self._constant:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        try:
            waiting = _minimal(self._multi_indices())
        except TooLargeError as error:
            return Exponent(None, How.UNDECIDED, witness=str(error))
        uncovered = set(range(self.k))
        largest, steps = 0, []
        while waiting := [S for S in waiting if any(S[j] for j in uncovered)]:
            degrees = {S: sum(S[j] for j in uncovered) for S in waiting}
            S = min(waiting, key=lambda S: (degrees[S], sum(S), [-n for n in S]))
            steps.append(f"{hermite_in_words(S)} (+{degrees[S]})")
            largest = max(largest, degrees[S])
            uncovered -= {j for j in uncovered if S[j]}
        return Exponent(largest, How.EXACT, witness="absorb " + ", then ".join(steps))

    def _multi_indices(self) -> list[MultiIndex]:
        """Return the S with c_S != 0 in the given coordinates.

        Raises
        ------
        TooLargeError
            If there may be more than 1,000,000.
        """
        form = self._powers.form(1)
        if any(sum(x != 0 for x in b) > 1 for b in self._g.basis):
            used, degree = len(self.target.expr.free_symbols), int(form.total_degree())
            if (terms := comb(degree + used, used)) > MAX_TERMS:
                raise TooLargeError(f"up to {terms:,} coefficients in these coordinates, over {MAX_TERMS:,}")
            spend(terms)
            form = self._g.restricted(form, [axis(j, self.k) for j in range(self.k)])
            return [tuple(map(int, S)) for S in form.monoms()]
        where = {next(j for j, x in enumerate(b) if x != 0): i for i, b in enumerate(self._g.basis)}
        at = [where.get(j) for j in range(self.k)]
        return [tuple(0 if i is None else int(S[i]) for i in at) for S in form.monoms()]

    def isotropic_leap(self) -> IsotropicLeap:
        """Return the coordinate-free leap, from the Hermite form of the label alone."""
        if self._constant:
            return IsotropicLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        sequence = self._stages(1)
        largest = max(order for order, _ in sequence)
        return IsotropicLeap(largest, How.EXACT, witness=_stages_in_words(sequence), sequence=sequence)

    def generative_exponent(self) -> Exponent:
        """Return the generative exponent: by theorem along one direction, else where a witness meets a symmetry."""
        if self._constant:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        if self.relevant.dimension == 1:
            if self.is_even:
                return Exponent(2, How.THEOREM, witness="an even polynomial of one direction")
            return Exponent(1, How.THEOREM, witness="a polynomial of one direction that is not even")
        nothing = Subspace.zero(self.k)
        order, added = self._stage(nothing, MAX_POWER)
        if order > _MOST and self._hidden(nothing) == self.relevant:
            return Exponent(
                _MOST, How.THEOREM, witness=f"{_AT_MOST_TWO}; symmetry hides all of it from order 1"
            )
        witness = _stages_in_words([(order, added.orthogonal_basis())])
        # A symmetry that fixes no direction of V leaves nothing for order 1.
        if order == 1 or (order == 2 and self._hidden(nothing) == self.relevant):
            return Exponent(order, How.EXACT, witness=witness)
        return Exponent(None, How.UNDECIDED, witness=f"at most {min(order, _MOST)}: {witness}")

    @property
    def is_even(self) -> bool:
        """Whether g(-z) = g(z): every monomial has even degree."""
        return all(sum(exponents) % 2 == 0 for exponents in self._g.polynomial.monoms())

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Return the generative leap; at least 2 where a symmetry moves a direction."""
        if self._constant:
            return GenerativeLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        if self.relevant.dimension == 1:
            exponent = self.generative_exponent()
            value, basis = exponent.value, self.relevant.orthogonal_basis()
            return GenerativeLeap(
                value, exponent.how, False, exponent.witness, value, value, ((value or 0, basis),)
            )
        stages = self._stages(max_order)
        upper, lower = max(order for order, _ in stages), 1
        if upper > 1:
            reached = Subspace.span((v for order, added in stages if order == 1 for v in added), self.k)
            hidden = self._hidden(reached)
            lower = 2 if hidden.dimension else 1
            if upper > _MOST:
                return self._at_most_two(reached, hidden)
        value, how = (upper, How.EXACT) if lower == upper else (None, How.UNDECIDED)
        words = _stages_in_words(stages)
        return GenerativeLeap(value, how, False, words, lower, upper, stages, upper_how=How.EXACT)

    def _at_most_two(self, reached: Subspace, hidden: Subspace) -> GenerativeLeap:
        """Return the leap by the theorem on polynomials, where the powers of the label that were tried show no 2."""
        first = ((1, reached.orthogonal_basis()),) if reached.dimension else ()
        left = reached.within(self.relevant)
        if not hidden.dimension:
            sequence = (*first, (_MOST, left.orthogonal_basis()))
            return GenerativeLeap(
                None, How.UNDECIDED, False, _AT_MOST_TWO, 1, _MOST, sequence, upper_how=How.THEOREM
            )
        names = ", ".join(map(in_words, hidden.orthogonal_basis()))
        # What is neither reached nor hidden may be of order 1 or 2: it stands in no stage.
        sequence = (*first, (_MOST, (left if left <= hidden else hidden).orthogonal_basis()))
        witness = f"{_AT_MOST_TWO}; symmetry hides {names} from order 1"
        return GenerativeLeap(_MOST, How.THEOREM, False, witness, _MOST, _MOST, sequence)

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return the subspaces that the parts of degree 1 of the Hermite forms of y^m reach, round by round."""
        spaces: list[Subspace] = []
        witnesses: list[str] = []
        learned = Subspace.zero(self.k)
        while learned != self.relevant:
            reached, shown = learned, []
            for m, factors, moment in self._first_order(learned, max_order):
                if moment not in reached:
                    reached = reached + Subspace.span([moment], self.k)
                    shown.append(moment_in_words(m, factors, f"({', '.join(as_text(moment))})", "z_perp"))
                if reached == self.relevant:
                    break
            if reached == learned:
                break
            learned = reached
            spaces.append(learned)
            witnesses.append("; ".join(shown))
        highest = self._highest(learned, max_order)
        open_end = highest < max_order and not self._limit(learned) <= learned
        return ReuseStaircase(tuple(spaces), highest, witnesses=tuple(witnesses), capped=open_end)

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return the directions that a moment E[y^m z] reaches, each at its least m, and the last m searched."""
        found: list[DirectionVerdict] = []
        m = 0
        for m in range(1, self._highest(Subspace.zero(self.k), max_order) + 1):
            if m > _LOW_POWERS and len(found) == self._limit(Subspace.zero(self.k)).dimension:
                break
            mu = self._moment(m)
            new = orthogonalised(mu, (v.direction for v in found))
            if any(new):
                found.append(DirectionVerdict(primitive(new), "learned", How.EXACT, order=m, witness=mu))
            if len(found) == self.relevant.dimension:
                break
        return tuple(found), m

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return symmetries of g that hide directions, looked for where nothing was reached."""
        return self._symmetric(reached)[0]

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return what has neither witness nor symmetry: along one direction all that is not even is learned."""
        if self.relevant.dimension == left.dimension == 1:
            basis = left.orthogonal_basis()
            return tuple(DirectionVerdict(v, "learned", How.THEOREM, order=searched) for v in basis)
        return undecided(left, searched)

    def _hidden(self, reached: Subspace) -> Subspace:
        return self._symmetric(reached)[1]

    def _symmetric(self, reached: Subspace) -> tuple[tuple[Symmetry, ...], Subspace]:
        return self._found.get(
            reached.rows, lambda: hidden_directions(self._fixer, self.relevant, reached)[:2]
        )

    def _limit(self, learned: Subspace) -> Subspace:
        """Return what order 1 can reach from U at most: what is fixed by the symmetries, which fix U as well."""
        fixed = self._hidden(Subspace.zero(self.k)).within(self.relevant)
        return fixed if learned <= fixed else self.relevant

    def _highest(self, learned: Subspace, max_order: int) -> int:
        """Return the highest power that is raised: from {0} on moments are enough, from U on forms are needed."""
        forms = learned.dimension > 0
        most = _MAX_FORM_TERMS if forms else _MAX_MOMENT_TERMS
        return allowed_powers(self._g.polynomial, max_order, most, smoothed=forms)

    def _moment(self, m: int) -> Vector:
        """Return E[y^m z]."""

        def computed() -> Vector:
            power, variances = self._powers.power(m), self._g.variances
            spend(len(power))
            return self._g.vector(first_moments(power, len(variances), variances))

        return self._moments.get(m, computed)

    def _stages(self, max_order: int) -> tuple[tuple[int, tuple[Vector, ...]], ...]:
        """Return the orders and directions by which y, …, y^highest reach all of V."""
        learned = Subspace.zero(self.k)
        sequence = []
        while learned != self.relevant:
            order, added = self._stage(learned, max_order)
            sequence.append((order, added.orthogonal_basis()))
            learned = learned + added
        return tuple(sequence)

    def _stage(self, learned: Subspace, max_order: int) -> tuple[int, Subspace]:
        """Return the least order j with D_j(U) != 0 for some power of y, and the sum of their D_j(U)."""
        left = learned.within(self.relevant)
        added = Subspace.zero(self.k)
        for _, _, moment in self._first_order(learned, max_order):
            added = added + Subspace.span([moment], self.k)
            if added == left:
                break
        order = 1
        while not added.dimension:
            order += 1
            for m in range(
                1, allowed_powers(self._g.polynomial, max_order, _MAX_FORM_TERMS, smoothed=True) + 1
            ):
                added = added + self._directions(m, learned, left, order)
                if added == left:
                    break
        return order, added

    def _first_order(self, learned: Subspace, max_order: int) -> Iterator[tuple[int, Factors, Vector]]:
        """Yield m, u^A and the moment E[y^m :u^A: z_perp], by m, as far as symmetry leaves something to find."""
        found = learned
        for m in range(1, self._highest(learned, max_order) + 1):
            if m > _LOW_POWERS and self._limit(learned) <= found:
                return
            for factors, moment in self._linear_terms(m, learned):
                found = found + Subspace.span([moment], self.k)
                yield m, factors, moment

    def _linear_terms(self, m: int, learned: Subspace) -> list[tuple[Factors, Vector]]:
        """Return the moments E[y^m :u^A: z_perp] that are not 0, of low degree in u first; u^A as pairs (b, n)."""
        if not learned.dimension:
            return [((), mu)] if any(mu := self._moment(m)) else []
        return self._linear.get((m, learned.rows), lambda: list(self._gradient_on(m, learned)))

    def _gradient_on(self, m: int, learned: Subspace) -> Iterator[tuple[Factors, Vector]]:
        """Yield u^A and E[y^m :u^A: z_perp] where it is not 0, u along U, by the degree of A."""
        known, form = learned.orthogonal_basis(), self._powers.form(m)
        spend(len(form) * len(self._g.basis))
        gradient = [
            self._g.restricted(form.derivative(i), known).to_dict() for i in range(len(self._g.basis))
        ]
        for A in sorted({A for part in gradient for A in part}, key=lambda A: (sum(A), tuple(-n for n in A))):
            scale = fmpq(prod(factorial(int(n)) for n in A))
            inner = self._g.dual([scale * part.get(A, fmpq(0)) for part in gradient])
            moment = orthogonalised(inner, known)
            if any(moment):
                yield tuple((b, int(n)) for b, n in zip(known, A, strict=True) if n), moment

    def _directions(self, m: int, learned: Subspace, left: Subspace, order: int) -> Subspace:
        """Return D_j(U) of y^m."""
        known = learned.orthogonal_basis()
        basis = (*known, *left.orthogonal_basis()) if known else self._g.basis
        if basis not in self._rotated:
            self._rotated[basis] = Powers(self._g.along(basis)) if known else self._powers
        powers = self._rotated[basis]
        perpendicular = range(len(known), len(basis))
        span = _gradient_span(_part(powers.form(m), perpendicular, order), perpendicular)
        frame = powers.g
        padded = ((*(fmpq(0) for _ in known), *row) for row in span.rows)
        return Subspace.span(map(frame.dual, padded), self.k)


def _stages_in_words(stages: Sequence[tuple[int, tuple[Vector, ...]]]) -> str:
    return ", then ".join(f"{', '.join(map(in_words, added))} (order {order})" for order, added in stages)


def _minimal(indices: Iterable[MultiIndex]) -> list[MultiIndex]:
    """Return, of all with the same support, those that no other is below: only these are of least degree anywhere."""
    kept: dict[tuple[bool, ...], list[MultiIndex]] = {}
    for S in sorted(indices, key=sum):
        lower = kept.setdefault(tuple(map(bool, S)), [])
        if not any(all(map(le, T, S)) for T in lower):
            lower.append(S)
    return [S for group in kept.values() for S in group]


def _part(form: fmpq_mpoly, coordinates: Sequence[int], degree: int) -> fmpq_mpoly:
    """Return the part of a polynomial of this degree in some of its variables."""
    terms = {S: c for S, c in form.to_dict().items() if sum(S[j] for j in coordinates) == degree}
    return form.context().from_dict(terms)


def _derivative(polynomial: fmpq_mpoly, along: Sequence[fmpq]) -> fmpq_mpoly:
    terms = (polynomial.derivative(i) * x for i, x in enumerate(along) if x != 0)
    return sum(terms, polynomial.context().constant(0))


def _gradient_span(form: fmpq_mpoly, coordinates: Sequence[int]) -> Subspace:
    """Return the span of the coefficient vectors of the gradient of a polynomial in some of its variables."""
    vectors: dict[MultiIndex, list[fmpq]] = {}
    for S, c in form.to_dict().items():
        for position, j in enumerate(coordinates):
            if S[j]:
                lowered = (*S[:j], S[j] - 1, *S[j + 1 :])
                row = vectors.setdefault(lowered, [fmpq(0)] * len(coordinates))
                row[position] = c * S[j]
    return Subspace.span(_distinct(vectors.values()), len(coordinates))


def _distinct(vectors: Iterable[Sequence[fmpq]]) -> list[Sequence[fmpq]]:
    """Return the vectors without the repetitions that supports are full of (axes, mostly)."""
    axes: dict[int, Sequence[fmpq]] = {}
    others = []
    for vector in vectors:
        support = [j for j, entry in enumerate(vector) if entry != 0]
        if len(support) == 1:
            axes[support[0]] = vector
        else:
            others.append(vector)
    return [*axes.values(), *others]
