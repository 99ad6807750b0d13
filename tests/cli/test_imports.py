"""What a command loads: nothing heavy that its work does without."""

import subprocess
import sys

import pytest

from rebatch.cli.main import app

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
_SCIPY = ("scipy.integrate", "scipy.optimize", "scipy.signal", "scipy.sparse", "scipy.stats")
COMMANDS = (
    *("amp", "analyze", "catalog", "ceiling", "converge", "demo", "learn", "overlap", "paper", "phases"),
    *("repeat", "report", "scaling", "simulate", "sweep", "threshold", "verify"),
)
_START = ("sympy", "flint", *_TYPER, *_ARRAYS)


@pytest.mark.parametrize(
    ("arguments", "heavy", "code"),
    [
        pytest.param(["--help"], _START, 0, id="help"),
        *(pytest.param([name, "--help"], _START, 0, id=f"help of {name}") for name in COMMANDS),
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
        pytest.param(
            [
                "simulate",
                "z1",
                "-s",
                "h",
                "--engine",
                "limit",
                "--alpha",
                "1",
                "--eta",
                "0.1",
                "--steps",
                "2",
            ],
            ("scipy.signal", "h5py", *_DRAWING),
            0,
            id="limit",
        ),
        pytest.param(["threshold", "He(4, z1)"], (*_SCIPY, *_RUNS), 0, id="threshold"),
        pytest.param(["amp", "He(3, z1)", "--alpha", "2"], (*_SCIPY, *_RUNS), 0, id="state evolution"),
        pytest.param(["phases", "He(3, z1)"], ("scipy", *_RUNS), 0, id="phases"),
        pytest.param(["ceiling", "He(3, z1)"], ("scipy.signal", "h5py", *_DRAWING), 0, id="ceiling"),
        pytest.param(["learn", "He(3, z1)"], ("scipy.signal", "h5py", *_DRAWING), 0, id="learn"),
        pytest.param(
            ["verify", "z1", "--dimensions", "50,100,200", "--runs", "6"],
            ("scipy.signal", "h5py", *_DRAWING),
            0,
            id="verify",
        ),
        pytest.param(
            ["scaling", "z1", "--dimensions", "16,32,64", "--replicas", "16"],
            ("scipy.signal", "h5py", *_DRAWING),
            0,
            id="scaling",
        ),
    ],
)
def test_a_command_loads_nothing_heavy_that_it_does_without(arguments, heavy, code):
    program = _PROGRAM.format(heavy=heavy, arguments=arguments)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == [str(code)]


def test_no_command_is_left_out():
    assert {command.callback.__name__ for command in app.registered_commands} == set(COMMANDS)
