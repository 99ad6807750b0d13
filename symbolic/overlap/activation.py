"""The activation sigma of the network: its derivatives, its Gaussian moments and Hermite coefficients, its kernel.

Theory needs sigma (the output), sigma' (the signal) and, in the expansion of theory, 5.2, E[p(h) sigma^(n)(h)] with
derivatives that exist only as distributions: relu'' is a delta, E[p(h) relu''(h)] = p(0) / sqrt(2 pi). Integrating by
parts against the Gaussian moves every derivative to the polynomial,

    E[p sigma^(n)] = E[sigma (h - d/dh)^n p],

and what remains is an expectation of sigma itself (`gaussian.py`).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import sympy as sp

from .. import checks
from ..calculus.domain import require_defined
from ..calculus.gaussian import DIGITS, expectation
from ..calculus.hermite import HermiteSeries, hermite_series
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.polynomial import is_polynomial
from ..language.called import Called, named, no_formula
from ..language.parse import parse_activation, to_text
from ..language.symbols import ACTIVATION_VARIABLE as H
from ..language.symbols import as_real, coordinate

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Kernel = Literal["relu", "erf", "tanh", "polynomial"]
KERNELS: tuple[Kernel, ...] = ("relu", "erf", "tanh", "polynomial")

NAMED: dict[str, sp.Expr] = {
    "relu": sp.Max(0, H),
    "leaky_relu": sp.Max(H / 100, H),
    "erf": sp.erf(H),
    "tanh": sp.tanh(H),
    **{
        name: parse_activation(f"{name}(h)")
        for name in ("sigmoid", "softplus", "gelu", "silu", "sin", "cos", "exp")
    },
    "linear": H,
    "quadratic": H**2,
    "cubic": H**3,
}


@dataclass(frozen=True, init=False)
class Activation:
    """An activation function of one variable h.

    Parameters
    ----------
    source : str, sympy.Expr or Activation
        A name (relu, leaky_relu with slope 1/100, erf, tanh, sigmoid, softplus, gelu, silu, sin, cos, exp, linear,
        quadratic, cubic) or any expression in h, such as ``h + h^2/2`` or ``He(3, h) + relu(h)``. ``erf`` is erf(h)
        itself; [SS95] scales it to erf(h/sqrt(2)). At a kink the slope is the mean of both sides: relu'(0) = 1/2.

    Raises
    ------
    ParseError
        If the text is refused.
    UndefinedFunctionError
        If the expression is not a real function of every h.
    RebatchError
        If a lone word is no named activation, or an expression holds other symbols than h.

    Examples
    --------
    >>> Activation("relu").derivative
    Heaviside(h)
    >>> print(Activation("relu").moment(1, order=2))
    sqrt(2)/(2*sqrt(pi))
    """

    formula: sp.Expr | Called
    name: str = field(compare=False)

    def __init__(self, source: "str | sp.Expr | Called | Activation") -> None:
        called = named(source) if isinstance(source, str) else source
        if isinstance(called, Activation | Called):
            formula = called.formula if isinstance(called, Activation) else called
            object.__setattr__(self, "formula", formula)
            object.__setattr__(self, "name", called.name)
            return
        if isinstance(source, str):
            name = source.strip()
            expr = NAMED[name] if name in NAMED else _parsed(name)
        elif isinstance(source, sp.Expr):
            expr = as_real(source)
            name = to_text(expr)
        else:
            raise RebatchError(f"an activation is a name or an expression in h, got {type(source).__name__}")
        if strangers := expr.free_symbols - {H}:
            names = ", ".join(sorted(map(str, strangers)))
            raise RebatchError(
                f"unknown symbols {names} in the activation {name!r}; allowed is h, real or with nothing assumed"
            )
        require_defined(expr)
        object.__setattr__(self, "formula", expr)
        object.__setattr__(self, "name", name)

    @classmethod
    def from_callable(
        cls,
        sigma: Callable[["NDArray[np.float64]"], "NDArray[np.float64]"],
        derivative: Callable[["NDArray[np.float64]"], "NDArray[np.float64]"],
    ) -> "Activation":
        """Return the activation of a function of one's own, for the engines; nothing exact is known of it.

        It pickles where the two functions do: those at the top of a module do; lambdas do on Dask only. Files hold
        its name and a fingerprint of its values.

        Parameters
        ----------
        sigma, derivative : callable
            Of an array h, shape (n,); they return sigma(h) and sigma'(h), each of its own h alone. Or compiled
            functions of one number, numba's ``cfunc`` or ctypes' with types; these are not sent to other processes.

        Raises
        ------
        RebatchError
            If one, tried at 256 points, is not of that kind, or the second is not the slope of the first.

        Examples
        --------
        >>> import numpy as np
        >>> Activation.from_callable(np.sin, np.cos).kernel is None
        True
        """
        return cls(Called.of_activation(sigma, derivative))

    @property
    def expr(self) -> sp.Expr:
        """The formula sigma(h).

        Raises
        ------
        RebatchError
            If the activation is a function of one's own, which has none.
        """
        if isinstance(self.formula, Called):
            raise no_formula("the activation", self.formula)
        return self.formula

    @property
    def derivative(self) -> sp.Expr:
        """sigma', as an expression in h; at a kink it holds Heaviside or sign, at a jump a delta."""
        return sp.Heaviside(H) if self.kernel == "relu" else sp.diff(self.expr, H)

    def moment(self, weight: sp.Expr | int = 1, order: int = 0, *, digits: int = DIGITS) -> Expectation:
        """Return E[p(h) sigma^(n)(h)], h ~ N(0, 1), the derivative taken as a distribution.

        Parameters
        ----------
        weight : sympy.Expr or int
            p, a polynomial in the activation variable.
        order : int
            n >= 0.
        digits : int
            Relative accuracy of an enclosure.

        Raises
        ------
        RebatchError
            If p is not a polynomial in h, or n is negative.
        """
        p = sp.sympify(weight) if isinstance(weight, int) else weight
        order = checks.integer("order", order, least=0)
        if not p.is_polynomial(H) or p.free_symbols - {H}:
            raise RebatchError(f"the weight {p} is not a polynomial in h")
        for _ in range(order):
            p = sp.expand(H * p - sp.diff(p, H))
        return expectation((p * self.expr).xreplace({H: coordinate(1)}), digits=digits)

    def hermite_series(self, order: int | None = None, *, digits: int = DIGITS) -> HermiteSeries:
        """Return the Hermite expansion of sigma, in the coordinate z1 for h; see :func:`hermite_series`."""
        return hermite_series(self.expr.xreplace({H: coordinate(1)}), order, digits=digits)

    @property
    def kernel(self) -> Kernel | None:
        """The kernel that computes sigma and sigma' in the inner loops; None where there is none."""
        if isinstance(self.formula, Called):
            return None
        if is_polynomial(self.expr, (H,)):
            return "polynomial"
        return next((name for name in KERNELS[:-1] if self.expr == NAMED[name]), None)

    @property
    def is_polynomial(self) -> bool:
        """Whether sigma is a polynomial, so that overlaps are exact (theory, 5.1)."""
        return self.kernel == "polynomial"

    @property
    def degree(self) -> int:
        """The degree of a polynomial sigma, 0 of the constant 0."""
        return int(max(0, sp.Poly(self.expr, H).degree()))

    def coefficients(self) -> list[float]:
        """Return the coefficients of a polynomial sigma, the constant first; empty for other kernels."""
        if not self.is_polynomial:
            return []
        return [float(c) for c in reversed(sp.Poly(self.expr, H).all_coeffs())]

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        return f"Activation({self.name!r})"

    def latex(self) -> str:
        """Return sigma in LaTeX, as sigma(h) = …."""
        if isinstance(self.formula, Called):
            return rf"\sigma = \text{{{self.name}}}"
        return rf"\sigma(h) = {sp.latex(self.expr)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def _parsed(text: str) -> sp.Expr:
    """Read an expression in h; a lone word that is no expression is an unknown activation."""
    if text.isidentifier() and text != "h":
        raise RebatchError(
            f"unknown activation {text!r}; allowed are {', '.join(NAMED)} and expressions in h"
        )
    return parse_activation(text)
