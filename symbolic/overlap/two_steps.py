"""The overlap after one and two gradient steps, as exact formulas, for polynomial activation and target.

Theory, 5 (Two-step overlap in closed form), with the start of theory 4: h^0 = M^0 z + e, z ~ N(0, I) and
e ~ N(0, S) independent, S = Q^0 - M^0 M^0^T (by default M^0 = 0 and Q^0 = I, so that e = h^0 is standard normal).

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

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache, cached_property, reduce
from numbers import Rational
from operator import add, mul
from typing import Any, Literal

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mpoly
from numpy.typing import ArrayLike, NDArray
from sympy.printing.pycode import pycode

from ..calculus.gaussian import moments, smoothed
from ..errors import NotPolynomialError, RebatchError
from ..exact.polynomial import rational, ring, to_polynomial
from ..language.parse import ACTIVATION_VARIABLE, parse
from ..language.target import Target, compiled
from .activation import Activation
from .size import Size

Loss = Literal["squared", "correlation"]
LOSSES: tuple[Loss, ...] = ("squared", "correlation")

Matrix = list[list[fmpq_mpoly]]

# The highest power of eta that is looked at where rows are normalised.
_HIGHEST = 8

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
        start = _Start(self.M0, self.Q0)
        size = _size(self.target, self.activation, self.readout, self.loss, start, self.normalize)
        size.refuse_if_too_large(grams=True)
        problem = _Problem(self.target, self.activation, self.readout, self.loss, start, self.normalize)
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
        """Return both matrices in LaTeX, after the scales where rows are normalised; ascending powers of eta."""
        lines = [
            rf"{in_latex(symbol)} = \left({ascending(1 / value**2, in_latex)}\right)^{{-1/2}}"
            for symbol, value in self.scales
        ]
        matrices = enumerate(map(matrix_in_latex, self.in_scales), start=1)
        return "\n".join([*lines, *(f"M^{{{step}}} = {matrix}" for step, matrix in matrices)])

    def _repr_latex_(self) -> str:
        return f"$${self.latex()}$$"

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
            "activation": self.activation.name,
            "loss": self.loss,
            "reuse": self.reuse,
            "readout": [str(a) for a in self.readout],
            "how": "exact",
            "normalize": self.normalize,
            "scales": {str(symbol): str(value) for symbol, value in self.scales},
            **{name: as_text(matrix) for name, matrix in matrices},
        }


def as_text(matrix: sp.Matrix) -> list[list[str]]:
    """Return the entries of a matrix as text, by rows."""
    return [[str(x) for x in row] for row in matrix.tolist()]


def ascending(polynomial: sp.Expr, written: Callable[[sp.Expr], str] = str) -> str:
    """Return a sum of monomials as text, by ascending powers of eta: the leading term comes first."""
    terms = [sp.factor_terms(c) * ETA**n for n, c in by_power(polynomial)]
    return " + ".join(map(written, terms)).replace("+ -", "- ").replace("-  ", "- ") or "0"


def matrix_in_latex(matrix: sp.Matrix) -> str:
    """Return a matrix of sums of monomials in LaTeX, each entry by ascending powers of eta."""
    rows = (" & ".join(ascending(x, in_latex) for x in matrix.row(j)) for j in range(matrix.rows))
    return r"\left[\begin{matrix}" + r" \\ ".join(rows) + r"\end{matrix}\right]"


def in_latex(x: sp.Expr) -> str:
    """Return an expression in the parameters, and in moments such as E[h sigma'^2], in LaTeX."""
    names = {symbol: _moment_in_latex(str(symbol)) for symbol in x.free_symbols if str(symbol)[:2] == "E["}
    return str(sp.latex(x, symbol_names={LAM: r"\lambda", **names}))


def _moment_in_latex(name: str) -> str:
    """Return E[h^2 sigma'^2 sigma^(4)] in LaTeX; the power of a derivative stands outside a bracket."""
    text = re.sub(r"sigma\^\((\d+)\)", r"sigma^{(\1)}", name[2:-1])
    text = re.sub(r"(sigma(?:'+|\^\{\(\d+\)\}))\^(\d+)", r"\\left(\1\\right)^{\2}", text)
    text = re.sub(r"\^(\d+)", r"^{\1}", re.sub(r"\bz(\d+)", r"z_{\1}", text))
    return r"\mathbb{E}\left[" + text.replace("sigma", r"\sigma") + r"\right]"


def by_power(polynomial: sp.Expr) -> list[tuple[int, sp.Expr]]:
    """Return the powers of eta that occur in a sum of monomials, ascending, with their coefficients."""
    found: dict[int, list[sp.Expr]] = {}
    for monomial in sp.Add.make_args(polynomial):
        rest, power = monomial.as_independent(ETA, as_Add=False)
        found.setdefault(int(power.as_base_exp()[1]) if power != 1 else 0, []).append(rest)
    coefficients = ((n, sp.Add(*found[n])) for n in sorted(found))
    return [(n, c) for n, c in coefficients if c != 0]


def _inverse_root(Q: sp.Expr, order: int) -> sp.Expr:
    """Return Q^(-1/2) up to a power of eta, for a sum of monomials: (Q_0)^(-1/2) (1 + x)^(-1/2), x = O(eta)."""
    powers = dict(by_power(Q))
    if 0 not in powers:
        raise RebatchError("a row of the start is 0: normalised, it has no power series in eta")
    x = sp.Add(*(c / powers[0] * ETA**n for n, c in powers.items() if 0 < n <= order))
    term = total = sp.Integer(1)
    for i in range(1, order + 1):
        term = sp.Add(*(c * ETA**n for n, c in by_power(sp.expand(term * x)) if n <= order))
        total += sp.binomial(sp.Rational(-1, 2), i) * term
    return total / sp.sqrt(powers[0])


def _nested_in_eta(polynomial: sp.Expr) -> sp.Expr:
    """Return a sum of monomials in Horner form in eta: the coefficients stay as they are."""
    result, above = sp.Integer(0), 0
    for n, coefficient in reversed(by_power(polynomial)):
        result, above = coefficient + ETA ** (above - n) * result, n
    return result * ETA**above


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
        If the target or the activation is not a polynomial.
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
    if loss not in LOSSES:
        raise RebatchError(f"loss = {loss!r}; allowed are {', '.join(LOSSES)}")
    if not activation.is_polynomial:
        raise NotPolynomialError(
            f"activation {activation} is not a polynomial; the exact formula needs a polynomial in h"
        )
    a = checked_readout(readout, neurons)
    begin = _checked_start(start, start_Q, len(a), target.k)
    _size(target, activation, a, loss, begin, normalize).refuse_if_too_large(grams=normalize)
    problem = _Problem(target, activation, a, loss, begin, normalize)
    M1, N1, C = map(problem.matrix, problem.first_step())
    M2, Q1 = problem.matrix(problem.second_step(reuse=reuse)), problem.matrix(problem.first_gram())
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


def checked_readout(readout: Sequence[float | sp.Expr] | str | None, neurons: int) -> tuple[sp.Expr, ...]:
    """Return the second layer as exact numbers, or as the symbols a1 … ap for "symbolic".

    Raises
    ------
    RebatchError
        If there are not p of them, or one is no finite number.
    """
    if isinstance(neurons, bool) or not (isinstance(neurons, int | np.integer) and neurons >= 1):
        raise RebatchError(f"neurons = {neurons!r}; allowed are integers >= 1")
    if readout is None:
        return default_readout(neurons)
    if isinstance(readout, str):
        if readout != "symbolic":
            raise RebatchError(f"readout = {readout!r}; allowed are numbers, 'symbolic' or None")
        return tuple(sp.symbols(f"a1:{neurons + 1}", real=True))
    allowed = f"allowed are {neurons} finite numbers, one per neuron"
    try:
        a = tuple(map(constant, readout))
    except (TypeError, ValueError, OverflowError):
        raise RebatchError(f"readout = {readout!r}; {allowed}") from None
    if len(a) != neurons:
        raise RebatchError(f"the readout has {len(a)} entries; {allowed}")
    return a


@dataclass(frozen=True)
class _Start:
    """M^0 (p x k) and Q^0 (p x p), rational."""

    M: sp.ImmutableMatrix
    Q: sp.ImmutableMatrix

    @cached_property
    def rest(self) -> sp.ImmutableMatrix:
        """S = Q^0 - M^0 M^0^T, the covariance of the part e of h^0 outside z."""
        return self.Q - self.M * self.M.T

    @property
    def is_orthonormal(self) -> bool:
        """Whether M^0 = 0 and Q^0 = I."""
        return bool(self.M.is_zero_matrix) and sp.eye(self.Q.rows) == self.Q


def _checked_start(start: Any, start_Q: Any, p: int, k: int) -> _Start:
    """Return the start as exact numbers.

    Raises
    ------
    RebatchError
        If an entry is no rational number, a shape does not fit, or no rows have these overlaps.
    """
    if start is None and start_Q is not None:
        raise RebatchError("start_Q is given, but no start; allowed with a given M^0")
    M = sp.zeros(p, k) if start is None else _rational_matrix("start", start, (p, k))
    if start_Q is None:
        Q = (M * M.T).as_mutable()
        for j in range(p):
            Q[j, j] = 1
    else:
        Q = _rational_matrix("start_Q", start_Q, (p, p))
    begin = _Start(sp.ImmutableMatrix(M), sp.ImmutableMatrix(Q))
    if not Q.is_symmetric() or not begin.rest.is_positive_semidefinite:
        raise RebatchError(
            f"the start has M^0 = {M.tolist()} and Q^0 = {Q.tolist()}; allowed are Q^0 symmetric with "
            "Q^0 - M^0 M^0^T positive semidefinite"
        )
    return begin


def _rational_matrix(name: str, values: Any, shape: tuple[int, int]) -> sp.Matrix:
    allowed = f"allowed are {shape[0]} rows of {shape[1]} rational numbers"
    rows = values.tolist() if hasattr(values, "tolist") else values
    try:
        matrix = sp.Matrix([[constant(x) for x in row] for row in rows])
    except (TypeError, ValueError, OverflowError):
        raise RebatchError(f"{name} = {values!r}; {allowed}") from None
    if matrix.shape != shape or not all(x.is_Rational for x in matrix):
        raise RebatchError(f"{name} = {rows}; {allowed}")
    return matrix


def constant(value: Any) -> sp.Expr:
    """Return a number as it is meant: fractions and expressions exactly, text through the parser, floats as printed.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If it is none.

    Examples
    --------
    >>> constant("1/sqrt(2)"), constant(Fraction(1, 3)), constant(0.1)
    (sqrt(2)/2, 1/3, 1/10)
    """
    if isinstance(value, str):
        value = parse(value)
        if value.free_symbols:
            raise ValueError(f"{value} is no number")
    if isinstance(value, sp.Expr):
        return value
    if isinstance(value, Rational):
        return sp.Rational(int(value.numerator), int(value.denominator))
    return exact(float(value))


def exact(value: float) -> sp.Rational:
    """Return a float as the decimal number it prints as: 0.1 is 1/10."""
    return sp.Rational(Fraction(repr(float(value))))


def _size(
    target: Target,
    activation: Activation,
    readout: tuple[sp.Expr, ...],
    loss: Loss,
    begin: "_Start",
    normalize: bool,
) -> Size:
    """Return what the size of the formula depends on.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial.
    """
    g = to_polynomial(target.expr, target.coordinates)
    return Size(
        k=target.k + (target.noise_std > 0),
        p=len(readout),
        target=max(0, int(g.total_degree())),
        activation=max(0, int(sp.degree(activation.expr, ACTIVATION_VARIABLE))),
        squared=loss == "squared",
        scales=len({i for i, _ in _common_scales(readout)[0]}),
        orthonormal=begin.is_orthonormal,
        norms=normalize,
    )


def _dot(a: Sequence[fmpq_mpoly], b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    return reduce(add, map(mul, a, b))


def _form(a: Sequence[fmpq_mpoly], matrix: Matrix, b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    """Return a^T A b."""
    return _dot(a, [_dot(row, b) for row in matrix])


class _Problem:
    """The ring in which one two-step problem is computed.

    Its variables: the latent z (k), the fields h (p) and the label noise xi, over which expectations are taken;
    then the parameters alpha, eta, lam and the independent readout symbols, which remain.
    """

    def __init__(
        self,
        target: Target,
        activation: Activation,
        readout: tuple[sp.Expr, ...],
        loss: Loss,
        start: _Start,
        normalize: bool = False,
    ) -> None:
        self.k, self.p, self.loss = target.k, len(readout), loss
        self.start = start
        # Neurons whose readouts have a rational ratio share one symbol: the default readout needs only one.
        ratios, self._scales = _common_scales(readout)
        self._gaussians = self.k + self.p + 1
        fields = [f"h{j + 1}" for j in range(self.p)]
        latent = [str(z) for z in target.coordinates]
        scales = [f"a{i + 1}" for i in range(len(self._scales))]
        norms = [f"norm{j + 1}" for j in range(self.p)] if normalize else []
        self.ring = ring([*fields, *latent, "xi", "alpha", "eta", "lam", *scales, *norms])
        generators = self.ring.gens()
        self.h = generators[: self.p]
        self.z = generators[self.p : self.p + self.k]
        self.alpha, self.eta, self.lam = generators[self._gaussians : self._gaussians + 3]
        symbols = generators[self._gaussians + 3 :]
        # 1 / |w^1_j|, put in as a symbol: the second step is a polynomial in it.
        self.norm = symbols[len(scales) :] if normalize else [self.ring.constant(1)] * self.p
        self.a = [symbols[i] * ratio for i, ratio in ratios]
        g = to_polynomial(target.expr, target.coordinates).compose(*self.z, ctx=self.ring)
        noise = exact(target.noise_std)
        self.y = g + generators[self._gaussians - 1] * fmpq(int(noise.p), int(noise.q))
        self._sigma = to_polynomial(activation.expr, (ACTIVATION_VARIABLE,))
        self.zero = self.ring.constant(0)
        self.M0, self.S, self.S_inverse = (
            [[self._constant(x) for x in matrix.row(j)] for j in range(self.p)]
            for matrix in (start.M, start.rest, start.rest.pinv())
        )
        # As functions of the fields, and of z, e and the noise: there the generators h stand for e.
        self.signal = self.signals()
        self.h0 = [_dot(M, self.z) + e for M, e in zip(self.M0, self.h, strict=True)]
        self.g0 = [g.compose(*self.h0, *generators[self.p :]) for g in self.signal]
        self._values: list[sp.Expr] = [ALPHA, ETA, LAM, *self._scales]
        if normalize:
            self._values += sp.symbols(f"s1:{self.p + 1}", positive=True)

    def _constant(self, x: sp.Rational) -> fmpq_mpoly:
        return self.ring.constant(fmpq(int(x.p), int(x.q)))

    def signals(self) -> list[fmpq_mpoly]:
        """Return g_j = a_j sigma'(h_j) r as polynomials in the fields, the latent z and the noise."""
        sigma_prime = self._sigma.derivative(0)
        r = self.y
        if self.loss == "squared":
            for a, h in zip(self.a, self.h, strict=True):
                r = r - a * self._sigma.compose(h, ctx=self.ring)
        return [a * sigma_prime.compose(h, ctx=self.ring) * r for a, h in zip(self.a, self.h, strict=True)]

    def expectation(self, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        """Return E[.] over e, latent and noise, as a polynomial in the parameters."""
        if not self.start.is_orthonormal:
            generators = self.ring.gens()
            polynomial = smoothed(polynomial, self.S).compose(*[self.zero] * self.p, *generators[self.p :])
        average = moments(polynomial, self._gaussians)
        padding = (0,) * self._gaussians
        return self.ring.from_dict({padding + rest: value for rest, value in average.items()})

    @cache  # noqa: B019 - a problem lives as long as its call
    def first_step(self) -> tuple[Matrix, Matrix, Matrix]:
        """Return M^1 (p x k), N^1 (p x p) and the covariance alpha E[g^0 g^0^T] of omega (p x p)."""
        g = self.g0
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        M1 = [
            [decay * M + step * self.expectation(gj * z) for M, z in zip(row, self.z, strict=True)]
            for row, gj in zip(self.M0, g, strict=True)
        ]
        ge = [[self.expectation(gi * e) for e in self.h] for gi in g]
        N1 = [
            [decay * int(i == j) + step * _dot(ge[i], self.S_inverse[j]) for j in range(self.p)]
            for i in range(self.p)
        ]
        C = [[self.alpha * self.expectation(gi * gj) for gj in g] for gi in g]
        return M1, N1, C

    def first_gram(self) -> Matrix:
        """Return Q^1 (p x p)."""
        M1, N1, C = self.first_step()
        return [
            [_dot(M1[i], M1[j]) + _form(N1[i], self.S, N1[j]) + self.eta**2 * C[i][j] for j in range(self.p)]
            for i in range(self.p)
        ]

    def second_step(self, *, reuse: bool) -> Matrix:
        """Return M^2 = (1 - eta lam) M^1 + alpha eta E[g^1 z^T], (p x k)."""
        M1, _, _ = self.first_step()
        g1 = [self.averaged(gj, reuse=reuse) for gj in self.signal]
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        return [
            [
                decay * self.norm[j] * M1[j][r] + step * self.expectation(g1[j] * self.z[r])
                for r in range(self.k)
            ]
            for j in range(self.p)
        ]

    def averaged(self, f: fmpq_mpoly, *, reuse: bool) -> fmpq_mpoly:
        """Return E[f(h^1) | z, e, xi] for a function f of the fields: omega first, then the rest of h^1 put in."""
        M1, N1, C = self.first_step()
        s = self.norm
        noise = [[self.eta**2 * s[i] * s[j] * C[i][j] for j in range(self.p)] for i in range(self.p)]
        fields = []
        for j in range(self.p):
            A = _dot(M1[j], self.z) + _dot(N1[j], self.h)
            fields.append(s[j] * (A + self.eta * self.g0[j] if reuse else A))
        return smoothed(f, noise).compose(*fields, *self.ring.gens()[self.p :])

    def second_gram(self, *, reuse: bool, diagonal: bool = False) -> Matrix:
        """Return Q^2 (p x p), or its diagonal alone; the formula stands at :attr:`TwoStepOverlap.Q2`."""
        p, s, everyone = self.p, self.norm, range(self.p)
        C = self.first_step()[2]
        Q1 = self.first_gram()
        g1 = [self.averaged(gj, reuse=reuse) for gj in self.signal]
        gz = [[self.expectation(g * z) for z in self.z] for g in g1]
        ge = [[self.expectation(g * e) for e in self.h] for g in g1]
        D = [
            [
                self.eta * s[j] * self.expectation(self.averaged(self.signal[i].derivative(j), reuse=reuse))
                for j in everyone
            ]
            for i in everyone
        ]
        seen = [[self.expectation(a * b) * int(reuse) for b in g1] for a in self.g0]
        gf = [[self.expectation(self.averaged(g * h, reuse=reuse)) for h in self.h] for g in self.signal]
        decay = 1 - self.eta * self.lam
        result = [[self.zero] * p for _ in everyone]
        for i in everyone:
            for j in (i,) if diagonal else range(i + 1):
                gradients = _dot(gz[i], gz[j]) + _form(ge[i], self.S_inverse, ge[j]) + _form(D[i], C, D[j])
                gradients += sum((D[i][a] * seen[a][j] + seen[a][i] * D[j][a] for a in range(p)), self.zero)
                squares = self.expectation(self.averaged(self.signal[i] * self.signal[j], reuse=reuse))
                result[i][j] = result[j][i] = (
                    decay**2 * s[i] * s[j] * Q1[i][j]
                    + decay * self.eta * self.alpha * (gf[i][j] + gf[j][i])
                    + self.eta**2 * (self.alpha**2 * gradients + self.alpha * squares)
                )
        return result

    def matrix(self, entries: Matrix) -> sp.ImmutableMatrix:
        """Return a matrix of polynomials in the parameters in SymPy, the readout put in."""
        return sp.ImmutableMatrix([[self.to_expr(x) for x in row] for row in entries])

    def to_expr(self, polynomial: fmpq_mpoly) -> sp.Expr:
        """Return a polynomial in the parameters as a SymPy expression, the readout put in."""
        power = cache(lambda i, n: self._values[i] ** n)
        return sp.Add(
            *(
                sp.Mul(
                    rational(c), *(power(i, int(n)) for i, n in enumerate(exponents[self._gaussians :]) if n)
                )
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
