"""The studies of a report: activations, two steps against runs, sharp thresholds, phases, the chain to a small error.

Each is what one command answers; where it refuses a target, the section says why, in the words of the command.
"""

from collections.abc import Callable, Iterable

from ...numeric.generalization import generalization
from ...numeric.generalization_drawing import draw_generalization
from ...numeric.inference.ceiling import ceiling
from ...numeric.inference.drawing import draw_ceiling, draw_certificates
from ...numeric.inference.threshold import weak_recovery_threshold
from ...numeric.overlap_curves import curve_grid, draw_two_steps
from ...numeric.phases_drawing import draw_phases
from ...numeric.setting import Setting
from ...symbolic.errors import RebatchError
from ...symbolic.exact.shown import Sheet
from ...symbolic.language.target import Target
from ...symbolic.overlap.suitability import which_activation
from ...symbolic.phases.diagram import phase_diagram
from .. import comparison
from ..figures import figure_of
from .parts import Picture, Section, Table, picture, quoted

# The network of the two steps, a kink that no series but only the integrals know; that of the chain has a formula.
_ACTIVATION, _ALPHA, _ETA = "relu", 2.0, 0.1
_LEARNER, _LEARNER_ALPHA = "h + h^2/2 + h^3/6", 8.0


def or_refusal(title: str, command: str, section: Callable[[], Section]) -> Section:
    """Return a section, or one that says why there is none for this target."""
    try:
        return section()
    except RebatchError as error:
        return Section(
            title, "a refusal: nothing is claimed", command, text=(f"Not for this target: {error}.",)
        )


def activation_section(target: Target) -> Section:
    """Return what each named activation shows of each direction in two steps."""
    title, command = "Which activation shows what", f"rebatch analyze {quoted(target)} --which-activation"

    def section() -> Section:
        known = which_activation(target)
        return Section(
            title,
            "each entry on what stands in brackets: the moment of the activation that leads at that power of eta",
            command,
            text=(
                "A direction of witness order m shows at eta^m where E[sigma'^(m-1) sigma^(m)] is not 0; kinks may "
                "show it earlier. The last column takes the hypothesis of the theorem literally.",
            ),
            tables=_tables(known.sheets()),
        )

    return or_refusal(title, command, section)


def two_step_section(target: Target, runs: int, d: int) -> Section:
    """Return the overlap after two steps against the step size, predicted and simulated."""
    title = "Two steps, predicted and simulated"
    given = f"-s {_ACTIVATION} --alpha {_ALPHA:g} --eta {_ETA:g} --loss correlation"
    command = f"rebatch overlap {quoted(target)} {given} --figure two-steps.png --runs {runs} --d {d}"

    def section() -> Section:
        setting = Setting(
            target=target, activation=_ACTIVATION, alpha=_ALPHA, eta=_ETA, steps=2, loss="correlation"
        )
        predicted = comparison.predictions_of(setting)
        etas = [_ETA * x for x in (0.5, 1.0, 1.5, 2.0)]
        held = comparison.held_against_runs(predicted, setting, etas, runs, d, iter)
        figure = figure_of(
            draw_two_steps,
            predicted[True],
            predicted[False],
            alpha=_ALPHA,
            etas=curve_grid(predicted[True], 2 * _ETA),
            simulated=held,
            d=d,
        )
        rows = [
            ("reused batch" if reuse else "fresh batches", f"{eta:g}", str(a.joint))
            for reuse, at in held.items()
            for eta, a in at.items()
        ]
        return Section(
            title,
            f"the limit d to infinity by integration; {runs} simulations at d = {d} for each point; p of all "
            "overlaps together by Hotelling's T^2",
            command,
            text=(f"{setting}.",),
            tables=(Table(("batch", "eta", "agreement of all overlaps together"), rows),),
            figures=(
                picture(
                    figure,
                    "Overlap of one neuron with each direction after two steps against the step size, on a reused "
                    "batch and on fresh ones, theory and simulations.",
                    "Curves: theory, band two errors of integration. Points: mean over runs, two standard errors.",
                ),
            ),
        )

    return or_refusal(title, command, section)


