"""Where theory meets numbers: `converge`, `verify` and `scaling`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

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
    integers_from,
    target_from,
    text_of,
)
from ..terminal import console, print_json, progress_bar

if TYPE_CHECKING:  # what only one command of these needs
    from rich.table import Table

    from ...symbolic.language.target import Target
    from ...verify.full_batch import FullBatchScaling
    from ...verify.reuse_samples import ReuseScaling
    from ...verify.scaling import Scaling


def converge(
    target: TargetText = "z1",
    activation: ActivationText = "h",
    alpha: Alpha = 2.0,
    eta: Eta = 0.5,
    steps: Annotated[int, typer.Option(help="Gradient steps.")] = 2,
    neurons: Neurons = 1,
    loss: Loss = "squared",
    one_pass: OnePass = False,
    inputs: Inputs = None,
    dimensions: Annotated[str, typer.Option(help="Values of d, with commas between.")] = (
        "30,100,300,1000,10000,100000,1000000"
    ),
    runs: Annotated[
        str | None,
        typer.Option(
            help="Runs at every dimension, or at each, with commas between; by default 300 to 1000."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 0,
    figure: Annotated[Path, typer.Option(help="Where the figure is written.")] = Path(
        "rebatch-convergence.png"
    ),
    as_json: AsJson = False,
) -> None:
    """How runs at dimension d come close to the limit: deviation like 1/d, spread like 1/sqrt(d).

    Example: rebatch converge "z1 + He(3, z2)" -s relu --alpha 2 --eta 0.2
    """
    from ...numeric.setting import Setting
    from ...verify.convergence import convergence
    from ...verify.drawing import draw_convergence
    from ..figures import figure_of, require_drawable, save

    require_drawable(figure)
    sizes = integers_from("--dimensions", dimensions)
    setting = Setting(
        target=target_from(target, inputs),
        activation=activation,
        neurons=neurons,
        alpha=alpha,
        eta=eta,
        steps=steps,
        loss=loss,
        reuse=not one_pass,
    )
    counts = None if runs is None else integers_from("--runs", runs)
    if counts is not None:
        counts = counts * len(sizes) if len(counts) == 1 else counts
        if len(counts) != len(sizes):
            raise RebatchError(
                f"--runs {runs!r} for {len(sizes)} dimensions; allowed are one number, or one for each dimension"
            )
    result = convergence(
        setting,
        sizes,
        counts,
        seed=seed,
        progress=lambda jobs: progress_bar(jobs, "simulating", show=not as_json),
    )
    written = save(figure_of(draw_convergence, result), figure)
    if as_json:
        print_json({**result.to_json(), "figure": str(written)})
        return
    console.print(f"{setting}", highlight=False, markup=False)
    console.print(f"deviation of the mean: d^({result.deviation_slope}); theory -1", highlight=False)
    controls = ", ".join(map(str, result.controls))
    console.print(f"control variates:      {controls}; 20 runs are needed for each", highlight=False)
    console.print(f"spread of the runs:    d^({result.spread_slope}); theory -1/2", highlight=False)
    console.print(f"figure: {written}", highlight=False)


def verify(
    target: TargetText,
    dimensions: Annotated[
        str | None,
        typer.Option(help="Values of d, with commas between; 2000,16000,128000, with --inputs one, 2000."),
    ] = None,
    runs: Annotated[int, typer.Option(min=6, help="Runs at each d, on one batch and on fresh ones.")] = 24,
    alpha: Annotated[float, typer.Option(help="Samples per dimension, n = alpha d.")] = 2.0,
    max_order: Annotated[int, typer.Option(help="Highest power of the label tried as a witness.")] = 8,
    false_alarm: Annotated[
        float, typer.Option(help="Probability of contradicting a true theory, all tests together.")
    ] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Of the first run.")] = 0,
    inputs: Annotated[
        str | None,
        typer.Option(
            help="Instead: do runs on inputs of this law agree with the Gaussian limit? rademacher, uniform, "
            "laplace, student, …"
        ),
    ] = None,
    law: Annotated[
        str | None,
        typer.Option(
            help="Verdicts under this law of the coordinates, theory and runs alike: boolean, biased(1/4), …"
        ),
    ] = None,
    noise_std: NoiseStd = 0.0,
    noise: LabelNoise = None,
    data: Annotated[
        Path | None, typer.Option(help="Or runs on this matrix? .npy, or text, a row per sample.")
    ] = None,
    columns: Annotated[
        bool, typer.Option("--columns", help="With these: hidden directions along columns, not random.")
    ] = False,
    whiten: Annotated[
        bool, typer.Option("--whiten", help="With --data: take out all correlations first.")
    ] = False,
    activation: Annotated[
        str | None, typer.Option("--activation", "-s", help="With --inputs or --data; relu by default.")
    ] = None,
    eta: Annotated[
        float | None, typer.Option(help="With --inputs or --data: step size; 0.3 by default.")
    ] = None,
    figure: Annotated[Path | None, typer.Option(help="Draw |M v| against d, or runs and limit.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put every two-step verdict on a target to an experiment; exit code 1 if theory and numbers disagree.

    With --inputs or --data: whether Gaussian theory holds for other inputs, and which assumption fails where not.

    Example: rebatch verify "z1 + He(3, z2)" --figure verify.png
    """
    if inputs is not None or data is not None:
        if law is not None:
            raise RebatchError(
                "--law with --inputs or --data; allowed is one: those ask of the Gaussian limit"
            )
        if noise is not None or noise_std:
            raise RebatchError("label noise with --inputs or --data; allowed is none")
        sizes = None if dimensions is None else integers_from("--dimensions", dimensions)
        if sizes is not None and len(sizes) != 1:
            raise RebatchError(f"--dimensions {dimensions} with --inputs or --data; allowed is one")
        _verify_inputs(
            text_of(target), inputs, data, figure, as_json=as_json,
            d=None if sizes is None else sizes[0], directions="columns" if columns else "random", whiten=whiten,
            activation=activation, eta=eta, alpha=alpha, runs=runs, seed=seed, false_alarm=false_alarm,
        )  # fmt: skip
        return
    given = {"--columns": columns, "--whiten": whiten, "--activation": activation, "--eta": eta is not None}
    if lost := [name for name, value in given.items() if value]:
        raise RebatchError(f"{', '.join(lost)}: allowed with --inputs or --data")
    options: dict[str, Any] = {"runs": runs, "alpha": alpha, "seed": seed, "max_order": max_order}
    sizes = integers_from("--dimensions", dimensions or "2000,16000,128000")
    _verify_verdicts(
        target_from(target, law, noise_std, noise),
        figure,
        as_json=as_json,
        dimensions=sizes,
        false_alarm=false_alarm,
        **options,
    )


