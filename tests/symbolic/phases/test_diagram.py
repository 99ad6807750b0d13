"""Phase diagrams: breakpoints, continuity, monotony, and the minimum over pairs by brute force."""

import re
from fractions import Fraction
from itertools import pairwise
from math import factorial

import numpy as np
import pytest
import sympy as sp
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from rebatch import RebatchError, Target, analyze, phase_diagram
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.overlap.activation import Activation
from rebatch.symbolic.phases.slopes import Slopes

F = Fraction


def look_ahead(target, activation=None, direction=0):
    pieces = phase_diagram(target, activation).directions[direction].look_ahead
    return [
        (
            p.lower,
            p.upper,
            p.time and (p.time.slope, p.time.intercept),
            p.term and (p.term.k, p.term.i),
            p.log,
        )
        for p in pieces
    ]


def test_the_third_hermite_polynomial_has_the_published_diagram():
    assert phase_diagram("He(3, z)").to_json() == {
        "directions": [
            {
                "direction": ["1"],
                "batch": [
                    {
                        "mu": ["0", "3/2"],
                        "step": ["-1", "3/2"],
                        "time": ["-1", "2"],
                        "samples": ["0", "2"],
                        "log": False,
                    },
                    {
                        "mu": ["3/2", "3"],
                        "step": ["0", "0"],
                        "time": ["0", "1/2"],
                        "samples": ["1", "1/2"],
                        "log": False,
                    },
                ],
                "look_ahead": [
                    {"r": [None, "-1/2"], "time": ["0", "2"], "term": [1, 3], "log": False},
                    {"r": ["-1/2", "0"], "time": ["-2", "1"], "term": [2, 2], "log": True},
                    {"r": ["0", "0"], "time": ["-4", "1"], "term": [3, 1], "log": False},
                ],
            }
        ]
    }


@pytest.mark.parametrize(
    ("target", "pieces"),
    [
        ("z", [(None, F(0), (0, 1), (1, 1), False)]),
        ("He(2, z)", [(None, F(0), (0, 1), (1, 2), True)]),
        ("He(4, z)", [(None, F(-1), (0, 3), (1, 4), False), (F(-1), F(0), (-2, 1), (2, 2), True)]),
        ("sign(z1*z2*z3)", [(None, F(0), (0, 2), (1, 3), False)]),
        ("z^2*exp(-z^2)", [(None, F(0), (0, 3), (1, 4), False)]),
    ],
)
def test_the_breakpoints_of_named_targets(target, pieces):
    assert look_ahead(target) == pieces


@pytest.mark.parametrize("n", [30, 64])
def test_high_orders_take_no_longer_than_low_ones(n):
    alone, beside = phase_diagram(f"He({n},z1)"), phase_diagram(f"He({n},z1)*z2 + He(3,z2)")
    for diagram in (alone, beside):
        found = {r: diagram.directions[-1].ahead(r) for r in (Fraction(1 - n, 2), Fraction(-1, 2))}
        assert [(p.term.k, p.term.i, str(p.time(r))) for r, p in found.items()] == [
            (1, n, str(n - 1)),
            (2, 2, "2"),
        ]


def test_a_target_that_no_label_power_helps_says_why_the_map_is_flat():
    (phases,) = phase_diagram("z^2*exp(-z^2)").directions
    # Every E[y^m He_2] is a difference of equal integrals: the generative exponent closes all powers at once.
    assert phases.look_ahead[0].open == ""
    assert phases.order == 4


def test_a_direction_found_after_another_waits_for_the_slower_of_both():
    pieces = look_ahead("z1 + He(3, z2)", direction=1)
    assert [p[2:] for p in pieces[:2]] == [((0, 2), (1, 3), False), ((-2, 1), (2, 2), True)]
    assert pieces[0][1] == F(-1, 2)
    assert look_ahead("tanh(z1) + He(3, z2)", direction=1)[:2] == pieces[:2]


