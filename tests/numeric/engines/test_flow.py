import warnings

import numpy as np
import pytest

from rebatch import RebatchError, Setting, simulate
from rebatch.numeric.engines.descent import StoppedEarly


def test_weights_without_a_signal_decay_exponentially():
    # dM/dt = -lam M and dQ/dt = -2 lam Q at time t = eta * step; 1e-6 is above the integrator's tolerance.
    setting = Setting(
        target="0*z1", activation="erf", alpha=1, eta=0.3, steps=2, weight_decay=0.5, loss="correlation",
        reuse=False, start=[[0.5]],
    )  # fmt: skip
    run = simulate(setting, "flow", seed=0)
    t = 0.3 * np.arange(3)
    np.testing.assert_allclose(run.M.values[:, 0, 0], 0.5 * np.exp(-0.5 * t), atol=1e-6)
    np.testing.assert_allclose(run.Q.values[:, 0, 0], np.exp(-t), atol=1e-6)


@pytest.mark.parametrize(("activation", "eta"), [("erf", 1e307), ("h^3", 1e4)])
def test_a_flow_ends_whatever_its_step(activation, eta):
    setting = Setting(target="He(3, z1)", activation=activation, alpha=2, eta=eta, steps=3, reuse=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", StoppedEarly)
        run = simulate(setting, "flow", seed=0)
    assert run.stopped or np.isfinite(run.M).all()


@pytest.mark.parametrize(("change", "says"), [({"steps": 10**12}, "GB"), ({"eta": 1e308}, "finite times")])
def test_flows_that_cannot_be_are_refused(change, says):
    base = {"target": "z1", "activation": "erf", "alpha": 2, "eta": 0.1, "steps": 3, "reuse": False}
    with pytest.raises(RebatchError, match=says):
        simulate(Setting(**base | change), "flow", seed=0)
