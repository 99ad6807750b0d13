import warnings
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

from rebatch import RebatchError, Setting, Target, kept_runs, scaling, simulate, sweep
from rebatch.numeric import sweep as module
from rebatch.numeric.engines import lazy
from rebatch.numeric.engines.descent import StoppedEarly
from rebatch.numeric.sweep import SetAside, _Run
from rebatch.verify.convergence import convergence

SETTINGS = [
    Setting(target=target, activation="erf", alpha=2, eta=0.5, steps=3) for target in ("z1", "z1 + He(2, z2)")
]
GRID = [(setting, d, seed) for setting in SETTINGS for d in (20, 30) for seed in (0, 1, 2)]


def run(folder, **options):
    return sweep(SETTINGS, d=[20, 30], seeds=3, folder=folder, **options)


def assert_is_the_grid(runs, grid=GRID):
    assert len(runs) == len(grid)
    for ours, (setting, d, seed) in zip(runs, grid, strict=True):
        assert ours.setting == setting
        np.testing.assert_array_equal(ours.M, simulate(setting, d=d, seed=seed).M)


@pytest.fixture
def counted(monkeypatch):
    """The (d, seed) of the runs that were really made; number `interrupt_at` is interrupted."""
    made = []

    def counting(setting, engine, **arguments):
        made.append((arguments["d"], arguments["seed"]))
        if len(made) == counting.interrupt_at:
            raise KeyboardInterrupt
        return simulate(setting, engine, **arguments)

    counting.interrupt_at = 0
    counting.made = made
    monkeypatch.setattr(module, "simulate", counting)
    return counting


def test_a_sweep_is_every_setting_dimension_and_seed_in_order(tmp_path):
    assert_is_the_grid(run(tmp_path))
    assert len(list(tmp_path.iterdir())) == len(GRID)


def test_what_is_there_is_not_run_again(tmp_path, counted):
    sweep(SETTINGS[0], d=20, seeds=[1], folder=tmp_path)
    assert counted.made == [(20, 1)]
    assert_is_the_grid(run(tmp_path))
    assert len(counted.made) == len(GRID)  # one of them before
    assert_is_the_grid(run(tmp_path, threads=2))
    assert len(counted.made) == len(GRID)


def test_ctrl_c_keeps_what_is_finished_and_the_same_call_continues(tmp_path, counted):
    counted.interrupt_at = 5
    with pytest.warns(StoppedEarly, match="8 of 12 runs are missing"):
        finished = run(tmp_path)
    assert_is_the_grid(finished, GRID[:4])
    assert_is_the_grid(run(tmp_path))
    assert len(counted.made) == len(GRID) + 1


def test_a_run_that_was_interrupted_inside_is_not_taken_for_finished(tmp_path, monkeypatch):
    steps, original = [], lazy._LazySide.gradient

    def interrupted(self, weights):
        steps.append(1)
        if len(steps) == 8:  # the second step of the third run
            raise KeyboardInterrupt
        return original(self, weights)

    monkeypatch.setattr(lazy._LazySide, "gradient", interrupted)
    with pytest.warns(StoppedEarly, match="10 of 12 runs are missing"):
        assert_is_the_grid(run(tmp_path), GRID[:2])
    assert_is_the_grid(run(tmp_path))


def test_a_diverging_run_is_an_answer_like_another(tmp_path, counted):
    setting = Setting(target="z1^3", activation="cubic", alpha=2, eta=5.0, steps=30)
    with pytest.warns(StoppedEarly, match="diverged"):
        (first,) = sweep(setting, d=50, seeds=1, folder=tmp_path)
    assert "diverged" in first.stopped
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        (again,) = sweep(setting, d=50, seeds=1, folder=tmp_path)
    assert again.stopped == first.stopped
    assert len(counted.made) == 1


