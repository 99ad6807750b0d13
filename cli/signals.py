"""Ctrl-C and SIGTERM: the work ends, what is finished is kept and said, and nobody takes it for the whole.

An engine that is interrupted returns the steps it has. So the signal is remembered: a command asks before it goes on
to the next piece of work, and the exit code says it whatever was printed. Until the command begins to report, the
interrupt is repeated every second: a callback of a library may have swallowed it, which is nothing to report. Work
that can say what it knows so far is asked for that first.
"""

import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_AGAIN = 1.0
_SOON = 0.4
_received: list[int] = []
_asked_first: list[Callable[[], None]] = []


def install() -> None:
    """Take the signals, in the main thread of the command."""
    _received.clear()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGALRM, _interrupt)
    sys.unraisablehook = _swallowed


def _interrupt(number: int, _: Any) -> None:
    if number != signal.SIGALRM:
        _received.append(number)
    signal.setitimer(signal.ITIMER_REAL, _SOON if _asked_first else _AGAIN)
    if _asked_first:
        _asked_first.pop()()
    else:
        raise KeyboardInterrupt


@contextmanager
def asking_first(end: Callable[[], None]) -> Iterator[None]:
    """Within the block a signal calls `end`, and again soon after; what goes on in spite of it is interrupted."""
    _asked_first[:] = [end, end]
    try:
        yield
        settled()
    finally:
        _asked_first.clear()


def _swallowed(told: "sys.UnraisableHookArgs") -> None:
    """Say nothing of an interrupt that came where no exception can pass: it is repeated."""
    if not (_received and isinstance(told.exc_value, KeyboardInterrupt)):
        sys.__unraisablehook__(told)


def settled() -> None:
    """Let the command report: no interrupt is repeated from here on."""
    signal.setitimer(signal.ITIMER_REAL, 0.0)


def received() -> bool:
    """Return whether the command was told to end."""
    return bool(_received)


def exit_code() -> int:
    """Return 130 after Ctrl-C and 143 after SIGTERM, as shells do."""
    return 128 + (_received[0] if _received else signal.SIGINT)


def guarded(items: Iterable[T]) -> Iterator[T]:
    """Yield the items; raise KeyboardInterrupt instead of the next, or at the end, once a signal has come."""
    for item in items:
        require_quiet()
        yield item
    require_quiet()


def require_quiet() -> None:
    """Raise KeyboardInterrupt if a signal has come, wherever it was caught."""
    if _received:
        raise KeyboardInterrupt
