"""Signed permutations of the coordinates that fix a polynomial, by search (theory, 3.4)."""

from collections.abc import Iterator, Sequence
from itertools import product

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..exact.subspace import Subspace
from .symmetry import Symmetry

MAX_COORDINATES_SEARCHED = 12
# Partial maps tried for one pair of coordinates before the search for that pair is given up.
_MAX_PARTIAL_MAPS = 20_000


def signed_permutation_symmetries(g: fmpq_mpoly) -> tuple[tuple[Symmetry, ...], bool]:
    """Return signed permutations that fix g and generate the fixed space of all of them.

    The fixed space of the group needs only to know, for every i and j, whether some member maps e_i to e_j or to
    -e_j: a search for each pair that is not settled by the members found before, never the 2^k k! maps.

    Returns
    -------
    tuple of Symmetry
    bool
        Whether the search was complete.
    """
    k = g.context().nvars()
    search = _SignedPermutationSearch(g)
    found: list[Symmetry] = []
    hidden = Subspace.zero(k)
    for i in range(k):
        for j in range(i, k):
            for sign in (-1, 1):
                difference = [fmpq(int(m == i)) - fmpq(sign * int(m == j)) for m in range(k)]
                if not any(difference) or difference in hidden:
                    continue
                images = search.member(i, j, sign)
                if images is not None:
                    found.append(signed_permutation(images))
                    hidden = hidden + Subspace.span(found[-1].moved, k)
    return tuple(found), search.complete


class _SignedPermutationSearch:
    """Backtracking over images of the coordinates, pruned by what must agree on the coordinates mapped so far."""

    def __init__(self, g: fmpq_mpoly) -> None:
        self.k = g.context().nvars()
        self.terms = {tuple(map(int, S)): c for S, c in g.to_dict().items()}
        self.complete = self.k <= MAX_COORDINATES_SEARCHED
        self._colors = [self._color(i) for i in range(self.k)]

    def _color(self, i: int) -> tuple[object, ...]:
        """Return what a signed permutation cannot change of a coordinate: its terms, up to signs and order."""
        described = ((S[i], tuple(sorted(S)), str(abs(c))) for S, c in self.terms.items() if S[i])
        return tuple(sorted(described))

    def member(self, i: int, j: int, sign: int) -> list[tuple[int, int]] | None:
        """Return a map that fixes g and sends coordinate i to sign * j, as (image, sign) by coordinate."""
        if not self.complete or self._colors[i] != self._colors[j]:
            return None
        order = [i, *(m for m in range(self.k) if m != i)]
        self._budget = _MAX_PARTIAL_MAPS
        images = self._extend(order, {}, forced=(j, sign))
        return None if images is None else [images[m] for m in range(self.k)]

    def _extend(
        self, order: Sequence[int], images: dict[int, tuple[int, int]], forced: tuple[int, int] | None
    ) -> dict[int, tuple[int, int]] | None:
        """Return a partial map extended to all coordinates, None where there is none within the budget."""
        if len(images) == self.k:
            return images
        m = order[len(images)]
        for candidate in [forced] if forced else self._candidates(m, images):
            if self._budget == 0:
                self.complete = False
                return None
            self._budget -= 1
            extended = {**images, m: candidate}
            if self._agrees(extended, m):
                complete = self._extend(order, extended, None)
                if complete is not None:
                    return complete
        return None

    def _candidates(self, m: int, images: dict[int, tuple[int, int]]) -> Iterator[tuple[int, int]]:
        used = {image for image, _ in images.values()}
        # The identity first: most members move few coordinates.
        targets = sorted((j for j in range(self.k) if j not in used), key=lambda j: j != m)
        for j, sign in product(targets, (1, -1)):
            if self._colors[j] == self._colors[m]:
                yield j, sign

    def _agrees(self, images: dict[int, tuple[int, int]], newest: int) -> bool:
        """Whether the terms in mapped coordinates only, the newest among them, go to terms of g and back."""
        sources, targets = set(images), {j for j, _ in images.values()}
        expected = sum(
            1
            for S in self.terms
            if S[images[newest][0]] and all(n == 0 or j in targets for j, n in enumerate(S))
        )
        matched = 0
        for S, c in self.terms.items():
            if not S[newest] or any(n and m not in sources for m, n in enumerate(S)):
                continue
            image, sign = [0] * self.k, 1
            for m, n in enumerate(S):
                if n:
                    j, s = images[m]
                    image[j], sign = n, sign * s**n
            if self.terms.get(tuple(image)) != sign * c:
                return False
            matched += 1
        return matched == expected


def signed_permutation(images: Sequence[tuple[int, int]]) -> Symmetry:
    """Return z_m -> sign z_image as a map; its row m is sign * e_image."""
    k = len(images)
    matrix = [[sign * int(j == image) for j in range(k)] for image, sign in images]
    moved = [[fmpq(int(m == j) - matrix[m][j]) for m in range(k)] for j in range(k)]
    words = ", ".join(
        f"z{m + 1} -> {'-' if sign < 0 else ''}z{image + 1}"
        for m, (image, sign) in enumerate(images)
        if (image, sign) != (m, 1)
    )
    space = Subspace.span(moved, k)
    return Symmetry(
        tuple(tuple(map(sp.Integer, row)) for row in matrix), space.orthogonal_basis(), f"maps {words}"
    )
