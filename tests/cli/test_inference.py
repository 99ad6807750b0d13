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


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
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
