import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.stats import binom

from rebatch import RebatchError, Target, TooLargeError, scaling
from rebatch.verify import scaling as module
from rebatch.verify.power_law import power_law, sample_quantile
from rebatch.verify.protocol import Protocol, protocol
from rebatch.verify.scaling import judged

D = [64, 128, 256, 512]


def drawn(plan, exponent, *, dimensions=D, replicas=64, seed=0):
    """Times of an exact power of d, with the spread of a lognormal: the law of `judged`'s input."""
    rng = np.random.default_rng(seed)
    spread = np.exp(0.8 * rng.standard_normal((len(dimensions), replicas)))
    return 0.1 * np.array(dimensions, dtype=float)[:, None] ** exponent * spread


def test_the_fit_returns_the_power_of_an_exact_law():
    fit = power_law(D, 3.0 * np.array(D) ** 2.0, [0.1, 0.2, 0.1, 0.3], 2)
    # Exact values: rounding alone is left.
    assert fit.slope == pytest.approx(2, abs=1e-12)
    assert fit.constant == pytest.approx(3, rel=1e-12)
    assert fit.outcome == "consistent"


def test_a_true_law_is_called_false_as_often_as_stated():
    rng, errors = np.random.default_rng(1), np.array([0.1, 0.2, 0.1, 0.3])
    studies, rate = 20_000, 0.05
    missed = 0
    for _ in range(studies):
        values = np.array(D) ** 2.0 * np.exp(errors * rng.standard_normal(len(D)))
        low, high = power_law(D, values, errors, 2, false_alarm=rate).interval
        missed += not low <= 2 <= high
    # Two-sided binomial bounds of level 1e-6.
    assert binom.ppf(5e-7, studies, rate) <= missed <= binom.ppf(1 - 5e-7, studies, rate)


def test_the_allowance_is_what_the_finite_size_term_does_to_the_slope():
    d, law = np.array(D, dtype=float), np.array(D) ** 2.0
    moved = [power_law(D, law * (1 + kappa / np.sqrt(d)), [0.1] * 4, 2) for kappa in (-2, 2)]
    assert max(abs(fit.slope - 2) for fit in moved) == pytest.approx(moved[0].allowance, rel=1e-9)


@pytest.mark.parametrize(
    ("exponent", "outcome"), [(2.0, "consistent"), (1.0, "inconsistent"), (2.6, "inconsistent")]
)
def test_medians_of_a_known_law_are_judged_by_their_power(exponent, outcome):
    plan = protocol("He(3, z)")
    assert judged(plan, D, drawn(plan, exponent, replicas=192), 0, 1e-3).outcome == outcome


def test_medians_cover_their_law_as_often_as_stated():
    plan, studies, rate = protocol("He(3, z)"), 400, 0.05
    outside = 0
    for seed in range(studies):
        low, high = judged(plan, D, drawn(plan, 2.0, seed=seed), seed, rate).fit.interval
        outside += not low <= 2 <= high
    # The bootstrap's error of a median is itself known to some ten per cent: twice the rate is allowed, and no less
    # than a fifth. An error 30% too small would miss 17% of the time, beyond the bound by 7 standard deviations.
    assert rate / 5 < outside / studies < 2 * rate


def test_times_that_were_not_reached_do_not_move_the_median():
    plan = protocol("He(3, z)")
    times = drawn(plan, 2.0)
    cut = np.where(times > np.quantile(times, 0.8, axis=1, keepdims=True), np.inf, times)
    whole, censored = (judged(plan, D, t, 0, 1e-3) for t in (times, cut))
    np.testing.assert_array_equal(whole.median, censored.median)
    np.testing.assert_array_equal(whole.high, censored.high)
    # Leaving the unreached out instead of counting them would move it.
    assert all(np.median(row[np.isfinite(row)]) < m for row, m in zip(cut, whole.median, strict=True))
    assert sample_quantile(np.array([3.0, np.inf, 1.0])) == 3
    assert sample_quantile(np.array([np.inf, np.inf, 1.0])) == np.inf


