import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from rebatch import RebatchError, Target
from rebatch.symbolic.language.law import law

DENSITIES = {
    "gaussian": stats.norm(),
    "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
    "laplace": stats.laplace(scale=np.sqrt(0.5)),
    "student(15)": stats.t(15, scale=np.sqrt(13 / 15)),
}


@pytest.mark.parametrize("name", DENSITIES)
@pytest.mark.parametrize("n", range(7))
def test_moments_of_a_density_are_its_integrals(name, n):
    density = DENSITIES[name]
    low, high = density.support()
    expected = integrate.quad(lambda x: x**n * density.pdf(x), low, high, limit=500)[0]
    # Quadrature to 1e-8 of moments of size up to 100.
    assert float(law(name).moment(n)) == pytest.approx(expected, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    "name", ["boolean", "biased(1/4)", "uniform(-1, 0, 2)", "finite(0: 1/4, 1: 1/2, 5/2: 1/4)"]
)
def test_a_finite_law_has_total_probability_1_and_the_variance_of_its_values(name):
    inputs = law(name)
    assert sum(p for _, p in inputs.atoms) == 1
    mean = sum(p * a for a, p in inputs.atoms)
    assert inputs.mean == mean
    assert inputs.variance == sum(p * (a - mean) ** 2 for a, p in inputs.atoms)
    assert inputs.moment(3) == sum(p * a**3 for a, p in inputs.atoms)


def test_infinite_moments_are_said_to_be():
    assert law("student(4)").moment(2) == 1
    assert law("student(4)").moment(4) is None


def test_two_names_of_one_law_are_equal():
    assert law("boolean") == law("rademacher") == law("biased(1/2)")
    assert Target("z1", inputs="boolean") == Target("z1", inputs="rademacher") != Target("z1")


def test_numbers_are_read_exactly():
    assert law("biased(0.1)").atoms == ((1, sp.Rational(1, 10)), (-1, sp.Rational(9, 10)))


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("student(2)", "infinite variance"),
        ("student(1/2)", "infinite variance"),
        ("cauchy", "allowed are gaussian, boolean"),
        ("biased(0)", "strictly between 0 and 1"),
        ("biased(3/2)", "strictly between 0 and 1"),
        ("biased(-0.1)", "strictly between 0 and 1"),
        ("biased(z1)", "rational numbers"),
        ("biased(", "allowed are gaussian"),
        ("biased(1/)", "1/"),
        ("biased(pi/4)", "rational numbers"),
        ("biased(x)", "^'x' in 'biased\\(x\\)'; allowed are rational numbers, 1/4 or 0.25$"),
        ("uniform()", "^'' in 'uniform\\(\\)'; allowed are rational numbers"),
        ("uniform(1)", "2 to 64"),
        ("uniform(1, 1)", "2 to 64"),
        ("finite(0: 1/2, 1: 1/4)", "sum to 3/4"),
        ("finite(0, 1)", "value: probability"),
        ("finite(0: 0, 1: 1)", "strictly between"),
        ("boolean(3)", "allowed are"),
        (3, "allowed are"),
        ("__import__('os')", "allowed are"),
    ],
)
def test_a_wrong_law_is_refused_in_one_line(name, says):
    with pytest.raises(RebatchError, match=says) as caught:
        law(name)
    assert "\n" not in str(caught.value)


def test_a_target_keeps_its_law_and_more_coordinates_than_gaussian_ones():
    target = Target("z1*z40", inputs="boolean")
    assert target.k == 40
    assert Target(target).inputs == target.inputs
    assert "inputs='boolean'" in repr(target)
    with pytest.raises(RebatchError, match="z1 to z64"):
        Target("z65", inputs="boolean")
    with pytest.raises(RebatchError, match="z1 to z12"):
        Target("z13")


def test_a_law_for_each_coordinate_is_one_product():
    mixed = Target("z1*z2", inputs=["boolean", "gaussian"])
    assert mixed == Target("z1*z2", inputs="boolean, gaussian") == Target("z1*z2", inputs={"z1": "boolean"})
    assert (
        mixed
        == Target("z1*z2", inputs={1: "boolean", 2: "gaussian"})
        == Target("z1*z2", inputs="z1: boolean")
    )
    assert mixed != Target("z1*z2", inputs=["gaussian", "boolean"])
    assert Target(mixed.text, inputs=mixed.inputs.name) == mixed
    assert Target("z1", inputs={"z1": "boolean"}, k=3).inputs.name == "boolean, gaussian, gaussian"


def test_coordinates_of_one_law_have_that_law():
    assert Target("z1*z2", inputs=["boolean", "rademacher"]).inputs.is_boolean
    assert Target("z1*z2", inputs={"z2": "gaussian"}) == Target("z1*z2")
    commas = Target("z1*z2", inputs="uniform(0, (1)), finite(0: 1/2, 1: 1/2)")
    assert commas.inputs == law("uniform(0, 1)")


@pytest.mark.parametrize(
    ("inputs", "says"),
    [
        ([], "a law for each coordinate"),
        ({}, "a law for each coordinate"),
        (["boolean"], "for each of 1 coordinate"),
        (["boolean", "cauchy"], "allowed are gaussian"),
        (["boolean", 3], "allowed are gaussian"),
        ([["boolean", "laplace"], "boolean"], "a law for each coordinate"),
        ({"w": "boolean"}, "z1 to z64"),
        ({0: "boolean"}, "z1 to z64"),
        ({"z65": "boolean"}, "z1 to z64"),
        ("z1: boolean, z1: laplace", "named twice"),
        ("z1: boolean, laplace", "names some coordinates"),
        ("boolean,", "allowed are gaussian"),
        ({"z1": "biased(2)"}, "strictly between"),
        ({"z13": "gaussian"}, "integers from 1 to 12"),
    ],
)
def test_wrong_laws_of_coordinates_are_refused_in_one_line(inputs, says):
    with pytest.raises(RebatchError, match=says) as caught:
        Target("z1*z2", inputs=inputs)
    assert "\n" not in str(caught.value)
