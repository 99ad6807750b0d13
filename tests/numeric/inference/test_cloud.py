import numpy as np
import pytest
from scipy.special import ive, ndtr

from rebatch import RebatchError, Target
from rebatch.numeric.inference.channel import LineChannel
from rebatch.numeric.inference.cloud import Cloud
from rebatch.numeric.inference.latent import Latent
from rebatch.numeric.inference.state_evolution import Averager
from rebatch.numeric.machine import memory
from rebatch.symbolic.learnability.reading import read

NOISE = 0.5


def cloud_of(text, noise_std=0.0, coarser=2):
    target = Target(text, noise_std=noise_std)
    latent = Latent.of(target, read(target).relevant)
    return Cloud(latent, latent.r, coarser=coarser)


@pytest.mark.parametrize("q", [0.004, 0.3, 0.9])
@pytest.mark.parametrize(
    ("text", "noise_std"),
    [("He(3, z1)", 0.0), ("relu(z1 + 1)", 0.0), ("sign(z1 - 1/2)", 0.0), ("He(2, z1)", NOISE)],
)
def test_one_direction_is_that_of_its_level_sets(text, noise_std, q):
    expected = Averager(LineChannel(Target(text, noise_std=noise_std))).moments(q)[0]
    found = cloud_of(text, noise_std, 1).told(np.array([[q]])).square[0, 0]
    # The level sets of a noisy label are those of eight values of the noise.
    assert found == pytest.approx(expected, rel=3e-3 if noise_std else 2e-3)


def test_a_noisy_sign_tells_what_the_hyperbolic_tangent_says():
    x, w = np.polynomial.hermite_e.hermegauss(200)
    # E[z | y] = sqrt(2/pi) tanh(y / D), y = 1 + x sqrt(D) or its mirror image.
    expected = 2 / np.pi * (w @ np.tanh(4 + 2 * x) ** 2) / w.sum()
    assert cloud_of("sign(z1)", 0.5).told(np.zeros((1, 1))).square[0, 0] == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("text", "alpha_c"), [("z1*z2", 0.593751), ("sign(z1*z2)", np.pi**2 / 4), ("z1^2 + z2^2", 1.0)]
)
def test_a_trace_grows_from_the_threshold_on(text, alpha_c):
    square = cloud_of(text).told(1e-5 * np.eye(2)).square
    assert alpha_c * square / 1e-5 == pytest.approx(np.eye(2), abs=2e-3)


@pytest.mark.parametrize("q", [0.2, 0.7])
def test_the_radius_tells_what_bessel_functions_say(q):
    # Given |z| = r, z points along omega with the mean r I_1 / I_0 (r |omega| / V), its angle being von Mises.
    V = 1 - q
    x, w = np.polynomial.legendre.leggauss(160)
    omega, r = np.meshgrid(3.5 * (x + 1) * np.sqrt(q), 4 * (x + 1), indexing="ij")
    weight = np.outer(w * 3.5 * np.sqrt(q), w * 4)
    kappa = r * omega / V
    density = omega / q * np.exp(-(omega**2) / (2 * q)) * r / V * ive(0, kappa)
    density *= np.exp(-((r - omega) ** 2) / (2 * V))
    g = (r * ive(1, kappa) / ive(0, kappa) - omega) / V
    expected = (weight * density * g**2).sum() / 2
    assert cloud_of("z1^2 + z2^2").told(q * np.eye(2)).square == pytest.approx(
        expected * np.eye(2), abs=4e-3 * expected
    )


def test_the_sign_of_a_product_tells_what_the_normal_law_says():
    q = np.array([0.7, 0.3])
    V = 1 - q
    x = np.linspace(-7, 7, 281)
    omega = np.array(np.meshgrid(x, x, indexing="ij")) * np.sqrt(q)[:, None, None]
    density = np.exp(-(np.add.outer(x**2, x**2)) / 2)
    density /= density.sum()
    s = np.sqrt(V)[:, None, None]
    plus = ndtr(omega / s)
    peak = np.exp(-((omega / s) ** 2) / 2) / np.sqrt(2 * np.pi) / s
    # P(y = +1 | omega), and E[(z_1 - omega_1) / V_1; y = +1 | omega].
    even = plus[0] * plus[1] + (1 - plus[0]) * (1 - plus[1])
    pull = peak[0] * (2 * plus[1] - 1)
    expected = (density * pull**2 * (1 / even + 1 / (1 - even))).sum()
    square = cloud_of("sign(z1*z2)").told(np.diag(q)).square
    # A cell is 0.2 wide, a standard deviation 0.55.
    assert square[0, 0] == pytest.approx(expected, rel=1.2e-2)


