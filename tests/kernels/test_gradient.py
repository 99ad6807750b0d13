"""The fused gradient kernel against the plain NumPy formula of theory 1, and itself on other threads."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import erf

from rebatch.kernels.gradient import fields, gradient

COEFFICIENTS = np.array([0.5, -1.0, 0.25, 0.125])
ACTIVATIONS = [
    (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
    (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    (np.polynomial.Polynomial(COEFFICIENTS), np.polynomial.Polynomial(COEFFICIENTS).deriv()),
]


def specification(X, y, W, a, kind, correlation):
    sigma, slope = ACTIVATIONS[kind]
    X, W = X.astype(np.float64), W.astype(np.float64)
    scale = 1 / np.sqrt(X.shape[1])
    h = X @ W.T * scale
    f = sigma(h) @ a
    r = y if correlation else y - f
    loss = -(y * f).sum() if correlation else (r**2).sum() / 2
    return (a * slope(h) * r[:, None]).T @ X * scale, loss


def run(X, order, y, W, a, kind, correlation, parts, threads):
    out = np.empty(W.shape)
    scratch = np.empty((parts, *W.shape), dtype=W.dtype)
    return out, gradient(X, order, y, W, a, kind, COEFFICIENTS, correlation, scratch, out, threads)


@given(
    n=st.integers(1, 70),
    d=st.integers(1, 80) | st.integers(1020, 1030) | st.integers(2040, 2060),
    p=st.integers(1, 17),
    dtype=st.sampled_from([np.float32, np.float64]),
    kind=st.integers(0, 3),
    correlation=st.booleans(),
    parts=st.integers(1, 5),
    stride=st.integers(1, 3),
    offset=st.integers(0, 3),
    seed=st.integers(0, 2**32 - 1),
)
def test_the_kernel_is_the_formula_for_any_number_of_threads(
    n, d, p, dtype, kind, correlation, parts, stride, offset, seed
):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n * stride, d + offset)).astype(dtype)[::stride, offset:]
    W, y, a = rng.standard_normal((p, d)).astype(dtype), rng.standard_normal(n), rng.standard_normal(p)
    order = rng.permutation(n)[: max(1, n - 2)]
    one, two = (run(X, order, y, W, a, kind, correlation, parts, threads) for threads in (1, 2))
    np.testing.assert_array_equal(one[0], two[0])
    assert one[1] == two[1]
    h = np.empty((len(order), p))
    fields(X, order, W, h, 2)
    eps = float(np.finfo(dtype).eps)
    # Sums of up to 2060 products of size 1: a few hundred roundings, times what the activation makes of them.
    np.testing.assert_allclose(
        h, X[order].astype(float) @ W.T.astype(float) / np.sqrt(d), rtol=100 * eps, atol=500 * eps
    )
    # relu's kink decides by a sign: keep clear of fields that rounding could flip.
    if kind or (np.abs(h) > 500 * eps).all():
        expected, loss = specification(X[order], y[order], W, a, kind, correlation)
        size = np.abs(expected).max() + np.abs(a).max() * n + 1
        np.testing.assert_allclose(one[0], expected, rtol=1000 * eps, atol=2000 * eps * size)
        assert one[1] == pytest.approx(loss, rel=2000 * eps, abs=2000 * eps * size)


def test_rows_that_are_not_contiguous_are_refused():
    X = np.asfortranarray(np.ones((4, 3)))
    with pytest.raises(ValueError, match="contiguous"):
        run(X, np.arange(4), np.ones(4), np.ones((1, 3)), np.ones(1), 0, False, 1, 1)
