"""What theory says of each direction after a number of steps, on one batch and on fresh ones (theory, 3.3 to 3.5).

From a start without overlap t steps on one batch reach S_t, with

    S_1 = span{E[y z]},   S_{t+1} = span{E[F(y, z_{S_t}) z] : F},   U_{t-1} <= S_t <= U_t,

U_t the rounds of the reuse staircase: F sees of z what the weights overlap with. Claims that can be refuted follow:

    learned   a direction of round r has an overlap after r + 1 steps, which stays;
    hidden    after one step whatever is orthogonal to E[y z]; after two what the two-step verdict hides; after any
              number what a symmetry R of g moves, which by induction on t fixes S_t pointwise, and all if S_2 = {0}.

That a direction of round r has none before is claimed where it is proved only: where E[y z] is not 0 the bound
S_t <= U_t may be met, one step earlier. Two steps on fresh batches overlap with the directions of the first stages
of order 1 of the isotropic leap; what is not in any stage of order 1 they cannot see, where this is proved.

Where the inputs are not Gaussian no rotation tells of stages: after a first step along mu = E[y z] a second overlaps
with span{E[y F(mu.z) z] : F} on fresh batches, and with span{E[F(y, mu.z) z]} on one, both decided by enumeration
(theory, 13).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, takewhile
from typing import Literal

from ..symbolic.exact.known import How
from ..symbolic.exact.subspace import Subspace, Vector, dot
from ..symbolic.language.target import Target
from ..symbolic.learnability.direction_verdict import DirectionVerdict
from ..symbolic.learnability.exponents import isotropic_leap, reuse_staircase
from ..symbolic.learnability.verdict import second_step, two_step_verdict

Claim = Literal["learned", "hidden", "undecided"]

TWO = 2
# Rounds beyond are not run: each is a step more, and what it shows has to outgrow the noise of all before.
_MOST_ROUNDS = 4
_PROVED = (How.EXACT, How.THEOREM, How.ENCLOSURE)


@dataclass(frozen=True)
class Claimed:
    """What is said of one direction after a number of steps.

    Attributes
    ----------
    direction : vector
        Unnormalised.
    reuse : bool
        Whether all steps see one batch.
    step : int
    claim : {"learned", "hidden", "undecided"}
    reason : str
        What proves it.
    """

    direction: Vector
    reuse: bool
    step: int
    claim: Claim
    reason: str


def claims_of(target: Target, max_order: int) -> tuple[Claimed, ...]:
    """Return every claim, direction by direction: on one batch by steps, then on fresh batches."""
    verdicts = two_step_verdict(target, max_order)
    spaces = reuse_staircase(target, max_order).spaces[:_MOST_ROUNDS] if verdicts else ()
    later = list(_of_later_rounds(spaces))
    nothing_shows = all(v.verdict == "hidden" for v in verdicts)
    # A third step is taken where a round needs one: it would rule out experiments that two steps survive.
    last = max([TWO, *(claim.step for claim in later)])
    claims: list[Claimed] = []
    for verdict in verdicts:
        fresh = _on_fresh_batches(target, verdict)
        claims += _on_one_batch(verdict, fresh, last, nothing_shows=nothing_shows)
        claims += (claim for claim in later if _parallel(claim.direction, verdict.direction))
        claims.append(fresh)
    known = [verdict.direction for verdict in verdicts]
    claims += (claim for claim in later if not any(_parallel(claim.direction, v) for v in known))
    return tuple(claims)


def _on_one_batch(
    verdict: DirectionVerdict, fresh: Claimed, last: int, *, nothing_shows: bool
) -> Iterator[Claimed]:
    """Yield what one step, two and the last of all do with a direction."""
    v = verdict.direction
    first_order_vanishes = verdict.verdict == "learned" and (verdict.order or 0) > 1
    if first_order_vanishes and not verdict.at_most and verdict.how in _PROVED:
        yield Claimed(v, True, 1, "hidden", "E[y z] is orthogonal to it, and one step sees nothing else")
    if fresh.claim == "learned" and (verdict.verdict == "undecided" or verdict.given_first):
        yield Claimed(v, True, TWO, "learned", f"{fresh.reason}, on fresh batches, and so on one")
    else:
        known: Claim = "undecided" if verdict.given_first else verdict.verdict
        yield Claimed(v, True, TWO, known, verdict.reason())
    # Where two steps reach nothing at all every further step is as the first.
    for_ever = bool(verdict.certificate) or nothing_shows
    if verdict.verdict == "hidden" and for_ever and last > TWO:
        yield Claimed(v, True, last, "hidden", f"from any number of steps: {verdict.reason()}")


def _of_later_rounds(spaces: Sequence[Subspace]) -> Iterator[Claimed]:
    """Yield that what a round after the first adds is learned one step later."""
    for number, (before, after) in enumerate(pairwise(spaces), start=2):
        for v in before.within(after).orthogonal_basis():
            yield Claimed(v, True, number + 1, "learned", f"round {number} of the reuse staircase")


def _on_fresh_batches(target: Target, verdict: DirectionVerdict) -> Claimed:
    """Return what two steps on fresh batches do with a direction."""
    v = verdict.direction
    if not target.inputs.is_gaussian:
        return _on_fresh_signs(target, verdict)
    leap = isotropic_leap(target)
    linear = [directions for _, directions in takewhile(lambda stage: stage[0] == 1, leap.sequence)]
    if any(dot(v, w) != 0 for stage in linear[:TWO] for w in stage):
        return Claimed(v, False, TWO, "learned", f"seen at order 1 in {len(linear[:TWO])} steps")
    if verdict.verdict == "hidden":
        return Claimed(v, False, TWO, "hidden", verdict.reason())
    if leap.how in _PROVED and not any(dot(v, w) != 0 for stage in linear for w in stage):
        order = leap.order_of(v)
        return Claimed(v, False, TWO, "hidden", f"seen at order {order} only: n ~ d^{order} fresh samples")
    return Claimed(v, False, TWO, "undecided", "no order known at which fresh samples see it")


def _on_fresh_signs(target: Target, verdict: DirectionVerdict) -> Claimed:
    """Return what two steps on fresh batches do with a direction under inputs that are not Gaussian."""
    v, step = verdict.direction, second_step(target)
    if any(dot(v, w) != 0 for w in step.fresh.rows):
        return Claimed(v, False, TWO, "learned", "E[y F(E[y z].z) z] is not orthogonal to it")
    if verdict.certificate:
        return Claimed(v, False, TWO, "hidden", verdict.reason())
    if verdict.how in _PROVED and all(dot(v, w) == 0 for w in step.fresh_bound.rows):
        return Claimed(v, False, TWO, "hidden", "E[F(y, E[y z].z) z] is orthogonal to it for F linear in y")
    return Claimed(v, False, TWO, "undecided", "not known whether a second fresh batch sees it")


def _parallel(v: Vector, w: Vector) -> bool:
    """Return whether two directions are one."""
    return Subspace.span((v,), len(v)) == Subspace.span((w,), len(w))
