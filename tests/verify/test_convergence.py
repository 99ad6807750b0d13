import numpy as np
import pytest

from rebatch import RebatchError, Setting, Target, simulate
from rebatch.numeric.machine import side_by_side
from rebatch.verify import convergence as module
from rebatch.verify.convergence import _first_step, _fit, controlled_mean, convergence

SETTING = Setting(target="z1", activation="h", alpha=1, eta=0.5, steps=2)


def test_the_spread_of_runs_falls_like_the_root_of_the_dimension():
    result = convergence(SETTING, [20, 80, 320], [150, 150, 150])
    # Exponent -1/2; its error is about 0.04 here, and finite-size terms at d = 20 are of that order.
    assert abs(result.spread_slope.value + 0.5) < 6 * result.spread_slope.error
    assert result.spread_slope.error < 0.06
    # One step less the limit would be 0.5 off: the mean is near the limit's overlap.
    assert np.all(np.abs(result.deviation) < 6 * result.deviation_error + 2 / result.d)


def test_the_deviation_of_the_linear_model_is_the_exact_one_at_every_dimension():
    # M^2 = 1 - w*^T (I - eta S)^2 (w* - w^0) / d with S = X^T X / d, E[S^2] = alpha (alpha + 1 + 1/d) I: the mean
    # is off by -eta^2 alpha / d.
    result = convergence(SETTING, [100, 1000, 10_000], [400, 400, 300])
    assert np.all(np.abs(result.deviation + 0.25 / result.d) < 6 * result.deviation_error)
    # Seen at 10^4, where the spread of 300 runs is 40 times as large.
    assert np.all(result.deviation_error < 0.1 / result.d)


def test_the_deviation_is_that_of_the_fourth_moment_of_the_inputs():
    # E[S^2] = alpha (alpha + 1 + (E[z^4] - 2)/d) along z: on signs the mean is off by +eta^2 alpha / d.
    setting = Setting(target=Target("z1", inputs="boolean"), activation="h", alpha=1, eta=0.5, steps=2)
    result = convergence(setting, [50, 100, 400], [260, 260, 260])
    assert np.all(np.abs(result.deviation - 0.25 / result.d) < 6 * result.deviation_error)
    # The Gaussian mean is 10 of these errors away.
    assert np.all(result.deviation_error < 0.05 / result.d)


def test_runs_side_by_side_and_one_after_the_other_have_the_same_bits(monkeypatch):
    def study(fewest):
        monkeypatch.setattr(side_by_side, "_FEWEST", fewest)
        return convergence(SETTING, [20, 40, 80], [30, 30, 30], seed=3).to_json()

    assert study(1.0) == study(np.inf)


@pytest.mark.deep
def test_the_deviation_is_exact_where_the_samples_are_rounded_too():
    setting = Setting(target="z1", activation="h", alpha=1.05, eta=0.25, steps=2)
    result = convergence(setting, [10, 30, 50], [1500, 1500, 1500])
    alpha = np.array([setting.batch(d) / d for d in result.d])
    exact = 0.5 * alpha - 0.0625 * alpha * (alpha + 1 + 1 / result.d)
    assert np.all(np.abs(result.limit + result.deviation - exact) < 6 * result.deviation_error)


@pytest.mark.deep
def test_every_control_is_used_by_default_and_runs_may_drop_signals():
    settings = {"target": "z1", "alpha": 2, "eta": 0.5, "steps": 2, "noise_std": 0.3}
    result = convergence(Setting(activation="h", **settings), [1000, 20, 40])
    # Four rows of normals: 4 + 10 averages; two lengths; M^1 and the loss.
    assert np.all(result.controls == 18)
    assert np.all(result.runs >= 20 * 18)
    # A relu that no sample switches on has no signal: the draws are not those of other runs.
    dead = convergence(
        Setting(target="z1", activation="relu", alpha=0.5, eta=0.5, steps=2), [6, 8, 10], [200] * 3
    )
    assert np.all(dead.controls == 2)


def test_what_the_controls_predict_entirely_has_no_exponent():
    setting = Setting(target="z1", activation="h", alpha=1, eta=0.5, steps=1, loss="correlation")
    slope = convergence(setting, [30, 60, 100], [300, 300, 300]).deviation_slope
    assert np.isnan(slope.value) or slope.error > 1


