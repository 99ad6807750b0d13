"""Is the file below a memory map still as long as the map? To read beyond its end ends the process (SIGBUS).

It is asked before a run and before each step reads; only a file that is cut off within one step's reading goes
unnoticed.
"""

import mmap
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...symbolic.errors import RebatchError


def require_whole_file(X: NDArray[Any]) -> None:
    """Refuse an array on a memory map whose file was cut off since it was opened.

    Raises
    ------
    RebatchError
        With what the array needs and what the file has.
    """
    base: Any = X
    first = 0
    while isinstance(base, np.ndarray | memoryview):
        if isinstance(base, np.memmap):
            # The map begins at the page that the array's offset is on.
            first = base.offset - base.offset % mmap.ALLOCATIONGRANULARITY
        base = base.obj if isinstance(base, memoryview) else base.base
    if not isinstance(base, mmap.mmap) or base.closed:
        return
    start = np.frombuffer(base, dtype=np.uint8).ctypes.data
    needed = first + np.lib.array_utils.byte_bounds(X)[1] - start
    try:
        there = base.size()
    except OSError:  # an anonymous map has no file
        return
    if there < needed:
        raise RebatchError(
            f"X needs {needed} bytes of its memory-mapped file, which has {there}: it was cut off; map it again"
        )
