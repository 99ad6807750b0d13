"""What each family of algorithms makes of each direction, side by side (theory, 3.7 and 9).

Exponents say which power of d an algorithm needs, alpha_c how many samples per dimension the best known
polynomial-time methods do where n = alpha d; they bound different algorithms, and each column says which.
"""

from dataclasses import dataclass
from typing import Any

from ..exact.known import How
from ..exact.shown import Sheet, Tabulated
from ..exact.subspace import Vector, as_text, in_words
from ..learnability.analysis import Analysis

HEAD = (
    "direction",
    "one pass",
    "two steps, one batch",
    "more steps",
    "queries",
    "alpha_c of AMP",
    "price of noise",
)
# By the column: what it is about, whom it bounds.
BOUNDS = {
    "one pass": "online SGD on fresh samples: order j needs n ~ d^max(j-1,1)",
    "two steps, one batch": "descent, two full steps on the same n = O(d) samples; m: the power of y that shows it",
    "more steps": "descent on one batch, finitely many steps, n = O(d)",
    "queries": "every statistical-query algorithm: order j needs n ~ d^max(j/2,1)",
    "alpha_c of AMP": "message passing and spectral methods, n = alpha d: found above alpha_c",
    "price of noise": "the same methods: alpha_c at large label noise of variance D",
}


@dataclass(frozen=True)
class SharpThreshold:
    """alpha_c of one direction.

    Attributes
    ----------
    direction : vector
    alpha : float or None
        The threshold, possibly infinite; None where only bounds are known, or nothing.
    words : str
        The same as a reader sees it, with its error or bounds.
    how : How
    proof : str
        In one line; where it is not computed, why.
    price : str
        What label noise of a large variance D makes of it.
    noise_exponent : int or None
        beta; None where the direction is trivial, at any noise, or no power of the label shows it.
    price_how : How
    """

    direction: Vector
    alpha: float | None
    words: str
    how: How
    proof: str
    price: str
    noise_exponent: int | None
    price_how: How

    def to_json(self) -> dict[str, Any]:
        """Return all fields; an infinite threshold and an unknown one are null, `words` tells them apart."""
        finite = self.alpha is not None and self.alpha != float("inf")
        return {
            "direction": as_text(self.direction),
            "alpha_c": self.alpha if finite else None,
            "words": self.words,
            "how": str(self.how),
            "proof": self.proof,
            "price_of_noise": self.price,
            "noise_exponent": self.noise_exponent,
            "price_how": str(self.price_how),
        }


@dataclass(frozen=True)
class AlgorithmComparison(Tabulated):
    """Each direction under each family of algorithms, exponents beside sharp thresholds.

    Attributes
    ----------
    analysis : Analysis
    thresholds : tuple of SharpThreshold
        In the order of the directions of the analysis.
    """

    analysis: Analysis
    thresholds: tuple[SharpThreshold, ...]

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row of texts for each direction, in the order of ``HEAD``."""
        return [
            (*fate, sharp.words, sharp.price)
            for fate, sharp in zip(self.analysis.fates(), self.thresholds, strict=True)
        ]

    def proofs(self) -> list[tuple[str, str, str, str]]:
        """Return for each direction alpha_c, how it is known and why."""
        return [(in_words(s.direction), s.words, str(s.how), s.proof) for s in self.thresholds]

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each direction."""
        names = [name.replace(",", "").replace(" ", "_") for name in HEAD]
        return [
            {**dict(zip(names, row, strict=True)), "alpha_c": s.alpha, "how": str(s.how), "proof": s.proof}
            for row, s in zip(self.rows(), self.thresholds, strict=True)
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the comparison, what is known of each threshold, and what each column bounds."""
        target = self.analysis.target
        noise = f", {target.noise_in_words}" if target.noise else ""
        return (
            Sheet(HEAD, tuple(self.rows()), f"y = {target.text}{noise}"),
            Sheet(("direction", "alpha_c", "how known", "proof"), tuple(self.proofs())),
            Sheet(("column", "bounds"), tuple(BOUNDS.items())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return a row for each direction, and what each column bounds."""
        keys = ("one_pass", "two_steps", "more_steps", "queries")
        rows = [
            {**dict(zip(keys, fate[1:], strict=True)), **sharp.to_json()}
            for fate, sharp in zip(self.analysis.fates(), self.thresholds, strict=True)
        ]
        return {"noise_std": self.analysis.target.noise_std, "rows": rows, "bounds": BOUNDS}

    def __str__(self) -> str:
        lines = []
        for fate, sharp in zip(self.analysis.fates(), self.thresholds, strict=True):
            told = [f"{name}: {cell}" for name, cell in zip(HEAD[1:5], fate[1:], strict=True)]
            lines.append(
                f"{fate[0]}: {'; '.join(told)}; alpha_c of AMP: {sharp.words} ({sharp.how}); "
                f"price of noise: {sharp.price}"
            )
        return "\n".join(lines)
