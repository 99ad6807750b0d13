"""Identities of exponentials are seen, near identities are not; a direction that is not needed is taken away."""

import pytest
import sympy as sp
from flint import arb, fmpq

from rebatch import How, Target, analyze
from rebatch.symbolic.exact.effort import effort
from rebatch.symbolic.exact.expectation import Expectation
from rebatch.symbolic.exact.subspace import Subspace
from rebatch.symbolic.learnability.direction_verdict import DirectionVerdict
from rebatch.symbolic.proofs.exponentials import is_identity_of_exponentials, without_unneeded

IDENTITIES = [
    "tanh(2*z1)-2*tanh(z1)/(1+tanh(z1)^2)",
    "tanh(3*z1)-tanh(z1)*(3+tanh(z1)^2)/(1+3*tanh(z1)^2)",
    "sigmoid(z1)-(1+tanh(z1/2))/2",
    "sigmoid(z1)+sigmoid(-z1)-1",
    "cosh(2*z1)/cosh(z1)^2-1-tanh(z1)^2",
    "exp(2*z1)/(exp(z1)+1)-exp(z1)+exp(z1)/(exp(z1)+1)",
    "silu(z1)-silu(-z1)-z1",
    "tanh(2*(z1+z3))-2*tanh(z1+z3)/(1+tanh(z1+z3)^2)",
    "z1*tanh(z1^2/2)-z1*(exp(z1^2)-1)/(exp(z1^2)+1)",
]


@pytest.mark.parametrize("text", IDENTITIES)
def test_identities_are_seen_and_what_is_near_to_them_is_not(text):
    expr, (z1, *_) = Target(text).expr, Target("z1").coordinates
    assert is_identity_of_exponentials(expr)
    assert not is_identity_of_exponentials(expr + sp.tanh(z1) / 10**9)
    assert not is_identity_of_exponentials(expr.xreplace({z1: z1 * sp.Rational(10**9 + 1, 10**9)}))


@pytest.mark.parametrize("text", IDENTITIES[:4] + IDENTITIES[-2:])
def test_a_direction_that_an_identity_takes_away_is_not_there(text):
    with effort(1_000_000):
        analysis = analyze(f"{text}+He(3,z2)")
    assert str(analysis.directions) == "1"
    assert [(str(v.direction), v.verdict, v.how) for v in analysis.two_step] == [
        (str((0, 1, 0)[: analysis.target.k]), "learned", How.EXACT)
    ]
    assert analysis.leap.value == analysis.isotropic_leap.value == 3


def test_a_small_part_is_not_taken_away():
    plane = Subspace.span([[1, 0], [0, 1]], 2)
    for text in ("tanh(z1)/10^9+z2", "z1*tanh(z1)/10^12+tanh(z2)"):
        target = Target(text)
        assert without_unneeded(target, plane) is target


def test_a_part_of_a_witness_that_may_be_zero_is_shown_as_zero_with_its_error():
    parts = (Expectation.enclosed(arb(0, 1e-130)), Expectation.exact(1), Expectation.numeric(1e-12, 1e-11))
    verdict = DirectionVerdict((fmpq(0), fmpq(1), fmpq(0)), "learned", How.NUMERIC, order=1, witness=parts)
    assert verdict.reason() == "E[y z] = (0 +- 1e-130, 1, 0 +- 1e-11)"
