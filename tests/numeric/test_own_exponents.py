"""Exponents by numbers: against exact ones, and never less than they are."""

import numpy as np
import pytest

from rebatch import RebatchError, Target, information_exponent, leap, numeric_exponents


@pytest.mark.parametrize(
    "text",
    ["z1*z2", "z1^2*exp(-z1^2)", "sign(z1*z2*z3)", "tanh(z1) + He(3, z2)", "He(3, z1) + He(4, z2)", "z1 + z1*z2"],
)  # fmt: skip
def test_they_are_the_exact_ones(text):
    found = numeric_exponents(text)
    assert found.information_exponent == information_exponent(text).value
    assert found.leap == leap(text).value
    assert found.how == "numeric"


def test_coefficients_are_expectations_with_their_error():
    found = numeric_exponents(Target.from_callable(lambda z: np.exp(z[:, 0] / 2) * z[:, 1], 2))
    # E[e^(z/2) He_a(z)] = e^(1/8) / 2^a.
    for a in range(4):
        seen = found.coefficients[(a, 1)]
        exact = np.exp(1 / 8) / 2**a / np.sqrt(float(np.prod(range(1, a + 1))))
        # Student with 15 degrees of freedom beyond 9: 2e-7 a coefficient.
        assert abs(seen.value - exact) < 9 * seen.error
        assert seen.error < 1e-2
        assert seen.nonzero
    assert not found.coefficients[(1, 0)].nonzero


def test_two_steps_feel_what_a_power_of_the_label_points_to_and_no_symmetry_hides():
    assert numeric_exponents("He(3, z1) + He(4, z2)").two_steps == (1,)
    assert numeric_exponents("z1*z2").two_steps == ()
    assert "z1" in str(numeric_exponents("He(3, z1)"))


def test_a_target_without_a_sign_up_to_the_order_has_no_number():
    found = numeric_exponents("He(5, z1)", max_order=4)
    assert found.information_exponent is None
    assert found.leap is None
    assert "none seen up to 4" in str(found)


def test_other_inputs_and_orders_are_refused():
    with pytest.raises(RebatchError, match="gaussian inputs"):
        numeric_exponents(Target("z1", inputs="boolean"))
    with pytest.raises(RebatchError, match="max_order"):
        numeric_exponents("z1", max_order=9)