def _verify_inputs(
    target: str, inputs: str | None, data: Path | None, figure: Path | None, *, as_json: bool, **options: Any
) -> None:
    """Print whether runs on other inputs agree with the Gaussian limit; exit code 1 if they do not."""
    from ..universality import hold, show

    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    result = hold(
        target,
        inputs,
        data,
        progress=lambda jobs: progress_bar(jobs, "simulating", show=not as_json),
        **options,
    )
    written = None if figure is None else _drawn("draw_universality", result, figure)
    if as_json:
        print_json({**result.to_json(), "figure": None if written is None else str(written)})
    else:
        show(result)
        if written is not None:
            console.print(f"figure: {written}", highlight=False)
    if result.outcome == "disagrees":
        raise typer.Exit(1)


def _verify_verdicts(target: "Target", figure: Path | None, *, as_json: bool, **options: Any) -> None:
    """Print every verdict beside its experiment; exit code 1 if they disagree."""
    from ...verify.learnability import learnability
    from ..tables import learnability_table

    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    result = learnability(
        target,
        progress=lambda jobs: progress_bar(jobs, "simulating", show=not as_json),
        **options,
    )
    written = _drawn("draw_learnability", result, figure) if result.checks and figure is not None else None
    if as_json:
        print_json({**result.to_json(), "figure": None if written is None else str(written)})
    else:
        console.print(f"[bold]{escape(result.heading())}[/]", highlight=False)
        for experiment in result.experiments():
            console.print(f"experiment: {experiment}", highlight=False, markup=False)
        if result.checks:
            console.print(learnability_table(result))
            console.print(
                "M v: overlap after so many steps, predicted, and measured at the largest d; slope: of log |M v| "
                "against log d, 0 for an overlap, -1/2 for noise.",
                style="dim",
                highlight=False,
            )
        console.print(result.statement, highlight=False, markup=False)
        if written is not None:
            console.print(f"figure: {written}", highlight=False)
    if result.agrees is False:
        raise typer.Exit(1)


