"""How the exponents of a target move with batch size, step size and look-ahead: a phase diagram (theory, 12).

For each direction three maps, exact and piecewise linear, all in powers of d:

batch d^mu     the largest stable step d^-delta, the steps and the samples, from mu = 0 to the giant batch mu = l
step d^-delta  stable above the first of these lines, where the steps are d^(delta + max(l/2 - 1, 0))
look-ahead     |rho| d = d^r on the same sample first: the steps, the pair (k, i) that rules them, and at even k and i
               the sign of rho for which its drift leads away from 0 (`look_ahead.py`)

and the two points beside them: one giant step, and two steps on one reused batch of order d.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from .. import checks
from ..errors import RebatchError
from ..exact.effort import DEFAULT_EFFORT, effort
from ..exact.known import How, worst
from ..exact.shown import Drawn, Sheet, Tabulated
from ..exact.subspace import Subspace, Vector, as_latex, as_text, in_words
from ..language.target import Target
from ..learnability.direction_verdict import DirectionVerdict, Verdict
from ..learnability.exponents import isotropic_leap, relevant_subspace
from ..learnability.known_exponents import MAX_POWER
from ..learnability.samples import NEVER
from ..learnability.verdict import two_step_verdict
from ..overlap.activation import Activation
from .batch import batch_pieces, least_delta, steps_at
from .labels import labels_of
from .look_ahead import LookAhead
from .pieces import BatchPiece, Line, LookAheadPiece, power_in_words
from .slopes import Slopes

# Higher powers of a label are moments that no experiment sees.
_MOST_POWER = 64

BATCH = ("direction", "batch", "steps", "samples", "largest step", "rests on")
LOOK_AHEAD = ("direction", "r", "steps, samples", "(k, i)", "of the label", "of the activation", "how known")


@dataclass(frozen=True)
class DirectionPhases:
    """The maps of one direction.

    Attributes
    ----------
    direction : vector
    order : int or None
        l, at which one pass meets it; None where that is undecided, or never.
    how : How
        How the order is known.
    batch : tuple of BatchPiece
        Empty without an order.
    look_ahead : tuple of LookAheadPiece
    reuse : {"learned", "hidden", "undecided"}
        What two steps on one batch of order d do: learned with n = Theta(d) samples, in 2 steps.
    """

    direction: Vector
    order: int | None
    how: How
    batch: tuple[BatchPiece, ...]
    look_ahead: tuple[LookAheadPiece, ...]
    reuse: Verdict

    def stable(self, mu: Fraction | int | str, delta: Fraction | int | str) -> bool | None:
        """Whether steps d^-delta on batches of d^mu are stable; None without an order."""
        return None if self.order is None else Fraction(delta) >= least_delta(self.order, Fraction(mu))

    def steps(
        self, mu: Fraction | int | str = 0, delta: Fraction | int | str | None = None
    ) -> Fraction | None:
        """Return the exponent of the number of steps on batches of d^mu; None if unstable, or without an order.

        Parameters
        ----------
        mu : Fraction, int or str
            From 0 to l; at l one giant step is enough.
        delta : Fraction, int or str, optional
            By default the least that is stable.

        Raises
        ------
        RebatchError
            If mu is not from 0 to l.
        """
        if self.order is None:
            return None
        size = Fraction(mu)
        if not 0 <= size <= self.order:
            raise RebatchError(f"mu = {mu}; allowed are batches of d^mu, mu from 0 to {self.order}")
        least = least_delta(self.order, size)
        step = least if delta is None else Fraction(delta)
        return steps_at(self.order, step) if step >= least else None

    def ahead(self, r: Fraction | int | str) -> LookAheadPiece:
        """Return what holds for a look-ahead rho d = d^r; at a breakpoint the piece to its right.

        Raises
        ------
        RebatchError
            If r > 0: look-ahead beyond rho d of order one is not treated.
        """
        if (x := Fraction(r)) > 0:
            raise RebatchError(f"r = {r}; allowed are r <= 0: a look-ahead with rho d of order one at most")
        return next(p for p in reversed(self.look_ahead) if p.lower is None or p.lower <= x)

    def batch_rows(self) -> list[tuple[str, ...]]:
        """Return, for each piece of the map of mu: direction, batch, steps, samples, largest step, its basis."""
        name = in_words(self.direction)
        rows: list[tuple[str, ...]] = []
        for piece in self.batch:
            where = f"d^mu, mu {piece.lower} to {piece.upper}"
            steps, samples = (
                power_in_words(line, "mu", log=piece.log) for line in (piece.time, piece.samples)
            )
            rows.append((name, where, steps, samples, _step(piece.step), f"order {self.order} ({self.how})"))
        if self.order is None:
            rows.append((name, "any", "undecided" if self.how is How.UNDECIDED else "never", "", "", ""))
        else:
            size = power_in_words(Line(Fraction(0), Fraction(self.order)), "mu", log=False)
            rows.append((name, f"giant, {size}", "1", size, "", "one step"))
        steps = {"learned": "2", "hidden": NEVER, "undecided": "undecided"}[self.reuse]
        rows.append((name, "d, reused", steps, "d" if steps == "2" else "", "", f"two steps: {self.reuse}"))
        return rows

    def look_ahead_rows(self) -> list[tuple[str, ...]]:
        """Return, for each piece of the map of r: direction, r, steps, (k, i), its two moments, how it is known."""
        name = in_words(self.direction)
        rows: list[tuple[str, ...]] = []
        for piece in self.look_ahead:
            where = f"{'below' if piece.lower is None else f'{piece.lower} to'} {piece.upper}"
            if piece.lower == piece.upper:
                where = str(piece.upper)
            if piece.term is None or piece.shown is None:
                rows.append((name, where, _missing(piece), piece.open, "", "", ""))
                continue
            line = piece.shown
            term, steps = piece.term, power_in_words(line, "r", log=piece.log)
            pair = ", ".join(filter(None, (str(term), term.sign_in_words())))
            rows.append((name, where, steps, pair, term.label, term.activation, str(term.how)))
        return rows

    def to_json(self) -> dict[str, Any]:
        """Return the direction and its maps, rationals as text."""
        return {
            "direction": as_text(self.direction),
            "batch": [piece.to_json() for piece in self.batch],
            "look_ahead": [piece.to_json() for piece in self.look_ahead],
        }


@dataclass(frozen=True)
class PhaseDiagram(Tabulated, Drawn):
    """The phase diagram of a target. Prints itself.

    Attributes
    ----------
    target : Target
    activation : Activation or None
        None: any that has no moment 0 which it need not have.
    directions : tuple of DirectionPhases
        An orthogonal basis of the relevant subspace, in the order in which one pass finds it.
    """

    target: Target
    activation: Activation | None
    directions: tuple[DirectionPhases, ...]

    def to_json(self) -> dict[str, Any]:
        """Return the maps of all directions, rationals as text."""
        return {"directions": [phases.to_json() for phases in self.directions]}

    def heading(self) -> str:
        """Return what was asked, in one line."""
        sigma = "any activation" if self.activation is None else f"sigma = {self.activation}"
        return f"g(z) = {self.target.text}, {sigma}"

    @property
    def notes(self) -> tuple[str, ...]:
        """What holds beside the maps: the sign of rho at even k and i, and which signs a kink's law is for."""
        terms = [p.term for phases in self.directions for p in phases.look_ahead if p.term is not None]
        notes = []
        if any(term.k % 2 == term.i % 2 == 0 for term in terms):
            notes.append(
                "even k and i: the drift leads away from 0 for one sign of rho alone, that of the product of both "
                "moments; for the other the pair finds nothing"
            )
        if any("crossing" in term.activation for term in terms):
            notes.append(
                "crossing: what a kink puts in the place of y^k and of sigma'^(k-1) sigma^(k), with a > 0 and rho > 0"
            )
        return tuple(notes)

    def __str__(self) -> str:
        rows = [
            row for phases in self.directions for row in (*phases.batch_rows(), *phases.look_ahead_rows())
        ]
        return "\n".join([self.heading(), *("; ".join(filter(None, row)) for row in rows), *self.notes])

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each piece of each map."""
        return [
            {"map": sheet.title, **dict(zip(sheet.head, row, strict=True))}
            for sheet in self.sheets()
            for row in sheet.rows
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the map of batch size, and that of look-ahead."""
        batch = tuple(row for phases in self.directions for row in phases.batch_rows())
        ahead = tuple(row for phases in self.directions for row in phases.look_ahead_rows())
        return Sheet(BATCH, batch, f"batch size: {self.heading()}"), Sheet(
            LOOK_AHEAD, ahead, "look-ahead rho d = d^r"
        )

    def to_latex(self) -> str:
        """Return :meth:`latex`."""
        return self.latex()

    def _repr_latex_(self) -> str:
        return self.latex()

    def latex(self) -> str:
        """Return the maps as a table in LaTeX, with the rules of booktabs."""
        lines = [
            r"\toprule",
            rf"\multicolumn{{4}}{{l}}{{${self.target.latex()}$}} \\",
            r"direction & batch $d^\mu$, look-ahead $\rho d = d^r$ & steps & samples \\",
            r"\midrule",
        ]
        for phases in self.directions:
            name = f"$({', '.join(as_latex(phases.direction))})$"
            for piece in phases.batch:
                where = rf"${piece.lower} \le \mu \le {piece.upper}$"
                steps, samples = (
                    _power_in_latex(x, r"\mu", log=piece.log) for x in (piece.time, piece.samples)
                )
                lines.append(rf"{name} & {where} & ${steps}$ & ${samples}$ \\")
            for ahead in phases.look_ahead:
                where = rf"$r \le {ahead.upper}$" if ahead.lower is None else _between(ahead)
                steps = (
                    rf"\text{{{_missing(ahead)}}}"
                    if ahead.shown is None
                    else _power_in_latex(ahead.shown, "r", log=ahead.log)
                )
                if ahead.term is not None and (sign := ahead.term.sign_in_words()):
                    where += ", " + sign.replace("rho < 0", r"$\rho < 0$").replace("rho > 0", r"$\rho > 0$")
                lines.append(rf"{name} & {where} & ${steps}$ & ${steps}$ \\")
        return "\n".join([r"\begin{tabular}{llll}", *lines, r"\bottomrule", r"\end{tabular}"])


