"""Gradient descent on data that is never stored, Gaussian but for z: exactly the law of dense GD (theory, 6.2).

Keep orthonormal v_1 … v_a in R^d with images p_i = X v_i, and orthonormal u_1 … u_b in R^n with q_j = X^T u_j. What
has not been looked at is still independent N(0, 1) noise, so each new product is what is known of it plus a fresh
draw: Householder dice [L21].

Here the two sides differ. The dynamics sees R^n entry by entry (samples pass through sigma and g), but R^d only
through inner products: it is invariant under rotations that fix what is known. So the v_i stay abstract, a vector of
R^d is its coefficients on them, and the fresh part of X^T u is a new v times a chi-distributed length. The memory
is n x (number of products), on disk where there is no room for it; d costs nothing. Latent coordinates of another law
(theory, 13) are columns drawn first; everything orthogonal to them stays Gaussian.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpstrf, dtrtri

from ...kernels.products import combine, inner
from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.language.law import Law
from ..inputs import draw, target_at
from ..labels import labels
from ..machine.blocks import Array, Blocks, Threads, thread_pool
from ..machine.draws import stream
from ..machine.memory import require_or_store
from ..machine.scratch import folder, scratch
from ..machine.warned import warn
from ..response import kind_of, signals
from ..setting import Setting
from ..start import start
from ..trajectory import Trajectory
from ..visits import Visits
from .descent import descend

Storage = Literal["float64", "float32"]
# A signal whose part outside the earlier ones is this small against it is dependent on them: rounding, amplified.
_DEPENDENT = {"float64": 1e-12, "float32": 1e-6}
# What one Gram matrix shows of a row that depends on others: the square of less is the rounding of what is stored.
_VISIBLE = {"float64": 1e-7, "float32": 1e-3}
# Rows that are combinations of an orthonormal basis, and it of them, with coefficients below this need no pivots.
_CLEAR = 100.0


class OnDisk(UserWarning):
    """Rows are kept on disk, because memory has no room for them: the numbers are the same, the run is slower."""


@dataclass
class Draws:
    """The independent numbers of mean 0 and variance 1 that a run has drawn and that its overlaps depend on.

    Attributes
    ----------
    normals : list of ndarray, shape (rows, n)
        N(0, 1), before the part along known directions is replaced.
    numbers : list of float
        N(0, 1), and chi-squares less their mean over their standard deviation.
    """

    normals: list[Array] = field(default_factory=list)
    numbers: list[float] = field(default_factory=list)

    def variables(self, n: int) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
        """Return them as variables of a trajectory."""
        return {
            "normals": (("draw", "sample"), np.concatenate([np.zeros((0, n)), *self.normals])),
            "numbers": (("number",), np.array(self.numbers)),
        }


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

    There is room for `products` products with X^T, and for `later` directions that come from elsewhere.
    """

    def __init__(
        self,
        n: int,
        d: int,
        directions: int,
        products: int,
        seed: np.random.SeedSequence,
        pool: Threads,
        storage: Storage = "float64",
        draws: Draws | None = None,
        later: int = 0,
        *,
        on_disk: bool = False,
    ) -> None:
        self.n, self.d, self.directions = n, d, directions
        self.draws = draws
        self.unseen: list[Array] = []  # what was drawn since the last product
        self.drawn = self.rows = 0
        self.blocks = Blocks(n, pool)
        # Two arrays for passing use, of as many rows as are drawn at a time.
        rooms = [(directions, "float64")] * 2
        kept = [(directions + products + later, storage), (products, storage)]
        if on_disk:
            # Written once, row after row, and then read; the rooms are written all the time.
            self.rooms = _in_one_piece(n, rooms)
            self.P, self.U = _in_one_piece(n, kept, scratch)
        else:
            *self.rooms, self.P, self.U = _in_one_piece(n, [*rooms, *kept])
        self.C = np.zeros((products, directions + products + later))
        self._dependent, self._visible = _DEPENDENT[storage], _VISIBLE[storage]
        *streams, own = seed.spawn(len(self.blocks.slices) + 1)
        self._streams = [stream(s) for s in streams]
        self._rng = stream(own)

    def images(self) -> NDArray[Any]:
        """Draw X v for every direction not drawn yet, and return all images, shape (directions, n).

        X v = sum_j (q_j . v) u_j + the part outside the u_j, which is fresh.
        """
        while self.drawn < self.directions:
            new = slice(self.drawn, min(self.directions, self.drawn + len(self.rooms[1])))
            fresh = self.rooms[1][: new.stop - new.start]

            def draw(index: int, block: slice, fresh: Array = fresh) -> None:
                for row in fresh[:, block]:
                    self._streams[index].standard_normal(out=row)

            self.blocks.run(draw)
            if self.draws is not None:
                self.unseen.append(fresh.copy())
            U = self.U[: self.rows]
            self._add(self.C[: self.rows, new].T - self._inner(fresh, U), U, fresh)
            self.P[new] = fresh
            self.drawn = new.stop
        return self.P[: self.directions]

    def plant(self, law: Law, k: int) -> None:
        """Let the first k columns, not looked at yet, have independent entries of a law of mean 0 and variance 1.

        What is orthogonal to them stays Gaussian and independent of them, which is all that later products need.
        """

        def drawn(index: int, block: slice) -> None:
            for row, part in zip(self.P[:k], law.each(k), strict=True):
                row[block] = draw(part, self._streams[index], block.stop - block.start)

        self.blocks.run(drawn)
        if self.draws is not None:
            self.unseen.append(self.P[:k].astype(np.float64))
        self.drawn = k

    def transposed_product(self, G: Array) -> Array:
        """Return the coefficients of X^T g for the rows g of `G`, which is in room 0, shape (m, directions).

        X^T u for a new u has the known coefficients p_i . u on the v_i, and outside them a fresh Gaussian: one new
        direction, with a chi-distributed coefficient.
        """
        before = self.rows
        weights = self._extend(G)
        numbers: list[float] = []
        for j in range(before, self.rows):
            known, free = slice(self.drawn, self.directions), self.d - self.directions
            self.C[j, known] = self._rng.standard_normal(known.stop - known.start)
            numbers.extend(self.C[j, known])
            if free:
                square = self._rng.chisquare(free)
                self.C[j, self.directions] = np.sqrt(square)
                numbers.append((square - free) / np.sqrt(2 * free))
                self.directions += 1
        if self.draws is not None:
            # Images that no product has looked at yet have moved nothing.
            self.draws.normals += self.unseen
            self.draws.numbers += numbers
            self.unseen = []
        return np.asarray(weights @ self.C[: self.rows, : self.directions])

    def _extend(self, G: Array) -> Array:
        """Add the directions of the rows of G to U; return the coefficients of G on U, shape (m, rows).

        Block Gram-Schmidt, twice ("twice is enough"): what the first time leaves of small rows is mostly rounding.
        """
        gram = self._inner(G, G)
        size = np.sqrt(np.diagonal(gram))
        if not np.isfinite(size).all():
            raise FloatingPointError
        size[size == 0] = 1.0
        first, L = self._orthogonalise(G, gram, size, self.rooms[1])
        G = self.rooms[1][: len(G)]
        second, R = self._orthogonalise(G, self._inner(G, G), np.ones(len(G)), self.rooms[0])
        # The rows over their sizes are (first + L second) U + L R basis.
        factor, basis = L @ R, self.rooms[0][: len(G)]
        # Directions too small against the signals, or still dependent after one pass, are rounding, and dropped.
        keep = (np.linalg.norm(factor, axis=0) > self._dependent) & (np.abs(R).max(axis=0) > self._visible)
        new = slice(self.rows, self.rows + int(keep.sum()))
        weights = size[:, None] * np.hstack([first + L @ second, factor[:, keep]])
        for to, kept in enumerate(np.flatnonzero(keep)):
            if to != kept:
                basis[to] = basis[kept]
        basis = basis[: new.stop - new.start]
        self.U[new] = basis
        self.C[new, : self.drawn] = self._inner(basis, self.P[: self.drawn])
        self.rows = new.stop
        return weights

    def _orthogonalise(self, G: Array, gram: Array, size: Array, out: Array) -> tuple[Array, Array]:
        """Write an orthonormal basis of what G has outside U; return c and L with G / size = c U + L basis.

        The part outside has the Gram matrix G G^T - c c^T (Pythagoras), and L is its root.
        """
        U = self.U[: self.rows]
        c = self._inner(G, U) / size[:, None]
        L, inverse = _root(gram / size / size[:, None] - c @ c.T, self._visible)
        combine(np.ascontiguousarray(inverse / size), G, out[: len(G)], True, self.blocks.threads)
        self._add(-inverse @ c, U, out[: len(G)])
        return c, L

    def _inner(self, A: Array, B: NDArray[Any]) -> Array:
        """Return A B^T for rows of length n."""
        parts = np.zeros((len(self.blocks.slices), len(A), len(B)))
        if parts.size:
            inner(A, B, parts, self.blocks.threads)
        return np.asarray(parts.sum(axis=0))

    def _add(self, C: Array, B: NDArray[Any], out: Array) -> None:
        """Add C B to `out`."""
        if len(B):
            combine(np.ascontiguousarray(C), B, out, False, self.blocks.threads)


