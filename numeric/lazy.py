"""Gradient descent on Gaussian data that is never stored: exactly the law of dense GD (theory, 6.2).

Keep orthonormal v_1 … v_a in R^d with images p_i = X v_i, and orthonormal u_1 … u_b in R^n with q_j = X^T u_j. What
has not been looked at is still independent N(0, 1) noise, so each new product is what is known of it plus a fresh
draw: Householder dice [L21].

Here the two sides differ. The dynamics sees R^n entry by entry (samples pass through sigma and g), but R^d only
through inner products: it is invariant under rotations that fix what is known. So the v_i stay abstract, a vector of
R^d is its coefficients on them, and the fresh part of X^T u is a new v times a chi-distributed length. The memory
is n x (number of products); d costs nothing.
"""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..kernels.signals import signals
from ..symbolic.errors import RebatchError
from .setting import Setting
from .trajectory import Trajectory

Array = NDArray[np.float64]

# Rows of X per task: a few vectors of it stay in the cache of one core. Part of the definition of a seed's numbers.
BLOCK = 16_384
# A signal whose part outside the earlier ones is this small against it is dependent on them.
_DEPENDENT = 1e-12

_KINDS: dict[str | None, int] = {"relu": 0, "erf": 1, "tanh": 2, "polynomial": 3}


class Blocks:
    """The samples in blocks of fixed size, worked on by threads; sums do not depend on the number of threads."""

    def __init__(self, n: int, pool: ThreadPoolExecutor) -> None:
        self.slices = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
        self._pool = pool

    def each(self, task: Callable[[int, slice], Array]) -> Array:
        """Return the sum over blocks, in their order, of what `task(index, slice)` returns."""
        return np.asarray(np.sum(np.stack(self._map(task)), axis=0))

    def stacked(self, task: Callable[[int, slice], Array]) -> Array:
        """Return what the blocks return, one under the other."""
        return np.concatenate(self._map(task))

    def _map(self, task: Callable[[int, slice], Array]) -> list[Array]:
        def quiet(index: int, block: slice) -> Array:
            # Overflow is not warned of but answered: the run stops at the step where it is not finite.
            with np.errstate(all="ignore"):
                return task(index, block)

        return list(self._pool.map(quiet, range(len(self.slices)), self.slices))


