"""Information exponent, leap, isotropic leap and generative exponent of a target: value, witness, how known.

Theory, 3.1-3.3 and 3.6. For polynomials everything is read off the Hermite form, exactly,

    G(x) = E[g(x + z)] = sum_S c_S x^S / S!;

every other target is searched by increasing order (`any_target.py`).
"""

from collections.abc import Iterable, Iterator, Sequence
from math import factorial, prod

from flint import fmpq, fmpq_mpoly

from ..calculus.hermite_form import MultiIndex, hermite_coefficients, hermite_form, rotated_form
from ..exact.known import How
from ..exact.polynomial import is_polynomial, powers, to_polynomial
from ..exact.subspace import Subspace, Vector, as_text, dot, in_words
from ..language.target import Target
from ..proofs.averages import Factors
from ..proofs.fixers import PolynomialFixer
from ..proofs.symmetry import hidden_directions
from . import any_target
from .answers import (
    NO_DIRECTION,
    Exponent,
    GenerativeLeap,
    IsotropicLeap,
    ReuseStaircase,
    hermite_in_words,
    moment_in_words,
)
from .any_target import MAX_POWER


def information_exponent(target: Target | str) -> Exponent:
    """Return IE(g) = min{n >= 1 : C_n(g) != 0}, the least order of a nonzero Hermite tensor.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [BA21]; theory, 3.1.

    Examples
    --------
    >>> information_exponent("He(3, z1)*He(2, z2)").value
    5
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.information_exponent(target)
    coefficients = _nonconstant(_form(target))
    if not coefficients:
        return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
    S = min(coefficients, key=lambda S: (sum(S), tuple(-n for n in S)))
    return Exponent(sum(S), How.EXACT, witness=_coefficient_in_words(S, coefficients[S]))


def leap(target: Target | str) -> Exponent:
    """Return the leap complexity in the given coordinates.

    Leap(g) = min over orderings S_1 … S_r of the nonzero multi-indices of
    max_i sum_{j not in supp(S_1) ∪ … ∪ supp(S_{i-1})} S_i(j). Greedy is optimal: absorb the multi-index of least
    uncovered degree; the leap is the largest uncovered degree met.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [A23]; theory, 3.2. Leap 1 is the merged-staircase property of [A21].
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.leap(target)
    waiting = list(_nonconstant(_form(target)))
    if not waiting:
        return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
    covered: set[int] = set()
    largest, steps = 0, []
    while True:
        uncovered = {S: sum(n for j, n in enumerate(S) if j not in covered) for S in waiting}
        waiting = [S for S in waiting if uncovered[S]]
        if not waiting:
            break
        S = min(waiting, key=lambda S: (uncovered[S], sum(S), tuple(-n for n in S)))
        steps.append(f"{hermite_in_words(S)} (+{uncovered[S]})")
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
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    theory, 3.3.

    Examples
    --------
    >>> isotropic_leap("z1 + z2 + z1*z2").value
    2
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.isotropic_leap(target)
    form = _form(target)
    total = _gradient_span(form, range(target.k), None)
    learned = Subspace.zero(target.k)
    sequence = []
    while learned != total:
        order, added = _next_directions([form], learned)
        sequence.append((order, added.orthogonal_basis()))
        learned = learned + added
    if not sequence:
        return IsotropicLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
    steps = (f"{', '.join(map(in_words, directions))} (order {order})" for order, directions in sequence)
    largest = max(order for order, _ in sequence)
    return IsotropicLeap(largest, How.EXACT, witness=", then ".join(steps), sequence=tuple(sequence))


def relevant_subspace(target: Target | str) -> Subspace:
    """Return V(g), the span of the supports of all Hermite tensors C_n, n >= 1.

    Its dimension is the number of index directions, which may be less than k: (z1 + z2)^2 has one.

    For a target that is no polynomial: the span of the linear forms that occur in it, which contains V(g).

    References
    ----------
    theory, 2.
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.search_of(target).relevant
    return _gradient_span(_form(target), range(target.k), None)


def generative_exponent(target: Target | str) -> Exponent:
    """Return GE(g) = min{l >= 1 : E[H_l(z) | y] is not identically 0}, H_l the l-th Hermite tensor.

    For a polynomial of one direction it is 1 if g is not even along it, else 2. Otherwise a witness E[y^m He_S] that
    meets the bound by symmetry or by moment identities decides; with one direction else the level sets of g, as
    evidence.

    References
    ----------
    [DPLB24], [L24] for polynomials; theory, 3.6.
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.generative_exponent(target)
    dimension = relevant_subspace(target).dimension
    if dimension == 0:
        return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
    if dimension > 1:
        return _first_generative_order(target)
    if is_even(target):
        return Exponent(2, How.THEOREM, witness="an even polynomial of one direction")
    return Exponent(1, How.THEOREM, witness="a polynomial of one direction that is not even")


