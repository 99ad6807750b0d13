import importlib
import inspect
import json
import os
import sys

import numpy as np
import pytest
import typer

from rebatch import Trajectory
from rebatch.cli.main import app, main
from rebatch.symbolic.exact.subspace import axis
from rebatch.verify.claims import Claimed


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


def test_analyze_prints_exponents_and_proofs(capsys):
    code, out, _ = rebatch(capsys, "analyze", "z1 + He(3, z2)")
    assert code == 0
    assert "isotropic leap" in out
    assert "(21, 324)" in out


def test_analyze_gives_json_with_the_promised_keys(capsys):
    code, out, _ = rebatch(capsys, "analyze", "z1 + z2 + z1*z2", "--json")
    data = json.loads(out)
    assert code == 0
    assert {
        "target",
        "k",
        "dimension",
        "information_exponent",
        "leap",
        "isotropic_leap",
        "staircase",
        "two_step",
    } <= {*data}
    assert data["isotropic_leap"]["sequence"] == [
        {"order": 1, "directions": [["1", "1"]]},
        {"order": 2, "directions": [["1", "-1"]]},
    ]


def test_analyze_says_what_an_activation_shows_and_which_to_take(capsys):
    code, out, _ = rebatch(capsys, "analyze", "He(3, z)", "-s", "erf", "--which-activation")
    assert code == 0
    assert "shown at" in out
    assert "fails literally" in out
    assert "is shown by relu" in out
    _, out, _ = rebatch(capsys, "analyze", "He(3, z)", "-s", "erf", "--which-activation", "--json")
    data = json.loads(out)
    assert data["activation_check"]["directions"][0]["power"] == 3
    assert "linear" not in data["which_activation"]["best"]


def test_learn_says_whether_the_chain_succeeds_and_draws_it(capsys, tmp_path):
    figure = tmp_path / "chain.png"
    code, out, _ = rebatch(
        capsys,
        "learn",
        "He(3, z)",
        "-s",
        "h + He(3, h)",
        "--accuracy",
        "0.3",
        "-d",
        "300",
        "--figure",
        str(figure),
    )
    assert code == 0
    assert "learned: a small error in O(d) samples" in out
    assert "C(m) = 6 m^3" in out
    assert figure.stat().st_size > 10_000
    _, out, _ = rebatch(capsys, "learn", "He(4, z)", "-s", "h + He(3, h)", "-d", "", "--json")
    assert json.loads(out)["outcome"] == "not learned"
    code, _, err = rebatch(capsys, "learn", "z1 + z2^2", "-d", "")
    assert code == 2
    assert "has 2 directions" in err


def test_simulate_draws_a_gaussian_readout_from_its_seed_at_a_symmetric_start(capsys):
    options = ("-s", "relu", "-p", "4", "--alpha", "2", "--eta", "0.1", "-d", "50", "--start", "symmetric")
    code, out, _ = rebatch(
        capsys, "simulate", "z1", *options, "--readout", "gaussian", "--readout-seed", "5", "--json"
    )
    assert code == 0
    assert '"readout_seed": 5' in out
    code, _, err = rebatch(capsys, "simulate", "z1", *options, "--readout", "gaussian")
    assert code == 2
    assert "without readout_seed" in err


def test_overlap_says_what_its_activation_shows(capsys):
    _, out, _ = rebatch(capsys, "overlap", "He(3, z)", "-s", "h + h^2/2", "--json")
    (direction,) = json.loads(out)["activation_check"]["directions"]
    assert direction["outcome"] == "vanishes"
    assert "a polynomial of degree 2 reaches m <= 2" in direction["reason"]


def test_analyze_puts_sharp_thresholds_beside_the_exponents(capsys):
    _, out, _ = rebatch(capsys, "analyze", "z1 + z2^2 - z3^2", "--noise-std", "1", "--json")
    found = json.loads(out)["algorithms"]
    assert found["noise_std"] == 1
    assert {row["more_steps"]: row["alpha_c"] for row in found["rows"]} == {"round 1": 0, "hidden": None}
    assert all("<=" in row["words"] for row in found["rows"] if row["alpha_c"] is None)
    assert "alpha_c of AMP" in found["bounds"]