def scaling(
    target: TargetText,
    activation: Annotated[
        str | None,
        typer.Option(
            "--activation", "-s", help="By default He(n, h)/n! at information exponent n; --reuse: tanh."
        ),
    ] = None,
    reuse: Annotated[
        bool, typer.Option("--reuse", help="Measure the samples that a reused batch needs instead.")
    ] = False,
    dimensions: Annotated[
        str | None, typer.Option(help="Values of d, with commas between; by default what takes minutes.")
    ] = None,
    replicas: Annotated[
        int | None, typer.Option(help="Runs at each dimension; 192 by default, 32 with --reuse.")
    ] = None,
    full_batch: Annotated[
        bool,
        typer.Option(
            "--full-batch", help="Measure how many steps on one batch a hidden direction takes instead."
        ),
    ] = False,
    alpha: Annotated[
        float | None,
        typer.Option(
            help="--reuse: the overlap to reach is the limit's at n = alpha d, 4 by default; --full-batch: n, 16."
        ),
    ] = None,
    eta: Annotated[float | None, typer.Option(help="--reuse, --full-batch: step size.")] = None,
    steps: Annotated[
        int | None, typer.Option(help="--reuse: steps on the batch, 2; --full-batch: at most, 24.")
    ] = None,
    batch: Annotated[
        str | None, typer.Option(help="MU: every step takes d^MU fresh samples, such as 1/2; by default one.")
    ] = None,
    look_ahead: Annotated[
        float, typer.Option(help="RHO0: steps look ahead by rho = RHO0 d^R on the same sample.")
    ] = 0.0,
    look_ahead_power: Annotated[str, typer.Option(help="R <= 0 of the look-ahead RHO0 d^R.")] = "0",
    noise_std: NoiseStd = 0.0,
    noise: LabelNoise = None,
    inputs: Inputs = None,
    false_alarm: Annotated[float, typer.Option(help="Chance that a true law is called inconsistent.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where a figure is written.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how learning time grows with d, and hold it against theory.

    Weak-recovery time of online descent, by default of single samples against the information exponent; with --batch
    or --look-ahead against that point of the phase diagram; with --reuse, the samples that a reused batch needs; with
    --full-batch, the steps on one batch until a direction is found that two steps do not find. The exit code is 1
    where theory and numbers disagree.

    Example: rebatch scaling "He(3, z1)" --figure scaling.png
    """
    from ...verify.full_batch import full_batch_scaling
    from ...verify.reuse_samples import reuse_scaling
    from ...verify.scaling import scaling as measure
    from ..tables import full_batch_table, reuse_table, scaling_table

    if figure is not None:
        from ..figures import require_drawable

        require_drawable(figure)
    _require_one_study(
        reuse=reuse,
        full_batch=full_batch,
        of_reuse=(alpha, eta, steps) != (None, None, None),
        online=(batch, look_ahead, look_ahead_power) != (None, 0.0, "0"),
    )
    learned = target_from(target, inputs, noise_std, noise)
    options: dict[str, Any] = {
        "seed": seed,
        "false_alarm": false_alarm,
        "dimensions": None if dimensions is None else integers_from("--dimensions", dimensions),
    }
    result: ReuseScaling | Scaling | FullBatchScaling
    if full_batch:
        own = _given(alpha=alpha, eta=eta, steps=steps, activation=activation, runs=replicas)
        result = full = full_batch_scaling(learned, **own, **options)
        table, draw = full_batch_table(full), "draw_full_batch"
    elif reuse:
        own = _given(alpha=alpha, eta=eta, steps=steps, runs=32 if replicas is None else replicas)
        result = samples = reuse_scaling(learned, activation or "tanh", **own, **options)
        table, draw = reuse_table(samples), "draw_reuse"
    else:
        result = times = measure(
            learned,
            activation,
            replicas=192 if replicas is None else replicas,
            batch=batch,
            look_ahead=look_ahead,
            look_ahead_power=look_ahead_power,
            **options,
        )
        table, draw = scaling_table(times), "draw_scaling"
    written = None if figure is None else _drawn(draw, result, figure)
    if as_json:
        print_json({**result.to_json(), "figure": None if written is None else str(written)})
    else:
        _show_scaling(result, table, written)
    if result.outcome == "inconsistent":
        raise typer.Exit(1)


def _drawn(draw: str, result: Any, figure: Path) -> Path:
    """Write the figure that a function of verify/drawing.py draws of a result; only now is Matplotlib loaded."""
    from ...verify import drawing
    from ..figures import figure_of, save

    return save(figure_of(getattr(drawing, draw), result), figure)


def _given(**options: Any) -> dict[str, Any]:
    """Return the options that are not left out."""
    return {name: x for name, x in options.items() if x is not None}


def _require_one_study(*, reuse: bool, full_batch: bool, of_reuse: bool, online: bool) -> None:
    """Raise a RebatchError where options of one study are given to the other."""
    if reuse and full_batch:
        raise RebatchError("--reuse and --full-batch are two studies; give one of them")
    if of_reuse and not (reuse or full_batch):
        raise RebatchError(
            "--alpha, --eta and --steps are of the studies with --reuse and --full-batch; give one too"
        )
    if online and (reuse or full_batch):
        raise RebatchError(
            "--batch and --look-ahead are of online descent; allowed is one of them, or --reuse, or --full-batch"
        )


def _show_scaling(
    result: "ReuseScaling | Scaling | FullBatchScaling", table: "Table", written: Path | None
) -> None:
    """Print a study: what was run, its table, its outcome."""
    from ..tables import outcome_in_colour

    console.print(result.heading(), highlight=False, markup=False)
    console.print(table)
    console.print(outcome_in_colour(result.outcome, result.statement()), highlight=False)
    if result.interrupted:
        console.print("interrupted: the dimensions finished before", highlight=False)
    if written is not None:
        console.print(f"figure: {written}", highlight=False)
