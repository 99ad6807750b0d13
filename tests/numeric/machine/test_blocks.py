"""Blocks of samples and the threads that share them."""

import numpy as np
import pytest

from rebatch.numeric.machine.blocks import BLOCK, Blocks, Threads


@pytest.mark.parametrize("threads", [1, 2])
def test_sums_and_stacks_are_in_the_order_of_the_blocks(threads):
    n = 40 * BLOCK + 7
    with Threads(threads) as pool:
        blocks = Blocks(n, pool)
        sizes = blocks.stacked(lambda index, block: np.array([[index, block.stop - block.start]]))
        total = blocks.each(lambda _, block: np.array([block.stop - block.start]))
    assert sizes[:, 0].tolist() == list(range(41))
    assert total == sizes[:, 1].sum() == n


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupt_leaves_the_other_blocks_undone(threads):
    done = []

    def task(index, _):
        if index == 3:
            raise KeyboardInterrupt
        done.append(index)
        return np.zeros(1)

    with Threads(threads) as pool, pytest.raises(KeyboardInterrupt):
        Blocks(400 * BLOCK, pool).each(task)
    # A block or two of the other thread may be under way.
    assert len(done) < 50
