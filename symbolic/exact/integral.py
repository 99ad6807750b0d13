"""Arb's adaptive quadrature with integrands that may fail or be interrupted.

`acb.integral` of python-flint loses what its callback raises: the value at that point is then whatever lies in
memory, and the "proved" ball is wrong. Here every exception of the integrand is kept, the integrator is told that the
value is indeterminate, and the exception is raised once it has returned. An interrupt (Ctrl-C, an alarm) can arrive
before the first line of the callback; so signals are only noted while the integrator runs, and reach their handlers
at the next evaluation, where what they raise is kept too.
"""

import signal
import threading
from collections.abc import Callable
from types import FrameType

from flint import acb, arb

from .effort import spend

Integrand = Callable[[acb, bool], acb]
Handler = Callable[[int, FrameType | None], object]

# Those that are sent to a program to stop it, to wake it or to sample it.
_SIGNALS = tuple(
    getattr(signal, name)
    for name in (
        "SIGINT",
        "SIGTERM",
        "SIGHUP",
        "SIGALRM",
        "SIGVTALRM",
        "SIGPROF",
        "SIGUSR1",
        "SIGUSR2",
        "SIGBREAK",
    )
    if hasattr(signal, name)
)


def integral(f: Integrand, tolerance: arb, relative: arb, *, evaluations: int, units: int = 1) -> acb:
    """Return a ball around the integral of f over [0, 1].

    Parameters
    ----------
    f : callable
        (x, whether a proof of analyticity is asked for) -> value.
    tolerance, relative : arb
        The absolute and relative accuracy that is aimed at.
    evaluations : int
        At most so many values of f.
    units : int
        The effort that one value takes.

    Raises
    ------
    EffortSpentError
    BaseException
        Whatever f raises, and whatever the handlers of signals raise.
    """
    failure: list[BaseException] = []
    signals = _Signals()

    def guarded(x: acb, analytic: bool) -> acb:
        try:
            signals.deliver()
            spend(units)
            return f(x, analytic)
        except BaseException as error:
            failure.append(error)
            # This kind of error ends the integration early.
            raise ValueError from None

    try:
        signals.hold()
        value = acb.integral(guarded, 0, 1, abs_tol=tolerance, rel_tol=relative, eval_limit=evaluations)
    except ValueError:
        if not failure:
            raise
    finally:
        signals.release()
    if failure:
        raise failure[0]
    return value


class _Signals:
    """Signals that wait: their handlers, which Python runs in the main thread alone, are called when it is safe."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, FrameType | None]] = []
        self._handlers: dict[int, Handler] = {}

    def hold(self) -> None:
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            if callable(handler):
                self._handlers[number] = handler
                signal.signal(number, lambda *received: self._waiting.append(received))

    def deliver(self) -> None:
        while self._waiting:
            number, frame = self._waiting.pop(0)
            self._handlers[number](number, frame)

    def release(self) -> None:
        # The first that was held comes last: until then nothing is raised here.
        for number, handler in reversed(self._handlers.items()):
            signal.signal(number, handler)
        self.deliver()
