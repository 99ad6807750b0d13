import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

def chain(
    z: Array,
    u: Array,
    A: Array,
    y: Array,
    a: Array,
    kind: int,
    coefficients: Array,
    correlation: bool,
    shrink: float,
    eta: float,
    rho: float,
    normalize: bool,
    repeats: int,
    joint: bool,
    first: int,
    last: int,
    stop: float,
    along: Array,
    M: Array,
    E: Array,
    hit: NDArray[np.int64],
    every: int,
    kept_M: Array,
    kept_Q: Array,
    kept_loss: Array,
    scratch: Array,
) -> None: ...
