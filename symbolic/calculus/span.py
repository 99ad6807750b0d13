"""Terms whose functions live on fewer directions than there are coordinates: the others are averaged out.

With Pi the projection on the span of the directions of f, and w ~ N(0, 1 - Pi) independent of Pi z,

    E[p(z) f(Pi z)] = E[q(Pi z) f(Pi z)],   q(x) = E p(x + w),

exact for a polynomial p (`moments.py`). With a basis R of the span in reduced echelon form, Pi z = R' c, where c are
the coordinates of Pi z at the pivots, c ~ N(0, (R R')^-1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import mul

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mat

from ..exact.polynomial import rational
from ..exact.subspace import Subspace
from .algebra import Direction, Element, rational_ratios
from .cubature import Gaussian
from .moments import smoothed


@dataclass(frozen=True, eq=False)
class OnSpan:
    """Terms, once averaged over what is orthogonal to the span of the functions in them.

    Attributes
    ----------
    terms : Element
        They count on the span alone.
    span : Subspace
        Of rational directions.
    """

    terms: Element
    span: Subspace

    @property
    def pivots(self) -> list[int]:
        """The coordinates that stand for a point of the span."""
        return [next(i for i, x in enumerate(row) if x != 0) for row in self.span.rows]

    def law(self) -> Gaussian:
        """Return the distribution of the coordinates at the pivots."""
        covariance = _inverse_gram(self.span).tolist()
        entries = np.array([[int(x.p) / int(x.q) for x in row] for row in covariance])
        return Gaussian(np.zeros(self.span.dimension), entries)

    def expr(self) -> sp.Expr:
        """Return the terms as a function of the coordinates at the pivots."""
        z, pivots = self.terms.algebra.coordinates, self.pivots
        at = [z[i] for i in pivots]
        points = {
            x: sp.Add(*(rational(row[i]) * c for row, c in zip(self.span.rows, at, strict=True)))
            for i, x in enumerate(z)
            if i not in pivots
        }
        return self.terms.algebra.to_expr(self.terms).xreplace(points)


def on_spans(g: Element) -> tuple[Element, list[OnSpan]]:
    """Return the terms of g in as many coordinates as their functions have directions, and the others by their spans.

    One after the other has the same expectation as g.
    """
    algebra = g.algebra
    whole, found = Element(algebra, []), dict[Subspace, Element]()
    for E, P in g.parts.values():
        for functions, group in algebra.grouped(P):
            f = reduce(mul, (algebra.generators[j] for j in functions), algebra.one)
            span = _span(algebra.directions(Element(algebra, [(E, f)])), algebra.k)
            term = Element(algebra, [(E, group)])
            if span is None or span.dimension == algebra.k:
                whole = whole + term
                continue
            averaged = Element(algebra, [(E, algebra.reduced(smoothed(group, _across(span))))])
            found[span] = found[span] + averaged if span in found else averaged
    return whole, [OnSpan(terms, span) for span, terms in found.items() if terms.parts]


def _span(directions: Sequence[Direction], k: int) -> Subspace | None:
    """Return the span of directions, or None where one is not rational up to a factor."""
    rows = [row for row in map(rational_ratios, directions) if row is not None]
    return Subspace.span(rows, k) if len(rows) == len(directions) else None


def _inverse_gram(span: Subspace) -> fmpq_mat:
    """Return (R R')^-1."""
    R = fmpq_mat(list(map(list, span.rows)))
    return (R * R.transpose()).inv()


def _across(span: Subspace) -> list[list[fmpq]]:
    """Return 1 - Pi."""
    R = fmpq_mat(list(map(list, span.rows)))
    projection = R.transpose() * _inverse_gram(span) * R
    return [[fmpq(int(i == j)) - projection[i, j] for j in range(span.ambient)] for i in range(span.ambient)]
