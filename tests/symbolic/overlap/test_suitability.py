from math import factorial

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from scipy.special import ndtr
from scipy.stats import norm

from rebatch import (
    RebatchError,
    Target,
    activation_check,
    expectation,
    overlap_series,
    two_step_overlap,
    which_activation,
)
from rebatch.symbolic.exact.irrational import as_expr
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.symbols import ACTIVATION_VARIABLE, hermite
from rebatch.symbolic.overlap.activation import NAMED
from rebatch.symbolic.overlap.hypothesis import paper_hypothesis
from rebatch.symbolic.overlap.kinks import kinks
from rebatch.symbolic.overlap.suitability import Activation, _moment
from rebatch.symbolic.overlap.two_steps import ALPHA, ETA, LAM
from rebatch.verify.strategies import polynomial_targets

RICH = "h + h^2/2 + h^3/6"
X, W = np.polynomial.hermite_e.hermegauss(80)
W = W / np.sqrt(2 * np.pi)


def only(target, activation, **options):
    (direction,) = activation_check(target, activation, **options).directions
    return direction


@given(polynomial_targets(max_degree=4, max_coordinates=2, max_terms=3))
@settings(max_examples=15)
def test_what_is_shown_stands_in_the_exact_formula_to_first_order_in_alpha(target):
    formula = two_step_overlap(target, RICH, loss="correlation")
    for shown in activation_check(target, RICH, 4).directions:
        v = sp.Matrix([as_expr(x) for x in shown.verdict.direction])
        along = sp.Poly(sp.expand((formula.M2 * v)[0].subs(LAM, 0)), ETA, ALPHA)
        if shown.outcome == "shown":
            found = along.coeff_monomial(ETA**shown.power * ALPHA)
            assert found != 0
            if shown.power == (m := shown.verdict.order):
                mu = sum(as_expr(x) * y for x, y in zip(shown.verdict.witness, v, strict=True))
                # M^1 is carried on by the second step: twice at m = 1.
                assert found == mu * shown.coefficient.value * (1 + (m == 1)) / factorial(m - 1)
            assert all(along.coeff_monomial(ETA**n * ALPHA) == 0 for n in range(shown.power))
        elif shown.outcome in ("hidden", "not shown"):
            assert along.is_zero


@pytest.mark.parametrize("name", ["erf", "sin", "gelu", "exp"])
def test_the_coefficient_is_that_of_quadrature(name):
    h = ACTIVATION_VARIABLE
    for m, target in ((1, "z1"), (3, "He(3, z1)")):
        shown = only(target, name)
        slope, last = (sp.lambdify(h, sp.diff(NAMED[name], h, n), "scipy") for n in (1, m))
        assert (shown.outcome, shown.power) == ("shown", m)
        assert float(shown.coefficient) == pytest.approx(W @ (slope(X) ** (m - 1) * last(X)), rel=1e-6)


def test_the_coefficient_is_the_factor_of_the_series():
    # theory, 5.2: alpha eta^3 / 2 E[y^3 z] E[sigma'^2 sigma'''], E[y^3 z] = 324 for He_3.
    shown = only("He(3, z1)", "erf")
    series = overlap_series("He(3, z1)", "erf", 3, loss="correlation", readout=[1])
    assert sp.simplify(series.coefficients[3][0, 0].coeff(ALPHA) - 162 * shown.coefficient.value) == 0


@pytest.mark.parametrize(
    ("activation", "pieces"),
    [
        ("relu", [(0, 0, 1)]),
        ("relu(h + 1/2) - relu(h - 1)", [(-0.5, 0, 1), (1, 1, 0)]),
        ("abs(h - 1)/2 - h", [(1, -1.5, -0.5)]),
    ],
)
def test_a_kink_shows_at_eta_squared_what_direct_integration_shows(activation, pieces):
    """Second signals of samples that their own first gradient moves, alpha -> 0: slopes are constant by pieces."""
    places, values = [c for c, _, _ in pieces], [pieces[0][1], *(right for _, _, right in pieces)]
    edges = np.array([-np.inf, *places, np.inf])
    z, eta = np.linspace(-9, 9, 20_001), 1e-5
    y = z**3 - 3 * z
    weight = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi) * (z[1] - z[0])
    shown = only("He(3, z1)", activation)
    assert (shown.outcome, shown.power) == ("shown", 2)
    for a, K in zip((1, -1), shown.kink, strict=True):
        mean = np.zeros_like(z)
        for i, s in enumerate(values):
            for j, other in enumerate(values):
                # h in piece i, and h + eta a s y in piece j.
                move = eta * a * s * y
                low = np.maximum(edges[i], edges[j] - move)
                mean += other * np.maximum(0, ndtr(np.minimum(edges[i + 1], edges[j + 1] - move)) - ndtr(low))
        # E[y z] = 0: only what the move changes is left.
        assert float(K) == pytest.approx(weight @ (mean * y * z) / eta, rel=1e-3)


