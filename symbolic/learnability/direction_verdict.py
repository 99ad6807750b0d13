"""The two-step verdict on one direction: learned, hidden or undecided, with its proof (theory, 3.4)."""

from dataclasses import dataclass
from typing import Any, Literal

from flint import fmpq

from ..exact.expectation import Expectation
from ..exact.irrational import vanishes
from ..exact.known import How
from ..exact.subspace import Subspace, Vector, as_text
from ..proofs.symmetry import Symmetry

Witness = tuple[fmpq | Expectation, ...]
Verdict = Literal["learned", "hidden", "undecided"]


@dataclass(frozen=True)
class DirectionVerdict:
    """The two-step verdict on one direction.

    Attributes
    ----------
    direction : vector
        An integer vector in R^k, unnormalised.
    verdict : {"learned", "hidden", "undecided"}
    how : How
    order : int or None
        Learned: the least m at which E[y^m z] leaves the span of the lower ones. Undecided: the highest m
        searched, 0 where the effort was spent before.
    witness : vector of rationals or of Expectation, or None
        Learned: mu_m = E[y^m z], not orthogonal to the direction. Label noise is left out; it adds multiples of
        lower mu_j.
    values : int or None
        Hidden: the label takes so many values n, and E[y^m z] is orthogonal to the direction for all m < n.
    at_most : bool
        Whether a lower m is not excluded: a moment of it cannot be told from 0.
    ended : str
        Undecided: why the search ended early, if it did.
    given_first : bool
        Hidden from every F(y), but not from every F(y, E[y z].z): where the first step moves along E[y z], the second
        may see it.
    certificate : tuple of Symmetry or None
        Hidden, from any number of steps: symmetries R of the target whose images of I - R together contain the
        direction.
    """

    direction: Vector
    verdict: Verdict
    how: How
    order: int | None = None
    witness: Witness | None = None
    certificate: tuple[Symmetry, ...] | None = None
    at_most: bool = False
    values: int | None = None
    ended: str = ""
    given_first: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all fields, numbers as exact text."""
        known = {
            "direction": as_text(self.direction),
            "verdict": self.verdict,
            "how": str(self.how),
            "order": self.order,
            "at_most": self.at_most,
            "witness": None if self.witness is None else [_in_full(x) for x in self.witness],
            "certificate": None if self.certificate is None else [R.to_json() for R in self.certificate],
        }
        more = {"values": self.values, "ended": self.ended or None, "given_first": self.given_first or None}
        return {**known, **{name: value for name, value in more.items() if value is not None}}

    @property
    def summary(self) -> str:
        """The verdict, and the m of its witness."""
        return (
            f"{self.verdict} (m {'<=' if self.at_most else '='} {self.order})" if self.witness else self.said
        )

    @property
    def said(self) -> str:
        """The verdict, and from what it is hidden where that is not all that a second step sees."""
        return "hidden from F(y)" if self.given_first else self.verdict

    @property
    def stays_hidden(self) -> bool:
        """Whether two steps on one batch have no overlap with it, whatever the first has found."""
        return self.verdict == "hidden" and not self.given_first

    def reason(self) -> str:
        """Return the proof, or what was searched, in one line."""
        if self.witness is not None:
            power = "y" if self.order == 1 else f"y^{self.order}"
            return f"E[{power} z] = ({', '.join(map(_in_short, self.witness))})"
        if self.certificate is not None:
            return "; ".join(map(str, self.certificate))
        if self.values is not None:
            return f"the label takes {self.values} values, and E[y^m z] = 0 along it for m < {self.values}"
        if self.verdict == "learned":
            return f"a polynomial of one direction that is not even; E[y^m z] = 0 for m <= {self.order}"
        if self.ended:
            searched = f"no witness E[y^m z] for m <= {self.order}; " if self.order else ""
            return searched + self.ended
        return f"no witness E[y^m z] for m <= {self.order}, no symmetry among those tried"


def _in_full(x: fmpq | Expectation) -> str:
    return str(x) if isinstance(x, Expectation) else as_text([x])[0]


def _in_short(x: fmpq | Expectation) -> str:
    """Return a number in a few characters; what may be 0 as 0 within its error."""
    if not isinstance(x, Expectation):
        return _in_full(x)
    if x.how is not How.EXACT and vanishes(x)[0]:
        return "0" if x.is_zero() else f"0 +- {x.error:.1g}"
    return x.in_short()


def undecided(left: Subspace, searched: int, ended: str = "") -> tuple[DirectionVerdict, ...]:
    """Return that nothing is decided of these directions, with powers of the label up to the one searched."""
    basis = left.orthogonal_basis()
    return tuple(DirectionVerdict(v, "undecided", How.UNDECIDED, order=searched, ended=ended) for v in basis)
