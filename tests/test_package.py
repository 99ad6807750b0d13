import subprocess
import sys

import pytest

import rebatch


@pytest.mark.parametrize("name", rebatch.__all__)
def test_every_public_name_loads(name):
    assert getattr(rebatch, name) is not None


def test_importing_rebatch_loads_no_heavy_library():
    heavy = {"sympy", "scipy", "xarray", "matplotlib", "flint", "numpy"}
    code = f"import rebatch, sys; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
