"""The recursion of the limit on one set of samples, step by step (theory, 4).

A run holds the coefficients of the weights on the d side and the sampled fields on the n side; a batch is what the
steps on the same samples share: the innovations, and the fields that they carry.
"""

from dataclasses import dataclass, field
from functools import cached_property, partial

import numpy as np

from ...kernels.limit import innovate
from ..integration import Block, Samples
from ..machine.blocks import Array
from ..masks import MaskPlan
from ..response import expected_loss, kind_of, respond
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


def most_innovations(setting: Setting, last: int) -> int:
    """Return the most innovations that a batch can have at the last gradient taken by step `last`."""
    longest = now = 0
    each = 2 if setting.rho else 1
    for t in range(1, last + 1):
        now = 0 if setting.draws(t) else now + (1 if t - 1 in setting.fresh_at else each)
        longest = max(longest, now)
    return setting.neurons * (longest + each - 1)


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
    """What is known of the present batch, gradient by gradient: two at each step with a look ahead, else one.

    Attributes
    ----------
    steps : list of int
        When they were taken.
    coefficients : list of ndarray, shape (p, k + p + innovations so far)
        C of the weights at which they were taken.
    transforms : list of ndarray, shape (rank, innovations before + p)
        A^s: gamma^s = A^s (gamma^0 … gamma^{s-1}, g^s).
    on_signals : ndarray, shape (innovations, p steps)
        All gamma in terms of all signals g^s.
    on_innovations : dict from step to ndarray, shape (p, innovations)
        E[g^s gamma^T], so that g^s is this times gamma, for the gradient that moves the weights.
    position : dict from step to int
        The place of that gradient among all.
    """

    steps: list[int] = field(default_factory=list)
    coefficients: list[Array] = field(default_factory=list)
    transforms: list[Array] = field(default_factory=list)
    on_signals: Array = field(default_factory=lambda: np.zeros((0, 0)))
    on_innovations: dict[int, Array] = field(default_factory=dict)
    position: dict[int, int] = field(default_factory=dict)

    @property
    def ranks(self) -> list[int]:
        """How many innovations each step gave."""
        return [len(A) for A in self.transforms]


