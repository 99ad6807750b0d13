"""Gradient descent on a real data matrix X, drawn or the user's own (theory, 6.1).

Every schedule of the batch: a step reads its rows of X once (kernels/gradient.pyx). W* and the start are
uniformly random orthonormal directions with the given overlaps. Where the inputs are not Gaussian all entries of X
have their law, and W* lies along the first k columns, so that z has it too (theory, 13).
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.language.called import LABELS_OF_DATA, Called
from ..inputs import draw_rows
from ..labels import labels
from ..machine.blocks import Array, thread_count, thread_pool
from ..machine.draws import stream
from ..machine.mapped import require_whole_file
from ..machine.memory import aligned, require
from ..machine.warned import warn
from ..response import kind_of, signals
from ..setting import Setting
from ..start import start
from ..trajectory import Trajectory
from ..visits import Visits
from .descent import descend
from .rows import RowBlocks, Rows, as_rows, gradient
from .rows import fields as compute_fields

Precision = Literal["float64", "float32"]
PRECISIONS: tuple[Precision, ...] = ("float64", "float32")
# Rows of X drawn from one stream. Part of the definition of a seed's numbers.
_ROWS_PER_STREAM = 1024
_MOST_PARTS = 64
# Columns are looked at in so many rows; fewer than the least say nothing of a variance.
_LOOKED_AT = 1024
_LEAST_ROWS = 30
# What a mean may be off 0, or a variance off 1, beyond this many standard errors of Gaussian data.
_FAR = 0.5
_SIGMAS = 8.0
# Multiplications of a step that make it worth a thread's while to be woken.
_SHARE = 2**20


def simulate_dense(
    setting: Setting,
    *,
    d: int | None = None,
    seed: int,
    threads: int | None = None,
    precision: Precision = "float64",
    X: Any = None,
    y: ArrayLike | None = None,
    directions: ArrayLike | None = None,
    fields: bool = False,
    weights: bool = False,
) -> Trajectory:
    """Run gradient descent on data that is stored.

    Parameters
    ----------
    setting : Setting
    d : int, optional
        Input dimension, at least k + p; may be left out where `X` is given.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    precision : {"float64", "float32"}
        Of the drawn X and of products with it; ignored where `X` is given, which has its own.
    X : ndarray, memory map, dask.array.Array or zarr.Array, shape (n, d), float32 or float64, optional
        The user's own samples, one per row, at least alpha d of them (further rows are not used); every row
        contiguous. Only with ``reuse=True``. Entries are taken as they are: theory speaks of N(0, 1), or of inputs
        that are standardised.
        An array of Dask or Zarr (extra `cluster`) is read by blocks of rows, on the scheduler that Dask has at hand,
        and may be larger than memory: each step sums the blocks' gradients.
    y : array_like, shape (n,), optional
        The user's own labels of the rows of `X`, instead of those of the target.
    directions : array_like, shape (k, d), optional
        The rows of W*, orthogonal, of norm sqrt(d); by default uniformly random, or along the first k columns where
        the inputs are not Gaussian.
    fields : bool
        Whether to keep the last batch, see the lazy engine.
    weights : bool
        Whether to keep W at the start and after the last step: variables ``first_weights`` and ``weights``, beside W*
        in ``index_directions``.

    Returns
    -------
    Trajectory

    Raises
    ------
    RebatchError
        If d is too small, X, y or `directions` is not of the kind described, or memory does not suffice.

    References
    ----------
    theory, 6.1. Time: one read of the batch per step, or 4 p n d flops where p is large.
    """
    X, d = _checked_data(setting, as_rows(X), d)
    checks.one_of("precision", precision, PRECISIONS)
    fields, weights = checks.flag("fields", fields), checks.flag("weights", weights)
    y = _checked_labels(setting, X, y)
    with thread_pool(threads) as pool:
        side = DenseSide(
            setting, d, np.random.SeedSequence(seed), thread_count(threads), X, y, precision, directions
        )
        side.pool = pool
        record, last = descend(setting, side, side.start, f"dense, d = {d}")
        kept = side.last_batch(last) if fields else {}
        if weights:
            ends = {"first_weights": side.start, "weights": last}
            kept |= {name: (("neuron", "input"), math.sqrt(d) * W) for name, W in ends.items()}
            kept["index_directions"] = (("direction", "input"), math.sqrt(d) * side.stars)
    return record.trajectory(engine="dense", d=d, seed=int(seed), precision=str(side.dtype), variables=kept)


def _checked_labels(setting: Setting, X: Rows | None, y: ArrayLike | None) -> Array | None:
    """Return the user's labels of the rows of X that are used, or None where the target gives them."""
    of_data = isinstance(setting.target.formula, Called) and setting.target.formula.name == LABELS_OF_DATA
    if y is None and not of_data:
        return None
    if y is None or X is None:
        raise RebatchError(f"{'y' if y is None else 'X'} is missing; allowed are both, a label for each row")
    if setting.target.noise is not None:
        raise RebatchError(
            f"label noise {setting.target.noise} with y; allowed is none: labels have their own"
        )
    given = checks.array("y", y, f"at least {len(X)} finite numbers, a label for each row of X")
    if given.ndim != 1 or len(given) < len(X):
        raise RebatchError(f"y has shape {given.shape}; allowed are at least {len(X)} labels, shape (n,)")
    return np.ascontiguousarray(given[: len(X)])


