import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, Target, state_evolution, weak_recovery_threshold
from rebatch.numeric.inference.channel import LineChannel, output
from rebatch.numeric.inference.state_evolution import Averager

FILE = Path(__file__).parents[2] / "reference" / "thresholds.json"
ROWS = json.loads(FILE.read_text())["one_amp_step_cos2"]


@pytest.mark.parametrize(("text", "values"), ROWS)
def test_one_step_is_the_reference_value(text, values):
    for alpha, q in values.items():
        assert state_evolution(text, float(alpha), steps=1).q[1] == pytest.approx(q, abs=5e-5)


@settings(max_examples=10)
@given(
    st.sampled_from(["He(3, z1)", "sign(z1)", "abs(z1)", "relu(z1)", "heaviside(z1^2 - 1)", "cos(z1) + z1"]),
    st.floats(0.05, 0.9),
)
def test_nishimori_identities_hold(text, q):
    square, mean, slope = Averager(LineChannel(Target(text, noise_std=0.0))).moments(q)
    # Quadrature of a function with roots that merge.
    assert mean == pytest.approx(0, abs=2e-3 * np.sqrt(square))
    assert slope == pytest.approx(-square, rel=5e-3)


def test_a_linear_label_without_noise_has_the_overlap_alpha():
    # tanh(z) tells z: q <- alpha/(1 - q) / (1 + alpha/(1 - q)), with the fixed point q = alpha.
    assert state_evolution("tanh(z1)", 0.7).q[-1] == pytest.approx(0.7, abs=1e-6)


def test_a_linear_label_with_noise_solves_its_quadratic():
    D, alpha = 0.5, 1.3
    q = state_evolution(Target("z1", noise_std=D**0.5), alpha).q[-1]
    assert q / (1 - q) == pytest.approx(alpha / (1 - q + D), rel=1e-4)


def test_the_perceptron_starts_at_two_over_pi():
    q = state_evolution("sign(z1)", 2.0, steps=1).q[1]
    assert q == pytest.approx((4 / np.pi) / (1 + 4 / np.pi), rel=1e-8)


@pytest.mark.parametrize("text", ["z1^2", "He(4, z1)", "heaviside(z1^2 - 1)"])
def test_no_overlap_is_unstable_exactly_above_the_threshold(text):
    critical = weak_recovery_threshold(text, max_degree=1).alpha_c
    below, above = (state_evolution(text, critical * x, steps=1).q for x in (0.99, 1.01))
    assert below[1] / below[0] == pytest.approx(0.99, rel=3e-3)
    assert above[1] / above[0] == pytest.approx(1.01, rel=3e-3)


def test_the_posterior_is_that_of_plain_quadrature():
    channel = LineChannel(Target("relu(z1 + 1)"))
    z = np.linspace(-9, 9, 200_001)
    omega, V = 0.3, 0.4
    p = np.exp(-((z - omega) ** 2) / (2 * V)) * (z < -1)
    expected = (z * p).sum() / p.sum()
    g, slope = output(channel.candidates(np.array([0.0, 0.5])), np.full(2, omega), V)
    assert omega + V * g[0] == pytest.approx(expected, abs=1e-4)
    assert omega + V * g[1] == pytest.approx(-0.5)  # one root
    h = 1e-5
    up, down = (
        output(channel.candidates(np.array([0.0])), np.array([omega + s * h]), V)[0][0] for s in (1, -1)
    )
    assert slope[0] == pytest.approx((up - down) / (2 * h), rel=1e-6)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": float("nan")}, "alpha"),
        ({"alpha": 1.0, "start": 1.0}, "start"),
        ({"alpha": 1.0, "damping": 1.0}, "damping"),
        ({"alpha": 1.0, "steps": 0}, "steps"),
    ],
)
def test_bad_input_is_one_clear_line(options, words):
    with pytest.raises(RebatchError, match=words) as error:
        state_evolution("z1", **options)
    assert "\n" not in str(error.value)


def test_three_directions_are_refused():
    with pytest.raises(RebatchError, match="3 directions"):
        state_evolution("z1*z2*z3", 1.0)


def test_two_directions_start_to_be_found_at_the_threshold():
    for share in (0.9, 1.1):
        run = state_evolution("sign(z1*z2)", share * np.pi**2 / 4, steps=2)
        # One in a thousand is the error of the quadrature.
        assert run.q[1:] / run.q[:-1] == pytest.approx(np.full((2, 2), share), rel=2e-3)


def test_directions_that_the_label_shows_start_from_nothing():
    run = state_evolution("z1 + z1*z2", 0.3, steps=1)
    assert run.q[0] == pytest.approx([0, 0])
    assert run.q[1].min() > 0.05
    # E[K K^T] of y = z1 + z2^2 has the one direction z1; a trace of z2 is what the second step multiplies.
    run = state_evolution("z1 + z2^2", 0.3, steps=1)
    assert run.q[0] == pytest.approx([1e-5, 0])
    assert run.q[1, 1] < 1e-5 < 0.1 < run.q[1, 0]


def test_two_directions_tabulate_both_cosines():
    run = state_evolution("sign(z1*z2)", 3.0, steps=1)
    assert set(run.records()[0]) == {"step", "q_1", "q_2", "cosine_1", "cosine_2"}
    assert run.Q.shape == (2, 2, 2)
    assert run.to_json()["directions"] == [[1, 0], [0, 1]]
