"""At which power of the step size each direction appears in M^2, and its coefficient: what a two-step formula says.

Theory, 5.2: from M = 0 and where E[y z] = 0, the least power of eta is the least m with E[y^m z] != 0 along a
direction, the witness order of its two-step verdict, and reuse carries it; unless E[sigma'^q sigma^(q+1)] = 0 for
q = m - 1, as for odd sigma and odd q: then it is higher. Where E[y z] != 0, M^1 z enters h^1 and a direction may
appear below its witness order, with reuse or without. What a symmetry hides never appears.
"""

from dataclasses import dataclass
from typing import Any

import sympy as sp

from ..exact.irrational import as_expr
from ..exact.subspace import Vector, as_latex, is_exact
from ..exact.typeset import aligned, equation
from ..learnability.direction_verdict import DirectionVerdict
from ..learnability.verdict import two_step_verdict
from .eta import ETA, latex_equations, shortened
from .series import OverlapSeries
from .two_steps import TwoStepOverlap

Formula = TwoStepOverlap | OverlapSeries


@dataclass(frozen=True)
class Appearance:
    """The least power of eta at which some neuron overlaps with a direction after two steps.

    Attributes
    ----------
    power : int or None
        None: it does not appear, up to `searched`.
    coefficients : tuple of sympy.Expr, one per neuron
        What stands at eta^power in M^2 v, for the direction v as it is written.
    searched : int or None
        The highest power of eta that is known; None: all.
    """

    power: int | None
    coefficients: tuple[sp.Expr, ...]
    searched: int | None

    def __str__(self) -> str:
        if self.power is None:
            return "never" if self.searched is None else f"beyond eta^{self.searched}"
        terms = [str(shortened(c * ETA**self.power)) for c in self.coefficients]
        if len(terms) > 1:
            power = {0: "", 1: " eta"}.get(self.power, f" eta^{self.power}")
            terms = [f"({', '.join(str(shortened(c)) for c in self.coefficients)}){power}"]
        return terms[0] if self.power else f"{terms[0]} (the start)"

    def equations(self, left: str) -> list[str]:
        """Return that `left` is the first term of M^2 v, or what is known instead, in LaTeX: rows of a display."""
        if self.power is None:
            return [
                equation(left, [] if self.searched is None else [f"O({_power_in_latex(self.searched + 1)})"])
            ]
        column = sp.Matrix([shortened(c) * ETA**self.power for c in self.coefficients])
        return latex_equations(left, column, f"O({_power_in_latex(self.power + 1)})")

    def to_json(self) -> dict[str, Any]:
        """Return power and coefficients, the latter as text."""
        return {
            "power": self.power,
            "coefficients": [str(c) for c in self.coefficients],
            "searched": self.searched,
        }


@dataclass(frozen=True)
class Headline:
    """One direction: its two-step verdict, and where it appears with reuse and in one pass.

    Attributes
    ----------
    verdict : DirectionVerdict
    reuse, one_pass : Appearance
    """

    verdict: DirectionVerdict
    reuse: Appearance
    one_pass: Appearance

    @property
    def carried_by_reuse(self) -> bool:
        """Whether the direction appears earlier with reuse than in one pass, or only with it."""
        if self.reuse.power is None:
            return False
        if self.one_pass.power is None:
            return self.one_pass.searched is None or self.reuse.power <= self.one_pass.searched
        return self.reuse.power < self.one_pass.power

    def latex(self) -> str:
        """Return M^2 v to its first power in LaTeX, a column over the neurons, with reuse and in one pass."""
        return aligned(self.equations())

    def equations(self) -> list[str]:
        """Return the rows of :meth:`latex`."""
        direction = as_latex(self.verdict.direction)
        v = rf" \left({', '.join(direction)}\right)^\top" if len(direction) > 1 else ""
        return [
            row
            for name, appearance in (("reuse", self.reuse), ("one pass", self.one_pass))
            for row in appearance.equations(rf"M^{{2}}_{{\text{{{name}}}}}{v}")
        ]

    def to_json(self) -> dict[str, Any]:
        """Return the direction with its verdict and where it appears."""
        verdict = self.verdict.to_json()
        return {
            **{name: verdict[name] for name in ("direction", "verdict", "order")},
            "reuse": self.reuse.to_json(),
            "one_pass": self.one_pass.to_json(),
        }


def headlines(reuse: Formula, one_pass: Formula) -> tuple[Headline, ...]:
    """Return the headline of every direction of V(g), from the formulas with and without reuse.

    Directions that are not known exactly are left out: a coefficient along them has no exact zero.

    References
    ----------
    [D24]; theory, 5.2.

    Examples
    --------
    >>> from rebatch import overlap_series
    >>> problem = {"target": "He(3, z1)", "activation": None, "order": 3, "loss": "correlation"}
    >>> both = (overlap_series(**problem, reuse=reuse) for reuse in (True, False))
    >>> [(str(h.reuse), str(h.one_pass)) for h in headlines(*both)]
    [("162*E[sigma'^2 sigma''']*alpha*eta**3", 'beyond eta^3')]
    """
    return tuple(
        Headline(verdict, _appearance(reuse, verdict), _appearance(one_pass, verdict))
        for verdict in two_step_verdict(reuse.target)
        if is_exact(verdict.direction)
    )


def _appearance(formula: Formula, verdict: DirectionVerdict) -> Appearance:
    """Return where a direction appears; from M = 0, where a series starts, what is hidden never does."""
    if verdict.stays_hidden and isinstance(formula, OverlapSeries):
        return Appearance(None, (), None)
    return first_appearance(formula, verdict.direction)


def first_appearance(formula: Formula, direction: Vector) -> Appearance:
    """Return where a direction v, known exactly, first appears in M^2 v."""
    v = sp.Matrix([as_expr(x) for x in direction])
    last = -1
    for power, column in enumerate(formula.powers_along(v)):
        coefficients = tuple(sp.factor_terms(sp.expand(x)) for x in column)
        if any(x != 0 for x in coefficients):
            return Appearance(
                power, coefficients, formula.order if isinstance(formula, OverlapSeries) else None
            )
        last = power
    # Normalised rows are expanded so far, unless they are 0 as they stand.
    is_cut = last >= 0 and (isinstance(formula, OverlapSeries) or formula.normalize)
    return Appearance(None, (), last if is_cut else None)


def _power_in_latex(n: int) -> str:
    return r"\eta" if n == 1 else rf"\eta^{{{n}}}"
