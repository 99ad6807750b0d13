"""How a command line is read: Typer, without Pydantic where no value asks for it.

Typer reads each value by a model of Pydantic's, which takes a tenth of a second to load. A text that is to be a text,
a default and an option that is not given are what they should be already; the first value that is not loads it.
"""

import inspect
from typing import Any

from typer.core import TyperCommand, TyperGroup


class _AsItIs:
    """Takes a value that has its option's type already; leaves others to Typer."""

    def __init__(self, option: Any) -> None:
        self._option = option

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """Return the value of an option or argument in the option's type."""
        if value is None or type(value) is self._option.type_descriptor.annotation:
            return value
        self._option._runtime_param = None
        return self._option.get_runtime_param().coerce(value, param=param, ctx=ctx)


def _read_as_it_is(params: list[Any]) -> None:
    for param in params:
        if param.nargs == 1 and not param.multiple:
            param._runtime_param = _AsItIs(param)


class Command(TyperCommand):
    """A command of Typer's."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line of one command."""
        _read_as_it_is(self.get_params(ctx))
        return super().parse_args(ctx, args)

    def format_help_text(self, ctx: Any, formatter: Any) -> None:
        """Write what the command does; what is indented, a file for example, keeps its lines."""
        paragraphs = inspect.cleandoc(self.help or "").split("\n\n")
        self.help = "\n\n".join(f"\b\n{p}" if p.startswith("    ") else p for p in paragraphs)
        super().format_help_text(ctx, formatter)


class Group(TyperGroup):
    """All commands of a program."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line up to the command's name."""
        _read_as_it_is(self.get_params(ctx))
        return super().parse_args(ctx, args)
