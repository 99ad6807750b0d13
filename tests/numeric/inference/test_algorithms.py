from math import inf

import pytest

from rebatch import RebatchError, Target, analyze, compare_algorithms, weak_recovery_threshold
from rebatch.symbolic.exact.known import How


def test_a_trivial_direction_is_found_at_every_alpha_and_the_others_at_no_more_than_a_certificate():
    compared = compare_algorithms("z1 + z1*z2*z3", integrate=False)
    first, *others = compared.thresholds
    assert (first.direction, first.alpha, first.how) == ((1, 0, 0), 0, How.EXACT)
    # The least of the certificates, of degree 8.
    bound = min(c.bound for c in weak_recovery_threshold("z1 + z1*z2*z3", integrate=False).certificates)
    assert 2 < bound < 3
    for other in others:
        assert other.alpha is None
        assert other.words == f"<= {float(bound):.5g} for the first of 2"
        # E[g^2 He_2(z2)] = E[g^2 z2 z3] = 2: C_2 has the eigenvalues 4 and 0, and beta! / 4^2 = 1/8.
        assert (other.price, other.noise_exponent) == ("0.125 D^2", 2)


def test_the_column_holds_the_threshold_of_one_direction_and_noise_raises_it():
    (sharp,) = compare_algorithms("He(4, z1)", integrate=False).thresholds
    (noisy,) = compare_algorithms("He(4, z1)", noise_std=3, integrate=False).thresholds
    assert sharp.alpha == pytest.approx(0.644850, abs=1e-6)
    assert noisy.alpha > sharp.alpha + 0.05
    # beta! / E[g^2 He_2]^2: E[He_4^2 He_2] = 4! 4! 2! / (3! 1! 1!) = 192.
    assert sharp.price == f"{2 / 192**2:.4g} D^2"


def test_what_no_alpha_finds_is_infinite_and_what_was_not_computed_says_so():
    infinite = compare_algorithms("sign(z1*z2*z3)").thresholds
    assert {(s.alpha, s.words, s.price) for s in infinite} == {(inf, "infinite", "infinite")}
    assert all(s.to_json()["alpha_c"] is None for s in infinite)
    spent = compare_algorithms("z1*z2", effort=0).thresholds
    assert {(s.alpha, s.words, s.how) for s in spent} == {(None, "not computed", How.UNDECIDED)}


def test_each_row_stands_beside_the_fate_of_its_direction():
    compared = compare_algorithms("z1^2 - z2^2 + z3", integrate=False)
    fates = analyze("z1^2 - z2^2 + z3").fates()
    assert [row[:5] for row in compared.rows()] == fates
    assert [dict(r)["alpha_c"] for r in compared.records()] == [s.alpha for s in compared.thresholds]


def test_inputs_that_are_not_gaussian_and_bad_noise_are_refused():
    with pytest.raises(RebatchError, match="noise_std"):
        compare_algorithms("z1", noise_std=-1)
    with pytest.raises(RebatchError, match="gaussian inputs"):
        compare_algorithms(Target("z1*z2", inputs="boolean"))
