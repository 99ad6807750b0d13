from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Real = TypeVar("Real", np.float32, np.float64)

def inner(A: NDArray[np.float64], P: NDArray[Real], parts: NDArray[np.float64], threads: int) -> None: ...
def combine(
    C: NDArray[np.float64], P: NDArray[Real], out: NDArray[np.float64], fresh: bool, threads: int
) -> None: ...
