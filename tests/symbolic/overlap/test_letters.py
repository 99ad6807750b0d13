"""Formulas by products of independent factors are those with g^1 written out in z and e."""

import numpy as np
import pytest
import sympy as sp
from flint import fmpq, fmpq_poly

from rebatch import Activation, Setting, Target, TooLargeError, simulate, two_step_overlap
from rebatch.symbolic.overlap import size
from rebatch.symbolic.overlap.letters import Letters
from rebatch.symbolic.overlap.network import checked_readout, checked_start
from rebatch.symbolic.overlap.ring import StepRing, size_of

CUBIC = "h + h^2/2 + h^3/6"
CASES = [
    ("He(3, z) + z", CUBIC, 1, None, "squared"),
    ("He(3, z) + z", CUBIC, 1, "symbolic", "correlation"),
    ("z1 + z1*z2", "h + h^2", 2, None, "squared"),
    ("z1 + z1*z2 + 1", "1 + h + h^2/3", 3, [1, "1/2", -2], "squared"),
    ("z1 + z1*z2", "h - h^2", 2, "symbolic", "squared"),
    ("z1 + z2^2", "h + h^2", 3, None, "squared"),
    ("z1 + z1*z2", CUBIC, 2, None, "correlation"),
    ("3", "h + h^2", 2, None, "squared"),
    ("z1", "h", 2, None, "squared"),
    ("z1", "2", 2, None, "squared"),
    (Target("z1 + z1*z2", noise_std=0.5), "h + h^2", 2, None, "squared"),
    (Target("z1 + z1*z2", noise="flip(0.25)"), "h + h^2", 1, None, "squared"),
    (Target("z1 + z1*z2", inputs="biased(1/4)"), "h + h^2", 2, None, "squared"),
    (Target("z1^2 + z1*z2", inputs="uniform"), "h + h^2", 2, None, "squared"),
]


def problem(target, activation, neurons, readout, loss) -> StepRing:
    target, activation = Target(target), Activation(activation)
    if isinstance(readout, list):
        readout = [sp.Rational(x) for x in readout]
    a, start = checked_readout(readout, neurons), checked_start(None, None, neurons, target.k)
    return StepRing(target, activation, a, loss, start)


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_products_of_factors_give_the_formula_that_is_written_out(case, reuse):
    ring = problem(*case)
    assert ring.second_step(reuse=reuse, by_letters=True) == ring.second_step(reuse=reuse)


def test_three_neurons_of_degree_4_agree_with_the_limit():
    target, activation, options = "z1", "h + h^2/4 + h^4/48", {"alpha": 2, "eta": 0.05}
    formula = two_step_overlap(target, activation, neurons=3)
    setting = Setting(target=target, activation=activation, neurons=3, steps=2, **options)
    run = simulate(setting, "limit", seed=0, points=2**12, overlaps_only=True)
    error = run.data["M_error"].values[2]
    # What the second step adds to twice the first is forty of these errors.
    assert np.all(np.abs(formula.at(**options)[2] - run.M.values[2]) < 6 * error)
    assert np.all(np.abs(run.M.values[2] - 2 * run.M.values[1]) > 30 * error)
    # Neurons with the same readout are alike.
    assert formula.M2[0, 0] == formula.M2[2, 0] != formula.M2[1, 0]


def test_a_factor_is_the_gaussian_average_of_its_polynomial():
    # sigma = 1 + h^2, sigma' = 2 h: E[e sigma sigma'] = 2 E[e^2 + e^4] = 8.
    table = Letters(1, 1, fmpq_poly([1, 0, 1]), lambda *_: [fmpq(1)], reuse=True, squared=True)
    assert table._of_neuron(1, 1, 1) == 8
    assert table._of_neuron(0, 2, 0) == 1 + 2 + 3
    assert table._of_neuron(0, 1, 1) == 0


@pytest.mark.parametrize("case", [c for c in CASES if c[1] != "2"], ids=str)
def test_the_estimate_of_the_tables_is_a_bound(case, monkeypatch):
    ring = problem(*case)
    terms = []
    monkeypatch.setattr("rebatch.symbolic.overlap.letters.spend", lambda count: terms.append(count / 10))
    ring.second_step(reuse=True, by_letters=True)
    own = size_of(
        Target(case[0]), Activation(case[1]), checked_readout(None, case[2]), case[4], ring.start, False
    )
    assert sum(terms) <= own.letters() <= 300 * sum(terms)


def test_tables_are_taken_where_they_are_shorter_and_refused_where_they_do_not_fit(monkeypatch):
    used = []
    step = StepRing.second_step
    monkeypatch.setattr(
        StepRing, "second_step", lambda self, **how: used.append(how["by_letters"]) or step(self, **how)
    )
    two_step_overlap("z1 + z2^2", CUBIC, neurons=2)
    two_step_overlap("z1 + z2^2", "h + h^2", neurons=2, start=[[0.5, 0], [0, 0.5]])
    two_step_overlap("z1 + z2^2", "h + h^2", normalize=True)
    assert used == [True, False, False]
    with pytest.raises(TooLargeError, match=r"terms .*GiB for it all; at most 4 GiB"):
        two_step_overlap("He(8, z1) + z1", "h + h^64")
    monkeypatch.setattr(size, "_MOST_WORK", 100_000)
    with pytest.raises(TooLargeError, match="formula of 3 neuron"):
        two_step_overlap("z1 + z1*z2", "h + h^4", neurons=3)
