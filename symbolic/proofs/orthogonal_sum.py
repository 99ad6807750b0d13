"""Whether a target is a sum over orthogonal directions, g = sum_j f_j(<b_j, z> / |b_j|) (theory, 10.1).

Given all the other coordinates the label tells f_j and nothing else of direction j, so that it is met at the
generative exponent of f_j or later [DLB25].
"""

from itertools import combinations

import sympy as sp

from ..exact.irrational import as_expr
from ..exact.polynomial import is_polynomial, to_fmpq
from ..exact.subspace import Vector, dot, orthogonalised, primitive, squared_length
from ..language.symbols import coordinate

Summand = tuple[sp.Expr, Vector]


def summands(g: sp.Expr, k: int) -> tuple[Summand, ...]:
    """Return f_j, in the coordinate z1, and b_j of every direction; nothing if g is no such sum as it is written.

    Examples
    --------
    >>> from rebatch.symbolic.language.parse import parse
    >>> [str(f) for f, _ in summands(parse("abs(z1 + z2) + cos(z1 - z2)"), 2)]
    ['sqrt(2)*Abs(z1)', 'cos(sqrt(2)*z1)']
    >>> summands(parse("abs(z1) + cos(z1 - z2)"), 2)
    ()
    """
    linear, curved = sp.sift(sp.Add.make_args(g), lambda u: _is_linear(u) or not u.free_symbols, binary=True)
    found: dict[Vector, sp.Expr] = {}
    for term in curved:
        direction = _direction(term, k)
        if direction is None:
            return ()
        found[direction] = found.get(direction, sp.Integer(0)) + term
    if any(dot(a, b) != 0 for a, b in combinations(found, 2)):
        return ()
    # A linear form has a part along every direction, and one of its own.
    form = _coefficients(sp.Add(*linear), k)
    for b in found:
        found[b] += as_expr(dot(form, b) / dot(b, b)) * _form(b)
    rest = orthogonalised(form, found)
    if any(rest):
        found[rest] = _form(rest)
    return tuple((_along(f, b), b) for b, f in found.items())


def _is_linear(u: sp.Expr) -> bool:
    z = tuple(u.free_symbols)
    return bool(z) and is_polynomial(u, z) and sp.Poly(u, *z).total_degree() == 1


def _coefficients(form: sp.Expr, k: int) -> Vector:
    return tuple(to_fmpq(sp.Rational(form.diff(coordinate(i + 1)))) for i in range(k))


def _form(b: Vector) -> sp.Expr:
    return sp.Add(*(as_expr(x) * coordinate(i + 1) for i, x in enumerate(b)))


def _direction(term: sp.Expr, k: int) -> Vector | None:
    """Return the one direction of the linear forms of which a term is written; None if there are several."""
    forms = {primitive(_coefficients(form, k)) for form in _linear_forms(term)}
    return forms.pop() if len(forms) == 1 else None


def _linear_forms(u: sp.Expr) -> list[sp.Expr]:
    """Return the largest subexpressions that are linear; a coordinate elsewhere counts by itself."""
    if not u.free_symbols:
        return []
    return [u] if _is_linear(u) else [form for part in u.args for form in _linear_forms(part)]


def _along(f: sp.Expr, b: Vector) -> sp.Expr:
    """Return t -> f(t b / |b|), t the coordinate z1."""
    t = sp.Dummy(real=True)
    size = sp.sqrt(squared_length(b))
    images = {coordinate(i + 1): as_expr(x) * t / size for i, x in enumerate(b)}
    return f.xreplace(images).xreplace({t: coordinate(1)})
