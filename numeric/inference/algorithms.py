"""Each direction of a target under each family of algorithms: `compare_algorithms` (theory, 3.7 and 9).

Exponents and verdicts come from the analysis, alpha_c from what is quick: closures, roots on level sets for one
direction, certificates; quadrature over several directions is done where it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.exact import effort as work
from ...symbolic.exact.known import How
from ...symbolic.exact.subspace import Subspace, Vector
from ...symbolic.language.target import Target
from ...symbolic.learnability.analyze import analyze
from ...symbolic.learnability.reading import read
from ...symbolic.learnability.verdict import MAX_WITNESS_ORDER
from ...symbolic.thresholds.algorithms import AlgorithmComparison, SharpThreshold
from ...symbolic.thresholds.trivial import trivial_subspace

if TYPE_CHECKING:  # they load NumPy, which a target whose directions are all trivial does without
    from ...symbolic.learnability.analysis import Analysis
    from ...symbolic.thresholds.threshold import Stage, Threshold

_NOT_COMPUTED = "not computed"


def compare_algorithms(
    target: Target | str,
    *,
    noise_std: float | None = None,
    max_order: int = MAX_WITNESS_ORDER,
    effort: int | None = work.DEFAULT_EFFORT,
    integrate: bool = True,
) -> AlgorithmComparison:
    """Return each direction under one pass, two steps, more steps, queries and message passing, side by side.

    Parameters
    ----------
    target : Target or str
        Of Gaussian inputs.
    noise_std : float, optional
        Standard deviation of the label noise; by default the target's own.
    max_order : int
        As in :func:`~rebatch.analyze`.
    effort : int or None
        As in :func:`~rebatch.analyze`, for the analysis and for the thresholds.
    integrate : bool
        Whether thresholds of several directions that do not close are integrated, in seconds; else a certificate
        stands there, or that it was not computed.

    Raises
    ------
    RebatchError
        If the noise is negative, the inputs are not Gaussian, or as :func:`~rebatch.analyze`.

    References
    ----------
    [T24, DLB25]; theory, 3.7 and 9.

    Examples
    --------
    >>> [(t.words, t.price) for t in compare_algorithms("z1^2").thresholds]
    [('1/2', '0.25 D')]
    """
    target = Target(target, noise_std=noise_std)
    target.require_gaussian("sharp thresholds", "state evolution is known of Gaussian rows")
    integrate = checks.flag("integrate", integrate)
    analysis = analyze(target, max_order=max_order, effort=effort)
    return AlgorithmComparison(analysis, sharp_thresholds(analysis, effort=effort, integrate=integrate))


def sharp_thresholds(
    analysis: Analysis, *, effort: int | None, integrate: bool
) -> tuple[SharpThreshold, ...]:
    """Return alpha_c of every direction of an analysis, or why it was not computed."""
    directions = [verdict.direction for verdict in analysis.two_step]
    try:
        with work.effort(effort):
            return _found(analysis.target, directions, integrate=integrate)
    except RebatchError as error:
        return tuple(_unknown(v, str(error)) for v in directions)


def _found(target: Target, directions: list[Vector], *, integrate: bool) -> tuple[SharpThreshold, ...]:
    """Return alpha_c of every direction; where all are trivial without loading what integrates."""
    reading = read(target)
    trivial, how, _ = trivial_subspace(reading)
    known = reading.reuse_staircase(MAX_WITNESS_ORDER).how
    if all(v in trivial for v in directions):
        return tuple(_trivial(v, known) for v in directions)
    from .threshold import weak_recovery_threshold  # noqa: PLC0415 - loads NumPy and SciPy

    answer = weak_recovery_threshold(target, integrate=integrate)
    complete = how is not How.UNDECIDED
    return tuple(
        _trivial(v, known) if v in trivial else _sharp(v, answer, complete=complete) for v in directions
    )


def _trivial(v: Vector, how: How) -> SharpThreshold:
    """Return that a direction is found at every alpha > 0, with any noise of the label."""
    proof = "trivial: some E[F(y) z] shows it, as steps on a reused batch do, at every alpha > 0"
    return SharpThreshold(v, 0.0, "0", how, proof, "none", None, how)


def _unknown(v: Vector, reason: str) -> SharpThreshold:
    return SharpThreshold(v, None, _NOT_COMPUTED, How.UNDECIDED, reason, _NOT_COMPUTED, None, How.UNDECIDED)


def _sharp(v: Vector, answer: Threshold, *, complete: bool) -> SharpThreshold:
    """Return what is known of a direction outside the trivial subspace."""
    number, stage = _stage_of(v, answer)
    noise = answer.noise
    price: tuple[str, int | None] = ("unknown", None)
    if stage.alpha == float("inf") and stage.how.is_proof:
        price = ("infinite", None)
    elif number == 1 and noise.price is not None:
        power = "D" if noise.exponent == 1 else f"D^{noise.exponent}"
        from ...symbolic.thresholds.noise import in_digits  # noqa: PLC0415 - as above

        price = (f"{in_digits(noise.price, 4)} {power}", noise.exponent)
    if stage.how is How.UNDECIDED:
        return SharpThreshold(v, None, *_bounded(number, stage, answer), *price, noise.how)
    if not complete:
        words = f"<= {stage.number()}"
        reason = f"whether the direction is trivial is not decided; that of second moments: {stage.proof}"
        return SharpThreshold(v, None, words, How.UNDECIDED, reason, *price, noise.how)
    return SharpThreshold(v, float(stage.alpha), stage.number(), stage.how, stage.proof, *price, noise.how)


def _stage_of(v: Vector, answer: Threshold) -> tuple[int, Stage]:
    """Return the stage after which a direction is found."""
    reached = Subspace.span(answer.stages[0].directions, len(v))
    for number, stage in enumerate(answer.stages[1:], start=1):
        reached = reached + Subspace.span(stage.directions, len(v))
        if v in reached:
            return number, stage
    return len(answer.stages) - 1, answer.stages[-1]


def _bounded(number: int, stage: Stage, answer: Threshold) -> tuple[str, How, str]:
    """Return what is known of a stage that is not told as a number, how, and by what."""
    if number > 1 or not answer.certificates:
        words = _NOT_COMPUTED if stage.alpha == 0 else stage.number()
        return words, How.UNDECIDED, stage.proof
    best = min(answer.certificates, key=lambda c: c.bound)
    several = f" for the first of {len(stage.directions)}" if len(stage.directions) > 1 else ""
    words = f"<= {float(best.bound):.5g}{several}"
    return words, How.EXACT, f"certificate of degree {best.degree} from exact moments; {stage.proof}"
