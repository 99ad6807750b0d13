"""Targets that fall apart over disjoint sets of coordinates: sums, products and powers of independent parts.

With g = c + sum_b g_b over independent parts, and He_S = prod_b He_{S_b},

    E[g^m He_S] = m! [s^m] e^{c s} prod_b sum_j (s^j / j!) E[g_b^j He_{S_b}],

with g = prod_b g_b it is prod_b E[g_b^m He_{S_b}]. A committee of twelve neurons or a parity of twelve signs takes
averages over one direction that way, never over twelve. Parts that are the same function of other coordinates, and
coordinates that may be interchanged within one, give the same average: its `key` names it, so that weights on equal
averages can be added up before any of them is computed, and what cancels is exactly 0.
"""

from collections import Counter
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import reduce
from itertools import combinations
from math import factorial
from operator import add, mul
from typing import Any, Protocol

import sympy as sp

from ..exact.effort import spend
from ..exact.expectation import Expectation
from ..language.symbols import coordinate
from ..language.syntax import MAX_COORDINATES

# A name and what tells parts of that name apart; keys can be sorted.
Key = tuple[str, tuple[Any, ...]]
# What is asked of a part that does not fall apart: E[g^m He_S] in its own coordinates.
Moments = Callable[[int, tuple[int, ...]], Expectation]
# Sums and products of parts with more values between them are not listed.
_MANY_VALUES = 64
ONE, NONE = Expectation.exact(1), Expectation.exact(0)


class Part(Protocol):
    """A function of some coordinates; indices S run over all coordinates of the target, by position."""

    expr: sp.Expr

    def key(self, S: Sequence[int]) -> Key:
        """Return the same for multi-indices whose averages are equal, whatever the power."""
        ...

    def moment(self, power: int, S: Sequence[int]) -> Expectation:
        """Return E[g^power He_S]."""
        ...


class Leaf:
    """A part that does not fall apart, as a function of z1, z2, … of its own.

    Attributes
    ----------
    expr : sympy.Expr
        In the coordinates of the target.
    own : sympy.Expr
        In its own coordinates: the same for parts that are one function.
    positions : tuple of int
        Where its coordinates stand among those of the target.
    classes : tuple of tuple of int
        Its own coordinates by whether they may be interchanged.
    """

    def __init__(self, expr: sp.Expr, moments: Callable[[sp.Expr, int], Moments]) -> None:
        self.expr = expr
        self.positions = tuple(sorted(int(str(z)[1:]) - 1 for z in expr.free_symbols))
        here = {coordinate(p + 1): coordinate(i + 1) for i, p in enumerate(self.positions)}
        self.own = expr.xreplace(here)
        self._label = str(self.own)
        self.classes = interchangeable(self.own, len(self.positions))
        self._moments = moments(self.own, len(self.positions))

    def _index(self, S: Sequence[int]) -> tuple[int, ...]:
        """Return S in its own coordinates, in order within each class."""
        own = [S[p] for p in self.positions]
        for members in self.classes:
            for i, n in zip(members, sorted((own[i] for i in members), reverse=True), strict=True):
                own[i] = n
        return tuple(own)

    def key(self, S: Sequence[int]) -> Key:
        """Return the function and the ordered index."""
        return (self._label, self._index(S))

    def moment(self, power: int, S: Sequence[int]) -> Expectation:
        """Return E[g^power He_S] of the function itself."""
        index = self._index(S)
        if power == 0:
            return NONE if any(index) else ONE
        return self._moments(power, index)


class _Compound:
    """What sums and products share: independent parts, and averages computed once per key."""

    def __init__(self, expr: sp.Expr, parts: Sequence[Part], factor: sp.Expr) -> None:
        self.expr, self.parts, self.factor = expr, tuple(parts), factor
        self._known: dict[tuple[int, Key], Expectation] = {}

    def key(self, S: Sequence[int]) -> Key:
        """Return the keys of the parts, in whatever order."""
        return (type(self).__name__, tuple(sorted(part.key(S) for part in self.parts)))

    def moment(self, power: int, S: Sequence[int]) -> Expectation:
        """Return E[g^power He_S]."""
        key = (power, self.key(S))
        if key not in self._known:
            self._known[key] = self._computed(power, S)
        return self._known[key]

    def _computed(self, power: int, S: Sequence[int]) -> Expectation:
        raise NotImplementedError


