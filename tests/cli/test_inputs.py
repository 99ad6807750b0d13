"""The commands with inputs that are not Gaussian."""

import json
import sys

import numpy as np
import pytest

from rebatch.cli.main import main
from rebatch.cli.universality import matrix_from


def rebatch(capsys, *arguments):
    """Run the command in this process; return its exit code, output and errors."""
    old, sys.argv = sys.argv, ["rebatch", *arguments]
    try:
        with pytest.raises(SystemExit) as done:
            main()
    finally:
        sys.argv = old
    output = capsys.readouterr()
    return done.value.code, output.out, output.err


def test_overlap_and_simulate_take_a_law_or_a_target_of_the_cube(capsys):
    staircase = "z1 + z1*z2"
    code, out, _ = rebatch(capsys, "overlap", staircase, "-s", "h + h^2/2", "--inputs", "boolean", "--json")
    assert code == 0
    assert json.loads(out)["inputs"] == "boolean"
    code, out, _ = rebatch(
        capsys, "simulate", staircase, "-s", "relu", "--inputs", "biased(1/4)", "--alpha", "2", "--eta", "0.1",
        "--d", "100", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["setting"]["inputs"] == "biased(1/4)"
    # Sums over signs are polynomials: what they are not is Gaussian.
    code, out, _ = rebatch(capsys, "overlap", staircase, "-s", "h^2", "--inputs", "laplace")
    assert code == 0
    assert "the network sees z standardised" in out


def test_verify_holds_a_law_against_the_gaussian_limit(capsys, tmp_path):
    figure = tmp_path / "held.png"
    options = ("--dimensions", "60", "--runs", "6", "--figure", str(figure))
    code, out, _ = rebatch(capsys, "verify", "tanh(z1)", "--inputs", "rademacher", *options, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["outcome"] == "agrees"
    assert data["d"] == 60
    assert figure.stat().st_size > 10_000
    assert {"agreement", "control", "assumptions", "data", "explained_by"} <= data.keys()


def test_verify_exits_with_1_where_theory_does_not_hold_on_a_matrix(capsys, tmp_path):
    rng = np.random.default_rng(0)
    # Rows of two lengths that differ by a factor of 40.
    X = rng.standard_normal((150, 60)) * rng.choice([0.05, 0.05, 0.05, 2.0], size=(150, 1))
    np.save(tmp_path / "X.npy", X)
    options = ("--data", str(tmp_path / "X.npy"), "--runs", "16", "--false-alarm", "1e-3")
    code, out, _ = rebatch(capsys, "verify", "tanh(2*z1)", *options)
    assert "150 rows, 60 columns" in out
    assert code == 1
    assert "disagrees" in out


def test_verdicts_under_a_law_are_put_to_runs_of_that_law(capsys):
    options = ["--dimensions", "100,800,6400", "--runs", "6", "--json"]
    for given in (["z1 + z1*z2", "--law", "boolean"], ["@dictator"]):
        code, out, _ = rebatch(capsys, "verify", *given, *options)
        assert code == 0
        found = json.loads(out)
        assert found["inputs"] == "boolean"
        assert "disagrees" not in {c["outcome"] for c in found["checks"]}


@pytest.mark.parametrize(("name", "between"), [("X.npy", None), ("X.csv", ","), ("X.txt", " ")])
def test_a_matrix_is_read_from_numpy_or_text(tmp_path, name, between):
    X = np.random.default_rng(0).standard_normal((4, 3))
    if between is None:
        np.save(tmp_path / name, X)
    else:
        np.savetxt(tmp_path / name, X, delimiter=between)
    np.testing.assert_allclose(matrix_from(tmp_path / name), X, rtol=1e-15)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--law", "cauchy"), "allowed are gaussian, boolean"),
        (("--law", "boolean", "--inputs", "boolean"), "--law with --inputs or --data; allowed is one"),
        (("--columns",), "--columns: allowed with --inputs or --data"),
        (("--eta", "0"), "--eta: allowed with --inputs or --data"),
        (("--inputs", "laplace", "--dimensions", "100,200"), "allowed is one"),
        (("--inputs", "cauchy"), "allowed are gaussian, boolean"),
        (("--data", "/nowhere/X.npy"), "--data '/nowhere/X.npy': no such file or directory"),
        (("--data", __file__), "allowed are .npy, or text of numbers"),
        (("--inputs", "laplace", "--data", __file__), "allowed are .npy, or text of numbers"),
    ],
)
def test_verify_refuses_what_does_not_fit_in_one_line(capsys, arguments, says):
    code, _, err = rebatch(capsys, "verify", "z1", *arguments)
    assert code == 2
    assert says in err
    assert err.count("\n") == 1


# Each takes a law, and says in one line why what it does is known of Gaussian inputs alone.
OF_GAUSSIAN = {
    "phases": "Hermite coefficients",
    "learn": "a theorem of Gaussian inputs",
    "threshold": "state evolution",
    "amp": "state evolution",
    "ceiling": "state evolution",
    "scaling --look-ahead 1": "Hermite coefficients",
}
OF_ANY = {
    "analyze": [],
    "scaling": ["--dimensions", "16,24,32", "--replicas", "32"],
    "converge": ["--dimensions", "30,40,50", "--runs", "3", "-s", "relu", "--figure", "converge.png"],
    "overlap": ["-s", "h + h^2/2"],
    "simulate": ["-s", "relu", "--alpha", "1", "--eta", "0.1", "--d", "50", "--steps", "1"],
}


@pytest.mark.parametrize("inputs", ["boolean", "laplace", "boolean, gaussian"])
def test_every_command_on_a_target_answers_for_a_law_or_says_why_not(capsys, inputs, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for command, why in OF_GAUSSIAN.items():
        name, *flags = command.split()
        code, out, err = rebatch(capsys, name, "z1*z2 + z1", "--inputs", inputs, *flags)
        assert (code, out) == (2, ""), command
        text = " ".join(err.split())
        assert "allowed are gaussian inputs" in text, command
        assert why in text, command
    for command, options in OF_ANY.items():
        code, out, err = rebatch(capsys, command, "z1*z2 + z1", "--inputs", inputs, *options)
        assert (code, err) == (0, ""), command
        assert f"inputs {inputs}" in out.replace("Inputs", "inputs"), command