def _first_generative_order(target: Target) -> Exponent:
    """Return the least l with some E[y^m H_l] != 0, where no lower one is possible."""
    order, added = _next_directions(power_forms(target, MAX_POWER), Subspace.zero(target.k))
    witness = f"{', '.join(map(in_words, added.orthogonal_basis()))} (order {order})"
    relevant = relevant_subspace(target)
    g = PolynomialFixer(to_polynomial(target.expr, target.coordinates))
    # A symmetry that fixes no direction of V leaves nothing for order 1.
    if order == 1 or (order == 2 and hidden_directions(g, relevant, Subspace.zero(target.k))[1] == relevant):
        return Exponent(order, How.EXACT, witness=witness)
    return Exponent(None, How.UNDECIDED, witness=f"at most {order}: {witness}")


def generative_leap(target: Target | str, max_order: int = MAX_POWER) -> GenerativeLeap:
    """Return the generative leap: the isotropic iteration with E[F(y, u) H_j(z_perp)] in place of E[g H_j].

    F runs over y^m p(u), m <= max_order (fewer where y^m would be too large). What they reach bounds the leap from
    above. Below: with one direction, the theorem for polynomials; else it is at least 2 if a symmetry of the target
    moves a direction, since no F then gives that direction at order 1. For other targets parity bounds it too, and
    a label of two values has the isotropic leap.

    Raises
    ------
    RebatchError
        If g is not a real function with an expectation: UndefinedFunctionError, DivergentError.

    References
    ----------
    [DLB25]; theory, 3.6.

    Examples
    --------
    >>> generative_leap("z1*z2*z3").value
    2
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.generative_leap(target, max_order)
    relevant = relevant_subspace(target)
    if relevant.dimension == 0:
        return GenerativeLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
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
        lower = 2 if hidden_directions(PolynomialFixer(polynomial), relevant, reached)[1].dimension else 1
    steps = (f"{', '.join(map(in_words, v))} (order {order})" for order, v in stages)
    value, how = (upper, How.EXACT) if lower == upper else (None, How.UNDECIDED)
    return GenerativeLeap(value, how, False, ", then ".join(steps), lower, upper, tuple(stages))


_MAX_POWER_TERMS = 50_000


def power_forms(target: Target, max_order: int) -> list[fmpq_mpoly]:
    """Return the Hermite forms of y, y^2, … up to y^max_order, or to the last power of at most 50,000 terms."""
    polynomial = to_polynomial(target.expr, target.coordinates)
    return [hermite_form(power) for power in powers(polynomial, max_order, _MAX_POWER_TERMS)]


def reuse_staircase(target: Target | str, max_order: int = MAX_POWER) -> ReuseStaircase:
    """Return the subspaces learned by any finite number of steps on a reused batch.

    U_0 = {0}; U_{t+1} = U_t + span{E[y^m p(z_U) z_perp]}: the coefficients of degree 1 in U_perp of the Hermite forms
    of y^m, p a polynomial in the coordinates of U.

    References
    ----------
    [D24], [T24]; theory, 3.5.
    """
    target = Target(target)
    if not _is_polynomial(target):
        return any_target.reuse_staircase(target, max_order)
    forms = power_forms(target, max_order)
    spaces: list[Subspace] = []
    witnesses: list[str] = []
    learned = Subspace.zero(target.k)
    while True:
        reached, shown = learned, []
        for m, form in enumerate(forms, start=1):
            for factors, moment in _Rotated(form, learned).linear_terms():
                if moment not in reached:
                    reached = reached + Subspace.span([moment], target.k)
                    shown.append(moment_in_words(m, factors, f"({', '.join(as_text(moment))})", "z_perp"))
        if reached == learned:
            return ReuseStaircase(tuple(spaces), len(forms), witnesses=tuple(witnesses))
        learned = reached
        spaces.append(learned)
        witnesses.append("; ".join(shown))


def is_even(target: Target | str) -> bool:
    """Whether g(-z) = g(z): every monomial of the polynomial has even degree."""
    target = Target(target)
    polynomial = to_polynomial(target.expr, target.coordinates)
    return all(sum(exponents) % 2 == 0 for exponents in polynomial.monoms())


def _is_polynomial(target: Target) -> bool:
    return is_polynomial(target.expr, target.coordinates)


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

    def linear_terms(self) -> Iterator[tuple[Factors, Vector]]:
        """Yield the moments E[g :u^A: z_perp], of low degree in u first, each with u^A as (b, n)."""
        m = len(self._known)
        terms = {tuple(map(int, T)): c for T, c in self._form.to_dict().items() if sum(T[m:]) == 1}
        for A in sorted({T[:m] for T in terms}, key=lambda A: (sum(A), tuple(-n for n in A))):
            # The coefficient of t^T / T!, an inner product with b_i: back to R^k by sum_i v_i b_i / |b_i|^2.
            scale = fmpq(prod(map(factorial, A)))
            scaled = []
            for i, b in enumerate(self._rest):
                T = (*A, *(int(i == j) for j in range(len(self._rest))))
                scaled.append((scale * terms.get(T, fmpq(0)) / dot(b, b), b))
            vector = tuple(sum((x * b[r] for x, b in scaled), fmpq(0)) for r in range(self._ambient))
            yield tuple((b, n) for b, n in zip(self._known, A, strict=True) if n), vector

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


def _coefficient_in_words(S: MultiIndex, c: fmpq) -> str:
    return f"E[g {hermite_in_words(S)}] = {c}"
