"""The drift of online descent from no overlap on any inputs is that of the Gaussian target that stands for it."""

from itertools import product
from math import factorial

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermeval

from rebatch import RebatchError, Target, hermite_series
from rebatch.symbolic.language.law import law
from rebatch.symbolic.learnability.exponents import information_exponent
from rebatch.symbolic.learnability.leading_order import leading_order

SIZE = 1e-3


def drift(target, n, M):
    """E[y z_i sigma'(M.z + (1 - |M|^2)^(1/2) u)] of sigma = He_n/n!, by going through all values of z."""
    part = law(target.inputs.name)
    mean, variance = float(part.mean), float(part.variance)
    points = list(product([(float(a), float(p)) for a, p in part.atoms], repeat=target.k))
    written = np.array([[a for a, _ in point] for point in points])
    weights = np.array([np.prod([p for _, p in point]) for point in points])
    z, r = (written - mean) / np.sqrt(variance), np.linalg.norm(M)
    # The mean of He_m(a + (1 - r^2)^(1/2) u) over a normal u is r^m He_m(a/r).
    slope = r ** (n - 1) * hermeval(z @ M / r, [0] * (n - 1) + [1]) / factorial(n - 1)
    return (weights * target(written) * slope) @ z


@pytest.mark.parametrize(
    ("text", "inputs"),
    [
        ("z1*z2*z3", "boolean"),
        ("2*z1*z2 - z2*z3 + z1*z2*z3", "boolean"),
        ("z1*z2*z3 + 1", "boolean"),
        ("z1^3*z2 + z2*z3", "uniform(-1, 0, 1)"),
        ("z1^2 - 2/3 + z2*z3", "uniform(-1, 0, 1)"),
        ("(z1 + 1/2)*(z2 + 1/2)*(z3 + 1/2)", "biased(1/4)"),
        ("z2^3 + z1*z3 + 1", "biased(1/3)"),
        ("(z1^2 + 2/3*z1 - 1)*(z2 + 1/3) + z1*z2", "finite(1: 1/3, -1: 2/3)"),
    ],
)
def test_the_drift_of_a_sample_is_that_of_the_gaussian_target(text, inputs):
    target = Target(text, k=3, inputs=inputs)
    n = information_exponent(target).value
    twin, used, factor = leading_order(target, n)
    M = SIZE * np.array([0.5, -0.7, 0.4])
    terms = hermite_series(twin, n).coefficients.items()
    expected = np.zeros(3)
    for S, c in terms:
        whole = dict(zip(used, S, strict=True))
        for i, m in whole.items():
            rest = np.prod([M[j] ** (order - (i == j)) for j, order in whole.items() if order - (i == j) > 0])
            if m:
                expected[i] += factor * float(c) * m / np.prod([factorial(order) for order in S]) * rest
    found = drift(target, n, M)
    # What is along M is taken out by the normalisation of the rows; the next order is SIZE times smaller.
    along = M / np.linalg.norm(M)
    rest = [v - (v @ along) * along for v in (found, expected)]
    np.testing.assert_allclose(rest[0], rest[1], atol=30 * SIZE * np.linalg.norm(expected))
    assert np.linalg.norm(rest[1]) > 0.1 * np.linalg.norm(expected)


@pytest.mark.parametrize(
    ("text", "inputs", "says"),
    [
        ("z1*z2*z3*z4 + 1", "boolean", "E[y] is not 0, and drifts at order 3"),
        ("(z1 + 1/2)*(z2 + 1/2)*(z3 + 1/2) + 1", "biased(1/4)", "drifts at order 2"),
        ("z1 + z2", ["boolean", "biased(1/4)"], "coordinates of one deviation"),
        ("+".join(f"z{i}" for i in range(1, 14)), "boolean", "13 coordinates of order 1; allowed are 12"),
    ],
)
def test_what_has_no_gaussian_target_is_refused(text, inputs, says):
    target = Target(text, inputs=inputs)
    with pytest.raises(RebatchError) as refused:
        leading_order(target, information_exponent(target).value)
    assert says in str(refused.value)
