"""Peaks, ridges, dips, steps and waves that a grid does not see: the error covers the truth by mpmath and SciPy."""

from functools import partial

import mpmath as mp
import numpy as np
import pytest
from scipy.special import expit, gamma, k0

from rebatch import RebatchError, Target, expectation
from rebatch.symbolic.calculus import sharp
from rebatch.symbolic.calculus.cubature import _tail_index
from rebatch.symbolic.calculus.sharp import left_out, parts_of
from rebatch.symbolic.exact.known import How

POINTS = [0, 0.01, 0.1, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 90, 140]


def crowded(c, width):
    return [c + s * width * k for s in (-1, 1) for k in (1, 3, 10, 30, 100)] + [c]


def radial(f, k, more=()):
    """Return E f(|z|^2) in k coordinates: |z|^2 is chi-squared."""
    h = mp.mpf(k) / 2
    points = sorted({*POINTS, *(x for x in more if 0 < x < 140)})
    return mp.quad(lambda x: f(x) * x ** (h - 1) * mp.e ** (-x / 2), points) / (2**h * mp.gamma(h))


def product(f, more=()):
    """Return E f(z1 z2): the density is K_0(|x|) / pi."""
    points = sorted({*(10.0**-k for k in range(1, 12)), 0, 0.25, *POINTS[3:17], *(abs(x) for x in more)})
    return mp.quad(lambda x: (f(x) + f(-x)) * mp.besselk(0, x) / mp.pi, points)


def line(f):
    return mp.quad(lambda x: f(x) * mp.npdf(x), [-14, -8, -5, -3, -2, -1, 0, 1, 2, 3, 5, 8, 14])


def near(m, a):
    """Return E 1/(1 + a^2 (z - m)^2), the Voigt profile."""
    z = (m + mp.j / a) / mp.sqrt(2)
    return mp.sqrt(mp.pi / 2) / a * mp.re(mp.e ** (-z * z) * mp.erfc(-mp.j * z))


def point(a, centre):
    """Return E 1/(1 + a^2 |z - c|^2), by int_0^oo exp(-t (1 + a^2 |z - c|^2)) dt."""

    def integrand(t):
        s = t * a * a
        value = mp.e ** (-t)
        for c in centre:
            value *= (1 + 2 * s) ** mp.mpf(-0.5) * mp.e ** (-s * c * c / (1 + 2 * s))
        return value

    points = sorted(p for p in {0, 60, *(mp.mpf(10) ** k / a**2 for k in range(-2, 9))} if p <= 60)
    return mp.quad(integrand, points)


def peaks(a):
    """Yield integrands with a feature of width 1 / a, and their values."""
    w = mp.mpf(1) / a
    third, half = mp.mpf(1) / 3, mp.mpf(1) / 2
    yield f"1/(1+{a * a}*((z1-1/3)^2+(z2+1/2)^2))", partial(point, a, [third, -half])
    yield f"1/(1+{a * a}*((z1-1/3)^2+(z2+1/2)^2+(z3-1/3)^2))", partial(point, a, [third, -half, third])
    yield f"1/(1+{a * a}*(z1-z2^2)^2)", lambda: line(lambda x: near(x * x, a))
    yield f"1/(1+{a * a}*(z1-sin(3*z2))^2)", lambda: line(lambda x: near(mp.sin(3 * x), a))
    yield f"1/(1+{a * a}*(z1-z2*z3)^2)", lambda: product(lambda x: near(x, a))
    yield (
        f"1/(1+{a * a}*(z1^2+z2^2-2)^2)",
        lambda: radial(lambda x: 1 / (1 + (a * (x - 2)) ** 2), 2, crowded(2, w)),
    )
    yield (
        f"1/(1+{a * a}*(z1^2+z2^2+z3^2-5/2)^2)",
        lambda: radial(lambda x: 1 / (1 + (a * (x - 2.5)) ** 2), 3, crowded(2.5, w)),
    )
    yield (
        f"1/(1+{a * a}*(z1*z2-1/2)^2)",
        lambda: product(lambda x: 1 / (1 + (a * (x - half)) ** 2), crowded(half, w)),
    )
    yield (
        f"1/cosh({a}*(z1^2+z2^2-1))^2",
        lambda: radial(lambda x: mp.sech(a * (x - 1)) ** 2, 2, crowded(1, w)),
    )
    yield f"1/cosh({a}*(z1*z2-1/3))", lambda: product(lambda x: mp.sech(a * (x - third)), crowded(third, w))
    yield f"tanh({a}*(z1*z2-1/3))", lambda: product(lambda x: mp.tanh(a * (x - third)), crowded(third, w))
    yield (
        f"tanh({a}*(z1*z2-1/3))^2",
        lambda: product(lambda x: mp.tanh(a * (x - third)) ** 2, crowded(third, w)),
    )
    yield (
        f"tanh({a}*(z1^2+z2^2+z3^2+z4^2-4))",
        lambda: radial(lambda x: mp.tanh(a * (x - 4)), 4, crowded(4, w)),
    )


