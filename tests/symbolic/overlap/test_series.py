import re

import mpmath
import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import (
    Activation,
    DivergentError,
    RebatchError,
    Target,
    expectation,
    overlap_series,
    two_step_overlap,
    two_step_verdict,
)
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.overlap.headline import headlines
from rebatch.symbolic.overlap.two_steps import ALPHA, ETA, LAM, by_power
from rebatch.verify.strategies import polynomial_targets

RICH = "h + h^2/2 + h^3/6"


def assert_series_of(formula, series):
    for n, matrix in enumerate(series.coefficients):
        expected = sp.expand(formula.M2).applyfunc(lambda x: sp.expand(x).coeff(ETA, n))  # noqa: B023
        assert (matrix - expected).applyfunc(sp.expand) == sp.zeros(*matrix.shape)


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize(
    ("target", "activation", "neurons", "readout", "order"),
    [
        ("He(3, z)", RICH, 1, None, 5),
        ("z1 + He(3, z2)", RICH, 1, None, 3),
        ("z1 + He(2, z2)", "h + h^2/2", 2, None, 4),
        ("z1*z2", "h + h^2/2", 2, "symbolic", 3),
        (Target("z1 + He(2, z1)", noise_std=0.5), "h + h^2/2", 1, [0.5], 4),
    ],
)
def test_the_series_is_the_exact_formula_coefficient_by_coefficient(
    target, activation, neurons, readout, order, loss, reuse
):
    options = {"neurons": neurons, "readout": readout, "loss": loss, "reuse": reuse}
    series = overlap_series(target, activation, order, **options)
    assert_series_of(two_step_overlap(target, activation, **options), series)
    assert series.how == "exact"


@given(polynomial_targets(max_degree=3, max_coordinates=2, max_terms=2), st.booleans())
@settings(max_examples=15)
def test_the_series_is_the_exact_formula_for_any_polynomial(target, reuse):
    series = overlap_series(target, "h + h^2/2", 4, reuse=reuse)
    assert_series_of(two_step_overlap(target, "h + h^2/2", reuse=reuse), series)


def test_the_universal_formula_names_the_moment_of_theory():
    # 5.2 at q = 2: alpha eta^3 / 2 E[y^3 z] E[sigma'^2 sigma''']
    series = overlap_series("He(3, z)", None, 3, loss="correlation")
    order, coefficient = series.leading(0, 0)
    assert order == 3
    assert coefficient == 162 * ALPHA * sp.Symbol("E[sigma'^2 sigma''']", real=True)


@pytest.mark.parametrize("activation", [None, "erf", "tanh", "exp(h)", "sin(h)"])
@pytest.mark.parametrize("target", ["He(3, z)", "He(5, z)"])
def test_the_leading_power_is_the_witness_order_where_the_label_has_no_first_moment(target, activation):
    (verdict,) = two_step_verdict(target)
    order, coefficient = overlap_series(target, activation, 3, loss="correlation").leading(0, 0)
    assert order == verdict.order == 3
    assert coefficient != 0


def test_decimals_keep_the_digits_of_their_moments_in_json():
    # (alpha eta^3 / 2) E[y^3 z] E[sigma'^2 sigma'''] with E[y^3 z] = 324, by quadrature with 40 digits.
    with mpmath.workdps(40):

        def integrand(h):
            slope, value = mpmath.sech(h) ** 2, mpmath.tanh(h)
            return slope**2 * 2 * slope * (3 * value**2 - 1) * mpmath.npdf(h)

        truth = 162 * mpmath.quad(integrand, [-12, -6, -3, -1, 0, 1, 3, 6, 12])
        series = overlap_series("He(3, z)", "tanh", 3, loss="correlation")
        ((shown,),) = series.to_json()["coefficients"][3]
        assert abs(mpmath.mpf(shown.removesuffix("*alpha")) / truth - 1) < mpmath.mpf(10) ** -20


