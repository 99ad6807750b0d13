"""Functions of the radius of several coordinates, against the density of chi-squared variables."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.special import factorial2

from rebatch import analyze, expectation
from rebatch.symbolic.exact.known import How

# A function of s = |z|^2 as text, the same in NumPy, and where it has a kink.
RADIAL = {
    "sign({s} - 2)": (lambda s: np.sign(s - 2), 2),
    "relu(3 - {s})": (lambda s: np.maximum(3 - s, 0), 3),
    "tanh({s}/4)": (lambda s: np.tanh(s / 4), 1),
    "sqrt(1 + {s})": (lambda s: np.sqrt(1 + s), 1),
    "cos(sqrt({s}))": (lambda s: np.cos(np.sqrt(s)), 1),
    "abs({s} - 1) * exp(-sqrt(1 + {s}))": (lambda s: np.abs(s - 1) * np.exp(-np.sqrt(1 + s)), 1),
    "({s})^2/(1 + {s})": (lambda s: s**2 / (1 + s), 1),
    "Max({s}, 2 + ({s})^2/9)": (lambda s: np.maximum(s, 2 + s**2 / 9), 3),
    "exp(-({s})^2)": (lambda s: np.exp(-(s**2)), 1),
}


def moment_by_density(f, kink, powers):
    """Return E[z^b f(|z|^2)] = E[z^b] E[s^(|b|/2) f(s)] / E[s^(|b|/2)], s chi-squared."""
    if any(b % 2 for b in powers):
        return 0.0
    law, half = stats.chi2(len(powers)), sum(powers) // 2
    radial = sum(
        integrate.quad(lambda s: f(s) * s**half * law.pdf(s), a, b, limit=200)[0]
        for a, b in ((0, kink), (kink, 60), (60, 300))
    )
    return radial * np.prod([factorial2(b - 1) if b else 1 for b in powers]) / law.moment(half)


def radius_squared(first, last):
    return "+".join(f"z{i}^2" for i in range(first, last + 1))


def monomial(powers):
    return "".join(f" * z{i}^{b}" for i, b in enumerate(powers, start=1))


@given(st.sampled_from(sorted(RADIAL)), st.lists(st.integers(0, 4), min_size=2, max_size=5))
@settings(max_examples=30)
def test_moments_of_a_function_of_the_radius(text, powers):
    f, kink = RADIAL[text]
    s = f"({radius_squared(1, len(powers))})"
    value = expectation(text.format(s=s) + monomial(powers))
    assert value.how in (How.EXACT, How.ENCLOSURE)
    assert float(value) == pytest.approx(moment_by_density(f, kink, powers), rel=1e-6, abs=1e-7)


@given(
    st.sampled_from(["tanh({s}/4)", "relu(3 - {s})", "sign({s} - 2)"]),
    st.sampled_from(["sqrt(1 + {s})", "cos(sqrt({s}))"]),
    st.lists(st.integers(0, 2).map(lambda b: 2 * b), min_size=4, max_size=6),
)
@settings(max_examples=12)
def test_two_radii_are_independent(first, second, powers):
    s, t = (f"({radius_squared(*ends)})" for ends in ((1, 2), (3, len(powers))))
    value = expectation(f"{first.format(s=s)} * {second.format(s=t)}{monomial(powers)}")
    assert value.how in (How.EXACT, How.ENCLOSURE)
    a = moment_by_density(*RADIAL[first], powers[:2])
    b = moment_by_density(*RADIAL[second], powers[2:])
    assert float(value) == pytest.approx(a * b, rel=1e-6, abs=1e-7)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("sign(z1^2 + z2^2 - 2)", "2*exp(-1) - 1"),
        ("(z1^2 - 1) * sign(z1^2 + z2^2 - 2)", "2*exp(-1)"),
        ("sqrt(z1^2 + z2^2 + z3^2)", "2*sqrt(2/pi)"),
        ("abs(z1^2 + z2^2 - 1) * z3^2", "4*exp(-1/2) - 1"),
        ("Max(z1^2 + z2^2, 1)", "1 + 2*exp(-1/2)"),
    ],
)
def test_where_one_coordinate_closes_the_radius_is_exact(text, value):
    answer = expectation(text)
    assert answer.how is How.EXACT
    assert (answer - expectation(value)).is_zero()


@pytest.mark.parametrize("n", [2, 3])
@pytest.mark.parametrize("power", ["1", "z1^2 * z2^2"])
def test_a_radius_that_meets_another_coordinate(n, power):
    # E over z_(n+1), a Gauss-Hermite rule, of moments by the density.
    nodes, weights = np.polynomial.hermite_e.hermegauss(40)
    value = expectation(f"tanh({radius_squared(1, n)} + z{n + 1}) * {power}")
    b = [2 if f"z{i}^2" in power else 0 for i in range(1, n + 1)]
    expected = sum(
        w * moment_by_density(lambda s, x=x: np.tanh(s + x), max(-x, 1), b)
        for x, w in zip(nodes, weights / np.sqrt(2 * np.pi), strict=True)
    )
    assert float(value) == pytest.approx(expected, rel=1e-6)
    assert value.error < 1e-6


def test_what_only_looks_round_is_left_alone():
    # z1^2 + 2 z2^2 is no radius, and (z1^2 + z2^2) z1 has none.
    for text, by_hand in (
        ("exp(-sqrt(1 + z1^2 + 2*z2^2)) * z2^2", lambda x, y: np.exp(-np.sqrt(1 + x**2 + 2 * y**2)) * y**2),
        ("tanh((z1^2 + z2^2)*z1) * z1", lambda x, y: np.tanh((x**2 + y**2) * x) * x),
    ):
        grid = np.linspace(-9, 9, 1441)
        x, y = np.meshgrid(grid, grid)
        density = np.exp(-(x**2 + y**2) / 2) / (2 * np.pi) * (grid[1] - grid[0]) ** 2
        assert float(expectation(text)) == pytest.approx(float(np.sum(by_hand(x, y) * density)), rel=1e-7)


def test_a_ball_is_analyzed_with_proofs():
    answer = analyze("sign(z1^2 + z2^2 - 2)")
    assert answer.information_exponent.how is How.EXACT
    assert answer.directions.how is How.EXACT
