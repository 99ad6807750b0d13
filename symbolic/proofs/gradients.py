"""How many directions a function has at least, by its gradients at points, in balls.

A function of P z alone, P the projection on V, has all gradients in V. So n gradients whose independence is proved
show n directions. At a point where every kink's argument is told from 0 the function is one analytic branch nearby,
and it is that branch that is differentiated and evaluated; elsewhere a point says nothing. Jumps have no gradient: a
function that is constant between them shows no direction here.

References
----------
theory, 2, where V(g) is the span of the supports of the Hermite tensors.
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from random import Random

import sympy as sp
from flint import arb, ctx, fmpq

from ..errors import RebatchError
from ..exact.ball import evaluator
from ..exact.effort import spend
from ..exact.irrational import as_expectation
from ..exact.subspace import Vector

_KINKS = (sp.Abs, sp.sign, sp.Heaviside, sp.Max, sp.Min, sp.Piecewise)
# Points are multiples of 1 / 64 in [-2, 2], where a Gaussian lives; they are the same each time.
_STEPS, _SPREAD = 64, 2
_SEED = 0
_BITS = 160
# Points for each direction: half of them are lost where a neuron is silent on a half-space.
_POINTS = 4
_SPARE = 8


class _UndecidedBranchError(Exception):
    """A point that cannot be told from a kink."""


def independent_directions(
    expr: sp.Expr, coordinates: Sequence[sp.Symbol], most: int, known: Iterable[Vector] = ()
) -> int:
    """Return how many directions of a function were proved to be independent, at most `most`; 0 proves nothing.

    Parameters
    ----------
    expr : sympy.Expr
        A function of the coordinates.
    coordinates : sequence of symbols
    most : int
        An upper bound on what there can be: the search ends there.
    known : iterable of vectors
        Some of its directions, to which gradients are added.

    Examples
    --------
    >>> x, y = sp.symbols("z1 z2", real=True)
    >>> independent_directions(sp.tanh(x) * sp.tanh(y), (x, y), 2)
    2
    >>> independent_directions(sp.tanh(x + y) ** 2 + 1 / sp.cosh(x + y) ** 2, (x, y), 1)
    0
    """
    draw = Random(_SEED)
    rows: list[list[arb]] = []
    gradient = lru_cache(maxsize=None)(lambda branch: _gradient(branch, coordinates))
    with ctx.workprec(_BITS):
        for v in known:
            _add_independent(rows, [as_expectation(x).ball(_BITS) for x in v])
        for _ in range(_POINTS * most + _SPARE):
            if len(rows) >= most:
                break
            numbers = [draw.randint(-_SPREAD * _STEPS, _SPREAD * _STEPS) for _ in coordinates]
            point = [arb(fmpq(n, _STEPS)) for n in numbers]
            spend(len(coordinates))
            try:
                branch = _branch(expr, partial(_value, coordinates, point))
                row = [derivative(point, False) for derivative in gradient(branch)]
            except _UndecidedBranchError:
                continue
            except RebatchError:  # a function without balls
                break
            _add_independent(rows, row)
    return len(rows)


def _value(coordinates: Sequence[sp.Symbol], point: Sequence[arb], u: sp.Expr) -> arb:
    return evaluator(u, coordinates)(point, False)


def _gradient(branch: sp.Expr, coordinates: Sequence[sp.Symbol]) -> list[Callable[..., arb]]:
    return [evaluator(branch.diff(z), coordinates) for z in coordinates]


def _add_independent(rows: list[list[arb]], row: list[arb]) -> None:
    """Add a row, reduced by those before it, if it is shown to be independent of them."""
    for known in rows:
        pivot = _pivot(known)
        factor = row[pivot] / known[pivot]
        row = [
            arb(0) if j == pivot else x - factor * y for j, (x, y) in enumerate(zip(row, known, strict=True))
        ]
    if all(x.is_finite() for x in row) and abs(row[_pivot(row)]) > 0:
        rows.append(row)


def _pivot(row: Sequence[arb]) -> int:
    """Return where the entry that is farthest from 0 stands."""
    return max(range(len(row)), key=lambda j: abs(row[j]).lower())


def _branch(expr: sp.Expr, at: Callable[[sp.Expr], arb]) -> sp.Expr:
    """Return the analytic expression that equals `expr` near a point at which `at` evaluates."""
    if not expr.has(*_KINKS):
        return expr
    if isinstance(expr, sp.Piecewise):
        for value, condition in expr.args:
            if _holds(condition, at):
                return _branch(value, at)
        raise _UndecidedBranchError
    parts = [_branch(part, at) for part in expr.args]
    if isinstance(expr, sp.Max | sp.Min):
        side = 1 if isinstance(expr, sp.Max) else -1
        best = parts[0]
        for part in parts[1:]:
            best = part if _sign(side * (part - best), at) > 0 else best
        return best
    if isinstance(expr, sp.Abs):
        return _sign(parts[0], at) * parts[0]
    if isinstance(expr, sp.sign | sp.Heaviside):
        return expr.func(sp.Integer(_sign(parts[0], at)), *parts[1:])
    return expr.func(*parts)


def _holds(condition: sp.Basic, at: Callable[[sp.Expr], arb]) -> bool:
    """Return whether a condition holds near the point."""
    if condition in (sp.true, sp.false):
        return bool(condition)
    if isinstance(condition, sp.And | sp.Or):
        return (all if isinstance(condition, sp.And) else any)(_holds(c, at) for c in condition.args)
    if isinstance(condition, sp.Not):
        return not _holds(condition.args[0], at)
    sign = _sign(_branch(condition.lhs - condition.rhs, at), at)
    if sign == 0:
        return isinstance(condition, sp.Eq | sp.GreaterThan | sp.LessThan)
    greater = isinstance(condition, sp.StrictGreaterThan | sp.GreaterThan)
    return isinstance(condition, sp.Ne) or (not isinstance(condition, sp.Eq) and (sign > 0) == greater)


def _sign(u: sp.Expr, at: Callable[[sp.Expr], arb]) -> int:
    """Return the sign of an analytic expression near the point: 0 if it is 0 everywhere."""
    if u.is_zero:
        return 0
    value = at(u)
    if value > 0 or value < 0:
        return 1 if value > 0 else -1
    raise _UndecidedBranchError
