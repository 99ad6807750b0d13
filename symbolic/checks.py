"""Checks of what a user gives, where it enters: the value as the type that is meant, or one line on what is allowed.

Truth values are refused where numbers are meant: ``steps=True`` is an error of the caller's, not one step.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from fractions import Fraction
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, TypeVar

from .errors import RebatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")
# Integers are held against floating-point numbers, which know all of them up to this one.
MOST = 2**53
# Characters of a value that a message shows; an integer beyond as many bits is told by its size.
_LONGEST = 80
_FEW = 8


def integer(
    name: str, value: Any, *, least: int | None = None, most: int | None = MOST, why: str = ""
) -> int:
    """Return an integer between bounds.

    Parameters
    ----------
    name : str
        What the value is, as the message names it.
    value
        Any integer, NumPy's and SymPy's too.
    least, most : int or None
        The bounds, which are allowed; None: none.
    why : str
        What follows the bounds in the message: where they come from.

    Raises
    ------
    RebatchError
        If it is none.

    Examples
    --------
    >>> integer("steps", 3, least=1)
    3
    >>> integer("steps", 2.0, least=1)
    Traceback (most recent call last):
    ...
    rebatch.symbolic.errors.RebatchError: steps = 2.0; allowed are integers >= 1
    """
    whole = isinstance(value, Integral) and not isinstance(value, bool)
    if whole and (least is None or value >= least) and (most is None or value <= most):
        return int(value)
    # Nobody needs to be told a bound that is far away.
    upper = None if most == MOST and not (whole and value > MOST) else most
    raise RebatchError(f"{name} = {shown(value)}; allowed are integers{_bounds(least, upper)}{why}")


def number(
    name: str,
    value: Any,
    *,
    above: float | None = None,
    least: float | None = None,
    below: float | None = None,
    most: float | None = None,
) -> float:
    """Return a finite real number between bounds that may be missing.

    Parameters
    ----------
    name : str
        What the value is, as the message names it.
    value
        Any real number that Python, NumPy or SymPy counts as one.
    above, below : float, optional
        Bounds that are not allowed themselves.
    least, most : float, optional
        Bounds that are.

    Raises
    ------
    RebatchError
        If it is none.

    Examples
    --------
    >>> number("eta", 1, above=0)
    1.0
    >>> number("eta", float("nan"), above=0)
    Traceback (most recent call last):
    ...
    rebatch.symbolic.errors.RebatchError: eta = nan; allowed are finite numbers > 0
    """
    if isinstance(value, Real) and not isinstance(value, bool):
        x = _as_float(value)
        if (
            math.isfinite(x)
            and (above is None or x > above)
            and (least is None or x >= least)
            and (below is None or x < below)
            and (most is None or x <= most)
        ):
            return x
    if above is not None and below is not None:
        allowed = f"numbers between {above:g} and {below:g}"
    else:
        allowed = f"finite numbers{_open(above, below)}{_bounds(least, most)}"
    raise RebatchError(f"{name} = {shown(value)}; allowed are {allowed}")


def rational(name: str, value: Any) -> Fraction:
    """Return a rational number: an integer, a fraction, a finite number as it is written, or text such as "1/2".

    Raises
    ------
    RebatchError
        If it is none, or has over 80 digits.

    Examples
    --------
    >>> rational("batch", "1/2"), rational("batch", 0.1)
    (Fraction(1, 2), Fraction(1, 10))
    """
    text = value.strip() if isinstance(value, str) else str(value)
    if isinstance(value, str | Real) and not isinstance(value, bool) and len(text) <= _LONGEST:
        try:
            known = Fraction(text)
        except (ValueError, ZeroDivisionError):
            pass
        else:
            if abs(known) <= MOST and known.denominator <= MOST:
                return known
    raise RebatchError(f"{name} = {shown(value)}; allowed are rational numbers, such as 1/2")


def flag(name: str, value: Any) -> bool:
    """Return a truth value; a text such as "false" is none, and neither is 0.

    Raises
    ------
    RebatchError
        If it is neither True nor False.
    """
    if isinstance(value, bool) or (_is_numpy(value) and value.dtype == bool and value.ndim == 0):
        return bool(value)
    raise RebatchError(f"{name} = {shown(value)}; allowed are True and False")


def one_of(name: str, value: Any, allowed: Iterable[T]) -> T:
    """Return a value of a closed list of texts.

    Raises
    ------
    RebatchError
        If it is not in it.

    Examples
    --------
    >>> one_of("loss", "hinge", ("squared", "correlation"))
    Traceback (most recent call last):
    ...
    rebatch.symbolic.errors.RebatchError: loss = 'hinge'; allowed are squared, correlation
    """
    known = list(allowed)
    if not isinstance(value, str) or value not in known:
        raise RebatchError(f"{name} = {shown(value)}; allowed are {', '.join(map(str, known))}")
    return value


def array(name: str, value: Any, allowed: str) -> NDArray[np.float64]:
    """Return finite real numbers in an array of any shape; `allowed` says what else the caller asks of them.

    Raises
    ------
    RebatchError
        If they are masked, texts, truth values, complex or not finite.
    """
    import numpy as np  # noqa: PLC0415 - exact answers do without

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
    """Return finite real numbers in rows of tuples, of the shape that is asked for.

    Raises
    ------
    RebatchError
        If they are none, or of another shape.
    """
    given = array(name, value, f"finite numbers of shape {shape}")
    if given.shape != shape:
        raise RebatchError(f"{name} has shape {given.shape}; allowed are finite numbers of shape {shape}")
    return tuple(tuple(float(x) for x in row) for row in given)


def seed(value: Any, name: str = "seed") -> int:
    """Return a seed: an integer that is not negative, of any size.

    Raises
    ------
    RebatchError
        If it is not.
    """
    return integer(name, value, least=0, most=None)


def sequence(name: str, value: Any, allowed: str) -> list[Any]:
    """Return the members of a sequence, which a text is not; `allowed` says of what.

    Raises
    ------
    RebatchError
        If it is none, or empty.
    """
    if (
        isinstance(value, str | bytes | dict)
        or not isinstance(value, Iterable)
        or not (members := list(value))
    ):
        raise RebatchError(f"{name} = {shown(value)}; allowed are {allowed}")
    return members


def called(name: str, value: Callable[..., T]) -> Callable[..., T]:
    """Return a function that is to be called.

    Raises
    ------
    RebatchError
        If it is none.
    """
    if not callable(value):
        raise RebatchError(f"{name} = {shown(value)}; allowed are functions")
    return value


def shown(value: Any) -> str:
    """Return a value as an error message shows it: short, on one line, whatever it is.

    Examples
    --------
    >>> shown("z1"), len(shown("z" * 10_000)), shown(10**5000)
    ("'z1'", 80, 'an integer of 16610 bits')
    """
    if isinstance(value, int) and value.bit_length() > 4 * _LONGEST:
        return f"an integer of {value.bit_length()} bits"
    if _is_numpy(value) and value.size > _FEW:
        return f"an array of {value.dtype} of shape {value.shape}"
    try:
        text = " ".join((str if isinstance(value, Real) else repr)(value).split())
    except Exception:
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _is_numpy(value: Any) -> bool:
    """Whether a value is an array or a number of NumPy's, which is not loaded for that."""
    return type(value).__module__.partition(".")[0] == "numpy" and hasattr(value, "dtype")


def _as_float(value: Real) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _bounds(least: float | None, most: float | None) -> str:
    if least is not None and most is not None:
        return f" from {least:,} to {most:,}"
    if least is not None:
        return f" >= {least:,}"
    return "" if most is None else f" <= {most:,}"


def _open(above: float | None, below: float | None) -> str:
    if above is not None:
        return f" > {above:g}"
    return "" if below is None else f" < {below:g}"
