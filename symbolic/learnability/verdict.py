"""What gradient descent can learn of a target, direction by direction, with a proof for each line (theory, 3.4).

After two steps on a reused batch of n = Theta(d) samples the network can overlap with span{E[F(y) z] : F}. A witness
E[y^m z] proves that a direction is learned; a symmetry of the target proves that one stays hidden; with neither,
the verdict is "undecided", never "hidden".
"""

from dataclasses import dataclass
from typing import Any, Literal

from flint import fmpq

from ..calculus.gaussian import first_moments
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How, worst
from ..exact.polynomial import is_polynomial, powers, to_polynomial
from ..exact.real import how_known
from ..exact.subspace import (
    Subspace,
    Vector,
    as_text,
    axis,
    orthogonalised,
    primitive,
    projected,
)
from ..language.target import Target
from ..proofs.fixers import PolynomialFixer
from ..proofs.symmetry import Symmetry, hidden_directions
from .any_target import search_of
from .exponents import (
    relevant_subspace,
)
from .growth import direction_of

Witness = tuple[fmpq | Expectation, ...]
Verdict = Literal["learned", "hidden", "undecided"]

MAX_WITNESS_ORDER = 8
_MAX_WITNESS_TERMS = 300_000
_SHORT = 24


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
        Learned: the least m at which E[y^m z] leaves the span of the lower ones. Undecided: the highest m searched.
    witness : vector of rationals or of Expectation, or None
        Learned: mu_m = E[y^m z], not orthogonal to the direction. Label noise is left out; it adds multiples of
        lower mu_j.
    at_most : bool
        Whether a lower m is not excluded: a moment of it cannot be told from 0.
    certificate : tuple of Symmetry or None
        Hidden: symmetries R of the target whose images of I - R together contain the direction.
    """

    direction: Vector
    verdict: Verdict
    how: How
    order: int | None = None
    witness: Witness | None = None
    certificate: tuple[Symmetry, ...] | None = None
    at_most: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all fields, numbers as exact text."""
        return {
            "direction": as_text(self.direction),
            "verdict": self.verdict,
            "how": str(self.how),
            "order": self.order,
            "at_most": self.at_most,
            "witness": None if self.witness is None else [_in_full(x) for x in self.witness],
            "certificate": None if self.certificate is None else [R.to_json() for R in self.certificate],
        }

    @property
    def summary(self) -> str:
        """The verdict, and the m of its witness."""
        return (
            f"{self.verdict} (m {'<=' if self.at_most else '='} {self.order})"
            if self.witness
            else self.verdict
        )

    def reason(self) -> str:
        """Return the proof, or what was searched, in one line."""
        if self.witness is not None:
            power = "y" if self.order == 1 else f"y^{self.order}"
            return f"E[{power} z] = ({', '.join(map(_in_short, self.witness))})"
        if self.certificate is not None:
            return "; ".join(map(str, self.certificate))
        if self.verdict == "learned":
            return f"a polynomial of one direction that is not even; E[y^m z] = 0 for m <= {self.order}"
        return f"no witness E[y^m z] for m <= {self.order}, no symmetry among those tried"


def _in_full(x: fmpq | Expectation) -> str:
    return str(x) if isinstance(x, Expectation) else as_text([x])[0]


def _in_short(x: fmpq | Expectation) -> str:
    """Return an exact number as it is where it is short, else six digits."""
    if isinstance(x, Expectation) and (x.how is not How.EXACT or len(str(x)) > _SHORT):
        return f"{float(x):.6g}"
    return _in_full(x)


