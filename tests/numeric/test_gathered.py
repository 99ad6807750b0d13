"""Many runs are one dataset, and every number stands where its run says."""

import numpy as np
import pytest

from rebatch import RebatchError, Setting, simulate
from rebatch.numeric.gathered import gathered


def run(seed=0, d=40, **changes):
    given = {"target": "z1 + z2", "activation": "erf", "alpha": 2, "eta": 0.3, "steps": 3}
    return simulate(Setting(**given | changes), d=d, seed=seed)


def test_all_combinations_become_axes_and_each_run_is_found_there():
    runs = {(eta, p, s): run(s, eta=eta, neurons=p) for eta in (0.1, 0.3) for p in (1, 2) for s in (4, 7, 9)}
    data = gathered(list(runs.values()))
    assert set(data.M.dims[:3]) == {"eta", "neurons", "seed"}
    for (eta, p, s), one in runs.items():
        here = data.M.sel(eta=eta, neurons=p, seed=s)
        np.testing.assert_array_equal(here.values[:, :p], one.M.values)
        assert np.isnan(here.values[:, p:]).all()


def test_what_varies_together_stays_one_axis_with_labels():
    runs = [run(eta=0.1, alpha=2), run(eta=0.2, alpha=4), run(eta=0.4, alpha=8)]
    data = gathered(runs)
    assert data.M.dims[0] == "run"
    assert data.eta.values.tolist() == [0.1, 0.2, 0.4]
    assert data.alpha.values.tolist() == [2, 4, 8]


def test_runs_of_different_lengths_share_the_longest():
    data = gathered([run(0, steps=2), run(0, steps=4)])
    assert data.step.values.tolist() == [0, 1, 2, 3, 4]
    short = data.M.sel(steps=2)
    assert np.isnan(short.sel(step=[3, 4]).values).all()
    assert np.isfinite(short.sel(step=[0, 1, 2]).values).all()


def test_recorded_steps_keep_their_labels():
    data = gathered([run(s, steps=6, record_every=3) for s in range(2)])
    assert data.step.values.tolist() == [0, 3, 6]
    assert data.M.dims[0] == "seed"


def test_one_run_has_its_seed_as_an_axis():
    assert gathered([run(3)]).M.sizes["seed"] == 1


def test_no_run_is_refused():
    with pytest.raises(RebatchError, match="no runs"):
        gathered([])
