"""The spectral estimator with the optimal transform of the label, on data and in the limit (theory, 9).

The top eigenvector of D = (1/n) sum_i T(y_i) x_i x_i^T with T = 1 - 1/E[z^2 | y] overlaps with the hidden direction
above alpha_c of the second moments. With Z = T(y) and

    psi(l) = l (1/alpha + E[Z / (l - Z)]),   phi(l) = l E[Z z^2 / (l - Z)],

psi convex with its minimum at l0: if phi(l0) > psi(l0), then phi = psi at one l1 > l0, the top eigenvalue tends to
psi(l1) above the bulk's edge psi(l0), and the squared cosine to psi'(l1) / (psi'(l1) - phi'(l1)); else there is no
outlier [Lu, Li 2020; Mondelli, Montanari 2019].
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.sparse.linalg import LinearOperator, eigsh

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.exact.shown import Tabulated
from ...symbolic.language.target import Target
from ..engines.lazy import LazyGaussian
from ..machine.blocks import thread_pool
from ..machine.draws import stream
from ..machine.memory import require
from .amp import outputs
from .channel import LineChannel, output
from .state_evolution import Averager

Array = NDArray[np.float64]
# Labels that pin z to 0 have T = -infinity, and eigenvalue solvers the more to do the further down the spectrum
# goes. The cut moves alpha_c of z^2 and of He_4 by less than 0.4 per cent; limits are those of the cut transform.
_LEAST = -5.0
# A label is integrated once, not at every step as in state evolution.
_PIECE_NODES = 1024
# A residual by this share of the eigenvalue moves the cosine less than fluctuations do at any d here.
_RESIDUAL = 1e-6
_CHECKED_EVERY = 5
_HIGHEST = 1e8


@dataclass(frozen=True)
class SpectralLimit(Tabulated):
    """The top of the spectrum of D as d -> infinity.

    Attributes
    ----------
    alpha : float
    eigenvalue : float
        Of the top eigenvector: an outlier, or the edge.
    edge : float
        Of the bulk.
    cosine : float
        Of the top eigenvector with the hidden direction, 0 without an outlier.
    """

    alpha: float
    eigenvalue: float
    edge: float
    cosine: float

    def records(self) -> list[dict[str, Any]]:
        """Return one row."""
        return [
            {"alpha": self.alpha, "eigenvalue": self.eigenvalue, "edge": self.edge, "cosine": self.cosine}
        ]


@dataclass(frozen=True)
class SpectralEstimate(Tabulated):
    """The top eigenvector of D on one data set.

    Attributes
    ----------
    eigenvalue : float
    cosine : float
        In size, with the hidden direction; nan where it is not known.
    estimate : ndarray or None
        The eigenvector, of length 1, on stored data.
    residual : float
        |D v - eigenvalue v|.
    products : int
        Products with X and with its transpose, together.
    d, n : int
    """

    eigenvalue: float
    cosine: float
    estimate: Array | None
    residual: float
    products: int
    d: int
    n: int

    def records(self) -> list[dict[str, Any]]:
        """Return one row."""
        names = ("eigenvalue", "cosine", "residual", "products", "d", "n")
        return [{name: getattr(self, name) for name in names}]


def spectral_limit(target: Target | str, alpha: float) -> SpectralLimit:
    """Return eigenvalue and overlap of the spectral estimator as d -> infinity.

    Parameters
    ----------
    target : Target or str
        Of one direction; label noise counts.
    alpha : float
        Samples per dimension, positive.

    Raises
    ------
    RebatchError
        If alpha is not positive, or the target has not one direction.

    References
    ----------
    Lu, Li 2020; Mondelli, Montanari 2019; theory, 9.

    Examples
    --------
    >>> spectral_limit("z1^2", 0.4).cosine
    0.0
    """
    alpha = checks.number("alpha", alpha, above=0)
    channel = LineChannel(Target(target))
    averager = Averager(channel, None if channel.target.noise_std else _PIECE_NODES)
    g, slope = output(averager.candidates, np.zeros_like(averager.z), 1.0)
    return _limit(transform(g, slope), averager.z**2, averager.weight, alpha)


def _limit(Z: Array, square: Array, weight: Array, alpha: float) -> SpectralLimit:
    """Return the limit for the law of (Z, z^2) on nodes with weights."""

    def psi(x: float) -> float:
        return x * (1 / alpha + float(weight @ (Z / (x - Z))))

    def phi(x: float) -> float:
        return x * float(weight @ (Z * square / (x - Z)))

    def slope(x: float) -> float:
        return 1 / alpha - float(weight @ (Z / (x - Z)) ** 2)

    top = float(Z.max())
    if top <= 0:
        return SpectralLimit(alpha, 0.0, 0.0, 0.0)
    above = top * (1 + 1e-9)
    bottom = above if slope(above) >= 0 else brentq(slope, above, _HIGHEST, xtol=1e-14, rtol=1e-13)
    edge = psi(bottom)
    if phi(bottom) <= edge:
        return SpectralLimit(alpha, edge, edge, 0.0)
    at = brentq(lambda x: psi(x) - phi(x), bottom, _HIGHEST, xtol=1e-14, rtol=1e-13)
    pull = float(weight @ (square * (Z / (at - Z)) ** 2))
    return SpectralLimit(alpha, psi(at), edge, float(np.sqrt(slope(at) / (slope(at) + pull))))


def transform(g: Array, slope: Array) -> Array:
    """Return T = 1 - 1/E[z^2 | y] from g_out and its derivative at omega = 0, V = 1, cut off below.

    E[z | y] = g_out and Var[z | y] = 1 + g_out', so E[z^2 | y] = 1 + g_out' + g_out^2.
    """
    second = np.maximum(1 + slope + g**2, 1e-300)
    return np.maximum(1 - 1 / second, _LEAST)


def spectral_on_data(
    target: Target | str, X: ArrayLike, y: ArrayLike, *, truth: ArrayLike | None = None
) -> SpectralEstimate:
    """Return the spectral estimate from stored data, by the Lanczos method of SciPy.

    Parameters
    ----------
    target : Target or str
        Of one direction: y = g(<w*, x> / sqrt(d)) + noise.
    X : array_like, shape (n, d)
        N(0, 1) entries, d >= 3.
    y : array_like, shape (n,)
    truth : array_like, shape (d,), optional
        w*, of any length, for the cosine.

    Raises
    ------
    RebatchError
        If shapes do not fit, an entry is not finite, or the target has not one direction.
    """
    X, y = checks.array("X", X, "rows of samples"), checks.array("y", y, "a label for each row of X")
    if X.ndim != 2 or y.shape != X.shape[:1] or X.shape[1] < 3:
        raise RebatchError(f"X {X.shape}, y {y.shape}; allowed are (n, d) and (n,) with d >= 3")
    w = None if truth is None else checks.array("truth", truth, "as many numbers as columns of X")
    if w is not None and w.shape != X.shape[1:]:
        raise RebatchError(f"truth of shape {w.shape}; allowed is ({X.shape[1]},), as many as columns of X")
    n, d = X.shape
    T = transformed(LineChannel(Target(target)), y)
    count = 0

    def product(v: Array) -> Array:
        nonlocal count
        count += 2
        return np.asarray(X.T @ (T * (X @ v.ravel())) / n)

    operator = LinearOperator((d, d), matvec=product, dtype=float)
    values, vectors = eigsh(operator, k=1, which="LA", v0=np.random.default_rng(0).standard_normal(d))
    v = vectors[:, 0]
    residual = float(np.linalg.norm(product(v) - values[0] * v))
    cosine = float("nan") if w is None else float(abs(v @ w) / np.linalg.norm(w))
    return SpectralEstimate(float(values[0]), cosine, v, residual, count, d, n)


def spectral(
    target: Target | str, alpha: float, *, d: int, seed: int, steps: int = 200, threads: int | None = None
) -> SpectralEstimate:
    """Return the spectral estimate in the law of n = alpha d rows of Gaussian data, without the data.

    Vectors grow by one coefficient with every product, so that the Lanczos method is run on coefficients, all of
    them kept orthogonal; it ends where the residual is below a millionth of the eigenvalue, or after `steps`.

    Parameters
    ----------
    target : Target or str
        Of one direction.
    alpha : float
    d : int
        Memory is 16 n (steps + 3) bytes.
    seed : int
    steps : int
        The most that are made, two products each.

    Raises
    ------
    RebatchError
        If an argument is out of range, or memory does not suffice.
    """
    alpha, seed = checks.number("alpha", alpha, above=0), checks.seed(seed)
    steps = checks.integer("steps", steps, least=2)
    d = checks.integer("d", d, least=steps + 3)
    n = round(alpha * d)
    if n < 1:
        raise RebatchError(f"alpha = {alpha}, d = {d}; allowed are alpha d >= 1")
    channel = LineChannel(Target(target))
    require(16.0 * n * (steps + 3 + len(channel.pieces)), f"a spectral estimate with n = {n}, {steps} steps")
    matrix_seed, noise_seed, start_seed = np.random.SeedSequence(seed).spawn(3)
    with thread_pool(threads) as pool:
        X = LazyGaussian(n, d, 2, steps, matrix_seed, pool)
        T = transformed(channel, channel.labels(X.images()[0].copy(), stream(noise_seed)))

        def product(c: Array) -> Array:
            X.rooms[0][0] = T * (c @ X.images()[: len(c)])
            return np.asarray(X.transposed_product(X.rooms[0][:1])[0]) / n

        # A random start: along w* it has N(0, 1) / sqrt(d).
        along = float(stream(start_seed).standard_normal()) / np.sqrt(d)
        start = np.array([along, np.sqrt(max(0.0, 1 - along**2))])
        value, c, residual, made = _top(product, start / np.linalg.norm(start), steps)
    return SpectralEstimate(value, float(abs(c[0])), None, residual, 2 * made, d, n)


def _top(product: Callable[[Array], Array], start: Array, steps: int) -> tuple[float, Array, float, int]:
    """Return the top eigenvalue, its vector of length 1, the residual and the steps of the Lanczos method."""
    room = len(start) + steps
    basis, images = np.zeros((steps + 1, room)), np.zeros((steps, room))
    basis[0, : len(start)] = start
    value, vector, residual = 0.0, basis[0], float("inf")
    for j in range(steps):
        new = product(np.trim_zeros(basis[j], "b"))
        images[j, : len(new)] = new
        if (j + 1) % _CHECKED_EVERY == 0 or j == steps - 1:
            H = basis[: j + 1] @ images[: j + 1].T
            values, weights = np.linalg.eigh((H + H.T) / 2)
            value, vector = float(values[-1]), weights[:, -1] @ basis[: j + 1]
            residual = float(np.linalg.norm(weights[:, -1] @ images[: j + 1] - value * vector))
            if residual <= _RESIDUAL * abs(value):
                break
        left = images[j].copy()
        for _ in range(2):  # once leaves the rounding of what is taken away
            left -= (basis[: j + 1] @ left) @ basis[: j + 1]
        basis[j + 1] = left / np.linalg.norm(left)
    return value, vector, residual, j + 1


def transformed(channel: LineChannel, y: Array) -> Array:
    """Return the transform T(y) = 1 - 1/E[z^2 | y] at every label."""
    known = None if channel.target.noise_std else channel.candidates(y)
    return transform(*outputs(channel, known, y, np.zeros_like(y), 1.0))
