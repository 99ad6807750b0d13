"""Whether a function is defined for every z: log and roots of what is positive, quotients and tan without poles.

Each such part is proved to be defined or refused with its name and a place where it is not.
"""

from functools import lru_cache
from itertools import pairwise

import numpy as np
import sympy as sp
from flint import arb, fmpq

from ..errors import RebatchError, UndefinedFunctionError
from ..exact.ball import evaluator
from ..exact.effort import spend
from ..exact.polynomial import is_polynomial
from ..language.compiled import compiled
from .ranges import Range, range_of
from .tail import T, minorant

_GRID = 2001
_REACH = 12.0
_MAX_PIECES = 4000
# Polynomials with longer coefficients are not factored.
_MAX_BITS = 1024
# Units of work for a piece.
_PER_PIECE = 30


def require_defined(expr: sp.Expr) -> None:
    """Check that every part of an expression is a real function on all of R^k.

    Raises
    ------
    UndefinedFunctionError
        If a logarithm, root, quotient or tangent is not defined somewhere, or cannot be shown to be defined; the
        message names it and the place.
    """
    for part in sp.preorder_traversal(expr):
        if not part.free_symbols:
            continue
        if isinstance(part, sp.log):
            _require(part, part.args[0], "positive")
        elif isinstance(part, sp.tan):
            _require(part, sp.cos(part.args[0]), "nonzero")
        elif part.is_Pow and part.base.free_symbols:
            fixed = part.exp.is_number and part.exp.is_real
            if fixed and (part.exp - sp.floor(part.exp)).is_zero:
                if part.exp < 0:
                    _require(part, part.base, "nonzero")
            else:
                _require(part, part.base, "nonnegative" if fixed and part.exp > 0 else "positive")


@lru_cache(maxsize=1024)
def _require(part: sp.Expr, u: sp.Expr, need: str) -> None:
    """Check that u is positive, nonnegative or nonzero everywhere."""
    if _is_met(range_of(u), need):
        return
    while need == "nonzero" and isinstance(u, sp.Abs):
        u = u.args[0]
    symbols = tuple(sorted(u.free_symbols, key=str))
    if is_polynomial(u, symbols) and (decided := _polynomial_meets(u, symbols, need)) is not None:
        if not decided:
            raise _undefined(part, _violation_of_polynomial(u, symbols[0], need))
        return
    place = _violation_on_grid(u, symbols, need)
    if place is not None:
        raise _undefined(part, place)
    if not (len(symbols) == 1 and _excludes_zero(u, symbols[0])):
        raise UndefinedFunctionError(f"{_named(part)} could not be shown to be defined for every z")


def _is_met(u: Range, need: str) -> bool:
    return u.nonnegative if need == "nonnegative" else u.sign > 0 or (need == "nonzero" and u.sign < 0)


def _undefined(part: sp.Expr, place: str) -> UndefinedFunctionError:
    return UndefinedFunctionError(
        f"{_named(part)} is not defined at {place}; allowed are functions that are real for every z"
    )


def _named(part: sp.Expr) -> str:
    if part.is_Pow and part.exp == -1:
        return f"1/({part.base})" if part.base.is_Add else f"1/{part.base}"
    return str(part)


def _polynomial_meets(u: sp.Expr, symbols: tuple[sp.Symbol, ...], need: str) -> bool | None:
    """Whether a polynomial is positive, nonnegative or not 0 everywhere: exact in one variable, else by squares.

    It changes its sign at the real zeros of its factors of odd multiplicity, and at no other place.
    """
    numbers = u.atoms(sp.Rational)
    if any(max(abs(int(x.p)), int(x.q)).bit_length() > _MAX_BITS for x in numbers):
        return None
    content, factors = sp.factor_list(u, *symbols)
    squares = all(multiplicity % 2 == 0 for _, multiplicity in factors)
    if len(symbols) > 1:
        return True if need == "nonnegative" and squares and content > 0 else None
    real = [(sp.Poly(f, *symbols).count_roots() > 0, multiplicity) for f, multiplicity in factors]
    if need != "nonnegative" and any(has_zeros for has_zeros, _ in real):
        return False
    if any(has_zeros and multiplicity % 2 for has_zeros, multiplicity in real):
        return False
    return need == "nonzero" or sp.Poly(u, *symbols).LC() > 0