def _root(S: Array, visible: float) -> tuple[Array, Array]:
    """Return L and its inverse, with L L^T = S up to what is not visible of rows beside others.

    The Cholesky factor; with pivots where rows nearly depend on others, L then a row permutation of a triangle: the
    largest rows come first, so that no direction hides in the rounding of a row before it. (Always, rounding would
    order equal rows.) Beyond the visible rank L is a small multiple of the identity.
    """
    L, failed = dpotrf(S, lower=1, clean=1)
    if not failed and np.abs(inverse := dtrtri(L, lower=1)[0]).max() < _CLEAR:
        return L, inverse
    L, pivots, rank, _ = dpstrf(S, tol=visible**2, lower=1)
    # The first pivot is not held against the tolerance.
    rank = int((np.diagonal(L)[:rank] > visible).sum())
    L = np.tril(L)
    L[rank:, rank:] = visible * np.eye(len(S) - rank)
    back = np.argsort(pivots)
    return L[back], dtrtri(L, lower=1)[0][:, back]


def _in_memory(size: int) -> NDArray[np.uint8]:
    return np.empty(size, dtype=np.uint8)


def _in_one_piece(
    n: int, parts: Sequence[tuple[int, str]], place: Callable[[int], NDArray[np.uint8]] = _in_memory
) -> list[NDArray[Any]]:
    """Return an array (rows, n) for every (rows, dtype), the wider types first, in bytes from `place`.

    Small pages cost more to ask for than to fill; the system hands out large pieces in large pages.
    """
    sizes = [rows * n * np.dtype(dtype).itemsize for rows, dtype in parts]
    pieces = np.split(place(sum(sizes)), np.cumsum(sizes)[:-1])
    return [piece.view(dtype).reshape(rows, n) for piece, (rows, dtype) in zip(pieces, parts, strict=True)]


