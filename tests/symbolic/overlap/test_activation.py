import pytest
import sympy as sp

from rebatch import Activation, RebatchError, Setting
from rebatch.symbolic.language.symbols import ACTIVATION_VARIABLE as h


@pytest.mark.parametrize("name", ["erf", "tanh", "linear", "quadratic", "cubic", "h + h^2/2"])
def test_the_derivative_is_the_derivative(name):
    activation = Activation(name)
    assert sp.simplify(activation.derivative - sp.diff(activation.expr, h)) == 0


def test_relu_has_the_step_as_derivative():
    assert Activation("relu").derivative == sp.Heaviside(h)


def test_polynomials_give_their_coefficients_the_constant_first():
    assert Activation("1 + h^3/4").coefficients() == [1.0, 0.0, 0.0, 0.25]
    assert Activation("relu").coefficients() == []


@pytest.mark.parametrize("name", ["swish", "z1", "log(h)", "1/h"])
def test_unsupported_activations_are_refused(name):
    with pytest.raises(RebatchError, match=r"expressions in h|unknown|not defined at h = 0"):
        Activation(name)


@pytest.mark.parametrize("p", [1, h, h**2 + 3, (h - 2) ** 3])
def test_the_second_derivative_of_relu_is_a_delta(p):
    value = Activation("relu").moment(p, order=2).value
    assert sp.simplify(value - sp.sympify(p).subs(h, 0) / sp.sqrt(2 * sp.pi)) == 0


@pytest.mark.parametrize(
    "name", ["relu", "leaky_relu", "erf", "tanh", "sigmoid", "softplus", "gelu", "silu", "sin", "exp"]
)
def test_moments_of_the_derivative_are_those_of_the_derived_expression(name):
    activation = Activation(name)
    direct = Activation(activation.derivative).moment(h + 2)
    moved = activation.moment(h + 2, order=1)
    # Both are exact, or balls that contain the one value.
    assert (direct - moved).ball().contains(0)


def test_hermite_coefficients_are_the_moments_of_the_derivatives():
    series = Activation("softplus").hermite_series(4)
    for n in range(5):
        moment = Activation("softplus").moment(1, order=n)
        assert (
            (series.coefficients[n,] - moment).ball().contains(0)
            if (n,) in series.coefficients
            else moment.is_zero()
        )


def test_activations_without_a_kernel_are_known_to_theory_and_refused_by_engines():
    assert Activation("gelu").kernel is None
    with pytest.raises(RebatchError, match="relu, erf, tanh, polynomial"):
        Setting(target="z1", activation="gelu", alpha=1, eta=0.1, steps=1)
