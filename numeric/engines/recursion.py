"""The recursion of the limit on one set of samples, step by step (theory, 4).

A run holds the coefficients of the weights on the d side and the sampled fields on the n side; a batch is what the
steps on the same samples share: the innovations, and the fields that they carry.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from ...kernels.limit import expected_loss, innovate, respond
from ...kernels.signals import KINDS
from ..integration import Block, Samples
from ..machine.blocks import Array
from ..setting import Setting
from .descent import diverged, divergence, interruption

# A signal whose part outside the earlier innovations is this small against it is dependent on them.
_DEPENDENT = 1e-6
# A signal this small against label and readout is rounding.
_NEGLIGIBLE = 1e-14
DIMENSIONS = {
    "M": ("step", "neuron", "direction"),
    "Q": ("step", "neuron", "other"),
    "training_loss": ("step",),
    "test_loss": ("step",),
    "noise_covariance": ("step", "earlier", "neuron", "other"),
    "response_kernel": ("step", "earlier", "neuron", "other"),
    "effective_regularisation": ("step", "neuron", "other"),
}


def longest_reuse(setting: Setting, last: int) -> int:
    """Return the most steps that one batch has behind it at a step up to `last`."""
    longest = now = 0
    for t in range(1, last + 1):
        now = 0 if setting.draws(t) else now + 1
        longest = max(longest, now)
    return longest


@dataclass(frozen=True)
class Finished:
    """Every quantity at the steps that a run has, and why it has no more; empty if it has all."""

    values: dict[str, Array]
    stopped: str


def first_steps(name: str, values: Array, count: int) -> Array:
    """Return a quantity at the first `count` steps, and against those alone."""
    return values[tuple(slice(count) for axis in DIMENSIONS[name] if axis in {"step", "earlier"})]


@dataclass
class _Batch:
    """What is known of the present batch.

    Attributes
    ----------
    coefficients : list of ndarray, shape (p, k + p + innovations so far)
        C^t at its steps.
    transforms : list of ndarray, shape (rank, innovations before + p)
        A^s: gamma^s = A^s (gamma^0 … gamma^{s-1}, g^s).
    on_signals : ndarray, shape (innovations, p steps)
        All gamma in terms of all signals g^s.
    on_innovations : list of ndarray, shape (p, innovations)
        E[g^s gamma^T], so that g^s is this times gamma.
    """

    coefficients: list[Array] = field(default_factory=list)
    transforms: list[Array] = field(default_factory=list)
    on_signals: Array = field(default_factory=lambda: np.zeros((0, 0)))
    on_innovations: list[Array] = field(default_factory=list)

    @property
    def ranks(self) -> list[int]:
        """How many innovations each step gave."""
        return [len(A) for A in self.transforms]


class Run:
    """The limit dynamics with all expectations over one set of samples."""

    def __init__(self, setting: Setting, samples: Samples, overlaps_only: bool) -> None:
        self.setting, self.samples, self.overlaps_only = setting, samples, overlaps_only
        self.k, self.p, self.steps = setting.k, setting.neurons, setting.steps
        self.batch, self.done = _Batch(), 0
        self.network = (
            setting.a(),
            KINDS[setting.activation.kernel],
            np.array(setting.activation.coefficients()),
            setting.loss == "correlation",
        )

    def trajectory(self) -> Finished:
        """Return every quantity at steps 0 … T, or fewer if the overlaps diverge, or on Ctrl-C after a step."""
        out = self._room()
        stopped = ""
        try:
            with np.errstate(all="ignore"):
                self._go(out)
            if self.done <= self.steps:
                stopped = divergence(self.done)
        except KeyboardInterrupt:
            if not self.done:
                raise
            stopped = interruption(self.done - 1)
        return Finished({name: first_steps(name, value, self.done) for name, value in out.items()}, stopped)

    def _room(self) -> dict[str, Array]:
        """Return arrays for every quantity."""
        p, T = self.p, self.steps
        return {
            "M": np.empty((T + 1, p, self.k)),
            "Q": np.empty((T + 1, p, p)),
            "training_loss": np.empty(T + 1),
            "test_loss": np.empty(T + 1),
            "noise_covariance": np.zeros((T + 1, T + 1, p, p)),
            "response_kernel": np.zeros((T + 1, T + 1, p, p)),
            "effective_regularisation": np.empty((T + 1, p, p)),
        }

    def _go(self, out: dict[str, Array]) -> None:
        """Fill `out` step by step, up to the last one or to one at which the overlaps have diverged."""
        p = self.p
        start = self.setting.start_coefficients()
        weights = np.hstack([np.zeros((p, self.k)), np.eye(p)]) if start is None else start
        self.samples.rewind()
        for t in range(self.steps + 1):
            M, Q = weights[:, : self.k], weights @ weights.T
            if diverged(M, Q):
                return
            out["M"][t], out["Q"][t] = M, Q
            if t == self.steps and self.overlaps_only:
                for name in out.keys() - {"M", "Q"}:
                    out[name][t] = np.nan
                out["noise_covariance"][:, t] = np.nan
                self.done = t + 1
                return
            root = np.hstack([M, _root(Q - M @ M.T)])
            if t > 0 and self.setting.draws(t):
                self.samples.rewind()
                self.batch = _Batch()
                weights = root
            out["test_loss"][t] = self.samples.average(partial(self._loss, C=root))
            moments = self.samples.measure(self._begin(weights), self._advance, self._respond)
            if not np.isfinite(moments).all():
                return
            weights = self._step(t, weights, moments, out)
            self.done = t + 1

    def _begin(self, weights: Array) -> list[int]:
        """Let a step begin at these weights; return the ranks of the innovations before it."""
        self.batch.coefficients.append(weights)
        return self.batch.ranks

    def _step(self, t: int, weights: Array, moments: Array, out: dict[str, Array]) -> Array:
        """Write down what the expectations at step t say, and return the next coefficients."""
        batch, p, alpha = self.batch, self.p, self.setting.alpha
        m, r = weights.shape[1], sum(batch.ranks)
        out["training_loss"][t] = moments[-1]
        with_basis = moments[: p * m].reshape(p, m)
        with_gamma, gram = np.hsplit(moments[p * m : -1].reshape(p, r + p), [r])
        gram = (gram + gram.T) / 2
        out["effective_regularisation"][t] = self._regularisation(weights, with_basis, with_gamma)
        A, on_new = orthonormalise(with_gamma, gram, self._floor)
        self._record_kernels(t, weights, np.hstack([with_gamma, on_new]), gram, out)
        self._extend(A)
        gradient = np.hstack([alpha * with_basis, np.sqrt(alpha) * on_new])
        padded = np.hstack([weights, np.zeros((p, len(A)))])
        moved = (1 - self.setting.eta * self.setting.weight_decay) * padded + self.setting.eta * gradient
        return moved / np.linalg.norm(moved, axis=1, keepdims=True) if self.setting.normalize else moved

    def _respond(self, block: Block, step: int) -> Array:
        """Leave the signals of a step of the present batch in a block; return its part of their moments, flat."""
        C = self.batch.coefficients[step]
        m, r = C.shape[1], block.innovations
        with_basis, with_gamma = np.zeros((self.p, m)), np.zeros((self.p, r + self.p))
        loss = respond(
            block.basis, block.gamma, m, r, C, block.y, block.weights, *self.network, with_basis, with_gamma
        )
        return np.concatenate([with_basis.ravel(), with_gamma.ravel(), [loss]])

    def _advance(self, block: Block, step: int) -> None:
        """Turn the signals that stand in a block into the innovations of that step."""
        A = self.batch.transforms[step]
        row = self.k + self.p + block.innovations
        innovate(block.basis, block.gamma, row, block.innovations, A, 1 / np.sqrt(self.setting.alpha))
        block.innovations += len(A)

    def _loss(self, block: Block, C: Array) -> Array:
        """Return a block's part of the loss at the fields C (z, u)."""
        return np.array(expected_loss(block.basis, C.shape[1], C, block.y, block.weights, *self.network))

    @cached_property
    def _floor(self) -> Array:
        """The size below which a signal is rounding, shape (p,)."""
        square = self.samples.average(lambda block: np.array(block.weights @ block.y**2))
        return np.asarray(_NEGLIGIBLE * np.abs(self.setting.a()) * np.sqrt(square))

    def _extend(self, A: Array) -> None:
        """Add innovations gamma = A (earlier gamma, signals) to what is known of the batch."""
        batch, p = self.batch, self.p
        old = A[:, :-p] @ batch.on_signals
        earlier = np.hstack([batch.on_signals, np.zeros((len(batch.on_signals), p))])
        batch.on_signals = np.vstack([earlier, np.hstack([old, A[:, -p:]])])
        batch.transforms.append(A)

    def _record_kernels(
        self, t: int, weights: Array, on_innovations: Array, gram: Array, out: dict[str, Array]
    ) -> None:
        """Write C(t, s) = alpha E[g^t g^s^T] and K(t, s), s in the present batch."""
        batch, p, alpha = self.batch, self.p, self.setting.alpha
        first = t - len(batch.on_innovations)
        kernel = weights[:, self.k + p :] @ batch.on_signals / np.sqrt(alpha)
        for s, g in enumerate(batch.on_innovations):
            covariance = alpha * on_innovations[:, : g.shape[1]] @ g.T
            out["noise_covariance"][t, first + s] = covariance
            out["noise_covariance"][first + s, t] = covariance.T
            out["response_kernel"][t, first + s] = kernel[:, s * p : (s + 1) * p]
        out["noise_covariance"][t, t] = alpha * gram
        batch.on_innovations.append(on_innovations)

    def _regularisation(self, weights: Array, with_basis: Array, with_gamma: Array) -> Array:
        """Return lam I - alpha E[dg / dh]: E[dg / dh] = E[g x^T] B^{-1} where h = B x + (what x is no part of)."""
        p, ranks = self.p, self.batch.ranks
        rank = ranks[-1] if ranks else p
        fresh = slice(weights.shape[1] - rank, weights.shape[1])
        B, with_fresh = weights[:, fresh], with_basis[:, fresh]
        if ranks:
            # x is the zeta in v = zeta + gamma / sqrt(alpha).
            last = with_gamma[:, with_gamma.shape[1] - rank :]
            with_fresh = with_fresh - last / np.sqrt(self.setting.alpha)
        if rank < p:
            return np.full((p, p), np.nan)
        size = np.linalg.svd(B, compute_uv=False)
        if size[-1] <= _DEPENDENT * size[0]:
            return np.full((p, p), np.nan)
        slope = np.linalg.solve(B.T, with_fresh.T).T
        return np.asarray(self.setting.weight_decay * np.eye(p) - self.setting.alpha * slope)


