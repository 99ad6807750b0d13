"""What a command loads: nothing heavy that its work does without."""

import subprocess
import sys

import pytest

_PROGRAM = """
import io, sys
heavy, sys.argv = {heavy!r}, ["rebatch", *{arguments!r}]
sys.stdout = io.StringIO()
try:
    from rebatch.cli.entry import main
    main()
except SystemExit as ending:
    code = ending.code
loaded = sorted(name for name in heavy if name in sys.modules)
print(code, *loaded, file=sys.__stdout__)
"""
_DRAWING = ("matplotlib", "IPython")
_RUNS = ("xarray", "pandas", "h5py", "dask", *_DRAWING)
_ARRAYS = ("numpy", "scipy", *_RUNS)
# What boxes around a help and models of a command line's values load.
_TYPER = ("pydantic", "typer.rich_utils", "rich.markdown")
_START = ("sympy", "flint", *_TYPER, *_ARRAYS)


@pytest.mark.parametrize(
    ("arguments", "heavy", "code"),
    [
        pytest.param(["--help"], _START, 0, id="help"),
        pytest.param(["verify", "--help"], _START, 0, id="help of one"),
        pytest.param(["--version"], _START, 0, id="version"),
        pytest.param(["analyze", "z1 + foo(z2)"], _START, 2, id="slip"),
        pytest.param(["simulate", "z1", "--foo"], _START, 2, id="no such option"),
        # NumPy comes where a symmetry is searched for in every frame, after all else failed.
        pytest.param(["analyze", "z1 + He(3, z2)"], (*_TYPER, *_ARRAYS), 0, id="polynomial"),
        pytest.param(["overlap", "He(3,z1)", "-s", "h + h^3"], ("scipy.stats", *_RUNS), 0, id="formula"),
        pytest.param(
            ["simulate", "z1", "-s", "relu", *["--alpha", "1", "--eta", "0.1", "--d", "50", "--steps", "2"]],
            ("scipy.integrate", "scipy.optimize", "scipy.signal", "scipy.stats", "h5py", *_DRAWING),
            0,
            id="run",
        ),
    ],
)
def test_a_command_loads_nothing_heavy_that_it_does_without(arguments, heavy, code):
    program = _PROGRAM.format(heavy=heavy, arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(code)]
