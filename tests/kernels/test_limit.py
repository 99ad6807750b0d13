"""The kernels of the limit dynamics against plain NumPy, which is their specification (theory, 4)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from rebatch.kernels.limit import expected_loss, innovate, respond

COEFFICIENTS = np.array([0.5, -1.0, 0.25, 0.125])

# In the order of the enum in kernels/activations.pxd.
ACTIVATIONS = [
    (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
    (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    (np.polynomial.Polynomial(COEFFICIENTS), np.polynomial.Polynomial(COEFFICIENTS).deriv()),
]


@given(
    p=st.integers(1, 3),
    m=st.integers(1, 6),
    r=st.integers(0, 4),
    n=st.sampled_from([1, 7, 511, 512, 513, 1300]),  # around the chunks of 512
    kind=st.integers(0, 3),
    correlation=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_fields_signals_and_moments_are_the_formulas(p, m, r, n, kind, correlation, seed):
    rng = np.random.default_rng(seed)
    basis, gamma = rng.standard_normal((m + 1, n)), rng.standard_normal((r + p + 1, n))
    C, y, a = rng.standard_normal((p, m)), rng.standard_normal(n), rng.standard_normal(p)
    weights = rng.random(n)
    sigma, slope = ACTIVATIONS[kind]
    h = C @ basis[:m]
    f = a @ sigma(h)
    residual = y if correlation else y - f
    g = a[:, None] * slope(h) * residual
    loss = -(weights * y * f).sum() if correlation else (weights * residual**2).sum() / 2
    untouched = gamma[[*range(r), r + p]].copy()
    with_basis, with_gamma = np.ones((p, m)), np.ones((p, r + p))
    given_loss = respond(
        basis, gamma, m, r, C, y, weights, a, kind, COEFFICIENTS, correlation, with_basis, with_gamma
    )
    # Sums of up to 1300 terms of size up to 1e3, in another order.
    close = {"rtol": 1e-10, "atol": 1e-9}
    np.testing.assert_allclose(gamma[r : r + p], g, rtol=1e-11, atol=1e-11)
    np.testing.assert_array_equal(gamma[[*range(r), r + p]], untouched)
    np.testing.assert_allclose(with_basis, 1 + (weights * g) @ basis[:m].T, **close)
    np.testing.assert_allclose(with_gamma, 1 + (weights * g) @ np.vstack([gamma[:r], g]).T, **close)
    assert given_loss == pytest.approx(loss, rel=1e-10, abs=1e-9)
    alone = expected_loss(basis, m, C, y, weights, a, kind, COEFFICIENTS, correlation)
    assert alone == pytest.approx(loss, rel=1e-10, abs=1e-9)


@given(
    rank=st.integers(0, 3),
    p=st.integers(3, 4),
    r=st.integers(0, 4),
    n=st.sampled_from([1, 512, 700]),
    seed=st.integers(0, 2**32 - 1),
)
def test_innovations_are_a_transform_of_earlier_ones_and_signals(rank, p, r, n, seed):
    rng = np.random.default_rng(seed)
    m = 2
    basis, gamma = rng.standard_normal((m + rank + 1, n)), rng.standard_normal((r + p, n))
    A = rng.standard_normal((rank, r + p))
    new = A @ gamma
    images, earlier = basis.copy(), gamma[:r].copy()
    images[m : m + rank] += 0.7 * new
    innovate(basis, gamma, m, r, A, 0.7)
    # One product of at most 8 terms.
    np.testing.assert_allclose(gamma[r : r + rank], new, rtol=1e-12, atol=1e-12)
    np.testing.assert_array_equal(gamma[:r], earlier)
    np.testing.assert_allclose(basis, images, rtol=1e-12, atol=1e-12)
