"""A target whose linear forms are orthogonal to each other, as a function of coordinates along them.

With f_1, …, f_k orthogonal and u_i = <f_i, z> / |f_i|, the u are again N(0, I_k), and g(z) = G(u). In u a target that
was written in a hidden frame falls apart, and is odd or even, where it was neither in z: tanh(A B) + C^2 with
A = (z1 + 2 z2 + 2 z3) / 3, …
"""

from collections.abc import Iterator, Sequence
from itertools import combinations

import sympy as sp

from ..exact.polynomial import rational, to_fmpq
from ..exact.subspace import Subspace, Vector, axis, dot, primitive

# A sum of monomials is written out in u up to this degree.
_MAX_DEGREE = 8


def orthogonal_forms(expr: sp.Expr, coordinates: Sequence[sp.Symbol]) -> tuple[Vector, ...] | None:
    """Return an orthogonal basis of R^k of which each linear form in an expression is one, up to a factor.

    None where the forms are not orthogonal, or all of them are coordinates.

    Examples
    --------
    >>> x, y = sp.symbols("x y", real=True)
    >>> orthogonal_forms(sp.tanh((x + 2 * y) * (2 * x - y)), (x, y))
    ((1, 2), (2, -1))
    """
    k = len(coordinates)
    forms: list[Vector] = []
    for part in _linear_parts(expr, coordinates):
        coefficients = [part.coeff(z) for z in coordinates]
        first = next(c for c in coefficients if c != 0)
        ratios = [c / first for c in coefficients]
        if not all(ratio.is_Rational for ratio in ratios):
            return None
        form = primitive(tuple(map(to_fmpq, ratios)))
        if form not in forms:
            forms.append(form)
    if any(dot(a, b) != 0 for a, b in combinations(forms, 2)):
        return None
    if all(sum(x != 0 for x in form) == 1 for form in forms):
        return None
    rest = Subspace.span(forms, k).complement()
    axes = [axis(i, k) for i in range(k) if axis(i, k) in rest]
    return (*forms, *axes, *Subspace.span((*forms, *axes), k).complement().orthogonal_basis())


def along_forms(expr: sp.Expr, coordinates: Sequence[sp.Symbol], forms: Sequence[Vector]) -> sp.Expr:
    """Return G with G(u) = g(z) at u_i = <f_i, z> / |f_i|, its coordinates named as those of z."""
    lengths = [sp.sqrt(rational(dot(f, f))) for f in forms]
    u = [sp.Dummy(f"u{i}", real=True) for i in range(len(forms))]
    images = {
        z: sp.Add(*(rational(f[j]) / length * ui for f, length, ui in zip(forms, lengths, u, strict=True)))
        for j, z in enumerate(coordinates)
    }

    def turned(part: sp.Expr) -> sp.Expr:
        if not part.free_symbols:
            return part
        if part in images:
            return images[part]
        inside = part.func(*map(turned, part.args))
        low = (
            isinstance(part, sp.Add)
            and part.is_polynomial(*coordinates)
            and _degree(part, coordinates) <= _MAX_DEGREE
        )
        return sp.expand(inside) if low else inside

    return turned(expr).xreplace(dict(zip(u, coordinates, strict=True)))


def _linear_parts(expr: sp.Expr, coordinates: Sequence[sp.Symbol]) -> Iterator[sp.Expr]:
    """Yield the linear forms of which an expression is built, as large as they are written.

    Monomials of a sum are none of them: written out they are polynomials in any coordinates.
    """
    if expr in coordinates:
        yield expr
    elif isinstance(expr, sp.Add):
        plain = [a for a in expr.args if _is_monomial(a, coordinates)]
        if linear := [a for a in plain if len(a.free_symbols) == 1 and sp.degree(a) == 1]:
            yield sp.Add(*linear)
        for part in expr.args:
            if part not in plain:
                yield from _linear_parts(part, coordinates)
    else:
        for part in expr.args:
            yield from _linear_parts(part, coordinates)


def _degree(polynomial: sp.Expr, coordinates: Sequence[sp.Symbol]) -> int:
    return int(sp.Poly(polynomial, *coordinates).total_degree())


def _is_monomial(term: sp.Expr, coordinates: Sequence[sp.Symbol]) -> bool:
    """Whether a term is a number times powers of coordinates."""
    return all(
        not factor.free_symbols
        or (factor.as_base_exp()[0] in coordinates and factor.is_polynomial(*coordinates))
        for factor in sp.Mul.make_args(term)
    )