def test_analyze_says_what_each_algorithm_needs_in_json(capsys):
    code, out, _ = rebatch(capsys, "analyze", "@parity-3", "--json")
    data = json.loads(out)
    assert code == 0
    assert data["target"] == "sign(z1*z2*z3)"
    assert data["generative_leap"]["value"] == data["generative_leap"]["lower"] == 3
    assert data["reuse_staircase"]["dimensions"] == []
    assert data["samples"]["statistical_queries"]["text"] == "d^(3/2)"
    assert data["samples"]["reuse"]["text"] == "not with n = O(d)"


def test_analyze_shows_directions_by_algorithm(capsys):
    code, out, _ = rebatch(capsys, "analyze", "@relu-committee")
    assert code == 0
    assert "e1 - e2" in out
    assert "statistical queries" in out
    assert "d log d" in out


def test_the_catalog_lists_its_targets_with_exponents(capsys):
    code, out, _ = rebatch(capsys, "catalog", "--json")
    data = {entry["name"]: entry for entry in json.loads(out)}
    assert code == 0
    assert len(data) >= 40
    assert data["generative-four"]["generative_leap"]["value"] == 4


def test_overlap_gives_formula_and_numbers(capsys):
    code, out, _ = rebatch(
        capsys, "overlap", "He(3, z)", "-s", "h + h^2/2 + h^3/6", "--alpha", "2", "--eta", "0.05", "--json"
    )
    data = json.loads(out)
    assert code == 0
    assert data["numbers"][2][0][0] == pytest.approx(-1.00556, abs=1e-4)
    assert "1215*alpha*eta**3/2" in data["M2"][0][0]


def test_overlap_prints_latex(capsys):
    code, out, _ = rebatch(capsys, "overlap", "He(3, z)", "-s", "h + h^3", "--latex")
    assert code == 0
    assert r"\alpha" in out


def test_overlap_expands_where_there_is_no_closed_formula(capsys):
    code, out, _ = rebatch(
        capsys, "overlap", "He(3, z)", "-s", "erf", "--series", "3", "--loss", "correlation"
    )
    assert code == 0
    assert "-12960 √7 α η³/(49 π^(3/2)) + O(η⁴)" in out
    assert "beyond η³" in out


def test_overlap_without_an_activation_gives_the_universal_formula(capsys):
    code, out, _ = rebatch(capsys, "overlap", "He(3, z)", "--loss", "correlation")
    assert code == 0
    assert "M²[1, z₁] = 162 E[σ'² σ'''] α η³ + O(η⁴)" in out
    assert "learned (m = 3)" in out
    assert "What the second look at the batch adds to M2:" in out
    _, out, _ = rebatch(capsys, "overlap", "He(3, z)", "--json")
    data = json.loads(out)
    assert data["series"]["activation"] is None
    assert data["series"]["readout"] == ["1"]
    assert data["headline"][0]["reuse"]["coefficients"] == ["162*E[sigma'^2 sigma''']*alpha"]
    assert data["reuse_adds"] == [["162*E[sigma'^2 sigma''']*alpha*eta**3"]]
    _, out, _ = rebatch(capsys, "overlap", "He(3, z)", "--latex")
    begin, formula, reuse, one_pass, end = out.splitlines()
    assert (begin, end) == (r"\begin{align*}", r"\end{align*}")
    assert formula.endswith(r"O(\eta^{4}) \\")
    assert r"\left(\sigma'\right)^{2}" in reuse
    assert one_pass.endswith(r"= O(\eta^{4})")


