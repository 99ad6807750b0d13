import io
import sys
import threading
import time
import types

import pytest

from rebatch import Setting, simulate
from rebatch.numeric.machine import progress as module
from rebatch.verify.convergence import convergence


class Stream(io.StringIO):
    """What errors are written to: a terminal, or not."""

    def __init__(self, *, terminal):
        super().__init__()
        self.isatty = lambda: terminal


def written(monkeypatch, *, terminal, modules=sys.modules):
    """Let the bars write into a stream; the test's own changes hands between its phases."""
    stream = Stream(terminal=terminal)
    monkeypatch.setattr(module, "sys", types.SimpleNamespace(stderr=stream, modules=modules))
    return stream


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    return written(monkeypatch, terminal=True)


def work(what="counting", seconds=0.0):
    with module.progress(what, 3) as done:
        for count in (1, 2, 3):
            time.sleep(seconds)
            done(count)


def test_no_bar_where_no_one_looks_on(monkeypatch, terminal):
    stream = written(monkeypatch, terminal=False)
    work()
    assert stream.getvalue() == ""


def test_no_bar_for_what_is_done_at_once(monkeypatch, terminal):
    monkeypatch.setattr(module, "_PATIENCE", 2.0)
    work()
    assert "counting" not in terminal.getvalue()


def test_a_bar_on_a_terminal_for_what_takes_longer(terminal):
    work(seconds=0.11)
    assert "counting" in terminal.getvalue()
    assert "3/3" in terminal.getvalue()


def test_a_notebook_shows_a_bar_although_it_is_no_terminal(monkeypatch, terminal):
    stream = written(monkeypatch, terminal=False, modules={"ipykernel.zmqshell": None})
    work(seconds=0.11)
    assert "counting" in stream.getvalue()


def test_the_work_within_has_no_bar_of_its_own_in_any_thread(terminal):
    for _ in module.tracked(range(2), "outer"):
        work("inner")
        thread = threading.Thread(target=work, args=("inner",))
        thread.start()
        thread.join()
    assert "outer" in terminal.getvalue()
    assert "inner" not in terminal.getvalue()
    work("inner")
    assert "inner" in terminal.getvalue()


def test_studies_show_one_bar_and_engines_theirs(terminal):
    setting = Setting(target="z1", activation="linear", alpha=2, eta=0.5, steps=1)
    simulate(setting, d=50, seed=0)
    assert "lazy" in terminal.getvalue()
    terminal.truncate(0)
    convergence(setting, dimensions=[20, 40, 80], runs=[3, 3, 3])
    assert "running" in terminal.getvalue()
    assert "lazy" not in terminal.getvalue()


def test_nothing_is_shown_where_none_is_wanted(terminal):
    with module.no_progress():
        work()
    assert terminal.getvalue() == ""


def test_the_bar_goes_when_the_work_fails(terminal):
    def failing():
        with module.progress("failing", 3) as done:
            done(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    work("next")
    assert "next" in terminal.getvalue()