def threshold_section(target: Target) -> Section:
    """Return the weak-recovery thresholds of the best methods, with the certificates below them."""
    title, command = "Samples that the best methods need", f"rebatch threshold {quoted(target)}"

    def section() -> Section:
        found = weak_recovery_threshold(target)
        figures: tuple[Picture, ...] = ()
        if found.certificates:
            words = "Proved upper bounds on the threshold alpha_c against the degree of the certificate."
            caption = "Each bound is exact; the line is the threshold itself where it is known."
            figures = (picture(figure_of(draw_certificates, found), words, caption),)
        return Section(
            title,
            "each line on what stands in its column; certificates are exact bounds from moments",
            command,
            text=("n = alpha_c d samples separate recovery of some overlap from none (state evolution).",),
            tables=_tables(found.sheets()),
            figures=figures,
        )

    return or_refusal(title, command, section)


def ceiling_section(target: Target, seed: int) -> Section:
    """Return descent beside the best first-order method at equal numbers of products with the data."""
    title = "Descent against the best first-order method"
    command = f"rebatch ceiling {quoted(target)} --seed {seed} --figure ceiling.png"

    def section() -> Section:
        found = ceiling(target, seed=seed)
        return Section(
            title,
            "state evolution of message passing, and the limit of descent by integration, its step size tuned",
            command,
            text=(f"alpha = {found.alpha:g}; neurons that descend: {found.directions}, {found.activation}.",),
            tables=_tables(found.sheets()),
            figures=(
                picture(
                    figure_of(draw_ceiling, found),
                    "Cosine with the direction against the number of products with the data: descent on one batch, "
                    "on fresh ones, and the best method.",
                    "The gap to the upper curve is what any first-order method could still gain.",
                ),
            ),
        )

    return or_refusal(title, command, section)


def phase_section(target: Target) -> Section:
    """Return how exponents move with the batch size and with the look-ahead."""
    title, command = (
        "Batch size, steps and look-ahead",
        f"rebatch phases {quoted(target)} --figure phases.png",
    )

    def section() -> Section:
        found = phase_diagram(target)
        return Section(
            title,
            "exponents of d, each line on what stands in its column; heuristic scalings of the papers as such",
            command,
            tables=_tables(found.sheets()),
            figures=(
                picture(
                    figure_of(draw_phases, found),
                    "Exponents of steps and samples against the exponent of the batch size and of the look-ahead, a "
                    "row of panels for each direction.",
                    "All axes are powers of d.",
                ),
            ),
        )

    return or_refusal(title, command, section)


def learn_section(target: Target, seed: int) -> Section:
    """Return the chain from two steps to a small error, predicted and run."""
    title = "From two steps to a small error"
    given = f'-s "{_LEARNER}" --alpha {_LEARNER_ALPHA:g} --seed {seed}'
    command = f"rebatch learn {quoted(target)} {given} --figure learn.png"

    def section() -> Section:
        found = generalization(target, _LEARNER, alpha=_LEARNER_ALPHA, seed=seed)
        return Section(
            title,
            "the stages on what the table's heading says; runs at finite d beside them",
            command,
            tables=_tables(found.sheets()),
            figures=(
                picture(
                    figure_of(draw_generalization, found),
                    "Overlap along the one pass from where two steps end, and test loss after the readout against d.",
                    "Curve: the limit. Points: runs at finite d.",
                ),
            ),
        )

    return or_refusal(title, command, section)


def _tables(sheets: Iterable[Sheet]) -> tuple[Table, ...]:
    """Return tables as a page has them: a number that is not there is an empty cell."""
    return tuple(
        Table(
            sheet.head, [["" if cell == "nan" else cell for cell in row] for row in sheet.rows], sheet.title
        )
        for sheet in sheets
    )
