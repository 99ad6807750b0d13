"""Powers of smooth steps, which are so many independent ones, against quadrature."""

from math import erf, exp, pi, sqrt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from rebatch import analyze, expectation
from rebatch.symbolic.exact.effort import effort
from rebatch.symbolic.exact.known import How


@given(
    st.integers(1, 3),
    st.integers(0, 3),
    st.integers(0, 4),
    st.sampled_from([(1, 0), (2, 1), (-1, 2)]),
)
@settings(max_examples=20)
def test_moments_of_powers_of_smooth_steps(m, n, power, line):
    # E[N(a z - b)^m N(z)^n z^power], N = (1 + erf)/2.
    a, b = line
    value = expectation(f"((1+erf({a}*z1-{b}))/2)^{m} * ((1+erf(z1))/2)^{n} * z1^{power}")

    def integrand(z):
        steps = ((1 + erf(a * z - b)) / 2) ** m * ((1 + erf(z)) / 2) ** n
        return steps * z**power * exp(-z * z / 2) / sqrt(2 * pi)

    assert value.how in (How.EXACT, How.ENCLOSURE)
    assert float(value) == pytest.approx(quad(integrand, -12, 12, epsabs=1e-13)[0], rel=1e-9, abs=1e-11)


def test_steps_that_are_alike_share_their_moments():
    # Without sharing the work grows like m!, and this is not answered at all.
    with effort(None) as work:
        answer = analyze("gelu(2*z1 + z3) + z1*z2", effort=None)
    assert answer.leap.how.is_proof
    assert work.spent < 20_000_000


def test_a_sign_that_is_one_almost_everywhere():
    assert expectation("sign(z1^2 + z2^2) * z1^2") == 1
    assert expectation("sign(-abs(z1*z2))") == -1
    assert analyze("sign(z1^2 + z2^2)*z3").directions.upper == 1