def test_the_overlap_with_the_truth_is_that_with_itself():
    # Nishimori: with z and omega drawn together, E[g_out (V^-1 (z - omega))^T] = E[g_out g_out^T]. The posterior here
    # is an integral along the hyperbola z_1 z_2 = y.
    Q = np.array([[0.5, 0.2], [0.2, 0.3]])
    V = np.eye(2) - Q
    precision = np.linalg.inv(V)
    rng = np.random.default_rng(3)
    count = 4000
    omega = rng.multivariate_normal(np.zeros(2), Q, count)
    z = omega + rng.multivariate_normal(np.zeros(2), V, count)
    branch = np.exp(np.linspace(-9, 2, 700))
    first = np.concatenate([-branch, branch])[:, None]
    points = np.array([first * np.ones(count), z.prod(axis=1) / first])
    away = points - omega.T[:, None]
    p = np.exp(-0.5 * np.einsum("i...,ij,j...->...", away, precision, away))
    g = precision @ ((p * away).sum(axis=1) / p.sum(axis=0))
    truth = precision @ (z - omega).T
    square = cloud_of("z1*z2").told(Q).square
    for other in (g, truth):
        products = g[:, None] * other[None]
        error = products.std(axis=-1) / np.sqrt(count)
        assert np.all(np.abs(products.mean(axis=-1) - square) < 4.5 * error)


def test_a_rotated_target_has_the_rotated_overlaps():
    turn = np.array([[0.6, 0.8], [0.8, -0.6]])
    Q = np.array([[0.5, 0.1], [0.1, 0.2]])
    plain = cloud_of("z1^3 + z1*z2").told(Q).square
    # g(R z) has the overlaps R^T Q R.
    turned = cloud_of("(0.6*z1 + 0.8*z2)^3 + (0.6*z1 + 0.8*z2)*(0.8*z1 - 0.6*z2)")
    basis = turned.latent.basis
    found = turned.told(basis @ turn.T @ Q @ turn @ basis.T).square
    assert basis.T @ found @ basis == pytest.approx(turn.T @ plain @ turn, abs=5e-3 * plain.max())


def test_noise_of_the_label_takes_away():
    told = [
        cloud_of("z1*z2", noise, 4).told(0.3 * np.eye(2)).square[0, 0] for noise in (0.0, 1e-4, 0.5, 30.0)
    ]
    assert told[1] == pytest.approx(told[0], rel=2e-2)
    assert told[1] > told[2] > told[3] > 0


def test_hidden_directions_are_integrated_out():
    target = Target("sign(z1)*z2^2")
    latent = Latent.along(target, list(read(target).relevant.orthogonal_basis()))
    told = Cloud(latent, 1, coarser=2).told(np.array([[0.4]]))
    # |y| is z2^2: E[G^2] = 2; the sign of y is that of z1.
    assert told.second[0, 0] == pytest.approx(2, rel=3e-3)
    assert told.first[0, 0] == pytest.approx(0, abs=1e-6)
    expected = Averager(LineChannel(Target("sign(z1)"))).moments(0.4)[0]
    # One of 80 bins holds labels of both signs.
    assert told.square[0, 0] == pytest.approx(expected, rel=2e-2)


def test_three_axes_are_refused():
    with pytest.raises(RebatchError, match="3 directions"):
        cloud_of("z1*z2*z3")


def test_a_grid_that_does_not_fit_is_refused_before_it_is_laid(monkeypatch):
    monkeypatch.setattr(memory, "memory", lambda: 2e8)
    with pytest.raises(RebatchError, match=r"the grid for z1\*z2 needs 0\.47 GB"):
        cloud_of("z1*z2", coarser=1)