def _triangle(A: Array) -> Array:
    """Return the factor R of A = (orthonormal) R whose diagonal is not negative, so that it is smooth in A."""
    R = np.linalg.qr(A, mode="r")
    return np.asarray(np.where(np.diagonal(R) < 0, -1.0, 1.0)[:, None] * R)


def simulate_lazy(
    setting: Setting,
    *,
    d: int,
    seed: int,
    threads: int | None = None,
    storage: Storage = "float64",
    fields: bool = False,
    draws: bool = False,
    overlaps_only: bool = False,
) -> Trajectory:
    """Run gradient descent in the law of dense Gaussian data, without the data.

    Parameters
    ----------
    setting : Setting
        Of a mini-batch the others have the signal 0: a step costs as much as one on all samples.
    d : int
        Input dimension, at least k + p.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    storage : {"float64", "float32"}
        How the images and the signals of earlier steps are held; arithmetic on coefficients is always float64.
    fields : bool
        Whether to keep the last batch: variables ``fields`` (sample, neuron), ``latent`` (sample, direction) and
        ``labels`` (sample), for a readout on the same data.
    draws : bool
        Whether to keep what was drawn: the independent numbers of mean 0 and variance 1 that the overlaps depend on,
        beside a random start, as variables ``normals`` (draw, sample), of all batches, and ``numbers`` (number).
        Their averages, and those of their products, have known means at every d: control variates.
    overlaps_only : bool
        Whether to leave out the training loss at the last step, which takes as long as a step; refused with `fields`.

    Returns
    -------
    Trajectory
        With the training loss at every step, the last one included unless only overlaps are asked for.

    Raises
    ------
    RebatchError
        If d is too small, the setting is not one this engine runs, or memory does not suffice.

    References
    ----------
    [L21]; theory, 6.2. Time: about 4 (p steps)^2 n flops; memory: 8 n (3 k + 3 p + 2 p steps + 1) bytes, and
    as many as the draws take that are kept. Where they are not free, the 8 n (k + p + 2 p steps) bytes of what is
    written once, half as many in float32, are in a file without a name in TMPDIR, by default in /var/tmp.
    """
    checks.one_of("storage", storage, tuple(_DEPENDENT))
    fields, draws = checks.flag("fields", fields), checks.flag("draws", draws)
    if checks.flag("overlaps_only", overlaps_only) and fields:
        raise RebatchError("fields=True with overlaps_only=True; allowed is one of them")
    size = checks.integer("d", d, least=1)
    with thread_pool(threads) as pool:
        drawn = Draws() if draws else None
        side = _LazySide(setting, size, np.random.SeedSequence(seed), pool, storage, drawn)
        record, weights = descend(setting, side, side.start, f"lazy, d = {d}", overlaps_only=overlaps_only)
        kept = side.last_batch(weights) if fields else {}
        if drawn is not None:
            kept |= drawn.variables(side.n)
    return record.trajectory(engine="lazy", d=int(d), seed=int(seed), variables=kept)