class Product(_Compound):
    """A rational factor times independent parts."""

    def _computed(self, power: int, S: Sequence[int]) -> Expectation:
        # A factor of 0 makes it 0 only if the others exist: all are computed.
        moments = [part.moment(power, S) for part in self.parts]
        if any(moment.is_zero() for moment in moments):
            return NONE
        return reduce(mul, moments, Expectation.exact(self.factor**power))


class Sum(_Compound):
    """A rational constant plus independent parts."""

    def _computed(self, power: int, S: Sequence[int]) -> Expectation:
        """Return m! [s^m] of the product of the parts' series; equal parts are one series, raised."""
        groups: dict[Key, tuple[Part, int]] = {}
        for part in self.parts:
            key = part.key(S)
            groups[key] = part, groups.get(key, (part, 0))[1] + 1
        series = [Expectation.exact(self.factor**j / factorial(j)) for j in range(power + 1)]
        for part, times in groups.values():
            terms = [part.moment(j, S) * sp.Rational(1, factorial(j)) for j in range(power + 1)]
            series = _times(series, _raised(terms, times))
        return series[power] * factorial(power)


class Power:
    """A part raised to a power."""

    def __init__(self, expr: sp.Expr, base: Part, exponent: int) -> None:
        self.expr, self.base, self.exponent = expr, base, exponent

    def key(self, S: Sequence[int]) -> Key:
        """Return the key of the base."""
        return ("Power", (self.exponent, self.base.key(S)))

    def moment(self, power: int, S: Sequence[int]) -> Expectation:
        """Return E[base^(exponent power) He_S]."""
        return self.base.moment(self.exponent * power, S)


def decomposed(expr: sp.Expr, moments: Callable[[sp.Expr, int], Moments]) -> Part:
    """Return an expression as sums, products and powers of independent parts.

    Parameters
    ----------
    expr : sympy.Expr
        In the coordinates z1, z2, …; signs and absolute values of products as `multiplied_out` returns them.
    moments : function
        Makes what answers for a part that does not fall apart, from its expression in z1 … zr and r.
    """
    if expr.is_Add or expr.is_Mul:
        constants, rest = sp.sift(expr.args, lambda a: not a.free_symbols, binary=True)
        groups = _with_one_linear_form(_independent(rest)) if expr.is_Add else _independent(rest)
        constant = expr.func(*constants)
        if constant.is_Rational and (len(groups) > 1 or (constants and groups)):
            parts = [decomposed(expr.func(*group), moments) for group in groups]
            if len(parts) > 1 or not isinstance(parts[0], Leaf):
                return (Sum if expr.is_Add else Product)(expr, parts, constant)
    if expr.is_Pow and expr.exp.is_Integer and expr.exp > 1:
        base = decomposed(expr.base, moments)
        if not isinstance(base, Leaf):
            return Power(expr, base, int(expr.exp))
    return Leaf(expr, moments)


def leaves(part: Part) -> Iterator[Leaf]:
    """Yield the parts that do not fall apart."""
    if isinstance(part, Leaf):
        yield part
    elif isinstance(part, Power):
        yield from leaves(part.base)
    elif isinstance(part, _Compound):
        for inner in part.parts:
            yield from leaves(inner)


def exchanges(part: Part) -> Iterator[tuple[tuple[int, int], ...]]:
    """Yield exchanges of equal parts, and of classes of equal size within one, as pairs of coordinates."""
    if isinstance(part, Leaf):
        for a, b in combinations(part.classes, 2):
            if len(a) == len(b) > 1:
                yield tuple((part.positions[i], part.positions[j]) for i, j in zip(a, b, strict=True))
    elif isinstance(part, Power):
        yield from exchanges(part.base)
    elif isinstance(part, _Compound):
        nothing = (0,) * MAX_COORDINATES
        for one, other in combinations(part.parts, 2):
            if one.key(nothing) == other.key(nothing):
                yield tuple(zip(_places(one), _places(other), strict=True))
        for inner in part.parts:
            yield from exchanges(inner)


def _places(part: Part) -> tuple[int, ...]:
    """Return the coordinates of a part, in an order that equal parts share."""
    if isinstance(part, Leaf):
        return part.positions
    if isinstance(part, Power):
        return _places(part.base)
    assert isinstance(part, _Compound)
    ordered: list[Part] = sorted(part.parts, key=lambda inner: inner.key((0,) * MAX_COORDINATES))
    return tuple(place for inner in ordered for place in _places(inner))


