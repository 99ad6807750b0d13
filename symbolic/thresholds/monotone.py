"""Whether a function is strictly monotone on t > 0, by rules that a reader can follow (theory, 9).

A sum of increasing functions increases; so does a product of increasing functions that are >= 0, and an increasing
function of one. Polynomials: no root of the derivative (Sturm), or every coefficient of one sign.
"""

from typing import NamedTuple

import sympy as sp

from ..exact.polynomial import is_polynomial

_INCREASING = (sp.exp, sp.tanh, sp.sinh, sp.erf, sp.atan, sp.asinh, sp.log)
_EVEN_INCREASING = (sp.cosh, sp.Abs)


class _Trend(NamedTuple):
    """sign: 1 strictly increasing, -1 strictly decreasing, 0 constant; nonnegative: known to be >= 0."""

    sign: int
    nonnegative: bool


def strict_trend(u: sp.Expr, t: sp.Symbol) -> int:
    """Return 1 or -1 if u is proved to be strictly increasing or decreasing on t > 0, else 0."""
    known = _trend(u, t)
    return 0 if known is None else known.sign


def _trend(u: sp.Expr, t: sp.Symbol) -> _Trend | None:
    """Return how u moves with t: by the kind of its outermost operation, None where it is not told."""
    if not u.has(t):
        return _Trend(0, bool(u.is_nonnegative))
    if u == t:
        return _Trend(1, True)
    if is_polynomial(u, (t,)):
        return _polynomial(u, t)
    if isinstance(u, _INCREASING):
        inner = _trend(u.args[0], t)
        positive = isinstance(u, sp.exp) or bool(inner and inner.nonnegative and not isinstance(u, sp.log))
        return None if inner is None else _Trend(inner.sign, positive)
    if isinstance(u, _EVEN_INCREASING):
        inner = _trend(u.args[0], t)
        return _Trend(inner.sign, True) if inner is not None and inner.nonnegative else None
    if u.is_Add:
        parts = [_trend(part, t) for part in u.args]
        return _common([p for p in parts if p is not None], all(parts))
    if u.is_Mul:
        constant, rest = u.as_independent(t, as_Add=False)
        if constant != 1:
            inner = _trend(rest, t)
            if inner is None or not constant.is_real or constant.is_zero:
                return None
            flip = 1 if constant.is_positive else -1
            return _Trend(flip * inner.sign, inner.nonnegative and flip > 0)
        parts = [_trend(part, t) for part in u.args]
        known = [p for p in parts if p is not None]
        return _common(known, all(parts) and all(p.nonnegative for p in known))
    if u.is_Pow and u.exp.is_Rational:
        inner = _trend(u.base, t)
        if inner is None or not (inner.nonnegative or (u.exp.is_Integer and u.exp % 2 == 1 and u.exp > 0)):
            return None
        return _Trend(inner.sign if u.exp > 0 else -inner.sign, inner.nonnegative)
    return None


def _common(parts: list[_Trend], applies: bool) -> _Trend | None:
    """Return the trend that all parts share, constants aside."""
    signs = {p.sign for p in parts} - {0}
    if not applies or len(signs) != 1:
        return None
    return _Trend(signs.pop(), all(p.nonnegative for p in parts))


def _polynomial(u: sp.Expr, t: sp.Symbol) -> _Trend | None:
    """Return the trend where the derivative does not change sign on t > 0: its zeros are isolated."""
    slope = sp.Poly(sp.diff(u, t), t)
    odd_roots = [
        r for r, multiplicity in slope.real_roots(multiple=False) if r.is_positive and multiplicity % 2
    ]
    if odd_roots:
        return None
    beyond = 1 + sum(abs(c) for c in slope.all_coeffs()) / abs(slope.LC())
    sign = 1 if slope.eval(beyond) > 0 else -1
    return _Trend(sign, sign > 0 and bool(u.subs(t, 0) >= 0))
