import dataclasses

import numpy as np
import pytest
import sympy as sp

from rebatch import Activation, RebatchError, Target
from rebatch.symbolic.language.symbols import coordinate


def test_a_target_evaluates_arrays_row_by_row():
    z = np.random.default_rng(0).standard_normal((50, 2))
    expected = np.tanh(z[:, 0]) * np.maximum(z[:, 1], 0) + np.sign(z[:, 0]) + np.abs(z[:, 1]) ** 3
    np.testing.assert_allclose(Target("tanh(z1)*relu(z2) + sign(z1) + abs(z2)^3")(z), expected, rtol=1e-14)


@pytest.mark.parametrize(
    "text",
    [
        "tanh(z1 + z2^3 - 3*z2)",
        "z1^8/z2^3 - z2^9 + z2^(-5)",
        "(z1 - z2)^4 + z1^2.5",
        "He(6, z1)*z2^7",
        "exp(z1^3)^3 + z2",
    ],
)
def test_powers_are_those_of_the_expression(text):
    target = Target(text)
    z = np.array([[0.7, -1.3], [1.1, 0.4]])
    exact = [float(target.expr.subs(dict(zip(target.coordinates, row, strict=True)))) for row in z]
    # A few dozen operations.
    np.testing.assert_allclose(target(z), exact, rtol=1e-13)


def test_a_constant_target_evaluates_to_one_value_per_row():
    np.testing.assert_array_equal(Target("7", k=3)(np.zeros((4, 3))), np.full(4, 7.0))


def test_targets_are_immutable_and_compare_by_what_they_say():
    target = Target("z1 + z2")
    assert target == Target("z1 + z2")
    assert target == Target("z2 + z1")
    assert target != Target("z1 + z2", noise_std=0.5)
    with pytest.raises(dataclasses.FrozenInstanceError):
        target.k = 3


def test_coordinates_are_counted_from_the_highest_used():
    assert Target("z3").k == 3
    assert Target("z1", k=4).k == 4


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"source": "z3", "k": 2}, "k = 2"),
        ({"source": "z1", "k": 13}, "k = 13"),
        ({"source": "z1", "k": True}, "k = True"),
        ({"source": "z1", "noise_std": "a"}, "noise_std"),
        ({"source": "z1", "noise_std": -1.0}, "noise_std"),
        ({"source": "z1", "noise_std": float("nan")}, "noise_std"),
        ({"source": sp.Symbol("x")}, "unknown symbols x"),
        ({"source": 3}, "text or a SymPy expression"),
    ],
)
def test_bad_targets_are_refused(arguments, says):
    with pytest.raises(RebatchError, match=says):
        Target(**arguments)


def test_plain_symbols_are_the_coordinates_of_their_names():
    plain, real = sp.Symbol("z1"), sp.Symbol("z1", real=True)
    assert Target(plain**2 + sp.sqrt(plain**2)) == Target("z1^2 + abs(z1)")
    assert Target(real**3 + plain) == Target("z1^3 + z1")
    # What was simplified for positive numbers is another function.
    with pytest.raises(RebatchError, match="unknown symbols z1"):
        Target(sp.sqrt(sp.Symbol("z1", positive=True) ** 2))
    assert Activation(sp.Symbol("h") ** 2) == Activation("h^2")


def test_arrays_of_another_shape_are_refused():
    with pytest.raises(RebatchError, match=r"\(n, 2\)"):
        Target("z1*z2")(np.zeros((5, 3)))


def test_a_target_prints_itself():
    target = Target("z1 + He(3, z2)")
    assert str(target) == "z1 + He(3, z2)"
    assert repr(target) == "Target('z1 + He(3, z2)', k=2)"
    assert target.latex() == "g(z_{1}, z_{2}) = z_{1} + z_{2}^{3} - 3 z_{2}"


def test_expressions_are_targets_too():
    assert Target(coordinate(1) ** 2).expr == Target("z1^2").expr


def test_a_number_beyond_floating_point_is_refused():
    with pytest.raises(RebatchError, match="beyond floating point"):
        Target("1e300*z1*1e300")(np.ones((3, 1)))