def phase_diagram(
    target: Target | str,
    activation: Activation | str | None = None,
    *,
    max_power: int = MAX_POWER,
) -> PhaseDiagram:
    """Return how the exponents of a target move with batch size, step size and look-ahead.

    At even k and i a look-ahead leads away from 0 for one sign of rho alone: each piece says for which.

    Parameters
    ----------
    target : Target or str
        Without label noise.
    activation : Activation or str, optional
        Its moments decide which pairs (k, i) count. By default it is left open, and all do.
    max_power : int
        The highest k, the power of the label that look-ahead brings in; a piece that a higher one might rule is open.

    Raises
    ------
    RebatchError
        If an argument is not allowed, or g is not a real function with an expectation.

    References
    ----------
    [Arn24], [TME25]; theory, 12.

    Examples
    --------
    >>> diagram = phase_diagram("He(3, z)")
    >>> [str(piece.lower) for piece in diagram.directions[0].look_ahead[1:]]
    ['-1/2', '0']
    """
    target = Target(target)
    target.require_gaussian("the phase diagram", "its powers of d are those of Hermite coefficients")
    if target.noise is not None:
        raise RebatchError(
            f"{target.noise_in_words}; allowed is noise_std = 0: the moments of look-ahead are those of g"
        )
    max_power = checks.integer("max_power", max_power, least=1, most=_MOST_POWER)
    sigma = None if activation is None else Activation(activation)
    relevant = relevant_subspace(target)
    verdicts = two_step_verdict(target, max_power)
    slopes = Slopes(sigma)
    hidden = Subspace.span((v.direction for v in verdicts if v.verdict == "hidden"), target.k)
    with effort(DEFAULT_EFFORT):
        maps = LookAhead(labels_of(target, max_power, slopes.kink), slopes, relevant, hidden)
        return PhaseDiagram(
            target,
            sigma,
            tuple(_phases(direction, target, maps, verdicts) for direction in _basis(target, relevant)),
        )


