"""Hermite coefficients c_S = E[g(z) He_S(z)], the expansion they make, and its rotation (theory, 2).

For polynomials all of it is one generating function, the Hermite form

    G(x) = E[g(x + z)] = sum_S c_S x^S / S!,

which turns the Hermite tensor C_n into the homogeneous part of degree n: C_n[x, …, x] / n!. A change of basis of
R^k is a linear substitution in G, so nothing there needs square roots. Other targets are brought to their normal
form once, and all coefficients up to an order are read off it with shared moments and shared integrals.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property, reduce
from itertools import combinations_with_replacement
from math import comb, factorial, prod
from operator import mul
from typing import Any

import sympy as sp

from .. import checks
from ..errors import RebatchError, TooLargeError
from ..exact.expectation import Expectation
from ..exact.known import How
from ..exact.polynomial import is_polynomial, rational, to_polynomial
from ..exact.shown import Tabulated
from ..exact.typeset import aligned, display, equation, mathml
from ..language.symbols import hermite
from ..language.target import Target
from .gaussian import DIGITS, MAX_DIGITS, Average, expectation, with_average
from .hermite_form import MultiIndex, hermite_coefficients, hermite_form, hermite_polynomial

MAX_COEFFICIENTS = 20_000


@dataclass(frozen=True)
class HermiteSeries(Tabulated):
    """The Hermite expansion g = sum_S c_S He_S / S! of a target, complete or up to an order.

    Attributes
    ----------
    target : Target
    coefficients : dict
        S -> c_S as an Expectation, without those that are proved to be zero, ordered by |S| and then from the
        first coordinate on.
    order : int or None
        All S with |S| <= order were computed; None: the series is complete, g is this polynomial.
    """

    target: Target
    coefficients: dict[MultiIndex, Expectation]
    order: int | None = field(default=None)

    def squared_norm(self) -> Expectation:
        """Return sum_S c_S^2 / S!, which is E[g^2] for a complete series (Parseval)."""
        terms = (c * c * sp.Rational(1, _factorial(S)) for S, c in self.coefficients.items())
        return sum(terms, Expectation.exact(0))

    @cached_property
    def target_norm(self) -> Expectation:
        """E[g^2], computed without the series."""
        return self.squared_norm() if self.order is None else expectation(self.target.expr**2)

    def missing(self) -> Expectation:
        """Return what is missing of the squared norm, E[g^2] - sum_S c_S^2 / S! >= 0 (the Parseval tail)."""
        return Expectation.exact(0) if self.order is None else self.target_norm - self.squared_norm()

    def partial_sum(self, order: int) -> sp.Expr:
        """Return the terms with |S| <= order in powers of the coordinates; decimals where c_S is no exact number.

        Raises
        ------
        RebatchError
            If the series was not computed up to that order.
        """
        if self.order is not None and order > self.order:
            raise RebatchError(f"order = {order}; the series was computed up to {self.order}")
        z = self.target.coordinates
        return sp.Add(
            *(
                _number(c) / _factorial(S) * sp.Mul(*(hermite(n, zi) for n, zi in zip(S, z, strict=True)))
                for S, c in self.coefficients.items()
                if sum(S) <= order
            )
        ).expand()

    def to_expr(self) -> sp.Expr:
        """Return the sum written out in powers of the coordinates."""
        return self.partial_sum(max(map(sum, self.coefficients), default=0))

    def latex(self) -> str:
        """Return the expansion in LaTeX, in He_n(z_i)."""
        return " + ".join(self._latex_terms()).replace("+ -", "- ")

    def equations(self) -> list[str]:
        """Return that g is the expansion in LaTeX, as rows of a display."""
        return [equation(f"g({', '.join(map(sp.latex, self.target.coordinates))})", self._latex_terms())]

    def _latex_terms(self) -> list[str]:
        terms = [self._latex_term(S, c) for S, c in self.coefficients.items()] or ["0"]
        return terms if self.order is None else [*terms, r"\cdots"]

    def _latex_term(self, index: MultiIndex, coefficient: Expectation) -> str:
        """Return one term of the series in LaTeX."""
        factors = [
            rf"\mathrm{{He}}_{{{n}}}({sp.latex(z)})"
            for n, z in zip(index, self.target.coordinates, strict=True)
            if n
        ]
        weight = _number(coefficient) / _factorial(index)
        written = sp.latex(weight if coefficient.how is How.EXACT else sp.Float(weight, 6))
        if weight.is_Add:
            written = rf"\left({written}\right)"
        if not factors:
            return str(written)
        sign = {1: "", -1: "-"}.get(weight)
        return (written + r"\, " if sign is None else sign) + r"\,".join(factors)

    def __str__(self) -> str:
        lines = (f"c_{S} = {c}" for S, c in self.coefficients.items())
        return "\n".join(lines) or "0"

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each coefficient: S, the value as text and as a number, and how it is known."""
        return [
            {"S": S, "coefficient": str(c), "value": float(c), "how": str(c.how)}
            for S, c in self.coefficients.items()
        ]

    def to_latex(self) -> str:
        """Return the formula as a display that can be pasted into a paper."""
        return display(self.equations())

    def _repr_latex_(self) -> str:
        return f"$${aligned(self.equations())}$$"

    def _repr_html_(self) -> str:
        return mathml(aligned(self.equations()))


