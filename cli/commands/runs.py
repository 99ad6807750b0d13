"""Runs of the dynamics: `simulate` and `demo`."""

import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from ...symbolic.errors import RebatchError
from ..options import (
    ActivationText,
    Alpha,
    AsJson,
    Eta,
    Loss,
    Neurons,
    NoiseStd,
    OnePass,
    Readout,
    TargetText,
    WeightDecay,
    batches_from,
    readout_from,
    start_from,
    text_of,
)
from ..signals import require_quiet, settled
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
    readout: Readout = None,
    start: Annotated[
        str,
        typer.Option(help='"orthogonal", "random", or M at the start: "1/3,0", or "0.1,0;0,0.2" by rows.'),
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
    engine: Annotated[
        Literal["lazy", "dense", "online", "flow", "limit"], typer.Option(help="How it is run.")
    ] = "lazy",
    compare: Annotated[
        bool, typer.Option("--compare", help="Hold the runs against the infinite-dimensional limit.")
    ] = False,
    figure: Annotated[Path | None, typer.Option(help="With --compare: draw limit and runs.")] = None,
    out: Annotated[Path | None, typer.Option(help="netCDF file for the trajectory of a single run.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run gradient descent in high dimension and show the overlaps step by step."""
    from ...numeric.machine.files import require_writable
    from ...numeric.setting import STARTS, Setting
    from ...numeric.simulate import simulate as run_engine
    from ...verify.agreement import agreement
    from ..tables import agreement_table, trajectories_table

    if figure is not None:
        from ...verify.drawing import draw_agreement
        from ..figures import figure_of, require_format, save

    if out is not None:
        require_writable(out, "--out")
    if out is not None and runs != 1:
        raise RebatchError(f"--out holds the trajectory of one run; --runs is {runs}")
    if compare and (runs < 3 or engine not in ("lazy", "dense")):
        raise RebatchError("--compare needs the lazy or dense engine and at least 3 runs; give --runs")
    if figure is not None:
        if not compare:
            raise RebatchError("--figure draws limit and runs; give --compare too")
        require_format(figure)
    setting = Setting(
        target=text_of(target),
        activation=activation,
        neurons=neurons,
        alpha=alpha,
        eta=eta,
        steps=steps,
        weight_decay=weight_decay,
        loss=loss,
        noise_std=noise_std,
        readout=readout_from(readout),
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
    if d is None and engine == "lazy":
        d = 100_000
    results = []
    try:
        for s in progress_bar(range(seed, seed + runs), "simulating", show=not as_json):
            results.append(run_engine(setting, engine, d=d, seed=s))
        held = agreement(run_engine(setting, "limit", seed=0), results) if compare else None
        require_quiet()
    except KeyboardInterrupt:
        settled()
        # The run that was cut short is shown where it is the only one.
        results, held, figure = [run for run in results if not run.interrupted] or results, None, None
        if not results:
            raise
        print(f"interrupted: {len(results)} of {runs} runs are shown, nothing is compared", file=sys.stderr)
    if out is not None:
        results[0].save(out)
    if held is not None and figure is not None:
        save(figure_of(draw_agreement, held), figure)
    if as_json:
        print_json(
            {
                "setting": setting.to_dict(),
                "engine": engine,
                "d": d,
                "runs": [
                    {
                        "seed": run.data.attrs["seed"],
                        "stopped": run.stopped,
                        "step": run.data.step.values.tolist(),
                        "M": run.M.values.tolist(),
                        "Q": run.Q.values.tolist(),
                        "training_loss": run.training_loss.values.tolist(),
                        **{
                            name: run.data[name].values.tolist()
                            for name in ("M_error", "Q_error", "training_loss_error")
                            if name in run.data
                        },
                    }
                    for run in results
                ],
                "agreement": None if held is None else held.to_json(),
            }
        )
        return
    console.print(f"{setting}, d = {'infinite' if d is None else d}", highlight=False, markup=False)
    console.print(trajectories_table(results))
    if held is not None:
        console.print(agreement_table(held))
    if figure is not None:
        console.print(f"figure: {figure}", highlight=False)
    if out is not None:
        console.print(f"trajectory written to {out}", highlight=False)


def demo(
    figure: Annotated[Path, typer.Option(help="Where the figure is written.")] = Path("rebatch-demo.png"),
    d: Annotated[int, typer.Option("--d", "-d", help="Input dimension of the simulation.")] = 200_000,
    runs: Annotated[int, typer.Option(min=3, help="Runs behind each simulated number.")] = 16,
    as_json: AsJson = False,
) -> None:
    """The main job on z1 + He(3, z2): analyze, predict two steps, simulate, compare, draw."""
    from .. import demonstration
    from ..figures import require_format

    require_format(figure)
    if not as_json:
        analyze(demonstration.TARGET)
    result = demonstration.run(d, runs, lambda jobs: progress_bar(jobs, "simulating", show=not as_json))
    written = demonstration.draw(result, figure)
    if as_json:
        print_json({**result.to_json(), "figure": str(written)})
        return
    demonstration.show(result, console)
    console.print(f"figure: {written}", highlight=False)
