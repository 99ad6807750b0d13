"""How well Bayes-optimal message passing does, as d -> infinity: state evolution of one direction (theory, 9).

With overlap q: omega ~ N(0, q), z ~ N(omega, V), V = 1 - q; q_hat = alpha E[g_out^2], q <- q_hat / (1 +
q_hat). The label is integrated along its own level sets, whose roots do not change from step to step. After t
steps (two products with the data each) no first-order method has a larger overlap (Celentano, Montanari, Wu
2020).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...symbolic import checks
from ...symbolic.exact.shown import Drawn, Tabulated
from ...symbolic.language.target import Target
from .channel import Candidates, LineChannel, output
from .line import clustered

Array = NDArray[np.float64]
_MOST_STEPS_ASKED = 1_000_000
_PIECE_NODES, _HERMITE = 64, 40
# Noise makes all that is integrated smooth.
_PIECE_NODES_NOISY, _HERMITE_NOISY, _NOISE_NODES = 16, 16, 8
_UNINFORMED = 1e-5
_NOTHING = 1e-6
# q counts as fixed when a step changes it by less than this share of it.
_CONVERGED_SHARE = 1e-8
_MAX_STEPS = 2000


@dataclass(frozen=True)
class StateEvolution(Tabulated, Drawn):
    """The overlaps of message passing, step by step.

    Attributes
    ----------
    alpha : float
    q : ndarray, shape (steps + 1,)
        The squared cosine between estimate and direction; q[0] is the start.
    converged : bool
        Whether the last step changed q by less than 1e-8 of it.
    """

    alpha: float
    q: Array
    converged: bool

    @property
    def cosine(self) -> Array:
        """The cosine between estimate and direction at each step."""
        return np.sqrt(self.q)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each step."""
        return [
            {"step": t, "q": float(q), "cosine": float(m)}
            for t, (q, m) in enumerate(zip(self.q, self.cosine, strict=True))
        ]


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
    """Return the overlap of Bayes-optimal message passing at `alpha` samples per dimension.

    Parameters
    ----------
    target : Target or str
        Of one direction; label noise counts.
    alpha : float
        Positive.
    steps : int, optional
        By default until q changes by less than 1e-8 of it or falls below a tenth of its start, at most 2000.
    start : float
        q at the start, in [0, 1); 0 is uninformed. Where no step leaves 0 (no E[F(y) z] differs from 0) the start is
        1e-5, which shows whether 0 is stable.
    damping : float
        In [0, 1): each step goes this share of the way less far.

    Raises
    ------
    RebatchError
        If an argument is out of range or the target has not one direction.

    Examples
    --------
    >>> round(float(state_evolution("He(3, z1)", 1.0, steps=1).q[1]), 4)
    0.4004
    """
    target = Target(target)
    _check(alpha, start, damping, steps)
    averager = Averager(LineChannel(target))
    q = [float(start)]
    if not start and averager.moments(0.0)[0] < _NOTHING:
        q[0] = _UNINFORMED
    converged = False
    for _ in range(_MAX_STEPS if steps is None else steps):
        q_hat = alpha * averager.moments(q[-1])[0]
        new = damping * q[-1] + (1 - damping) * q_hat / (1 + q_hat)
        new = min(new, 1 - 1e-12)
        converged = abs(new - q[-1]) <= _CONVERGED_SHARE * (1 - damping) * new
        q.append(new)
        if steps is None and (converged or new < _UNINFORMED / 10):
            break
    return StateEvolution(float(alpha), np.array(q), converged)


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
