"""What is written holds: examples run as they stand, references resolve, and no constant is set behind one's back."""

import doctest
import importlib
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest
import typer
from hypothesis import settings

import rebatch
from rebatch.cli.main import app, main
from rebatch.symbolic.language.papers import papers

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
FLOORS = ("symbolic", "kernels", "numeric", "verify", "cli")
MODULES = sorted(path.relative_to(ROOT) for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
PAGES = sorted(path.relative_to(ROOT) for path in [*ROOT.glob("[CR]*.md"), *DOCS.rglob("*.md")])
# What is read for references: the code, its tests and the pages, but not this file's own patterns.
WRITTEN = [
    path.relative_to(ROOT)
    for folder in (*FLOORS, "tests", "benchmarks", "examples", "docs")
    for pattern in ("*.py", "*.pyx", "*.pxd", "*.h", "*.md")
    for path in sorted((ROOT / folder).rglob(pattern))
    if path != Path(__file__) and "_build" not in path.parts
]
NUMBERS = r"\d+(?:\.\d+)?"
CITED = re.compile(rf"\btheory,?\s+({NUMBERS}(?:(?:, | and |-|–){NUMBERS})*)", re.IGNORECASE)
NAMED = re.compile(rf"\btheory,\s+({NUMBERS})\s+\(([A-Z][^)]*)\)")
KEYS = re.compile(r"\[((?:[A-Z][A-Za-z]*\d{2}(?:, )?)+)(?:, [^\]]*)?\]")
COMMANDS = typer.main.get_command(app).commands
# Studies of minutes; the others answer in seconds.

SLOW = {"verify", "converge", "scaling", "demo"}


def with_examples(paths):
    return [path for path in paths if ">>>" in (ROOT / path).read_text(encoding="utf-8")]


def source(path):
    return (ROOT / path).read_text(encoding="utf-8")


def sections():
    """Return the headings of the theory by their numbers."""
    headings = re.findall(r"^#{2,3} (\d+(?:\.\d+)?)\.? (.*)$", source("docs/theory.md"), re.MULTILINE)
    return dict(headings)


@pytest.mark.parametrize("path", with_examples(MODULES), ids=str)
def test_the_examples_of_docstrings_are_true(path):
    module = importlib.import_module(f"rebatch.{'.'.join(path.with_suffix('').parts)}")
    failed, attempted = doctest.testmod(module)
    assert attempted
    assert not failed


@pytest.mark.parametrize("path", with_examples(PAGES), ids=str)
def test_the_examples_of_pages_are_true(path):
    failed, attempted = doctest.testfile(str(ROOT / path), module_relative=False)
    assert attempted
    assert not failed


@pytest.mark.parametrize("name", ["properties.md"])
def test_the_programs_in_pages_run(name, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    assert blocks
    namespace = {"__name__": name}
    # The reader's default is 100 examples; the claim is in the deep tier's hands.
    settings.register_profile("documentation", parent=settings.get_profile("default"), max_examples=8)
    settings.load_profile("documentation")
    try:
        for block in blocks:
            exec(compile(block, name, "exec"), namespace)
    finally:
        settings.load_profile("default")
    assert "Target(" in capsys.readouterr().out


def test_the_python_of_the_readme_runs_and_says_what_its_comments_say(capsys):
    (block,) = re.findall(r"```python\n(.*?)```", source("README.md"), re.DOTALL)
    exec(compile(block, "README.md", "exec"), {"__name__": "readme"})
    out = capsys.readouterr().out
    assert "two steps, e2         learned" in out
    assert "\n1215*alpha*eta**3/2\n" in out
    assert "Hotelling" in out


def readme_commands():
    lines = re.findall(r"^ +\$ (rebatch .*)$", source("README.md"), re.MULTILINE)
    assert len(lines) > 8
    for line in lines:
        words = shlex.split(line, comments=True)[1:]
        yield pytest.param(words, id=" ".join(words), marks=[pytest.mark.deep] if words[0] in SLOW else [])


@pytest.mark.parametrize("words", list(readme_commands()))
def test_the_commands_of_the_readme_run(words, monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["rebatch", *words])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 0
    assert capsys.readouterr().out


def written_commands():
    """Return the words of every command in a page: in a block, after a dollar or not, or between backticks."""
    for path in PAGES:
        text = source(path)
        blocks = re.findall(r"^(?: +\$ )?(rebatch [a-z].*)$", text, re.MULTILINE)
        for line in [*blocks, *re.findall(r"`(rebatch\s[^`]*)`", text)]:
            words = shlex.split(line, comments=True)[1:]
            # An option that is named alone is no command.
            if words[0] in COMMANDS and not words[-1].startswith("-"):
                yield pytest.param(words, id=f"{path}: {' '.join(words)}")


@pytest.mark.parametrize("words", list(written_commands()))
def test_the_commands_of_every_page_have_the_options_that_are_written(words):
    command = COMMANDS[words[0]]
    context = command.make_context(words[0], [], resilient_parsing=True)
    # The values are words for what a reader puts there.
    _, left, _ = command.make_parser(context).parse_args(list(words[1:]))
    assert left == []


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_the_programs_in_examples_run(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) > 5


def test_every_section_that_is_cited_is_a_heading_of_the_theory():
    known, cited = sections(), 0
    for path in WRITTEN:
        for match in CITED.finditer(source(path)):
            for number in re.findall(NUMBERS, match[1]):
                assert number in known, f"{path}: {match[0]}"
                cited += 1
        for number, title in NAMED.findall(source(path)):
            assert known[number].startswith(title), f"{path}: theory, {number} ({title})"
    assert cited > 100


def test_the_theory_has_its_sections_in_order():
    numbers = [tuple(map(int, number.split("."))) for number in sections()]
    assert numbers == sorted(numbers)
    assert [n for (n, *rest) in numbers if not rest] == list(range(1, 14))


def test_every_paper_that_is_cited_is_in_the_bibliography_and_every_entry_is_cited():
    cited = set()
    for path in WRITTEN:
        for group in KEYS.findall(source(path)):
            keys = set(group.split(", "))
            assert keys <= papers().keys(), f"{path}: {keys - papers().keys()}"
            cited |= keys
        cited |= set(re.findall(r'"([A-Z][A-Za-z]*\d{2})"', source(path))) & papers().keys()
    assert papers().keys() == cited


def test_every_link_between_pages_leads_somewhere():
    for path in PAGES:
        for link in re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", source(path)):
            assert (ROOT / path.parent / link).exists(), f"{path}: {link}"


def test_every_public_name_is_in_the_reference_and_every_page_in_the_contents():
    listed = re.findall(r"^   (\w+)$", source("docs/api.md"), re.MULTILINE)
    assert sorted(listed) == sorted(name for name in rebatch.__all__ if not name.startswith("_"))
    contents = set(re.findall(r"^([\w/]+)$", source("docs/index.md"), re.MULTILINE))
    pages = {str(path.relative_to("docs").with_suffix("")) for path in PAGES if path.parts[0] == "docs"}
    assert contents == pages - {"index"}


def code_cells():
    """Return the pages that run in the build, with their code."""
    found = {
        path: re.findall(r"```\{code-cell\} python\n(.*?)```", source(path), re.DOTALL) for path in PAGES
    }
    heavy = {"gallery.md", "activation.md"}
    return [
        pytest.param(cells, id=str(path), marks=[pytest.mark.deep] if path.name in heavy else [])
        for path, cells in found.items()
        if cells
    ]


@pytest.mark.parametrize("cells", code_cells())
def test_the_notebooks_run(cells, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "notebook"}
    for cell in cells:
        exec(compile(cell, "cell", "exec"), namespace)


def exponents_of_the_page():
    table = source("docs/exponents.md").partition("Where they differ")[2]
    rows = re.findall(r"^\| `([^`]+)` \| (\d) \| (\d) \| (\d) \| (\d) \|$", table, re.MULTILINE)
    assert len(rows) > 5
    return rows


@pytest.mark.parametrize("row", exponents_of_the_page(), ids=lambda row: row[0])
def test_the_exponents_of_the_page_are_those_of_the_analysis(row):
    analysis = rebatch.analyze(row[0])
    found = (analysis.information_exponent, analysis.leap, analysis.isotropic_leap, analysis.generative_leap)
    assert tuple(str(exponent) for exponent in found) == row[1:]
