"""E[y^3 z] != 0 without a search: odd targets of one direction with Hermite coefficients of one sign (theory, 10.2).

Products of Hermite polynomials have nonnegative coefficients,

    E[He_a He_b He_c] = a! b! c! / ((s - a)! (s - b)! (s - c)!),  2 s = a + b + c,  s >= max(a, b, c),

so that for c_n >= 0 E[g^3 z] is a sum of terms >= 0, of which c_n^3 E[He_n^3 z] > 0 is one for an odd n with
c_n > 0. Nonnegative are the coefficients of powers of z, of sinh(a z), a > 0, of cosh(a z), and of products and
positive powers of such functions; beside a polynomial of degree D those of its order 1, …, D are asked for.
"""

from collections.abc import Callable

import sympy as sp

# A coefficient each is asked of what calls.
_HIGHEST = 64


def odd_of_one_sign(g: sp.Expr, t: sp.Symbol, sign: Callable[[int], int | None]) -> bool:
    """Whether g is proved to be odd, with Hermite coefficients of one sign, not all 0.

    Parameters
    ----------
    g : sympy.Expr
        In t alone.
    t : sympy.Symbol
    sign : function
        The sign of E[g He_n] where it is proved, else None.

    Examples
    --------
    >>> t = sp.Symbol("t", real=True)
    >>> odd_of_one_sign(t**3 - 3 * t, t, lambda n: int(n == 3)), odd_of_one_sign(sp.tanh(t), t, lambda n: None)
    (True, False)
    """
    if sp.expand(g + g.xreplace({t: -t})) != 0:
        return False
    terms = sp.Add.make_args(sp.expand(_without_exponentials(g, t)))
    polynomial, rest = sp.sift(terms, lambda u: bool(u.is_polynomial(t)), binary=True)
    degree = max((int(sp.Poly(u, t).degree()) for u in polynomial if u.has(t)), default=0)
    of_rest = _common_sign(rest, t)
    if of_rest is None or degree > _HIGHEST:
        return False
    signs = {sign(n) for n in range(1, degree + 1, 2)} | {of_rest}
    return None not in signs and len(signs - {0}) == 1


def _without_exponentials(g: sp.Expr, t: sp.Symbol) -> sp.Expr:
    """Return g with exp(a t) as cosh(a t) + sinh(a t): of an odd function the even parts cancel."""
    return g.replace(
        lambda u: isinstance(u, sp.exp) and not sp.cancel(u.args[0] / t).has(t),
        lambda u: sp.cosh(u.args[0]) + sp.sinh(u.args[0]),
    )


def _common_sign(terms: list[sp.Expr], t: sp.Symbol) -> int | None:
    """Return the sign that the coefficients of all terms share, 0 without terms; None where it is not told."""
    signs = {_sign(u, t) for u in terms}
    if not terms:
        return 0
    return signs.pop() if len(signs) == 1 else None


def _sign(u: sp.Expr, t: sp.Symbol) -> int | None:
    """Return 1 or -1 if all coefficients of a term are of this sign, as it is written, else None."""
    constant, rest = u.as_independent(t, as_Add=False)
    if not constant.is_positive and not constant.is_negative:
        return None
    return (1 if constant.is_positive else -1) if _is_nonnegative(rest, t) else None


def _is_nonnegative(u: sp.Expr, t: sp.Symbol) -> bool:
    """Whether all coefficients of a product are >= 0, as it is written."""
    if u == t:
        return True
    if not u.has(t):
        return bool(u.is_nonnegative)
    if u.is_Add or u.is_Mul:
        return all(_is_nonnegative(part, t) for part in u.args)
    if isinstance(u, sp.sinh | sp.cosh):
        slope = sp.cancel(u.args[0] / t)
        return not slope.has(t) and bool(slope.is_real and (slope.is_positive or isinstance(u, sp.cosh)))
    return bool(u.is_Pow and u.exp.is_Integer and u.exp > 0 and _is_nonnegative(u.base, t))
