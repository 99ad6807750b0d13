from itertools import permutations

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rebatch import (
    How,
    Target,
    TooLargeError,
    generative_exponent,
    generative_leap,
    information_exponent,
    isotropic_leap,
    leap,
    relevant_subspace,
    reuse_staircase,
)
from rebatch.symbolic.calculus.hermite_form import hermite_form
from rebatch.symbolic.exact.polynomial import allowed_powers, to_polynomial
from rebatch.symbolic.exact.subspace import Subspace
from rebatch.verify.strategies import polynomial_targets, rotations, signed_permutations, transformed


def subspace(directions, k):
    def entries(row):
        for text in row:
            number = sp.Rational(text)
            yield fmpq(int(number.p), int(number.q))

    return Subspace.span((list(entries(row)) for row in directions), k)


def test_reference_exponents(reference):
    target = Target(reference["target"], k=reference["k"])
    assert information_exponent(target).value == reference["information_exponent"]
    assert leap(target).value == reference["leap"]
    assert isotropic_leap(target).value == reference["isotropic_leap"]
    assert relevant_subspace(target).dimension == reference["dimension"]


def test_reference_sequences_of_subspaces(reference):
    k = reference["k"]
    sequence = isotropic_leap(Target(reference["target"], k=k)).sequence
    expected = reference["isotropic_sequence"]
    assert [order for order, _ in sequence] == [stage["order"] for stage in expected]
    for (_, directions), stage in zip(sequence, expected, strict=True):
        assert Subspace.span(directions, k) == subspace(stage["directions"], k)


def test_reference_generative_exponents(reference):
    if "generative_exponent" not in reference:
        assert reference["dimension"] != 1
        return
    exponent = generative_exponent(Target(reference["target"], k=reference["k"]))
    assert exponent.value == reference["generative_exponent"]
    assert exponent.how is How.THEOREM


@given(polynomial_targets())
def test_the_information_exponent_is_the_first_isotropic_order(target):
    sequence = isotropic_leap(target).sequence
    assert information_exponent(target).value == (sequence[0][0] if sequence else None)


@given(st.data(), polynomial_targets(max_coordinates=3))
def test_isotropic_exponents_are_unchanged_by_rotations(data, target):
    turned = transformed(target, data.draw(rotations(target.k)))
    before, after = isotropic_leap(target), isotropic_leap(turned)
    assert after.value == before.value
    assert [(order, len(added)) for order, added in after.sequence] == [
        (order, len(added)) for order, added in before.sequence
    ]
    assert information_exponent(turned).value == information_exponent(target).value


@given(st.data(), polynomial_targets(max_coordinates=3))
def test_the_leap_is_unchanged_by_permutations_and_sign_flips(data, target):
    turned = transformed(target, data.draw(signed_permutations(target.k)))
    assert leap(turned).value == leap(target).value


@given(polynomial_targets())
def test_the_isotropic_leap_is_at_least_the_leap(target):
    assume(leap(target).value is not None)
    assert isotropic_leap(target).value >= leap(target).value >= information_exponent(target).value


@given(polynomial_targets(max_coordinates=3, max_degree=3, max_terms=3))
@settings(max_examples=40)
def test_the_generative_side_is_never_above_the_label_side(target):
    leap_of_labels, generative = isotropic_leap(target), generative_leap(target, max_order=4)
    if generative.infinite:
        assert leap_of_labels.infinite
    else:
        assert generative.lower <= generative.upper <= leap_of_labels.value
    if relevant_subspace(target).dimension == 1:
        assert generative_exponent(target).value <= information_exponent(target).value


@given(st.data(), polynomial_targets(max_coordinates=2, max_degree=3))
@settings(max_examples=30)
def test_the_generative_side_is_unchanged_by_rotations(data, target):
    turned = transformed(target, data.draw(rotations(target.k)))
    before, after = generative_leap(target, max_order=4), generative_leap(turned, max_order=4)
    assert (after.lower, after.upper) == (before.lower, before.upper)
    assert reuse_staircase(turned, 4).dimensions == reuse_staircase(target, 4).dimensions


