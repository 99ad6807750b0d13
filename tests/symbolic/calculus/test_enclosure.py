"""What falls apart into one direction each: the balls hold the truth, and tell what does not fall apart."""

import mpmath
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch.symbolic.calculus.enclosure import enclosed, separated
from rebatch.symbolic.calculus.normal_form import in_normal_form
from rebatch.symbolic.language.parse import parse
from rebatch.symbolic.language.symbols import coordinate

z1, z2 = coordinate(1), coordinate(2)
FUNCTIONS = {
    sp.tanh: mpmath.tanh,
    lambda x: sp.tanh(x) ** 2: lambda x: mpmath.tanh(x) ** 2,
    lambda x: sp.exp(-(x**4)): lambda x: mpmath.exp(-(x**4)),
    lambda x: sp.log(1 + x**2): lambda x: mpmath.log(1 + x**2),
}
FRAMES = (((1, 0), (0, 1)), ((1, 1), (1, -1)), ((3, 4), (4, -3)), ((1, 2), (-2, 1)))


def parts(text_or_expr, digits=15):
    """Return (number of terms that fall apart, whether something is left, the ball of those terms)."""

    def compute(reader):
        terms, rest = separated(reader, reader.element(expr), integrable=True)
        return len(terms), bool(rest.parts), enclosed(terms, reader.algebra.constant(0), digits)

    expr = parse(text_or_expr) if isinstance(text_or_expr, str) else text_or_expr
    return in_normal_form([z1, z2], compute)


def along(f, length, power):
    """E[f(length t) t^power] by quadrature."""
    with mpmath.workdps(25):
        return mpmath.quad(
            lambda t: f(length * t) * t**power * mpmath.npdf(t), [-12, -4, -1.5, -0.5, 0, 0.5, 1.5, 4, 12]
        )


@given(
    st.sampled_from(sorted(FUNCTIONS, key=str)),
    st.sampled_from(sorted(FUNCTIONS, key=str)),
    st.sampled_from(FRAMES),
    st.tuples(st.integers(0, 3), st.integers(0, 3)),
)
@settings(max_examples=12)
def test_a_product_over_orthogonal_directions_is_the_product_of_integrals(first, second, frame, powers):
    s, t = (a * z1 + b * z2 for a, b in frame)
    _, left, ball = parts(first(s) * second(t) * s ** powers[0] * t ** powers[1])
    length = mpmath.sqrt(sum(x * x for x in frame[0]))
    truth = length ** sum(powers)
    for f, power in zip((first, second), powers, strict=True):
        truth *= along(FUNCTIONS[f], length, power)
    assert not left
    assert abs(mpmath.mpf(ball.mid().str(30, radius=False)) - truth) < mpmath.mpf(10) ** -12 * (
        1 + abs(truth)
    )


@pytest.mark.parametrize("digits", [5, 30, 80])
def test_a_ball_is_as_narrow_as_asked_and_balls_meet(digits):
    _, _, ball = parts("tanh(z1)*tanh(2*z2)*z1*z2", digits)
    _, _, other = parts("tanh(z1)*tanh(2*z2)*z1*z2", 12)
    assert ball.rel_accuracy_bits() >= 3.32 * digits
    assert ball.overlaps(other)


def test_terms_whose_coefficients_cancel_are_left_out():
    assert parts("z1*tanh(z2)^2")[0] == 0
    assert parts("(z1^2-1)*tanh(z2)^2")[0] == 0
    assert parts("z1^2*tanh(z2)^2")[0] == 1


@pytest.mark.parametrize(
    "text", ["tanh(z1)*tanh(z1+z2)", "tanh(z1*z2)", "exp(-z1^2*z2^2)*tanh(z1)", "tanh(z1)*cos(z1^2*z2)"]
)
def test_what_couples_directions_is_left(text):
    terms, left, _ = parts(text)
    assert (terms, left) == (0, True)


def test_steps_cut_a_line_into_cells():
    # E[tanh(z) 1(z > 1/3)] and the rest add up to E[tanh z] = 0; each cell against quadrature.
    above, below = parts("heaviside(z1-1/3)*tanh(z1)")[2], parts("heaviside(1/3-z1)*tanh(z1)")[2]
    with mpmath.workdps(25):
        truth = mpmath.quad(lambda t: mpmath.tanh(t) * mpmath.npdf(t), [mpmath.mpf(1) / 3, 1, 2, 4, 8, 14])
    assert abs(mpmath.mpf(above.mid().str(30, radius=False)) - truth) < 1e-14
    assert (above + below).contains(0)
    assert not above.contains(0)
