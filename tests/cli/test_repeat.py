"""`rebatch repeat`, `--out` by its ending, `--quiet`, completion: the command line as people expect it."""

import json
import re
import sys
import warnings

import pytest

from rebatch.cli import terminal
from rebatch.cli.main import main

RUN = ("simulate", "z1", "-s", "relu", "--alpha", "2", "--eta", "0.1", "--d", "60")


@pytest.fixture
def rebatch(capsys, monkeypatch):
    """Run a command; return its exit code, output and errors."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["rebatch", *arguments])
        with pytest.raises(SystemExit) as ending:
            main()
        return ending.value.code or 0, *capsys.readouterr()

    monkeypatch.setitem(terminal._told, "quiet", False)
    return run


@pytest.mark.parametrize("ending", ["nc", "json"])
def test_a_run_is_kept_and_repeated(rebatch, tmp_path, ending):
    path = str(tmp_path / f"run.{ending}")
    assert rebatch(*RUN, "--out", path)[0] == 0
    code, out, _ = rebatch("repeat", path)
    assert (code, "the same numbers to the last bit" in out) == (0, True)


def test_what_simulate_prints_as_json_is_repeated_too(rebatch, tmp_path):
    path = tmp_path / "printed.json"
    path.write_text(rebatch(*RUN, "--json")[1])
    code, out, _ = rebatch("repeat", str(path), "--json")
    assert (code, json.loads(out)["difference"]) == (0, 0.0)


def test_other_numbers_end_with_1_and_no_run_with_2(rebatch, tmp_path):
    path = tmp_path / "run.json"
    rebatch(*RUN, "--out", str(path))
    path.write_text(path.read_text().replace('"eta": 0.1', '"eta": 0.2'))
    code, out, _ = rebatch("repeat", str(path))
    assert (code, "other numbers than in the file" in out) == (1, True)
    assert rebatch("repeat", str(tmp_path / "none.nc"))[0] == 2


def test_quiet_leaves_out_warnings(rebatch):
    wild = (
        "simulate",
        "He(3,z1)",
        "-s",
        "h + h^2/2",
        "--alpha",
        "2",
        "--eta",
        "1e6",
        "--d",
        "60",
        "--steps",
        "9",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert "warning: the overlaps diverged" in rebatch(*wild)[2]
        assert rebatch(*wild, "--quiet")[2] == ""


def test_the_shell_completes_commands_and_options(rebatch, monkeypatch):
    monkeypatch.setenv("_REBATCH_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "rebatch rep")
    monkeypatch.setenv("COMP_CWORD", "1")
    assert set(rebatch()[1].split()) == {"report", "repeat"}


def test_every_command_has_an_example(rebatch):
    listed = rebatch("--help")[1]
    names = re.findall(r"^  ([a-z]+)  ", listed.partition("Commands:")[2], re.MULTILINE)
    assert len(names) > 12
    for name in names:
        assert (
            f"rebatch {name}" in rebatch(name, "--help")[1]
            or "Example of a plan" in rebatch(name, "--help")[1]
        )


def test_verbose_says_what_is_done_beside_the_answer(rebatch):
    quiet, loud = rebatch(*RUN, "--json"), rebatch(*RUN, "--json", "--verbose")
    assert loud[:2] == quiet[:2]
    assert "seed = 0: finished" in loud[2]
    assert quiet[2] == rebatch(*RUN, "--json")[2] == ""
