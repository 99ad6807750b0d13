"""Samples in blocks of fixed size, worked on by threads: sums have one order, whatever the number of threads."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..symbolic.errors import RebatchError

Array = NDArray[np.float64]
# What a task returns that has nothing to sum.
NOTHING: Array = np.zeros(0)

# Rows per task: a few vectors of it stay in the cache of one core. Part of the definition of a seed's numbers.
BLOCK = 16_384


class Blocks:
    """The samples 0 … n - 1 in blocks."""

    def __init__(self, n: int, pool: ThreadPoolExecutor) -> None:
        self.slices = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
        self._pool = pool

    def each(self, task: Callable[[int, slice], Array]) -> Array:
        """Return the sum over blocks, in their order, of what `task(index, slice)` returns."""
        return np.asarray(np.sum(np.stack(self._map(task)), axis=0))

    def stacked(self, task: Callable[[int, slice], Array]) -> Array:
        """Return what the blocks return, one under the other."""
        return np.concatenate(self._map(task))

    def _map(self, task: Callable[[int, slice], Array]) -> list[Array]:
        def quiet(index: int, block: slice) -> Array:
            # Overflow is not warned of but answered: the run stops at the step where it diverges.
            with np.errstate(all="ignore"):
                return task(index, block)

        return list(self._pool.map(quiet, range(len(self.slices)), self.slices))


def thread_count(threads: int | None) -> int:
    """Return the number of threads asked for, by default one per core.

    Raises
    ------
    RebatchError
        If it is not positive.
    """
    if threads is not None and threads < 1:
        raise RebatchError(f"threads = {threads}; allowed are integers >= 1")
    return threads or os.cpu_count() or 1


@contextmanager
def thread_pool(threads: int | None) -> Iterator[ThreadPoolExecutor]:
    """Our threads over blocks, one BLAS thread in each."""
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(thread_count(threads)) as pool:
        yield pool
