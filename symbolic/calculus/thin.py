"""Where a function of z vanishes: nowhere, or on a null set, as an analytic function does that is not 0 everywhere.

A function of the language without kinks is real analytic where it is defined; one point at which a ball of its values
excludes 0 proves that it is not identically 0, and its zeros then have measure zero. With kinks sign(u) inside, each
choice of the signs gives one analytic function, and all of them are tried.
"""

from functools import lru_cache
from itertools import product

import sympy as sp
from flint import arb, ctx, fmpq

from ..errors import RebatchError
from ..exact.ball import evaluator

# More than that many signs inside, and nothing is said.
_MAX_SIGNS = 6
_BITS = 160
# Points with coordinates on which no function of the language is likely to vanish; few, as one is enough.
_POINTS = 6


@lru_cache(maxsize=4096)
def has_thin_zeros(u: sp.Expr) -> bool:
    """Whether u(z) != 0 for almost every z is proved; True is a proof, False says nothing."""
    symbols = sorted(u.free_symbols, key=str)
    kinks = sorted(u.atoms(sp.sign), key=str)
    if len(kinks) > _MAX_SIGNS or u.has(sp.Abs, sp.Max, sp.Min, sp.Heaviside, sp.Piecewise):
        return False
    return all(
        _is_somewhere_nonzero(u.xreplace(dict(zip(kinks, values, strict=True))), symbols)
        for values in product((sp.Integer(-1), sp.Integer(1)), repeat=len(kinks))
    )


def _is_somewhere_nonzero(u: sp.Expr, symbols: list[sp.Symbol]) -> bool:
    """Whether u is proved not to vanish at one of a few rational points."""
    if u.is_zero:
        return False
    try:
        f = evaluator(u, symbols)
    except RebatchError:
        return False
    with ctx.workprec(_BITS):
        for n in range(_POINTS):
            point = [
                arb(fmpq(37 + 29 * n + 101 * i, 64 + 7 * i)) * (-1) ** (n + i) for i in range(len(symbols))
            ]
            value = f(point, False)
            if value.is_finite() and not value.contains(0):
                return True
    return False
