"""The products kernel against NumPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebatch.kernels.products import combine, inner

SIZES = {
    "m": st.integers(1, 5),
    "k": st.integers(1, 9),
    "n": st.one_of(st.integers(1, 40), st.sampled_from([1023, 1025, 4097, 9001])),
    "dtype": st.sampled_from([np.float32, np.float64]),
    "seed": st.integers(0, 2**32 - 1),
}


def rows(seed, m, k, n, dtype):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((m, n)), rng.standard_normal((k, n)).astype(dtype), rng.standard_normal((m, k))


@given(**SIZES, parts=st.integers(1, 4))
def test_inner_is_the_matrix_product_in_parts(m, k, n, dtype, seed, parts):
    A, P, _ = rows(seed, m, k, n, dtype)
    out = np.empty((parts, m, k))
    inner(A, P, out, 2)
    # Sums of n products of size 1, in float64 whatever P is.
    np.testing.assert_allclose(out.sum(axis=0), A @ P.astype(np.float64).T, atol=1e-14 * n)


@given(**SIZES, fresh=st.booleans())
def test_combine_is_the_matrix_product(m, k, n, dtype, seed, fresh):
    A, P, C = rows(seed, m, k, n, dtype)
    expected = C @ P.astype(np.float64) + (0 if fresh else A)
    combine(C, P, A, fresh, 2)
    np.testing.assert_allclose(A, expected, atol=1e-13)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_threads_do_not_change_a_bit(dtype):
    A, P, C = rows(0, 3, 7, 30_000, dtype)
    one, two = np.empty((5, 3, 7)), np.empty((5, 3, 7))
    inner(A, P, one, 1)
    inner(A, P, two, 2)
    np.testing.assert_array_equal(one, two)
    out = A.copy()
    combine(C, P, out, False, 1)
    combine(C, P, A, False, 2)
    np.testing.assert_array_equal(out, A)
