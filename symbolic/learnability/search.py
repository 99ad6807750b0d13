"""Exponents and subspaces of targets with infinitely many Hermite coefficients, by increasing order up to a cap.

For a subspace U with orthogonal basis u and a basis t of what is left, the search goes through the contractions
E[g^m :u^A t^T:] (`averages.py`) by |T|, then |A|. A nonzero one of order j = |T| shows that U grows at order j.
That nothing grows below j is proved by

- zeros of every coefficient, where U = {0} and they are finitely many;
- the same, where g is a function of U plus a function of the rest, so that only A = 0 counts, or a polynomial;
- symmetry: where U is all that the symmetries of g fix, order 1 adds nothing;
- parity: a reflection of basis vectors with g(Rz) = s g(z) leaves only multi-indices with (-1)^(flipped part) = s^m,
  and the least |T| > 0 among those bounds every stage from U on (later subspaces only grow, so the bound holds for
  the whole leap);
- moment identities in all powers of g at once (`moment_identity.py`), which forbid low orders along one direction.

Where the two meet the answer is exact (or an enclosure, or numeric, as the coefficients behind it); where they do
not, it is undecided and both bounds are stated. Where the contractions are infinitely many, a stage may hold fewer
directions than D_j(U): the search for them ends one level of |A| after the first. The orders are unaffected. Theory,
3.1-3.6.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus.hermite import MultiIndex
from ..exact.expectation import Expectation
from ..exact.known import How, worst
from ..exact.real import Scalar, as_expr, scalar
from ..exact.subspace import (
    Subspace,
    Vector,
    as_floats,
    axis,
    dot,
    is_exact,
    orthogonalised,
    primitive,
    squared_length,
)
from ..language.target import Target
from ..proofs.averages import VANISHES, Averages, Coefficient, Factors
from ..proofs.moment_identity import first_order_not_excluded
from ..proofs.symmetry import ExpressionFixer, Matrix, Symmetry, hidden_directions, moved
from .answers import moment_in_words

CAP = 12
# A direction's ratios are tried as fractions up to this denominator; the averages then decide.
_MAX_DENOMINATOR = 24
_RATIO_TOLERANCE = 1e-7
# Coefficients of one stage after which it is given up; integrals in floating point weigh more.
_BUDGET = 600
_NUMERIC_WEIGHT = 25
_MAX_FLIPPED = 6

Row = tuple[Coefficient, ...]


class UndecidedError(Exception):
    """The search ended without an answer; the message says what was searched."""


@dataclass(frozen=True)
class Parity:
    """What symmetry says of contractions with a basis.

    Attributes
    ----------
    flips : tuple of (tuple of 0 and 1, sign)
        Reflections of basis vectors (1: flipped) under which g keeps or changes its sign.
    first : tuple of int
        For each basis vector the least positive order that is not excluded by moment identities.
    """

    flips: tuple[tuple[tuple[int, ...], int], ...]
    first: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of basis vectors."""
        return len(self.first)

    def allows(self, index: Sequence[int], power: int) -> bool:
        """Whether E[g^power :b^index:] may differ from 0."""
        return all(n == 0 or n >= first for n, first in zip(index, self.first, strict=True)) and all(
            sum(f * n for f, n in zip(flip, index, strict=True)) % 2 == (power % 2 if sign < 0 else 0)
            for flip, sign in self.flips
        )

    def least(self, rest: Sequence[int], *, labels: bool) -> int:
        """Return a lower bound of the degree in the basis vectors `rest` of a nonzero contraction, where positive.

        labels: of g itself; else of every F(g), for which only the reflections that fix g count.
        """
        known = Parity(tuple((f, s) for f, s in self.flips if labels or s > 0), (1,) * self.size)
        patterns = (p for p in product((0, 1), repeat=self.size) if known.allows(p, 1))

        def degree(pattern: tuple[int, ...]) -> int:
            """Return the least degree in `rest` of these parities: odd entries as small as may be, or one even."""
            odd = sum(self.first[i] | 1 for i in rest if pattern[i])
            return odd or min(max(2, self.first[i] + self.first[i] % 2) for i in rest)

        return min(map(degree, patterns), default=1)


