"""What reflections and moment identities say of contractions, before any is computed."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Parity:
    """What symmetry says of contractions with a basis.

    Attributes
    ----------
    flips : tuple of (tuple of 0 and 1, sign)
        Reflections of basis vectors (1: flipped) under which g keeps or changes its sign.
    first : tuple of int
        For each basis vector the least positive order that is not excluded by moment identities.
    """

    flips: tuple[tuple[tuple[int, ...], int], ...]
    first: tuple[int, ...]

    @property
    def size(self) -> int:
        """The number of basis vectors."""
        return len(self.first)

    def allows(self, index: Sequence[int], power: int) -> bool:
        """Whether E[g^power :b^index:] may differ from 0."""
        return all(n == 0 or n >= first for n, first in zip(index, self.first, strict=True)) and all(
            sum(f * n for f, n in zip(flip, index, strict=True)) % 2 == (power % 2 if sign < 0 else 0)
            for flip, sign in self.flips
        )

    def least(self, rest: Sequence[int], *, labels: bool) -> int:
        """Return a lower bound of the degree in the basis vectors `rest` of a nonzero contraction, where positive.

        labels: of g itself; else of every F(g), for which only the reflections that fix g count.
        """
        known = Parity(tuple((f, s) for f, s in self.flips if labels or s > 0), (1,) * self.size)
        patterns = (p for p in product((0, 1), repeat=self.size) if known.allows(p, 1))

        def degree(pattern: tuple[int, ...]) -> int:
            """Return the least degree in `rest` of these parities: odd entries as small as may be, or one even."""
            odd = sum(self.first[i] | 1 for i in rest if pattern[i])
            return odd or min(max(2, self.first[i] + self.first[i] % 2) for i in rest)

        return min(map(degree, patterns), default=1)
