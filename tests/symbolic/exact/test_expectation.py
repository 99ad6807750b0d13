"""E[g(z)] of any target: laws first, then exact against ball against quadrature, then published values and errors."""

import json

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import ndtr

from rebatch import RebatchError, Target, hermite_series
from rebatch.symbolic.calculus.gaussian import expectation
from rebatch.symbolic.errors import DivergentError, UndefinedFunctionError
from rebatch.symbolic.exact.ball import constant_ball, is_zero_constant
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate, hermite

from ...conftest import REFERENCE

z1, z2 = coordinate(1), coordinate(2)

rationals = st.fractions(-2, 2, max_denominator=4).map(sp.Rational)
nonzero = rationals.filter(bool)
forms = st.builds(lambda a, b: a * z1 + b, nonzero, rationals)
polynomials = st.builds(lambda a, b, c: a + b * z1 + c * z1**3, rationals, rationals, rationals)
functions = st.sampled_from(
    [sp.sin, sp.cos, sp.erf, sp.sign, sp.Abs, sp.exp, sp.sinh, lambda u: sp.Max(0, u)]
)
closed = st.builds(lambda p, f, u: p * f(u), polynomials, functions, forms)
smooth = st.builds(
    lambda p, f, u: p * f(u),
    polynomials,
    st.sampled_from(
        [sp.sin, sp.cos, sp.erf, sp.exp, sp.tanh, lambda u: sp.log(1 + u**2), lambda u: 1 / (1 + sp.exp(u))]
    ),
    forms,
)


def same(a, b):
    """Whether two answers are one value: proved equal, or balls that meet."""
    return (
        is_zero_constant(a.value - b.value) if {a.how, b.how} == {How.EXACT} else a.ball().overlaps(b.ball())
    )


def quadrature(g, k=1):
    """Return E[g] by a fine trapezoidal rule, to 1e-6 with kinks and better without."""
    axis = np.linspace(-11, 11, 400_001 if k == 1 else 2_201)
    h = axis[1] - axis[0]
    z = np.stack([m.ravel() for m in np.meshgrid(*[axis] * k, indexing="ij")], axis=1)
    density = np.exp(-0.5 * np.sum(z**2, axis=1)) / (2 * np.pi) ** (k / 2)
    return float(np.sum(Target(g, k=k)(z) * density) * h**k)


@given(closed, closed, rationals, rationals)
@settings(max_examples=40)
def test_expectation_is_linear(f, g, a, b):
    assert same(expectation(a * f + b * g), expectation(f) * a + expectation(g) * b)


@given(smooth)
@settings(max_examples=30)
def test_steins_identity(g):
    assert same(expectation(z1 * g), expectation(sp.diff(g, z1)))


@given(st.one_of(closed, smooth))
@settings(max_examples=30)
def test_a_rotated_ridge_function_has_the_same_expectation(g):
    turned = g.xreplace({z1: (3 * z1 - 4 * z2) / 5})
    assert same(expectation(g), expectation(turned))


@given(st.one_of(closed, smooth))
@settings(max_examples=40)
def test_exact_and_enclosed_values_agree_with_quadrature(g):
    value = expectation(g)
    assert value.how in (How.EXACT, How.ENCLOSURE)
    # The trapezoidal rule with step 5.5e-5 is off by its square times the jumps, at worst.
    assert float(value) == pytest.approx(quadrature(g), rel=1e-6, abs=3e-4)


@given(closed)
@settings(max_examples=20)
def test_the_even_part_is_what_counts(g):
    odd = g - g.xreplace({z1: -z1})
    assert expectation(odd).is_zero() is True


@given(closed)
@settings(max_examples=15)
def test_parseval_bounds_the_partial_sums(g):
    series = hermite_series(g, 5)
    missing = series.missing()
    assert float(missing) >= -1e-9 * (1 + abs(float(series.target_norm)))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sign(z1)*sign(z1 + z2)", "1/2"),  # the arcsine law, 2 asin(1/sqrt 2)/pi
        ("erf(z1)^2", "2*asin(2/3)/pi"),
        ("relu(z1)^2", "1/2"),
        ("abs(z1)^2 - z1^2", "0"),
        ("sign(z1)^2", "1"),
        ("He(3, (z1 + z2)/sqrt(2))", "0"),
        ("cos(pi*z1)", "exp(-pi**2/2)"),
        ("exp(z1/2 - z1^2)", "sqrt(3)*exp(1/24)/3"),
        ("2^z1", "exp(log(2)**2/2)"),
        ("Max(z1, z2, 0)", "1/(2*sqrt(pi)) + sqrt(2)/(2*sqrt(pi))"),
        ("cos(z1 + 1)", "exp(-1/2)*cos(1)"),
    ],
)
def test_known_closed_forms(text, value):
    result = expectation(text)
    assert result.how is How.EXACT
    assert is_zero_constant(result.value - sp.sympify(value)) is True


