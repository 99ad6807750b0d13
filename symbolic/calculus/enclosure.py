"""Rigorous balls for what has no closed form but falls apart into functions of one direction each.

For a term coefficient * prod_j F_j(u_j.z) * P(z) * exp(E(z)) with orthogonal directions u_j, the coordinates
s_j = u_j.z are independent. The rest of R^k is averaged exactly (`closed_form.py`), which leaves a polynomial in the
s_j; in Hermite polynomials of variance v_j = |u_j|^2 it becomes

    sum_n a_n prod_j v_j^(n_j/2) E[F_j He_{n_j}],

with exact a_n and one-dimensional integrals from shared tables (`line.py`). For a ridge function only one a_n is
not zero: that is the formula c_S = a^S |a|^{-|S|} E[f(|a| t) He_{|S|}(t)] of theory, 2.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import product
from math import comb, factorial
from operator import add, mul

import sympy as sp
from flint import acb, arb, ctx, fmpq, fmpq_mpoly

from ..errors import DivergentError, RebatchError
from ..exact.ball import constant_ball
from .algebra import Algebra, Direction, Element
from .closed_form import NoClosedFormError, Tilt
from .line import LINE, LineIntegral, line_integral
from .normal_form import Reader

Orders = tuple[int, ...]
Functions = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Separated:
    """sum_n coefficients[n] prod_j v_j^(n_j / 2) tables[j][n_j]."""

    coefficients: dict[Orders, Element]
    tables: tuple[LineIntegral, ...]
    variances: tuple[fmpq_mpoly, ...]

    def ball(self, digits: int) -> acb:
        """Return a ball that contains the sum."""
        with ctx.workprec(int(3.4 * digits) + 96):
            total = acb(0)
            for orders, coefficient in self.coefficients.items():
                term = element_ball(coefficient)
                for n, table, v in zip(orders, self.tables, self.variances, strict=True):
                    term *= table.value(n, digits)
                    term *= constant_ball(coefficient.algebra.constant_expr(v), ctx.prec).sqrt() ** n
                total += term
            return total

    def require_decay(self) -> None:
        """Check that each of the integrals exists.

        Raises
        ------
        UnboundedError
            If that is not shown of one of them.
        """
        for orders in self.coefficients:
            for n, table in zip(orders, self.tables, strict=True):
                table.require_decay(n)


class NotSeparableError(RebatchError):
    """A term that does not fall apart into functions of one direction each."""


def separated(reader: Reader, g: Element, integrable: bool) -> tuple[list[Separated], Element]:
    """Return the terms of g that fall apart, those whose coefficients all cancel left out, and the rest of g.

    integrable: whether E|g| is known to be finite; else what is left out must be shown to exist.

    Raises
    ------
    UnboundedError
        If it is not.
    """
    algebra = reader.algebra
    found, rest = [], algebra.constant(0)
    for E, P in g.parts.values():
        for functions, polynomial in _by_functions(algebra, P).items():
            try:
                terms = list(_separate(reader, E, functions, polynomial))
            except (NotSeparableError, NoClosedFormError, DivergentError):
                factors = (algebra.generators[j] ** e for j, e in functions)
                rest = rest + Element(algebra, [(E, reduce(mul, factors, polynomial))])
                continue
            found += [term for term in terms if term.coefficients]
            if not integrable:
                cancelled = [table for term in terms if not term.coefficients for table in term.tables]
                _require_decay(cancelled, int(polynomial.total_degree()))
    return found, rest


def _require_decay(tables: Iterable[LineIntegral], degree: int) -> None:
    for table in tables:
        table.require_decay(degree)


def enclosed(terms: Sequence[Separated], exact: Element, digits: int) -> arb:
    """Return a ball around exact + the terms, to a relative accuracy of 10^-digits where the sum is not 0.

    It is wider where a term cannot be had to that accuracy, and not finite where a term has no bound.
    """
    ball = arb(0, float("inf"))
    for attempt in (digits, 2 * digits, 4 * digits):
        with ctx.workprec(int(3.4 * attempt) + 96):
            narrower = reduce(add, (term.ball(attempt) for term in terms), element_ball(exact)).real
        if not narrower.rad() < ball.rad() / 2:
            break
        ball = narrower
        if ball.rel_accuracy_bits() >= 3.32 * digits:
            break
    return ball


def element_ball(f: Element) -> acb:
    """Return the ball of a constant element, at the precision of the moment."""
    algebra = f.algebra
    values = [acb(1)] * len(algebra.generators)
    values[algebra.k] = acb(0, 1)
    for j, slot in algebra.slots.items():
        if slot.kind == "constant":
            values[j] = acb(constant_ball(slot.expr, ctx.prec))

    def polynomial(P: fmpq_mpoly) -> acb:
        total = acb(0)
        for exponents, c in P.to_dict().items():
            total += reduce(mul, (values[j] ** int(e) for j, e in enumerate(exponents) if e), acb(c))
        return total

    return reduce(add, (polynomial(P) * polynomial(E).exp() for E, P in f.parts.values()), acb(0))


def _by_functions(algebra: Algebra, P: fmpq_mpoly) -> dict[Functions, fmpq_mpoly]:
    """Return (slot, power) pairs of functions of z -> polynomial in z, constants and steps."""
    names = [j for j, slot in algebra.slots.items() if slot.kind in ("opaque", "smooth step")]
    grouped: dict[Functions, dict[tuple[int, ...], fmpq]] = {}
    for monomial, c in P.to_dict().items():
        exponents = list(map(int, monomial))
        key = tuple((j, exponents[j]) for j in names if exponents[j])
        for j, _ in key:
            exponents[j] = 0
        grouped.setdefault(key, {})[tuple(exponents)] = c
    return {key: algebra.ring.from_dict(terms) for key, terms in grouped.items()}


def _separate(
    reader: Reader, E: fmpq_mpoly, functions: Functions, polynomial: fmpq_mpoly
) -> Iterator[Separated]:
    """Yield one term in separated form, cell by cell of its steps: on a cell each step is 0 or 1."""
    algebra = reader.algebra
    steps = [j for j in algebra.used(algebra.of(polynomial)) if algebra.slots[j].kind == "step"]
    lines = _lines(reader, E, [*(j for j, _ in functions), *steps])
    basis = _orthogonal_basis(reader, [line.direction for line in lines])
    variances = [_dot(algebra, b, b) for b in basis]
    images = list(algebra.generators)
    for i in range(algebra.k):
        terms = (b[i] * reader.inverse(v) * s for b, v, s in zip(basis, variances, algebra.z, strict=True))
        images[i] = algebra.reduced(sum(terms, algebra.one * 0))
    own, rest = _split_exponent(algebra, algebra.reduced(E.compose(*images, ctx=algebra.ring)), len(lines))
    law = Tilt(reader, rest, variances)
    powers = dict(functions)
    for cells in product(*(line.cells(algebra) for line in lines)):
        for line, cell in zip(lines, cells, strict=True):
            for position, j in enumerate(line.steps):
                images[j] = algebra.one * int(position < cell)
        on_cell = algebra.reduced(polynomial.compose(*images, ctx=algebra.ring))
        if on_cell == 0:
            continue
        coefficients = _in_hermite(algebra, _averaged(reader, law, on_cell, len(lines)), variances)
        tables = tuple(
            _table(algebra, line, cell, v, {j: powers[j] for j in line.functions}, e)
            for line, cell, v, e in zip(lines, cells, variances, own, strict=False)
        )
        yield Separated(coefficients, tables, tuple(variances[: len(lines)]))


@dataclass
class Line:
    """A direction u (leading entry 1) with the functions that live on it, its steps in the order of thresholds."""

    direction: Direction
    functions: list[int]
    steps: list[int]

    def cells(self, algebra: Algebra) -> range:
        """Return the cells between thresholds, by the number of steps that are open, and sort the steps."""
        algebra.sort_steps(self.steps)
        return range(len(self.steps) + 1)


def _lines(reader: Reader, E: fmpq_mpoly, slots: Sequence[int]) -> list[Line]:
    """Return the distinct directions of functions, steps and of an exponential that is not Gaussian.

    Raises
    ------
    NotSeparableError
        If they are not orthogonal, or a function has several.
    """
    algebra = reader.algebra
    lines: list[Line] = []

    def place(direction: Direction) -> Line:
        for line in lines:
            if algebra.parallel(direction, line.direction):
                return line
        if any(_dot(algebra, direction, line.direction) != 0 for line in lines):
            raise NotSeparableError("functions of directions that are not orthogonal")
        scale = reader.inverse(next(u for u in direction if u != 0))
        lines.append(Line(tuple(reader.simplified(u * scale) for u in direction), [], []))
        return lines[-1]

    for j in slots:
        slot = algebra.slots[j]
        own = (slot.direction,) if slot.direction else slot.directions
        if len(own) != 1:
            raise NotSeparableError(f"{slot.expr} has several directions")
        line = place(own[0])
        (line.steps if slot.kind == "step" else line.functions).append(j)
    try:
        Tilt(reader, E).check()
    except (NoClosedFormError, DivergentError):
        for direction in algebra.directions(Element(algebra, [(E, algebra.one)])):
            place(direction)
    return lines


def _dot(algebra: Algebra, a: Sequence[fmpq_mpoly], b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    return algebra.reduced(sum((x * y for x, y in zip(a, b, strict=True)), algebra.one * 0))


def _orthogonal_basis(reader: Reader, directions: Sequence[Direction]) -> list[Direction]:
    """Return the directions, completed to an orthogonal basis of R^k."""
    algebra = reader.algebra
    basis = list(directions)
    for i in range(algebra.k):
        if len(basis) == algebra.k:
            break
        vector = tuple(algebra.one * int(i == j) for j in range(algebra.k))
        for b in basis:
            scale = algebra.reduced(_dot(algebra, vector, b) * reader.inverse(_dot(algebra, b, b)))
            vector = tuple(reader.simplified(x - scale * y) for x, y in zip(vector, b, strict=True))
        if any(x != 0 for x in vector):
            basis.append(vector)
    return basis


def _split_exponent(algebra: Algebra, E: fmpq_mpoly, lines: int) -> tuple[list[fmpq_mpoly], fmpq_mpoly]:
    """Return the parts of the exponent that live on each of the first coordinates, and the part on the others."""
    own = [algebra.one * 0] * lines
    rest = algebra.one * 0
    for exponents, c in E.to_dict().items():
        term = algebra.ring.from_dict({tuple(exponents): c})
        where = [j for j in range(algebra.k) if exponents[j]]
        if where and where[0] < lines:
            if len(where) > 1:
                raise NotSeparableError("an exponential that couples directions")
            own[where[0]] = own[where[0]] + term
        else:
            rest = rest + term
    return own, rest


def _averaged(reader: Reader, law: Tilt, polynomial: fmpq_mpoly, lines: int) -> dict[Orders, Element]:
    """Return powers of the first coordinates -> average of the others."""
    grouped: dict[Orders, dict[tuple[int, ...], fmpq]] = {}
    for exponents, c in polynomial.to_dict().items():
        powers = tuple(map(int, exponents[:lines]))
        grouped.setdefault(powers, {})[(0,) * lines + tuple(exponents[lines:])] = c
    averaged = {n: law.expectation(reader.algebra.ring.from_dict(terms)) for n, terms in grouped.items()}
    return {n: value for n, value in averaged.items() if value.parts}


def _in_hermite(
    algebra: Algebra, coefficients: dict[Orders, Element], variances: Sequence[fmpq_mpoly]
) -> dict[Orders, Element]:
    """Return the coefficients on He^(v)_n = v^(n/2) He_n(s / sqrt(v)).

    s^n = sum_m n! v^m He^(v)_{n-2m} / (m! (n-2m)! 2^m).
    """
    for j in range(len(next(iter(coefficients), ()))):
        converted: dict[Orders, list[Element]] = {}
        for orders, c in coefficients.items():
            n = orders[j]
            for m in range(n // 2 + 1):
                weight = fmpq(comb(n, 2 * m) * factorial(2 * m), 2**m * factorial(m))
                lowered = (*orders[:j], n - 2 * m, *orders[j + 1 :])
                converted.setdefault(lowered, []).append(c.scaled(variances[j] ** m * weight))
        sums = {orders: reduce(add, parts) for orders, parts in converted.items()}
        coefficients = {orders: value for orders, value in sums.items() if value.parts}
    return coefficients


def _table(
    algebra: Algebra,
    line: Line,
    cell: int,
    variance: fmpq_mpoly,
    powers: dict[int, int],
    exponent: fmpq_mpoly,
) -> LineIntegral:
    """Return the integrals of the functions of one direction over one cell, in t = u.z / |u|."""
    expr = algebra.constant_expr
    length = sp.sqrt(expr(variance))
    along = {
        z: sp.expand(expr(u) / length) * LINE
        for z, u in zip(algebra.coordinates, line.direction, strict=True)
    }
    F = sp.Mul(*(algebra.slots[j].expr.xreplace(along) ** power for j, power in powers.items()))
    ends = [sp.expand(expr(algebra.slots[j].threshold) / length) for j in line.steps]
    a, b = ([None, *ends][cell], [*ends, None][cell])
    scaled = dict.fromkeys(algebra.coordinates, length * LINE)
    growth, phase = (sp.expand(part.xreplace(scaled)) for part in algebra.real_and_imaginary(exponent))
    try:
        return line_integral(F, growth, phase, a, b)
    except RebatchError as error:
        raise NotSeparableError(str(error)) from None
