"""Which experiment is chosen: the clearest for each direction and way to use data, and none that cannot decide."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from rebatch import Setting, Target, learnability, simulate
from rebatch.verify import design
from rebatch.verify.learnability import needed_score

UNITS = np.eye(2)
PRECISION = 10.0


def choose(monkeypatch, shows, wanted, needed=10.0):
    """Choices, and the experiments surveyed, where `shows(setting)` is |M v| over noise, shape (ways, directions)."""
    surveyed = []

    def signals(setting, *_):
        surveyed.append((str(setting.activation), setting.loss, setting.eta))
        return np.asarray(shows(setting), dtype=float)

    monkeypatch.setattr(design, "_signals", signals)
    shows_at = np.where(wanted, 2, 0)
    chosen = design.chosen_experiments(
        Target("z1 + z2"), UNITS, shows_at, (2, 2), 2.0, PRECISION, needed, 0, None
    )
    return chosen, surveyed


def test_a_clear_experiment_serves_all_and_ends_the_search(monkeypatch):
    chosen, surveyed = choose(monkeypatch, lambda s: np.full((2, 2), 5.0), [[True, True], [True, True]])
    assert {c.setting for way in chosen for c in way} == {chosen[0][0].setting}
    assert chosen[0][0].score == 5 * PRECISION
    assert {activation for activation, *_ in surveyed} == {"relu", "tanh"}
    # Of those as clear, the largest step.
    assert chosen[0][0].setting.eta == max(eta for *_, eta in surveyed)


def test_each_way_to_use_data_has_its_own_clearest_experiment(monkeypatch):
    def shows(setting):
        return [[2, 0], [0, 0]] if str(setting.activation) == "tanh" else [[0, 0], [0, 2]]

    (fresh, reused), _ = choose(monkeypatch, shows, [[True, False], [False, True]])
    assert str(fresh[0].setting.activation) == "tanh"
    assert str(reused[1].setting.activation) != "tanh"
    assert fresh[0].score == reused[1].score == 2 * PRECISION


def test_the_search_goes_on_while_a_direction_is_below_the_noise_and_says_what_is_left(monkeypatch):
    def shows(setting):
        biased = str(setting.activation) == "h + h^2/2"
        return [[2.0, 3.0 * biased], [2.0, 0.0]]

    (fresh, reused), surveyed = choose(monkeypatch, shows, [[True, True], [True, True]])
    assert ("h + h^2/2", "correlation", 2.5) in surveyed
    assert fresh[1].score == 3 * PRECISION
    assert str(fresh[1].setting.activation) == "h + h^2/2"
    # Nothing shows it: the score says so, and the experiment is one that is run anyway.
    assert reused[1].score == 0
    assert reused[1].setting == max(
        (c.setting for way in (fresh, reused) for c in way), key=lambda s: s == reused[1].setting
    )


def test_what_decides_is_not_searched_further(monkeypatch):
    _, surveyed = choose(monkeypatch, lambda s: np.full((2, 2), 1.5), [[True, True], [True, True]])
    assert "h + h^2/2" not in {activation for activation, *_ in surveyed}


def test_a_score_that_is_needed_decides_with_the_power_that_is_claimed():
    score = needed_score(1e-6 / 5, 24)
    quantile = stats.t.isf(1e-6 / 10, 23)
    # P(T > quantile) of a noncentral t at the needed score.
    assert stats.nct.sf(quantile, 23, score) > 0.75
    assert stats.nct.sf(quantile, 23, 0.5 * score) < 0.05


@pytest.mark.deep
def test_committees_of_irrational_weights_are_decided_or_said_not_to_be():
    sizes = {"dimensions": (500, 4000, 32_000), "runs": 16}
    assert learnability("relu(z1) + sqrt(2)*relu(z2)", **sizes).agrees is True
    answer = learnability("relu(z1) + sqrt(2)*relu(z2) + sqrt(3)*relu(z3)", **sizes)
    outcomes = [c.outcome for c in answer.checks if c.setting.reuse and c.step == 2]
    assert outcomes == ["agrees", "agrees", "no experiment"]
    assert "1 without an experiment that could decide" in answer.statement
    assert answer.agrees is None
    assert answer.tests == 8


def test_a_later_step_is_held_against_the_noise_of_all_steps_before_it():
    """The spread of M v over runs, v a direction that the target does not have, is eta sqrt(sum_ts C(t, s) / d)."""
    target = Target("z1", k=2)
    setting = Setting(target=target, activation="relu", loss="correlation", alpha=2, eta=0.7, steps=3)
    at = np.array([[1, 1], [3, 3]])
    signal = design._signals(setting, np.eye(2), at, (2, 3), 0, 1)[:, 0]
    for reuse in (0, 1):
        run, step = replace(setting, reuse=bool(reuse)), at[reuse, 0]
        M = np.array([simulate(run, d=400, seed=s, threads=1).M.values[step, 0] for s in range(80)])
        # Of 80 runs a standard deviation is known to 8 per cent; the first step alone has half of it.
        assert signal[reuse] == pytest.approx(M[:, 0].mean() / M[:, 1].std(ddof=1) / 20, rel=0.25)
