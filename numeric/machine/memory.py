"""Memory is estimated before it is taken, and laid out where the caches read it well."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from ...symbolic.errors import TooLargeError
from . import scratch
from .limits import memory

_log = logging.getLogger(__name__)
SHARE = 0.8
# So little is not asked about: to ask takes longer than to use it.
_SMALL = 1e7
_CACHE_LINE = 64
_asked: ContextVar[list[float] | None] = ContextVar("asked", default=None)


@contextmanager
def asked_for() -> Iterator[list[float]]:
    """Yield a list of the bytes that are asked for within: what an engine says that it needs before it begins."""
    asked: list[float] = []
    token = _asked.set(asked)
    try:
        yield asked
    finally:
        _asked.reset(token)


def require(needed: float, what: str) -> None:
    """Check that `needed` bytes are at most 80% of what is free.

    Raises
    ------
    TooLargeError
        If they are not; the message names both figures.
    """
    asked = _asked.get()
    if asked is not None:
        asked.append(needed)
    if needed <= _SMALL:
        return
    free = memory()
    _log.debug("%s needs %.3g GB of %.3g GB", what, needed / 1e9, free / 1e9)
    if not needed <= SHARE * free:
        raise TooLargeError(
            f"{what} needs {needed / 1e9:.3g} GB; allowed are {SHARE:.0%} of the {free / 1e9:.3g} GB that are free "
            "for this process"
        )


def require_or_store(resident: float, stored: float, what: str) -> bool:
    """Check that there is room for `resident` bytes in memory, and for `stored` ones there or on disk.

    Returns
    -------
    bool
        Whether the latter must be on disk.

    Raises
    ------
    TooLargeError
        If there is room in neither; the message names what is needed and allowed.
    """
    try:
        require(resident + stored, what)
    except TooLargeError as error:
        if not resident <= SHARE * memory():
            raise TooLargeError(f"{error}, and {resident / 1e9:.3g} GB of it cannot be on disk") from None
        if not stored <= scratch.free():
            raise TooLargeError(
                f"{error}; nor is there room on disk for {stored / 1e9:.3g} GB of them: allowed are "
                f"{scratch.free() / 1e9:.3g} GB in {scratch.folder() or 'a folder named by the variable TMPDIR'}"
            ) from None
        return True
    return False


def aligned(shape: tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an empty array that starts at a cache line: else every other vector in it lies across two."""
    size = math.prod(shape) * np.dtype(dtype).itemsize
    piece = np.empty(size + _CACHE_LINE, dtype=np.uint8)
    first = -piece.ctypes.data % _CACHE_LINE
    return piece[first : first + size].view(dtype).reshape(shape)
