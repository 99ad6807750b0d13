"""A polynomial in z and functions of z, written as it is cheapest to evaluate: factors, each in Horner's form.

A power of a sum written out has ever more terms, each with its own products; its factors have few. The innermost
polynomials are those in what depends on fewest coordinates, which a grid holds on fewest points.
"""

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..exact.polynomial import rational
from .algebra import Algebra, Element

# Shorter ones are left as they are; longer ones take longer to factor than they are worth.
_TERMS = range(5, 1000)


def nested(algebra: Algebra, g: Element) -> sp.Expr | None:
    """Return an expression with the values of g, or None where it would be no shorter than `algebra.to_expr(g)`.

    Exponentials and complex numbers are left to that.
    """
    if len(g.parts) != 1:
        return None
    ((E, P),) = g.parts.values()
    if E != 0 or P.degrees()[algebra.k] or len(P) not in _TERMS:
        return None
    generators = [*algebra.coordinates, sp.I, *(slot.expr for slot in algebra.slots.values())]
    constant, factors = P.factor_squarefree()
    return rational(constant) * sp.Mul(*(_horner(generators, q) ** int(n) for q, n in factors))


def _horner(generators: list[sp.Expr], q: fmpq_mpoly) -> sp.Expr:
    used = [j for j, degree in enumerate(q.degrees()) if degree]
    used.sort(key=lambda j: -len(generators[j].free_symbols))
    return _in_turn(generators, {tuple(map(int, e)): c for e, c in q.to_dict().items()}, used)


def _in_turn(generators: list[sp.Expr], terms: dict[tuple[int, ...], fmpq], used: list[int]) -> sp.Expr:
    """Return (… (c_n x + c_(n-1)) x + …) for the first x of those used, c_i in the same form in the others."""
    if not used:
        ((_, c),) = terms.items()
        return rational(c)
    x, rest = generators[used[0]], used[1:]
    by_degree: dict[int, dict[tuple[int, ...], fmpq]] = {}
    for exponents, c in terms.items():
        by_degree.setdefault(exponents[used[0]], {})[exponents] = c
    total, last = sp.S.Zero, 0
    for degree in sorted(by_degree, reverse=True):
        total = total * x ** (last - degree) if total != 0 else total
        total, last = total + _in_turn(generators, by_degree[degree], rest), degree
    return total * x**last
