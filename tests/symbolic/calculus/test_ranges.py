"""Bounds over the whole space, against values at random points and against what is known by hand."""

import random

import numpy as np
import pytest

from rebatch import expectation, parse
from rebatch.symbolic.calculus.ranges import range_of
from rebatch.symbolic.calculus.tail import T, UnboundedError, minorant
from rebatch.symbolic.language.compiled import compiled

Z = tuple(sorted(parse("z1+z2").free_symbols, key=str))


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        ("2+cos(z1*z2)", 1),
        ("-3+tanh(z1)", -1),
        ("1+cos(z1)", 0),
        ("1+tanh(z1)", 1),
        ("1-tanh(z1)*erf(z2)", 1),
        ("exp(z1/(2+sin(z2)))+exp(-z1)", 1),
        ("1+(Min(erf(z1),2/(2+cos(z1))))^2", 1),
        ("z1*z2*sign(z1*z2)+1", 1),
        ("softplus(z1*z2)", 1),
        ("z1^2-z1+1", 1),
        ("z1^2-z1", 0),
        ("z1^2*tanh(z1)^2-2*z1^2*tanh(z1)+z1^2+1", 1),
        ("Max(z1,exp(z2))", 1),
        ("Min(z1,exp(z2))", 0),
        ("log(2+sin(z1))-2", -1),
        ("relu(z1)", 0),
        ("relu(z1)*relu(z2)", 0),
        ("(1+tanh(z1))*(1-erf(z2))", 1),
        ("z1^2-z1*z2+z2^2+1", 1),
        ("z1^2-3*z1*z2+z2^2+1", 0),
        ("-z1^2-z1*z2-z2^2-2*z1-1", 0),
        ("-z1^2-z1*z2-z2^2-z1-1", -1),
        ("1+z1^4+z1*z2+z2^2", 1),
        ("z1^2+tanh(z1)*z1+tanh(z1)^2+1", 1),
        ("z1^2+tanh(z1)-1", 0),
        ("1+z1*z2*exp(-z1^2-z2^2)", 1),
        ("3+z1*z2*exp(-z1^2)", 0),
        ("1+2*z1/(1+z1^2)", 0),
        ("1+z1/(1+z1^2)", 1),
        ("2+sin(z1)+cos(z1)", 1),
        ("2+sin(z1)+cos(z2)", 0),
        ("1+z1^4+z1*z2+z2^4", 1),
        ("1/8+z1^4+z1*z2+z2^4", 0),
        ("1/10+z1^4+z1*z2+z2^4", 0),
        ("1+z1^4+z2^4+z3^4+z1*z2*z3", 1),
        ("1+pi*z1*z2/2+z1^2+z2^2", 1),
        ("1+pi*z1*z2+z1^2+z2^2", 0),
        ("1-sqrt(2)*z1+z1^2", 1),
        ("z1^2-sqrt(z1^2+1)/3+19/9", 1),
        ("z1^2+z2^2-sqrt(z1^2+z2^2+1)+11/10", 1),
        ("z1^2+z2^2-sqrt(z1^2+z2^2+1)+9/10", 0),
        ("1+z1*z2/(1+z1^2+z2^2)", 1),
        ("1/3+z1*z2/(1+z1^2+z2^2)", 0),
    ],
)
def test_a_sign_that_holds_everywhere_is_seen(text, sign):
    assert range_of(parse(text)).sign == sign


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("(2+cos(z1))*(tanh(z2)-2)", -9, -1),
        ("sin(z1)*(3+cos(z2))", -4, 4),
        ("(1+tanh(z1))^3-4", -4, 4),
        ("sin(z1)^2-sin(z1)", -1 / 4, 2),
        ("1/(2+cos(z1))-1/(1+exp(z2))", -2 / 3, 1),
        ("tanh(z1)^2-2*tanh(z1)+2", 1, 5),
        ("3*sin(z1*z2)-4*cos(z1*z2)+tanh(z2)", -6, 6),
        ("z1/(1+z1^2)", -1 / 2, 1 / 2),
        ("(2*z1^2-z1)/(1+z1^2)", 1 - 5**0.5 / 2, 1 + 5**0.5 / 2),
        ("z1*z2^2*exp(-z1^2/2-z2^2)", -np.exp(-1.5), np.exp(-1.5)),
        ("1/(2+z1^2+z1*z2+z2^2-2*z1)", 0, 1 / (2 - 4 / 3)),
        ("(z1^2-z2^2)/(1+z1^2+z2^2)", -1, 1),
        ("z1*z2/(2+z1^2+z2^2)", -1 / 2, 1 / 2),
        ("2*z1/(1+z1^2+z2^4)-1", -2, 0),
    ],
)
def test_bounds_known_by_hand(text, low, high):
    found = range_of(parse(text))
    assert -float(found.lower.value) == pytest.approx(low, abs=1e-12)
    assert float(found.upper.value) == pytest.approx(high, abs=1e-12)


