"""A run is repeated to the last bit from its file; what cannot be repeated is refused."""

import json

import numpy as np
import pytest

from rebatch import RebatchError, Setting, repeat, simulate
from rebatch.numeric.engines.descent import silent_stops

SETTING = Setting(target="z1 + He(2, z2)", activation="relu", alpha=2, eta=0.1, steps=2)
RUNS = {
    "lazy": (SETTING, "lazy", 50, {}),
    "lazy, float32": (SETTING, "lazy", 50, {"storage": "float32"}),
    "dense": (SETTING, "dense", 50, {"precision": "float32"}),
    "limit": (SETTING, "limit", None, {"points": 256, "scrambles": 3}),
    "online": (
        Setting(target="z1", activation="erf", alpha=1, eta=0.1, steps=9, reuse=False), "online", 50, {"replicas": 3},
    ),
    "noise": (Setting(target="z1", activation="h", alpha=2, eta=0.1, steps=2, noise_std=0.3), "lazy", 50, {}),
}  # fmt: skip


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("ending", ["nc", "json"])
def test_the_same_numbers_to_the_last_bit(name, ending, tmp_path):
    setting, engine, d, options = RUNS[name]
    simulate(setting, engine, d=d, seed=5, threads=2, **options).save(tmp_path / f"run.{ending}")
    again = repeat(tmp_path / f"run.{ending}", threads=1)
    assert again.difference == 0
    assert again.statement == "the same numbers to the last bit"


def test_a_run_that_stopped_stops_again(tmp_path):
    wild = Setting(target="He(3, z1)", activation="h + h^2/2", alpha=2, eta=1e6, steps=60)
    with silent_stops():
        run = simulate(wild, d=50, seed=1)
        run.save(tmp_path / "run.nc")
        again = repeat(tmp_path / "run.nc")
    assert run.stopped
    assert (again.run.stopped, again.difference) == (run.stopped, 0)


def test_other_numbers_are_said(tmp_path):
    path = tmp_path / "run.json"
    simulate(SETTING, d=50, seed=5).save(path)
    data = json.loads(path.read_text())
    data["M"][-1][0][0] += 1e-3
    path.write_text(json.dumps(data))
    assert repeat(path).difference == pytest.approx(1e-3)
    data["M"] = data["M"][:-1]
    path.write_text(json.dumps({**data, "rebatch": "0.0.1"}))
    again = repeat(path)
    assert again.difference == np.inf
    assert "rebatch 0.0.1, this is" in again.statement


def test_a_plan_of_one_run_is_run_and_one_of_more_refused(tmp_path):
    path = tmp_path / "plan.toml"
    text = (
        'd = [50]\nseeds = 1\n[setting]\ntarget = "z1"\nactivation = "h"\nalpha = 2\neta = 0.1\nsteps = 1\n'
    )
    path.write_text(text)
    assert repeat(path).difference is None
    path.write_text(text.replace("seeds = 1", "seeds = 2"))
    with pytest.raises(RebatchError, match="holds 2 runs; allowed is one"):
        repeat(path)


def test_arrays_of_ones_own_are_in_no_file(tmp_path):
    X = np.random.default_rng(0).standard_normal((100, 50))
    simulate(SETTING, "dense", seed=5, X=X).save(tmp_path / "run.nc")
    with pytest.raises(RebatchError, match=r"run with X, which no file holds"):
        repeat(tmp_path / "run.nc")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("run.json", "{", "not JSON"),
        ("run.json", "[]", "lacks `setting`"),
        ("run.json", '{"setting": {}, "runs": [{}, {}]}', "holds 2 runs"),
        ("run.json", '{"setting": {}, "M": "a"}', "no arrays"),
        ("run.nc", "nothing", "not a trajectory"),
        ("run.csv", "step", "not a trajectory"),
        ("run.toml", "=", "not TOML"),
    ],
)
def test_what_holds_no_run_is_refused_by_name(name, content, message, tmp_path):
    (tmp_path / name).write_text(content)
    with pytest.raises(RebatchError, match=message) as error:
        repeat(tmp_path / name)
    assert name in str(error.value)


def test_a_file_that_is_not_there(tmp_path):
    for name in ("run.json", "run.nc", "run.toml"):
        with pytest.raises(RebatchError, match=name):
            repeat(tmp_path / name)
