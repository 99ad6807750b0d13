"""E[g(z)] for z ~ N(0, I_k): exact where possible, else a proved enclosure, else a tolerance; the answer says which.

1. Polynomials: moments over the rationals (`moments.py`).
2. Everything else is brought to one normal form (`algebra.py`, `normal_form.py`), in which like terms cancel.
   Exponentials, trigonometric functions, kinks and erf are then integrated in closed form (`closed_form.py`).
3. What is left, shown to be integrable (`existence.py`) and odd under a symmetry of the Gaussian is 0.
4. Coordinates in which the exponent is quadratic are integrated out (`elimination.py`), and functions of the radius
   of several coordinates over the sphere (`radial.py`).
5. What is left and falls apart into functions of one direction each: balls (`enclosure.py`, `line.py`).
6. Several directions at once: cubature in floating point (`numeric.py`, `cubature.py`).

Theory, 2 (Hermite calculus).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial, reduce
from itertools import permutations, product
from math import inf
from operator import add, mul
from typing import TypeVar

import sympy as sp
from flint import arb, fmpq, fmpq_mpoly

from .. import checks
from ..errors import DivergentError, RebatchError
from ..exact.effort import DEFAULT_EFFORT, EffortSpentError, Memory, effort, left, spend
from ..exact.expectation import Expectation
from ..exact.polynomial import is_polynomial, rational, to_polynomial
from ..language.target import Target
from .algebra import Element
from .closed_form import NoClosedFormError, Tilt
from .domain import require_defined
from .dominance import tamed
from .elimination import eliminated
from .enclosure import Separated, enclosed, separated
from .existence import grows_too_fast, is_integrable
from .moments import first_moments, moments, polynomial_expectation, smoothed
from .normal_form import Reader, Readers, in_normal_form
from .numeric import numeric_expectation
from .product_form import averaged, named, product_expectation, require_few_points
from .radial import Spheres
from .recombined import with_falling_tails
from .tail import UnboundedError

__all__ = [
    "Average",
    "Products",
    "expectation",
    "first_moments",
    "moments",
    "polynomial_expectation",
    "smoothed",
    "with_average",
]

DIGITS = 30
MAX_DIGITS = 1000
# Signed permutations are tried up to this many coordinates (48 of them), sign flips alone up to _MAX_FLIPPED.
_MAX_PERMUTED = 3
_MAX_FLIPPED = 6
# Units of work: a term goes through a map in so many microseconds.
_PER_TERM_MOVED = 20
# Units of work that are spent on a rigorous ball before a float serves, and at most a third of what is left: a fifth
# of what an analysis may take.
_FOR_A_BALL = DEFAULT_EFFORT // 5

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
    EffortSpentError
        If it takes more work than an answer is worth: some 20 s.
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
    digits = checks.integer("digits", digits, least=1, most=MAX_DIGITS)
    target = Target(g, k=k)
    if not target.inputs.is_gaussian:
        polynomial_or_finite = target.inputs.is_finite or is_polynomial(target.expr, target.coordinates)
        if polynomial_or_finite or not target.inputs.has_averages:
            return product_expectation(target)
        require_few_points(target)
        with named(target):
            return expectation(averaged(target), digits=digits)
    if is_polynomial(target.expr, target.coordinates):
        polynomial = to_polynomial(target.expr, target.coordinates)
        return Expectation.exact(rational(polynomial_expectation(polynomial)))
    with effort(DEFAULT_EFFORT):
        return with_average(target.expr, lambda average: average.of(average.g, digits))


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
        self._images = Memory[Element]()
        self._spheres = Spheres(reader)

    def of(self, g: Element, digits: int = DIGITS) -> Expectation:
        """Return E[g(z)] of an element of this algebra."""
        to_expr = self.reader.algebra.to_expr
        exact, rest = self._closed_part(g)
        symmetry = ""
        if not (integrable := is_integrable(self.reader, rest)):
            rest = with_falling_tails(self.reader, rest)
            integrable = is_integrable(self.reader, rest)
        if integrable:
            rest, symmetry = _symmetrised(self.reader, rest, self._images)
            fewer = eliminated(self.reader, rest)
            if fewer.parts.keys() != rest.parts.keys():
                known, rest = self._closed_part(fewer)
                exact = exact + known
            if (radial := self._spheres.averaged(rest)) is not rest:
                known, rest = self._closed_part(radial)
                exact = exact + known
        try:
            terms, several = separated(self.reader, rest, integrable)
            if not terms and not several.parts:
                return Expectation.exact(to_expr(exact), symmetry)
            result = Expectation.exact(to_expr(exact))
            if terms and (ball := _affordable_ball(terms, exact, digits)).is_finite():
                result, rest = Expectation.enclosed(ball), several
            elif not integrable:
                for term in terms:
                    term.require_decay()
        except UnboundedError as error:
            raise _growth_error(self.reader, g, str(error)) from None
        if rest.parts:
            if not integrable and not is_integrable(self.reader, several):
                raise _growth_error(self.reader, g, "no bound is known that the Gaussian density outweighs")
            result = result + numeric_expectation(self.reader, rest)
        return result

    def _closed_part(self, g: Element) -> tuple[Element, Element]:
        """Return the expectation of the terms that have a closed form, and the others."""
        algebra = self.reader.algebra
        exact, rest = [algebra.constant(0)], [algebra.constant(0)]
        for key, (E, P) in g.parts.items():
            law = self._laws.setdefault(key, Tilt(self.reader, E))
            known, unknown = [], []
            for _, group in algebra.grouped(P):
                try:
                    known.append(law.expectation(group))
                except (NoClosedFormError, DivergentError):
                    # What grows in one group may cancel in all of them together.
                    unknown.append(Element(algebra, [(E, group)]))
            exact += known
            rest += unknown
        return reduce(add, exact), reduce(add, rest)


def with_average(expr: sp.Expr, compute: Callable[[Average], T]) -> T:
    """Return compute(the average that has read expr), once expr is known to be defined everywhere."""
    require_defined(expr)
    expr = tamed(expr)
    coordinates = sorted(expr.free_symbols, key=lambda s: int(str(s)[1:]))
    return in_normal_form(coordinates, lambda reader: compute(Average(reader, reader.element(expr))))


class Products:
    """E[prod_i f_i(z)^e_i] of functions of the same coordinates, each of which is read once."""

    def __init__(self, coordinates: Sequence[sp.Symbol]) -> None:
        self._readers = Readers(coordinates)
        self._tamed: dict[sp.Expr, sp.Expr] = {}
        self._average: Average | None = None

    def expectation(self, powers: Iterable[tuple[sp.Expr, int]]) -> Expectation:
        """Return the expectation of a product of powers e_i >= 0; see :func:`expectation`."""
        factors = [(self._checked(f), e) for f, e in powers if e]
        with effort(DEFAULT_EFFORT):
            return self._readers.ask(lambda reader: self._of(reader, factors))

    def _checked(self, f: sp.Expr) -> sp.Expr:
        if f not in self._tamed:
            require_defined(f)
            self._tamed[f] = tamed(f)
        return self._tamed[f]

    def _of(self, reader: Reader, factors: Sequence[tuple[sp.Expr, int]]) -> Expectation:
        if self._average is None or self._average.reader is not reader:
            self._average = Average(reader, reader.algebra.constant(1))
        return self._average.of(reduce(mul, (reader.element(f) ** e for f, e in factors), self._average.g))


def _affordable_ball(terms: Sequence[Separated], exact: Element, digits: int) -> arb:
    """Return a ball around exact + the terms; an infinite one where it takes more than a share of the effort."""
    share = max(0, int(min(_FOR_A_BALL, left() // 3)))
    with suppress(EffortSpentError), effort(share):
        return enclosed(terms, exact, digits)
    # Where it is the whole effort that is spent, there is no answer at all.
    spend(0)
    return arb(0, inf)


def _symmetrised(reader: Reader, g: Element, images: Memory[Element]) -> tuple[Element, str]:
    """Return an element with the same expectation and fewer terms: 0 if g is odd under a signed permutation.

    Where a sign flip takes every generator to plus or minus itself, the odd terms are dropped one by one.
    """
    algebra = reader.algebra
    if not g.parts:
        return g, ""
    for signs in _flips(algebra.k):
        image = _reflected(reader, g, range(algebra.k), signs, images)
        mean = (g + image).scaled(algebra.one * fmpq(1, 2))
        if not mean.parts:
            return mean, f"odd under {_as_substitution(algebra.coordinates, range(algebra.k), signs)}"
        if _terms(mean) <= _terms(g):
            g = mean
    if algebra.k <= _MAX_PERMUTED:
        for order in permutations(range(algebra.k)):
            for signs in product((1, -1), repeat=algebra.k):
                if order == tuple(range(algebra.k)):
                    continue
                moved = _moved_generators(reader, g, order, signs, images)
                # What no image holds stays in g + g(Rz): the sum is not 0.
                if moved is None or not _held(moved, used := algebra.used(g)).issuperset(used):
                    continue
                if not (g + _composed(g, moved)).parts:
                    return algebra.constant(
                        0
                    ), f"odd under {_as_substitution(algebra.coordinates, order, signs)}"
    return g, ""


def _flips(k: int) -> Iterator[tuple[int, ...]]:
    """Yield the sign flips of the coordinates: all together first, then each alone, then the other subsets."""
    flips = product((1, -1), repeat=k) if k <= _MAX_FLIPPED else ()
    single = [tuple(-1 if i == j else 1 for j in range(k)) for i in range(k)]
    yield from dict.fromkeys([(-1,) * k, *single, *(signs for signs in flips if -1 in signs)])


def _terms(g: Element) -> int:
    return sum(len(P) for _, P in g.parts.values())


def _reflected(
    reader: Reader, g: Element, order: Sequence[int], signs: Sequence[int], known: Memory[Element]
) -> Element:
    """Return g(Rz), (Rz)_i = signs_i z_order(i); g itself, from which nothing follows, if it is outside the ring."""
    moved = _moved_generators(reader, g, order, signs, known)
    return g if moved is None else _composed(g, moved)


def _moved_generators(
    reader: Reader, g: Element, order: Sequence[int], signs: Sequence[int], known: Memory[Element]
) -> list[fmpq_mpoly] | None:
    """Return what each generator is at Rz, or None outside the ring; the images of functions of z are kept."""
    algebra = reader.algebra
    z = algebra.coordinates
    moved = {z[i]: signs[i] * z[order[i]] for i in range(algebra.k)}
    polynomials = list(algebra.generators)
    for i in range(algebra.k):
        polynomials[i] = algebra.z[order[i]] * signs[i]
    spend(_PER_TERM_MOVED * _terms(g))
    for j in algebra.used(g):
        if algebra.slots[j].kind != "constant":
            function = algebra.slots[j].expr
            key = (function, tuple(order), tuple(signs))
            image = known.get(key, partial(reader.element, function.xreplace(moved))).polynomial()
            if image is None:
                return None
            polynomials[j] = image
    return polynomials


def _held(moved: Sequence[fmpq_mpoly], used: Iterable[int]) -> set[int]:
    """Return the generators that the images of those used hold."""
    return {i for j in used for i, degree in enumerate(moved[j].degrees()) if degree}


def _composed(g: Element, moved: Sequence[fmpq_mpoly]) -> Element:
    """Return g with its generators replaced."""
    algebra = g.algebra
    return Element(
        algebra,
        (
            (
                algebra.reduced(E.compose(*moved, ctx=algebra.ring)),
                algebra.reduced(P.compose(*moved, ctx=algebra.ring)),
            )
            for E, P in g.parts.values()
        ),
    )


def _as_substitution(z: Sequence[sp.Symbol], order: Sequence[int], signs: Sequence[int]) -> str:
    moves = [
        f"{z[i]} -> {'-' if signs[i] < 0 else ''}{z[order[i]]}"
        for i in range(len(z))
        if signs[i] < 0 or order[i] != i
    ]
    return ", ".join(moves)


def _growth_error(reader: Reader, g: Element, reason: str) -> RebatchError:
    """Return the error for an integrand that is not shown to be integrable: infinite where that is proved."""
    if (exponential := grows_too_fast(reader, g)) is not None:
        return DivergentError(
            f"the expectation of |g| is infinite: {exponential} grows at least as fast as the Gaussian density falls"
        )
    return RebatchError(
        f"the expectation of {reader.algebra.to_expr(g)} could not be shown to exist: {reason}"
    )