def hermite_series(target: Target | str, order: int | None = None, *, digits: int = DIGITS) -> HermiteSeries:
    """Return the Hermite expansion of a target: complete for a polynomial, else up to an order.

    Parameters
    ----------
    target : Target or str
    order : int, optional
        The highest |S|. Needed unless the target is a polynomial with rational coefficients.
    digits : int
        Relative accuracy of coefficients that have no closed form.

    Raises
    ------
    RebatchError
        If the order is missing or negative; DivergentError if a coefficient is infinite.
    TooLargeError
        If there are more than 20,000 coefficients up to this order.

    References
    ----------
    theory, 2 (Hermite calculus).

    Examples
    --------
    >>> print(hermite_series("z1**3"))
    c_(1,) = 3
    c_(3,) = 6
    >>> print(hermite_series("sign(z1)", 3))
    c_(1,) = sqrt(2)/sqrt(pi)
    c_(3,) = -sqrt(2)/sqrt(pi)
    """
    target = Target(target)
    target.require_gaussian("the Hermite series")
    digits = checks.integer("digits", digits, least=1, most=MAX_DIGITS)
    if order is not None:
        order = checks.integer("order", order, least=0)
    if is_polynomial(target.expr, target.coordinates):
        exact = hermite_coefficients(hermite_form(to_polynomial(target.expr, target.coordinates)))
        kept = {S: c for S, c in exact.items() if order is None or sum(S) <= order}
        complete = len(kept) == len(exact)
        ordered = sorted(kept, key=lambda S: (sum(S), tuple(-n for n in S)))
        coefficients = {S: Expectation.exact(rational(kept[S])) for S in ordered}
        return HermiteSeries(target, coefficients, None if complete else order)
    if order is None:
        raise RebatchError(f"the series of {target} does not end: give the order up to which it is wanted")
    count = comb(order + target.k, target.k)
    if count > MAX_COEFFICIENTS:
        raise TooLargeError(
            f"{count:,} coefficients up to order {order} in {target.k} coordinates; at most {MAX_COEFFICIENTS:,}"
        )
    coefficients = dict(zip(_indices(target.k, order), _coefficients(target, order, digits), strict=True))
    return HermiteSeries(target, {S: c for S, c in coefficients.items() if c.is_zero() is not True}, order)


def _indices(k: int, order: int) -> Iterator[MultiIndex]:
    """Yield all S with |S| <= order, by |S| and then from the first coordinate on."""
    for degree in range(order + 1):
        for chosen in combinations_with_replacement(range(k), degree):
            yield tuple(chosen.count(i) for i in range(k))


def _coefficients(target: Target, order: int, digits: int) -> list[Expectation]:
    """Return all c_S up to the order, from one normal form."""
    used = [i for i, z in enumerate(target.coordinates) if z in target.expr.free_symbols]

    def compute(average: Average) -> list[Expectation]:
        algebra = average.reader.algebra
        polynomials = {
            (i, n): algebra.of(hermite_polynomial(n, z))
            for i, z in zip(used, algebra.z, strict=True)
            for n in range(1, order + 1)
        }
        values = []
        for S in _indices(target.k, order):
            if any(n and i not in used for i, n in enumerate(S)):
                values.append(Expectation.exact(0, "does not depend on the coordinate"))
                continue
            factors = (polynomials[i, n] for i, n in enumerate(S) if n)
            values.append(average.of(reduce(mul, factors, average.g), digits))
        return values

    return with_average(target.expr, compute)


def _number(coefficient: Expectation) -> sp.Expr:
    return coefficient.value if coefficient.how is How.EXACT else sp.Float(float(coefficient))


def _factorial(index: MultiIndex) -> int:
    return prod(factorial(n) for n in index)
