"""Finite, infinite or not shown: no integrable function is called divergent, no parity is used before existence."""

import mpmath
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, analyze, expectation
from rebatch.symbolic.errors import DivergentError
from rebatch.symbolic.exact.known import How


def by_mpmath(f):
    """Return E[f(t)], by panels of Gauss-Legendre."""
    with mpmath.workdps(25):
        return float(mpmath.quad(lambda t: f(t) * mpmath.npdf(t), list(range(-12, 13))))


def logistic(u):
    return 1 / (1 + mpmath.exp(-u)) if u > 0 else mpmath.exp(u) / (1 + mpmath.exp(u))


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("exp(z1^2)/(1+exp(z1^2))", lambda t: logistic(t**2)),
        ("(exp(z1^2)-1)/(exp(z1^2)+1)", lambda t: mpmath.tanh(t**2 / 2)),
        ("exp(z1^3)/(1+exp(z1^3))", lambda t: logistic(t**3)),
        ("sinh(z1^2)/cosh(z1^2)", lambda t: mpmath.tanh(t**2)),
        ("1/(exp(z1)+exp(-z1))", lambda t: mpmath.sech(t) / 2),
        ("log(exp(z1)+exp(-z1))", lambda t: mpmath.log(2 * mpmath.cosh(t))),
        ("log(exp(2*z1)+exp(-z1))", lambda t: mpmath.log(mpmath.exp(2 * t) + mpmath.exp(-t))),
        ("1/abs(2+cos(z1))", lambda t: 1 / (2 + mpmath.cos(t))),
        ("log(2+sin(z1))", lambda t: mpmath.log(2 + mpmath.sin(t))),
        ("tan(tanh(z1))^2", lambda t: mpmath.tan(mpmath.tanh(t)) ** 2),
        ("sqrt(1+2*z1+z1^2)", lambda t: abs(1 + t)),
        ("sinh(z1)^2/cosh(z1)^2*z1^2", lambda t: (t * mpmath.tanh(t)) ** 2),
        ("exp(3*z1^2)/(1+exp(z1^2))^3", lambda t: logistic(t**2) ** 3),
    ],
)
def test_bounded_quotients_of_what_grows_have_their_value(text, f):
    value = expectation(text)
    assert value.how in (How.EXACT, How.ENCLOSURE)
    assert float(value) == pytest.approx(by_mpmath(f), rel=1e-12)


@given(
    st.integers(1, 3),
    st.integers(1, 4),
    st.sampled_from(["z1^2", "z1^4", "z1*z2", "z1^3"]),
    st.integers(0, 3),
)
@settings(max_examples=12)
def test_powers_of_logistic_functions_are_between_zero_and_one(n, c, u, m):
    # exp(n c u) / (1 + exp(c u))^(n + m): never infinite.
    value = expectation(f"exp({n * c}*({u}))/(1+exp({c}*({u})))^{n + m}")
    assert 0 < float(value) < 1


@pytest.mark.parametrize(
    "text",
    [
        "exp(z1^2)*tanh(z1)",
        "z1*exp(z1^2*tanh(z1)^2)",
        "z2*exp(z1^2*tanh(z1)^2)",
        "(z1-z2)*exp(z1^2*z2^2*tanh(z3)^2)",
        "exp(exp(z1))*z2",
        "(log(6) - log(2) - log(3))*exp(z1^2)",  # 0, which no ball can tell
    ],
)
def test_what_is_not_shown_to_exist_is_neither_infinite_nor_zero(text):
    with pytest.raises(RebatchError, match="could not be shown to exist") as caught:
        expectation(text)
    assert not isinstance(caught.value, DivergentError)


@pytest.mark.parametrize(
    "text", ["exp(z1^2)/(2+exp(z1^2))", "exp(z1^2)*sigmoid(-2*z1^2)^2", "exp(2*z1)/(3+exp(2*z1))*cos(z1)^2"]
)
def test_bounded_quotients_are_never_called_infinite(text):
    try:
        value = float(expectation(text))
    except DivergentError:
        pytest.fail("called infinite without a proof")
    except RebatchError:
        return
    assert 0 < value < 1


def test_a_direction_is_not_learned_by_an_expectation_that_does_not_exist():
    with pytest.raises(RebatchError, match="could not be shown to exist"):
        analyze("z3+z1*z2*exp(z1^2*tanh(z1)^2)")


@pytest.mark.parametrize(
    "text",
    [
        "exp(z1^2/2)*cos(z1)",
        "exp(z1*z2)*cos(z1+z2)",
        "exp(z1^2) - exp(z1^2 + 1/10^30)",
        "exp(z1^2)*heaviside(z1 - 3)",
        "exp(3*z1^2/4 + z1*z2/10)*sign(z2 + 5)",
        "z1^2*exp(z1^2/2) - exp(z1^2/2 + z1/2)",
    ],
)
def test_infinite_expectations_are_proved(text):
    with pytest.raises(DivergentError, match="infinite"):
        expectation(text)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("exp(z1^2/2 + sqrt(2)*log(2)) - 2^sqrt(2)*exp(z1^2/2)", 0),
        ("exp(z1^2)*heaviside(z1)*heaviside(-z1)", 0),
        ("tanh(z1)^2 + 1/cosh(z1)^2 + z2", 1),
        ("sinh(z1)/cosh(z1) - tanh(z1) + z2^2", 1),
    ],
)
def test_what_cancels_is_exact(text, value):
    answer = expectation(text)
    assert answer.how is How.EXACT
    assert answer.value == value


@pytest.mark.parametrize("text", ["z1*sinh(z1^2)", "z1^3*exp(z1^2)", "z1*exp(z1^2/2)*z2^2", "exp(z1^2)"])
def test_of_what_is_not_integrable_only_the_expectation_of_its_size_is_called_infinite(text):
    # Of an odd function E g is not infinite: it does not exist.
    with pytest.raises(DivergentError, match=r"the expectation of \|g\| is infinite"):
        expectation(text)
