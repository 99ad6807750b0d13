"""Descent on one fresh sample per step, or a few, by its overlap chain alone: exact at every d (theory, 6.3).

A fresh Gaussian sample meets the weights and w* through k + p normal coefficients, and its squared norm outside
them is chi-squared with d - k - p degrees of freedom. So (M, Q) is a Markov chain of cost O(p^2 + p k) a step
whatever d is. For b samples per step the parts outside are the rows of a lower triangular A (Bartlett): x_v .
x_v' = A_v . A_v'. Of a batch that is met once only sum_v g_v x_v counts, outside normal with covariance g^T g: p such
rows are enough, whatever b is.
"""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ..inputs import draw
from ..labels import labels
from ..machine.blocks import Array, thread_pool
from ..machine.draws import stream
from ..machine.memory import require
from ..machine.progress import progress
from ..response import chain, kind_of
from ..setting import Setting
from ..start import start
from ..trajectory import Trajectory
from .descent import Record, divergence, interruption

# Replicas that share one stream, and samples drawn at a time: part of the definition of a seed's numbers.
_GROUP = 16
_DRAWN = 16_384


def simulate_online(
    setting: Setting,
    *,
    d: int,
    seed: int,
    threads: int | None = None,
    replicas: int | None = None,
    stop: float | None = None,
    stop_along: ArrayLike | None = None,
) -> Trajectory:
    """Run online descent: `batch_size` fresh samples per step, by default one.

    Parameters
    ----------
    setting : Setting
        With ``reuse=False``; z of any law, everything orthogonal to w* Gaussian. alpha is not used: a run sees
        ``steps * batch_size / repeats`` samples.
    d : int
        Input dimension, at least k + p; it costs nothing.
    seed : int
        The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    replicas : int, optional
        Independent runs; the trajectory then has a first dimension ``replica``.
    stop : float, optional
        A replica stops when a row of M is longer than this. Variable ``hitting_step`` (replica) says at which step,
        -1 if it was not reached; later steps show the overlaps at which it stopped, and a NaN loss.
    stop_along : array_like, shape (q, k), optional
        Independent directions of R^k: for `stop`, rows of M are measured by their part in the span of these alone.

    Returns
    -------
    Trajectory
        Its training loss at a step is that of the samples of the step, NaN at the last.

    Raises
    ------
    RebatchError
        If an argument is not allowed, or what is recorded does not fit in memory: ask for a larger `record_every`.

    References
    ----------
    theory, 6.3; [BA21], [SS95]. Time: about 0.1 microseconds per step and replica at p = k = 1.
    """
    if setting.reuse:
        raise RebatchError(
            "the online engine draws fresh samples; allowed is reuse=False (--one-pass in a terminal)"
        )
    stop = None if stop is None else checks.number("stop", stop, above=0)
    replicas = None if replicas is None else checks.integer("replicas", replicas, least=1)
    setting.samples(d)
    along = _orthonormal(stop_along, setting.k)
    if stop is None and stop_along is not None:
        raise RebatchError("stop_along says where `stop` is measured; give `stop` too")
    run = _Online(
        setting,
        int(d),
        replicas or 1,
        -1.0 if stop is None else stop,
        along,
        np.random.SeedSequence(seed),
    )
    with thread_pool(threads) as pool:
        record = run.record(pool)
    trajectory = record.trajectory(engine="online", d=int(d), seed=int(seed))
    variables = {"hitting_step": (("replica",), np.maximum(run.hit, -1))} if stop is not None else {}
    data = trajectory.data.assign(variables)
    return Trajectory(data if replicas is not None else data.isel(replica=0))