class LazyGaussian:
    """An n x d matrix X of independent N(0, 1) entries, drawn only where a product with it looks.

    Attributes
    ----------
    directions : int
        a: the number of orthonormal v_i known so far; vectors of R^d are given by their coefficients on them.
    P : ndarray, shape (capacity, n)
        Images X v_i of the first `drawn` directions.
    U : ndarray, shape (capacity, n)
        The orthonormal u_j, in the first `rows` rows.
    C : ndarray, shape (capacity, capacity)
        C[j, i] = u_j . X v_i, the coefficients of X^T u_j.
    """

    def __init__(
        self,
        n: int,
        d: int,
        directions: int,
        products: int,
        seed: np.random.SeedSequence,
        pool: ThreadPoolExecutor,
    ) -> None:
        self.n, self.d, self.directions = n, d, directions
        self.drawn = self.rows = 0
        self.blocks = Blocks(n, pool)
        self.P = np.empty((directions + products, n))
        self.U = np.empty((products, n))
        self.C = np.zeros((products, directions + products))
        *streams, own = seed.spawn(len(self.blocks.slices) + 1)
        self._streams = [np.random.default_rng(s) for s in streams]
        self._rng = np.random.default_rng(own)

    def images(self) -> Array:
        """Draw X v for every direction not drawn yet, and return all images, shape (directions, n).

        X v = sum_j (q_j . v) u_j + the part outside the u_j, which is fresh.
        """
        new = slice(self.drawn, self.directions)
        U = self.U[: self.rows]

        def draw(index: int, block: slice) -> Array:
            fresh = self._streams[index].standard_normal((new.stop - new.start, block.stop - block.start))
            self.P[new, block] = fresh
            return np.asarray(U[:, block] @ fresh.T)

        if new.start < new.stop:
            correction = self.C[: self.rows, new] - self.blocks.each(draw)

            def correct(_: int, block: slice) -> Array:
                self.P[new, block] += correction.T @ U[:, block]
                return _NOTHING

            if self.rows:
                self.blocks.each(correct)
            self.drawn = self.directions
        return self.P[: self.directions]

    def transposed_product(self, G: Array) -> Array:
        """Return the coefficients of X^T g for the rows g of `G`, shape (m, directions); G is overwritten.

        X^T u for a new u has the known coefficients p_i . u on the v_i, and outside them a fresh Gaussian: one new
        direction, with a chi-distributed coefficient.
        """
        before = self.rows
        weights = self._extend(G)
        for j in range(before, self.rows):
            self.C[j, self.drawn : self.directions] = self._rng.standard_normal(self.directions - self.drawn)
            if self.directions < self.d:
                self.C[j, self.directions] = np.sqrt(self._rng.chisquare(self.d - self.directions))
                self.directions += 1
        return np.asarray(weights @ self.C[: self.rows, : self.directions])

    def _extend(self, G: Array) -> Array:
        """Add the directions of the rows of G to U; return the coefficients of G on U, shape (m, rows).

        Gram-Schmidt against U twice ("twice is enough"), then a QR of the rest, block by block.
        """
        old, P = self.U[: self.rows], self.P[: self.drawn]
        scale = np.sqrt(self.blocks.each(lambda _, b: np.einsum("ij,ij->i", G[:, b], G[:, b])))
        if not np.isfinite(scale).all():
            raise FloatingPointError
        weights = np.zeros((len(G), self.rows))
        for _ in range(2 if self.rows else 0):
            overlap = self.blocks.each(lambda _, b: G[:, b] @ old[:, b].T)
            weights += overlap

            def project(_: int, block: slice, overlap: Array = overlap) -> Array:
                G[:, block] -= overlap @ old[:, block]
                return _NOTHING

            self.blocks.each(project)
        # G^T = (orthonormal) R; directions of R too small against the signals are rounding, and dropped.
        safe = np.where(scale > 0, scale, 1.0)
        R = _triangle(self.blocks.stacked(lambda _, b: _triangle((G[:, b] / safe[:, None]).T)))
        _, size, right = np.linalg.svd(R)
        keep = size > _DEPENDENT
        left = (right[keep] / size[keep, None]) / safe
        new = slice(self.rows, self.rows + int(keep.sum()))

        def add(_: int, block: slice) -> Array:
            self.U[new, block] = left @ G[:, block]
            return np.asarray(self.U[new, block] @ P[:, block].T)

        self.C[new, : self.drawn] = self.blocks.each(add)
        self.rows = new.stop
        return np.hstack([weights, (right[keep].T * size[keep]) * safe[:, None]])


def _triangle(A: Array) -> Array:
    """Return the factor R of A = (orthonormal) R."""
    return np.asarray(np.linalg.qr(A, mode="r"))


_NOTHING = np.zeros(0)


def simulate_lazy(setting: Setting, *, d: int, seed: int, threads: int | None = None) -> Trajectory:
    """Run gradient descent in the law of dense Gaussian data, without the data.

    Parameters
    ----------
    setting : Setting
    d : int
        Input dimension, at least k + p; n = alpha d samples.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.

    Returns
    -------
    Trajectory
        With the training loss at every step, the last one included.

    Raises
    ------
    RebatchError
        If d is too small; or if the overlaps stop being finite, with the step.

    References
    ----------
    [L21]; theory, 6.2. Time: about 4 (p steps)^2 n flops; memory: 8 n (k + 2 p (steps + 1)) bytes.
    """
    n = setting.samples(d)
    with _threads(threads) as pool:
        run = _Run(setting, n, int(d), np.random.SeedSequence(seed), pool)
        M, Q, loss = run.trajectory()
    return Trajectory.build(setting, M, Q, loss, engine="lazy", d=int(d), seed=int(seed))


@contextmanager
def _threads(count: int | None) -> Iterator[ThreadPoolExecutor]:
    """Our threads over blocks, one BLAS thread in each: sums then have one order."""
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(count or os.cpu_count()) as pool:
        yield pool


