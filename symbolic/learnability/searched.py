"""Exponents of targets that are not polynomials: what `search.py` finds, with both bounds where they do not meet.

Theory, 3.1-3.3, 3.5 and 3.6. A label with two values c and c' makes every F(y) equal to a + b y, so that there the
generative side is the label side.
"""

from functools import cached_property

import sympy as sp

from ..exact.effort import EffortSpentError
from ..exact.irrational import as_expr, how_known
from ..exact.known import How, worst
from ..exact.polynomial import is_polynomial
from ..exact.subspace import Subspace, Vector, axis, in_words, orthogonalised, primitive, squared_length
from ..language.symbols import coordinate
from ..language.target import Target
from ..proofs.exponentials import without_unneeded
from ..proofs.level_sets import first_order_on_level_sets
from ..proofs.one_sign import odd_of_one_sign
from ..proofs.piecewise_linear import is_piecewise_linear
from ..proofs.symmetry import Symmetry, hidden_directions
from .direction_verdict import DirectionVerdict, undecided
from .growth import Stage, direction_of
from .known_exponents import MAX_POWER, NO_DIRECTION, Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .leap_of_sum import with_sum
from .polynomial import PolynomialReading
from .search import CAP, EndedEarlyError, Search, UndecidedError, joined

_PIECEWISE = "continuous and piecewise linear, so at most 2 [DLB25]"
_ONE_SIGN = "odd, and its Hermite coefficients have one sign, so that E[y^3 z] is not 0 [D24]"


