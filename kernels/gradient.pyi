from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

def gradient(
    X: NDArray[Real],
    order: NDArray[np.intp],
    y: NDArray[np.float64],
    W: NDArray[Real],
    a: NDArray[np.float64],
    kind: int,
    coefficients: NDArray[np.float64],
    correlation: bool,
    parts: NDArray[Real],
    out: NDArray[np.float64],
    threads: int,
) -> float: ...
def fields(
    X: NDArray[Real], order: NDArray[np.intp], W: NDArray[Real], out: NDArray[np.float64], threads: int
) -> None: ...
