"""Labels y = g(z) + noise of a block of samples, of every law of the noise (theory, 1)."""

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..symbolic.language.noise import Noise
from ..symbolic.language.target import Target
from .inputs import target_at

Array = NDArray[np.float64]


def labels(target: Target, z: Array, rng: np.random.Generator) -> Array:
    """Return y for every row of standardised z, shape (n,); `rng` is used for the noise alone.

    Raises
    ------
    RebatchError
        If the target is not finite at one of the rows.
    """
    y = target_at(target, z)
    return y if target.noise is None else with_noise(target.noise, y, rng.standard_normal(len(y)))


def with_noise(noise: Noise | None, y: Array, xi: Array) -> Array:
    """Return y with noise, a function of as many standard normals xi: its law by the quantiles at Phi(xi)."""
    if noise is None:
        return y
    if noise.family == "flip":
        return np.where(special.ndtr(xi) < noise.size, -y, y)
    return np.asarray(y + noise.size * _standardised(noise, xi))


def _standardised(noise: Noise, xi: Array) -> Array:
    """Return numbers of mean 0 and variance 1; tails are taken from below, where no digit is lost."""
    if noise.family == "gaussian":
        return xi
    lower = special.ndtr(-np.abs(xi))
    if noise.family == "laplace":
        size = -np.log(2 * lower) / np.sqrt(2)
    elif noise.family == "uniform":
        size = np.sqrt(3) * (1 - 2 * lower)
    else:
        assert noise.freedom is not None
        size = -np.sqrt((noise.freedom - 2) / noise.freedom) * special.stdtrit(noise.freedom, lower)
    return np.asarray(np.sign(xi) * size)
