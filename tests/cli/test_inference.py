import json
import sys

import pytest

from rebatch.cli import main


def rebatch(capsys, monkeypatch, *arguments):
    monkeypatch.setattr(sys, "argv", ["rebatch", *arguments])
    with pytest.raises(SystemExit) as end:
        main.main()
    out, err = capsys.readouterr()
    return end.value.code, out, err


def test_threshold_prints_stages_certificates_and_the_price(capsys, monkeypatch):
    code, out, _ = rebatch(capsys, monkeypatch, "threshold", "@he4", "--max-degree", "2")
    assert not code
    assert "0.644850" in out
    assert "211/32" in out
    assert "beta = 2" in out


def test_threshold_json_has_null_for_infinity(capsys, monkeypatch):
    _, out, _ = rebatch(capsys, monkeypatch, "threshold", "sign(z1*z2*z3)", "--json")
    known = json.loads(out)
    assert set(known) == {"target", "stages", "certificates", "noise_exponent"}
    assert [stage["alpha_c"] for stage in known["stages"]] == [0.0, None]
    assert known["noise_exponent"] is None


@pytest.mark.parametrize("target", ["z1^2", "heaviside(z1^2 - 1)", "z1^2 + z2^2"])
def test_threshold_draws_the_transform_of_the_label(capsys, monkeypatch, tmp_path, target):
    figure = tmp_path / "t.png"
    code, _, _ = rebatch(capsys, monkeypatch, "threshold", target, "--transform", str(figure))
    assert not code
    assert figure.stat().st_size > 0


def test_threshold_shows_the_grand_staircase(capsys, monkeypatch):
    _, out, _ = rebatch(capsys, monkeypatch, "threshold", "z1^2 + z2^2", "--staircase", "--json")
    assert [stage["alpha_c"] for stage in json.loads(out)["staircase"]] == [0, 1]
    _, out, _ = rebatch(capsys, monkeypatch, "threshold", "z1^2 + z2^2", "--staircase")
    assert "squared cosines known by then" in " ".join(out.split())


def test_ceiling_says_one_number_and_writes_a_figure(capsys, monkeypatch, tmp_path):
    figure = tmp_path / "c.png"
    _, out, _ = rebatch(
        capsys, monkeypatch, "ceiling", "z1", "--steps", "2", "--etas", "1,2", "--figure", str(figure)
    )
    assert "two steps on one batch reach" in " ".join(out.split())
    assert figure.stat().st_size > 0


def test_amp_shows_state_evolution_and_a_run_beside_it(capsys, monkeypatch):
    code, out, _ = rebatch(
        capsys, monkeypatch, "amp", "He(3, z1)", "--alpha", "1", "--steps", "3", "-d", "4000", "--json"
    )
    assert not code
    known = json.loads(out)
    (evolution,) = known["evolutions"]
    # One step from nothing: cos^2 = .4004; one run at d = 4000 scatters by about 1/sqrt(d).
    assert evolution["cosines"][1][0] ** 2 == pytest.approx(0.4004, abs=1e-4)
    assert abs(known["run"]["cosine"][1]) == pytest.approx(0.4004**0.5, abs=0.1)
    _, out, _ = rebatch(capsys, monkeypatch, "amp", "He(3, z1)", "--alpha", "1", "--steps", "3", "-d", "4000")
    assert "products with X" in out
    assert "at rest is where a step moves no squared cosine by more than 1e-8" in out


def test_amp_tells_and_draws_where_it_comes_to_rest_at_several_alphas(capsys, monkeypatch, tmp_path):
    figure = tmp_path / "rest.png"
    code, out, _ = rebatch(capsys, monkeypatch, "amp", "z1^2", "--alpha", "0.4,0.8", "--figure", str(figure))
    assert not code
    assert figure.stat().st_size > 0
    rows = [line.split() for line in out.splitlines() if line.startswith((" 0.4", " 0.8", "0.4", "0.8"))]
    # alpha_c = 1/2.
    assert float(rows[0][1]) < 0.01 < 0.3 < float(rows[1][1])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["amp", "z1", "--alpha", "0"], "alpha"),
        (["amp", "z1", "--alpha", "1,many"], "numbers above 0 with commas"),
        (["amp", "z1", "--damping", "1"], "damping"),
        (["amp", "z1", "--start", "1"], "start"),
        (["amp", "z1", "--steps", "0"], "steps"),
        (["amp", "z1*z2", "--steps", "1", "-d", "100"], "--d allows targets of one direction"),
        (["amp", "z1", "--alpha", "1,2", "-d", "100"], "one --alpha"),
        (["amp", "z1*z2*z3"], "3 directions"),
        (["threshold", "z1^2", "--noise-std", "-1"], "noise_std"),
        (["threshold", "exp(z1^2/3)"], "E[y^2]"),
        (["threshold", "z1", "--transform", "t.png"], "no transform"),
        (["ceiling", "z1", "--alpha", "0"], "alpha"),
        (["ceiling", "z1*z2*z3"], "3 directions"),
        (["ceiling", "z1", "--steps", "1"], "steps"),
    ],
)
def test_bad_input_is_one_clear_line(capsys, monkeypatch, arguments, words):
    code, out, err = rebatch(capsys, monkeypatch, *arguments)
    assert code == 2
    assert not out
    assert words in err
    assert err.count("\n") == 1