def test_a_cancellation_by_parts_is_seen_among_decimals():
    # E[z^3 tanh z] = 2 E[z tanh z] + 1 - E[z^2 tanh^2 z]: both directions have the first moment E[z tanh z].
    series = overlap_series(
        "tanh(z1) + z2^2*tanh(z2) + z2*tanh(z2)^2 - tanh(z2) - z2", RICH, 2, loss="correlation"
    )
    first, second = series.in_numbers(series.in_moments[1])
    assert first.free_symbols == second.free_symbols == {ALPHA}
    assert abs(float(first / second) - 1) < 1e-12
    # What cancels to its errors decides nothing: the powers end before it, and nothing of it is shown.
    assert [entry for column in series.powers_along(sp.Matrix([1, -1])) for entry in column] == [0]
    assert [column[0] == 0 for column in series.powers_along(sp.Matrix([1, -2]))][:2] == [True, False]


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize(("target", "neurons", "order"), [("z1 + He(2, z1)", 1, 4), ("He(3, z)", 2, 3)])
def test_the_universal_formula_holds_for_each_activation(target, neurons, order, loss):
    universal = overlap_series(target, None, order, neurons=neurons, loss=loss)
    names = set().union(*(m.free_symbols for m in universal.coefficients)) - {ALPHA, LAM}
    assert not any("h" in str(name) for name in names)
    for activation in (RICH, "h - h^2/3", "sin(h)"):
        sigma, h = Activation(activation).expr, sp.Symbol("h", real=True)
        values = {}
        for name in names:
            integrand = sp.Integer(1)
            for factor in str(name)[2:-1].split():
                order_of, power = re.fullmatch(r"sigma('*|\^\(\d+\))(?:\^(\d+))?", factor).groups()
                n = order_of.count("'") or int(re.sub(r"\D", "", order_of) or 0)
                integrand *= sp.diff(sigma, h, n) ** int(power or 1)
            values[name] = expectation(integrand.xreplace({h: coordinate(1)})).value
        direct = overlap_series(target, activation, order, neurons=neurons, loss=loss)
        for a, b in zip(universal.coefficients, direct.coefficients, strict=True):
            assert (a.xreplace(values) - b).applyfunc(lambda x: sp.simplify(sp.expand(x))).is_zero_matrix


def test_even_targets_have_no_series():
    assert overlap_series("He(2, z) - He(4, z)/3", None, 4).leading(0, 0) is None


def test_a_closed_form_is_what_its_decimals_say():
    # erf: sigma' = 2/sqrt(pi) e^{-h^2}, sigma''' = (8 h^2 - 4)/sqrt(pi) e^{-h^2}: one Gaussian integral, by hand
    # E[sigma'^2 sigma'''] = 4/pi^{3/2} E[(8 h^2 - 4) e^{-3 h^2}], variance 1/7 under the tilted law.
    by_hand = 4 / sp.pi ** sp.Rational(3, 2) * (sp.Rational(8, 7) - 4) / sp.sqrt(7)
    (_, coefficient) = overlap_series("He(3, z)", "erf", 3, loss="correlation").leading(0, 0)
    assert sp.simplify(coefficient - 162 * ALPHA * by_hand) == 0


@pytest.mark.parametrize(
    ("activation", "name"),
    [("sigmoid", "E[h sigma']"), ("softplus", "E[h sigma'']"), ("silu", "E[h sigma'']")],
)
def test_an_even_derivative_makes_odd_moments_vanish(activation, name):
    # sigmoid' and softplus'' are even: these moments are 0, which an enclosure alone cannot prove.
    series = overlap_series("abs(z1) + z2", activation, 2)
    assert name not in series.to_json()["moments"]
    # That of the next parity is there, and is not 0.
    assert series.order == 2
    assert series.leading(0, 1)[0] == 1


def test_a_series_ends_before_an_infinite_moment():
    # y^2 contains exp(z^2 / 2): only the terms with one y are finite.
    series = overlap_series("exp(z1^2/4) + z1", "h + h^2/2", loss="correlation")
    assert series.order == 1
    assert "infinite" in series.stopped
    assert series.leading(0, 0) == (1, 2 * ALPHA)
    with pytest.raises(DivergentError):
        overlap_series("exp(z1^2/4) + z1", "h + h^2/2", 2, loss="correlation")


def test_moments_that_may_be_0_are_refused():
    # y = z2 g - dg/dz2, g = tanh(u): E[y z1] = 0 by parts, which no symmetry shows and no float proves.
    u = "(z1 + z2^2 + z1*z2)"
    with pytest.raises(RebatchError, match="may be 0"):
        overlap_series(f"z2*tanh{u} - (2*z2 + z1)*(1 - tanh{u}^2)", "h", 1)


def test_enclosed_moments_are_labelled():
    series = overlap_series("He(3, z)", "tanh", 3, loss="correlation")
    assert series.how == "enclosure"
    assert series.leading(0, 0)[0] == 3


def test_decimals_that_cancel_leave_exactly_nothing():
    # E[y z] = (1/3, 1): the coefficient of M^2 (3, -1) at eta is a decimal times 1/3 * 3 - 1.
    series = overlap_series("z1/3 + z2", "tanh", 2)
    first, second = series.powers_along(sp.Matrix([3, -1])), series.powers_along(sp.Matrix([1, 3]))
    assert [column[0] for column in first] == [0, 0, 0]
    assert [column[0] != 0 for column in second] == [False, True, True]


