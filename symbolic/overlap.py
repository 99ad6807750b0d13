"""The overlap after one and two gradient steps, as exact formulas, for polynomial activation and target.

Theory, 5 (Two-step overlap in closed form), start M^0 = 0, Q^0 = I, with E over z, h^0 standard normal:

    g^0_j = a_j sigma'(h^0_j) r^0                 r = y - f (squared loss) or y (correlation loss)
    M^1   = alpha eta E[g^0 z^T]                  N^1 = (1 - eta lam) I + alpha eta E[g^0 h^0^T]
    h^1   = M^1 z + N^1 h^0 + eta g^0 + eta omega   omega ~ N(0, alpha E[g^0 g^0^T])
    M^2   = (1 - eta lam) M^1 + alpha eta E[g^1 z^T]

The term eta g^0 is what reuse adds: the sample has already been seen. One pass drops it.

omega is averaged first, by the heat semigroup in the fields: E F(A + eta omega) = exp(eta^2 C / 2) F at A.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mpoly
from numpy.typing import NDArray

from .activation import Activation
from .errors import NotPolynomialError, RebatchError
from .gaussian import moments, smoothed
from .parse import ACTIVATION_VARIABLE
from .polynomial import rational, ring, to_polynomial
from .target import Target, compiled

Loss = Literal["squared", "correlation"]
LOSSES: tuple[Loss, ...] = ("squared", "correlation")

ALPHA, ETA, LAM = sp.symbols("alpha eta lam", positive=True)


@dataclass(frozen=True)
class TwoStepOverlap:
    """The overlaps M^1 and M^2 as exact polynomials in eta, alpha, lam and the readout.

    Attributes
    ----------
    target : Target
    activation : Activation
    loss : {"squared", "correlation"}
    reuse : bool
        True: both steps on one batch. False: a fresh batch for the second step.
    readout : tuple of sympy.Expr
        The second layer a_1 … a_p; symbols where it was left open.
    M1, M2 : sympy.ImmutableMatrix, shape (p, k)
        Entry (j, r) is the overlap of neuron j with direction r.
    """

    target: Target
    activation: Activation
    loss: Loss
    reuse: bool
    readout: tuple[sp.Expr, ...]
    M1: sp.ImmutableMatrix
    M2: sp.ImmutableMatrix

    def at(self, *, alpha: float, eta: float, weight_decay: float = 0.0) -> NDArray[np.float64]:
        """Return the numbers M^0, M^1, M^2, shape (3, p, k), for a readout that is numeric.

        Raises
        ------
        RebatchError
            If the readout was left symbolic.
        """
        if open_symbols := set().union(*(a.free_symbols for a in self.readout)):
            raise RebatchError(
                f"the readout is symbolic in {', '.join(map(str, open_symbols))}; give it numbers"
            )
        shape = (len(self.readout), self.target.k)
        values = self._compiled(alpha, eta, weight_decay)
        return np.array([np.zeros(shape), *(np.array(v, dtype=float).reshape(shape) for v in values)])

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        return compiled(sp.Tuple(sp.Tuple(*self.M1), sp.Tuple(*self.M2)), (ALPHA, ETA, LAM))

    def __str__(self) -> str:
        return "\n".join(
            f"M{step}[{j + 1}, z{r + 1}] = {_ascending(matrix[j, r])}"
            for step, matrix in ((1, self.M1), (2, self.M2))
            for j in range(matrix.rows)
            for r in range(matrix.cols)
        )

    def latex(self) -> str:
        """Return both matrices in LaTeX."""
        names = {LAM: r"\lambda"}
        return "\n".join(
            rf"M^{{{step}}} = {sp.latex(matrix, symbol_names=names)}"
            for step, matrix in ((1, self.M1), (2, self.M2))
        )

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def to_json(self) -> dict[str, Any]:
        """Return the formulas as text."""
        return {
            "target": self.target.text,
            "activation": self.activation.name,
            "loss": self.loss,
            "reuse": self.reuse,
            "readout": [str(a) for a in self.readout],
            "how": "exact",
            "M1": [[str(x) for x in self.M1.row(j)] for j in range(self.M1.rows)],
            "M2": [[str(x) for x in self.M2.row(j)] for j in range(self.M2.rows)],
        }


def _ascending(polynomial: sp.Expr) -> str:
    """Return a polynomial as text, by ascending powers of eta: the leading term comes first."""
    if polynomial == 0:
        return "0"
    terms = sorted(
        sp.collect(polynomial, ETA, evaluate=False).items(), key=lambda term: sp.degree(term[0], ETA)
    )
    return " + ".join(str(sp.factor_terms(coefficient) * power) for power, coefficient in terms).replace(
        "+ -", "- "
    )


def default_readout(neurons: int) -> tuple[sp.Expr, ...]:
    """Return a_j = (-1)^j / sqrt(p), j = 0 … p - 1 (theory, 1)."""
    return tuple((-1) ** j / sp.sqrt(neurons) for j in range(neurons))


def two_step_overlap(
    target: Target | str,
    activation: Activation | str,
    *,
    neurons: int = 1,
    readout: Sequence[float | sp.Expr] | Literal["symbolic"] | None = None,
    loss: Loss = "squared",
    reuse: bool = True,
) -> TwoStepOverlap:
    """Return M^1 and M^2 as exact expressions in the symbols alpha, eta, lam.

    Parameters
    ----------
    target : Target or str
        A polynomial; its noise level enters the formulas.
    activation : Activation or str
        A polynomial in h.
    neurons : int
        p.
    readout : sequence of p numbers, "symbolic" or None
        The second layer a; None is (-1)^j / sqrt(p), "symbolic" leaves a1 … ap open.
    loss : {"squared", "correlation"}
    reuse : bool
        Whether the second step sees the first one's batch again.

    Raises
    ------
    NotPolynomialError
        If the target or the activation is not a polynomial.
    RebatchError
        If the loss, the number of neurons or the length of the readout is not allowed.

    References
    ----------
    [D24]; theory, 5 and 5.1.
    """
    target, activation = Target(target), Activation(activation)
    if loss not in LOSSES:
        raise RebatchError(f"loss = {loss!r}; allowed are {', '.join(LOSSES)}")
    if not activation.is_polynomial:
        raise NotPolynomialError(
            f"activation {activation} is not a polynomial; the exact formula needs a polynomial in h"
        )
    a = _readout(readout, neurons)
    problem = _Problem(target, activation, a, loss)
    M1, N1, C = problem.first_step()
    M2 = problem.second_step(M1, N1, C, reuse=reuse)
    p, k = len(a), target.k
    return TwoStepOverlap(
        target,
        activation,
        loss,
        reuse,
        a,
        sp.ImmutableMatrix(p, k, [problem.to_expr(M1[j][r]) for j in range(p) for r in range(k)]),
        sp.ImmutableMatrix(p, k, [problem.to_expr(M2[j][r]) for j in range(p) for r in range(k)]),
    )


def _readout(readout: Sequence[float | sp.Expr] | str | None, neurons: int) -> tuple[sp.Expr, ...]:
    if not (isinstance(neurons, int) and neurons >= 1):
        raise RebatchError(f"neurons = {neurons!r}; allowed are integers >= 1")
    if readout is None:
        return default_readout(neurons)
    if isinstance(readout, str):
        if readout != "symbolic":
            raise RebatchError(f"readout = {readout!r}; allowed are numbers, 'symbolic' or None")
        return tuple(sp.symbols(f"a1:{neurons + 1}", real=True))
    a = tuple(x if isinstance(x, sp.Expr) else exact(float(x)) for x in readout)
    if len(a) != neurons:
        raise RebatchError(f"the readout has {len(a)} entries; allowed is one per neuron, {neurons}")
    return a


def exact(value: float) -> sp.Rational:
    """Return a float as the decimal number it prints as: 0.1 is 1/10."""
    return sp.Rational(Fraction(repr(float(value))))


class _Problem:
    """The ring in which one two-step problem is computed.

    Its variables: the latent z (k), the fields h (p) and the label noise xi, over which expectations are taken;
    then the parameters alpha, eta, lam and the independent readout symbols, which remain.
    """

    def __init__(
        self, target: Target, activation: Activation, readout: tuple[sp.Expr, ...], loss: Loss
    ) -> None:
        self.k, self.p, self.loss = target.k, len(readout), loss
        # Neurons whose readouts have a rational ratio share one symbol: the default readout needs only one.
        ratios, self._scales = _common_scales(readout)
        self._gaussians = self.k + self.p + 1
        fields = [f"h{j + 1}" for j in range(self.p)]
        latent = [str(z) for z in target.coordinates]
        scales = [f"a{i + 1}" for i in range(len(self._scales))]
        self.ring = ring([*fields, *latent, "xi", "alpha", "eta", "lam", *scales])
        generators = self.ring.gens()
        self.h = generators[: self.p]
        self.z = generators[self.p : self.p + self.k]
        self.alpha, self.eta, self.lam = generators[self._gaussians : self._gaussians + 3]
        symbols = generators[self._gaussians + 3 :]
        self.a = [symbols[i] * ratio for i, ratio in ratios]
        g = to_polynomial(target.expr, target.coordinates).compose(*self.z, ctx=self.ring)
        noise = exact(target.noise_std)
        self.y = g + generators[self._gaussians - 1] * fmpq(int(noise.p), int(noise.q))
        self._sigma = to_polynomial(activation.expr, (ACTIVATION_VARIABLE,))

    def signals(self) -> list[fmpq_mpoly]:
        """Return g_j = a_j sigma'(h_j) r as polynomials in the fields, the latent z and the noise."""
        sigma_prime = self._sigma.derivative(0)
        r = self.y
        if self.loss == "squared":
            for a, h in zip(self.a, self.h, strict=True):
                r = r - a * self._sigma.compose(h, ctx=self.ring)
        return [a * sigma_prime.compose(h, ctx=self.ring) * r for a, h in zip(self.a, self.h, strict=True)]

    def expectation(self, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        """Return E[.] over fields, latent and noise, as a polynomial in the parameters."""
        average = moments(polynomial, self._gaussians)
        padding = (0,) * self._gaussians
        return self.ring.from_dict({padding + rest: value for rest, value in average.items()})

    def first_step(self) -> tuple[list[list[fmpq_mpoly]], list[list[fmpq_mpoly]], list[list[fmpq_mpoly]]]:
        """Return M^1 (p x k), N^1 (p x p) and the covariance alpha E[g^0 g^0^T] of omega (p x p)."""
        g = self.signals()
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        M1 = [[step * self.expectation(gj * z) for z in self.z] for gj in g]
        N1 = [
            [decay * int(i == j) + step * self.expectation(g[i] * self.h[j]) for j in range(self.p)]
            for i in range(self.p)
        ]
        C = [[self.alpha * self.expectation(gi * gj) for gj in g] for gi in g]
        return M1, N1, C

    def second_step(
        self,
        M1: list[list[fmpq_mpoly]],
        N1: list[list[fmpq_mpoly]],
        C: list[list[fmpq_mpoly]],
        *,
        reuse: bool,
    ) -> list[list[fmpq_mpoly]]:
        """Return M^2 = (1 - eta lam) M^1 + alpha eta E[g^1 z^T]."""
        g0 = self.signals()
        fields = []
        for j in range(self.p):
            A = sum((m * z for m, z in zip(M1[j], self.z, strict=True)), self.ring.constant(0))
            A = A + sum((n * h for n, h in zip(N1[j], self.h, strict=True)), self.ring.constant(0))
            fields.append(A + self.eta * g0[j] if reuse else A)
        noise = [[self.eta**2 * c for c in row] for row in C]
        rest = self.ring.gens()[self.p :]
        # omega first: then the fields h are replaced by their part A that is a function of the sample.
        g1 = [smoothed(gj, noise).compose(*fields, *rest) for gj in g0]
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        return [
            [decay * M1[j][r] + step * self.expectation(g1[j] * self.z[r]) for r in range(self.k)]
            for j in range(self.p)
        ]

    def to_expr(self, polynomial: fmpq_mpoly) -> sp.Expr:
        """Return a polynomial in the parameters as a SymPy expression, the readout put in."""
        values = (ALPHA, ETA, LAM, *self._scales)
        return sp.Add(
            *(
                rational(c)
                * sp.Mul(*(v**e for v, e in zip(values, exponents[self._gaussians :], strict=True)))
                for exponents, c in polynomial.to_dict().items()
            )
        )


def _common_scales(readout: tuple[sp.Expr, ...]) -> tuple[list[tuple[int, fmpq]], list[sp.Expr]]:
    """Write each a_j as (rational) * scales[i]; return the pairs (i, rational) and the scales."""
    scales: list[sp.Expr] = [sp.Integer(1)]
    pairs = []
    for a in readout:
        ratios = [sp.radsimp(a / scale) for scale in scales]
        shared = next((i for i, ratio in enumerate(ratios) if ratio.is_Rational), None)
        if shared is None:
            shared = len(scales)
            scales.append(a)
            ratios.append(sp.Integer(1))
        pairs.append((shared, fmpq(int(ratios[shared].p), int(ratios[shared].q))))
    return pairs, scales
