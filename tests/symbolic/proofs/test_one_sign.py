import pytest
import sympy as sp

from rebatch import expectation, generative_leap
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.proofs.one_sign import odd_of_one_sign

z1 = sp.Symbol("z1", real=True)


def sign_of(g):
    return lambda n: int(sp.sign(expectation(g * parse(f"He({n}, z1)")).value))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("He(3, z1)", True),
        ("He(3, z1) + 2*He(5, z1)", True),
        ("-He(3, z1) - He(7, z1)", True),
        ("sinh(z1) - exp(1/2)*z1", True),  # its first coefficient is 0
        ("exp(z1) - exp(-z1)", True),
        ("z1^3*cosh(z1)^2 + z1", True),
        ("He(3, z1) - He(5, z1)", False),
        ("sinh(z1) - 2*z1", False),  # its first coefficient is below 0
        ("z1^3 - sinh(z1)", False),
        ("exp(z1)", False),
        ("He(4, z1)", False),
        ("sin(z1)", False),
        ("0*z1", False),
    ],
)
def test_odd_functions_with_coefficients_of_one_sign_are_told(text, expected):
    g = parse(text)
    assert odd_of_one_sign(g, z1, sign_of(g)) is expected
    if expected:  # the theorem, by the moment itself
        assert expectation(g**3 * z1).value != 0


def test_a_sign_that_is_not_proved_certifies_nothing():
    assert not odd_of_one_sign(parse("sinh(z1) - exp(1/2)*z1"), z1, lambda n: None)


def test_one_power_of_the_label_is_enough_for_an_odd_function_of_one_sign():
    # E[y z] = 0, and y^2 is even: what shows it is y^3, which is not asked for here.
    leap = generative_leap("sinh(z1) - exp(1/2)*z1", max_order=1)
    assert (leap.value, leap.how) == (1, How.THEOREM)
    assert "one sign" in leap.witness
    assert generative_leap("sinh(z1) - exp(1/2)*z1").how is How.EXACT


@pytest.mark.parametrize(("cubic", "certified"), [(50, False), (-50, True)])
def test_the_sign_of_a_number_below_floating_point_is_its_own(cubic, certified):
    g = f"1e-200*1e-200*({cubic}*He(3, z1) - sinh(z1) + exp(1/2)*z1)"
    assert (generative_leap(g, max_order=1).how is How.THEOREM) == certified