def panels(f, low, high):
    """Return the integral of a function of arrays, by 10^5 nodes of Gauss and Legendre in panels."""
    nodes, weights = np.polynomial.legendre.leggauss(20)
    ends = np.linspace(low, high, 5001)
    half = np.diff(ends) / 2
    x = ends[:-1, None] + half[:, None] * (1 + nodes)
    return float(np.sum(f(x) * weights * half[:, None]))


def waving_radial(f, k):
    # x = t^2
    scale = 2 ** (k / 2) * gamma(k / 2) / 2
    return panels(lambda t: f(t**2) * t ** (k - 1) * np.exp(-(t**2) / 2) / scale, 0, 12)


def waving_product(f):
    # x = e^s
    return panels(lambda s: (f(np.exp(s)) + f(-np.exp(s))) * k0(np.exp(s)) * np.exp(s) / np.pi, -40, 4)


def waves(a):
    """Yield integrands that oscillate a times, and their values."""
    yield f"cos({a}*sqrt(1+z1^2+z2^2))", lambda: waving_radial(lambda x: np.cos(a * np.sqrt(1 + x)), 2)
    yield f"sin({a}*log(1+z1^2+z2^2+z3^2))", lambda: waving_radial(lambda x: np.sin(a * np.log(1 + x)), 3)
    yield f"cos({a}*tanh(z1*z2))", lambda: waving_product(lambda x: np.cos(a * np.tanh(x)))
    yield f"cos({a}*z1*z2)/(1+z1^2*z2^2)", lambda: waving_product(lambda x: np.cos(a * x) / (1 + x * x))
    yield f"cos({a}*z1*z2)*tanh(z1*z2)^2", lambda: waving_product(lambda x: np.cos(a * x) * np.tanh(x) ** 2)
    yield (
        f"sin({a}*(z1^2+z2^2))*tanh(z1^2+z2^2)",
        lambda: waving_radial(lambda x: np.sin(a * x) * np.tanh(x), 2),
    )
    yield f"sigmoid({a}*(1-z1^2-z2^2-z3^2-z4^2))", lambda: waving_radial(lambda x: expit(a * (1 - x)), 4)
    if a <= 20:
        zeros = [mp.pi * k / a for k in range(1, int(13 * a))]
        yield f"abs(sin({a}*(z1^2+z2^2)))", lambda: radial(lambda x: abs(mp.sin(a * x)), 2, zeros)
        yield f"sign(sin({a}*z1*z2))*z1*z2", lambda: product(lambda x: mp.sign(mp.sin(a * x)) * x, zeros)


def tails(b):
    """Yield integrands that grow or are singular, and their values."""
    x0 = [10.0**-k for k in range(1, 9)]
    yield (
        f"exp({b}*(z1^2+z2^2)/2)*tanh(z1^2+z2^2)^2",
        lambda: mp.quad(
            lambda x: mp.tanh(x) ** 2 * mp.e ** (b * x / 2 - x / 2) / 2,
            [0, 1, 5, 10, 30, 100, 300, 1000, 4000, 16000],
        ),
    )
    yield f"exp(3*{b}*sqrt(1+z1^2+z2^2))", lambda: radial(lambda x: mp.e ** (3 * b * mp.sqrt(1 + x)), 2)
    yield (
        f"exp(12*{b}*abs(z1*z2)/(1+abs(z1*z2)))",
        lambda: product(lambda x: mp.e ** (12 * b * abs(x) / (1 + abs(x)))),
    )
    yield f"{b}*sqrt(abs(z1*z2))", lambda: b * (2 ** mp.mpf(0.25) * mp.gamma(0.75)) ** 2 / mp.pi
    yield f"log({b}/1000000+z1^2+z2^2+z3^2)", lambda: radial(lambda x: mp.log(b / 1e6 + x), 3, x0)
    yield f"log({b}/1000000+z1^2*z2^2)", lambda: product(lambda x: mp.log(b / 1e6 + x * x))


CORPUS = [
    *(case for a in (10, 100, 1000, 10_000, 1_000_000) for case in peaks(a)),
    *(case for a in (5, 20, 80, 300) for case in waves(a)),
    *(case for b in (0.25, 0.5, 0.8, 0.95) for case in tails(b)),
]


