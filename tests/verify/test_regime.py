"""Online descent on batches and with look-ahead: its law, the size of its steps, and the times themselves."""

from fractions import Fraction
from math import factorial

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss, hermeval

from rebatch import Activation, RebatchError, phase_diagram, scaling
from rebatch.verify.protocol import protocol
from rebatch.verify.regime import Regime, activation_factor, regime

NODES, WEIGHTS = hermegauss(120)
WEIGHTS = WEIGHTS / WEIGHTS.sum()


def he(n, x):
    return hermeval(x, [0.0] * n + [1.0])


def drift(label, slope, a, rho, i):
    """q rho^(k-1) by quadrature: E[F He_i(z) He_(i-1)(h)] / (i-1)!, F = a y sigma'(h + rho a y sigma'(h))."""
    z, h = np.meshgrid(NODES, NODES, indexing="ij")
    F = a * label(z) * slope(h + rho * a * label(z) * slope(h))
    return WEIGHTS @ (F * he(i, z) * he(i - 1, h)) @ WEIGHTS / factorial(i - 1)


@pytest.mark.parametrize(
    ("target", "activation", "point", "steps", "pair"),
    [
        ("He(3, z)", None, Regime(), "d^2", (1, 3)),
        ("He(3, z)", "He(2, h)", Regime(rho0=1.0), "d log d", (2, 2)),
        ("He(3, z)", "He(2, h)", Regime(rho0=1.0, r=Fraction(-1, 4)), "d^(3/2) log d", (2, 2)),
        ("He(3, z)", "tanh", Regime(rho0=1.0), "d", (3, 1)),
        ("He(4, z)", "tanh", Regime(rho0=-1.0), "d log d", (2, 2)),
        ("sign(z1*z2*z3)", "tanh", Regime(rho0=1.0), "d^2", (1, 3)),
        ("He(3, z)", None, Regime(Fraction(1, 2)), "d^(3/2)", (1, 3)),
        ("He(3, z)", None, Regime(Fraction(2)), "d^(1/2)", (1, 3)),
        ("He(2, z)", None, Regime(Fraction(1, 2)), "d^(1/2) log d", (1, 2)),
        ("He(2, z)", None, Regime(Fraction(3, 2)), "log d", (1, 2)),
        ("z", None, Regime(Fraction(1, 2)), "d^(1/2)", (1, 1)),
    ],
)
def test_the_law_is_that_of_the_phase_diagram(target, activation, point, steps, pair):
    plan = protocol(target, activation, point=point)
    assert (plan.law.in_words(), (plan.law.k, plan.law.i)) == (steps, pair)
    # The time of the drift has the order of the law, beyond what its start and end at finite d change.
    large = [plan.drift_time(size) for size in (10**12, 10**16)]
    assert large[1] / large[0] == pytest.approx(
        plan.times_law([1e16])[0] / plan.times_law([1e12])[0], rel=0.1
    )


@pytest.mark.parametrize("mu", ["0", "1/3", "3/2", "2", "5/2"])
def test_batches_follow_the_map_of_batch_size(mu):
    (direction,) = phase_diagram("He(3, z)").directions
    assert protocol("He(3, z)", point=Regime(Fraction(mu))).law.exponent == direction.steps(mu)


def test_the_drift_of_a_small_look_ahead_is_its_leading_term():
    # sigma'' = 1, so that F = a y h + rho y^2 h has this term alone; by quadrature.
    plan = protocol("He(3, z)", "He(2, h)/2", point=Regime(rho0=0.3, r=Fraction(-1, 2)))
    expected = drift(lambda z: he(3, z), lambda h: h, plan.readout, 0.03, 2)
    assert plan.strength(100) == pytest.approx(expected, rel=1e-9)
    assert expected == pytest.approx(0.03 * 36, rel=1e-9)


@pytest.mark.parametrize(("rho", "i"), [(0.5, 1), (-0.5, 1)])
def test_the_drift_of_a_look_ahead_of_order_one_counts_every_power_of_the_label(rho, i):
    plan = protocol("He(3, z)", "tanh", point=Regime(rho0=rho))
    expected = drift(
        lambda z: he(3, z), lambda h: 1 / np.cosh(np.clip(h, -300, 300)) ** 2, plan.readout, rho, i
    )
    # Sobol points: a few per cent; the leading term alone is 25 times too large.
    assert plan.strength(100) == pytest.approx(abs(expected), rel=0.05)


