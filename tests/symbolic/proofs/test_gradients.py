"""Directions by gradients: never more than there are, and all of them where the function is generic."""

import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.proofs.gradients import independent_directions

Z = [coordinate(i) for i in range(1, 5)]
LINKS = {
    "tanh": sp.tanh,
    "relu": lambda u: sp.Max(u, 0),
    "abs": sp.Abs,
    "He_3": lambda u: u**3 - 3 * u,
    "constant": lambda u: sp.tanh(u) ** 2 + 1 / sp.cosh(u) ** 2,
    "zero": lambda u: sp.Abs(u) + u - 2 * sp.Max(u, 0),
}


def found(text, most, k=4):
    return independent_directions(parse(text), Z[:k], most)


@given(
    st.lists(
        st.tuples(
            st.sampled_from(sorted(LINKS)),
            st.lists(st.integers(-2, 2), min_size=4, max_size=4).filter(any),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=60)
def test_a_sum_of_ridge_functions_has_no_more_directions_than_its_weights_have_rank(neurons):
    g = sum(LINKS[name](sum(w * z for w, z in zip(weights, Z, strict=True))) for name, weights in neurons)
    seen = [weights for name, weights in neurons if name not in ("constant", "zero")]
    rank = sp.Matrix(seen).rank() if seen else 0
    assert independent_directions(g, Z, 4) <= rank
    # Distinct rational directions of one smooth link cannot cancel.
    if {name for name, _ in neurons} == {"tanh"} and len({tuple(w) for _, w in neurons}) == len(neurons):
        opposite = {tuple(-x for x in w) for _, w in neurons} & {tuple(w) for _, w in neurons}
        if not opposite:
            assert independent_directions(g, Z, 4) == rank


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("abs(z1+z2) + abs(z1-z2) - 2*Max(abs(z1), abs(z2))", 0),
        ("tanh(z1)^2 + 1/cosh(z1)^2 + z2", 1),
        ("tanh(2*z1) - 2*tanh(z1)/(1 + tanh(z1)^2) + z2", 1),
        ("sign(relu(z1) - Max(z1, 0))*z2 + z3", 1),
        ("heaviside(z1)*z2", 1),
        ("sign(z1*z2)", 0),
        ("abs(z1)^(1/3)*z2", 2),
        ("Min(Max(z1, z2), Max(z3, z4))", 4),
        ("sqrt(z1^2 + 2*z1*z2 + z2^2) + abs(z3)", 2),
    ],
)
def test_what_cancels_shows_no_direction_and_what_does_not_does(text, number):
    assert found(text, 4) == number


def test_a_branch_that_is_zero_has_sign_zero():
    # Where z1 < 0 the sign is that of 0, not of a positive number: z2 does not matter there.
    inner = sp.sign(sp.Max(Z[0], 0), evaluate=False)
    on_the_left = sp.Piecewise((inner * Z[1], Z[0] < 0), (0, True))
    assert independent_directions(on_the_left, Z[:2], 2) == 0
    assert independent_directions(inner * Z[1], Z[:2], 2) == 1


def test_a_case_is_taken_where_its_condition_holds():
    x, y = Z[:2]
    inside = sp.And(x > -5, sp.Or(y < 5, sp.Not(x > 0)))
    assert independent_directions(sp.Piecewise((x, inside), (y, True)), (x, y), 2) == 1
    assert independent_directions(sp.Piecewise((x, x * y > 0), (y, True)), (x, y), 2) == 2
    assert independent_directions(sp.Piecewise((x, sp.Eq(x, y)), (0, True)), (x, y), 2) == 0
    assert independent_directions(sp.Piecewise((x, sp.Ne(x, y)), (0, True)), (x, y), 2) == 1
    assert independent_directions(sp.Piecewise((x, sp.Max(x, 0) <= 0), (y, True)), (x, y), 2) == 2


def test_gradients_are_added_to_what_is_known():
    assert independent_directions(parse("z2"), Z[:2], 2, [(1, 0)]) == 2
    assert independent_directions(parse("z2"), Z[:2], 2, [(0, 3)]) == 1
