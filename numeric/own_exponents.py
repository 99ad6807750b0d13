"""Exponents of a function of one's own, by numbers: which Hermite coefficients are seen not to be zero.

c_S = E[g He_S] / sqrt(S!) and E[F(y) z_i] for a few F are averages over scrambled Sobol points; independent scrambles
give their errors. A coefficient counts where Student's t over the scrambles says that it is not zero, at a rate of
false alarm of 1e-6 for all together. What does not count may be zero, or smaller than its error: an exponent read off
is at most what stands there, and nothing is said to be hidden (theory, 2 and 3).
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations_with_replacement
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..symbolic import checks
from ..symbolic.exact.known import How
from ..symbolic.exact.shown import Tabulated
from ..symbolic.language.target import Target
from .inputs import target_at

Array = NDArray[np.float64]
Index = tuple[int, ...]

_SCRAMBLES = 16
_BITS = 14
_FALSE_ALARM = 1e-6
# Against the size of g: rounding of 2^14 terms.
_ROUNDING = 1e-11
_MOST_ORDER = 8
# What is asked of the label besides its powers: bounded, so that no tail decides.
_TRANSFORMS: dict[str, Callable[[Array], Array]] = {
    "y": lambda y: y,
    "y^2": lambda y: y**2,
    "y^3": lambda y: y**3,
    "tanh(y)": np.tanh,
    "cos(y)": np.cos,
    "sin(2 y)": lambda y: np.sin(2 * y),
}


@dataclass(frozen=True)
class Seen:
    """A number with its error, and whether it is shown not to be zero."""

    value: float
    error: float
    nonzero: bool


@dataclass(frozen=True)
class NumericExponents(Tabulated):
    """What numbers say of a target's exponents.

    Attributes
    ----------
    target : Target
    max_order : int
    coefficients : dict from multi-index to Seen
        E[g He_S] / sqrt(S!), for 1 <= |S| <= max_order.
    signals : dict from (name of F, i) to Seen
        E[F(y) z_i], what two steps on one batch can feel of coordinate i.
    how : How
    """

    target: Target
    max_order: int
    coefficients: dict[Index, Seen]
    signals: dict[tuple[str, int], Seen]
    how: How = How.NUMERIC

    @property
    def information_exponent(self) -> int | None:
        """The least order of a coefficient that is seen, an upper bound; None where none is."""
        return min((sum(S) for S, c in self.coefficients.items() if c.nonzero), default=None)

    @property
    def leap(self) -> int | None:
        """The largest number of new degrees that the seen coefficients make necessary (theory, 3.2).

        None where none is seen; an upper bound for the coordinates that they reach, :attr:`reached`.
        """
        found, largest = set[int](), None
        seen = [S for S, c in self.coefficients.items() if c.nonzero]
        while new := [S for S in seen if any(n and i not in found for i, n in enumerate(S))]:
            least = min(new, key=lambda S: sum(n for i, n in enumerate(S) if i not in found))
            needed = sum(n for i, n in enumerate(least) if i not in found)
            largest = max(largest or 0, needed)
            found |= {i for i, n in enumerate(least) if n}
        return largest

    @property
    def reached(self) -> tuple[int, ...]:
        """The coordinates, from 1, that stand in a coefficient that is seen."""
        seen = [S for S, c in self.coefficients.items() if c.nonzero]
        return tuple(i + 1 for i in range(self.target.k) if any(S[i] for S in seen))

    @property
    def two_steps(self) -> tuple[int, ...]:
        """The coordinates, from 1, that two steps on one batch can feel: E[F(y) z_i] is seen for some F (3.4)."""
        return tuple(sorted({i for (_, i), c in self.signals.items() if c.nonzero}))

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each coefficient that is seen, and for each signal."""
        rows = [
            {
                "of": " ".join(f"He_{n}(z{i + 1})" for i, n in enumerate(S) if n),
                "value": c.value,
                "error": c.error,
            }
            for S, c in self.coefficients.items()
            if c.nonzero
        ]
        rows += [
            {"of": f"E[{F} z{i}]", "value": c.value, "error": c.error}
            for (F, i), c in self.signals.items()
            if c.nonzero
        ]
        return rows

    def __str__(self) -> str:
        exponent, leap = self.information_exponent, self.leap
        felt = ", ".join(f"z{i}" for i in self.two_steps) or "none"
        reached = ", ".join(f"z{i}" for i in self.reached)
        unseen = f"none seen up to {self.max_order}"
        return "\n".join([
            f"{self.target}, by numbers ({_SCRAMBLES} x 2^{_BITS} points); what is not seen is not shown to be zero",
            f"information exponent: {f'at most {exponent}' if exponent else unseen} ({self.how})",
            f"leap: {f'at most {leap} for {reached}' if leap else unseen} ({self.how})",
            f"two steps on one batch can feel: {felt} ({self.how})",
        ])  # fmt: skip