@pytest.mark.parametrize("text", ["z1 + z1*z2", "z1*z2*z3", "He(2, z1) + z1*z2", "(z1 + z2)^2"])
def test_a_cube_on_top_leaves_the_generative_side_unchanged(text):
    target = Target(text)
    cubed = Target(sp.expand(target.expr**3), k=target.k)
    assert generative_leap(cubed, 4).value == generative_leap(target, 8).value


def test_the_reuse_staircase_climbs_to_its_fixed_point():
    assert reuse_staircase("z1 + z1*z2 + z1*z2*z3").dimensions[-1] == 3
    assert reuse_staircase("z1*z2*z3").dimensions == ()
    assert reuse_staircase("z1 + z2 + z1*z2").dimensions == (1,)


def test_a_sum_of_coordinates_is_one_direction():
    assert relevant_subspace("(z1 + z2)^2").dimension == 1
    assert generative_exponent("(z1 + z2)^2").value == 2


@pytest.mark.parametrize("text", ["7", "z1 - z1", "0"])
def test_constants_have_infinite_exponents_and_say_so(text):
    for exponent in (information_exponent(text), leap(text), isotropic_leap(text), generative_exponent(text)):
        assert exponent.infinite
        assert exponent.value is None
        assert exponent.to_json()["infinite"] is True


def test_a_polynomial_too_large_is_refused_with_its_size():
    with pytest.raises(TooLargeError, match="degree up to 64 in each of 12 variables"):
        information_exponent("(" + "+".join(f"z{i}*z{i + 1}" for i in range(1, 13, 2)) + ")^64")


def test_the_reuse_staircase_shows_the_moments_by_which_it_grows(reference):
    target = Target(reference["target"], k=reference["k"])
    known = reuse_staircase(target)
    assert len(known.witnesses) == len(known.spaces)
    grown = np.diff([0, *known.dimensions])
    assert [witness.count("] = (") for witness in known.witnesses] == list(grown)
    if known.witnesses:
        # In the first round nothing is conditioned on: the moments are those of the two-step verdict, or later ones.
        first = [f"({', '.join(w['mu'])})" for w in reference["two_step_witnesses"]]
        assert all(mu in known.witnesses[0] for mu in first)


def test_the_generative_exponent_of_several_directions_is_the_order_of_the_first_that_is_seen():
    for text, order in [("z1 + z2^2", 1), ("z1*z2*z3", 2), ("z1^3 - 3*z1*z2^2", 2), ("z1*z2^2 + z2", 1)]:
        known = generative_exponent(text)
        assert (known.value, known.how) == (order, How.EXACT)
    assert generative_exponent("sign(z1*z2*z3)").value == 3
    assert generative_exponent("relu(z1) + relu(z2)").value == 1


@given(
    st.lists(
        st.tuples(*[st.integers(0, 3)] * 3).filter(lambda S: 0 < sum(S) <= 5),
        min_size=1,
        max_size=4,
        unique=True,
    )
)
def test_the_leap_is_the_least_over_all_orderings(indices):
    text = " + ".join("*".join(f"He({n}, z{i + 1})" for i, n in enumerate(S) if n) for S in indices)

    def largest(order):
        covered, met = set(), 0
        for S in order:
            met = max(met, sum(n for j, n in enumerate(S) if j not in covered))
            covered |= {j for j, n in enumerate(S) if n}
        return met

    assert leap(Target(text, k=3)).value == min(map(largest, permutations(indices)))


def test_powers_of_few_terms_are_raised_whatever_their_degree():
    # y^2 = z1^2 … z12^2 is one term: E[y^2 He_2(z_i)] = 2 for every i, and nothing odd is left.
    known = generative_leap("*".join(f"z{i}" for i in range(1, 13)))
    assert (known.value, known.how) == (2, How.EXACT)


@given(polynomial_targets(max_coordinates=3, max_degree=4), st.integers(1, 5), st.booleans())
@settings(max_examples=40)
def test_powers_that_are_allowed_have_no_more_terms_than_allowed(target, most, smoothed):
    g = to_polynomial(target.expr, target.coordinates)
    m = allowed_powers(g, most, 60, smoothed=smoothed)
    power = g**m
    if m > 1:
        assert len(hermite_form(power) if smoothed else power) <= 60
