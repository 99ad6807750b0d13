"""The sections of a report: what each says, what it rests on, and the command that repeats it."""

from ...numeric.canvas import NEW
from ...numeric.inference.algorithms import sharp_thresholds
from ...numeric.setting import Setting
from ...numeric.simulate import simulate
from ...symbolic.errors import RebatchError
from ...symbolic.exact.effort import DEFAULT_EFFORT
from ...symbolic.exact.subspace import in_words
from ...symbolic.exact.typeset import mathml
from ...symbolic.language.target import Target
from ...symbolic.learnability.analysis import FATES, Analysis
from ...symbolic.learnability.analyze import analyze
from ...symbolic.overlap.headline import headlines
from ...symbolic.overlap.series import overlap_series
from ...symbolic.thresholds.algorithms import AlgorithmComparison
from ...verify.drawing import draw_learnability
from ...verify.learnability import COLUMNS, learnability
from ..figures import figure_of
from .parts import Section, Table, picture, quoted

# The network of the trajectory: the one of theory, 7.
_ACTIVATION, _NEURONS, _ALPHA, _ETA = "relu", 2, 3.0, 0.2


def what_theory_says(target: Target) -> Section:
    """Return exponents, verdicts with proofs, and sample complexities."""
    known = analyze(target)
    return Section(
        "What theory says",
        "each line on what stands in its column; witnesses can be checked by hand",
        f"rebatch analyze {quoted(target)}",
        text=known.notes(),
        tables=(
            *_fates(known),
            Table(
                ("exponent", "value", "how known", "witness"),
                [(name, str(e), str(e.how), e.witness) for name, e in known.exponents().items()],
            ),
            Table(
                ("direction", "two steps", "how known", "proof"),
                [(in_words(v.direction), v.said, str(v.how), v.reason()) for v in known.two_step],
            ),
            Table(
                ("algorithm", "learns", "needs", "how known", "reference"),
                [(n.algorithm, n.learns, str(n), str(n.how), n.source) for n in known.samples.values()],
            ),
        ),
    )


def _fates(known: Analysis) -> tuple[Table, ...]:
    """Return each direction under each algorithm, with sharp thresholds where the inputs have them."""
    if not known.target.inputs.is_gaussian or not known.two_step:
        return (Table(FATES, known.fates()),)
    found = sharp_thresholds(known, effort=DEFAULT_EFFORT, integrate=True)
    return tuple(Table(sheet.head, sheet.rows) for sheet in AlgorithmComparison(known, found).sheets())


def formula_section(target: Target) -> Section:
    """Return the overlap after two steps as a series for any smooth activation, and where each direction appears."""
    title, command = "The overlap after two steps", f"rebatch overlap {quoted(target)} --loss correlation"
    try:
        reused, fresh = (
            overlap_series(target, None, loss="correlation", reuse=reuse) for reuse in (True, False)
        )
    except RebatchError as error:
        return Section(title, "no formula", command, text=(f"There is no series for this target: {error}.",))
    rows = headlines(reused, fresh)
    return Section(
        title,
        f"a series in the step size up to eta^{reused.order}, exact in the moments of the activation; correlation "
        "loss, one neuron, start without overlap",
        command,
        text=(
            "For any smooth activation sigma, in moments of its derivatives under a standard normal field. "
            "Where a moment vanishes for the activation at hand, so does its term.",
        ),
        tables=(
            Table(
                ("direction v", "two steps", "leading term of M2 v, batch reused", "in one pass"),
                [
                    (in_words(r.verdict.direction), r.verdict.said, str(r.reuse), str(r.one_pass))
                    for r in rows
                ],
            ),
        ),
        formulas=[mathml(row.latex()) for row in rows],
    )


def experiment_section(target: Target, runs: int, seed: int) -> Section:
    """Return every two-step verdict beside the experiment that tests it."""
    result = learnability(target, runs=runs, seed=seed)
    words = "Size of the overlap along each direction against dimension, on a reused batch and on fresh ones."
    return Section(
        "Do simulations agree?",
        f"{runs} runs at each dimension; a true theory is contradicted with probability {result.false_alarm:g}",
        f"rebatch verify {quoted(target, '--law')} --runs {runs} --seed {seed}",
        text=(result.statement,),
        tables=(Table(COLUMNS, result.rows()),),
        figures=(
            picture(
                figure_of(draw_learnability, result),
                f"{words} {result.statement}",
                "Points: root mean square over runs, two standard errors. Lines: predicted overlap. Dashes: noise.",
            ),
        ),
    )


def trajectory_section(target: Target, steps: int, runs: int, d: int, seed: int) -> Section:
    """Return the limit dynamics on one batch, with simulations at one dimension."""
    setting = Setting(
        target=target, activation=_ACTIVATION, neurons=_NEURONS, alpha=_ALPHA, eta=_ETA, steps=steps
    )
    limit = simulate(setting, "limit", seed=seed)
    points = [simulate(setting, "lazy", d=d, seed=seed + 1 + i) for i in range(runs)]
    axes = limit.draw(NEW, points)
    given = f"-s {_ACTIVATION} -p {_NEURONS} --alpha {_ALPHA:g} --eta {_ETA:g} --steps {steps}"
    return Section(
        "Longer training on one batch",
        f"the limit d to infinity by quasi-Monte Carlo, with its error as a band; {runs} simulations at d = {d}",
        f"rebatch simulate {quoted(target)} {given} --runs {runs} --d {d} --compare",
        text=(f"{setting}.",),
        figures=(
            picture(
                axes[0].figure,
                f"Overlap of two neurons with each direction over {steps} steps, theory and simulations.",
                "Lines: the limit, band two standard errors. Points: mean over simulations, two standard errors.",
            ),
        ),
    )
