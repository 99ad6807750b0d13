"""Information exponent, leap, isotropic leap and generative exponent of a target: value, witness, how known.

Theory, 3.1-3.3 and 3.6. Everything is read off the Hermite form G(x) = E[g(x + z)] = sum_S c_S x^S / S!.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import fmpq, fmpq_mpoly

from .hermite import MultiIndex, hermite_coefficients, hermite_form, rotated_form
from .known import How
from .polynomial import powers, to_polynomial
from .subspace import Subspace, Vector, as_text, dot, in_words
from .symmetry import hidden_directions
from .target import Target


@dataclass(frozen=True)
class Exponent:
    """An exponent of a target.

    Attributes
    ----------
    value : int or None
        None if it is infinite or undecided.
    how : How
    infinite : bool
        True where the target has no direction at all, so that nothing is to be learned.
    witness : str
        What proves the value, in one line that can be checked by hand.
    """

    value: int | None
    how: How
    infinite: bool = False
    witness: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return value and warrant; an infinite exponent has value None and says "infinite"."""
        known: dict[str, Any] = {"value": self.value, "how": str(self.how)}
        if self.infinite:
            known["infinite"] = True
        if self.witness:
            known["witness"] = self.witness
        return known

    def __str__(self) -> str:
        if self.infinite:
            return "infinite"
        return "undecided" if self.value is None else str(self.value)


@dataclass(frozen=True)
class IsotropicLeap(Exponent):
    """The isotropic leap, with the subspaces by which it was reached.

    Attributes
    ----------
    sequence : tuple of (order, directions)
        At each stage the least order j with D_j(U) nonzero and an orthogonal basis of what it adds to U.
    """

    sequence: tuple[tuple[int, tuple[Vector, ...]], ...] = field(default=())

    def order_of(self, direction: Vector) -> int:
        """Return the largest order met until the sequence of subspaces contains `direction`, a vector of V."""
        reached, largest = Subspace.zero(len(direction)), 0
        for order, added in self.sequence:
            reached, largest = reached + Subspace.span(added, len(direction)), max(largest, order)
            if direction in reached:
                break
        return largest

    def to_json(self) -> dict[str, Any]:
        """Return the exponent with its sequence, directions as exact text."""
        stages = [
            {"order": order, "directions": [as_text(v) for v in directions]}
            for order, directions in self.sequence
        ]
        return {**super().to_json(), "sequence": stages}


_NO_DIRECTION = "the target is constant: it has no direction to learn"


