"""The labels of a target on a grid: which points share one, and what it is, compared as exact numbers (theory, 13).

An expression is evaluated part by part, each on the coordinates that occur in it alone. Rational parts are arrays of
integers over one denominator; what is not rational, tanh(1) or sqrt(2), is computed once for every value that its
arguments take, so that equal arguments give one number. Two numbers that are written differently are told apart by
balls, or found equal by the zero test for exact constants.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from math import lcm

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..errors import TooLargeError, UndefinedFunctionError
from ..exact.ball import constant_ball, is_zero_constant
from ..exact.known import How
from ..language.target import Target
from .grid import WORD, Grid, Integers

# Combinations of arguments for which a number that is not rational is worked out one by one.
_MAX_COMPUTED = 2**13
# Bits of balls that tell numbers apart together, tanh(134) and tanh(136) among them; what they leave goes by pairs.
_BITS = (128, 512, 2048)
_ASSOCIATIVE = (sp.Add, sp.Mul, sp.Max, sp.Min)


@dataclass(frozen=True)
class Labels:
    """The labels of a target, and where they occur.

    Attributes
    ----------
    codes : ndarray of int, shape (r, …, r)
        The label of every point, as an index into `values`.
    values : tuple of sympy.Expr
        The labels, exact and all different.
    how : How
        EXACT, or NUMERIC where two labels agree to 4096 bits but are not proved equal; they count as one.
    """

    codes: NDArray[np.int64]
    values: tuple[sp.Expr, ...]
    how: How

    @property
    def count(self) -> int:
        """How many labels there are."""
        return len(self.values)

    @property
    def are_rational(self) -> bool:
        """Whether every label is a rational number."""
        return all(y.is_Rational for y in self.values)

    def merged(self, keys: Sequence[object]) -> NDArray[np.int64]:
        """Return codes under which labels with equal keys are one."""
        order = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        return np.array([order[key] for key in keys])[self.codes]


@dataclass(frozen=True)
class _Rational:
    """Rational values, numerators / denominator; an axis for each coordinate, of length 1 where it is absent."""

    numerators: Integers
    denominator: int


@dataclass(frozen=True)
class _Coded:
    """Any values: an index at every point, and the numbers."""

    codes: NDArray[np.int64]
    values: tuple[sp.Expr, ...]


_Part = _Rational | _Coded


def labels_of(target: Target, grid: Grid) -> Labels:
    """Return the labels of a target at every point of a grid, without noise.

    Raises
    ------
    UndefinedFunctionError
        If the target is not a real number at one of the points.
    TooLargeError
        If more than 8192 numbers would have to be worked out that are not rational.
    """
    coordinates = {z: i for i, z in enumerate(target.coordinates)}
    part = _Evaluation(target, grid, coordinates).part(target.expr)
    if isinstance(part, _Rational):
        numerators = np.broadcast_to(part.numerators, grid.shape)
        found, codes = np.unique(numerators, return_inverse=True)
        values = tuple(sp.Rational(int(x), part.denominator) for x in found)
        return Labels(codes.reshape(grid.shape), values, How.EXACT)
    kept, renamed, how = distinct(part.values)
    return Labels(np.broadcast_to(renamed[part.codes], grid.shape), kept, how)


class _Evaluation:
    """One target on its grid; each part of the expression is worked out once."""

    def __init__(self, target: Target, grid: Grid, coordinates: dict[sp.Symbol, int]) -> None:
        self.target, self.grid, self.coordinates = target, grid, coordinates
        self._known: dict[sp.Expr, _Part] = {}

    def part(self, expr: sp.Expr) -> _Part:
        """Return the values of a part of the expression."""
        if expr not in self._known:
            self._known[expr] = self._worked_out(expr)
        return self._known[expr]

    def _worked_out(self, expr: sp.Expr) -> _Part:
        """Return the values of an expression on the grid, along the coordinates that it depends on."""
        flat = (1,) * self.grid.k
        if expr.is_Rational:
            return _rational([expr], np.zeros(flat, dtype=np.int64))
        if expr in self.coordinates:
            axis = self.coordinates[expr]
            r = self.grid.shape[axis]
            place = np.arange(r).reshape(tuple(r if i == axis else 1 for i in range(self.grid.k)))
            return _rational([a for a, _ in self.grid.law.at(axis).atoms], place)
        if expr.is_number:
            return _Coded(np.zeros(flat, dtype=np.int64), (self._real(expr, expr),))
        arguments = [self.part(argument) for argument in expr.args]
        if all(isinstance(argument, _Rational) for argument in arguments):
            vectorised = _in_integers(expr, arguments)  # type: ignore[arg-type]
            if vectorised is not None:
                return vectorised
        if isinstance(expr, _ASSOCIATIVE):
            # Pair by pair: few combinations, where the sum so far takes few values.
            return reduce(lambda left, right: self._combined(expr.func, [left, right], expr), arguments)
        return self._combined(expr.func, arguments, expr)

    def _combined(self, function: type[sp.Expr], arguments: Sequence[_Part], expr: sp.Expr) -> _Part:
        """Return a function at every combination of values that its arguments take."""
        coded = [_coded(argument) for argument in arguments]
        sizes = [len(argument.values) for argument in coded]
        # One number for each combination of codes.
        joint = np.zeros((1,) * self.grid.k, dtype=np.int64)
        for argument, size in zip(coded, sizes, strict=True):
            joint = joint * size + argument.codes
        found, codes = np.unique(joint, return_inverse=True)
        if len(found) > _MAX_COMPUTED:
            raise TooLargeError(
                f"{self.target}: {expr.func.__name__} takes {len(found):,} combinations of values that are not all "
                f"rational; allowed are {_MAX_COMPUTED:,}"
            )
        numbers = []
        for combination in zip(*np.unravel_index(found, sizes), strict=True):
            values = [argument.values[i] for argument, i in zip(coded, combination, strict=True)]
            numbers.append(self._real(function(*values), expr))
        different = tuple(dict.fromkeys(numbers))
        order = {value: i for i, value in enumerate(different)}
        codes = np.array([order[value] for value in numbers])[codes].reshape(joint.shape)
        if all(value.is_Rational for value in different):
            return _rational(different, codes)
        return _Coded(codes, different)

    def _real(self, value: sp.Expr, expr: sp.Expr) -> sp.Expr:
        if value.has(sp.zoo, sp.nan, sp.oo, -sp.oo, sp.I) or value.is_real is False:
            raise UndefinedFunctionError(
                f"{expr} is not a real number at some of the values of the inputs ({self.grid.law})"
            )
        return value


def _rational(values: Sequence[sp.Rational], codes: NDArray[np.int64]) -> _Rational:
    """Return rational values over their common denominator."""
    denominator = lcm(*(int(x.q) for x in values))
    numerators = [int(x.p) * (denominator // int(x.q)) for x in values]
    return _Rational(_fitting(numerators)[codes], denominator)


def _fitting(numerators: Sequence[int]) -> Integers:
    return np.array(numerators, dtype=np.int64 if max(map(abs, numerators)) < WORD else np.object_)


def _coded(part: _Part) -> _Coded:
    if isinstance(part, _Coded):
        return part
    found, codes = np.unique(part.numerators, return_inverse=True)
    values = tuple(sp.Rational(int(x), part.denominator) for x in found)
    return _Coded(codes.reshape(part.numerators.shape), values)


def _size(x: Integers) -> int:
    return max(abs(int(x.max())), abs(int(x.min())))


def _wide(bound: int, *arrays: Integers) -> list[Integers]:
    """Return integers in machine words where results up to `bound` fit them, else as Python's."""
    return [x if bound < WORD else x.astype(np.object_) for x in arrays]


