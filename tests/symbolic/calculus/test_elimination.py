"""Characteristic functions of quadratic forms and products, exactly."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import expectation
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.symbols import coordinate

entries = st.integers(-4, 4)


@given(st.lists(entries, min_size=6, max_size=6), st.integers(0, 2), st.sampled_from([sp.cos, sp.sin]))
@settings(max_examples=40)
def test_quadratic_forms_have_their_characteristic_function(entries, n, function):
    # E exp(i z'Az) = det(1 - 2iA)^(-1/2), the product of the principal roots over the eigenvalues.
    a, b, c, d, e, f = entries
    A = np.array([[a, b, c], [b, d, e], [c, e, f]]) / 2
    z = [coordinate(i) for i in (1, 2, 3)]
    form = sum(sp.Rational(int(2 * A[i, j]), 2) * z[i] * z[j] for i in range(3) for j in range(3))
    value = expectation(function(form) * z[0] ** (2 * n))
    moments = np.eye(3) - 2j * A
    characteristic = np.prod(1 / np.sqrt(1 - 2j * np.linalg.eigvalsh(A)))
    variance = np.linalg.inv(moments)[0, 0]
    expected = characteristic * variance**n * (1, 1, 3)[n]
    assert value.how is How.EXACT
    assert float(value) == pytest.approx(
        expected.real if function is sp.cos else expected.imag, rel=1e-9, abs=1e-12
    )


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("cos(z1*z2)", "1/sqrt(2)"),
        ("cos(1542*z1*z2)", "1/sqrt(1+1542**2)"),
        ("z1*z2*sin(z1*z2)", "1/sqrt(8)"),
        ("cos(z1^2)", "sqrt((1+sqrt(5))/2)/sqrt(5)"),
        ("cos(z1*z2)*tanh(z3)^2*0 + exp(z1*z2/2)*cos(z3*z4)", "sqrt(2/3)"),
    ],
)
def test_products_are_exact(text, value):
    answer = expectation(text)
    assert answer.how is How.EXACT
    assert (
        sp.N(answer.value - sp.sympify(value), 40) == 0
        or abs(sp.N(answer.value - sp.sympify(value), 40)) < 1e-35
    )


@pytest.mark.parametrize(
    ("text", "digits"),
    # E (1 + 84^2 z^2)^(-1/2) and E exp(-z^4 / 2), by mpmath.
    [("cos(84*z1*z2*z3)", "0.0492229550978662545710"), ("cos(z1^2*z2)", "0.6977279890519143123188")],
)
def test_what_is_left_with_one_coordinate_is_a_ball(text, digits):
    answer = expectation(text)
    assert answer.how is How.ENCLOSURE
    assert str(answer.value.mid().str(22, radius=False)).startswith(digits[:20])


def test_a_narrow_peak_is_found():
    answer = expectation("1e10*exp(-1e10*((z1-3/10)^2+(z2-z1^2)^2))")
    # The peak at (3/10, 9/100) has the determinant 1, so that E is pi times the density there.
    expected = np.pi * np.exp(-(0.3**2 + 0.09**2) / 2) / (2 * np.pi)
    assert float(answer) == pytest.approx(expected, rel=1e-8)
    assert answer.how is How.ENCLOSURE