def information_exponent(target: Target | str) -> Exponent:
    """Return IE(g) = min{n >= 1 : C_n(g) != 0}, the least order of a nonzero Hermite tensor.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial with rational coefficients.

    References
    ----------
    [BA21]; theory, 3.1.

    Examples
    --------
    >>> information_exponent("He(3, z1)*He(2, z2)").value
    5
    """
    coefficients = _nonconstant(_form(Target(target)))
    if not coefficients:
        return Exponent(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    S = min(coefficients, key=lambda S: (sum(S), tuple(-n for n in S)))
    return Exponent(sum(S), How.EXACT, witness=_coefficient_in_words(S, coefficients[S]))


def leap(target: Target | str) -> Exponent:
    """Return the leap complexity in the given coordinates.

    Leap(g) = min over orderings S_1 … S_r of the nonzero multi-indices of
    max_i sum_{j not in supp(S_1) ∪ … ∪ supp(S_{i-1})} S_i(j). Greedy is optimal: absorb the multi-index of least
    uncovered degree; the leap is the largest uncovered degree met.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial with rational coefficients.

    References
    ----------
    [A23]; theory, 3.2. Leap 1 is the merged-staircase property of [A21].
    """
    waiting = list(_nonconstant(_form(Target(target))))
    if not waiting:
        return Exponent(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    covered: set[int] = set()
    largest, steps = 0, []
    while True:
        uncovered = {S: sum(n for j, n in enumerate(S) if j not in covered) for S in waiting}
        waiting = [S for S in waiting if uncovered[S]]
        if not waiting:
            break
        S = min(waiting, key=lambda S: (uncovered[S], sum(S), tuple(-n for n in S)))
        steps.append(f"{_hermite_in_words(S)} (+{uncovered[S]})")
        largest = max(largest, uncovered[S])
        covered |= {j for j, n in enumerate(S) if n}
    return Exponent(largest, How.EXACT, witness="absorb " + ", then ".join(steps))


def isotropic_leap(target: Target | str) -> IsotropicLeap:
    """Return the coordinate-free leap, with its sequence of subspaces.

    U_0 = {0}; given U, the least j >= 1 with D_j(U) != 0 is recorded and U <- U + D_j(U), where D_j(U) is the span
    over u of the supports of the conditional Hermite tensors E[g(u, z_perp) H_j(z_perp)]. The leap is the largest
    j recorded.

    In an orthogonal basis (U, U_perp) the conditional tensors are the coefficients of the part of G of degree j in
    the perpendicular coordinates t_perp, so D_j(U) is spanned by the coefficient vectors of its gradient in t_perp.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial with rational coefficients.

    References
    ----------
    theory, 3.3.

    Examples
    --------
    >>> isotropic_leap("z1 + z2 + z1*z2").value
    2
    """
    target = Target(target)
    form = _form(target)
    total = _gradient_span(form, range(target.k), None)
    learned = Subspace.zero(target.k)
    sequence = []
    while learned != total:
        order, added = _next_directions([form], learned)
        sequence.append((order, added.orthogonal_basis()))
        learned = learned + added
    if not sequence:
        return IsotropicLeap(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    steps = (f"{', '.join(map(in_words, directions))} (order {order})" for order, directions in sequence)
    largest = max(order for order, _ in sequence)
    return IsotropicLeap(largest, How.EXACT, witness=", then ".join(steps), sequence=tuple(sequence))


def relevant_subspace(target: Target | str) -> Subspace:
    """Return V(g), the span of the supports of all Hermite tensors C_n, n >= 1.

    Its dimension is the number of index directions, which may be less than k: (z1 + z2)^2 has one.

    References
    ----------
    theory, 2.
    """
    target = Target(target)
    return _gradient_span(_form(target), range(target.k), None)


def generative_exponent(target: Target | str) -> Exponent:
    """Return GE(g) = min{l >= 1 : E[He_l(z) | y] is not identically 0} of a target with one direction.

    For a polynomial it is 1 if g is not even along its direction, else 2.

    References
    ----------
    [DPLB24], [L24] for polynomials; theory, 3.6.
    """
    target = Target(target)
    dimension = relevant_subspace(target).dimension
    if dimension == 0:
        return Exponent(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    if dimension > 1:
        return Exponent(None, How.UNDECIDED, witness="several directions: see the generative leap")
    if is_even(target):
        return Exponent(2, How.THEOREM, witness="an even polynomial of one direction")
    return Exponent(1, How.THEOREM, witness="a polynomial of one direction that is not even")


@dataclass(frozen=True)
class GenerativeLeap(Exponent):
    """The generative leap, as an interval.

    Attributes
    ----------
    lower, upper : int or None
        Bounds: the upper one by witnesses E[y^m p(z_U) He_j], the lower one by symmetry or theorem; None is open.
    sequence : tuple of (order, directions)
        The stages by which the upper bound was reached.
    """

    lower: int | None = None
    upper: int | None = None
    sequence: tuple[tuple[int, tuple[Vector, ...]], ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """Return the exponent with its bounds."""
        return {**super().to_json(), "lower": self.lower, "upper": self.upper}

    def __str__(self) -> str:
        if self.infinite or self.value is not None:
            return super().__str__()
        return f"{self.lower} to {self.upper}" if self.upper is not None else f"at least {self.lower}"


def generative_leap(target: Target | str, max_order: int = 8) -> GenerativeLeap:
    """Return the generative leap: the isotropic iteration with E[F(y, u) H_j(z_perp)] in place of E[g H_j].

    F runs over y^m p(u), m <= max_order (fewer where y^m would be too large). What they reach bounds the leap from
    above. Below: with one direction, the theorem for polynomials; else it is at least 2 if a symmetry of the target
    moves a direction, since no F then gives that direction at order 1.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial with rational coefficients.

    References
    ----------
    [DLB25]; theory, 3.6.

    Examples
    --------
    >>> generative_leap("z1*z2*z3").value
    2
    """
    target = Target(target)
    relevant = relevant_subspace(target)
    if relevant.dimension == 0:
        return GenerativeLeap(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    if relevant.dimension == 1:
        exponent = generative_exponent(target)
        value, basis = exponent.value, relevant.orthogonal_basis()
        stages = [(value or 0, basis)]
        return GenerativeLeap(value, exponent.how, False, exponent.witness, value, value, tuple(stages))
    forms = power_forms(target, max_order)
    learned, stages = Subspace.zero(target.k), []
    while learned != relevant:
        order, added = _next_directions(forms, learned)
        stages.append((order, added.orthogonal_basis()))
        learned = learned + added
    upper = max(order for order, _ in stages)
    lower = 1
    if upper > 1:
        polynomial = to_polynomial(target.expr, target.coordinates)
        reached = _sum((Subspace.span(v, target.k) for order, v in stages if order == 1), target.k)
        lower = 2 if hidden_directions(polynomial, relevant, reached)[1].dimension else 1
    steps = (f"{', '.join(map(in_words, v))} (order {order})" for order, v in stages)
    value, how = (upper, How.EXACT) if lower == upper else (None, How.UNDECIDED)
    return GenerativeLeap(value, how, False, ", then ".join(steps), lower, upper, tuple(stages))


_MAX_POWER_TERMS = 50_000


def power_forms(target: Target, max_order: int) -> list[fmpq_mpoly]:
    """Return the Hermite forms of y, y^2, … up to y^max_order, or to the last power of at most 50,000 terms."""
    polynomial = to_polynomial(target.expr, target.coordinates)
    return [hermite_form(power) for power in powers(polynomial, max_order, _MAX_POWER_TERMS)]


@dataclass(frozen=True)
class ReuseStaircase:
    """The subspaces that more and more steps on one batch reach: U_1, U_2, … up to the fixed point.

    Attributes
    ----------
    spaces : tuple of Subspace
        Strictly increasing; the last is the reuse-learnable subspace as far as witnesses show.
    max_power : int
        The highest power of the label that was used.
    """

    spaces: tuple[Subspace, ...]
    max_power: int

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The dimensions of U_1, U_2, …."""
        return tuple(space.dimension for space in self.spaces)

    def to_json(self) -> dict[str, Any]:
        """Return the dimensions and the highest power used."""
        return {"dimensions": list(self.dimensions), "max_power": self.max_power}


def reuse_staircase(target: Target | str, max_order: int = 8) -> ReuseStaircase:
    """Return the subspaces learned by any finite number of steps on a reused batch.

    U_0 = {0}; U_{t+1} = U_t + span{E[y^m p(z_U) z_perp]}: the coefficients of degree 1 in U_perp of the Hermite forms
    of y^m, p a polynomial in the coordinates of U.

    References
    ----------
    [D24], [T24]; theory, 3.5.
    """
    target = Target(target)
    forms = power_forms(target, max_order)
    spaces: list[Subspace] = []
    learned = Subspace.zero(target.k)
    while True:
        added = _sum((_Rotated(form, learned).directions(1) for form in forms), target.k)
        if added <= learned:
            return ReuseStaircase(tuple(spaces), len(forms))
        learned = learned + added
        spaces.append(learned)


def is_even(target: Target | str) -> bool:
    """Whether g(-z) = g(z): every monomial of the polynomial has even degree."""
    target = Target(target)
    polynomial = to_polynomial(target.expr, target.coordinates)
    return all(sum(exponents) % 2 == 0 for exponents in polynomial.monoms())


def _form(target: Target) -> fmpq_mpoly:
    return hermite_form(to_polynomial(target.expr, target.coordinates))


def _nonconstant(form: fmpq_mpoly) -> dict[MultiIndex, fmpq]:
    return {S: c for S, c in hermite_coefficients(form).items() if any(S)}


def _next_directions(forms: Sequence[fmpq_mpoly], learned: Subspace) -> tuple[int, Subspace]:
    """Return the least order j with D_j(U) != 0 for some of the forms, and the sum of their D_j(U).

    Raises
    ------
    ValueError
        If none of the forms has a direction outside U.
    """
    rotated = [_Rotated(form, learned) for form in forms]
    order = min(order for form in rotated for order in form.orders())
    return order, _sum((form.directions(order) for form in rotated), learned.ambient)


def _sum(spaces: Iterable[Subspace], ambient: int) -> Subspace:
    return Subspace.span((row for space in spaces for row in space.rows), ambient)


class _Rotated:
    """A Hermite form in an orthogonal basis (U, U_perp), unnormalised."""

    def __init__(self, form: fmpq_mpoly, learned: Subspace) -> None:
        self._known = learned.orthogonal_basis()
        self._rest = learned.complement().orthogonal_basis()
        self._ambient = learned.ambient
        self._form = rotated_form(form, [*self._known, *self._rest])

    def orders(self) -> set[int]:
        """Return the j >= 1 with D_j(U) != 0: the degrees of G in the coordinates of U_perp."""
        degrees = {int(sum(T[len(self._known) :])) for T in self._form.monoms()}
        return degrees - {0}

    def directions(self, order: int) -> Subspace:
        """Return D_j(U)."""
        perpendicular = range(len(self._known), self._ambient)
        span = _gradient_span(self._form, perpendicular, order)
        # A coefficient vector holds the inner products with the b_i: back to R^k by sum_i v_i b_i / |b_i|^2.
        scaled = [tuple(x / dot(b, b) for x in b) for b in self._rest]
        columns = list(zip(*scaled, strict=True))
        return Subspace.span(([dot(v, column) for column in columns] for v in span.rows), self._ambient)


def _gradient_span(form: fmpq_mpoly, coordinates: Sequence[int], order: int | None) -> Subspace:
    """Return the span of the coefficient vectors of the gradient of G in some of its coordinates.

    With an order, only the part of G of that degree in these coordinates counts.
    """
    vectors: dict[MultiIndex, list[fmpq]] = {}
    for S, c in form.to_dict().items():
        if order is not None and sum(S[j] for j in coordinates) != order:
            continue
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


def _hermite_in_words(S: MultiIndex) -> str:
    return "".join(f"He{n}(z{j})" for j, n in enumerate(S, start=1) if n)


def _coefficient_in_words(S: MultiIndex, c: fmpq) -> str:
    return f"E[g {_hermite_in_words(S)}] = {c}"
