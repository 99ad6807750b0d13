"""The inner loops of every engine: compiled where an activation has a kernel, NumPy for functions of one's own.

Each has the name, the arguments and the meaning of the kernel in :mod:`rebatch.kernels`; only `kind` may be functions
instead of a number (:func:`kind_of`). With the functions sigma and sigma' the signals are
g_j = a_j sigma'(h_j) r (theory, 1), and all that follows is linear in them: it runs on the kernels where one serves.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..kernels import gradient as gradients
from ..kernels import limit, online
from ..kernels import signals as kernel
from ..symbolic.language.called import Called
from ..symbolic.language.compiled import compiled
from ..symbolic.language.symbols import ACTIVATION_VARIABLE
from ..symbolic.overlap.activation import Activation
from .setting import semidefinite_cholesky

Array = NDArray[np.float64]
Kind = int | Called

# sigma(h) = h, whose signal under the correlation loss is the label: so a kernel sums what is given as labels.
_IDENTITY = np.array([0.0, 1.0])
# What `hit` of the online chain says of a replica that goes on, and what a divergence at step s is written as.
_RUNNING, _DIVERGED_AT = -1, -3
# As in the chain's kernel: overlaps beyond it have diverged.
_DIVERGED = 1e6


def kind_of(activation: Activation) -> Kind:
    """Return the number of the kernel of an activation, or the user's functions."""
    if isinstance(activation.formula, Called):
        return activation.formula
    assert activation.kernel is not None
    return int(kernel.KINDS[activation.kernel])


def sigma_of(activation: Activation) -> Callable[[Array], Array]:
    """Return sigma as a function of arrays of any shape; a constant may come as a scalar."""
    called = activation.formula
    if isinstance(called, Called):
        return lambda h: called(np.ravel(h)).reshape(np.shape(h))
    return compiled(activation.expr, (ACTIVATION_VARIABLE,))


def signals(
    h: Array, y: Array, a: Array, kind: Kind, coefficients: Array, correlation: bool, out: Array, losses: Array,
    threads: int,
) -> float:  # fmt: skip
    """Write the signals of fields h, shape (p, n), into `out`; return the summed loss."""
    if not isinstance(kind, Called):
        return float(kernel.signals(h, y, a, kind, coefficients, correlation, out, losses, threads))
    g, loss = _signals(kind, h, y, a, correlation=correlation)
    out[...] = g
    return float(loss.sum())


def gradient(
    X: NDArray[Any], order: NDArray[np.intp], y: Array, W: NDArray[Any], a: Array, kind: Kind, coefficients: Array,
    correlation: bool, parts: NDArray[Any], out: Array, threads: int,
) -> float:  # fmt: skip
    """Write sum_v x_v g_j(v)/sqrt(d) over the rows `order` into `out`; return the summed loss."""
    if not isinstance(kind, Called):
        return float(
            gradients.gradient(X, order, y, W, a, kind, coefficients, correlation, parts, out, threads)
        )
    # X is read p + 1 times: for the fields, and for each neuron.
    h = np.empty((len(order), len(W)))
    gradients.fields(X, order, W, h, threads)
    g, loss = _signals(kind, np.ascontiguousarray(h.T), y[order], a, correlation=correlation)
    one, kind_of_identity = np.ones(1), int(kernel.KINDS["polynomial"])
    room = parts.reshape(-1)[: len(parts) * W.shape[1]].reshape(len(parts), 1, W.shape[1])
    for j in range(len(W)):
        # A sample that comes twice has the same signal both times.
        labels = np.zeros(len(X))
        labels[order] = g[j]
        gradients.gradient(
            X, order, labels, W[j : j + 1], one, kind_of_identity, _IDENTITY, True, room, out[j : j + 1], threads
        )  # fmt: skip
    return float(loss.sum())


def respond(
    basis: Array, gamma: Array, m: int, r: int, C: Array, y: Array, weights: Array, a: Array, kind: Kind,
    coefficients: Array, correlation: bool, with_basis: Array, with_gamma: Array,
) -> float:  # fmt: skip
    """Write the signals at h = C basis into rows r … r + p of `gamma`; add up their moments; return the loss."""
    if not isinstance(kind, Called):
        return float(
            limit.respond(
                basis, gamma, m, r, C, y, weights, a, kind, coefficients, correlation, with_basis, with_gamma
            )
        )
    g, loss = _signals(kind, C @ basis[:m], y, a, correlation=correlation)
    gamma[r : r + len(a)] = g
    weighted = g * weights
    with_basis += weighted @ basis[:m].T
    with_gamma += weighted @ gamma[: r + len(a)].T
    return float(weights @ loss)


def expected_loss(
    basis: Array, m: int, C: Array, y: Array, weights: Array, a: Array, kind: Kind,
    coefficients: Array, correlation: bool,
) -> float:  # fmt: skip
    """Return the loss at the fields h = C basis."""
    if not isinstance(kind, Called):
        return float(limit.expected_loss(basis, m, C, y, weights, a, kind, coefficients, correlation))
    return float(weights @ _signals(kind, C @ basis[:m], y, a, correlation=correlation)[1])


