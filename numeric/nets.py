"""Scrambled Sobol points, as integers, piece by piece and in any order (theory, 4.2).

Up to a shift the points are linear in the bits of their number: x_n = x_0 ^ (e_b over the bits b of n). In an aligned
piece of 2^m points the high bits of the number are the piece's and the low ones the place's, so that every piece is
the first one with some bits flipped. SciPy draws the scramble, the first piece and the first point of each power of
2; the rest is one flip per number, on any thread.
"""

from collections.abc import Iterator
from functools import reduce
from operator import xor

import numpy as np
from numpy.typing import NDArray

from ..kernels.normals import normals

Bits = NDArray[np.uint32]

BITS = 30


class SobolNet:
    """The first `count` points of a scrambled Sobol sequence, at the centres of 2^30 cells in each dimension.

    Parameters
    ----------
    dimension : int
    count : int
        At most 2^30.
    piece : int
        Points of a piece, a power of 2.
    seed : numpy.random.SeedSequence
        Of the scramble.
    """

    def __init__(self, dimension: int, count: int, piece: int, seed: np.random.SeedSequence) -> None:
        from scipy.stats import qmc  # noqa: PLC0415 - half a second that the other engines do without

        engine = qmc.Sobol(dimension, bits=BITS, rng=np.random.default_rng(seed))

        def cells(points: int) -> Bits:
            return np.asarray(engine.random(points) * 2.0**BITS, dtype=np.uint32)

        self._piece = piece
        self._first = np.ascontiguousarray(cells(piece).T)
        self._flips = []
        at = piece
        while at < count:
            self._flips.append(self._first[:, 0] ^ cells(1)[0])
            engine.fast_forward(min(at, count) - 1)
            at *= 2

    def normals(self, rows: slice, first: int, out: NDArray[np.float64]) -> None:
        """Fill `out`, shape (dimensions, n), with the normal quantiles of the points from number `first` on."""
        for column, place, count, flipped in self._pieces(first, out.shape[1]):
            normals(self._first[rows], flipped[rows], place, out, column, count)

    def uniform(self, rows: slice, first: int, count: int) -> NDArray[np.float64]:
        """Return the points from number `first` on, shape (dimensions, count)."""
        cells = [
            self._first[rows, place : place + size] ^ flipped[rows, None]
            for _, place, size, flipped in self._pieces(first, count)
        ]
        return np.asarray((np.hstack(cells) + 0.5) * 2.0**-BITS)

    def _pieces(self, first: int, count: int) -> Iterator[tuple[int, int, int, Bits]]:
        """Yield (points before, place in its piece, points, bits flipped there) of consecutive points."""
        nothing = np.zeros(len(self._first), dtype=np.uint32)
        done = 0
        while done < count:
            number, place = divmod(first + done, self._piece)
            flips = (flip for bit, flip in enumerate(self._flips) if number >> bit & 1)
            here = min(self._piece - place, count - done)
            yield done, place, here, reduce(xor, flips, nothing)
            done += here
