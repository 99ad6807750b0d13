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
from functools import cache, cached_property, lru_cache
from typing import Any

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..calculus.gaussian import expectation
from ..errors import DivergentError, RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How, worst
from ..exact.polynomial import rational, ring
from ..exact.real import SIGNIFICANT
from ..language.parse import ACTIVATION_VARIABLE, coordinate
from ..language.target import Target, compiled
from ..learnability.verdict import two_step_verdict
from .activation import Activation
from .two_steps import ALPHA, ETA, LAM, LOSSES, Loss, as_text, ascending, checked_readout, matrix_in_latex

MAX_ORDER = 8
# What stands in a derivative beyond the functions.
_NO_FUNCTIONS = (sp.DiracDelta, sp.Derivative, sp.Subs)
# Digits of an enclosed moment, and how many of a float's errors it must be away from 0.
_DIGITS, _FLOAT_DIGITS, _AWAY = 25, 15, 100
# Of a decimal, relative to it, beside the error of its moment.
_ROUNDING = 1e-12
# The coefficients at eta^0 and eta^1, without which there is no series.
_FIRST = 2
# Digits of a number in text.
_DIGITS = 8
# Far from 0 on either side, near enough for exp(2 h) to be a float and far enough for exp(h / 10); and a power that
# no activation of moderate degree reaches there.
_FAR, _STEEP = np.array([-2000.0, -300.0, 300.0, 2000.0]), 20

Moment = Callable[[int, tuple[int, ...]], sp.Expr]


class NoMomentError(RebatchError):
    """A coefficient of the series that does not exist, or is not known well enough; the message says why."""


