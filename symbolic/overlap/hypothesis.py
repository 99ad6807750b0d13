"""What the published theorem on two steps asks of an activation, taken literally (theory, 10).

[D24, Theorem 1] asks for an analytic sigma with E[sigma'(h)] != 0, h ~ N(0, 1), and sigma^(j)(0) != 0 for every
j >= 1. Of the usual activations exp alone satisfies all of it: relu is not analytic, erf and tanh are odd, a
polynomial ends. The theorem is sufficient, not necessary: what decides for a target is the coefficient of
:mod:`~rebatch.symbolic.overlap.suitability`.
"""

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How
from ..language.symbols import ACTIVATION_VARIABLE as H
from .activation import Activation
from .kinks import kinks

# So many derivatives at 0 are looked at where none of them vanishes.
_DERIVATIVES = 8
_ENTIRE = (sp.exp, sp.sin, sp.cos, sp.sinh, sp.cosh, sp.tanh, sp.erf, sp.erfc)


@dataclass(frozen=True)
class Hypothesis:
    """Whether an activation satisfies what the theorem asks, part by part.

    Attributes
    ----------
    analytic : bool or None
        None: not decided.
    mean_slope : Expectation or None
        E[sigma'(h)]; None where it does not exist.
    vanishing : int or None
        The least j >= 1 with sigma^(j)(0) = 0; None: none was found.
    all_derivatives : bool
        Whether it is proved that none vanishes.
    """

    analytic: bool | None
    mean_slope: Expectation | None
    vanishing: int | None
    all_derivatives: bool

    @property
    def holds(self) -> bool | None:
        """Whether all of it holds; None: not decided."""
        zero = None if self.mean_slope is None else self.mean_slope.is_zero()
        if self.analytic is False or zero or self.vanishing is not None:
            return False
        return True if self.analytic and zero is False and self.all_derivatives else None

    @property
    def how(self) -> How:
        """How the answer is known: each part is decided by proof, or left open."""
        return How.UNDECIDED if self.holds is None else How.EXACT

    def reason(self) -> str:
        """Return what fails, or what is open, in one line."""
        parts = []
        if self.analytic is False:
            parts.append("not analytic (sigma' jumps)")
        if self.mean_slope is not None and self.mean_slope.is_zero():
            parts.append("E[sigma'] = 0")
        if self.vanishing is not None:
            parts.append(f"sigma^({self.vanishing})(0) = 0")
        if parts:
            return f"fails literally: {', '.join(parts)}"
        if self.holds:
            return "holds: analytic, E[sigma'] != 0, no derivative vanishes at 0"
        open_parts = [] if self.analytic else ["analytic"]
        if self.mean_slope is None or self.mean_slope.is_zero() is None:
            open_parts.append("E[sigma'] != 0")
        if self.analytic is not False and not self.all_derivatives:
            open_parts.append(f"sigma^(j)(0) != 0 beyond j = {_DERIVATIVES}")
        return f"not decided: {', '.join(open_parts)}"

    def to_json(self) -> dict[str, Any]:
        """Return the parts as data."""
        return {
            "holds": self.holds,
            "how": str(self.how),
            "analytic": self.analytic,
            "mean_slope": None if self.mean_slope is None else self.mean_slope.to_json(),
            "vanishing_derivative": self.vanishing,
            "reason": self.reason(),
        }


def paper_hypothesis(activation: Activation | str) -> Hypothesis:
    """Return whether an activation satisfies the hypothesis of [D24, Theorem 1], with what fails.

    Raises
    ------
    RebatchError
        If it is no activation.

    References
    ----------
    [D24]; theory, 10.

    Examples
    --------
    >>> paper_hypothesis("tanh").reason()
    'fails literally: sigma^(2)(0) = 0'
    >>> paper_hypothesis("exp").holds
    True
    """
    sigma = Activation(activation)
    analytic = _is_analytic(sigma)
    try:
        mean = sigma.moment(1, order=1)
    except RebatchError:
        mean = None
    vanishing, proved = _vanishing(sigma) if analytic is not False else (None, False)
    return Hypothesis(analytic, mean, vanishing, proved)


def _is_analytic(sigma: Activation) -> bool | None:
    """Whether sigma is analytic on the real line: False where sigma' jumps, True by its form, else None."""
    if _by_form(sigma.expr):
        return True
    return False if kinks(sigma) else None


def _by_form(expr: sp.Expr) -> bool:
    """Whether an expression is analytic because its parts are, and divides, roots and logs only what is positive."""
    if not expr.args:
        return True
    if not all(map(_by_form, expr.args)):
        return False
    if expr.is_Add or expr.is_Mul or isinstance(expr, _ENTIRE):
        return True
    if isinstance(expr, sp.log):
        return bool(expr.args[0].is_positive)
    if expr.is_Pow:
        return bool((expr.exp.is_Integer and expr.exp >= 0) or expr.base.is_positive)
    return False


def _vanishing(sigma: Activation) -> tuple[int | None, bool]:
    """Return the least j with sigma^(j)(0) = 0 among those tried, and whether it is proved that there is none.

    Where sigma'' = b sigma' every derivative is a power of b times the first.
    """
    value = sigma.expr
    for j in range(1, _DERIVATIVES + 1):
        value = sp.diff(value, H)
        if value.has(sp.DiracDelta, sp.Derivative, sp.Subs):
            return None, False
        if Expectation.exact(value.subs(H, 0)).is_zero():
            return j, False
    ratio = sp.simplify(sp.diff(sigma.expr, H, 2) / sp.diff(sigma.expr, H))
    return None, not ratio.has(H)
