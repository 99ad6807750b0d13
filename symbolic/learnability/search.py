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

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product

import numpy as np
import sympy as sp
from flint import fmpq

from ..calculus.hermite_form import MultiIndex
from ..exact.effort import EffortSpentError
from ..exact.irrational import Scalar, as_expr
from ..exact.known import How, worst
from ..exact.subspace import (
    Factors,
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
from ..proofs.averages import Coefficient, averages_of
from ..proofs.fixers import ExpressionFixer
from ..proofs.moment_identity import first_order_not_excluded, may_hold_bumps
from ..proofs.symmetry import Matrix, Symmetry, hidden_directions, moved
from .growth import Growth, Stage, contraction_in_words, direction_of, factors_of
from .parity import Parity, compositions

CAP = 12
# Coefficients of one stage after which it is given up; integrals in floating point weigh more.
_BUDGET = 600
_NUMERIC_WEIGHT = 5
_MAX_FLIPPED = 6


class UndecidedError(Exception):
    """The search ended without an answer; the message says what was searched."""


class EndedEarlyError(UndecidedError):
    """The effort was spent before the search had gone as far as it goes."""


@dataclass(frozen=True)
class Question:
    """What is asked from a subspace U on.

    Attributes
    ----------
    known, rest : tuple of vectors
        Orthogonal bases of U and of what is left.
    parity : Parity
        Of both together.
    powers : tuple of int
        The powers of the label.
    isotropic : bool
        Whether directions count, or the coordinate axes.
    movable : tuple of int
        Which of the rest order 1 may reach.
    bound, most : int
        The least order that is not excluded, and the highest that is tried.
    separate : bool
        Whether U does not matter.
    finite : bool
        Whether all contractions of an order are looked at.
    """

    known: tuple[Vector, ...]
    rest: tuple[Vector, ...]
    parity: Parity
    powers: tuple[int, ...]
    isotropic: bool
    movable: tuple[int, ...]
    bound: int
    most: int
    separate: bool
    finite: bool

    def stage(self, order: int, growth: Growth, account: "Account") -> Stage:
        """Return the stage that contractions of this order show."""
        space, how = growth.directions()
        bound = self.bound
        if self.finite:
            bound = min(order, max(bound, account.first_unclear))
            how = worst([how, *(How.NUMERIC for h in account.hows if h is How.NUMERIC)])
        return Stage(order, space, how, bound, account.gap, growth.witness, tuple(growth.witnesses))


class Account:
    """What a search has spent, and the least order at which a contraction cannot be told from 0."""

    def __init__(self, most: int) -> None:
        self.first_unclear = most
        self.gap = f"lower orders vanish up to degree {CAP}, no parity closes the gap"
        self.hows: list[How] = []
        self._spent = 0

    def count(self, c: Coefficient, m: int, factors: Factors, order: int, *, finite: bool) -> None:
        """Take a contraction into account.

        Raises
        ------
        UndecidedError
            If the search has spent what it may.
        """
        self._spent += _NUMERIC_WEIGHT if c.value.how is How.NUMERIC else 1
        self.hows.append(c.how)
        if finite and order < self.first_unclear and not c.tells:
            self.first_unclear = order
            average = contraction_in_words(m, factors, c.value)
            self.gap = f"{average} +- {c.value.error:.1g} cannot be told from 0"
        if self._spent > _BUDGET:
            raise UndecidedError(
                f"no growth found among the first {len(self.hows)} contractions, up to order {order}"
            )


class Search:
    """Everything about one target that is found by searching; answers that share averages are found once."""

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self.averages = averages_of(target)
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
                found.append(direction_of(self.averages, m, basis, row)[0])
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
        """Return orthogonal bases of U and of what is left, the latter adapted to forms and symmetries.

        Raises
        ------
        UndecidedError
            If numbers with errors do not tell one from the other.
        """
        forms = self.averages.forms
        known = _adapted(learned, forms)
        rest: list[Vector] = []
        for v in (*_adapted(self.fixed, forms), *_adapted(self.hidden, forms)):
            new = orthogonalised(v, (*known, *rest))
            if any(new):
                rest.append(primitive(new))
        if len(known) + len(rest) != self.relevant.dimension:
            raise UndecidedError(
                "what is left cannot be told from what was found, in numbers of that accuracy"
            )
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

    @cached_property
    def _may_hold_bumps(self) -> bool:
        return not self.averages.is_opaque and may_hold_bumps(self.target.expr)

    def _first_order(self, b: Vector) -> int:
        """Return the least l >= 1 for which E[F(g, the rest) He_l(b.z / |b|)] = 0 is not proved, all F."""
        off = _complement(_projection([b], self.k))
        if not self._may_hold_bumps or not all(map(is_exact, (b, *off))):
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
            If no nonzero contraction was found up to the cap; EndedEarlyError if not within the effort.
        """
        try:
            return self._grown(learned, powers, isotropic=isotropic, highest=highest)
        except EffortSpentError as spent:
            raise EndedEarlyError(str(spent)) from spent

    def _grown(
        self, learned: Subspace, powers: Sequence[int] | None, *, isotropic: bool, highest: int
    ) -> Stage:
        question = self._question(learned, powers, isotropic=isotropic)
        account = Account(question.most)
        for order in range(question.bound, min(highest, question.most) + 1):
            growth = self._contracted(question, order, account)
            if growth.rows:
                return question.stage(order, growth, account)
        raise UndecidedError(f"every contraction up to order {highest} vanishes: greater than {highest}")

    def _question(self, learned: Subspace, powers: Sequence[int] | None, *, isotropic: bool) -> Question:
        """Return what is asked from a subspace on, with the lower bound by parity and symmetry."""
        known, rest = self.basis(learned) if isotropic else self.axes(learned)
        parity = self.parity((*known, *rest))
        still = [isotropic and self._stays(learned, b) for b in rest]
        bound = parity.least_order(range(len(known), parity.size), labels=powers is None)
        # Of g itself there are finitely many coefficients of each order then, and all are looked at.
        separate = powers is None and (not known or self.is_sum(known))
        return Question(
            known=known,
            rest=rest,
            parity=parity,
            powers=tuple(powers or (1,)),
            isotropic=isotropic,
            movable=tuple(i for i, stays in enumerate(still) if not stays),
            bound=max(bound, 2) if all(still) else bound,
            separate=separate or not known,
            finite=separate or (powers is None and self.degree is not None),
            most=CAP if self.degree is None or powers is not None else min(CAP, self.degree),
        )

    def _contracted(self, question: Question, order: int, account: Account) -> Growth:
        """Return the contractions of one order, by degree in U, until they reach all that they can."""
        movable = question.movable if order == 1 else tuple(range(len(question.rest)))
        growth = Growth(self.averages, question.known, question.rest, movable, isotropic=question.isotropic)
        first = None
        for level in range(1 if question.separate else question.most - order + 1):
            for m, A in product(question.powers, compositions(len(question.known), level)):
                if growth.full:
                    return growth
                growth.add(m, A, self._tensor(question, m, A, order, account))
            if growth.rows and first is None:
                first = level
            if first is not None and not question.finite and level > first:
                break
        return growth

    def _tensor(
        self, question: Question, m: int, A: MultiIndex, order: int, account: Account
    ) -> dict[MultiIndex, Coefficient]:
        """Return the contractions of one power and one multi-index in U that parity and symmetry allow."""
        tensor = {}
        for T in question.parity.completions(A, m, order):
            if order > 1 or any(T[i] for i in question.movable):
                factors = factors_of((*question.known, *question.rest), (*A, *T))
                tensor[T] = self.averages.coefficient(m, factors)
                account.count(tensor[T], m, factors, order, finite=question.finite)
        return tensor

    def is_sum(self, known: Sequence[Vector]) -> bool:
        """Whether g is a function of the coordinates along `known` plus a function of the others, exactly.

        g(u, t) - g(u, 0) - g(0, t) + g(0, 0) = 0, almost everywhere.
        """
        P = _projection(known, self.k)
        Q = _complement(P)
        if self.averages.is_opaque or not all(map(is_exact, (*P, *Q))):
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
        while learned.dimension < total.dimension:
            try:
                stages.append(self.grow(learned, powers, isotropic=isotropic))
            except UndecidedError as error:
                return stages, str(error)
            before, learned = learned, joined(learned, stages[-1].added, total)
            if learned.dimension == before.dimension:
                return stages[:-1], "what is found next cannot be told from what was found before"
        return stages, ""


def joined(learned: Subspace, added: Subspace, total: Subspace) -> Subspace:
    """Return learned + added: all of `total`, which holds both, where their dimensions make up its own.

    What is added is orthogonal to what was learned, even where numbers with errors do not show that they differ.
    """
    whole = learned.dimension + added.dimension == total.dimension
    return total if whole else learned + added


def _adapted(space: Subspace, forms: Sequence[Vector]) -> tuple[Vector, ...]:
    """Return an orthogonal basis of a space, with the forms that are known to lie in it."""
    within = tuple(f for f in forms if f in space) if all(map(is_exact, space.rows)) else ()
    rest = space if not within else Subspace.span(within, space.ambient).within(space)
    return (*within, *rest.orthogonal_basis())


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
