"""Bounds far out: majorants are above, lower bounds below, and what an integral leaves out is less than its bound."""

import mpmath
import pytest
import sympy as sp
from flint import arb, fmpq
from hypothesis import assume, given, reject, settings
from hypothesis import strategies as st

from rebatch.symbolic.calculus.tail import T, UnboundedError, majorant, minorant
from rebatch.symbolic.language.symbols import coordinate

z1, z2 = coordinate(1), coordinate(2)
coefficients = st.fractions(-2, 2, max_denominator=3).map(sp.Rational).filter(bool)
polynomials = st.builds(lambda a, b, n: a * T**n + b, coefficients, coefficients, st.integers(1, 3))
functions = st.one_of(
    polynomials,
    st.builds(
        lambda f, u: f(u), st.sampled_from([sp.sin, sp.tanh, sp.erf, sp.cosh, sp.exp, sp.atan]), polynomials
    ),
    st.builds(lambda u: sp.log(1 + u**2), polynomials),
    st.builds(lambda u: 1 / (1 + u**2), polynomials),
    st.builds(lambda u: sp.log(sp.exp(u) + sp.exp(-u)), polynomials),
    st.builds(lambda u, v, c: sp.exp(u) / (c**2 + sp.exp(v)), polynomials, polynomials, coefficients),
    st.builds(lambda u, v, c: c + sp.exp(u) - sp.exp(v) * sp.sin(T), polynomials, polynomials, coefficients),
    st.builds(lambda u, v: (sp.exp(u) + sp.cosh(v) - T) ** sp.Rational(-1, 2), polynomials, polynomials),
    st.builds(lambda u, v: sp.exp(sp.sin(u)) * v, polynomials, polynomials),
)


def value(expr, t):
    with mpmath.workdps(40):
        return abs(sp.lambdify(T, expr, "mpmath")(mpmath.mpf(t)))


def at(bound, t):
    """Return the majorant's value."""
    x = arb(t)
    n = arb(fmpq(bound.n.numerator, bound.n.denominator))
    return bound.c * x**n * sum((a * x**j for j, a in bound.a.items()), arb(0)).exp()


@given(functions, functions)
@settings(max_examples=60)
def test_a_majorant_is_above_the_function(f, g):
    for expr in (f, f + g, f * g):
        try:
            bound = majorant(expr)
        except UnboundedError:
            continue
        for t in (1, 2.5, 7, 20):
            if bound.start <= t:
                exact = value(expr, t)
                # Beyond any number format nothing is compared.
                if exact < mpmath.mpf(10) ** 10000:
                    assert at(bound, t) * arb(1, 1e-12) > arb(mpmath.nstr(exact, 20)) * (1 - 1e-10)


@given(functions)
@settings(max_examples=40)
def test_a_lower_bound_is_below_the_function(f):
    try:
        bound = minorant(f)
    except UnboundedError:
        reject()
    assert bound.c > 0
    for t in (1, 2.5, 7, 20):
        if bound.start <= t and value(f, t) < mpmath.mpf(10) ** 10000:
            assert at(bound, t) < arb(mpmath.nstr(value(f, t), 20)) * (1 + 1e-10)


@given(functions, st.integers(2, 8))
@settings(max_examples=15)
def test_what_is_left_out_is_less_than_its_bound(f, R):
    try:
        left_out = majorant(f).tail(arb(R))
    except UnboundedError:
        reject()
    assume(left_out is not None)
    # The rectangles of a falling integrand are below the integral from the second on; 5% for one that still rises.
    exact = sum(value(f, R + s / 20) * mpmath.npdf(R + mpmath.mpf(s) / 20) for s in range(1, 120)) / 20
    assert left_out * 1.05 > arb(mpmath.nstr(exact, 15))


@pytest.mark.parametrize(
    "expr", [sp.tanh(z1 * z2), z1**2 * z2, sp.exp(z1 * z2 / 3), sp.log(2 + z1**2 + z2**4)]
)
def test_a_radial_majorant_bounds_functions_of_several_coordinates(expr):
    bound = majorant(expr)
    for r in (1.5, 4.0, 9.0):
        for angle in range(12):
            point = {z1: r * float(mpmath.cos(angle)), z2: r * float(mpmath.sin(angle))}
            if bound.start <= r:
                assert at(bound, r) > abs(float(expr.subs(point))) * (1 - 1e-12)


def test_a_steep_exponent_has_a_tail():
    # Without the exact derivative of t^4/2 + 10^10 t^2 - 6 10^9 t the bound would begin at R = 10^9.
    bound = majorant(sp.exp(-(T**4) / 2 - 10**10 * T**2 + 6 * 10**9 * T))
    assert bound.tail(arb(4)) < 1e-100
