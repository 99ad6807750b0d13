import numpy as np
import pytest

from rebatch import RebatchError, Setting, Trajectory, simulate


@pytest.fixture(scope="module")
def trajectory():
    return simulate(
        Setting(target="z1*z2", activation="erf", neurons=3, alpha=2, eta=0.5, steps=2), d=40, seed=3
    )


def test_a_trajectory_is_labelled(trajectory):
    assert trajectory.M.dims == ("step", "neuron", "direction")
    assert trajectory.M.shape == (3, 3, 2)
    assert trajectory.Q.shape == (3, 3, 3)
    assert trajectory.data.attrs["seed"] == 3
    assert list(trajectory.M.direction.values) == ["z1", "z2"]


def test_a_saved_trajectory_is_the_same_when_loaded(trajectory, tmp_path):
    path = tmp_path / "new" / "run.nc"
    trajectory.save(path)
    loaded = Trajectory.load(path)
    np.testing.assert_array_equal(loaded.M, trajectory.M)
    assert loaded.setting == trajectory.setting
    assert [p.name for p in path.parent.iterdir()] == ["run.nc"]


def test_what_is_not_a_trajectory_is_refused(tmp_path):
    with pytest.raises(RebatchError, match=r"missing\.nc"):
        Trajectory.load(tmp_path / "missing.nc")
    (tmp_path / "text.nc").write_text("not netCDF")
    with pytest.raises(RebatchError, match=r"text\.nc"):
        Trajectory.load(tmp_path / "text.nc")
