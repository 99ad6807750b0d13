import numpy as np
from numpy.typing import NDArray

KINDS: dict[str | None, int]

def signals(
    h: NDArray[np.float64],
    y: NDArray[np.float64],
    a: NDArray[np.float64],
    kind: int,
    coefficients: NDArray[np.float64],
    correlation: bool,
    out: NDArray[np.float64],
    losses: NDArray[np.float64],
    threads: int,
) -> float: ...