@dataclass(frozen=True)
class OverlapSeries:
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
        digits = _FLOAT_DIGITS if self.how is How.NUMERIC else _DIGITS
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
            terms = "" if total[j, r] == 0 else f"{ascending(shortened(total[j, r], _DIGITS))} + "
            lines.append(f"M2[{j + 1}, z{r + 1}] = {terms}O(eta^{self.order + 1})")
        if self.formal:
            lines.append("Formal: sigma outgrows every polynomial, and M2 may be infinite at every eta > 0.")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the series in LaTeX."""
        total = self.to_expr().applyfunc(lambda x: shortened(x, _DIGITS))
        return rf"M^{{2}} = {matrix_in_latex(total)} + O(\eta^{{{self.order + 1}}})"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def to_json(self) -> dict[str, Any]:
        """Return the coefficients as text, by power of eta, neuron and direction, with the moments in them."""
        return {
            "target": self.target.text,
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


def shortened(x: sp.Expr, digits: int = _DIGITS) -> sp.Expr:
    """Return an expression with its decimals cut to so many digits, by default what a person reads."""
    return x.xreplace({number: sp.Float(number, digits) for number in x.atoms(sp.Float)})


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
        total, error = total + size, error + abs(size) * (relative + _ROUNDING)
    return abs(total) <= SIGNIFICANT * error


def _decimal(value: Expectation) -> sp.Float:
    if value.how is How.NUMERIC:
        return sp.Float(float(value), _FLOAT_DIGITS)
    return sp.Float(str(value.ball().str(_DIGITS, radius=False)), _DIGITS)


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
    target = Target(target)
    if order is not None and (
        isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= MAX_ORDER
    ):
        raise RebatchError(f"order = {order!r}; allowed are integers from 1 to {MAX_ORDER}")
    if loss not in LOSSES:
        raise RebatchError(f"loss = {loss!r}; allowed are {', '.join(LOSSES)}")
    a = checked_readout(readout, neurons)
    sigma = None if activation is None else Activation(activation)
    highest = default_order(target) if order is None else order
    moments = _moments_of(target, sigma)
    problem = _Problem(target.k, len(a), highest, loss, moments)
    values = dict(zip(problem.readout_symbols, a, strict=True))
    found: list[sp.ImmutableMatrix] = []
    stopped = ""
    try:
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


@lru_cache(maxsize=8)
def _moments_of(target: Target, activation: Activation | None) -> "_Moments":
    """Reuse and one pass ask for the same moments."""
    return _Moments(target, activation)


class _Moments:
    """The moments of target and activation, each computed once; `values` has those that are no exact numbers."""

    def __init__(self, target: Target, activation: Activation | None) -> None:
        self.target, self.activation = target, activation
        self.values: dict[sp.Symbol, Expectation] = {}
        self.label = cache(self._label)
        self.field = cache(self._field)
        self.require = cache(self._require)
        self._kinked = activation is not None and sp.diff(activation.expr, ACTIVATION_VARIABLE, 2).has(
            *_NO_FUNCTIONS
        )

    def _label(self, m: int, S: tuple[int, ...]) -> sp.Expr:
        """E[y^m z^S], y = g(z) + s xi."""
        z = sp.Mul(*(coordinate(i + 1) ** n for i, n in enumerate(S)))
        total = Expectation.exact(0)
        noise = sp.Rational(str(self.target.noise_std))
        for j in range(0, m + 1, 2):
            if j and not noise:
                break
            weight = sp.binomial(m, j) * noise**j * sp.factorial2(j - 1)
            total += expectation(self.target.expr ** (m - j) * z) * weight
        return self._known(_label_symbol(m, S), total)

    def _field(self, b: int, powers: tuple[int, ...]) -> sp.Expr:
        """E[h^b prod_n sigma^(n)(h)^powers[n]]."""
        if self.activation is None:
            return self._universal(b, powers)
        h = ACTIVATION_VARIABLE
        used = [n for n, e in enumerate(powers) for _ in range(e)]
        if self.activation.kernel == "relu":
            return self._relu(b, used)
        if self._is_odd(b, powers):
            return sp.Integer(0)
        expr = sp.Mul(h**b, *(sp.diff(self.activation.expr, h, n) for n in used))
        if expr.has(*_NO_FUNCTIONS):
            raise NoMomentError(
                f"the moment {_symbol(b, powers)} of {self.activation} is no integral of functions"
            )
        return self._known(_symbol(b, powers), expectation(expr.xreplace({h: coordinate(1)})))

    def _is_odd(self, b: int, powers: tuple[int, ...]) -> bool:
        """Whether h^b prod sigma^(n)^powers[n] is odd, by the parity of the derivatives from one on."""
        first = self._even_derivative
        odd = b + sum(e for n, e in enumerate(powers) if (n - first) % 2)
        return first > 0 and not any(powers[:first]) and odd % 2 == 1

    @cached_property
    def _even_derivative(self) -> int:
        """The least n of 1 and 2 for which sigma^(n) is even, as for sigmoid and softplus; 0 if none is."""
        h = ACTIVATION_VARIABLE
        for n in (1, 2):
            slope = sp.diff(self.activation.expr, h, n) if self.activation else sp.Integer(1)
            if not slope.has(*_NO_FUNCTIONS) and sp.simplify(slope - slope.xreplace({h: -h})) == 0:
                return n
        return 0

    def _universal(self, b: int, powers: tuple[int, ...]) -> sp.Expr:
        """Return the moment of any smooth sigma without h: E[h^b F] = (b - 1) E[h^(b-2) F] + E[h^(b-1) F']."""
        if not b:
            return _symbol(0, powers)
        total = (b - 1) * self.field(b - 2, powers) if b > 1 else sp.Integer(0)
        for n, e in enumerate(powers):
            if e:
                slope = [*powers, 0]
                slope[n] -= 1
                slope[n + 1] += 1
                total += e * self.field(b - 1, tuple(slope))
        return total

    def _require(self, b: int, powers: tuple[int, ...]) -> None:
        """Refuse a moment across a kink that does not exist, whatever stands beside it.

        A sample that moves across the kink by its own g^0 counts on one side only. That ties label and field
        together: a moment of the label that is 0 does not make it 0.
        """
        if self._kinked:
            self.field(b, powers)

    def _relu(self, b: int, used: list[int]) -> sp.Expr:
        """Moments of relu, whose second derivative is a delta at 0.

        The delta is multiplied by what is continuous at 0 only. A factor that jumps there, as g^0 does, moves h
        across the kink on one side and not on the other: a step that is reused has no Taylor series beyond eta.
        """
        singular = [n for n in used if n >= 2]
        h = coordinate(1)
        if not singular:
            # relu^m H^n h^b is h^(m + b) on the half line, as soon as one factor is there.
            half_line = sp.Heaviside(h) if used else sp.Integer(1)
            return self._known(_symbol(b, _counted(used)), expectation(h ** (b + used.count(0)) * half_line))
        if singular == [2] and b + used.count(0) > 0:
            return sp.Integer(0)
        if len(used) > 1:
            raise NoMomentError(
                f"the moment {_symbol(b, _counted(used))} of relu multiplies its delta at 0 by a function that jumps "
                "there, and is not defined: the series ends before it"
            )
        n = singular[0] - 2
        density = sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi)
        return (-1) ** n * sp.diff(h**b * density, h, n).subs(h, 0)

    def _known(self, symbol: sp.Symbol, value: Expectation) -> sp.Expr:
        """Return a moment: the number if it is exact, else its symbol, the value kept beside it."""
        if value.how is How.EXACT:
            return value.value
        if value.is_zero():
            return sp.Integer(0)
        if value.is_zero() is None and abs(float(value)) <= _AWAY * value.error:
            raise NoMomentError(f"the moment {symbol} is known only as {value}, which may be 0")
        self.values[symbol] = value
        return symbol