@pytest.mark.parametrize(
    "text",
    [
        "relu(z1)*relu(z1 + z2)",
        "relu(z1 - 1/2)*relu(z2 + 1/3)*exp(z1/2 - z2^2)",
        "relu(z1)*relu(z1 + z2)*abs(z1 - z2)",
        "erf(z1)*erf(z1 + z2)*z2^2",
        "abs(He(2, z1))*abs(z1 - z2)*0 + abs(He(3, z1))*z2^2",
        "exp(z1*z2/2)*z1*z2",
        "cos(z1)*relu(z2 + 1)",
        "tanh(z1 + z2)*tanh(z1 - z2)*z1^2",
        "tanh(z1)*relu(z1 - 1/2)*z2^2",
        "sqrt(1 + abs(z1))*exp(-abs(z1))",
        "tanh(z1 + He(2, z2))*z1",
    ],
)
def test_two_directions_agree_with_quadrature(text):
    # Kinks cost the grid of step 0.01 about its square.
    assert float(expectation(text)) == pytest.approx(quadrature(text, 2), abs=2e-4)


def test_a_cancellation_is_caught_exactly():
    g = parse("cos(z1) + z1^2*exp(-1/2)/2")
    assert [expectation(g * hermite(n, z1)).is_zero() for n in (1, 2, 3, 4)] == [True, True, True, False]
    bump = parse("z1^2*exp(-z1^2)")
    assert all(expectation(bump**m * hermite(2, z1)).is_zero() for m in range(1, 6))


@pytest.mark.parametrize(
    "text",
    [
        "tanh(z1)*z2",
        "tanh(z1 + z2^3)*z2^2",
        "tanh(z1*z2)*(z1 - z2)",
        "(1/(1 + exp(-z1)) - 1/2)*z1^2",
        "z1*log(1 + z1^2)",
    ],
)
def test_what_vanishes_by_symmetry_is_exactly_zero(text):
    result = expectation(text)
    assert result.is_zero() is True
    assert result.how is How.EXACT


def test_a_number_in_floating_point_proves_nothing():
    result = expectation("tanh(z1 + He(3, z2))*z1")
    assert result.how is How.NUMERIC
    assert result.is_zero() is None
    assert 0 < result.error < 1e-10


@pytest.mark.parametrize(
    "text",
    [
        "tanh(z1 + He(3, z2))*z2",
        "tanh(5*z1 + He(3, z2))*z1",
        "tanh(z1*z2 + He(4, z2))",
        "1/(1 + exp(20 - 20*z1*z2))",
        "log(1 + 100*(z1 - z2^2)^2)",
    ],
)
def test_the_stated_error_of_a_steep_integrand_is_honest(text):
    value = expectation(text)
    # Gauss-Legendre panels of width 1/8 and 1/40, 12 nodes each: right to about 1e-12.
    nodes, weights = np.polynomial.legendre.leggauss(12)
    axes, densities = [], []
    for panels in (160, 800):
        centres = (np.arange(panels) + 0.5) * (20 / panels) - 10
        axes.append((centres[:, None] + nodes * 10 / panels).ravel())
        density = np.exp(-0.5 * axes[-1] ** 2) / np.sqrt(2 * np.pi)
        densities.append(np.tile(weights * 10 / panels, panels) * density)
    g, total = Target(text, k=2), 0.0
    with np.errstate(over="ignore"):
        for z, w in zip(axes[0], densities[0], strict=True):
            if w > 1e-18:
                total += w * (g(np.stack([np.full_like(axes[1], z), axes[1]], axis=1)) @ densities[1])
    assert abs(float(value) - total) <= value.error + 1e-10
    assert value.error < 1e-8


def by_mpmath(f, kinks, digits=40):
    """Return E[f(t)] by tanh-sinh quadrature between the kinks, to 30 digits."""
    with mpmath.workdps(digits):
        ends = sorted({mpmath.mpf(-14), mpmath.mpf(14), *map(mpmath.mpf, range(-13, 14)), *kinks})
        return mpmath.quad(lambda t: f(t) * mpmath.npdf(t), ends)


