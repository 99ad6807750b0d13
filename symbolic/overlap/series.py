"""The overlap after two steps as a series in the step size, for any activation (theory, 5.2).

With h^1 = h + eta D, where h = h^0 and

    D = alpha m z + (alpha n - lam) h + g^0 + omega,   m = E[g^0 z^T],   n = E[g^0 h^T]

and omega ~ N(0, alpha E[g^0 g^0^T]) (one pass drops g^0), the second step is the Taylor series

    M^2 = (1 - eta lam) M^1 + alpha eta sum_q eta^q / q! E[((D . d/dh)^q g) z^T],   g_j = a_j sigma'(h_j) r.

Everything is a polynomial in z, y, h_j, the derivatives sigma^(n)(h_j) and omega, expanded in one ring, in which
d/dh_j takes sigma^(n) to sigma^(n+1). What remains are moments E[y^m z^S] of the target and moments
E[h^b prod_n sigma^(n)(h)^(e_n)] of the activation: exact numbers where the calculus has them, symbols where the
activation is left open. A moment that is known as a ball or a float stays a symbol, too, with its value beside it:
what cancels, cancels exactly.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp

from .. import checks
from ..errors import DivergentError
from ..exact.expectation import Expectation
from ..exact.irrational import SIGNIFICANT
from ..exact.known import How, worst
from ..exact.shown import Drawn, Tabulated
from ..exact.typeset import aligned, display, mathml
from ..language.compiled import compiled
from ..language.symbols import ACTIVATION_VARIABLE
from ..language.target import Target
from ..learnability.verdict import two_step_verdict
from .activation import Activation
from .eta import ETA, as_text, ascending, latex_equations, shortened
from .expansion import Expansion
from .moments import NoMomentError, moments_of
from .network import LOSSES, Loss, checked_readout
from .size import bounded

MAX_ORDER = 8
# Digits of a moment that is enclosed, and of one that is a float.
_BALL_DIGITS, _FLOAT_DIGITS = 25, 15
# Of a decimal, relative to it, beside the error of its moment.
_DECIMAL_ERROR = 1e-12
# The coefficients at eta^0 and eta^1, without which there is no series.
_FIRST = 2
# Far from 0 on either side, near enough for exp(2 h) to be a float and far enough for exp(h / 10); and a power that
# no activation of moderate degree reaches there.
_FAR, _STEEP = np.array([-2000.0, -300.0, 300.0, 2000.0]), 20

Moment = Callable[[int, tuple[int, ...]], sp.Expr]


@dataclass(frozen=True)
class OverlapSeries(Tabulated, Drawn):
    """M^2 as a series in eta.

    Attributes
    ----------
    target : Target
    activation : Activation or None
        None: left open, its moments are symbols.
    loss : {"squared", "correlation"}
    reuse : bool
    readout : tuple of sympy.Expr
    order : int
        The highest power of eta that is complete.
    in_moments : tuple of sympy.ImmutableMatrix, each of shape (p, k)
        in_moments[n] stands at eta^n; an expression in alpha, lam, open readouts and moments, which are symbols
        where the activation is open, or where they are not known exactly.
    moments : tuple of (sympy.Symbol, Expectation)
        The moments that are known as a ball or a float.
    stopped : str
        Why the series goes no further, where it was to go as far as it should; else empty.
    """

    target: Target
    activation: Activation | None
    loss: Loss
    reuse: bool
    readout: tuple[sp.Expr, ...]
    order: int
    in_moments: tuple[sp.ImmutableMatrix, ...]
    moments: tuple[tuple[sp.Symbol, Expectation], ...]
    stopped: str = ""

    @cached_property
    def coefficients(self) -> tuple[sp.ImmutableMatrix, ...]:
        """The matrices at eta^0 … eta^order, each of shape (p, k), the known moments put in."""
        return tuple(map(self.in_numbers, self.in_moments))

    @property
    def formal(self) -> bool:
        """Whether M^2 itself may be infinite at every eta > 0, though each coefficient is finite.

        With reuse h^1 holds eta g^0, and an activation that outgrows every polynomial is not integrable there.
        """
        return self.reuse and self.activation is not None and outgrows_polynomials(self.activation)

    @property
    def how(self) -> How:
        """How the coefficients are known: exactly, or as the weakest of the moments in them."""
        return worst(value.how for _, value in self.moments)

    def in_numbers(self, matrix: sp.Matrix) -> sp.ImmutableMatrix:
        """Return expressions in the moments with their values put in."""
        values = {symbol: _decimal(value) for symbol, value in self.moments}
        digits = _FLOAT_DIGITS if self.how is How.NUMERIC else _BALL_DIGITS
        return sp.ImmutableMatrix(
            matrix.applyfunc(lambda x: shortened(sp.expand(x.xreplace(values)), digits))
        )

    def leading(self, neuron: int, direction: int) -> tuple[int, sp.Expr] | None:
        """Return the least power of eta at which an entry appears, and its coefficient; None up to the order."""
        v = sp.Matrix(self.target.k, 1, lambda r, _: int(r == direction))
        for n, column in enumerate(self.powers_along(v)):
            if column[neuron] != 0:
                return n, self.coefficients[n][neuron, direction]
        return None

    def powers_along(self, v: sp.Matrix) -> Iterator[sp.ImmutableMatrix]:
        """Yield the coefficients of M^2 v at eta^0, eta^1, …, each of shape (p, 1); what cancels is exactly 0.

        They end where moments that are not known exactly cancel to their errors, which decides nothing.
        """
        values = dict(self.moments)
        for matrix in self.in_moments:
            column = (matrix * v).applyfunc(sp.expand)
            if any(_cancels(x, values) for x in column):
                return
            yield self.in_numbers(column)

    @cached_property
    def one_pass(self) -> "OverlapSeries":
        """The same series with a fresh batch for the second step, no shorter; computed when asked for."""
        if not self.reuse:
            return self
        return overlap_series(
            self.target,
            self.activation,
            None if self.stopped else self.order,
            neurons=len(self.readout),
            readout=self.readout,
            loss=self.loss,
            reuse=False,
        )

    def gain(self) -> sp.ImmutableMatrix:
        """Return what the second look at the batch adds to M^2 up to eta^order: M^2 less the one-pass M^2."""
        total = sp.zeros(len(self.readout), self.target.k)
        for n, (reused, fresh) in enumerate(zip(self.in_moments, self.one_pass.in_moments, strict=False)):
            total += ETA**n * self.in_numbers((reused - fresh).applyfunc(sp.expand))
        return sp.ImmutableMatrix(total.applyfunc(sp.expand))

    def to_expr(self) -> sp.ImmutableMatrix:
        """Return the sum of the terms, shape (p, k)."""
        total = sp.zeros(len(self.readout), self.target.k)
        for n, matrix in enumerate(self.coefficients):
            total += ETA**n * matrix
        return sp.ImmutableMatrix(total.applyfunc(sp.expand))

    def __str__(self) -> str:
        total = self.to_expr()
        lines = []
        for j, r in np.ndindex(total.shape):
            terms = "" if total[j, r] == 0 else f"{ascending(shortened(total[j, r]))} + "
            lines.append(f"M2[{j + 1}, z{r + 1}] = {terms}O(eta^{self.order + 1})")
        if self.formal:
            lines.append("Formal: sigma outgrows every polynomial, and M2 may be infinite at every eta > 0.")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the series in LaTeX; a matrix that is longer than a line by its entries, an equation to a row."""
        return aligned(self.equations())

    def equations(self) -> list[str]:
        """Return the rows of :meth:`latex`."""
        total = self.to_expr().applyfunc(shortened)
        return latex_equations("M^{2}", total, rf"O(\eta^{{{self.order + 1}}})")

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every neuron, direction and power of eta, with the coefficient as text."""
        return [
            {"neuron": j + 1, "direction": f"z{r + 1}", "power of eta": n, "coefficient": str(matrix[j, r])}
            for n, matrix in enumerate(self.coefficients)
            for j, r in np.ndindex(matrix.shape)
            if matrix[j, r] != 0
        ]

    def to_latex(self) -> str:
        """Return the formula as a display that can be pasted into a paper."""
        return display(self.equations())

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def _repr_html_(self) -> str:
        return mathml(self.latex())

    def to_json(self) -> dict[str, Any]:
        """Return the coefficients as text, by power of eta, neuron and direction, with the moments in them."""
        return {
            "target": self.target.text,
            **({} if self.target.inputs.is_gaussian else {"inputs": self.target.inputs.name}),
            "activation": None if self.activation is None else self.activation.name,
            "loss": self.loss,
            "reuse": self.reuse,
            "readout": [str(a) for a in self.readout],
            "order": self.order,
            "stopped": self.stopped,
            "formal": self.formal,
            "how": str(self.how),
            "coefficients": list(map(as_text, self.coefficients)),
            "in_moments": list(map(as_text, self.in_moments)),
            "moments": {str(symbol): value.to_json() for symbol, value in self.moments},
        }


def outgrows_polynomials(activation: Activation) -> bool:
    """Whether sigma' grows faster than any power of h, as far as values far out show."""
    slope = compiled(sp.diff(activation.expr, ACTIVATION_VARIABLE), (ACTIVATION_VARIABLE,))
    with np.errstate(all="ignore"):
        return bool(np.any(np.abs(slope(_FAR)) > np.abs(_FAR) ** _STEEP))


