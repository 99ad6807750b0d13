import io
import time

import pytest
from rich.console import Console

from rebatch.numeric.machine import progress as module


def consoles(monkeypatch, *, terminal):
    """Let the bar write into a string that is, or is not, a terminal."""
    stream = io.StringIO()
    monkeypatch.setattr(
        module,
        "Console",
        lambda **_: Console(file=stream, force_terminal=terminal, width=80, color_system=None),
    )
    return stream


def work(seconds):
    with module.progress("counting", 3) as done:
        for count in (1, 2, 3):
            time.sleep(seconds)
            done(count)


def test_no_bar_where_no_one_looks_on(monkeypatch):
    stream = consoles(monkeypatch, terminal=False)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    work(0.01)
    assert stream.getvalue() == ""


def test_no_bar_for_what_is_done_at_once(monkeypatch):
    stream = consoles(monkeypatch, terminal=True)
    work(0.0)
    assert "counting" not in stream.getvalue()


def test_a_bar_on_a_terminal_for_what_takes_longer(monkeypatch):
    stream = consoles(monkeypatch, terminal=True)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)
    work(0.05)
    assert "counting" in stream.getvalue()


def test_the_bar_goes_when_the_work_fails(monkeypatch):
    consoles(monkeypatch, terminal=True)
    monkeypatch.setattr(module, "_PATIENCE", 0.0)

    def failing():
        with module.progress("counting", 3) as done:
            done(1)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        failing()
    work(0.01)  # a second live bar would be refused if the first were still there
