"""Floating point against mpmath: random expressions of the whole language, at random and at extreme points."""

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, Target, expectation
from rebatch.symbolic.language.compiled import _Printer, compiled
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate

z1, z2 = coordinate(1), coordinate(2)
POINTS = (0.0, 1e-100, -1e-12, 0.5, -0.5, 1.25, -3.0, 8.5, -8.5, 39.0)

near = st.floats(-4, 4).filter(lambda x: abs(x) > 1e-6)
forms = st.sampled_from(
    ["z1", "-z1", "2*z1", "z1+1/2", "z1*z2", "z1^2*z2", "3*z1-z2", "z1^3", "150*z1", "z2-1"]
)
bounded = st.sampled_from(["tanh", "erf", "sin", "cos", "sigmoid", "sign", "heaviside"])
growing = st.sampled_from(["softplus", "gelu", "silu", "relu", "abs"])
atoms = st.one_of(
    st.builds("{}({})".format, bounded, forms),
    st.builds("{}({})".format, growing, forms),
    st.builds("abs({})^({}/3)".format, forms, st.integers(1, 5)),
    st.builds("relu({})^(1/{})".format, forms, st.integers(2, 5)),
    st.builds("log(cosh({}))".format, forms),
    st.builds("log(exp({}) + exp({}) + 1)".format, forms, forms),
    st.builds("exp({0})/(1+exp({0}))^{1}".format, forms, st.integers(1, 3)),
    st.builds("exp(-({})^2)".format, forms),
    st.builds("cosh({0})*exp(-({0})^2)".format, forms),
    st.builds("sinh({0})^{1}/cosh({0})^{2}".format, forms, st.integers(1, 3), st.integers(3, 4)),
    st.builds("He({}, z1)".format, st.integers(0, 64)),
    st.builds("sqrt(1+({})^2)".format, forms),
    st.builds("log(1+({})^2)".format, forms),
    st.builds("1/(1+({})^2)".format, forms),
    st.sampled_from(["sqrt(10^20+1)*z1", "log(10^20+7)", "cos(10^40)*z2", "pi*z1", "tan(10^20)*z1", "e^2"]),
    st.builds("Max({}, {}, 0)".format, forms, forms),
)
expressions = st.one_of(
    atoms,
    st.builds("({}) + ({})".format, atoms, atoms),
    st.builds("({}) * ({})".format, atoms, atoms),
    st.builds("heaviside({}) * ({})".format, forms, atoms),
)


def by_mpmath(expr, point):
    """Return the value at a point to 60 digits."""
    with mpmath.workdps(400):
        values = {z: mpmath.mpf(x) for z, x in zip((z1, z2), point, strict=True)}
        modules = [{"Heaviside": lambda u, _: (mpmath.sign(u) + 1) / 2, "Max": max, "Abs": abs}, "mpmath"]
        return sp.lambdify((z1, z2), expr, modules=modules)(values[z1], values[z2])


@given(expressions, st.tuples(near, near), st.tuples(*[st.sampled_from(POINTS)] * 2))
@settings(max_examples=30)
def test_values_are_those_of_mpmath_at_random_and_at_extreme_points(text, near, far):
    expr = parse(text)
    function = compiled(expr, (z1, z2))
    for point in (near, far):
        with np.errstate(all="ignore"):
            value = float(
                function(*(np.array([x]) for x in point))[0] if expr.free_symbols else function(*point)
            )
        exact = by_mpmath(expr, point)
        if abs(exact) > 1e300:
            continue
        # What one unit in the last place of the arguments changes cannot be asked for.
        moved = [
            by_mpmath(expr, [x * (1 + s * 2**-51) for x in point]) - exact
            for s in (-1, 1)
            if abs(exact) < 1e300
        ]
        shift = by_mpmath(expr, [x + 1e-305 for x in point]) - exact
        if abs(shift) > 1e-3 * (1 + abs(exact)):
            continue  # at a jump
        tolerance = 1e-13 * (1 + abs(exact)) + 50 * max(map(abs, moved))
        assert abs(value - exact) <= tolerance, (text, point, value, exact)


@pytest.mark.parametrize(
    "text",
    [
        "softplus(150*z1)/150",
        "softplus(z1^3*z2)",
        "log(cosh(z1^2*z2))",
        "sigmoid(3000*z1)",
        "sqrt(10^20+1)*tanh(z1)",
        "log(10^20+7)*z1",
        "1/cosh(z1)^2",
        "exp(z1^2)/(1+exp(z1^2))*z2",
        "abs(z1)^(1/3) + sqrt(abs(z1*z2))",
        "silu(400*z1) + gelu(400*z1)",
    ],
)
def test_labels_are_finite_without_a_warning(text):
    target = Target(text)
    z = np.random.default_rng(0).standard_normal((2000, target.k)) * 6
    z[0] = 0
    # Warnings are errors in the tests.
    assert np.all(np.isfinite(target(z)))


