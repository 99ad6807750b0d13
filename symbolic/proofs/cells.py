"""Whether a piecewise polynomial is 0: on every cell that its kinks cut out of R^k, or the cell is proved empty.

    |z1 + z2| + |z1 - z2| = 2 max(|z1|, |z2|)

A function sum_S P_S(z) prod_{j in S} 1{u_j.z > b_j} is the polynomial sum_{S open} P_S on the cell of each pattern of
open and closed steps. It is 0 almost everywhere if and only if these vanish on all cells that are not empty. That
s_j (u_j.z - b_j) > 0 has no solution is proved by weights lambda >= 0, not all 0, with

    sum_j lambda_j s_j u_j = 0   and   sum_j lambda_j s_j b_j >= 0        (Gordan, Farkas),

which a linear program finds in floating point and rational arithmetic confirms.
"""

from collections.abc import Sequence

import numpy as np
import sympy as sp
from flint import fmpq, fmpq_mat

from ..calculus.algebra import Element
from ..calculus.gaussian import with_average
from ..errors import RebatchError
from ..exact.effort import effort, spend

# 2^n patterns at most, nearly all of them cut short: kinks beyond are too many.
_MOST_STEPS = 12
_EFFORT = 400_000
_PER_CELL = 2000
_SUPPORT = 1e-9

Side = tuple[tuple[fmpq, ...], fmpq]


def is_zero_on_cells(expr: sp.Expr) -> bool:
    """Whether an expression with kinks along rational hyperplanes is proved to be 0 almost everywhere.

    Examples
    --------
    >>> x, y = sp.symbols("z1 z2", real=True)
    >>> is_zero_on_cells(abs(x + y) + abs(x - y) - 2 * sp.Max(abs(x), abs(y)))
    True
    >>> is_zero_on_cells(abs(x + y) + abs(x - y) - 2 * abs(x))
    False
    """
    try:
        with effort(_EFFORT):
            return with_average(expr, lambda average: _vanishes(average.g))
    except RebatchError:
        spend(0)
        return False


def _vanishes(f: Element) -> bool:
    """Whether an element vanishes on every cell of its steps."""
    algebra = f.algebra
    steps = [j for j in algebra.used(f) if algebra.slots[j].kind == "step"]
    if len(steps) > _MOST_STEPS:
        return False
    sides: dict[int, Side] = {}
    for j in steps:
        entries = [*algebra.slots[j].direction, algebra.threshold(j)]
        if not all(x == 0 or x.is_constant() for x in entries):
            return False
        *u, b = (fmpq(0) if x == 0 else x.leading_coefficient() for x in entries)
        sides[j] = tuple(u), b

    def on_cell(f: Element, known: Sequence[Side]) -> bool:
        """Whether f vanishes where the known sides are positive."""
        if f.is_zero():
            return True
        spend(_PER_CELL)
        if known and _is_empty(known):
            return True
        step = next((j for j in algebra.used(f) if j in sides), None)
        if step is None:
            return False
        (u, b), opposite = sides[step], (tuple(-x for x in sides[step][0]), -sides[step][1])
        return all(
            on_cell(algebra.with_steps(f, {step: value}), (*known, side))
            for value, side in ((1, (u, b)), (0, opposite))
        )

    return on_cell(f, ())


def _is_empty(sides: Sequence[Side]) -> bool:
    """Whether it is proved that no z has u.z > b for all sides (u, b)."""
    from scipy.optimize import linprog  # noqa: PLC0415 - few targets come here, and it loads slowly

    A = np.array([[float(x) for x in u] for u, _ in sides])
    b = np.array([float(x) for _, x in sides])
    equations = np.vstack([A.T, np.ones(len(sides))])
    found = linprog(-b, A_eq=equations, b_eq=np.append(np.zeros(A.shape[1]), 1.0), method="highs-ds")
    if found.x is None or -found.fun < -_SUPPORT:
        return False
    support = [i for i, weight in enumerate(found.x) if weight > _SUPPORT]
    weights = _relation([sides[i][0] for i in support])
    if weights is None:
        return False
    return bool(sum((w * sides[i][1] for w, i in zip(weights, support, strict=True)), fmpq(0)) >= 0)


def _relation(vectors: Sequence[tuple[fmpq, ...]]) -> list[fmpq] | None:
    """Return positive weights with which vectors add up to 0; None unless they are unique up to a factor."""
    reduced, rank = fmpq_mat([list(column) for column in zip(*vectors, strict=True)]).rref()
    if rank != len(vectors) - 1:
        return None
    # The one free column; the others are solved for.
    pivots = [next(j for j in range(len(vectors)) if reduced[i, j] != 0) for i in range(rank)]
    free = next(j for j in range(len(vectors)) if j not in pivots)
    weights = [fmpq(0)] * len(vectors)
    weights[free] = fmpq(1)
    for i, j in enumerate(pivots):
        weights[j] = -reduced[i, free]
    return weights if all(w > 0 for w in weights) else None