class SearchedReading:
    """One target that is no polynomial: its search, with all that it found."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self.search = Search(target)
        smaller = without_unneeded(target, self.search.relevant)
        if smaller is not target:
            self.search = Search(smaller)

    @property
    def relevant(self) -> Subspace:
        """The span of the linear forms that occur in the target, which contains V(g)."""
        return self.search.relevant

    def information_exponent(self) -> Exponent:
        """Return IE, the order of the first growth of {0} in the given coordinates."""
        if not self.search.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        try:
            stage = self.search.grow(Subspace.zero(self.k), isotropic=False)
        except UndecidedError as error:
            return Exponent(None, How.UNDECIDED, witness=str(error))
        return _first(stage)

    def leap(self) -> Exponent:
        """Return the coordinate leap."""
        if not self.search.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        stages, reason = self.search.leap(isotropic=False)
        lower, upper, how = _bounds(stages, reason)
        if lower == upper:
            return Exponent(upper, how, witness="; ".join(f"{s.witness} (+{s.order})" for s in stages))
        return Exponent(None, How.UNDECIDED, witness=_interval(lower, upper, reason, stages))

    def isotropic_leap(self) -> IsotropicLeap:
        """Return the isotropic leap."""
        if not self.search.relevant.dimension:
            return IsotropicLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        stages, reason = self.search.leap()
        lower, upper, how = _bounds(stages, reason)
        sequence = _sequence(stages)
        if lower == upper:
            return IsotropicLeap(upper, how, witness=_steps(stages), sequence=sequence)
        return IsotropicLeap(
            None, How.UNDECIDED, witness=_interval(lower, upper, reason, stages), sequence=sequence
        )

    def generative_exponent(self) -> Exponent:
        """Return the generative exponent: the order of the first stage of the generative leap."""
        if self.search.relevant.dimension <= 1:
            known = self.generative_leap(MAX_POWER)
            return Exponent(known.value, known.how, known.infinite, known.witness)
        if self.two_values is not None:
            return self.information_exponent()
        if self.search.hidden == self.relevant and is_piecewise_linear(self.target.expr):
            return Exponent(2, How.THEOREM, witness=f"{_PIECEWISE}; symmetry hides all of it from order 1")
        try:
            found = _first(self.search.grow(Subspace.zero(self.k), range(1, MAX_POWER + 1)))
        except UndecidedError as error:
            found = Exponent(None, How.UNDECIDED, witness=str(error))
        if found.value is not None:
            return found
        of_sum = with_sum(GenerativeLeap(None, How.UNDECIDED), self.target, self._alone)
        if of_sum.value is None:
            return found
        return Exponent(of_sum.sequence[0][0], of_sum.how, witness=of_sum.witness)

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Return the generative leap; with one direction that no witness reaches, by level sets."""
        if not self.search.relevant.dimension:
            return GenerativeLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        if (values := self.two_values) is not None:
            known = self.isotropic_leap()
            stages = self.search.leap()[0] if known.value is None else ()
            lower = known.value or _bounds(list(stages), "open")[0]
            reason = f"y is {values[0]} or {values[1]}, so F(y) = a + b y: the isotropic leap"
            return GenerativeLeap(known.value, known.how, False, reason, lower, known.value, known.sequence)
        if self.search.relevant.dimension == 1:
            return self._along_one_direction(max_order)
        if (certified := self._piecewise_linear(max_order)) is not None:
            return certified
        stages, reason = self.search.leap(range(1, max_order + 1))
        _, upper, how = _bounds(stages, reason)
        lower = max([1, *(stage.bound for stage in stages)])
        if self.search.hidden.dimension:
            # A symmetry that moves a direction fixes every E[F(y) z], hence all that order 1 ever reaches.
            lower = max(lower, 2)
        if lower == upper:
            return GenerativeLeap(upper, how, False, _steps(stages), lower, upper, _sequence(stages))
        witness = _interval(lower, upper, reason, stages)
        found = GenerativeLeap(None, How.UNDECIDED, False, witness, lower, upper, _sequence(stages), how)
        return with_sum(found, self.target, self._alone)

    def _alone(self, target: Target) -> GenerativeLeap:
        """Return the generative exponent of one summand, a function of one direction: more powers cost little."""
        polynomial = is_polynomial(target.expr, target.coordinates)
        return (PolynomialReading if polynomial else SearchedReading)(target).generative_leap(MAX_POWER)

    def _piecewise_linear(self, max_order: int) -> GenerativeLeap | None:
        """Return 2 by theorem for what is continuous and piecewise linear, where symmetry hides what steps leave."""
        if not self.search.hidden.dimension or not is_piecewise_linear(self.target.expr):
            return None
        spaces = self.reuse_staircase(max_order).spaces
        reached = spaces[-1] if spaces else Subspace.zero(self.k)
        if (reached + self.search.hidden) != self.relevant:
            return None
        hidden = reached.within(self.relevant).orthogonal_basis()
        sequence = (*(((1, reached.orthogonal_basis()),) if spaces else ()), (2, hidden))
        witness = f"{_PIECEWISE}; symmetry hides {', '.join(map(in_words, hidden))} from order 1"
        return GenerativeLeap(2, How.THEOREM, False, witness, 2, 2, sequence)

    def _along_one_direction(self, max_order: int) -> GenerativeLeap:
        """Return the generative exponent: by a witness if it meets the bound by symmetry, else by level sets."""
        direction = self.search.relevant.rows[0]
        basis = self.search.relevant.orthogonal_basis()
        lower = self.search.parity((direction,)).least_order((0,), labels=False)
        for m in range(1, max_order + 1):
            label = "y" if m == 1 else f"y^{m}"
            found = self.search.averages.coefficient(m, ((direction, lower),))
            if not found.zero:
                text = f"E[{label} He{lower}] = {found.value.in_decimals()} is not 0"
                if lower > 1:
                    text += ", and g is even"
                if lower > 2:
                    text += f"; E[y^m He_l] = 0 for every m and l < {lower}"
                return GenerativeLeap(lower, found.how, False, text, lower, lower, ((lower, basis),))
        if lower == 1 and odd_of_one_sign(_along(self.target, self.search), coordinate(1), self._sign):
            return GenerativeLeap(1, How.THEOREM, False, _ONE_SIGN, 1, 1, ((1, basis),))
        of_labels = self.information_exponent()
        upper, searched = of_labels.value, f"no E[y^m He{lower}] with m <= {max_order} is known not to vanish"
        order = first_order_on_level_sets(_along(self.target, self.search), min(upper or CAP, CAP))
        if order is not None and order >= lower:
            text = f"E[He_l | y] vanishes on level sets for l < {order}, not for l = {order}; {searched}"
            return GenerativeLeap(order, How.NUMERIC, False, text, order, order, ((order, basis),))
        if lower == upper:
            return GenerativeLeap(
                upper, of_labels.how, False, of_labels.witness, lower, upper, ((lower, basis),)
            )
        sequence = () if upper is None else ((upper, basis),)
        return GenerativeLeap(None, How.UNDECIDED, False, searched, lower, upper, sequence, of_labels.how)

    def _sign(self, order: int) -> int | None:
        """Return the sign of E[g He_order] along the one direction, where it is proved."""
        c = self.search.averages.coefficient(1, ((self.search.relevant.rows[0], order),))
        if c.zero:
            return 0 if c.proved else None
        ball = c.value.sharp()
        return (1 if ball > 0 else -1 if ball < 0 else None) if c.how.is_proof else None

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return the subspaces of the growths of order 1, all powers of the label together."""
        if not self.search.relevant.dimension:
            return ReuseStaircase((), 0)
        powers = range(1, max_order + 1)
        spaces: list[Subspace] = []
        hows, witnesses, ended = [], [], ""
        learned = Subspace.zero(self.k)
        while learned.dimension < self.search.fixed.dimension:
            try:
                stage = self.search.grow(learned, powers, highest=1)
            except EndedEarlyError as error:
                ended = str(error)
                break
            except UndecidedError:
                break
            before, learned = learned, joined(learned, stage.added, self.search.fixed)
            if learned.dimension == before.dimension:
                break
            spaces.append(learned)
            hows.append(stage.how)
            witnesses.append("; ".join(stage.witnesses))
        how = worst(hows) if spaces or not ended else How.UNDECIDED
        return ReuseStaircase(tuple(spaces), len(powers), how, tuple(witnesses), ended=ended)

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return the directions that moments E[y^m z] reach, at their least m, and the last m searched."""
        search = self.search
        axes = [axis(i, self.k) for i in range(self.k)]
        basis = search.fixed.orthogonal_basis()
        found: list[DirectionVerdict] = []
        # How it is known that lower moments add nothing: the order of a verdict rests on it.
        lower: list[How] = []
        coarse = False
        if not basis:
            return (), max_order
        m = 0
        try:
            for m in range(1, max_order + 1):
                entries = tuple(search.averages.coefficient(m, ((b, 1),)) for b in basis)
                before = worst(lower)
                at_most, coarse = coarse, coarse or not all(c.tells for c in entries)
                lower += [c.how for c in entries if c.zero]
                if all(c.zero for c in entries):
                    continue
                direction, how = direction_of(search.averages, m, basis, entries)
                new = orthogonalised(direction, (verdict.direction for verdict in found))
                if any(new):
                    mu = tuple(search.averages.coefficient(m, ((e, 1),)).value for e in axes)
                    if len(found) == len(basis) - 1:
                        # Up to a factor the last one is what the others leave, and shorter to write.
                        others = Subspace.span((verdict.direction for verdict in found), self.k)
                        (new,) = others.within(search.fixed).orthogonal_basis()
                    known = worst([how, before, *map(how_known, new), *(verdict.how for verdict in found)])
                    found.append(
                        DirectionVerdict(
                            primitive(new), "learned", known, order=m, witness=mu, at_most=at_most
                        )
                    )
                elif how is not How.EXACT:
                    lower.append(How.NUMERIC)  # in the span of those before, as far as can be told
                if len(found) == len(basis):
                    break
        except EffortSpentError:
            m -= 1
        return tuple(found), m

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return the symmetries of the search, and more where something is neither reached nor hidden."""
        found = self.search.certified[0]
        if (reached + self.search.hidden).dimension < self.relevant.dimension:
            found = (*found, *hidden_directions(self.search.fixer, self.relevant, reached)[0])
        return found

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return what has neither witness nor symmetry: hidden where finitely many moments are all there are.

        Of a label with n values every F(y) is a polynomial of degree below n: E[F(y) z] is in the span of E[y^m z],
        m < n. Two steps see no more than that where the first one sees nothing, E[y z] = 0.
        """
        values = self.search.averages.values
        if values is None or len(values) > searched + 1 or not self._vanish(self.search.fixed, 1):
            return undecided(left, searched)
        verdicts: list[DirectionVerdict] = []
        for v in left.orthogonal_basis():
            line = Subspace.span((v,), self.k)
            if all(self._vanish(line, m) for m in range(2, len(values))):
                verdicts.append(DirectionVerdict(v, "hidden", How.EXACT, order=searched, values=len(values)))
            else:
                verdicts += undecided(line, searched)
        return tuple(verdicts)

    def _vanish(self, space: Subspace, power: int) -> bool:
        """Return whether it is proved that E[y^power z] is orthogonal to a space."""
        found = (self.search.averages.coefficient(power, ((b, 1),)) for b in space.orthogonal_basis())
        return all(c.zero and c.proved for c in found)

    @cached_property
    def two_values(self) -> tuple[sp.Rational, sp.Rational] | None:
        """The two rational values of the label, if it has no others."""
        values = self.search.averages.values
        return tuple(sorted(values)) if values is not None and len(values) == 2 else None


