"""Samples in blocks of fixed size, worked on by threads: sums have one order, whatever the number of threads."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from functools import cache
from threading import Event
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import ThreadpoolController

from ...symbolic import checks
from .limits import cores, usable

Array = NDArray[np.float64]
Item = TypeVar("Item")
Result = TypeVar("Result")

# Rows per task: a few vectors of it stay in the cache of one core. Part of the definition of a seed's numbers.
BLOCK = 4096
# Blocks that make it worth a thread's while to be woken.
_WAKES_A_THREAD = 16
# Set in a child of fork, for good.
_forked = Event()
os.register_at_fork(after_in_child=_forked.set)


class Threads(ThreadPoolExecutor):
    """A pool that knows its size."""

    def __init__(self, count: int) -> None:
        super().__init__(count)
        self.count = count


class Blocks:
    """The samples 0 … n - 1 in blocks."""

    def __init__(self, n: int, pool: Threads) -> None:
        self.slices = [slice(start, min(start + BLOCK, n)) for start in range(0, n, BLOCK)]
        self._pool = pool
        # What there is to do is worth this many threads: for kernels with threads of their own, too.
        self.threads = min(pool.count, -(-len(self.slices) // _WAKES_A_THREAD))

    def run(self, task: Callable[[int, slice], None]) -> None:
        """Do `task(index, slice)` for every block."""
        self._map(task)

    def each(self, task: Callable[[int, slice], Array]) -> Array:
        """Return the sum over blocks, in their order, of what `task(index, slice)` returns."""
        return np.asarray(np.sum(np.stack(self._map(task)), axis=0))

    def stacked(self, task: Callable[[int, slice], Array]) -> Array:
        """Return what the blocks return, one under the other."""
        return np.concatenate(self._map(task))

    def _map(self, task: Callable[[int, slice], Result]) -> list[Result]:
        indices = range(len(self.slices))
        return spread(lambda index: task(index, self.slices[index]), indices, self._pool, self.threads)


def spread(
    task: Callable[[Item], Result], items: Sequence[Item], pool: Threads, threads: int
) -> list[Result]:
    """Return what `task` returns of each item, in their order: the caller works too, and to hand one over is free."""
    results: list[Any] = [None] * len(items)
    left = iter(range(len(items)))

    def work() -> None:
        # Overflow is not warned of but answered: the run stops at the step where it diverges.
        with np.errstate(all="ignore"):
            try:
                for index in left:
                    results[index] = task(items[index])
            except BaseException:
                deque(left, maxlen=0)  # leaves the others nothing to do
                raise

    helpers = [pool.submit(work) for _ in range(threads - 1)]
    try:
        work()
        for helper in helpers:
            # One that no core has been free for has nothing left to do.
            if not helper.cancel():
                helper.result()
    finally:
        deque(left, maxlen=0)  # an interrupt may come while the others work
        wait(helpers)
    return results


def thread_count(threads: int | None) -> int:
    """Return the number of threads to use: those asked for, at most one per core; by default what is worth it.

    One in a process that was forked: the threads of OpenMP are not there, and to wait for them would never end.

    Raises
    ------
    RebatchError
        If it is no positive integer.
    """
    asked = cores() if threads is None else checks.integer("threads", threads, least=1)
    return 1 if _forked.is_set() else min(asked, usable())


@contextmanager
def thread_pool(threads: int | None) -> Iterator[Threads]:
    """Our threads over blocks, one BLAS thread in each."""
    with _libraries().limit(limits=1, user_api="blas"), Threads(thread_count(threads)) as pool:
        yield pool


@cache
def _libraries() -> ThreadpoolController:
    """Return the thread pools of the libraries at hand; to look for them takes as long as a small run."""
    return ThreadpoolController()
