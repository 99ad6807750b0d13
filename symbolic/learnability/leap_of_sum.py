"""The generative leap of a sum over orthogonal directions, g = sum_j f_j(<b_j, z> / |b_j|) (theory, 10.1).

With l_j the generative exponent of f_j and m the least power with E[f_j^m He_{l_j}] != 0,

    E[y^m He_l(b_j.z)] = E[f_j^m He_l] for l = l_j, and E[F(y, other coordinates) He_l(b_j.z)] = 0 for every l < l_j:

the leap is at least max l_j, and met where at most one l_j is 1. Two of them share E[y^m z] and may need order 2:
relu(z1) + relu(z2) does.
"""

from collections.abc import Callable

from ..exact.known import How, worst
from ..exact.subspace import in_words
from ..language.target import Target
from ..proofs.orthogonal_sum import summands
from .known_exponents import GenerativeLeap


def with_sum(
    known: GenerativeLeap, target: Target, alone: Callable[[Target], GenerativeLeap]
) -> GenerativeLeap:
    """Return a leap that is not decided with what its summands say, where they are of orthogonal directions.

    Parameters
    ----------
    known : GenerativeLeap
        What a search has found.
    target : Target
    alone : function
        The generative exponent of a target of one direction.

    References
    ----------
    [DLB25]; theory, 10.1.
    """
    parts = summands(target.expr, target.k)
    if len(parts) < 2:
        return known
    found = [(b, leap) for f, b in parts if not (leap := alone(Target(f, k=1))).infinite]
    lower = max([known.lower or 1, *(leap.lower or 1 for _, leap in found)])
    if found and all(leap.value for _, leap in found) and sum(leap.value == 1 for _, leap in found) <= 1:
        orders = sorted({leap.value or 1 for _, leap in found})
        sequence = tuple((j, tuple(b for b, leap in found if leap.value == j)) for j in orders)
        told = ", ".join(f"{in_words(b)}: {leap.value} ({leap.witness})" for b, leap in found)
        how = worst([How.THEOREM, *(leap.how for _, leap in found)])
        witness = f"a sum over orthogonal directions, so the largest of their exponents [DLB25]; {told}"
        return GenerativeLeap(orders[-1], how, False, witness, orders[-1], orders[-1], sequence)
    if lower == known.upper:
        witness = f"{known.witness}; a sum over orthogonal directions, so at least {lower} [DLB25]"
        how = worst([How.THEOREM, known.upper_how, *(leap.how for _, leap in found if leap.lower == lower)])
        return GenerativeLeap(lower, how, False, witness, lower, lower, known.sequence)
    return GenerativeLeap(
        None, known.how, False, known.witness, lower, known.upper, known.sequence, known.upper_how
    )
