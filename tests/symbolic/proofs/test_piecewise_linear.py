import pytest
import sympy as sp

from rebatch import analyze, generative_exponent, generative_leap
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.proofs.piecewise_linear import is_piecewise_linear


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("relu(z1) - 2*relu(z2)/3 + sqrt(2)*z3", True),
        ("Max(abs(z1) - 1, Min(z2, z3, 2), z1 + z2)", True),
        ("abs(relu(z1 - relu(z2 + 1)))", True),
        ("abs(z1)*abs(z2)", False),
        ("sign(z1)", False),
        ("abs(z1)^2", False),
        ("tanh(abs(z1))", False),
    ],
)
def test_what_is_made_of_linear_pieces_without_jumps_is_told_by_how_it_is_written(text, expected):
    g = parse(text)
    assert is_piecewise_linear(g) is expected
    if expected:  # along any line all second differences vanish but for a few: at most one kink each
        t = sp.Symbol("t")
        along = sp.lambdify(
            t,
            g.xreplace(
                {
                    z: sp.Rational(7, 10) ** i * t + sp.Rational(i, 9)
                    for i, z in enumerate(sorted(g.free_symbols, key=str))
                }
            ),
        )
        values = [along(x / 50) for x in range(-300, 301)]
        bent = [abs(a - 2 * b + c) > 1e-9 for a, b, c in zip(values, values[1:], values[2:], strict=False)]
        assert sum(bent) <= 12


def test_piecewise_linear_targets_are_decided_by_theorem_where_symmetry_hides_the_rest():
    # No search among contractions gets through it: five coordinates, kinks along three forms.
    leap = generative_leap("Min(z1, z2) + Max(z3, z4) + abs(z5)")
    assert (leap.value, leap.how, leap.upper) == (2, How.THEOREM, 2)
    assert "[DLB25]" in leap.witness
    assert leap.order_of((1, 1, 1, 1, 0)) == 1
    assert leap.order_of((0, 0, 0, 0, 1)) == 2


def test_jumps_and_bumps_are_not_certified():
    # Parity of three signs has leap 3, and z^2 exp(-z^2) leap 4.
    assert generative_leap("sign(z1*z2*z3)").value == 3
    assert generative_leap("z1^2*exp(-z1^2) + z2^2*exp(-z2^2)").value == 4


@pytest.mark.parametrize("text", ["He(4, z1)*He(4, z2)", "z1*z2*z3", "He(20, z1)*He(20, z2)*He(20, z3)"])
def test_polynomials_have_leap_two_even_if_the_powers_tried_do_not_show_it(text):
    leap = generative_leap(text, max_order=1)
    assert (leap.value, leap.how) == (2, How.THEOREM)
    assert "[DLB25]" in leap.witness
    exponent = generative_exponent(text)
    assert exponent.value == 2


def test_what_no_symmetry_hides_is_bounded_only():
    # E[g z] = 0 and no flip fixes g: with y alone the leap may be 1 or 2 (y^3 shows that it is 1).
    text = "He(3, z1) + He(3, z2)*z1^2 + He(3, z2)"
    leap = generative_leap(text, max_order=1)
    assert leap.lower == 1
    assert leap.upper <= 2
    assert generative_leap(text).value == 1


def test_the_analysis_prints_the_order_by_the_certificate():
    fates = {row[0]: row[-1] for row in analyze("Max(z1, z2) - Min(z3, z4)").fates()}
    assert fates["e1 + e2 - e3 - e4"] == "order 1"
    # It is (e1 + e2 - e3 - e4)/2, |e1 - e2|/2 and |e3 - e4|/2: three directions, of the four that are written.
    assert sorted(fates.values()) == ["order 1", "order 2", "order 2"]
