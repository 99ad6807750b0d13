"""What the best algorithms reach: `threshold`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..options import AsJson, TargetOrName, text_of
from ..terminal import console, print_json


def threshold(
    target: TargetOrName,
    noise_std: Annotated[float, typer.Option(help="Standard deviation of the label noise.")] = 0.0,
    max_degree: Annotated[int, typer.Option(help="Highest degree of a certificate.")] = 8,
    figure: Annotated[
        Path | None, typer.Option(help="Draw alpha_c against the variance of label noise.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How many samples per dimension the best known methods need, stage by stage, with certificates."""
    from ...numeric.inference.threshold import weak_recovery_threshold
    from ..thresholds import certificates_table, noise_figure, stages_table

    text = text_of(target)
    if figure is not None:
        from ..figures import require_format

        require_format(figure)
    answer = weak_recovery_threshold(text, noise_std=noise_std, max_degree=max_degree)
    if figure is not None:
        from ..figures import save

        save(noise_figure(answer), figure)
    if as_json:
        print_json(answer.to_json())
        return
    noise = f" + noise of standard deviation {noise_std:g}" if noise_std else ""
    console.print(f"[bold]y = {escape(text)}[/]{noise}", highlight=False)
    console.print(stages_table(answer))
    if answer.certificates:
        console.print(certificates_table(answer))
    console.print(
        f"price of label noise of variance D: {escape(str(answer.noise))} ({answer.noise.how})",
        highlight=False,
    )
    for note in answer.notes():
        console.print(note, highlight=False)