@pytest.mark.parametrize(
    ("text", "f", "kinks"),
    [
        ("abs(sin(z1))", lambda t: abs(mpmath.sin(t)), [j * mpmath.mp.pi for j in range(-4, 5)]),
        ("relu(tanh(z1) - 1/2)", lambda t: max(mpmath.tanh(t) - 0.5, 0), [mpmath.atanh(0.5)]),
        ("sign(exp(z1) - 2)*z1^2", lambda t: mpmath.sign(mpmath.exp(t) - 2) * t**2, [mpmath.log(2)]),
        ("abs(1 + cos(z1))*relu(z1)", lambda t: (1 + mpmath.cos(t)) * max(t, 0), []),
    ],
)
def test_kinks_of_functions_that_are_no_polynomials_are_enclosed(text, f, kinks):
    value = expectation(text)
    assert value.how is How.ENCLOSURE
    assert value.error <= 1e-30 * abs(float(value))
    # The kinks are given to 15 digits: what is between them and the true ones is off by the square of 1e-15,
    # times the jump by 1e-15.
    assert abs(float(value) - float(by_mpmath(f, kinks))) < 1e-14


def test_kinks_too_crowded_to_be_separated_make_the_ball_wider_and_it_still_holds_the_value():
    value = expectation("sign(sin(exp(z1)))")
    # sin(exp(t)) changes its sign at log(n pi); beyond 3000 pi lies a mass of 1e-19.
    below = ndtr(np.log(np.pi * np.arange(1, 3001)))
    masses = np.diff(below, prepend=0.0)
    assert value.how is How.ENCLOSURE
    assert value.error > 1e-12
    assert abs(float(value) - (masses[::2].sum() - masses[1::2].sum())) <= value.error + 1e-14


@pytest.mark.parametrize("digits", [5, 30, 60])
def test_a_ball_has_the_asked_accuracy_and_balls_meet(digits):
    ball = expectation("tanh(He(3, z1))*z1", digits=digits)
    assert ball.error <= abs(float(ball)) * 10.0**-digits
    assert ball.value.overlaps(expectation("tanh(He(3, z1))*z1").value)


def test_published_hermite_coefficients():
    # relu: c_2n = (-1)^(n+1) (2n-3)!! / sqrt(2 pi); sign: c_(2n+1) = 2 (-1)^n (2n-1)!! / sqrt(2 pi);
    # erf: c_(2n+1) = 2 (-1)^n (2n-1)!! 2^n / (3^n sqrt(3 pi)) [SS95 up to the scale of the argument].
    relu, sign, erf = (hermite_series(f"{name}(z1)", 11).coefficients for name in ("relu", "sign", "erf"))
    for n in range(2, 6):
        expected = (-1) ** (n + 1) * sp.factorial2(2 * n - 3) / sp.sqrt(2 * sp.pi)
        assert is_zero_constant(relu[2 * n,].value - expected)
    for n in range(1, 6):
        odd = (-1) ** n * sp.factorial2(2 * n - 1)
        assert is_zero_constant(sign[2 * n + 1,].value - 2 * odd / sp.sqrt(2 * sp.pi))
        scaled = 2 * odd * sp.Rational(2, 3) ** n / sp.sqrt(3 * sp.pi)
        assert is_zero_constant(erf[2 * n + 1,].value - scaled)


def test_reference_coefficients():
    if not REFERENCE.exists():
        pytest.skip("the reference values are not here")
    rows = [r for r in json.loads(REFERENCE.read_text())["targets"] if "hermite_coefficients" in r]
    for row in rows:
        series = hermite_series(row["target"], len(row["hermite_coefficients"]) - 1)
        for n, expected in enumerate(map(float, row["hermite_coefficients"])):
            value = float(series.coefficients[n,]) if (n,) in series.coefficients else 0.0
            # The reference has 20 digits, and rounding of 1e-35 where the value is 0.
            assert value == pytest.approx(expected, rel=1e-14, abs=1e-30), (row["name"], n)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("log(z1)", r"log\(z1\) is not defined at z1 = 0"),
        ("1/z1", "1/z1 is not defined at z1 = 0"),
        ("sqrt(z1)", r"sqrt\(z1\) is not defined at z1 = -1"),
        ("tan(z1)", r"tan\(z1\) is not defined at z1 = -1.5708"),
        ("(z1 - 2)^(1/3)", "not defined at z1 = 1"),
        ("1/(z1^2 - 2)", "not defined at z1 = -sqrt"),
        ("log(z1 + z2)", "not defined at"),
    ],
)
def test_functions_undefined_on_the_line_are_refused_with_the_place(text, place):
    with pytest.raises(UndefinedFunctionError, match=place):
        expectation(text)


@pytest.mark.parametrize(
    "text",
    [
        "exp(z1^2/2)",
        "exp(z1^3)",
        "exp(z1*z2)",
        "exp(z1^2)*relu(z1)",
        "exp(z1^2/2)*sign(z1)",
        "sinh(z1^3)",
        "exp(z1^2/2 + abs(z1))",
        "cosh(z1^2)",
        "exp(z1^2*z2^2)",
        "exp(z1^3 + z2)",
    ],
)
def test_infinite_expectations_are_said_to_be_infinite(text):
    with pytest.raises(DivergentError, match="infinite"):
        expectation(text)


