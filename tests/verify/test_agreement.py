import json

import numpy as np
import pytest
from scipy import stats

from rebatch import RebatchError, Setting, Trajectory, agreement, simulate, two_step_overlap

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


def test_where_nothing_varies_there_is_nothing_to_test():
    assert "nothing to test" in str(agreement([[[0.0]], [[0.0]]], runs_with([0.0] * 5)).joint)
    assert "no spread = inf" in str(agreement([[[0.0]], [[1.0]]], runs_with([0.0] * 5)).joint)


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


def replicas(values, *, neurons=1, target="z1", step=None):
    """One trajectory whose replicas have these overlaps, shape (runs, steps, p, k)."""
    setting = Setting(target=target, activation="erf", neurons=neurons, alpha=1, eta=1, steps=9)
    runs, steps, p, _ = values.shape
    return Trajectory.build(
        setting, values, np.zeros((runs, steps, p, p)), np.zeros((runs, steps)), step=step, seed=0
    )


def joint_p_values(draw, predicted, count=400):
    rng = np.random.default_rng(0)
    return [agreement(predicted, replicas(draw(rng))).joint.p_value for _ in range(count)]


def test_p_values_are_those_of_student():
    values = np.random.default_rng(1).normal(size=12)
    result = agreement([[[0.0]], [[0.3]]], runs_with(values))
    assert result.p_values[1, 0, 0] == pytest.approx(stats.ttest_1samp(values, 0.3).pvalue)
    # One entry that varies: Hotelling's T^2 is t^2.
    assert result.joint.p_value == pytest.approx(result.p_values[1, 0, 0])
    assert result.joint.rank == 1


def test_correlated_entries_have_uniform_joint_p_values_and_dependent_ones_are_counted_once():
    mixing = np.array([[1.0, 0.0], [0.9, 0.1]])

    def draw(rng):
        rows = rng.normal(size=(10, 2)) @ mixing.T + 1.0
        return np.stack([rows, -rows], axis=1)[:, None]  # neuron 2 is minus neuron 1

    p = joint_p_values(draw, [[[1.0, 1.0], [-1.0, -1.0]]])
    # 400 values; the seed is fixed.
    assert stats.kstest(p, "uniform").pvalue > 1e-3
    result = agreement([[[1.0, 1.0], [-1.0, -1.0]]], replicas(draw(np.random.default_rng(0))))
    assert (result.joint.method, result.joint.rank) == ("Hotelling's T^2", 2)


def test_a_prediction_that_breaks_a_relation_of_all_runs_is_refuted():
    rows = np.random.default_rng(0).normal(size=(10, 1, 1, 1))
    both = np.concatenate([rows, -rows], axis=2)
    assert agreement([[[0.1], [-0.1]]], replicas(both, neurons=2)).joint.p_value > 1e-3
    assert agreement([[[0.1], [0.1]]], replicas(both, neurons=2)).joint.p_value == 0


def test_with_too_few_runs_for_the_covariance_bonferroni_stands_in_and_holds_its_level():
    def draw(rng):
        common = rng.normal(size=(6, 1, 1, 1))
        return common + rng.normal(size=(6, 1, 4, 2))

    predicted = np.zeros((1, 4, 2))
    assert agreement(predicted, replicas(draw(np.random.default_rng(5)))).joint.method == "Bonferroni over t"
    p = np.array(joint_p_values(draw, predicted))
    # At most 20 of 400 are expected below 0.05; 40 would be 4.5 standard deviations more.
    assert (p < 0.05).sum() < 40
    assert agreement(predicted + 5, replicas(draw(np.random.default_rng(0)))).joint.p_value < 1e-2


def test_joint_rejects_where_no_single_entry_does():
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(60, 1)) + 0.02 * rng.normal(size=(60, 2))
    result = agreement([[[0.1, -0.1]]], replicas(rows[:, None, None]))
    assert result.p_values.min() > 1e-2
    assert result.joint.p_value < 1e-9


