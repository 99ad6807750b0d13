"""Quotients of sums of square roots without roots in the denominator: 1/(1 + sqrt(2)) is -1 + sqrt(2).

A number is kept as {n: c}, the sum of c sqrt(n) over squarefree n, which is unique. A prime p splits it as
a + b sqrt(p), and 1/(a + b sqrt(p)) = (a - b sqrt(p)) / (a^2 - p b^2) has a prime less in its denominator.
"""

from __future__ import annotations

from math import gcd, lcm
from typing import TypeAlias

import sympy as sp
from flint import fmpq, fmpz

# Squarefree n > 0 -> the coefficient of sqrt(n), not 0.
Surd: TypeAlias = dict[int, fmpq]

# Larger numbers under a root are not factored.
_LARGEST = 10**12


def rationalised(x: sp.Expr) -> sp.Expr | None:
    """Return an expression of rational numbers and their square roots as integers and roots over one integer.

    Returns
    -------
    sympy.Expr or None
        None of an expression with anything else in it, or with large numbers under a root.

    Examples
    --------
    >>> rationalised(1 / (3 + sp.sqrt(2)))
    (3 - sqrt(2))/7
    """
    surd = _read(x)
    if not surd:
        return None if surd is None else sp.Integer(0)
    bottom = lcm(*(int(c.q) for c in surd.values()))
    top = sp.Add(*(int((c * bottom).p) * sp.sqrt(n) for n, c in surd.items()))
    return sp.Mul(sp.Rational(1, bottom), top, evaluate=not top.is_Add or bottom == 1)


def _read(x: sp.Expr) -> Surd | None:
    """Return an expression as a sum of roots of squarefree numbers; None of one with anything else in it."""
    if x.is_Rational:
        return {1: fmpq(int(x.p), int(x.q))} if x else {}
    if x.is_Pow and x.exp.is_Rational:
        return _power(x)
    if not (x.is_Add or x.is_Mul):
        return None
    parts = [_read(part) for part in x.args]
    total: Surd | None = {} if x.is_Add else {1: fmpq(1)}
    for part in parts:
        if part is None or total is None:
            return None
        total = _sum(total, part) if x.is_Add else _product(total, part)
    return total


def _power(x: sp.Pow) -> Surd | None:
    """Read an integer power, or a square root of a positive rational number."""
    n = int(2 * x.exp) if x.exp.q <= 2 else None
    if n is None:
        return None
    base = _read(x.base) if n % 2 == 0 else _root(x.base)
    exponent = n // 2 if n % 2 == 0 else n
    if base is None or (exponent < 0 and not base):
        return None
    if exponent < 0:
        base, exponent = _inverse(base), -exponent
    total: Surd = {1: fmpq(1)}
    for _ in range(exponent):
        total = _product(total, base)
    return total


def _root(x: sp.Expr) -> Surd | None:
    if not x.is_Rational or not x.is_positive or max(x.p, x.q) > _LARGEST:
        return None
    # sqrt(p/q) = sqrt(p q) / q.
    square = free = 1
    for prime, power in fmpz(int(x.p) * int(x.q)).factor():
        square *= int(prime) ** (int(power) // 2)
        free *= int(prime) ** (int(power) % 2)
    return {free: fmpq(square, int(x.q))}


def _sum(a: Surd, b: Surd) -> Surd:
    total = dict(a)
    for n, c in b.items():
        total[n] = total.get(n, fmpq(0)) + c
    return {n: c for n, c in total.items() if c != 0}


def _product(a: Surd, b: Surd) -> Surd:
    total: Surd = {}
    for m, c in a.items():
        for n, e in b.items():
            common = gcd(m, n)
            free = m * n // common**2
            total[free] = total.get(free, fmpq(0)) + c * e * common
    return {n: c for n, c in total.items() if c != 0}


def _inverse(a: Surd) -> Surd:
    """Return 1/a of a number that is not 0."""
    if a.keys() == {1}:
        return {1: 1 / a[1]}
    prime = int(fmpz(max(a)).factor()[0][0])
    conjugate = {n: -c if n % prime == 0 else c for n, c in a.items()}
    return _product(conjugate, _inverse(_product(a, conjugate)))
