import json
from types import SimpleNamespace

import numpy as np
import pytest

from rebatch import RebatchError, Target, generalization
from rebatch.numeric import generalization as module
from rebatch.numeric.chain import mean_and_error
from rebatch.symbolic.exact.known import How

ODD = "h + He(3, h)"


@pytest.fixture(scope="module")
def odd():
    return generalization("He(3, z)", ODD, d=(1000,), runs=4, accuracy=0.2)


def test_an_odd_hermite_polynomial_is_learned_in_samples_of_order_d(odd):
    assert (odd.outcome, odd.how) == ("learned", How.EXACT)
    assert odd.decision.positive
    assert odd.arrived(odd.measured[0]) >= 3
    # Half the variance of the label is 3.
    assert odd.baseline == pytest.approx(3)
    assert np.median(odd.measured[0].loss) < 1.6


def test_the_predicted_loss_is_what_the_overlap_leaves_unexplained(odd):
    # The features span all cubics of h: E[Var(He_3(z) | h)] / 2 = 3 (1 - m^6).
    m = odd.stages[1].overlap
    assert odd.predicted == pytest.approx(3 * (1 - m**6), abs=6 * odd.predicted_error + 0.02)
    assert 1 - m**2 == pytest.approx(0.2, rel=0.4)


def test_an_even_hermite_polynomial_is_not():
    even = generalization("He(4, z)", ODD, d=(500,), runs=3)
    assert (even.outcome, even.how) == ("not learned", How.EXACT)
    assert "symmetry" in even.reason
    assert even.start == 0
    assert even.baseline == pytest.approx(12)
    assert np.mean(even.measured[0].loss) > 0.7 * even.baseline
    assert max(np.abs(even.measured[0].overlap)) < 0.4


def test_two_steps_may_show_what_one_pass_does_not_carry_on():
    # relu has no third Hermite coefficient.
    kinked = generalization("He(3, z)", "relu", d=(), eta=0.1)
    assert (kinked.outcome, kinked.how, kinked.shown.outcome) == ("not learned", How.EXACT, "shown")
    assert "nothing drives" in kinked.reason
    assert kinked.stages[1].overlap < kinked.start


def test_a_drift_with_a_zero_stops_there():
    # C = m - 3 m^3.
    stuck = generalization("z - He(3, z)/2", ODD, d=())
    assert stuck.outcome == "not learned"
    assert stuck.decision.stops == pytest.approx(1 / 3, abs=1e-3)
    assert stuck.stages[1].overlap < 0.35


def test_a_start_that_is_too_small_to_follow_is_said():
    """Of He_5 and its own activation the limit of m_0 is 5e-6, carried by rare samples: proved, and out of reach."""
    far = generalization("He(5, z)", "h + He(5, h)", d=())
    assert (far.outcome, far.how) == ("learned", How.EXACT)
    assert 0 < far.start < 1e-4
    assert not far.plan.arrives
    assert "too many samples to follow" in far.reason


def test_the_first_step_size_is_small_enough_for_a_drift_that_is_weak_on_the_way():
    # C' of sin(3 z) and erf is 200 times weaker at 0 than near 1.
    chain = generalization("sin(3*z)", "erf", d=(300,), runs=2, eta=0.33)
    assert chain.outcome == "learned"
    assert chain.stages[1].overlap > 0.96
    assert chain.arrived(chain.measured[0]) == 2


def test_ctrl_c_in_a_stage_is_no_overlap_of_zero(monkeypatch):
    run = SimpleNamespace(stopped="interrupted after step 1", interrupted=True)
    monkeypatch.setattr(module, "simulate", lambda *_, **__: run)
    with pytest.raises(KeyboardInterrupt):
        generalization("He(3, z)", "h + He(3, h)", d=())


def test_a_mirrored_target_is_learned_as_well(odd):
    mirrored = generalization("-He(3, z)", ODD, d=(), runs=4, accuracy=0.2)
    assert (mirrored.outcome, mirrored.how) == ("learned", How.EXACT)
    assert mirrored.start == pytest.approx(odd.start)
    assert mirrored.plan.times == pytest.approx(odd.plan.times, rel=1e-3)


def test_one_direction_among_several_coordinates():
    chain = generalization("relu(z1 + z2)", "erf", d=(400,), runs=3, eta=0.3)
    assert chain.outcome == "learned"
    assert chain.shown.verdict.direction == (1, 1)
    assert np.mean(chain.measured[0].loss) < 0.2 * chain.baseline


def test_noise_of_the_label_stays_in_the_loss():
    clean, noisy = (generalization(Target("z^3", noise_std=s), "h + h^3", d=(), eta=0.01) for s in (0, 0.6))
    assert noisy.baseline - clean.baseline == pytest.approx(0.18, abs=1e-9)
    assert noisy.predicted > 0.18
    assert noisy.plan.etas[0] < clean.plan.etas[0]


def test_the_same_seed_gives_the_same_chain_for_any_number_of_threads():
    options = {"d": (60,), "runs": 2, "eta": 0.2, "samples": 200}
    one, two = (generalization("z1", "erf", threads=t, **options) for t in (1, 2))
    assert one.measured == two.measured
    assert one.predicted == two.predicted


def test_everything_is_data(odd):
    data = json.loads(json.dumps(odd.to_json()))
    assert [stage["name"] for stage in data["stages"]] == ["two steps on one batch", "one pass", "readout"]
    assert data["stages"][0]["samples"] == 8
    assert data["simulated"][0]["arrived"] == odd.arrived(odd.measured[0])
    assert data["drift_positive"] is True
    assert "learned" in str(odd)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: generalization("z1 + z2^2", "erf"), "has 2 directions; allowed are targets of one"),
        (lambda: generalization("1", "erf"), "has 0 directions"),
        (lambda: generalization("z", "gelu"), "no kernel"),
        (lambda: generalization("z", "erf", accuracy=1), "accuracy"),
        (lambda: generalization("z", "erf", eta=0), "eta"),
        (lambda: generalization("z", "erf", d=(2,)), "d = 2"),
        (lambda: generalization("z", "erf", d=2), "d = 2"),
        (lambda: generalization("z", "erf", d="500"), "d = '5'"),
        (lambda: generalization("He(3, z)", ODD, d=(10**8,)), "one pass of"),
        (lambda: generalization(Target("z", inputs="boolean"), "erf"), "gaussian"),
    ],
)
def test_what_is_no_chain_is_one_clear_line(call, message):
    with pytest.raises(RebatchError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.deep
def test_the_error_at_every_dimension_is_the_predicted_one():
    """From d = 2000 on runs arrive as the limit does, sooner as m_0 is larger there: within a fifth and its error."""
    chain = generalization("He(3, z)", ODD, d=(2000, 8000, 16_000), runs=8)
    for run in chain.measured:
        assert chain.arrived(run) >= 7
    mean, error = mean_and_error(chain.measured[-1].loss)
    assert mean == pytest.approx(chain.predicted, abs=0.2 * chain.predicted + 4 * error)
