"""E[g(z)] for z ~ N(0, I_k): exact where possible, else a proved enclosure, else a tolerance; the answer says which.

1. Polynomials: moments over the rationals (`moments.py`).
2. Everything else is brought to one normal form (`algebra.py`, `normal_form.py`), in which like terms cancel.
   Exponentials, trigonometric functions, kinks and erf are then integrated in closed form (`closed_form.py`).
3. What is left and odd under a symmetry of the Gaussian is 0.
4. What is left and falls apart into functions of one direction each: balls (`enclosure.py`, `line.py`).
5. Several directions at once: cubature in floating point (`cubature.py`).

Theory, 2 (Hermite calculus).
"""

from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import permutations, product
from operator import add
from typing import TypeVar

import sympy as sp
from flint import fmpq, fmpq_mpoly

from .. import checks
from ..errors import DivergentError, RebatchError
from ..exact.expectation import Expectation
from ..exact.polynomial import is_polynomial, rational, to_polynomial
from ..language.target import Target
from .algebra import Element
from .closed_form import NoClosedFormError, Tilt
from .cubature import cubature
from .domain import require_defined
from .enclosure import Separated, enclosed, separated
from .moments import first_moments, moments, polynomial_expectation, smoothed
from .normal_form import Reader, in_normal_form
from .tail import UnboundedError

__all__ = [
    "Average",
    "expectation",
    "first_moments",
    "moments",
    "polynomial_expectation",
    "reading",
    "smoothed",
]

DIGITS = 30
_MAX_DIGITS = 1000
# Signed permutations are tried up to this many coordinates (48 of them), sign flips alone up to _MAX_FLIPPED.
_MAX_PERMUTED = 3
_MAX_FLIPPED = 6

T = TypeVar("T")


def expectation(g: Target | str | sp.Expr, *, k: int | None = None, digits: int = DIGITS) -> Expectation:
    """Return E[g(z)], z ~ N(0, I_k).

    Parameters
    ----------
    g : Target, str or sympy.Expr
        Text for the parser, or an expression in the symbols ``coordinate(i)``; products such as g^m He_S are
        written as expressions. Label noise is no part of it.
    k : int, optional
        Number of coordinates; it does not change the value.
    digits : int
        Relative accuracy of an enclosure, 1 to 1000 decimal digits.

    Returns
    -------
    Expectation
        A SymPy number, a ball or a float; see its `how`.

    Raises
    ------
    DivergentError
        If the expectation is infinite.
    UndefinedFunctionError
        If g is not a real function on all of R^k: log(z), 1/z, sqrt(z), tan(z).
    RebatchError
        If it could not be shown to exist; or `digits` is out of range.

    References
    ----------
    theory, 2 (Hermite calculus).

    Examples
    --------
    >>> print(expectation("relu(z1) * z1^2"))
    sqrt(2)/sqrt(pi)
    >>> print(expectation("sign(z1) * sign(z1 + z2)"))
    1/2
    >>> expectation("tanh(z1) * z1").how
    <How.ENCLOSURE: 'enclosure'>
    """
    digits = checks.integer("digits", digits, least=1, most=_MAX_DIGITS)
    target = Target(g, k=k)
    if is_polynomial(target.expr, target.coordinates):
        polynomial = to_polynomial(target.expr, target.coordinates)
        return Expectation.exact(rational(polynomial_expectation(polynomial)))
    return reading(target.expr, lambda average: average.of(average.g, digits))


