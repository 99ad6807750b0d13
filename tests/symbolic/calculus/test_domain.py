"""A power is real where its base is not negative, whatever the exponent: checked before parity or anything else."""

import pytest
import sympy as sp

from rebatch import UndefinedFunctionError, expectation
from rebatch.symbolic.language.symbols import coordinate

z1, z2 = coordinate(1), coordinate(2)


@pytest.mark.parametrize("exponent", [sp.pi, sp.sqrt(2), sp.Rational(1, 2), sp.Float(1.5), z2, sp.I])
def test_a_power_of_what_may_be_negative_is_refused_although_it_would_be_odd(exponent):
    for g in (z1 * (z1**2 - 1) ** exponent, sp.tanh(z1 * (z1**2 - 1) ** exponent), z1**exponent):
        with pytest.raises(UndefinedFunctionError):
            expectation(g)


def test_a_power_of_what_is_not_negative_has_its_value():
    a = sp.sqrt(2)
    exact = 2 ** (a / 2) * sp.gamma((a + 1) / 2) / sp.sqrt(sp.pi)
    assert abs(float(expectation(sp.Abs(z1) ** a)) - float(exact)) < 1e-9
    assert expectation(z1 * sp.Abs(z1) ** a).is_zero()
    with pytest.raises(UndefinedFunctionError):
        expectation(sp.Abs(z1) ** -a)
