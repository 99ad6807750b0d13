"""How an answer is known: the closed list that every result of rebatch carries."""

from collections.abc import Iterable
from enum import StrEnum


class How(StrEnum):
    """The warrant of an answer, from strongest to none.

    ========== =============================================================================
    EXACT      computed in exact arithmetic: a reader can redo it by hand
    THEOREM    follows from a published theorem; what it asks of the target was checked
               exactly, and what it asks of an algorithm is stated beside it
    ENCLOSURE  a ball that provably contains the value, and excludes the alternative
    NUMERIC    floating point with a stated tolerance; evidence, not proof
    CONJECTURE a published conjecture or heuristic, true of no target by proof: weaker than
               any number that was computed for this one
    UNDECIDED  the search ended without an answer; what was searched is stated beside it
    ========== =============================================================================
    """

    EXACT = "exact"
    THEOREM = "theorem"
    ENCLOSURE = "enclosure"
    NUMERIC = "numeric"
    CONJECTURE = "conjecture"
    UNDECIDED = "undecided"


def worst(hows: Iterable[How]) -> How:
    """Return the weakest warrant: what follows from several answers is known as the weakest of them."""
    return max(hows, key=list(How).index, default=How.EXACT)
