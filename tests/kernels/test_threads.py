"""Threads of OpenMP that wait for each other sleep, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

_ASK = "import os, rebatch.kernels.products; print(sorted(x for x in os.environ if x.startswith(('OMP', 'GOMP'))))"


def asked(**own: str) -> tuple[str, str]:
    """Return which variables a process has after it has loaded the kernels, and what the library says it read."""
    plain = {name: x for name, x in os.environ.items() if not name.startswith(("OMP", "GOMP"))}
    done = subprocess.run(
        [sys.executable, "-c", _ASK],
        env={**plain, "OMP_DISPLAY_ENV": "verbose", **own},
        capture_output=True,
        text=True,
        check=True,
    )
    if "GOMP_SPINCOUNT" not in done.stderr:
        pytest.skip("the kernels have another OpenMP than GCC's, or none")
    return done.stdout.strip(), done.stderr


def test_waiting_threads_do_not_spin_and_the_environment_is_as_it_was():
    names, read = asked()
    assert "GOMP_SPINCOUNT = '0'" in read
    assert names == "['OMP_DISPLAY_ENV']"


@pytest.mark.parametrize(
    "own", [{"GOMP_SPINCOUNT": "77"}, {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "77"}]
)
def test_the_users_word_on_waiting_holds(own):
    names, read = asked(**own)
    assert "GOMP_SPINCOUNT = '77'" in read
    assert names == str(sorted(["OMP_DISPLAY_ENV", *own]))