def orthonormalise(overlaps: Array, gram: Array, floor: Array) -> tuple[Array, Array]:
    """Return what orthonormalises signals in L2 against earlier innovations and among themselves.

    The part of the signals outside the innovations has the Gram matrix E = E[g g^T] - c c^T, c the overlaps. Its
    eigenvectors, each signal measured by its own size, give the new innovations; directions that are dependent
    (below 1e-6 of the signals) are dropped, not divided by.

    Parameters
    ----------
    overlaps : ndarray, shape (p, r)
        c = E[g gamma^T].
    gram : ndarray, shape (p, p)
        E[g g^T].
    floor : ndarray, shape (p,)
        Size below which a signal is rounding, and gives nothing.

    Returns
    -------
    A : ndarray, shape (rank, r + p)
        The new innovations are A (gamma, g).
    on_new : ndarray, shape (p, rank)
        E[g gamma^T] for the new innovations.
    """
    norm = np.sqrt(np.diag(gram))
    live = norm > floor
    inverse = np.where(live, 1 / np.where(live, norm, 1.0), 0.0)
    outside = (gram - overlaps @ overlaps.T) * np.outer(inverse, inverse)
    values, vectors = np.linalg.eigh(outside)
    keep = values > _DEPENDENT**2
    right = vectors[:, keep].T / np.sqrt(values[keep, None]) * inverse
    A = np.hstack([-right @ overlaps, right])
    on_new = np.where(live, norm, 0.0)[:, None] * vectors[:, keep] * np.sqrt(values[keep])
    return A, on_new


def _root(S: Array) -> Array:
    """Return the symmetric root of a positive semidefinite matrix, rounding below zero taken as zero."""
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
