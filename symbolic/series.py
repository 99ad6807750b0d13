"""The overlap after two steps as a series in the step size, for any activation (theory, 5.2).

With h^1 = h + eta D, where h = h^0 and

    D = alpha m z + (alpha n - lam) h + g^0 + omega,   m = E[g^0 z^T],   n = E[g^0 h^T]

and omega ~ N(0, alpha E[g^0 g^0^T]) (one pass drops g^0), the second step is the Taylor series

    M^2 = (1 - eta lam) M^1 + alpha eta sum_q eta^q / q! E[((D . d/dh)^q g) z^T],   g_j = a_j sigma'(h_j) r.

Everything is a polynomial in z, y, h_j, the derivatives sigma^(n)(h_j) and omega, expanded in one ring, in which
d/dh_j takes sigma^(n) to sigma^(n+1). What remains are moments E[y^m z^S] of the target and moments
E[h^b prod_n sigma^(n)(h)^(e_n)] of the activation: exact numbers or balls where the calculus has them, symbols
where the activation is left open.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import sympy as sp
from flint import fmpq, fmpq_mpoly

from .activation import Activation
from .errors import RebatchError
from .expectation import Expectation
from .gaussian import expectation
from .overlap import ALPHA, ETA, LAM, LOSSES, Loss, as_text, checked_readout
from .parse import ACTIVATION_VARIABLE, coordinate
from .polynomial import rational, ring
from .target import Target

MAX_ORDER = 8

Moment = Callable[[int, tuple[int, ...]], sp.Expr]


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
    coefficients : tuple of sympy.ImmutableMatrix, each of shape (p, k)
        coefficients[n] stands at eta^n; an expression in alpha, lam and open readouts.
    how : str
        "exact", or "enclosure" where a moment is a ball: its decimals are then those that are proved.
    """

    target: Target
    activation: Activation | None
    loss: Loss
    reuse: bool
    readout: tuple[sp.Expr, ...]
    order: int
    coefficients: tuple[sp.ImmutableMatrix, ...]
    how: str

    def leading(self, neuron: int, direction: int) -> tuple[int, sp.Expr] | None:
        """Return the least power of eta at which an entry appears, and its coefficient; None up to the order."""
        entries = ((n, matrix[neuron, direction]) for n, matrix in enumerate(self.coefficients))
        return next(((n, c) for n, c in entries if c != 0), None)

    def to_expr(self) -> sp.ImmutableMatrix:
        """Return the sum of the terms, shape (p, k)."""
        total = sp.zeros(len(self.readout), self.target.k)
        for n, matrix in enumerate(self.coefficients):
            total += ETA**n * matrix
        return sp.ImmutableMatrix(total)

    def __str__(self) -> str:
        lines = []
        for j in range(len(self.readout)):
            for r in range(self.target.k):
                terms = [f"eta^{n} ({m[j, r]})" for n, m in enumerate(self.coefficients) if m[j, r] != 0]
                lines.append(f"M2[{j + 1}, z{r + 1}] = {' + '.join([*terms, f'O(eta^{self.order + 1})'])}")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return the series in LaTeX."""
        names = {LAM: r"\lambda"}
        return rf"M^{{2}} = {sp.latex(self.to_expr(), symbol_names=names)} + O(\eta^{{{self.order + 1}}})"

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def to_json(self) -> dict[str, Any]:
        """Return the coefficients as text, by power of eta, neuron and direction."""
        return {
            "target": self.target.text,
            "activation": None if self.activation is None else self.activation.name,
            "loss": self.loss,
            "reuse": self.reuse,
            "order": self.order,
            "how": self.how,
            "coefficients": list(map(as_text, self.coefficients)),
        }


def overlap_series(
    target: Target | str,
    activation: Activation | str | None,
    order: int,
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
        None gives the universal formula, in symbols such as ``E[sigma'^2 sigma''']``.
    order : int
        1 to 8.
    neurons, readout, loss, reuse
        As for :func:`~rebatch.symbolic.overlap.two_step_overlap`.

    Raises
    ------
    RebatchError
        If an argument is out of range; if a moment does not exist as a function's (for relu, products with two
        derivatives beyond the first); or is only known in floating point.

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
    if isinstance(order, bool) or not isinstance(order, int) or not 1 <= order <= MAX_ORDER:
        raise RebatchError(f"order = {order!r}; allowed are integers from 1 to {MAX_ORDER}")
    if loss not in LOSSES:
        raise RebatchError(f"loss = {loss!r}; allowed are {', '.join(LOSSES)}")
    a = checked_readout(readout, neurons)
    sigma = None if activation is None else Activation(activation)
    moments = _Moments(target, sigma)
    problem = _Problem(target.k, len(a), order, loss, moments)
    matrices = problem.coefficients(reuse=reuse)
    values = dict(zip(problem.readout_symbols, a, strict=True))
    coefficients = tuple(
        sp.ImmutableMatrix(m.applyfunc(lambda x: sp.expand(x.xreplace(values)))) for m in matrices
    )
    return OverlapSeries(target, sigma, loss, reuse, a, order, coefficients, moments.how)


class _Moments:
    """The moments of target and activation, each computed once."""

    def __init__(self, target: Target, activation: Activation | None) -> None:
        self.target, self.activation = target, activation
        self.how = "exact"
        self.label = cache(self._label)
        self.field = cache(self._field)

    def _label(self, m: int, S: tuple[int, ...]) -> sp.Expr:
        """E[y^m z^S], y = g(z) + s xi."""
        z = sp.Mul(*(coordinate(i + 1) ** n for i, n in enumerate(S)))
        total = sp.Integer(0)
        noise = sp.Rational(str(self.target.noise_std))
        for j in range(0, m + 1, 2):
            if j and not noise:
                break
            weight = sp.binomial(m, j) * noise**j * sp.factorial2(j - 1)
            total += weight * self._number(expectation(self.target.expr ** (m - j) * z))
        return total

    def _field(self, b: int, powers: tuple[int, ...]) -> sp.Expr:
        """E[h^b prod_n sigma^(n)(h)^powers[n]]."""
        if self.activation is None:
            return _symbol(b, powers)
        h = ACTIVATION_VARIABLE
        used = [n for n, e in enumerate(powers) for _ in range(e)]
        if self.activation.kernel == "relu":
            return self._relu(b, used)
        expr = h**b
        for n in used:
            expr *= sp.diff(self.activation.expr, h, n)
        if expr.has(sp.DiracDelta, sp.Derivative, sp.Subs):
            raise RebatchError(
                f"the moment {_symbol(b, powers)} of {self.activation} is no integral of functions"
            )
        return self._number(expectation(expr.xreplace({h: coordinate(1)})))

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
            return self._number(expectation(h ** (b + used.count(0)) * half_line))
        if singular == [2] and b + used.count(0) > 0:
            return sp.Integer(0)
        if len(used) > 1:
            raise RebatchError(
                f"the moment {_symbol(b, _counted(used))} of relu multiplies its delta at 0 by a function not "
                "smooth there: M^2 has no power series in eta at this order; see the numbers instead"
            )
        n = singular[0] - 2
        density = sp.exp(-(h**2) / 2) / sp.sqrt(2 * sp.pi)
        return (-1) ** n * sp.diff(h**b * density, h, n).subs(h, 0)

    def _number(self, value: Expectation) -> sp.Expr:
        if isinstance(value.value, sp.Expr):
            return value.value
        if value.is_zero() is None:
            raise RebatchError(f"a moment is known only as {value}, not exactly and not away from 0")
        self.how = "enclosure"
        return sp.Float(str(value.ball().str(25, radius=False)), 25)


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

    def __getitem__(self, name: str) -> fmpq_mpoly:
        return self.ring.gens()[self._positions[name]]

    def coefficients(self, *, reuse: bool) -> list[sp.Matrix]:
        """Return the matrices of M^2 at eta^0, eta^1, … eta^order."""
        k, p = self.k, self.p
        g = self.signals()
        m = sp.Matrix(p, k, lambda j, r: self.expectation(g[j] * self[f"z{r + 1}"]))
        n = sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * self[f"h{i + 1}"]))
        self._covariance = ALPHA * sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * g[i]))
        self._values += [*m, *n]
        images = list(self.ring.gens())
        for j in range(p):
            images[self._positions[f"d{j + 1}"]] = self.direction(j, g[j] if reuse else None)
        result = [sp.zeros(p, k) for _ in range(self.order + 1)]
        result[1] += 2 * ALPHA * m
        if self.order >= 2:
            result[2] -= LAM * ALPHA * m
        for q in range(1, self.order):
            g = [self.derivative(gj) * fmpq(1, q) for gj in g]
            here = [gj.compose(*images) for gj in g]
            result[q + 1] += ALPHA * sp.Matrix(
                p,
                k,
                lambda j, r: self.expectation(here[j] * self[f"z{r + 1}"]),  # noqa: B023 - used at once
            )
        return result

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
