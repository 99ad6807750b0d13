from itertools import product

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss, hermeval

from rebatch import DivergentError, How, RebatchError, Target, analyze, information_exponent
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.proofs.averages import VANISHES, Averages
from rebatch.symbolic.proofs.structure import Leaf, exchanges, interchangeable, is_permuted, multiplied_out

NODES, WEIGHTS = hermegauss(60)
# Smooth, so that 60 nodes a direction are exact to rounding, and neither odd nor even.
SMOOTH = ("cos(z{0} + 1)", "exp(z{0}/3)", "sin({0}*z{0} - 1)", "z{0}^2*cos(z{0})", "z{0}")


def by_quadrature(target, power, S):
    """Return E[g^power He_S] by tensor Gauss-Hermite."""
    z = np.array(list(product(NODES, repeat=target.k)))
    w = np.prod(list(product(WEIGHTS / np.sqrt(2 * np.pi), repeat=target.k)), axis=1)
    he = np.prod([hermeval(z[:, i], [0] * n + [1]) for i, n in enumerate(S)], axis=0)
    return float(w @ (target(z) ** power * he))


@st.composite
def built(draw):
    """Generate a sum, a product or a power of one, of smooth functions of single coordinates."""
    k = draw(st.integers(2, 3))
    parts = [draw(st.sampled_from(SMOOTH)).format(i) for i in range(1, k + 1)]
    text = draw(st.sampled_from([" + ", "*"])).join(f"({part})" for part in parts)
    return Target(draw(st.sampled_from(["{}", "({})^2", "2*({})", "({}) + 1"])).format(text), k=k)


@given(built(), st.integers(1, 3), st.data())
@settings(max_examples=15)
def test_what_falls_apart_has_the_averages_of_the_whole(target, power, data):
    S = tuple(data.draw(st.integers(0, 2)) for _ in range(target.k))
    value = Averages(target).moment(power, S)
    expected = by_quadrature(target, power, S)
    # Rounding of sums over 60^3 points of terms up to 1e4.
    assert float(value) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_a_factor_is_raised_with_the_product():
    # E[cos(z)^2] = (1 + e^-2) / 2.
    value = Averages(Target("3*cos(z1)*cos(z2)")).moment(2, (0, 0))
    assert value.value.equals(9 * ((1 + sp.exp(-2)) / 2) ** 2)


@pytest.mark.parametrize(
    ("text", "whole"),
    [
        ("relu(z1) + relu(z2)", False),
        ("(abs(z1) + abs(z2))^3", False),
        ("sign(z1*z2)", False),
        ("abs(z1)*abs(z2)*z3", False),
        ("relu(z1 + z2)", True),
        ("z1^2 + sign(z1*z2)", True),
        ("-tanh(z1)", True),
    ],
)
def test_what_shares_a_coordinate_stays_together(text, whole):
    assert isinstance(Averages(Target(text)).structure, Leaf) is whole


def test_signs_and_absolute_values_of_products_are_products():
    z1, z2 = coordinate(1), coordinate(2)
    assert multiplied_out(parse("sign(z1*z2) + abs(z1*z2)")) == sp.sign(z1) * sp.sign(z2) + abs(z1) * abs(z2)


def test_coordinates_that_may_be_interchanged_are_found_without_building_the_function_anew():
    largest = parse("Max(" + ",".join(f"z{i}" for i in range(1, 13)) + ")")
    assert interchangeable(largest, 12) == (tuple(range(12)),)
    assert interchangeable(parse("Max(z1, z2) + z3^2*z4"), 4) == ((0, 1), (2,), (3,))
    assert not is_permuted(parse("z1 - z2"), {0: 1, 1: 0})


def test_equal_parts_are_exchanged_as_wholes():
    averages = Averages(Target("z1*tanh(z2) + z3*tanh(z4) + cos(z5)"))
    assert [set(pairs) for pairs in exchanges(averages.structure)] == [{(0, 2), (1, 3)}]


def test_equal_averages_cancel_exactly():
    averages = Averages(Target("tanh(z1)^2 + tanh(z2)^2"))
    one, other = ((fmpq(1), fmpq(0)), 2), ((fmpq(0), fmpq(1)), 2)
    assert averages.combination(1, [(fmpq(1), (one,)), (fmpq(-1), (other,))]) == VANISHES