def two_step_verdict(
    target: Target | str, max_order: int = MAX_WITNESS_ORDER
) -> tuple[DirectionVerdict, ...]:
    """Return the verdict on each direction of an orthogonal basis of V(g), learned ones first.

    Parameters
    ----------
    target : Target or str
    max_order : int
        The highest power m of the label whose moment E[y^m z] is computed; fewer where y^m has over 300,000 terms.

    Raises
    ------
    RebatchError
        If max_order is not a positive integer; UndefinedFunctionError if g is not defined everywhere.

    References
    ----------
    [D24]; theory, 3.4. For one direction [L24]: a polynomial is hidden if and only if it is even.

    Examples
    --------
    >>> [v.order for v in two_step_verdict("z1 + He(3, z2)")]
    [1, 3]
    """
    if not (isinstance(max_order, int) and max_order >= 1):
        raise RebatchError(f"max_order = {max_order!r}; allowed are integers >= 1")
    target = Target(target)
    relevant = relevant_subspace(target)
    if relevant.dimension == 0:
        return ()
    polynomial = is_polynomial(target.expr, target.coordinates)
    if polynomial:
        learned, searched = _witnessed(target, relevant, max_order)
        reached = Subspace.span((v.direction for v in learned), target.k)
        g = PolynomialFixer(to_polynomial(target.expr, target.coordinates))
        symmetries = hidden_directions(g, relevant, reached)[0]
    else:
        search = search_of(target)
        symmetries = search.certified[0]
        learned, searched = _measured(target, max_order)
        reached = Subspace.span((v.direction for v in learned), target.k)
        if (reached + search.hidden).dimension < relevant.dimension:
            symmetries = (*symmetries, *hidden_directions(search.fixer, relevant, reached)[0])
    hidden = _certified(symmetries, relevant)
    rest = (reached + Subspace.span((v.direction for v in hidden), target.k)).within(relevant)
    if polynomial and relevant.dimension == 1 and rest.dimension:
        # Not even, or the inversion of V would have been found: learned, by the theorem.
        return tuple(
            DirectionVerdict(v, "learned", How.THEOREM, order=searched) for v in rest.orthogonal_basis()
        )
    undecided = (
        DirectionVerdict(v, "undecided", How.UNDECIDED, order=searched) for v in rest.orthogonal_basis()
    )
    return (*learned, *hidden, *undecided)


def _certified(symmetries: tuple[Symmetry, ...], relevant: Subspace) -> tuple[DirectionVerdict, ...]:
    """Return an orthogonal basis of the directions that symmetries prove hidden, each with those that prove it."""
    found: list[DirectionVerdict] = []
    moved: list[Subspace] = []
    for i, symmetry in enumerate(symmetries):
        moved.append(Subspace.span((projected(v, relevant) for v in symmetry.moved), relevant.ambient))
        for v in moved[-1].orthogonal_basis():
            new = orthogonalised(v, (known.direction for known in found))
            if any(new):
                alone = [s for s, space in zip(symmetries, moved, strict=False) if new in space][:1]
                proof = tuple(alone or symmetries[: i + 1])
                found.append(DirectionVerdict(primitive(new), "hidden", How.EXACT, certificate=proof))
    return tuple(found)


def _witnessed(
    target: Target, relevant: Subspace, max_order: int
) -> tuple[tuple[DirectionVerdict, ...], int]:
    """Return the directions that a moment E[y^m z] reaches, each at its least m, and the last m searched."""
    polynomial = to_polynomial(target.expr, target.coordinates)
    found: list[DirectionVerdict] = []
    m = 0
    for m, power in enumerate(powers(polynomial, max_order, _MAX_WITNESS_TERMS), start=1):
        mu = tuple(first_moments(power, target.k))
        new = orthogonalised(mu, (v.direction for v in found))
        if any(new):
            found.append(DirectionVerdict(primitive(new), "learned", How.EXACT, order=m, witness=mu))
        if len(found) == relevant.dimension:
            break
    return tuple(found), m


def _measured(target: Target, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
    """Return the directions that moments E[y^m z] of any target reach, at their least m, and the last m searched."""
    search = search_of(target)
    axes = [axis(i, target.k) for i in range(target.k)]
    basis = search.fixed.orthogonal_basis()
    found: list[DirectionVerdict] = []
    # How it is known that lower moments add nothing: the order of a verdict rests on it.
    lower: list[How] = []
    coarse = False
    if not basis:
        return (), max_order
    m = 0
    for m in range(1, max_order + 1):
        entries = tuple(search.averages.coefficient(m, ((b, 1),)) for b in basis)
        before = worst(lower)
        at_most, coarse = coarse, coarse or not all(c.tells for c in entries)
        lower += [c.how for c in entries if c.zero]
        if all(c.zero for c in entries):
            continue
        direction, how = direction_of(search.averages, m, basis, entries)
        new = orthogonalised(direction, (verdict.direction for verdict in found))
        if any(new):
            mu = tuple(search.averages.coefficient(m, ((e, 1),)).value for e in axes)
            if len(found) == len(basis) - 1:
                # Up to a factor the last one is what the others leave, and shorter to write.
                others = Subspace.span((verdict.direction for verdict in found), target.k)
                (new,) = others.within(search.fixed).orthogonal_basis()
            known = worst([how, before, *map(how_known, new), *(verdict.how for verdict in found)])
            found.append(
                DirectionVerdict(primitive(new), "learned", known, order=m, witness=mu, at_most=at_most)
            )
        elif how is not How.EXACT:
            lower.append(How.NUMERIC)  # in the span of those before, as far as can be told
        if len(found) == len(basis):
            break
    return tuple(found), m
