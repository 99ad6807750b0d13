from math import prod

from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from rebatch.symbolic.calculus.gaussian import first_moments, moments, polynomial_expectation, smoothed
from rebatch.symbolic.exact.polynomial import ring, to_polynomial
from rebatch.verify.strategies import polynomial_targets


def polynomial_of(target):
    return to_polynomial(target.expr, target.coordinates)


@given(st.lists(st.integers(0, 8), min_size=1, max_size=4))
def test_moments_of_a_monomial_are_double_factorials(exponents):
    monomial = prod(
        z**e for z, e in zip(ring([f"z{i}" for i in range(len(exponents))]).gens(), exponents, strict=True)
    )
    expected = prod(0 if e % 2 else prod(range(1, e, 2)) for e in exponents)
    assert polynomial_expectation(monomial) == expected


@given(polynomial_targets(max_coordinates=3), st.integers(0, 2))
def test_steins_identity(target, i):
    g = polynomial_of(target)
    i = min(i, target.k - 1)
    z = g.context().gens()[i]
    assert polynomial_expectation(z * g) == polynomial_expectation(g.derivative(i))
    assert first_moments(g, target.k)[i] == polynomial_expectation(z * g)


@given(polynomial_targets(), polynomial_targets())
def test_expectation_is_linear(first, second):
    k = max(first.k, second.k)
    context = ring([f"z{i + 1}" for i in range(k)])
    f, g = (polynomial_of(t).compose(*context.gens()[: t.k], ctx=context) for t in (first, second))
    assert polynomial_expectation(3 * f - g) == 3 * polynomial_expectation(f) - polynomial_expectation(g)


@given(polynomial_targets(max_coordinates=2))
def test_smoothing_with_a_covariance_is_adding_a_gaussian(target):
    # w = B u with u standard normal has covariance B B^T: smooth by it, or average g(x + B u) over u.
    g = polynomial_of(target)
    k = target.k
    B = [[fmpq(1), fmpq(0)], [fmpq(1, 2), fmpq(2)]]
    covariance = [[sum(B[i][m] * B[j][m] for m in range(k)) for j in range(k)] for i in range(k)]
    context = ring([*(f"u{i}" for i in range(k)), *(f"x{i}" for i in range(k))])
    u, x = context.gens()[:k], context.gens()[k:]
    shifted = g.compose(*(x[i] + sum(B[i][m] * u[m] for m in range(k)) for i in range(k)), ctx=context)
    assert moments(shifted, k) == {tuple(S): c for S, c in smoothed(g, covariance).to_dict().items()}
