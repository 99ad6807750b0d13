"""The overlap after one and two gradient steps, as exact formulas, for polynomial activation and target.

Theory, 5 (Two-step overlap in closed form), with the start of theory 4: h^0 = M^0 z + e, z ~ N(0, I) (or of another
law, with the moments of that one: 13) and e ~ N(0, S) independent, S = Q^0 - M^0 M^0^T (by default M^0 = 0 and
Q^0 = I, so that e = h^0 is standard normal).

    g^0_j = a_j sigma'(h^0_j) r^0                     r = y - f (squared loss) or y (correlation loss)
    M^1   = (1 - eta lam) M^0 + alpha eta E[g^0 z^T]
    N^1   = (1 - eta lam) I + alpha eta E[g^0 e^T] S^-1
    h^1   = M^1 z + N^1 e + eta g^0 + eta omega         omega ~ N(0, alpha E[g^0 g^0^T])
    M^2   = (1 - eta lam) M^1 + alpha eta E[g^1 z^T]

On directions u = L^-1 e of a root L of S the weights have coefficients N^1 L: the root itself never enters, so that
rational starts have rational formulas. Where S has no inverse its pseudo-inverse serves: e has no part outside its
range. The term eta g^0 is what reuse adds: the sample has already been seen. One pass drops it.

omega is averaged first, by the heat semigroup in the fields: E F(A + eta omega) = exp(eta^2 C / 2) F at A.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike, NDArray
from sympy.printing.pycode import pycode

from .. import checks
from ..errors import NotPolynomialError, RebatchError
from ..exact.shown import Drawn, Tabulated
from ..exact.typeset import aligned, display, mathml
from ..language.compiled import compiled
from ..language.target import Target
from .activation import Activation
from .eta import (
    ALPHA,
    ETA,
    LAM,
    _inverse_root,
    _nested_in_eta,
    as_text,
    ascending,
    by_power,
    in_latex,
    latex_equation,
    latex_equations,
)
from .network import LOSSES, Loss, Start, checked_readout, checked_start
from .ring import StepRing, size_of
from .size import bounded

# The highest power of eta that is looked at where rows are normalised.
_HIGHEST = 8


@dataclass(frozen=True)
class TwoStepOverlap(Tabulated, Drawn):
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
    in_scales : tuple of two sympy.ImmutableMatrix, shape (p, k)
        M^1 and M^2, polynomials in the parameters and, if rows are normalised, in the scales.
    scales : tuple of (sympy.Symbol, sympy.Expr)
        If rows are normalised: s_j = 1 / |w_j| before row j is scaled back after the first step, and t_j after the
        second, an expression in the s. Else empty.
    N1 : sympy.ImmutableMatrix, shape (p, p)
        Coefficients of the fields h^1 on e, the part of h^0 outside z.
    noise_covariance : sympy.ImmutableMatrix, shape (p, p)
        alpha E[g^0 g^0^T], the covariance of omega.
    Q1 : sympy.ImmutableMatrix, shape (p, p)
        Overlaps among neurons after one step, M^1 M^1^T + N^1 S N^1^T + eta^2 alpha E[g^0 g^0^T].
    normalize : bool
        Whether rows are scaled back to norm sqrt(d) after each step: M^1, M^2 are then cosines, algebraic in the
        parameters, and N^1 and the noise covariance stand for the first step before it is scaled.
    M0, Q0 : sympy.ImmutableMatrix, shapes (p, k) and (p, p)
        The start.
    """

    target: Target
    activation: Activation
    loss: Loss
    reuse: bool
    readout: tuple[sp.Expr, ...]
    in_scales: tuple[sp.ImmutableMatrix, sp.ImmutableMatrix]
    scales: tuple[tuple[sp.Symbol, sp.Expr], ...]
    N1: sp.ImmutableMatrix
    noise_covariance: sp.ImmutableMatrix
    Q1: sp.ImmutableMatrix
    normalize: bool
    M0: sp.ImmutableMatrix
    Q0: sp.ImmutableMatrix

    @cached_property
    def M1(self) -> sp.ImmutableMatrix:
        """Overlaps after one step, shape (p, k)."""
        return self._unscaled(self.in_scales[0])

    @cached_property
    def M2(self) -> sp.ImmutableMatrix:
        """Overlaps after two steps, shape (p, k): entry (j, r) is that of neuron j with direction r."""
        return self._unscaled(self.in_scales[1])

    def _unscaled(self, matrix: sp.ImmutableMatrix) -> sp.ImmutableMatrix:
        for symbol, value in reversed(self.scales):
            matrix = matrix.xreplace({symbol: value})
        return matrix

    @cached_property
    def Q2(self) -> sp.ImmutableMatrix:
        """Overlaps among neurons after two steps, shape (p, p); computed when asked for.

        With G^1 the second gradient, Q^2 = (1 - eta lam)^2 Q^1 + (1 - eta lam) eta alpha (E[g^1 h^1^T] + transpose)
        + eta^2 <G^1, G^1>_d, where, with D = E[d g^1 / d omega] and C the covariance of omega,

            <G^1, G^1>_d = alpha^2 (E[g^1 z^T] E[z g^1^T] + E[g^1 e^T] S^-1 E[e g^1^T] + D C D^T
                           + D E[g^0 g^1^T] + E[g^1 g^0^T] D^T) + alpha E[g^1 g^1^T].

        Without reuse the terms with g^0 are absent: the second batch has not been seen. (theory, 4 and 4.1.)
        """
        start = Start(self.M0, self.Q0)
        size = size_of(self.target, self.activation, self.readout, self.loss, start, self.normalize)
        size.refuse_if_too_large(grams=True)
        with bounded(len(self.readout)):
            problem = StepRing(self.target, self.activation, self.readout, self.loss, start, self.normalize)
            Q2 = problem.matrix(problem.second_gram(reuse=self.reuse))
        return self._unscaled(_cosines(Q2)) if self.normalize else Q2

    def leading(self, neuron: int, direction: int) -> tuple[int, sp.Expr] | None:
        """Return the least power of eta in an entry of M^2, and its coefficient; None if the entry is 0.

        Where E[y z] = 0 the power is the least m with E[y^m z] != 0 in that direction (theory, 5.2).
        """
        v = sp.Matrix(self.target.k, 1, lambda r, _: int(r == direction))
        powers = ((n, column[neuron]) for n, column in enumerate(self.powers_along(v)))
        return next(((n, c) for n, c in powers if c != 0), None)

    def powers_along(self, v: sp.Matrix) -> Iterator[sp.ImmutableMatrix]:
        """Yield the coefficients of M^2 v at eta^0, eta^1, …, each of shape (p, 1).

        Where rows are normalised, those of M^2_j / t_j, up to eta^8: t_j = 1 + O(eta), so that the first one of a row
        that is not 0 is that of M^2_j itself. The s in it are s_j = (Q^1_jj)^(-1/2), expanded.
        """
        of_t = {symbol: sp.Integer(1) for symbol, _ in self.scales[len(self.readout) :]}
        rows = [dict(by_power(sp.expand(x.xreplace(of_t)))) for x in self.in_scales[1] * v]
        if not any(rows):
            return
        if not self.normalize:
            for n in range(max(map(max, filter(None, rows))) + 1):
                yield sp.ImmutableMatrix([row.get(n, sp.Integer(0)) for row in rows])
            return
        for n in range(_HIGHEST + 1):
            of_s = {symbol: _inverse_root(1 / value**2, n) for symbol, value in self.scales[: len(rows)]}
            known = (sp.Add(*(c * ETA**m for m, c in row.items() if m <= n)) for row in rows)
            yield sp.ImmutableMatrix([sp.expand(x.xreplace(of_s)).coeff(ETA, n) for x in known])

    def gain(self) -> sp.ImmutableMatrix:
        """Return what the second look at the batch adds to M^2, term by term: M^2 less the one-pass M^2."""
        return sp.ImmutableMatrix((self.M2 - self.one_pass.M2).applyfunc(sp.expand))

    @cached_property
    def one_pass(self) -> "TwoStepOverlap":
        """The same problem with a fresh batch for the second step; computed when asked for."""
        if not self.reuse:
            return self
        return two_step_overlap(
            self.target,
            self.activation,
            neurons=len(self.readout),
            readout=self.readout,
            loss=self.loss,
            reuse=False,
            normalize=self.normalize,
            start=self.M0,
            start_Q=self.Q0,
        )

    def at(self, *, alpha: ArrayLike, eta: ArrayLike, weight_decay: ArrayLike = 0.0) -> NDArray[np.float64]:
        """Return the numbers M^0, M^1, M^2 for a readout that is numeric.

        Parameters
        ----------
        alpha, eta, weight_decay : array_like
            Numbers, or grids that broadcast to a shape S.

        Returns
        -------
        ndarray, shape (3, p, k) + S

        Raises
        ------
        RebatchError
            If the readout was left symbolic, or a number is negative or not finite.
        """
        if open_symbols := set().union(*(a.free_symbols for a in self.readout)):
            raise RebatchError(
                f"the readout is symbolic in {', '.join(map(str, open_symbols))}; give it numbers"
            )
        grids = {"alpha": alpha, "eta": eta, "weight_decay": weight_decay}
        arrays = {name: np.asarray(value, dtype=np.float64) for name, value in grids.items()}
        for name, array in arrays.items():
            if not (np.isfinite(array) & (array >= 0)).all():
                raise RebatchError(f"{name} = {array}; allowed are finite numbers >= 0")
        grid = np.broadcast_shapes(*(array.shape for array in arrays.values()))
        result = np.zeros((3, len(self.readout), self.target.k, *grid))
        for j, r in np.ndindex(result.shape[1:3]):
            result[0, j, r] = float(self.M0[j, r])
        for step, entries in enumerate(self._compiled(*arrays.values()), start=1):
            for (j, r), entry in zip(np.ndindex(result.shape[1:3]), entries, strict=True):
                result[step, j, r] = entry
        return result

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        """Compile the overlaps as nested expressions: inner scales first."""
        scales, matrices = self._nested
        names: tuple[sp.Symbol, ...] = (ALPHA, ETA, LAM)
        steps = []
        for symbol, value in scales:
            steps.append(compiled(value, names))
            names = (*names, symbol)
        overlaps = compiled(sp.Tuple(*(sp.Tuple(*matrix) for matrix in matrices)), names)

        def evaluate(*values: Any) -> Any:
            for step in steps:
                values = (*values, step(*values))
            return overlaps(*values)

        return evaluate

    @cached_property
    def _nested(self) -> tuple[list[tuple[sp.Symbol, sp.Expr]], list[sp.ImmutableMatrix]]:
        """The scales, and M^1 and M^2 in them, in Horner form; long ones in eta alone."""
        scales = [(symbol, 1 / sp.sqrt(_nested_in_eta(1 / value**2))) for symbol, value in self.scales]
        nested = _nested_in_eta if self.normalize else sp.horner
        return scales, [matrix.applyfunc(nested) for matrix in self.in_scales]

    def __str__(self) -> str:
        lines = [f"{symbol} = 1/sqrt({ascending(1 / value**2)})" for symbol, value in self.scales]
        for step, matrix in enumerate(self.in_scales, start=1):
            for j, r in np.ndindex(matrix.shape):
                lines.append(f"M{step}[{j + 1}, z{r + 1}] = {ascending(matrix[j, r])}")
        return "\n".join(lines)

    def latex(self) -> str:
        """Return both overlaps in LaTeX, an equation to a row, after the scales where rows are normalised.

        Terms by ascending powers of eta; matrices that are longer than a line by their entries.
        """
        return aligned(self.equations())

    def equations(self) -> list[str]:
        """Return the rows of :meth:`latex`."""
        scales = [
            latex_equation(rf"{in_latex(symbol)}^{{-2}}", 1 / value**2) for symbol, value in self.scales
        ]
        steps = enumerate(self.in_scales, start=1)
        return [*scales, *(row for step, M in steps for row in latex_equations(f"M^{{{step}}}", M))]

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every step, neuron, direction and power of eta, with the coefficient as text.

        Where rows are normalised, in the scales.
        """
        return [
            {
                "step": step,
                "neuron": j + 1,
                "direction": f"z{r + 1}",
                "power of eta": n,
                "coefficient": str(c),
            }
            for step, matrix in enumerate(self.in_scales, start=1)
            for j, r in np.ndindex(matrix.shape)
            for n, c in by_power(matrix[j, r])
        ]

    def to_latex(self) -> str:
        """Return the formula as a display that can be pasted into a paper."""
        return display(self.equations())

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

    def _repr_html_(self) -> str:
        return mathml(self.latex())

    def to_python(self) -> str:
        """Return the source of a NumPy function of (alpha, eta, lam) that gives M^1 and M^2; it needs only NumPy.

        Grids of a common shape S are allowed; the arrays have the shape (p, k) + S.
        """

        def written(x: sp.Expr) -> str:
            return str(pycode(x)).replace("math.", "np.")

        def array(matrix: sp.Matrix) -> str:
            rows = (", ".join(f"{written(x)} + zero" for x in matrix.row(j)) for j in range(matrix.rows))
            return "np.array([" + ", ".join(f"[{row}]" for row in rows) + "])"

        parts, matrices = self._nested
        M1, M2 = map(array, matrices)
        free = sorted({str(s) for a in self.readout for s in a.free_symbols})
        return "\n".join(
            [
                "import numpy as np",
                "",
                "",
                f"def two_step_overlap({', '.join(['alpha', 'eta', 'lam=0.0', *free])}):",
                f'    """M1, M2 for g = {self.target.text}, sigma = {self.activation.name}, {self.loss} loss."""',
                "    zero = 0.0 * (alpha + eta + lam)  # every entry in the shape of the grid",
                *(f"    {name} = {written(part)}" for name, part in parts),
                f"    M1 = {M1}",
                f"    M2 = {M2}",
                "    return M1, M2",
                "",
            ]
        )

    def to_json(self) -> dict[str, Any]:
        """Return the formulas as text; M^1 and M^2 in the scales where rows are normalised."""
        matrices = (
            ("M0", self.M0),
            ("Q0", self.Q0),
            ("M1", self.in_scales[0]),
            ("M2", self.in_scales[1]),
            ("N1", self.N1),
            ("noise_covariance", self.noise_covariance),
            ("Q1", self.Q1),
        )
        return {
            "target": self.target.text,
            **({} if self.target.inputs.is_gaussian else {"inputs": self.target.inputs.name}),
            "activation": self.activation.name,
            "loss": self.loss,
            "reuse": self.reuse,
            "readout": [str(a) for a in self.readout],
            "how": "exact",
            "normalize": self.normalize,
            "scales": {str(symbol): str(value) for symbol, value in self.scales},
            **{name: as_text(matrix) for name, matrix in matrices},
        }


def two_step_overlap(
    target: Target | str,
    activation: Activation | str,
    *,
    neurons: int = 1,
    readout: Sequence[float | sp.Expr] | Literal["symbolic"] | None = None,
    loss: Loss = "squared",
    reuse: bool = True,
    normalize: bool = False,
    start: Any = None,
    start_Q: Any = None,
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
    normalize : bool
        Scale rows back to norm sqrt(d) after each step (spherical descent): M is then the cosine M / sqrt(Q).
    start : array_like, shape (p, k), optional
        M^0, rational numbers ("1/3" as text is exact, a float the decimal that it prints as); 0 by default.
    start_Q : array_like, shape (p, p), optional
        Q^0, of rational numbers; by default rows of norm sqrt(d) that have only w* in common: M^0 M^0^T with
        diagonal 1.

    Raises
    ------
    NotPolynomialError
        If the target or the activation is not a polynomial. Under inputs of finitely many values every target with
        rational values is one.
    RebatchError
        If the loss, the number of neurons or the length of the readout is not allowed; or no rows have the overlaps
        of the start.
    TooLargeError
        If the formula may need more than 4 GiB on its way.

    References
    ----------
    [D24]; theory, 5 and 5.1; for a general start 4.
    """
    target, activation = Target(target), Activation(activation)
    reuse, normalize = checks.flag("reuse", reuse), checks.flag("normalize", normalize)
    checks.one_of("loss", loss, LOSSES)
    if not activation.is_polynomial:
        raise NotPolynomialError(
            f"activation {activation} is not a polynomial; the exact formula needs a polynomial in h"
        )
    a = checked_readout(readout, neurons)
    with bounded(len(a)):
        begin = checked_start(start, start_Q, len(a), target.k)
        size = size_of(target, activation, a, loss, begin, normalize)
        size.refuse_if_too_large(grams=normalize)
        by_letters = size.by_letters()
        return _written_out(
            target, activation, a, loss, begin, reuse=reuse, normalize=normalize, by_letters=by_letters
        )