def _along(target: Target, search: Search) -> sp.Expr:
    """Return the function t -> g(t b / |b|) of the one direction b, in the coordinate z1."""
    (b,) = search.relevant.orthogonal_basis()
    size = sp.sqrt(squared_length(b))
    t = sp.Dummy(real=True)
    images = {z: as_expr(x) * t / size for z, x in zip(target.coordinates, b, strict=True)}
    return target.expr.xreplace(images).xreplace({t: coordinate(1)})


def _bounds(stages: list[Stage], reason: str) -> tuple[int, int | None, How]:
    """Return lower and upper bound of a leap from its stages, and how the upper one is known."""
    lower = max([1, *(stage.bound for stage in stages)])
    upper = None if reason else max(stage.order for stage in stages)
    return lower, upper, worst([stage.how for stage in stages])


def _first(stage: Stage) -> Exponent:
    """Return the order of a stage as an exponent, if it meets its bound."""
    if stage.bound == stage.order:
        return Exponent(stage.order, stage.how, witness=stage.witness)
    witness = f"between {stage.bound} and {stage.order} ({stage.witness}): {stage.gap}"
    return Exponent(None, How.UNDECIDED, witness=witness)


def _interval(lower: int, upper: int | None, reason: str, stages: list[Stage]) -> str:
    if upper is None:
        return f"at least {lower}; {reason}"
    return f"between {lower} and {upper}: {next(s.gap for s in stages if s.order == upper)}"


def _sequence(stages: list[Stage]) -> tuple[tuple[int, tuple[Vector, ...]], ...]:
    return tuple((stage.order, stage.added.orthogonal_basis()) for stage in stages)


def _steps(stages: list[Stage]) -> str:
    return ", then ".join(
        f"{', '.join(map(in_words, stage.added.orthogonal_basis()))} (order {stage.order})"
        for stage in stages
    )
