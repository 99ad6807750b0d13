import dataclasses

import numpy as np
import pytest
from scipy.special import erf

from rebatch import RebatchError, Setting, Trajectory, ridge_readout, simulate

SETTING = Setting(
    target="tanh(z1 + z2)", activation="erf", neurons=2, alpha=3, eta=0.8, steps=2, noise_std=0.2
)
BIASES = np.array([[0.0, 0.5, -1.0], [0.2, 1.0, 2.0]])


@pytest.fixture(scope="module", params=["dense", "lazy"])
def run(request):
    return simulate(SETTING, request.param, d=40, seed=3, fields=True)


def plain(h, y, biases, penalty):
    """The normal equations as written: (Phi^T Phi / n + lambda I) a = Phi^T y / n."""
    phi = erf(h[:, :, None] + biases).reshape(len(h), -1)
    return np.linalg.solve(phi.T @ phi / len(y) + penalty * np.eye(phi.shape[1]), phi.T @ y / len(y)), phi


@pytest.mark.parametrize("penalty", [1e-3, 0.1, 10.0])
def test_the_second_layer_solves_the_normal_equations(run, penalty):
    h, y = run.data["fields"].values, run.data["labels"].values
    readout = ridge_readout(run, seed=0, data="same", biases=BIASES, penalties=[penalty])
    a, phi = plain(h, y, BIASES, penalty)
    np.testing.assert_allclose(readout.a.ravel(), a, rtol=1e-9, atol=1e-12)  # rounding, condition below 1e4
    np.testing.assert_allclose(readout(h), phi @ a, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(readout.training_loss, ((y - phi @ a) ** 2).mean() / 2, rtol=1e-10)


def test_the_validation_loss_is_that_of_leaving_each_sample_out(run):
    h, y = run.data["fields"].values, run.data["labels"].values
    n, penalties = len(y), [1e-4, 1e-2, 1.0]
    readout = ridge_readout(run, seed=0, data="same", biases=BIASES, penalties=penalties)
    expected = []
    for penalty in penalties:
        total = 0.0
        for v in range(n):
            rest = np.arange(n) != v
            # lambda multiplies |a|^2 against a sum over n samples, of which one is left out.
            a, _ = plain(h[rest], y[rest], BIASES, penalty * n / (n - 1))
            total += (y[v] - erf(h[v][:, None] + BIASES).ravel() @ a) ** 2 / 2
        expected.append(total / n)
    np.testing.assert_allclose(readout.validation_loss, expected, rtol=1e-9)
    assert readout.penalty == penalties[int(np.argmin(expected))]


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_the_batch_that_is_kept_has_the_overlaps_and_labels_of_the_run(engine):
    run = simulate(
        Setting(**{**_fields(), "reuse": False, "noise_std": 0.0}), engine, d=2000, seed=1, fields=True
    )
    h, z = run.data["fields"].values, run.data["latent"].values
    np.testing.assert_allclose(run.data["labels"], SETTING.target(z), atol=1e-12)
    # A fresh batch of 6000: covariances are known to 1/sqrt(6000) = 1.3%, times the size of an entry; 5 of these.
    np.testing.assert_allclose(h.T @ z / len(z), run.M[-1], atol=0.08)
    np.testing.assert_allclose(h.T @ h / len(z), run.Q[-1], atol=0.12)


def _fields():
    return {
        f.name: getattr(SETTING, f.name)
        for f in dataclasses.fields(SETTING)
        if f.name not in ("target", "readout")
    } | {"target": "tanh(z1 + z2)"}


def test_a_linear_network_on_a_linear_target_has_the_known_loss():
    # h is the feature: a = m/q, and what is left is the variance of z1 given h, plus the noise. Least squares on n
    # samples loses the factor 1 + p/(n - p - 1) on average, exactly, for Gaussian features.
    setting = Setting(
        target="z1", activation="linear", neurons=2, alpha=1, eta=0.3, steps=1, noise_std=0.5,
        start=[[0.6, ], [0.3, ]],
    )  # fmt: skip
    run = simulate(setting, d=200, seed=0)
    M, Q = run.M.values[-1], run.Q.values[-1]
    best = np.linalg.solve(Q, M[:, 0])
    rest = 1 - M[:, 0] @ best + 0.25
    large = ridge_readout(run, seed=0, samples=200_000, penalties=[1e-12], test_samples=400_000)
    # Standard errors: of a, sqrt(rest/n) against sizes near 1, 0.3%; of the loss 0.22%. Five of each.
    np.testing.assert_allclose(large.a[:, 0], best, atol=0.015)
    assert abs(large.test_loss - rest / 2) < 5 * large.test_error < 0.02 * rest
    n = 12
    losses = [
        ridge_readout(run, seed=s, samples=n, penalties=[1e-12], test_samples=1000, threads=1).test_loss
        for s in range(300)
    ]
    error = np.std(losses) / np.sqrt(len(losses))
    assert abs(np.mean(losses) - rest / 2 * (1 + 2 / (n - 3))) < 4.5 * error  # the excess alone is 22%
    assert error < 0.01 * rest


def test_more_biases_fit_the_training_data_better_and_choose_a_penalty_inside_the_grid():
    run = simulate(Setting(**{**_fields(), "alpha": 2}), d=100, seed=0, fields=True)
    few = ridge_readout(run, seed=0, data="same", penalties=[1e-12])
    many = ridge_readout(run, seed=0, data="same", biases=np.linspace(-2, 2, 30).reshape(1, -1).repeat(2, 0))
    assert many.a.shape == (2, 30)
    assert many.training_loss < few.training_loss
    assert many.penalties[0] < many.penalty < many.penalties[-1]
    assert "leave-one-out" in str(many)


def test_fewer_samples_than_features_are_a_ridge_regression_too(run):
    biases = np.linspace(-3, 3, 80).reshape(1, -1).repeat(2, 0)
    readout = ridge_readout(run, seed=0, data="same", biases=biases, penalties=[0.01])
    a, _ = plain(run.data["fields"].values, run.data["labels"].values, biases, 0.01)
    np.testing.assert_allclose(readout.a.ravel(), a, rtol=1e-8, atol=1e-10)


def test_the_numbers_do_not_depend_on_the_number_of_threads():
    run = simulate(SETTING, d=40, seed=3)
    one, two = (ridge_readout(run, seed=5, samples=50_000, biases=BIASES, threads=t) for t in (1, 2))
    np.testing.assert_array_equal(one.a, two.a)
    assert one.test_loss == two.test_loss


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"data": "old"}, "data = 'old'"),
        ({"seed": -1}, "seed"),
        ({"biases": [1.0]}, "biases"),
        ({"penalties": [0.0]}, "penalties"),
        ({"penalties": []}, "penalties"),
        ({"samples": 0}, "samples"),
        ({"test_samples": 1}, "test_samples"),
        ({"data": "same"}, "fields=True"),
    ],
)
def test_bad_calls_are_refused(options, says):
    run = simulate(SETTING, d=40, seed=3)
    with pytest.raises(RebatchError, match=says):
        ridge_readout(run, **{"seed": 0, **options})


def test_replicas_are_refused_and_one_of_them_is_not():
    setting = Setting(target="z1", activation="erf", alpha=1, eta=1, steps=4, reuse=False)
    run = simulate(setting, "online", d=50, seed=0, replicas=3)
    with pytest.raises(RebatchError, match="replicas"):
        ridge_readout(run, seed=0)
    assert ridge_readout(Trajectory(run.data.isel(replica=1)), seed=0, samples=100).samples == 100
