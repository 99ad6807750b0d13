"""The activation sigma of the network and its derivative, with the kernel that computes them.

Named activations and any polynomial in h are supported: theory needs sigma' (the signal), sigma (the output).
"""

from dataclasses import dataclass
from typing import Literal

import sympy as sp

from .errors import RebatchError
from .parse import ACTIVATION_VARIABLE as H
from .parse import parse_activation, to_text
from .polynomial import is_polynomial

Kernel = Literal["relu", "erf", "tanh", "polynomial"]

NAMED: dict[str, sp.Expr] = {
    "relu": sp.Max(0, H),
    "erf": sp.erf(H),
    "tanh": sp.tanh(H),
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
        A name (relu, erf, tanh, linear, quadratic, cubic) or an expression in h, such as ``h + h^2/2``.
        ``erf`` is erf(h) itself; [SS95] scales it to erf(h/sqrt(2)).

    Raises
    ------
    RebatchError
        If the expression is neither a named activation nor a polynomial in h.

    Examples
    --------
    >>> Activation("relu").derivative
    Heaviside(h)
    """

    expr: sp.Expr
    name: str

    def __init__(self, source: "str | sp.Expr | Activation") -> None:
        if isinstance(source, Activation):
            expr, name = source.expr, source.name
        elif isinstance(source, str):
            name = source.strip()
            expr = NAMED[name] if name in NAMED else _parsed(name)
        elif isinstance(source, sp.Expr):
            expr, name = source, to_text(source)
        else:
            raise RebatchError(f"an activation is a name or an expression in h, got {type(source).__name__}")
        if expr not in NAMED.values() and not is_polynomial(expr, (H,)):
            raise RebatchError(
                f"activation {name!r} is not supported; allowed are {', '.join(NAMED)} and polynomials in h"
            )
        object.__setattr__(self, "expr", expr)
        object.__setattr__(self, "name", name)

    @property
    def derivative(self) -> sp.Expr:
        """sigma', as an expression in h."""
        return sp.Heaviside(H) if self.kernel == "relu" else sp.diff(self.expr, H)

    @property
    def kernel(self) -> Kernel:
        """The kernel that computes sigma and sigma' in the inner loops."""
        for name in ("relu", "erf", "tanh"):
            if self.expr == NAMED[name]:
                return name
        return "polynomial"

    @property
    def is_polynomial(self) -> bool:
        """Whether sigma is a polynomial, so that overlaps are exact (theory, 5.1)."""
        return self.kernel == "polynomial"

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
        return rf"\sigma(h) = {sp.latex(self.expr)}"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def _parsed(text: str) -> sp.Expr:
    """Read an expression in h; a lone word that is no expression is an unknown activation."""
    if text.isidentifier() and text != "h":
        raise RebatchError(
            f"unknown activation {text!r}; allowed are {', '.join(NAMED)} and polynomials in h"
        )
    return parse_activation(text)