@pytest.mark.parametrize(
    ("activation", "order", "powers", "why"),
    [("erf", 3, [1, 3], ""), ("tanh", 3, [1, 3], ""), ("relu", 1, [1, None], "delta at 0")],
)
def test_overlap_prints_the_series_that_exists(capsys, activation, order, powers, why):
    code, out, err = rebatch(capsys, "overlap", "z1 + He(3, z2)", "-s", activation)
    assert (code, err) == (0, "")
    assert ("No further" in out) == bool(why)
    _, out, _ = rebatch(capsys, "overlap", "z1 + He(3, z2)", "-s", activation, "--json")
    data = json.loads(out)
    assert data["series"]["order"] == order
    assert why in data["series"]["stopped"]
    assert bool(why) == bool(data["series"]["stopped"])
    assert [row["reuse"]["power"] for row in data["headline"]] == powers


def test_overlap_in_one_pass_shows_the_one_pass_formula(capsys):
    _, reused, _ = rebatch(capsys, "overlap", "z1 + He(3, z2)", "-s", "erf", "--json")
    _, fresh, _ = rebatch(capsys, "overlap", "z1 + He(3, z2)", "-s", "erf", "--one-pass", "--json")
    reused, fresh = json.loads(reused), json.loads(fresh)
    assert (reused["series"]["reuse"], fresh["series"]["reuse"]) == (True, False)
    assert reused["headline"] == fresh["headline"]
    assert fresh["reuse_adds"] is None
    assert fresh["series"]["coefficients"][3][0][1] == "0" != reused["series"]["coefficients"][3][0][1]


def test_overlap_says_what_a_headline_from_a_start_means(capsys):
    _, out, _ = rebatch(
        capsys, "overlap", "z1*z2", "-s", "h + h^2/2", "--start", "1/3,0", "--loss", "correlation"
    )
    assert "1/3 (the start)" in out
    assert "Verdicts and m are for the start M = 0." in out
    _, out, _ = rebatch(capsys, "overlap", "z1*z2 + z1", "-s", "h + h^2/2", "--normalize")
    assert "Rows normalised" in out


def test_overlap_gives_numbers_for_normalised_rows_of_any_activation(capsys):
    arguments = ("overlap", "z1", "--alpha", "2", "--eta", "0.1", "--normalize", "--json")
    _, out, _ = rebatch(capsys, *arguments, "-s", "h")
    exact = json.loads(out)["numbers"]
    _, out, _ = rebatch(capsys, *arguments, "-s", "tanh")
    data = json.loads(out)
    # tanh and h have the same M^1 up to E[tanh'] and a smaller output: an overlap of the same sign, below 1.
    assert 0 < data["numbers"][2][0][0] < exact[2][0][0] < 1
    assert data["error_meaning"] == "difference of two Gauss-Hermite grids"


def test_overlap_gives_numbers_with_errors_for_any_activation(capsys):
    code, out, _ = rebatch(capsys, "overlap", "z1", "-s", "tanh", "--alpha", "2", "--eta", "0.1", "--json")
    data = json.loads(out)
    assert code == 0
    assert 0 < data["standard_error"][2][0][0] < 1e-3 * data["numbers"][2][0][0]


def test_overlap_draws_curves_with_points_and_a_map(capsys, tmp_path):
    curve, chart = tmp_path / "curve.png", tmp_path / "map.svg"
    arguments = [
        "overlap",
        "z1 + z2^2",
        "-s",
        "h + h^2",
        "--alpha",
        "2",
        "--eta",
        "0.05",
        "--figure",
        str(curve),
    ]
    code, _, _ = rebatch(capsys, *arguments, "--map", str(chart), "--runs", "3", "-d", "500")
    assert code == 0
    assert curve.read_bytes().startswith(b"\x89PNG")
    assert "<svg" in chart.read_text()


def test_overlap_draws_what_the_limit_gives_for_any_activation(capsys, tmp_path):
    code, out, err = rebatch(
        capsys,
        "overlap",
        "tanh(z1)",
        "-s",
        "relu",
        "--alpha",
        "1",
        "--eta",
        "0.3",
        "--figure",
        str(tmp_path / "c.png"),
    )
    assert (code, err) == (0, "")
    assert "±" in out
    assert (tmp_path / "c.png").stat().st_size > 10_000


