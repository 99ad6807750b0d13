"""Functions of the user's own in the place of a formula: what the engines call, and nothing more.

They are vectorised NumPy, or compiled functions of numbers: numba's ``cfunc``, or those of ctypes with their types.

Nothing exact is known of such a function. It is known by its name and by what it gives at fixed points, so that a
file, or a key of a sweep, tells two functions apart although it can hold neither.
"""

from __future__ import annotations

import ctypes
import hashlib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from .. import checks
from ..errors import RebatchError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# How the name of such a function begins: no text of a formula does.
CALLED = "callable "
# The name of labels that no function gives: the user's own data.
LABELS_OF_DATA = f"{CALLED}labels of the data"
# Points at which a function is tried.
_POINTS = 256
# sigma' may differ from the slope of sigma by this part, at most of the points: kinks and jumps are few.
_SLOPE_ERROR = 1e-3
_STEP = 1e-5

# Every function that was made here, by its name: a setting that is read from a file finds it again.
_MADE: dict[str, tuple[Callable[..., Any], ...]] = {}


@dataclass(frozen=True)
class Called:
    """Functions that are called by name: g, or sigma and its derivative.

    It pickles where its functions do: those defined at the top of a module do, lambdas do on Dask only. A file holds
    the name alone; the functions are found again where they were made in the same process.
    """

    name: str
    functions: tuple[Callable[..., Any], ...] = field(default=(), compare=False, repr=False)

    @classmethod
    def of_target(cls, g: Callable[..., Any], k: int) -> Called:
        """Return g of rows of k coordinates, after trying it.

        Raises
        ------
        RebatchError
            If it does not give one finite real number for each row, by itself.
        """
        import numpy as np  # noqa: PLC0415 - exact questions do without

        g = _of_arrays("g", g, k)
        z = np.random.default_rng(0).standard_normal((_POINTS, k))
        return cls._made("g", (g,), _tried("g", g, z))

    @classmethod
    def of_activation(cls, sigma: Callable[..., Any], derivative: Callable[..., Any]) -> Called:
        """Return sigma and sigma' of one variable, after trying them.

        Raises
        ------
        RebatchError
            If one does not give a finite real number for each h, by itself, or the second is not the first's slope.
        """
        import numpy as np  # noqa: PLC0415 - exact questions do without

        sigma, derivative = _of_arrays("sigma", sigma, 1), _of_arrays("derivative", derivative, 1)
        h = np.append(2 * np.random.default_rng(0).standard_normal(_POINTS - 1), 0.0)
        value, slope = _tried("sigma", sigma, h), _tried("derivative", derivative, h)
        measured = (_tried("sigma", sigma, h + _STEP) - _tried("sigma", sigma, h - _STEP)) / (2 * _STEP)
        far = np.abs(measured - slope) > _SLOPE_ERROR * (1 + np.abs(slope))
        if far.mean() > 1 / 2:
            at = int(np.argmax(far))
            raise RebatchError(
                f"derivative({h[at]:.4g}) = {slope[at]:.4g}, but sigma has slope {measured[at]:.4g} there; "
                "allowed is sigma'"
            )
        return cls._made("sigma", (sigma, derivative), np.concatenate([value, slope]))

    @classmethod
    def _made(
        cls, what: str, functions: tuple[Callable[..., Any], ...], values: NDArray[np.float64]
    ) -> Called:
        """Return the functions under their name, and keep them for settings that are read."""
        first = inspect.unwrap(functions[0])
        inside, name = getattr(first, "__module__", None), getattr(first, "__qualname__", what)
        # To nine digits: libraries differ in the last ones.
        shown = hashlib.sha256(",".join(f"{x:.9g}" for x in values).encode()).hexdigest()[:12]
        made = cls(f"{CALLED}{inside}.{name} #{shown}" if inside else f"{CALLED}{name} #{shown}", functions)
        made.keep()
        return made

    def keep(self) -> None:
        """Let settings that are read in this process find the functions."""
        if self.functions:
            _MADE[self.name] = self.functions

    def __call__(self, x: NDArray[np.float64], which: int = 0) -> NDArray[np.float64]:
        """Return a function at x, shape (n, k) or (n,), as an array of shape (n,).

        Raises
        ------
        RebatchError
            If it is not at hand, or gives something else.
        """
        functions = self.functions or _MADE.get(self.name, ())
        if self.name == LABELS_OF_DATA:
            raise RebatchError("labels are given by data alone; allowed is engine 'dense' with X and y")
        if not functions:
            raise RebatchError(
                f"{self.name} is not at hand: a file holds its name only; "
                "allowed after from_callable of that function"
            )
        return _values(self.name, functions[which], x)

    def __str__(self) -> str:
        return self.name


