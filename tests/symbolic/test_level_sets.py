import pytest

from rebatch import Target
from rebatch.symbolic.level_sets import first_order_on_level_sets


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("z1", 1),
        ("z1^3 - 3*z1", 1),
        ("z1^2", 2),
        ("cos(z1)", 2),
        ("z1^2*exp(-z1^2)", 4),
        ("exp(z1^2*exp(-z1^2))", 4),
        ("z1^2*exp(-z1^2)*1000", 4),
    ],
)
def test_the_first_order_that_does_not_vanish(text, order):
    assert first_order_on_level_sets(Target(text).expr, 6) == order


def test_an_order_beyond_those_asked_about_is_not_named():
    assert first_order_on_level_sets(Target("z1^2*exp(-z1^2)").expr, 3) is None


def test_flat_functions_have_too_few_levels_for_an_answer():
    assert first_order_on_level_sets(Target("tanh(1000*z1)").expr, 4) is None
