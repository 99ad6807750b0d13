"""Many runs from one file: `sweep`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ...symbolic.errors import RebatchError
from ..options import AsJson
from ..terminal import console, print_json

if TYPE_CHECKING:
    import xarray as xr

    from ...numeric.plan import Plan


def sweep(
    source: Annotated[
        str, typer.Argument(metavar="PLAN | show", help='A TOML file, or "show" for what a folder holds.')
    ],
    folder: Annotated[
        Path | None,
        typer.Argument(help="Where the runs are; by default beside the plan, named like it with .runs."),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be run, about how long, and in how much memory.")
    ] = False,
    workers: Annotated[int, typer.Option(min=0, help="Processes of a Dask cluster on this machine.")] = 0,
    cluster: Annotated[
        str | None, typer.Option(help="Address of a Dask scheduler that runs already.")
    ] = None,
    figure: Annotated[
        Path | None, typer.Option(help="Draw the last overlaps against --x, or --x and --y.")
    ] = None,
    x: Annotated[str | None, typer.Option(help="Parameter on the first axis of the figure.")] = None,
    y: Annotated[str | None, typer.Option(help="Parameter on the second axis: a heat map.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run a sweep that a TOML file describes, or show one; called again it continues.

    The folder gets a netCDF file for each run and an index.csv of all of them. Example of a plan:

        d = [1000, 10000]
        seeds = 8
        [setting]
        target = "He(3, z1)"
        activation = "relu"
        alpha = 3
        steps = 2
        [grid]
        eta = [0.05, 0.1, 0.2]
    """
    from ...numeric.index import read_folder

    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    if source == "show":
        if folder is None:
            raise RebatchError("which folder? allowed is: rebatch sweep show FOLDER")
        place, missing = folder, 0
    else:
        from ...numeric.plan import Plan

        plan = Plan.load(source)
        place = folder or Path(source).with_suffix(".runs")
        if dry_run:
            _say_plan(plan, place, workers, as_json=as_json)
            return
        missing = _run(plan, place, workers, cluster)
    held = read_folder(place)
    if figure is not None:
        from ...numeric.drawing import draw_sweep
        from ..figures import figure_of, save

        save(figure_of(draw_sweep, held.data, x, y), figure)
    if as_json:
        print_json(
            {"folder": str(place), "missing": missing, "set_aside": held.unreadable, "runs": held.rows()}
        )
    else:
        _show(held.data, place, missing, held.unreadable)
        if figure is not None:
            console.print(f"figure: {figure}", highlight=False)


def _run(plan: "Plan", place: Path, workers: int, cluster: str | None) -> int:
    """Run what is missing and write the index; return how many runs are missing still."""
    from ...numeric.index import write_index
    from ...numeric.machine.cluster import connected
    from ...numeric.sweep import sweep as run_sweep

    if cluster is not None and workers:
        raise RebatchError(f"--workers {workers} and --cluster {cluster}; allowed is one of them")
    with connected(workers, cluster) as client:
        done = run_sweep(
            plan.settings,
            plan.engine,
            d=None if plan.d is None else list(plan.d),
            seeds=list(plan.seeds),
            folder=place,
            threads=1 if client is not None else None,
            client=client,
            **plan.options,
        )
    write_index(place)
    return len(plan) - len(done)


def _say_plan(plan: "Plan", place: Path, workers: int, *, as_json: bool) -> None:
    """Say what a plan would run, how much of it is there, and about how long the rest takes."""
    from ...numeric.cost import bytes_of, seconds_of
    from ...numeric.sweep import finished

    there = finished(
        plan.settings, plan.engine, d=plan.d, seeds=plan.seeds, folder=place, options=plan.options
    )
    left = len(plan) - there
    memory = bytes_of(plan) * max(workers, 1)
    seconds = seconds_of(plan) / max(workers, 1) * left / len(plan)
    if as_json:
        print_json(
            {
                "folder": str(place),
                "runs": len(plan),
                "finished": there,
                "seconds": seconds,
                "bytes": memory,
            }
        )
        return
    console.print(f"{len(plan)} runs of {len(plan.settings)} settings in {place}, {there} of them finished")
    console.print(f"about {_as_duration(seconds)} for the other {left}, from one small run of each setting")
    at_once = f", {workers} at once" if workers > 1 else ""
    console.print(f"about {max(memory / 1e6, 1):.0f} MB for the arrays of the largest run{at_once}")


def _show(data: "xr.Dataset", place: Path, missing: int, unreadable: dict[str, str]) -> None:
    from ..tables import sweep_table

    console.print(sweep_table(data))
    console.print(f"{place}: index.csv has a row per run", highlight=False)
    if missing:
        console.print(f"{missing} runs are missing; the same call continues")
    for name, why in unreadable.items():
        console.print(f"set aside: {name}: {why}", highlight=False, markup=False)


def _as_duration(seconds: float) -> str:
    """Return a time as a person says it."""
    for size, unit in ((86400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds > 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.2g} seconds"