def test_files_of_another_version_are_not_reused(tmp_path, counted, monkeypatch):
    monkeypatch.setattr(module, "installed_version", lambda: "0.0.1")
    sweep(SETTINGS[0], d=20, seeds=1, folder=tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(module, "simulate", counted)
    sweep(SETTINGS[0], d=20, seeds=1, folder=tmp_path)
    assert len(counted.made) == 2
    assert len(list(tmp_path.iterdir())) == 2


def test_a_worker_of_another_version_is_refused(tmp_path, monkeypatch):
    versions = iter(["1", "2"])
    monkeypatch.setattr(module, "installed_version", lambda: next(versions))
    with pytest.raises(RebatchError, match="a worker has rebatch 2; allowed is that of the sweep, 1"):
        sweep(SETTINGS[0], d=20, seeds=1, folder=tmp_path)


def test_runs_in_threads_warn_once_through_the_sweep_and_leave_the_filters_alone(tmp_path):
    setting = Setting(target="z1^3", activation="cubic", alpha=2, eta=5.0, steps=30)
    filters = list(warnings.filters)
    with warnings.catch_warnings(record=True) as caught, ThreadPoolExecutor(2) as client:
        warnings.simplefilter("always")
        runs = sweep(setting, d=[50, 60], seeds=3, folder=tmp_path, client=client)
    stopped = [str(w.message) for w in caught if issubclass(w.category, StoppedEarly)]
    assert [text.split(":")[0] for text in stopped] == [
        f"d = {d}, seed = {s}" for d in (50, 60) for s in range(3)
    ]
    assert all("diverged" in run.stopped for run in runs)
    assert warnings.filters == filters


def test_options_that_change_the_numbers_change_the_file(tmp_path):
    (double,), (single,) = (
        sweep(SETTINGS[0], d=20, seeds=1, folder=tmp_path, storage=s) for s in ("float64", "float32")
    )
    assert len(list(tmp_path.iterdir())) == 2
    assert not double.M.equals(single.M)


def squared(z):
    return z[:, 0] ** 2 + z[:, 0]


def test_a_client_runs_elsewhere_with_the_same_numbers_and_with_functions_of_ones_own(tmp_path):
    own, text = (
        Setting(target=target, activation="erf", alpha=2, eta=0.5, steps=2)
        for target in (Target.from_callable(squared, 1), "z1^2 + z1")
    )
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as client:
        assert_is_the_grid(run(tmp_path, client=client, threads=1))
        there = sweep(own, d=60, seeds=2, folder=tmp_path, client=client, threads=1)
    for seed in range(2):
        np.testing.assert_array_equal(there[seed].M, simulate(own, d=60, seed=seed).M)
        # Another order of operations.
        np.testing.assert_allclose(there[seed].M, simulate(text, d=60, seed=seed).M, atol=1e-12)


def test_an_error_on_a_client_ends_the_sweep_with_its_message(tmp_path):
    with ThreadPoolExecutor(1) as client, pytest.raises(RebatchError, match="d = 1"):
        sweep(SETTINGS, d=[20, 1], seeds=1, folder=tmp_path, client=client)


def test_damaged_files_and_files_of_other_runs_are_set_aside_and_their_runs_repeated(tmp_path, counted):
    run(tmp_path)
    names = [_Run(s.to_dict(), "lazy", d, seed, {}).name for s, d, seed in GRID]
    (tmp_path / names[2]).write_bytes((tmp_path / names[2]).read_bytes()[:1000])
    (tmp_path / names[5]).write_bytes((tmp_path / names[4]).read_bytes())  # another seed
    (tmp_path / names[7]).write_bytes((tmp_path / names[1]).read_bytes())  # another setting
    made = len(counted.made)
    with pytest.warns(SetAside) as caught:
        assert_is_the_grid(run(tmp_path))
    told = [str(w.message) for w in caught]
    assert len(told) == 3
    assert "seed differ" in told[1]
    assert "setting" in told[2]
    assert len(counted.made) == made + 3
    assert sum(p.suffix == ".bad" for p in tmp_path.iterdir()) == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"seeds": 10**9}, "GB"),
        ({"seeds": "12"}, "seed = '12'"),
        ({"d": 2.5}, "d = 2.5"),
        ({"settings": []}, "settings"),
        ({"settings": ["z1"]}, "settings"),
        ({"engine": "fast"}, "engine"),
        ({"d": []}, "at least one"),
        ({"seeds": 0}, "at least one"),
        ({"seeds": [1, 1]}, "twice"),
        ({"seeds": [-1]}, "seed = -1"),
        ({"directions": np.eye(3)}, "plain data"),
        ({"colour": 1}, "no option colour"),
    ],
)
def test_bad_calls_are_refused(arguments, says, tmp_path):
    call = {"settings": SETTINGS, "engine": "lazy", "d": 20, "seeds": 1, "folder": tmp_path, **arguments}
    with pytest.raises(RebatchError, match=says):
        sweep(call.pop("settings"), call.pop("engine"), **call)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RebatchError, match="folder"):
        run(tmp_path / "file")


def test_studies_continue_from_the_runs_that_are_kept(tmp_path, monkeypatch):
    ran = []

    def counted(setting, engine="lazy", **options):
        ran.append((engine, options["d"], options["seed"]))
        return simulate(setting, engine, **options)

    monkeypatch.setattr(module, "simulate", counted)
    linear = Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=2)
    studies = [
        lambda: convergence(linear, [30, 60, 120], [3, 3, 3], seed=0).to_json(),
        lambda: scaling("z1", dimensions=[50, 100, 200], replicas=16, seed=1).to_json(),
    ]
    for study in studies:
        ran.clear()
        alone, count = study(), len(ran)
        with kept_runs(tmp_path):
            first, kept = study(), len(ran) - count
            again = study()
        assert kept == count > 0
        assert len(ran) == count + kept  # nothing was run the third time
        assert alone == first == again
        # One run was lost: it alone is run again.
        next(tmp_path.glob("*.nc")).unlink()
        with kept_runs(tmp_path):
            assert study() == first
        assert len(ran) == count + kept + 1
        for file in tmp_path.glob("*.nc"):
            file.unlink()


def test_what_all_runs_have_in_common_is_said_with_their_noise(tmp_path):
    for more, said in (({}, ""), ({"noise": "flip(0.1)", "weight_decay": 0.2}, "noise = flip(0.1)")):
        setting = Setting(target="z1", activation="erf", alpha=1, eta=0.1, steps=1, **more)
        common = sweep(setting, d=[50, 60], seeds=2, folder=tmp_path).data.attrs["common"]
        assert said in common
        assert ("noise" in common, "weight_decay = 0.2" in common) == (bool(more), bool(more))
