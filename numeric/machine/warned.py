"""Warnings point at the line of the user, however deep below it they are raised."""

import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_PACKAGE = __name__.partition(".")[0]
Warned = tuple[str, type[Warning]]
# Above the first line of a thread there is no user: what it has to say waits until it is back.
_held: ContextVar[list[Warned] | None] = ContextVar("held", default=None)


def warn(message: str, category: type[Warning]) -> None:
    """Warn, at the first line on the way up that is not of this package."""
    held = _held.get()
    if held is not None:
        held.append((message, category))
        return
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == _PACKAGE:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


@contextmanager
def held_back() -> Iterator[list[Warned]]:
    """Yield a list of the warnings within, which are not said."""
    told: list[Warned] = []
    token = _held.set(told)
    try:
        yield told
    finally:
        _held.reset(token)
