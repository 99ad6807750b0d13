"""Files that others wrote, or that were damaged: every one is read right or refused by name, and nothing is lost."""

import errno
import json
import os
import stat
from contextlib import nullcontext

import h5py
import numpy as np
import pytest
import xarray as xr

from rebatch import RebatchError, Setting, Trajectory, simulate
from rebatch.numeric.machine import files
from rebatch.numeric.storage import to_bytes


@pytest.fixture(scope="module")
def run():
    return simulate(
        Setting(target="z1*z2", activation="erf", neurons=3, alpha=2, eta=0.5, steps=2), d=40, seed=2**130 + 1
    )


@pytest.fixture
def path(run, tmp_path):
    run.save(tmp_path / "run.nc")
    return tmp_path / "run.nc"


def test_a_file_is_the_trajectory_and_any_reader_of_netcdf_opens_it(run, path):
    assert Trajectory.load(path).data.identical(run.data)
    with xr.open_dataset(path, engine="h5netcdf") as data:
        assert data.drop_attrs().identical(run.data.drop_attrs())
        assert data.attrs["setting"] == run.data.attrs["setting"]


def test_seeds_of_any_size_survive(run, path):
    assert Trajectory.load(path).data.attrs["seed"] == 2**130 + 1


def test_no_changed_bit_and_no_lost_end_goes_unnoticed(run, path):
    raw, rng = path.read_bytes(), np.random.default_rng(0)
    for position in rng.integers(8 * len(raw), size=400):
        changed = bytearray(raw)
        changed[position // 8] ^= 1 << int(position % 8)
        path.write_bytes(changed)
        # After a bit of the mark itself the data are whole, and believed as those of a file without one.
        in_the_mark = len(raw) - 80 <= position // 8 < len(raw) - 64
        with nullcontext() if in_the_mark else pytest.raises(RebatchError, match=r"run\.nc"):
            assert Trajectory.load(path).data.identical(run.data)
    for length in [0, 1, 8, 100, *rng.integers(len(raw), size=60)]:
        path.write_bytes(raw[:length])
        with pytest.raises(RebatchError, match=r"run\.nc"):
            Trajectory.load(path)


def write(path, change):
    """Write a file by HDF5 that `change` has made into something else, without a checksum."""
    image, _ = to_bytes(
        simulate(Setting(target="z1*z2", activation="erf", alpha=2, eta=0.5, steps=2), d=40, seed=1).data
    )
    path.write_bytes(image)
    with h5py.File(path, "r+") as file:
        change(file)


def replace(file, name, **options):
    del file[name]
    dataset = file.create_dataset(name, **options)
    for axis, scale in enumerate(("step", "neuron", "direction")[: len(dataset.shape)]):
        dataset.dims[axis].attach_scale(file[scale])


def virtual(file):
    layout = h5py.VirtualLayout(shape=(3, 1, 2), dtype=float)
    layout[:] = h5py.VirtualSource("/etc/passwd", "M", shape=(3, 1, 2))
    del file["M"]
    file.create_virtual_dataset("M", layout)


def setting(text):
    return lambda file: file.attrs.__setitem__("setting", text)


def changed_setting(**changes):
    base = Setting(target="z1*z2", activation="erf", alpha=2, eta=0.5, steps=2).to_dict()
    return setting(json.dumps(base | changes))


def test_data_without_a_mark_are_read_with_care(tmp_path):
    write(tmp_path / "a.nc", lambda _: None)
    assert Trajectory.load(tmp_path / "a.nc").M.shape == (3, 1, 2)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda f: f.__delitem__("M"), id="no M"),
        pytest.param(lambda f: f.attrs.__delitem__("setting"), id="no setting"),
        pytest.param(lambda f: f.attrs.__setitem__("setting", 3), id="setting is a number"),
        pytest.param(lambda f: f.attrs.__setitem__("stopped", [1.0]), id="stopped is an array"),
        pytest.param(lambda f: f.attrs.__setitem__("seed", "zz"), id="seed is a text"),
        pytest.param(setting("{"), id="setting is no JSON"),
        pytest.param(setting("[" * 100_000), id="setting is deep"),
        pytest.param(setting(json.dumps([0] * 1_000_000)), id="setting is long"),
        pytest.param(setting('{"alpha": ' + "9" * 5000 + "}"), id="setting holds a long number"),
        pytest.param(changed_setting(reuse="false"), id="reuse is a text"),
        pytest.param(changed_setting(neurons=3), id="setting of another shape"),
        pytest.param(changed_setting(target="__import__('os').system('true')"), id="target is code"),
        pytest.param(changed_setting(readout=[[1.0]]), id="readout is a matrix"),
        pytest.param(changed_setting(alpha="2"), id="alpha is a text"),
        pytest.param(changed_setting(colour=1), id="an unknown name"),
        pytest.param(lambda f: replace(f, "M", data=np.zeros((3, 1, 2), dtype=int)), id="M of integers"),
        pytest.param(lambda f: replace(f, "M", data=np.zeros((3, 1))), id="M of another shape"),
        pytest.param(lambda f: replace(f, "M", data=[b"x"] * 3), id="M of bytes"),
        pytest.param(
            lambda f: replace(f, "M", shape=(10**6, 10**6), dtype=float, chunks=(10, 10)), id="8 TB not there"
        ),
        pytest.param(lambda f: f.__setitem__("x", h5py.SoftLink("/M")), id="a link"),
        pytest.param(lambda f: f.__setitem__("x", h5py.ExternalLink("/etc/passwd", "/M")), id="a link elsewhere"),
        pytest.param(lambda f: f.create_group("x"), id="a group"),
        pytest.param(virtual, id="data of another file"),
        pytest.param(
            lambda f: replace(f, "M", shape=(8,), dtype="u1", external=[("/etc/passwd", 0, 8)]), id="external data"
        ),
        pytest.param(lambda f: f["step"].write_direct(np.array([0, 0, 1])), id="steps out of order"),
    ],
)  # fmt: skip
def test_what_is_no_trajectory_is_refused_by_name(change, tmp_path):
    write(tmp_path / "foreign.nc", change)
    with pytest.raises(RebatchError, match=r"foreign\.nc is not a trajectory") as caught:
        Trajectory.load(tmp_path / "foreign.nc")
    assert "\n" not in str(caught.value).replace("\n  ", "")


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for other in (tmp_path, tmp_path / "pipe", "/dev/zero", tmp_path / "none", "\0", "x" * 5000, 3.5, None):
        with pytest.raises(RebatchError):
            Trajectory.load(other)