class Average:
    """E[.] in one normal form: moments and integrals that its answers share are computed once.

    Attributes
    ----------
    reader : Reader
    g : Element
        The normal form of the function that was read.
    """

    def __init__(self, reader: Reader, g: Element) -> None:
        self.reader, self.g = reader, g
        self._laws: dict[str, Tilt] = {}

    def of(self, g: Element, digits: int = DIGITS) -> Expectation:
        """Return E[g(z)] of an element of this algebra."""
        to_expr = self.reader.algebra.to_expr
        exact, rest = self._closed_part(g)
        symmetry = ""
        if _is_bounded_by_gaussians(self.reader, rest):
            rest, symmetry = _symmetrised(self.reader, rest)
        terms: list[Separated] = []
        open_part = rest
        if rest.parts:
            terms, rest = separated(self.reader, rest)
        if not terms and not rest.parts:
            return Expectation.exact(to_expr(exact), symmetry)
        result = Expectation.exact(to_expr(exact))
        if terms:
            try:
                ball = enclosed(terms, exact, digits)
            except UnboundedError as error:
                raise _growth_error(self.reader, g, error) from None
            if ball.is_finite():
                result = Expectation.enclosed(ball)
            else:
                rest = open_part
        if rest.parts:
            _require_decay(self.reader, rest)
            expr = to_expr(rest)
            used = tuple(z for z in self.reader.algebra.coordinates if z in expr.free_symbols)
            result = result + Expectation.numeric(*cubature(expr, used))
        return result

    def _closed_part(self, g: Element) -> tuple[Element, Element]:
        """Return the expectation of the terms that have a closed form, and the others."""
        algebra = self.reader.algebra
        exact, rest = [algebra.constant(0)], [algebra.constant(0)]
        for key, (E, P) in g.parts.items():
            law = self._laws.setdefault(key, Tilt(self.reader, E))
            known, unknown = [], []
            try:
                for group in _groups(self.reader, P):
                    try:
                        known.append(law.expectation(group))
                    except NoClosedFormError:
                        unknown.append(Element(algebra, [(E, group)]))
            except DivergentError:
                # A group without steps grows, but steps in the others may cancel it: exp(z^2/2 - |z|).
                if not any(algebra.slots[j].kind == "step" for j in algebra.used(algebra.of(P))):
                    raise
                known, unknown = [], [Element(algebra, [(E, P)])]
            exact += known
            rest += unknown
        return reduce(add, exact), reduce(add, rest)


def reading(expr: sp.Expr, compute: Callable[[Average], T]) -> T:
    """Return compute(the average that has read expr), once expr is known to be defined everywhere."""
    require_defined(expr)
    coordinates = sorted(expr.free_symbols, key=lambda s: int(str(s)[1:]))
    return in_normal_form(coordinates, lambda reader: compute(Average(reader, reader.element(expr))))


def _groups(reader: Reader, P: fmpq_mpoly) -> Iterator[fmpq_mpoly]:
    """Yield the parts of P with the same functions of z, which have a closed form together or not."""
    algebra = reader.algebra
    names = [j for j, slot in algebra.slots.items() if slot.kind != "constant"]
    grouped: dict[tuple[int, ...], dict[tuple[int, ...], fmpq]] = {}
    for exponents, c in P.to_dict().items():
        grouped.setdefault(tuple(exponents[j] for j in names), {})[exponents] = c
    for terms in grouped.values():
        yield algebra.ring.from_dict(terms)


def _is_bounded_by_gaussians(reader: Reader, g: Element) -> bool:
    """Whether every exponential of g has a finite Gaussian mean: an odd function without one has no expectation."""
    try:
        for E, _ in g.parts.values():
            Tilt(reader, E).check()
    except (DivergentError, NoClosedFormError):
        return False
    return True


def _symmetrised(reader: Reader, g: Element) -> tuple[Element, str]:
    """Return an element with the same expectation and fewer terms: 0 if g is odd under a signed permutation.

    Where a sign flip takes every generator to plus or minus itself, the odd terms are dropped one by one.
    """
    algebra = reader.algebra
    if not g.parts:
        return g, ""
    for signs in _flips(algebra.k):
        image = _reflected(reader, g, range(algebra.k), signs)
        mean = (g + image).scaled(algebra.one * fmpq(1, 2))
        if not mean.parts:
            return mean, f"odd under {_in_words(algebra.coordinates, range(algebra.k), signs)}"
        if _terms(mean) <= _terms(g):
            g = mean
    if algebra.k <= _MAX_PERMUTED:
        for order in permutations(range(algebra.k)):
            for signs in product((1, -1), repeat=algebra.k):
                if order != tuple(range(algebra.k)) and not (g + _reflected(reader, g, order, signs)).parts:
                    return algebra.constant(0), f"odd under {_in_words(algebra.coordinates, order, signs)}"
    return g, ""


def _flips(k: int) -> Iterator[tuple[int, ...]]:
    """Yield the sign flips of the coordinates: all together first, then each alone, then the other subsets."""
    flips = product((1, -1), repeat=k) if k <= _MAX_FLIPPED else ()
    single = [tuple(-1 if i == j else 1 for j in range(k)) for i in range(k)]
    yield from dict.fromkeys([(-1,) * k, *single, *(signs for signs in flips if -1 in signs)])


def _terms(g: Element) -> int:
    return sum(len(P) for _, P in g.parts.values())


