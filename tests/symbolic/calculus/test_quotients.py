"""Quotients of exponentials that outgrow the Gaussian density: finite ones have their value, and no other has one."""

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import How, RebatchError, Target, analyze, expectation
from rebatch.symbolic.language.symbols import coordinate

z = coordinate(1)

EVERY_KIND = [
    "exp(z1^2)/(2+exp(z1^2))",
    "exp(z1^2)/(1+2*exp(z1^2))",
    "exp(z1^2)/(1+exp(z1^4))",
    "exp(z1^2)/(1+exp(abs(z1)^3))",
    "exp(z1^4)/(exp(z1^4)+exp(z1^2)+1)",
    "exp(z1^4)/(2+exp(z1^4)+z1^2)",
    "exp(z1^2)/(2+exp(z1^2)+sin(z1))",
    "exp(z1^2)/(exp(z1^2)-1/2)",
    "exp(z1^2)/sqrt(1+exp(2*z1^2))",
    "sqrt(exp(z1^4)/(3+exp(z1^4)))",
    "(exp(z1^2)/(2+exp(z1^2)))^3",
    "cosh(z1^2)/(1+cosh(z1^2))",
    "exp(z1^3)/(2+exp(z1^3)+exp(-z1^3))",
    "abs(exp(z1^2)-1)/(3+exp(z1^2))",
    "Max(exp(z1^2),2)/(1+exp(z1^2))",
    "exp(exp(z1))/(1+2*exp(exp(z1)))",
    "log(1+exp(exp(z1)))",
    "log(2+exp(z1^4))/(1+z1^2)",
    "log(1+exp(z1^4))",
]


def by_quadrature(f):
    """E[f(z)] by mpmath: nothing of it knows exponentials."""
    with mpmath.workdps(30):
        value = sp.lambdify(z, f, "mpmath")
        kink = mpmath.sqrt(mpmath.log(2))
        cells = [-12, -6, -3, -2, -1, -kink, -0.5, 0, 0.5, kink, 1, 2, 3, 6, 12]
        return mpmath.quad(lambda t: value(t) * mpmath.npdf(t), cells)


@pytest.mark.parametrize("text", EVERY_KIND)
def test_a_bounded_quotient_has_its_value(text):
    answer = expectation(text, digits=12)
    assert answer.how is How.ENCLOSURE
    exact = by_quadrature(Target(text).expr.rewrite(sp.Piecewise))
    assert float(answer) == pytest.approx(float(exact), abs=1e-8)


coefficients = st.fractions(1, 3, max_denominator=2).map(sp.Rational)
exponents = st.builds(
    lambda c, n: c * z**n,
    st.fractions(-2, 2, max_denominator=2).filter(bool).map(sp.Rational),
    st.integers(1, 4),
)
terms = st.lists(st.tuples(coefficients, exponents), min_size=1, max_size=2)


def growth(parts, side):
    """The exponent of the largest term far out: its coefficients from z^4 down, which are compared one by one."""
    return max([u.subs(z, side * z).coeff(z, j) for j in (4, 3, 2, 1)] for _, u in parts)


def falls_below_the_density(top, bottom):
    """E|f| is finite if and only if the exponent of f less z^2/2 falls on both sides."""
    for side in (1, -1):
        below = max(growth(bottom, side), [0, 0, 0, 0])
        density = [0, 0, sp.Rational(1, 2), 0]
        left = [a - b - g for a, b, g in zip(growth(top, side), below, density, strict=True)]
        if next((x for x in left if x), 0) >= 0:
            return False
    return True


@given(terms, terms, coefficients)
@settings(max_examples=15)
def test_a_random_quotient_has_a_value_where_it_exists_and_none_elsewhere(top, bottom, c):
    f = sp.Add(*(a * sp.exp(u) for a, u in top)) / (c + sp.Add(*(a * sp.exp(u) for a, u in bottom)))
    if not falls_below_the_density(top, bottom):
        with pytest.raises(RebatchError):
            expectation(f, digits=10)
        return
    answer = expectation(f, digits=10)
    assert float(answer) == pytest.approx(float(by_quadrature(f)), rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("text", "exact"),
    [
        # E[F(w)] of w = z1 z2, whose density is K_0(|w|) / pi.
        ("exp(z1*z2)/(3+exp(z1*z2))", lambda w: 1 / (1 + 3 * mpmath.exp(-w))),
        ("exp(2*z1*z2)/(1+exp(z1*z2)+exp(2*z1*z2))", lambda w: 1 / (1 + mpmath.exp(-w) + mpmath.exp(-2 * w))),
    ],
)
def test_a_quotient_in_several_directions_is_no_proof_of_divergence(text, exact):
    with mpmath.workdps(15):
        value = mpmath.quad(
            lambda w: (exact(w) + exact(-w)) * mpmath.besselk(0, w) / mpmath.pi, [0, 0.01, 0.3, 2, 8, 30]
        )
    answer = expectation(text)
    assert float(answer) == pytest.approx(float(value), abs=1e-6)


@pytest.mark.parametrize(
    "text",
    ["exp(z1^2)/(2+exp(z2^2))", "exp(z1^2)/(2+exp(z1))", "exp(z1^2)/(1+z1^2)", "exp(z1*z2)/(2+exp(z1))"],
)
def test_a_denominator_that_does_not_hold_the_growth_gives_no_value(text):
    with pytest.raises(RebatchError):
        expectation(text)


def test_what_two_forms_of_one_function_say_is_the_same():
    one = expectation("exp(z1^2)/(2+exp(z1^2))", digits=20)
    other = expectation("1/(1+2*exp(-z1^2))", digits=20)
    assert (one - other).is_zero() is not False
    assert float(expectation("exp(z1^2)/(2+exp(z1^2)) + 2/(2+exp(z1^2))")) == pytest.approx(1, abs=1e-15)


def test_an_analysis_of_a_bounded_quotient_ends_in_an_answer():
    answer = analyze("z1*exp(z1^2)/(2+exp(z1^2)) + z2")
    assert answer.information_exponent.value == 1
    assert [v.verdict for v in answer.two_step] == ["learned", "learned"] or answer.dimension == 2