def _in_integers(expr: sp.Expr, arguments: Sequence[_Rational]) -> _Rational | None:
    """Return sums, products, powers, Min, Max, abs and sign of rational values; None for any other function."""
    if expr.is_Add or isinstance(expr, sp.Max | sp.Min):
        denominator = lcm(*(x.denominator for x in arguments))
        factors = [denominator // x.denominator for x in arguments]
        bound = sum(_size(x.numerators) * f for x, f in zip(arguments, factors, strict=True))
        terms = _wide(bound, *(x.numerators for x in arguments))
        scaled = [x * f for x, f in zip(terms, factors, strict=True)]
        together = np.add if expr.is_Add else np.maximum if isinstance(expr, sp.Max) else np.minimum
        return _Rational(reduce(together, scaled), denominator)
    if expr.is_Mul:
        total = arguments[0]
        for x in arguments[1:]:
            left, right = _wide(_size(total.numerators) * _size(x.numerators), total.numerators, x.numerators)
            total = _Rational(left * right, total.denominator * x.denominator)
        return total
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 0:
        n = int(expr.exp)
        (base,) = _wide(_size(arguments[0].numerators) ** n, arguments[0].numerators)
        return _Rational(base**n, arguments[0].denominator ** n)
    if isinstance(expr, sp.Abs):
        return _Rational(np.abs(arguments[0].numerators), arguments[0].denominator)
    if isinstance(expr, sp.sign):
        signed = arguments[0].numerators
        return _Rational((signed > 0).astype(np.int64) - (signed < 0).astype(np.int64), 1)
    return None


def distinct(values: Sequence[sp.Expr]) -> tuple[tuple[sp.Expr, ...], NDArray[np.int64], How]:
    """Return numbers that are all different, in rising order, and the place of each given one among them."""
    for bits in _BITS:
        balls = [constant_ball(x, bits) for x in values]
        order = sorted(range(len(values)), key=lambda i: balls[i].mid())
        if not any(balls[i].overlaps(balls[j]) for i, j in pairwise(order)):
            break
    kept: list[int] = []
    renamed = np.zeros(len(values), dtype=np.int64)
    how = How.EXACT
    for i in order:
        renamed[i] = len(kept)
        # Those that a ball does not tell apart stand together in this order.
        for place in range(len(kept) - 1, -1, -1):
            if not balls[i].overlaps(balls[kept[place]]):
                break
            equal = is_zero_constant(values[i] - values[kept[place]])
            if equal is not False:
                renamed[i] = place
                how = how if equal else How.NUMERIC
                break
        if renamed[i] == len(kept):
            kept.append(i)
    return tuple(values[i] for i in kept), renamed, how
