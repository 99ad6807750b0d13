"""How good is the first layer? The second one by ridge regression on its features, and the test loss (theory, 1).

After T steps the features of a sample are phi(x) = sigma(h_j + b_j), and the second layer is

    a = argmin (1/n) sum_v (y_v - <a, phi(x_v)>)^2 + lambda |a|^2,

with lambda of the smallest leave-one-out error, which is known without leaving one out: the residual of sample v
without v is r_v / (1 - H_vv), H the hat matrix. On a fresh sample (z, h) is Gaussian with the covariance
[[I, M^T], [M, Q]] at every d, so fresh data costs nothing but its features.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Tabulated
from ..symbolic.overlap.activation import Activation
from .inputs import draw
from .labels import labels
from .machine.blocks import BLOCK, Array, Blocks, thread_count, thread_pool
from .machine.memory import require
from .response import sigma_of
from .setting import semidefinite_cholesky
from .trajectory import Trajectory

Data = Literal["same", "fresh"]
DATA: tuple[Data, ...] = ("same", "fresh")
# In units of the largest eigenvalue of the features' second moment: from next to nothing to next to everything.
_PENALTIES = np.logspace(-10, 1, 45)


@dataclass(frozen=True, eq=False)
class Readout(Tabulated):
    """A second layer, and how well it does.

    Attributes
    ----------
    activation : Activation
    biases : ndarray, shape (p, m)
        m features sigma(h_j + b_jl) per neuron.
    a : ndarray, shape (p, m)
    penalty : float
        The chosen lambda.
    penalties, validation_loss : ndarray, shape (number of penalties,)
        What was tried, and the leave-one-out loss of each.
    training_loss, test_loss : float
        Mean of (y - f)^2 / 2, label noise included, on the samples of the fit and on fresh ones.
    test_error : float
        Standard error of `test_loss` over its fresh samples.
    data : {"same", "fresh"}
    samples, test_samples : int
    """

    activation: Activation
    biases: Array
    a: Array
    penalty: float
    penalties: Array
    validation_loss: Array
    training_loss: float
    test_loss: float
    test_error: float
    data: Data
    samples: int
    test_samples: int

    def __call__(self, h: ArrayLike) -> Array:
        """Return f for fields h of shape (n, p), shape (n,)."""
        h = np.asarray(h, dtype=np.float64)
        if h.ndim != 2 or h.shape[1] != len(self.a):
            raise RebatchError(f"h has shape {h.shape}; allowed is (n, {len(self.a)}), a row per sample")
        return np.asarray(_features(self.activation, h, self.biases) @ self.a.ravel())

    def records(self) -> list[dict[str, Any]]:
        """Return one row: the penalty and the losses."""
        names = ("penalty", "training_loss", "test_loss", "test_error", "data", "samples", "test_samples")
        return [{"features": int(self.a.size), **{name: getattr(self, name) for name in names}}]

    def __str__(self) -> str:
        best = int(np.argmin(self.validation_loss))
        edge = ", at the edge of those tried" if best in (0, len(self.penalties) - 1) else ""
        return (
            f"second layer by ridge regression on {self.a.size} features of {self.samples} {self.data} samples\n"
            f"penalty             {self.penalty:.3g} of {len(self.penalties)}{edge}\n"
            f"training loss       {self.training_loss:.6g}\n"
            f"leave-one-out loss  {self.validation_loss[best]:.6g}\n"
            f"test loss           {self.test_loss:.6g} ± {self.test_error:.2g} on {self.test_samples} fresh samples"
        )


def ridge_readout(
    trajectory: Trajectory,
    *,
    seed: int,
    data: Data = "fresh",
    samples: int | None = None,
    test_samples: int = 100_000,
    biases: ArrayLike | None = None,
    penalties: Sequence[float] | None = None,
    threads: int | None = None,
) -> Readout:
    """Return the best second layer on the first layer that a run ended with.

    Parameters
    ----------
    trajectory : Trajectory
        Of any engine, one replica. With ``data="same"`` of one that ran with ``fields=True`` to its last step.
    seed : int
        Nonnegative. The same seed gives the same numbers, whatever the number of threads.
    data : {"fresh", "same"}
        Whether to fit on fresh samples or on the last batch of the run: with ``reuse=True`` the one that trained the
        first layer.
    samples : int, optional
        Of the fit on fresh data; by default as many as one batch of the run.
    test_samples : int
        At least 2.
    biases : array_like, shape (p,) or (p, m), optional
        b_jl; several per neuron make several features of it. By default none.
    penalties : sequence of float, optional
        The lambda > 0 to choose from; by default 45 from 1e-10 to 10 times the largest eigenvalue of the features'
        second moment.
    threads : int, optional
        By default one per core.

    Returns
    -------
    Readout

    Raises
    ------
    RebatchError
        If an argument is not allowed, the trajectory has replicas, or it lacks the fields that are asked for.

    References
    ----------
    theory, 1; leave-one-out: Golub, Heath and Wahba 1979. Time: about 3 n (p m)^2 flops; memory: a block of features
    per thread.

    Examples
    --------
    >>> from rebatch import Setting, simulate
    >>> run = simulate(Setting(target="z1", activation="erf", alpha=3, eta=0.5, steps=2), d=1000, seed=0)
    >>> ridge_readout(run, seed=1).a.shape
    (1, 1)
    """
    if not isinstance(trajectory, Trajectory):
        raise RebatchError(
            f"trajectory = {checks.shown(trajectory)}; allowed are objects of rebatch.Trajectory"
        )
    setting = trajectory.setting
    checks.one_of("data", data, DATA)
    if "replica" in trajectory.data.dims:
        raise RebatchError(
            "the trajectory has replicas; allowed is one of them, Trajectory(run.data.isel(replica=0))"
        )
    shifts, grid = _checked_biases(biases, setting.neurons), _checked_penalties(penalties)
    test_samples = checks.integer("test_samples", test_samples, least=2)
    require(thread_count(threads) * 8.0 * BLOCK * 3 * (shifts.size + setting.neurons), "a block of features")
    fit_seed, test_seed = np.random.SeedSequence(checks.integer("seed", seed, least=0, most=None)).spawn(2)
    with thread_pool(threads) as pool:
        if data == "same":
            h, y = _kept(trajectory, samples)
        else:
            n = _batch(trajectory) if samples is None else checks.integer("samples", samples, least=1)
            h, y = _fresh(trajectory, n, fit_seed)
        features = _Features(setting.activation, shifts, h, y, Blocks(len(y), pool))
        fit = features.fit(grid)
        test_h, test_y = _fresh(trajectory, test_samples, test_seed)
        test = _Features(setting.activation, shifts, test_h, test_y, Blocks(test_samples, pool))
        loss, square = test.moments(fit["a"])
        training_loss, _ = features.moments(fit["a"])
    return Readout(
        activation=setting.activation,
        biases=shifts,
        data=data,
        samples=len(y),
        test_samples=test_samples,
        test_loss=loss,
        test_error=float(np.sqrt(max(0.0, square - loss**2) / (test_samples - 1))),
        training_loss=training_loss,
        **{**fit, "a": fit["a"].reshape(shifts.shape)},
    )


def _features(activation: Activation, h: Array, biases: Array) -> Array:
    """Return sigma(h_j + b_jl) for every row of h, shape (n, p m)."""
    shifted = (h[:, :, None] + biases).reshape(len(h), -1)
    sigma = _compiled(activation)
    return np.array(np.broadcast_to(sigma(shifted), shifted.shape))


@lru_cache(maxsize=8)
def _compiled(activation: Activation) -> Callable[..., Array]:
    return sigma_of(activation)


@dataclass(frozen=True)
class _Features:
    """Features and labels of n samples, made block by block."""

    activation: Activation
    biases: Array
    h: Array
    y: Array
    blocks: Blocks

    def block(self, at: slice) -> Array:
        return _features(self.activation, self.h[at], self.biases)

    def fit(self, penalties: Array | None) -> dict[str, Any]:
        """Return `a`, `penalty`, `penalties` and `validation_loss`.

        With phi = U S V^T, from the triangles of the blocks' QR: f = sum_l (s_l^2 / (s_l^2 + n lambda)) u_l u_l^T y.
        """
        n = len(self.y)

        def triangle(_: int, at: slice) -> Array:
            return np.asarray(np.linalg.qr(np.column_stack([self.block(at), self.y[at]]), mode="r"))

        R = np.asarray(np.linalg.qr(self.blocks.stacked(triangle), mode="r"))
        U, size, Vt = np.linalg.svd(R[:, :-1], full_matrices=False)
        if not np.isfinite(size).all() or not size[0] > 0:
            raise RebatchError("the features are all zero, or not finite: nothing to fit on")
        c = size * (U.T @ R[:, -1])
        if penalties is None:
            penalties = _PENALTIES * size[0] ** 2 / n
        inverse = 1 / (size[:, None] ** 2 + n * penalties)

        def leave_one_out(_: int, at: slice) -> Array:
            T = self.block(at) @ Vt.T
            residual = self.y[at, None] - T @ (c[:, None] * inverse)
            return np.asarray(((residual / (1 - T**2 @ inverse)) ** 2).sum(axis=0))

        validation = self.blocks.each(leave_one_out) / (2 * n)
        best = int(np.argmin(np.where(np.isfinite(validation), validation, np.inf)))
        return {
            "a": Vt.T @ (c * inverse[:, best]),
            "penalty": float(penalties[best]),
            "penalties": penalties,
            "validation_loss": validation,
        }

    def moments(self, a: Array) -> tuple[float, float]:
        """Return the mean of the loss per sample, and of its square."""

        def total(_: int, at: slice) -> Array:
            loss = (self.y[at] - self.block(at) @ a) ** 2 / 2
            return np.array([loss.sum(), (loss**2).sum()])

        first, second = self.blocks.each(total) / len(self.y)
        return float(first), float(second)


def _fresh(trajectory: Trajectory, n: int, seed: np.random.SeedSequence) -> tuple[Array, Array]:
    """Return fields and labels of fresh samples for the last recorded weights."""
    setting = trajectory.setting
    M, Q = trajectory.M.values[-1], trajectory.Q.values[-1]
    require(8.0 * n * (setting.k + 2 * setting.neurons + 1), f"drawing {n} samples")
    rng = np.random.default_rng(seed)
    z = draw(setting.inputs, rng, (n, setting.k))
    u = rng.standard_normal((n, setting.neurons))
    h = z @ M.T + u @ semidefinite_cholesky(Q - M @ M.T).T
    return h, labels(setting.target, z, rng)


def _kept(trajectory: Trajectory, samples: int | None) -> tuple[Array, Array]:
    """Return fields and labels of the last batch of the run."""
    if samples is not None:
        raise RebatchError(f"samples = {samples} with data='same'; allowed with data='fresh'")
    if missing := {"fields", "labels"} - set(trajectory.data.data_vars):
        raise RebatchError(
            f"the trajectory lacks {', '.join(sorted(missing))}; run the dense or lazy engine with fields=True"
        )
    if trajectory.stopped:
        raise RebatchError(f"the run did not end ({trajectory.stopped}); allowed is data='fresh'")
    return np.asarray(trajectory.data["fields"].values), np.asarray(trajectory.data["labels"].values)


def _batch(trajectory: Trajectory) -> int:
    d = int(trajectory.data.attrs.get("d") or 0)
    if not d:
        raise RebatchError("the trajectory has no d; allowed with samples=, the number of samples to fit on")
    return trajectory.setting.batch(d)


def _checked_biases(biases: ArrayLike | None, p: int) -> Array:
    allowed = f"finite numbers of shape ({p},) or ({p}, m)"
    shifts = np.zeros((p, 1)) if biases is None else checks.array("biases", biases, allowed)
    if shifts.ndim == 1:
        shifts = shifts[:, None]
    if shifts.ndim != 2 or len(shifts) != p or not shifts.size:
        raise RebatchError(f"biases of shape {shifts.shape}; allowed are {allowed}")
    return shifts


def _checked_penalties(penalties: Sequence[float] | None) -> Array | None:
    if penalties is None:
        return None
    allowed = "finite numbers > 0, at least one"
    grid = checks.array("penalties", penalties, allowed)
    if grid.ndim != 1 or not grid.size or (grid <= 0).any():
        raise RebatchError(f"penalties = {checks.shown(penalties)}; allowed are {allowed}")
    return grid
