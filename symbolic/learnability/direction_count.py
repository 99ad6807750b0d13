"""How many directions a target has: what is proved from below and from above (theory, 2)."""

from collections.abc import Sequence
from dataclasses import dataclass

from ..exact.effort import EffortSpentError
from ..exact.known import How, worst
from ..exact.subspace import Subspace, Vector
from ..language.target import Target
from ..proofs.gradients import independent_directions

# Of inputs that no rotation keeps.
_COORDINATES = "one for each coordinate that the target depends on"


@dataclass(frozen=True)
class DirectionCount:
    """The dimension of V(g), as an interval.

    Attributes
    ----------
    lower, upper : int
        Upper: the span of the linear forms that occur. Lower: directions with a witness, gradients at points.
    how : How
        UNDECIDED where the two differ.
    proof : str
    """

    lower: int
    upper: int
    how: How
    proof: str

    def __str__(self) -> str:
        return str(self.upper) if self.lower == self.upper else f"{self.lower} to {self.upper}"

    @property
    def at_most(self) -> str:
        """The number, or the upper bound as such."""
        return str(self.upper) if self.lower == self.upper else f"up to {self.upper}"

    def in_words(self) -> str:
        """Return the number with its noun, said to be an upper bound where no direction is shown."""
        bound = ", upper bound only" if self.lower < self.upper and not self.lower else ""
        return f"{self} direction{'' if self.upper == 1 else 's'}{bound}"

    def to_json(self) -> dict[str, int | str]:
        """Return the bounds as data."""
        return {"lower": self.lower, "upper": self.upper, "how": str(self.how), "proof": self.proof}


def count_directions(
    target: Target, relevant: Subspace, known: Sequence[tuple[Sequence[Vector], How]], *, exact: bool
) -> DirectionCount:
    """Return the number of directions of a target.

    Parameters
    ----------
    target : Target
    relevant : Subspace
        V(g), or a subspace that contains it.
    known : sequence of (directions, How)
        Directions that a witness showed.
    exact : bool
        Whether `relevant` is V(g).
    """
    upper = relevant.dimension
    if exact or not upper:
        gaussian = target.inputs.is_gaussian
        proof = "the span of the supports of the Hermite tensors" if gaussian else _COORDINATES
        return DirectionCount(upper, upper, How.EXACT, proof)
    proved = [(v, how) for vectors, how in known if how.is_proof for v in vectors]
    witnessed = Subspace.span((v for v, _ in proved), target.k).dimension
    if witnessed == upper:
        return DirectionCount(upper, upper, worst(how for _, how in proved), "each has a witness")
    try:
        lower = independent_directions(target.expr, target.coordinates, upper, [v for v, _ in proved])
    except EffortSpentError:
        lower = witnessed
    if lower == upper:
        proof = "gradients at points are independent" + (", with what has a witness" if witnessed else "")
        return DirectionCount(upper, upper, How.ENCLOSURE, proof)
    proof = f"of the linear forms that occur {lower or 'none'} are shown to matter"
    return DirectionCount(lower, upper, How.UNDECIDED, proof)
