"""The experiments of [D24] beside its printed curves: `paper`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..options import AsJson
from ..terminal import console, print_json, progress_bar


def paper(
    name: Annotated[
        str | None, typer.Argument(help='One experiment, or a figure: "fig4-cyclic", "fig4"; by default all.')
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Fewer points, smaller runs: a minute or two.")
    ] = False,
    simulate: Annotated[bool, typer.Option("--simulate", help="Run them at finite d too.")] = False,
    d: Annotated[int | None, typer.Option("--d", "-d", help="Of the runs; by default as published.")] = None,
    runs: Annotated[int | None, typer.Option(help="How many; by default as published.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of all random numbers.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Where a figure is written, ours and as printed.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rerun the experiments of the paper on reusing batches, and set them beside its printed curves.

    Example: rebatch paper fig4 --quick
    """
    from ...verify.paper import paper as rerun
    from ..tables import sheet_table

    if figure is not None:
        from ...verify.paper_drawing import draw_paper
        from ..figures import figure_of, require_drawable, save

        require_drawable(figure)
    result = rerun(
        name,
        quick=quick,
        simulated=simulate,
        d=d,
        runs=runs,
        seed=seed,
        progress=lambda ids: progress_bar(ids, "running", show=not as_json),
    )
    written = None if figure is None else save(figure_of(draw_paper, result), figure)
    if as_json:
        print_json({**result.to_json(), "figure": None if written is None else str(written)})
        return
    for done in result.experiments:
        console.print(f"[bold]{done.id}[/], {done.figure}: {escape(done.plotted)}", highlight=False)
        console.print(f"{done.setting}", highlight=False, markup=False)
        console.print(sheet_table(done.sheet()))
        colour = "green" if done.verdict.startswith("agrees") else "yellow"
        console.print(f"[{colour}]{escape(done.verdict)}[/]\n", highlight=False)
    if written is not None:
        console.print(f"figure: {written}", highlight=False)
