"""Polynomials on the orthogonal polynomials of a law, against moments summed in the test."""

from math import prod

import pytest
import sympy as sp

from rebatch import RebatchError, Target, expectation
from rebatch.symbolic.calculus.product_form import first_moments
from rebatch.symbolic.exact.polynomial import rational, to_polynomial
from rebatch.symbolic.language.law import law


def average(polynomial, inputs):
    """E[g(z)], term by term."""
    return sum(rational(c) * prod(inputs.moment(int(n)) for n in S) for S, c in polynomial.to_dict().items())


@pytest.mark.parametrize("name", ["boolean", "biased(1/4)", "uniform(-1, 0, 2)", "laplace", "student(15)"])
def test_first_moments_are_averages_of_the_target_times_a_centred_coordinate(name):
    target = Target("3*z1 - z1*z2 + 2*z1*z2^2*z3 - z2^3/5 + z3^2 + 7", inputs=name)
    g = to_polynomial(target.expr, target.coordinates)
    found = first_moments(g, target.inputs)
    for i, x in enumerate(found):
        z = g.context().gens()[i]
        expected = average(g * z, law(name)) - law(name).mean * average(g, law(name))
        assert sp.Rational(int(x.p), int(x.q)) == expected


@pytest.mark.parametrize(
    ("text", "value"),
    [("exp(z1)", 2), ("exp(-z1/2)", 8 / 7), ("exp(6*z1/5)", 25 / 7), ("sigmoid(z1)", 1 / 2)],
)
def test_exponentials_under_a_law_with_exponential_tails(text, value):
    # 1 / (1 - a^2 / 2) of variance 1, for |a| < sqrt(2).
    assert float(expectation(Target(text, inputs="laplace"))) == pytest.approx(value, rel=1e-9)


def test_an_exponential_that_outgrows_the_law_is_refused():
    with pytest.raises(RebatchError, match="laplace"):
        expectation(Target("exp(3*z1/2)", inputs="laplace"))
