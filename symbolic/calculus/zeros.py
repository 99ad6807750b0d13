"""Where a function of one variable is positive and where negative: its sign on the cells of an interval, proved.

A ball of u over a cell that excludes 0 proves the sign there. Where the ball of u' excludes 0, u is monotone and the
interval Newton step N(X) = m - u(m)/u'(X) holds every zero of the cell X [Moo66, 7.3]. Other cells are split, the
widest first. Cells in which no sign could be proved are left open: the neighbourhoods of the zeros, as narrow as the
working precision allows, and all that is left when the budget is spent.

References
----------
[Moo66] Moore, "Interval Analysis", Prentice-Hall 1966.
"""

from collections.abc import Callable
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count

import sympy as sp
from flint import arb, ctx, fmpq

from ..errors import RebatchError
from ..exact.ball import evaluator
from ..exact.effort import spend

_MAX_SPLITS = 4000
# Units of work for a cell.
_PER_CELL = 100
# Not the middle, on which zeros like to lie.
_SPLITS = (fmpq(31, 64), fmpq(37, 64))

Function = Callable[[arb], arb]


@dataclass(frozen=True)
class Cell:
    """An interval between exact ends with the sign that is proved in its interior; 0: none is."""

    a: arb
    b: arb
    sign: int


def signs(u: sp.Expr, t: sp.Symbol, a: arb, b: arb) -> list[Cell]:
    """Return the sign of u(t) on cells that cover [a, b], from left to right, at the precision of the moment.

    Raises
    ------
    RebatchError
        If u has no ball arithmetic.
    """
    f, slope = _function(u, t), _derivative(u, t)
    done: list[Cell] = []
    waiting: list[tuple[float, int, arb, arb]] = []
    ticket = count()

    def put(left: arb, right: arb) -> None:
        if left < right:
            heappush(waiting, (-float(right - left), next(ticket), left, right))

    put(a.lower(), b.upper())
    for _ in range(_MAX_SPLITS):
        if not waiting:
            break
        spend(_PER_CELL)
        _, _, left, right = heappop(waiting)
        sign = _sign(f(left.union(right)))
        if sign:
            done.append(Cell(left, right, sign))
        elif (zero := _newton(f, slope, left, right)) is not None:
            done += _around(f, left, right, *zero)
        elif (middle := _split(f, left, right)) is not None:
            put(left, middle)
            put(middle, right)
        else:
            done.append(Cell(left, right, 0))
    done += [Cell(left, right, 0) for _, _, left, right in waiting]
    return _merged(sorted(done, key=lambda cell: cell.a.fmpq()))


def _function(u: sp.Expr, t: sp.Symbol) -> Function:
    evaluate = evaluator(u, [t])
    return lambda x: evaluate([x], False)


def _derivative(u: sp.Expr, t: sp.Symbol) -> Function | None:
    try:
        return _function(sp.diff(u, t), t)
    except RebatchError:
        return None


def _sign(value: arb) -> int:
    return 1 if value > 0 else -1 if value < 0 else 0


def _newton(f: Function, slope: Function | None, left: arb, right: arb) -> tuple[arb, arb] | None:
    """Return an interval, perhaps a point, that holds every zero between the ends; None unless u is monotone."""
    if slope is None:
        return None
    # Zeros at 0 could be approached without end.
    narrow = arb(2) ** -ctx.prec
    while True:
        cell = left.union(right)
        rise = slope(cell)
        if not _sign(rise):
            return None
        middle = cell.mid()
        image = middle - f(middle) / rise
        if not image.is_finite():
            return None
        a, b = left.max(image.lower()).mid(), right.min(image.upper()).mid()
        if a > b:
            # No zero at all.
            return left, left
        if b - a < narrow or not b - a < (right - left) / 2:
            return a, b
        left, right = a, b


def _around(f: Function, left: arb, right: arb, a: arb, b: arb) -> list[Cell]:
    """Return [left, right] as cells, when all zeros lie in [a, b]: beside it the sign of one point is that of all."""
    cells = [Cell(a, b, 0)] if a < b else []
    for start, end in ((left, a), (b, right)):
        if start < end:
            cells.append(Cell(start, end, _sign(f((start + (end - start) * _SPLITS[0]).mid()))))
    return cells


def _split(f: Function, left: arb, right: arb) -> arb | None:
    """Return a point between the ends at which the sign is known; None if there is no use in splitting."""
    if right - left < arb(2) ** -ctx.prec:
        return None
    for share in _SPLITS:
        point = (left + (right - left) * share).mid()
        if left < point < right and _sign(f(point)):
            return point
    return None


def _merged(cells: list[Cell]) -> list[Cell]:
    """Return the cells with neighbours of the same proved sign joined; open ones stay narrow."""
    merged: list[Cell] = []
    for cell in cells:
        if merged and cell.sign and merged[-1].sign == cell.sign:
            merged[-1] = Cell(merged[-1].a, cell.b, cell.sign)
        else:
            merged.append(cell)
    return merged
