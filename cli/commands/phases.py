"""How exponents move with batch size, step size and look-ahead: `phases`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ...symbolic.errors import RebatchError
from ..options import AsJson, AsLatex, Inputs, TargetText, target_from
from ..terminal import console, print_json


def phases(
    target: TargetText,
    activation: Annotated[
        str | None,
        typer.Option("--activation", "-s", help="A name, or an expression in h; left out: any activation."),
    ] = None,
    inputs: Inputs = None,
    max_power: Annotated[
        int, typer.Option(help="Highest power k of the label that look-ahead is asked for.")
    ] = 8,
    figure: Annotated[Path | None, typer.Option(help="Where a figure is written.")] = None,
    as_json: AsJson = False,
    as_latex: AsLatex = False,
) -> None:
    """How steps and samples move with batch size, step size and look-ahead: exact maps with their breakpoints.

    Example: rebatch phases "z1 + He(3, z2)" --figure phases.png
    """
    from ...symbolic.phases.diagram import phase_diagram
    from ..phases import batch_table, look_ahead_table

    if as_json and as_latex:
        raise RebatchError("--json and --latex are two forms of one answer; give one of them")
    if figure is not None:
        from ...numeric.phases_drawing import draw_phases
        from ..figures import figure_of, require_drawable, save

        require_drawable(figure)
    diagram = phase_diagram(target_from(target, inputs), activation, max_power=max_power)
    written = (
        save(figure_of(draw_phases, diagram), figure) if figure is not None and diagram.directions else None
    )
    if as_json:
        print_json(diagram.to_json())
        return
    if as_latex:
        print(diagram.latex())
        return
    console.print(f"[bold]{escape(diagram.heading())}[/]", highlight=False)
    console.print(batch_table(diagram))
    console.print("look-ahead on the same sample first, rho d = d^r", highlight=False)
    console.print(look_ahead_table(diagram))
    for note in diagram.notes:
        console.print(note, style="dim", highlight=False)
    if written is not None:
        console.print(f"figure: {written}", highlight=False)
