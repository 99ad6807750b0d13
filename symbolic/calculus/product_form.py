"""A polynomial on the orthogonal polynomials of any law with known moments, exactly, and averages (theory, 13).

phi_0 = 1, phi_1 = z - mean, phi_2, … are monic and orthogonal under the law (He_n, for the Gaussian one), and
z^n = sum_m a_{n,m} phi_m with a_{n,m} = E[z^n phi_m] / E[phi_m^2]. A law of r values has r of them; there z^n is a
polynomial of degree below r, and powers of a target are kept short by that.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from itertools import product
from math import comb, prod
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mpoly
from numpy.typing import NDArray

from ..enumeration.grid import Grid
from ..enumeration.labels import labels_of
from ..errors import (
    DivergentError,
    NotPolynomialError,
    RebatchError,
    TooLargeError,
    UndefinedFunctionError,
)
from ..exact.effort import EffortSpentError
from ..exact.expectation import Expectation
from ..exact.polynomial import is_polynomial, rational, ring, to_fmpq, to_polynomial
from ..language.law import Law
from ..language.symbols import coordinate
from ..language.target import Target
from .hermite_form import MultiIndex

Form = dict[MultiIndex, fmpq]
# (m, c) for z^n under a law.
Rule = Callable[[Law, int], tuple[tuple[int, fmpq], ...]]
# A function for each of them is written out, and averaged for each character, of which there are as many.
_MOST_POINTS = 32


@lru_cache(maxsize=4096)
def moment(law: Law, n: int) -> fmpq:
    """Return E[z^n].

    Raises
    ------
    DivergentError
        If it is infinite.
    """
    value = law.moment(n)
    if value is None:
        raise DivergentError(
            f"E[z^{n}] is infinite for inputs {law}; allowed are moments below order {law.freedom}"
        )
    return to_fmpq(value)


@lru_cache(maxsize=1024)
def orthogonal(law: Law, m: int) -> tuple[fmpq, ...] | None:
    """Return the coefficients of phi_m by powers of z; None if the law has no more than m values."""
    if law.atoms and m >= len(law.atoms):
        return None
    row = [fmpq(0)] * m + [fmpq(1)]
    for lower in range(m):
        phi = orthogonal(law, lower)
        assert phi is not None
        scale = _product(law, m, phi) / norm(law, lower)
        for power, c in enumerate(phi):
            row[power] -= scale * c
    return tuple(row)


@lru_cache(maxsize=1024)
def norm(law: Law, m: int) -> fmpq:
    """Return E[phi_m^2] = E[z^m phi_m]."""
    phi = orthogonal(law, m)
    assert phi is not None
    return _product(law, m, phi)


def monic_norm(law: Law, S: Sequence[int]) -> fmpq:
    """Return E[phi_S^2]."""
    return prod((norm(law.at(i), int(n)) for i, n in enumerate(S) if n), start=fmpq(1))


def _product(law: Law, n: int, phi: tuple[fmpq, ...]) -> fmpq:
    """Return E[z^n phi]."""
    return sum((c * moment(law, n + power) for power, c in enumerate(phi) if c != 0), fmpq(0))


@lru_cache(maxsize=4096)
def _expansion(law: Law, n: int) -> tuple[tuple[int, fmpq], ...]:
    """Return (m, a_{n,m}) for the nonzero coefficients of z^n."""
    terms = []
    for m in range(n + 1):
        phi = orthogonal(law, m)
        if phi is None:
            break
        c = _product(law, n, phi) / norm(law, m)
        if c != 0:
            terms.append((m, c))
    return tuple(terms)


def orthogonal_form(polynomial: fmpq_mpoly, law: Law) -> Form:
    """Return S -> the coefficient of phi_S, the nonzero ones.

    Raises
    ------
    DivergentError
        If a moment that is needed is infinite.
    """
    return _rewritten(polynomial, law, _expansion)


def first_moments(polynomial: fmpq_mpoly, law: Law) -> tuple[fmpq, ...]:
    """Return E[g (z_i - mean)] for every coordinate, the coefficients on phi_1(z_i) times its norm.

    A term z^S counts where at most one factor z_j^S_j has no coefficient on phi_0, which vanishes for odd powers of a
    symmetric law.

    Raises
    ------
    DivergentError
        If a moment that is needed is infinite.
    """
    degrees = np.array(polynomial.monoms(), dtype=np.int64).reshape(len(polynomial), -1)
    k, orders = degrees.shape[1], range(int(degrees.max(initial=0)) + 1)
    rows = {part: [dict(_expansion(part, n)) for n in orders] for part in set(law.each(k))}
    rows_of = [rows[part] for part in law.each(k)]
    flat = np.array([[0 not in row for row in each] for each in rows_of])
    totals = [fmpq(0)] * k
    terms = polynomial.coeffs()
    for place in np.flatnonzero(flat[np.arange(k), degrees].sum(axis=1) <= 1):
        S = [(i, int(n)) for i, n in enumerate(degrees[place]) if n]
        for i, n in S:
            if 1 in rows_of[i][n]:
                others = (rows_of[j][m].get(0, fmpq(0)) for j, m in S if j != i)
                totals[i] += prod(others, start=terms[place] * rows_of[i][n][1])
    return tuple(total * norm(part, 1) for total, part in zip(totals, law.each(k), strict=True))


def reduced(polynomial: fmpq_mpoly, law: Law) -> fmpq_mpoly:
    """Return a polynomial of lower degree in every variable that is the same at all values of a finite law."""
    degrees = list(map(int, polynomial.degrees()))
    if all(
        not part.atoms or n < len(part.atoms) for n, part in zip(degrees, law.each(len(degrees)), strict=True)
    ):
        return polynomial
    return polynomial.context().from_dict(_rewritten(polynomial, law, _power))


def _rewritten(polynomial: fmpq_mpoly, law: Law, rule: Rule) -> Form:
    """Return a polynomial with z_i^n replaced by sum of c phi_m, (m, c) by a rule of each law, in every variable."""
    degrees = list(map(int, polynomial.degrees()))
    laws = law.each(len(degrees))
    known = {part: [rule(part, n) for n in range(max(degrees, default=0) + 1)] for part in set(laws)}
    tables = [known[part] for part in laws]
    single = all(len(terms) == 1 and terms[0][1] == 1 for table in known.values() for terms in table)
    form: Form = {}
    for S, c in polynomial.to_dict().items():
        if single:
            T = tuple(table[n][0][0] for table, n in zip(tables, S, strict=True))
            form[T] = form[T] + c if T in form else c
            continue
        for parts in product(*(table[n] for table, n in zip(tables, S, strict=True))):
            T = tuple(m for m, _ in parts)
            term = prod((a for _, a in parts), start=c)
            form[T] = form[T] + term if T in form else term
    return {S: c for S, c in form.items() if c != 0}


@lru_cache(maxsize=4096)
def _power(law: Law, n: int) -> tuple[tuple[int, fmpq], ...]:
    """Return z^n as (power, coefficient) with powers below the number of values, itself where a law has a density."""
    if not law.atoms or n < len(law.atoms):
        return ((n, fmpq(1)),)
    row = [fmpq(0)] * len(law.atoms)
    for m, a in _expansion(law, n):
        phi = orthogonal(law, m)
        assert phi is not None
        for power, c in enumerate(phi):
            row[power] += a * c
    return tuple((power, c) for power, c in enumerate(row) if c != 0)


def powers_of(polynomial: fmpq_mpoly, law: Law, highest: int, most: int) -> Iterator[fmpq_mpoly]:
    """Yield y, y^2, … up to y^highest, or to the last that takes at most so many products of terms; y always."""
    power = first = reduced(polynomial, law)
    yield power
    for _ in range(1, highest):
        if len(power) * len(first) > most:
            return
        power = reduced(power * first, law)
        yield power


def polynomial_of(target: Target) -> fmpq_mpoly:
    """Return the target as a polynomial with rational coefficients.

    Under a law of r values every function is one, of degree below r in each coordinate: its values at all points,
    with the inverse of the Vandermonde matrix of the r values applied along each axis.

    Raises
    ------
    NotPolynomialError
        If it is none; or, on a finite law, a value is irrational.
    TooLargeError
        If it is none as it is written, and there are more than 2^16 points.
    """
    law = target.inputs
    if not law.is_finite or is_polynomial(target.expr, target.coordinates):
        return to_polynomial(target.expr, target.coordinates)
    labels = labels_of(target, Grid(law, target.k))
    if not labels.are_rational:
        raise NotPolynomialError(
            f"{target} has irrational values under inputs {law}; allowed are polynomials and functions of rational "
            "values"
        )
    table = np.array([to_fmpq(y) for y in labels.values])[labels.codes]
    for axis, part in enumerate(law.each(target.k)):
        table = np.moveaxis(np.tensordot(_inverse_vandermonde(part), table, axes=(1, axis)), 0, axis)
    terms = {S: c for S, c in np.ndenumerate(table) if c != 0}
    return ring([str(z) for z in target.coordinates]).from_dict(terms)


@lru_cache(maxsize=64)
def _inverse_vandermonde(law: Law) -> NDArray[Any]:
    """Return the coefficients of a function by powers of z from its values at those of a finite law."""
    inverse = sp.Matrix([[a**n for n in range(len(law.atoms))] for a, _ in law.atoms]).inv()
    return np.array([[to_fmpq(x) for x in inverse.row(n)] for n in range(len(law.atoms))])


def centred_moment(law: Law, n: int) -> fmpq:
    """Return E[(z - mean)^n].

    Raises
    ------
    DivergentError
        If it is infinite.
    """
    mean = to_fmpq(law.mean)
    return sum((comb(n, j) * moment(law, j) * (-mean) ** (n - j) for j in range(n + 1)), fmpq(0))


def averaged_over(
    polynomial: fmpq_mpoly, moments: Sequence[Callable[[int], fmpq]]
) -> dict[tuple[int, ...], fmpq]:
    """Return E[g] over the first variables, independent with these moments, as a polynomial in the others.

    Returns
    -------
    dict
        Exponents of the remaining variables -> coefficient; zeros are left out.
    """
    result: dict[tuple[int, ...], fmpq] = {}
    for exponents, coefficient in polynomial.to_dict().items():
        # A factor of mean 0 makes the product 0 only if the others exist: all are asked for.
        for exponent, moment_of in zip(exponents, moments, strict=False):
            if exponent:
                coefficient *= moment_of(int(exponent))  # noqa: PLW2901
        if coefficient:
            rest = exponents[len(moments) :]
            result[rest] = result[rest] + coefficient if rest in result else coefficient
    return {rest: value for rest, value in result.items() if value != 0}


def require_few_points(target: Target) -> None:
    """Raise a TooLargeError if the finite coordinates have more points than a sum of functions is written over."""
    count = prod(len(part.atoms) for part in target.inputs.each(target.k) if part.atoms)
    if count > _MOST_POINTS:
        raise TooLargeError(
            f"{target} with inputs {target.inputs} has {count} points beside other coordinates; allowed are at most "
            f"{_MOST_POINTS}, or polynomials"
        )


@contextmanager
def named(target: Target) -> Iterator[None]:
    """Have errors of the Gaussian target of :func:`averaged` name the target itself.

    Raises
    ------
    UndefinedFunctionError
        If it is not real at all values.
    DivergentError
        If the expectation is infinite.
    RebatchError
        If it could not be shown to exist, or the effort is spent.
    """
    what = f"{target} with inputs {target.inputs}"
    try:
        yield
    except UndefinedFunctionError:
        raise UndefinedFunctionError(
            f"{what} is not real at all their values; allowed are those that are"
        ) from None
    except DivergentError:
        raise DivergentError(
            f"the expectation of |{target}| with inputs {target.inputs} is infinite"
        ) from None
    except EffortSpentError:
        raise
    except RebatchError:
        raise RebatchError(
            f"the expectation of {what} could not be shown to exist; allowed are, for instance, polynomials, relu, "
            "tanh, erf and cos of the coordinates"
        ) from None


def averaged(target: Target) -> Target:
    """Return a Gaussian target with the same expectation: finite coordinates averaged out, the others of normals.

    Its coordinates z1, z2, … stand for those that have no values, in their order.
    """
    laws, z = target.inputs.each(target.k), target.coordinates
    finite = [i for i in range(target.k) if laws[i].atoms]
    others = [i for i in range(target.k) if not laws[i].atoms]
    images = {z[i]: laws[i].of_normal(coordinate(j)) for j, i in enumerate(others, start=1)}
    terms = []
    for point in product(*(laws[i].atoms for i in finite)):
        weight = prod((p for _, p in point), start=sp.Integer(1))
        values = {z[i]: a for i, (a, _) in zip(finite, point, strict=True)}
        terms.append(weight * target.expr.xreplace(values))
    return Target(sp.expand(sp.Add(*terms)).xreplace(images), k=len(others))


def product_expectation(target: Target) -> Expectation:
    """Return E[g(z)] of a target whose inputs are not Gaussian: of a polynomial, or by going through all values.

    Raises
    ------
    DivergentError
        If a moment is infinite.
    NotPolynomialError
        If a coordinate has a density and the target is no polynomial.
    """
    law = target.inputs
    if is_polynomial(target.expr, target.coordinates) or not law.is_finite:
        polynomial = to_polynomial(target.expr, target.coordinates)
        laws = law.each(target.k)
        terms = (
            prod((moment(part, int(n)) for part, n in zip(laws, S, strict=True)), start=c)
            for S, c in polynomial.to_dict().items()
        )
        return Expectation.exact(rational(sum(terms, fmpq(0))))
    grid = Grid(law, target.k)
    labels = labels_of(target, grid)
    weights = [grid.points[labels.codes == code].sum() for code in range(labels.count)]
    total = sp.Add(*(int(w) * y for w, y in zip(weights, labels.values, strict=True)))
    return Expectation.exact(total / grid.scale)
