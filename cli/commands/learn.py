"""From two steps on one batch to a small test error: `learn`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..options import AsJson, Inputs, LabelNoise, NoiseStd, TargetText, integers_from, target_from
from ..terminal import console, print_json


def learn(
    target: TargetText,
    activation: Annotated[
        str, typer.Option("--activation", "-s", help="relu, erf, tanh, or a polynomial in h.")
    ] = "erf",
    alpha: Annotated[float, typer.Option(help="Samples per dimension of the two steps.")] = 8.0,
    eta: Annotated[
        float | None, typer.Option(help="Their step size; by default one that leaves a large overlap.")
    ] = None,
    accuracy: Annotated[float, typer.Option(help="1 - m^2 at which the one pass ends.")] = 0.05,
    d: Annotated[
        str, typer.Option("--d", "-d", help='Dimensions of the runs, with commas between; "" for none.')
    ] = "500,2000,8000",
    runs: Annotated[int, typer.Option(help="Runs at each dimension.")] = 4,
    samples: Annotated[int, typer.Option(help="Samples of the readout.")] = 4000,
    noise_std: NoiseStd = 0.0,
    noise: LabelNoise = None,
    inputs: Inputs = None,
    seed: Annotated[int, typer.Option(help="Of all random numbers.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where a figure is written.")] = None,
    as_json: AsJson = False,
) -> None:
    """Whether two steps on one batch, one pass from there and a readout learn a target in O(d) samples.

    Example: rebatch learn "He(3, z1)" -s "h + He(3, h)"
    """
    from ...numeric.generalization import generalization
    from ..tables import sheet_table

    dimensions = integers_from("--d", d) if d else []
    if figure is not None:
        from ...numeric.generalization_drawing import draw_generalization
        from ..figures import figure_of, require_drawable, save

        require_drawable(figure)
    result = generalization(
        target_from(target, inputs, noise_std, noise),
        activation,
        alpha=alpha,
        eta=eta,
        accuracy=accuracy,
        d=dimensions,
        runs=runs,
        samples=samples,
        seed=seed,
    )
    written = None if figure is None else save(figure_of(draw_generalization, result), figure)
    if as_json:
        print_json(result.to_json())
        return
    stages, losses = result.sheets()
    style = {"learned": "green", "not learned": "red"}.get(result.outcome, "yellow")
    console.print(f"[bold]{escape(result.heading())}[/]", highlight=False)
    console.print(f"[{style}]{escape(result.verdict())}[/]", highlight=False)
    for line in result.remarks():
        console.print(line, highlight=False, markup=False)
    for sheet in (stages, losses):
        console.print(sheet_table(sheet, bold=1))
    if written is not None:
        console.print(f"figure: {written}", highlight=False)
