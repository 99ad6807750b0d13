import pytest
import sympy as sp
from hypothesis import given, settings

from rebatch import overlap_series, two_step_overlap
from rebatch.symbolic.overlap.headline import headlines
from rebatch.symbolic.overlap.two_steps import ALPHA, ETA, LAM
from rebatch.verify.strategies import polynomial_targets

RICH = "h + h^2/2 + h^3/6"


def exact(target, **options):
    return headlines(*(two_step_overlap(target, RICH, reuse=reuse, **options) for reuse in (True, False)))


def test_reuse_carries_what_one_pass_never_sees():
    first, second = exact("z1 + He(3, z2)", loss="correlation")
    assert (first.reuse.power, first.one_pass.power, first.carried_by_reuse) == (1, 1, False)
    assert (second.reuse.power, second.one_pass.power, second.carried_by_reuse) == (3, None, True)
    # theory, 5.2 at q = 2.
    assert second.reuse.coefficients == (sp.Rational(1215, 2) * ALPHA,)
    assert str(second.one_pass) == "never"


@given(polynomial_targets(max_degree=4, max_coordinates=2, max_terms=3))
@settings(max_examples=15)
def test_the_headline_is_the_witness_order_where_it_must_be(target):
    rows = exact(target, loss="correlation")
    for row in rows:
        order = row.verdict.order
        if row.verdict.verdict == "hidden":
            assert row.reuse.power is row.one_pass.power is None
        elif row.verdict.witness and order <= 3:
            # sigma'^q sigma^(q+1) has mean > 0 up to q = 2; with E[y z] != 0 a direction may show earlier.
            has_mean = any(other.verdict.order == 1 for other in rows)
            assert row.reuse.power <= order if has_mean else row.reuse.power == order


@given(polynomial_targets(max_degree=3, max_coordinates=2, max_terms=3))
@settings(max_examples=10)
def test_series_and_formula_have_one_headline(target):
    both = (overlap_series(target, RICH, 3, reuse=reuse) for reuse in (True, False))
    for short, full in zip(headlines(*both), exact(target), strict=True):
        for name in ("reuse", "one_pass"):
            a, b = getattr(short, name), getattr(full, name)
            if b.power is not None and b.power <= 3:
                assert a.power == b.power
                assert [sp.expand(x - y) for x, y in zip(a.coefficients, b.coefficients, strict=True)] == [0]
            else:
                assert (a.power, str(a)) == (
                    None,
                    "never" if short.verdict.verdict == "hidden" else "beyond eta^3",
                )


def test_directions_that_are_not_rational_have_exact_coefficients():
    both = (
        overlap_series("sin(z1) + z2", None, 2, loss="correlation", reuse=reuse) for reuse in (True, False)
    )
    first, second = headlines(*both)
    assert first.reuse.power == 1
    # The second direction is orthogonal to E[y z]: its coefficient at eta vanishes exactly.
    assert second.reuse.power is None or second.reuse.power > 1


def test_the_headline_is_json_and_latex():
    first, second = exact("z1 + He(3, z2)", loss="correlation")
    assert second.to_json()["reuse"] == {"power": 3, "coefficients": ["1215*alpha/2"], "searched": None}
    assert second.to_json()["order"] == 3
    reuse, one_pass = second.equations()
    assert reuse.endswith(r"\frac{1215 \alpha \eta^{3}}{2} + O(\eta^{4})")
    assert one_pass.endswith("= 0")
    assert all(row.startswith("M^{2}") for row in first.equations())
    hidden = exact("z1 + z2^2", loss="correlation")[1]
    assert hidden.latex().endswith("= 0\n\\end{aligned}")


def small_step(formula, v, power):
    """M^2 v / eta^power at a tiny step size, alpha = 2, lam = 1/3: an independent way to a leading coefficient."""
    eta = sp.Rational(1, 10**12)
    values = {ETA: eta, ALPHA: sp.Integer(2), LAM: sp.Rational(1, 3)}
    for symbol, value in formula.scales:
        values[symbol] = value.xreplace(values).evalf(150)
    return [x.xreplace(values).evalf(60) / eta**power for x in formula.in_scales[1] * sp.Matrix(v)]


