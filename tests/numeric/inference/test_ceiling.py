import numpy as np
import pytest

from rebatch import RebatchError, ceiling
from rebatch.numeric.inference.ceiling import span_cosine


def test_no_descent_is_above_the_ceiling():
    for text in ("tanh(z1)", "He(3, z1)"):
        found = ceiling(text, steps=4)
        assert (found.reused <= found.best + 0.02).all()  # the limit's error
        assert 0 < found.efficiency <= 1


def test_linear_descent_in_one_step_is_the_best_there_is():
    # y = z, sigma' constant: the gradient is X^T y, which is also the first step of message passing.
    found = ceiling("z1", steps=2, activation="h", alpha=2.0)
    assert found.best[1] == pytest.approx(np.sqrt(2 / 3), rel=1e-9)
    # From a start of norm one the largest step on the grid, 5, keeps a hundredth of it.
    assert found.reused[1] == pytest.approx(found.best[1], rel=0.01)
    assert found.eta_reused[1] == pytest.approx(max(found.etas))


def test_where_nothing_is_found_without_knowledge_no_share_is_given():
    found = ceiling("z1^2", steps=2)
    assert found.efficiency is None
    assert "log d" in found.statement()


def test_two_directions_have_the_cosines_of_their_span():
    # Rows of W that span z1 and half of z2: squared cosines 1 and 1/2.
    W = np.array([[3.0, 0, 0], [1, 2, 2]])
    M, Q = W[None, :, :2], (W @ W.T)[None]
    assert span_cosine(M, Q) == pytest.approx(np.sqrt([0.75]))
    mixed = np.array([[1.0, 2], [-1, 1]])
    assert span_cosine(mixed @ M, mixed @ Q @ mixed.T) == pytest.approx(np.sqrt([0.75]))


def test_two_neurons_stay_below_the_ceiling_of_two_directions():
    found = ceiling("z1 + z1*z2", steps=2, etas=[0.5])
    assert found.directions == 2
    assert (found.reused <= found.best + 0.02).all()  # the limit's error
    assert 0.1 < found.efficiency < 1


@pytest.mark.parametrize(("options", "words"), [({"steps": 1}, "steps"), ({"etas": []}, "step size")])
def test_bad_input_is_one_clear_line(options, words):
    with pytest.raises(RebatchError, match=words):
        ceiling("z1", **options)