def test_targets_known_as_numbers_have_a_series_labelled_numeric():
    series = overlap_series("tanh(z1 + He(3, z2))", "h + h^2/2", 2, loss="correlation")
    assert series.how == "numeric"
    # M^2 = 2 alpha eta E[y z] + …, E[y z1] by Gauss-Hermite in both coordinates.
    x, w = np.polynomial.hermite_e.hermegauss(120)
    z1, z2 = np.meshgrid(x, x, indexing="ij")
    weights = np.outer(w, w) / w.sum() ** 2
    expected = 2 * (weights * np.tanh(z1 + z2**3 - 3 * z2) * z1).sum()
    # The rule's own error in the steep direction.
    assert float(series.coefficients[1][0, 0] / ALPHA) == pytest.approx(expected, abs=2e-3)
    assert series.to_json()["moments"]["E[y z1]"]["how"] == "numeric"


@pytest.mark.parametrize(
    ("target", "order"),
    [("z", 2), ("He(3, z)", 3), ("z1 + He(3, z2)", 3), ("He(2, z)", 2), ("sin(z1) + z2", 3)],
)
@pytest.mark.parametrize("activation", [None, "erf"])
def test_by_default_every_witness_has_its_power(target, order, activation):
    series = overlap_series(target, activation, loss="correlation")
    assert (series.order, series.stopped) == (order, "")
    for row in headlines(series, series.one_pass):
        if row.verdict.witness:
            assert row.reuse.power <= row.verdict.order
        else:
            assert row.reuse.power is None


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize(
    ("target", "activation", "order"),
    [("z1 + He(3, z2)", RICH, 4), ("He(2, z) + z/3", "h + h^2/2", 5)],
)
def test_the_gain_is_that_of_the_exact_formula(target, activation, order, loss):
    gain = two_step_overlap(target, activation, loss=loss).gain()
    series = overlap_series(target, activation, order, loss=loss).gain()
    for j, r in np.ndindex(gain.shape):
        exact = sum(c * ETA**n for n, c in by_power(gain[j, r]) if n <= order)
        assert sp.expand(series[j, r] - exact) == 0
    assert any(series)
    assert not any(overlap_series(target, activation, order, loss=loss, reuse=False).gain())


def test_latex_begins_with_the_leading_term_and_writes_moments():
    latex = overlap_series("He(3, z)", None, 4, loss="correlation").latex()
    assert (
        r"162 \mathbb{E}\left[\left(\sigma'\right)^{2} \sigma" + "'" * 3 + r"\right] \alpha \eta^{3}" in latex
    )
    assert latex.index(r"\eta^{3}") < latex.index(r"\eta^{4}")
    assert r"\sigma^{(4)}" in latex
    *_, last = two_step_overlap("z1 + He(3, z2)", RICH).equations()
    powers = [int(n) for n in re.findall(r"\\eta\^\{(\d+)\}", last)]
    assert powers
    assert powers == sorted(powers)


def test_json_says_what_the_series_is_of():
    data = overlap_series("z1", "tanh", 2, neurons=2).to_json()
    assert data["readout"] == ["sqrt(2)/2", "-sqrt(2)/2"]
    assert (data["order"], data["stopped"], data["how"], data["reuse"]) == (2, "", "enclosure", True)
    assert data["moments"]["E[sigma']"]["how"] == "enclosure"


def test_weight_decay_stands_in_the_series():
    assert overlap_series("z", "h", 2).coefficients[2][0, 0].has(LAM)


def test_a_reused_step_across_a_kink_has_no_series():
    for target in ("He(3, z) + z", "z"):
        with pytest.raises(RebatchError, match="not defined"):
            overlap_series(target, "relu", 2)
        series = overlap_series(target, "relu")
        assert series.order == 1
        assert "delta at 0" in series.stopped
    with pytest.raises(RebatchError, match="no integral of functions"):
        overlap_series("z", "leaky_relu", 2)
    one_pass = overlap_series("z + He(2, z)", "relu", 2, loss="correlation", reuse=False)
    assert one_pass.coefficients[1][0, 0] == ALPHA


@pytest.mark.parametrize("order", [0, 9, 1.5, True])
def test_orders_out_of_range_are_refused(order):
    with pytest.raises(RebatchError, match="order"):
        overlap_series("z", "h", order)


def test_a_series_is_formal_where_the_activation_outgrows_polynomials():
    # E[z^2 exp(eta a e^h z)] over z is (1 + c^2) exp(c^2 / 2) at c = eta a e^h: infinite over h.
    assert overlap_series("z1", "exp(h)", 2, loss="correlation").formal
    assert "Formal" in str(overlap_series("z1", "exp(h)", 2, loss="correlation"))
    assert not overlap_series("z1", "exp(h)", 2, loss="correlation", reuse=False).formal
    for activation in ("erf", "softplus", "h^3", "cos", "gelu", None):
        assert not overlap_series("z1", activation, 2, loss="correlation").formal
