"""Memory is estimated before it is taken: a job that would not fit is refused with the figures."""

import psutil

from ..symbolic.errors import TooLargeError

SHARE = 0.8


def require(needed: float, what: str) -> None:
    """Check that `needed` bytes are at most 80% of what is free.

    Raises
    ------
    TooLargeError
        If they are not; the message names both figures.
    """
    free = psutil.virtual_memory().available
    if needed > SHARE * free:
        raise TooLargeError(
            f"{what} needs {needed / 1e9:.3g} GB; allowed are {SHARE:.0%} of the {free / 1e9:.3g} GB that are free"
        )
