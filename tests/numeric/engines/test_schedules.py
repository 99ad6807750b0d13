"""Schedules of the batch: laws of the limit, and the limit against runs of the lazy and dense engines (theory, 8)."""

import numpy as np
import pytest
from scipy.stats import norm

from rebatch import RebatchError, Setting, simulate

# Scores beyond this have probability 1e-9 each.
FAR = norm.isf(0.5e-9)


def setting(**changes):
    given = {"target": "z1 + z1*z2", "activation": "relu", "neurons": 2, "alpha": 3, "eta": 0.4, "steps": 6}
    return Setting(**given | changes)


def limit(points=2**12, scrambles=8, **changes):
    return simulate(setting(**changes), "limit", seed=3, points=points, scrambles=scrambles)


@pytest.mark.parametrize("schedule", ["cyclic", "reshuffled", "with replacement"])
def test_one_block_is_the_whole_batch(schedule):
    whole, block = limit(steps=4), limit(steps=4, schedule=schedule, batches=1)
    np.testing.assert_allclose(block.M, whole.M, atol=1e-14)
    np.testing.assert_allclose(block.Q, whole.Q, atol=1e-14)
    one, other = (
        simulate(setting(steps=4, **s), d=200, seed=1) for s in ({}, {"schedule": schedule, "batches": 1})
    )
    np.testing.assert_allclose(other.M, one.M, atol=1e-13)


@pytest.mark.parametrize("schedule", ["cyclic", "reshuffled"])
@pytest.mark.parametrize("activation", ["relu", "erf", "h + h^2/4"])
def test_the_first_epoch_is_one_pass_on_smaller_batches(schedule, activation):
    parts = limit(steps=4, schedule=schedule, batches=4, activation=activation)
    fresh = limit(steps=4, alpha=0.75, reuse=False, activation=activation)
    for name in ("M", "Q"):
        error = np.hypot(parts.data[f"{name}_error"].values, fresh.data[f"{name}_error"].values)
        score = np.abs(parts.data[name].values - fresh.data[name].values)[1:] / np.maximum(error[1:], 1e-12)
        # Errors from 8 scrambles are themselves known to a quarter.
        assert score.max() < 8, name


@pytest.mark.parametrize(
    ("schedule", "activation", "engine"),
    [
        ("cyclic", "relu", "lazy"),
        ("reshuffled", "erf", "lazy"),
        ("with replacement", "relu", "lazy"),
        ("with replacement", "erf", "dense"),
        ("cyclic", "h + h^2/4", "dense"),
    ],
)
def test_runs_come_to_the_limit_of_their_schedule(schedule, activation, engine):
    given = {"schedule": schedule, "batches": 3, "activation": activation}
    d, count = (2000, 40) if engine == "lazy" else (400, 150)
    theory = limit(**given)
    M = np.array([simulate(setting(**given), engine, d=d, seed=s).M.values for s in range(count)])[:, 1:]
    error = np.hypot(M.std(axis=0, ddof=1) / np.sqrt(count), theory.data.M_error.values[1:])
    score = (M.mean(axis=0) - theory.M.values[1:]) / error
    # The mean of runs is off by O(1/d), at these sizes below half a standard error.
    assert np.abs(score).max() < FAR + 0.5
    # The test can fail: without reuse between epochs the overlaps with z2 would be others.
    apart = limit(steps=6, alpha=1, reuse=False, activation=activation).M.values[1:] - theory.M.values[1:]
    assert np.abs(apart / error).max() > FAR + 1


def test_a_look_ahead_on_the_same_batch_comes_to_its_limit():
    theory = limit(rho=0.3, steps=3)
    plain = limit(steps=3)
    M = np.array([simulate(setting(rho=0.3, steps=3), d=2000, seed=s).M.values for s in range(40)])[:, 1:]
    error = np.hypot(M.std(axis=0, ddof=1) / np.sqrt(len(M)), theory.data.M_error.values[1:])
    assert np.abs((M.mean(axis=0) - theory.M.values[1:]) / error).max() < FAR + 0.5
    assert np.abs((plain.M.values[1:] - theory.M.values[1:]) / error).max() > 10


def test_fresh_batches_between_reused_ones_come_to_their_limit():
    given = {"fresh_at": (1, 3), "steps": 5}
    theory, plain = limit(**given), limit(steps=5)
    M = np.array([simulate(setting(**given), d=2000, seed=s).M.values for s in range(40)])[:, 1:]
    error = np.hypot(M.std(axis=0, ddof=1) / np.sqrt(len(M)), theory.data.M_error.values[1:])
    assert np.abs((M.mean(axis=0) - theory.M.values[1:]) / error).max() < FAR + 0.5
    assert np.abs((plain.M.values[1:] - theory.M.values[1:]) / error).max() > 10


def test_single_samples_are_the_limit_of_many_blocks():
    one = limit(steps=1, schedule="with replacement", batches="single", eta=0.2, points=2**11)
    runs = [
        simulate(
            setting(steps=1, schedule="with replacement", batches="single", eta=0.2), "dense", d=60, seed=s
        ).M[1]
        for s in range(60)
    ]
    M = np.array(runs)
    error = np.hypot(M.std(axis=0, ddof=1) / np.sqrt(len(M)), one.data.M_error.values[1])
    assert np.abs((M.mean(axis=0) - one.M.values[1]) / error).max() < FAR + 0.5