def _counted(orders: Sequence[int]) -> tuple[int, ...]:
    return tuple(orders.count(n) for n in range(max(orders, default=0) + 1))


def _symbol(b: int, powers: tuple[int, ...]) -> sp.Symbol:
    """Return the symbol of E[h^b prod sigma^(n)^e_n], named as theory writes it."""
    if not b and not any(powers):
        return sp.Integer(1)
    factors = [f"h^{b}" if b > 1 else "h"] if b else []
    for n, e in enumerate(powers):
        if e:
            prime = "'" * n if n <= 3 else f"^({n})"
            factors.append(f"sigma{prime}" + (f"^{e}" if e > 1 else ""))
    return sp.Symbol(f"E[{' '.join(factors)}]", real=True)


def _label_symbol(m: int, S: tuple[int, ...]) -> sp.Symbol:
    names = ["y", *(f"z{i + 1}" for i in range(len(S)))]
    factors = [name if n == 1 else f"{name}^{n}" for name, n in zip(names, (m, *S), strict=True) if n]
    return sp.Symbol(f"E[{' '.join(factors)}]", real=True)


class _Problem:
    """The ring of one series.

    Its variables, by name: the latent z and the label y; h_j and the derivatives s_j,n = sigma^(n)(h_j); omega_j;
    directions d_j, for which D_j is put in; and the parameters alpha, lam, a_j, and the entries of m and n, which
    are numbers that keep the expansion independent of the target.
    """

    def __init__(self, k: int, p: int, order: int, loss: Loss, moments: _Moments) -> None:
        self.k, self.p, self.order, self.loss, self.moments = k, p, order, loss, moments
        neurons, latents = range(1, p + 1), range(1, k + 1)
        self._depth = order + 2
        random = [f"z{r}" for r in latents] + ["y"] + [f"h{j}" for j in neurons]
        random += [f"s{j},{n}" for j in neurons for n in range(self._depth)]
        random += [f"w{j}" for j in neurons]
        parameters = ["alpha", "lam"] + [f"a{j}" for j in neurons]
        parameters += [f"m{j},{r}" for j in neurons for r in latents]
        parameters += [f"n{j},{i}" for j in neurons for i in neurons]
        self._positions = {
            name: i for i, name in enumerate([*random, *parameters, *(f"d{j}" for j in neurons)])
        }
        self._parameters = slice(len(random), len(random) + len(parameters))
        self.ring = ring([name.replace(",", "_") for name in self._positions])
        self.readout_symbols = tuple(sp.symbols(f"a1:{p + 1}", real=True))
        self._values: list[sp.Expr] = [ALPHA, LAM, *self.readout_symbols]
        self._covariance = sp.zeros(p)
        self._reuse = False

    def __getitem__(self, name: str) -> fmpq_mpoly:
        return self.ring.gens()[self._positions[name]]

    def coefficients(self, *, reuse: bool) -> Iterator[sp.Matrix]:
        """Yield the matrices of M^2 at eta^0, eta^1, … eta^order."""
        k, p = self.k, self.p
        self._reuse = reuse
        g = self.signals()
        m = sp.Matrix(p, k, lambda j, r: self.expectation(g[j] * self[f"z{r + 1}"]))
        yield sp.zeros(p, k)
        yield 2 * ALPHA * m
        n = sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * self[f"h{i + 1}"]))
        self._covariance = ALPHA * sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * g[i]))
        self._values += [*m, *n]
        images = list(self.ring.gens())
        for j in range(p):
            images[self._positions[f"d{j + 1}"]] = self.direction(j, g[j] if reuse else None)
        for q in range(1, self.order):
            g = [self.derivative(gj) * fmpq(1, q) for gj in g]
            here = [gj.compose(*images) for gj in g]
            term = ALPHA * sp.Matrix(
                p,
                k,
                lambda j, r: self.expectation(here[j] * self[f"z{r + 1}"]),  # noqa: B023 - used at once
            )
            yield term - LAM * ALPHA * m if q == 1 else term

    def signals(self) -> list[fmpq_mpoly]:
        """Return g_j = a_j sigma'(h_j) r."""
        neurons = range(1, self.p + 1)
        r = self["y"]
        if self.loss == "squared":
            for j in neurons:
                r = r - self[f"a{j}"] * self[f"s{j},0"]
        return [self[f"a{j}"] * self[f"s{j},1"] * r for j in neurons]

    def direction(self, j: int, g: fmpq_mpoly | None) -> fmpq_mpoly:
        """Return D_j = alpha (m z)_j + (alpha n h)_j - lam h_j + omega_j, with g^0_j where the batch is reused."""
        D = self[f"w{j + 1}"] - self["lam"] * self[f"h{j + 1}"]
        for r in range(self.k):
            D = D + self["alpha"] * self[f"m{j + 1},{r + 1}"] * self[f"z{r + 1}"]
        for i in range(self.p):
            D = D + self["alpha"] * self[f"n{j + 1},{i + 1}"] * self[f"h{i + 1}"]
        return D if g is None else D + g

    def derivative(self, f: fmpq_mpoly) -> fmpq_mpoly:
        """Return sum_j d_j df/dh_j."""
        total = f * 0
        for j in range(1, self.p + 1):
            along = f.derivative(self._positions[f"h{j}"])
            for n in range(self._depth - 1):
                along = along + self[f"s{j},{n + 1}"] * f.derivative(self._positions[f"s{j},{n}"])
            total = total + self[f"d{j}"] * along
        return total

    def expectation(self, f: fmpq_mpoly) -> sp.Expr:
        """Return E[f] over z, y, h and omega, as an expression in the parameters."""
        weights: dict[tuple[tuple[int, ...], ...], fmpq] = {}
        for exponents, c in f.to_dict().items():
            e = tuple(map(int, exponents))
            key = (e[: self._parameters.start], e[self._parameters])
            weights[key] = weights.get(key, fmpq(0)) + c
        total = []
        for (random, parameters), c in weights.items():
            moment = self._moment(random)
            if moment != 0:
                powers = (v**e for v, e in zip(self._values, parameters, strict=False) if e)
                total.append(rational(c) * moment * sp.Mul(*powers))
        return sp.expand(sp.Add(*total))

    def _moment(self, e: tuple[int, ...]) -> sp.Expr:
        """Return E of a monomial: the label's part, each neuron's, and that of omega are independent."""
        k, p, depth = self.k, self.p, self._depth
        fields, slopes = e[k + 1 : k + 1 + p], e[k + 1 + p : k + 1 + p + p * depth]
        if self._reuse:
            for j in range(p):
                self.moments.require(fields[j], slopes[j * depth : (j + 1) * depth])
        result = self._wick(e[k + 1 + p + p * depth :])
        if result != 0:
            result *= self.moments.label(e[k], e[:k])
        for j in range(p):
            if result == 0:
                break
            result *= self.moments.field(fields[j], slopes[j * depth : (j + 1) * depth])
        return result

    def _wick(self, e: tuple[int, ...]) -> sp.Expr:
        """Return E[prod omega_j^e_j] by pairing one factor with each other one."""
        if sum(e) % 2:
            return sp.Integer(0)
        first = next((j for j, n in enumerate(e) if n), None)
        if first is None:
            return sp.Integer(1)
        total = sp.Integer(0)
        less = tuple(n - (j == first) for j, n in enumerate(e))
        for j, n in enumerate(less):
            if n:
                rest = tuple(x - (i == j) for i, x in enumerate(less))
                total += n * self._covariance[first, j] * self._wick(rest)
        return total
