"""The network of a two-step formula: its loss, its second layer, its start."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from numbers import Rational
from typing import Any, Literal

import sympy as sp

from .. import checks
from ..errors import RebatchError
from ..language.parse import parse

Loss = Literal["squared", "correlation"]


LOSSES: tuple[Loss, ...] = ("squared", "correlation")


def default_readout(neurons: int) -> tuple[sp.Expr, ...]:
    """Return a_j = (-1)^j / sqrt(p), j = 0 … p - 1 (theory, 1)."""
    return tuple((-1) ** j / sp.sqrt(neurons) for j in range(neurons))


def checked_readout(readout: Sequence[float | sp.Expr] | str | None, neurons: int) -> tuple[sp.Expr, ...]:
    """Return the second layer as exact numbers, or as the symbols a1 … ap for "symbolic".

    Raises
    ------
    RebatchError
        If there are not p of them, or one is no finite number.
    """
    neurons = checks.integer("neurons", neurons, least=1)
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
class Start:
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


def checked_start(start: Any, start_Q: Any, p: int, k: int) -> Start:
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
    begin = Start(sp.ImmutableMatrix(M), sp.ImmutableMatrix(Q))
    if not Q.is_symmetric() or not begin.rest.is_positive_semidefinite:
        raise RebatchError(
            f"the start has M^0 = {M.tolist()} and Q^0 = {Q.tolist()}; allowed are Q^0 symmetric with "
            "Q^0 - M^0 M^0^T positive semidefinite"
        )
    return begin


def _rational_matrix(name: str, values: Any, shape: tuple[int, int]) -> sp.Matrix:
    """Return values as a matrix of rational numbers."""
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