@pytest.mark.parametrize("text", ["z1*exp(z2^2)", "tanh(z1)*exp(z2^2)", "sign(z1) * z2*exp(z3^2)"])
def test_a_factor_of_mean_zero_does_not_hide_a_factor_without_a_mean(text):
    with pytest.raises(RebatchError):
        information_exponent(text)


def test_what_cancels_between_equal_parts_has_to_exist():
    averages = Averages(Target("exp(z1^2) + exp(z2^2)"))
    one, other = ((fmpq(1), fmpq(0)), 2), ((fmpq(0), fmpq(1)), 2)
    with pytest.raises(DivergentError):
        averages.combination(1, [(fmpq(1), (one,)), (fmpq(-1), (other,))])


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("sign(z1*z2*z3)", {-1, 1}),
        ("3 - 2*sign(z1)*sign(z2)", {1, 5}),
        ("sign(z1) + sign(z2)", {-2, 0, 2}),
        ("(sign(z1) + heaviside(z2))^2", {0, 1, 4}),
    ],
)
def test_the_values_of_a_target_are_those_of_its_parts_put_together(text, values):
    assert Averages(Target(text)).values == values


def test_a_target_with_a_continuum_of_values_has_no_list_of_them():
    assert Averages(Target("sign(z1) + abs(z2)")).values is None


def joined(form, symbol, k):
    return symbol.join(form.format(i) for i in range(1, k + 1))


@pytest.mark.parametrize("power", ["{}", "({})^2"])
def test_a_committee_of_twelve_is_decided(power):
    analysis = analyze(power.format(joined("relu(z{})", " + ", 12)))
    assert (analysis.information_exponent.value, analysis.isotropic_leap.value) == (1, 2)
    assert analysis.generative_leap.value == 2
    # E[y z] = (1/2, …) and the symmetric group fixes that direction alone.
    assert [v.verdict for v in analysis.two_step] == ["learned"] + ["hidden"] * 11
    assert analysis.information_exponent.how is How.EXACT
    # The generative leap of what is piecewise linear is at most 2 by [DLB25].
    assert {e.how for e in analysis.exponents().values()} <= {How.EXACT, How.THEOREM}


@pytest.mark.parametrize("k", [9, 12])
def test_a_parity_of_many_signs_has_all_exponents_k(k):
    analysis = analyze(f"sign({joined('z{}', '*', k)})")
    assert {e.value for e in analysis.exponents().values()} == {k}
    assert {e.how for e in analysis.exponents().values()} == {How.EXACT}
    assert {v.verdict for v in analysis.two_step} == {"hidden"}


@pytest.mark.parametrize("k", [8, 11])
def test_a_product_of_many_odd_functions_needs_its_degree_of_the_label_and_two_of_its_powers(k):
    analysis = analyze(joined("tanh(z{})", "*", k))
    assert (analysis.information_exponent.value, analysis.isotropic_leap.value) == (k, k)
    assert analysis.generative_leap.value == 2
    # Flips of two coordinates fix it, which leaves no direction.
    assert {v.verdict for v in analysis.two_step} == {"hidden"}


def test_the_largest_of_many_is_known_as_well_as_numbers_know_it():
    analysis = analyze(f"Max({joined('z{}', ',', 10)})")
    learned, *hidden = analysis.two_step
    # E[max z_i] is the probability that the i-th is the largest.
    np.testing.assert_allclose([float(x) for x in learned.witness], 0.1, atol=2e-3)
    assert learned.how is How.NUMERIC
    assert [v.verdict for v in hidden] == ["hidden"] * 9
    assert {v.how for v in hidden} == {How.EXACT}


def test_a_product_of_many_kinks_is_decided_though_it_is_0_almost_everywhere():
    analysis = analyze(joined("relu(z{})", "*", 12))
    assert (analysis.information_exponent.value, analysis.generative_leap.value) == (1, 2)
    assert [v.verdict for v in analysis.two_step] == ["learned"] + ["hidden"] * 11