def _orthonormal(directions: ArrayLike | None, k: int) -> Array:
    """Return an orthonormal basis, shape (q, k), of the span of the given directions; by default of R^k."""
    if directions is None:
        return np.eye(k)
    allowed = f"finite numbers of shape (q, {k})"
    given = checks.array("stop_along", directions, allowed)
    if given.ndim != 2 or given.shape[1] != k:
        raise RebatchError(f"stop_along has shape {given.shape}; allowed are {allowed}")
    if len(given) == 0 or np.linalg.matrix_rank(given) < len(given):
        raise RebatchError(f"stop_along = {given.tolist()}; allowed are independent directions, at least one")
    return np.ascontiguousarray(np.linalg.qr(given.T)[0].T)


class _Group:
    """A few replicas with their own stream and state."""

    def __init__(
        self, setting: Setting, d: int, replicas: int, seed: np.random.SeedSequence, hit: NDArray[np.int64]
    ) -> None:
        self.rng = stream(seed)
        p, k, b = setting.neurons, setting.k, setting.batch_size or 1
        weights = np.array([start(setting, d, self.rng) for _ in range(replicas)])
        self.M = np.ascontiguousarray(weights[:, :, :k])
        self.E = np.ascontiguousarray(weights[:, :, k:])
        self.scratch = np.empty((replicas, p * (k + 3 * p + 3 * b) + b * p))
        self.hit = hit

    def Q(self) -> Array:
        """Return M M^T + E E^T, shape (replicas, p, p)."""
        return np.asarray(self.M @ self.M.transpose(0, 2, 1) + self.E @ self.E.transpose(0, 2, 1))


