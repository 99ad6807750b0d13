"""Identities between exponentials and hyperbolic functions, and the directions that a target does not need.

With one variable X = exp(m / L) for each monomial m that stands in an exponent, exp, sinh, cosh, tanh of arguments in
any rational ratio are rational functions of the X; whatever else occurs is a variable of its own. An expression whose
numerator vanishes in these variables is 0. So tanh(2z) = 2 tanh(z) / (1 + tanh(z)^2) is seen.
"""

from math import lcm

import numpy as np
import sympy as sp

from ..exact.subspace import Subspace, as_floats
from ..language.target import Target
from .cells import is_zero_on_cells
from .frames import as_fractions
from .symmetry import moved

# Larger expressions are not brought to one fraction.
_MAX_OPERATIONS, _MAX_VARIABLES = 400, 6
_MAX_MULTIPLE = 24
_POINTS = 48
_STEP = 1e-5
_SMALL = 1e-6
_HYPERBOLIC = (sp.tanh, sp.coth, sp.sinh, sp.cosh, sp.sech, sp.csch)


def without_unneeded(target: Target, relevant: Subspace) -> Target:
    """Return a target in fewer directions that is the same function, where an identity proves it.

    Gradients in floating point say which directions may do; the target is projected on them, and that the difference
    is 0 is proved, or the target is returned as it is.
    """
    needed = _seen(target, relevant)
    if needed is None or needed.dimension == relevant.dimension:
        return target
    basis = [as_floats(b) for b in needed.orthogonal_basis()]
    projection = as_fractions(sum((np.outer(b, b) / (b @ b) for b in basis), np.zeros((target.k, target.k))))
    if projection is None:
        return target
    smaller = Target(moved(target, projection), k=target.k)
    z = np.random.default_rng(2).standard_normal((_POINTS, target.k))
    with np.errstate(all="ignore"):
        near = np.allclose(target(z), smaller(z), rtol=_SMALL, atol=_SMALL)
    if not near:
        return target
    difference = target.expr - smaller.expr
    same = is_identity_of_exponentials(difference) or is_zero_on_cells(difference)
    return smaller if same else target


def _seen(target: Target, relevant: Subspace) -> Subspace | None:
    """Return the span of the gradients at points, in floating point; None if it is not near a rational one."""
    k = target.k
    z = np.random.default_rng(1).standard_normal((_POINTS, k))
    with np.errstate(all="ignore"):
        slopes = [(target(z + h) - target(z - h)) / (2 * _STEP) for h in _STEP * np.eye(k)]
    gradients = np.stack(slopes, axis=-1)
    gradients = gradients[np.isfinite(gradients).all(axis=1)]
    if not len(gradients):
        return None
    _, sizes, directions = np.linalg.svd(gradients)
    rank = int(np.sum(sizes > _SMALL * max(1.0, sizes[0])))
    if rank >= relevant.dimension:
        return relevant
    rows = as_fractions(np.round(directions[:rank].T @ directions[:rank], 7))
    return None if rows is None else Subspace.span(rows, k)


def is_identity_of_exponentials(expr: sp.Expr) -> bool:
    """Whether an expression is proved to be 0 almost everywhere.

    Examples
    --------
    >>> x = sp.Symbol("x", real=True)
    >>> is_identity_of_exponentials(sp.tanh(2 * x) - 2 * sp.tanh(x) / (1 + sp.tanh(x) ** 2))
    True
    >>> is_identity_of_exponentials(sp.tanh(2 * x) - 2 * sp.tanh(x))
    False
    """
    if sp.count_ops(expr) > _MAX_OPERATIONS:
        return False
    plain = expr.replace(lambda e: isinstance(e, _HYPERBOLIC), lambda e: e.rewrite(sp.exp))
    scales = _scales(plain)
    if len(scales) > _MAX_VARIABLES or max(scales.values(), default=1) > _MAX_MULTIPLE:
        return False
    variables = {m: sp.Dummy("X", positive=True) for m in scales}
    others: dict[sp.Expr, sp.Dummy] = {}

    def read(part: sp.Expr) -> sp.Expr:
        if part.is_number or part.is_Symbol:
            return part
        if isinstance(part, sp.exp):
            powers = [variables[m] ** (c * scales[m]) for m, c in _monomials(part.args[0])]
            return sp.Mul(*powers)
        if part.is_Add or part.is_Mul or (part.is_Pow and part.exp.is_Integer):
            return part.func(*map(read, part.args))
        return others.setdefault(part, sp.Dummy("F", real=True))

    return bool(sp.expand(sp.fraction(sp.together(read(plain)))[0]) == 0)


def _scales(expr: sp.Expr) -> dict[sp.Expr, int]:
    """Return, for each monomial in an exponent, the common denominator of its coefficients."""
    scales: dict[sp.Expr, int] = {}
    for e in expr.atoms(sp.exp):
        for m, c in _monomials(e.args[0]):
            scales[m] = lcm(scales.get(m, 1), int(c.q))
    return scales


def _monomials(exponent: sp.Expr) -> list[tuple[sp.Expr, sp.Rational]]:
    """Return the terms of an exponent and their rational coefficients."""
    terms = (term.as_coeff_Mul(rational=True) for term in sp.Add.make_args(sp.expand(exponent)))
    return [(m, c) for c, m in terms]
