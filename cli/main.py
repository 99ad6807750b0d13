"""The command `rebatch`: analyze a target, predict its overlaps, simulate, and see whether the two agree."""

import json
import math
import re
import sys
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import track

from ..symbolic.errors import RebatchError

app = typer.Typer(
    add_completion=False,
    help="What gradient descent learns of a target in high dimension, and what reusing a batch changes.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
console = Console()

TargetText = Annotated[str, typer.Argument(metavar="TARGET", help='Link function, such as "z1 + He(3, z2)".')]
TargetOrName = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help='Link function, such as "z1 + He(3, z2)", or @name of the catalog.'
    ),
]
ActivationText = Annotated[str, typer.Option("--activation", "-s", help="A name, or a polynomial in h.")]
Neurons = Annotated[int, typer.Option("--neurons", "-p", help="Number of neurons.")]
Alpha = Annotated[float, typer.Option(help="Samples per dimension, n = alpha d.")]
Eta = Annotated[float, typer.Option(help="Step size.")]
WeightDecay = Annotated[float, typer.Option(help="Weight decay lam.")]
Loss = Annotated[Literal["squared", "correlation"], typer.Option(help="What a step descends.")]
NoiseStd = Annotated[float, typer.Option(help="Standard deviation of the label noise.")]
OnePass = Annotated[bool, typer.Option("--one-pass", help="A fresh batch at every step.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AsLatex = Annotated[bool, typer.Option("--latex", help="Print LaTeX.")]
Readout = Annotated[
    str | None, typer.Option(help="Second layer, p numbers with commas between; default (-1)^j / sqrt(p).")
]


@app.command()
def analyze(
    target: TargetOrName,
    max_order: Annotated[int, typer.Option(help="Highest power of the label tried as a witness.")] = 8,
    as_json: AsJson = False,
    as_latex: AsLatex = False,
) -> None:
    """What each algorithm can learn of a target and how many samples it needs, each line with its proof."""
    from ..symbolic.learnability.verdict import analyze as analyze_target
    from .tables import directions_table, exponents_table, proofs_table, samples_table

    text = _text(target)
    analysis = analyze_target(text, max_order=max_order)
    if as_json:
        _print_json(analysis.to_json())
        return
    if as_latex:
        print(analysis.latex())
        return
    plural = "direction" if analysis.dimension == 1 else "directions"
    console.print(f"[bold]g(z) = {escape(text)}[/], {analysis.dimension} {plural}", highlight=False)
    tables = (directions_table, exponents_table, proofs_table, samples_table)
    for table in tables if analysis.two_step else (exponents_table,):
        console.print(table(analysis))


@app.command()
def catalog(as_json: AsJson = False) -> None:
    """The named targets of the literature with their exponents."""
    from ..symbolic.language.catalog import catalog as entries
    from ..symbolic.learnability.verdict import analyze as analyze_target
    from .tables import catalog_table

    rows = [
        (entry, analyze_target(entry.target)) for entry in _progress(entries(), "analyzing", show=not as_json)
    ]
    if as_json:
        _print_json(
            [
                {"name": entry.name, "paper": entry.paper, "note": entry.note, **analysis.to_json()}
                for entry, analysis in rows
            ]
        )
        return
    console.print(catalog_table(rows))


@app.command()
def overlap(
    target: TargetText,
    activation: Annotated[
        str | None,
        typer.Option("--activation", "-s", help="A name, or an expression in h; left out: any activation."),
    ] = None,
    neurons: Neurons = 1,
    alpha: Annotated[
        float | None, typer.Option(help="Samples per dimension; with --eta, print numbers.")
    ] = None,
    eta: Annotated[float | None, typer.Option(help="Step size; with --alpha, print numbers.")] = None,
    weight_decay: WeightDecay = 0.0,
    loss: Loss = "squared",
    noise_std: NoiseStd = 0.0,
    readout: Readout = None,
    one_pass: OnePass = False,
    normalize: Annotated[
        bool, typer.Option("--normalize", help="Rows back to norm sqrt(d) each step.")
    ] = False,
    start: Annotated[
        str | None,
        typer.Option(help='M at the start, "1/3,0" or a row per neuron, "0.1,0;0,0.2"; 0 by default.'),
    ] = None,
    series: Annotated[
        int | None,
        typer.Option(
            help="Expand M^2 to this power of eta; by default, unless sigma is a polynomial, to the greatest m of a "
            "witness."
        ),
    ] = None,
    as_json: AsJson = False,
    as_latex: AsLatex = False,
    as_python: Annotated[bool, typer.Option("--python", help="Print a NumPy function.")] = False,
    figure: Annotated[
        Path | None, typer.Option(help="Draw M^2 against eta, with and without reuse, up to twice --eta.")
    ] = None,
    map_figure: Annotated[
        Path | None, typer.Option("--map", help="Draw M^2 over (alpha, eta), up to twice --alpha and --eta.")
    ] = None,
    runs: Annotated[int, typer.Option(help="Simulated runs behind each point in --figure; 0: none.")] = 0,
    d: Annotated[int, typer.Option("--d", "-d", help="Their input dimension.")] = 100_000,
) -> None:
    """The overlap after one and two steps: exact formulas, series in the step size, numbers.

    A polynomial activation has an exact formula; another one a series in eta, or numbers with --alpha and --eta;
    without an activation the series is universal, in moments of sigma and its derivatives.
    """
    from ..symbolic.language.target import Target
    from .formulas import for_terminal
    from .overlap import Answer, formulas_of, numbers_of
    from .tables import headline_table, overlaps_table

    if as_json + as_latex + as_python > 1:
        raise RebatchError("--json, --latex and --python are three forms of one answer; give one of them")
    if (alpha is None) != (eta is None):
        raise RebatchError("--alpha and --eta give numbers together; one of them is missing")
    for path in (figure, map_figure):
        if path is not None:
            from .figures import require_format

            require_format(path)
            if alpha is None:
                raise RebatchError("a figure is drawn around --alpha and --eta; give both")
    if activation is None:
        _require_open_activation(
            {"--alpha and --eta": alpha, "--python": as_python, "--normalize": normalize, "--start": start}
        )
    learned = Target(target, noise_std=noise_std)
    options: dict[str, Any] = {"neurons": neurons, "readout": _readout(readout), "loss": loss}
    begin = _start(start)
    reused, fresh = formulas_of(
        learned,
        activation,
        series,
        numeric=alpha is not None,
        normalize=normalize,
        begin=begin,
        options=options,
    )
    answer = Answer(reused, fresh, one_pass, None)
    if activation is not None and alpha is not None and eta is not None:
        from ..numeric.setting import Setting
        from . import study

        experiment = Setting(
            target=learned,
            activation=activation,
            alpha=alpha,
            eta=eta,
            steps=2,
            weight_decay=weight_decay,
            normalize=normalize,
            reuse=not one_pass,
            **options,
            **begin,
        )
        if figure is not None or map_figure is not None:
            predictions = study.predictions_of(experiment, options["readout"])
        if figure is not None:
            _draw_curves(predictions, experiment, figure, runs, d, show=not as_json)
        if map_figure is not None:
            study.draw_map(predictions[not one_pass], experiment, map_figure)
        answer = Answer(reused, fresh, one_pass, numbers_of(experiment, answer.exact))
    if as_json:
        _print_json(answer.to_json())
        return
    if as_python or as_latex:
        print(answer.to_python() if as_python else answer.latex())
        return
    for line in answer.formula_lines():
        print(line)
    if answer.rows:
        console.print(headline_table(answer.rows))
    for line in (*answer.notes(), *answer.gain_lines()):
        print(line)
    if answer.numbers is not None:
        title = f"alpha = {alpha:g}, eta = {eta:g}, lam = {weight_decay:g}"
        console.print(for_terminal(title), highlight=False)
        console.print(overlaps_table(answer.numbers.M, answer.numbers.errors))
        if answer.numbers.meaning:
            print(f"±: {answer.numbers.meaning}")


@app.command()
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
    from ..numeric.setting import STARTS, Setting
    from ..numeric.simulate import simulate as run_engine
    from ..verify.agreement import agreement
    from .tables import agreement_table, trajectories_table

    if figure is not None:
        from .figures import agreement_figure, require_format, save

    if out is not None and runs != 1:
        raise RebatchError(f"--out holds the trajectory of one run; --runs is {runs}")
    if compare and (runs < 3 or engine not in ("lazy", "dense")):
        raise RebatchError("--compare needs the lazy or dense engine and at least 3 runs; give --runs")
    if figure is not None:
        if not compare:
            raise RebatchError("--figure draws limit and runs; give --compare too")
        require_format(figure)
    setting = Setting(
        target=target,
        activation=activation,
        neurons=neurons,
        alpha=alpha,
        eta=eta,
        steps=steps,
        weight_decay=weight_decay,
        loss=loss,
        noise_std=noise_std,
        readout=_readout(readout),
        **_start(start, STARTS),
        reuse=not one_pass,
        batch_size=batch_size,
        repeats=repeats,
        rho=rho,
        normalize=normalize,
        record_every=record_every,
    )
    if d is None and engine == "lazy":
        d = 100_000
    results = [
        run_engine(setting, engine, d=d, seed=s)
        for s in _progress(range(seed, seed + runs), "simulating", show=not as_json)
    ]
    if out is not None:
        results[0].save(out)
    held = agreement(run_engine(setting, "limit", seed=0), results) if compare else None
    if held is not None and figure is not None:
        save(agreement_figure(held), figure)
    if as_json:
        _print_json(
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


@app.command()
def demo(
    figure: Annotated[Path, typer.Option(help="Where the figure is written.")] = Path("rebatch-demo.png"),
    d: Annotated[int, typer.Option("--d", "-d", help="Input dimension of the simulation.")] = 200_000,
    runs: Annotated[int, typer.Option(min=3, help="Runs behind each simulated number.")] = 16,
    as_json: AsJson = False,
) -> None:
    """The main job on z1 + He(3, z2): analyze, predict two steps, simulate, compare, draw."""
    from . import demonstration
    from .figures import require_format

    require_format(figure)
    if not as_json:
        analyze(demonstration.TARGET)
    result = demonstration.run(d, runs, lambda jobs: _progress(jobs, "simulating", show=not as_json))
    written = demonstration.draw(result, figure)
    if as_json:
        _print_json({**result.to_json(), "figure": str(written)})
        return
    demonstration.show(result, console)
    console.print(f"figure: {written}", highlight=False)


@app.command()
def converge(
    target: Annotated[str, typer.Argument(metavar="TARGET", help="Link function.")] = "z1",
    activation: ActivationText = "h",
    alpha: Alpha = 2.0,
    eta: Eta = 0.5,
    steps: Annotated[int, typer.Option(help="Gradient steps.")] = 2,
    neurons: Neurons = 1,
    loss: Loss = "squared",
    one_pass: OnePass = False,
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
    """How runs at dimension d come close to the limit: deviation like 1/d, spread like 1/sqrt(d)."""
    from ..numeric.setting import Setting
    from ..verify.convergence import convergence
    from .figures import convergence_figure, require_format, save

    require_format(figure)
    sizes = _integers("--dimensions", dimensions)
    setting = Setting(
        target=target,
        activation=activation,
        neurons=neurons,
        alpha=alpha,
        eta=eta,
        steps=steps,
        loss=loss,
        reuse=not one_pass,
    )
    counts = None if runs is None else _integers("--runs", runs)
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
        progress=lambda jobs: _progress(jobs, "simulating", show=not as_json),
    )
    written = save(convergence_figure(result), figure)
    if as_json:
        _print_json({**result.to_json(), "figure": str(written)})
        return
    console.print(f"{setting}", highlight=False, markup=False)
    console.print(f"deviation of the mean: d^({result.deviation_slope}); theory -1", highlight=False)
    controls = ", ".join(map(str, result.controls))
    console.print(f"control variates:      {controls}; 20 runs are needed for each", highlight=False)
    console.print(f"spread of the runs:    d^({result.spread_slope}); theory -1/2", highlight=False)
    console.print(f"figure: {written}", highlight=False)


@app.command()
def verify(
    target: TargetOrName,
    dimensions: Annotated[str, typer.Option(help="Values of d, with commas between.")] = "2000,16000,128000",
    runs: Annotated[int, typer.Option(min=6, help="Runs at each d, on one batch and on fresh ones.")] = 24,
    alpha: Annotated[float, typer.Option(help="Samples per dimension, n = alpha d.")] = 2.0,
    max_order: Annotated[int, typer.Option(help="Highest power of the label tried as a witness.")] = 8,
    false_alarm: Annotated[
        float, typer.Option(help="Probability of contradicting a true theory, all tests together.")
    ] = 1e-6,
    seed: Annotated[int, typer.Option(min=0, help="Of the first run.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Draw |M v| against d, verdicts and runs.")] = None,
    as_json: AsJson = False,
) -> None:
    """Put every two-step verdict on a target to an experiment; exit code 1 if theory and numbers disagree."""
    from ..verify.learnability import learnability
    from .tables import learnability_table

    if figure is not None:
        from .figures import learnability_figure, require_format, save

        require_format(figure)
    result = learnability(
        _text(target),
        dimensions=_integers("--dimensions", dimensions),
        runs=runs,
        alpha=alpha,
        seed=seed,
        max_order=max_order,
        false_alarm=false_alarm,
        progress=lambda jobs: _progress(jobs, "simulating", show=not as_json),
    )
    written = save(learnability_figure(result), figure) if figure is not None and result.checks else None
    if as_json:
        _print_json({**result.to_json(), "figure": None if written is None else str(written)})
    else:
        console.print(f"[bold]g(z) = {escape(result.target.text)}[/]", highlight=False)
        for experiment in result.experiments():
            console.print(f"experiment: {experiment}", highlight=False, markup=False)
        if result.checks:
            console.print(learnability_table(result))
            console.print(
                "M v: overlap after two steps, predicted, and measured at the largest d; slope: of log |M v| against "
                "log d, 0 for an overlap, -1/2 for noise.",
                style="dim",
                highlight=False,
            )
        console.print(result.statement, highlight=False, markup=False)
        if written is not None:
            console.print(f"figure: {written}", highlight=False)
    if result.agrees is False:
        raise typer.Exit(1)


@app.command()
def scaling(
    target: TargetOrName,
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
    alpha: Annotated[
        float, typer.Option(help="--reuse: the overlap to reach is the limit's at n = alpha d.")
    ] = 4.0,
    eta: Annotated[float | None, typer.Option(help="--reuse: step size.")] = None,
    steps: Annotated[int, typer.Option(help="--reuse: steps on the batch.")] = 2,
    noise_std: NoiseStd = 0.0,
    false_alarm: Annotated[float, typer.Option(help="Chance that a true law is called inconsistent.")] = 1e-3,
    seed: Annotated[int, typer.Option(help="Seed of the study.")] = 0,
    figure: Annotated[Path | None, typer.Option(help="Where a figure is written.")] = None,
    as_json: AsJson = False,
) -> None:
    """Measure how learning time grows with d, and hold it against the information exponent.

    Weak-recovery time of online descent, by default; with --reuse, the samples that a reused batch needs. The exit
    code is 1 where theory and numbers disagree.
    """
    from ..symbolic.language.target import Target
    from ..verify.reuse_samples import ReuseScaling, reuse_scaling
    from ..verify.scaling import Scaling
    from ..verify.scaling import scaling as measure
    from .figures import require_format, reuse_figure, save, scaling_figure
    from .tables import outcome_in_colour, reuse_table, scaling_table

    if figure is not None:
        require_format(figure)
    if not reuse and (alpha, eta, steps) != (4.0, None, 2):
        raise RebatchError("--alpha, --eta and --steps are of the study with --reuse; give it too")
    learned = Target(_text(target), noise_std=noise_std)
    options: dict[str, Any] = {
        "seed": seed,
        "false_alarm": false_alarm,
        "dimensions": None if dimensions is None else _integers("--dimensions", dimensions),
    }
    result: ReuseScaling | Scaling
    if reuse:
        result = samples = reuse_scaling(
            learned,
            activation or "tanh",
            alpha=alpha,
            eta=eta,
            steps=steps,
            runs=32 if replicas is None else replicas,
            **options,
        )
        table, drawn = reuse_table(samples), reuse_figure(samples) if figure else None
    else:
        result = times = measure(
            learned, activation, replicas=192 if replicas is None else replicas, **options
        )
        table, drawn = scaling_table(times), scaling_figure(times) if figure else None
    written = save(drawn, figure) if drawn is not None and figure is not None else None
    if as_json:
        _print_json({**result.to_json(), "figure": None if written is None else str(written)})
    else:
        console.print(result.heading(), highlight=False, markup=False)
        console.print(table)
        console.print(outcome_in_colour(result.outcome, result.statement()), highlight=False)
        if result.interrupted:
            console.print("interrupted: the dimensions finished before", highlight=False)
        if written is not None:
            console.print(f"figure: {written}", highlight=False)
    if result.outcome == "inconsistent":
        raise typer.Exit(1)


def _require_open_activation(given: dict[str, Any]) -> None:
    """Refuse options that an activation left open has no answer to."""
    if needing := [option for option, value in given.items() if value is not None and value is not False]:
        raise RebatchError(
            f"{', '.join(needing)}: give an activation too, -s; without one the formula is universal, in moments "
            "such as E[sigma' sigma'']"
        )


def _draw_curves(predictions: Any, experiment: Any, path: Path, runs: int, d: int, *, show: bool) -> None:
    """Draw M^2 against eta up to twice the experiment's, with points from runs where they are asked for."""
    from . import study

    points = [experiment.eta * x for x in (0.5, 1.0, 1.5, 2.0)] if runs else []
    held = study.held_against_runs(
        predictions, experiment, points, runs, d, lambda jobs: _progress(jobs, "simulating", show=show)
    )
    study.draw_curves(predictions, experiment, 2 * experiment.eta, held, path)


def _text(target: str) -> str:
    """Return the target's text, of one of the catalog where it is given by @name."""
    if not target.startswith("@"):
        return target
    from ..symbolic.language.catalog import named

    return named(target).text


def _integers(option: str, text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RebatchError(f"{option} {text!r}; allowed are integers with commas between") from None


def _readout(text: str | None) -> list[Any] | None:
    if text is None:
        return None
    try:
        return [_number(part) for part in text.split(",")]
    except (ValueError, OverflowError):
        raise RebatchError(
            f"--readout {text!r}; allowed are numbers with commas between, 0.5,-0.5 or 1/sqrt(2),0"
        ) from None


def _start(text: str | None, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the start as an argument, if one is given: numbers, or one of the names."""
    if text is None:
        return {}
    if text in names:
        return {"start": text}
    try:
        return {"start": [[_number(x) for x in row.split(",")] for row in text.split(";")]}
    except (ValueError, OverflowError):
        raise RebatchError(
            f"--start {text!r}; allowed are {''.join(f'{name}, ' for name in names)}numbers with commas between, "
            "a row per neuron with ; between: 1/3,0;0,0.2"
        ) from None


def _number(text: str) -> Any:
    """Return a number as it is written, 1/3 or sqrt(2)/2 exactly."""
    from ..symbolic.overlap.two_steps import constant

    return constant(text)


def _progress(items: Any, description: str, *, show: bool) -> Any:
    """Return the items behind a progress bar, where a person looks on."""
    items = list(items)
    if not (show and console.is_terminal and len(items) > 1):
        return items
    return track(items, description, console=console, transient=True)


def _print_json(data: Any) -> None:
    print(json.dumps(_finite(data), indent=2, allow_nan=False))


def _finite(data: Any) -> Any:
    """Return JSON-ready data in which numbers that JSON does not know (infinite, not a number) are null."""
    if isinstance(data, dict):
        return {key: _finite(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [_finite(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data


def main() -> None:
    """Run the command; errors are one clear line and exit code 2, never a traceback."""
    warnings.showwarning = _show_warning
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except RebatchError as error:
        _fail(str(error), 2)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if re.search(r"No such option: -[^-]", message):
            message += ' (a target that begins with "-" stands after "--")'
        _fail(message, 2)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)
    except MemoryError:
        _fail("the job does not fit in memory; a smaller d, alpha or number of neurons is needed", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _fail(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
