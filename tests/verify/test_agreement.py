import numpy as np
import pytest

from rebatch import RebatchError, Setting, Trajectory, agreement

SETTING = Setting(target="z1", activation="erf", neurons=1, alpha=1, eta=1, steps=1)


def runs_with(values):
    """Trajectories whose M^1 are these numbers."""
    return [
        Trajectory.build(SETTING, np.array([[[0.0]], [[v]]]), np.ones((2, 1, 1)), np.zeros(2), seed=seed)
        for seed, v in enumerate(values)
    ]


def test_z_scores_are_deviations_in_standard_errors():
    values = [1.0, 2.0, 3.0, 4.0]
    result = agreement([[[0.0]], [[2.0]]], runs_with(values))
    error = np.std(values, ddof=1) / 2
    assert result.mean[1, 0, 0] == 2.5
    assert result.standard_error[1, 0, 0] == pytest.approx(error)
    assert result.z[1, 0, 0] == pytest.approx(0.5 / error)
    assert result.z[0, 0, 0] == 0


def test_right_predictions_pass_and_wrong_ones_fail():
    values = np.random.default_rng(0).normal(1.0, 0.1, size=100)
    assert abs(agreement([[[0.0]], [[1.0]]], runs_with(values)).z[1, 0, 0]) < 4
    assert abs(agreement([[[0.0]], [[1.05]]], runs_with(values)).z[1, 0, 0]) > 4


def test_a_spread_that_rests_on_one_run_gives_no_score():
    values = [*np.random.default_rng(0).normal(size=30), 1000.0]
    assert np.isnan(agreement([[[0.0]], [[0.0]]], runs_with(values)).z[1, 0, 0])


def test_too_few_runs_or_other_shapes_are_refused():
    with pytest.raises(RebatchError, match="at least 3"):
        agreement([[[0.0]]], runs_with([1.0, 2.0]))
    with pytest.raises(RebatchError, match="shape"):
        agreement(np.zeros((2, 2, 1)), runs_with([1.0, 2.0, 3.0]))
    with pytest.raises(RebatchError, match="shape"):
        agreement(np.zeros((3, 1, 1)), runs_with([1.0, 2.0, 3.0]))


def test_one_run_given_thrice_is_no_evidence():
    (run,) = runs_with([1.0])
    with pytest.raises(RebatchError, match="different seeds"):
        agreement([[[0.0]], [[1.0]]], [run, run, run])


def test_runs_of_different_experiments_are_not_pooled():
    other = Setting(target="z1", activation="erf", neurons=1, alpha=2, eta=1, steps=1)
    run = Trajectory.build(other, np.zeros((2, 1, 1)), np.ones((2, 1, 1)), np.zeros(2), seed=9)
    with pytest.raises(RebatchError, match="2 experiments"):
        agreement([[[0.0]], [[1.0]]], [*runs_with([1.0, 2.0]), run])


@pytest.mark.parametrize("prediction", [3.0, [[[float("nan")]]], "M", [[0.0]]])
def test_a_prediction_that_is_no_array_of_overlaps_is_refused(prediction):
    with pytest.raises(RebatchError, match="prediction"):
        agreement(prediction, runs_with([1.0, 2.0, 3.0]))
