"""How well Bayes-optimal message passing does, as d -> infinity: state evolution (theory, 9).

With overlaps Q, omega ~ N(0, Q), z ~ N(omega, V), V = I - Q; Q_hat = alpha E[g_out g_out^T], Q <- Q_hat (I +
Q_hat)^-1. Of one direction the label is integrated along its own level sets, whose roots do not change from step to
step; of two by points on them (`cloud.py`). After t steps (two products with the data each) no first-order method
has a larger overlap (Celentano, Montanari, Wu 2020).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ...symbolic.exact.shown import Drawn, Tabulated
from ...symbolic.language.target import Target
from ...symbolic.learnability.reading import read
from ...symbolic.thresholds.invertible import without_invertible
from .channel import Candidates, LineChannel, output
from .cloud import Cloud
from .latent import Latent
from .line import clustered

Array = NDArray[np.float64]
_MOST_STEPS_ASKED = 1_000_000
_PIECE_NODES, _HERMITE = 64, 40
# Noise makes all that is integrated smooth.
_PIECE_NODES_NOISY, _HERMITE_NOISY, _NOISE_NODES = 32, 16, 64
_UNINFORMED = 1e-5
_NOTHING = 1e-6
_MAX_STEPS = 2000
_MOST_DIRECTIONS = 2
_LARGEST_OVERLAP = 1 - 1e-12
# An overlap counts as fixed when a step changes it by less than this share of it: below the error of the quadrature.
_CONVERGED_SHARE = {1: 1e-8, 2: 1e-5}


@dataclass(frozen=True)
class StateEvolution(Tabulated, Drawn):
    """The overlaps of message passing, step by step.

    Attributes
    ----------
    alpha : float
    Q : ndarray, shape (steps + 1, r, r)
        The overlaps of estimate and directions, on the rows of `basis`; Q[0] is the start. By the Nishimori identity
        they are those of the estimate with itself too.
    basis : ndarray, shape (r, k)
        Orthonormal rows.
    converged : bool
        Whether the last step changed every squared cosine by less than 1e-8 of it (1e-5 for two directions), or left
        it below a tenth of the uninformed start.
    """

    alpha: float
    Q: Array
    basis: Array
    converged: bool

    @property
    def q(self) -> Array:
        """The squared cosines at each step, shape (steps + 1,) for one direction; else (steps + 1, r), falling."""
        squares = np.linalg.eigvalsh(self.Q)[:, ::-1]
        return np.clip(squares[:, 0] if squares.shape[1] == 1 else squares, 0.0, 1.0)

    @property
    def cosine(self) -> Array:
        """The cosines between the spans of estimate and directions at each step, in the shape of `q`."""
        return np.sqrt(self.q)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each step."""
        squares = self.q.reshape(len(self.Q), -1)
        ends = [""] if squares.shape[1] == 1 else [f"_{i + 1}" for i in range(squares.shape[1])]
        return [
            {"step": t}
            | {f"q{end}": float(q) for end, q in zip(ends, row, strict=True)}
            | {f"cosine{end}": float(np.sqrt(q)) for end, q in zip(ends, row, strict=True)}
            for t, row in enumerate(squares)
        ]

    def to_json(self) -> dict[str, Any]:
        """Return alpha, the basis, the overlaps and the cosines as JSON-ready data."""
        return {
            "alpha": self.alpha,
            "directions": self.basis.tolist(),
            "overlaps": self.Q.tolist(),
            "cosines": self.cosine.reshape(len(self.Q), -1).tolist(),
            "converged": self.converged,
        }


class Averager:
    """E[g_out^2] of one channel at any overlap; the level sets are found once, on so many nodes a piece."""

    def __init__(self, channel: LineChannel, nodes: int | None = None) -> None:
        noisy = bool(channel.target.noise_std)
        self.rule = _gauss_hermite(_HERMITE_NOISY if noisy else _HERMITE)
        z, weight = _nodes(channel, nodes or (_PIECE_NODES_NOISY if noisy else _PIECE_NODES))
        noise, of_noise = (np.zeros(1), np.ones(1))
        if noisy:
            noise, of_noise = _gauss_hermite(_NOISE_NODES)
        y = np.broadcast_to(channel.value(z), z.shape)[:, None] + channel.target.noise_std * noise
        self.z, self.weight = np.repeat(z, len(noise)), np.outer(weight, of_noise).ravel()
        self.candidates: Candidates = channel.candidates(y.ravel())

    def moments(self, q: float) -> tuple[float, float, float]:
        """Return E[g_out^2], E[g_out] and E[d g_out / d omega] at overlap q."""
        x, w = self.rule
        square = mean = slope = 0.0
        for xi, weight in zip(x, w, strict=True):
            # Given z, omega ~ N(q z, q (1 - q)).
            omega = q * self.z + np.sqrt(q * (1 - q)) * xi
            g, dg = output(self.candidates, omega, 1 - q)
            square += weight * float(self.weight @ g**2)
            mean += weight * float(self.weight @ g)
            slope += weight * float(self.weight @ dg)
        return square, mean, slope


