"""Exponents against look-ahead rho d = d^r on fresh samples, r <= 0 (theory, 12).

A pair (k, i) with E[g^k He_i(z)] != 0 and E[sigma'^(k-1) sigma^(k) He_(i-1)(h)] != 0 finds a direction in

    T = d^(-2 (k-1) r + max(i - 1, 1)) steps, times log d at i = 2.

With several directions, as for leaps: given U, contractions E[g^k He_A(z_U) He_i(z_perp)] show new ones, the
activation's moment then of order i - 1 + |A|, since the field has an overlap with U. At each r the cheapest pair is
taken first, and a direction's time is that of the slowest stage on the way: no other order is faster. The breakpoints
are where the lines of two pairs cross, so that one r inside each interval between crossings tells all of it.

The drift of a pair is (a rho)^(k-1) a times both moments, times m^(i-1). Where i is odd it leads away from 0 on one
side of m = 0, where k is odd for one sign of the second layer a; where both are even, only for the sign of rho that
the product of the moments has, whatever a. The time of a direction holds for the signs of all stages on the way.

A pair whose moments are undecided leaves a piece open wherever it would be cheaper than those that are known; so do
the powers beyond the highest that was tried, unless nothing is left for them to find, or the moments of label and
activation are those of orders of different parity.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import accumulate, pairwise

from ..errors import RebatchError
from ..exact.irrational import vanishes
from ..exact.known import How, worst
from ..exact.subspace import Subspace, Vector
from ..learnability.exponents import generative_exponent
from .labels import Labels, in_short
from .pieces import EITHER, Line, LookAheadPiece, Signs, Term
from .slopes import Slopes


@dataclass(frozen=True)
class Pair:
    """A pair (k, i); beyond the highest power or order that is tried it stands for all of those there."""

    k: int
    i: int
    tried: bool = True

    @property
    def line(self) -> Line:
        """The exponent of its time in r."""
        return Line(Fraction(-2 * (self.k - 1)), Fraction(max(self.i - 1, 1)))

    @property
    def log(self) -> bool:
        """Whether its time has a factor log d."""
        return self.i == 2

    def cost(self, r: Fraction) -> tuple[int, bool, int, int]:
        """Return what orders pairs at r: the exponent times the denominator, the logarithm, and then the simplest."""
        slope, intercept = int(self.line.slope), int(self.line.intercept)
        return slope * r.numerator + intercept * r.denominator, self.log, self.k, self.i


@dataclass(frozen=True)
class Found:
    """What a pair shows, given U: new directions and the term; or that it is not decided."""

    space: Subspace
    term: Term | None


@dataclass(frozen=True)
class Factor:
    """The activation's moment of a pair: how it is known not to be 0, in words, and its sign; 0 of an open one."""

    how: How
    words: str
    sign: int


@dataclass(frozen=True)
class Stage:
    """A pair that ruled a stage at some r, and the directions known after it; no term: it is open."""

    pair: Pair
    term: Term | None
    learned: Subspace