def _checked_data(setting: Setting, X: Any, d: int | None) -> tuple[Rows | None, int]:
    """Return X, or None, and d, after checking them against each other and the setting."""
    if X is None:
        if d is None:
            raise RebatchError("d is missing; allowed are integers >= k + p, or data X of shape (n, d)")
        setting.samples(d)
        return None, int(d)
    if (
        not isinstance(X, np.ndarray | RowBlocks)
        or isinstance(X, np.ma.MaskedArray)
        or X.ndim != 2
        or X.dtype.name not in PRECISIONS
        or not X.dtype.isnative
    ):
        given = (
            f"{X.dtype} of shape {X.shape}"
            if isinstance(X, np.ndarray | RowBlocks)
            else f"a {type(X).__name__}"
        )
        masked = ", masked" if isinstance(X, np.ma.MaskedArray) else ""
        raise RebatchError(
            f"X is {given}{masked}; allowed are arrays of shape (n, d), float32 or float64, nothing masked"
        )
    if isinstance(X, np.ndarray):
        _check_layout(X)
    if d is not None and d != X.shape[1]:
        raise RebatchError(f"d = {checks.shown(d)}, but X has {X.shape[1]} columns")
    n = setting.samples(X.shape[1])
    if not setting.reuse:
        raise RebatchError("X is given with reuse=False; allowed is reuse=True, fresh batches are drawn")
    if len(X) < n:
        raise RebatchError(f"X has {len(X)} rows; allowed are at least n = alpha d = {n}")
    if isinstance(X, np.ndarray):
        require_whole_file(X)
    _warn_unless_standard(X)
    return X[:n], X.shape[1]


def _check_layout(X: NDArray[Any]) -> None:
    """Refuse rows that are not contiguous, or that begin anywhere but at a number, as in a packed structure."""
    rows_apart = X.strides[0] if len(X) > 1 else 0
    if (X.shape[1] > 1 and X.strides[1] != X.itemsize) or rows_apart % X.itemsize or not X.flags.aligned:
        raise RebatchError(
            f"the rows of X are not contiguous, or {rows_apart} bytes apart, no multiple of {X.itemsize}; allowed is "
            "C order (np.ascontiguousarray copies)"
        )


class NotStandard(UserWarning):
    """Columns of the data have not the mean 0 and the variance 1 that theory speaks of."""


