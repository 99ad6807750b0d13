import numpy as np
import pytest

from rebatch import RebatchError, Setting, overlap_series, two_step_overlap
from rebatch.numeric.two_steps import TwoStepNumbers


@pytest.mark.parametrize("reuse", [True, False])
def test_numbers_on_a_grid_are_the_formula_within_their_errors(reuse):
    problem = {"target": "z1 + z2^2/2", "activation": "h + h^2/3", "loss": "correlation", "reuse": reuse}
    numbers = TwoStepNumbers(Setting(**problem, alpha=1, eta=1, steps=7))
    alpha, eta = np.array([[1.0], [2.0]]), np.array([0.1, 0.2])
    values, errors = numbers.with_errors(alpha=alpha, eta=eta, weight_decay=0.3)
    exact = two_step_overlap(**problem).at(alpha=alpha, eta=eta, weight_decay=0.3)
    assert values.shape == exact.shape == (3, 1, 2, 2, 2)
    # Tensor Gauss-Hermite, exact for polynomials but for rounding; where Sobol points serve, six standard errors.
    assert (np.abs(values - exact) <= 6 * errors + 1e-9).all()
    assert errors.max() < 2e-3


def test_kinks_have_numbers_with_errors():
    numbers = TwoStepNumbers(
        Setting(target="tanh(z1)", activation="relu", alpha=1, eta=0.2, steps=2), points=2**12
    )
    values, errors = numbers.with_errors(alpha=1.0, eta=0.2)
    # M^1 = alpha eta E[a 1{h > 0} (y - a relu(h)) z] = alpha eta E[tanh(z) z] / 2.
    assert values[1, 0, 0] == pytest.approx(0.1 * 0.605706, abs=6 * errors[1, 0, 0] + 1e-7)
    assert 0 < errors[2, 0, 0] < 1e-3


@pytest.mark.parametrize("reuse", [True, False])
def test_a_kink_is_crossed_on_one_side_by_a_reused_sample(reuse):
    # Correlation loss, relu, y = z, alpha = 1: M^2 = eta + eta^2 phi(0) E[z^2 ([X]_+ - [X + z]_-)] + …, where
    # X = z/2 + omega, omega ~ N(0, 1/2): below the kink g^0 = 0, above it g^0 = z. In moments of the label that
    # would be E[z^2 X] = 0 and E[y^2 z] = 0: a series with reuse ends at eta. One pass drops z, and the series holds.
    z, t = (np.arange(-8, 8, 0.01) + 0.005,) * 2
    weight = np.exp(-(z[:, None] ** 2 + t**2) / 2) / (2 * np.pi) * 0.01**2
    X = z[:, None] / 2 + t * np.sqrt(0.5)
    seen = X + z[:, None] * reuse
    crossing = np.maximum(X, 0) + np.minimum(seen, 0)
    expected = (weight * z[:, None] ** 2 * crossing).sum() / np.sqrt(2 * np.pi)
    series = overlap_series("z1", "relu", loss="correlation", reuse=reuse)
    assert series.order == (1 if reuse else 2)
    assert abs(expected) > 0.2 if reuse else abs(expected) < 1e-12
    eta = 0.02
    setting = Setting(
        target="z1", activation="relu", alpha=1, eta=eta, steps=2, loss="correlation", reuse=reuse
    )
    values, errors = TwoStepNumbers(setting, points=2**16).with_errors(alpha=1.0, eta=eta)
    # Six standard errors, and the next term, eta times constants of order 1.
    assert (values[2, 0, 0] - eta) / eta**2 == pytest.approx(expected, abs=6 * errors[2, 0, 0] / eta**2 + eta)


def test_a_step_size_out_of_range_is_refused():
    numbers = TwoStepNumbers(Setting(target="z1", activation="relu", alpha=1, eta=0.2, steps=2))
    with pytest.raises(RebatchError, match="eta"):
        numbers.at(alpha=1.0, eta=-0.1)
