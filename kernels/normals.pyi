import numpy as np
from numpy.typing import NDArray

def normals(
    cells: NDArray[np.uint32],
    flipped: NDArray[np.uint32],
    first: int,
    out: NDArray[np.float64],
    column: int,
    count: int,
) -> None: ...
