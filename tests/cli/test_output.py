"""Where output goes and how a command ends: encodings, pipes, full devices, signals, what nobody foresaw."""

import errno
import json
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from rebatch import Setting, catalog, simulate
from rebatch.cli import main as module

COMMAND = [sys.executable, "-c", "from rebatch.cli.entry import main; main()"]
RUN = ["simulate", "z1", "-s", "erf", "--alpha", "2", "--eta", "0.4", "-d", "300"]


def rebatch(*arguments, **environment):
    return subprocess.run(
        [*COMMAND, *arguments], capture_output=True, env={**os.environ, **environment}, check=False
    )


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_every_encoding_shows_errors_of_runs_at_the_steps_that_are_kept(encoding):
    done = rebatch(*RUN, "--steps", "20", "--record-every", "5", "--runs", "3", PYTHONIOENCODING=encoding)
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    rows = [line.replace("|", " ").split() for line in text.splitlines()]
    assert [row[0] for row in rows if row and row[0].isdigit()] == ["0", "5", "10", "15", "20"]
    assert ("+/-" if encoding == "ascii" else "±") in text


def test_runs_that_stop_at_different_steps_are_averaged_where_they_are():
    done = rebatch(
        *["simulate", "He(3,z)", "-s", "h + h^2/2 + h^3/6", "--alpha", "2", "--eta", "0.4", "--steps", "8"],
        *["-d", "300", "--runs", "12"],
    )
    assert done.returncode == 0
    assert "2 (10 of 12 runs)" in done.stdout.decode()


def test_the_limit_shows_its_errors():
    arguments = ["simulate", "z1", "-s", "relu", "--alpha", "2", "--eta", "0.4", "--engine", "limit"]
    assert "±" in rebatch(*arguments, PYTHONIOENCODING="utf-8").stdout.decode()
    run = json.loads(rebatch(*arguments, "--json").stdout)["runs"][0]
    assert run["M_error"][-1][0][0] > 0


