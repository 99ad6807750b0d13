import numpy as np
import pytest
from scipy import integrate
from scipy.special import ndtr

from rebatch import Activation, Setting, Target, simulate
from rebatch.numeric.one_pass import OnePass, Plan

ODD = OnePass(Target("He(3, z)"), Activation("h + He(3, h)"))


def test_drift_and_noise_of_polynomials_are_exact():
    # C = 6 m^3; sigma' = 3 h^2 - 2: E[He_3^2] E[sigma'^2] = 6 * 19 and E[He_3^2 sigma'^2] = 3570 by moments.
    for m in (0.0, 0.4, 0.9):
        assert ODD.speed(m, 1e-9) / 1e-9 == pytest.approx((1 - m**2) * 18 * m**2, abs=1e-4)
    assert ODD.noise(0.0) == pytest.approx(114)
    assert ODD.noise(1.0) == pytest.approx(3570)
    assert ODD.variance == pytest.approx(6)


def test_drift_and_noise_of_kinks_are_those_of_closed_forms():
    # C'(m) = (pi - arccos m) / (2 pi), and E[relu(z)^2 1(h > 0)] by integration over half planes.
    one_pass = OnePass(Target("relu(z)", noise_std=0.5), Activation("relu"))
    for m in (0.0, 0.5, 0.9):
        assert one_pass.speed(m, 1e-9) / 1e-9 == pytest.approx(
            (1 - m**2) * (np.pi - np.arccos(m)) / (2 * np.pi), rel=2e-3
        )
        from_z = integrate.quad(
            lambda z, m=m: _density(z) * (z**2 + 0.25) * ndtr(m * z / np.sqrt(1 - m**2)), 0, 9
        )[0]
        below = integrate.quad(lambda z, m=m: _density(z) * 0.25 * ndtr(m * z / np.sqrt(1 - m**2)), -9, 0)[0]
        assert one_pass.noise(m) == pytest.approx(from_z + below, rel=2e-3)


def _density(z):
    return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)


@pytest.mark.parametrize(
    ("target", "activation", "eta"), [("He(2, z) + z", "erf", 0.3), ("tanh(2*z)", "relu", 1.0)]
)
def test_the_path_is_what_online_runs_tend_to(target, activation, eta):
    one_pass = OnePass(Target(target, noise_std=0.3), Activation(activation))
    plan, d, start = Plan((eta,), (4.0,)), 3000, 0.3
    times, overlaps = one_pass.path(start, plan)
    setting = Setting(
        target=one_pass.target,
        activation=activation,
        alpha=1,
        eta=eta,
        steps=4 * d,
        readout=[1],
        loss="correlation",
        reuse=False,
        normalize=True,
        start=[[start]],
        record_every=d,
    )
    runs = simulate(setting, "online", d=d, seed=5, replicas=48).M.values[:, :, 0, 0]
    expected = np.interp(np.arange(5), times, overlaps)
    error = runs.std(axis=0, ddof=1) / np.sqrt(len(runs))
    # Runs deviate by 1 / d, a tenth of their error; 6 standard errors are a false alarm of 1e-7.
    assert (np.abs(runs.mean(axis=0) - expected)[1:] < 6 * error[1:] + 1 / d).all()
    assert np.abs(overlaps[-1] - start) > 40 * error[-1]


def test_step_sizes_end_at_the_accuracy():
    for accuracy in (0.2, 0.05, 0.01):
        plan = ODD.plan(0.1, 1, accuracy, succeeds=True)
        _, overlaps = ODD.path(0.1, plan)
        assert 1 - overlaps[-1] ** 2 < 1.5 * accuracy
        assert list(plan.etas) == sorted(plan.etas, reverse=True)


def test_from_a_negative_start_the_path_is_mirrored():
    other = OnePass(Target("-He(3, z)"), Activation("h + He(3, h)"))
    plan = ODD.plan(0.1, 1, 0.05, succeeds=True)
    mirrored = other.plan(-0.1, -1, 0.05, succeeds=True)
    np.testing.assert_allclose(mirrored.times, plan.times, rtol=1e-4)
    np.testing.assert_allclose(other.path(-0.1, plan)[1], -ODD.path(0.1, plan)[1], atol=1e-5)


@pytest.mark.parametrize(
    ("target", "activation"), [("-He(3, z)", "erf"), ("z^3", "relu"), ("tanh(z)", "tanh")]
)
@pytest.mark.parametrize("start", [0.05, 0.2, 0.99])
def test_no_step_size_is_kept_long_after_it_has_come_to_rest(target, activation, start):
    one_pass = OnePass(Target(target), Activation(activation))
    plan = one_pass.plan(start, 1, 0.05, succeeds=True)
    times, overlaps = one_pass.path(start, plan)
    last = np.concatenate([[0], np.cumsum(plan.times)])[-2:]
    middle = np.interp(last.mean(), times, overlaps)
    # The second half of the last step size still brings the overlap nearer by a visible part of what is left.
    assert abs(overlaps[-1] - middle) > 1e-3 * (1 - overlaps[-1])
    assert 1 - overlaps[-1] ** 2 < 0.08
