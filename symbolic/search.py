"""Exponents and subspaces of targets with infinitely many Hermite coefficients, by increasing order up to a cap.

For a subspace U with orthogonal basis u and a basis t of what is left, the search goes through the contractions
E[g^m :u^A t^T:] (`averages.py`) by |T|, then |A|. A nonzero one of order j = |T| shows that U grows at order j.
That nothing grows below j is proved by

- zeros of every coefficient, where U = {0} and they are finitely many;
- the same, where g is a function of U plus a function of the rest, so that only A = 0 counts;
- symmetry: where U is all that the symmetries of g fix, order 1 adds nothing;
- parity: a reflection of basis vectors with g(Rz) = s g(z) leaves only multi-indices with (-1)^(flipped part) = s^m,
  and the least |T| > 0 among those bounds every stage from U on (later subspaces only grow, so the bound holds for
  the whole leap).

Where the two meet the answer is exact (or an enclosure, or numeric, as the coefficients behind it); where they do
not, it is undecided and both bounds are stated. Theory, 3.1-3.6.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import sympy as sp
from flint import fmpq

from .answers import (
    hermite_in_words,
)
from .averages import VANISHES, Averages, Coefficient, Factors
from .expectation import Expectation
from .hermite import MultiIndex
from .known import How, worst
from .subspace import Subspace, Vector, dot, in_words, orthogonalised, primitive
from .symmetry import ExpressionFixer, Symmetry, hidden_directions, moved
from .target import Target

CAP = 12
# A direction's ratios are tried as fractions up to this denominator; the averages then decide.
_MAX_DENOMINATOR = 24
_RATIO_TOLERANCE = 1e-7
_RANK_TOLERANCE = 1e-6
# Coefficients of one stage after which it is given up; integrals in floating point weigh more.
_BUDGET = 600
_NUMERIC_WEIGHT = 25
_MAX_FLIPPED = 6

Row = tuple[Coefficient, ...]


class UndecidedError(Exception):
    """The search ended without an answer; the message says what was searched."""


@dataclass(frozen=True)
class Parity:
    """Reflections of a basis under which g keeps or changes its sign: pairs (flipped or not, sign)."""

    flips: tuple[tuple[tuple[int, ...], int], ...]
    size: int

    def allows(self, index: Sequence[int], power: int) -> bool:
        """Whether E[g^power :b^index:] may differ from 0."""
        return all(
            sum(f * n for f, n in zip(flip, index, strict=True)) % 2 == (power % 2 if sign < 0 else 0)
            for flip, sign in self.flips
        )

    def least(self, rest: Sequence[int], *, labels: bool) -> int:
        """Return a lower bound of the degree in the basis vectors `rest` of a nonzero contraction, where positive.

        labels: of g itself; else of every F(g), for which only the reflections that fix g count.
        """
        known = Parity(tuple((f, s) for f, s in self.flips if labels or s > 0), self.size)
        patterns = (p for p in product((0, 1), repeat=self.size) if known.allows(p, 1))
        return min((sum(p[i] for i in rest) or 2 for p in patterns), default=1)


@dataclass(frozen=True)
class Stage:
    """One growth of U: the order, what is added, how it is known, and the lower bound that holds from there on."""

    order: int
    added: Subspace
    how: How
    bound: int
    witness: str


class Search:
    """Everything about one target that is found by searching; answers that share averages are found once."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self.averages = Averages(target)
        self.fixer = ExpressionFixer(self.averages)
        self._parities: dict[tuple[Vector, ...], Parity] = {}

    @cached_property
    def relevant(self) -> Subspace:
        """The span of the linear forms of which the target is a function: it contains V(g)."""
        return Subspace.span(self.averages.directions(), self.k)

    @cached_property
    def certified(self) -> tuple[tuple[Symmetry, ...], Subspace]:
        """Symmetries of the target and the directions that they prove hidden."""
        symmetries, hidden, _ = hidden_directions(self.fixer, self.relevant, Subspace.zero(self.k))
        return symmetries, hidden

    @property
    def hidden(self) -> Subspace:
        """The directions that no E[F(y) z] reaches, by symmetry."""
        return self.certified[1]

    @cached_property
    def fixed(self) -> Subspace:
        """What is left of the relevant subspace: every E[F(y) z] lies in it."""
        return self.hidden.within(self.relevant)

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
        """Return the coordinate axes that are covered, and the others that occur in the target."""
        axes = [tuple(fmpq(int(i == j)) for j in range(self.k)) for i in self.averages.used]
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
                matrix = _reflection([basis[i] for i in chosen], self.k)
                sign = next((s for s in (1, -1) if self.fixer.fixes(matrix, s)), 0)
                if sign:
                    found.append((flip, sign))
                    span |= {tuple((a + b) % 2 for a, b in zip(flip, v, strict=True)) for v in span}
            self._parities[basis] = Parity(tuple(found), n)
        return self._parities[basis]

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
            If no nonzero contraction was found up to the cap, or its directions are not rational.
        """
        known, rest = self.basis(learned) if isotropic else self.axes(learned)
        parity = self.parity((*known, *rest))
        bound = parity.least(range(len(known), parity.size), labels=powers is None)
        if isotropic and all(self._stays(learned, b) for b in rest):
            bound = max(bound, 2)
        # Of g itself there are finitely many coefficients of each order then.
        finite = powers is None and (not known or self._is_sum(known))
        spent, lowered = 0, []
        for order in range(bound, highest + 1):
            found = _Growth(self, known, rest, isotropic=isotropic)
            movable = [
                i for i, b in enumerate(rest) if order > 1 or not isotropic or not self._stays(learned, b)
            ]
            for level in range(1 if finite or not known else CAP - order + 1):
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
                        if spent > _BUDGET:
                            raise UndecidedError(
                                f"no growth found among the first {len(lowered)} contractions, up to order {order}"
                            )
                    found.add(m, A, tensor)
                if found.rows and found.first_level < 0:
                    found.first_level = level
                if found.full or (found.rows and level > found.first_level):
                    break
            if found.rows:
                space, how = found.directions()
                if finite:
                    bound = order
                    how = worst([how, *(How.NUMERIC for h in lowered if h is How.NUMERIC)])
                return Stage(order, space, how, bound, found.witness)
        raise UndecidedError(f"every contraction up to order {highest} vanishes: greater than {highest}")

    def _is_sum(self, known: Sequence[Vector]) -> bool:
        """Whether g is a function of the coordinates along `known` plus a function of the others, exactly.

        g(u, t) - g(u, 0) - g(0, t) + g(0, 0) = 0, almost everywhere.
        """
        P = _projection(known, self.k)
        Q = [[fmpq(int(i == j)) - P[i][j] for j in range(self.k)] for i in range(self.k)]
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
            learned = learned + stages[-1].added
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
        """Return D_j(U) as far as the rows show, and how it is known.

        Raises
        ------
        UndecidedError
            If it is spanned by directions that are not rational.
        """
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
                vector, how = rational_direction(self.search, power, rest, row, _factors(self.known, A), R)
                vectors = [] if vector is None else [vector]
            larger = space + Subspace.span(vectors, k)
            if larger != space:
                space, hows = larger, [*hows, how]
        if space.dimension < len(rest) and self._leaves(space):
            rank = full_rank([row for *_, row in self.rows])
            if rank is None:
                raise UndecidedError("the directions that are reached are not rational")
            return Subspace.span(rest, k), rank
        return space, worst(hows)

    def _leaves(self, space: Subspace) -> bool:
        """Whether some row is not in the space, numerically."""
        basis = space.orthogonal_basis()
        for *_, row in self.rows:
            vector = np.zeros(self.search.k)
            for c, b in zip(row, self.rest, strict=True):
                if not c.zero:
                    vector += float(c.value) * _floats(b) / float(dot(b, b).p)
            size = float(np.linalg.norm(vector))
            for b in basis:
                unit = _floats(b) / np.linalg.norm(_floats(b))
                vector -= (vector @ unit) * unit
            if np.linalg.norm(vector) > _RANK_TOLERANCE * size:
                return True
        return False


def rational_direction(
    search: Search,
    power: int,
    basis: Sequence[Vector],
    row: Row,
    known: Factors = (),
    lowered: MultiIndex | None = None,
) -> tuple[Vector | None, How]:
    """Return sum_i row_i b_i / |b_i|^2 up to scale, if it is rational; None if no simple ratio of entries fits.

    Row_i is E[g^power :u^A t^R (b_i.z):]; a ratio is proved where the difference of two entries is proved to be 0.
    """
    R = lowered or (0,) * len(basis)

    def factors(i: int) -> Factors:
        return (*known, *_factors(basis, [n + int(i == j) for j, n in enumerate(R)]))

    pivot = max(range(len(row)), key=lambda i: 0.0 if row[i].zero else abs(float(row[i].value)))
    entries, hows = [fmpq(0)] * len(row), [c.how for c in row]
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
    # Entries are inner products with the basis: back to R^k by sum_i v_i b_i / |b_i|^2.
    scaled = [(x / dot(b, b), b) for x, b in zip(entries, basis, strict=True)]
    vector = [sum((x * b[r] for x, b in scaled), fmpq(0)) for r in range(search.k)]
    return primitive(vector), worst(hows)


def full_rank(rows: Sequence[Row]) -> How | None:
    """Return how it is known that rows of n numbers have rank n, by one of their minors; None if they have not."""
    chosen = [rows[i] for i, _ in pivots(rows)]
    if len(chosen) < len(rows[0]):
        return None
    minor = _determinant([[Expectation.exact(0) if c.zero else c.value for c in row] for row in chosen])
    decided = Coefficient.decided(minor)
    return worst([decided.how if not decided.zero else How.NUMERIC, *(c.how for row in chosen for c in row)])


def pivots(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Return (row, column) of the pivots, each row the first that is independent of those before, in floats."""
    found: list[tuple[int, int]] = []
    reduced: list[np.ndarray] = []
    for i, row in enumerate(rows):
        vector = np.array([0.0 if c.zero else float(c.value) for c in row])
        size = np.abs(vector).max()
        for (_, column), b in zip(found, reduced, strict=True):
            vector = vector - vector[column] * b
        column = int(np.argmax(np.abs(vector)))
        if abs(vector[column]) > _RANK_TOLERANCE * size:
            found.append((i, column))
            reduced.append(vector / vector[column])
    return found