def _written_out(
    target: Target,
    activation: Activation,
    a: tuple[sp.Expr, ...],
    loss: Loss,
    begin: Start,
    *,
    reuse: bool,
    normalize: bool,
    by_letters: bool,
) -> TwoStepOverlap:
    """Return the formula of a problem that was checked."""
    problem = StepRing(target, activation, a, loss, begin, normalize)
    step = problem.first_step()
    M1, M2 = (
        problem.overlaps(step[0]),
        problem.overlaps(problem.second_step(reuse=reuse, by_letters=by_letters)),
    )
    N1, C, Q1 = map(problem.matrix, (*step[1:], problem.first_gram()))
    scales: tuple[tuple[sp.Symbol, sp.Expr], ...] = ()
    if normalize:
        first = _scales("s", Q1)
        second = _scales("t", problem.matrix(problem.second_gram(reuse=reuse, diagonal=True)))
        M1, M2 = _scaled(M1, first), _scaled(M2, second)
        Q1 = _cosines(Q1)
        scales = (*first, *second)
    return TwoStepOverlap(
        target, activation, loss, reuse, a, (M1, M2), scales, N1, C, Q1, normalize, begin.M, begin.Q
    )


def _scales(name: str, Q: sp.Matrix) -> tuple[tuple[sp.Symbol, sp.Expr], ...]:
    """Return the symbol of 1 / sqrt(Q_jj) for every neuron, with its value."""
    symbols = sp.symbols(f"{name}1:{Q.rows + 1}", positive=True)
    return tuple((symbol, 1 / sp.sqrt(Q[j, j])) for j, symbol in enumerate(symbols))


def _scaled(M: sp.Matrix, scales: tuple[tuple[sp.Symbol, sp.Expr], ...]) -> sp.ImmutableMatrix:
    return sp.ImmutableMatrix(M.rows, M.cols, lambda j, r: sp.expand(M[j, r] * scales[j][0]))


def _cosines(Q: sp.Matrix) -> sp.ImmutableMatrix:
    return sp.ImmutableMatrix(Q.rows, Q.cols, lambda i, j: Q[i, j] / sp.sqrt(Q[i, i]) / sp.sqrt(Q[j, j]))