@pytest.mark.parametrize(
    "target", ["z", "He(2, z)", "He(3, z)", "z1 + He(3, z2)", "z1*z2", "relu(z1) + relu(z2)"]
)
def test_single_samples_without_look_ahead_are_online_descent(target):
    at_mu_0_it_is_online_descent(target)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=5, max_size=5))
def test_random_polynomials_of_two_directions_have_the_laws_of_a_diagram(c):
    z1, z2 = coordinate(1), coordinate(2)
    assume(any(c))
    g = sum(x * m for x, m in zip(c, (z1, z2**2, z1 * z2, z1 * z2**2, z2**3 - 3 * z2), strict=True))
    for phases in at_mu_0_it_is_online_descent(g).directions:
        it_is_continuous_and_falls(phases)


def at_mu_0_it_is_online_descent(target):
    diagram, needs = phase_diagram(target), analyze(target).samples
    powers = [(p.batch[0].samples(F(0)), p.batch[0].log) for p in diagram.directions]
    assert powers[0] == (needs["online_sgd"].power, needs["online_sgd"].logarithm)
    assert max(powers) == (needs["online_sgd_all"].power, needs["online_sgd_all"].logarithm)
    for p in diagram.directions:
        assert p.look_ahead[0].time(p.look_ahead[0].upper) == p.batch[0].time(F(0))
    return diagram


@pytest.mark.parametrize(
    ("mu", "delta", "steps"), [(0, F(3, 2), 2), (1, F(1, 2), 1), ("3/2", 0, F(1, 2)), (2, 0, F(1, 2))]
)
def test_the_largest_stable_step_is_that_of_the_published_examples(mu, delta, steps):
    (phases,) = phase_diagram("He(3, z)").directions
    assert phases.steps(mu) == steps
    assert phases.stable(mu, delta)
    assert not phases.stable(mu, delta - F(1, 100))
    assert phases.steps(mu, delta - F(1, 100)) is None
    assert phases.steps(mu, delta + 1) == steps + 1


def he(n, x):
    return np.polynomial.hermite_e.hermeval(x, [0] * n + [1])


def by_brute_force(g, sigma, r):
    """Return (exponent, log) by numerical integration over a Gauss-Hermite rule that is exact for these degrees."""
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    y, slope = np.polyval(g[::-1], x), np.polyder(np.array(sigma[::-1], dtype=float))
    best = None
    for k in range(1, len(sigma)):
        last = np.polyval(np.polyder(np.array(sigma[::-1], dtype=float), k), x)
        for i in range(1, k * (len(g) - 1) + 1):
            label = w @ (y**k * np.polynomial.hermite_e.hermeval(x, [0] * i + [1]))
            size = w @ np.abs(y**k * np.polynomial.hermite_e.hermeval(x, [0] * i + [1]))
            own = (
                np.polyval(slope, x) ** (k - 1)
                * last
                * np.polynomial.hermite_e.hermeval(x, [0] * (i - 1) + [1])
            )
            # Integers of these degrees are exact to 1e-9 of the sum of sizes.
            if abs(label) > 1e-9 * size and abs(w @ own) > 1e-9 * (w @ np.abs(own)):
                cost = (-2 * (k - 1) * r + max(i - 1, 1), i == 2)
                best = cost if best is None or cost < best else best
    return best


coefficients = st.lists(st.integers(-2, 2), min_size=2, max_size=5)


@settings(max_examples=40, deadline=None)
@given(coefficients, coefficients, st.fractions(-3, 0, max_denominator=6))
def test_the_map_is_the_minimum_over_all_pairs(g, sigma, r):
    z, h = coordinate(1), Activation("h").expr
    target = sum(c * z**n for n, c in enumerate(g))
    activation = sum(c * h**n for n, c in enumerate(sigma))
    assume(any(g[1:]) and any(sigma[1:]))
    while not sigma[-1]:
        sigma = sigma[:-1]
    diagram = phase_diagram(Target(target), Activation(activation))
    piece = diagram.directions[0].ahead(r)
    expected = by_brute_force(g, sigma, r)
    assert (None if piece.time is None else (piece.time(r), piece.log)) == expected or (
        # At a breakpoint either of the lines that meet there is right, with its logarithm.
        piece.time is not None and r == piece.lower and piece.time(r) == expected[0]
    )


