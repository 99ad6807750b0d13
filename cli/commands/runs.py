"""Runs of the dynamics: `simulate` and `demo`."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ...numeric.engine_names import Engine
from ...symbolic.errors import RebatchError
from ..options import (
    ActivationText,
    Alpha,
    AsJson,
    Eta,
    Inputs,
    LabelNoise,
    Loss,
    Neurons,
    NoiseStd,
    OnePass,
    TargetText,
    WeightDecay,
    batches_from,
    readout_from,
    start_from,
    target_from,
)
from ..terminal import console, print_json, progress_bar
from .theory import analyze


def simulate(
    target: TargetText,
    activation: ActivationText,
    alpha: Alpha,
    eta: Eta,
    d: Annotated[
        int | None, typer.Option("--d", "-d", help="Input dimension; lazy: 100,000 by default; limit: none.")
    ] = None,
    steps: Annotated[int, typer.Option(help="Gradient steps.")] = 2,
    neurons: Neurons = 1,
    weight_decay: WeightDecay = 0.0,
    loss: Loss = "squared",
    noise_std: NoiseStd = 0.0,
    noise: LabelNoise = None,
    inputs: Inputs = None,
    readout: Annotated[
        str | None,
        typer.Option(
            help='Second layer, p numbers with commas between, or "gaussian": a_j ~ N(0, 1/p) of --readout-seed; '
            "default (-1)^j / sqrt(p)."
        ),
    ] = None,
    readout_seed: Annotated[int | None, typer.Option(help="Of --readout gaussian.")] = None,
    start: Annotated[
        str,
        typer.Option(
            help='"orthogonal", "random", "symmetric" (pairs of equal rows with opposite a_j), or M at the start: '
            '"1/3,0", or "0.1,0;0,0.2" by rows.'
        ),
    ] = "orthogonal",
    one_pass: OnePass = False,
    schedule: Annotated[
        Literal["full", "cyclic", "reshuffled", "with replacement"] | None,
        typer.Option(help="Which of the reused samples take part in a step; with --batches."),
    ] = None,
    batches: Annotated[
        str | None,
        typer.Option(help='Blocks of the reused samples, or "single": one at a time, a step an epoch.'),
    ] = None,
    batch_size: Annotated[int | None, typer.Option(help="Samples per step.")] = None,
    repeats: Annotated[int, typer.Option(help="Steps on each batch before the next one.")] = 1,
    rho: Annotated[float, typer.Option(help="Look ahead on the same batch by this step first.")] = 0.0,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Rows back to norm sqrt(d) each step.")
    ] = False,
    record_every: Annotated[int, typer.Option(help="Keep every so-many-th step.")] = 1,
    runs: Annotated[int, typer.Option(min=1, help="Runs, with seeds seed, seed + 1, …")] = 1,
    seed: Annotated[int, typer.Option(help="Seed of the first run.")] = 0,
    engine: Annotated[Engine, typer.Option(help="How it is run.")] = "lazy",
    compare: Annotated[
        bool, typer.Option("--compare", help="Hold the runs against the infinite-dimensional limit.")
    ] = False,
    figure: Annotated[Path | None, typer.Option(help="With --compare: draw limit and runs.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            help="File for the trajectory of a single run: .nc, .json (to repeat it), .csv, .parquet."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run gradient descent in high dimension and show the overlaps step by step.

    Example: rebatch simulate "z1 + He(3, z2)" -s relu --alpha 2 --eta 0.2 --runs 8 --compare
    """
    from ...numeric.setting import STARTS, Setting
    from ..simulation import perform

    _require_places(out, figure, runs, compare=compare)
    _require_comparable(runs, engine, compare=compare)
    setting = Setting(
        target=target_from(target, inputs),
        activation=activation,
        neurons=neurons,
        alpha=alpha,
        eta=eta,
        steps=steps,
        weight_decay=weight_decay,
        loss=loss,
        noise_std=noise_std,
        noise=noise,
        **_second_layer(readout, readout_seed),
        **start_from(start, STARTS),
        reuse=not one_pass,
        schedule=schedule,
        batches=batches_from(batches),
        batch_size=batch_size,
        repeats=repeats,
        rho=rho,
        normalize=normalize,
        record_every=record_every,
    )
    found = perform(
        setting,
        engine,
        100_000 if d is None and engine == "lazy" else d,
        range(seed, seed + runs),
        compare=compare,
        progress=lambda seeds: progress_bar(seeds, "simulating", show=not as_json),
    )
    if out is not None:
        found.done[0].save(out)
    drawn = figure if found.held is not None else None
    if drawn is not None:
        from ...verify.drawing import draw_agreement
        from ..figures import figure_of, save

        save(figure_of(draw_agreement, found.held), drawn)
    if as_json:
        print_json(found.to_json())
        return
    found.show()
    for what, path in (("figure:", drawn), ("trajectory written to", out)):
        if path is not None:
            console.print(f"{what} {path}", highlight=False)


