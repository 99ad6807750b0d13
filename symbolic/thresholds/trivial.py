"""The trivial subspace: the directions that are found at every alpha > 0 (theory, 9)."""

from ..exact.known import How
from ..exact.subspace import Subspace
from ..learnability.reading import Reading
from ..learnability.verdict import verdict_of

# Powers of the label that are tried for trivial directions.
_MAX_POWER = 8


def trivial_subspace(reading: Reading) -> tuple[Subspace, How, str]:
    """Return the directions that are found at every alpha > 0, how that is known, and by what.

    That they are all is known where symmetries hide the others; else the answer is UNDECIDED.
    """
    staircase = reading.reuse_staircase(_MAX_POWER)
    trivial = staircase.spaces[-1] if staircase.spaces else Subspace.zero(reading.k)
    words = "; ".join(staircase.witnesses) or "no E[F(y) z] differs from 0"
    left = trivial.within(reading.relevant)
    verdicts = verdict_of(reading, _MAX_POWER) if left.dimension else ()
    hidden = Subspace.span((v.direction for v in verdicts if v.verdict == "hidden"), reading.k)
    if left <= hidden:
        return trivial, staircase.how, words
    return trivial, How.UNDECIDED, f"{words}; more directions are not excluded by a symmetry"
