"""One progress bar for whatever takes more than two seconds: on a terminal, and in notebooks.

Only the outermost piece of work has one: a sweep shows its runs, not the steps of each. `TQDM_DISABLE=1` shows none.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeVar

T = TypeVar("T")
_PATIENCE = 2.0
# Held by the bar that is shown, in whichever thread.
_only = Lock()


@contextmanager
def progress(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield a function to call with the number of pieces done; the bar appears after two seconds."""
    if not (_looked_on() and _only.acquire(blocking=False)):
        yield lambda _: None
        return
    try:
        bar = _bars()(total=total, desc=what, delay=_PATIENCE, leave=False, file=sys.stderr)
        try:
            yield lambda count: bar.update(count - bar.n)
        finally:
            bar.close()
    finally:
        _only.release()


def tracked(items: Sequence[T], what: str = "running") -> Iterator[T]:
    """Yield the items behind a bar."""
    with progress(what, len(items)) as done:
        for count, item in enumerate(items, 1):
            yield item
            done(count)


@contextmanager
def no_progress() -> Iterator[None]:
    """Show no bar within."""
    held = _only.acquire(blocking=False)
    try:
        yield
    finally:
        if held:
            _only.release()


def _bars() -> Any:
    """Return the bars of a terminal, or of a notebook; where that has no widgets, bars of text."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from tqdm.auto import tqdm  # noqa: PLC0415 - only where a bar is shown
    return tqdm


def _looked_on() -> bool:
    """Whether a person may see a bar: messages go to a terminal, or this is the kernel of a notebook."""
    return bool(sys.stderr and sys.stderr.isatty()) or "ipykernel.zmqshell" in sys.modules
