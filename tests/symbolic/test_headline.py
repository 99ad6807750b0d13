import pytest
import sympy as sp
from hypothesis import given, settings

from rebatch import overlap_series, two_step_overlap
from rebatch.symbolic.headline import headlines
from rebatch.symbolic.overlap import ALPHA
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
                assert (a.power, str(a)) == (None, "beyond eta^3")


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
    assert second.latex().endswith(r"\eta^{3} + O(\eta^{4})")
    assert first.latex().startswith("M^{2}")
    hidden = exact("z1 + z2^2", loss="correlation")[1]
    assert hidden.latex().endswith("= 0")


@pytest.mark.parametrize("loss", ["squared", "correlation"])
def test_an_even_target_never_appears(loss):
    assert [str(row.reuse) for row in exact("He(4, z1) + z1^2*z2^2", loss=loss)] == ["never", "never"]
