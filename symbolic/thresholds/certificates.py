"""Certificates: alpha_c is at most a rational number, proved by moments of a polynomial target (theory, 9).

For polynomials of degree <= m in y and a direction u outside the trivial subspace, by Cauchy-Schwarz,

    1/alpha_c >= E[E[He_2(u.z) | y]^2] >= c^T H^{-1} c,  c_i = E[y^i He_2(u.z)], H_ij = E[y^{i+j}],  0 <= i, j <= m,

for |u| = 1. The transform of the label that attains it is T_m(y) = (H^{-1} c).(1, y, ..., y^m). As m grows the
bounds fall, to alpha_c only where polynomials are dense for the law of y and u is the best direction: "at most",
never "equals".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb, prod
from typing import Any

import sympy as sp
from flint import fmpq, fmpq_mat, fmpq_mpoly

from ..errors import NotPolynomialError, RebatchError
from ..exact.frame import framed
from ..exact.polynomial import allowed_powers, is_polynomial, rational
from ..exact.subspace import Subspace, Vector, dot, in_words, is_rational
from ..language.target import Target

MAX_DEGREE = 8
# y^(2m) is written out: beyond so many terms a certificate takes longer than it is worth.
_MAX_TERMS = 4_000
# Above it the moments of the noise, as exact fractions, grow without use.
_NOISE_DENOMINATOR = 10**6


@dataclass(frozen=True)
class Certificate:
    """alpha_c <= bound, a theorem about the target.

    Attributes
    ----------
    degree : int
        m, the degree of the transform of the label.
    bound : Fraction
        1 / (c^T H^{-1} c).
    direction : tuple
        u, not normalised.
    transform : sympy.Expr
        T_m(y), in the symbol y.
    """

    degree: int
    bound: Fraction
    direction: Vector
    transform: sp.Expr

    def __str__(self) -> str:
        return f"alpha_c <= {self.bound} = {float(self.bound):.6g} (degree {self.degree}, {in_words(self.direction)})"

    def to_json(self) -> dict[str, Any]:
        """Return degree and bound, a fraction as text."""
        return {"degree": self.degree, "bound": str(self.bound)}


def certificate(target: Target | str, direction: Sequence[int | fmpq], degree: int) -> Certificate | None:
    """Return the certificate of one direction and degree; None if these moments show nothing.

    Parameters
    ----------
    target : Target or str
        A polynomial; label noise counts.
    direction : sequence of k rationals
        u, of any length; outside the trivial subspace.
    degree : int
        m >= 1.

    Raises
    ------
    NotPolynomialError
        If the target is no polynomial with rational coefficients.

    Examples
    --------
    >>> print(certificate("z1*z2", (1, 1), 4).bound)
    71/111
    """
    target = Target(target)
    target.require_gaussian("a certificate", "it is a moment of Hermite polynomials")
    if not is_polynomial(target.expr, target.coordinates):
        raise NotPolynomialError(
            f"{target} is not a polynomial; certificates in rationals are of polynomials only"
        )
    if not (isinstance(degree, int) and degree >= 1):
        raise RebatchError(f"degree = {degree!r}; allowed are integers >= 1")
    u = tuple(fmpq(x) for x in direction)
    if len(u) != target.k or not any(u):
        raise RebatchError(f"a direction of {len(u)} entries; allowed are {target.k}, not all 0")
    return _Moments(target).certificate(u, degree)


def certificates(target: Target, left: Subspace, max_degree: int = MAX_DEGREE) -> tuple[Certificate, ...]:
    """Return the best certificate of every degree, among a basis of `left`, its sums and differences.

    None of a target that is no polynomial, and of directions that are not rational.
    """
    basis = left.orthogonal_basis()
    if not is_polynomial(target.expr, target.coordinates) or not all(map(is_rational, basis)) or not basis:
        return ()
    moments = _Moments(target)
    found = []
    for m in range(1, min(max_degree, moments.highest) + 1):
        bounds = [c for u in _candidates(basis) if (c := moments.certificate(u, m)) is not None]
        if bounds:
            found.append(min(bounds, key=lambda c: c.bound))
    return tuple(found)


def _candidates(basis: Sequence[Vector]) -> list[Vector]:
    pairs = list(combinations(basis, 2))
    plus = [tuple(x + y for x, y in zip(a, b, strict=True)) for a, b in pairs]
    minus = [tuple(x - y for x, y in zip(a, b, strict=True)) for a, b in pairs]
    return [*basis, *plus, *minus]


class _Moments:
    """The moments of one polynomial along its own linear forms; powers are shared."""

    def __init__(self, target: Target) -> None:
        self.g = framed(target.expr, target.coordinates)
        self.noise = noise_variance(target)
        degree = max(1, int(self.g.polynomial.total_degree()))
        self.highest = min(allowed_powers(self.g.polynomial, 2 * MAX_DEGREE, _MAX_TERMS) // 2, 64 // degree)
        self._powers: list[fmpq_mpoly] = [self.g.polynomial.context().constant(1)]
        self._known: dict[tuple[int, Vector | None], fmpq] = {}

    def certificate(self, u: Vector, m: int) -> Certificate | None:
        """Return 1 / (c^T H^{-1} c) and its transform."""
        c = fmpq_mat([[self._noisy(i, u)] for i in range(m + 1)])
        H = fmpq_mat([[self._noisy(i + j, None) for j in range(m + 1)] for i in range(m + 1)])
        # A label of fewer values than m + 1 has a singular H: a lower degree says as much.
        if H.det() == 0:
            return None
        weights = H.solve(c)
        reached = (c.transpose() * weights)[0, 0]
        if reached == 0:
            return None
        y = sp.Symbol("y", real=True)
        transform = sp.Add(*(rational(weights[i, 0]) * y**i for i in range(m + 1)))
        bound = 1 / reached
        return Certificate(m, Fraction(int(bound.p), int(bound.q)), u, transform)

    def _noisy(self, i: int, u: Vector | None) -> fmpq:
        """E[(g + noise)^i He_2(u.z)], or without He_2."""
        total = fmpq(0)
        for j in range(0, i + 1, 2) if self.noise else (0,):
            xi = self.noise ** (j // 2) * prod(range(1, j, 2))
            total += comb(i, j) * xi * self._moment(i - j, u)
        return total

    def _moment(self, i: int, u: Vector | None) -> fmpq:
        """E[g^i He_2(u.z)], or E[g^i]."""
        if (i, u) not in self._known:
            self._known[i, u] = self._computed(i, u)
        return self._known[i, u]

    def _computed(self, i: int, u: Vector | None) -> fmpq:
        """Return E[y^i] or E[y^i He_2 along u], u of any length."""
        power = self._power(i)
        if u is None:
            return self._expectation(power)
        form = self._linear(u)
        # |u|^2 He_2(u.z / |u|) / |u|^2, and of u only its part along V matters: the rest has mean 0.
        inside = self.g.variances
        size = dot(u, u)
        along = sum((x * x / v for x, v in zip(self.g.coordinates(u), inside, strict=True)), fmpq(0))
        return (self._expectation(power * form**2) - along * self._expectation(power)) / size

    def _linear(self, u: Vector) -> fmpq_mpoly:
        """u.z = sum_i t_i (u.b_i)."""
        generators = self.g.polynomial.context().gens()
        total = self.g.polynomial.context().constant(0)
        for t, b in zip(generators, self.g.basis, strict=True):
            total = total + t * dot(u, b)
        return total

    def _power(self, i: int) -> fmpq_mpoly:
        while len(self._powers) <= i:
            self._powers.append(self._powers[-1] * self.g.polynomial)
        return self._powers[i]

    def _expectation(self, polynomial: fmpq_mpoly) -> fmpq:
        """E over t_i of variance 1 / |b_i|^2."""
        total = fmpq(0)
        for exponents, coefficient in polynomial.to_dict().items():
            if any(int(e) % 2 for e in exponents):
                continue
            term = coefficient
            for e, v in zip(exponents, self.g.variances, strict=True):
                term *= v ** (int(e) // 2) * prod(range(1, int(e), 2))
            total += term
        return total


def noise_variance(target: Target) -> fmpq:
    """Return the label noise's variance as the fraction that its decimals say."""
    std = Fraction(str(target.noise_std)).limit_denominator(_NOISE_DENOMINATOR)
    return fmpq(std.numerator, std.denominator) ** 2