def test_overlap_starts_from_a_given_overlap(capsys):
    code, out, _ = rebatch(
        capsys, "overlap", "He(3, z)", "-s", "h + h^2", "--start", "0.5", "--loss", "correlation"
    )
    assert code == 0
    # M^1 = (1 - eta lam)/2 + alpha eta E[(1 + 2 h) He_3(z) z] with E[h^0 He_3 z] = 0: only the start is there.
    assert "M¹[1, z₁] = 1/2 - η λ/2" in out
    _, out, _ = rebatch(capsys, "overlap", "He(3, z)", "-s", "h + h^2", "--start", "1/3", "--json")
    assert json.loads(out)["M0"] == [["1/3"]]
    code, _, err = rebatch(capsys, "overlap", "He(3, z)", "-s", "h + h^2", "--start", "half")
    assert code == 2
    assert "--start 'half'" in err


def test_overlap_prints_a_function_that_runs(capsys):
    _, out, _ = rebatch(capsys, "overlap", "He(3, z)", "-s", "h + h^3", "--python")
    namespace = {}
    exec(out, namespace)
    assert namespace["two_step_overlap"](2.0, 0.1)[1].shape == (1, 1)


@pytest.mark.filterwarnings("default")
def test_a_diverging_run_keeps_its_steps_and_warns(capsys):
    arguments = [
        "simulate",
        "z1^3",
        "-s",
        "cubic",
        "--alpha",
        "2",
        "--eta",
        "100",
        "-d",
        "100",
        "--steps",
        "9",
        "--json",
    ]
    code, out, err = rebatch(capsys, *arguments)
    (run,) = json.loads(out)["runs"]
    assert code == 0
    assert 1 <= len(run["M"]) < 10
    assert "diverged at step" in run["stopped"]
    assert err.startswith("warning: the overlaps diverged")


def test_simulate_compares_runs_with_the_limit(capsys):
    arguments = [
        "simulate",
        "z1 + z2^2",
        "-s",
        "tanh",
        "--alpha",
        "2",
        "--eta",
        "0.3",
        "-d",
        "3000",
        "--runs",
        "4",
    ]
    code, out, _ = rebatch(capsys, *arguments, "--compare")
    assert code == 0
    assert "z-score" in out


def test_simulate_shows_and_saves_a_trajectory(capsys, tmp_path):
    path = tmp_path / "run.nc"
    arguments = [
        "simulate",
        "z1",
        "-s",
        "relu",
        "--alpha",
        "2",
        "--eta",
        "0.1",
        "-d",
        "500",
        "--out",
        str(path),
    ]
    code, out, _ = rebatch(capsys, *arguments)
    assert code == 0
    assert "training loss" in out
    assert Trajectory.load(path).M.shape == (3, 1, 1)


def test_simulate_gives_json_for_every_run(capsys):
    code, out, _ = rebatch(
        capsys,
        "simulate",
        "z1",
        "-s",
        "erf",
        "--alpha",
        "2",
        "--eta",
        "0.1",
        "-d",
        "50",
        "--runs",
        "3",
        "--json",
    )
    assert code == 0
    assert [run["seed"] for run in json.loads(out)["runs"]] == [0, 1, 2]


def test_the_demo_runs_and_writes_its_figure(capsys, tmp_path):
    figure = tmp_path / "demo.png"
    code, out, _ = rebatch(capsys, "demo", "-d", "2000", "--runs", "3", "--figure", str(figure))
    assert code == 0
    assert "z-score" in out
    assert figure.read_bytes().startswith(b"\x89PNG")