def test_a_dimension_without_a_median_is_left_out_and_one_overdue_contradicts():
    plan = protocol("He(3, z)")
    times = drawn(plan, 2.0, dimensions=[*D, 1024], replicas=192)
    half = times.copy()
    half[-1, ::2] = np.inf  # the median's interval reaches into what was not seen
    result = judged(plan, [*D, 1024], half, 0, 1e-3)
    assert not result.overdue.any()
    assert result.fit.slope == judged(plan, D, times[:-1], 0, 1e-3).fit.slope
    half[-1, :] = np.inf
    late = judged(plan, [*D, 1024], half, 0, 1e-3)
    assert late.outcome == "inconsistent"
    assert "d = 1024" in late.statement()
    assert json.dumps(late.to_json(), allow_nan=False)


def test_a_slope_known_too_roughly_decides_nothing():
    plan = protocol("He(3, z)")
    assert (
        judged(plan, D[:3], drawn(plan, 2.0, dimensions=D[:3], replicas=16), 0, 1e-3).outcome == "undecided"
    )
    assert judged(plan, D[:2], drawn(plan, 2.0, dimensions=D[:2]), 0, 1e-3).outcome == "undecided"


@pytest.mark.parametrize(
    ("target", "law"),
    [("z", "d"), ("He(2, z)", "d log d"), ("tanh(z1) + He(2, z2)", "d"), ("z1*z2", "d log d")],
)
def test_online_descent_recovers_in_the_time_of_the_information_exponent(target, law):
    result = scaling(target, dimensions=[64, 128, 256, 512], replicas=96, seed=1)
    assert result.protocol.law.in_words() == law
    assert result.outcome == "consistent", str(result)


def test_a_wrong_step_size_is_called_inconsistent(monkeypatch):
    right = Protocol.step_size
    monkeypatch.setattr(Protocol, "step_size", lambda plan, d: right(plan, d) * d**-0.5)
    result = scaling("z", dimensions=D, replicas=64)
    assert result.outcome == "inconsistent"
    # eta/d = c d^{-3/2} makes the time of IE = 1 grow like d^{3/2}.
    assert result.fit.slope == pytest.approx(1.5, abs=0.1)


def test_a_step_size_too_large_for_the_exponent_is_called_inconsistent(monkeypatch):
    # With the step of IE = 1 the noise of He_3 is as large as its weights: no recovery in the time of the drift.
    plan = protocol("He(3, z)")
    plan = replace(plan, law=replace(plan.law, i=1, exponent=Fraction(1)))
    monkeypatch.setattr(module, "protocol", lambda *_, **__: plan)
    assert scaling("He(3, z)", dimensions=D, replicas=32).outcome == "inconsistent"


def test_a_wrong_information_exponent_is_called_inconsistent(monkeypatch):
    # IE = 1, said to be 3: steps of c d^{-3/2} and a drift of order 1 take d^{3/2} steps, not d^2.
    wrong = protocol("z + He(3, z)", "h + He(3, h)/6")
    wrong = replace(wrong, law=replace(wrong.law, i=3, exponent=Fraction(2)))
    monkeypatch.setattr(module, "protocol", lambda *_, **__: wrong)
    result = scaling("z + He(3, z)", dimensions=D, replicas=64)
    assert result.outcome == "inconsistent", str(result)
    assert result.fit is None or result.fit.slope < 1.8


@pytest.mark.parametrize(
    ("target", "law", "step"),
    [
        ("z", lambda d: d, lambda d: 1 / d),
        ("He(2, z)", lambda d: d * np.log(d), lambda d: 1 / d),
        ("He(3, z)", lambda d: d**2, lambda d: d**-1.5),
        ("He(4, z)", lambda d: d**3, lambda d: d**-2.0),
    ],
)
def test_law_and_step_are_those_of_the_exponent(target, law, step):
    plan, d = protocol(target), np.array([50.0, 200.0])
    # Exact formulas: rounding alone is left.
    np.testing.assert_allclose(plan.times_law(d), law(d), rtol=1e-12)
    sizes = [plan.step_size(size) for size in (50, 200)]
    np.testing.assert_allclose(sizes[1] / sizes[0], step(d[1]) / step(d[0]), rtol=1e-12)
    # The time of the drift has the order of the law, beyond what its start and end at finite d change.
    large = [plan.drift_time(size) for size in (10**8, 10**10)]
    assert large[1] / large[0] == pytest.approx(law(1e10) / law(1e8), rel=0.01)


