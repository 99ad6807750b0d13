"""Descent on rows in blocks is descent on the same rows in one array."""

import dask.array as dask
import numpy as np
import pytest
import zarr
from dask import delayed
from distributed import Client, LocalCluster

from rebatch import RebatchError, Setting, simulate
from rebatch.numeric.engines.dense import NotStandard

D, N = 60, 150


def data(dtype=np.float64):
    return np.random.default_rng(3).standard_normal((N, D)).astype(dtype)


def setting(**changes):
    given = {
        "target": "z1 + z1*z2",
        "activation": "relu",
        "neurons": 2,
        "alpha": N / D,
        "eta": 0.3,
        "steps": 4,
    }
    return Setting(**given | changes)


def both(X, blocks, **changes):
    one = simulate(setting(**changes), "dense", seed=5, X=X)
    other = simulate(setting(**changes), "dense", seed=5, X=blocks)
    return one, other


@pytest.mark.parametrize("chunks", [(150, 60), (37, 60), (37, 13)])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 1e-5)])
def test_blocks_of_rows_give_the_trajectory_of_one_array(chunks, dtype, tolerance):
    X = data(dtype)
    one, other = both(X, dask.from_array(X, chunks=chunks))
    # Sums in another order: rounding alone.
    np.testing.assert_allclose(other.M, one.M, atol=tolerance)
    np.testing.assert_allclose(other.Q, one.Q, atol=tolerance)
    np.testing.assert_allclose(other.data.training_loss, one.data.training_loss, rtol=10 * tolerance)


def test_mini_batches_take_their_rows_from_the_blocks():
    X = data()
    one, other = both(X, dask.from_array(X, chunks=(40, 60)), batch_size=32, noise_std=0.5)
    np.testing.assert_allclose(other.M, one.M, atol=1e-13)


def off_alignment(X):
    """Return a copy that begins at an odd address, as what a worker was sent may."""
    sent = np.ndarray(X.shape, X.dtype, buffer=bytearray(X.nbytes + 1), offset=1)
    sent[...] = X
    assert not sent.flags.aligned
    return sent


def test_blocks_may_begin_anywhere_in_memory():
    X = data()
    block = dask.from_delayed(delayed(off_alignment)(X), X.shape, X.dtype)
    one, other = both(X, block)
    np.testing.assert_allclose(other.M, one.M, atol=1e-13)


def test_a_zarr_store_is_read_block_by_block(tmp_path):
    X = data(np.float32)
    store = zarr.create_array(tmp_path / "x.zarr", shape=X.shape, chunks=(64, 30), dtype=X.dtype)
    store[...] = X
    one, other = both(X, store)
    np.testing.assert_allclose(other.M, one.M, atol=1e-5)


def test_an_array_that_is_no_matrix_is_refused_in_one_line():
    with pytest.raises(RebatchError, match=r"dask of shape .* allowed are known shapes \(n, d\)"):
        simulate(setting(), "dense", seed=1, X=dask.zeros(5))
    with pytest.raises(RebatchError, match="int64"):
        simulate(setting(), "dense", seed=1, X=dask.zeros((N, D), dtype=int))
    with pytest.raises(RebatchError, match="rows; allowed are at least"):
        simulate(setting(), "dense", seed=1, X=dask.zeros((10, D)))


@pytest.mark.deep
def test_workers_of_a_cluster_keep_their_rows():
    X = data()
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster):
        one, other = both(X, dask.from_array(X, chunks=(50, 60)).persist())
    np.testing.assert_allclose(other.M, one.M, atol=1e-13)


@pytest.mark.parametrize("rows", [1, 40, 150])
def test_columns_far_from_standard_are_told_of_blocks_too(rows):
    X = data()
    X[:, 7] *= 50
    with pytest.warns(NotStandard, match="1 of 60 columns of X are far .* column 7 has") as told:
        simulate(setting(steps=1, eta=1e-4), "dense", seed=5, X=dask.from_array(X, chunks=(rows, D)))
    assert told[0].filename == __file__
