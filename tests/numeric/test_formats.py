"""What a saved run holds, by the ending of its file."""

import json

import numpy as np
import pandas as pd
import pytest

import rebatch.numeric.formats as MODULE
from rebatch import RebatchError, Setting, Trajectory, simulate

SETTING = Setting(target="z1 + He(2, z2)", activation="relu", neurons=2, alpha=2, eta=0.1, steps=3)


@pytest.fixture(scope="module")
def run():
    return simulate(SETTING, d=60, seed=2**70)


@pytest.mark.parametrize(("ending", "read"), [(".csv", pd.read_csv), (".parquet", pd.read_parquet)])
def test_tables_hold_a_row_for_each_step(run, tmp_path, ending, read):
    run.save(tmp_path / f"run{ending}")
    table = read(tmp_path / f"run{ending}")
    pd.testing.assert_frame_equal(table, run.to_dataframe(), check_exact=True)
    assert len(table) == SETTING.steps + 1


def test_json_holds_the_numbers_to_the_last_bit_and_where_they_come_from(run, tmp_path):
    run.save(tmp_path / "run.json")
    data = json.loads((tmp_path / "run.json").read_text())
    assert np.array_equal(np.array(data["M"]), run.M.values)
    assert Setting.from_dict(data["setting"]) == SETTING
    assert (data["engine"], data["d"], data["seed"]) == ("lazy", 60, 2**70)


def test_what_is_no_number_is_null(run, tmp_path):
    broken = Trajectory(run.data.copy(deep=True))
    broken.data["M"].values[-1, 0, 0] = np.nan
    broken.save(tmp_path / "run.json")
    assert json.loads((tmp_path / "run.json").read_text())["M"][-1][0][0] is None


@pytest.mark.parametrize("name", ["run.nc", "run", "run.h5"])
def test_names_without_an_ending_and_those_of_hdf5_are_netcdf(run, tmp_path, name):
    run.save(tmp_path / name)
    assert Trajectory.load(tmp_path / name) == run


@pytest.mark.parametrize("name", ["run.xyz", "run.png", "run.csv.gz", "eta=0.1"])
def test_an_ending_that_stands_for_no_format_is_refused_before_the_work(run, tmp_path, name):
    for refused in (lambda: MODULE.require_ending(tmp_path / name), lambda: run.save(tmp_path / name)):
        with pytest.raises(RebatchError, match=r"ends in .*; allowed are \.nc, \.json, \.csv, \.parquet"):
            refused()
    assert not list(tmp_path.iterdir())


def test_parquet_without_its_library_is_refused_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(MODULE, "find_spec", lambda name: None)
    with pytest.raises(RebatchError, match=r"pyarrow, which is not installed; allowed .* \.csv"):
        MODULE.require_ending("run.parquet")
    with pytest.raises(RebatchError, match="pyarrow"):
        run.save(tmp_path / "run.parquet")
    assert not list(tmp_path.iterdir())