NUMBERS = ["-s", "h", "--alpha", "1", "--eta", "0.1"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["analyze", "z1 + foo"], "foo"),
        (["analyze", "z1 + (z2"], "never closed"),
        (["analyze", ""], "empty"),
        (["analyze", "log(z1)"], "not defined"),
        (["analyze", "@nobody"], "rebatch catalog"),
        (["analyze", "z1", "--max-order", "0"], "max_order"),
        (["analyze"], "Missing argument"),
        (["overlap", "z1", "-s", "tanh", "--normalize"], "--normalize gives the exact formula"),
        (["overlap", "z1", "-s", "tanh", "--start", "1/2"], "--start gives the exact formula"),
        (["overlap", "z1", "--start", "1/2", "--normalize"], "--normalize, --start: give an activation"),
        (["overlap", "z1", "--python"], "--python: give an activation"),
        (["overlap", "z1", "--alpha", "2", "--eta", "0.1"], "--alpha and --eta: give an activation"),
        (["overlap", "z1", "-s", "relu", "--series", "2"], "give numbers"),
        (["overlap", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "--latex"], "prints a formula"),
        (["overlap", "z1", "-s", "h", "--json", "--latex"], "three forms"),
        (["overlap", "z1", "-s", "h", "--readout", "inf"], "readout"),
        (["overlap", "z1", "-s", "h", "--series", "99"], "--series 99"),
        (["overlap", "z1", "-s", "erf", "--series", "2", "--python"], "polynomial activation"),
        (["analyze", "-z1"], 'stands after "--"'),
        (["analyze", "z1 #[/]"], "'#'"),
        (["demo", "--figure", "x.xyz"], ".png"),
        (
            ["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "-p", "100000000"],
            "from 1 to 4,096",
        ),
        (["simulate", "z1", "-s", "relu", "--alpha", "2", "--eta", "0.1", "-d", "100000000000"], "80%"),
        (["simulate", "z1", "-s", "relu", "--alpha", "2", "--eta", "0.1", "--compare"], "--runs"),
        (
            ["simulate", "1e300*z1*1e300", "-s", "relu", "--alpha", "1", "--eta", "0.1", "-d", "100"],
            "floating",
        ),
        (["simulate", "z1", *NUMBERS, "--runs", "1000000000000"], "1000000000000 runs"),
        (
            ["simulate", "z1", *NUMBERS, "-d", "100", "--steps", "1000000000000"],
            "runs of 1000000000002 steps",
        ),
        (["simulate", "z1", *NUMBERS, "--engine", "limit", "--steps", "1000000"], "the limit's kernels"),
        (["learn", "z1", "--runs", "1000000000000"], "1000000000000 runs"),
        (["overlap", "z1", "-s", "swish"], "swish"),
        (["overlap", "z1", "-s", "h", "--alpha", "2"], "together"),
        (["overlap", "z1", "-s", "h", "--alpha", "-2", "--eta", "1"], "alpha = -2"),
        (["simulate", "z1", "-s", "relu", "--alpha", "nan", "--eta", "1"], "alpha = nan"),
        (["simulate", "z1", "-s", "relu", "--alpha", "-1", "--eta", "1"], "alpha = -1"),
        (["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "0"], "eta = 0"),
        (["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "inf"], "eta = inf"),
        (["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "-p", "0"], "neurons = 0"),
        (["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "-d", "1"], "d = 1"),
        (["simulate", "z1", "-s", "nothing", "--alpha", "1", "--eta", "1"], "nothing"),
        (["simulate", "z1", "-s", "relu", "--alpha", "x", "--eta", "1"], "--alpha"),
        (["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "--readout", "1,b"], "--readout"),
        (
            ["simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "1", "--runs", "2", "--out", "f.nc"],
            "--out",
        ),
        (["overlap", "z1", "-s", "h", "--loss", "hinge"], "hinge"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_clear_error_and_exit_code_2(capsys, arguments, says):
    code, out, err = rebatch(capsys, *arguments)
    assert code == 2
    assert out == ""
    assert says in err
    assert err.startswith("error: ")
    # A text gets two more lines, itself and the caret under the place.
    assert err.count("\n") in (1, 3)


NEEDED = {"activation": ["-s", "h"], "alpha": ["--alpha", "1"], "eta": ["--eta", "0.1"]}
TAKE_A_TARGET = {
    name: [word for p in command.params if p.required and p.name in NEEDED for word in NEEDED[p.name]]
    for name, command in typer.main.get_command(app).commands.items()
    if any(p.name == "target" for p in command.params)
}


@pytest.mark.parametrize("command", TAKE_A_TARGET)
def test_every_command_knows_the_names_of_the_catalog(capsys, command):
    code, out, err = rebatch(capsys, command, "@nobody", *TAKE_A_TARGET[command])
    assert (code, out) == (2, "")
    assert err.startswith("error: no target is named '@nobody'; `rebatch catalog` lists the ")
    assert err.count("\n") == 1


# What takes a path, and the work that is done only once the path has been looked at. A file that is read is looked at
# by reading it.
PLAN = 'd = 100\nseeds = 1\n[setting]\ntarget = "z1"\nactivation = "relu"\nalpha = 2\nsteps = 2\neta = 0.1\n'
COMPARED = [*NUMBERS, "--compare", "--runs", "6"]
WORK = {
    ("overlap", "figure"): ("cli.overlap", "formulas_of", ["z1", *NUMBERS, "--figure"]),
    ("overlap", "map_figure"): ("cli.overlap", "formulas_of", ["z1", *NUMBERS, "--map"]),
    ("phases", "figure"): ("symbolic.phases.diagram", "phase_diagram", ["z1", "--figure"]),
    ("learn", "figure"): ("numeric.generalization", "generalization", ["z1", "--figure"]),
    ("threshold", "figure"): ("numeric.inference.threshold", "weak_recovery_threshold", ["z1", "--figure"]),
    ("threshold", "transform"): (
        "numeric.inference.threshold",
        "weak_recovery_threshold",
        ["z1", "--transform"],
    ),
    ("amp", "figure"): ("cli.message_passing", "evolutions", ["z1", "--figure"]),
    ("ceiling", "figure"): ("numeric.inference.ceiling", "ceiling", ["z1", "--figure"]),
    ("simulate", "figure"): ("cli.simulation", "perform", ["z1", *COMPARED, "--figure"]),
    ("simulate", "out"): ("cli.simulation", "perform", ["z1", *NUMBERS, "--out"]),
    ("repeat", "out"): ("numeric.repeat", "repeat", ["run.nc", "--out"]),
    ("repeat", "file"): ("numeric.repeat", "simulate", []),
    ("demo", "figure"): ("cli.demonstration", "run", ["--json", "--figure"]),
    ("sweep", "figure"): ("numeric.sweep", "simulate", ["plan.toml", "--figure"]),
    ("sweep", "source"): ("numeric.sweep", "simulate", []),
    ("sweep", "folder"): ("numeric.sweep", "simulate", ["plan.toml"]),
    ("report", "out"): ("cli.report.sections", "what_theory_says", ["z1", "--out"]),
    ("converge", "figure"): ("verify.convergence", "convergence", ["--figure"]),
    ("converge", "keep"): ("verify.convergence", "convergence", ["--keep"]),
    ("verify", "figure"): ("verify.learnability", "learnability", ["z1", "--figure"]),
    ("verify", "data"): ("cli.universality", "universality", ["z1", "--data"]),
    ("verify", "keep"): ("verify.learnability", "learnability", ["z1", "--keep"]),
    ("scaling", "figure"): ("verify.scaling", "scaling", ["z1", "--figure"]),
    ("scaling", "keep"): ("verify.scaling", "scaling", ["z1", "--keep"]),
    ("paper", "figure"): ("verify.paper", "paper", ["--figure"]),
    ("paper", "keep"): ("verify.paper", "paper", ["--keep"]),
}
READ, FOLDERS = {"file", "source", "data"}, {"keep", "folder"}
FIGURES = {"figure", "map_figure", "transform"}


def test_every_path_of_every_command_is_in_the_table():
    found = {
        (info.callback.__name__, name)
        for info in app.registered_commands
        for name, parameter in inspect.signature(info.callback).parameters.items()
        if "Path" in str(parameter.annotation) or name == "source"
    }
    assert found == {*WORK}


@pytest.fixture(params=WORK, ids="-".join)
def with_path(request, capsys, monkeypatch, tmp_path):
    """Return what runs a command with a path, the name of the option, and a path that it takes."""
    command, option = request.param
    module, name, given = WORK[command, option]

    def work(*_, **__):
        raise ZeroDivisionError("the work has begun")

    monkeypatch.setattr(importlib.import_module(f"rebatch.{module}"), name, work)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "taken").write_text("a file")
    (tmp_path / "plan.toml").write_text(PLAN)
    np.save(tmp_path / "X.npy", np.zeros((4, 2)))
    ending = {**dict.fromkeys(FIGURES, ".png"), "out": ".nc", "file": ".toml", "source": ".toml"}.get(
        option, ""
    )
    ending = ".html" if command == "report" else ending
    for folder in (f"folder{ending}", "folder.npy"):
        (tmp_path / folder).mkdir(exist_ok=True)
    good = {"file": "plan.toml", "source": "plan.toml", "data": "X.npy"}.get(option, f"new/folders/x{ending}")
    return lambda path: rebatch(capsys, command, *given, os.fspath(path)), option, ending, good


def test_a_path_is_looked_at_before_the_work(with_path, tmp_path):
    run, option, ending, good = with_path
    bad = [f"taken/x{ending}", "/dev/null", "a\0b"]
    bad += ["taken"] if option in FOLDERS else [f"folder{ending}" if option != "data" else "folder.npy"]
    bad += ["x.xyz", "x", ""] if option in FIGURES else []
    bad += (
        ["missing.toml", "missing.npy", ""]
        if option in READ
        else ["/proc/new/x" + ending, f"{'x' * 300}{ending}"]
    )
    for path in bad:
        code, out, err = run(path)
        assert (code, out) == (2, ""), (path, err)
        assert err.startswith("error: ")
        assert err.count("\n") == 1
    odd = (
        []
        if option in READ
        else [os.fsdecode(b"\xff") + ending, "two words\n" + ending, f"-{ending}" if ending else "é"]
    )
    for path in (good, tmp_path / good, *odd):
        code, _, err = run(path)
        assert (code, "the work has begun" in err) == (70, True), (path, err)


def test_a_name_stands_for_its_text(capsys):
    by_name, by_text = (rebatch(capsys, "overlap", t, "-s", "h", "--json")[1] for t in ("@he3", "He(3, z1)"))
    assert by_name == by_text


def test_simulate_starts_where_it_is_told(capsys):
    options = ("-s", "erf", "--alpha", "2", "--eta", "0.1", "-d", "60", "--json")
    _, out, _ = rebatch(capsys, "simulate", "z1 + z2", *options, "--start", "1/3,-0.2")
    assert json.loads(out)["runs"][0]["M"][0][0] == pytest.approx([1 / 3, -0.2], rel=1e-12)
    code, _, err = rebatch(capsys, "simulate", "z1", *options, "--start", "half")
    assert code == 2
    assert "allowed are orthogonal, random, symmetric, numbers with commas" in err


def test_converge_fits_both_laws_and_draws_them(capsys, tmp_path):
    figure = tmp_path / "convergence.png"
    code, out, _ = rebatch(
        capsys,
        "converge",
        "--dimensions",
        "10,40,160",
        "--runs",
        "20",
        "--figure",
        str(figure),
        "--json",
    )
    data = json.loads(out)
    assert code == 0
    assert figure.stat().st_size > 0
    assert data["runs"] == [20, 20, 20]
    assert data["spread"][0] > data["spread"][2]


def test_converge_takes_the_runs_at_each_dimension(capsys, tmp_path):
    options = ("--dimensions", "10,40,160", "--figure", str(tmp_path / "convergence.png"), "--json")
    code, out, _ = rebatch(capsys, "converge", *options, "--runs", "5,8,11")
    assert code == 0
    assert json.loads(out)["runs"] == [5, 8, 11]
    code, _, err = rebatch(capsys, "converge", *options, "--runs", "5,8")
    assert code == 2
    assert "one for each dimension" in err


def test_converge_refuses_dimensions_that_are_no_numbers(capsys):
    code, _, err = rebatch(capsys, "converge", "--dimensions", "10,many")
    assert code == 2
    assert "integers with commas" in err


def test_verify_puts_verdicts_to_the_test(capsys, tmp_path):
    figure = tmp_path / "verify.png"
    options = ("--dimensions", "250,2000,16000", "--runs", "16", "--figure", str(figure))
    code, out, _ = rebatch(capsys, "verify", "@he3", *options, "--json")
    data = json.loads(out)
    assert code == 0
    assert data["agrees"] is True
    assert [(c["batch"], c["step"], c["claim"], c["outcome"]) for c in data["checks"]] == [
        ("reused", 1, "hidden", "agrees"),
        ("reused", 2, "learned", "agrees"),
        ("fresh", 2, "hidden", "agrees"),
    ]
    assert figure.read_bytes().startswith(b"\x89PNG")


def test_verify_exits_with_1_where_theory_and_numbers_disagree(capsys, monkeypatch):
    false = Claimed(axis(0, 1), True, 2, "hidden", "a false claim")
    monkeypatch.setattr("rebatch.verify.learnability.claims_of", lambda *_: (false,))
    code, out, _ = rebatch(capsys, "verify", "z1", "--dimensions", "100,400,1600", "--runs", "8")
    assert code == 1
    assert "theory and numbers disagree: 1 contradicted" in " ".join(out.split())
    assert "disagrees" in out


def test_verify_refuses_bad_input_with_2(capsys):
    for arguments in (["z1 +"], ["z1", "--dimensions", "a,b"], ["z1", "--dimensions", "10,20"], ["@none"]):
        code, _, err = rebatch(capsys, "verify", *arguments)
        assert code == 2
        assert err.startswith("error: ")


def test_verify_of_a_constant_has_nothing_to_test(capsys):
    code, out, _ = rebatch(capsys, "verify", "3")
    assert code == 0
    assert "nothing to test" in out


def test_simulate_compares_all_overlaps_at_once_and_draws_them(capsys, tmp_path):
    figure = tmp_path / "agreement.svg"
    arguments = ("simulate", "z1", "-s", "h", "--alpha", "2", "--eta", "0.5", "-d", "2000", "--runs", "8")
    code, out, _ = rebatch(capsys, *arguments, "--compare", "--figure", str(figure))
    assert code == 0
    assert "together: Hotelling" in out
    assert figure.exists()
    code, _, err = rebatch(capsys, *arguments, "--figure", str(figure))
    assert (code, "--compare" in err) == (2, True)


def test_paper_prints_each_curve_beside_the_published_one_and_draws_them(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("rebatch.verify.paper._QUICK", (2**12, 4))
    figure = tmp_path / "paper.png"
    code, out, _ = rebatch(capsys, "paper", "fig2-tanh-tanh", "--quick", "--figure", str(figure))
    assert code == 0
    assert "agrees: the caption's setting gives every printed curve" in out
    assert "0.1645" in out
    assert figure.stat().st_size > 10_000
    _, out, _ = rebatch(capsys, "paper", "fig4-cyclic", "--quick", "--json")
    (done,) = json.loads(out)["experiments"]
    assert done["id"] == "fig4-cyclic"
    for curve in done["curves"]:
        assert len(curve["computed"]) == len(curve["error"]) == len(curve["published"])
        assert isinstance(curve["agrees"], bool)
    code, _, err = rebatch(capsys, "paper", "fig9")
    assert code == 2
    assert "no experiment 'fig9'" in err
