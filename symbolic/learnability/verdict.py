"""What gradient descent can learn of a target, direction by direction, with a proof for each line (theory, 3.4).

After two steps on a reused batch of n = Theta(d) samples the network can overlap with span{E[F(y) z] : F}. A witness
E[y^m z] proves that a direction is learned; a symmetry of the target proves that one stays hidden; with neither,
the verdict is "undecided", never "hidden".
"""

from .. import checks
from ..exact.effort import EffortSpentError, spend
from ..exact.known import How
from ..exact.subspace import Subspace, orthogonalised, primitive, projected
from ..language.target import Target
from ..proofs.symmetry import Symmetry
from .direction_verdict import DirectionVerdict, undecided
from .known_exponents import MOST_ORDER
from .product_exponents import SecondStep
from .reading import Reading, read, read_product

MAX_WITNESS_ORDER = 8


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
    max_order = checks.integer("max_order", max_order, least=1, most=MOST_ORDER)
    return verdict_of(read(target), max_order)


def second_step(target: Target) -> SecondStep:
    """Return what a second step sees of a target whose inputs are not Gaussian, after a first along E[y z].

    References
    ----------
    theory, 13.
    """
    return read_product(target).second_step()


def verdict_of(reading: Reading, max_order: int) -> tuple[DirectionVerdict, ...]:
    """Return the two-step verdict on each direction of a target that was read."""
    relevant, k = reading.relevant, reading.k
    if relevant.dimension == 0:
        return ()
    learned, searched = reading.witnesses(max_order)
    reached = Subspace.span((v.direction for v in learned), k)
    hidden = _hidden(reading, reached)
    left = (reached + Subspace.span((v.direction for v in hidden), k)).within(relevant)
    try:
        spend(0)
        rest = reading.verdict_on(left, searched)
    except EffortSpentError as spent:
        rest = undecided(left, searched, str(spent))
    return (*learned, *hidden, *rest)


def _hidden(reading: Reading, reached: Subspace) -> tuple[DirectionVerdict, ...]:
    """Return the directions that symmetries prove hidden; none if the effort is spent before."""
    try:
        return _certified(reading.symmetries(reached), reading.relevant)
    except EffortSpentError:
        return ()


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