class LookAhead:
    """The map of one target and activation, all moments found once.

    Parameters
    ----------
    labels : Labels
    slopes : Slopes
    relevant, hidden : Subspace
        V, and what a symmetry hides from E[F(y) z] for every F.
    """

    def __init__(self, labels: Labels, slopes: Slopes, relevant: Subspace, hidden: Subspace) -> None:
        self.labels, self.slopes, self.relevant, self.hidden = labels, slopes, relevant, hidden
        self.nothing = Subspace.zero(labels.target.k)
        self._known: dict[tuple[Pair, Subspace], Found | None] = {}
        self._moments: dict[tuple[int, int], Factor | None] = {}

    @cached_property
    def fixed(self) -> Subspace:
        """What symmetries leave for E[F(y) z]."""
        return self.hidden.within(self.relevant)

    @cached_property
    def powers(self) -> int:
        """The highest k that is tried."""
        highest = self.slopes.highest
        return self.labels.powers if highest is None else max(1, min(self.labels.powers, highest))

    @cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """All pairs, those that are not tried included."""
        found = []
        for k in range(1, self.powers + 1):
            highest, all_of_them = self.labels.orders(k)
            found += [Pair(k, i) for i in range(1, highest + 1)]
            if not all_of_them:
                found.append(Pair(k, highest + 1, tried=False))
        bounded = self.slopes.highest is not None and self.slopes.highest <= self.powers
        if not (self.labels.complete or bounded):
            most = max(pair.i for pair in found)
            found += [Pair(self.powers + 1, i, tried=False) for i in range(1, most + 1)]
        return tuple(found)

    def crossings(self) -> list[Fraction]:
        """Return where the lines of two pairs cross, r < 0, in ascending order, and 0."""
        # Those of one k are there for every order up to the highest, so their exponents differ by all of 1, 2, ...
        highest: dict[int, int] = {}
        for pair in self.pairs:
            highest[pair.k] = max(highest.get(pair.k, 1), pair.i - 1)
        crossed = {
            Fraction(difference, 2 * (j - k))
            for k, most in highest.items()
            for j in highest
            if j > k
            for difference in range(1, most)
        }
        return [*sorted(-x for x in crossed), Fraction(0)]

    def stages(self, r: Fraction, *, one_pass: bool = False) -> tuple[Stage, ...]:
        """Return the stages at r, the cheapest pair first; without look-ahead only k = 1 counts."""
        ordered = sorted((p for p in self.pairs if p.k == 1 or not one_pass), key=lambda pair: pair.cost(r))
        learned, stages = self.nothing, []
        while learned != self.relevant:
            stage = self._stage(learned, ordered, r)
            if stage is None:
                break
            stages.append(stage)
            learned = stage.learned
            if stage.term is None:
                break
        return tuple(stages)

    def _stage(self, learned: Subspace, ordered: Sequence[Pair], r: Fraction) -> Stage | None:
        """Return what is found next, together with all that costs the same; None if nothing is left to find."""
        first: Pair | None = None
        term: Term | None = None
        total = learned
        for pair in ordered:
            if first is not None and pair.cost(r)[:2] != first.cost(r)[:2]:
                break
            found = self.shown(pair, learned)
            if found is None or (found.space <= learned and found.term is not None):
                continue
            if found.term is None:
                if first is None:
                    return Stage(pair, None, learned)
                continue
            first, term = (pair, found.term) if first is None else (first, term)
            total = total + found.space
            if total == self.relevant:
                break
        return None if first is None else Stage(first, term, total)

    def shown(self, pair: Pair, learned: Subspace) -> Found | None:
        """Return what a pair shows, given U; None where that is nothing, a Found without term if undecided."""
        if pair.i == 1 and self._stays(learned):
            return None
        if not (pair.tried or learned.dimension) and pair.i < self._least_order:
            return None
        if self._excluded(pair, learned):
            return None
        if (pair, learned) not in self._known:
            try:
                found = self._shown(pair, learned) if pair.tried else Found(self.nothing, None)
            except RebatchError:
                if pair.k == 1:
                    raise
                found = Found(self.nothing, None)
            self._known[pair, learned] = found
        return self._known[pair, learned]

    @cached_property
    def _least_order(self) -> int:
        """The generative exponent, below which no function of the label shows anything, where it is proved."""
        known = generative_exponent(self.labels.target)
        return known.value if known.value is not None and known.how is not How.NUMERIC else 1

    def _excluded(self, pair: Pair, learned: Subspace) -> bool:
        """Whether label and activation have their moments of this power at orders of other parity.

        At i = 1 and k = 1 a linear part of the activation is seen, whatever the parity of the rest.
        """
        if pair.k > self.powers or pair.i == pair.k == 1:
            return False
        parity = self.slopes.parity(pair.k)
        return parity is not None and parity not in self.labels.totals(pair.k, learned)

    def _stays(self, learned: Subspace) -> bool:
        """Whether order 1 finds nothing: a symmetry that fixes all that is known moves all that is left."""
        return learned <= self.fixed and (learned + self.hidden) == self.relevant

    def _shown(self, pair: Pair, learned: Subspace) -> Found | None:
        """Return what the pair (k, i) shows from U on, None for nothing, without a term where this is open."""
        highest, complete = self.labels.levels(pair.k, learned, pair.i)
        open_ends = not complete
        for level in range(highest + 1):
            factor = self._factor(pair.k, pair.i - 1 + level)
            if factor is None:
                continue
            answer = self.labels.ask(pair.k, learned, pair.i, level)
            if answer.space.dimension and factor.how is not How.UNDECIDED:
                how = worst([answer.how, factor.how])
                rho = self._rho(pair, learned, answer.signs, factor.sign)
                return Found(answer.space, Term(pair.k, pair.i, answer.words, factor.words, how, rho))
            if answer.space.dimension or answer.how is How.UNDECIDED:
                open_ends = True
        return Found(self.nothing, None) if open_ends else None

    def _rho(self, pair: Pair, learned: Subspace, signs: Signs, factor: int) -> Signs:
        """Return the signs of rho for which the drift leads away from 0, from those of the label's form.

        At a kink, where that form is one of a > 0 and rho > 0, only whether this sign does.
        """
        k, i, kink = pair.k, pair.i, self.slopes.kink is not None
        if not factor or i % 2 or k == 1 or (k % 2 and not kink):
            return EITHER
        if signs is None or not self._alone(pair, learned):
            return None
        found = frozenset(sign * factor for sign in signs)
        if kink:
            return frozenset({1}) if 1 in found else None
        return frozenset() if len(found) == 2 else found

    def _alone(self, pair: Pair, learned: Subspace) -> bool:
        """Whether a drift has no part that takes its sign from the overlaps with U."""
        highest, complete = self.labels.levels(pair.k, learned, pair.i)
        return complete and not any(
            self._factor(pair.k, pair.i + level - 1) is not None
            and self.labels.ask(pair.k, learned, pair.i, level).space.dimension
            for level in range(1, highest + 1)
        )

    def _factor(self, k: int, n: int) -> Factor | None:
        """Return how it is known that the activation's moment is not 0; None where it is 0."""
        if (k, n) not in self._moments:
            self._moments[k, n] = self._decided(k, n)
        return self._moments[k, n]

    def _decided(self, k: int, n: int) -> Factor | None:
        """Return how E[sigma'^(k-1) sigma^(k) He_n] is known not to vanish; None where it is 0."""
        words = self.slopes.in_words(k, n)
        if self.slopes.activation is None:
            return Factor(How.EXACT, f"{words}, not 0 for most sigma", 0)
        value = self.slopes.moment(k, n)
        if value is None:
            return Factor(How.UNDECIDED, words, 0)
        zero, proved = vanishes(value)
        if zero:
            return None if proved else Factor(How.UNDECIDED, words, 0)
        sign = 1 if value.sharp().mid() > 0 else -1
        return Factor(value.how if proved else How.NUMERIC, f"{words} = {in_short(value)}", sign)

    def pieces(self, direction: Vector) -> tuple[LookAheadPiece, ...]:
        """Return the map of r for one direction, neighbours of one rule joined."""
        joined: list[LookAheadPiece] = []
        for piece in self._parts(direction):
            if joined and joined[-1].rule == piece.rule:
                joined[-1] = LookAheadPiece(joined[-1].lower, piece.upper, *_rest(piece))
            else:
                joined.append(piece)
        return tuple(joined)

    def _parts(self, direction: Vector) -> Iterator[LookAheadPiece]:
        """Yield a piece for each stretch with the same stages, and for r = 0, where every power counts alike."""
        ends = self.crossings()
        inside = [ends[0] - 1, *((lower + upper) / 2 for lower, upper in pairwise(ends))]
        lower = None
        for last in self._last_of_each(inside):
            yield self._piece(lower, ends[last], inside[last], direction)
            lower = ends[last]
        yield self._piece(ends[-1], ends[-1], ends[-1], direction)

    def _last_of_each(self, points: Sequence[Fraction]) -> Iterator[int]:
        """Yield the last index of each stretch of points with the same stages, and the same ones the slowest.

        Costs are linear: a pair that costs the least of all at two points does so between them, or the most.
        """
        waiting = [(0, len(points) - 1)]
        while waiting:
            first, last = waiting.pop()
            if self._ruled_at(points[first]) == self._ruled_at(points[last]):
                continue
            if last == first + 1:
                yield first
                continue
            middle = (first + last) // 2
            waiting += [(middle, last), (first, middle)]
        yield len(points) - 1

    def _piece(
        self, lower: Fraction | None, upper: Fraction, inside: Fraction, direction: Vector
    ) -> LookAheadPiece:
        """Return the piece around a point: the slowest stage until the direction is reached rules it."""
        passed: list[Stage] = []
        for stage, slowest in self._ruled_at(inside):
            passed.append(stage)
            if stage.term is None:
                what = "undecided" if stage.pair.tried else "and beyond not tried"
                return LookAheadPiece(
                    lower, upper, None, None, False, f"({stage.pair.k}, {stage.pair.i}) {what}"
                )
            if direction in stage.learned:
                assert slowest.term is not None
                term = replace(slowest.term, rho=_common(s.term.rho for s in passed if s.term is not None))
                return LookAheadPiece(lower, upper, slowest.pair.line, term, slowest.pair.log)
        return LookAheadPiece(lower, upper, None, None, False)

    def _ruled_at(self, r: Fraction) -> tuple[tuple[Stage, Stage], ...]:
        """Return each stage at r with the slowest up to it, the latest of several."""

        def slower(before: Stage, after: Stage) -> Stage:
            return before if before.pair.cost(r)[:2] > after.pair.cost(r)[:2] else after

        if r not in self._at:
            stages = self.stages(r)
            self._at[r] = tuple(zip(stages, accumulate(stages, slower), strict=True))
        return self._at[r]

    @cached_property
    def _at(self) -> dict[Fraction, tuple[tuple[Stage, Stage], ...]]:
        return {}


def _common(signs: Iterable[Signs]) -> Signs:
    """Return the signs of rho that all stages have."""
    common = EITHER
    for own in signs:
        if own is None:
            return None
        common &= own
    return common


def _rest(piece: LookAheadPiece) -> tuple[Line | None, Term | None, bool, str]:
    return piece.time, piece.term, piece.log, piece.open
