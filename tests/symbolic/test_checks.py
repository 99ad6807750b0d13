"""What a user gives is taken as the type that is meant, or refused with what is allowed."""

from fractions import Fraction

import numpy as np
import pytest
import sympy as sp

from rebatch.symbolic import checks
from rebatch.symbolic.errors import RebatchError


@pytest.mark.parametrize("value", [3, np.int64(3), np.uint8(3), sp.Integer(3)])
def test_every_kind_of_integer_becomes_an_int(value):
    assert type(checks.integer("steps", value, least=3, most=3)) is int


@pytest.mark.parametrize("value", [True, np.True_, 3.0, "3", None, [3], 3 + 0j, sp.Symbol("n"), Fraction(3)])
def test_what_is_no_integer_is_refused_by_name(value):
    with pytest.raises(RebatchError, match=r"^steps = .*; allowed are integers$"):
        checks.integer("steps", value)


@pytest.mark.parametrize(
    ("bounds", "value", "allowed"),
    [
        ({"least": 1}, 0, "integers >= 1"),
        ({"most": 12}, 13, "integers <= 12"),
        ({"least": 1, "most": 40}, 41, "integers from 1 to 40"),
        ({"least": 4, "why": ": k + p = 4"}, 3, "integers >= 4: k + p = 4"),
    ],
)
def test_an_integer_out_of_bounds_is_told_the_bounds(bounds, value, allowed):
    with pytest.raises(RebatchError) as error:
        checks.integer("n", value, **bounds)
    assert str(error.value) == f"n = {value}; allowed are {allowed}"


def test_an_integer_that_floating_point_does_not_know_is_told_the_bound_that_it_breaks():
    assert checks.integer("n", 2**53, least=0) == 2**53
    assert checks.integer("seed", 2**200, least=0, most=None) == 2**200
    with pytest.raises(RebatchError, match=r"allowed are integers from 0 to 9,007,199,254,740,992$"):
        checks.integer("n", 2**53 + 1, least=0)


@pytest.mark.parametrize("value", [0.5, np.float32(0.5), Fraction(1, 2), sp.Rational(1, 2), sp.Float("0.5")])
def test_every_kind_of_real_number_becomes_a_float(value):
    assert checks.number("eta", value, above=0, below=1) == 0.5
    assert type(checks.number("eta", value)) is float


@pytest.mark.parametrize("value", [False, np.nan, np.inf, "0.5", 1j, None, np.array([0.5])])
def test_what_is_no_finite_number_is_refused_by_name(value):
    with pytest.raises(RebatchError, match=r"^eta = .*; allowed are finite numbers$"):
        checks.number("eta", value)


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "allowed"),
    [
        ({"above": 0}, 1e-300, 0.0, "finite numbers > 0"),
        ({"least": 0}, 0.0, -1e-300, "finite numbers >= 0"),
        ({"above": 0, "below": 0.1}, 0.05, 0.1, "numbers between 0 and 0.1"),
        ({"least": 1e-13, "most": 1}, 1.0, 1.5, "finite numbers from 1e-13 to 1"),
        ({"below": 2}, 1.5, 2.0, "finite numbers < 2"),
    ],
)
def test_a_number_is_held_to_its_bounds(bounds, inside, outside, allowed):
    assert checks.number("x", inside, **bounds) == inside
    with pytest.raises(RebatchError) as error:
        checks.number("x", outside, **bounds)
    assert str(error.value) == f"x = {outside}; allowed are {allowed}"


def test_a_value_of_a_closed_list_is_returned_and_any_other_is_told_the_list():
    assert checks.one_of("loss", "squared", ("squared", "correlation")) == "squared"
    with pytest.raises(RebatchError, match=r"^loss = 'hinge'; allowed are squared, correlation$"):
        checks.one_of("loss", "hinge", iter(("squared", "correlation")))


@pytest.mark.parametrize("value", [True, False, np.True_])
def test_a_truth_value_is_one(value):
    assert checks.flag("reuse", value) is bool(value)


@pytest.mark.parametrize("value", ["false", 0, 1, None, np.array([True, False])])
def test_what_is_no_truth_value_is_refused_not_guessed(value):
    with pytest.raises(RebatchError, match=r"^reuse = .*; allowed are True and False$"):
        checks.flag("reuse", value)


class _Unprintable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    "value",
    [10**5000, "z" * 10**6, np.zeros(10**4), "a\nb", _Unprintable()],
    ids=["huge", "long", "array", "lines", "unprintable"],
)
def test_a_message_is_one_short_line_whatever_was_given(value):
    with pytest.raises(RebatchError) as error:
        checks.number("eta", value, above=0)
    assert len(str(error.value)) < 160
    assert "\n" not in str(error.value)
