"""Symmetries in any frame: what is decided in the axes is decided in every rational frame, with proofs that hold."""

from collections import Counter

import numpy as np
import pytest
import sympy as sp
from flint import fmpq, fmpq_mat
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from rebatch import Target, two_step_verdict
from rebatch.symbolic.exact.frame import framed
from rebatch.symbolic.exact.subspace import Subspace, as_text, axis
from rebatch.symbolic.language.parse import to_text
from rebatch.symbolic.proofs.averages import Averages
from rebatch.symbolic.proofs.fixers import ExpressionFixer, polynomial_parts
from rebatch.symbolic.proofs.frames import FrameSearch, as_rational_map, values_of
from rebatch.symbolic.proofs.polynomial_fixer import PolynomialFixer
from rebatch.symbolic.proofs.turns import turns

A, B, C = "((z1+2*z2+2*z3)/3)", "((2*z1+z2-2*z3)/3)", "((2*z1-2*z2+z3)/3)"


def certificate_holds(target, symmetry):
    """Check by SymPy that R is orthogonal, fixes g and moves what it is said to move."""
    R = sp.Matrix(symmetry.matrix)
    k = target.k
    assert (R * R.T - sp.eye(k)).applyfunc(sp.expand) == sp.zeros(k, k)
    images = dict(zip(target.coordinates, R * sp.Matrix(target.coordinates), strict=True))
    if target.expr.is_polynomial(*target.coordinates):
        assert sp.expand(target.expr.xreplace(images) - target.expr) == 0
    else:
        z = np.random.default_rng(0).standard_normal((50, k))
        assert target(z @ np.array(R, dtype=float).T) == pytest.approx(target(z), abs=1e-9)
    # The image of I - R', as wide as what is said to be moved, and not wider for it.
    image = np.array(sp.eye(k) - R, dtype=float).T
    moved = np.array([[float(sp.sympify(x)) for x in as_text(v)] for v in symmetry.moved]).T
    ranks = [np.linalg.matrix_rank(m, tol=1e-9) for m in (image, moved, np.hstack([image, moved]))]
    assert ranks == [len(symmetry.moved)] * 3


def verdicts(target):
    found = two_step_verdict(target, 5)
    for verdict in found:
        for symmetry in verdict.certificate or ():
            certificate_holds(target, symmetry)
    return found


def counted(found):
    return Counter((v.verdict, v.order if v.verdict == "learned" else None) for v in found)


@pytest.mark.parametrize(
    "text",
    [
        # A plane of rotations beside other directions.
        "3*z1^2*z2-z2^3+z3^2",
        "z1^3-3*z1*z2^2+z3*z4",
        "tanh(3*z1^2*z2-z2^3)+z3^2",
        "z1^5-10*z1^3*z2^2+5*z1*z2^4+z3^2",
        # Hidden frames.
        f"{A}*{B}*{C}",
        f"{A}*{B}^2+{B}*{C}^2+{C}*{A}^2",
        f"{A}^3+{B}^3+{C}^3-3*({A}+{B}+{C})",
        "(3*z1+4*z2)*(4*z1-3*z2)*z3",
        # Continuous rotations of two planes together, at different speeds.
        "(z1^2-z2^2)*z3-2*z1*z2*z4+z5",
    ],
)
def test_no_direction_is_undecided_whose_symmetry_is_in_another_frame(text):
    assert not [v for v in verdicts(Target(text)) if v.verdict == "undecided"]