class _LazyData:
    """Samples as a LazyGaussian that knows some directions at first, w* among them, and their labels."""

    def __init__(
        self,
        setting: Setting,
        X: LazyGaussian,
        noise_seed: np.random.SeedSequence,
        draws: Draws | None,
    ) -> None:
        self.X, self.y = X, np.empty(X.n)
        if not setting.inputs.is_gaussian:
            X.plant(setting.inputs, setting.k)
        z = X.images()[: setting.k]
        noise = [stream(s) for s in noise_seed.spawn(len(X.blocks.slices))]

        def label(index: int, block: slice) -> None:
            self.y[block] = labels(setting.target, z[:, block].T, noise[index])

        X.blocks.run(label)
        # That a label was flipped cannot be read where it is 0.
        if draws is not None and (added := setting.target.noise_variance):
            X.unseen.append(((self.y - target_at(setting.target, z.T)) / np.sqrt(added))[None])


class _LazySide:
    """The data at hand; the weights as coefficients on its directions, w* first."""

    data: _LazyData
    reused: _LazyData

    def __init__(
        self,
        setting: Setting,
        d: int,
        seed: np.random.SeedSequence,
        pool: Threads,
        storage: Storage,
        draws: Draws | None = None,
    ) -> None:
        self.setting, self.d, self.pool, self.storage = setting, d, pool, storage
        self.batch = setting.batch(d)
        self.n = setting.samples(d) if setting.reuse else self.batch
        self.draws = draws
        self.seed, start_seed = seed.spawn(2)
        self.start = start(setting, d, stream(start_seed))
        self.coefficients = np.array(setting.activation.coefficients())
        steps = setting.steps if setting.reuse else min(setting.repeats, setting.steps)
        updates = steps * (self.n if setting.batches == "single" else 1)
        self.each_time = setting.neurons * (2 if setting.rho else 1)
        # n signals span R^n: what comes later depends on them.
        self.products = min(self.each_time * updates, self.n)
        self.later = self.each_time * len(setting.fresh_at)
        first = setting.k + setting.neurons + self.later
        size = np.dtype(storage).itemsize
        kept, passing = size * (first + 2 * self.products), 8 * (2 * first + 1)
        # Kept, and once more while they are put together.
        drawn = 0 if draws is None else 16 * (first + 1 + self.products) * math.ceil(setting.steps / steps)
        fresh = self.batch if setting.fresh_at else 0
        square = 8.0 * self.products * (first + self.products)
        stored = float(self.n * kept + fresh * (kept + size * self.products))
        what = f"the lazy engine with n = {self.n} and {self.products} products"
        self.on_disk = require_or_store(self.n * (passing + drawn) + fresh * passing + square, stored, what)
        if self.on_disk:
            less = "; storage='float32' halves them" if storage == "float64" else ""
            warn(
                f"{what}: memory has no room for {stored / 1e9:.3g} GB of its rows, which are kept in a file in "
                f"{folder()} until it ends{less}",
                OnDisk,
            )
        (order_seed,) = seed.spawn(1)
        self.visits = Visits(setting, self.n, self.batch, stream(order_seed))

    def begin(self, step: int, weights: Array) -> Array:
        """Take new data where it comes, of which only w* and the weights are known, and the step's rows."""
        setting, k = self.setting, self.setting.k
        if setting.draws(step):
            # Rotating the directions outside w* changes no law: p of them hold the weights.
            weights = np.hstack([weights[:, :k], _triangle(weights[:, k:].T).T])
            # The memory of one batch is given back before that of the next is taken.
            if hasattr(self, "data"):
                del self.data, self.reused
            self.data = self.reused = self._fresh(self.n, weights.shape[1], self.products)
        if step in setting.fresh_at:
            self.data = self._fresh(self.batch, weights.shape[1], self.each_time)
            self.rows = np.arange(self.batch, dtype=np.intp)
            return weights
        self.data = self.reused
        # Directions that fresh samples have added are new to these.
        self.data.X.directions = weights.shape[1]
        self.rows = self.visits.at(step)
        return weights

    def _fresh(self, n: int, directions: int, products: int) -> _LazyData:
        """Return fresh samples, with room for so many products with them."""
        (child,) = self.seed.spawn(1)
        matrix_seed, noise_seed = child.spawn(2)
        X = LazyGaussian(
            n,
            self.d,
            directions,
            products,
            matrix_seed,
            self.pool,
            self.storage,
            self.draws,
            self.later,
            on_disk=self.on_disk,
        )
        return _LazyData(self.setting, X, noise_seed, self.draws)

    def singles(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of an epoch of single samples."""
        return self.visits.singles()

    def gradient(self, weights: Array) -> tuple[Array, float]:
        """Return (1/d) X^T g on the directions, the new ones included, and the loss per sample."""
        G, loss = self._signals(weights)
        return self.data.X.transposed_product(G) / self.d, loss

    def loss(self, weights: Array) -> float:
        """Return the loss per sample of the batch at hand."""
        return self._signals(weights)[1]

    def _signals(self, weights: Array) -> tuple[Array, float]:
        """Return the signals, shape (p, n), in room 0 of X, 0 beside the rows at hand, and the loss per sample."""
        X, rows = self.data.X, self.rows
        images = X.images()[: weights.shape[1]]
        g = X.rooms[0][: len(weights)]
        combine(np.ascontiguousarray(weights), images, g, True, X.blocks.threads)
        if len(rows) == X.n:
            return g, self._respond(g, self.data.y) / X.n
        part = np.ascontiguousarray(g[:, rows])
        loss = self._respond(part, self.data.y[rows])
        g[:] = 0.0
        g[:, rows] = part
        return g, loss / len(rows)

    def _respond(self, h: Array, y: Array) -> float:
        """Turn fields into signals; return the summed loss."""
        losses = np.empty(len(self.data.X.blocks.slices))
        a, kind = self.setting.a(), kind_of(self.setting.activation)
        correlation = self.setting.loss == "correlation"
        return signals(h, y, a, kind, self.coefficients, correlation, h, losses, self.data.X.blocks.threads)

    def moved(self, weights: Array, shrink: float, step: float, gradient: Array) -> Array:
        """Return shrink * weights + step * gradient, on the directions of both."""
        padded = np.zeros((len(weights), max(weights.shape[1], gradient.shape[1])))
        padded[:, : weights.shape[1]] = shrink * weights
        padded[:, : gradient.shape[1]] += step * gradient
        return padded

    def overlaps(self, weights: Array) -> tuple[Array, Array]:
        """Return M, the coefficients on w*, and Q."""
        return weights[:, : self.setting.k].copy(), weights @ weights.T

    def last_batch(self, weights: Array) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
        """Return fields, latent coordinates and labels of the batch at hand."""
        images = self.data.X.images()[:, self.rows]
        return {
            "fields": (("sample", "neuron"), (weights @ images[: weights.shape[1]]).T),
            "latent": (("sample", "direction"), images[: self.setting.k].T.astype(np.float64)),
            "labels": (("sample",), self.data.y[self.rows]),
        }
