"""A sweep from a file: it runs what the plan says, continues where it was left, and shows what it has."""

import csv
import json
import os
import signal
import sys
import threading

import numpy as np
import pytest
from distributed import Client, LocalCluster

from rebatch import Setting, Trajectory, simulate, sweep
from rebatch.cli.main import main

PLAN = """\
d = [60, 90]
seeds = 2
[setting]
target = "z1 + z1*z2"
activation = "relu"
alpha = 2
steps = 2
[grid]
eta = [0.1, 0.2]
"""


@pytest.fixture
def plan(tmp_path):
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


def rebatch(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["rebatch", *map(str, arguments)])
    with pytest.raises(SystemExit) as done:
        main()
    output = capsys.readouterr()
    return done.value.code, output.out, output.err


def test_a_sweep_runs_every_combination_and_indexes_it(capsys, monkeypatch, plan):
    code, out, _ = rebatch(capsys, monkeypatch, "sweep", plan)
    assert code == 0
    assert "eta" in out
    folder = plan.with_suffix(".runs")
    with (folder / "index.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(float(r["eta"]), int(r["d"]), int(r["seed"])) for r in rows} == {
        (eta, d, s) for eta in (0.1, 0.2) for d in (60, 90) for s in (0, 1)
    }
    for row in rows:
        run = Trajectory.load(folder / row["file"])
        alone = simulate(run.setting, d=int(row["d"]), seed=int(row["seed"]))
        np.testing.assert_array_equal(run.M, alone.M)
        assert float(row["|M z2|"]) == pytest.approx(np.linalg.norm(alone.M.values[-1, :, 1]))


def test_a_sweep_continues_and_says_what_is_left(capsys, monkeypatch, plan):
    rebatch(capsys, monkeypatch, "sweep", plan)
    folder = plan.with_suffix(".runs")
    files = sorted(folder.glob("*.nc"))
    kept = {path: path.stat().st_mtime_ns for path in files[1:]}
    files[0].unlink()
    code, out, _ = rebatch(capsys, monkeypatch, "sweep", plan, "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["finished"] == len(files) - 1
    assert json.loads(out)["seconds"] > 0
    assert json.loads(out)["bytes"] > 0
    rebatch(capsys, monkeypatch, "sweep", plan)
    assert files[0].exists()
    assert {path: path.stat().st_mtime_ns for path in files[1:]} == kept


def test_a_folder_is_shown_and_what_is_no_run_is_named(capsys, monkeypatch, plan, tmp_path):
    rebatch(capsys, monkeypatch, "sweep", plan)
    folder = plan.with_suffix(".runs")
    (folder / "stranger.nc").write_text("not a run")
    (folder / "twice.nc").write_bytes(next(folder.glob("*.nc")).read_bytes())
    code, out, _ = rebatch(
        capsys,
        monkeypatch,
        "sweep",
        "show",
        folder,
        "--figure",
        tmp_path / "a.png",
        "--x",
        "eta",
        "--y",
        "d",
        "--json",
    )
    shown = json.loads(out)
    assert code == 0
    assert len(shown["runs"]) == 8
    assert list(shown["set_aside"]) == ["stranger.nc", "twice.nc"]
    assert "the same run as" in shown["set_aside"]["twice.nc"]
    assert (tmp_path / "a.png").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("sweep", "show"), "which folder"),
        (("sweep", "show", "nowhere"), "is no folder"),
        (("sweep", "nowhere.toml"), "no such file"),
        (("sweep", "PLAN", "--workers", "1", "--cluster", "tcp://127.0.0.1:1"), "one of them"),
        (("sweep", "PLAN", "--figure", "a.xyz"), "xyz"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, monkeypatch, plan, arguments, message):
    code, _, err = rebatch(capsys, monkeypatch, *(plan if a == "PLAN" else a for a in arguments))
    assert code == 2
    assert message in err
    assert err.count("\n") == 1


def test_a_figure_over_what_does_not_vary_is_refused(capsys, monkeypatch, plan, tmp_path):
    code, _, err = rebatch(capsys, monkeypatch, "sweep", plan, "--figure", tmp_path / "a.png", "--x", "alpha")
    assert code == 2
    assert "alpha" in err
    assert "eta" in err


@pytest.mark.deep
def test_a_killed_worker_loses_nothing(plan):
    """One of two workers is killed in the middle; the sweep ends with every run, each as it is alone."""
    setting = Setting(target="He(3, z1)", activation="relu", alpha=3, eta=0.2, steps=3)
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        pid = client.submit(os.getpid).result()
        threading.Timer(1.0, os.kill, (pid, signal.SIGKILL)).start()
        runs = sweep(setting, d=20_000, seeds=12, folder=plan.parent / "runs", threads=1, client=client)
    assert len(runs) == 12
    np.testing.assert_array_equal(runs[7].M, simulate(setting, d=20_000, seed=7).M)
