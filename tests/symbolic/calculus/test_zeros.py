"""The sign of a function on the cells of an interval: what is claimed is true, and little is left open."""

from itertools import pairwise

import pytest
import sympy as sp
from flint import arb, ctx
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch.symbolic.calculus.line import LINE as t
from rebatch.symbolic.calculus.zeros import signs
from rebatch.symbolic.exact.ball import evaluator

coefficients = st.fractions(-2, 2, max_denominator=4).map(sp.Rational)
functions = st.builds(
    lambda a, b, c, f, d: a + b * t + c * f(d * t),
    coefficients,
    coefficients,
    coefficients.filter(bool),
    st.sampled_from(
        [sp.sin, sp.cos, sp.tanh, sp.exp, lambda u: sp.sin(u) ** 2, lambda u: sp.sin(u) * sp.sign(u - 1)]
    ),
    coefficients.filter(bool),
)


@given(functions)
@settings(max_examples=40)
def test_cells_cover_the_interval_and_their_signs_hold_inside(u):
    cells = signs(u, t, arb(-7), arb(5))
    assert (cells[0].a, cells[-1].b) == (-7, 5)
    assert all(left.b == right.a for left, right in pairwise(cells))
    f = evaluator(u, [t])
    for cell in cells:
        for share in (0.125, 0.5, 0.9375):
            value = f([cell.a + (cell.b - cell.a) * share], False)
            assert cell.sign == 0 or value * cell.sign > 0 or value.contains(0)


@given(functions)
@settings(max_examples=40)
def test_what_is_left_open_is_as_narrow_as_the_precision_allows(u):
    with ctx.workprec(120):
        left_open = [cell.b - cell.a for cell in signs(u, t, arb(-7), arb(5)) if cell.sign == 0]
    # A double zero is known to half of the precision.
    assert sum(left_open, arb(0)) < 1e-12


@pytest.mark.parametrize(
    ("u", "zeros"),
    [
        (sp.sin(t), [-sp.pi, 0, sp.pi]),
        (sp.exp(t) - 2, [sp.log(2)]),
        (sp.tanh(t) - sp.Rational(1, 2), [sp.atanh(sp.Rational(1, 2))]),
        (1 + sp.cos(t), [-sp.pi, sp.pi]),
        (t**2 + sp.Rational(1, 10**20), []),
    ],
)
def test_zeros_that_are_known_are_found_and_no_others(u, zeros):
    with ctx.workprec(200):
        left_open = [cell.a.union(cell.b) for cell in signs(u, t, arb(-4), arb(4)) if cell.sign == 0]
    assert all(
        any(abs(float(cell.mid()) - float(zero)) < 1e-14 for cell in left_open) for zero in zeros if zero
    )
    assert all(any(abs(float(cell.mid()) - float(zero)) < 1e-14 for zero in zeros) for cell in left_open)
