"""Labels y = g(z) + noise of a block of samples (theory, 1)."""

import numpy as np
from numpy.typing import NDArray

from ..symbolic.language.target import Target
from .inputs import target_at


def labels(target: Target, z: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return y for every row of standardised z, shape (n,); `rng` is used for the noise alone.

    Raises
    ------
    RebatchError
        If the target is not finite at one of the rows.
    """
    y = target_at(target, z)
    if target.noise_std:
        y += target.noise_std * rng.standard_normal(len(y))
    return y
