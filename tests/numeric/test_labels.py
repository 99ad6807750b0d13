"""Label noise by name: its law against SciPy's, and its mean and variance in the population."""

import numpy as np
import pytest
from scipy import stats

from rebatch import RebatchError, Setting, Target, simulate
from rebatch.numeric.labels import labels
from rebatch.numeric.population import population

LAWS = {
    "laplace(0.3)": stats.laplace(scale=0.3 / np.sqrt(2)),
    "student(5, 0.3)": stats.t(5, scale=0.3 * np.sqrt(3 / 5)),
    "uniform(0.3)": stats.uniform(-0.3 * np.sqrt(3), 0.6 * np.sqrt(3)),
    "gaussian(0.3)": stats.norm(scale=0.3),
}


@pytest.mark.parametrize("name", LAWS)
def test_noise_has_the_law_of_its_name(name):
    n = 40_000
    noise = labels(Target("0*z1", noise=name), np.zeros((n, 1)), np.random.default_rng(0))
    # The law is continuous; 1e-6 is the rate of false alarm. A scale 7% off is seen.
    assert stats.kstest(noise, LAWS[name].cdf).pvalue > 1e-6
    assert stats.kstest(noise * 1.07, LAWS[name].cdf).pvalue < 1e-6
    assert LAWS[name].std() == pytest.approx(0.3)


def test_labels_flip_with_their_probability():
    n, q = 40_000, 0.1
    y = labels(Target("z1", noise=f"flip({q})"), np.ones((n, 1)), np.random.default_rng(0))
    assert set(y.tolist()) == {-1.0, 1.0}
    assert stats.binomtest(int((y < 0).sum()), n, q).pvalue > 1e-6


@pytest.mark.parametrize("noise", ["flip(0.1)", "laplace(0.5)"])
@pytest.mark.parametrize("loss", ["squared", "correlation"])
def test_expectations_over_a_fresh_sample_are_those_of_many(noise, loss):
    setting = Setting(
        target="z1 + z1^2/2", activation="tanh", alpha=1, eta=1, steps=1, loss=loss, noise=noise
    )
    M, Q = np.array([[0.4]]), np.array([[1.0]])
    there, rng, n = population(setting), np.random.default_rng(0), 400_000
    z = rng.standard_normal((n, 1))
    h = 0.4 * z[:, 0] + np.sqrt(1 - 0.16) * rng.standard_normal(n)
    y, f = labels(setting.target, z, rng), setting.a()[0] * np.tanh(h)
    r = y if loss == "correlation" else y - f
    g = setting.a()[0] * (1 - np.tanh(h) ** 2) * r
    losses = -y * f if loss == "correlation" else r**2 / 2
    for theory, sample in (
        (there.moments(M, Q)[0][0, 0], g * z[:, 0]),
        (there.moments(M, Q)[1][0, 0], g * h),
        (there.loss(M, Q), losses),
    ):
        # Five and a half standard errors: 4e-8 a comparison; the rule's own error is far smaller.
        assert abs(theory - sample.mean()) < 5.5 * sample.std() / np.sqrt(n)


def test_the_limit_and_finite_runs_agree_under_flips_and_not_with_the_labels_as_they_are():
    values = {"target": "z1 + z1^2/2", "activation": "tanh", "alpha": 2, "eta": 0.5, "steps": 2}
    flipped, plain = (
        simulate(Setting(**values, noise=noise), "limit", seed=0, accuracy=1e-2).M[-1].item()
        for noise in ("flip(0.2)", None)
    )
    runs = [simulate(Setting(**values, noise="flip(0.2)"), d=1500, seed=s).M[-1].item() for s in range(24)]
    error = np.std(runs, ddof=1) / np.sqrt(len(runs))
    # Student with 23 degrees of freedom beyond 7: 4e-7; deviations of order 1/d are below a tenth of the error.
    assert abs(np.mean(runs) - flipped) < 7 * error
    assert abs(np.mean(runs) - plain) > 14 * error


@pytest.mark.parametrize(
    "noise",
    [
        "cauchy(1)",
        "laplace",
        "laplace()",
        "laplace(-1)",
        "laplace(nan)",
        "student(2, 1)",
        "student(1)",
        "flip(0.5)",
        3,
    ],
)
def test_other_noise_is_refused_in_one_line_that_says_what_is_allowed(noise):
    with pytest.raises(RebatchError, match=r"allowed are .*laplace\(s\)") as refused:
        Target("z1", noise=noise)
    assert "\n" not in str(refused.value)


def test_noise_is_said_once_and_kept():
    with pytest.raises(RebatchError, match="one of them"):
        Target("z1", noise="laplace(0.3)", noise_std=0.1)
    with pytest.raises(RebatchError, match="once"):
        Setting(
            target=Target("z1", noise_std=0.1), activation="erf", alpha=1, eta=1, steps=1, noise="flip(0.1)"
        )
    setting = Setting(target="z1", activation="erf", alpha=1, eta=1, steps=1, noise="student(5, 0.3)")
    assert Setting.from_json(setting.to_json()) == setting
    assert "student" in str(setting)
    assert "student" in repr(setting)
    assert Target("z1", noise="laplace(0)").noise is None
    assert Target("z1", noise="gaussian(0.3)") == Target("z1", noise_std=0.3)
