"""Integrals that are interrupted: what the integrand raises comes out; no other value than that of a quiet run."""

import gc
import signal
import time

import pytest
from flint import acb, arb, ctx

from rebatch import expectation
from rebatch.symbolic.calculus.line import line_integral
from rebatch.symbolic.exact.effort import EffortSpentError, effort
from rebatch.symbolic.exact.integral import integral

SMALL = arb(2) ** -60


class StoppedError(Exception):
    pass


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt, MemoryError, ValueError, SystemExit])
@pytest.mark.parametrize("at", [1, 2, 7])
def test_what_the_integrand_raises_comes_out(error, at):
    calls = []

    def f(x, analytic):
        calls.append(x)
        if len(calls) == at:
            raise error("here")
        return (x * 40).sin() / (x + 2)

    with ctx.workprec(80), pytest.raises(error, match="here"):
        integral(f, SMALL, SMALL, evaluations=10_000)
    # Nothing is evaluated in vain after it.
    assert len(calls) == at


def test_the_effort_of_an_integral_is_limited():
    with effort(50) as work, pytest.raises(EffortSpentError):
        integral(lambda x, _: (x * 200).sin(), SMALL, SMALL, evaluations=10_000, units=7)
    assert work.spent == 56


def test_an_integral_is_right():
    with ctx.workprec(100):
        assert integral(lambda x, _: x.exp(), SMALL, SMALL, evaluations=10_000).contains(acb(1).exp() - 1)


def test_a_handler_that_returns_does_not_disturb():
    received = []
    before = signal.signal(signal.SIGALRM, lambda number, _: received.append(number))
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    try:
        with ctx.workprec(100):
            value = integral(lambda x, _: (x * 2000).sin(), SMALL, SMALL, evaluations=100_000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert received
    assert value.overlaps((1 - acb(2000).cos()) / 2000)


@pytest.mark.parametrize(
    ("text", "digits", "rounds"),
    [
        ("tanh(z1)*z1", 30, 25),
        pytest.param("tanh(z1)*z1 - 1 + tanh(z1)^2", 30, 40, marks=pytest.mark.deep),
    ],
)
def test_an_interrupt_at_any_time_changes_no_answer(text, digits, rounds):
    # SIGALRM with a handler that raises is Ctrl-C with a clock.
    def stop(number, frame):
        raise StoppedError

    quiet = expectation(text, digits=digits).value
    line_integral.cache_clear()
    start = time.perf_counter()
    expectation(text, digits=digits)
    whole = time.perf_counter() - start
    before = signal.signal(signal.SIGALRM, stop)
    stopped = 0
    # What is raised while Python collects garbage is lost in the callbacks of others.
    gc.disable()
    try:
        for i in range(rounds):
            line_integral.cache_clear()
            try:
                signal.setitimer(signal.ITIMER_REAL, whole * (i + 1) / (rounds + 1))
                value = expectation(text, digits=digits).value
                signal.setitimer(signal.ITIMER_REAL, 0)
            except StoppedError:
                stopped += 1
                # What was begun before has left nothing behind.
                value = expectation(text, digits=digits).value
            assert (value.mid(), value.rad()) == (quiet.mid(), quiet.rad())
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        gc.enable()
    assert stopped > 2