def number(words):
    """The value that a moment in words ends with."""
    return float(sp.sympify(words.rpartition("= ")[2]))


@settings(max_examples=12, deadline=None)
@given(
    coefficients,
    st.sampled_from(["h + h^2/2 - h^3", "h^2 - h^4/12", "sin", "exp(-h^2/2)"]),
    st.fractions(-2, 0, max_denominator=4),
)
def test_both_moments_of_a_term_and_the_sign_it_asks_of_rho_are_those_of_quadrature(g, activation, r):
    assume(any(g[1:]))
    h, z = Activation("h").expr, coordinate(1)
    sigma = Activation(activation)
    piece = phase_diagram(Target(sum(c * z**n for n, c in enumerate(g))), sigma).directions[0].ahead(r)
    assume(piece.term is not None)
    k, i = piece.term.k, piece.term.i
    x, w = np.polynomial.hermite_e.hermegauss(90)
    w = w / w.sum()
    y = np.polyval(g[::-1], x)
    first, last = (
        np.broadcast_to(sp.lambdify(h, sp.diff(sigma.expr, h, n), "numpy")(x), x.shape) for n in (1, k)
    )
    label = w @ (y**k * np.polynomial.hermite_e.hermeval(x, [0] * i + [1]))
    own = w @ (first ** (k - 1) * last * np.polynomial.hermite_e.hermeval(x, [0] * (i - 1) + [1]))
    # Six digits are printed of what is long.
    assert number(piece.term.label) == pytest.approx(label, rel=1e-5)
    assert number(piece.term.activation) == pytest.approx(own, rel=1e-5)
    asked = {1: "rho > 0", -1: "rho < 0"}[np.sign(label * own)] if k % 2 == i % 2 == 0 else ""
    assert piece.term.sign_in_words() == asked


@pytest.mark.parametrize("activation", ["tanh", "erf", "h^2/2", "-h^2/2"])
@pytest.mark.parametrize("target", ["He(4, z)", "cos(2*z) + 2*exp(-2)*z^2"])
def test_the_drift_of_a_small_look_ahead_leads_away_for_the_sign_that_is_said(target, activation):
    # E[F He_2(z) h], F = a y sigma'(h + rho a y sigma'(h)), beyond its value at rho = 0, for either a.
    x, w = np.polynomial.hermite_e.hermegauss(80)
    y, slope = Target(target)(x[:, None])[:, None], Activation(activation).derivative
    s = sp.lambdify(Activation("h").expr, slope, ["scipy", "numpy"])

    def drift(a, rho):
        return (w * he(2, x)) @ (a * y * s(x + rho * a * y * s(x))) @ (w * x)

    # The labels are up to 10^2 at the nodes that weigh.
    away = {rho > 0: max(drift(a, rho) - drift(a, 0) for a in (1, -1)) > 0 for rho in (1e-4, -1e-4)}
    told = phase_diagram(target, activation).directions[0].ahead("-1/100").term.sign_in_words()
    assert away == {True: told == "rho > 0", False: told == "rho < 0"}


def test_an_indefinite_form_finds_a_part_with_each_sign():
    diagram = phase_diagram("abs(z1) - z2^2/4", "tanh")
    assert {p.look_ahead[-1].term.sign_in_words() for p in diagram.directions} == {"each sign of rho in turn"}
    assert any("even k and i" in note for note in diagram.notes)


def test_the_sign_of_rho_is_said_wherever_the_diagram_is_shown():
    diagram = phase_diagram("He(4, z)", "tanh")
    assert diagram.to_json()["directions"][0]["look_ahead"][-1]["sign"] == "rho < 0"
    for shown in (str(diagram), diagram._repr_html_(), diagram.latex()):
        assert re.search(r"(?:rho|\\rho)\$? (?:<|&lt;) 0", shown), shown


