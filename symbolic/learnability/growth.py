"""The contractions of one order, and the directions D_j(U) that they span (theory, 3.3)."""

from collections.abc import Sequence
from dataclasses import dataclass

import sympy as sp
from flint import arb, fmpq

from ..calculus.hermite_form import MultiIndex
from ..exact.expectation import Expectation
from ..exact.irrational import Scalar, scalar
from ..exact.known import How, worst
from ..exact.polynomial import to_fmpq
from ..exact.subspace import Factors, Subspace, Vector, dot, primitive
from ..proofs.averages import VANISHES, Averages, Coefficient
from .known_exponents import moment_in_words

# A direction's ratios are tried as fractions up to this denominator; the averages then decide.
_MAX_DENOMINATOR = 24
_RATIO_TOLERANCE = 1e-7


Row = tuple[Coefficient, ...]


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


class Growth:
    """The nonzero contractions of one order j, and the directions D_j(U) that they span."""

    def __init__(
        self,
        averages: Averages,
        known: tuple[Vector, ...],
        rest: tuple[Vector, ...],
        movable: Sequence[int] | None = None,
        *,
        isotropic: bool,
    ) -> None:
        self.averages, self.known, self.rest, self.isotropic = averages, known, rest, isotropic
        self._movable = range(len(rest)) if movable is None else movable
        self.rows: list[tuple[int, MultiIndex, MultiIndex, Row]] = []
        self.witness = ""
        self.witnesses: list[str] = []

    @property
    def full(self) -> bool:
        """Whether every basis vector that can be reached is reached by itself."""
        reached = {
            i
            for *_, row in self.rows
            if not self.isotropic or sum(not c.zero for c in row) == 1
            for i, c in enumerate(row)
            if not c.zero
        }
        return reached.issuperset(self._movable)

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
            self.witness = contraction_in_words(
                power, factors_of((*self.known, *self.rest), (*A, *T)), tensor[T].value
            )

    def directions(self) -> tuple[Subspace, How]:
        """Return D_j(U) as far as the rows show, and how it is known."""
        k, rest = self.averages.target.k, self.rest
        space = Subspace.zero(k)
        hows: list[How] = []
        for power, A, R, row in self.rows:
            nonzero = [i for i, c in enumerate(row) if not c.zero]
            if not self.isotropic:
                vectors, how = [rest[i] for i in nonzero], worst([row[i].how for i in nonzero])
            elif all(rest[i] in space for i in nonzero):
                continue
            else:
                vector, how = direction_of(self.averages, power, rest, row, factors_of(self.known, A), R)
                vectors = [vector]
            larger = space + Subspace.span(vectors, k)
            if larger.dimension > space.dimension:
                space, hows = larger, [*hows, how, larger.how]
                self.witnesses.append(self._shown(power, A, R, row))
        # All that is left is spanned by its basis, whatever the directions by which it was reached.
        return (Subspace.span(rest, k) if space.dimension == len(rest) else space), worst(hows)

    def _shown(self, power: int, A: MultiIndex, R: MultiIndex, row: Row) -> str:
        """Return the largest contraction of a row in words."""
        i = _largest(row)
        T = (*R[:i], R[i] + 1, *R[i + 1 :])
        return contraction_in_words(power, factors_of((*self.known, *self.rest), (*A, *T)), row[i].value)


def _largest(row: Row) -> int:
    """Return the place of the largest entry, compared beyond the range of floats."""
    return max(range(len(row)), key=lambda i: arb(0) if row[i].zero else abs(row[i].value.sharp().mid()))


def direction_of(
    averages: Averages,
    power: int,
    basis: Sequence[Vector],
    row: Row,
    known: Factors = (),
    lowered: MultiIndex | None = None,
) -> tuple[Vector, How]:
    """Return sum_i row_i b_i / |b_i|^2 up to scale, rational where simple ratios of entries fit, and how it is known.

    Row_i is E[g^power :u^A t^R (b_i.z):]; a ratio is proved where the difference of two entries is proved to be 0.
    """
    entries, how = _in_simple_ratios(averages, power, basis, row, known, lowered or (0,) * len(basis))
    if entries is None:
        entries = [fmpq(0) if c.zero else scalar(c.value) for c in row]
        how = worst(c.how for c in row)
    # Entries are inner products with the basis: back to R^k by sum_i v_i b_i / |b_i|^2.
    scaled = [(x / dot(b, b), b) for x, b in zip(entries, basis, strict=True)]
    vector = [sum((x * b[r] for x, b in scaled), fmpq(0)) for r in range(averages.target.k)]
    return primitive(vector), how


def _in_simple_ratios(
    averages: Averages, power: int, basis: Sequence[Vector], row: Row, known: Factors, lowered: MultiIndex
) -> tuple[list[Scalar] | None, How]:
    """Return rational numbers in the ratios of a row, if fractions with small denominators fit."""

    def factors(i: int) -> Factors:
        return (*known, *factors_of(basis, [n + int(i == j) for j, n in enumerate(lowered)]))

    pivot = _largest(row)
    entries: list[Scalar] = [fmpq(0)] * len(row)
    hows = [c.how for c in row]
    entries[pivot] = fmpq(1)
    for i, c in enumerate(row):
        if i == pivot or c.zero:
            continue
        ratio = float(c.value / row[pivot].value)
        guess = sp.Rational(ratio).limit_denominator(_MAX_DENOMINATOR)
        if abs(float(guess) - ratio) > _RATIO_TOLERANCE * abs(ratio):
            return None, How.UNDECIDED
        entries[i] = to_fmpq(guess)
        difference = averages.combination(power, [(fmpq(1), factors(i)), (-entries[i], factors(pivot))])
        if not difference.zero:
            return None, How.UNDECIDED
        hows.append(difference.how)
    return entries, worst(hows)


def factors_of(basis: Sequence[Vector], index: Sequence[int]) -> Factors:
    """Return b^index as pairs (b_i, n_i), those with n_i > 0."""
    return tuple((b, n) for b, n in zip(basis, index, strict=True) if n)


def contraction_in_words(power: int, factors: Factors, value: Expectation) -> str:
    """Return E[y^power :b^index:] = value in words."""
    return moment_in_words(power, factors, value.in_short())
