import json

import numpy as np
import pytest
from scipy import stats

import rebatch.verify.learnability as MODULE
from rebatch import RebatchError, Setting, learnability
from rebatch.symbolic.exact.subspace import axis
from rebatch.verify.claims import Claimed

DIMENSIONS = (250, 2000, 16_000)
RUNS = 16
SETTING = Setting(target="z1", activation="relu", alpha=2, eta=1, steps=2)


def quick(target, **options):
    return learnability(target, dimensions=DIMENSIONS, runs=RUNS, threads=1, **options)


@pytest.fixture(autouse=True)
def _fewer_points(request, monkeypatch):
    """A coarser prediction does for the quick tier: its error is part of every test."""
    if "deep" not in request.keywords:
        monkeypatch.setattr(MODULE, "_PREDICTION_POINTS", 2**15)


@pytest.fixture(scope="module")
def result():
    return quick("z1 + He(3, z2)")


def by_direction(result):
    """The checks after two steps."""
    return {(c.direction, c.setting.reuse): c for c in result.checks if c.step == 2}


def check(claim, values, predicted=0.0, error=0.0, level=1e-6, d=DIMENSIONS):
    claimed = Claimed(axis(0, 1), True, 2, claim, "")
    return MODULE._check(claimed, SETTING, predicted, error, np.array(d), values, level)


def test_a_direction_that_no_sample_moves_is_confirmed_hidden():
    rounding = 1e-17 * np.ones((3, RUNS))
    assert check("hidden", rounding).outcome == "agrees"
    assert check("learned", rounding, predicted=0.1).outcome == "disagrees"


def noise(seed, runs=RUNS):
    """M v of a hidden direction: normal, with variance 1 / d."""
    return np.random.default_rng(seed).normal(size=(3, runs)) / np.sqrt(DIMENSIONS)[:, None]


def test_reuse_learns_what_one_pass_cannot_and_the_runs_say_so(result):
    checks = by_direction(result)
    one, two = axis(0, 2), axis(1, 2)
    claims = {key: c.claim for key, c in checks.items()}
    assert claims == {
        (one, True): "learned",
        (one, False): "learned",
        (two, True): "learned",
        (two, False): "hidden",
    }
    # Fixed seeds, and a false alarm has probability 1e-6 for any.
    assert {c.outcome for c in result.checks} == {"agrees"}
    assert result.agrees is True
    # A learned direction takes one test, a hidden one two; e2 is hidden after the first step.
    assert result.tests == 7
    # Half a decade of standard errors from the exponents of an overlap and of noise.
    assert abs(checks[one, True].slope.value) < 5 * checks[one, True].slope.error + 0.02
    assert abs(checks[two, False].slope.value + 0.5) < 5 * checks[two, False].slope.error


def test_the_answer_prints_itself_and_is_json(result):
    assert "theory and numbers agree: 5 confirmed" in str(result)
    assert "1e-06" in result.statement
    assert "<table>" in result._repr_html_()
    data = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert data["agrees"] is True
    assert {c["batch"] for c in data["checks"]} == {"reused", "fresh"}
    assert Setting.from_dict(data["checks"][0]["setting"]).steps == 2


def test_hidden_by_symmetry_stays_at_the_noise():
    answer = quick("z1*z2")
    assert [(c.claim, c.step) for c in answer.checks] == [("hidden", step) for step in (2, 2)] * 2
    assert answer.agrees is True


def test_a_false_verdict_is_contradicted(monkeypatch):
    false = tuple(Claimed(axis(0, 1), reuse, 2, "hidden", "") for reuse in (True, False))
    monkeypatch.setattr(MODULE, "claims_of", lambda *_: false)
    answer = learnability("He(3, z1)", dimensions=DIMENSIONS, runs=2 * RUNS, threads=1)
    outcomes = {c.setting.reuse: c.outcome for c in answer.checks}
    assert outcomes == {True: "disagrees", False: "agrees"}
    assert answer.agrees is False
    assert "disagree" in answer.statement


