"""The answer about thresholds: stages, certificates and the price of noise, in one object that prints itself."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import sympy as sp

from ..exact.known import How
from ..exact.shown import Drawn, Sheet, Tabulated
from ..exact.subspace import Vector, as_text, in_words
from ..language.parse import to_text
from ..language.target import Target
from .certificates import Certificate
from .noise import NoisePrice


@dataclass(frozen=True)
class Stage:
    """Directions that appear together, and the samples per dimension above which they do.

    Attributes
    ----------
    directions : tuple of vectors
        An orthogonal basis; not normalised.
    alpha : float
        The threshold: 0 for the trivial stage, possibly infinite.
    how : How
        UNDECIDED: between `alpha` and `alpha + error`.
    error : float or None
        Of a number; None of what is exact.
    exact : sympy.Expr or None
        The threshold where it closes.
    proof : str
        In one line.
    transform : sympy.Expr or None
        T(y), in the symbol y, with which a spectral method attains it, where it has a formula.
    """

    directions: tuple[Vector, ...]
    alpha: float
    how: How
    error: float | None = None
    exact: sp.Expr | None = None
    proof: str = ""
    transform: sp.Expr | None = None

    def number(self) -> str:
        """Return the threshold with what is known of it, in a few characters."""
        if self.how is How.UNDECIDED:
            upper = None if self.error is None else self.alpha + self.error
            return (
                f">= {self.alpha:.6g}"
                if upper is None or np.isinf(upper)
                else f"{self.alpha:.6g} to {upper:.6g}"
            )
        if self.exact is not None:
            return "infinite" if self.exact == sp.oo else to_text(self.exact)
        if np.isinf(self.alpha):
            return "infinite"
        return f"{self.alpha:.6f} ± {self.error:.0e}" if self.error else f"{self.alpha:.6f}"

    def record(self) -> dict[str, Any]:
        """Return the stage as a row of a table."""
        return {
            "directions": ", ".join(map(in_words, self.directions)),
            "alpha_c": float(self.alpha),
            "error": self.error,
            "exact": None if self.exact is None else to_text(self.exact),
            "how": str(self.how),
            "proof": self.proof,
        }

    def to_json(self) -> dict[str, Any]:
        """Return the stage; an infinite threshold is null."""
        finite = np.isfinite(self.alpha)
        error = self.error if self.error is not None and np.isfinite(self.error) else None
        return {
            "directions": [as_text(v) for v in self.directions],
            "alpha_c": float(self.alpha) if finite else None,
            "exact": None if self.exact is None or not finite else to_text(self.exact),
            "how": str(self.how),
            "error": error if finite else None,
        }

    def __str__(self) -> str:
        names = ", ".join(map(in_words, self.directions)) or "nothing"
        return f"{names}: alpha_c = {self.number()} ({self.how}) {self.proof}"


@dataclass(frozen=True)
class Threshold(Tabulated, Drawn):
    """How many samples per dimension the best known polynomial-time methods need, stage by stage.

    Attributes
    ----------
    target : Target
    stages : tuple of Stage
        The trivial one first.
    certificates : tuple of Certificate
        For the first stage after the trivial one: theorems alpha_c <= bound.
    noise : NoisePrice
    """

    target: Target
    stages: tuple[Stage, ...]
    certificates: tuple[Certificate, ...] = ()
    noise: NoisePrice = field(default_factory=lambda: NoisePrice(None, None, How.UNDECIDED))

    @property
    def alpha_c(self) -> float:
        """The threshold of weak recovery: 0 if there are trivial directions, else that of the first stage."""
        if self.stages[0].directions:
            return 0.0
        return self.stages[1].alpha if len(self.stages) > 1 else float("inf")

    def notes(self) -> list[str]:
        """Return what a reader must know of the numbers."""
        lines = []
        if self.stages[0].directions and len(self.stages) > 1:
            lines.append(
                "The threshold after the trivial directions is that of the labels alone; message passing, which also "
                "uses what it knows of these directions, needs no more."
            )
        if self.certificates and not _is_determinate(self.certificates, self.target):
            lines.append(
                "Certificates fall with the degree; the moment problem of this label may be indeterminate, and they "
                "may then stay above alpha_c."
            )
        return lines

    def to_json(self) -> dict[str, Any]:
        """Return the answer as JSON-ready data; exact numbers are text."""
        return {
            "target": self.target.text,
            "stages": [stage.to_json() for stage in self.stages],
            "certificates": [c.to_json() for c in self.certificates],
            "noise_exponent": self.noise.exponent,
        }

    def __str__(self) -> str:
        lines = [
            f"y = {self.target.text}"
            + (f" + noise of std {self.target.noise_std:g}" if self.target.noise_std else "")
        ]
        lines += [("trivial: " if i == 0 else f"stage {i}: ") + str(s) for i, s in enumerate(self.stages)]
        lines += map(str, self.certificates)
        return "\n".join([*lines, f"noise: {self.noise}", *self.notes()])

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each stage, the trivial one first."""
        return [{"stage": number, **stage.record()} for number, stage in enumerate(self.stages)]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the stages, and the certificates where there are some."""
        stages = tuple(
            (", ".join(map(in_words, s.directions)), s.number(), str(s.how), s.proof) for s in self.stages
        )
        first = Sheet(("directions", "alpha_c", "how known", "proof"), stages, f"y = {self.target.text}")
        if not self.certificates:
            return (first,)
        bounds = tuple(
            (str(c.degree), f"{float(c.bound):.6g}", in_words(c.direction)) for c in self.certificates
        )
        return first, Sheet(("degree", "alpha_c is at most", "direction"), bounds, "certificates")


def _is_determinate(certificates: tuple[Certificate, ...], target: Target) -> bool:
    """Whether polynomials of the label are surely dense: degree <= 2 (the label has exponential moments)."""
    return bool(certificates) and sp.Poly(target.expr, *target.coordinates).total_degree() <= 2
