"""Coordinates that are integrated out exactly, one at a time, where the exponent is quadratic in them.

For exp(E) P with E = q z^2 + l z + c in a coordinate z, P a polynomial in z and all else free of z,

    E_z[exp(q z^2 + l z) z^n] = d^(-1/2) exp(l^2 / (2 d)) E[(l/d + w)^n],   d = 1 - 2 q,   w ~ N(0, 1/d),

for Re d > 0, also with imaginary q and l: E cos(a z1 z2) = E exp(-a^2 z2^2 / 2) = (1 + a^2)^(-1/2), and
E cos(a z1 z2 z3) = E (1 + a^2 z3^2)^(-1/2) is left with one coordinate. Where q = 0 the coefficients may depend on
the other coordinates; q itself may if l = 0 and it is real.
"""

from collections.abc import Iterable
from math import comb

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..exact.polynomial import rational, to_fmpq
from .algebra import Element, Part
from .normal_form import Reader


def eliminated(reader: Reader, g: Element) -> Element:
    """Return an element with the same expectation, if E|g| is finite, in as few coordinates as this rule leaves."""
    algebra = reader.algebra
    done: list[Part] = []
    waiting = list(g.parts.values())
    while waiting:
        E, P = waiting.pop()
        for j in _free(reader, E, P):
            parts = _without(reader, E, P, j)
            if parts is not None:
                waiting += parts
                break
        else:
            done.append((E, P))
    return Element(algebra, done)


def _free(reader: Reader, E: fmpq_mpoly, P: fmpq_mpoly) -> list[int]:
    """Return the coordinates that occur, at most to the second power in E and in no function in P."""
    algebra = reader.algebra
    degrees, powers = P.degrees(), E.degrees() if len(E) else [0] * len(algebra.generators)
    held = [0] * algebra.k
    for j, slot in algebra.slots.items():
        if degrees[j] and slot.kind != "constant":
            for direction in (slot.direction,) if slot.direction else slot.directions:
                held = [h or int(u != 0) for h, u in zip(held, direction, strict=True)]
    return [i for i in range(algebra.k) if not held[i] and powers[i] <= 2 and (powers[i] or degrees[i])]


def _without(reader: Reader, E: fmpq_mpoly, P: fmpq_mpoly, j: int) -> Iterable[Part] | None:
    """Return exp(E) P averaged over z_j; None where it is not of the form that is known."""
    algebra = reader.algebra
    q, linear, constant = (_coefficient(reader, E, j, n) for n in (2, 1, 0))
    if q == 0:
        inverse, root, exponent = algebra.one, algebra.one, algebra.reduced(linear * linear * fmpq(1, 2))
    elif q.degrees()[: algebra.k] == (0,) * algebra.k and not any(q.degrees()[algebra.k + 1 :]):
        d = algebra.one - q * 2
        a, b = (rational(c) for c in _complex(reader, d))
        if a <= 0:
            return None
        size = a**2 + b**2
        i = algebra.generators[algebra.k]
        inverse = algebra.one * to_fmpq(a / size) - i * to_fmpq(b / size)
        root = _inverse_root(reader, a, b)
        exponent = algebra.reduced(linear * linear * inverse * fmpq(1, 2))
    elif linear == 0 and not q.degrees()[algebra.k] and not P.degrees()[j]:
        d = sp.expand(1 - 2 * algebra.constant_expr(q))
        if not d.is_positive:
            return None
        value = reader.element(1 / sp.sqrt(d)) * Element(algebra, [(constant, P)])
        return value.parts.values()
    else:
        return None
    mean = algebra.reduced(linear * inverse)
    total = algebra.one * 0
    for n in range(int(P.degrees()[j]) + 1):
        coefficient = _coefficient(reader, P, j, n)
        if coefficient != 0:
            moments = (
                mean ** (n - m) * inverse ** (m // 2) * (comb(n, m) * int(sp.factorial2(m - 1)))
                for m in range(0, n + 1, 2)
            )
            total = total + coefficient * sum(moments, algebra.one * 0)
    average = Element(algebra, [(algebra.reduced(constant + exponent), algebra.reduced(total * root))])
    return average.parts.values()


def _coefficient(reader: Reader, P: fmpq_mpoly, j: int, n: int) -> fmpq_mpoly:
    """Return the coefficient of z_j^n."""
    terms = {(*e[:j], 0, *e[j + 1 :]): c for e, c in P.to_dict().items() if e[j] == n}
    return reader.algebra.ring.from_dict(terms)


def _complex(reader: Reader, c: fmpq_mpoly) -> tuple[fmpq, fmpq]:
    """Return the rational real and imaginary part of a constant without other generators."""
    k = reader.algebra.k
    parts = [fmpq(0), fmpq(0)]
    for e, x in c.to_dict().items():
        parts[int(e[k])] += x
    return parts[0], parts[1]


def _inverse_root(reader: Reader, a: sp.Rational, b: sp.Rational) -> fmpq_mpoly:
    """Return (a + i b)^(-1/2) for a > 0: the branch that is positive for b = 0."""
    algebra = reader.algebra
    size = sp.sqrt(a**2 + b**2)
    real = sp.sqrt((size + a) / 2) / size if b else 1 / sp.sqrt(a)
    imaginary = -sp.sign(b) * sp.sqrt((size - a) / 2) / size
    return (
        reader.plain(reader.element(real))
        + reader.plain(reader.element(imaginary)) * algebra.generators[algebra.k]
    )