def test_steps_that_keep_an_exponential_from_growing_are_seen():
    # e^(z^2/2) cancels the density: 2/sqrt(2 pi) times the integral of e^(-z) over z > 0.
    value = expectation("exp(z1^2/2 - abs(z1))")
    assert value.ball().overlaps(constant_ball(sp.sqrt(2 / sp.pi)))
    assert value.error < 1e-30


def test_what_is_not_known_to_exist_is_no_number():
    with pytest.raises(RebatchError, match="could not be shown to exist"):
        expectation("exp(exp(z1))")


@pytest.mark.parametrize(
    ("expr", "zero"),
    [
        (sp.sqrt(2) + sp.sqrt(3) - sp.sqrt(5 + 2 * sp.sqrt(6)), True),
        (sp.exp(sp.sqrt(2)) * (sp.sqrt(5 + 2 * sp.sqrt(6)) - sp.sqrt(2) - sp.sqrt(3)), True),
        (sp.erf(1) - sp.exp(-1), False),
        (sp.sqrt(2) + sp.sqrt(3) - sp.pi, False),
        (sp.sin(1) ** 2 + sp.cos(1) ** 2 - 1, None),
    ],
)
def test_zero_is_proved_disproved_or_left_open_and_always_decided_soon(expr, zero):
    assert is_zero_constant(expr) is zero


@pytest.mark.parametrize(
    ("text", "zero"),
    [
        ("abs(z1) - sqrt(2/pi)", True),
        ("abs(z1) - sqrt(2/pi) + 1/10^40", False),
        ("sigmoid(z1) - 1/2 + 1/10^40", False),
        ("sign(z1 - 1) + erf(1/sqrt(2))", True),
        ("abs(He(2, z1)) - 4*exp(-1/2)/sqrt(2*pi)", True),
        ("abs(sin(z1))^2 - sin(z1)^2", True),
        ("sign(exp(z1) - 2)^2 - 1", True),
        ("tanh(z1)*z1 - 1 + tanh(z1)^2", None),  # zero by Stein's identity: a ball cannot tell
        ("tanh(z1)*z1 - 1 + tanh(z1)^2 + 1/10^40", False),
        ("abs(sin(z1))*(z1^2 - 1) - sin(z1)*sign(sin(z1))*(z1^2 - 1) + 1/10^60", False),
    ],
)
def test_no_expectation_is_wrongly_called_zero_or_not_zero(text, zero):
    assert expectation(text).is_zero() is zero


def test_answers_print_themselves():
    exact, ball = expectation("abs(z1)"), expectation("tanh(z1)*z1")
    assert exact.latex() == r"\frac{\sqrt{2}}{\sqrt{\pi}}"
    assert exact.to_json()["value"] == "sqrt(2)/sqrt(pi)"
    assert json.loads(json.dumps(ball.to_json()))["how"] == "enclosure"
    assert str(ball).startswith("[0.6057055096021588")


@pytest.mark.parametrize(
    ("text", "zero"),
    [
        ("cos(pi/7) - cos(2*pi/7) + cos(3*pi/7) - 1/2", True),
        ("cos(pi/7) - cos(2*pi/7) + cos(3*pi/7) - 1/2 + 1/10^60", False),
        ("sin(pi/9)*sin(2*pi/9)*sin(4*pi/9) - sqrt(3)/8", True),
        ("tan(3*pi/11) + 4*sin(2*pi/11) - sqrt(11)", True),
        ("tan(3*pi/11) + 4*sin(2*pi/11) - sqrt(11) + 1/10^50", False),
    ],
)
def test_numbers_of_the_circle_are_decided(text, zero):
    assert is_zero_constant(parse(text)) is zero


@pytest.mark.parametrize(
    ("text", "decimals", "json"),
    # 1000 e^500000; E[z sign(z - 200)] = 2 phi(200); P(z > 10^6), whose logarithm is about -5e11.
    [
        ("z1*exp(1000*z1)", "1.74161e+217150", None),
        ("z1*sign(z1-200)", "1.02873e-8686", 0.0),
        ("exp(-2000)*tanh(z1)*z1", "1.56062e-869", 0.0),
        ("abs(z1)", "0.797885", 0.7978845608028654),
    ],
)
def test_numbers_beyond_floats_are_printed_and_not_called_zero_or_infinite(text, decimals, json):
    answer = expectation(text)
    assert answer.in_decimals() == decimals
    assert answer.to_json()["float"] == json
    assert answer.is_zero() is not True
    assert ("decimal" in answer.to_json()) == (json is None or json == 0.0)
