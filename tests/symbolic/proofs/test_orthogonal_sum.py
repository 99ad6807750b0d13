import numpy as np
import pytest

from rebatch import Target, generative_exponent, generative_leap
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.exact.subspace import as_floats
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.learnability.known_exponents import GenerativeLeap
from rebatch.symbolic.learnability.leap_of_sum import with_sum
from rebatch.symbolic.proofs.orthogonal_sum import summands

# E[g He_2] = 0: y alone does not show it, y^2 does.
FLAT = "cos({0}) + exp(-1/2)*{0}^2/2"


@pytest.mark.parametrize(
    ("text", "k", "count"),
    [
        ("abs(z1 + z2) + cos(z1 - z2)", 2, 2),
        ("relu(z1 + 2*z2 + 1) + z3^3 - 4", 3, 2),
        ("exp(z1 + z2) + z1 - z2 + z3", 3, 2),
        ("exp(z1 + z2) + z1", 2, 2),
        ("z1*abs(z1) + tanh(z2)*z2^2", 2, 2),
        ("abs(z1) + cos(z1 - z2)", 2, 0),
        ("z1*z2", 2, 0),
        ("Max(z1, z2)", 2, 0),
        ("tanh(z1)*z2", 2, 0),
    ],
)
def test_summands_add_up_to_the_target(text, k, count):
    parts = summands(parse(text), k)
    assert len(parts) == count
    if count:
        z = np.random.default_rng(0).standard_normal((50, k))
        unit = [as_floats(b) / np.linalg.norm(as_floats(b)) for _, b in parts]
        total = sum(Target(f, k=1)((z @ u)[:, None]) for (f, _), u in zip(parts, unit, strict=True))
        apart = Target(text, k=k)(z) - total
        assert np.ptp(apart) < 1e-9  # equal up to a constant, to rounding
        assert np.abs(np.array(unit) @ np.array(unit).T - np.eye(count)).max() < 1e-12


def test_a_sum_over_orthogonal_directions_has_the_exponent_of_its_function():
    text = " + ".join(FLAT.format(f"z{i}") for i in (1, 2))
    # One power of the label leaves it between 2 and 4.
    leap = generative_leap(text, max_order=1)
    assert (leap.value, leap.how) == (2, How.THEOREM)
    assert "sum over orthogonal directions" in leap.witness
    assert generative_leap(text).value == 2


def undecided(text, k, alone):
    known = GenerativeLeap(None, How.UNDECIDED, lower=1, upper=9)
    return with_sum(known, Target(text, k=k), alone)


def test_two_summands_of_exponent_one_are_bounded_only():
    # relu(z1) + relu(z2) has the leap 2, each of them 1: E[y^m z] shows e1 + e2 alone.
    found = undecided("relu(z1) + relu(z2)", 2, generative_leap)
    assert (found.value, found.lower, found.upper) == (None, 1, 9)
    found = undecided("relu(z1) + relu(z2) + z3^2*exp(-z3^2)", 3, generative_leap)
    assert (found.value, found.lower) == (None, 4)


def test_the_largest_exponent_counts_and_each_direction_has_its_own():
    found = undecided("relu(z1) + z2^2*exp(-z2^2) + abs(z3)", 3, generative_leap)
    assert (found.value, found.how) == (4, How.THEOREM)
    assert [found.order_of(v) for v in ((1, 0, 0), (0, 0, 1), (0, 1, 0))] == [1, 2, 4]


def test_what_is_no_such_sum_stays_undecided():
    assert undecided("abs(z1*z2)", 2, generative_leap).upper == 9
    assert undecided("abs(z1) + abs(z1 - z2)", 2, generative_leap).value is None


def test_the_exponent_of_a_sum_is_the_least_of_its_summands():
    assert generative_exponent("z1^2*exp(-z1^2) + " + FLAT.format("z2")).value == 2
    assert generative_exponent("z1^2*exp(-z1^2) + z2^2*exp(-z2^2)").value == 4
