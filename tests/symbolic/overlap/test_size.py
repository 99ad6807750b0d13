"""The estimate is a bound, and not a wild one: it decides which formulas are refused."""

import pytest

from rebatch import Activation, Target, TooLargeError, two_step_overlap
from rebatch.symbolic.overlap.two_steps import StepRing, checked_readout, checked_start, size_of

RICH = "h + h^2/2 + h^3/6"
CASES = [
    ("He(3, z)", RICH, 1, None, "squared", None, False),
    ("He(3, z)", RICH, 1, None, "correlation", None, False),
    ("z1 + z2^2 + z1*z2", "h + h^2/2", 2, None, "squared", None, False),
    ("He(6, z) + z", "h + h^3", 1, None, "squared", None, False),
    ("z1 + z1*z2 + z2^2", "h + h^2", 2, "symbolic", "squared", None, False),
    ("z1 + z1*z2 + z2^2", "h + h^2", 1, None, "squared", [[0.5, 0.25]], False),
    ("z1 + z2^2", "h + h^2", 2, None, "squared", None, True),
    ("z1 + z2^2", "h + h^2", 2, None, "correlation", None, True),
    (Target("z1^2 + z1", noise_std=0.5), "h + h^2", 2, None, "squared", None, False),
]


@pytest.mark.parametrize(("target", "activation", "neurons", "readout", "loss", "start", "normalize"), CASES)
@pytest.mark.parametrize("grams", [False, True])
def test_the_estimate_is_a_bound_within_two_orders_of_magnitude(
    target, activation, neurons, readout, loss, start, normalize, grams
):
    target, activation = Target(target), Activation(activation)
    a, begin = checked_readout(readout, neurons), checked_start(start, None, neurons, target.k)
    problem = StepRing(target, activation, a, loss, begin, normalize)
    first, last = problem.signal[0], problem.signal[-1]
    terms = len(problem.averaged(first * last if grams else last, reuse=True))
    bound = size_of(target, activation, a, loss, begin, normalize).terms(grams=grams)
    assert terms <= bound <= 100 * terms


def test_a_formula_that_will_not_fit_is_refused_with_its_size():
    for target, activation, options in (
        ("He(8, z1) + z1", "h + h^20", {}),
        ("z1", "h", {"neurons": 300}),
        ("He(6, z1) + z1", "h + h^8", {"normalize": True}),
    ):
        with pytest.raises(TooLargeError, match=r"terms .*GiB for it all; at most 4 GiB"):
            two_step_overlap(target, activation, **options)


def test_a_second_gram_that_will_not_fit_is_refused_where_its_overlap_fits():
    formula = two_step_overlap("z1^4 + z1*z2", "h + h^7", loss="correlation")
    with pytest.raises(TooLargeError, match="GiB"):
        _ = formula.Q2