def _warn_unless_standard(X: Rows) -> None:
    """Look at some rows: columns whose mean or variance is far from 0 and 1, by more than chance, are told."""
    rows = X[:: -(-len(X) // _LOOKED_AT)] if isinstance(X, np.ndarray) else X.some(_LOOKED_AT)
    some = rows.astype(np.float64)
    mean, variance, chance = some.mean(axis=0), some.var(axis=0), _SIGMAS / np.sqrt(len(some))
    far = (np.abs(mean) > _FAR + chance) | (np.abs(variance - 1) > _FAR + np.sqrt(2) * chance)
    if far.any() and len(some) >= _LEAST_ROWS:
        worst = int(np.argmax(np.maximum(np.abs(mean), np.abs(variance - 1))))
        warn(
            f"{far.sum()} of {len(far)} columns of X are far from mean 0 and variance 1, column {worst} has mean "
            f"{mean[worst]:.3g} and variance {variance[worst]:.3g}; theory speaks of N(0, 1): standardise them",
            NotStandard,
        )


@dataclass(frozen=True)
class _Data:
    """Samples, their latent coordinates and labels."""

    X: Rows
    z: Array
    y: Array


class DenseSide:
    """Rows of X, drawn or given; the weights as vectors w_j/sqrt(d) in R^d."""

    pool: Any
    data: _Data
    reused: _Data

    def __init__(
        self,
        setting: Setting,
        d: int,
        seed: np.random.SeedSequence,
        threads: int,
        X: Rows | None,
        y: Array | None,
        precision: Precision,
        directions: ArrayLike | None,
    ) -> None:
        self.setting, self.d, self.X, self.y = setting, d, X, y
        self.dtype = np.dtype(precision) if X is None else X.dtype
        self.batch = setting.batch(d)
        self.n = setting.samples(d) if setting.reuse else self.batch
        p = setting.neurons
        count = max(1, min(_MOST_PARTS, self.batch // (64 * p)))
        drawn = (0 if X is not None else self.n * d) + (self.batch * d if setting.fresh_at else 0)
        require(
            self.dtype.itemsize * (drawn + (count + 1) * p * d) + 8 * d * (4 * p + setting.k) + 16 * self.n,
            f"the dense engine with n = {self.n} and d = {d}",
        )
        self.parts = aligned((count, p, d), self.dtype)
        self.coefficients = np.array(setting.activation.coefficients())
        self.threads = min(threads, 1 + self.batch * d * p // _SHARE)
        self.seed, start_seed, order_seed = seed.spawn(3)
        rng = stream(start_seed)
        coefficients = start(setting, d, rng)
        if directions is None and not setting.inputs.is_gaussian:
            directions = math.sqrt(d) * np.eye(setting.k, d)
        basis = _orthonormal(_unit_directions(directions, setting.k, d), setting.k + p, d, rng)
        self.stars = basis[: setting.k]
        self.start = np.asarray(coefficients @ basis)
        self.visits = Visits(setting, self.n, self.batch, stream(order_seed))

    def begin(self, step: int, weights: Array) -> Array:
        """Go on to fresh data where it comes, or to the data that stays, and to the rows of the step."""
        if self.setting.draws(step):
            X = self.X
            if X is None:
                # The memory of one batch serves the next.
                room = self.reused.X if step else np.empty((self.n, self.d), dtype=self.dtype)
                assert isinstance(room, np.ndarray)
                X = self._drawn(room)
            self.reused = self._labelled(X)
        if step in self.setting.fresh_at:
            self.data = self._labelled(self._drawn(np.empty((self.batch, self.d), dtype=self.dtype)))
            self.rows = np.arange(self.batch, dtype=np.intp)
            return weights
        self.data = self.reused
        self.rows = self.visits.at(step)
        return weights

    def singles(self) -> Iterator[NDArray[np.intp]]:
        """Yield the rows of an epoch of single samples."""
        return self.visits.singles()

    def _drawn(self, room: NDArray[Any]) -> NDArray[Any]:
        """Return the room filled with independent inputs of their law."""
        (child,) = self.seed.spawn(1)
        starts = range(0, len(room), _ROWS_PER_STREAM)

        def fill(first: int, seed: np.random.SeedSequence) -> None:
            block = room[first : first + _ROWS_PER_STREAM]
            draw_rows(self.setting.inputs, stream(seed), block)

        list(self.pool.map(fill, starts, child.spawn(len(starts))))
        return room

    def _labelled(self, X: Rows) -> "_Data":
        """Return rows with their latent coordinates, and the labels given or those of the target."""
        z = np.empty((len(X), self.setting.k))
        # Scaled by sqrt(d): the kernel divides by it, and z = <w*, x>/sqrt(d) for w* of norm sqrt(d).
        stars = (math.sqrt(self.d) * self.stars).astype(self.dtype)
        if self.setting.k:
            compute_fields(X, np.arange(len(X), dtype=np.intp), stars, z, self.threads)
        if not np.isfinite(z).all():
            raise RebatchError("X holds entries that are not finite")
        (child,) = self.seed.spawn(1)
        if self.y is not None:
            return _Data(X, z, self.y)
        return _Data(X, z, labels(self.setting.target, z, stream(child)))

    def _cast(self, weights: Array) -> NDArray[Any]:
        scaled = aligned(weights.shape, self.dtype)
        scaled[...] = math.sqrt(self.d) * weights
        return scaled

    def gradient(self, weights: Array) -> tuple[Array, float]:
        """Return (1/d) sum_v x_v g_j(v) over the batch, and the loss per sample."""
        G = np.empty_like(weights)
        loss = gradient(
            self.data.X,
            self.rows,
            self.data.y,
            self._cast(weights),
            self.setting.a(),
            kind_of(self.setting.activation),
            self.coefficients,
            self.setting.loss == "correlation",
            self.parts,
            G,
            self.threads,
        )
        G /= math.sqrt(self.d)
        return G, loss / len(self.rows)

    def loss(self, weights: Array) -> float:
        """Return the loss per sample of the batch at hand."""
        h = np.ascontiguousarray(self._fields(weights).T)
        kind = kind_of(self.setting.activation)
        correlation = self.setting.loss == "correlation"
        losses = np.empty(len(self.parts))
        return signals(
            h,
            self.data.y[self.rows],
            self.setting.a(),
            kind,
            self.coefficients,
            correlation,
            h,
            losses,
            self.threads,
        ) / len(self.rows)

    def _fields(self, weights: Array) -> Array:
        h = np.empty((len(self.rows), len(weights)))
        compute_fields(self.data.X, self.rows, self._cast(weights), h, self.threads)
        return h

    def moved(self, weights: Array, shrink: float, step: float, gradient: Array) -> Array:
        """Return shrink * weights + step * gradient."""
        return shrink * weights + step * gradient

    def overlaps(self, weights: Array) -> tuple[Array, Array]:
        """Return M and Q."""
        return weights @ self.stars.T, weights @ weights.T

    def last_batch(self, weights: Array) -> dict[str, tuple[tuple[str, ...], NDArray[Any]]]:
        """Return fields, latent coordinates and labels of the batch at hand."""
        return {
            "fields": (("sample", "neuron"), self._fields(weights)),
            "latent": (("sample", "direction"), self.data.z[self.rows]),
            "labels": (("sample",), self.data.y[self.rows]),
        }


def _unit_directions(directions: ArrayLike | None, k: int, d: int) -> Array:
    """Return the rows W*/sqrt(d) that the user gave, or none."""
    if directions is None:
        return np.zeros((0, d))
    if k == 0:
        raise RebatchError(
            "directions of labels without any; allowed where the setting has as many, Target.of_data(k)"
        )
    stars = checks.array("directions", directions, f"{k} orthogonal rows of norm sqrt(d), d = {d}")
    if stars.shape != (k, d) or not np.allclose(stars @ stars.T, d * np.eye(k), atol=1e-6 * d):
        raise RebatchError(
            f"directions of shape {stars.shape}; allowed are {k} orthogonal rows of norm sqrt(d), d = {d}"
        )
    return stars / math.sqrt(d)


def _orthonormal(first: Array, count: int, d: int, rng: np.random.Generator) -> Array:
    """Return `count` orthonormal rows of R^d: those given, then uniformly random ones."""
    fresh = rng.standard_normal((d, count - len(first)))
    Q, R = np.linalg.qr(np.hstack([first.T, fresh]))
    basis = np.ascontiguousarray((Q * np.sign(np.diagonal(R))).T)
    basis[: len(first)] = first
    return basis