def test_the_overlap_is_measured_along_the_directions_of_first_order():
    assert protocol("z1 + He(3, z2)").names == ("e1",)
    assert protocol("(z1 + z2)^2").names == ("e1 + e2",)
    np.testing.assert_allclose(protocol("(z1 + z2)^2").directions, [[0.5**0.5, 0.5**0.5]])
    assert len(protocol("z1*z2").directions) == 2


def test_the_drift_leads_away_from_zero_for_either_sign():
    assert protocol("He(2, z)").readout == 1
    assert protocol("-He(2, z)").readout == -1
    assert protocol("He(4, z)", "relu").readout == -1  # E[relu''''] = -1/sqrt(2 pi)
    assert protocol("z1^2 - 3*z2^2").readout == -1
    # |q| = E[sigma^(n)] C_n / (n-1)!, C_3(He_3) = 6.
    assert protocol("He(3, z)").drift == pytest.approx(3)


def test_the_numbers_are_those_of_the_seed():
    one, two, other = (
        scaling("z", dimensions=[32, 64, 128], replicas=20, seed=seed, threads=threads)
        for seed, threads in ((5, 1), (5, 2), (6, 1))
    )
    np.testing.assert_array_equal(one.times, two.times)
    assert one.to_json() == two.to_json()
    assert (one.times != other.times).any()


def test_an_interrupt_keeps_the_dimensions_finished_before(monkeypatch):
    run = module.simulate

    def interrupted(setting, engine, *, d, **options):
        if d == 512:
            raise KeyboardInterrupt
        return run(setting, engine, d=d, **options)

    monkeypatch.setattr(module, "simulate", interrupted)
    result = scaling("z", dimensions=D, replicas=16)
    assert result.interrupted
    assert result.d.tolist() == D[:3]
    with pytest.raises(KeyboardInterrupt):
        scaling("z", dimensions=[512, 600, 700], replicas=16)


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        (("1",), {}, "infinite"),
        (("He(3, z)", "relu"), {}, "is 0"),
        (("z",), {"dimensions": [64, 128]}, "at least 3"),
        (("z",), {"dimensions": [8, 64, 128]}, ">= 16"),
        (("z",), {"replicas": 4}, ">= 16"),
        (("z",), {"threshold": 1.5}, "between 0 and 1"),
        (("z",), {"share": -1}, "> 0"),
        (("z",), {"false_alarm": 0}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(arguments, options, message):
    with pytest.raises(RebatchError, match=message):
        scaling(*arguments, **options)


def test_a_study_that_would_take_hours_is_refused_with_the_figure():
    with pytest.raises(TooLargeError, match=r"d\^4"):
        scaling("He(5, z)", dimensions=[500, 1000, 2000])


@pytest.mark.deep
@pytest.mark.parametrize("order", [1, 2, 3])
def test_the_study_of_every_order_is_consistent(order):
    result = scaling(f"He({order}, z)")
    assert result.outcome == "consistent", str(result)


@pytest.mark.deep
def test_the_study_of_order_four_is_not_contradicted():
    result = scaling("He(4, z)", dimensions=[32, 48, 64, 96], replicas=128)
    # Few dimensions fit into minutes: the interval may be too wide to tell.
    assert result.outcome != "inconsistent", str(result)


def test_on_signs_the_law_is_that_of_their_information_exponent():
    target = Target("z2*z3 + z1*z2*z3", inputs="boolean")
    result = scaling(target, dimensions=[64, 128, 256], replicas=64)
    assert result.protocol.names == ("e2", "e3")
    assert result.outcome == "consistent", str(result)
    assert "inputs boolean" in result.heading()
    assert result.to_json()["inputs"] == "boolean"
    # d log d: the median of 64 is known to about 15 %, and the law spans a factor of 5.
    assert 3 < result.median[-1] / result.median[0] < 9
