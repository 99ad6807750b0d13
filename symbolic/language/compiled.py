"""Vectorised evaluation of an expression on arrays: the one evaluator in floating point, for labels and integrals.

The expression is first rewritten where a direct transcription would overflow or cancel (`stable.py`). Constants are
evaluated once, to full precision, so that sqrt(10^20 + 1) and cos(10^40) are floats as good as any; powers that are
cheaper as products are printed as products.
"""

from collections.abc import Callable, Sequence
from functools import cache, lru_cache, reduce
from math import isfinite
from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.printing.numpy import SciPyPrinter

from ..errors import RebatchError
from .stable import stable

Array = NDArray[np.float64]

# The powers that are a hundred times as cheap by products, and as accurate as their base lets them be.
_BY_PRODUCTS = range(3, 65)
# Decimal digits to which constants are evaluated.
_DIGITS = 25
# Integers up to it are floats.
_EXACT = 2**53
# Python's compiler nests a sum once for each term, and refuses some thousands: more than these are halved.
_MOST_TERMS = 256


@lru_cache(maxsize=64)
def compiled(expr: sp.Expr, arguments: tuple[sp.Symbol, ...]) -> Callable[..., Array]:
    """Return a NumPy function of `arguments` that evaluates an expression which came through our parser.

    Common parts are computed once. A constant comes back as a scalar: broadcast it.

    Raises
    ------
    RebatchError
        If a constant in it is beyond floating point.
    """
    printer = _Printer({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})
    modules = [_functions(), "scipy", "numpy"]
    return sp.lambdify(arguments, stable(expr), modules=modules, printer=printer, cse=True)  # type: ignore[no-any-return]


class _Printer(SciPyPrinter):  # type: ignore[misc]
    """Prints constants as floats, powers by products, and the stable forms by their functions."""

    def doprint(self, expr: sp.Basic, assign_to: str | None = None) -> str:
        return str(super().doprint(expr, assign_to))

    def _print(self, expr: object, **settings: object) -> str:
        if isinstance(expr, sp.Expr) and expr.is_number and expr is not sp.nan and not _is_plain(expr):
            return _constant(expr)
        return str(super()._print(expr, **settings))

    def _print_Add(self, expr: sp.Add, order: str | None = None) -> str:
        if len(expr.args) > _MOST_TERMS:
            return f"({' + '.join(self._halves(expr))})"
        return str(super()._print_Add(expr, order=order))

    def _print_Mul(self, expr: sp.Mul) -> str:
        if len(expr.args) > _MOST_TERMS:
            return f"({'*'.join(self._halves(expr))})"
        return str(super()._print_Mul(expr))

    def _halves(self, expr: sp.Add | sp.Mul) -> tuple[str, str]:
        """Return both halves of a long sum or product, each in brackets."""
        middle = len(expr.args) // 2
        first, second = (
            self._print(expr.func(*part, evaluate=False)) for part in (expr.args[:middle], expr.args[middle:])
        )
        return f"({first})", f"({second})"

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        if abs(exponent) in _BY_PRODUCTS:
            power = f"_power({self._print(base)}, {abs(exponent)})"
            return power if exponent > 0 else f"(1/{power})"
        return str(super()._print_Pow(expr, rational=rational))

    def _print_Heaviside(self, expr: sp.Heaviside) -> str:
        return f"heaviside({self._print(expr.args[0])}, {self._print(expr.args[1])})"

    def _print_LogSum(self, expr: sp.Expr) -> str:
        return f"_logsum({', '.join(map(self._print, expr.args))})"

    def _print_Sech(self, expr: sp.Expr) -> str:
        return f"_sech({self._print(expr.args[0])})"

    def _print_Logistic(self, expr: sp.Expr) -> str:
        return f"expit({self._print(expr.args[0])})"

    def _print_LogErfc(self, expr: sp.Expr) -> str:
        return f"_log_erfc({self._print(expr.args[0])})"

    def _print_Sinhc(self, expr: sp.Expr) -> str:
        return f"_scaled_sinh({', '.join(map(self._print, expr.args))})"

    def _print_Stepped(self, expr: sp.Expr) -> str:
        return f"_stepped({', '.join(map(self._print, expr.args))})"

    def _print_HermiteSum(self, expr: sp.Expr) -> str:
        u, *coefficients = expr.args
        return f"_hermite_sum({self._print(u)}, ({', '.join(map(_constant, coefficients))},))"


def _is_plain(expr: sp.Expr) -> bool:
    """Whether a constant is printed exactly as it stands: a fraction of small integers."""
    return bool(expr.is_Rational and max(abs(int(expr.p)), int(expr.q)) <= _EXACT)


def _constant(expr: sp.Expr) -> str:
    """Return a real constant as a literal.

    Raises
    ------
    RebatchError
        If it is beyond floating point.
    """
    try:
        value = float(expr) if expr.is_Rational else float(sp.N(expr, _DIGITS))
    except (OverflowError, TypeError):
        value = np.inf
    if not isfinite(value):
        raise RebatchError(f"a number beyond floating point (1.8e308): {expr}")
    return repr(value) if value >= 0 else f"({value!r})"


def _power(u: Array, n: int) -> Array:
    """Return u^n, n >= 1."""
    if n == 1:
        return u
    half = _power(u, n // 2)
    return half * half * u if n % 2 else half * half


def _logsum(*exponents: Array) -> Array:
    return reduce(np.logaddexp, exponents)


def _sech(u: Array) -> Array:
    small = np.exp(-np.abs(u))
    return np.asarray(2 * small / (1 + small * small))


def _log_erfc(u: Array) -> Array:
    return np.asarray(np.log(2) + _functions()["log_ndtr"](-np.sqrt(2) * u))


def _scaled_sinh(a: Array, u: Array) -> Array:
    """Return e^a sinh(u)."""
    size = np.abs(u)
    return np.asarray(np.sign(u) * np.exp(a + size) * (-0.5 * np.expm1(-2 * size)))


def _stepped(step: Array, value: Array) -> Array:
    """Return step * value, 0 where the step is closed, whatever the value is there."""
    return np.multiply(step, np.where(np.equal(step, 0), 0.0, value))


def _hermite_sum(u: Array, coefficients: Sequence[float]) -> Array:
    """Return sum_n c_n He_n(u) / sqrt(n!), by h_(n+1) = (u h_n - sqrt(n) h_(n-1)) / sqrt(n + 1)."""
    before, here = np.zeros_like(u), np.ones_like(u)
    total = coefficients[0] * here
    for n, c in enumerate(coefficients[1:]):
        before, here = here, (u * here - np.sqrt(n) * before) / np.sqrt(n + 1)
        if c:
            total = total + c * here
    return np.asarray(total)


@cache
def _functions() -> dict[str, Callable[..., Any]]:
    """Return what the printed names stand for."""
    from scipy.special import expit, log_ndtr  # noqa: PLC0415 - exact answers evaluate nothing

    return {
        "expit": expit,
        "log_ndtr": log_ndtr,
        "heaviside": np.heaviside,
        "_power": _power,
        "_logsum": _logsum,
        "_sech": _sech,
        "_log_erfc": _log_erfc,
        "_scaled_sinh": _scaled_sinh,
        "_stepped": _stepped,
        "_hermite_sum": _hermite_sum,
    }