def test_the_published_experiment_with_replacement():
    """Fig. 4 of the paper, theory line at steps 3, 6 and 9."""
    run = simulate(
        Setting(
            target="z1*z2*z3 + He(3, z4)",
            activation="relu",
            neurons=4,
            alpha=5,
            eta=0.2,
            steps=9,
            schedule="with replacement",
            batches=5,
        ),
        "limit",
        seed=0,
        points=2**16,
        scrambles=4,
    )
    # All neurons have one overlap up to the sign of their a_j.
    size = np.abs((run.M.values[:, :, 3] * [1, -1, 1, -1]).mean(axis=1))
    np.testing.assert_allclose(size[[3, 6, 9]], [0.0047, 0.0188, 0.0319], atol=0.002)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schedule": "sometimes", "batches": 2}, "schedule = 'sometimes'"),
        ({"schedule": "cyclic"}, "without batches"),
        ({"schedule": "full", "batches": 3}, "schedule = 'full' with batches = 3"),
        ({"batches": 0}, "batches = 0"),
        ({"batches": "double"}, "batches = 'double'"),
        ({"batches": 2, "batch_size": 10}, "allowed is one of them"),
        ({"batches": 2, "reuse": False}, "samples come once"),
        ({"batches": "single", "repeats": 2}, "repeats"),
        ({"fresh_at": (9,)}, "fresh_at = "),
        ({"start": "symmetric", "neurons": 3}, "even numbers"),
        ({"readout": "gaussian"}, "without readout_seed"),
    ],
)
def test_what_is_no_schedule_is_one_clear_line(changes, message):
    with pytest.raises(RebatchError, match=message) as caught:
        setting(**changes)
    assert "\n" not in str(caught.value)


def test_more_blocks_than_samples_are_refused():
    with pytest.raises(RebatchError, match="batches = 1000; allowed is at most one a sample, n = 300"):
        simulate(setting(schedule="cyclic", batches=1000), d=100, seed=0)


def test_schedules_are_kept_in_files_and_repeat_with_their_seed(tmp_path):
    for schedule in ("cyclic", "reshuffled", "with replacement"):
        given = setting(schedule=schedule, batches=4, start="symmetric", readout="gaussian", readout_seed=3)
        assert Setting.from_json(given.to_json()) == given
        one, other = (simulate(given, d=90, seed=2, threads=t) for t in (1, 2))
        np.testing.assert_array_equal(one.M, other.M)


def test_ever_smaller_blocks_in_one_epoch_are_online_descent():
    """Q and M after one epoch of B blocks, extrapolated in 1/B, against the chain of single fresh samples."""
    given = {"activation": "erf", "target": "z1 + z2"}
    ends = {}
    for B in (8, 16):
        run = limit(steps=B, schedule="cyclic", batches=B, **given)
        ends[B] = {
            name: (run.data[name].values[-1], run.data[f"{name}_error"].values[-1]) for name in ("M", "Q")
        }
    d = 2000
    chain = setting(steps=3 * d, reuse=False, record_every=3 * d, **given)
    online = simulate(chain, "online", d=d, seed=1, replicas=64).data
    for name in ("M", "Q"):
        (coarse, error), (fine, small) = ends[8][name], ends[16][name]
        values = online[name].values[:, -1]
        spread = np.sqrt(values.var(axis=0, ddof=1) / len(values) + 4 * small**2 + error**2)
        # What the extrapolation leaves is of the order of the square of what it removes.
        rest = 4 * (fine - coarse) ** 2
        assert np.all(np.abs(values.mean(axis=0) - (2 * fine - coarse)) < 5 * spread + rest), name
    # Without the noise of single samples Q would not grow so: the extrapolation is far from its coarse end.
    assert np.all(np.diag(ends[8]["Q"][0]) - values.mean(axis=0).diagonal() > 0.01)


@pytest.mark.deep
@pytest.mark.parametrize("schedule", ["full", "cyclic", "reshuffled", "with replacement"])
@pytest.mark.parametrize("activation", ["relu", "erf", "h + h^2/4"])
@pytest.mark.parametrize(
    ("target", "neurons"),
    [("z1 + z1^2/2", 1), ("z1 + z1*z2", 2), ("z1 + z1*z2 + z1*z2*z3", 3), ("tanh(z1)", 3), ("z1*z2 + z3", 1)],
)
def test_every_schedule_activation_and_size_comes_to_its_limit(schedule, activation, target, neurons):
    """Scores of all overlaps of 60 seeded runs at d = 3000, k and p up to 3, against the limit and its own error."""
    parts = {} if schedule == "full" else {"schedule": schedule, "batches": 3}
    eta = 0.1 if activation.startswith("h") else 0.3
    given = {**parts, "activation": activation, "target": target, "neurons": neurons, "eta": eta, "steps": 5}
    theory = limit(points=2**13, scrambles=12, **given)
    M = np.array([simulate(setting(**given), d=3000, seed=s).M.values for s in range(60)])[:, 1:]
    error = np.hypot(M.std(axis=0, ddof=1) / np.sqrt(len(M)), theory.data.M_error.values[1:])
    score = (M.mean(axis=0) - theory.M.values[1:]) / error
    assert np.abs(score).max() < FAR + 0.5
    # A prediction that is off by a few per cent is seen where the overlaps are known well.
    assert np.abs(0.06 * theory.M.values[1:] / error).max() > 3