@pytest.mark.parametrize(
    ("target", "options"),
    [
        ("z1 + He(3, z2)", {"loss": "correlation"}),
        ("z1 + He(3, z2)", {}),
        ("z1*z2 + z1", {"neurons": 2, "readout": ["1/2", "-3/4"]}),
        ("z1 + He(2, z2)", {"start": [["1/4", "-1/2"]]}),
        ("z1*z2", {"start": [["0", "1/3"]], "loss": "correlation"}),
        ("z1*z2 + z1", {"start": [["1/4", "0"]], "start_Q": [["2"]]}),
    ],
)
@pytest.mark.parametrize("normalize", [True, False])
def test_the_headline_is_what_a_tiny_step_shows(target, options, normalize):
    formula = two_step_overlap(target, "h + h^2/2", normalize=normalize, **options)
    rows = headlines(formula, formula.one_pass)
    for row in rows:
        v = [int(x) for x in row.verdict.direction]
        for appearance, way in ((row.reuse, formula), (row.one_pass, formula.one_pass)):
            if appearance.power is None:
                assert max(map(abs, small_step(way, v, 8))) < 1
                continue
            expected = small_step(way, v, appearance.power)
            found = [c.subs({ALPHA: 2, LAM: sp.Rational(1, 3)}) for c in appearance.coefficients]
            # The next term is O(eta) = 1e-12 times constants of this problem.
            assert [float(x) for x in found] == pytest.approx(
                [float(x) for x in expected], rel=1e-9, abs=1e-9
            )


def test_what_the_start_has_appears_at_eta_0():
    formula = two_step_overlap("z1*z2 + z1", "h + h^2/2", start=[["1/4", "0"]])
    first, second = headlines(formula, formula.one_pass)
    assert (first.reuse.power, first.reuse.coefficients) == (0, (sp.Rational(1, 4),))
    assert str(first.reuse) == "1/4 (the start)"
    assert first.equations()[0].endswith(r"&= \frac{1}{4} + O(\eta)")
    # h^0 knows z1 already, and E[z1 z2 (h^0) z2] = 1/4: one step finds z2.
    assert (second.reuse.power, second.one_pass.power) == (1, 1)


@given(polynomial_targets(max_degree=3, max_coordinates=2, max_terms=2))
@settings(max_examples=8)
def test_normalised_rows_have_the_headline_of_plain_ones_from_an_orthogonal_start(target):
    # s = 1 + O(eta), and nothing of M^0 that a scale could change.
    for plain, scaled in zip(
        exact(target, loss="correlation"), exact(target, loss="correlation", normalize=True), strict=True
    ):
        for a, b in ((plain.reuse, scaled.reuse), (plain.one_pass, scaled.one_pass)):
            assert a.power == b.power
            assert [sp.expand(x - y) for x, y in zip(a.coefficients, b.coefficients, strict=True)] == [
                0 for _ in a.coefficients
            ]


def test_a_series_that_ends_early_proves_nothing_about_reuse():
    reuse = overlap_series("z1 + He(3, z2)", RICH, 3, loss="correlation")
    short = overlap_series("z1 + He(3, z2)", RICH, 2, loss="correlation", reuse=False)
    assert [row.carried_by_reuse for row in headlines(reuse, short)] == [False, False]
    assert [row.carried_by_reuse for row in headlines(reuse, reuse.one_pass)] == [False, True]


@pytest.mark.parametrize("loss", ["squared", "correlation"])
def test_an_even_target_never_appears(loss):
    assert [str(row.reuse) for row in exact("He(4, z1) + z1^2*z2^2", loss=loss)] == ["never", "never"]


def test_a_direction_hidden_by_symmetry_does_not_appear_by_rounding():
    # The moments of the label along z1 and z2 are equal, and known as floats that differ in their last digits.
    target = "tanh(z1 + z2 + z1*z2)"
    both = (overlap_series(target, "tanh", 2, reuse=reuse) for reuse in (True, False))
    learned, hidden = headlines(*both)
    assert (learned.reuse.power, hidden.reuse.power, hidden.one_pass.power) == (1, None, None)
