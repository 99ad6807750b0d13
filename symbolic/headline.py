"""At which power of the step size each direction appears in M^2, and its coefficient: what a two-step formula says.

Theory, 5.2: where E[y z] = 0, the least power of eta is the least m with E[y^m z] != 0 along the direction, the
witness order of the two-step verdict, and it is reuse that carries it. Where E[y z] != 0, M^1 z enters h^1 and a
direction may appear below its witness order, with reuse or without. What a symmetry hides never appears.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sympy as sp

from .learnability import DirectionVerdict, two_step_verdict
from .overlap import ETA, LAM, TwoStepOverlap
from .real import as_expr
from .series import OverlapSeries
from .subspace import Vector, as_latex, is_exact

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
        if self.power is not None:
            return "eta" if self.power == 1 else f"eta^{self.power}"
        return "never" if self.searched is None else f"beyond eta^{self.searched}"

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
        return self.one_pass.power is None or self.reuse.power < self.one_pass.power

    def latex(self) -> str:
        """Return M^2 v to its first power in LaTeX, a column over the neurons."""
        v = r"\left(" + ", ".join(as_latex(self.verdict.direction)) + r"\right)^\top"
        if self.reuse.power is None:
            rest = "0" if self.reuse.searched is None else rf"O(\eta^{{{self.reuse.searched + 1}}})"
            return rf"M^{{2}} {v} = {rest}"
        column = sp.latex(sp.Matrix(self.reuse.coefficients), symbol_names={LAM: r"\lambda"})
        return rf"M^{{2}} {v} = {column} \eta^{{{self.reuse.power}}} + O(\eta^{{{self.reuse.power + 1}}})"

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
    [('eta^3', 'beyond eta^3')]
    """
    return tuple(
        Headline(
            verdict, first_appearance(reuse, verdict.direction), first_appearance(one_pass, verdict.direction)
        )
        for verdict in two_step_verdict(reuse.target)
        if is_exact(verdict.direction)
    )


def first_appearance(formula: Formula, direction: Vector) -> Appearance:
    """Return where a direction v, known exactly, first appears in M^2 v."""
    v = sp.Matrix([as_expr(x) for x in direction])
    if isinstance(formula, OverlapSeries):
        columns: Sequence[sp.Matrix] = [matrix * v for matrix in formula.coefficients]
        searched: int | None = formula.order
    else:
        along = [sp.Poly(sp.expand(x), ETA) for x in formula.M2 * v]
        degree = max(int(x.degree()) if x else 0 for x in along)
        columns = [sp.Matrix([x.coeff_monomial(ETA**n) for x in along]) for n in range(degree + 1)]
        searched = None
    for power, column in enumerate(columns):
        coefficients = tuple(sp.factor_terms(sp.expand(x)) for x in column)
        if any(x != 0 for x in coefficients):
            return Appearance(power, coefficients, searched)
    return Appearance(None, (), searched)
