from fractions import Fraction

import numpy as np
import pytest
import sympy as sp
from flint import fmpq
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, Target
from rebatch.symbolic.exact.expectation import Expectation
from rebatch.symbolic.exact.irrational import Real
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.language.compiled import compiled
from rebatch.symbolic.language.symbols import ACTIVATION_VARIABLE
from rebatch.symbolic.overlap.activation import Activation
from rebatch.symbolic.overlap.drift import Drift, along_line, drift_along

ONE = (fmpq(1),)
X, W = np.polynomial.hermite_e.hermegauss(60)
W = W / np.sqrt(2 * np.pi)
NOTHING = Fraction(0)


def drift_of(*slopes, scale=1):
    """The drift with C'(x) = scale (slopes[0] + slopes[1] x + …)."""
    terms = [Expectation.exact(scale * sp.Rational(c) / (j + 1)) for j, c in enumerate(slopes)]
    return Drift(ONE, (Expectation.exact(0), *terms), Expectation.exact(0))


@pytest.mark.parametrize(
    ("target", "activation"),
    [("He(3, z)", "h + He(3, h)"), ("z^3 - z^2", "erf"), ("tanh(z)", "h + h^2 - h^3")],
)
def test_the_climbed_function_is_the_correlation_of_target_and_activation(target, activation):
    drift = drift_along(target, activation, ONE)
    sigma = compiled(Activation(activation).expr, (ACTIVATION_VARIABLE,))
    g = Target(target)(X[:, None])
    for m in (-0.7, 0.2, 0.9):
        h = m * X[:, None] + np.sqrt(1 - m**2) * X[None, :]
        expected = (W * g) @ (sigma(h) @ W)
        value = sum(float(c) * m**j for j, c in enumerate(drift.coefficients))
        assert value == pytest.approx(expected, abs=1e-6)


def test_what_is_left_out_of_a_series_is_within_its_bound():
    # Of relu and relu: C'(m) = (pi - arccos m) / (2 pi).
    drift = drift_along("relu(z)", "relu", ONE)
    bound, J = drift.rest.error, len(drift.coefficients) - 1
    assert not drift.complete
    for m in (0.5, 0.9, 0.99, 1.0):
        left_out = (np.pi - np.arccos(m)) / (2 * np.pi) - drift.slope(m)
        assert abs(left_out) <= bound * m**J + 1e-12
        assert abs(left_out) > bound * m**J / 100


@given(st.lists(st.integers(-6, 6), min_size=1, max_size=6), st.fractions(0, 1, max_denominator=50))
@settings(max_examples=60)
def test_the_sign_by_sturm_and_by_balls_is_that_of_every_point(slopes, low):
    x = np.linspace(float(low), 1, 2001)[1:-1]
    values = np.polynomial.polynomial.polyval(x, slopes)
    exact, balls = (drift_of(*slopes, scale=scale).decide(1, low, low) for scale in (1, sp.sqrt(2)))
    assert exact.positive is not None
    assert exact.how is How.EXACT
    if exact.positive:
        assert (values > 0).all()
    if (values < -1e-9).any():
        assert exact.positive is False
    assert balls.positive in (exact.positive, None)
    if low < 1 and values.min(initial=1) > 0.1:
        assert balls.positive is True
        assert balls.how is How.ENCLOSURE


def test_a_drift_that_touches_zero_stops_there():
    decision = drift_of(Fraction(1, 4), -1, 1).decide(1, NOTHING, NOTHING)
    assert (decision.positive, decision.how) == (False, How.EXACT)
    assert decision.stops == pytest.approx(0.5, abs=1e-3)


def test_a_zero_at_either_end_is_no_obstacle():
    assert drift_of(0, 0, 18).decide(1, NOTHING, NOTHING).positive
    assert drift_of(1, -1).decide(1, NOTHING, NOTHING).positive
    third = Fraction(1, 3)
    assert drift_of(-1, 3).decide(1, third, third).positive
    assert drift_of(-1, 3).decide(1, NOTHING, NOTHING).positive is False


def test_a_start_on_both_sides_of_a_zero_is_not_decided():
    assert drift_of(-1, 3).decide(1, Fraction(3, 10), Fraction(4, 10)).positive is None


def test_from_a_negative_start_the_mirrored_drift_decides():
    # C' = 1 + 2 x: from m_0 < 0 the overlap turns back at -1/2 unless it is beyond, where it goes to -1.
    drift = drift_of(1, 2)
    assert drift.decide(1, NOTHING, NOTHING).positive
    assert drift.decide(-1, NOTHING, NOTHING).positive is False
    assert drift.decide(-1, Fraction(3, 5), Fraction(3, 5)).positive


@pytest.mark.parametrize("j", [3, 5, 9])
def test_odd_hermite_polynomials_climb_with_their_own_activation(j):
    decision = drift_along(f"He({j}, z)", f"h + He({j}, h)", ONE).decide(1, NOTHING, NOTHING)
    assert (decision.positive, decision.how) == (True, How.EXACT)


def test_what_the_activation_lacks_does_not_drive():
    drift = drift_along("He(3, z)", "relu", ONE)
    decision = drift.decide(1, NOTHING, NOTHING)
    assert (drift.is_zero, decision.positive, decision.how) == (True, False, How.EXACT)


def test_a_jump_leaves_the_end_open():
    assert drift_along("sign(z)", "tanh", ONE).rest is None
    assert drift_along("sign(z)", "tanh", ONE).decide(1, NOTHING, NOTHING).positive is None


def test_along_one_of_several_directions_the_others_are_averaged():
    v = (fmpq(1), fmpq(1))
    drift = drift_along("(z1 + z2)^3 + z1*z2", "h + h^2 + h^3", v)
    # With t = (z1 + z2) / sqrt(2): g = 2 sqrt(2) t^3 + (t^2 - s^2) / 2, E over s.
    alone = drift_along(Target("2*sqrt(2)*z^3 + z^2/2"), "h + h^2 + h^3", ONE)
    assert [
        sp.simplify(a.value - b.value)
        for a, b in zip(drift.coefficients[1:], alone.coefficients[1:], strict=True)
    ] == [0] * 3
    line = along_line(Target("relu(z1 + z2)"), v)
    assert line(np.array([[2.0]])) == pytest.approx(2 * np.sqrt(2))


def test_a_direction_in_decimals_is_refused():
    direction = (Real(Expectation.numeric(0.5, 1e-9)), fmpq(1))
    with pytest.raises(RebatchError, match="decimals"):
        drift_along("z1 + He(3, z2)", "erf", direction)
