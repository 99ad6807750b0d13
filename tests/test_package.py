import ast
import subprocess
import sys
from pathlib import Path

import pytest

import rebatch

STUB = ast.parse(Path(rebatch.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
IMPORTS = [
    (node.module, alias) for node in STUB.body if isinstance(node, ast.ImportFrom) for alias in node.names
]


@pytest.mark.parametrize("name", rebatch.__all__)
def test_every_public_name_loads(name):
    assert getattr(rebatch, name) is not None


def test_checkers_see_the_names_that_load():
    # A name without "as itself" is private to a stub; typos in one of the two would hide it.
    assert all(alias.name == alias.asname for _, alias in IMPORTS)
    assert sorted(alias.name for _, alias in IMPORTS) == sorted(rebatch.__all__)
    assert set(rebatch.__all__) <= set(dir(rebatch))


def test_importing_rebatch_loads_no_heavy_library():
    heavy = {"sympy", "scipy", "xarray", "matplotlib", "flint", "numpy"}
    code = f"import rebatch, sys; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_the_log_is_unheard_until_the_user_asks():
    code = (
        "import logging, rebatch as rb\n"
        "setting = rb.Setting(target='z1', activation='relu', alpha=2, eta=0.1, steps=1)\n"
        "rb.simulate(setting, d=20, seed=0)\n"
        "logging.getLogger('rebatch.x').critical('unheard')\n"
        "logging.basicConfig(level=logging.INFO)\n"
        "rb.simulate(setting, d=20, seed=7)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    begun, finished = done.stderr.splitlines()
    assert "d = 20, seed = 7: z1; sigma = relu" in begun
    assert "seed = 7: finished" in finished
    assert done.stdout == ""
