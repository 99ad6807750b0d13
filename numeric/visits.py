"""Which samples of a reused data set take part in which step, at finite n (theory, 8).

The limit sees the same schedules as masks: :mod:`rebatch.numeric.masks`.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from .setting import Setting

Rows = NDArray[np.intp]


class Visits:
    """The rows of each batch, in the order of the steps: ask for every batch once, one after the other.

    Parameters
    ----------
    setting : Setting
    n : int
        Samples of the data set.
    size : int
        Of a batch, the most.
    rng : numpy.random.Generator
        For what is not cyclic.
    """

    def __init__(self, setting: Setting, n: int, size: int, rng: np.random.Generator) -> None:
        self._setting, self._n, self._size, self._rng = setting, n, size, rng
        self._all = np.arange(n, dtype=np.intp)
        self._left: list[Rows] = []
        self._now: Rows = self._all
        self._position = -1

    def at(self, step: int) -> Rows:
        """Return the rows of the batch of a step; a batch that is used several times in a row stays."""
        position = self._setting.position(step)
        if self._setting.schedule != "full" and position != self._position:
            self._now, self._position = self._next(), position
        return self._now

    def singles(self) -> Iterator[Rows]:
        """Yield the rows of one epoch of single samples, each an array of one."""
        setting, n = self._setting, self._n
        if setting.schedule == "with replacement":
            order = self._rng.integers(n, size=n)
        else:
            order = self._all if setting.schedule == "cyclic" else self._rng.permutation(n)
        yield from order.astype(np.intp)[:, None]

    def _next(self) -> Rows:
        if self._setting.schedule == "with replacement":
            return np.sort(self._rng.choice(self._n, self._size, replace=False)).astype(np.intp)
        if not self._left:
            self._left = self._blocks()
        return self._left.pop(0)

    def _blocks(self) -> list[Rows]:
        """Return the blocks of one epoch."""
        cyclic = self._setting.schedule == "cyclic"
        order = self._all if cyclic else self._rng.permutation(self._n).astype(np.intp)
        if isinstance(self._setting.batches, int):
            return np.array_split(order, self._setting.batches)
        return [order[first : first + self._size] for first in range(0, self._n, self._size)]