def test_the_error_of_a_prediction_counts_and_all_kinds_of_predictions_are_taken():
    setting = Setting(
        target="z1 + He(2, z2)", activation="h + h^2/2", alpha=2, eta=0.05, steps=2, loss="correlation"
    )
    runs = [simulate(setting, d=2000, seed=seed, threads=1) for seed in range(20)]
    formula = two_step_overlap(setting.target, setting.activation, loss="correlation")
    limit = simulate(setting, "limit", seed=0, rule="sobol", points=2**10)
    by_formula, by_limit = agreement(formula.at(alpha=2, eta=0.05), runs), agreement(limit, runs)
    assert by_formula.joint.p_value > 1e-6
    assert by_limit.joint.p_value > 1e-6
    error = limit.data["M_error"].values[2, 0, 0]
    expected = (by_limit.mean - limit.M.values)[2, 0, 0] / np.hypot(by_limit.standard_error[2, 0, 0], error)
    assert error > 0
    assert by_limit.z[2, 0, 0] == pytest.approx(expected)


def test_a_formula_that_is_a_few_per_cent_wrong_is_rejected():
    setting = Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=2)
    runs = [simulate(setting, d=10_000, seed=seed, threads=1) for seed in range(20)]
    exact = two_step_overlap("z1", "h").at(alpha=2, eta=0.5)
    assert agreement(exact, runs).joint.p_value > 1e-6
    assert agreement(1.03 * exact, runs).joint.p_value < 1e-6


def test_online_replicas_are_runs_and_their_steps_are_aligned_with_the_flow():
    d = 4000
    online = Setting(
        target="z1", activation="erf", alpha=1, eta=0.5, steps=d, record_every=d // 2, reuse=False
    )
    run = simulate(online, "online", d=d, seed=0, replicas=120)
    # A step of the chain is a time eta / d of a flow with alpha = 1: the same steps, at eta / d.
    flow = simulate(
        Setting(
            target="z1", activation="erf", alpha=1, eta=0.5 / d, steps=d, record_every=d // 4, reuse=False
        ),
        "flow",
        seed=0,
    )
    result = agreement(flow, run, bias=0.05)
    assert result.runs == 120
    assert result.step.tolist() == [0, d // 2, d]
    # The noise of the steps shifts Q, and by it M, by a term of order eta: no exact law, so a bias is allowed.
    assert result.joint.p_value > 1e-6
    assert agreement(flow, run, bias=0.0).joint.p_value < 1e-6


def test_a_bias_is_allowed_up_to_its_size():
    values = np.random.default_rng(0).normal(1.0, 0.1, size=(100, 1, 1, 2))
    run = replicas(values)
    assert agreement([[[1.2, 0.8]]], run).joint.p_value < 1e-9
    assert agreement([[[1.2, 0.8]]], run, bias=0.25).joint.p_value > 0.5
    assert agreement([[[1.2, 0.8]]], run, bias=0.1).joint.p_value < 1e-9
    with pytest.raises(RebatchError, match="bias"):
        agreement([[[1.2, 0.8]]], run, bias=-1.0)


def test_few_normal_runs_are_rarely_called_heavy_tailed():
    rng = np.random.default_rng(0)
    untrusted = sum(
        not agreement([[[0.0]]], replicas(rng.normal(size=(6, 1, 1, 1)))).trusted.all() for _ in range(300)
    )
    # 0.3 expected at the level of 1/1000; 5 or more have probability below 1e-4.
    assert untrusted < 5


def test_what_never_varies_is_met_up_to_rounding_or_refuted():
    run = replicas(np.full((5, 1, 1, 1), 0.1 + 0.2))
    assert agreement([[[0.3]]], run).joint.p_value == 1
    assert agreement([[[0.31]]], run).joint.p_value == 0


def test_predictions_without_a_step_in_common_are_refused():
    run = replicas(np.random.default_rng(0).normal(size=(5, 1, 1, 1)), step=[4])
    with pytest.raises(RebatchError, match="none in common"):
        agreement([[[0.0]], [[0.0]]], run)


def test_an_agreement_prints_itself_and_is_json():
    result = agreement([[[0.0]], [[2.0]]], runs_with([1.0, 2.0, 3.0, 4.0]))
    assert "together: Hotelling's T^2" in str(result)
    assert "<table>" in result._repr_html_()
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["joint"]["rank"] == 1
    assert data["p_values"][0][0][0] == 1