class _Online:
    """All replicas of one setting, and what is kept of them."""

    def __init__(
        self,
        setting: Setting,
        d: int,
        replicas: int,
        stop: float,
        along: Array,
        seed: np.random.SeedSequence,
    ) -> None:
        self.setting, self.d, self.stop, self.along = setting, d, stop, along
        p, k, self.b = setting.neurons, setting.k, setting.batch_size or 1
        # Met once and without look-ahead, a batch needs as many vectors outside as there are neurons.
        self.joint = setting.repeats == 1 and not setting.rho and self.b > p
        self.vectors = p if self.joint else self.b
        self.batches = max(1, _DRAWN // (self.b * min(_GROUP, replicas)))
        count = -(-setting.steps // setting.record_every) + 1
        require(
            8.0 * count * (replicas * (p * (k + p) + 1) + 1),
            f"recording {count} steps of {replicas} replicas (record_every = {setting.record_every})",
        )
        drawn = min(self.batches, setting.steps) * replicas * self.b
        require(
            8.0 * drawn * (k + p + 1 + self.vectors**2 / self.b),
            f"drawing {drawn} samples of one step (batch_size = {self.b}, {replicas} replicas)",
        )
        self.kept = np.append(np.arange(0, setting.steps, setting.record_every), setting.steps)
        self.M = np.empty((replicas, len(self.kept), p, k))
        self.Q = np.empty((replicas, len(self.kept), p, p))
        self.loss = np.full((replicas, len(self.kept)), np.nan)
        self.hit = np.full(replicas, -1, dtype=np.int64)
        self.slices = [slice(i, min(i + _GROUP, replicas)) for i in range(0, replicas, _GROUP)]
        seeds = seed.spawn(len(self.slices))
        self.groups = [
            _Group(setting, d, s.stop - s.start, own, self.hit[s])
            for s, own in zip(self.slices, seeds, strict=True)
        ]
        self.coefficients = np.array(setting.activation.coefficients())

    def record(self, pool: ThreadPoolExecutor) -> Record:
        """Run to the last step, or until every replica has stopped."""
        setting, record = self.setting, Record(self.setting)
        done, kept = 0, 0
        try:
            with progress(f"online, d = {self.d}", setting.steps) as report:
                while done < setting.steps and (self.hit == -1).any():
                    steps = min(self.batches * setting.repeats, setting.steps - done)
                    rows = slice(kept, int(np.searchsorted(self.kept[:-1], done + steps)))
                    tasks = [
                        pool.submit(self._advance, group, replicas, rows, done, steps)
                        for group, replicas in zip(self.groups, self.slices, strict=True)
                    ]
                    for task in tasks:
                        task.result()
                    done, kept = done + steps, rows.stop
                    report(done)
                    if (self.hit < -1).any():
                        step = -2 - int(self.hit[self.hit < -1].max())
                        record.stopped = divergence(step)
                        return self._fill(record, int(np.searchsorted(self.kept[:-1], step)), None)
        except KeyboardInterrupt:
            if not kept:
                raise
            record.stopped = interruption(int(self.kept[kept - 1]))
            return self._fill(record, kept, None)
        return self._fill(record, kept, done)

    def _advance(self, group: _Group, replicas: slice, rows: slice, done: int, steps: int) -> None:
        """Draw the samples of the next steps of a group, and take the steps."""
        setting, rng, (R, p, k) = self.setting, group.rng, group.M.shape
        if (group.hit != -1).all():  # what is drawn from here on nobody sees
            self.M[replicas, rows], self.Q[replicas, rows] = group.M[:, None], group.Q()[:, None]
            return
        shape = (-(-steps // setting.repeats), R, self.b)
        z = draw(setting.inputs, rng, (*shape, k))
        u = rng.standard_normal((*shape, p))
        A = outside(self.d - k - p, (*shape[:-1], self.vectors), rng)
        y = labels(setting.target, z.reshape(-1, k), rng).reshape(shape)
        M, Q, loss = (np.empty((R, rows.stop - rows.start, *tail)) for tail in ((p, k), (p, p), ()))
        chain(
            z,
            u,
            A,
            y,
            setting.a(),
            kind_of(setting.activation),
            self.coefficients,
            setting.loss == "correlation",
            1 - setting.eta * setting.weight_decay,
            setting.eta / self.d,
            setting.rho / self.d,
            setting.normalize,
            setting.repeats,
            self.joint,
            done,
            done + steps,
            self.stop,
            self.along,
            group.M,
            group.E,
            group.hit,
            setting.record_every,
            M,
            Q,
            loss,
            group.scratch,
        )
        self.M[replicas, rows], self.Q[replicas, rows], self.loss[replicas, rows] = M, Q, loss

    def _fill(self, record: Record, kept: int, now: int | None) -> Record:
        """Return what was kept up to here, and the state after step `now` unless it is None."""
        step = self.kept[:kept]
        M, Q, loss = (values[:, :kept] for values in (self.M, self.Q, self.loss))
        if now is not None:
            last_M = np.concatenate([group.M for group in self.groups])
            last_Q = np.concatenate([group.Q() for group in self.groups])
            step = np.append(step, now)
            M, Q = np.concatenate([M, last_M[:, None]], axis=1), np.concatenate([Q, last_Q[:, None]], axis=1)
            loss = np.concatenate([loss, np.full((len(loss), 1), np.nan)], axis=1)
        record.step, record.M, record.Q, record.loss = list(step), M, Q, loss
        return record


def outside(freedom: int, shape: tuple[int, int, int], rng: np.random.Generator) -> Array:
    """Return b normal vectors of R^freedom up to a common rotation, lower triangular, shape (*shape, b).

    Row v has normal coefficients on the v rows before, and a chi-distributed one with freedom - v degrees beyond
    (Bartlett); with fewer dimensions than rows, the later rows have normal coefficients only.
    """
    b = shape[-1]
    if b == 1 <= freedom:
        lengths = rng.chisquare(freedom, (*shape, 1))
        return np.sqrt(lengths, out=lengths)
    A = np.zeros((*shape, b))
    if b > 1:
        below = np.tril_indices(b, -1)
        inside = below[1] < freedom
        A[..., below[0][inside], below[1][inside]] = rng.standard_normal((*shape[:-1], int(inside.sum())))
    for v in range(min(b, freedom)):
        np.sqrt(rng.chisquare(freedom - v, shape[:-1]), out=A[..., v, v])
    return A