def _second_layer(readout: str | None, seed: int | None) -> dict[str, Any]:
    """Return the second layer as arguments of a setting: numbers, or a name and its seed."""
    given: dict[str, Any] = {"readout": readout if readout == "gaussian" else readout_from(readout)}
    return given if seed is None else {**given, "readout_seed": seed}


def _require_places(out: Path | None, figure: Path | None, runs: int, *, compare: bool) -> None:
    """Refuse files that cannot be written, or have nothing to hold, before the work."""
    from ...numeric.machine.files import require_writable

    if out is not None:
        from ...numeric.formats import require_ending

        require_writable(out, "--out")
        require_ending(out)
        if runs != 1:
            raise RebatchError(f"--out holds the trajectory of one run; --runs is {runs}")
    if figure is not None:
        from ..figures import require_drawable

        if not compare:
            raise RebatchError("--figure draws limit and runs; give --compare too")
        require_drawable(figure)


def _require_comparable(runs: int, engine: str, *, compare: bool) -> None:
    if compare and (runs < 3 or engine not in ("lazy", "dense")):
        raise RebatchError("--compare needs the lazy or dense engine and at least 3 runs; give --runs")


def repeat(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="A trajectory (.nc, .json), or a plan of one run (.toml).")
    ],
    out: Annotated[Path | None, typer.Option(help="File for the new trajectory, by its ending.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run again what a file holds, and say whether the numbers are the same; exit code 1 if they are not.

    Example: rebatch repeat run.nc
    """
    from ...numeric.formats import as_json as as_data
    from ...numeric.formats import require_ending
    from ...numeric.machine.files import require_writable
    from ...numeric.repeat import repeat as again
    from ..tables import trajectories_table

    if out is not None:
        require_writable(out, "--out")
        require_ending(out)
    result = again(file)
    if out is not None:
        result.run.save(out)
    if as_json:
        print_json(
            {**as_data(result.run.data), "difference": result.difference, "statement": result.statement}
        )
    else:
        console.print(f"{result.run.setting}", highlight=False, markup=False)
        console.print(trajectories_table([result.run]))
        console.print(result.statement, highlight=False)
        if out is not None:
            console.print(f"trajectory written to {out}", highlight=False)
    if result.difference:
        raise typer.Exit(1)


def demo(
    figure: Annotated[Path, typer.Option(help="Where the figure is written.")] = Path("rebatch-demo.png"),
    d: Annotated[int, typer.Option("--d", "-d", help="Input dimension of the simulation.")] = 200_000,
    runs: Annotated[int, typer.Option(min=3, help="Runs behind each simulated number.")] = 16,
    as_json: AsJson = False,
) -> None:
    """The main job on z1 + He(3, z2): analyze, predict two steps, simulate, compare, draw.

    Example: rebatch demo --figure demo.png
    """
    from .. import demonstration
    from ..figures import require_drawable

    require_drawable(figure)
    if not as_json:
        analyze(demonstration.TARGET)
    result = demonstration.run(d, runs, lambda jobs: progress_bar(jobs, "simulating", show=not as_json))
    written = demonstration.draw(result, figure)
    if as_json:
        print_json({**result.to_json(), "figure": str(written)})
        return
    demonstration.show(result, console)
    console.print(f"figure: {written}", highlight=False)
