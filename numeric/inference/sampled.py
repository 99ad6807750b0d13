"""Conditional second moments of any label from samples: for more directions than cells are laid on (theory, 9).

Sorted by label, B samples in a row have nearly the same one, and the mean of f_i f_j^T over different samples i, j
of such a group is an unbiased estimate of E[m m^T], m = E[f | y], but for the width of the group; samples of
exactly the same label form a group of their own. The error is four standard errors over independent sets of
samples, and three times the change when groups are twice as wide.
"""

import numpy as np
from numpy.typing import NDArray

from ...symbolic.errors import RebatchError
from ...symbolic.exact.effort import spend
from ...symbolic.language.compiled import compiled
from .latent import Latent

Array = NDArray[np.float64]
_POINTS = 1 << 18
_SETS = 8
_GROUP = 16
# A bias that grows like the square root of the width is 2.4 times what doubling the width adds.
_BIAS = 3.0
# Units of work for the features of a sample, and their sums over groups.
_PER_FEATURE = 0.05
_SEED = 20_240_202


def second_moments(latent: Latent) -> tuple[Array, float]:
    """Return E[m m^T], m = E[f | y], and an estimated error; label noise included.

    Raises
    ------
    RebatchError
        If g is not finite at one of the samples.
    """
    fine, coarse = [], []
    for seed in np.random.SeedSequence(_SEED).spawn(_SETS):
        y, f = _sample(latent, seed)
        fine.append(_estimate(y, f, _GROUP))
        coarse.append(_estimate(y, f, 2 * _GROUP))
    mean = np.mean(fine, axis=0)
    spread = np.std(fine, axis=0, ddof=1) / np.sqrt(_SETS)
    return mean, float(4 * spread.max() + _BIAS * np.abs(mean - np.mean(coarse, axis=0)).max())


def _sample(latent: Latent, seed: np.random.SeedSequence) -> tuple[Array, Array]:
    """Return labels, sorted, and the features of their samples, shape (features, n)."""
    spend(int(_PER_FEATURE * _POINTS * (len(latent.pairs) + latent.r + int(latent.expr.count_ops()))))
    noise = latent.target.noise_std
    rng = np.random.default_rng(seed)
    t = rng.standard_normal((latent.r + (noise > 0), _POINTS))
    y = np.array(np.broadcast_to(compiled(latent.expr, latent.coordinates)(*t[: latent.r]), _POINTS))
    if not np.isfinite(y).all():
        raise RebatchError(f"the target {latent.target} is not finite on the whole of R^{latent.target.k}")
    if noise:
        y += noise * t[latent.r]
    order = np.argsort(y, kind="stable")
    t = t[: latent.r, order]
    second = np.array([t[a] * t[b] - (a == b) for a, b in latent.pairs]).reshape(len(latent.pairs), -1)
    return y[order], np.concatenate([t, second])


def _estimate(y: Array, f: Array, group: int) -> Array:
    """Return the mean over groups of the mean of f_i f_j^T, i != j."""
    starts = _starts(y, group)
    sizes = np.diff([*starts, len(y)])
    kept = sizes > 1
    sums = np.add.reduceat(f, starts, axis=1)
    total = (sums[:, kept] / (sizes[kept] - 1)) @ sums[:, kept].T
    weight = np.repeat(np.where(kept, 1 / np.maximum(sizes - 1, 1), 0.0), sizes)
    return np.asarray((total - (f * weight) @ f.T) / sizes[kept].sum())


def _starts(y: Array, group: int) -> NDArray[np.intp]:
    """Return where groups begin: every so many samples, and around labels that more samples than that share."""
    changes = np.flatnonzero(np.diff(y)) + 1
    runs = np.concatenate([[0], changes, [len(y)]])
    long = np.flatnonzero(np.diff(runs) > group)
    starts = set(range(0, len(y), group))
    for begin, end in zip(runs[long], runs[long + 1], strict=True):
        starts -= set(range(begin + 1, end))
        starts |= {int(begin), int(end)}
    starts.discard(len(y))
    return np.array(sorted(starts), dtype=np.intp)
