"""The signals kernel against the plain NumPy formula of theory 1."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from rebatch.kernels.signals import signals

COEFFICIENTS = np.array([0.5, -1.0, 0.25, 0.125])

# kind -> (sigma, sigma'), in the order of the enum in kernels/activations.pxd
ACTIVATIONS = [
    (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
    (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    (
        np.polynomial.Polynomial(COEFFICIENTS),
        np.polynomial.Polynomial(COEFFICIENTS).deriv(),
    ),
]


def specification(h, y, a, kind, correlation):
    sigma, slope = ACTIVATIONS[kind]
    f = a @ sigma(h)
    r = y if correlation else y - f
    loss = -(y * f).sum() if correlation else (r**2).sum() / 2
    return a[:, None] * slope(h) * r, loss


@given(
    p=st.integers(1, 5),
    n=st.integers(1, 700),
    kind=st.integers(0, 3),
    correlation=st.booleans(),
    threads=st.integers(1, 2),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_kernel_is_the_formula(p, n, kind, correlation, threads, seed):
    rng = np.random.default_rng(seed)
    h, y, a = rng.standard_normal((p, n)), rng.standard_normal(n), rng.standard_normal(p)
    h[0, 0] = 0.0  # the kink of relu
    expected, expected_loss = specification(h, y, a, kind, correlation)
    out = np.empty_like(h)
    loss = signals(h, y, a, kind, COEFFICIENTS, correlation, out, np.empty(3), threads)
    # libm and NumPy may differ in the last bits of erf and tanh.
    np.testing.assert_allclose(out, expected, rtol=1e-12, atol=1e-14)
    assert loss == pytest.approx(expected_loss, rel=1e-12, abs=1e-12)


def test_the_signals_may_overwrite_the_fields():
    rng = np.random.default_rng(0)
    h, y, a = rng.standard_normal((2, 9)), rng.standard_normal(9), rng.standard_normal(2)
    out = np.empty_like(h)
    signals(h, y, a, 2, np.empty(0), False, out, np.empty(1), 1)
    signals(h, y, a, 2, np.empty(0), False, h, np.empty(1), 1)
    np.testing.assert_array_equal(h, out)
