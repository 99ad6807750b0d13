"""E[g(z)] in floating point, for functions of several directions at once: which integrals are taken, and how.

An exponential exp(E) of a real quadratic E is not left to the points: E[exp(E) f(z)] = mass E[f(m + w)], w ~ N(0, S),
with mass, m and S exact (`closed_form.py`), so that f alone is sampled, where its weight is. Functions of fewer
directions than there are coordinates are sampled on the span of these (`span.py`).
"""

from functools import reduce

import numpy as np
import sympy as sp
from flint import fmpq_mpoly

from ..errors import DivergentError
from ..exact.expectation import Expectation
from .algebra import Element, Part
from .closed_form import NoClosedFormError, Tilt
from .cubature import Gaussian, cubature
from .enclosure import element_ball
from .existence import is_square_integrable
from .nested import nested
from .normal_form import Reader
from .ranges import range_of
from .span import OnSpan, on_spans


def numeric_expectation(reader: Reader, g: Element) -> Expectation:
    """Return E[g(z)] with an estimated error, infinite where nothing is known; E|g| must be finite."""
    algebra = reader.algebra
    grouped: dict[str, list[tuple[fmpq_mpoly, Part]]] = {}
    for E, P in g.parts.values():
        growth = algebra.ring.from_dict({e: c for e, c in E.to_dict().items() if not e[algebra.k]})
        grouped.setdefault(str(growth), []).append((growth, (E, P)))
    return reduce(Expectation.__add__, (_of_group(reader, group) for group in grouped.values()))


def _of_group(reader: Reader, group: list[tuple[fmpq_mpoly, Part]]) -> Expectation:
    """Return the expectation of terms with the same real exponent."""
    algebra, growth = reader.algebra, group[0][0]
    law = Tilt(reader, growth)
    try:
        law.check()
    except (NoClosedFormError, DivergentError):
        # What the functions beside it hold down: exp(z1 z2) / (3 + exp(z1 z2)).
        whole = Element(algebra, (part for _, part in group))
        tame = is_square_integrable(reader, growth * 2, whole)
        return _cubature(whole, reader, None, tame)
    rest = Element(algebra, ((E - growth, P) for _, (E, P) in group))
    tame = is_square_integrable(reader, growth, rest)
    if growth == 0:
        whole, on_fewer = on_spans(rest)
        found = [_cubature(whole, reader, None, tame)] if whole.parts else []
        return reduce(Expectation.__add__, [*found, *(_on_span(terms, reader) for terms in on_fewer)])
    mass = Expectation.enclosed(element_ball(law.mass).real)
    mean = np.array([float(element_ball(algebra.of(m)).real) for m in law.mean])
    covariance = np.array([[float(element_ball(algebra.of(x)).real) for x in row] for row in law.covariance])
    return _cubature(rest, reader, Gaussian(mean, covariance), tame) * mass


def _on_span(part: OnSpan, reader: Reader) -> Expectation:
    """Return the expectation of terms on the span of their functions."""
    expr, at = part.expr(), tuple(reader.algebra.coordinates[i] for i in part.pivots)
    tame = is_square_integrable(reader, reader.algebra.one * 0, part.terms)
    return Expectation.numeric(*cubature(_real_everywhere(expr), at, part.law(), tame=tame))


def _cubature(g: Element, reader: Reader, law: Gaussian | None, tame: bool) -> Expectation:
    """Return the expectation of g under a law of z, standard normal by default."""
    z, expr = reader.algebra.coordinates, reader.algebra.to_expr(g)
    used = [i for i, symbol in enumerate(z) if symbol in expr.free_symbols]
    if not used:
        return Expectation.exact(expr)
    marginal = None if law is None else law.marginal(used)
    short = nested(reader.algebra, g)
    written = None if short is None else _real_everywhere(short)
    at = tuple(z[i] for i in used)
    return Expectation.numeric(*cubature(_real_everywhere(expr), at, marginal, tame=tame, written=written))


def _real_everywhere(expr: sp.Expr) -> sp.Expr:
    """Return roots and logarithms of |u| for those of u: off the cells where they count, u may be negative."""
    return expr.replace(
        lambda f: isinstance(f, sp.log) or (f.is_Pow and f.exp.is_Rational and not f.exp.is_Integer),
        lambda f: f if range_of(f.args[0]).nonnegative else f.func(sp.Abs(f.args[0]), *f.args[1:]),
    )
