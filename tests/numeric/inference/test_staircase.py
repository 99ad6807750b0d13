import numpy as np
import pytest

from rebatch import Target, grand_staircase
from rebatch.numeric.inference.cloud import Cloud
from rebatch.numeric.inference.latent import Latent
from rebatch.numeric.inference.staircase import _Growth
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.learnability.reading import read


def growth(text, learned, coarser=4):
    target = Target(text)
    vectors = read(target).relevant.orthogonal_basis()
    return _Growth(Cloud(Latent.along(target, vectors), learned, coarser=coarser))


def test_a_direction_that_the_label_tells_alone_has_its_own_threshold():
    # |y| = z2^2, whatever is known of z1.
    assert growth("sign(z1)*z2^2", 1).threshold(0.0) == pytest.approx(0.5, rel=1e-2)


def test_a_known_direction_is_taken_away():
    # z1 = y - s is known from alpha = 1 on, and what is left is the sign of z2 z3.
    assert growth("z1 + sign(z2*z3)", 1).threshold(2.0) == pytest.approx(np.pi**2 / 4, rel=5e-3)


def test_knowledge_lowers_the_threshold():
    found = growth("z1 + z2^2", 1)
    alone = 1 / found.at(0.0).eigenvalue
    assert 0.5 < found.threshold(0.0) < 0.99 * alone


def test_at_the_threshold_a_trace_neither_grows_nor_fades():
    found = growth("z1 + z2^2", 1)
    alpha = found.threshold(0.0)
    both = growth("z1 + z2^2", 2)
    Q = np.diag([float(found.overlap(alpha)[0, 0]), 1e-5])
    # Of the two grids, a fourth as fine.
    assert alpha * both.square(Q)[1, 1] == pytest.approx(1e-5, rel=2e-2)


def test_what_the_first_stage_finds_whole_has_no_second():
    stages = grand_staircase("z1^2 + z2^2").stages
    assert [stage.alpha for stage in stages] == [0, 1]


def test_an_infinite_stage_ends_the_staircase():
    stages = grand_staircase("sign(z1*z2*z3)").stages
    assert np.isinf(stages[-1].alpha)
    assert stages[-1].how.is_proof


def test_three_axes_are_undecided():
    stage = grand_staircase("z1 + z2*z3").stages[-1]
    assert stage.how is How.UNDECIDED
    assert "grid of 3 directions" in stage.proof


@pytest.mark.deep
def test_the_grand_staircase_has_two_stages_after_nothing():
    first, second = grand_staircase("z1^2 + sign(z1*z2*z3)").stages[1:]
    assert first.alpha == pytest.approx(0.575166, abs=1e-5)
    # With z1 known the label is the sign of z2 z3.
    assert second.alpha == pytest.approx(np.pi**2 / 4, abs=second.error)
    assert second.error < 0.05
