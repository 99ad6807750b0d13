from dataclasses import replace

import numpy as np
import pytest

from rebatch import Setting, Trajectory, agreement, simulate
from rebatch.numeric.start import start


@pytest.mark.parametrize(("d", "k", "p"), [(3, 1, 1), (4, 1, 2), (6, 2, 2)])
def test_random_rows_are_uniform_on_the_sphere(d, k, p):
    # E[M^2] = E[Q_12^2] = 1/d for independent uniform rows; degrees of freedom d give 1/(d + 1) or less.
    setting = Setting(
        target="+".join(f"z{i + 1}" for i in range(k)),
        activation="h",
        neurons=p,
        alpha=2,
        eta=1,
        steps=1,
        start="random",
    )
    rng = np.random.default_rng(0)
    weights = np.array([start(setting, d, rng) for _ in range(20_000)])
    np.testing.assert_allclose((weights**2).sum(axis=2), 1.0)
    squares = (weights[:, :, :k] ** 2).mean(axis=(0, 2))
    others = [((weights[:, 0] * weights[:, j]).sum(axis=1) ** 2).mean() for j in range(1, p)]
    # Six standard errors: the variance of a squared coordinate is at most 2 / d^2.
    tolerance = 6 * np.sqrt(2) / d / np.sqrt(20_000)
    np.testing.assert_allclose([*squares, *others], 1 / d, atol=tolerance)


def setting(**changes):
    given = {"target": "z1 + z1*z2", "activation": "relu", "neurons": 2, "alpha": 3, "eta": 0.4, "steps": 3}
    return Setting(**given | changes)


@pytest.mark.parametrize("activation", ["relu", "erf", "h + h^2/2"])
@pytest.mark.parametrize(
    ("engine", "options", "changes"),
    [
        ("lazy", {"d": 100}, {}),
        ("dense", {"d": 100}, {}),
        ("online", {"d": 100}, {"reuse": False}),
        ("limit", {"points": 2**8, "scrambles": 3}, {}),
        ("limit", {"points": 2**8, "scrambles": 3}, {"reuse": False}),
        ("lazy", {"d": 100}, {"schedule": "cyclic", "batches": 2}),
        ("limit", {"points": 2**8, "scrambles": 3}, {"schedule": "cyclic", "batches": 2}),
    ],
)
def test_a_symmetric_start_has_a_network_that_is_zero(activation, engine, options, changes):
    given = setting(
        activation=activation,
        neurons=4,
        start="symmetric",
        readout="gaussian",
        readout_seed=1,
        steps=1,
        **changes,
    )
    a = np.array(given.readout)
    np.testing.assert_array_equal(a, -a[::-1])
    run = simulate(given, engine, seed=0, **options)
    M, Q = run.M.values, run.Q.values[0]
    np.testing.assert_allclose(Q, np.eye(4) + np.eye(4)[::-1], atol=1e-9)
    np.testing.assert_allclose(M[0], 0, atol=1e-9)
    # f = 0: equal rows with opposite a_j have opposite first gradients.
    np.testing.assert_allclose(M[1], -M[1, ::-1], atol=1e-9)
    assert np.abs(M[1]).max() > 1e-4


def test_the_flow_from_a_symmetric_start_begins_at_the_mean_square_of_the_label():
    given = setting(
        activation="erf", neurons=4, start="symmetric", readout="gaussian", readout_seed=1, steps=1
    )
    run = simulate(replace(given, reuse=False), "flow", seed=0)
    np.testing.assert_allclose(run.Q.values[0], np.eye(4) + np.eye(4)[::-1], atol=1e-9)
    # E[(z1 + z1 z2)^2] / 2.
    assert run.data.training_loss.values[0] == pytest.approx(1.0)


def test_runs_from_a_symmetric_start_have_their_limit():
    given = setting(
        target="z1 + z1*z2",
        activation="erf",
        neurons=4,
        start="symmetric",
        readout="gaussian",
        readout_seed=2,
    )
    runs = [simulate(given, d=1000, seed=seed) for seed in range(8)]
    held = agreement(simulate(given, "limit", seed=0, points=2**12), runs)
    assert held.joint.p_value > 1e-6
    # Able to fail: the second layer of another seed is another experiment.
    other = setting(
        target="z1 + z1*z2",
        activation="erf",
        neurons=4,
        start="symmetric",
        readout="gaussian",
        readout_seed=3,
    )
    assert agreement(simulate(other, "limit", seed=0, points=2**12), runs).joint.p_value < 1e-6


def test_a_gaussian_readout_is_drawn_once_and_kept_with_its_seed(tmp_path):
    given = setting(neurons=3, readout="gaussian", readout_seed=7)
    expected = np.random.default_rng(7).standard_normal(3) / np.sqrt(3)
    np.testing.assert_array_equal(given.readout, expected)
    run = simulate(given, d=60, seed=0)
    run.save(tmp_path / "run.nc")
    loaded = Trajectory.load(tmp_path / "run.nc")
    assert loaded.setting.readout_seed == 7
    assert loaded.setting == given
    assert "seed 7" in str(given)
    assert "readout='gaussian'" in repr(given)
