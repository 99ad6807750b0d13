"""Balls contain the values, whatever the expression: against mpmath at 60 digits."""

import mpmath
import pytest
import sympy as sp
from flint import acb, arb, ctx, fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch.symbolic.exact.ball import constant_ball, evaluator, is_positive_constant, is_zero_constant

t = sp.Symbol("t", real=True)
rationals = st.fractions(-3, 3, max_denominator=7).map(sp.Rational)
leaves = st.one_of(rationals, st.just(t), st.just(sp.pi), st.just(sp.sqrt(2)))
unary = [
    sp.exp,
    sp.sin,
    sp.cos,
    sp.tanh,
    sp.erf,
    sp.atan,
    sp.sinh,
    sp.cosh,
    lambda u: sp.sqrt(1 + u**2),
    sp.sign,
]
functions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda f, u: f(u), st.sampled_from(unary), inner),
        st.builds(sp.Add, inner, inner),
        st.builds(sp.Mul, inner, inner),
        st.builds(lambda u, n: u**n, inner, st.integers(1, 3)),
        st.builds(lambda u: (1 + u**2) ** sp.Rational(-2, 3), inner),
    ),
    max_leaves=5,
)


def exactly(expr, x):
    with mpmath.workdps(60):
        return sp.lambdify(t, expr, "mpmath")(mpmath.mpf(x.p) / x.q)


def as_ball(x):
    """Return a number of mpmath as a ball that holds what it rounds."""
    with ctx.workprec(250):
        return arb(mpmath.nstr(mpmath.re(x), 50)) * arb(1, 1e-45) + arb(0, 1e-300)


@given(functions, rationals, st.integers(1, 1000))
@settings(max_examples=60)
def test_the_ball_of_a_function_on_a_ball_holds_its_values(u, x, width):
    f = evaluator(u, [t])
    radius = fmpq(width, 10**4)
    cell = arb(fmpq(int(x.p), int(x.q)), 1.01 * float(width) / 10**4)
    for y in (x, x + sp.Rational(int(radius.p), int(radius.q))):
        value = exactly(u, y)
        if mpmath.isfinite(value) and abs(value) < 1e30:
            assert f([cell], False).overlaps(as_ball(value))
            inside = f([acb(cell)], False)
            assert not inside.is_finite() or inside.real.overlaps(as_ball(value))


@given(functions.filter(lambda u: not u.free_symbols), st.sampled_from([64, 128, 400]))
@settings(max_examples=40)
def test_constants_at_every_precision_meet(u, bits):
    assert constant_ball(u, bits).overlaps(constant_ball(u, 700))


@given(st.lists(rationals, min_size=2, max_size=3), rationals)
@settings(max_examples=30)
def test_a_constant_less_itself_is_zero_and_with_more_it_has_a_sign(squares, shift):
    root = sp.Add(*(sp.sqrt(abs(q)) for q in squares))
    square = sp.sqrt(sp.expand(root**2)) if root != 0 else sp.Integer(0)
    assert is_zero_constant(root - square) is True
    assert is_zero_constant(root - square + shift) is (shift == 0)
    assert is_positive_constant(root - square + shift) is bool(shift > 0)


@pytest.mark.parametrize(
    "coefficients", [[1, 0, -6, 0, 3], [35, 0, -30, 3], [21, 0, -7, 1], [2, -9, 1, 5, -1]]
)
def test_zeros_of_a_polynomial_fulfil_vieta(coefficients):
    p = sp.Poly(coefficients, t)
    zeros = p.real_roots(multiple=True)
    assert len(zeros) == p.degree()
    total = sp.Add(*zeros) + sp.Rational(coefficients[1], coefficients[0])
    product = sp.Mul(*zeros) - sp.Rational((-1) ** p.degree() * coefficients[-1], coefficients[0])
    assert is_zero_constant(total) is True
    assert is_zero_constant(product) is True
    assert is_zero_constant(product + sp.Rational(1, 10**70)) is False
