"""Bayes-optimal message passing that runs: on stored data, and on the lazy matrix in exact law (theory, 9).

With rows x_i of N(0, 1) entries, c = w_hat / sqrt(d) and z_i = <w*, x_i> / sqrt(d), a step is

    omega = X c - V g_old,   g = g_out(y, omega, V),   A = -(1/d) sum_i d g_out / d omega,
    c <- (X^T g / d + A c) / (1 + A),   V <- 1 / (1 + A):

one product with X and one with X^T, as a step of gradient descent. Its squared cosine with w* follows the
recursion of `state_evolution.py`, up to fluctuations of order 1 / sqrt(d).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.exact.shown import Drawn, Tabulated
from ...symbolic.language.target import Target
from ..engines.lazy import LazyGaussian
from ..machine.blocks import thread_pool
from ..machine.draws import stream
from ..machine.memory import require
from .channel import Candidates, LineChannel, output

Array = NDArray[np.float64]
# A product with X each: nobody waits for more.
_MOST_STEPS = 1_000_000
_BLOCK = 1 << 15


@dataclass(frozen=True)
class MessagePassing(Tabulated, Drawn):
    """A run of message passing.

    Attributes
    ----------
    cosine : ndarray, shape (steps + 1,)
        With the hidden direction, sign included; nan where it is not known, or before an uninformed first step.
    estimate : ndarray or None
        The last c, shape (d,), on stored data.
    d, n : int
    """

    cosine: Array
    estimate: Array | None
    d: int
    n: int

    @property
    def products(self) -> NDArray[np.int64]:
        """The products with X or its transpose made before each entry of `cosine`."""
        return 2 * np.arange(len(self.cosine))

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each step."""
        rows = zip(self.products.tolist(), self.cosine.tolist(), strict=True)
        return [{"step": t, "products": count, "cosine": m} for t, (count, m) in enumerate(rows)]


def amp_on_data(
    target: Target | str,
    X: ArrayLike,
    y: ArrayLike,
    *,
    steps: int,
    start: ArrayLike,
    truth: ArrayLike | None = None,
) -> MessagePassing:
    """Run message passing on stored data.

    Parameters
    ----------
    target : Target or str
        Of one direction: y = g(<w*, x> / sqrt(d)) + noise.
    X : array_like, shape (n, d)
        N(0, 1) entries.
    y : array_like, shape (n,)
    steps : int
    start : array_like, shape (d,)
        c at the start, of squared length q < 1: zeros where the label tells something at once, else a small random
        vector or what is known of w* / sqrt(d).
    truth : array_like, shape (d,), optional
        w*, of any length, for the cosine.

    Raises
    ------
    RebatchError
        If shapes do not fit, or the target has not one direction.
    """
    steps = checks.integer("steps", steps, least=1, most=_MOST_STEPS)
    X, y = checks.array("X", X, "rows of samples"), checks.array("y", y, "a label for each row of X")
    c = checks.array("start", start, "as many numbers as X has columns")
    if X.ndim != 2 or y.shape != X.shape[:1] or c.shape != X.shape[1:]:
        raise RebatchError(f"X {X.shape}, y {y.shape}, start {c.shape}; allowed are (n, d), (n,), (d,)")
    w = None if truth is None else checks.array("truth", truth, "as many numbers as X has columns")
    if w is not None and w.shape != c.shape:
        raise RebatchError(f"truth of shape {w.shape}; allowed is that of start, {c.shape}")
    channel = LineChannel(Target(target))

    def cosine(c: Array) -> float:
        size = 0.0 if w is None else float(np.linalg.norm(c) * np.linalg.norm(w))
        return float("nan") if w is None or not size else float(c @ w) / size

    n, d = X.shape
    cosines, last = _iterate(channel, y, lambda c: X @ c, lambda g: X.T @ g, c, d, steps, cosine)
    return MessagePassing(cosines, last, d, n)


def amp(
    target: Target | str,
    alpha: float,
    *,
    d: int,
    steps: int,
    seed: int,
    start: float = 0.0,
    threads: int | None = None,
) -> MessagePassing:
    """Run message passing in the law of n = alpha d rows of Gaussian data, without the data.

    Parameters
    ----------
    target : Target or str
        Of one direction.
    alpha : float
    d : int
        Up to millions: memory is 16 n (steps + 3) bytes and the roots of the labels.
    steps : int
    seed : int
    start : float
        The squared cosine of what is known at the start, in [0, 1).

    Raises
    ------
    RebatchError
        If an argument is out of range, or memory does not suffice.
    """
    alpha, d = checks.number("alpha", alpha, above=0), checks.integer("d", d, least=3)
    seed, steps = checks.seed(seed), checks.integer("steps", steps, least=1)
    start = checks.number("start", start, least=0, below=1)
    n = round(alpha * d)
    if n < 1:
        raise RebatchError(f"alpha = {alpha}, d = {d}; allowed are alpha and d with alpha d >= 1")
    channel = LineChannel(Target(target))
    require(16.0 * n * (steps + 3 + len(channel.pieces)), f"message passing with n = {n} and {steps} steps")
    matrix_seed, noise_seed = np.random.SeedSequence(seed).spawn(2)
    with thread_pool(threads) as pool:
        X = LazyGaussian(n, d, 2, steps, matrix_seed, pool)
        y = channel.labels(X.images()[0].copy(), stream(noise_seed))

        def forward(c: Array) -> Array:
            images = X.images()
            return np.asarray(c @ images[: len(c)])

        def adjoint(g: Array) -> Array:
            X.rooms[0][0] = g
            return np.asarray(X.transposed_product(X.rooms[0][:1])[0])

        # What is known at the start: q w*/sqrt(d) and the rest of its length along a direction of its own.
        c = np.array([start, np.sqrt(start * (1 - start))])
        cosines, _ = _iterate(
            channel,
            y,
            forward,
            adjoint,
            c,
            d,
            steps,
            lambda c: float(c[0] / np.linalg.norm(c)) if c.any() else np.nan,
        )
    return MessagePassing(cosines, None, d, n)


def _iterate(
    channel: LineChannel,
    y: Array,
    forward: Callable[[Array], Array],
    adjoint: Callable[[Array], Array],
    c: Array,
    d: int,
    steps: int,
    cosine: Callable[[Array], float],
) -> tuple[Array, Array]:
    """Return the cosines at every step and the last c."""
    noisy = bool(channel.target.noise_std)
    known = None if noisy else channel.candidates(y)
    found, g, V = [cosine(c)], np.zeros(len(y)), 1 - float(c @ c)
    for _ in range(steps):
        omega = forward(c) - V * g
        g, slope = outputs(channel, known, y, omega, V)
        # At finite d an estimate of E[g^2] = -E[dg/domega] can come out below 0; V stays a variance.
        A = max(-float(slope.sum()) / d, 0.0)
        new = adjoint(g) / d
        new[: len(c)] += A * c
        c, V = new / (1 + A), 1 / (1 + A)
        found.append(cosine(c))
    return np.array(found), c


def outputs(
    channel: LineChannel, known: Candidates | None, y: Array, omega: Array, V: float
) -> tuple[Array, Array]:
    """Return g_out and its derivative at every sample, block by block."""
    g, slope = np.empty_like(y), np.empty_like(y)
    size = _BLOCK if known is not None else _BLOCK // 64
    for begin in range(0, len(y), size):
        part = slice(begin, begin + size)
        candidates = channel.candidates(y[part]) if known is None else known[part]
        g[part], slope[part] = output(candidates, omega[part], V)
    return g, slope
