import sympy as sp
from hypothesis import given

from rebatch import hermite_series
from rebatch.symbolic.calculus.gaussian import polynomial_expectation
from rebatch.symbolic.exact.polynomial import rational, to_polynomial
from rebatch.verify.strategies import polynomial_targets


@given(polynomial_targets())
def test_the_coefficients_rebuild_the_polynomial(target):
    assert sp.expand(hermite_series(target).to_expr() - target.expr) == 0


@given(polynomial_targets())
def test_parseval(target):
    g = to_polynomial(target.expr, target.coordinates)
    assert hermite_series(target).squared_norm() == rational(polynomial_expectation(g * g))


def test_known_coefficients_of_a_cube_times_a_line():
    assert hermite_series("z1**3*z2 - z1/2").coefficients == {
        (1, 0): sp.Rational(-1, 2),
        (1, 1): 3,
        (3, 1): 6,
    }


def test_latex_has_a_sign_for_every_term():
    assert hermite_series("He(2,z1) - z2").latex() == (
        r"- \mathrm{He}_{1}(z_{2}) + \mathrm{He}_{2}(z_{1})".replace("- ", "-", 1)
    )


def test_the_coefficients_of_an_exponential_are_its_moment_times_powers():
    # c_S = E[d^S g], and d^S exp(z1/2 - z2) = 2^-S_1 (-1)^S_2 exp(z1/2 - z2).
    series = hermite_series("exp(z1/2 - z2)", 4)
    assert len(series.coefficients) == 15
    for (first, second), c in series.coefficients.items():
        assert c == sp.exp(sp.Rational(5, 8)) * sp.Rational(1, 2) ** first * (-1) ** second
