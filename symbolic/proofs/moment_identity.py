"""E[He_l(t) | g] = 0 proved, of a function of a bump w = |t|^a exp(-b t^2), in all powers of w at once (theory, 3.6).

For even j, with s^2 = 1 / (1 + 2 b m),

    E[w^m t^j] / E[w^m] = (a m + 1)(a m + 3) … (a m + j - 1) s^j,

so that (1 + 2 b m)^(l/2) E[w^m He_l] / E[w^m] is a polynomial in m. Where it is the zero polynomial every E[w^m He_l]
vanishes; w is bounded, so that its moments determine E[He_l | w] = 0, and with it E[He_l | g] for every g that
depends on t through w alone. z^2 exp(-z^2) is the example of the theory: 2 m + 1 = 1 + 2 m.
"""

from collections.abc import Iterator
from functools import reduce
from operator import mul

import sympy as sp

from ..language.symbols import hermite

Bump = tuple[sp.Expr, sp.Expr]


def first_order_not_excluded(g: sp.Expr, t: sp.Symbol, highest: int) -> int:
    """Return the least l >= 1 for which E[He_l(t) | g, all but t] = 0 is not proved by moment identities.

    Parameters
    ----------
    g : sympy.Expr
        In t and in other symbols, which are held fixed.
    t : sympy.Symbol
    highest : int
        The search ends there.

    References
    ----------
    [DPLB24]; theory, 3.6.
    """
    bump = _bump(g, t)
    if bump is None:
        return 1
    # A function of |t|: odd orders vanish.
    return next((order for order in range(2, highest, 2) if not vanishes_in_all_powers(bump, order)), highest)


def may_hold_bumps(g: sp.Expr) -> bool:
    """Whether an expression holds an exponential, an absolute value or an even power of a linear form at all."""
    return g.has(sp.exp, sp.Abs) or any(
        power.exp.is_Integer and power.exp % 2 == 0 and power.base.is_polynomial()
        for power in g.atoms(sp.Pow)
    )


def vanishes_in_all_powers(bump: Bump, order: int) -> bool:
    """Whether E[w^m He_l] = 0 for every m >= 0, w = |t|^a exp(-b t^2), for an even l."""
    a, b = bump
    m, t = sp.symbols("m t")
    total = sp.Integer(0)
    for (j,), coefficient in sp.Poly(hermite(order, t), t).terms():
        ratio = reduce(mul, (a * m + i for i in range(1, j, 2)), sp.Integer(1))
        total += coefficient * ratio * (1 + 2 * b * m) ** ((order - j) // 2)
    return bool(sp.expand(total) == 0)


def _bump(g: sp.Expr, t: sp.Symbol) -> Bump | None:
    """Return (a, b) such that g depends on t through |t|^a exp(-b t^2) alone; None if none is seen."""
    found = list(_bumps(g, t))
    if not found or any(
        bump is None or not (bump[0].is_nonnegative and bump[1].is_positive) for bump in found
    ):
        return None
    (a, b), *others = (bump for bump in found if bump is not None)
    return (a, b) if all(sp.expand(a * d - b * c) == 0 for c, d in others) else None


def _bumps(g: sp.Expr, t: sp.Symbol) -> Iterator[Bump | None]:
    """Yield (a, b) of every product |t|^a exp(-b t^2) through which g depends on t, None for any other dependence."""
    if t not in g.free_symbols:
        return
    if not isinstance(g, sp.Expr):  # a condition of a piecewise function
        for part in g.args:
            yield from _bumps(part, t)
        return
    factors = [_power(factor, t) for factor in sp.Mul.make_args(g)]
    powers = [bump for bump in factors if bump is not None]
    if powers:
        yield sp.Add(*(a for a, _ in powers)), sp.Add(*(b for _, b in powers))
    for factor, bump in zip(sp.Mul.make_args(g), factors, strict=True):
        if bump is None and t in factor.free_symbols:
            if factor == t:
                yield None
            for part in factor.args:
                yield from _bumps(part, t)


def _power(factor: sp.Expr, t: sp.Symbol) -> Bump | None:
    """Return (a, b) of a factor c |t|^a exp(-b t^2); None if it is none, or does not depend on t."""
    base, exponent = factor.as_base_exp()
    if isinstance(factor, sp.exp) or base is sp.E:
        quadratic = sp.Poly(exponent, t) if exponent.is_polynomial(t) else None
        if quadratic is None or quadratic.degree() != 2 or quadratic.coeff_monomial(t) != 0:
            return None
        return sp.Integer(0), -quadratic.coeff_monomial(t**2)
    if base == t and exponent.is_Integer and exponent % 2 == 0:
        return exponent, sp.Integer(0)
    if base == sp.Abs(t) and exponent.is_number:
        return exponent, sp.Integer(0)
    return None
