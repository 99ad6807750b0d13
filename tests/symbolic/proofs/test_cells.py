"""A piecewise polynomial is 0 if it is on every cell: identities of kinks are proved, and nothing near them is."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import How, Target, analyze, information_exponent
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.proofs.cells import is_zero_on_cells

x, y = coordinate(1), coordinate(2)
forms = st.builds(lambda a, b, c: a * x + b * y + c, *(st.integers(-3, 3),) * 3)


@given(forms, forms, forms)
@settings(max_examples=6)
def test_identities_of_kinks_are_proved(u, v, w):
    largest = sp.Max(u, v, w)
    for zero in (
        sp.Max(u, v) + sp.Min(u, v) - u - v,
        abs(u + v) + abs(u - v) - 2 * sp.Max(abs(u), abs(v)),
        sp.Max(sp.Max(u, v), w) - (w + sp.Max(u - w, v - w, 0)),
        sp.Max(largest, sp.Min(u, v)) - largest,
    ):
        assert is_zero_on_cells(zero)


@given(forms, forms, forms)
@settings(max_examples=12)
def test_what_is_not_zero_somewhere_is_never_said_to_be(u, v, w):
    f = abs(u) + abs(v) - sp.Max(abs(u + v), abs(u - w))
    z = np.random.default_rng(0).standard_normal((2000, 2)) * 3
    values = Target(f, k=2)(z)
    assert not is_zero_on_cells(f) or np.abs(values).max() < 1e-9


def test_a_cell_that_is_thin_is_no_empty_cell():
    """0 but for z1 between 1/3 and 1/3 + 10^-20, which no float sees."""
    low, high = sp.Rational(1, 3), sp.Rational(1, 3) + sp.Rational(1, 10**20)
    bump = sp.Max(x - low, 0) * sp.Max(high - x, 0)
    assert not is_zero_on_cells(bump)
    assert is_zero_on_cells(sp.Max(x - high, 0) * sp.Max(low - x, 0))


@pytest.mark.parametrize(
    "text",
    [
        "abs(z1+z2)+abs(z1-z2)-2*Max(abs(z1),abs(z2))",
        "Max(abs(z1),abs(z2))-Max(z1,-z1,z2,-z2)",
        "relu(z1+z2)*relu(-z1-z2)",
        "Max(z1,z2,z3)+Max(-z1,-z2,-z3)-Max(z1-Min(z1,z2,z3),z2-Min(z1,z2,z3),z3-Min(z1,z2,z3))",
    ],
)
def test_the_zero_function_has_no_direction(text):
    assert analyze(text).dimension == 0
    exponent = information_exponent(text)
    assert (exponent.infinite, exponent.how) == (True, How.EXACT)


def test_what_cancels_is_left_out_of_a_target():
    answer = analyze("abs(z1+z2)+abs(z1-z2)-2*Max(abs(z1),abs(z2))+z3")
    assert (answer.dimension, answer.directions.how) == (1, How.EXACT)
    assert [v.direction for v in answer.two_step] == [(0, 0, 1)]
