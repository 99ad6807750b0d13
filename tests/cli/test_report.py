"""A report is one page that needs no network, says what each part rests on, and holds what theory says."""

import json
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import pytest

from rebatch import analyze
from rebatch.cli.main import main


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
    target = "z1*z2 + relu(z1) - z3^2"
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


@pytest.mark.deep
def test_a_full_report_is_small_and_every_figure_has_words(monkeypatch, capsys, tmp_path):
    path = tmp_path / "r.html"
    said, _, page = written(monkeypatch, capsys, path, "z1 + He(3, z2)", "--d", "4000")
    assert len(said["sections"]) >= 4
    assert path.stat().st_size < 3e6
    images = [a for tag, a in page.tags if tag == "img"]
    assert len(images) >= 2
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
