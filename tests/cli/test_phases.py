import json
import sys

import pytest

from rebatch.cli.main import main


def rebatch(capsys, monkeypatch, *arguments):
    """Run the command in this process; return its exit code, output and errors."""
    monkeypatch.setattr(sys, "argv", ["rebatch", *arguments])
    with pytest.raises(SystemExit) as done:
        main()
    output = capsys.readouterr()
    return done.value.code, output.out, output.err


def test_the_diagram_is_printed_and_drawn(capsys, monkeypatch, tmp_path):
    figure = tmp_path / "phases.png"
    code, out, _ = rebatch(capsys, monkeypatch, "phases", "He(4, z)", "-s", "relu", "--figure", str(figure))
    assert code == 0
    assert "crossing" in out
    assert "log d" in out
    assert figure.stat().st_size > 10_000


def test_json_holds_the_maps_and_nothing_else(capsys, monkeypatch):
    code, out, _ = rebatch(capsys, monkeypatch, "phases", "@he3", "--json")
    data = json.loads(out)
    assert code == 0
    assert data.keys() == {"directions"}
    (direction,) = data["directions"]
    assert direction.keys() == {"direction", "batch", "look_ahead"}
    assert all(piece.keys() == {"mu", "step", "time", "samples", "log"} for piece in direction["batch"])
    assert all(piece.keys() == {"r", "time", "term", "log"} for piece in direction["look_ahead"])


def test_latex_is_a_table(capsys, monkeypatch):
    code, out, _ = rebatch(capsys, monkeypatch, "phases", "He(3, z)", "--latex")
    assert code == 0
    assert out.startswith(r"\begin{tabular}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("z +",), "error"),
        (("z", "--json", "--latex"), "two forms"),
        (("z", "--max-power", "0"), "max_power"),
        (("z", "--max-power", "100000000"), "max_power = 100000000; allowed are integers from 1 to 64"),
        (("z", "--figure", "x.xyz"), "allowed are names that end in"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_two(capsys, monkeypatch, arguments, message):
    code, out, err = rebatch(capsys, monkeypatch, "phases", *arguments)
    assert (code, out) == (2, "")
    assert message in err