def _determinant(rows: list[list[Expectation]]) -> Expectation:
    if len(rows) == 1:
        return rows[0][0]
    total = Expectation.exact(0)
    for i, entry in enumerate(rows[0]):
        minor = _determinant([[*row[:i], *row[i + 1 :]] for row in rows[1:]])
        total = total + entry * minor * (-1) ** i
    return total


def _projection(vectors: Sequence[Vector], k: int) -> list[list[fmpq]]:
    return [[sum((b[i] * b[j] / dot(b, b) for b in vectors), fmpq(0)) for j in range(k)] for i in range(k)]


def _array(matrix: Sequence[Sequence[fmpq]]) -> np.ndarray:
    return np.array([_floats(tuple(row)) for row in matrix])


def _floats(vector: Vector) -> np.ndarray:
    return np.array([int(x.p) / int(x.q) for x in vector])


def _reflection(vectors: Sequence[Vector], k: int) -> list[list[fmpq]]:
    P = _projection(vectors, k)
    return [[fmpq(int(i == j)) - 2 * P[i][j] for j in range(k)] for i in range(k)]


def _compositions(n: int, degree: int) -> Iterator[MultiIndex]:
    """Yield the multi-indices of n entries and this degree, the first entries first."""
    for chosen in combinations_with_replacement(range(n), degree):
        yield tuple(chosen.count(i) for i in range(n))


def _factors(basis: Sequence[Vector], index: Sequence[int]) -> Factors:
    return tuple((b, n) for b, n in zip(basis, index, strict=True) if n)


def _in_words(power: int, factors: Factors, value: Expectation) -> str:
    """Return "E[y^2 He2(z1)] = value", directions as they are."""
    label = "g" if power == 1 else f"y^{power}"
    number = str(value.value) if value.how is How.EXACT else f"{float(value):.6g}"
    if all(sum(x != 0 for x in b) == 1 for b, _ in factors):
        index = [0] * len(factors[0][0])
        for b, n in factors:
            index[next(i for i, x in enumerate(b) if x != 0)] = n
        return f"E[{label} {hermite_in_words(tuple(index))}] = {number}"
    parts = " ".join(f":({in_words(b).replace('e', 'z')})^{n}:" for b, n in factors)
    return f"E[{label} {parts}] = {number}"
