"""The estimate is a bound, and not a wild one: it decides which formulas are refused."""

import pytest

from rebatch import Activation, Target, TooLargeError, overlap_series, two_step_overlap
from rebatch.symbolic.overlap import size, two_steps
from rebatch.symbolic.overlap.size import Size
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
        ("He(8, z1) + z1", "h + h^64", {}),
        ("He(6, z1) + z1", "h + h^8", {"normalize": True}),
    ):
        with pytest.raises(TooLargeError, match=r"terms .*GiB for it all; at most 4 GiB"):
            two_step_overlap(target, activation, **options)


@pytest.mark.parametrize("neurons", [300, 4096])
def test_too_many_neurons_are_refused_before_a_matrix_of_theirs_is_written(neurons, monkeypatch):
    monkeypatch.setattr(two_steps, "checked_start", None)
    with pytest.raises(TooLargeError, match="allowed are 296 neurons or fewer"):
        two_step_overlap("z1", "h", neurons=neurons)


def test_formulas_that_take_too_long_are_refused_by_counted_work(monkeypatch):
    monkeypatch.setattr(size, "_MOST_WORK", 20_000)
    with pytest.raises(TooLargeError, match="formula of 12 neuron"):
        two_step_overlap("z1", "h", neurons=12)
    with pytest.raises(TooLargeError, match="formula of 12 neuron"):
        overlap_series("z1", "relu", 2, neurons=12)
    assert two_step_overlap("z1", "h", neurons=1).M1
    with pytest.raises(TooLargeError, match="neurons or fewer"):
        overlap_series("z1", "relu", 2, neurons=4096)


def test_the_count_ends_where_the_answer_is_clear(monkeypatch):
    counted = []
    count = Size._monomials
    monkeypatch.setattr(Size, "_monomials", lambda *given: counted.append(given) or count(*given))
    for target, activation in (("z1", "h^64"), ("He(64, z1)", "He(64, h)")):
        with pytest.raises(TooLargeError):
            two_step_overlap(target, activation)
    # Of some hundred thousand parts; a few of the largest are too much already.
    assert len(counted) < 1000


def test_a_second_gram_that_will_not_fit_is_refused_where_its_overlap_fits():
    formula = two_step_overlap("z1^4 + z1*z2", "h + h^7", loss="correlation")
    with pytest.raises(TooLargeError, match="GiB"):
        _ = formula.Q2
