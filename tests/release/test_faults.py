"""Faults that are injected from outside: a full file system, and a compiler without OpenMP."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rebatch import Trajectory

ROOT = Path(__file__).parents[2]
PLAN = """\
d = [60, 90]
seeds = 4
[setting]
target = "z1 + z1*z2"
activation = "relu"
alpha = 2
steps = 4
[grid]
eta = [0.1, 0.2]
"""
REBATCH = [sys.executable, "-c", "import sys; from rebatch.cli.main import main; sys.exit(main())"]


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 64 kB, and a function that makes it larger."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o"]
    if subprocess.run([*mount, "size=64k", "tmpfs", place], capture_output=True, check=False).returncode:
        pytest.skip("a file system of its own size needs the right to mount one (root)")

    def grow():
        subprocess.run([*mount, "remount,size=16m", "tmpfs", place], check=True)

    yield place, grow
    subprocess.run(["umount", place], check=True)


def rebatch(*arguments):
    done = subprocess.run([*REBATCH, *map(str, arguments)], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def assert_full(answer):
    """One line that says so, and exit code 2."""
    code, _, err = answer
    lines = [line for line in err.splitlines() if line.startswith("error: ")]
    assert code == 2, err
    assert len(lines) == 1, err
    assert "space" in lines[0].lower(), err
    assert "Traceback" not in err


@pytest.mark.deep
def test_a_sweep_on_a_full_file_system_keeps_its_runs_and_continues(small_disk, tmp_path):
    place, grow = small_disk
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN)
    assert_full(rebatch("sweep", plan, place / "runs"))
    kept = sorted((place / "runs").glob("*.nc"))
    first = [Trajectory.load(path).data for path in kept]
    assert 1 <= len(kept) < 16
    assert not [*(place / "runs").glob("*.partial*")]
    grow()
    code, _, err = rebatch("sweep", plan, place / "runs")
    assert code == 0, err
    assert len([*(place / "runs").glob("*.nc")]) == 16
    assert all(Trajectory.load(path).data.identical(data) for path, data in zip(kept, first, strict=True))


@pytest.mark.deep
@pytest.mark.parametrize("engine", ["lazy", "dense", "limit"])
def test_out_on_a_full_file_system_is_one_line_and_leaves_what_was_there(small_disk, engine):
    place, grow = small_disk
    (place / "full").write_bytes(bytes(60_000))
    size = () if engine == "limit" else ("--d", 60)
    call = (
        "simulate",
        "z1 + z1*z2",
        "-s",
        "relu",
        "--alpha",
        2,
        "--eta",
        0.1,
        "--engine",
        engine,
        *size,
        "--steps",
        3,
        "--out",
        place / "run.nc",
    )
    assert_full(rebatch(*call))
    assert [path.name for path in place.iterdir()] == ["full"]
    grow()
    assert rebatch(*call)[0] == 0
    assert Trajectory.load(place / "run.nc").M.shape[0] == 4


@pytest.mark.release
@pytest.mark.skipif(sys.platform != "linux" or not shutil.which("cc"), reason="a compiler that is a script")
def test_a_compiler_without_openmp_builds_kernels_of_one_thread_and_says_so(tmp_path):
    compiler = tmp_path / "cc"
    compiler.write_text(
        '#!/bin/sh\nfor a; do case "$a" in -fopenmp) echo "unknown option -fopenmp" >&2; exit 1;; esac; done\n'
        f'exec {shutil.which("cc")} "$@"\n'
    )
    compiler.chmod(0o755)
    tree = tmp_path / "tree"
    shutil.copytree(
        ROOT,
        tree,
        ignore=shutil.ignore_patterns(".venv", ".git", "*.so", "*.c", "__pycache__", "build", "tests"),
    )
    done = subprocess.run(
        [sys.executable, "setup.py", "build_ext", "--inplace"],
        cwd=tree,
        env={**os.environ, "CC": str(compiler), "LDSHARED": f"{compiler} -shared"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "has no OpenMP" in done.stderr + done.stdout
    modules = sorted((tree / "kernels").glob("*.so"))
    assert len(modules) == len([*(ROOT / "kernels").glob("*.pyx")])
    assert not any(b"GOMP_" in path.read_bytes() for path in modules)