class Run:
    """The limit dynamics with all expectations over one set of samples.

    Parameters
    ----------
    setting : Setting
    samples : Samples
    overlaps_only : bool
        Whether to leave out the expectations at the last step.
    losses_every : int, optional
        Take the losses at every so-many-th step only, and the training loss there over all samples, not over those
        of the step's batch.
    """

    def __init__(
        self, setting: Setting, samples: Samples, overlaps_only: bool, losses_every: int | None = None
    ) -> None:
        self.setting, self.samples, self.overlaps_only = setting, samples, overlaps_only
        self.losses_every = losses_every
        self.k, self.p, self.steps = setting.k, setting.neurons, setting.steps
        self.batch, self.done = _Batch(), 0
        self.parts = MaskPlan(setting).parts
        self.network = (
            setting.a(),
            kind_of(setting.activation),
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
                _leave_out(out, t)
                self.done = t + 1
                return
            root = np.hstack([M, _root(Q - M @ M.T)])
            if t > 0 and self.setting.draws(t):
                self.samples.rewind()
                self.batch = _Batch()
                weights = root
            if self.losses_every is None or t % self.losses_every == 0:
                out["test_loss"][t] = self.samples.average(partial(self._loss, C=root))
            if self.losses_every is not None and t % self.losses_every == 0:
                over_all = partial(self._whole_loss, C=weights)
                whole = self.samples.measure(self.batch.ranks, self._advance, over_all)
                if t == self.steps:
                    out["training_loss"][t] = whole
                    self.done = t + 1
                    return
            else:
                whole = None
            try:
                weights = self._moved(t, weights, out)
            except FloatingPointError:
                if t == 0:
                    # The weights of the start are known, though their loss is beyond floating point.
                    _leave_out(out, t)
                    self.done = 1
                return
            if whole is not None:
                out["training_loss"][t] = whole
            self.done = t + 1

    def _moved(self, t: int, weights: Array, out: dict[str, Array]) -> Array:
        """Write down what the expectations at step t say, and return the next coefficients."""
        setting = self.setting
        if t in setting.fresh_at:
            gradient = self._fresh_gradient(t, weights, out)
        elif setting.rho:
            ahead = self._gradient(t, weights, weights, out, moves=False)
            beyond = _sum_of(weights, setting.rho * ahead)
            gradient = self._gradient(t, beyond, weights, out, moves=True)
        else:
            gradient = self._gradient(t, weights, weights, out, moves=True)
        moved = _sum_of((1 - setting.eta * setting.weight_decay) * weights, setting.eta * gradient)
        return moved / np.linalg.norm(moved, axis=1, keepdims=True) if setting.normalize else moved

    def _gradient(self, t: int, C: Array, weights: Array, out: dict[str, Array], *, moves: bool) -> Array:
        """Return the gradient at the fields of C; write down what is known there of step t at its weights."""
        batch, p, alpha = self.batch, self.p, self.setting.alpha
        m, r = C.shape[1], sum(batch.ranks)
        batch.steps.append(t)
        batch.coefficients.append(C)
        moments = self.samples.measure(batch.ranks, self._advance, self._respond)
        if not np.isfinite(moments).all():
            raise FloatingPointError
        with_basis = moments[: p * m].reshape(p, m)
        with_gamma, gram = np.hsplit(moments[p * m : -1].reshape(p, r + p), [r])
        gram = (gram + gram.T) / 2
        A, on_new = orthonormalise(with_gamma, gram, self._floor)
        if C is weights:
            out["training_loss"][t] = moments[-1]
            out["effective_regularisation"][t] = self._regularisation(weights, with_basis, with_gamma)
        if moves:
            self._record_kernels(t, weights, np.hstack([with_gamma, on_new]), gram, out)
        self._extend(A)
        return np.hstack([alpha * with_basis, np.sqrt(alpha) * on_new])

    def _fresh_gradient(self, t: int, weights: Array, out: dict[str, Array]) -> Array:
        """Return the gradient on fresh samples, seen once: h = M z + S^(1/2) u, S = N N^T (theory, 4.1).

        u stands for S^(-1/2) N times the normal coordinates on the basis, so that E[g basis^T] = E[g u^T] S^(-1/2) N.
        To the samples that are reused the new directions are noise, with no signal of theirs in it.
        """
        p, k, alpha = self.p, self.k, self.setting.alpha
        M, N = weights[:, :k], weights[:, k:]
        root = np.hstack([M, _root(N @ N.T)])
        moments = self.samples.average(partial(self._fresh_response, C=root))
        if not np.isfinite(moments).all():
            raise FloatingPointError
        with_start = moments[: p * (k + p)].reshape(p, k + p)
        gram = moments[p * (k + p) : -1].reshape(p, p) / self.parts
        out["training_loss"][t] = moments[-1]
        out["effective_regularisation"][t] = self._slope(root[:, k:], with_start[:, k:] / self.parts)
        out["noise_covariance"][t, t] = alpha * gram
        A, on_new = orthonormalise(np.zeros((p, 0)), (gram + gram.T) / 2, self._floor)
        self.batch.steps.append(t)
        self.batch.coefficients.append(weights)
        self._extend(np.zeros((len(A), sum(self.batch.ranks) + p)))
        on_basis = with_start[:, k:] @ np.linalg.pinv(root[:, k:], rcond=_DEPENDENT, hermitian=True) @ N
        along = np.hstack([with_start[:, :k], on_basis]) / self.parts
        return np.hstack([alpha * along, np.sqrt(alpha) * on_new])

    def _fresh_response(self, block: Block, C: Array) -> Array:
        """Return a block's part of the moments of the signals at C (z, u), as those of a batch seen once."""
        m = C.shape[1]
        with_start, gram = np.zeros((self.p, m)), np.zeros((self.p, self.p))
        scratch = np.empty((self.p, len(block.y)))
        loss = respond(block.basis, scratch, m, 0, C, block.y, block.weights, *self.network, with_start, gram)
        return np.concatenate([with_start.ravel(), gram.ravel(), [loss]])

    def _respond(self, block: Block, gradient: int) -> Array:
        """Leave the signals of a gradient in a block, as if all were in the batch; return its part of the moments."""
        C, t = self.batch.coefficients[gradient], self.batch.steps[gradient]
        m, r = C.shape[1], block.innovations
        with_basis, with_gamma = np.zeros((self.p, m)), np.zeros((self.p, r + self.p))
        loss = 0.0
        looked_ahead = gradient > 0 and self.batch.steps[gradient - 1] == t
        chance = (block.masks.taken if looked_ahead else block.masks.chance)[t]
        if chance.any():
            loss = self.parts * respond(
                block.basis, block.gamma, m, r, C, block.y, block.weights * chance, *self.network,
                with_basis, with_gamma,
            )  # fmt: skip
        return np.concatenate([with_basis.ravel(), with_gamma.ravel(), [loss]])

    def _advance(self, block: Block, gradient: int) -> None:
        """Turn the signals that stand in a block into the innovations of that gradient."""
        A, taken = self.batch.transforms[gradient], block.masks.taken[self.batch.steps[gradient]]
        if not taken.all():
            signals = block.gamma[block.innovations : block.innovations + self.p]
            signals[:, ~np.broadcast_to(taken, signals.shape[1:])] = 0.0
        row = self.k + self.p + block.innovations
        innovate(block.basis, block.gamma, row, block.innovations, A, 1 / np.sqrt(self.setting.alpha))
        block.innovations += len(A)

    def _loss(self, block: Block, C: Array) -> Array:
        """Return a block's part of the loss at the fields C (z, u)."""
        return np.array(expected_loss(block.basis, C.shape[1], C, block.y, block.weights, *self.network))

    def _whole_loss(self, block: Block, _: int, C: Array) -> Array:
        """Return a block's part of the loss at the fields of C, whoever is in the batch."""
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
        kernel = weights[:, self.k + p :] @ batch.on_signals[: weights.shape[1] - self.k - p] / np.sqrt(alpha)
        for s, g in batch.on_innovations.items():
            covariance = alpha * on_innovations[:, : g.shape[1]] @ g.T
            out["noise_covariance"][t, s] = covariance
            out["noise_covariance"][s, t] = covariance.T
            at = batch.position[s] * p
            out["response_kernel"][t, s] = kernel[:, at : at + p]
        out["noise_covariance"][t, t] = alpha * gram
        batch.on_innovations[t] = on_innovations
        batch.position[t] = len(batch.transforms)

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
        return self._slope(B, with_fresh)

    def _slope(self, B: Array, with_fresh: Array) -> Array:
        """Return lam I - alpha E[g x^T] B^{-1}; NaN where B has not p independent columns."""
        p = self.p
        if B.shape[1] < p:
            return np.full((p, p), np.nan)
        size = np.linalg.svd(B, compute_uv=False)
        if size[-1] <= _DEPENDENT * size[0]:
            return np.full((p, p), np.nan)
        slope = np.linalg.solve(B.T, with_fresh.T).T
        return np.asarray(self.setting.weight_decay * np.eye(p) - self.setting.alpha * slope)


def _leave_out(out: dict[str, Array], t: int) -> None:
    """Say of a step its overlaps alone."""
    for name in out.keys() - {"M", "Q"}:
        out[name][t] = np.nan
    out["noise_covariance"][:, t] = np.nan


def _sum_of(narrow: Array, wide: Array) -> Array:
    """Return the sum of coefficients on some directions and on these with more behind them."""
    result = wide.copy()
    result[:, : narrow.shape[1]] += narrow
    return result


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
