"""Kinks: thresholds are ordered as exact numbers, ties of positive measure are told from null sets."""

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, expectation
from rebatch.symbolic.calculus.thin import has_thin_zeros
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate

z1, z2 = coordinate(1), coordinate(2)


def mass(a, b):
    """Return P(a < z < b) to many digits."""
    with mpmath.workdps(60):
        return mpmath.ncdf(mpmath.mpf(b.p) / b.q) - mpmath.ncdf(mpmath.mpf(a.p) / a.q)


@given(st.fractions(-2, 2, max_denominator=9), st.integers(16, 28), st.integers(1, 3))
@settings(max_examples=12)
def test_thresholds_that_floats_cannot_tell_apart_are_in_order(a, digits, n):
    low = sp.Rational(a)
    high = low + n * sp.Rational(1, 10**digits)
    between = sp.Heaviside(z1 - low) * sp.Heaviside(high - z1)
    value = expectation(between)
    assert float(value) == pytest.approx(float(mass(low, high)), rel=1e-12)
    assert expectation(sp.Heaviside(z1 - high) * sp.Heaviside(low - z1)).is_zero() is True
    ball = expectation(between * sp.tanh(z1 + 3)).ball()
    assert ball > 0
    assert expectation(sp.Max(0, z1 - high) * sp.Max(0, low - z1)).is_zero() is True


def test_a_tiny_difference_has_its_size():
    value = expectation("1e60*relu(z1-1/3)*relu(1/3+1e-20-z1)")
    # Close to the peak, the density times 1e60 h^3 / 6 for a width of h = 1e-20.
    assert float(value) == pytest.approx(float(mpmath.npdf(mpmath.mpf(1) / 3)) / 6, rel=1e-12)
    assert value.to_json()["float"] == float(value)


@pytest.mark.parametrize(
    ("condition", "value"),
    [
        (sp.Eq(sp.sign(z1), 1), "1/2"),
        (sp.Ne(sp.sign(z1), 1), "1/2"),
        (z1 >= sp.Max(z1, 0), "1/2"),
        (z1 > sp.Max(z1, 0), "0"),
        (sp.Max(z1, 0) <= 0, "1/2"),
        (sp.Max(z1, 0) > 0, "1/2"),
        (sp.Ne(sp.Max(z1, 0), 0), "1/2"),
        (sp.Eq(sp.Max(z1, z2), z1), "1/2"),
        (sp.Eq(sp.Abs(z1), z1), "1/2"),
        (sp.Eq(z1, z2), "0"),
        (sp.Ge(sp.Heaviside(z1 - 1), sp.Rational(1, 2)), "1/2 - erf(1/sqrt(2))/2"),
    ],
)
def test_ties_of_positive_measure_are_counted(condition, value):
    answer = expectation(sp.Piecewise((1, condition), (0, True)))
    assert answer.how is How.EXACT
    assert sp.simplify(answer.value - sp.sympify(value)) == 0


def test_a_tie_that_is_not_decided_is_refused():
    identity = sp.Eq(sp.tanh(2 * z1) * (1 + sp.tanh(z1) ** 2), 2 * sp.tanh(z1))
    with pytest.raises(RebatchError, match="null set"):
        expectation(sp.Piecewise((1, identity), (0, True)))


@pytest.mark.parametrize(
    ("text", "thin"),
    [
        ("tanh(z1) - z2", True),
        ("sin(z1)*sign(sin(z1)) - 1/2", True),
        ("sin(z1)*sign(sin(z1)) - sin(z1)", False),
        ("tanh(2*z1)*(1 + tanh(z1)^2) - 2*tanh(z1)", False),
    ],
)
def test_zeros_are_thin_only_where_it_is_proved(text, thin):
    assert has_thin_zeros(parse(text)) is thin


@pytest.mark.parametrize(
    "constant",
    [
        "sin(1)",
        "2+cos(softplus(-2))",
        "exp(cos(1))",
        "3+sin(1/3)",
        "cosh(1/3)*cos(2)",
        "exp(1)",
        "sin(2)-cos(1/5)",
    ],
)
@pytest.mark.parametrize(
    "form",
    ["relu(({c})*z1-1/2)", "sign(z1/({c})-z2+1/3)*z2", "exp(-z1^2/(3+{c}))", "tanh(z1/({c}))*z1"],
)
def test_constants_of_the_language_count_with_their_value(constant, form):
    value = sp.Rational(sp.N(parse(f"z1+{constant}") - parse("z1"), 40)).limit_denominator(10**25)
    there, approximate = (expectation(form.replace("{c}", str(c))) for c in (constant, value))
    assert float(there) == pytest.approx(float(approximate), abs=1e-12)
