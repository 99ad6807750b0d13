"""The pieces of a piecewise linear map of exponents, with rational breakpoints.

Everything is a power of d, perhaps times log d: a line s x + c in the exponent x of batch size or look-ahead stands
for d^(s x + c).
"""

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..exact.known import How

# None stands for minus infinity below, and for what is not known as a line.
Bound = Fraction | None


@dataclass(frozen=True)
class Line:
    """The exponent slope * x + intercept."""

    slope: Fraction
    intercept: Fraction

    def __call__(self, x: Fraction) -> Fraction:
        """Return the exponent at x."""
        return self.slope * x + self.intercept

    def in_words(self, x: str) -> str:
        """Return "1 - 2 r"."""
        size = abs(self.slope)
        factor = x if size == 1 else f"{size} {x}"
        if not self.slope:
            return str(self.intercept)
        if not self.intercept:
            return factor if self.slope > 0 else f"-{factor}"
        return f"{self.intercept} {'+' if self.slope > 0 else '-'} {factor}"

    def to_json(self) -> list[str]:
        """Return slope and intercept as text."""
        return [str(self.slope), str(self.intercept)]


def power_in_words(line: Line, x: str, *, log: bool) -> str:
    """Return the power of d with that exponent, perhaps times log d: "d^(1 - 2 r) log d"."""
    words = line.in_words(x)
    base = {"0": "", "1": "d"}.get(words, f"d^{words}" if words.isalnum() else f"d^({words})")
    return f"{base} {'log d' if log else ''}".strip() or "1"


@dataclass(frozen=True)
class BatchPiece:
    """What holds for batches of d^mu samples, lower <= mu <= upper.

    Attributes
    ----------
    lower, upper : Fraction
    step : Line
        The least stable delta of a step d^-delta: the largest step.
    time, samples : Line
        Steps, and samples, at that step.
    log : bool
        Whether both have a factor log d.
    """

    lower: Fraction
    upper: Fraction
    step: Line
    time: Line
    samples: Line
    log: bool

    def to_json(self) -> dict[str, Any]:
        """Return the piece, rationals as text."""
        return {
            "mu": [str(self.lower), str(self.upper)],
            "step": self.step.to_json(),
            "time": self.time.to_json(),
            "samples": self.samples.to_json(),
            "log": self.log,
        }


# Some of +1 and -1; None where undecided.
Signs = frozenset[int] | None
EITHER = frozenset({1, -1})


@dataclass(frozen=True)
class Term:
    """The term (k, i) of look-ahead, with the two moments that must not vanish.

    Attributes
    ----------
    k, i : int
    label, activation : str
        E[g^k He_i] and E[sigma'^(k-1) sigma^(k) He_(i-1)] in words, with their values.
    how : How
        How it is known that neither vanishes.
    rho : frozenset of int, or None
        The signs of rho for which the drift leads away from 0: both, unless k and i are even; none where each of them
        finds a part, or a stage on the way. None where one sign may lead back, and which is undecided.
    """

    k: int
    i: int
    label: str
    activation: str
    how: How
    rho: Signs = EITHER

    def __str__(self) -> str:
        return f"({self.k}, {self.i})"

    def sign_in_words(self) -> str:
        """Return the restriction on rho: "rho < 0"; nothing where there is none."""
        if self.rho is None:
            return "one sign of rho"
        return {0: "each sign of rho in turn", 1: f"rho {'>' if 1 in self.rho else '<'} 0", 2: ""}[
            len(self.rho)
        ]


@dataclass(frozen=True)
class LookAheadPiece:
    """What holds for a look-ahead rho d = d^r, lower <= r <= upper.

    Attributes
    ----------
    lower : Fraction or None
        None: from minus infinity on.
    upper : Fraction
    time : Line or None
        None where the direction is never found, or where a moment that would rule is undecided.
    term : Term or None
        Which one rules; of a direction found after others, the slowest on the way.
    log : bool
    open : str
        What is undecided; empty where the piece is closed.
    """

    lower: Bound
    upper: Fraction
    time: Line | None
    term: Term | None
    log: bool
    open: str = ""

    @property
    def shown(self) -> Line | None:
        """The line, or at a single point its value there."""
        if self.time is None or self.lower != self.upper:
            return self.time
        return Line(Fraction(0), self.time(self.upper))

    @property
    def rule(self) -> tuple[object, ...]:
        """What it says, apart from where."""
        term = self.term
        return self.time, None if term is None else (term.k, term.i, term.rho), self.log, self.open

    def to_json(self) -> dict[str, Any]:
        """Return the piece, rationals as text; null for minus infinity and for what is not known.

        "sign" is there where rho is restricted.
        """
        sign = "" if self.term is None else self.term.sign_in_words()
        return {
            "r": [None if self.lower is None else str(self.lower), str(self.upper)],
            "time": None if self.time is None else self.time.to_json(),
            "term": None if self.term is None else [self.term.k, self.term.i],
            "log": self.log,
            **({"sign": sign} if sign else {}),
        }