def _cancels(x: sp.Expr, moments: dict[sp.Symbol, Expectation]) -> bool:
    """Whether a sum of terms is 0 within the errors of its moments, at a point where it has no other reason to be."""
    if not x.free_symbols & moments.keys():
        return False
    others = sorted(x.free_symbols - moments.keys(), key=str)
    point: dict[sp.Symbol, sp.Expr] = {symbol: sp.sqrt(2 + i) for i, symbol in enumerate(others)}
    point |= {symbol: _decimal(value) for symbol, value in moments.items()}
    total = error = 0.0
    for term in sp.Add.make_args(x):  # before like terms are merged, and the error with them
        size = float(term.xreplace(point))
        powers = term.as_powers_dict()
        relative = sum(
            float(powers[symbol]) * abs(value.error / float(value)) for symbol, value in moments.items()
        )
        total, error = total + size, error + abs(size) * (relative + _DECIMAL_ERROR)
    return abs(total) <= SIGNIFICANT * error


def _decimal(value: Expectation) -> sp.Float:
    if value.how is How.NUMERIC:
        return sp.Float(float(value), _FLOAT_DIGITS)
    return sp.Float(str(value.ball().str(_BALL_DIGITS, radius=False)), _BALL_DIGITS)


def overlap_series(
    target: Target | str,
    activation: Activation | str | None,
    order: int | None = None,
    *,
    neurons: int = 1,
    readout: Sequence[float | sp.Expr] | str | None = None,
    loss: Loss = "squared",
    reuse: bool = True,
) -> OverlapSeries:
    """Return M^2 up to a power of eta, from the start M^0 = 0, Q^0 = I.

    Parameters
    ----------
    target : Target or str
        Without label noise, or with it.
    activation : Activation, str or None
        None gives the universal formula of smooth activations, in symbols such as ``E[sigma'^2 sigma''']``; moments
        with h in them are integrated by parts.
    order : int, optional
        1 to 8. By default the greatest witness order of the two-step verdicts, at which every direction with a
        witness has appeared unless E[sigma'^q sigma^(q+1)] = 0 there (theory, 5.2), but 2 at least; or as far as the
        series exists, and :attr:`OverlapSeries.stopped` says why no further.
    neurons, readout, loss, reuse
        As for :func:`~rebatch.symbolic.overlap.two_steps.two_step_overlap`.

    Raises
    ------
    RebatchError
        If an argument is out of range.
    NoMomentError
        If a moment up to the asked order does not exist as a function's (for relu, products with two derivatives
        beyond the first), or is a float that may be 0.
    DivergentError
        If it is infinite.

    References
    ----------
    [D24]; theory, 5.2.

    Examples
    --------
    >>> series = overlap_series("He(3, z1)", "h + h^2/2 + h^3/6", 3, loss="correlation")
    >>> series.leading(0, 0)
    (3, 1215*alpha/2)
    """
    target, reuse = Target(target), checks.flag("reuse", reuse)
    if order is not None:
        order = checks.integer("order", order, least=1, most=MAX_ORDER)
    checks.one_of("loss", loss, LOSSES)
    a = checked_readout(readout, neurons)
    sigma = None if activation is None else Activation(activation)
    highest = default_order(target) if order is None else order
    moments = moments_of(target, sigma)
    found: list[sp.ImmutableMatrix] = []
    stopped = ""
    try:
        with bounded(len(a)):
            problem = Expansion(target.k, len(a), highest, loss, moments)
            values = dict(zip(problem.readout_symbols, a, strict=True))
            for matrix in problem.coefficients(reuse=reuse):
                found.append(sp.ImmutableMatrix(matrix.applyfunc(lambda x: sp.expand(x.xreplace(values)))))
    except (NoMomentError, DivergentError) as error:
        if order is not None or len(found) < _FIRST:
            raise
        stopped = str(error)
    used = set().union(*(matrix.free_symbols for matrix in found))
    known = tuple(
        (symbol, moments.values[symbol]) for symbol in sorted(used & moments.values.keys(), key=str)
    )
    return OverlapSeries(target, sigma, loss, reuse, a, len(found) - 1, tuple(found), known, stopped)


@lru_cache(maxsize=8)
def default_order(target: Target) -> int:
    """Return the greatest witness order of the two-step verdicts, from 2 to 8."""
    orders = [v.order for v in two_step_verdict(target) if v.witness is not None and v.order is not None]
    return min(max([2, *orders]), MAX_ORDER)
