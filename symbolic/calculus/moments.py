"""E[g(z)] for z ~ N(0, I_k), exactly, for polynomials.

Two identities carry everything (theory, 2): E[z^S] = prod_i (S_i - 1)!! for even S_i, else 0; and the heat
semigroup, E[g(x + z)] = exp(Laplacian / 2) g (x), whose Taylor coefficients at x = 0 are the Hermite coefficients.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul

from flint import fmpq, fmpq_mpoly


def polynomial_expectation(polynomial: fmpq_mpoly) -> fmpq:
    """Return E[g(z)] over all variables of the ring, standard normal and independent."""
    return moments(polynomial, polynomial.context().nvars()).get((), fmpq(0))


def moments(polynomial: fmpq_mpoly, gaussians: int) -> dict[tuple[int, ...], fmpq]:
    """Return E[g] over the first `gaussians` variables, as a polynomial in the others.

    Returns
    -------
    dict
        Exponents of the remaining variables -> coefficient; zeros are left out.
    """
    result: dict[tuple[int, ...], fmpq] = {}
    odd_products = _double_factorials(max(polynomial.degrees(), default=0))
    for exponents, coefficient in polynomial.to_dict().items():
        for exponent in exponents[:gaussians]:
            if exponent % 2:
                break
            if exponent > 2:
                coefficient *= odd_products[exponent // 2]  # noqa: PLW2901
        else:
            rest = exponents[gaussians:]
            result[rest] = result[rest] + coefficient if rest in result else coefficient
    return {rest: value for rest, value in result.items() if value != 0}


def smoothed(
    polynomial: fmpq_mpoly, covariance: Sequence[Sequence[fmpq_mpoly | int]] | None = None
) -> fmpq_mpoly:
    """Return x -> E[g(x + w)], w ~ N(0, covariance): exp(sum_ij C_ij d_i d_j / 2) g.

    Parameters
    ----------
    polynomial : fmpq_mpoly
        g, in a ring whose first variables are the ones that are shifted.
    covariance : matrix of ring elements, optional
        Its entries must not contain the shifted variables. The identity on all variables by default.
    """
    if covariance is None:
        return smoothed_along(polynomial, [fmpq(1)] * polynomial.context().nvars())
    size = len(covariance)
    pairs = [(i, j, covariance[i][j]) for i in range(size) for j in range(size) if covariance[i][j] != 0]
    return _exponential(polynomial, pairs)


def _exponential(polynomial: fmpq_mpoly, pairs: Sequence[tuple[int, int, fmpq_mpoly | int]]) -> fmpq_mpoly:
    """Return exp(sum C_ij d_i d_j / 2) g, summed until the derivatives vanish."""
    total = term = polynomial
    order = 0
    while True:
        order += 1
        derivative = term * 0
        for i, j, c in pairs:
            derivative += c * term.derivative(i).derivative(j)
        if derivative == 0:
            return total
        term = derivative * fmpq(1, 2 * order)
        total = total + term


def smoothed_along(polynomial: fmpq_mpoly, variances: Sequence[fmpq]) -> fmpq_mpoly:
    """Return x -> E[g(x + w)], w_i ~ N(0, v_i) independent."""
    for i, variance in enumerate(variances):
        polynomial = _exponential(polynomial, [(i, i, variance)])
    return polynomial


def first_moments(polynomial: fmpq_mpoly, k: int, variances: Sequence[fmpq] | None = None) -> list[fmpq]:
    """Return E[g(w) w_i] for i = 1 … k, w_i ~ N(0, v_i) independent, v_i = 1 by default."""
    degree = max(polynomial.degrees(), default=0) + 1
    odd_products = _double_factorials(degree)
    even_moments = [[p * v**j for j, p in enumerate(odd_products)] for v in variances or [fmpq(1)] * k]
    result = [fmpq(0)] * k
    for exponents, coefficient in polynomial.to_dict().items():
        odd = [i for i, exponent in enumerate(exponents) if exponent % 2]
        if len(odd) == 1:
            for moments_of_w, exponent in zip(even_moments, exponents, strict=True):
                if exponent:
                    coefficient *= moments_of_w[(exponent + 1) // 2]  # noqa: PLW2901
            result[odd[0]] += coefficient
    return result


def _double_factorials(degree: int) -> list[int]:
    """Return [(2j - 1)!! for j = 0 …], the even moments of N(0, 1) up to the degree."""
    return list(accumulate(range(1, degree + 2, 2), mul, initial=1))
