"""What the best algorithms reach: `threshold`, `amp` and `ceiling`."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from ..options import AsJson, Inputs, NoiseStd, TargetText, readout_from, target_from
from ..terminal import console, print_json


def threshold(
    target: TargetText,
    noise_std: Annotated[float, typer.Option(help="Standard deviation of the label noise.")] = 0.0,
    inputs: Inputs = None,
    max_degree: Annotated[int, typer.Option(help="Highest degree of a certificate.")] = 8,
    figure: Annotated[
        Path | None, typer.Option(help="Draw alpha_c against the variance of label noise.")
    ] = None,
    transform: Annotated[
        Path | None,
        typer.Option(help="Draw the transform of the label that attains alpha_c, or the best certificate."),
    ] = None,
    staircase: Annotated[
        bool,
        typer.Option(
            "--staircase", help="Later stages at the overlaps reached on earlier directions: up to minutes."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """How many samples per dimension the best known methods need, stage by stage, with certificates.

    Example: rebatch threshold "z1*z2 + z3*z4"
    """
    from ...numeric.inference.threshold import weak_recovery_threshold
    from ..thresholds import certificates_table, stages_table, staircase_table

    learned = target_from(target, inputs, noise_std)
    asked = [path for path in (figure, transform) if path is not None]
    if asked:
        from ..figures import require_drawable

        for path in asked:
            require_drawable(path)
    answer = weak_recovery_threshold(learned, max_degree=max_degree)
    if asked:
        from ...numeric.inference.drawing import draw_threshold, draw_transform
        from ..figures import figure_of, save

        for place, draw in ((figure, draw_threshold), (transform, draw_transform)):
            if place is not None:
                save(figure_of(draw, answer), place)
    grand = None
    if staircase:
        from ...numeric.inference.staircase import grand_staircase

        grand = grand_staircase(learned)
    if as_json:
        print_json(answer.to_json() | ({} if grand is None else {"staircase": grand.to_json()["stages"]}))
        return
    noise = f" + noise of standard deviation {noise_std:g}" if noise_std else ""
    console.print(f"[bold]y = {escape(learned.text)}[/]{noise}", highlight=False)
    console.print(stages_table(answer))
    if answer.certificates:
        console.print(certificates_table(answer))
    console.print(
        f"price of label noise of variance D: {escape(str(answer.noise))} ({answer.noise.how})",
        highlight=False,
    )
    for note in answer.notes():
        console.print(note, highlight=False)
    if grand is not None:
        console.print(
            "[bold]grand staircase[/]: each stage with what message passing knows of the ones before"
        )
        console.print(staircase_table(grand))


def amp(
    target: TargetText,
    alpha: Annotated[
        str, typer.Option(help="Samples per dimension; several with commas: where each comes to rest.")
    ] = "2",
    steps: Annotated[
        int | None, typer.Option(help="Steps; by default until the overlap no longer moves, at most 2000.")
    ] = None,
    start: Annotated[
        float,
        typer.Option(help="Squared cosine at the start; 0: no knowledge, or a trace where that stays 0."),
    ] = 0.0,
    damping: Annotated[float, typer.Option(help="The share of the way that each step goes less far.")] = 0.0,
    d: Annotated[
        int | None,
        typer.Option("--d", "-d", help="Run it at this dimension too, in exact law; of one direction."),
    ] = None,
    noise_std: NoiseStd = 0.0,
    inputs: Inputs = None,
    seed: Annotated[int, typer.Option(help="Seed of the run.")] = 0,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the cosine against the step, or against alpha.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """How well Bayes-optimal message passing does, step by step as d grows without end: state evolution.

    Example: rebatch amp "He(3, z1)" --alpha 1.5 -d 20000
    """
    from ..message_passing import asked_alphas, draw, evolutions, print_evolution, print_rest, run_beside

    alphas = asked_alphas(alpha)
    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    learned = target_from(target, inputs, noise_std)
    found = evolutions(learned, alphas, d=d, steps=steps, start=start, damping=damping)
    run = None if d is None else run_beside(found[0], learned, d=d, seed=seed)
    if figure is not None:
        draw(found, learned, figure)
    if as_json:
        told = [evolution.to_json() for evolution in found]
        beside = {} if run is None else {"run": {"d": run.d, "n": run.n, "cosine": run.cosine.tolist()}}
        print_json({"target": learned.text, "evolutions": told, **beside})
    elif len(found) > 1:
        print_rest(found, learned)
    else:
        print_evolution(found[0], learned, run)


def ceiling(
    target: TargetText,
    alpha: Annotated[float, typer.Option(help="Samples per dimension.")] = 2.0,
    steps: Annotated[int, typer.Option(help="Steps of each method, two products with X each.")] = 6,
    activation: Annotated[
        str, typer.Option("--activation", "-s", help="Of the neurons that descend, one for each direction.")
    ] = "relu",
    etas: Annotated[
        str | None, typer.Option(help="Step sizes that descent is tuned over, numbers with commas between.")
    ] = None,
    noise_std: NoiseStd = 0.0,
    inputs: Inputs = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the cosines against the number of products.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the limit of descent.")] = 0,
    as_json: AsJson = False,
) -> None:
    """How close descent comes to the best first-order method at equal numbers of products with the data.

    Example: rebatch ceiling "He(3, z1)" --figure ceiling.png
    """
    from ...numeric.inference.ceiling import ETAS
    from ...numeric.inference.ceiling import ceiling as ceiling_of
    from ..thresholds import ceiling_table

    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    learned = target_from(target, inputs, noise_std)
    tried = ETAS if etas is None else [float(x) for x in readout_from(etas) or []]
    answer = ceiling_of(learned, alpha=alpha, steps=steps, activation=activation, etas=tried, seed=seed)
    if figure is not None:
        from ...numeric.inference.drawing import draw_ceiling
        from ..figures import figure_of, save

        save(figure_of(draw_ceiling, answer), figure)
    if as_json:
        print_json(answer.to_json())
        return
    console.print(
        f"[bold]y = {escape(learned.text)}[/], alpha = {alpha:g}, {escape(activation)}", highlight=False
    )
    console.print(ceiling_table(answer))
    console.print(answer.statement(), highlight=False)