def test_relu_shows_at_eta_squared_a_direction_whose_second_moment_vanishes():
    shown = only("He(3, z1)", "relu")
    assert shown.verdict.order == 3
    P = 72 * sp.exp(sp.Rational(-3, 2)) - 9  # sqrt(pi / 2) E[max(y, 0)^2 z]
    assert sp.simplify(shown.kink[0].value + P / sp.pi) == 0
    assert shown.how is How.EXACT


def test_half_moments_know_the_noise_of_the_label():
    # E[max(-y, 0)^2 | z] = (g^2 + s^2) Phi(-g / s) - g s phi(g / s) for y ~ N(g, s^2); K = phi(0) N for a > 0.
    noise = 0.5
    shown = only(Target("He(3, z1)", noise_std=noise), "relu")
    z = np.linspace(-9, 9, 20_001)
    g = z**3 - 3 * z
    below = (g**2 + noise**2) * ndtr(-g / noise) - g * noise * norm.pdf(g / noise)
    expected = norm.pdf(0) * (norm.pdf(z) * below * z).sum() * (z[1] - z[0])
    assert float(shown.kink[0]) == pytest.approx(expected, rel=1e-6)


def test_an_odd_activation_needs_an_odd_power_of_the_label():
    shown = activation_check("He(2, z1)*z2 + z1^2", "sin").directions[0]
    assert (shown.verdict.order, shown.power) == (2, 3)
    assert shown.coefficient.is_zero()
    assert "E[sigma' sigma''] = 0" in shown.reason
    with_bias = activation_check("He(2, z1)*z2 + z1^2", "sin(h + 1/2)").directions[0]
    assert (with_bias.outcome, with_bias.power) == ("shown", 2)


def test_what_vanishes_to_first_order_in_alpha_is_not_called_hidden():
    """E1 - e2 of this target has its witness at m = 3, and shows at eta^2 through E[y z] (theory, 5.2)."""
    second = activation_check("z1*z2^2 + z2^2 + z2", "h + h^2/2").directions[1]
    assert (second.outcome, second.searched) == ("vanishes", 8)
    formula = two_step_overlap("z1*z2^2 + z2^2 + z2", "h + h^2/2", loss="correlation")
    along = sp.expand((formula.M2 * sp.Matrix([as_expr(x) for x in second.verdict.direction]))[0])
    assert sp.Poly(along, ETA).coeff_monomial(ETA**2) != 0


@pytest.mark.parametrize("activation", ["cos", "quadratic", "h^4 - h^2", "abs(h)"])
def test_an_even_activation_shows_nothing(activation):
    (shown,) = activation_check("He(3, z1)", activation).directions
    assert (shown.outcome, shown.how) == ("not shown", How.EXACT)


def test_what_a_symmetry_hides_no_activation_shows():
    choice = which_activation("He(4, z1)")
    assert len(choice.checks) == len(NAMED)
    assert {d.outcome for check in choice.checks for d in check.directions} == {"hidden"}
    assert choice.best() == ()
    assert "no direction has a witness" in choice.answer()


def test_which_activation_to_take():
    names = ["relu", "leaky_relu", "erf", "gelu", "sin", "cubic", "linear", "quadratic", "cos", "exp"]
    choice = which_activation("He(3, z1)", names)
    best = choice.best()
    assert best[:2] == ("relu", "leaky_relu")
    assert {"erf", "gelu", "sin", "cubic"} <= set(best)
    assert not {"linear", "quadratic", "cos", "exp"} & set(best)
    assert choice.to_json()["best"] == list(best)
    assert [row[0] for row in choice.sheets()[0].rows] == names