def is_covered(text, truth):
    """Check the error of an integrand, or that nothing is said of it."""
    try:
        answer = expectation(text)
    except RebatchError:
        return
    exact = mp.mpf(float(truth()))
    rounding = mp.mpf(10) ** -9 * abs(exact) + mp.mpf(10) ** -14  # of the reference
    assert (
        abs(answer.value - exact if answer.how is How.NUMERIC else float(answer) - exact)
        <= answer.error + rounding
    )


@pytest.mark.parametrize(
    "place", [f"1/cosh({10**4}*(z1^2+z2^2-1))^2", "1/(1+1000000*(z1-z2^2)^2)",
              "1/(1+10000*((z1-1/3)^2+(z2+1/2)^2+(z3-1/3)^2))", "cos(80*tanh(z1*z2))"],
)  # fmt: skip
def test_what_falls_between_the_points_of_a_grid_is_in_the_error(place):
    is_covered(place, dict(CORPUS)[place])


def test_the_corpus_is_large():
    assert len(dict(CORPUS)) >= 100


@pytest.mark.deep
@pytest.mark.parametrize(("text", "truth"), CORPUS)
def test_the_error_of_every_hard_integrand_covers_the_truth(text, truth):
    is_covered(text, truth)


def test_the_mass_that_a_grid_leaves_out_is_that_of_the_ridge():
    target = Target("1/cosh(10000*(z1^2+z2^2-1))^2")
    missed = left_out(target.expr, target.coordinates, lambda f: f, 8.0, 128)
    # E sech(a (|z|^2 - 1))^2 is nearly the density of |z|^2 at 1, exp(-1/2) / 2, times 2 / a.
    mass = np.exp(-0.5) / 1e4
    assert 0.5 * mass < missed < 8 * mass


def test_nothing_is_left_out_of_smooth_functions_and_kinks_average_out():
    for text, most in [("tanh(z1*z2)^2", 1e-12), ("abs(z1*z2-1/3)*exp(-z1^2)", 0.0)]:
        target = Target(text)
        assert left_out(target.expr, target.coordinates, lambda f: f, 8.0, 256) <= most


def test_parts_are_where_features_may_be():
    target = Target("tanh(z1*z2-1)^2 + Max(z1, z2) + 1/(1+(z1-2)^2) + exp(-z1^2)")
    z1, z2 = target.coordinates
    found = parts_of(target.expr)
    assert {z1 * z2 - 1, z1 - 2}.issubset(found)
    assert z1 - z2 in found or z2 - z1 in found


@pytest.mark.parametrize("index", [0.8, 1.0, 2.0, 3.0])
def test_the_index_of_a_tail_is_read_off_its_largest_values(index):
    draws = np.random.default_rng(0).pareto(index, 100_000) + 1
    found = _tail_index(np.sort(draws)[-200:])
    # Hill's estimate scatters by a share of 1 / sqrt(200).
    assert found == pytest.approx(index, rel=0.3)
    assert _tail_index(np.full(200, 3.0)) == np.inf


def test_a_mean_that_rests_on_values_that_no_point_meets_is_not_known():
    answer = expectation("1/(1+1000000000000*((z1-1/3)^2+(z2+1/2)^2))")
    assert answer.error == np.inf


@pytest.mark.parametrize(
    ("u", "zero"),
    [
        (lambda x, y: 2 * x - y, lambda y: y / 2),
        (lambda x, y: x**3 - y, np.cbrt),
        (lambda x, y: np.arctan(1e6 * (x - y)), lambda y: y),
        (lambda x, y: np.where(x < y, -np.inf, np.inf), lambda y: y),
        (lambda x, y: np.sign(x - y) * 1e-300, lambda y: y),
    ],
    ids=["linear", "cubic", "steep", "infinite", "jump"],
)
def test_zeros_along_lines_are_found_to_rounding(u, zero):
    y = np.random.default_rng(0).uniform(-3, 3, 40)
    lines = sharp._Lines(np.stack([np.zeros(40), y], axis=1), 0)
    grid = np.linspace(-8, 8, 65) + np.linspace(0, 0.2, 40)[:, None]
    line, place = sharp._zeros(lines, u, grid)
    assert sorted(line) == list(range(40))
    # Of a step of 1/4, closer than the nearest crowded points, 2^-40 of it.
    np.testing.assert_allclose(place, zero(y[line]), atol=0.25 * 2.0**-40)


def test_no_more_zeros_of_a_line_are_crowded_than_are_allowed():
    line, zero = np.array([2, 0, 2, 1, 0] * 20), np.arange(100.0)
    number, kept = sharp._fewest_of_each(line, zero)
    assert np.bincount(number).tolist() == [24, 20, 24]
    assert kept[number == 2].tolist() == zero[line == 2][:24].tolist()
