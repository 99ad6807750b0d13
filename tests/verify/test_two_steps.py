"""The exact two-step formula against runs: a third way beside the quadrature of tests/symbolic/test_overlap.py."""

import numpy as np
import pytest

from rebatch import Setting, agreement, simulate, two_step_overlap

D, RUNS = 60_000, 12
CASES = [
    # target, activation, readout, M^0, eta; the bounded fourth moments are those of small steps.
    ("z1 + He(2, z2)/2", "h + h^2/4", [1.0], None, 0.1),
    ("z1 + He(2, z2)/2", "h + h^2/4", [1.0], None, 0.25),
    ("z1*z2 + z1/2", "h + h^2/3", [0.75, -0.5], None, 0.15),
    ("He(2, z1) - z2", "h/2 + h^2/4", [1.0], [[0.25, -0.125]], 0.2),
]


def prediction_and_runs(target, activation, a, start, eta, loss, reuse, seed, count=RUNS):
    options = {"readout": a, "neurons": len(a), "loss": loss, "reuse": reuse}
    given = {} if start is None else {"start": start}
    formula = two_step_overlap(target, activation, **options, **given)
    setting = Setting(
        target=target,
        activation=activation,
        alpha=1.5,
        eta=eta,
        steps=2,
        weight_decay=0.2,
        **options,
        **given,
    )
    runs = [simulate(setting, d=D, seed=seed + i) for i in range(count)]
    return formula.at(alpha=1.5, eta=eta, weight_decay=0.2), runs


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("case", CASES, ids=["small", "moderate", "two neurons", "given start"])
def test_the_formula_agrees_with_runs(case, loss, reuse):
    predicted, runs = prediction_and_runs(*case, loss, reuse, seed=100)
    result = agreement(predicted, runs)
    z = result.z[~np.isnan(result.z)]
    # Fixed seeds; Student's t with 11 degrees of freedom exceeds 6 with probability 1e-4.
    assert np.abs(z).max() < 6
    # With a formula off by 5% the largest overlap is seen to be wrong.
    largest = np.unravel_index(np.abs(predicted[1:]).argmax(), predicted[1:].shape)
    j = (largest[0] + 1, *largest[1:])
    assert abs(result.mean[j] - 1.05 * predicted[j]) > 6 * result.standard_error[j]


def test_reuse_is_told_from_one_pass_by_runs():
    # The hidden direction of He_3 along z2 is there with reuse and absent without.
    case = ("z1 + He(3, z2)/3", "h + h^2/2 + h^3/6", [1.0], None, 0.1)
    reused = agreement(*prediction_and_runs(*case, "correlation", True, seed=7, count=30))
    fresh = agreement(*prediction_and_runs(*case, "correlation", False, seed=7, count=30))
    assert reused.predicted[2, 0, 1] > 8 * fresh.standard_error[2, 0, 1]
    assert reused.mean[2, 0, 1] > 8 * reused.standard_error[2, 0, 1]
    assert abs(fresh.mean[2, 0, 1]) < 6 * fresh.standard_error[2, 0, 1]
