"""Where a run starts: the weights on w*_1 … w*_k and p further orthonormal directions (theory, 1)."""

import numpy as np
from numpy.typing import NDArray

from .setting import Setting


def start(setting: Setting, d: int, rng: np.random.Generator) -> NDArray[np.float64]:
    """Return the coefficients [M^0, L] of the starting weights, in units of sqrt(d), shape (p, k + p).

    A random start is drawn by its law on these directions alone: a Gaussian row has normal coefficients on w* and the
    earlier rows, and a chi-distributed part outside them (Bartlett). Overlaps with w* are of order 1/sqrt(d).
    """
    given = setting.start_coefficients()
    if given is not None:
        return given
    k, p = setting.k, setting.neurons
    weights = np.zeros((p, k + p))
    for j in range(p):
        weights[j, : k + j] = rng.standard_normal(k + j)
        weights[j, k + j] = np.sqrt(rng.chisquare(d - k - j))
    return np.asarray(weights / np.linalg.norm(weights, axis=1, keepdims=True))
