import numpy as np
import pytest

from rebatch import RebatchError, Setting
from rebatch.verify.convergence import _fit, convergence

SETTING = Setting(target="z1", activation="h", alpha=1, eta=0.5, steps=2)


def test_the_spread_of_runs_falls_like_the_root_of_the_dimension():
    result = convergence(SETTING, [20, 80, 320], [150, 150, 150])
    # Exponent -1/2; its error is about 0.04 here, and finite-size terms at d = 20 are of that order.
    assert abs(result.spread_slope.value + 0.5) < 6 * result.spread_slope.error
    assert result.spread_slope.error < 0.06
    # One step less the limit would be 0.5 off: the mean is near the limit's overlap.
    assert np.all(np.abs(result.deviation) < 6 * result.deviation_error + 2 / result.d)


def test_the_fit_returns_the_exponent_of_a_power():
    d = np.array([10, 100, 1000])
    slope = _fit(d, -3.0 / d, 1e-3 / d, -0.7)
    # No noise: what is left is the tolerance of the least squares.
    assert slope.value == pytest.approx(-1.0, abs=1e-5)


def test_a_deviation_that_is_all_noise_has_a_wide_error_or_no_exponent():
    slope = _fit(np.array([10, 40, 160]), np.array([1e-3, -0.02, 0.01]), np.full(3, 0.02), -1.0)
    assert np.isnan(slope.value) or slope.error > 1


def test_too_few_dimensions_or_runs_are_refused():
    with pytest.raises(RebatchError, match="at least 3 dimensions"):
        convergence(SETTING, [10, 20], [5, 5])
    with pytest.raises(RebatchError, match="no overlap"):
        convergence(
            Setting(target="z1^2", activation="h", alpha=1, eta=0.1, steps=1), [10, 20, 30], [3, 3, 3]
        )