class _Run:
    """One run: the weights as coefficients on the directions of the batch at hand."""

    def __init__(
        self, setting: Setting, n: int, d: int, seed: np.random.SeedSequence, pool: ThreadPoolExecutor
    ) -> None:
        self.setting, self.n, self.d, self.pool = setting, n, d, pool
        self.seed, start = seed.spawn(2)
        self.weights = _start(setting, d, np.random.default_rng(start))
        self.coefficients = np.array(setting.activation.coefficients())
        self.a = setting.a()

    def trajectory(self) -> tuple[Array, Array, Array]:
        """Return M, Q and the training loss at steps 0 … T."""
        M, Q, losses = [], [], []
        for step in range(self.setting.steps + 1):
            M.append(self.weights[:, : self.setting.k].copy())
            Q.append(self.weights @ self.weights.T)
            if not (np.isfinite(M[-1]).all() and np.isfinite(Q[-1]).all()):
                raise RebatchError(f"the overlaps are not finite at step {step}: a smaller eta is needed")
            if step == 0 or not self.setting.reuse:
                self.draw_batch()
            G, loss = self.signals()
            losses.append(loss)
            if step < self.setting.steps:
                try:
                    self.descend(G)
                except FloatingPointError:
                    raise RebatchError(
                        f"the signals are not finite at step {step}: a smaller eta is needed"
                    ) from None
        return np.array(M), np.array(Q), np.array(losses)

    def draw_batch(self) -> None:
        """Take a new X, on whose directions only w* and the present weights are known, and its labels."""
        setting = self.setting
        k, p = setting.k, setting.neurons
        # Rotating the directions outside w* changes no law: p of them hold the weights.
        rest = _triangle(self.weights[:, k:].T).T
        self.weights = np.hstack([self.weights[:, :k], rest])
        products = p * setting.steps if setting.reuse else p
        (child,) = self.seed.spawn(1)
        matrix_seed, noise_seed = child.spawn(2)
        self.X = LazyGaussian(self.n, self.d, self.weights.shape[1], products, matrix_seed, self.pool)
        z = self.X.images()[:k]
        noise = [np.random.default_rng(s) for s in noise_seed.spawn(len(self.X.blocks.slices))]
        self.y = np.empty(self.n)

        def label(index: int, block: slice) -> Array:
            self.y[block] = setting.target(z[:, block].T)
            if setting.noise_std:
                self.y[block] += setting.noise_std * noise[index].standard_normal(block.stop - block.start)
            return np.array(np.isfinite(self.y[block]).all())

        if self.X.blocks.each(label) < len(self.X.blocks.slices):
            raise RebatchError(f"the target {setting.target} is not finite on the whole of R^{k}")

    def signals(self) -> tuple[Array, float]:
        """Return g_j = a_j sigma'(h_j) r at the present weights, shape (p, n), and the loss per sample."""
        images = self.X.images()
        G = np.empty((len(self.weights), self.n))
        kind = _KINDS[self.setting.activation.kernel]
        correlation = self.setting.loss == "correlation"

        def forward(_: int, block: slice) -> Array:
            h = self.weights @ images[:, block]
            loss = signals(h, self.y[block], self.a, kind, self.coefficients, correlation, h)
            G[:, block] = h
            return np.array(loss)

        return G, float(self.X.blocks.each(forward)) / self.n

    def descend(self, G: Array) -> None:
        """w_j <- (1 - eta lam) w_j + (eta / sqrt(d)) X^T g_j, in coefficients of vectors of norm sqrt(d)."""
        eta, lam = self.setting.eta, self.setting.weight_decay
        gradient = self.X.transposed_product(G)
        padded = np.zeros_like(gradient)
        padded[:, : self.weights.shape[1]] = self.weights
        self.weights = (1 - eta * lam) * padded + (eta / self.d) * gradient


def _start(setting: Setting, d: int, rng: np.random.Generator) -> Array:
    """Return the coefficients of the starting weights on w*_1 … w*_k and p further directions."""
    k, p = setting.k, setting.neurons
    weights = np.zeros((p, k + p))
    if setting.start == "orthogonal":
        weights[:, k:] = np.eye(p)
        return weights
    # A Gaussian row on directions of which the last is its own part outside the earlier rows (Bartlett).
    for j in range(p):
        weights[j, : k + j] = rng.standard_normal(k + j)
        weights[j, k + j] = np.sqrt(rng.chisquare(d - k - j))
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True))
