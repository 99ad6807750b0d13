import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import eval_hermitenorm

from rebatch import How, analyze, generative_exponent, generative_leap
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.proofs.moment_identity import first_order_not_excluded, vanishes_in_all_powers

positive = st.builds(sp.Rational, st.integers(1, 6), st.integers(1, 3))


@given(a=positive, b=positive, order=st.sampled_from([2, 4, 6]))
@settings(max_examples=8)
def test_what_is_said_to_vanish_in_all_powers_does_so_by_quadrature(a, b, order):
    t, step = np.linspace(-12, 12, 200_001, retstep=True)
    density = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi)
    w = np.abs(t) ** float(a) * np.exp(-float(b) * t**2)
    averages = [np.sum(w**m * eval_hermitenorm(order, t) * density) * step for m in range(1, 8)]
    # The trapezoidal rule errs at the kink of |t|^a by at most step^(1 + a), a >= 1/3.
    largest = max(abs(x) / np.sum(w**m * density) / step for m, x in enumerate(averages, start=1))
    assert vanishes_in_all_powers((a, b), order) == (largest < 1e-4)


@given(a=positive, b=positive)
def test_order_two_vanishes_where_the_exponents_are_equal(a, b):
    assert vanishes_in_all_powers((a, b), 2) == (a == 2 * b)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("z1^2*exp(-z1^2)", 4),
        ("tanh(z1^2*exp(-z1^2)) + z2", 4),
        ("z1^4*exp(-2*z1^2)*z2 + cos(z1^2*exp(-z1^2))", 4),
        ("abs(z1)*exp(-z1^2/2)", 4),
        ("z1^2*exp(z2 - z1^2)", 4),
        ("z1^2*exp(-2*z1^2)", 2),
        ("exp(-z1^2)", 2),
        # No function of one bump: the odd part, another bump, a bare square.
        ("z1*exp(-z1^2/2)", 1),
        ("z1^2*exp(-z1^2) + z1", 1),
        ("z1^2*exp(-z1^2) + exp(-z1^2)", 1),
        ("z1^2*exp(-z1^2) + z1^2", 1),
        ("z1^2*exp(-z1^2 + z1)", 1),
        ("z1^2*exp(-z1^2*z2^2)", 1),
    ],
)
def test_the_first_order_that_is_not_excluded(text, order):
    assert first_order_not_excluded(parse(text), coordinate(1), 12) == order


@pytest.mark.parametrize(
    "text",
    ["z1^2*exp(-z1^2)", "exp(3*z1^2*exp(-z1^2))", "(z1 + 2*z2)^2/5*exp(-(z1 + 2*z2)^2/5)"],
)
def test_the_generative_exponent_four_is_proved(text):
    assert generative_exponent(text).value == 4
    assert generative_exponent(text).how in (How.EXACT, How.ENCLOSURE)


def test_a_bump_beside_other_directions_keeps_its_order():
    known = generative_leap("z1^2*exp(-z1^2) + z2")
    assert (known.value, known.how) == (4, How.EXACT)
    assert [order for order, _ in known.sequence] == [1, 4]
    assert generative_exponent("z1^2*exp(-z1^2) + z2").value == 1
    # Stretched, the bump shows at order 2.
    assert generative_leap("z1^2*exp(-2*z1^2) + z2").value == 2


def test_the_bump_needs_as_many_samples_as_its_order_says():
    assert str(analyze("z1^2*exp(-z1^2) + z2").samples["statistical_queries"]) == "d^2"
