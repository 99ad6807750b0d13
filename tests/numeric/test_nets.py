"""Sobol points put together from pieces are those of SciPy, and their normals those of SciPy."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import ndtri
from scipy.stats import qmc

from rebatch.kernels.normals import normals
from rebatch.numeric.nets import BITS, SobolNet


@given(
    st.integers(1, 5),
    st.integers(1, 70),
    st.sampled_from([1, 2, 8, 16]),
    st.integers(0, 2**32 - 1),
    st.data(),
)
def test_any_stretch_of_a_net_is_that_of_the_whole_sequence(dimension, count, piece, seed, data):
    first = data.draw(st.integers(0, count - 1), label="first")
    length = data.draw(st.integers(0, count - first), label="length")
    sequence = qmc.Sobol(dimension, bits=BITS, rng=np.random.default_rng(np.random.SeedSequence(seed)))
    expected = sequence.random(128)[first : first + length].T + 2.0 ** -(BITS + 1)
    net = SobolNet(dimension, count, piece, np.random.SeedSequence(seed))
    rows = slice(0, dimension)
    if length:
        np.testing.assert_array_equal(net.uniform(rows, first, length), expected)
    out = np.empty((dimension, length))
    net.normals(rows, first, out)
    # Two formulas of relative accuracy 1e-15 each, for values up to 6.1.
    np.testing.assert_allclose(out, ndtri(expected), rtol=4e-15, atol=1e-15)


def test_the_inverse_normal_holds_at_the_outermost_cells_and_where_its_formulas_meet():
    meet = int(0.075 * 2**BITS)
    cells = np.concatenate(
        [np.arange(50), np.arange(meet - 50, meet + 50), np.arange(2 ** (BITS - 1) - 50, 2 ** (BITS - 1))]
    )
    cells = np.concatenate([cells, 2**BITS - 1 - cells]).astype(np.uint32)[None, :]
    out = np.empty(cells.shape)
    normals(cells, np.zeros(1, dtype=np.uint32), 0, out, 0, cells.size)
    np.testing.assert_allclose(out, ndtri((cells + 0.5) / 2**BITS), rtol=2e-15)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"first": 5}, "count"),
        ({"column": 7}, "count"),
        ({"first": -1}, "first"),
        ({"flipped": np.zeros(3, dtype=np.uint32)}, "flipped"),
        ({"out": np.empty((3, 8))}, "rows of out"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    given = {
        "cells": np.zeros((2, 8), dtype=np.uint32),
        "flipped": np.zeros(2, dtype=np.uint32),
        "first": 0,
        "out": np.empty((2, 8)),
        "column": 0,
        "count": 4,
    } | change
    with pytest.raises(ValueError, match=message):
        normals(*given.values())
