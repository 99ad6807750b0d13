from math import prod

import numpy as np
import pytest
from flint import fmpq
from scipy.special import eval_hermitenorm

from rebatch import Target
from rebatch.symbolic.proofs.averages import Averages, wick


def vector(*entries):
    return tuple(fmpq(x) for x in entries)


def test_orthogonal_wick_products_are_products_of_scaled_hermite_polynomials():
    # :(b.z)^n: = |b|^n He_n(b.z / |b|); rounding only.
    a, b = vector(3, 4), vector(4, -3)
    z = np.random.default_rng(0).standard_normal((20, 2))
    found = sum(
        int(w.p) / int(w.q) * prod(eval_hermitenorm(n, z[:, i]) for i, n in enumerate(S))
        for S, w in wick(((a, 2), (b, 3)), 2).items()
    )
    along = eval_hermitenorm(2, z @ [3, 4] / 5) * eval_hermitenorm(3, z @ [4, -3] / 5) * 5.0**5
    assert np.allclose(found, along, rtol=1e-10)


def test_what_a_symmetry_cancels_is_proved_to_be_zero():
    averages = Averages(Target("tanh(z1) + tanh(z2)"))
    difference = averages.coefficient(1, ((vector(1, -1), 1),))
    assert (difference.zero, difference.proved) == (True, True)


def test_floats_are_never_called_proofs():
    averages = Averages(Target("tanh(z1*z2 + z1)"))
    c = averages.coefficient(1, ((vector(1, 0), 1),))
    assert (c.zero, c.proved) == (False, False)


def test_a_power_without_expectation_shows_nothing():
    averages = Averages(Target("exp(z1^2/5)"))
    assert not averages.coefficient(1, ((vector(1), 2),)).zero
    c = averages.coefficient(3, ((vector(1), 2),))
    assert (c.zero, c.proved) == (True, False)


@pytest.mark.parametrize("text", ["relu(z1 + 2*z2)", "tanh(z1 + 2*z2) + (z1 + 2*z2)^2"])
def test_directions_are_those_of_the_linear_forms(text):
    (direction,) = Averages(Target(text)).directions
    assert direction[1] / direction[0] == 2