def numeric_exponents(target: Target | str, *, max_order: int = 4, seed: int = 0) -> NumericExponents:
    """Return upper bounds on exponents by numbers, for targets that no formula is known of.

    Parameters
    ----------
    target : Target or str
        Of Gaussian inputs; its label noise is left out.
    max_order : int
        The highest order of Hermite coefficients, at most 8.
    seed : int
        Of the scrambles.

    Raises
    ------
    RebatchError
        If the inputs are not Gaussian, or the target is not finite somewhere.

    Examples
    --------
    >>> numeric_exponents(Target.from_callable(lambda z: z[:, 0] ** 3 - 3 * z[:, 0], 1)).information_exponent
    3
    """
    target = Target(target)
    target.require_gaussian("exponents by numbers")
    order = checks.integer("max_order", max_order, least=1, most=_MOST_ORDER)
    seed = checks.integer("seed", seed, least=0)
    indices = [
        tuple(S.count(i) for i in range(target.k))
        for n in range(1, order + 1)
        for S in combinations_with_replacement(range(target.k), n)
    ]
    names = [(F, i + 1) for F in _TRANSFORMS for i in range(target.k)]
    children = np.random.SeedSequence(seed).spawn(_SCRAMBLES)
    averages = np.array([_averages(target, indices, order, child) for child in children])
    seen = _judged(averages)
    return NumericExponents(
        target,
        order,
        dict(zip(indices, seen, strict=False)),
        dict(zip(names, seen[len(indices) :], strict=True)),
    )


def _averages(target: Target, indices: list[Index], order: int, seed: np.random.SeedSequence) -> Array:
    """Return all averages over one scramble of the points, those of g / |g| He_S first."""
    from scipy.stats import qmc  # noqa: PLC0415 - half a second that other questions do without

    points = qmc.Sobol(target.k, rng=np.random.default_rng(seed)).random_base2(_BITS)
    z = special.ndtri(points + 2.0**-31)
    y = target_at(target, z)
    hermite = np.ones((order + 1, *z.shape))
    for n in range(1, order + 1):
        before = hermite[n - 2] if n > 1 else 0.0
        hermite[n] = z * hermite[n - 1] - (n - 1) * before
    found = [
        float(np.mean(y * prod(hermite[n][:, i] for i, n in enumerate(S))))
        / prod(factorial(n) for n in S) ** 0.5
        for S in indices
    ]
    for F in _TRANSFORMS.values():
        found += list((F(y) @ z) / len(z))
    return np.array(found)


def _judged(averages: Array) -> list[Seen]:
    """Return every mean over the scrambles, with its standard error and the verdict of Student's t."""
    count, tests = averages.shape
    value, error = averages.mean(axis=0), averages.std(axis=0, ddof=1) / np.sqrt(count)
    threshold = special.stdtrit(count - 1, 1 - _FALSE_ALARM / (2 * tests))
    nonzero = np.abs(value) > threshold * error + _ROUNDING * np.abs(averages).max()
    return [Seen(float(v), float(e), bool(n)) for v, e, n in zip(value, error, nonzero, strict=True)]
