"""Numbers in floating point: over many oscillating and heavy-tailed integrands the stated error covers the truth."""

import numpy as np
import pytest
import sympy as sp

from rebatch import RebatchError, expectation
from rebatch.symbolic.calculus.cubature import _unresolved, cubature
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate

Z = [coordinate(i) for i in range(1, 7)]


def oscillating(rng):
    """Return cos(a z1 z2 + b z3), cos(a z1 z2 z3) or cos(a (z1^2 + … + zr^2)) and E of it, by its formula."""
    a = sp.Rational(int(10 ** rng.uniform(1, 4.5)), 10)
    kind = rng.integers(4)
    if kind == 0:
        return sp.cos(a * Z[0] * Z[1]), 1 / np.sqrt(1 + float(a) ** 2)
    if kind == 1:
        b = sp.Rational(int(rng.integers(1, 30)), 10)
        return sp.cos(a * Z[0] * Z[1] + b * Z[2]), np.exp(-(float(b) ** 2) / 2) / np.sqrt(1 + float(a) ** 2)
    if kind == 2:
        r = int(rng.integers(2, 4))
        value = ((1 - 2j * float(a)) ** -0.5) ** r
        return sp.cos(a * sum(z**2 for z in Z[:r])), value.real
    # E (1 + a^2 z^2)^(-1/2) by the substitution z = sinh(s) / a, which is smooth.
    s = np.linspace(-12, 12, 20_001)
    z = np.sinh(s) / float(a)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    return sp.cos(a * Z[0] * Z[1] * Z[2]), float(np.sum(density) * (s[1] - s[0]) / float(a))


def heavy(rng):
    """Return exp of a quadratic form, times a square, and E of it: its second moment may be infinite."""
    c = sp.Rational(int(rng.integers(30, 95)), 100)
    if rng.integers(2):
        return sp.exp(c * Z[0] * Z[1]), 1 / np.sqrt(1 - float(c) ** 2), float(c) < 0.5
    return sp.exp(c / 2 * Z[0] ** 2 - Z[1] ** 2), 1 / np.sqrt((1 - float(c)) * 3), float(c) < 0.5


def covered(cases):
    """Return how many stated errors hold, and how many are below a tenth."""
    held, told = 0, 0
    for expr, truth, tame in cases:
        used = tuple(z for z in Z if z in expr.free_symbols)
        try:
            value, error = cubature(expr, used, tame=tame)
        except RebatchError:
            value, error = 0.0, np.inf
        held += abs(value - truth) <= error + 1e-12
        told += error < 0.1
    return held, told


@pytest.mark.parametrize("count", [4, pytest.param(500, marks=pytest.mark.deep)])
def test_the_error_of_oscillating_integrands_covers_the_truth(count):
    rng = np.random.default_rng(1)
    held, told = covered((*oscillating(rng), True) for _ in range(count))
    # At 5.5 standard errors a miss has a chance of 1e-4.
    assert held == count
    assert told >= 0.9 * count


@pytest.mark.parametrize("count", [10, pytest.param(200, marks=pytest.mark.deep)])
def test_the_error_of_heavy_tails_covers_the_truth(count):
    rng = np.random.default_rng(2)
    held, _ = covered(heavy(rng) for _ in range(count))
    assert held == count


@pytest.mark.parametrize("frequency", [16, 32, 64, 128])
def test_frequencies_that_fit_the_grid_do_not_agree_by_aliasing(frequency):
    # The first grids have steps 1/4 and 1/8, on which cos(16 pi z) is constant.
    value, error = cubature(sp.cos(frequency * sp.pi * Z[0]) * (1 + sp.tanh(Z[1]) ** 2), (Z[0], Z[1]))
    assert abs(value) <= error


def test_a_moment_that_is_not_known_to_exist_gives_no_error():
    growing = sp.exp(sp.Rational(9, 10) * Z[0] * Z[1])
    value, error = cubature(growing * sp.tanh(Z[2] * Z[3] * Z[4]) ** 2, tuple(Z[:5]), tame=False)
    assert error == np.inf
    assert 0 < value < 1


@pytest.mark.parametrize(
    ("text", "truth"),
    [
        ("exp(9*z1*z2/10)*tanh(z3*z4*z5)^2", None),
        ("1e20+tanh(z1*z2)^2", 1e20),
        ("cos(84*tanh(z1*z2*z3))", None),
    ],
)
def test_hard_integrands_are_within_their_errors(text, truth):
    value = expectation(text)
    assert value.how is How.NUMERIC
    if truth is not None:
        assert abs(float(value) - truth) <= value.error
        assert value.error >= np.spacing(truth)
    elif "exp" in text:
        # E exp(c z1 z2) = (1 - c^2)^(-1/2), and the other factor is tame.
        rng = np.random.default_rng(3)
        z = rng.standard_normal((3, 2_000_000))
        sample = np.tanh(z.prod(0)) ** 2 / np.sqrt(1 - 0.81)
        assert abs(float(value) - sample.mean()) <= value.error + 5 * sample.std() / np.sqrt(sample.size)
    else:
        z = np.random.default_rng(4).standard_normal((3, 2_000_000))
        sample = np.cos(84 * np.tanh(z.prod(0)))
        assert abs(float(value) - sample.mean()) <= value.error + 5 * sample.std() / np.sqrt(sample.size)


def test_what_is_not_known_prints_no_number():
    answer = expectation("tanh(z1*z2)^2")
    unknown = type(answer).numeric(0.5, np.inf)
    assert "not known" in str(unknown)
    assert unknown.to_json()["error"] is None
    assert (unknown + answer).error == np.inf
    assert (unknown * 0).is_zero() is True


def test_values_that_alternate_on_a_grid_are_unresolved_and_smooth_ones_are_not():
    x = np.arange(100.0)
    smooth = np.exp(-((x[:, None] - 50) ** 2 + (x[None] - 50) ** 2) / 200)
    assert _unresolved(smooth, np.abs(smooth)) < 1e-6 * smooth.sum()
    noise = smooth * np.cos(1e4 * np.outer(x, x))
    assert _unresolved(noise, np.abs(noise)) > 0.3 * np.abs(noise).sum()


def test_a_bounded_function_exists_where_floating_point_has_no_number_for_it():
    # u = exp(exp(z)) on z > 0: the rest of the oscillating integral is an end term of size 1 / (u log u).
    def density(z):
        return np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)

    z = np.linspace(-12, 0, 20_001)
    u = np.linspace(np.e, 2000, 2_000_001)
    expected = np.trapezoid(density(z) * np.sin(np.exp(np.exp(z))), z)
    expected += np.trapezoid(np.sin(u) * density(np.log(np.log(u))) / (u * np.log(u)), u)
    text = "sin(exp(exp(z)))"
    value, error = cubature(parse(text), (coordinate(1),))
    assert abs(value - expected) < error + 1e-5
    assert error < 0.01
    value, error = cubature(parse(f"{text}*tanh(z2)^2"), (coordinate(1), coordinate(2)))
    assert abs(value - expected * float(expectation("tanh(z)^2"))) < error + 1e-5
    # Beyond z = 0.33, a share of 0.37, there is no number at all.
    assert cubature(parse("cos(exp(exp(20*z)))"), (coordinate(1),))[1] > 0.37
    with pytest.raises(RebatchError, match="not finite"):
        cubature(parse(f"{text}*z2^2"), (coordinate(1), coordinate(2)))
