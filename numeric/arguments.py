"""What an argument may be: a number, count, truth value, choice or array; else one line says what is allowed."""

import numbers
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..symbolic.errors import RebatchError

T = TypeVar("T", bound=str)
# Counts are held against floating-point numbers, which know all integers up to this one.
MOST = 2**53
_SHOWN = 80


def shown(value: Any) -> str:
    """Return a value as an error message shows it: short, on one line, whatever it is.

    Examples
    --------
    >>> shown("z1"), len(shown("z" * 10_000)), shown(10**5000)
    ("'z1'", 81, 'an integer of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 4 * _SHOWN:
        return f"an integer of {value.bit_length()} bits"
    if isinstance(value, np.ndarray) and value.size > 8:
        return f"an array of {value.dtype} of shape {value.shape}"
    try:
        text = " ".join(repr(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


def real(name: str, value: Any, *, positive: bool = False, signed: bool = False) -> float:
    """Return a finite number >= 0; > 0 where it is `positive`, of any sign where it is `signed`."""
    allowed = f"finite numbers{'' if signed else ' > 0' if positive else ' >= 0'}"
    number = np.nan
    if isinstance(value, numbers.Real) and not isinstance(value, bool | np.bool_):
        try:
            number = float(value)
        except OverflowError:
            number = np.inf
    if not np.isfinite(number) or (not signed and number < 0) or (positive and number == 0):
        raise RebatchError(f"{name} = {shown(value)}; allowed are {allowed}")
    return number


def count(name: str, value: Any, least: int = 1, most: int = MOST, why: str = "") -> int:
    """Return an integer from `least`, which is `why`, to `most`."""
    if not _is_integer(value) or not least <= value <= most:
        upper = "" if most == MOST and not (_is_integer(value) and value > most) else f" and <= {most}"
        lower = f"{why} = {least}" if why else least
        raise RebatchError(f"{name} = {shown(value)}; allowed are integers >= {lower}{upper}")
    return int(value)


def seed(value: Any, name: str = "seed") -> int:
    """Return an integer >= 0 of any size."""
    if not _is_integer(value) or value < 0:
        raise RebatchError(f"{name} = {shown(value)}; allowed are integers >= 0")
    return int(value)


def flag(name: str, value: Any) -> bool:
    """Return True or False; a text such as "false" is neither."""
    if not isinstance(value, bool | np.bool_):
        raise RebatchError(f"{name} = {shown(value)}; allowed are True and False")
    return bool(value)


def one_of(name: str, value: Any, allowed: Sequence[T]) -> T:
    """Return one of the texts that are allowed."""
    if not isinstance(value, str) or value not in allowed:
        raise RebatchError(f"{name} = {shown(value)}; allowed are {', '.join(allowed)}")
    return value  # type: ignore[return-value]


def array(name: str, value: Any, allowed: str) -> NDArray[np.float64]:
    """Return finite real numbers in an array of any shape; `allowed` says what else the caller asks of them."""
    try:
        given = np.asarray(value)
        if isinstance(value, np.ma.MaskedArray) or given.dtype.kind not in "iufO":
            raise TypeError
        if given.dtype.kind == "O" and any(isinstance(x, str | bytes | bool) for x in given.flat):
            raise TypeError
        result = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise RebatchError(f"{name} = {shown(value)}; allowed are {allowed}") from None
    if not np.isfinite(result).all():
        raise RebatchError(f"{name} holds numbers that are not finite; allowed are {allowed}")
    return result


def matrix(name: str, value: Any, shape: tuple[int, int]) -> tuple[tuple[float, ...], ...]:
    """Return finite real numbers in rows of tuples, of the shape that is asked for."""
    given = array(name, value, f"finite numbers of shape {shape}")
    if given.shape != shape:
        raise RebatchError(f"{name} has shape {given.shape}; allowed are finite numbers of shape {shape}")
    return tuple(tuple(float(x) for x in row) for row in given)


def _is_integer(value: Any) -> bool:
    return isinstance(value, numbers.Integral) and not isinstance(value, bool | np.bool_)
