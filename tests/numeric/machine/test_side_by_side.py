"""Runs side by side: in their order, in the context that asked, with their warnings, and ended together."""

import threading
import time
import warnings
from contextlib import closing
from contextvars import ContextVar

import pytest

from rebatch.numeric.machine import side_by_side as module
from rebatch.numeric.machine.side_by_side import side_by_side
from rebatch.numeric.machine.warned import warn

ASKED: ContextVar[str] = ContextVar("asked", default="nobody")
MIDDLING, FEW, MANY = 2.0**20, 1.0, 2.0**40


@pytest.fixture(autouse=True)
def two_cores(monkeypatch):
    monkeypatch.setattr(module, "thread_count", lambda threads: 2 if threads is None else threads)


def test_answers_come_in_the_order_of_the_items_whoever_ends_first():
    met = threading.Barrier(2, timeout=60)

    def task(item, threads):
        # Both are under way at the same time, or this never ends; the first ends last.
        met.wait()
        time.sleep(0.05 * (1 - item % 2))
        return item, threads

    found = list(side_by_side(task, range(6), None, lambda _: MIDDLING))
    assert found == [(item, 1) for item in range(6)]


@pytest.mark.parametrize(
    ("size", "threads"), [(FEW, None), (MANY, None), (MIDDLING, 1)], ids=["few", "many", "one core"]
)
def test_runs_that_need_python_or_all_memory_take_their_turn_alone(size, threads):
    here = threading.current_thread()

    def task(item, own):
        assert threading.current_thread() is here
        return item, own

    found = list(side_by_side(task, range(3), threads, lambda _: size))
    assert found == [(item, threads) for item in range(3)]


def test_sizes_may_be_mixed():
    sizes = [FEW, MIDDLING, MIDDLING, MIDDLING, MANY, MIDDLING, FEW]
    found = side_by_side(lambda item, _: item, enumerate(sizes), None, lambda item: item[1])
    assert list(found) == list(enumerate(sizes))


def test_a_run_sees_the_context_that_asked_for_it():
    token = ASKED.set("us")
    try:
        found = list(side_by_side(lambda *_: ASKED.get(), range(4), None, lambda _: MIDDLING))
    finally:
        ASKED.reset(token)
    assert found == ["us"] * 4


def test_warnings_are_said_here_in_the_order_of_the_runs():
    def task(item, _):
        time.sleep(0.02 * (3 - item))
        warn(f"run {item}", UserWarning)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        list(side_by_side(task, range(4), None, lambda _: MIDDLING))
    assert [str(warning.message) for warning in told] == [f"run {item}" for item in range(4)]
    assert {warning.filename for warning in told} == {__file__}


def test_an_error_or_an_interrupt_begins_no_other_run_and_leaves_none_behind():
    begun, ended = [], []

    def task(item, _):
        begun.append(item)
        time.sleep(0.02)
        ended.append(item)
        if item == 2:
            raise ZeroDivisionError
        return item

    with pytest.raises(ZeroDivisionError):
        list(side_by_side(task, range(1000), None, lambda _: MIDDLING))
    assert sorted(begun) == sorted(ended)
    assert len(begun) <= 5
    begun.clear()
    ended.clear()

    def watched():
        with closing(
            side_by_side(lambda i, _: task(i + 10, 1), range(1000), None, lambda _: MIDDLING)
        ) as found:
            for item in found:
                if item == 12:
                    raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watched()
    assert sorted(begun) == sorted(ended)
    assert len(begun) <= 6
