"""A report is one page that needs no network, says what each part rests on, and holds what theory says."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from rebatch import Target, analyze, phase_diagram, which_activation
from rebatch.cli.main import main
from rebatch.cli.report.studies import ceiling_section, learn_section, two_step_section


class Reader(HTMLParser):
    """Collects tags with their attributes, and the text of table cells."""

    def __init__(self):
        super().__init__()
        self.tags, self.cells, self._inside = [], [], False

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag == "td"
        if tag == "td":
            self.cells.append("")

    def handle_endtag(self, tag):
        self._inside = self._inside and tag != "td"

    def handle_data(self, data):
        if self._inside:
            self.cells[-1] += data


def written(monkeypatch, capsys, path, *arguments):
    monkeypatch.setattr(sys, "argv", ["rebatch", "report", *arguments, "-o", str(path), "--json"])
    with pytest.raises(SystemExit) as done:
        main()
    assert done.value.code == 0
    said = json.loads(capsys.readouterr().out)
    text = path.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    return said, text, reader


def test_a_report_holds_every_proof_and_loads_nothing(monkeypatch, capsys, tmp_path):
    target = "z1^2"
    said, text, page = written(monkeypatch, capsys, tmp_path / "r.html", target, "--theory-only")
    known = analyze(target)
    for verdict in known.two_step:
        assert verdict.reason() in page.cells
    for exponent in known.exponents().values():
        assert exponent.witness in page.cells
    addresses = [a[n] for _, a in page.tags for n in ("src", "href") if n in a]
    assert all(x.startswith(("#", "data:")) for x in addresses)
    assert "url(" not in text
    assert "<script" not in text
    assert text.count("Rests on:") == len(said["sections"])
    assert page.tags.count(("pre", {})) == len(said["sections"])
    assert all(a["alt"] for tag, a in page.tags if tag == "img")
    for check in which_activation(target).checks:
        assert check.activation.name in page.cells
    assert {cell for sheet in phase_diagram(target).sheets() for row in sheet.rows for cell in row} <= {
        *page.cells
    }


def test_a_report_on_other_inputs_holds_what_has_a_meaning_there(monkeypatch, capsys, tmp_path):
    target = Target("z1 + z1*z2 + z1*z2*z3", inputs="boolean")
    given = (target.text, "--inputs", "boolean", "--theory-only")
    said, text, page = written(monkeypatch, capsys, tmp_path / "r.html", *given)
    assert said["sections"] == ["What theory says", "The overlap after two steps"]
    known = analyze(target)
    assert {v.reason() for v in known.two_step} <= {*page.cells}
    assert {str(e) for e in known.exponents().values()} <= {*page.cells}
    assert "hidden from F(y)" in page.cells
    assert "Inputs: boolean." in text
    assert "no isotropic leap" in text
    assert text.count("<span>--inputs</span> <span>boolean</span>") == 2


def test_a_study_that_refuses_a_target_says_why_and_claims_nothing():
    for section in (learn_section(Target("z1*z2"), 0), ceiling_section(Target("z1*z2*z3"), 0)):
        assert section.rests == "a refusal: nothing is claimed"
        assert re.search("has [23] directions", section.text[0])
        assert not section.tables
        assert not section.figures
        assert section.command.startswith("rebatch ")


@pytest.mark.deep
def test_two_steps_in_a_report_are_those_of_the_command_and_agree():
    section = two_step_section(Target("z1 + z1^2"), 12, 300)
    assert len(section.tables[0].rows) == 8
    # Hotelling's p of right predictions is below 1e-5 in one of 8 points with probability 1e-4; the seeds are fixed.
    assert all(float(row[2].rpartition("p = ")[2]) > 1e-5 for row in section.tables[0].rows)
    assert "--runs 12 --d 300" in section.command
    assert len(section.figures[0].alternative) > 40


@pytest.mark.deep
@pytest.mark.parametrize(("target", "figures"), [("z1 + He(3, z2)", 5), ("He(3, z)", 6), ("z1*z2", 6)])
def test_a_full_report_is_small_and_every_figure_has_words(target, figures, monkeypatch, capsys, tmp_path):
    path = tmp_path / "r.html"
    said, _, page = written(monkeypatch, capsys, path, target, "--d", "4000")
    assert len(said["sections"]) >= 10
    assert path.stat().st_size < 3e6
    images = [a for tag, a in page.tags if tag == "img"]
    assert len(images) == figures
    assert all(len(a["alt"]) > 40 for a in images)
    chromium = shutil.which("chromium")
    if chromium is not None:  # where there is a browser, it has nothing to complain of
        flags = (
            "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-component-update"
        )
        flags += " --disable-background-networking --disable-sync --enable-logging=stderr --dump-dom"
        command = [chromium, *flags.split(), f"--user-data-dir={tmp_path / 'browser'}", path.as_uri()]
        run = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        assert "Rests on:" in run.stdout
        assert not re.findall(r"CONSOLE.*", run.stderr)
