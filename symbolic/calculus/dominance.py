"""Which exponential outgrows the others of a sum: 1/(2 + e^(z^2)) = e^(-z^2) / (1 + 2 e^(-z^2)).

With sum_i P_i exp(E_i) = exp(E_0) (P_0 + sum_i P_i exp(E_i - E_0)), all E_i - E_0 bounded above, what is left is of
size one however far out: roots and inverses of it neither overflow nor hide that exp(E_0) cancels. Exponents that
are no polynomials are taken out of expressions, by their signs.
"""

from math import prod

import sympy as sp
from flint import fmpq, fmpq_mpoly

from .algebra import Algebra, Element


def dominant(f: Element) -> fmpq_mpoly | None:
    """Return the real exponent that outgrows all others of f everywhere; None where there is none."""
    exponents = [E for E, _ in f.parts.values()]
    for E in exponents if len(exponents) > 1 else ():
        if (E == 0 or f.algebra.is_real_polynomial(E)) and all(
            is_bounded_above(f.algebra, other - E) for other in exponents if other is not E
        ):
            return E
    return None


def divided(f: Element, E: fmpq_mpoly) -> Element:
    """Return exp(-E) f."""
    return Element(f.algebra, [(f.algebra.reduced(F - E), P) for F, P in f.parts.values()])


def is_bounded_above(algebra: Algebra, D: fmpq_mpoly) -> bool:
    """Whether the real part of a polynomial exponent is seen to have an upper bound on R^k.

    It is if each monomial is a negative multiple of a square, or if it depends on one direction and falls on both
    sides of it.
    """
    k = algebra.k
    real = {e: c for e, c in D.to_dict().items() if not e[k]}
    if any(any(e[k + 1 :]) for e in real):
        return False
    if all(c < 0 and all(n % 2 == 0 for n in e[:k]) for e, c in real.items() if any(e)):
        return True
    directions = algebra.directions(algebra.of(algebra.ring.from_dict(real)))
    if len(directions) != 1 or not all(x.is_constant() for x in directions[0]):
        return False
    degree = max(sum(e) for e in real)
    # The value of the leading form along the direction: everything else grows more slowly.
    u = [x.leading_coefficient() if x != 0 else fmpq(0) for x in directions[0]]
    lead = sum(
        (
            c * prod(x ** int(n) for x, n in zip(u, e, strict=False))
            for e, c in real.items()
            if sum(e) == degree
        ),
        fmpq(0),
    )
    return bool(degree % 2 == 0 and lead < 0)


def tamed(expr: sp.Expr) -> sp.Expr:
    """Return an expression with (1 + e^v)^r as e^(r v) (1 + e^-v)^r, and log likewise, v >= 0 and no polynomial."""
    if not any(_is_tower(a) for a in expr.atoms(sp.exp)):
        return expr
    args = [tamed(a) for a in expr.args]
    expr = expr.func(*args) if args else expr
    inner = expr.base if expr.is_Pow else expr.args[0] if isinstance(expr, sp.log) else None
    if inner is None or not inner.is_Add or not (expr.exp.is_Rational if expr.is_Pow else True):
        return expr
    for a in inner.args:
        f = a.as_coeff_Mul()[1]
        if (
            isinstance(f, sp.exp)
            and _is_tower(f)
            and all(_is_below(b, f.args[0]) for b in inner.args if b is not a)
        ):
            v = f.args[0]
            rest = sp.Add(*(b * sp.exp(-v) for b in inner.args))
            return sp.exp(v * expr.exp) * rest**expr.exp if expr.is_Pow else v + sp.log(rest)
    return expr


def _is_tower(f: sp.exp) -> bool:
    """Whether f is e^v, v no polynomial and not negative."""
    v = f.args[0]
    return bool(v.is_nonnegative and v.free_symbols and not v.is_polynomial(*v.free_symbols))


def _is_below(term: sp.Expr, v: sp.Expr) -> bool:
    """Whether a term of a sum is at most a multiple of e^v, v >= 0."""
    _, f = term.as_coeff_Mul()
    return bool(term.is_number or (isinstance(f, sp.exp) and (f.args[0] - v).is_nonpositive))
