import pytest
import sympy as sp

from rebatch import How, Target
from rebatch.symbolic.learnability.reading import read
from rebatch.symbolic.thresholds.closures import closed_threshold
from rebatch.symbolic.thresholds.invertible import without_invertible
from rebatch.symbolic.thresholds.monotone import strict_trend
from rebatch.symbolic.thresholds.noise import noise_price
from rebatch.symbolic.thresholds.trivial import trivial_subspace

P = sp.erf(sp.sqrt(2) / 2)


def closed(text):
    target = Target(text)
    reading = read(target)
    return closed_threshold(target, reading, reading.relevant)


@pytest.mark.parametrize(
    ("text", "alpha"),
    [
        ("z1^2", "1/2"),
        ("tanh(abs(z1) + z1^2)", "1/2"),
        ("cosh(z1) + z1^4", "1/2"),
        ("(z1 + 2*z2)^2 + 1", "1/2"),
        ("exp(-z1^2 - z2^2 - z3^2)", "3/2"),
        ("(z1 + z2)^2 + (z1 - z2)^2", "1"),
        ("(z1^2 + z2^2)^2", "1"),
        ("z1^2 + z2^2 - z3^2 - z4^2", "4/3"),
        ("sign(z1*z2)", "pi**2/4"),
        ("sign(z1*z2*z3)", "oo"),
        ("z1^2*exp(-z1^2)", "oo"),
    ],
)
def test_what_closes_has_its_exact_value(text, alpha):
    assert float(closed(text).alpha) == pytest.approx(float(sp.sympify(alpha)), rel=1e-14)


def test_a_threshold_label_closes_by_two_exact_sums():
    # P(|z| < 1) = p; E[(z^2 - 1) 1[|z| < 1]] = -2 phi(1).
    expected = P * (1 - P) / (2 * sp.exp(-1) / sp.pi)
    assert float(closed("heaviside(z1^2 - 1)").alpha) == pytest.approx(float(expected), rel=1e-12)


@pytest.mark.parametrize(
    "text", ["He(4, z1)", "cos(z1)", "z1*z2", "z1^2 + 2*z2^2", "z1^2*z2^2", "z1^2 - z1^4"]
)
def test_what_does_not_close_is_not_called_exact(text):
    assert closed(text) is None


@pytest.mark.parametrize(
    ("text", "inner"),
    [
        ("2*tanh(exp(-z1^2)) + 1", "z1^2"),
        ("sqrt(1 + z1^2)", "z1^2"),
        ("(z1*z2)^3", "z1*z2"),
        ("cos(z1)", "cos(z1)"),
        ("(z1*z2)^2", "abs(z1*z2)"),
    ],
)
def test_invertible_functions_of_the_label_are_peeled_off_and_no_others(text, inner):
    given, expected = without_invertible(Target(text).expr), Target(inner).expr
    assert sp.expand(given - expected) == 0


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("t**2", 1),
        ("exp(-t)", -1),
        ("t**2*exp(t)", 1),
        ("t**2*exp(-t)", 0),
        ("t**4 - t**2", 0),
        ("sin(t)", 0),
        ("3", 0),
    ],
)
def test_trends_are_those_of_the_derivative(text, sign):
    t = sp.Symbol("t", positive=True)
    assert strict_trend(sp.sympify(text, locals={"t": t}), t) == sign


@pytest.mark.parametrize(
    ("text", "exponent", "price"),
    [
        ("z1^2", 1, sp.Rational(1, 4)),  # E[z^2 He_2] = 2
        ("abs(z1)", 1, sp.pi / 2),  # E[|z| He_2] = sqrt(2/pi)
        ("He(4, z1)", 2, sp.Rational(2, 192**2)),  # E[He_4^2 He_2] = 4! 4! 2! / (3! 1! 1!) = 192
        ("z1*z2", 1, sp.Integer(1)),  # E[y z z^T] has the eigenvalues 1, -1
    ],
)
def test_the_price_of_noise_is_the_first_moment_of_order_two(text, exponent, price):
    known = noise_price(text, read(text).relevant)
    assert known.exponent == exponent
    assert known.price == pytest.approx(float(price), rel=1e-12)


def test_a_parity_has_no_price():
    assert noise_price("sign(z1*z2*z3)", read("sign(z1*z2*z3)").relevant).exponent is None


@pytest.mark.parametrize(
    ("text", "alpha", "directions"),
    [
        # 1/alpha_c = 1 - (1/3)^2, of the pair with the eigenvalue -2 alone; tests of convolutions have the number.
        ("z1^2 + z2^2 - 2*z3^2 - 2*z4^2", "9/8", 2),
        ("sign(z1)*z2^2", "1/2", 1),
        ("-3*sign(z1)*exp(z2^2/9)", "1/2", 1),
        ("exp(-sqrt(z1^2 + z2^2 + z3^2))", "3/2", 3),
        ("log(1 + z1^2 + z2^2) + (z1^2 + z2^2)^2", "1", 2),
    ],
)
def test_pairs_of_unlike_size_signs_and_functions_of_the_radius_close(text, alpha, directions):
    closure = of_what_is_left(text)
    assert closure.how is How.EXACT
    assert closure.alpha == sp.Rational(alpha)
    assert closure.directions.dimension == directions


@pytest.mark.parametrize(
    "text", ["sign(z1)*(z2^2 - 1)", "(z1^2 + z2^2)*exp(-z1^2 - z2^2)", "z1*z2 + 2*z3*z4"]
)
def test_what_only_looks_so_does_not_close(text):
    # |y| = 1/2 for two z2^2; y takes every value at two radii; four eigenvalues.
    assert of_what_is_left(text) is None


def of_what_is_left(text):
    target = Target(text)
    reading = read(target)
    return closed_threshold(target, reading, trivial_subspace(reading)[0].within(reading.relevant))


def test_a_root_that_radicals_write_with_complex_numbers_is_left_to_numbers():
    # The largest of three real eigenvalues of a cubic: it was a TypeError.
    assert closed("heaviside(z1*z2) + heaviside(z1^2 - 1)") is None
