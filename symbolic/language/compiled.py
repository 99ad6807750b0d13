"""Vectorised evaluation of an expression on arrays."""

from collections.abc import Callable

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from sympy.printing.numpy import SciPyPrinter

# The powers that are cheaper as products.
_SMALL = range(3, 9)


def compiled(expr: sp.Expr, arguments: tuple[sp.Symbol, ...]) -> Callable[..., NDArray[np.float64]]:
    """Return a NumPy function of `arguments` that evaluates an expression which came through our parser.

    Common parts are computed once. A constant comes back as a scalar: broadcast it.
    """
    printer = _Printer({"fully_qualified_modules": False, "inline": True, "allow_unknown_functions": True})
    return sp.lambdify(arguments, expr, modules=["scipy", "numpy"], printer=printer, cse=True)  # type: ignore[no-any-return]


class _Printer(SciPyPrinter):  # type: ignore[misc]
    """Prints small powers of a symbol as products, which take NumPy a tenth of the time of its power."""

    def _print_Pow(self, expr: sp.Pow, rational: bool = False) -> str:
        base, exponent = expr.args
        if base.is_Symbol and exponent in _SMALL:
            return f"({'*'.join([self._print(base)] * int(exponent))})"
        return str(super()._print_Pow(expr, rational=rational))