class _OfNumbers:
    """A compiled function of k numbers as one of arrays; it has no copy in another process."""

    def __init__(self, function: Any, pointer: Callable[..., float]) -> None:
        self.__wrapped__, self._pointer = function, pointer

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        import numpy as np  # noqa: PLC0415 - exact questions do without

        columns = x.reshape(len(x), -1).T.tolist()
        return np.fromiter(map(self._pointer, *columns), np.float64, len(x))


def _of_arrays(what: str, function: Any, k: int) -> Any:
    """Return a compiled function of k numbers as one of arrays, and anything else as it is.

    Raises
    ------
    RebatchError
        If it does not say that it takes k doubles and gives one: to call it could end the process.
    """
    pointer = getattr(function, "ctypes", function)
    if not isinstance(pointer, ctypes._CFuncPtr):  # type: ignore[attr-defined] # documented all the same
        return function
    if tuple(pointer.argtypes or ()) != (ctypes.c_double,) * k or pointer.restype is not ctypes.c_double:
        names = ", ".join(getattr(kind, "__name__", "?") for kind in pointer.argtypes or ())
        given = getattr(pointer.restype, "__name__", pointer.restype)
        raise RebatchError(
            f"{what} is a compiled function of ({names}) that gives {given}; allowed are {k} c_double, giving one"
        )
    return _OfNumbers(function, pointer)


def named(text: str) -> Called | None:
    """Return the functions that a text names, None where it is another text."""
    return Called(text.strip()) if text.strip().startswith(CALLED) else None


def no_formula(what: str, called: Called) -> RebatchError:
    """Return the error of a question about a formula."""
    return RebatchError(
        f"{what} is {called.name}, of which nothing exact is known; allowed are formulas here, and it in "
        "simulate, sweep and numeric_exponents"
    )


def _values(what: str, function: Callable[..., Any], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return function(x) after checking its kind."""
    import numpy as np  # noqa: PLC0415 - exact questions do without

    y = function(x)
    if not isinstance(y, np.ndarray) or y.shape != x.shape[:1]:
        given = f"an array of shape {y.shape}" if isinstance(y, np.ndarray) else checks.shown(y)
        raise RebatchError(
            f"{what} of an array of shape {x.shape} gives {given}; allowed are arrays of shape {x.shape[:1]}"
        )
    if y.dtype.kind not in "fiub":
        raise RebatchError(f"{what} gives numbers of type {y.dtype}; allowed are real ones")
    return np.asarray(y, dtype=np.float64)


def _tried(what: str, function: Callable[..., Any], x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values at x, after seeing that they are finite, and the same of half the points."""
    import numpy as np  # noqa: PLC0415 - exact questions do without

    if not callable(function):
        raise RebatchError(
            f"{what} = {checks.shown(function)}; allowed are functions of a NumPy array, and "
            "compiled ones of numbers: numba's cfunc, ctypes with types"
        )
    given = x.copy()
    try:
        with np.errstate(all="ignore"):
            y, part = _values(what, function, given), _values(what, function, x[::2].copy())
    except RebatchError:
        raise
    except Exception as error:
        raise RebatchError(
            f"{what} of an array of shape {x.shape} fails: {type(error).__name__}: {error}; "
            "allowed are vectorised functions"
        ) from error
    if not np.array_equal(given, x):
        raise RebatchError(f"{what} changes the array that it is given; allowed are functions that leave it")
    if not np.isfinite(y).all():
        at = int(np.argmin(np.isfinite(y)))
        raise RebatchError(f"{what}({x[at].tolist()}) = {y[at]}; allowed are finite numbers")
    if not np.allclose(y[::2], part, rtol=1e-9, atol=1e-12):
        raise RebatchError(
            f"{what} of a point depends on the other points, or on chance; allowed is a value of each for itself"
        )
    return y