def state_evolution(
    target: Target | str, alpha: float, *, steps: int | None = None, start: float = 0.0, damping: float = 0.0
) -> StateEvolution:
    """Return the overlaps of Bayes-optimal message passing at `alpha` samples per dimension.

    Parameters
    ----------
    target : Target or str
        Of one direction or two; label noise counts. Overlaps of two are good to about 3e-3 of them, and one of
        0.99 counts as 1.
    alpha : float
        Positive.
    steps : int, optional
        By default until no squared cosine changes by more than 1e-8 of it (1e-5 for two directions) but those below a
        tenth of the uninformed start; at most 2000.
    start : float
        The overlap at the start, the same along every direction, in [0, 1); 0 is uninformed. Directions of which the
        first step from 0 shows nothing (no E[F(y) z] differs from 0) start at 1e-5, which shows whether 0 is stable.
    damping : float
        In [0, 1): each step goes this share of the way less far.

    Raises
    ------
    RebatchError
        If an argument is out of range or the target has more than two directions.

    Examples
    --------
    >>> round(float(state_evolution("He(3, z1)", 1.0, steps=1).q[1]), 4)
    0.4004
    """
    target = Target(target)
    _check(alpha, start, damping, steps)
    square, basis, largest = _channel(target)
    Q = start * np.eye(len(basis)) if start else uninformed(square(np.zeros((len(basis),) * 2)))
    found, converged = iterate(
        square, alpha, Q, largest, share=_CONVERGED_SHARE[len(basis)], steps=steps, damping=damping
    )
    return StateEvolution(float(alpha), found, basis, converged)


def _channel(target: Target) -> tuple[Callable[[Array], Array], Array, float]:
    """Return Q -> E[g_out g_out^T], the basis of Q, and the largest overlap."""
    target.require_gaussian("message passing", "state evolution is known of Gaussian rows")
    space = read(target).relevant
    if space.dimension == 1 and not target.noise_std:
        channel = LineChannel(target)
        averager = Averager(channel)
        return (
            lambda Q: np.array([[averager.moments(float(Q[0, 0]))[0]]]),
            channel.direction[None],
            _LARGEST_OVERLAP,
        )
    if not 1 <= space.dimension <= _MOST_DIRECTIONS:
        raise RebatchError(
            f"{target} has {space.dimension} directions; allowed here are targets of one direction or two"
        )
    latent = Latent.of(target, space, target.expr if target.noise_std else without_invertible(target.expr))
    cloud = Cloud(latent, latent.r)
    return lambda Q: cloud.told(Q).square, latent.basis, cloud.largest_overlap


def uninformed(square: Array) -> Array:
    """Return the start without knowledge: a trace of each direction of which the labels alone show nothing."""
    values, vectors = np.linalg.eigh(square)
    nothing = vectors[:, values < _NOTHING]
    return np.asarray(_UNINFORMED * nothing @ nothing.T)


def iterate(
    square: Callable[[Array], Array],
    alpha: float,
    Q: Array,
    largest: float,
    *,
    share: float,
    steps: int | None = None,
    damping: float = 0.0,
) -> tuple[Array, bool]:
    """Return Q step by step, and whether the last one counts as fixed; without `steps` until then."""
    found, converged = [Q], False
    for _ in range(_MAX_STEPS if steps is None else steps):
        Q = damping * found[-1] + (1 - damping) * posterior_overlap(alpha * square(found[-1]), largest)
        before, after = np.linalg.eigvalsh(found[-1]), np.linalg.eigvalsh(Q)
        found.append(Q)
        fixed = np.abs(after - before) <= share * (1 - damping) * after
        converged = bool(np.all(fixed | (after < _UNINFORMED / 10)))
        if steps is None and converged:
            break
    return np.array(found), converged


def posterior_overlap(Q_hat: Array, largest: float) -> Array:
    """Return Q_hat (I + Q_hat)^-1, eigenvalues at most `largest`."""
    values, vectors = np.linalg.eigh(Q_hat)
    values = np.clip(values, 0.0, None)
    return np.asarray((vectors * np.minimum(values / (1 + values), largest)) @ vectors.T)


def _check(alpha: float, start: float, damping: float, steps: int | None) -> None:
    checks.number("alpha", alpha, above=0)
    checks.number("start", start, least=0, below=1)
    checks.number("damping", damping, least=0, below=1)
    if steps is not None:
        checks.integer("steps", steps, least=1, most=_MOST_STEPS_ASKED)


def _nodes(channel: LineChannel, count: int) -> tuple[Array, Array]:
    """Return nodes and weights of E over z that cluster at the ends of every monotone or flat piece."""
    x, w = clustered(count)
    ends = sorted({(p.a, p.b) for p in channel.pieces} | {(p.a, p.b) for p in channel.atoms})
    cuts = np.unique([e for pair in ends for e in pair] + [-2.0, 0.0, 2.0])
    z = np.concatenate([a + (b - a) * x for a, b in pairwise(cuts)])
    weight = np.concatenate([(b - a) * w for a, b in pairwise(cuts)])
    weight = weight * np.exp(-(z**2) / 2)
    kept = weight > 1e-14 * weight.max()
    return z[kept], weight[kept] / weight[kept].sum()


def _gauss_hermite(nodes: int) -> tuple[Array, Array]:
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    return x, w / w.sum()