def _violation_of_polynomial(u: sp.Expr, z: sp.Symbol, need: str) -> str:
    """Return a place where a polynomial of one variable does not meet a need that it does not meet everywhere."""
    roots = [root for root, _ in sp.Poly(u, z).real_roots(multiple=False)]
    if need != "nonnegative" and roots:
        return f"{z} = {_root_in_words(roots[0])}"
    ends = [float(root) for root in roots] or [0.0]
    for point in (ends[0] - 1, *((a + b) / 2 for a, b in pairwise(ends)), ends[-1] + 1):
        if u.subs(z, sp.Rational(point)) < 0:
            return f"{z} = {point:.6g}"
    return f"{z} near {_root_in_words(roots[0])}"


def _root_in_words(root: sp.Expr) -> str:
    return str(root) if len(str(root)) < 20 else f"{float(root):.6g}"


def _violation_on_grid(u: sp.Expr, symbols: tuple[sp.Symbol, ...], need: str) -> str | None:
    """Return the point nearest to 0 on a grid at which a part is not as it must be, in words."""
    with np.errstate(all="ignore"):
        points = _points(len(symbols))
        values = np.broadcast_to(compiled(u, symbols)(*points), points.shape[1:])
    bad = values <= 0 if need == "positive" else values < 0 if need == "nonnegative" else values == 0
    if need == "nonzero" and not bad.any():
        signs = np.sign(values)
        bad[1:] = signs[1:] * signs[:-1] < 0 if len(symbols) == 1 else signs[1:] != signs[0]
    if not bad.any():
        return None
    at = int(np.argmin(np.where(bad, np.sum(points**2, axis=0), np.inf)))
    place = points[:, at]
    if need == "nonzero" and len(symbols) == 1 and values[at] != 0:
        place = np.array([_crossing(u, symbols[0], points[0, at - 1], points[0, at])])
    return ", ".join(f"{z} = {x:.6g}" for z, x in zip(symbols, place, strict=True))


def _points(k: int) -> np.ndarray:
    """Return places to look at, shape (k, n): a fine grid on the line, else the axes and diagonals and a cloud."""
    line = np.linspace(-_REACH, _REACH, _GRID)
    if k == 1:
        return line[None]
    corners = np.random.default_rng(0).integers(-1, 2, size=(200, k))
    return np.concatenate([corner[:, None] * line[None, ::40] for corner in corners], axis=1)


def _crossing(u: sp.Expr, z: sp.Symbol, a: float, b: float) -> float:
    """Return the zero of u between a and b, by bisection."""
    f = compiled(u, (z,))
    start = float(f(a))
    for _ in range(60):
        middle = (a + b) / 2
        a, b = (a, middle) if float(f(middle)) * start < 0 else (middle, b)
    return a


def _excludes_zero(u: sp.Expr, z: sp.Symbol) -> bool:
    """Prove that u has no zero on the line: balls on a middle part, a lower bound on both sides of it."""
    try:
        starts = [minorant(u.xreplace({z: side * T})).start for side in (1, -1)]
        f = evaluator(u, [z])
    except RebatchError:
        return False
    reach = int(max(float(start.upper()) for start in starts)) + 1
    waiting, done = [(fmpq(-reach), fmpq(reach))], 0
    while waiting:
        a, b = waiting.pop()
        done += 1
        spend(_PER_PIECE)
        if done > _MAX_PIECES:
            return False
        middle = (a + b) / 2
        if f([arb(middle, float((b - a) / 2) * (1 + 1e-12))], False).contains(0):
            waiting += [(a, middle), (middle, b)]
    return True