@settings(max_examples=15, deadline=None)
@given(coefficients, st.sampled_from([None, "h + h^2 + h^3", "tanh"]))
def test_the_map_is_continuous_and_falls_with_r_and_mu(g, activation):
    assume(any(g[1:]))
    target = Target(sum(c * coordinate(1) ** n for n, c in enumerate(g)))
    it_is_continuous_and_falls(phase_diagram(target, activation).directions[0])


def it_is_continuous_and_falls(phases):
    for left, right in pairwise(phases.look_ahead):
        assert left.upper == right.lower
        if left.time is not None and right.time is not None:
            assert left.time(left.upper) == right.time(right.lower)
    assert phases.look_ahead[-1].upper == 0
    assert phases.look_ahead[0].lower is None
    assert all(p.time is None or p.time.slope <= 0 for p in phases.look_ahead)
    for left, right in pairwise(phases.batch):
        assert left.upper == right.lower
        for line in ("step", "time", "samples"):
            assert getattr(left, line)(left.upper) == getattr(right, line)(right.lower)
    assert all(p.time.slope <= 0 <= p.samples.slope for p in phases.batch)


@pytest.mark.parametrize(
    ("activation", "below", "above"), [("relu", 0, 1), ("leaky_relu", 0.01, 1), ("abs(h)", -1, 1)]
)
@pytest.mark.parametrize(("i", "power"), [(1, 1), (2, 2), (3, 1)])
def test_a_sample_crosses_the_kink_as_the_exact_law_says(activation, below, above, i, power):
    # E[y sigma'(h + c y sigma'(h)) He_i(z) He_(i-1)(h)], integrated over h by hand on either side of the kink.
    n = i - 1

    def mass(a, b):
        """Return the integral of phi He_n over (a, b)."""
        if n:
            return norm.pdf(a) * he(n - 1, a) - norm.pdf(b) * he(n - 1, b)
        return norm.cdf(b) - norm.cdf(a)

    def gained(z, c):
        y = he(3, z)
        to_below = mass(0, max(0, -c * above * y))
        to_above = mass(-max(0, c * below * y), 0)
        return norm.pdf(z) * he(i, z) * y * (above - below) * (to_above - to_below)

    roots = [-(3**0.5), 0, 3**0.5]

    def coefficient(c):
        return quad(gained, -12, 12, args=(c,), points=roots, limit=400, epsabs=1e-14)[0] / c**power

    slopes = Slopes(Activation(activation))
    k = power + 1
    label = slopes.kink.label(Target("He(3, z)").expr, k)
    expected = (
        float(slopes.moment(k, n))
        * quad(
            lambda z: norm.pdf(z) * he(i, z) * float(label.subs(coordinate(1), z)),
            -9,
            9,
            points=roots,
            limit=400,
        )[0]
    )
    # The next order in c, by Richardson extrapolation from three steps.
    c = 1e-3
    a, b, d = coefficient(c), coefficient(c / 2), coefficient(c / 4)
    limit = (8 * d - 6 * b + a) / 3
    assert limit == pytest.approx(expected, rel=1e-3, abs=1e-4)


def test_what_is_known_already_raises_the_order_of_the_moment_of_the_activation():
    # e2 is met by E[g He_1(z1) He_2(z2)]: beside it stands E[sigma' He_2] = E[sigma'''], not E[sigma' He_1].
    target = "z1 + z1*He(2, z2)"
    assert look_ahead(target, "h + h^3", direction=1)[0][2:4] == ((0, 1), (1, 2))
    assert look_ahead(target, "h + h^2", direction=1)[0][3] != (1, 2)


