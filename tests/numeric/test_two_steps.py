import numpy as np
import pytest

from rebatch import RebatchError, Setting, two_step_overlap
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


def test_a_step_size_out_of_range_is_refused():
    numbers = TwoStepNumbers(Setting(target="z1", activation="relu", alpha=1, eta=0.2, steps=2))
    with pytest.raises(RebatchError, match="eta"):
        numbers.at(alpha=1.0, eta=-0.1)