def test_a_look_ahead_that_leads_back_is_refused_with_the_sign_that_does_not():
    with pytest.raises(RebatchError, match=r"leads back to 0 at this sign; allowed is -0\.5"):
        protocol("He(4, z)", "tanh", point=Regime(rho0=0.5))
    with pytest.raises(RebatchError, match="allowed are positive ones"):
        protocol("He(3, z)", "relu", point=Regime(rho0=-0.5))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (("-1", 0.0, 0), "batch = -1"),
        (("one", 0.0, 0), "batch = 'one'"),
        ((True, 0.0, 0), "batch = True"),
        (("1/0", 0.0, 0), "batch = '1/0'"),
        ((None, float("nan"), 0), "look_ahead = nan"),
        ((None, 0.5, "1/2"), "look_ahead_power = 1/2"),
        ((None, 0.0, "-1/2"), "without look_ahead"),
        (("1/2", 0.5, 0), "allowed is one of them"),
    ],
)
def test_what_is_no_point_of_the_diagram_is_refused(given, told):
    with pytest.raises(RebatchError, match=told):
        regime(*given)


def test_a_giant_batch_needs_no_measurement():
    with pytest.raises(RebatchError, match="one giant step is enough"):
        scaling("He(2, z)", batch=2)


@pytest.mark.parametrize(
    ("target", "options", "law"),
    [
        ("He(3, z)", {"look_ahead": 0.5}, "d"),
        ("He(2, z)", {"batch": "1/2"}, "d^(1/2) log d"),
        ("He(2, z)", {"batch": "3/2"}, "log d"),
    ],
)
def test_times_on_batches_and_with_look_ahead_follow_their_law(target, options, law):
    result = scaling(target, dimensions=[64, 144, 256], replicas=96, seed=1, **options)
    assert result.protocol.law.in_words() == law
    assert result.outcome == "consistent", str(result)
    assert "first quartile" in result.records()[0]


@pytest.mark.deep
@pytest.mark.parametrize(
    ("target", "activation", "options", "law"),
    [
        # On both sides of a breakpoint of look-ahead, and of batch size.
        ("sign(z1*z2)*z3", "tanh", {}, "d^2"),
        ("sign(z1*z2)*z3", "tanh", {"look_ahead": -0.5, "look_ahead_power": "-1/4"}, "d^(3/2) log d"),
        ("sign(z1*z2)*z3", "tanh", {"look_ahead": -0.5}, "d log d"),
        ("sign(z1*z2)*z3", "relu", {"look_ahead": 0.5}, "d log d"),
        # Powers of a label of two values bring nothing new: no gain.
        ("sign(z1*z2*z3)", "He(3, h)/6", {}, "d^2"),
        ("sign(z1*z2*z3)", "He(3, h)/6", {"look_ahead": 0.2}, "d^2"),
        ("He(4, z)", "tanh", {"look_ahead": -0.5}, "d log d"),
        ("He(3, z)", "He(2, h)/2", {"look_ahead": 0.2}, "d log d"),
        ("He(3, z)", None, {"batch": "1/2"}, "d^(3/2)"),
        ("He(3, z)", None, {"batch": 1}, "d"),
    ],
)
def test_times_agree_with_theory_on_both_sides_of_a_breakpoint(target, activation, options, law):
    result = scaling(
        target, activation, dimensions=[64, 128, 256], replicas=144, seed=2, false_alarm=1e-7, **options
    )
    assert result.protocol.law.in_words() == law
    assert result.agrees is not False, str(result)
    # The laws of the other side are excluded: the interval is narrower than their distance.
    assert result.fit.error < 0.12


def test_the_activation_has_the_factor_of_its_taylor_term():
    h = NODES
    t = np.tanh(h)
    # tanh' = 1 - t^2 and tanh''' = -2 (1 - t^2)(1 - 3 t^2); the term of rho^2 has 1/2!.
    expected = WEIGHTS @ ((1 - t**2) ** 2 * -2 * (1 - t**2) * (1 - 3 * t**2)) / 2
    assert float(activation_factor(Activation("tanh"), 3, 1)) == pytest.approx(expected, rel=1e-4)