def values_of(
    part: Part, known: Callable[[Leaf], frozenset[sp.Rational] | None]
) -> frozenset[sp.Rational] | None:
    """Return all values that a part takes from those of its leaves; None where they are too many or not known."""
    if isinstance(part, Leaf):
        return known(part)
    if isinstance(part, Power):
        base = values_of(part.base, known)
        return None if base is None else frozenset(v**part.exponent for v in base)
    assert isinstance(part, _Compound)
    total = frozenset([part.factor])
    for inner in part.parts:
        values = values_of(inner, known)
        if values is None or len(total) > _MANY_VALUES:
            return None
        total = frozenset(a + b if isinstance(part, Sum) else a * b for a in total for b in values)
    return total


def multiplied_out(expr: sp.Expr) -> sp.Expr:
    """Return an expression with the signs and absolute values of products as products."""
    return expr.replace(
        lambda e: isinstance(e, sp.sign | sp.Abs) and e.args[0].is_Mul,
        lambda e: sp.Mul(*(e.func(factor) for factor in e.args[0].args)),
    )


def interchangeable(expr: sp.Expr, k: int) -> tuple[tuple[int, ...], ...]:
    """Return the classes of coordinates, counted from 0, that may be interchanged, by how it is written."""
    classes: list[list[int]] = []
    for i in range(k):
        for members in classes:
            if is_permuted(expr, {members[0]: i, i: members[0]}):
                members.append(i)
                break
        else:
            classes.append([i])
    return tuple(map(tuple, classes))


def is_permuted(expr: sp.Expr, images: dict[int, int]) -> bool:
    """Whether an expression stays as it is written, up to order, when coordinates (from 0) go to their images."""
    moved = {coordinate(i + 1): coordinate(j + 1) for i, j in images.items()}
    return _written(expr, moved) == _written(expr, {})


def _written(expr: sp.Basic, moved: dict[sp.Symbol, sp.Symbol]) -> Hashable:
    """Return an expression as nested data, the same for all orders of terms, factors and arguments of Max and Min."""
    if not expr.args:
        image: Hashable = moved.get(expr, expr)
        return image
    parts = [_written(part, moved) for part in expr.args]
    if isinstance(expr, sp.Add | sp.Mul | sp.Max | sp.Min):
        return (expr.func, frozenset(Counter(parts).items()))
    return (expr.func, tuple(parts))


def _independent(parts: Sequence[sp.Expr]) -> list[list[sp.Expr]]:
    """Return the terms or factors in groups that share no coordinate."""
    groups: list[tuple[set[sp.Symbol], list[sp.Expr]]] = []
    for part in parts:
        symbols, members = set(part.free_symbols), [part]
        for group in [g for g in groups if g[0] & symbols]:
            groups.remove(group)
            symbols, members = symbols | group[0], [*group[1], *members]
        groups.append((symbols, members))
    return [members for _, members in sorted(groups, key=lambda g: min(int(str(z)[1:]) for z in g[0]))]


def _with_one_linear_form(groups: list[list[sp.Expr]]) -> list[list[sp.Expr]]:
    """Return groups of terms with the linear ones as one: z1 + z2 has one direction, not two."""
    linear, others = sp.sift(
        groups, lambda terms: all(t.diff(z).is_number for t in terms for z in t.free_symbols), binary=True
    )
    return [[term for terms in linear for term in terms], *others] if linear else others


def _raised(series: list[Expectation], times: int) -> list[Expectation]:
    """Return a power of a series, by squaring."""
    result: list[Expectation] | None = None
    while times:
        if times % 2:
            result = series if result is None else _times(result, series)
        times //= 2
        if times:
            series = _times(series, series)
    return series if result is None else result


def _times(a: list[Expectation], b: list[Expectation]) -> list[Expectation]:
    """Return the product of two series, up to their common length."""
    total = []
    for m in range(len(a)):
        spend(0)
        terms = (a[j] * b[m - j] for j in range(m + 1) if not (_is_nothing(a[j]) or _is_nothing(b[m - j])))
        total.append(reduce(add, terms, NONE))
    return total


def _is_nothing(x: Expectation) -> bool:
    return x.value is sp.S.Zero
