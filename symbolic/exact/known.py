"""How an answer is known: the closed list that every result of rebatch carries."""

from collections.abc import Iterable
from enum import StrEnum


class How(StrEnum):
    """The warrant of an answer, from strongest to none.

    ========== =============================================================================
    EXACT      computed in exact arithmetic: a reader can redo it by hand
    THEOREM    follows from a published theorem; what it asks of the target was proved, and
               what it asks of an algorithm is stated beside it
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

    @property
    def is_proof(self) -> bool:
        """Whether what is known so cannot be otherwise."""
        return self in (How.EXACT, How.THEOREM, How.ENCLOSURE)


def worst(hows: Iterable[How]) -> How:
    """Return the weakest warrant: what follows from several answers is known as the weakest of them."""
    return max(hows, key=list(How).index, default=How.EXACT)


def by_law(law: How, facts: Iterable[How]) -> How:
    """Return how a statement about an algorithm is known: as the law it follows, or as weakly as what that asks for.

    What the law asks for may be proved in any way; the statement is not better known for that.
    """
    return worst([law, *(fact for fact in facts if not fact.is_proof)])
