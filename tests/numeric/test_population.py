"""Expectations over a fresh sample: closed integrals against quadrature that knows none of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from rebatch import Setting, Trajectory, simulate
from rebatch.numeric.arcsine import ErfPopulation
from rebatch.numeric.population import Nodes, population

TARGETS = {
    1: ["z", "z^2 + z/3 + 1", "erf(z)", "He(3, z) - 2*erf(z/sqrt(2))", "sqrt(2)*z"],
    2: ["z1*z2 + z1", "erf((z1 + z2)/2) - erf(z1)/3", "(erf(z1) + erf(z2))/sqrt(2) + z1^2*z2"],
}


def overlaps(k, p, seed):
    """M and Q of weights in general position."""
    C = np.random.default_rng(seed).standard_normal((p, k + p)) * 0.3
    return C[:, :k], C @ C.T


def by_quadrature(setting, M, Q):
    """E[g z^T], E[g h^T] and the loss by 60 Gauss-Hermite nodes in each of k + p dimensions."""
    k, p, a = setting.k, setting.neurons, setting.a()
    x, w = np.polynomial.hermite_e.hermegauss(60)
    grid = np.stack(np.meshgrid(*[x] * (k + p), indexing="ij")).reshape(k + p, -1)
    weights = np.prod(np.meshgrid(*[w / math.sqrt(2 * math.pi)] * (k + p), indexing="ij"), axis=0).ravel()
    z = grid[:k]
    h = M @ z + np.linalg.cholesky(Q - M @ M.T) @ grid[k:]
    y, f = setting.target(z.T), a @ erf(h)
    correlation = setting.loss == "correlation"
    g = a[:, None] * 2 / math.sqrt(math.pi) * np.exp(-(h**2)) * (y if correlation else y - f) * weights
    loss = -weights @ (y * f) if correlation else (weights @ (y - f) ** 2 + setting.noise_std**2) / 2
    return g @ z.T, g @ h.T, loss


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize(("k", "p"), [(1, 1), (1, 2), (2, 1)])
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 10**6), which=st.integers(0, 4))
def test_closed_integrals_are_those_of_quadrature(k, p, loss, seed, which):
    text = TARGETS[k][which % len(TARGETS[k])]
    readout = [0.7, -1.1][:p]
    common = {"activation": "erf", "neurons": p, "readout": readout, "alpha": 1, "eta": 1, "steps": 1}
    setting = Setting(target=text, **common, loss=loss, noise_std=0.3)
    closed = population(setting)
    assert isinstance(closed, ErfPopulation)
    M, Q = overlaps(k, p, seed)
    ours = (*closed.moments(M, Q), closed.loss(M, Q))
    for value, expected in zip(ours, by_quadrature(setting, M, Q), strict=True):
        # The grid: 60 nodes are not quite enough for erf of the largest fields drawn.
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("text", ["erf(z1)*erf(z2)", "erf(z1 + 1)", "erf(z1^2)", "tanh(z1)", "abs(z1)"])
def test_what_is_not_closed_takes_nodes(text):
    setting = Setting(target=text, activation="erf", alpha=1, eta=1, steps=1)
    fresh = population(setting)
    assert isinstance(fresh, Nodes)
    assert not fresh.exact


def test_dependent_and_vanishing_weights_are_no_exception():
    setting = Setting(target="erf(z) + z", activation="erf", neurons=3, alpha=1, eta=1, steps=1)
    M = np.array([[1.0], [0.0], [-1.0]])
    Q = M @ M.T
    nodes = Nodes.of(setting)
    closed = population(setting)
    for value, expected in zip(closed.moments(M, Q), nodes.moments(M, Q), strict=True):
        # 65536 Sobol points in four dimensions of which one counts.
        np.testing.assert_allclose(value, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize("engine", ["dense", "lazy", "online", "flow"])
def test_the_test_loss_is_that_of_fresh_samples(engine, tmp_path):
    setting = Setting(
        target="tanh(z1) + z2/2",
        activation="relu",
        neurons=2,
        alpha=2,
        eta=0.4,
        steps=3,
        reuse=engine in {"dense", "lazy"},
        noise_std=0.5,
    )
    run = simulate(setting, engine, d=50, seed=1)
    rng = np.random.default_rng(0)
    M, Q = run.M.values[-1], run.Q.values[-1]
    z = rng.standard_normal((2, 10**6))
    h = M @ z + np.linalg.cholesky(Q - M @ M.T + 1e-12 * np.eye(2)) @ rng.standard_normal((2, 10**6))
    y = setting.target(z.T) + 0.5 * rng.standard_normal(10**6)
    losses = (y - setting.a() @ np.maximum(h, 0)) ** 2 / 2
    error = losses.std() / 1e3
    assert run.test_loss.dims == ("step",)
    # 8 errors is a false alarm below 1e-6; the Sobol points err by much less than one.
    assert abs(float(run.test_loss[-1]) - losses.mean()) < 8 * error
    if engine == "flow":
        np.testing.assert_array_equal(run.test_loss, run.training_loss)
    run.with_test_loss().save(tmp_path / "run.nc")
    again = Trajectory.load(tmp_path / "run.nc")
    np.testing.assert_array_equal(again.data["test_loss"], run.test_loss)


def test_the_limit_and_the_overlaps_alone_say_the_same_test_loss():
    setting = Setting(target="erf(z)", activation="erf", alpha=2, eta=0.5, steps=3)
    run = simulate(setting, "limit", seed=0, points=2**12)
    alone = Trajectory(run.data.drop_vars("test_loss")).test_loss
    assert alone.attrs["expectations"] == "exact"
    # M of 16 scrambles averaged is not the average of the loss, by the spread squared; 8 errors otherwise.
    assert np.all(np.abs(alone - run.test_loss) < 8 * run.data.test_loss_error + 1e-6)


def test_replicas_have_a_test_loss_each():
    setting = Setting(target="z", activation="erf", alpha=2, eta=0.5, steps=4, reuse=False)
    run = simulate(setting, "online", d=50, seed=0, replicas=3)
    assert run.test_loss.dims == ("replica", "step")
    assert float(run.test_loss[2, 4]) == population(setting).loss(run.M.values[2, 4], run.Q.values[2, 4])
