"""Rotations of a plane that fix a polynomial, by its harmonics (theory, 3.4)."""

from functools import reduce
from math import gcd, isqrt
from operator import add

import sympy as sp
from flint import fmpq

from ..exact.expectation import Expectation
from ..exact.frame import Framed
from ..exact.irrational import Scalar, scalar
from ..exact.polynomial import ring
from ..exact.subspace import Subspace, Vector, dot, in_words, is_rational, squared_length
from .symmetry import Symmetry, exact_matrix


def rotation_symmetry(plane: Subspace, *parts: Framed) -> Symmetry | None:
    """Return the rotation of a plane by the least angle 2 pi / m that fixes all parts, m >= 2, else None.

    The plane's orthogonal basis is scaled to one length first, by the root of a rational, which is carried along.
    """
    if not all(map(is_rational, plane.orthogonal_basis())):
        return None
    angles = set().union(*(_angular_orders(g, plane) for g in parts))
    m = gcd(*angles) if angles else 0
    if m == 1:
        return None
    # A radial target is fixed by every rotation; a quarter turn is rational.
    turn = rotation(plane, m or 4)
    assert turn is not None
    angle = "every angle" if m == 0 else f"2 pi / {m}"
    return Symmetry(exact_matrix(turn), plane.orthogonal_basis(), turn_in_words(plane, angle))


def scaled_to(v: Vector, u: Vector) -> Vector | None:
    """Return v scaled to the length of u; None if one of them is not known exactly."""
    wanted, present = squared_length(u), squared_length(v)
    if wanted is None or present is None:
        return None
    ratio = scalar(Expectation.exact(sp.sqrt(wanted / present)))
    return tuple(ratio * x for x in v)


def rotation(plane: Subspace, m: int) -> list[list[Scalar]] | None:
    """Return the matrix of the rotation of a plane by 2 pi / m; None if the plane is not known exactly."""
    b1, other = plane.orthogonal_basis()
    b2, size = scaled_to(other, b1), dot(b1, b1)
    if b2 is None:
        return None
    c, s = (scalar(Expectation.exact(f(2 * sp.pi / m))) for f in (sp.cos, sp.sin))
    k = range(plane.ambient)
    return [
        [
            ((c - 1) * (b1[i] * b1[j] + b2[i] * b2[j]) + s * (b2[i] * b1[j] - b1[i] * b2[j])) / size
            + int(i == j)
            for j in k
        ]
        for i in k
    ]


def turn_in_words(plane: Subspace, angle: str) -> str:
    """Return what a rotation does, in words."""
    return f"rotates the plane of {', '.join(map(in_words, plane.orthogonal_basis()))} by {angle}"


def _angular_orders(g: Framed, plane: Subspace) -> set[int]:
    """Return |a - b| over the terms w^a conj(w)^b, w = t1 + i t2, of g in coordinates along the plane.

    t1 = (w + v) / 2 and t2 = (w - v) / 2i for v = conj(w), along b1 and s b2 with s = |b1| / |b2|. The powers of
    i and of s are carried in a ring with i^2 = -1 and s^2 rational; where s is rational it is put in.
    """
    b1, b2 = plane.orthogonal_basis()
    rest = plane.within(g.space).orthogonal_basis()
    context = ring(["w", "v", "i", "s", *(f"t{m}" for m in range(len(rest)))])
    w, v, i, s, *others = context.gens()
    square = fmpq(dot(b1, b1) / dot(b2, b2))
    scale = s if (root := _rational_root(square)) is None else context.constant(root)
    t1, t2 = (w + v) * fmpq(1, 2), (v - w) * i * scale * fmpq(1, 2)
    # z = t1 b1 + t2 b2 + the rest, along the basis of g.
    vectors = [*zip((t1, t2), map(g.coordinates, (b1, b2)), strict=True)]
    vectors += [*zip(others, map(g.coordinates, rest), strict=True)]
    images = [
        reduce(add, (t * along[r] for t, along in vectors), context.constant(0)) for r in range(len(g.basis))
    ]
    expanded = g.polynomial.compose(*images, ctx=context)
    total: dict[tuple[int, ...], list[fmpq]] = {}
    for exponents, coefficient in expanded.to_dict().items():
        a, b, turns, roots, *outside = map(int, exponents)
        parts = total.setdefault((a, b, *outside), [fmpq(0)] * 4)
        # 1, i, s and i s are independent over the rationals.
        parts[turns % 2 + 2 * (roots % 2)] += coefficient * (-1) ** (turns // 2) * square ** (roots // 2)
    return {abs(key[0] - key[1]) for key, parts in total.items() if any(parts) and key[0] != key[1]}


def _rational_root(x: fmpq) -> fmpq | None:
    """Return the square root of a positive rational if it is rational."""
    p, q = isqrt(int(x.p)), isqrt(int(x.q))
    return fmpq(p, q) if fmpq(p, q) ** 2 == x else None
