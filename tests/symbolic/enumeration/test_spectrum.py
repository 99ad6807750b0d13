"""Labels, coefficients and what labels show, against sums over all points written out here."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given
from hypothesis import strategies as st

from rebatch import RebatchError, Target, TooLargeError, UndefinedFunctionError
from rebatch.symbolic.enumeration.grid import Grid
from rebatch.symbolic.enumeration.labels import labels_of
from rebatch.symbolic.enumeration.signs import generators, group, perpendicular
from rebatch.symbolic.enumeration.spectrum import Spectrum
from rebatch.symbolic.language.law import law

LAWS = ["boolean", "biased(1/4)", "uniform(-1, 0, 1)", "finite(0: 1/6, 1: 1/2, 3: 1/3)"]


def points(inputs, k):
    """All points with their probabilities."""
    for chosen in product(inputs.atoms, repeat=k):
        yield tuple(a for a, _ in chosen), sp.Mul(*(p for _, p in chosen))


def orthonormal(inputs):
    """phi_0, phi_1, … as functions, by Gram-Schmidt."""
    z = sp.Symbol("z")
    found = []
    for n in range(len(inputs.atoms)):
        phi = z**n
        for other in found:
            phi -= sum(p * (z**n * other).subs(z, a) for a, p in inputs.atoms) * other
        phi /= sp.sqrt(sum(p * phi.subs(z, a) ** 2 for a, p in inputs.atoms))
        found.append(sp.expand(phi))
    return [lambda a, phi=phi: phi.subs(z, a) for phi in found]


@pytest.mark.parametrize("inputs", LAWS)
@pytest.mark.parametrize("text", ["z1 + z1*z2", "z1^2*z2 - z2^3/3 + 1/2", "sign(z1 + z2/2)"])
def test_coefficients_are_the_sums_over_all_points(text, inputs):
    target = Target(text, inputs=inputs)
    spectrum = Spectrum(target)
    phi = orthonormal(target.inputs)
    for place, S in enumerate(spectrum.degrees):
        total = sp.Integer(0)
        for z, p in points(target.inputs, 2):
            g = target.expr.subs(dict(zip(target.coordinates, z, strict=True)))
            total += p * g * sp.Mul(*(phi[n](a) for n, a in zip(S, z, strict=True)))
        assert sp.simplify(total - spectrum.normalised(place)) == 0
        assert (sp.simplify(total) != 0) == spectrum.nonzero[place]


@pytest.mark.parametrize("inputs", LAWS)
def test_parseval(inputs):
    target = Target("z1 + z1*z2 + 3*z2*z3 - z3^2", inputs=inputs)
    spectrum = Spectrum(target)
    square = sum(
        p * target.expr.subs(dict(zip(target.coordinates, z, strict=True))) ** 2
        for z, p in points(target.inputs, 3)
    )
    assert spectrum.weight(np.ones(len(spectrum.degrees), dtype=bool)) == square


@pytest.mark.parametrize("inputs", LAWS)
@pytest.mark.parametrize("text", ["z1*z2 + z2*z3 + z1*z3 + z1*z2*z3", "z1*z2*z3 + z1", "(z1 + 2*z2 - z3)^2"])
def test_what_the_label_shows_is_what_its_conditional_averages_say(text, inputs):
    target = Target(text, inputs=inputs)
    spectrum = Spectrum(target)
    phi = orthonormal(target.inputs)
    labelled = [
        (z, p, target.expr.subs(dict(zip(target.coordinates, z, strict=True))))
        for z, p in points(target.inputs, target.k)
    ]
    for place, S in enumerate(spectrum.degrees):
        sums = {}
        for z, p, y in labelled:
            sums[y] = sums.get(y, 0) + p * sp.Mul(*(phi[n](a) for n, a in zip(S, z, strict=True)))
        assert any(sp.simplify(x) != 0 for x in sums.values()) == spectrum.detectable[place]


@given(st.lists(st.integers(0, 5), min_size=64, max_size=64))
def test_the_autocorrelation_of_labels_shows_the_same_as_each_label_alone(codes):
    spectrum = Spectrum(Target("z1", k=6, inputs="boolean"))
    codes = np.unique(codes, return_inverse=True)[1].reshape((2,) * 6)
    seen = spectrum.seen(codes)
    z = np.array(list(product((1, -1), repeat=6)))
    for place, U in enumerate(spectrum.degrees):
        chi = z[:, U > 0].prod(axis=1)
        sums = np.bincount(codes.ravel(), weights=chi)
        assert sums.any() == seen[place]


def test_large_classes_are_counted_like_small_ones():
    # 2^12 points, a label that two thirds of them share.
    rng = np.random.default_rng(0)
    codes = np.maximum(rng.integers(0, 90, (2,) * 12) - 60, 0)
    codes = np.unique(codes, return_inverse=True)[1].reshape((2,) * 12)
    spectrum = Spectrum(Target("z1", k=12, inputs="boolean"))
    energies = spectrum._energies(codes.ravel())
    z = np.array(list(product((1, -1), repeat=12)))
    for place in rng.integers(0, 2**12, 20):
        chi = z[:, spectrum.degrees[place] > 0].prod(axis=1)
        sums = np.bincount(codes.ravel(), weights=chi)
        assert energies[place] == (sums**2).sum()


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("exp(z1)^2 - exp(2*z1) + z2", 2),
        ("sqrt(2 + z1)^2", 2),
        ("tanh(z1 + z2 + z3)", 4),
        ("(sqrt(2) + 1)*(sqrt(2) - 1)*z1 + z2", 3),
        ("tanh(1)*z1 + (e^2 - 1)/(e^2 + 1)*z2", 3),
        ("heaviside(z1 + z2)", 3),
        ("Max(z1, z2/2, tanh(z1))", 3),
        ("z1/3 + 0.1*z2", 4),
        # Further than 128 bits from each other: not at all.
        ("tanh(67*z1) + tanh(68*z2)", 4),
    ],
)
def test_labels_are_compared_as_exact_numbers(text, count):
    target = Target(text, inputs="boolean")
    found = labels_of(target, Grid(target.inputs, target.k))
    assert found.count == count
    assert list(map(float, found.values)) == sorted(map(float, found.values))
    z = np.array(list(product((1, -1), repeat=target.k)), dtype=float)
    # Evaluated in floating point, a few roundings.
    np.testing.assert_allclose(
        np.array([float(y) for y in found.values])[found.codes.ravel()], target(z), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("text", ["log(z1)", "1/(z1 + z2)", "sqrt(z1 + z2 - 1)"])
def test_a_target_that_is_no_real_number_somewhere_is_refused(text):
    target = Target(text, inputs="boolean")
    with pytest.raises(UndefinedFunctionError, match="not a real number"):
        labels_of(target, Grid(target.inputs, target.k))


def test_too_many_points_are_refused_with_what_is_allowed():
    with pytest.raises(TooLargeError, match="16 coordinates"):
        Grid(law("boolean"), 17)
    with pytest.raises(TooLargeError, match="10 coordinates"):
        Grid(law("uniform(-1, 0, 1)"), 11)
    # 2^14 different combinations of tanh(z1 + 2 z2 + …) with itself.
    rational = " + ".join(f"{2**i}*z{i + 1}" for i in range(14))
    with pytest.raises(RebatchError, match="8,192"):
        Spectrum(Target(f"tanh({rational})", inputs="boolean"))


def test_a_parity_of_forty_coordinates_is_one_sign():
    spectrum = Spectrum(Target("*".join(f"z{i}" for i in range(1, 41)), inputs="boolean"))
    assert spectrum.degrees[spectrum.detectable].sum(axis=1).tolist() == [0, 40]
    assert spectrum.relevant == tuple(range(40))


def test_signs_of_few_products_answer_as_their_own_coordinates_do():
    text = "z1 + 2*z1*z2*z3 - z2*z3*z4 + z4"
    small = Spectrum(Target(text, inputs="boolean"))
    # The same function of too many coordinates to go through.
    large = Spectrum(Target(text, k=40, inputs="boolean"))
    for spectrum in (small, large):
        sets = {tuple(map(int, np.flatnonzero(S))) for S in spectrum.degrees[spectrum.detectable]}
        assert sets == {tuple(np.flatnonzero(S)) for S in small.degrees[small.detectable]}
    assert large.weight(large.nonzero) == small.weight(small.nonzero) == 7


@given(st.lists(st.integers(0, 255), max_size=6))
def test_perpendicular_sets_meet_every_given_one_evenly_and_are_all_such(sets):
    independent = generators(sets)
    assert set(sets) <= set(group(independent))
    found = perpendicular(independent, 255)
    assert all((s & U).bit_count() % 2 == 0 for s in found for U in sets)
    assert len(found) == 8 - len(independent)
    assert len(set(group(found))) == 2 ** len(found)


def test_class_sums_are_the_averages_of_centred_coordinates():
    target = Target("z1*z2", inputs="biased(1/4)")
    spectrum = Spectrum(target)
    sums = spectrum.class_sums(spectrum.labels.codes.ravel())
    for label, row in zip(spectrum.labels.values, sums, strict=True):
        expected = [
            sum(p * (z[i] + Fraction(1, 2)) for z, p in points(target.inputs, 2) if z[0] * z[1] == label)
            for i in range(2)
        ]
        assert [sp.Integer(int(x)) / (spectrum.scale * spectrum.centring) for x in row] == expected
