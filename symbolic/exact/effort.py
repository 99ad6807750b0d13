"""How much work an answer may cost: counted, not timed, so that the same text gets the same answer everywhere.

    with effort(2_000_000) as work:     # a limit for all that is computed inside
        ...                             # spend(units) counts; beyond the limit it raises EffortSpentError
    work.spent                          # what it took

One unit is about a microsecond of an ordinary machine. Whatever may not end counts: evaluations on balls, products
of polynomials, boxes, points. Limits nest: work inside counts for every limit around it. Once a limit is reached, all
that is asked within it fails at once, so that a caller who catches the error for one question soon has an answer to
all of them ("undecided: effort spent"). Without a limit around it nothing is refused.

What is remembered from earlier questions must not make a later answer depend on them: a :class:`Memory` charges a
limit for what it remembers as for what it computes, once.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from math import inf
from typing import Any, Generic, TypeVar

from .. import checks
from ..errors import RebatchError

# About 20 s of an ordinary machine.
DEFAULT_EFFORT = 20_000_000
_INTERRUPTED = "interrupted before there was an answer"

T = TypeVar("T")


class EffortSpentError(RebatchError):
    """The effort that was allowed is spent; what is not decided until then stays undecided."""


@dataclass
class Work:
    """A limit, and what has been spent of it.

    Attributes
    ----------
    limit : int or None
        None: it only counts.
    spent : int
    interrupted : bool
        Whether it was told to end before its limit.
    """

    limit: int | None
    spent: int = 0
    around: Work | None = None
    paid: set[Any] = field(default_factory=set)
    interrupted: bool = False

    def interrupt(self) -> None:
        """Let nothing more be computed within this limit: what is not decided yet stays undecided.

        Raises
        ------
        EffortSpentError
            When it is said again: what is computed has not asked in the meantime.
        """
        if self.interrupted:
            raise EffortSpentError(_INTERRUPTED)
        self.interrupted = True
        self.limit = -1

    @property
    def exhausted(self) -> bool:
        """Whether nothing more is computed within this limit, or within one around it."""
        return any(work.limit is not None and work.spent > work.limit for work in self.chain())

    def chain(self) -> Iterator[Work]:
        """Yield this limit and those around it."""
        work: Work | None = self
        while work is not None:
            yield work
            work = work.around


_work: ContextVar[Work | None] = ContextVar("work", default=None)


@contextmanager
def effort(limit: int | None) -> Iterator[Work]:
    """Limit the work of the block, or only count it.

    Parameters
    ----------
    limit : int or None
        Units, >= 0. None: no limit of its own; those around it hold.

    Raises
    ------
    RebatchError
        If the limit is not an integer >= 0.

    Examples
    --------
    >>> with effort(100) as work:
    ...     spend(30)
    >>> work.spent
    30
    """
    if limit is not None:
        limit = checks.integer("effort", limit, least=0)
    work = Work(limit, around=_work.get())
    token = _work.set(work)
    try:
        yield work
    finally:
        _work.reset(token)


def spend(units: int = 1) -> None:
    """Count work against the limits of the moment, if there are any.

    Raises
    ------
    EffortSpentError
        If that is more than one of them allows.
    """
    _charge(_limits(), units)


def left() -> float:
    """Return the units that the limits of the moment still allow; inf without a limit."""
    return min((work.limit - work.spent for work in _limits() if work.limit is not None), default=inf)


def count(units: int) -> None:
    """Count work that is done whatever is left: arithmetic on what was found stands, the next `spend` raises."""
    for work in _limits():
        work.spent += units


def _limits() -> list[Work]:
    work = _work.get()
    return [] if work is None else list(work.chain())


def _charge(limits: list[Work], units: int) -> None:
    """Count work against each limit; raise for the first that allows no more."""
    for work in limits:
        work.spent += units
    for work in limits:
        if work.interrupted:
            raise EffortSpentError(_INTERRUPTED)
        if work.limit is not None and work.spent > work.limit:
            raise EffortSpentError(
                f"effort spent: an answer would take over {work.limit:,} units of work, allow more"
            )


class Memory(Generic[T]):
    """Results that are computed once; under each limit they are paid for once.

    Parameters
    ----------
    most : int, optional
        So many are kept, the latest.
    """

    def __init__(self, most: int | None = None) -> None:
        self._known: dict[Hashable, tuple[T, int]] = {}
        self._most = most

    def get(self, key: Hashable, compute: Callable[[], T]) -> T:
        """Return the result of that key, computed now if it is new; what fails is not remembered.

        Raises
        ------
        EffortSpentError
        """
        if key in self._known:
            _charge([work for work in _limits() if (self, key) not in work.paid], self._known[key][1])
        else:
            with effort(None) as work:
                value = compute()
            self._known[key] = value, work.spent
        for work in _limits():
            work.paid.add((self, key))
        value = self._known[key][0]
        if self._most is not None and len(self._known) > self._most:
            del self._known[next(iter(self._known))]
        return value