def test_files_have_the_rights_that_the_umask_leaves(run, tmp_path):
    before = os.umask(0o027)
    try:
        run.save(tmp_path / "run.nc")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "run.nc").stat().st_mode) == 0o640


@pytest.mark.parametrize("fails", ["fsync", "replace"])
def test_a_full_disk_is_one_line_and_leaves_what_was_there(run, path, monkeypatch, fails):
    before = path.read_bytes()

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(RebatchError, match=r"run\.nc': no space left on device"):
        run.save(path)
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == ["run.nc"]


def test_links_are_followed_and_devices_and_folders_are_not_replaced(run, tmp_path):
    (tmp_path / "link.nc").symlink_to(tmp_path / "there" / "run.nc")
    run.save(tmp_path / "link.nc")
    assert (tmp_path / "link.nc").is_symlink()
    assert Trajectory.load(tmp_path / "there" / "run.nc").M.equals(run.M)
    for device in ("/dev/null", "/dev/full", "/dev/stdout", tmp_path, "", "\0", None, "x" * 5000):
        with pytest.raises(RebatchError):
            run.save(device)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_folder_that_cannot_be_written_is_refused_before_the_work(run, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(RebatchError, match="cannot be written to"):
        files.require_writable(tmp_path / "new" / "run.nc")
    assert not (tmp_path / "new").exists()


def test_what_the_dead_left_half_written_is_cleared_and_what_the_living_write_is_not(run, tmp_path):
    (tmp_path / ".rebatch-0123.partial").write_bytes(b"half")
    handle, living = files._open_partial(tmp_path)
    run.save(tmp_path / "run.nc")
    assert {p.name for p in tmp_path.iterdir()} == {"run.nc", living.name}
    os.close(handle)
    run.save(tmp_path / "run.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["run.nc"]
