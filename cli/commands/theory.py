"""What theory says of a target: `analyze`, `catalog` and `overlap`."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.markup import escape

from ...symbolic.errors import RebatchError
from .. import signals
from ..options import (
    AsJson,
    AsLatex,
    Inputs,
    LabelNoise,
    Loss,
    Neurons,
    NoiseStd,
    OnePass,
    Readout,
    TargetText,
    WeightDecay,
    readout_from,
    start_from,
    target_from,
)
from ..terminal import console, print_json, progress_bar

if TYPE_CHECKING:  # what only one command of these needs
    from ...numeric.setting import Setting
    from ...symbolic.language.target import Target
    from ...symbolic.learnability.analysis import Analysis
    from ...symbolic.overlap.suitability import ActivationCheck, ActivationChoice
    from ...symbolic.thresholds.algorithms import AlgorithmComparison
    from ..overlap import Answer

_SEVEN_COLUMNS = 90
# Closed thresholds beside an analysis may take one part in so many of its effort.
_BESIDE = 4


def analyze(
    target: TargetText,
    max_order: Annotated[int, typer.Option(help="Highest power of the label tried as a witness.")] = 8,
    inputs: Inputs = None,
    activation: Annotated[
        str | None,
        typer.Option("--activation", "-s", help="Does this one show each direction? A name, or text in h."),
    ] = None,
    which: Annotated[
        bool, typer.Option("--which-activation", help="What each named activation shows, by direction.")
    ] = False,
    effort: Annotated[
        int,
        typer.Option(min=0, help="Units of work, a microsecond or so each, until what is open is undecided."),
    ] = 20_000_000,
    noise_std: NoiseStd = 0.0,
    noise: LabelNoise = None,
    thresholds: Annotated[
        bool,
        typer.Option("--thresholds", help="Integrate alpha_c of several directions too: seconds."),
    ] = False,
    as_json: AsJson = False,
    as_latex: AsLatex = False,
) -> None:
    """What each algorithm can learn of a target and how many samples it needs, each line with its proof.

    Example: rebatch analyze "z1 + He(3, z2)" --activation relu
    """
    from ...symbolic.exact.effort import effort as within
    from ...symbolic.learnability.analyze import analyze as analyze_target

    learned = target_from(target, inputs, noise_std, noise)
    checks = _activation_checks(learned, activation, which=which, max_order=max_order)
    with within(None) as whole, signals.asking_first(whole.interrupt):
        analysis = analyze_target(learned, max_order=max_order, effort=effort)
        compared = _compared(analysis, effort, integrate=thresholds)
    if as_json:
        side = {} if compared is None else {"algorithms": compared.to_json()}
        answers = {name: answer.to_json() for name, answer in checks.items()}
        print_json({**analysis.to_json(), **side, **answers})
        return
    if as_latex:
        known = [analysis] if compared is None else [analysis, compared]
        print(
            "\n\n".join([*(a.to_latex() for a in known), *(answer.to_latex() for answer in checks.values())])
        )
        return
    _show_analysis(analysis, compared)
    for answer in checks.values():
        _show_checked(answer)


def _compared(analysis: "Analysis", effort: int, *, integrate: bool) -> "AlgorithmComparison | None":
    """Return each direction under each family of algorithms; None where thresholds are not known.

    They are those of Gaussian inputs and Gaussian noise.
    """
    target = analysis.target
    other_noise = target.noise is not None and not target.noise.is_gaussian
    if other_noise or not (target.inputs.is_gaussian and analysis.two_step):
        return None
    from ...numeric.inference.algorithms import sharp_thresholds
    from ...symbolic.thresholds.algorithms import AlgorithmComparison

    share = effort if integrate else effort // _BESIDE
    return AlgorithmComparison(analysis, sharp_thresholds(analysis, effort=share, integrate=integrate))


def _show_analysis(analysis: "Analysis", compared: "AlgorithmComparison | None") -> None:
    """Print the tables of an analysis, with the comparison of algorithms first where there is one."""
    from .. import tables

    learned = analysis.target
    law = "" if learned.inputs.is_gaussian else f", inputs {escape(learned.inputs.name)}"
    noise = f", {escape(learned.noise_in_words)}" if learned.noise else ""
    console.print(
        f"[bold]g(z) = {escape(learned.text)}[/]{law}{noise}, {analysis.directions.in_words()}",
        highlight=False,
    )
    # Seven columns break words on a narrow screen: there thresholds stand in their own table.
    wide = console.width >= _SEVEN_COLUMNS
    if compared is not None and wide:
        console.print(tables.algorithms_table(compared))
    elif analysis.two_step:
        console.print(tables.directions_table(analysis))
    console.print(tables.exponents_table(analysis))
    if analysis.two_step:
        console.print(tables.proofs_table(analysis))
    if compared is not None:
        console.print(tables.thresholds_table(compared, price=not wide))
    if analysis.two_step:
        console.print(tables.samples_table(analysis))
    if compared is not None:
        console.print(tables.bounds_table())
    for note in analysis.notes():
        console.print(note, style="dim", highlight=False, markup=False)


def _activation_checks(
    target: "Target", activation: str | None, *, which: bool, max_order: int
) -> "dict[str, ActivationCheck | ActivationChoice]":
    """Return what the activation that is asked about shows, and what all named ones do, by their keys in the JSON."""
    found: dict[str, ActivationCheck | ActivationChoice] = {}
    if activation is None and not which:
        return found
    from ...symbolic.overlap.suitability import activation_check, which_activation

    if activation is not None:
        found["activation_check"] = activation_check(target, activation, max_order)
    if which:
        found["which_activation"] = which_activation(target, max_order=max_order)
    return found


def _show_checked(answer: "ActivationCheck | ActivationChoice") -> None:
    """Print what activations show, and what is to be said of it."""
    from ..tables import sheet_table

    for sheet in answer.sheets():
        console.print(sheet_table(sheet, bold=1))
    for line in answer.remarks():
        console.print(line, highlight=False, markup=False)


def catalog(
    inputs: Annotated[
        Literal["gaussian", "boolean"], typer.Option(help="The targets of Gaussian inputs, or on the cube.")
    ] = "gaussian",
    as_json: AsJson = False,
) -> None:
    """The named targets of the literature with their exponents.

    Example: rebatch catalog
    """
    from ...symbolic.language.boolean_catalog import BOOLEAN_ENTRIES
    from ...symbolic.language.catalog import ENTRIES
    from ...symbolic.learnability.analyze import analyze as analyze_target
    from ..tables import catalog_table

    chosen = ENTRIES if inputs == "gaussian" else BOOLEAN_ENTRIES
    rows = [
        (entry, analyze_target(entry.target))
        for entry in progress_bar(chosen.values(), "analyzing", show=not as_json)
    ]
    if as_json:
        print_json(
            [
                {"name": entry.name, "paper": entry.paper, "note": entry.note, **analysis.to_json()}
                for entry, analysis in rows
            ]
        )
        return
    console.print(catalog_table(rows))


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
    noise: LabelNoise = None,
    inputs: Inputs = None,
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

    Example: rebatch overlap "He(3, z1)" -s "h + h^2/2" --latex
    """
    from ..overlap import Answer, formulas_of, numbers_of

    _require_one_form((as_json, as_latex, as_python), (alpha, eta))
    _require_drawable((figure, map_figure), numbers=alpha is not None)
    if activation is None:
        _require_open_activation(
            {"--alpha and --eta": alpha, "--python": as_python, "--normalize": normalize, "--start": start}
        )
    learned = target_from(target, inputs, noise_std, noise)
    options: dict[str, Any] = {"neurons": neurons, "readout": readout_from(readout), "loss": loss}
    begin = start_from(start)
    reused, fresh = formulas_of(
        learned,
        activation,
        series,
        numeric=alpha is not None,
        normalize=normalize,
        begin=begin,
        options=options,
    )
    # Verdicts are for the start M = 0; LaTeX and Python hold the formula alone.
    check = None if begin or as_latex or as_python else _check_of(learned, activation)
    answer = Answer(reused, fresh, one_pass, None, check)
    if activation is not None and alpha is not None and eta is not None:
        from ...numeric.setting import Setting

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
            _draw(experiment, options["readout"], figure, map_figure, runs, d, show=not as_json)
        answer = Answer(reused, fresh, one_pass, numbers_of(experiment, answer.exact), check)
    if as_json:
        print_json(answer.to_json())
    elif as_python or as_latex:
        print(answer.to_python() if as_python else answer.latex())
    else:
        _show(answer, f"alpha = {alpha:g}, eta = {eta:g}, lam = {weight_decay:g}" if answer.numbers else "")