def test_relu_finds_by_crossing_what_its_taylor_series_does_not_have():
    (phases,) = phase_diagram("He(3, z)", "relu").directions
    assert phases.order is None  # E[relu'''] = 0: one pass never finds it
    assert phases.how is How.EXACT
    assert [(p.lower, p.upper, p.term.k, p.term.i, p.log) for p in phases.look_ahead] == [
        (None, 0, 2, 1, False)
    ]


@pytest.mark.parametrize(
    "activation", ["relu", "leaky_relu", "erf", "tanh", "gelu", "cos", "h^3+h", "h*tanh(h)"]
)
def test_the_parity_of_an_activation_leaves_out_only_moments_that_vanish(activation):
    slopes = Slopes(Activation(activation))
    for k in (1, 2, 3) if slopes.kink is None else (1,):
        parity = slopes.parity(k)
        if parity is None:
            continue
        for n in range(k == 1, 7):
            if (n + 1) % 2 != parity:
                # Exact, enclosed or numeric to some 1e-12.
                assert float(slopes.moment(k, n)) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("target", "activation", "pieces"),
    [
        ("sign(z1*z2)", "tanh", [(None, 0, None)]),
        ("tanh(z1)^2", "erf", [(None, 0, (2, 2))]),
        ("sign(z1*z2*z3)", "relu", [(None, 0, (2, 3))]),
        ("sign(z1*z2*z3)", "h^2", [(None, 0, None)]),
    ],
)
def test_orders_beyond_the_search_are_excluded_by_parity(target, activation, pieces):
    for phases in phase_diagram(target, activation).directions:
        assert (phases.order, phases.how) == (None, How.EXACT)
        found = [(p.lower, p.upper, p.term and (p.term.k, p.term.i)) for p in phases.look_ahead]
        assert found == pieces
        assert not any(p.open for p in phases.look_ahead)


def test_a_piece_is_open_where_the_search_ended():
    (phases,) = phase_diagram("He(5, z)", max_power=1).directions
    below, near = phases.look_ahead
    # (2, 1) might rule from where -2 r + 1 < 4 on.
    assert (below.time.intercept, below.upper) == (4, F(-3, 2))
    assert near.time is None
    assert "(2, 1)" in near.open
    # An activation without a second derivative has no pair beyond k = 1.
    assert phase_diagram("z", "h").directions[0].look_ahead[0].open == ""
    assert phase_diagram("He(2, z)", "h").directions[0].look_ahead[0].time is None


def test_the_moments_of_a_term_are_those_of_its_powers():
    term = phase_diagram("He(3, z)", "He(3, h)/6").directions[0].ahead("-1/4").term
    # E[He_3^2 He_2] by the product formula, s = 4: 3! 3! 2! / (1! 1! 2!).
    assert term.label.endswith(f"= {factorial(3) ** 2}")
    # E[(h^2 - 1)/2 h h] = (3 - 1)/2.
    assert term.activation == "E[sigma' sigma'' He1] = 1"


def test_it_prints_as_text_and_latex():
    diagram = phase_diagram("He(3, z)", "tanh")
    assert "d^(1 - 2 r) log d" in str(diagram)
    assert r"d^{1 - 2 r} \log d" in diagram.latex()
    rules = [r"\toprule", r"\midrule", r"\bottomrule"]
    assert [line for line in diagram.latex().splitlines()[1:-1] if r"\\" not in line] == rules


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: phase_diagram("z", max_power=0), "max_power"),
        (lambda: phase_diagram(Target("z", noise_std=1)), "noise_std"),
        (lambda: phase_diagram("He(3, z)").directions[0].steps(4), "mu"),
        (lambda: phase_diagram("He(3, z)").directions[0].ahead(1), "r <= 0"),
        (lambda: phase_diagram("z", "frob"), "unknown activation"),
        (lambda: phase_diagram(Target("z1*z2", inputs="boolean")), "gaussian"),
    ],
)
def test_what_is_not_allowed_is_refused(call, message):
    with pytest.raises(RebatchError, match=message):
        call()


def test_a_constant_has_no_directions():
    assert phase_diagram("1").to_json() == {"directions": []}