def chain(
    z: Array, u: Array, A: Array, y: Array, a: Array, kind: Kind, coefficients: Array, correlation: bool,
    shrink: float, eta: float, rho: float, normalize: bool, repeats: int, joint: bool, first: int, last: int,
    stop: float, along: Array, M: Array, E: Array, hit: NDArray[np.int64], every: int, kept_M: Array, kept_Q: Array,
    kept_loss: Array, scratch: Array,
) -> None:  # fmt: skip
    """Advance the overlap chain of replicas through batches; see the kernel. All replicas take a step at once."""
    if not isinstance(kind, Called):
        online.chain(
            z, u, A, y, a, kind, coefficients, correlation, shrink, eta, rho, normalize, repeats, joint, first, last,
            stop, along, M, E, hit, every, kept_M, kept_Q, kept_loss, scratch,
        )  # fmt: skip
        return
    row, step, k = 0, first, M.shape[2]
    for t in range(len(z)):
        x = np.concatenate([z[t], u[t]] if joint else [z[t], u[t], A[t]], axis=-1)
        W = np.concatenate([M, E, np.zeros((*E.shape[:2], A.shape[-1]))], axis=-1)
        began = hit == _RUNNING
        for _ in range(min(repeats, last - step)):
            running = hit == _RUNNING
            moved, loss = _chain_step(
                kind, W, x, A[t] if joint else None, y[t], a, shrink, eta, rho,
                correlation=correlation, normalize=normalize,
            )  # fmt: skip
            if step % every == 0:
                kept_M[:, row], kept_Q[:, row] = W[..., :k], W @ W.transpose(0, 2, 1)
                kept_loss[:, row] = np.where(running, loss, np.nan)
                row += 1
            W = np.where(running[:, None, None], moved, W)
            _mark(hit, running, W[..., :k], step, stop, along)
            step += 1
        M[...] = W[..., :k]
        root = np.linalg.qr(np.nan_to_num(W[..., k:]).transpose(0, 2, 1))[1].transpose(0, 2, 1)
        signs = np.sign(np.diagonal(root, axis1=1, axis2=2))
        E[...] = np.where(began[:, None, None], root * np.where(signs == 0, 1.0, signs)[:, None, :], E)


def _chain_step(
    kind: Called, W: Array, x: Array, joint: Array | None, y: Array, a: Array, shrink: float, eta: float, rho: float,
    *, correlation: bool, normalize: bool,
) -> tuple[Array, Array]:  # fmt: skip
    """Return the weights, shape (R, p, k + p + b), of every replica after a step, and its loss per sample before.

    Jointly p vectors outside are given, shape (R, p, p), and the weights have shape (R, p, k + p + p).
    """

    def response(at: Array) -> tuple[Array, Array]:
        h = at[..., : x.shape[2]] @ x.transpose(0, 2, 1)
        R, p, b = h.shape
        flat = h.transpose(1, 0, 2).reshape(p, R * b)
        g, loss = _signals(kind, flat, y.ravel(), a, correlation=correlation)
        g = g.reshape(p, R, b).transpose(1, 0, 2)
        G = g @ x
        if joint is not None:
            roots = np.array([semidefinite_cholesky(gram) for gram in g @ g.transpose(0, 2, 1)])
            G = np.concatenate([G, roots @ joint], axis=-1)
        return G, loss.reshape(R, b).mean(axis=1)

    with np.errstate(all="ignore"):
        G, loss = response(W)
        if rho:
            G = response(W + rho * G)[0]
        moved = shrink * W + eta * G
        if normalize:
            moved /= np.linalg.norm(moved, axis=-1, keepdims=True)
    return moved, loss


def _mark(
    hit: NDArray[np.int64], running: NDArray[np.bool_], M: Array, step: int, stop: float, along: Array
) -> None:
    """Write down which replicas have diverged, or have come to the overlap at which they stop."""
    with np.errstate(all="ignore"):
        length = np.linalg.norm(M, axis=-1).max(axis=-1)
        there = np.linalg.norm(M @ along.T, axis=-1).max(axis=-1, initial=0.0) > stop
    diverged = running & ~(length <= _DIVERGED)
    hit[diverged] = _DIVERGED_AT - step
    if stop >= 0:
        hit[running & ~diverged & there] = step + 1


def _signals(kind: Called, h: Array, y: Array, a: Array, *, correlation: bool) -> tuple[Array, Array]:
    """Return the signals of fields h, shape (p, n), and the loss of each sample."""
    flat = np.ravel(h)
    with np.errstate(all="ignore"):
        f = a @ kind(flat).reshape(h.shape)
        r = y if correlation else y - f
        loss = -y * f if correlation else r**2 / 2
        return a[:, None] * kind(flat, 1).reshape(h.shape) * r, loss
