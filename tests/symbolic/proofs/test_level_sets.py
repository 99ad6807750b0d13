import numpy as np
import pytest

from rebatch import Target
from rebatch.symbolic.proofs.level_sets import _roots, first_order_on_level_sets

LEVEL_OF_COS = ((1, 0), (-1, 0), (1, 1), (-1, -1), (1, -1), (-1, 1))


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


def test_no_root_of_a_level_is_missed():
    # cos(z) = 1/3 has six roots within nine of 0; a coarse grid or a polished guess could lose some.
    roots = _roots(Target("cos(z1) - 1/3").expr)
    angle = np.arccos(1 / 3)
    np.testing.assert_allclose(
        roots, sorted(s * (angle + 2 * np.pi * n) for s, n in LEVEL_OF_COS), atol=1e-12
    )


def test_a_level_at_an_extremum_is_left_out():
    assert _roots(Target("z1^2*(z1 - 1)^2").expr) is None
    assert _roots(Target("abs(z1) - 1").expr) is None


def test_a_jump_within_a_root_has_no_slope_between_jumps():
    assert first_order_on_level_sets(Target("sign(abs(z1)^(1/3))").expr, 4) is None
