"""What reflections and moment identities say of contractions, before any is computed."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product

from ..calculus.hermite_form import MultiIndex

# With more patterns of odd entries multi-indices are tried one by one.
_FEW_PATTERNS = 64


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
    patterns: dict[tuple[tuple[int, ...], int], list[tuple[int, ...]]] = field(
        default_factory=dict, compare=False, repr=False
    )

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

    def totals(self, power: int) -> frozenset[int]:
        """Return which degrees modulo 2 the multi-indices have that are not excluded for a power of g."""
        return frozenset(sum(pattern) % 2 for pattern in self._odd_entries((), power % 2))

    def completions(self, known: Sequence[int], power: int, degree: int) -> Iterator[MultiIndex]:
        """Yield the T of this degree in the last basis vectors that `known` leaves possible, first entries first."""
        n = self.size - len(known)
        odd = self._odd_entries(tuple(x % 2 for x in known), power % 2)
        if len(odd) > _FEW_PATTERNS:
            candidates: Iterable[MultiIndex] = compositions(n, degree)
        else:
            # Of these parities: twice anything on top.
            candidates = sorted(
                (
                    tuple(p + 2 * q for p, q in zip(pattern, half, strict=True))
                    for pattern in odd
                    if sum(pattern) <= degree and (degree - sum(pattern)) % 2 == 0
                    for half in compositions(n, (degree - sum(pattern)) // 2)
                ),
                reverse=True,
            )
        yield from (T for T in candidates if self.allows((*known, *T), power))

    def _odd_entries(self, known: tuple[int, ...], power: int) -> list[tuple[int, ...]]:
        """Return which of the last entries may be odd together, as 0 and 1."""
        key = (known, power)
        if key not in self.patterns:
            free = Parity(self.flips, (1,) * self.size)
            every = product((0, 1), repeat=self.size - len(known))
            self.patterns[key] = [p for p in every if free.allows((*known, *p), power)]
        return self.patterns[key]

    def least_order(self, rest: Sequence[int], *, labels: bool) -> int:
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


def compositions(n: int, degree: int) -> Iterator[MultiIndex]:
    """Yield the multi-indices of n entries and this degree, the first entries first."""
    for chosen in combinations_with_replacement(range(n), degree):
        yield tuple(chosen.count(i) for i in range(n))
