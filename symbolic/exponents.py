"""Information exponent, leap, isotropic leap and generative exponent of a target: value, witness, how known.

Theory, 3.1-3.3 and 3.6. Everything is read off the Hermite form G(x) = E[g(x + z)] = sum_S c_S x^S / S!.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from flint import fmpq, fmpq_mpoly

from .hermite import MultiIndex, hermite_coefficients, hermite_form, rotated_form
from .known import How
from .polynomial import to_polynomial
from .subspace import Subspace, Vector, as_text, dot, in_words
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
    waiting = _nonconstant(_form(Target(target)))
    if not waiting:
        return Exponent(None, How.EXACT, infinite=True, witness=_NO_DIRECTION)
    covered: set[int] = set()
    largest, steps = 0, []
    while waiting:
        uncovered = {S: sum(n for j, n in enumerate(S) if j not in covered) for S in waiting}
        S = min(waiting, key=lambda S: (uncovered[S], sum(S), tuple(-n for n in S)))
        if uncovered[S] > 0:
            steps.append(f"{_hermite_in_words(S)} (+{uncovered[S]})")
            largest = max(largest, uncovered[S])
            covered |= {j for j, n in enumerate(S) if n}
        del waiting[S]
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
        order, added = _next_directions(form, learned)
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


def is_even(target: Target | str) -> bool:
    """Whether g(-z) = g(z): every monomial of the polynomial has even degree."""
    target = Target(target)
    polynomial = to_polynomial(target.expr, target.coordinates)
    return all(sum(exponents) % 2 == 0 for exponents in polynomial.monoms())


def _form(target: Target) -> fmpq_mpoly:
    return hermite_form(to_polynomial(target.expr, target.coordinates))


def _nonconstant(form: fmpq_mpoly) -> dict[MultiIndex, fmpq]:
    return {S: c for S, c in hermite_coefficients(form).items() if any(S)}


def _next_directions(form: fmpq_mpoly, learned: Subspace) -> tuple[int, Subspace]:
    """Return the least order j with D_j(U) != 0, and D_j(U)."""
    known, rest = learned.orthogonal_basis(), learned.complement().orthogonal_basis()
    rotated = rotated_form(form, [*known, *rest])
    perpendicular = range(len(known), len(known) + len(rest))
    degrees = (sum(T[len(known) :]) for T in rotated.monoms())
    order = int(min(degree for degree in degrees if degree > 0))
    span = _gradient_span(rotated, perpendicular, order)
    # A coefficient vector holds the inner products with the b_i: back to R^k by sum_i v_i b_i / |b_i|^2.
    scaled = [tuple(x / dot(b, b) for x in b) for b in rest]
    columns = list(zip(*scaled, strict=True))
    return order, Subspace.span(([dot(v, column) for column in columns] for v in span.rows), learned.ambient)


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