@pytest.mark.parametrize(
    ("activation", "holds", "reason"),
    [
        ("exp", True, "holds"),
        ("exp(2*h)/3 + 1", True, "holds"),
        ("relu", False, "not analytic"),
        ("leaky_relu", False, "not analytic"),
        ("tanh", False, "sigma^(2)(0) = 0"),
        ("sigmoid", False, "sigma^(2)(0) = 0"),
        ("gelu", False, "sigma^(3)(0) = 0"),
        ("h + h^2/2 + h^3/6", False, "sigma^(4)(0) = 0"),
        ("cos", False, "E[sigma'] = 0, sigma^(1)(0) = 0"),
        ("exp(h) + h/2", None, "beyond j = 8"),
        # relu(h) - relu(-h) is h: what is written with kinks may have none.
        ("relu(h) - relu(-h) + exp(h)", None, "not decided: analytic"),
    ],
)
def test_the_hypothesis_of_the_paper_taken_literally(activation, holds, reason):
    hypothesis = paper_hypothesis(activation)
    assert hypothesis.holds is holds
    assert reason in hypothesis.reason()
    assert hypothesis.how is (How.UNDECIDED if holds is None else How.EXACT)


def triple(a, b, c):
    """E[He_a He_b He_c] (theory, 10)."""
    s, odd = divmod(a + b + c, 2)
    if odd or s < max(a, b, c):
        return 0
    below = factorial(s - a) * factorial(s - b) * factorial(s - c)
    return factorial(a) * factorial(b) * factorial(c) // below


def test_odd_hermite_polynomials_to_order_50_are_learned_with_their_own_activation():
    """E[He_j^3 z] and E[sigma'^2 sigma'''], sigma = He_1 + He_j, by triple products, are not 0."""
    z, h = Target("z1").coordinates[0], ACTIVATION_VARIABLE
    for j in range(3, 51, 2):
        # He_j z = He_(j+1) + j He_(j-1), and sigma' = 1 + j He_(j-1), sigma''' = j (j-1) (j-2) He_(j-3).
        label = triple(j, j, j + 1) + j * triple(j, j, j - 1)
        slope = j * (j - 1) * (j - 2)
        field = slope * (int(j == 3) + 2 * j * triple(0, j - 1, j - 3) + j**2 * triple(j - 1, j - 1, j - 3))
        assert label > 0
        assert field > 0
        if j in (3, 9, 21, 49):
            assert expectation(hermite(j, z) ** 3 * z).value == label
            assert _moment(Activation(h + hermite(j, h)), 3).value == field


@pytest.mark.parametrize("j", [3, 5, 9])
def test_an_odd_hermite_polynomial_shows_at_eta_cubed(j):
    shown = only(f"He({j}, z1)", f"h + He({j}, h)", max_order=3)
    assert (shown.outcome, shown.power, shown.how) == ("shown", 3, How.EXACT)


def test_places_of_kinks_and_what_has_none():
    assert [(k.at, k.left, k.right) for k in kinks(Activation("leaky_relu"))] == [(0, sp.Rational(1, 100), 1)]
    assert kinks(Activation("tanh")) == ()
    assert kinks(Activation("relu(h) - relu(-h)")) == ()
    assert kinks(Activation("sign(h)")) is None


def test_a_jump_of_the_activation_is_not_decided():
    assert only("z1", "sign(h)").outcome == "undecided"


def test_powers_of_what_outgrows_polynomials_are_formal():
    check = activation_check("He(3, z1)", "exp")
    assert check.formal
    assert "infinite" in str(check)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: activation_check("z1", "swish"), "unknown activation 'swish'"),
        (lambda: activation_check("z1", "relu", 0), "max_order = 0"),
        (lambda: activation_check(Target("z1*z2", inputs="boolean"), "relu"), "gaussian"),
        (lambda: which_activation("z1", "relu"), "allowed are sequences"),
    ],
)
def test_what_is_no_question_is_one_clear_line(call, message):
    with pytest.raises(RebatchError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)
