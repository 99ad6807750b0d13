"""Square roots out of denominators: the value stays, and the form is the one of integers over an integer."""

import random

import pytest
import sympy as sp

from rebatch.symbolic.exact.surds import rationalised


def _sum_of_roots(draw: random.Random) -> sp.Expr:
    return sp.Add(*(draw.randint(-4, 4) * sp.sqrt(n) for n in draw.sample((1, 2, 3, 5, 6, 10, 12), 3)))


@pytest.mark.parametrize("seed", range(25))
def test_a_quotient_keeps_its_value_and_has_integers_below(seed: int):
    draw = random.Random(seed)
    top, bottom = _sum_of_roots(draw), _sum_of_roots(draw) + sp.sqrt(7)
    x = sp.expand(top / bottom) + sp.sqrt(sp.Rational(3, 8))
    found = rationalised(x)
    assert sp.fraction(found)[1].is_Integer
    # Fifty digits: what cancels in a numerator takes a few of them.
    assert abs(sp.N(found - x, 50, maxn=400)) < sp.Float("1e-40", 50)


def test_numbers_that_cancel_are_zero():
    assert rationalised(sp.expand(1 / (1 + sp.sqrt(2))) + 1 - sp.sqrt(2)) == 0


def test_a_power_of_a_sum_is_read():
    assert rationalised((1 + sp.sqrt(2)) ** -2) == 3 - 2 * sp.sqrt(2)


@pytest.mark.parametrize("x", [sp.pi, sp.cbrt(2), sp.sqrt(1 + sp.sqrt(2)), sp.sqrt(10**13 + 37), sp.sqrt(-2)])
def test_anything_else_is_left_to_others(x: sp.Expr):
    assert rationalised(x) is None
