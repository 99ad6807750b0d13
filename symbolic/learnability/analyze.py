"""The whole analysis of a target: every question of theory, 3, put to its one reading, within one effort."""

from collections.abc import Callable
from math import inf
from typing import Any, TypeVar

from ..exact import effort as work
from ..exact.known import How
from ..exact.polynomial import is_polynomial
from ..exact.subspace import Vector
from ..language.target import Target
from .analysis import Analysis
from .direction_count import count_directions
from .direction_verdict import undecided
from .exponents import (
    generative_exponent,
    generative_leap,
    information_exponent,
    isotropic_leap,
    leap,
    relevant_subspace,
    reuse_staircase,
)
from .known_exponents import Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .reading import forget
from .verdict import MAX_WITNESS_ORDER, two_step_verdict

_HALF = 0.5

T = TypeVar("T")


def analyze(
    target: Target | str, *, max_order: int = MAX_WITNESS_ORDER, effort: int | None = work.DEFAULT_EFFORT
) -> Analysis:
    """Return what gradient descent can learn of a target: exponents and two-step verdicts.

    Parameters
    ----------
    target : Target or str
    max_order : int
        The highest m for which a witness E[y^m z] is sought.
    effort : int or None
        Units of work, a microsecond or so each, after which every question that has no answer yet is undecided: the
        same on every machine. None: no limit. Inputs of finitely many values are gone through, and need none.

    Raises
    ------
    RebatchError
        If max_order is not a positive integer, effort is negative, or g is not a real function with an expectation.

    References
    ----------
    theory, 3; for inputs that are not Gaussian theory, 13, and a `ProductAnalysis`.
    """
    target = Target(target)
    if not target.inputs.is_gaussian:
        from .product_analysis import analyze_product  # noqa: PLC0415 - loads what only other inputs need

        return analyze_product(target, max_order)
    relevant = relevant_subspace(target)
    with work.effort(effort):
        asked = _Asked()
        # What powers of the label take must leave something for the questions on the label itself.
        answers: dict[str, Any] = {
            "information_exponent": asked.answer(lambda: information_exponent(target), _no_exponent),
            "two_step": asked.answer(
                lambda: two_step_verdict(target, max_order),
                lambda why: undecided(relevant, 0, why),
                part=_HALF,
            ),
            "reuse_staircase": asked.answer(
                lambda: reuse_staircase(target, max_order), _no_staircase, part=_HALF
            ),
            "leap": asked.answer(lambda: leap(target), _no_exponent, part=_HALF),
            "isotropic_leap": asked.answer(
                lambda: isotropic_leap(target),
                lambda why: IsotropicLeap(None, How.UNDECIDED, witness=why),
                part=_HALF,
            ),
            "generative_exponent": asked.answer(lambda: generative_exponent(target), _no_exponent),
            "generative_leap": asked.answer(
                lambda: generative_leap(target, max_order),
                lambda why: GenerativeLeap(None, How.UNDECIDED, witness=why, lower=1),
            ),
        }
    if asked.exhausted:
        # What was found on the way would let the same question go further when it is asked again.
        forget()
    isotropic: IsotropicLeap = answers["isotropic_leap"]
    known: list[tuple[tuple[Vector, ...], How]]
    known = [((v.direction,), v.how) for v in answers["two_step"] if v.verdict == "learned"]
    known += [(added, isotropic.how) for _, added in isotropic.sequence]
    exact = is_polynomial(target.expr, target.coordinates)
    return Analysis(target, count_directions(target, relevant, known, exact=exact), **answers)


class _Asked:
    """Questions, one after the other, each within a part of the effort that is left.

    Attributes
    ----------
    exhausted : bool
        Whether one of them has spent all that it was allowed.
    """

    def __init__(self) -> None:
        self.exhausted = False

    def answer(self, question: Callable[[], T], otherwise: Callable[[str], T], *, part: float = 1.0) -> T:
        """Return the answer, or what is said where the effort was spent before there was one."""
        left = work.left()
        with work.effort(None if left == inf else max(0, int(part * left))) as share:
            try:
                return question()
            except work.EffortSpentError as spent:
                return otherwise(str(spent))
            finally:
                self.exhausted = self.exhausted or share.exhausted


def _no_exponent(why: str) -> Exponent:
    return Exponent(None, How.UNDECIDED, witness=why)


def _no_staircase(why: str) -> ReuseStaircase:
    return ReuseStaircase((), 0, How.UNDECIDED, ended=why)
