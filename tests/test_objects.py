"""Every public object travels and is shown: pickle, copy, repr, JSON, equality and hash, before and after use."""

import copy
import json
import pickle

import numpy as np
import pytest
from flint import acb, arb

import rebatch as rb
from rebatch.symbolic.exact import ball

SETTING = rb.Setting(target="tanh(z1)*z2", activation="tanh", alpha=2, eta=0.5, steps=2)


def used_setting():
    rb.simulate(SETTING, d=50, seed=0)
    return SETTING


def used_trajectory():
    run = rb.simulate(SETTING, d=50, seed=np.random.SeedSequence().entropy)
    assert run.test_loss.size
    return run


def agreement():
    limit = rb.simulate(SETTING, "limit", seed=0, points=64, scrambles=3)
    return rb.agreement(limit, [rb.simulate(SETTING, d=50, seed=seed) for seed in range(4)])


OBJECTS = {
    "Setting": lambda: rb.Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=2),
    "Setting after a run": used_setting,
    "Target after a run": lambda: used_setting().target,
    "Target": lambda: rb.Target("z1 + He(3, z2)", noise_std=0.5),
    "Activation": lambda: rb.Activation("h + h^2/2"),
    "Trajectory": used_trajectory,
    "Readout": lambda: rb.ridge_readout(used_trajectory(), seed=1, samples=50, test_samples=50),
    "analysis of a polynomial": lambda: rb.analyze("z1 + He(3, z2)"),
    "analysis": lambda: rb.analyze("relu(z1) + relu(z2)"),
    "exact Expectation": lambda: rb.expectation("relu(z1)"),
    "enclosed Expectation": lambda: rb.expectation("tanh(z1)^2"),
    "hermite_series": lambda: rb.hermite_series("z1^3", 4),
    "enclosed hermite_series": lambda: rb.hermite_series("tanh(z1)", 3),
    "two_step_verdict": lambda: rb.two_step_verdict("relu(z1) + relu(z2)"),
    "information_exponent": lambda: rb.information_exponent("tanh(z1)"),
    "generative_leap": lambda: rb.generative_leap("relu(z1) + relu(z2)"),
    "isotropic_leap": lambda: rb.isotropic_leap("z1 + z2 + z1*z2"),
    "reuse_staircase": lambda: rb.reuse_staircase("z1 + z1*z2"),
    "relevant_subspace": lambda: rb.relevant_subspace("relu(z1) + relu(z2)"),
    "two_step_overlap": lambda: rb.two_step_overlap("z1 + He(3, z2)", "h + h^2/2"),
    "overlap_series": lambda: rb.overlap_series("z1", "tanh"),
    "Agreement": agreement,
    "catalog entry": lambda: next(iter(rb.catalog())),
    "How": lambda: next(iter(rb.How)),
}
# What holds arrays or tables is compared as one object, or by its data; it is no key.
NO_KEYS = {"Trajectory", "hermite_series", "enclosed hermite_series"}


def same(one, other):
    return type(one) is type(other) and str(one) == str(other) and repr(one) == repr(other)


@pytest.mark.parametrize("name", OBJECTS)
def test_every_public_object_travels_and_is_shown(name):
    given = OBJECTS[name]()
    assert repr(given)
    assert str(given)
    for other in (pickle.loads(pickle.dumps(given)), copy.copy(given), copy.deepcopy(given)):
        assert same(given, other)
        assert isinstance(given == other, bool)
    assert given == given
    if name not in NO_KEYS:
        assert {given: 1}[given] == 1
    if hasattr(given, "to_json"):
        text = given.to_json() if name.startswith("Setting") else json.dumps(given.to_json())
        assert json.loads(text)


@pytest.mark.parametrize("name", ["Setting", "Setting after a run", "Target", "Activation", "Trajectory"])
def test_what_is_given_is_equal_by_what_it_says(name):
    given = OBJECTS[name]()
    assert pickle.loads(pickle.dumps(given)) == given == copy.deepcopy(given)


@pytest.mark.parametrize(
    "error",
    [rb.RebatchError("no"), rb.ParseError("no", "z1 +", 4), rb.TooLargeError("no"), rb.DivergentError("no")],
)
def test_errors_come_back_from_other_processes_as_they_were(error):
    back = pickle.loads(pickle.dumps(error))
    assert (type(back), str(back)) == (type(error), str(error))


@pytest.mark.parametrize("text", ["2.5 +/- 1e-30", "inf", "-inf", "nan", "1 +/- inf"])
def test_balls_travel_bit_by_bit(text):
    assert ball  # says how
    for given in (arb(text), arb(text) + arb(2).sqrt(), acb(arb(text), 3)):
        assert str(pickle.loads(pickle.dumps(given))) == str(copy.deepcopy(given)) == str(given)


def test_a_long_message_is_cut():
    assert len(str(rb.RebatchError("x" * 10_000))) < 1500