def test_the_fit_returns_the_exponent_of_a_power():
    d = np.array([10, 100, 1000])
    slope = _fit(d, -3.0 / d, 1e-3 / d, -0.7)
    # No noise: what is left is the tolerance of the least squares.
    assert slope.value == pytest.approx(-1.0, abs=1e-5)


def test_a_deviation_that_is_all_noise_has_a_wide_error_or_no_exponent():
    slope = _fit(np.array([10, 40, 160]), np.array([1e-3, -0.02, 0.01]), np.full(3, 0.02), -1.0)
    assert np.isnan(slope.value) or slope.error > 1


def test_controls_of_mean_zero_narrow_the_mean_and_do_not_move_it():
    rng = np.random.default_rng(0)
    controls = rng.standard_normal((2000, 3))
    rest = 0.1 * rng.standard_normal(2000)
    mean, error, used = controlled_mean(0.7 + controls @ [1.0, -2.0, 0.5] + rest, controls)
    assert used == 3
    assert abs(mean - 0.7) < 6 * error
    # 0.1 / sqrt(2000), within 6 of its own relative errors, 1 / sqrt(4000).
    assert error == pytest.approx(0.1 / np.sqrt(2000), rel=0.1)
    # A combination of others adds nothing, nor does what hardly varies, whatever its mean.
    more = [1e-3 * controls.sum(axis=1, keepdims=True), np.zeros((2000, 1))]
    more.append(1e-14 + 1e-16 * rng.standard_normal((2000, 1)))
    again = controlled_mean(0.7 + controls @ [1.0, -2.0, 0.5] + rest, np.hstack([controls, *more]))
    assert again == pytest.approx((mean, error, 4))
    # Too few runs for three controls: the plain mean and its plain error; but enough for one of them.
    few = rng.standard_normal(40)
    plain = pytest.approx((few.mean(), few.std(ddof=1) / np.sqrt(40), 0))
    assert controlled_mean(few, controls[:40]) == plain
    assert controlled_mean(few, few[:, None] - few.mean(), controls[:40])[1] < 1e-12


@pytest.mark.deep
def test_the_first_step_has_the_mean_of_the_limit_at_every_dimension():
    # What makes the control variates unbiased; noise, weight decay, a general start and fresh batches included.
    for reuse in (True, False):
        setting = Setting(
            target="z1 + z2^2",
            activation="relu",
            neurons=2,
            alpha=2,
            eta=0.5,
            steps=2,
            weight_decay=0.2,
            noise_std=0.3,
            reuse=reuse,
            start=((0.3, 0.0), (0.0, -0.4)),
        )
        limit = simulate(setting, "limit", seed=0, points=2**14)
        runs = np.array([_first_step(simulate(setting, d=6, seed=s, threads=1)) for s in range(2000)])
        error = runs.std(axis=0) / np.sqrt(len(runs))
        # Five entries: 6 errors is a false alarm near 1e-8; 15% off in alpha or eta would be outside.
        assert np.all(np.abs(runs.mean(axis=0) - _first_step(limit)) < 6 * error + 1e-4)


@pytest.mark.deep
def test_controls_leave_the_deviation_and_narrow_its_error(monkeypatch):
    setting = Setting(target="z1", activation="erf", alpha=1, eta=1, steps=3)
    sizes = [8, 12, 16], [150, 150, 150]
    ours = convergence(setting, *sizes)
    monkeypatch.setattr(module, "_RUNS_PER_CONTROL", 10**9)
    plain = convergence(setting, *sizes)
    assert np.all(ours.deviation_error < 0.7 * plain.deviation_error)
    assert np.all(np.abs(ours.deviation - plain.deviation) < 6 * plain.deviation_error)


def test_too_few_dimensions_or_runs_are_refused():
    with pytest.raises(RebatchError, match="at least 3 dimensions"):
        convergence(SETTING, [10, 20], [5, 5])
    with pytest.raises(RebatchError, match="no overlap"):
        convergence(
            Setting(target="z1^2", activation="h", alpha=1, eta=0.1, steps=1), [10, 20, 30], [3, 3, 3]
        )
