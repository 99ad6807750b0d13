"""The rows of X wherever they are: in one array, or in blocks that a Dask scheduler holds (theory, 6.1).

A step needs X twice over, h = W X^T and the sum over rows of x_v g_j(v). Both are sums over blocks of rows, so that
no process ever needs more than one block: a worker of a cluster keeps its own, a store on disk is read block by
block. Only W and the gradient, p x d numbers each, travel.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...kernels.gradient import fields as dense_fields
from ...symbolic.errors import RebatchError
from ..machine.mapped import require_whole_file
from ..machine.memory import aligned
from ..response import Kind
from ..response import gradient as dense_gradient

# The libraries whose arrays are read by blocks.
BLOCKED = ("dask", "zarr")
_BLOCKS_LOOKED_AT = 4


class RowBlocks:
    """An array (n, d) in blocks of whole rows, each computed where Dask's scheduler has it.

    Parameters
    ----------
    array : dask.array.Array
        Of two dimensions; rows that are split over chunks are put together.
    """

    def __init__(self, array: Any) -> None:
        self._array = array.rechunk({1: -1}) if len(array.chunks[1]) > 1 else array
        self.shape: tuple[int, int] = array.shape
        self.ndim, self.dtype = array.ndim, array.dtype
        self._edges = list(pairwise(accumulate(self._array.chunks[0], initial=0)))
        self._blocks = list(self._array.to_delayed()[:, 0])

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> "RowBlocks":
        return RowBlocks(self._array[rows])

    def map(
        self,
        task: Callable[..., Any],
        order: NDArray[np.intp],
        *shared: Any,
        of_rows: tuple[NDArray[Any], ...] = (),
    ) -> list[tuple[NDArray[np.intp], Any]]:
        """Return (where in `order`, task(block, its rows in `order`, *of_rows of the block, *shared)), by blocks."""
        import dask  # noqa: PLC0415 - an extra: only blocks need it

        found, waiting = [], []
        for (first, last), block in zip(self._edges, self._blocks, strict=True):
            here = np.flatnonzero((order >= first) & (order < last))
            if len(here):
                found.append(here)
                own = (values[first:last] for values in of_rows)
                waiting.append(dask.delayed(task, pure=False)(block, order[here] - first, *own, *shared))
        return list(zip(found, dask.compute(*waiting), strict=True))

    def some(self, count: int) -> NDArray[Any]:
        """Return about so many rows, of few blocks: to read all of them takes as long as a step."""
        first, last = np.array(self._edges).T
        # As many blocks as hold so many rows, where they are small.
        blocks = max(_BLOCKS_LOOKED_AT, -(-count * len(first) // len(self)))
        chosen = np.unique(np.linspace(0, len(first) - 1, blocks).astype(np.intp))
        each = -(-count // len(chosen))
        spread = [
            np.arange(first[i], last[i], -(-(last[i] - first[i]) // each))
            for i in chosen
            if last[i] > first[i]
        ]
        order = np.concatenate(spread) if spread else np.zeros(0, np.intp)
        return np.concatenate([np.asarray(rows) for _, rows in self.map(_rows_of_block, order)])


Rows = NDArray[Any] | RowBlocks


def as_rows(X: Any) -> Any:
    """Return X as it is, or in blocks where it is an array of Dask or Zarr.

    Raises
    ------
    RebatchError
        If such an array is not of shape (n, d), or its shape is not known.
    """
    library = type(X).__module__.partition(".")[0]
    if library not in BLOCKED:
        return X
    if getattr(X, "ndim", 0) != 2 or not all(isinstance(size, int | np.integer) for size in X.shape):
        raise RebatchError(f"X is an array of {library} of shape {X.shape}; allowed are known shapes (n, d)")
    if library == "zarr":
        import dask.array  # noqa: PLC0415 - an extra: only stores need it

        X = dask.array.from_array(X, chunks=(X.chunks[0], X.shape[1]))
    return RowBlocks(X)


def fields(X: Rows, order: NDArray[np.intp], W: NDArray[Any], out: NDArray[np.float64], threads: int) -> None:
    """Fill `out`, shape (b, p), with <w_j, x_v>/sqrt(d) of the rows `order`, shape (b,)."""
    if isinstance(X, np.ndarray):
        require_whole_file(X)
        dense_fields(X, order, W, out, threads)
        return
    for here, block in X.map(_fields_of_block, order, W):
        out[here] = block


def gradient(
    X: Rows,
    order: NDArray[np.intp],
    y: NDArray[np.float64],
    W: NDArray[Any],
    a: NDArray[np.float64],
    kind: Kind,
    coefficients: NDArray[np.float64],
    correlation: bool,
    parts: NDArray[Any],
    out: NDArray[np.float64],
    threads: int,
) -> float:
    """Fill `out`, shape (p, d), with (1/sqrt(d)) sum_v x_v g_j(v) over the rows `order`; return the summed loss."""
    if isinstance(X, np.ndarray):
        require_whole_file(X)
        return dense_gradient(X, order, y, W, a, kind, coefficients, correlation, parts, out, threads)
    out[...], loss = 0.0, 0.0
    for _, (part, of_part) in X.map(
        _gradient_of_block, order, W, a, kind, coefficients, correlation, of_rows=(y,)
    ):
        out += part
        loss += of_part
    return loss


def _laid_out(array: NDArray[Any]) -> NDArray[Any]:
    """Return the array as the kernels read it: what came over a network may begin anywhere in memory."""
    return np.require(array, requirements=["C", "A"])


def _rows_of_block(block: NDArray[Any], rows: NDArray[np.intp]) -> NDArray[Any]:
    return block[rows]


def _fields_of_block(block: NDArray[Any], rows: NDArray[np.intp], W: NDArray[Any]) -> NDArray[np.float64]:
    out = np.empty((len(rows), len(W)))
    dense_fields(_laid_out(block), rows.astype(np.intp), _laid_out(W), out, 1)
    return out


def _gradient_of_block(
    block: NDArray[Any],
    rows: NDArray[np.intp],
    y: NDArray[np.float64],
    W: NDArray[Any],
    a: NDArray[np.float64],
    kind: Kind,
    coefficients: NDArray[np.float64],
    correlation: bool,
) -> tuple[NDArray[np.float64], float]:
    """Return the block's share of the gradient, and of the loss."""
    out = np.empty(W.shape)
    parts = aligned((1, *W.shape), W.dtype)
    block, rows, y, W, a = _laid_out(block), rows.astype(np.intp), _laid_out(y), _laid_out(W), _laid_out(a)
    loss = dense_gradient(block, rows, y, W, a, kind, coefficients, correlation, parts, out, 1)
    return out, loss
