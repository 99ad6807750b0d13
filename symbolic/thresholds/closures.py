"""Thresholds that close exactly, each with its proof in one line (theory, 9).

Without label noise, on the directions `left` outside the trivial subspace:

1. G = 0 proved, the generative exponent is >= 3: infinity;
2. labels of finitely many values: exact sums over the values;
3. y an invertible function of |z|^2 on V, dim V = k: G = (|z|^2/k - 1) I, so 1/alpha_c = E[(|z|^2/k - 1)^2] = 2/k;
4. quadratic forms with eigenvalues l1 (twice) and -l2 (twice), l1, l2 > 0: by memoryless exponentials,
   1/alpha_c = 1 - min(l1, l2)^2 / (l1 + l2)^2, and the pair of the larger one appears;
5. one direction left, and |y| an invertible function of its z^2: 1/alpha_c = 2.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np
import sympy as sp

from ..errors import RebatchError
from ..exact.frame import Framed, framed
from ..exact.irrational import as_expr
from ..exact.known import How
from ..exact.polynomial import is_polynomial, rational, to_fmpq
from ..exact.subspace import Subspace, is_exact, squared_length
from ..language.target import Target
from ..learnability.reading import Reading
from ..proofs.structure import multiplied_out
from .finite_labels import finite_labels
from .invertible import is_nonnegative, without_invertible
from .monotone import strict_trend

_T = sp.Symbol("t", positive=True)
_Y = sp.Symbol("y", real=True)
# Eigenvalues of a matrix of exact entries are tried up to this size.
_LARGEST_OPERATOR = 10
_SAME = 1e-9


@dataclass(frozen=True)
class Closure:
    """An exact threshold.

    Attributes
    ----------
    alpha : sympy.Expr
        Possibly infinite.
    how : How
    proof : str
        One line.
    directions : Subspace
        What appears above it.
    transform : sympy.Expr or None
        A transform T(y) of the label that attains it, in the symbol y, where it has a formula.
    """

    alpha: sp.Expr
    how: How
    proof: str
    directions: Subspace
    transform: sp.Expr | None = None


def closed_threshold(target: Target, reading: Reading, left: Subspace) -> Closure | None:
    """Return the threshold of the directions `left` if it closes exactly, else None.

    Parameters
    ----------
    target : Target
        Without label noise for all but the first closure.
    reading : Reading
        Of the target.
    left : Subspace
        The complement of the trivial subspace in V; not empty.
    """
    infinite = _invisible(reading, left)
    if infinite is not None or target.noise_std:
        return infinite
    whole = left == reading.relevant
    finite = _finite(target, left) or _up_to_signs(target, left)
    if finite is not None or not whole:
        return finite
    return _radial(target, left) or _two_pairs(target, left)


def _invisible(reading: Reading, left: Subspace) -> Closure | None:
    """Whether the labels are proved to say nothing of z z^T: the generative exponent is at least 3."""
    if left != reading.relevant:
        return None
    known = reading.generative_exponent()
    if known.value is None or known.value < 3:
        return None
    proof = f"G(y) = E[z z^T | y] - I vanishes: the generative exponent is {known.value} ({known.witness})"
    return Closure(sp.oo, known.how, proof, left)


def _finite(target: Target, left: Subspace) -> Closure | None:
    """Return the closure by the largest eigenvalue of F, where all its entries are exact."""
    r = left.dimension
    if r * (r + 1) // 2 > _LARGEST_OPERATOR or not all(map(is_exact, left.orthogonal_basis())):
        return None
    law = finite_labels(target, left)
    if law is None:
        return None
    F = law.operator()
    values = ", ".join(map(str, law.values))
    if F.is_zero_matrix:
        return Closure(sp.oo, How.EXACT, f"y takes the values {values}, and E[z z^T | y] = I at each", left)
    # Three real roots of a cubic are written with complex numbers only, and long: they are left to numbers.
    plain = F.eigenvals(error_when_incomplete=False, cubics=False, quartics=False)
    if not plain:
        return None
    top = max(plain, key=lambda x: float(sp.re(sp.N(x))))
    directions = _directions(F, top, left)
    if directions is None:
        return None
    weights = (f"{sp.simplify(p)}" for p in law.probabilities)
    proof = (
        f"y takes the values {values} with probabilities {', '.join(weights)}: 1/alpha_c = {sp.simplify(top)}"
    )
    return Closure(
        sp.simplify(1 / top), How.EXACT, proof, directions, _table(law.values, law.moments, law.probabilities)
    )


def _table(
    values: Sequence[sp.Rational], moments: Sequence[sp.Matrix], probabilities: Sequence[sp.Expr]
) -> sp.Expr | None:
    """For one direction, T = 1 - 1/E[z^2 | y] up to scale is E[z^2 - 1 | y] at each value."""
    if moments[0].rows != 1:
        return None
    pieces = [
        (sp.simplify(N[0, 0] / p), sp.Eq(_Y, v))
        for v, N, p in zip(values, moments, probabilities, strict=True)
    ]
    return sp.Piecewise(*pieces)


def _directions(F: sp.Matrix, top: sp.Expr, left: Subspace) -> Subspace | None:
    """Return the span of the ranges of the top eigenmatrices; None if it is not plain."""
    basis = left.orthogonal_basis()
    r = len(basis)
    matrix = np.array(F.evalf(30).tolist(), dtype=float)
    values, vectors = np.linalg.eigh(matrix)
    scale = values[-1]
    if abs(scale - float(top)) > _SAME * scale:
        return None
    chosen = vectors[:, values > scale * (1 - _SAME)]
    pairs = [(i, j) for i in range(r) for j in range(i, r)]
    span = np.zeros((r, 0))
    for column in chosen.T:
        A = np.zeros((r, r))
        for (i, j), x in zip(pairs, column, strict=True):
            A[i, j] = A[j, i] = x if i == j else x / np.sqrt(2)
        span = np.hstack([span, A])
    if np.linalg.matrix_rank(span, tol=1e-6) == r:
        return left
    # The blocks of one coordinate of the basis each are the only smaller spans that are read off with proof.
    inside = [i for i in range(r) if np.abs(span[i]).max() > 1e-6]
    if np.linalg.matrix_rank(span, tol=1e-6) != len(inside):
        return None
    return Subspace.span([basis[i] for i in inside], left.ambient)


def _radial(target: Target, left: Subspace) -> Closure | None:
    """Return the closure of a label that is an invertible function of |z|^2 on V."""
    inner = without_invertible(target.expr)
    k = left.dimension
    profile = _even_profile(inner, target, left) if k == 1 else _sphere_profile(inner, target, left)
    if profile is None or not strict_trend(profile, _T):
        return None
    what = "z^2" if k == 1 else f"|z|^2 of {k} directions"
    proof = f"{what} is a function of y, so 1/alpha_c = E[(|z|^2/{k} - 1)^2] = 2/{k}"
    if k == 1:
        proof = "z^2 is a function of y, so 1/alpha_c = E[(z^2 - 1)^2] = 2, the most there is"
    return Closure(sp.Rational(k, 2), How.EXACT, proof, left, None)


def _even_profile(inner: sp.Expr, target: Target, left: Subspace) -> sp.Expr | None:
    """Return t -> g(t b/|b|), t > 0, of an even function of one direction."""
    (b,) = left.orthogonal_basis()
    size = squared_length(b)
    if size is None:
        return None
    t = sp.Symbol("t", real=True)
    images = {z: as_expr(x) * t / sp.sqrt(size) for z, x in zip(target.coordinates, b, strict=True)}
    along = inner.xreplace(images)
    if sp.expand(along.xreplace({t: -t}) - along) != 0:
        return None
    return sp.expand(along.xreplace({t: _T})) if is_polynomial(along, (t,)) else along.xreplace({t: _T})


def _sphere_profile(inner: sp.Expr, target: Target, left: Subspace) -> sp.Expr | None:
    """Return p with g = p(|z|) on V, where every polynomial of which g is written depends on |z|^2 alone."""
    if not inner.free_symbols:
        return inner
    if is_polynomial(inner, target.coordinates):
        return _polynomial_profile(inner, target, left)
    parts = [_sphere_profile(part, target, left) for part in inner.args]
    return None if not parts or None in parts else inner.func(*parts)


def _polynomial_profile(inner: sp.Expr, target: Target, left: Subspace) -> sp.Expr | None:
    """Return the same of a polynomial."""
    try:
        g = framed(inner, target.coordinates)
    except RebatchError:
        return None
    if g.space != left:
        return None
    degree = int(g.polynomial.total_degree())
    if degree % 2:
        return None
    # On the first axis t_1 = |z| / |b_1|; then compare with the sphere's own polynomial.
    size = 1 / g.variances[0]
    radius = _squared_radius(g)
    profile, rebuilt = sp.Integer(0), g.polynomial.context().constant(0)
    for exponents, coefficient in g.polynomial.to_dict().items():
        if any(exponents[1:]):
            continue
        n = int(exponents[0])
        if n % 2:
            return None
        weight = coefficient / size ** (n // 2)
        profile += rational(weight) * _T**n
        rebuilt = rebuilt + radius ** (n // 2) * weight
    return profile if rebuilt == g.polynomial else None


def _squared_radius(g: Framed):  # type: ignore[no-untyped-def]
    """Return |z|^2 = sum_i t_i^2 |b_i|^2 on V."""
    generators = g.polynomial.context().gens()
    terms = [t**2 * (1 / v) for t, v in zip(generators, g.variances, strict=True)]
    return reduce(add, terms)


def _two_pairs(target: Target, left: Subspace) -> Closure | None:
    """Quadratic forms of four directions with eigenvalues l1, l1, -l2, -l2."""
    spectrum = quadratic_spectrum(target)
    if spectrum is None or left.dimension != 4:
        return None
    values = sorted(x for x, *_ in spectrum)
    if len(values) != 2 or not values[0] < 0 < values[1] or any(n != 2 for _, n, _ in spectrum):
        return None
    low, high = -values[0], values[1]
    share = min(low, high) / (low + high)
    alpha = 1 / (1 - share**2)
    proof = (
        f"a quadratic form with eigenvalues {values[1]} and {values[0]}, twice each: given y the smaller of two "
        f"exponentials is memoryless, and 1/alpha_c = 1 - {share}^2"
    )
    # Given y, E[|z|^2/2 - 1] of either pair is that of its own exponential, of mean square 1 - (1 - its share)^2.
    larger = [x for x in values if abs(x) == max(low, high)]
    appear = [v for x, _, space in spectrum if x in larger for v in space]
    directions = Subspace.span([tuple(map(to_fmpq, v)) for v in appear], left.ambient)
    return Closure(alpha, How.EXACT, proof, directions)


def _up_to_signs(target: Target, left: Subspace) -> Closure | None:
    """Return the closure of the one direction left where y = +-f(z) with signs of others, and |f| tells z^2."""
    if left.dimension != 1:
        return None
    (b,) = left.orthogonal_basis()
    own = [z for z, x in zip(target.coordinates, b, strict=True) if x != 0]
    if len(own) != 1:
        return None
    factors = sp.Mul.make_args(multiplied_out(without_invertible(target.expr)))
    of_others, f = sp.sift(factors, lambda u: not u.has(own[0]), binary=True)
    size = sp.Mul(*f)
    signs = all(isinstance(u, sp.sign) or u.is_number for u in of_others)
    if not signs or size.free_symbols != set(own) or not (is_nonnegative(size) or is_nonnegative(-size)):
        return None
    profile = _even_profile(size, target, left)
    if profile is None or not strict_trend(profile, _T):
        return None
    proof = f"{own[0]}^2 is a function of |y|, so 1/alpha_c = E[(z^2 - 1)^2] = 2, the most there is for one direction"
    return Closure(sp.Rational(1, 2), How.EXACT, proof, left)


def quadratic_spectrum(target: Target) -> list[tuple[sp.Rational, int, list[sp.Matrix]]] | None:
    """Return the nonzero eigenvalues of g = z^T B z + const, multiplicities and vectors, where all are rational."""
    inner = without_invertible(target.expr)
    if not is_polynomial(inner, target.coordinates):
        return None
    k = target.k
    polynomial = sp.Poly(inner, *target.coordinates)
    if polynomial.total_degree() != 2 or any(sum(e) == 1 for e in polynomial.monoms()):
        return None
    B = sp.zeros(k, k)
    for exponents, coefficient in polynomial.terms():
        where = [i for i, e in enumerate(exponents) for _ in range(e)]
        if where:
            i, j = where
            B[i, j] += coefficient / 2
            B[j, i] += coefficient / 2
    if not all(x.is_Rational for x in B.eigenvals()):
        return None
    return [(x, n, vectors) for x, n, vectors in B.eigenvects() if x != 0]
