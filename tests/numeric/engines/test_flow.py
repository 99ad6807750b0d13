import numpy as np

from rebatch import Setting, simulate


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
