"""Trajectories draw themselves, and what is drawn is what they hold."""

import numpy as np
import pytest
from matplotlib import pyplot
from matplotlib.figure import Figure

from rebatch import RebatchError, Setting, simulate

pyplot.switch_backend("agg")
SETTING = Setting(target="z1 + z1*z2", activation="erf", neurons=3, alpha=2, eta=0.4, steps=4)


@pytest.fixture(scope="module")
def limit():
    return simulate(SETTING, "limit", seed=0, points=2**10, scrambles=4)


def test_curves_and_bands_are_the_overlaps_and_their_errors(limit):
    panels = limit.plot()
    assert len(panels) == 2
    for r, panel in enumerate(panels):
        assert panel.get_title() == f"direction z{r + 1}"
        for j in range(3):
            np.testing.assert_array_equal(panel.lines[j].get_ydata(), limit.M.values[:, j, r])
            band = panel.collections[j].get_paths()[0].vertices[:, 1]
            error = 2 * limit.data.M_error.values[:, j, r]
            assert band.max() == pytest.approx((limit.M.values[:, j, r] + error).max())


def test_runs_are_points_at_their_mean(limit):
    runs = [simulate(SETTING, d=50, seed=s) for s in range(3)]
    panel = limit.plot(runs)[0]
    mean = np.mean([run.M.values[:, 0, 0] for run in runs], axis=0)
    assert any(np.allclose(line.get_ydata(), mean) for line in panel.lines)


@pytest.mark.parametrize("name", ["ax", "axes"])
def test_own_axes_are_used_and_counted(limit, name):
    axes = Figure().subplots(1, 2)
    assert limit.plot(**{name: axes})[0] is axes[0]
    with pytest.raises(RebatchError, match="3 axes; allowed are 2"):
        limit.plot(**{name: Figure().subplots(1, 3)})
