"""The compiled chain against the recursion of its docstring in NumPy: every size, loss and option."""

import numpy as np
import pytest
from scipy.special import erf

from rebatch.kernels.online import chain
from rebatch.kernels.signals import KINDS

STEPS, REPLICAS = 5, 2
ACTIVATIONS = {
    "erf": (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "relu": (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
}


def gradient(W, x, A, y, a, kind, correlation, joint):
    """Return sum_v g_j(v) x_v, shape (p, k + p + b); what is outside z and u jointly: R A, R R^T = g^T g."""
    sigma, slope = ACTIVATIONS[kind]
    h = x @ W[:, : x.shape[1]].T + (0 if joint else A @ W[:, x.shape[1] :].T)
    r = y - (0 if correlation else sigma(h) @ a)
    g = a * slope(h) * r[:, None]
    return np.hstack([g.T @ x, np.linalg.cholesky(g.T @ g) @ A if joint else g.T @ A])


def chain_in_numpy(z, u, A, y, a, kind, correlation, shrink, eta, rho, normalize, repeats, M, E, joint):
    """Return M and Q before every step; E is replaced by the root of E E^T + D D^T after each batch."""
    kept = []
    for batch in range(len(z)):
        x = np.hstack([z[batch], u[batch]])
        W = np.hstack([M, E, np.zeros((len(a), len(A[batch])))])
        seen = (x, A[batch], y[batch], a, kind, correlation, joint)

        for _ in range(repeats):
            kept.append((W[:, : M.shape[1]].copy(), W @ W.T))
            ahead = W + rho * gradient(W, *seen)
            W = shrink * W + eta * gradient(ahead, *seen)
            if normalize:
                W /= np.linalg.norm(W, axis=1, keepdims=True)
        M, rest = W[:, : M.shape[1]], W[:, M.shape[1] :]
        E = np.linalg.cholesky(rest @ rest.T)
    return [np.array(values) for values in zip(*kept, strict=True)]


@pytest.mark.parametrize(
    ("k", "p", "b", "repeats", "rho", "joint"),
    # Single samples of one or two neurons and up to three directions have their own loops.
    [
        (1, 1, 1, 1, 0.0, False),
        (1, 1, 1, 1, 0.02, False),
        (2, 1, 1, 1, 0.0, False),
        (3, 1, 1, 1, 0.02, False),
        (1, 2, 1, 1, -0.02, False),
        (2, 2, 1, 1, 0.02, False),
        (3, 2, 1, 1, 0.0, False),
        (1, 1, 1, 2, 0.0, False),
        (2, 3, 1, 1, 0.0, False),
        (1, 4, 2, 2, 0.01, False),
        (3, 2, 3, 1, -0.02, False),
        (2, 3, 7, 1, 0.0, True),
        (1, 1, 4, 1, 0.0, True),
    ],
)
@pytest.mark.parametrize("correlation", [True, False])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("kind", ACTIVATIONS)
def test_the_chain_of_every_replica_is_its_recursion(
    k, p, b, repeats, rho, joint, correlation, normalize, kind
):  # fmt: skip
    rng, shape = np.random.default_rng(0), (STEPS, REPLICAS, b)
    z, u = rng.standard_normal((*shape, k)), rng.standard_normal((*shape, p))
    rows = p if joint else b
    A = np.tril(rng.standard_normal((STEPS, REPLICAS, rows, rows))) + 5 * np.eye(rows)
    y, a = rng.standard_normal(shape), rng.standard_normal(p)
    M = 0.3 * rng.standard_normal((REPLICAS, p, k))
    E = np.tril(rng.standard_normal((REPLICAS, p, p))) + 2 * np.eye(p)
    expected = [
        chain_in_numpy(
            z[:, r], u[:, r], A[:, r], y[:, r], a, kind, correlation, 0.97, 0.05, rho, normalize, repeats, M[r], E[r],
            joint,
        )
        for r in range(REPLICAS)
    ]  # fmt: skip
    total = STEPS * repeats
    kept_M, kept_Q = np.empty((REPLICAS, total, p, k)), np.empty((REPLICAS, total, p, p))
    chain(
        z, u, A, y, a, KINDS[kind], np.empty(0), correlation, 0.97, 0.05, rho, normalize, repeats, joint, 0, total,
        -1.0,
        np.empty((0, k)), M.copy(), E.copy(), np.full(REPLICAS, -1), 1, kept_M, kept_Q, np.empty((REPLICAS, total)),
        np.empty((REPLICAS, p * (k + 3 * p + 3 * b) + b * p)),
    )  # fmt: skip
    for r in range(REPLICAS):
        # Rounding over a few steps.
        np.testing.assert_allclose(kept_M[r], expected[r][0], atol=1e-12)
        np.testing.assert_allclose(kept_Q[r], expected[r][1], atol=1e-12)
