"""Sets of coordinates under symmetric difference: vectors over the field of two elements, as the bits of integers.

Products of signs multiply like this, and the sign flips that fix a product of signs are those that meet it in an even
number of coordinates.
"""

from collections.abc import Iterable, Sequence


def generators(sets: Iterable[int]) -> list[int]:
    """Return independent sets that generate all the given ones."""
    basis: list[int] = []
    for U in sets:
        rest = U
        for b in basis:
            # Each member has a lowest bit that no later one has.
            if rest & (b & -b):
                rest ^= b
        if rest:
            basis.append(rest)
    return basis


def group(independent: Sequence[int]) -> list[int]:
    """Return all symmetric differences, in the order of a flat transform: the first generator varies slowest."""
    members = [0]
    for b in independent:
        members = [U for member in members for U in (member, member ^ b)]
    return members


def perpendicular(independent: Sequence[int], within: int) -> list[int]:
    """Return independent sets inside `within` that meet every given one in an even number, and generate all such."""
    reduced: list[int] = []
    for b in independent:
        pivot = b & -b
        # Each pivot in one row alone.
        reduced = [row ^ b if row & pivot else row for row in reduced]
        reduced.append(b)
    pivots = [b & -b for b in independent]
    free = [1 << j for j in range(within.bit_length()) if within >> j & 1 and 1 << j not in pivots]
    return [bit | sum(p for p, row in zip(pivots, reduced, strict=True) if row & bit) for bit in free]
