from itertools import permutations, product

import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given

from rebatch import Target
from rebatch.symbolic.exact.frame import framed
from rebatch.symbolic.exact.polynomial import to_polynomial
from rebatch.symbolic.exact.subspace import Subspace
from rebatch.symbolic.proofs.permutations import signed_permutation_symmetries
from rebatch.symbolic.proofs.polynomial_fixer import PolynomialFixer
from rebatch.symbolic.proofs.rotations import rotation_symmetry
from rebatch.symbolic.proofs.symmetry import inversion_symmetry, reflection_symmetry
from rebatch.verify.strategies import polynomial_targets


def polynomial(text):
    target = Target(text)
    return to_polynomial(target.expr, target.coordinates)


def along(text):
    target = Target(text)
    return framed(target.expr, target.coordinates)


def hidden(symmetries, k):
    return Subspace.span((v for symmetry in symmetries for v in symmetry.moved), k)


@given(polynomial_targets(max_coordinates=3, max_degree=4))
def test_the_search_finds_what_trying_every_signed_permutation_finds(target):
    g = to_polynomial(target.expr, target.coordinates)
    k = target.k
    moved = []
    for order in permutations(range(k)):
        for signs in product((1, -1), repeat=k):
            images = {
                z: s * target.coordinates[j] for z, s, j in zip(target.coordinates, signs, order, strict=True)
            }
            if sp.expand(target.expr.xreplace(images) - target.expr) == 0:
                rows = [[s * int(m == j) for m in range(k)] for s, j in zip(signs, order, strict=True)]
                moved += [[int(i == m) - rows[i][m] for i in range(k)] for m in range(k)]
    found, complete = signed_permutation_symmetries(g)
    assert complete
    assert hidden(found, k) == Subspace.span(moved, k)


def test_twelve_coordinates_are_searched_without_trying_every_map():
    ring = "+".join(f"z{i}*z{i % 12 + 1}^2" for i in range(1, 13))
    found, complete = signed_permutation_symmetries(polynomial(ring))
    assert complete
    assert hidden(found, 12).dimension == 11


def test_a_reflection_along_an_oblique_direction_is_found():
    g = along("3*z1 - 4*z2 + (4*z1 + 3*z2)^2")
    (v,) = Subspace.span([_vector(4, 3)], 2).orthogonal_basis()
    assert reflection_symmetry(PolynomialFixer(g), v).moved == (v,)
    assert reflection_symmetry(PolynomialFixer(g), _vector(3, -4)) is None


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("z1^3 - 3*z1*z2^2", "2 pi / 3"),
        ("z1^4 - 6*z1^2*z2^2 + z2^4", "2 pi / 4"),
        ("z1^5 - 10*z1^3*z2^2 + 5*z1*z2^4", "2 pi / 5"),
        ("z1^2 + z2^2", "every angle"),
    ],
)
def test_rotations_of_a_plane_are_read_off_its_harmonics(text, kind):
    target = Target(text)
    plane = Subspace.span([_vector(1, 0), _vector(0, 1)], 2)
    symmetry = rotation_symmetry(plane, along(text))
    assert kind in symmetry.kind
    R = sp.Matrix(symmetry.matrix)
    images = dict(zip(target.coordinates, R * sp.Matrix(target.coordinates), strict=True))
    difference = sp.Poly(sp.expand(target.expr.xreplace(images) - target.expr), *target.coordinates)
    assert all(sp.simplify(c) == 0 for c in difference.coeffs())


def test_a_plane_without_rotations_has_none():
    plane = Subspace.span([_vector(1, 0), _vector(0, 1)], 2)
    assert rotation_symmetry(plane, along("z1 + z2^2")) is None
    assert inversion_symmetry(PolynomialFixer(along("z1 + z2^2")), plane) is None


def _vector(*entries):
    return tuple(map(fmpq, entries))
