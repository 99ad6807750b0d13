"""Steps of full-batch descent until it leaves M = 0: the linear map, the judgement, and the times themselves."""

import math

import numpy as np
import pytest

from rebatch import RebatchError, Setting, full_batch_scaling
from rebatch.verify.full_batch import FullBatchScaling


def judged(times, d=(100, 1000, 10_000), amplification=(1.0, 2.0, 4.0)):
    setting = Setting(target="cos(z)", activation="He(2, h)/2", alpha=4, eta=0.1, steps=20)
    return FullBatchScaling(
        setting, ("e1",), 0.4, np.array(amplification), np.array(d), 0, np.array(times, dtype=float), 1e-3
    )


def drawn(slope, seed=0, runs=48):
    rng, x = np.random.default_rng(seed), np.log([100, 1000, 10_000])
    return 4 + slope * x[:, None] + rng.standard_normal((3, runs))


@pytest.mark.parametrize(
    ("slope", "runs", "growth"),
    [(1.0, 48, "log d"), (0.0, 400, "constant"), (0.0, 8, "undecided"), (-0.8, 48, "undecided")],
)
def test_times_of_a_known_law_are_judged_by_their_growth(slope, runs, growth):
    assert judged(drawn(slope, runs=runs)).growth == growth


def test_times_without_growth_are_called_growing_as_seldom_as_stated():
    found = [judged(drawn(0.0, seed, runs=12)).slope[1] > 0 for seed in range(500)]
    # 500 false alarms of probability 1/2000: more than 4 happen once in 10^5 studies.
    assert sum(found) <= 4


def test_the_slope_of_the_linear_map_is_that_of_an_overlap_from_one_over_the_root_of_d():
    # (d^-1/2) 2^t = 1.
    assert judged(drawn(1.0)).expected == pytest.approx(1 / math.log(4))


def test_runs_that_do_not_arrive_decide_nothing():
    times = drawn(1.0)
    times[2, :10] = np.inf
    result = judged(times)
    assert result.growth == result.outcome == "undecided"
    assert "10 of 144 runs did not reach it" in result.statement()


def test_the_first_step_multiplies_a_small_overlap_as_by_hand():
    # E[y] = e^(-1/2), E[y z^2] = 0, E[y^2] = (1 + e^-2)/2 for y = cos z; a = -1 grows.
    alpha, eta = 16.0, 0.1
    result = full_batch_scaling("cos(z)", dimensions=[20, 30, 40], runs=6, steps=3)
    spread = alpha * eta**2 * (1 + math.exp(-2)) / 2
    expected = 1 / math.sqrt((1 - alpha * eta * math.exp(-0.5)) ** 2 + spread)
    # 2^15 Sobol points.
    assert result.amplification[1] == pytest.approx(expected, rel=0.01)


def test_the_first_step_multiplies_a_small_overlap_of_two_directions_by_the_larger_of_both():
    # y = cos(z1) - cos(2 z2): E[y z_i^2] - E[y] is -e^(-1/2) along e1 and 4 e^(-2) along e2.
    alpha, eta = 4.0, 0.1
    result = full_batch_scaling(
        "cos(z1) - cos(2*z2)", alpha=alpha, eta=eta, dimensions=[20, 30, 40], runs=6, steps=3
    )
    mean = math.exp(-0.5) - math.exp(-2)
    square = (1 + math.exp(-2)) / 2 + (1 + math.exp(-8)) / 2 - 2 * math.exp(-2.5)
    a = result.setting.readout[0]
    moments = mean + np.array([-math.exp(-0.5), 4 * math.exp(-2)])
    shrinks = math.sqrt((1 + a * alpha * eta * mean) ** 2 + alpha * eta**2 * square)
    # 2^15 Sobol points.
    assert result.amplification[1] == pytest.approx(
        np.abs(1 + a * alpha * eta * moments).max() / shrinks, rel=0.01
    )
    assert result.names == ("e1", "e2")


def test_what_two_steps_show_is_not_waited_for():
    result = full_batch_scaling("z1 + cos(z2)", dimensions=[20, 30, 40], runs=6, steps=3)
    assert result.names == ("e2",)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "3"}, "no direction"),
        ({"target": "cos(z)", "dimensions": [10**7, 10**8, 10**9]}, "samples of all runs"),
        ({"target": "z", "runs": 2}, ">= 6"),
        ({"target": "z", "dimensions": [20, 40]}, "at least 3"),
        ({"target": "z", "threshold": 1.5}, "threshold"),
    ],
)
def test_what_cannot_be_measured_is_refused(options, message):
    with pytest.raises(RebatchError, match=message):
        full_batch_scaling(**options)


@pytest.mark.deep
@pytest.mark.parametrize(
    ("target", "activation", "growth"),
    [
        ("cos(z)", "He(2, h)/2", "log d"),
        ("Min(z^2, 4)", "He(2, h)/2", "log d"),
        ("sign(z1*z2)", "He(2, h)/2", "log d"),
        # E[y z] != 0: two steps are enough at every d.
        ("tanh(z)", "tanh", "constant"),
    ],
)
def test_even_targets_take_log_d_steps_and_odd_ones_do_not(target, activation, growth):
    result = full_batch_scaling(
        target, activation, dimensions=[250, 1000, 4000], runs=96, false_alarm=1e-7, seed=3
    )
    assert result.growth == growth, str(result)
