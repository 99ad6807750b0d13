"""What is measured at several dimensions, from the smallest on: rows that are kept on Ctrl-C, and a sentence."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import nullcontext
from typing import TypeVar

from ..numeric.machine.progress import progress
from ..numeric.trajectory import Trajectory
from ..symbolic.errors import RebatchError, TooLargeError
from ..symbolic.exact.shown import Drawn, Tabulated

Row = TypeVar("Row")
Seed = TypeVar("Seed")
# Samples of all runs beyond which a study is refused: about an hour at 0.1 microseconds each.
MOST_SAMPLES = 4e10


class Study(Tabulated, Drawn):
    """An answer with a row for each dimension, that prints itself."""

    def heading(self) -> str:
        """Return what was run and measured."""
        raise NotImplementedError

    def lines(self) -> Sequence[str]:
        """Return what was measured at each dimension."""
        raise NotImplementedError

    def statement(self) -> str:
        """Return the outcome in one sentence, with its false-alarm rate."""
        raise NotImplementedError

    def __str__(self) -> str:
        return "\n".join([self.heading(), *self.lines(), self.statement()])


def at_each(
    sizes: Sequence[int], seeds: Iterable[Seed], measure: Callable[[int, Seed], Row], bar: str = ""
) -> tuple[list[Row], bool]:
    """Return what is measured at each dimension, and whether Ctrl-C ended it before the last.

    A named bar counts the dimensions; without one the runs show their own.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C comes before the first is measured.
    """
    rows: list[Row] = []
    with progress(bar, len(sizes)) if bar else nullcontext(lambda _: None) as report:
        for d, seed in zip(sizes, seeds, strict=True):
            try:
                rows.append(measure(d, seed))
            except KeyboardInterrupt:
                if not rows:
                    raise
                return rows, True
            report(len(rows))
    return rows, False


def require_finished(run: Trajectory, remedy: str = "a smaller eta") -> Trajectory:
    """Return a run that took all its steps.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C ended it.
    RebatchError
        If it diverged.
    """
    if run.interrupted:
        raise KeyboardInterrupt
    if run.stopped:
        raise RebatchError(f"a run {run.stopped}; allowed are steps that do not: give {remedy}")
    return run


def require_affordable(samples: float, sizes: Sequence[int]) -> None:
    """Raise a TooLargeError if all runs together would take more than MOST_SAMPLES samples."""
    if samples > MOST_SAMPLES:
        raise TooLargeError(
            f"about {samples:.1g} samples of all runs at d = {', '.join(map(str, sizes))}; the limit is "
            f"{MOST_SAMPLES:.0g}: give smaller dimensions or fewer runs"
        )
