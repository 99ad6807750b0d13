import pytest
import sympy as sp

from rebatch import Activation, RebatchError
from rebatch.symbolic.parse import ACTIVATION_VARIABLE as h


@pytest.mark.parametrize("name", ["erf", "tanh", "linear", "quadratic", "cubic", "h + h^2/2"])
def test_the_derivative_is_the_derivative(name):
    activation = Activation(name)
    assert sp.simplify(activation.derivative - sp.diff(activation.expr, h)) == 0


def test_relu_has_the_step_as_derivative():
    assert Activation("relu").derivative == sp.Heaviside(h)


def test_polynomials_give_their_coefficients_the_constant_first():
    assert Activation("1 + h^3/4").coefficients() == [1.0, 0.0, 0.0, 0.25]
    assert Activation("relu").coefficients() == []


@pytest.mark.parametrize("name", ["swish", "h*exp(h)", "z1"])
def test_unsupported_activations_are_refused(name):
    with pytest.raises(RebatchError, match=r"polynomials in h|unknown"):
        Activation(name)