@dataclass(frozen=True)
class Stage:
    """One growth of U.

    Attributes
    ----------
    order : int
    added : Subspace
    how : How
    bound : int
        The lower bound of the order that holds from there on.
    gap : str
        Where the bound is below the order: why lower orders are not excluded.
    witness : str
        A contraction that is not 0.
    witnesses : tuple of str
        One for every direction that is added.
    """

    order: int
    added: Subspace
    how: How
    bound: int
    gap: str
    witness: str
    witnesses: tuple[str, ...]


class Search:
    """Everything about one target that is found by searching; answers that share averages are found once."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self.averages = Averages(target)
        self.fixer = ExpressionFixer(self.averages)
        self._parities: dict[tuple[Vector, ...], Parity] = {}

    @cached_property
    def relevant(self) -> Subspace:
        """The span of the linear forms of which the target is a function: it contains V(g).

        Rational axes where irrational forms span all of them.
        """
        forms = Subspace.span(self.averages.directions, self.k)
        axes = Subspace.span((axis(i, self.k) for i in self.averages.used), self.k)
        return axes if axes.dimension == forms.dimension else forms

    @cached_property
    def certified(self) -> tuple[tuple[Symmetry, ...], Subspace]:
        """Symmetries of the target and the directions that they prove hidden.

        What the first two moments E[y^m z] do not reach is where more symmetries are looked for.
        """
        symmetries, hidden, complete = hidden_directions(self.fixer, self.relevant, Subspace.zero(self.k))
        reached = Subspace.zero(self.k) if complete else self._moments(hidden.within(self.relevant), 2)
        if not reached.dimension:
            return symmetries, hidden
        more, more_hidden, _ = hidden_directions(self.fixer, self.relevant, reached)
        return (*symmetries, *more), hidden + more_hidden

    def _moments(self, space: Subspace, highest: int) -> Subspace:
        """Return the span of the projections of E[y^m z], m <= highest, on a subspace."""
        basis = space.orthogonal_basis()
        found = []
        for m in range(1, highest + 1):
            row = tuple(self.averages.coefficient(m, ((b, 1),)) for b in basis)
            if not all(c.zero for c in row):
                found.append(direction_of(self, m, basis, row)[0])
        return Subspace.span(found, self.k)

    @property
    def hidden(self) -> Subspace:
        """The directions that no E[F(y) z] reaches, by symmetry."""
        return self.certified[1]

    @cached_property
    def fixed(self) -> Subspace:
        """What is left of the relevant subspace: every E[F(y) z] lies in it."""
        return self.hidden.within(self.relevant)

    @cached_property
    def degree(self) -> int | None:
        """The degree of a polynomial, whatever its coefficients, up to the cap; None for any other target."""
        g, z = self.target.expr, self.target.coordinates
        degree = int(sp.Poly(g, *z).total_degree()) if g.is_polynomial(*z) else CAP + 1
        return degree if degree <= CAP else None

    def basis(self, learned: Subspace) -> tuple[tuple[Vector, ...], tuple[Vector, ...]]:
        """Return orthogonal bases of U and of what is left, the latter adapted to the symmetries."""
        known = learned.orthogonal_basis()
        rest: list[Vector] = []
        for v in (*self.fixed.orthogonal_basis(), *self.hidden.orthogonal_basis()):
            new = orthogonalised(v, (*known, *rest))
            if any(new):
                rest.append(primitive(new))
        return known, tuple(rest)

    def axes(self, covered: Subspace) -> tuple[tuple[Vector, ...], tuple[Vector, ...]]:
        """Return the coordinate axes that are covered, and the others on which the target depends."""
        occurring = (axis(i, self.k) for i in self.averages.used)
        axes = [v for v in occurring if any(dot(v, row) != 0 for row in self.relevant.rows)]
        return tuple(v for v in axes if v in covered), tuple(v for v in axes if v not in covered)

    def parity(self, basis: tuple[Vector, ...]) -> Parity:
        """Return the reflections of basis vectors that keep g or change its sign, independent ones."""
        if basis not in self._parities:
            n = len(basis)
            sets = [s for size in range(1, n + 1) for s in combinations(range(n), size)]
            if n > _MAX_FLIPPED:
                sets = [s for s in sets if len(s) in (1, 2, n)]
            found: list[tuple[tuple[int, ...], int]] = []
            span = {(0,) * n}
            for chosen in sets:
                flip = tuple(int(i in chosen) for i in range(n))
                if flip in span:
                    continue
                # All together they are minus the identity of V, whatever the basis.
                flipped = self.relevant.orthogonal_basis() if len(chosen) == n else [basis[i] for i in chosen]
                matrix = _reflection(flipped, self.k)
                sign = next((s for s in (1, -1) if self.fixer.fixes(matrix, s)), 0)
                if sign:
                    found.append((flip, sign))
                    span |= {tuple((a + b) % 2 for a, b in zip(flip, v, strict=True)) for v in span}
            self._parities[basis] = Parity(tuple(found), tuple(map(self._first_order, basis)))
        return self._parities[basis]

    def _first_order(self, b: Vector) -> int:
        """Return the least l >= 1 for which E[F(g, the rest) He_l(b.z / |b|)] = 0 is not proved, all F."""
        off = _complement(_projection([b], self.k))
        if not all(map(is_exact, (b, *off))):
            return 1
        t, size = sp.Dummy("t", real=True), sp.sqrt(squared_length(b))
        rest = [
            sp.Add(*(as_expr(x) * z for x, z in zip(row, self.target.coordinates, strict=True)))
            for row in off
        ]
        images = {
            z: r + as_expr(x) * t / size for z, r, x in zip(self.target.coordinates, rest, b, strict=True)
        }
        return first_order_not_excluded(sp.expand_mul(self.target.expr.xreplace(images)), t, CAP)

    def grow(
        self,
        learned: Subspace,
        powers: Sequence[int] | None = None,
        *,
        isotropic: bool = True,
        highest: int = CAP,
    ) -> Stage:
        """Return the next stage from U = `learned`: of the labels themselves, or of their powers where given.

        Raises
        ------
        UndecidedError
            If no nonzero contraction was found up to the cap.
        """
        known, rest = self.basis(learned) if isotropic else self.axes(learned)
        parity = self.parity((*known, *rest))
        bound = parity.least(range(len(known), parity.size), labels=powers is None)
        if isotropic and all(self._stays(learned, b) for b in rest):
            bound = max(bound, 2)
        # Of g itself there are finitely many coefficients of each order then, and all are looked at.
        separate = powers is None and (not known or self._is_sum(known))
        finite = separate or (powers is None and self.degree is not None)
        most = CAP if self.degree is None or powers is not None else min(CAP, self.degree)
        gap = f"lower orders vanish up to degree {CAP}, no parity closes the gap"
        spent, lowered, least = 0, [], most
        for order in range(bound, min(highest, most) + 1):
            found = _Growth(self, known, rest, isotropic=isotropic)
            movable = [
                i for i, b in enumerate(rest) if order > 1 or not isotropic or not self._stays(learned, b)
            ]
            for level in range(1 if separate or not known else most - order + 1):
                for m, A in product(powers or (1,), _compositions(len(known), level)):
                    if found.full:
                        break
                    tensor = {}
                    for index in _compositions(len(rest), order):
                        if not parity.allows((*A, *index), m) or (
                            order == 1 and not any(index[i] for i in movable)
                        ):
                            continue
                        c = self.averages.coefficient(m, _factors((*known, *rest), (*A, *index)))
                        spent += _NUMERIC_WEIGHT if c.value.how is How.NUMERIC else 1
                        tensor[index] = c
                        lowered.append(c.how)
                        if finite and order < least and not c.tells:
                            least = order
                            average = _in_words(m, _factors((*known, *rest), (*A, *index)), c.value)
                            gap = f"{average} +- {c.value.error:.1g} cannot be told from 0"
                        if spent > _BUDGET:
                            raise UndecidedError(
                                f"no growth found among the first {len(lowered)} contractions, up to order {order}"
                            )
                    found.add(m, A, tensor)
                if found.rows and found.first_level < 0:
                    found.first_level = level
                if found.full or (not finite and found.rows and level > found.first_level):
                    break
            if found.rows:
                space, how = found.directions()
                if finite:
                    bound = min(order, max(bound, least))
                    how = worst([how, *(How.NUMERIC for h in lowered if h is How.NUMERIC)])
                return Stage(order, space, how, bound, gap, found.witness, tuple(found.witnesses))
        raise UndecidedError(f"every contraction up to order {highest} vanishes: greater than {highest}")

    def _is_sum(self, known: Sequence[Vector]) -> bool:
        """Whether g is a function of the coordinates along `known` plus a function of the others, exactly.

        g(u, t) - g(u, 0) - g(0, t) + g(0, 0) = 0, almost everywhere.
        """
        P = _projection(known, self.k)
        Q = _complement(P)
        if not all(map(is_exact, (*P, *Q))):
            return False
        g, z = self.target, self.fixer.points
        apart = g(z) - g(z @ _array(P).T) - g(z @ _array(Q).T) + g(0 * z)
        if not np.allclose(apart, 0, atol=1e-7 * (1 + np.abs(g(z)).max())):
            return False
        u, t = (moved(g, matrix) for matrix in (P, Q))
        origin = g.expr.xreplace(dict.fromkeys(g.coordinates, sp.Integer(0)))
        return self.averages.is_identity(g.expr - u - t + origin)

    def _stays(self, learned: Subspace, direction: Vector) -> bool:
        """Whether no order 1 reaches a direction: a symmetry that moves it also fixes all that order 1 reached."""
        return learned <= self.fixed and direction in self.hidden

    def leap(self, powers: Sequence[int] | None = None, *, isotropic: bool = True) -> tuple[list[Stage], str]:
        """Return the stages by which all is learned, and why the search ended early, if it did."""
        total = self.relevant if isotropic else Subspace.span(self.axes(Subspace.zero(self.k))[1], self.k)
        stages: list[Stage] = []
        learned = Subspace.zero(self.k)
        while learned != total:
            try:
                stages.append(self.grow(learned, powers, isotropic=isotropic))
            except UndecidedError as error:
                return stages, str(error)
            before, learned = learned, learned + stages[-1].added
            if learned.dimension == before.dimension:
                return stages[:-1], "what is found next cannot be told from what was found before"
        return stages, ""


class _Growth:
    """The nonzero contractions of one order j, and the directions D_j(U) that they span."""

    def __init__(
        self, search: Search, known: tuple[Vector, ...], rest: tuple[Vector, ...], *, isotropic: bool
    ) -> None:
        self.search, self.known, self.rest, self.isotropic = search, known, rest, isotropic
        self.rows: list[tuple[int, MultiIndex, MultiIndex, Row]] = []
        self.first_level = -1
        self.witness = ""
        self.witnesses: list[str] = []

    @property
    def full(self) -> bool:
        """Whether every basis vector that is left is reached by itself."""
        reached = {
            i
            for *_, row in self.rows
            if not self.isotropic or sum(not c.zero for c in row) == 1
            for i, c in enumerate(row)
            if not c.zero
        }
        return len(reached) == len(self.rest)

    def add(self, power: int, A: MultiIndex, tensor: dict[MultiIndex, Coefficient]) -> None:
        """Take in the contractions of one power and one multi-index in U: a row per lowered index."""
        lowered = {
            (*T[:i], T[i] - 1, *T[i + 1 :])
            for T, c in tensor.items()
            if not c.zero
            for i in range(len(T))
            if T[i]
        }
        for R in sorted(lowered, reverse=True):
            row = tuple(tensor.get((*R[:i], R[i] + 1, *R[i + 1 :]), VANISHES) for i in range(len(self.rest)))
            self.rows.append((power, A, R, row))
        if lowered and not self.witness:
            T = max((T for T, c in tensor.items() if not c.zero), key=lambda T: (max(T), T))
            self.witness = _in_words(power, _factors((*self.known, *self.rest), (*A, *T)), tensor[T].value)

    def directions(self) -> tuple[Subspace, How]:
        """Return D_j(U) as far as the rows show, and how it is known."""
        k, rest = self.search.k, self.rest
        space = Subspace.zero(k)
        hows: list[How] = []
        for power, A, R, row in self.rows:
            nonzero = [i for i, c in enumerate(row) if not c.zero]
            if not self.isotropic:
                vectors, how = [rest[i] for i in nonzero], worst([row[i].how for i in nonzero])
            elif all(rest[i] in space for i in nonzero):
                continue
            else:
                vector, how = direction_of(self.search, power, rest, row, _factors(self.known, A), R)
                vectors = [vector]
            larger = space + Subspace.span(vectors, k)
            if larger.dimension > space.dimension:
                space, hows = larger, [*hows, how, larger.how]
                self.witnesses.append(self._shown(power, A, R, row))
        # All that is left is spanned by its basis, whatever the directions by which it was reached.
        return (Subspace.span(rest, k) if space.dimension == len(rest) else space), worst(hows)

    def _shown(self, power: int, A: MultiIndex, R: MultiIndex, row: Row) -> str:
        """Return the largest contraction of a row in words."""
        i = max(range(len(row)), key=lambda i: 0.0 if row[i].zero else abs(float(row[i].value)))
        T = (*R[:i], R[i] + 1, *R[i + 1 :])
        return _in_words(power, _factors((*self.known, *self.rest), (*A, *T)), row[i].value)


def direction_of(
    search: Search,
    power: int,
    basis: Sequence[Vector],
    row: Row,
    known: Factors = (),
    lowered: MultiIndex | None = None,
) -> tuple[Vector, How]:
    """Return sum_i row_i b_i / |b_i|^2 up to scale, rational where simple ratios of entries fit, and how it is known.

    Row_i is E[g^power :u^A t^R (b_i.z):]; a ratio is proved where the difference of two entries is proved to be 0.
    """
    entries, how = _in_simple_ratios(search, power, basis, row, known, lowered or (0,) * len(basis))
    if entries is None:
        entries = [fmpq(0) if c.zero else scalar(c.value) for c in row]
        how = worst(c.how for c in row)
    # Entries are inner products with the basis: back to R^k by sum_i v_i b_i / |b_i|^2.
    scaled = [(x / dot(b, b), b) for x, b in zip(entries, basis, strict=True)]
    vector = [sum((x * b[r] for x, b in scaled), fmpq(0)) for r in range(search.k)]
    return primitive(vector), how


def _in_simple_ratios(
    search: Search, power: int, basis: Sequence[Vector], row: Row, known: Factors, lowered: MultiIndex
) -> tuple[list[Scalar] | None, How]:
    """Return rational numbers in the ratios of a row, if fractions with small denominators fit."""

    def factors(i: int) -> Factors:
        return (*known, *_factors(basis, [n + int(i == j) for j, n in enumerate(lowered)]))

    pivot = max(range(len(row)), key=lambda i: 0.0 if row[i].zero else abs(float(row[i].value)))
    entries: list[Scalar] = [fmpq(0)] * len(row)
    hows = [c.how for c in row]
    entries[pivot] = fmpq(1)
    for i, c in enumerate(row):
        if i == pivot or c.zero:
            continue
        ratio = float(c.value) / float(row[pivot].value)
        guess = sp.Rational(ratio).limit_denominator(_MAX_DENOMINATOR)
        if abs(float(guess) - ratio) > _RATIO_TOLERANCE * abs(ratio):
            return None, How.UNDECIDED
        entries[i] = fmpq(int(guess.p), int(guess.q))
        difference = search.averages.combination(
            power, [(fmpq(1), factors(i)), (-entries[i], factors(pivot))]
        )
        if not difference.zero:
            return None, How.UNDECIDED
        hows.append(difference.how)
    return entries, worst(hows)


def _projection(vectors: Sequence[Vector], k: int) -> list[list[Scalar]]:
    return [[sum((b[i] * b[j] / dot(b, b) for b in vectors), fmpq(0)) for j in range(k)] for i in range(k)]


def _complement(matrix: Matrix) -> list[list[Scalar]]:
    """Return I - P."""
    return [[int(i == j) - x for j, x in enumerate(row)] for i, row in enumerate(matrix)]


def _array(matrix: Matrix) -> np.ndarray:
    return np.array([as_floats(row) for row in matrix])


def _reflection(vectors: Sequence[Vector], k: int) -> list[list[Scalar]]:
    P = _projection(vectors, k)
    return [[fmpq(int(i == j)) - 2 * P[i][j] for j in range(k)] for i in range(k)]


def _compositions(n: int, degree: int) -> Iterator[MultiIndex]:
    """Yield the multi-indices of n entries and this degree, the first entries first."""
    for chosen in combinations_with_replacement(range(n), degree):
        yield tuple(chosen.count(i) for i in range(n))


def _factors(basis: Sequence[Vector], index: Sequence[int]) -> Factors:
    return tuple((b, n) for b, n in zip(basis, index, strict=True) if n)


def _in_words(power: int, factors: Factors, value: Expectation) -> str:
    number = str(value.value) if value.how is How.EXACT else f"{float(value):.6g}"
    return moment_in_words(power, factors, number)