def test_a_limit_that_is_a_few_per_cent_wrong_is_contradicted(monkeypatch):
    simulate = MODULE.simulate

    def wrong(setting, engine="lazy", **options):
        run = simulate(setting, engine, **options)
        if engine == "limit":
            run.data["M"] *= 1.04
        return run

    monkeypatch.setattr(MODULE, "simulate", wrong)
    assert {c.outcome for c in quick("z1").checks} == {"disagrees"}


def test_a_verdict_that_was_not_reached_makes_no_claim():
    answer = quick("z1 + He(3, z2)", max_order=1)
    checks = by_direction(answer)
    assert checks[axis(1, 2), True].claim == "undecided"
    assert checks[axis(1, 2), True].outcome == "no claim"
    assert answer.agrees is True


def test_noise_gives_uniform_p_values_of_both_of_its_tests():
    p = [check("hidden", noise(seed)).p_values for seed in range(400)]
    for name in ("noise", "zero"):
        # Fixed seeds.
        assert stats.kstest([values[name] for values in p], "uniform").pvalue > 1e-3


def test_noise_is_not_a_limit_and_a_limit_is_not_noise():
    assert check("hidden", noise(0)).outcome == "agrees"
    assert check("learned", 0.5 + noise(0), 0.5).outcome == "agrees"
    assert check("hidden", 0.5 + noise(0)).outcome == "disagrees"
    assert check("learned", noise(0), 0.5).outcome == "disagrees"
    # A sign that differs from run to run does not hide an overlap.
    signs = np.where(np.arange(RUNS) % 2, 1.0, -1.0)
    assert check("hidden", 0.5 * signs + noise(0)).outcome == "disagrees"


def test_too_weak_to_tell_is_inconclusive():
    assert check("learned", 1e-4 + noise(0), 1e-4).outcome == "inconclusive"
    # Dimensions that hardly differ do not tell noise from a limit.
    values = np.random.default_rng(0).normal(size=(3, RUNS))
    assert check("hidden", values, d=(100, 101, 102)).outcome == "inconclusive"


def test_a_spread_that_rests_on_one_run_cannot_be_trusted():
    values = noise(0)
    values[1, 3] = 10.0
    assert check("hidden", values).outcome == "cannot be trusted"


def test_a_constant_has_nothing_to_test():
    answer = quick("3")
    assert answer.checks == ()
    assert "nothing to test" in answer.statement


def test_what_does_not_decide_is_refused():
    with pytest.raises(RebatchError, match="3 increasing"):
        learnability("z1", dimensions=(100, 200))
    with pytest.raises(RebatchError, match="3 increasing"):
        learnability("z1", dimensions=(100, 400, 200))
    with pytest.raises(RebatchError, match="runs = 5"):
        learnability("z1", runs=5)
    with pytest.raises(RebatchError, match="false_alarm"):
        learnability("z1", false_alarm=0.5)
    with pytest.raises(RebatchError, match=">= 50"):
        learnability("z1", dimensions=(3, 100, 1000))


@pytest.mark.deep
@pytest.mark.parametrize(
    "target",
    [
        "He(3, z1)",
        "relu(z1) + relu(z2)",
        "z1*z2^2 + z2*z3^2 + z3*z1^2",
        "z1 + z1*z2 + z1*z2*z3",
        "He(2, z1)*He(3, z2) + z3",
        "z1^3 - 3*z1*z2^2",
        "sign(z1*z2*z3)",
        "exp(z1)",
        "z1 + He(2, z1)*z2",
        "tanh(z1 + He(3, z2))",
        "abs(sign(z1)*sign(z2-1)+1)*sign(z3)*sign(z4)",
        "sign(z1)*sign(z2-1)",
        "z1 + z1*z2*z3",
    ],
)
def test_verdicts_hold_at_full_size(target):
    assert learnability(target).agrees is True