@given(st.integers(0, 64), st.floats(-12, 12))
def test_hermite_polynomials_keep_their_digits(n, x):
    value = Target(f"He({n}, z1)")(np.array([[x]]))[0]
    with mpmath.workdps(120):
        exact = mpmath.mpf(2) ** (-mpmath.mpf(n) / 2) * mpmath.hermite(n, mpmath.mpf(x) / mpmath.sqrt(2))
        # Within the zeros |He_n| is of the size sqrt(n!) e^(x^2 / 4).
        scale = mpmath.sqrt(mpmath.factorial(n)) * mpmath.exp(mpmath.mpf(x) ** 2 / 4)
    assert abs(value - exact) <= 1e-12 * max(abs(exact), scale)


@pytest.mark.parametrize(
    ("text", "value"),
    # E|z|^p = 2^(p/2) Gamma((p + 1)/2) / sqrt(pi).
    [
        ("abs(z1)^(1/3)", 2 ** (1 / 6) * mpmath.gamma(mpmath.mpf(2) / 3) / mpmath.sqrt(mpmath.pi)),
        ("abs(z1)^(2/3)", 2 ** (1 / 3) * mpmath.gamma(mpmath.mpf(5) / 6) / mpmath.sqrt(mpmath.pi)),
        ("relu(z1)^(1/3)", 2 ** (1 / 6) * mpmath.gamma(mpmath.mpf(2) / 3) / mpmath.sqrt(mpmath.pi) / 2),
        ("sqrt(abs(z1*z2))", (2**0.25 * mpmath.gamma(0.75) / mpmath.sqrt(mpmath.pi)) ** 2),
        ("sign(z1)*abs(z1)^(1/3)", 0),
    ],
)
def test_expectations_with_kinks_without_a_slope_are_finite(text, value):
    answer = expectation(text)
    assert abs(float(answer) - float(value)) <= answer.error + 1e-12
    assert answer.error < 1e-3


def test_a_number_beyond_floating_point_is_refused():
    with pytest.raises(RebatchError, match="beyond floating point"):
        Target("exp(10^6)*z1")(np.zeros((1, 1)))


@pytest.mark.parametrize(
    ("text", "f"),
    [
        ("gelu(z1)", lambda t: t * mpmath.ncdf(t)),
        ("1 - erf(z1)", mpmath.erfc),
        ("1 + tanh(z1)", lambda t: 2 / (1 + mpmath.exp(-2 * t))),
        ("3 - 3*exp(z1/10^9)", lambda t: -3 * mpmath.expm1(t / 10**9)),
        ("sinh(z1)*exp(-z1^2)", lambda t: mpmath.sinh(t) * mpmath.exp(-(t**2))),
    ],
)
def test_tails_keep_their_relative_accuracy(text, f):
    z = np.array([-9.0, -2.5, -1e-9, 0.3, 1.5, 9.0])
    values = Target(text)(z[:, None])
    with mpmath.workdps(40):
        assert values == pytest.approx([float(f(mpmath.mpf(x))) for x in z], rel=1e-12)


def test_a_closed_step_is_zero_whatever_is_behind_it():
    with np.errstate(over="ignore"):
        values = compiled(parse("heaviside(-z1)*exp(800*z1)"), (z1,))(np.array([-0.001, 2.0]))
    assert values == pytest.approx([np.exp(-0.8), 0])
    root = compiled(sp.Heaviside(z1) * z1 ** sp.Rational(1, 3), (z1,))
    with np.errstate(invalid="ignore"):
        assert root(np.array([-8.0, 8.0])) == pytest.approx([0, 2])


@pytest.mark.parametrize("function", [sp.Add, sp.Mul])
def test_long_sums_and_products_are_no_deeper_for_the_compiler(function):
    x = sp.Symbol("z1", real=True)
    # As it is printed: to look for parts in common takes a minute.
    code = _Printer({"fully_qualified_modules": False}).doprint(
        function(*(x + sp.Rational(1, n) for n in range(1, 4001)), evaluate=False)
    )
    terms = 0.25 + 1 / np.arange(1, 4001)
    assert eval(code, {"z1": 0.25}) == pytest.approx(
        terms.sum() if function is sp.Add else terms.prod(), rel=1e-11
    )


def test_powers_are_those_of_floating_point():
    z = np.random.default_rng(3).standard_normal((200, 1)) * 2
    for n in (3, 4, 7, 8, 31, 64):
        u = np.tanh(z[:, 0]) + 1.3
        assert Target(f"(tanh(z1) + 13/10)^{n}")(z) == pytest.approx(u**n, rel=1e-13)
        assert Target(f"1/(tanh(z1) + 13/10)^{n}")(z) == pytest.approx(u ** (-float(n)), rel=1e-13)
