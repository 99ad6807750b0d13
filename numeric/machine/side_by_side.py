"""Runs side by side, one on each core: threads within a run wait for each other, and part of it has only one."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from contextvars import copy_context
from typing import TypeVar

from .blocks import thread_count, thread_pool
from .warned import Warned, held_back, warn

Item = TypeVar("Item")
Result = TypeVar("Result")
_FEWEST, _MOST = 2.0**15, 2.0**23


def side_by_side(
    task: Callable[[Item, int | None], Result],
    items: Iterable[Item],
    threads: int | None,
    samples: Callable[[Item], float],
) -> Generator[Result, None, None]:
    """Yield what `task` returns of each item, in their order.

    Those of a middling size run side by side, each on one thread, in a copy of the context in which its turn came.
    What they warn of is said here, in their order. On Ctrl-C, or where the caller asks no more, those that run are
    waited for, and no other begins.

    Parameters
    ----------
    task : callable
        Of an item and the number of threads that it may use: its answer must not depend on that.
    items : iterable
    threads : int, optional
        In all; by default one per core.
    samples : callable
        Of an item, how many its run has. With few it holds Python's lock most of the time, with many its memory is
        asked for as if no other ran: those take their turn alone, on all threads.
    """
    cores = thread_count(threads)
    ahead: deque[Future[tuple[Result, list[Warned]]]] = deque()
    with thread_pool(threads) as pool:
        try:
            for item in items:
                beside = cores > 1 and _FEWEST <= samples(item) <= _MOST
                while len(ahead) > (cores if beside else 0):
                    yield _said(ahead.popleft())
                if beside:
                    ahead.append(pool.submit(copy_context().run, _held, task, item))
                else:
                    yield task(item, threads)
            while ahead:
                yield _said(ahead.popleft())
        finally:
            for waiting in ahead:
                waiting.cancel()


def _held(task: Callable[[Item, int | None], Result], item: Item) -> tuple[Result, list[Warned]]:
    """Return the answer on one thread, and the warnings that came with it."""
    with held_back() as told:
        return task(item, 1), told


def _said(running: "Future[tuple[Result, list[Warned]]]") -> Result:
    """Wait for an answer; warn of what it was warned of."""
    result, told = running.result()
    for message, category in told:
        warn(message, category)
    return result