def random_text(rng, depth):
    if depth == 0:
        return rng.choice(["z1", "z2", "1", "2", "(1/2)", "(-3)"])
    a, b = random_text(rng, depth - 1), random_text(rng, depth - 1)
    form = rng.choice(
        ["({a})+({b})", "({a})-({b})", "({a})*({b})", "({a})^2", "({a})^3", "Max({a},{b})", "Min({a},{b})"]
        + [f"{f}({{a}})" for f in ("tanh", "erf", "sin", "cos", "abs", "sign", "relu", "softplus", "sigmoid")]
        + [
            "({a})/(1+({a})^2)",
            "({a})*exp(-({a})^2)",
            "({a})*({b})*exp(-({a})^2-({b})^2)",
            "sin({a})-2*cos({a})",
        ]
        + ["({a})^2-({a})*({b})+({b})^2", "z1^2*({b})+z2/(1+z2^4)", "z2^2*exp(-z1-z2^2/3)*({a})"]
        + ["1+z1^4+z2^4-({a})*({b})", "(z1*z2-({a}))/(2+z1^2+z2^4)", "({a})^2-sqrt(1+({a})^2)+({b})"]
        + ["exp(-({a})^2)", "cosh(tanh({a}))", "1/(1+({a})^2)", "log(1+({a})^2)", "sqrt(1+abs({a}))"]
    )
    return form.format(a=a, b=b)


def test_values_at_random_points_lie_in_the_range():
    rng, points = random.Random(5), np.random.default_rng(5).normal(scale=3, size=(2, 400))
    finite = 0
    for _ in range(140):
        u = parse(random_text(rng, 3))
        found = range_of(u)
        values = compiled(u, Z)(*points)
        slack = 1e-9 * (1 + np.abs(values))
        low, high = -float(found.lower.value), float(found.upper.value)
        assert np.all(values >= low - slack), u
        assert np.all(values <= high + slack), u
        finite += np.isfinite(low) or np.isfinite(high)
    assert finite > 50


@pytest.mark.parametrize(
    "text",
    ["1-tanh({})", "1-erf({})", "log(1+exp(-{}))", "1/(1+{}^4)", "exp({}^2-{}/(2+cos({})))", "1-tanh({})^2"],
)
def test_a_lower_bound_far_out_lies_below(text):
    u = parse(text.replace("{}", "z1"))
    bound = minorant(u.xreplace(dict.fromkeys(u.free_symbols, T)))
    start = float(bound.start)
    for t in np.linspace(start, start + 4, 9):
        value = float(u.subs({z: float(t) for z in u.free_symbols}).evalf(50))
        below = float(bound.c) * np.exp(sum(float(a) * t**j for j, a in bound.a.items()))
        assert 0 < below <= value * (1 + 1e-12)


