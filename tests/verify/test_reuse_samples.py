import json

import numpy as np
import pytest

from rebatch import RebatchError, Target, TooLargeError, reuse_scaling
from rebatch.verify import reuse_samples as module
from rebatch.verify.reuse_samples import _bracket, _Search

D = [1024, 2048, 4096]


def synthetic(power):
    """Overlaps whose median crosses the threshold exactly at alpha = 4 (d / 1024)^power."""

    def overlaps(study, alpha, d, seed, *, reuse):
        if not reuse:
            return np.full(study.runs, 0.67 / np.sqrt(d))
        rng = np.random.default_rng(seed)
        size = study.threshold * np.sqrt(alpha / (4 * (d / 1024) ** power))
        return size * np.exp(0.2 * rng.standard_normal(study.runs))

    return overlaps


@pytest.mark.parametrize(
    ("power", "outcome"), [(0.0, "consistent"), (1.0, "inconsistent"), (0.5, "inconsistent")]
)
def test_the_samples_of_a_known_law_are_found(monkeypatch, power, outcome):
    monkeypatch.setattr(_Search, "overlaps", synthetic(power))
    result = reuse_scaling("He(3, z)", dimensions=D, runs=64)
    # Medians of 64 with a spread of 0.2 cross at log alpha known to 0.2 * 1.25 / 8 * 2 = 0.06.
    np.testing.assert_allclose(
        np.log(result.alpha), np.log(4) + power * np.log(np.array(D) / 1024), atol=6 * 0.06
    )
    assert np.all((result.log_error > 0.02) & (result.log_error < 0.15))
    assert result.outcome == outcome, str(result)
    assert json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.parametrize("first", range(-10, 11))
def test_the_bracket_holds_the_first_point_that_is_large(first):
    low, high = _bracket(lambda j: j >= first)
    assert high is None or high >= first
    assert low is None or low < first
    assert (low is None) == (first == -10)


def test_a_search_without_end_says_so():
    assert _bracket(lambda j: False) == (10, None)


def test_a_reused_batch_needs_samples_in_proportion_to_the_dimension():
    result = reuse_scaling("He(3, z)", dimensions=[512, 724, 1024], runs=16, seed=1)
    assert result.outcome != "inconsistent", str(result)
    assert result.one_pass_exponent == 2
    # The limit says alpha = 4; the error of each is about 0.15, and 0.2 is what d = 512 may add.
    np.testing.assert_allclose(np.log(result.alpha / 4), 0, atol=0.2 + 5 * 0.15)
    assert (result.fresh < result.threshold).all()


def test_fresh_batches_in_place_of_the_reused_one_are_called_inconsistent(monkeypatch):
    honest = _Search.overlaps
    monkeypatch.setattr(
        _Search,
        "overlaps",
        lambda study, alpha, d, seed, *, reuse: honest(study, min(alpha, 8), d, seed, reuse=False),
    )
    assert reuse_scaling("He(3, z)", dimensions=[512, 724, 1024], runs=8).outcome == "inconsistent"


def test_an_interrupt_keeps_the_dimensions_finished_before(monkeypatch):
    made = synthetic(0.0)

    def overlaps(study, alpha, d, seed, *, reuse):
        if d == 4096:
            raise KeyboardInterrupt
        return made(study, alpha, d, seed, reuse=reuse)

    monkeypatch.setattr(_Search, "overlaps", overlaps)
    result = reuse_scaling("He(3, z)", dimensions=D, runs=16)
    assert result.interrupted
    assert result.d.tolist() == D[:2]
    assert result.outcome == "undecided"


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("He(2, z)", {}, "hidden"),
        ("z", {}, "one pass learns e1"),
        ("z1*z2 + z1*z2^2", {}, "one pass learns"),
        ("1", {}, "no direction"),
        ("He(3, z)", {"steps": 1}, ">= 2"),
        ("He(3, z)", {"runs": 2}, ">= 8"),
        ("He(3, z)", {"dimensions": [10, 1000, 2000]}, "stands out"),
        ("He(3, z)", {"dimensions": [1000, 2000]}, "at least 3"),
        ("He(3, z)", {"eta": 1e-4}, "too small to be seen"),
        ("He(3, z)", {"false_alarm": 2}, "between 0 and 1"),
    ],
)
def test_what_cannot_be_measured_is_refused(target, options, message):
    with pytest.raises(RebatchError, match=message):
        reuse_scaling(target, **options)


def test_a_study_that_would_take_hours_is_refused_with_the_figure():
    with pytest.raises(TooLargeError, match="limit"):
        reuse_scaling("He(3, z)", dimensions=[10**7, 10**8, 10**9])


def test_only_directions_that_one_pass_meets_late_are_measured():
    directions, order = module._separating(module.Target("z1 + He(3, z2)"))
    assert order == 3
    assert [tuple(map(int, v)) for v in directions] == [(0, 1)]


@pytest.mark.deep
def test_the_study_of_he3_is_consistent():
    result = reuse_scaling("He(3, z)")
    assert result.outcome == "consistent", str(result)


def test_on_signs_one_pass_meets_what_the_coordinates_before_do_not_show():
    triangle = Target("z1*z2 + z2*z3 + z1*z3 + z1*z2*z3", inputs="boolean")
    assert [
        [tuple(map(int, v)) for v in module._separating(triangle)[0]],
        module._separating(triangle)[1],
    ] == [[(1, 1, 1)], 2]
    with pytest.raises(RebatchError, match="one pass learns e1, e2 with"):
        reuse_scaling(Target("z1 + z1*z2", inputs="boolean"))
