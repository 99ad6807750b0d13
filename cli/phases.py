"""A phase diagram as tables: the map of batch size, and that of look-ahead."""

from collections.abc import Sequence

from rich import box
from rich.markup import escape
from rich.table import Table

from ..symbolic.phases.diagram import BATCH, LOOK_AHEAD, PhaseDiagram

_STYLE = {"never": "red", "open": "yellow", "undecided": "yellow"}


def batch_table(diagram: PhaseDiagram) -> Table:
    """Return steps and samples against batches of d^mu, with one giant step and two on a reused batch."""
    return _table(BATCH, [phases.batch_rows() for phases in diagram.directions])


def look_ahead_table(diagram: PhaseDiagram) -> Table:
    """Return steps against a look-ahead rho d = d^r, with the pair that rules each piece."""
    return _table(LOOK_AHEAD, [phases.look_ahead_rows() for phases in diagram.directions])


def _table(head: Sequence[str], sections: Sequence[Sequence[Sequence[str]]]) -> Table:
    """Return a table with a section for each direction, the steps in the third column."""
    table = Table(box=box.SIMPLE_HEAD, header_style="bold")
    for name in head:
        table.add_column(name)
    for section in sections:
        for number, (name, where, steps, *rest) in enumerate(section):
            shown = "" if number else f"[bold]{escape(name)}[/]"
            style = _STYLE.get(steps, "bold")
            table.add_row(shown, where, f"[{style}]{steps}[/]", *map(escape, rest))
        table.add_section()
    return table
