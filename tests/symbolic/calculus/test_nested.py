"""Polynomials in functions are written in fewer operations, with the same values."""

import numpy as np
import pytest

from rebatch.symbolic.calculus.gaussian import with_average
from rebatch.symbolic.calculus.nested import nested
from rebatch.symbolic.language.compiled import compiled
from rebatch.symbolic.language.parse import parse

TEXTS = [
    "(tanh(z1+z2) + tanh(z2+2*z3) - z1/3)^4",
    "z1*(tanh(z1) + 2*sigmoid(z2))^3 - z2*tanh(z1)^5 + sqrt(2)*z1 + sqrt(2)*z2",
    "(relu(z1-z2) + relu(z2+3) + z1)^3 * (z1 + 2)^2",
    "softplus(z1)^3 + z2*softplus(z1)^2 - 5*z1^2*softplus(z1) + z2^3 + 7",
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_values_are_the_same(text):
    expr = parse(text)
    short = with_average(expr, lambda average: nested(average.reader.algebra, average.g))
    z = sorted(expr.free_symbols | short.free_symbols, key=str)
    at = np.random.default_rng(0).standard_normal((len(z), 200))
    wanted, found = compiled(expr, tuple(z))(*at), compiled(short, tuple(z))(*at)
    # Rounding of some twenty operations; a root among the constants is one more.
    np.testing.assert_allclose(found, wanted, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("text", TEXTS)
def test_it_takes_fewer_operations(text):
    def operations(average):
        algebra, g = average.reader.algebra, average.g
        return nested(algebra, g).count_ops(), algebra.to_expr(g).count_ops()

    short, written_out = with_average(parse(text), operations)
    assert short < written_out


@pytest.mark.parametrize("text", ["z1 + tanh(z2)", "exp(z1) * tanh(z2)^2 + (z1 + z2)^4"])
def test_what_is_short_and_what_has_exponentials_is_left(text):
    assert with_average(parse(text), lambda average: nested(average.reader.algebra, average.g)) is None