def test_a_broken_pipe_and_a_full_device_end_in_one_line_with_their_own_code():
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [*COMMAND, *RUN, "--json"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert (done.returncode, done.stderr) == (74, "error: output: No space left on device\n")
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [*COMMAND, *RUN, "--json"], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (74, "error: output: Broken pipe\n")


@pytest.mark.parametrize(
    "out", ["/dev/null", "/proc/run.nc", "/dev/null/run.nc", "x" * 300, os.fsdecode(b"\xff/\0")]
)
def test_a_path_that_cannot_be_written_is_refused_before_the_work(out, monkeypatch, capsys):
    monkeypatch.setattr("rebatch.numeric.simulate.simulate", lambda *_, **__: pytest.fail("it ran"))
    monkeypatch.setattr(sys, "argv", ["rebatch", *RUN, "--out", out])
    with pytest.raises(SystemExit) as done:
        module.main()
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert error.count("--out") == 1


@pytest.mark.parametrize(
    ("call", "allowed"),
    [
        ([*RUN, "--out", "run.xyz"], ".nc, .json, .csv, .parquet"),
        (["repeat", "run.nc", "--out", "run.png"], ".nc, .json, .csv, .parquet"),
        (["report", "z1", "--out", "page.pdf"], ".html"),
    ],
)
def test_an_ending_that_stands_for_no_format_is_refused_before_the_work(
    call, allowed, monkeypatch, capsys, tmp_path
):
    monkeypatch.chdir(tmp_path)
    if call[0] == "repeat":
        simulate(Setting(target="z1", activation="erf", alpha=2, eta=0.4, steps=1), d=30, seed=0).save(
            "run.nc"
        )
    before = {*tmp_path.iterdir()}
    monkeypatch.setattr(sys, "argv", ["rebatch", *call])
    with pytest.raises(SystemExit) as done:
        module.main()
    assert done.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert f"ends in '{call[-1][call[-1].index('.') :]}'; allowed" in error
    assert allowed in error
    assert {*tmp_path.iterdir()} == before


def test_what_nobody_foresaw_is_one_line_and_a_traceback_where_it_is_asked_for(monkeypatch, capsys):
    def fails(*_, **__):
        raise ZeroDivisionError("of\nmany lines")

    monkeypatch.setattr(module, "app", fails)
    monkeypatch.setattr(sys, "argv", ["rebatch", "analyze", "z1"])
    for asked in ("", "1"):
        monkeypatch.setenv("REBATCH_TRACEBACK", asked)
        with pytest.raises(SystemExit) as done:
            module.main()
        told = capsys.readouterr().err
        assert done.value.code == 70
        assert "ZeroDivisionError: of many lines; REBATCH_TRACEBACK=1" in told
        assert ("Traceback" in told) == bool(asked)


def test_an_error_of_a_file_is_one_of_the_users(monkeypatch, capsys):
    def fails(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "figure.png")

    monkeypatch.setattr(module, "app", fails)
    monkeypatch.setattr(sys, "argv", ["rebatch", "demo"])
    with pytest.raises(SystemExit) as done:
        module.main()
    assert done.value.code == 2
    assert "figure.png: No space" in capsys.readouterr().err


OVERLAP = ["overlap", "tanh(z1)", "-s", "relu", "--alpha", "2", "--eta", "0.1"]
LONG = {
    "simulate": [*RUN[:-1], "200000", "--steps", "4", "--runs", "60", "--compare"],
    "verify": ["verify", "z1 + He(3, z2)"],
    "overlap": [*OVERLAP, "--runs", "60", "--figure", "o.png"],
    "demo": ["demo", "--runs", "300", "--figure", "o.png"],
    "scaling": ["scaling", "He(3, z)"],
    "converge": ["converge"],
    "analyze": ["analyze", "gelu(gelu(gelu(z1))) + z2", "--effort", "100000000"],
}  # fmt: skip


def interrupt(command, number, after, folder):
    """Start a command, send it a signal, and return its exit code, output, errors and how long it took to end.

    None where it had ended before.
    """
    process = subprocess.Popen(
        [*COMMAND, *LONG[command]], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=folder
    )
    time.sleep(after)
    began = time.monotonic()
    if process.poll() is not None:
        process.communicate()
        return None
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err, time.monotonic() - began


# The signal comes in the middle of the fourth run, whatever the machine is doing.
INTERRUPTED_AT_THE_FOURTH = """
import os, signal
from rebatch.cli.entry import main
from rebatch.numeric import simulate as module
run = module.simulate
def simulate(*arguments, seed, **options):
    if seed == 3:
        os.kill(os.getpid(), signal.SIGINT)
    return run(*arguments, seed=seed, **options)
module.simulate = simulate
main()
"""


def test_ctrl_c_keeps_the_finished_runs_and_says_so():
    command = [sys.executable, "-c", INTERRUPTED_AT_THE_FOURTH, *RUN, "--runs", "60", "--compare"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130
    assert "interrupted: 3 of 60 runs are shown, nothing is compared" in done.stderr
    assert "Traceback" not in done.stderr
    assert "M[1, z1]" in done.stdout
    assert "together" not in done.stdout


# The signal comes when the two steps are decided and the leaps are not.
INTERRUPTED_AT_THE_LEAP = """
import os, signal
from rebatch.cli.entry import main
from rebatch.symbolic.learnability.search import Search
leap = Search.leap
def interrupted(*arguments, **options):
    Search.leap = leap
    os.kill(os.getpid(), signal.SIGINT)
    return leap(*arguments, **options)
Search.leap = interrupted
main()
"""


@pytest.mark.parametrize("more", [[], ["--json"]])
def test_ctrl_c_in_an_analysis_shows_what_is_decided_and_leaves_the_rest_undecided(more):
    command = [sys.executable, "-c", INTERRUPTED_AT_THE_LEAP, "analyze", "tanh(z1)*z2 + He(3, z1)", *more]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130
    assert done.stderr == "error: interrupted: what is above was finished before\n"
    assert "interrupted before there was an answer" in done.stdout
    if more:
        known = json.loads(done.stdout)
        assert [v["verdict"] for v in known["two_step"]] == ["learned", "learned"]


# A finaliser swallows what is raised in it, as compiled code of libraries does.
INTERRUPTED_WHERE_NOTHING_CAN_PASS = """
import os, signal, time
from rebatch.cli import signals

class Swallows:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.1)

signals.install()
Swallows()
try:
    time.sleep(30)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_an_interrupt_that_is_swallowed_comes_again_and_is_not_reported():
    command = [sys.executable, "-c", INTERRUPTED_WHERE_NOTHING_CAN_PASS]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=20)
    assert (done.stdout, done.stderr) == ("interrupted\n", "")


@pytest.mark.deep
@pytest.mark.parametrize("command", LONG)
def test_signals_at_any_time_end_a_command_within_two_seconds_with_their_code(command, tmp_path):
    draw, ended = random.Random(command), 0
    for _ in range(15):
        number = draw.choice([signal.SIGINT, signal.SIGTERM])
        found = interrupt(command, number, draw.uniform(0.5, 6), tmp_path)
        if found is None:
            ended += 1
            continue
        code, out, err, seconds = found
        assert code == 128 + number, err
        assert seconds < 2
        assert "Traceback" not in err
        assert "agree" not in out
    assert ended <= 5


def test_the_catalog_has_every_name_on_one_line_where_it_is_piped():
    lines = rebatch("catalog", PYTHONIOENCODING="utf-8").stdout.decode().splitlines()
    for entry in catalog():
        assert sum(f"@{entry.name} " in line for line in lines) == 1
