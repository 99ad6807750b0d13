"""The answers about a target: exponents with their warrant, their witness and the subspaces behind them.

Theory, 3.1-3.3, 3.5 and 3.6. How they are found is written in `polynomial.py` and, for every other target, in
`searched.py`.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, repeat
from typing import Any

from ..calculus.hermite_form import MultiIndex
from ..exact.known import How
from ..exact.shown import Tabulated
from ..exact.subspace import Subspace, Vector, as_text, in_words

# The powers of the label that are tried by default.
MAX_POWER = 8
# Each order that is asked for is looked at, if only to see that its power is too large.
MOST_ORDER = 100_000
NO_DIRECTION = "the target is constant: it has no direction to learn"


@dataclass(frozen=True)
class Exponent(Tabulated):
    """An exponent of a target.

    Attributes
    ----------
    value : int or None
        None if it is infinite or undecided.
    how : How
    infinite : bool
        True where the target has no direction at all, so that nothing is to be learned.
    witness : str
        What proves the value, in one line that can be checked by hand.
    """

    value: int | None
    how: How
    infinite: bool = False
    witness: str = ""

    def records(self) -> list[dict[str, Any]]:
        """Return one row: the value, how it is known, and what proves it."""
        return [{"value": str(self), "how": str(self.how), "witness": self.witness}]

    def to_json(self) -> dict[str, Any]:
        """Return value and warrant; an infinite exponent has value None and says "infinite"."""
        known: dict[str, Any] = {"value": self.value, "how": str(self.how)}
        if self.infinite:
            known["infinite"] = True
        if self.witness:
            known["witness"] = self.witness
        return known

    def __str__(self) -> str:
        if self.infinite:
            return "infinite"
        return "undecided" if self.value is None else str(self.value)


@dataclass(frozen=True)
class IsotropicLeap(Exponent):
    """The isotropic leap, with the subspaces by which it was reached.

    Attributes
    ----------
    sequence : tuple of (order, directions)
        At each stage the least order j with D_j(U) nonzero and an orthogonal basis of what it adds to U.
    """

    sequence: tuple[tuple[int, tuple[Vector, ...]], ...] = field(default=())

    def order_of(self, direction: Vector) -> int | None:
        """Return the largest order met until the subspaces contain `direction`; None if they never do."""
        return order_reached(self.sequence, direction)

    def to_json(self) -> dict[str, Any]:
        """Return the exponent with its sequence, directions as exact text."""
        stages = [
            {"order": order, "directions": [as_text(v) for v in directions]}
            for order, directions in self.sequence
        ]
        return {**super().to_json(), "sequence": stages}


@dataclass(frozen=True)
class GenerativeLeap(Exponent):
    """The generative leap, as an interval.

    Attributes
    ----------
    lower, upper : int or None
        Bounds: the upper one by witnesses E[y^m p(z_U) He_j], the lower one by symmetry or theorem; None is open.
    sequence : tuple of (order, directions)
        The stages by which the upper bound was reached.
    upper_how : How
        How the upper bound is known where the leap is undecided.
    """

    lower: int | None = None
    upper: int | None = None
    sequence: tuple[tuple[int, tuple[Vector, ...]], ...] = field(default=())
    upper_how: How = How.UNDECIDED

    def order_of(self, direction: Vector) -> int | None:
        """Return the largest order met until the subspaces contain `direction`; None if they never do."""
        return order_reached(self.sequence, direction)

    def to_json(self) -> dict[str, Any]:
        """Return the exponent with its bounds; where they differ, how the upper one is known."""
        known = {**super().to_json(), "lower": self.lower, "upper": self.upper}
        is_bound = self.value is None and self.upper is not None
        return {**known, "upper_how": str(self.upper_how)} if is_bound else known

    def __str__(self) -> str:
        if self.infinite or self.value is not None:
            return super().__str__()
        return f"{self.lower} to {self.upper}" if self.upper is not None else f"at least {self.lower}"


@dataclass(frozen=True)
class ReuseStaircase(Tabulated):
    """The subspaces that more and more steps on one batch reach: U_1, U_2, … up to the fixed point.

    Attributes
    ----------
    spaces : tuple of Subspace
        Strictly increasing; the last is the reuse-learnable subspace as far as witnesses show.
    max_power : int
        The highest power of the label that was used.
    how : How
        How it is known that what was reached is reached.
    witnesses : tuple of str
        For each U_t the moments E[y^m p(z_U) v.z] that show what it adds, U = U_{t-1}.
    capped : bool
        Whether higher powers, which are too large to write out, might reach more.
    ended : str
        Why the search for the next subspace ended early, if it did.
    """

    spaces: tuple[Subspace, ...]
    max_power: int
    how: How = How.EXACT
    witnesses: tuple[str, ...] = ()
    capped: bool = False
    ended: str = ""

    @property
    def dimensions(self) -> tuple[int, ...]:
        """The dimensions of U_1, U_2, …."""
        return tuple(space.dimension for space in self.spaces)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each round: what is reached after it, and the moments that show it."""
        return [
            {
                "round": t,
                "dimension": space.dimension,
                "directions": ", ".join(map(in_words, space.orthogonal_basis())),
                "how": str(self.how),
                "witness": witness,
            }
            for t, (space, witness) in enumerate(
                zip(self.spaces, chain(self.witnesses, repeat("")), strict=False), start=1
            )
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the dimensions, how they are known, the highest power, the witnesses; "capped", "ended" where so."""
        known: dict[str, Any] = {
            "dimensions": list(self.dimensions),
            "how": str(self.how),
            "max_power": self.max_power,
            "witnesses": list(self.witnesses),
        }
        marks = {"capped": self.capped, "ended": self.ended}
        return {**known, **{name: mark for name, mark in marks.items() if mark}}


def order_reached(sequence: Sequence[tuple[int, tuple[Vector, ...]]], direction: Vector) -> int | None:
    """Return the largest order of the stages until their sum contains a direction; None if it never does."""
    reached, largest = Subspace.zero(len(direction)), 0
    for order, added in sequence:
        reached, largest = reached + Subspace.span(added, len(direction)), max(largest, order)
        if direction in reached:
            return largest
    return None


def moment_in_words(power: int, factors: Sequence[tuple[Vector, int]], value: str, times: str = "") -> str:
    """Return "E[y^2 He2(z1)] = value", of Hermite polynomials of coordinates or Wick powers of linear forms.

    times: what else stands under the expectation.
    """
    label = "g" if power == 1 else f"y^{power}"
    if all(sum(x != 0 for x in b) == 1 for b, _ in factors):
        index = {next(i for i, x in enumerate(b) if x != 0): n for b, n in factors}
        wick = hermite_in_words(tuple(index.get(i, 0) for i in range(max(index, default=-1) + 1)))
    else:
        # The linear form of e1 - 2 e3 is z1 - 2 z3.
        forms = ((re.sub(r"\be(\d+)", r"z\1", in_words(b)), n) for b, n in factors)
        wick = " ".join(f":({form})^{n}:" for form, n in forms)
    return f"E[{' '.join(filter(None, (label, wick, times)))}] = {value}"


def hermite_in_words(S: MultiIndex) -> str:
    """Return He_S as "He2(z1)He1(z3)"."""
    return "".join(f"He{n}(z{j})" for j, n in enumerate(S, start=1) if n)
