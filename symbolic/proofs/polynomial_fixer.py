"""Which orthogonal maps fix a polynomial: exactly, by expanding both sides."""

from collections.abc import Iterator
from math import comb

from ..exact.frame import Framed
from ..exact.subspace import Subspace, Vector, axis, dot
from .permutations import signed_permutation_symmetries
from .rotations import rotation_symmetry
from .symmetry import Matrix, Symmetry, described
from .turns import turns

# A polynomial of fewer linear forms than coordinates is written out in these up to so many terms.
_MAX_TERMS_WRITTEN = 20_000


class PolynomialFixer:
    """Decides on a polynomial by expanding both sides along a basis of V(g)."""

    def __init__(self, g: Framed) -> None:
        self.g, self.k = g, g.ambient

    def fixes(self, matrix: Matrix) -> bool:
        """Whether g(R z) = g(z), for an orthogonal R: it maps V to itself then."""
        images = [tuple(dot(row, b) for row in matrix) for b in self.g.basis]
        if not all(image in self.g.space for image in images):
            return False
        moved = self.g.restricted(self.g.polynomial, images)
        context = self.g.polynomial.context()
        return bool(moved.compose(*context.gens(), ctx=context) == self.g.polynomial)

    def signed_permutations(self) -> tuple[tuple[Symmetry, ...], bool]:
        """Return signed permutations that fix g; complete up to `MAX_COORDINATES_SEARCHED` coordinates.

        None of a polynomial with too many terms in the coordinates.
        """
        degree = int(self.g.polynomial.total_degree())
        many = comb(degree + self.k, self.k) > _MAX_TERMS_WRITTEN
        if many and any(sum(x != 0 for x in b) > 1 for b in self.g.basis):
            return (), False
        axes = [axis(j, self.k) for j in range(self.k)]
        return signed_permutation_symmetries(self.g.restricted(self.g.polynomial, axes))

    def rotation(self, plane: Subspace) -> Symmetry | None:
        """Return the rotation of a plane by the least angle that fixes g."""
        return rotation_symmetry(plane, self.g)

    def turns(self) -> list[Symmetry]:
        """Return the generators of the continuous rotations that fix g."""
        return [described(R) for R in turns([self.g]) if self.fixes(R)]

    def in_any_frame(self, fixed: Subspace, free: Subspace) -> Iterator[Symmetry]:
        """Yield maps that fix g and a subspace, found in floating point and proved."""
        from .frames import FrameSearch, guessed, values_of  # noqa: PLC0415 - loads NumPy, where all else failed

        search = FrameSearch(values_of(self.g), self.k, fixed, free)
        yield from guessed(search, self.fixes, self.rotation)

    def mirrors(self) -> list[Vector]:
        """Return no direction: those that are asked about are tried anyway."""
        return []