def _basis(target: Target, relevant: Subspace) -> tuple[Vector, ...]:
    """Return an orthogonal basis of V, first what the stages of the isotropic leap add."""
    stages = [v for _, added in isotropic_leap(target).sequence for v in added]
    return (*stages, *Subspace.span(stages, target.k).within(relevant).orthogonal_basis())


def _phases(
    direction: Vector, target: Target, maps: LookAhead, verdicts: Sequence[DirectionVerdict]
) -> DirectionPhases:
    """Return the maps of one direction."""
    order, how = _order(direction, target, maps)
    return DirectionPhases(
        direction,
        order,
        how,
        () if order is None else batch_pieces(order),
        maps.pieces(direction),
        _reuse(direction, target.k, verdicts),
    )


def _order(direction: Vector, target: Target, maps: LookAhead) -> tuple[int | None, How]:
    """Return l: of the isotropic leap for an open activation, else of the pairs with k = 1 that it has."""
    if maps.slopes.activation is None:
        leap = isotropic_leap(target)
        order = leap.order_of(direction)
        decided = leap.value is not None and order is not None
        return (order, leap.how) if decided else (None, How.UNDECIDED)
    largest, hows = 0, []
    for stage in maps.stages(Fraction(0), one_pass=True):
        if stage.term is None:
            return None, How.UNDECIDED
        largest = max(largest, stage.pair.i)
        hows.append(stage.term.how)
        if direction in stage.learned:
            return largest, worst(hows)
    return None, worst(hows)


def _reuse(direction: Vector, k: int, verdicts: Sequence[DirectionVerdict]) -> Verdict:
    """Return what two steps on one batch do to a direction: as they do to those that span it."""
    for verdict in ("learned", "hidden"):
        if direction in Subspace.span((v.direction for v in verdicts if v.verdict == verdict), k):
            return verdict
    return "undecided"


def _step(line: Line) -> str:
    words = Line(-line.slope, -line.intercept).in_words("mu")
    return "1" if words == "0" else f"d^({words})"


def _missing(piece: LookAheadPiece) -> str:
    return "open" if piece.open else "never"


def _power_in_latex(line: Line, x: str, *, log: bool) -> str:
    words = line.in_words(x)
    base = {"0": "", "1": "d"}.get(words, f"d^{{{words}}}")
    return f"{base} {chr(92) + 'log d' if log else ''}".strip() or "1"


def _between(piece: LookAheadPiece) -> str:
    if piece.lower == piece.upper or piece.lower is None:
        return f"$r = {piece.upper}$"
    return rf"${piece.lower} \le r \le {piece.upper}$"
