"""The number of directions says how it is known: an upper bound that nothing proves is not the number."""

import pytest
from hypothesis import given, settings

from rebatch import analyze
from rebatch.symbolic.exact.known import How
from rebatch.verify.strategies import polynomial_targets


@pytest.mark.parametrize(
    ("text", "bounds", "how"),
    [
        # Kinks along irrational hyperplanes: their identities are not proved.
        ("abs(sqrt(2)*z1+z2) + abs(sqrt(2)*z1-z2) - 2*Max(abs(sqrt(2)*z1), abs(z2))", (0, 2), How.UNDECIDED),
        ("abs(z1+z2) + abs(z1-z2) - 2*Max(abs(z1), abs(z2))", (0, 0), How.EXACT),
        (
            "abs(sqrt(2)*z1+z2) + abs(sqrt(2)*z1-z2) - 2*Max(abs(sqrt(2)*z1), abs(z2)) + z3",
            (1, 3),
            How.UNDECIDED,
        ),
        ("tanh(z1)^2 + 1/cosh(z1)^2 + z2", (1, 1), How.EXACT),
        ("relu(z1) + relu(z2) - abs(z2)", (2, 2), How.EXACT),
        ("cos(z1*z2)", (2, 2), How.EXACT),
        ("sign(z1*z2*z3)", (3, 3), How.EXACT),
        ("tanh(z1*z2)*cos(z3)", (3, 3), How.ENCLOSURE),
        ("(z1 + z2)^2", (1, 1), How.EXACT),
        ("3", (0, 0), How.EXACT),
    ],
)
def test_both_bounds_are_given_with_their_warrant(text, bounds, how):
    analysis = analyze(text, effort=2_000_000)
    count = analysis.directions
    assert (count.lower, count.upper) == bounds
    assert count.how is how
    assert analysis.to_json()["directions"] == {
        "lower": bounds[0], "upper": bounds[1], "how": str(how), "proof": count.proof,
    }  # fmt: skip
    assert count.in_words() in str(analysis)
    assert str(count.how) in analysis.sheets()[1].rows[0]


@given(polynomial_targets(max_coordinates=3, max_degree=3))
@settings(max_examples=20)
def test_the_number_for_a_polynomial_is_exact(target):
    count = analyze(target, max_order=2).directions
    assert count.lower == count.upper
    assert count.how is How.EXACT


@pytest.mark.parametrize(
    ("text", "true"),
    [
        # What is written has more linear forms than what is meant.
        ("abs(z1+z2)+abs(z1-z2)-2*Max(abs(z1),abs(z2))", 0),
        ("Max(z1,z2)+Min(z1,z2)-z1", 1),
        ("Max(Min(z1,z2),Min(z1,z3),Min(z2,z3))-z1-z2-z3+Max(z1,z2,z3)+Min(z1,z2,z3)+z4", 1),
        ("sqrt((z1^2+z2^2+1)^2)-z1^2-z2^2+tanh(z3)", 1),
        # No gradient near 0, or only there.
        ("tanh(1000*z1)+relu(z2-30)", 2),
        ("sign(z1)+abs(z2-z1)", 2),
        ("heaviside(z1)*z2+Max(z3,z4)", 4),
    ],
)
def test_bounds_hold_the_number_where_an_identity_may_hide_it(text, true):
    count = analyze(text, max_order=2, effort=300_000).directions
    assert count.lower <= true <= count.upper
    assert (count.how is How.UNDECIDED) == (count.lower < count.upper)


def test_where_no_direction_is_shown_the_bound_is_said_to_be_one():
    zero = "abs(sqrt(2)*z1+z2) + abs(sqrt(2)*z1-z2) - 2*Max(abs(sqrt(2)*z1), abs(z2))"
    analysis = analyze(zero, max_order=2, effort=100_000)
    assert "0 to 2 directions, upper bound only" in str(analysis)
    assert analysis.samples["reuse"].learns == "0 of up to 2"