def _check_of(learned: "Target", activation: str | None) -> "ActivationCheck | None":
    """Return what the activation shows of a target of Gaussian inputs; None without one."""
    if activation is None or not learned.inputs.is_gaussian:
        return None
    from ...symbolic.overlap.suitability import activation_check

    return activation_check(learned, activation)


def _show(answer: "Answer", title: str) -> None:
    """Print the formula, where each direction appears in it, what reuse adds, and numbers under their title."""
    from ..formulas import for_terminal
    from ..tables import headline_table, overlaps_table

    for line in answer.formula_lines():
        print(line)
    if answer.rows:
        console.print(headline_table(answer.rows))
    for line in (*answer.notes(), *answer.gain_lines()):
        print(line)
    if answer.check is not None:
        _show_checked(answer.check)
    if answer.numbers is not None:
        console.print(for_terminal(title), highlight=False)
        console.print(overlaps_table(answer.numbers.M, answer.numbers.errors))
        if answer.numbers.meaning:
            print(f"±: {answer.numbers.meaning}")


def _require_one_form(forms: Sequence[bool], numbers: Sequence[float | None]) -> None:
    """Refuse several forms of one answer, and half of what numbers need."""
    if sum(forms) > 1:
        raise RebatchError("--json, --latex and --python are three forms of one answer; give one of them")
    if sum(x is None for x in numbers) == 1:
        raise RebatchError("--alpha and --eta give numbers together; one of them is missing")


