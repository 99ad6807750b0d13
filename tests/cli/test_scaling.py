import json
import sys

import pytest

from rebatch.cli.main import main
from rebatch.verify.protocol import Protocol
from rebatch.verify.reuse_samples import _Search

SMALL = ("--dimensions", "64,128,256,512", "--replicas", "48")


def rebatch(capsys, monkeypatch, *arguments):
    """Run the command in this process; return its exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["rebatch", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    output = capsys.readouterr()
    return done.value.code, output.out, output.err


def test_scaling_prints_the_times_and_draws_them(capsys, monkeypatch, tmp_path):
    figure = tmp_path / "times.png"
    code, out, _ = rebatch(capsys, monkeypatch, "scaling", "z", *SMALL, "--figure", str(figure))
    assert code == 0
    assert "consistent, IE = 1" in out
    assert "48 of 48" in out
    assert figure.stat().st_size > 10_000


def test_scaling_reads_a_name_of_the_catalog_and_prints_json(capsys, monkeypatch):
    code, out, _ = rebatch(capsys, monkeypatch, "scaling", "@he1", *SMALL, "--json", "--seed", "3")
    data = json.loads(out)
    assert code == 0
    assert data["information_exponent"] == {"value": 1, "how": "exact"}
    assert data["outcome"] == "consistent"
    assert data["fit"]["interval"][0] < data["fit"]["slope"] < data["fit"]["interval"][1]
    assert [size["d"] for size in data["sizes"]] == [64, 128, 256, 512]


def test_theory_and_numbers_that_disagree_exit_with_one(capsys, monkeypatch, tmp_path):
    right = Protocol.step_size
    monkeypatch.setattr(Protocol, "step_size", lambda plan, d: right(plan, d) * d**-0.5)
    figure = tmp_path / "times.pdf"
    code, out, _ = rebatch(capsys, monkeypatch, "scaling", "z", *SMALL, "--figure", str(figure))
    assert code == 1
    assert "inconsistent" in out
    assert figure.exists()
    code, out, _ = rebatch(capsys, monkeypatch, "scaling", "z", *SMALL, "--json")
    assert code == 1
    assert json.loads(out)["outcome"] == "inconsistent"


@pytest.mark.parametrize(("small", "code"), [(False, 0), (True, 1)])
def test_the_reuse_study_exits_with_its_outcome(capsys, monkeypatch, tmp_path, small, code):
    def overlaps(study, alpha, d, seed, *, reuse):
        size = 0.01 if small or not reuse else study.threshold * (alpha / 4) ** 0.5
        return [size * (1 + 0.01 * i) for i in range(-study.runs // 2, study.runs // 2)]

    monkeypatch.setattr(_Search, "overlaps", overlaps)
    figure = tmp_path / "samples.svg"
    arguments = ("scaling", "@he3", "--reuse", "--replicas", "9", "--figure", str(figure))
    got, out, _ = rebatch(capsys, monkeypatch, *arguments)
    assert got == code
    assert ("inconsistent" in out) == small
    assert "one pass" in out
    assert figure.exists()


def test_full_batch_descent_prints_its_times_and_the_growth_at_zero(capsys, monkeypatch, tmp_path):
    figure = tmp_path / "steps.svg"
    arguments = (
        "scaling",
        "cos(z)",
        "--full-batch",
        "--dimensions",
        "40,80,160",
        "--replicas",
        "6",
        "--steps",
        "8",
    )
    code, out, _ = rebatch(capsys, monkeypatch, *arguments, "--json", "--figure", str(figure))
    data = json.loads(out)
    assert code == 0
    assert figure.exists()
    assert [size["d"] for size in data["sizes"]] == [40, 80, 160]
    assert data["growth"] in ("log d", "undecided", "constant")
    assert data["growth_at_zero"]["rate"] > 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("z +",), "error"),
        (("@nothing",), "no target is named"),
        (("1",), "infinite"),
        (("z", "--dimensions", "a,b"), "integers with commas"),
        (("z", "--dimensions", "64,128"), "at least 3"),
        (("z", "--replicas", "0"), ">= 16"),
        (("z", "--figure", "times.xyz"), "allowed are names that end in"),
        (("z", "--steps", "3"), "--reuse"),
        (("He(2, z)", "--reuse"), "hidden"),
        (("z", "--reuse", "--full-batch"), "two studies"),
        (("z", "--full-batch", "--look-ahead", "0.5"), "online descent"),
        (("1", "--full-batch"), "no direction"),
        (("He(3, z)", "--reuse", "--replicas", "0"), ">= 8"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(capsys, monkeypatch, arguments, message):
    code, out, err = rebatch(capsys, monkeypatch, "scaling", *arguments)
    assert code == 2
    assert out == ""
    assert message in err
    assert "Traceback" not in err
