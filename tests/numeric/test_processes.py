"""Every engine after every other, in children of fork, forkserver and spawn; the same bits under any BLAS threads."""

import hashlib
import multiprocessing
import os
import subprocess
import sys

import numpy as np
import pytest

from rebatch import Setting, simulate

# Large enough that every kernel wakes more than one thread.
_PLAIN = {"activation": "erf", "alpha": 2, "eta": 0.5, "steps": 2}
JOBS = {
    "lazy": (Setting(target="z1 + z1*z2", neurons=2, **_PLAIN), {"d": 80_000}),
    "dense": (Setting(target="z1", neurons=2, **_PLAIN), {"d": 300, "engine": "dense"}),
    "online": (Setting(target="z1", reuse=False, **_PLAIN), {"d": 50, "engine": "online", "replicas": 64}),
    "batch flow": (Setting(target="z1", **_PLAIN), {"d": 100, "engine": "flow", "tolerance": 1e-3}),
    "population flow": (
        Setting(target="exp(z1*z2/9)", neurons=9, reuse=False, **_PLAIN | {"steps": 1, "eta": 0.05}),
        {"engine": "flow", "tolerance": 1e-2},
    ),
    "limit": (Setting(target="relu(z1)", **_PLAIN), {"engine": "limit", "points": 2**13, "scrambles": 3}),
}


def digest(name: str) -> str:
    """Return the digest of all numbers of a run."""
    setting, options = JOBS[name]
    run = simulate(setting, seed=1, threads=2, **options)
    numbers = (np.ascontiguousarray(run.data[v].values).tobytes() for v in sorted(run.data.data_vars))
    return hashlib.sha256(b"".join([*numbers, run.test_loss.values.tobytes()])).hexdigest()


def in_a_child(name: str, method: str) -> str | None:
    """Return the digest of a run in a new process; None if it does not come back."""
    context = multiprocessing.get_context(method)
    ours, theirs = context.Pipe(duplex=False)
    child = context.Process(target=send, args=(theirs, name))
    child.start()
    theirs.close()
    try:
        return ours.recv() if ours.poll(120) else None
    finally:
        child.kill()
        child.join()


def send(pipe, name):
    pipe.send(digest(name))


def in_a_parent(code: str, **environment: str) -> list[str]:
    """Return what a fresh process prints that has this module."""
    here = os.path.dirname(__file__)
    code = f"import sys; sys.path.insert(0, {here!r}); from test_processes import *\n{code}"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
    )
    return done.stdout.split()


def test_children_of_fork_run_every_engine_after_every_engine_ran_in_the_parent():
    told = in_a_parent(
        "if __name__ == '__main__':\n"
        "    here = [digest(name) for name in JOBS]\n"
        "    print(*(in_a_child(name, 'fork') == own for name, own in zip(JOBS, here)))"
    )
    assert told == ["True"] * len(JOBS)


@pytest.mark.deep
@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("first", JOBS)
def test_all_pairs_of_engines_run_in_parent_and_child(first, method):
    told = in_a_parent(
        "if __name__ == '__main__':\n"
        f"    digest({first!r})\n"
        f"    print(*(in_a_child(name, {method!r}) == digest(name) for name in JOBS))"
    )
    assert told == ["True"] * len(JOBS)


@pytest.mark.deep
def test_every_engine_has_the_same_bits_under_one_and_two_blas_threads():
    one, two = (
        in_a_parent("print(*map(digest, JOBS))", OPENBLAS_NUM_THREADS=n, OMP_NUM_THREADS=n)
        for n in ("1", "2")
    )
    assert one == two
    assert len(one) == len(JOBS)


def test_an_analysis_does_not_depend_on_the_order_of_sets():
    code = (
        "import json, rebatch; [print(json.dumps(rebatch.analyze(t).to_json()).replace(' ', '')) "
        "for t in ('z1*z2 + He(3, z3)', 'relu(z1) + relu(z2)', 'sign(z1*z2*z3)')]"
    )
    assert in_a_parent(code, PYTHONHASHSEED="1") == in_a_parent(code, PYTHONHASHSEED="2")
