"""What every engine promises of a run, whatever it computes with."""

import numpy as np
import pytest
import scipy.integrate

from rebatch import Setting, simulate
from rebatch.numeric.engines import dense, lazy, online
from rebatch.numeric.engines.descent import StoppedEarly

BASE = {"target": "tanh(z1 + z2)", "activation": "erf", "neurons": 2, "alpha": 1.5, "eta": 0.4}


@pytest.mark.parametrize("engine", ["dense", "lazy", "online"])
@pytest.mark.parametrize(
    "options", [{}, {"batch_size": 3, "repeats": 2, "weight_decay": 0.1}, {"normalize": True}]
)
def test_no_look_ahead_is_plain_descent(engine, options):
    # rho too small to count still takes the path of the look ahead. On it the lazy engine draws a second product
    # where plain descent has none; the first step and its overlaps are the same numbers up to rounding.
    steps = 1 if engine == "lazy" else 6
    plain, ahead = (
        simulate(Setting(**BASE, **options, reuse=False, steps=steps, rho=rho), engine, d=30, seed=1)
        for rho in (0.0, 1e-15)
    )
    for name in ("M", "Q"):
        # Rounding of a few steps; a look ahead of 3% of eta would show at 1e-3.
        np.testing.assert_allclose(plain.data[name], ahead.data[name], rtol=0, atol=1e-12)


@pytest.mark.parametrize("engine", ["dense", "lazy", "online"])
def test_the_look_ahead_counts(engine):
    steps = 1 if engine == "lazy" else 6
    plain, ahead = (
        simulate(Setting(**BASE, reuse=False, steps=steps, rho=rho), engine, d=30, seed=1)
        for rho in (0.0, 0.01)
    )
    assert np.abs(plain.Q - ahead.Q).max() > 1e-6


@pytest.mark.parametrize(
    ("engine", "patched", "name"),
    [
        ("dense", dense.DenseSide, "gradient"),
        ("lazy", lazy._LazySide, "gradient"),
        ("flow", scipy.integrate, "solve_ivp"),
    ],
)
def test_ctrl_c_keeps_the_finished_steps(engine, patched, name, monkeypatch):
    setting = Setting(**BASE, steps=6)
    whole = simulate(setting, engine, d=30, seed=1)
    original, calls = getattr(patched, name), []

    def interrupted(*arguments, **options):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return original(*arguments, **options)

    monkeypatch.setattr(patched, name, interrupted)
    with pytest.warns(StoppedEarly, match="interrupted after step"):
        run = simulate(setting, engine, d=30, seed=1)
    last = 3 if engine == "flow" else 2  # the interrupted step ends at 4, or begins at 3
    assert list(run.M.step.values) == list(range(last + 1))
    np.testing.assert_array_equal(run.M, whole.M[: last + 1])
    assert run.interrupted
    assert not whole.interrupted


def test_ctrl_c_keeps_the_finished_steps_of_all_replicas(monkeypatch):
    setting = Setting(**BASE, steps=5000, reuse=False, record_every=500)
    whole = simulate(setting, "online", d=30, seed=1, replicas=20)
    original, calls = online._Online._advance, []

    def interrupted(self, group, replicas, rows, done, steps):
        calls.append(done)
        if done > 2000:
            raise KeyboardInterrupt
        original(self, group, replicas, rows, done, steps)

    monkeypatch.setattr(online._Online, "_advance", interrupted)
    with pytest.warns(StoppedEarly, match="interrupted after step"):
        run = simulate(setting, "online", d=30, seed=1, replicas=20)
    kept = run.M.sizes["step"]
    assert 4 <= kept < 11
    np.testing.assert_array_equal(run.M, whole.M[:, :kept])


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_ctrl_c_before_the_first_step_is_passed_on(engine, monkeypatch):
    side = {"dense": dense.DenseSide, "lazy": lazy._LazySide}[engine]

    def interrupted(self, weights):
        raise KeyboardInterrupt

    monkeypatch.setattr(side, "gradient", interrupted)
    with pytest.raises(KeyboardInterrupt):
        simulate(Setting(**BASE, steps=2), engine, d=30, seed=1)
