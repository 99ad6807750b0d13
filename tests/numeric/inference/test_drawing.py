import numpy as np
import pytest

from rebatch import weak_recovery_threshold


def drawn(answer):
    (panel,) = answer.plot(kind="transform")
    return panel.lines[0].get_data()


def test_the_transform_of_a_square_is_that_of_phase_retrieval():
    y, T = drawn(weak_recovery_threshold("z1^2", max_degree=1))
    seen = y > 0.2  # below, T is cut where 1 - 1/y falls without end
    assert T[seen] == pytest.approx(1 - 1 / y[seen], rel=1e-6)


def test_several_directions_show_their_best_certificate():
    answer = weak_recovery_threshold("z1^2 + z2^2", max_degree=2)
    y, T = drawn(answer)
    best = min(answer.certificates, key=lambda c: c.bound)
    (symbol,) = best.transform.free_symbols
    assert T[0] == pytest.approx(float(best.transform.xreplace({symbol: y[0]})))
    assert np.ptp(T) > 1