def random_sum(rng):
    """Return c plus functions that come close to -c far out, or a power of z that outgrows them."""
    functions = [
        "tanh({})",
        "erf({})",
        "tanh({}^2)",
        "tanh(2*{})",
        "sin({})",
        "cos({})",
        "exp(-{}^2)",
        "tanh({})^2",
    ]
    f, g = rng.choice(functions).format("z1"), rng.choice(functions).format("z2")
    c, a = rng.choice([1, 2]), rng.choice(["", "-"])
    return rng.choice(
        [
            f"{c}+({a}1)*{f}*{g}",
            f"2+({a}1)*{f}-{g}",
            f"{c}+z1^{2 * c}/3+({a}2)*{f}-{f}",
            f"1+z2^2+({a}1)*{f}*{g}",
        ]
    )


def test_bounds_of_random_sums_hold_at_all_points_within_the_radius():
    rng, points = random.Random(7), np.random.default_rng(7).uniform(-9, 9, size=(2, 4000))
    known = 0
    for _ in range(120):
        u = parse(random_sum(rng))
        far_out = {Z[0]: T} if u.free_symbols == {Z[0]} else {}
        try:
            bound = minorant(u.xreplace(far_out))
        except UnboundedError:
            continue
        z = np.abs(points[:1]) if far_out else points
        t = np.maximum(np.abs(z).max(axis=0), max(1.0, float(bound.start)))
        below = np.log(float(bound.c)) + sum(float(a) * t**j for j, a in bound.a.items())
        inside = (np.abs(z).max(axis=0) >= float(bound.start)) | (not far_out)
        values = np.abs(compiled(u, Z)(*points if not far_out else (z[0], z[0])))
        # Values near 0 are rounded.
        assert np.all((values >= np.exp(below) - 1e-12) | ~inside), u
        known += 1
    assert known > 60


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1/(1+tanh(z1))", (1 + np.exp(2)) / 2),
        ("sqrt(1-tanh(z1)^2)", 0.741264274126),
        ("log(1+tanh(z1))", -0.374567207491),
        ("1/(exp(-z1^2-z1/(2+cos(z1)))+exp(z1^2+z1/(2+cos(z1))))", None),
        ("1/(1+silu(z1)^2)", None),
        ("1/(1+exp(relu(He(4,z1))))", None),
        ("log(1+He(5,z1+5)^2)", None),
        ("1/(3+sin(z1/cosh(4)+1))", None),
        ("1/(1+erf(z1)^2)", None),
        ("tan(z1/(1+z1^2))^2", None),
        ("log(2+sin(z1)-cos(z1))", None),
        ("log(2+(z1+1)*exp(-(z1+1)^2))", None),
        ("log(1+z1^2+tanh(z1))", None),
        ("1/(1+z1^4/3-tanh(2*z1)+sin(z1)*tanh(z1))", None),
        ("sqrt(z1^2-sqrt(z1^2+1)/3+19/9)", None),
    ],
)
def test_expectations_of_what_is_bounded_far_out(text, value):
    line = np.linspace(-12, 12, 480_001)
    density = np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi) * (line[1] - line[0])
    expected = compiled(parse(text), Z[:1])(line) @ density if value is None else value
    answer = expectation(text)
    assert abs(float(answer) - expected) <= answer.error + 1e-8


@pytest.mark.parametrize(
    "text",
    [
        "1/(1+tanh(z1)*tanh(z2))",
        "log(1-tanh(z1)^2*tanh(z2))",
        "1/(1+z1^4+z1*z2+z2^4)",
        "log(1+z1*z2/(1+z1^2+z2^2))",
        "1/(1+z1^2+z2^2+tanh(z1))",
    ],
)
def test_expectations_of_two_directions_that_come_close_to_a_pole(text):
    line = np.linspace(-12, 12, 2401)
    density = np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi) * (line[1] - line[0])
    expected = density @ compiled(parse(text), Z)(line[:, None], line) @ density
    answer = expectation(text)
    assert abs(float(answer) - expected) <= answer.error + 1e-9
