import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebatch.symbolic.errors import RebatchError
from rebatch.symbolic.exact.effort import EffortSpentError, Memory, effort, spend


@given(st.lists(st.integers(0, 50), max_size=8), st.integers(0, 200))
def test_work_is_refused_exactly_beyond_the_limit(units, limit):
    done = 0
    with effort(limit) as work:
        for u in units:
            if done + u > limit:
                with pytest.raises(EffortSpentError, match=f"over {limit} units"):
                    spend(u)
                break
            spend(u)
            done += u
            assert work.spent == done
            assert not work.exhausted


def test_once_the_limit_is_reached_everything_inside_fails_at_once():
    with effort(10) as outer:
        with effort(5), pytest.raises(EffortSpentError):
            spend(6)
        spend(4)
        with effort(100) as inner:
            with pytest.raises(EffortSpentError):
                spend(1)
            assert inner.exhausted
        with pytest.raises(EffortSpentError):
            spend(0)
    assert outer.spent == 11


def test_without_a_limit_nothing_is_refused():
    spend(10**30)
    with effort(None) as work:
        spend(10**30)
    assert work.spent == 10**30


def test_what_is_remembered_is_paid_for_once_under_each_limit():
    memory, calls = Memory(), []

    def compute():
        calls.append(1)
        spend(7)
        return "answer"

    assert memory.get("key", compute) == "answer"
    for _ in range(2):
        with effort(20) as work:
            assert memory.get("key", compute) == "answer"
            with effort(20):
                assert memory.get("key", compute) == "answer"
        assert work.spent == 7
    with effort(6), pytest.raises(EffortSpentError):
        memory.get("key", compute)
    assert len(calls) == 1


def test_what_fails_is_not_remembered():
    memory = Memory()
    with effort(3), pytest.raises(EffortSpentError):
        memory.get("key", lambda: spend(4))
    assert memory.get("key", lambda: "later") == "later"


@pytest.mark.parametrize("limit", [-1, True, 2.0, "10"])
def test_a_limit_is_a_number_of_units(limit):
    with pytest.raises(RebatchError, match="effort = "), effort(limit):
        pass


def test_interrupted_work_ends_where_it_asks_next_or_at_once_when_told_again():
    with effort(None) as outer, effort(100):
        spend(1)
        outer.interrupt()
        with pytest.raises(EffortSpentError, match="interrupted"):
            spend(0)
        with pytest.raises(EffortSpentError, match="interrupted"):
            outer.interrupt()
    with effort(100):
        spend(1)
