import mpmath
import numpy as np
import pytest
from scipy.integrate import quad

from rebatch import Target, weak_recovery_threshold
from rebatch.numeric.inference import cells
from rebatch.numeric.inference.latent import Latent
from rebatch.numeric.inference.separate import parts_of, second_moments
from rebatch.numeric.inference.stability import instability, pair_tensor
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.learnability.reading import read


def threshold(text, noise_std=0.0):
    target = Target(text, noise_std=noise_std)
    parts = parts_of(target, read(target).relevant, target.expr)
    S, error = second_moments(parts)
    r = parts.r
    top = instability(pair_tensor(S[r:, r:], r, np.eye(r)))
    return 1 / top.eigenvalue, error / top.eigenvalue**2, top.span @ parts.basis


@pytest.mark.parametrize(
    ("text", "alpha"),
    [
        ("z1^2 + z2^2 + z3^2", 3 / 2),
        ("z1^2 + z2^2 - 2*z3^2 - 2*z4^2", 9 / 8),
        ("sign(z1)*sign(z2)", np.pi**2 / 4),
        ("z1^2*sign(z2)*sign(z3)", 1 / 2),
    ],
)
def test_convolutions_meet_what_closes(text, alpha):
    found, error, _ = threshold(text)
    assert abs(found - alpha) < 4 * error + 1e-7  # beyond |z| = 7.2 nothing is integrated


def test_a_product_of_three_normal_numbers_is_what_its_density_by_mellin_gives():
    # p(y) = (2 pi)^(-3/2) G(y^2/8 | 0, 0, 0), E[z1^2; y] = 2 (2 pi)^(-3/2) G(y^2/8 | 1, 0, 0).
    def ratio(y):
        p, M = (float(mpmath.meijerg([[], []], [[b, 0, 0], []], y * y / 8)) for b in (0, 1))
        return p * (2 * M / p - 1) ** 2

    # y = u^4 takes the logarithms at 0 away.
    inverse = 2 * (2 * np.pi) ** -1.5 * quad(lambda u: 4 * u**3 * ratio(u**4), 1e-3, 4.0, limit=200)[0]
    found, error, span = threshold("z1*z2*z3")
    assert len(span) == 3
    assert abs(found - 1 / inverse) < 1e-6
    assert error < 1e-6


def test_noise_is_one_more_summand():
    # Given z1, y is N(0, z1^2 + D) and z2 is N(y z1 / (z1^2 + D), D / (z1^2 + D)).
    D = 0.25
    x = np.linspace(-8, 8, 641)  # a trapezoidal sum of what is as smooth as N(0, D)
    w = np.exp(-(x**2) / 2)
    w /= w.sum()
    y = np.linspace(-40, 40, 4001)[:, None]
    p = np.exp(-(y**2) / 2 / (x**2 + D)) / np.sqrt(2 * np.pi * (x**2 + D)) * w
    a = (p * (x**2 - 1)).sum(axis=1) / p.sum(axis=1)
    c = (p * x**2 * y / (x**2 + D)).sum(axis=1) / p.sum(axis=1)
    inverse = np.trapezoid(p.sum(axis=1) * (a + c) ** 2, y[:, 0])
    found, _, span = threshold("z1*z2", noise_std=D**0.5)
    assert len(span) == 2
    assert abs(found - 1 / inverse) < 1e-5  # y in steps of 0.02, against noise of 0.5


def test_a_factor_of_high_power_is_small_in_many_samples():
    # log y = 10 log|z1| + 14 log|z2|, its density by trapezoidal sums over v = log|z2|.
    v = np.arange(-22.0, 2.2, 0.02)
    w = np.exp(v - np.exp(2 * v) / 2)
    w /= w.sum()
    inverse = 0.0
    for log_y in np.array_split(np.arange(-340.0, 45.0, 0.05), 20):
        x = np.exp((log_y[:, None] - 14 * v) / 10)
        density = 2 * np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) * x / 10
        p = density @ w
        inverse += 0.05 * np.sum((density @ (w * (np.exp(2 * v) - 1))) ** 2 / np.maximum(p, 1e-200))
    found, error, _ = threshold("z1^10*z2^14")
    assert abs(found - 1 / inverse) < 2 * error + 1e-5  # v in steps of 0.02


@pytest.mark.parametrize("power", ["(1/2)", "1", "4"])
def test_thresholds_of_products_are_those_of_their_powers(power):
    found, error, _ = threshold(f"abs(z1)^{power}*(1 + abs(z2))^{power}")
    expected, other, _ = threshold("abs(z1)*(1 + abs(z2))")
    assert abs(found - expected) < 2 * (error + other) + 1e-7


@pytest.mark.parametrize("text", ["z1*z2 + z1^2*z2^2", "Max(z1, z2)", "z1*z2*z3 + z1", "sin(z1*z2)"])
def test_what_does_not_fall_apart_has_no_parts(text):
    target = Target(text)
    assert parts_of(target, read(target).relevant, target.expr) is None


def test_parts_are_the_label_up_to_a_constant():
    for text in ("z1^2 + 3*z1*z2 - z3 + z2^2 + 2", "abs(z1 + z2) + cos(z1 - z2)", "abs(z1)*z2*(z3 + 2)"):
        target = Target(text)
        parts = parts_of(target, read(target).relevant, target.expr)
        z = np.random.default_rng(0).standard_normal((100, target.k))
        values = [Target(f, k=1)((z @ b)[:, None]) for f, b in zip(parts.functions, parts.basis, strict=True)]
        whole = np.prod(values, axis=0) if parts.multiplied else np.sum(values, axis=0)
        assert np.ptp(target(z) - whole) < 1e-9  # rounding


def test_three_directions_of_a_sum_have_a_number_of_six_digits():
    stage = weak_recovery_threshold("z1 + z2*z3").stages[1]
    assert stage.how is How.NUMERIC
    assert stage.error < 2e-6
    # Given y = z1 + z2 z3, z1 is noise of variance 1.
    assert stage.alpha == pytest.approx(weak_recovery_threshold("z1*z2", noise_std=1.0).alpha_c, abs=1e-5)


def test_atoms_and_densities_together_agree_with_cells_between_level_curves():
    target = Target("relu(z1) + relu(z2)")
    latent = Latent.of(target, read(target).relevant)
    by_cells, doubt = cells.second_moments(latent)
    parts = parts_of(target, read(target).relevant, target.expr)
    assert np.allclose(parts.basis, latent.basis)
    apart, error = second_moments(parts)
    assert np.abs(apart - by_cells).max() < 4 * (doubt + error)
    assert error < 1e-5
