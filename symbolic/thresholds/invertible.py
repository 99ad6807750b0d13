"""The label up to an invertible function of it: thresholds without noise do not see one (theory, 9).

E[. | f(y)] = E[. | y] for a strictly monotone f, so tanh(g), exp(g), g^3 + 1 and 2 g have the threshold of g.
"""

from math import gcd

import sympy as sp

_STRICT = (sp.exp, sp.tanh, sp.sinh, sp.erf, sp.atan, sp.asinh, sp.log)


def without_invertible(g: sp.Expr) -> sp.Expr:
    """Return h with g = f(h) for a strictly monotone f, peeled off as far as it is written on the outside.

    Examples
    --------
    >>> from rebatch.symbolic.language.parse import parse
    >>> without_invertible(parse("2*tanh(exp(-z1^2)) + 1"))
    z1**2
    """
    while (inner := _inner(g)) is not None:
        g = inner
    return g


def _inner(g: sp.Expr) -> sp.Expr | None:
    """Return f where g is a strictly monotone function of f, else None."""
    if g.is_Add or g.is_Mul:
        constant, rest = g.as_independent(*g.free_symbols, as_Add=bool(g.is_Add))
        if constant != g.identity and not constant.is_zero and rest.free_symbols:
            return rest
        return _root_of_product(g) if g.is_Mul else None
    if isinstance(g, _STRICT):
        return g.args[0]
    if g.is_Pow and g.base is not sp.E and g.exp.is_Rational and g.base.free_symbols:
        return g.base if _injective_power(g.base, g.exp) else None
    return None


def _root_of_product(g: sp.Expr) -> sp.Expr | None:
    """Return u, or |u|, of g = u^n: SymPy writes the power of a product as a product of powers."""
    powers = [part.as_base_exp() for part in g.args]
    if not all(e.is_Integer and e > 0 and base != sp.E for base, e in powers):
        return None
    n = gcd(*(int(e) for _, e in powers))
    if n == 1:
        return None
    root = sp.Mul(*(base ** (e / n) for base, e in powers))
    return root if n % 2 else sp.Abs(root)


def _injective_power(base: sp.Expr, exponent: sp.Rational) -> bool:
    """Whether b -> b^exponent is one to one on the values of the base, a real function defined everywhere."""
    # A root is defined on values >= 0 only.
    return not exponent.is_Integer or exponent % 2 == 1 or is_nonnegative(base)


def is_nonnegative(u: sp.Expr) -> bool:
    """Whether u >= 0 everywhere is plain from how it is written."""
    if u.is_nonnegative or isinstance(u, sp.exp | sp.Abs | sp.cosh | sp.Heaviside):
        return True
    if u.is_Add:
        return all(map(is_nonnegative, u.args))
    if u.is_Mul:
        return all(map(is_nonnegative, u.args))
    if isinstance(u, sp.Max):
        return any(map(is_nonnegative, u.args))
    if u.is_Pow:
        return bool(u.exp.is_Integer and u.exp % 2 == 0) or is_nonnegative(u.base)
    return False
