"""What is known of Gaussian inputs is never said of others: each answer is in the law of the target, or refused."""

import numpy as np
import pytest
from flint import fmpq

import rebatch as rb
from rebatch.symbolic.overlap.drift import drift_along
from rebatch.symbolic.thresholds.certificates import certificate
from rebatch.symbolic.thresholds.noise import noise_price

# Even in each coordinate but for the product: nothing is trivial, so that thresholds do not end early.
TARGET = rb.Target("z1*z2", inputs="boolean")
GAUSSIAN = rb.Target("z1*z2")
QUESTIONS = {
    "alpha_curve": lambda t: rb.alpha_curve(t, np.array([0.1])),
    "weak_recovery_threshold": rb.weak_recovery_threshold,
    "amp": lambda t: rb.amp(t, 2.0, d=100, steps=2, seed=0),
    "amp_on_data": lambda t: rb.amp_on_data(
        t, np.ones((20, 10)), np.zeros(20), steps=1, start=np.full(10, 0.01)
    ),
    "grand_staircase": rb.grand_staircase,
    "state_evolution": lambda t: rb.state_evolution(t, 2.0),
    "ceiling": rb.ceiling,
    "certificate": lambda t: certificate(t, (1, 1), 2),
    "noise_price": lambda t: noise_price(t, rb.relevant_subspace(GAUSSIAN)),
    "phase_diagram": rb.phase_diagram,
    "scaling": lambda t: rb.scaling(t, look_ahead=1.0),
    "hermite_series": rb.hermite_series,
    "generalization": lambda t: rb.generalization(t, "relu"),
    "drift_along": lambda t: drift_along(t, "erf", (fmpq(1), fmpq(0))),
    "activation_check": lambda t: rb.activation_check(t, "relu"),
    "which_activation": rb.which_activation,
    "universality": lambda t: rb.universality(
        rb.Setting(target=t, activation="relu", alpha=1, eta=0.1, steps=2), inputs="laplace"
    ),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_what_is_of_gaussian_inputs_is_refused_for_others(name):
    with pytest.raises(rb.RebatchError, match="inputs boolean; allowed are gaussian inputs"):
        QUESTIONS[name](TARGET)


def test_what_is_answered_is_of_the_law_of_the_target():
    square = rb.Target("z1^4 + z2", inputs="boolean")
    # On signs z1^4 is 1: the mean is 1 where a Gaussian's is 3, and only z2 is a direction.
    assert rb.expectation(square) == rb.expectation("1")
    assert rb.relevant_subspace(square).dimension == 1
    assert rb.analyze(square).dimension == 1
    assert [v.direction for v in rb.two_step_verdict(square)] == [(0, 1)]