def _reflected(reader: Reader, g: Element, order: Sequence[int], signs: Sequence[int]) -> Element:
    """Return g(Rz), (Rz)_i = signs_i z_order(i)."""
    algebra = reader.algebra
    z = algebra.coordinates
    moved = {z[i]: signs[i] * z[order[i]] for i in range(algebra.k)}
    images = [algebra.of(generator) for generator in algebra.generators]
    for i in range(algebra.k):
        images[i] = algebra.of(algebra.z[order[i]] * signs[i])
    for j in algebra.used(g):
        if algebra.slots[j].kind != "constant":
            images[j] = reader.element(algebra.slots[j].expr.xreplace(moved))
    polynomials = [image.polynomial() for image in images]
    if any(P is None for P in polynomials):
        # An image outside the ring: take g itself, from which nothing follows.
        return g
    return Element(
        algebra,
        (
            (
                algebra.reduced(E.compose(*polynomials, ctx=algebra.ring)),
                algebra.reduced(P.compose(*polynomials, ctx=algebra.ring)),
            )
            for E, P in g.parts.values()
        ),
    )


def _in_words(z: Sequence[sp.Symbol], order: Sequence[int], signs: Sequence[int]) -> str:
    moves = [
        f"{z[i]} -> {'-' if signs[i] < 0 else ''}{z[order[i]]}"
        for i in range(len(z))
        if signs[i] < 0 or order[i] != i
    ]
    return ", ".join(moves)


def _require_decay(reader: Reader, g: Element) -> None:
    """Refuse exponentials that outgrow the Gaussian density before floating point returns a number for them."""
    algebra = reader.algebra
    for E, P in g.parts.values():
        try:
            Tilt(reader, E).check()
        except DivergentError as error:
            raise _growth_error(reader, Element(algebra, [(E, P)]), UnboundedError(str(error))) from None
        except NoClosedFormError:
            if _grows(reader, E):
                expr = sp.exp(algebra.constant_expr(E))
                growth = UnboundedError(f"{expr} outgrows the Gaussian density")
                raise _growth_error(reader, Element(algebra, [(E, P)]), growth) from None


def _grows(reader: Reader, E: fmpq_mpoly) -> bool:
    """Whether the real part of E grows faster than |z|^2 along one of many directions."""
    algebra, k = reader.algebra, reader.algebra.k
    growth = algebra.real_and_imaginary(E)[0]
    degree = max(sum(e[:k]) for e in E.monoms())
    s = sp.Symbol("s", positive=True)
    for point in product((-1, 0, 1) if k > 4 else (-2, -1, 0, 1, 2), repeat=k):
        along = sp.expand(
            growth.xreplace({z: x * s for z, x in zip(algebra.coordinates, point, strict=True)})
        )
        leading = sp.Poly(along, s)
        if leading.degree() == degree and float(leading.LC()) > 0:
            return True
    return False


def _growth_error(reader: Reader, g: Element, error: UnboundedError) -> RebatchError:
    """Return the error for an integrand whose tail is not bounded: infinite where that is proved."""
    algebra = reader.algebra
    for E, P in g.parts.values():
        functions = [
            j for j in algebra.used(Element(algebra, [(E, P)])) if algebra.slots[j].kind != "constant"
        ]
        if len(E) and _outgrows(reader, E, functions, P):
            expr = sp.exp(algebra.constant_expr(E))
            return DivergentError(
                f"the expectation is infinite: {expr} grows at least as fast as the Gaussian density falls"
            )
    return RebatchError(f"the expectation of {algebra.to_expr(g)} could not be shown to exist: {error}")


def _outgrows(reader: Reader, E: fmpq_mpoly, functions: Sequence[int], P: fmpq_mpoly) -> bool:
    """Whether exp(E) P certainly outgrows the Gaussian: with steps, on the line only, by its outermost cells."""
    algebra, k = reader.algebra, reader.algebra.k
    growth = algebra.real_and_imaginary(E)[0]
    degree = max(sum(e[:k]) for e in E.monoms())
    if not functions and k > 1:
        return degree > 2 and _grows(reader, E)
    if k > 1 or any(algebra.slots[j].kind != "step" for j in functions):
        return False
    z = algebra.coordinates[0]
    leading = sp.Poly(growth - z**2 / 2, z)
    for side in (1, -1):
        # Every step has a positive direction: all are open far to the right, none far to the left.
        images = list(algebra.generators)
        for j in functions:
            images[j] = algebra.one * int(side > 0)
        decays = leading.degree() > 0 and float(leading.LC()) * side ** leading.degree() < 0
        if not decays and P.compose(*images, ctx=algebra.ring) != 0:
            return True
    return False
