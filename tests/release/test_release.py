"""What is released: an sdist without generated files, a wheel with all it needs, working where nothing else is."""

import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMOKE = Path(__file__).with_name("smoke.py")
PYTHONS = ("3.11", "3.12", "3.13", "3.14")

pytestmark = pytest.mark.release


def run(*command, **options):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        list(map(str, command)), capture_output=True, text=True, env=environment, check=False, **options
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def interpreter(version):
    """Return a Python of this version on this machine that runs, or None."""
    roots = Path.home().glob(f".pyenv/versions/{version}.*/bin/python")
    for path in [shutil.which(f"python{version}"), *map(str, roots)]:
        if path and subprocess.run([path, "--version"], capture_output=True, check=False).returncode == 0:
            return path
    return None


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The sdist, and the wheel that is built from it, of a copy without anything that git ignores."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, ROOT)
    (sdist,), (wheel,) = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return sdist, wheel


def installed(built, version, folder, *options):
    """A clean environment with the release: this interpreter takes the wheel, others build from the sdist."""
    sdist, wheel = built
    run(interpreter(version), "-m", "venv", folder / "venv")
    python = folder / "venv" / "bin" / "python"
    same = version == f"{sys.version_info.major}.{sys.version_info.minor}"
    run(python, "-m", "pip", "install", "--quiet", *options, wheel if same else sdist)
    return python


def test_the_sdist_holds_sources_alone(built):
    with tarfile.open(built[0]) as archive:
        names = archive.getnames()
    assert not [n for n in names if n.endswith((".c", ".so", ".pyc"))]
    for needed in ("kernels/gradient.pyx", "tests/conftest.py", "tests/reference/targets.json", "py.typed"):
        assert any(n.endswith(needed) for n in names)


def test_both_pass_the_checks_of_the_index(built):
    run(sys.executable, "-m", "twine", "check", "--strict", *built)
    run(Path(sys.executable).with_name("check-wheel-contents"), built[1])


@pytest.mark.parametrize("version", [v for v in PYTHONS if interpreter(v)])
def test_a_clean_environment_installs_and_runs_it(built, version, tmp_path):
    python = installed(built, version, tmp_path)
    assert run(python, SMOKE, cwd=tmp_path).startswith(f"ok {version}")


def test_it_runs_on_the_lowest_versions_that_it_allows(built, tmp_path):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    oldest = next(v for v in PYTHONS if interpreter(v))
    constraints = tmp_path / "lowest.txt"
    constraints.write_text("\n".join(declared["dependencies"]).replace(">=", "=="))
    python = installed(built, oldest, tmp_path, "--constraint", constraints)
    assert run(python, SMOKE, cwd=tmp_path).startswith(f"ok {oldest}")
