import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, Target, overlap_series, two_step_overlap, two_step_verdict
from rebatch.symbolic.overlap import ALPHA, ETA, LAM
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
    leading = overlap_series(target, activation, 3, loss="correlation").leading(0, 0)
    if activation == "exp(h)" or activation is None or leading is not None:
        assert leading[0] == verdict.order == 3


def test_even_targets_have_no_series():
    assert overlap_series("He(2, z) - He(4, z)/3", None, 4).leading(0, 0) is None


def test_a_closed_form_is_what_its_decimals_say():
    # erf: sigma' = 2/sqrt(pi) e^{-h^2}, sigma''' = (8 h^2 - 4)/sqrt(pi) e^{-h^2}: one Gaussian integral, by hand
    # E[sigma'^2 sigma'''] = 4/pi^{3/2} E[(8 h^2 - 4) e^{-3 h^2}], variance 1/7 under the tilted law.
    by_hand = 4 / sp.pi ** sp.Rational(3, 2) * (sp.Rational(8, 7) - 4) / sp.sqrt(7)
    (_, coefficient) = overlap_series("He(3, z)", "erf", 3, loss="correlation").leading(0, 0)
    assert sp.simplify(coefficient - 162 * ALPHA * by_hand) == 0


def test_enclosed_moments_are_labelled():
    series = overlap_series("He(3, z)", "tanh", 3, loss="correlation")
    assert series.how == "enclosure"
    assert series.leading(0, 0)[0] == 3


def test_weight_decay_stands_in_the_series():
    assert overlap_series("z", "h", 2).coefficients[2][0, 0].has(LAM)


def test_a_reused_step_across_a_kink_has_no_series():
    for target in ("He(3, z) + z", "z"):
        with pytest.raises(RebatchError, match="no series"):
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