def _require_drawable(paths: Iterable[Path | None], *, numbers: bool) -> None:
    """Refuse a figure that cannot be written or has no numbers to show, before the work."""
    for path in paths:
        if path is not None:
            from ..figures import require_drawable

            require_drawable(path)
            if not numbers:
                raise RebatchError("a figure is drawn around --alpha and --eta; give both")


def _require_open_activation(given: dict[str, Any]) -> None:
    """Refuse options that an activation left open has no answer to."""
    if needing := [option for option, value in given.items() if value is not None and value is not False]:
        raise RebatchError(
            f"{', '.join(needing)}: give an activation too, -s; without one the formula is universal, in moments "
            "such as E[sigma' sigma'']"
        )


def _draw(
    experiment: "Setting",
    readout: Sequence[float] | None,
    figure: Path | None,
    map_figure: Path | None,
    runs: int,
    d: int,
    *,
    show: bool,
) -> None:
    """Draw M^2 against eta up to twice the experiment's, points from runs if asked for, and over (alpha, eta)."""
    from .. import comparison

    predictions = comparison.predictions_of(experiment, readout)
    if figure is not None:
        points = [experiment.eta * x for x in (0.5, 1.0, 1.5, 2.0)] if runs else []
        held = comparison.held_against_runs(
            predictions, experiment, points, runs, d, lambda jobs: progress_bar(jobs, "simulating", show=show)
        )
        comparison.draw_curves(predictions, experiment, 2 * experiment.eta, held, d, figure)
    if map_figure is not None:
        comparison.draw_map(predictions[experiment.reuse], experiment, map_figure)