@st.composite
def rotations(draw, k):
    """A rational rotation, by Cayley's map of a skew matrix of small integers."""
    entries = iter(draw(st.lists(st.integers(-2, 2), min_size=k * (k - 1) // 2, max_size=k * (k - 1) // 2)))
    S = fmpq_mat(k, k)
    for i in range(k):
        for j in range(i):
            S[i, j] = next(entries)
            S[j, i] = -S[i, j]
    one = fmpq_mat([[int(i == j) for j in range(k)] for i in range(k)])
    return (one - S).inv() * (one + S)


def turns_with(text, data):
    """Check that a rotated target has the rotated verdicts."""
    target = Target(text)
    k = target.k
    O = data.draw(rotations(k))  # noqa: E741 - an orthogonal matrix
    z = sp.Matrix(target.coordinates)
    rows = sp.Matrix([[sp.Rational(int(O[i, j].p), int(O[i, j].q)) for j in range(k)] for i in range(k)])
    images = dict(zip(target.coordinates, rows.T * z, strict=True))
    turned = Target(to_text(sp.expand(target.expr.xreplace(images))), k=k)
    before, after = two_step_verdict(target, 5), verdicts(turned)
    assert counted(after) == counted(before)
    for kind in ("learned", "hidden"):
        old = [v.direction for v in before if v.verdict == kind]
        moved = [(O * fmpq_mat([[x] for x in v])).tolist() for v in old]
        new = [v.direction for v in after if v.verdict == kind]
        assert Subspace.span([[x for (x,) in v] for v in moved], k) == Subspace.span(new, k)


@pytest.mark.parametrize("text", ["z1*z2*z3", "3*z1^2*z2-z2^3+z3^2", "z1+z2^2*z3", "z1*z2^2+z2*z3^2+z3*z1^2"])
@given(data=st.data())
@settings(max_examples=2)
def test_verdicts_turn_with_the_target(text, data):
    turns_with(text, data)


@pytest.mark.deep
@pytest.mark.parametrize(
    "text",
    [
        "z1*z2*z3", "3*z1^2*z2-z2^3+z3^2", "z1+z2^2*z3", "z1*z2^2+z2*z3^2+z3*z1^2", "z1^3+z2^3+z3^3",
        "z1*z2*z3+z1^2", "z1^2*z2+z3^2*z1", "z1^3-3*z1*z2^2+z3", "z1*z2+z3*z4", "z1*z2*z3+z4^3",
        "z1^3-3*z1*z2^2+z3*z4", "z1^4+z2^4+z3^4", "z1^5-10*z1^3*z2^2+5*z1*z2^4+z3^2", "z1^2*z2*z3+z3^2",
        "z1*z2*z3*z4", "z1^3+z1*z2^2+z2*z3",
    ],
)  # fmt: skip
@given(data=st.data())
@settings(max_examples=8, phases=[Phase.generate])
def test_verdicts_of_many_targets_turn_with_them(text, data):
    turns_with(text, data)


def test_a_target_without_symmetry_gets_none():
    found = two_step_verdict("z1^3+z2^4*z3+z1*z2*z3+z2^3", 2)
    assert all(v.verdict != "hidden" for v in found)


def test_the_search_finds_the_whole_group_of_a_product():
    target = Target("z1*z2*z3")
    free = Subspace.span([axis(i, 3) for i in range(3)], 3)
    g = framed(target.expr, target.coordinates)
    maps = [as_rational_map(R) for R in FrameSearch(values_of(g), 3, Subspace.zero(3), free).maps()]
    # Signed permutations with an even number of signs: 24 with the identity.
    assert len(maps) >= 12
    assert all(PolynomialFixer(g).fixes(R) for R in maps)


def test_a_map_that_is_only_near_a_rational_one_is_not_taken_for_it():
    turn = 1e-4
    R = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    assert as_rational_map(R) is None
    assert as_rational_map(np.array([[0.5, 0.5], [-0.5, 0.5]])) is None
    assert as_rational_map(np.array([[0.6, 0.8], [-0.8, 0.6]])) == [
        [fmpq(3, 5), fmpq(4, 5)],
        [fmpq(-4, 5), fmpq(3, 5)],
    ]


@pytest.mark.parametrize(
    ("text", "dimension"),
    [
        ("z1^2+z2^2+z3^2", 3),
        ("z1^2+z2^2-z3^2+z4", 1),
        ("z1*z2", 0),
        ("(z1^2-z2^2)*z3-2*z1*z2*z4", 1),
        ("(z1+z2)^2+2*z3^2", 1),
        ("2*z1^2+(z2+z3)^2", 1),
        ("(z1+z2)^2+z3^2", 0),
    ],
)
def test_the_continuous_rotations_of_a_polynomial_are_those_of_its_lie_algebra(text, dimension):
    target = Target(text)
    found = turns([framed(target.expr, target.coordinates)])
    assert len(found) == dimension
    for R in found:
        assert fmpq_mat(R) * fmpq_mat(R).transpose() == fmpq_mat(np.eye(target.k, dtype=int).tolist())
        assert PolynomialFixer(framed(target.expr, target.coordinates)).fixes(R)


def test_polynomials_of_which_a_function_is_made_are_as_large_as_it_is_written():
    target = Target("tanh(z1*z2)*z3*z1+pi*z4+exp(z2)+z1^2+z3")
    z1, z2, z3, z4 = target.coordinates
    assert set(polynomial_parts(target.expr, target.coordinates)) == {z1 * z2, z1 * z3, z4, z2, z1**2 + z3}


def test_what_is_fixed_up_to_rounding_is_not_fixed():
    fixer = ExpressionFixer(Averages(Target("tanh(z1*z2) + z1/10^12")))
    assert not fixer.fixes([[fmpq(-1), fmpq(0)], [fmpq(0), fmpq(-1)]])
    assert ExpressionFixer(Averages(Target("tanh(z1*z2) + z1^2/10^12"))).fixes(
        [[fmpq(-1), fmpq(0)], [fmpq(0), fmpq(-1)]]
    )


def test_polynomials_that_would_be_too_large_prove_nothing():
    total = "+".join(f"z{i}" for i in range(1, 13))
    fixer = ExpressionFixer(Averages(Target(f"tanh(({total})^10/10^9)")))
    assert fixer.turns() == []
    shift = [[fmpq(int(j == (i + 1) % 12)) for j in range(12)] for i in range(12)]
    assert fixer.fixes(shift)
    flip = [[fmpq(int(i == j) * (-1 if i == 0 else 1)) for j in range(12)] for i in range(12)]
    assert not fixer.fixes(flip)
