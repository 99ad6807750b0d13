"""A command line is read as Typer reads it, whether a value has its type already or not."""

import pytest
import typer
from typer.testing import CliRunner

from rebatch.cli.main import app
from rebatch.cli.reading import Command, Group


def _program(plain):
    app = typer.Typer() if plain else typer.Typer(cls=Group)

    @app.callback()
    def before(level: int = 3):
        print(level)

    @app.command(**({} if plain else {"cls": Command}))
    def command(
        name: str,
        count: int = 2,
        size: float = typer.Option(1.5, min=0),
        several: list[str] | None = None,
        text: str | None = None,
        flag: bool = False,
    ):
        print(repr((name, count, size, several, text, flag)))

    return app


def test_what_is_indented_in_a_help_keeps_its_lines():
    said = CliRunner().invoke(app, ["sweep", "--help"]).output
    assert "\n      [setting]\n      target = " in said


@pytest.mark.parametrize(
    "line",
    [
        ["command", "a"],
        ["--level", "5", "command", "a", "--count", "7", "--size", "2", "--text", "7", "--flag"],
        ["command", "7", "--several", "a", "--several", "b"],
        ["command", "a", "--count", "x"],
        ["command", "a", "--size", "-1"],
        ["--level", "x", "command", "a"],
        ["command"],
    ],
)
def test_values_and_errors_are_those_of_typer(line):
    ours, theirs = (CliRunner().invoke(_program(plain), line) for plain in (False, True))
    assert (ours.exit_code, ours.output) == (theirs.exit_code, theirs.output)
