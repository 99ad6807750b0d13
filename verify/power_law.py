"""Whether a measured quantity grows like the power of d that theory says.

log v_i = log C + s log d_i is fitted by least squares weighted with the errors of the log v_i. The slope is linear in
them, s = sum_i L_i log v_i with L_i = w_i (x_i - x) / sum_j w_j (x_j - x)^2, x = log d, so its standard error is
(sum_i L_i^2 e_i^2)^{1/2}. A law holds as d -> infinity: at finite d it comes with a factor 1 + kappa delta(d), whose
kappa is not known. What such a factor does to the slope on this very grid, max over |kappa| <= KAPPA of
|sum_i L_i log(1 + kappa delta_i)|, is the allowance for finite size: it is no statistics, and stated apart.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm

from ..symbolic import checks
from ..symbolic.errors import RebatchError

Array = NDArray[np.float64]
Outcome = Literal["consistent", "inconsistent", "undecided"]

# The largest coefficient of the leading finite-size term: the way from the start to a threshold of 1/2, in units of
# 1/sqrt(d), shortens by 1/threshold = 2 of them where it is no longer infinite.
KAPPA = 2.0
# Exponents of theory are integers apart: a slope known to no better than this tells none of them from its neighbour.
_TELLING = 0.5
_RESAMPLES = 2000


@dataclass(frozen=True)
class PowerLaw:
    """A measured exponent beside that of theory.

    Attributes
    ----------
    expected : float
        The exponent of theory.
    slope, error : float
        The fitted exponent and its standard error.
    constant : float
        C of C d^expected, by the same weights.
    allowance : float
        What finite d may add to the slope on these dimensions, either way.
    false_alarm : float
        Chance that a true law is called inconsistent.
    """

    expected: float
    slope: float
    error: float
    constant: float
    allowance: float
    false_alarm: float

    @property
    def interval(self) -> tuple[float, float]:
        """The confidence interval of the slope, of level 1 - false_alarm, without the allowance."""
        half = float(norm.ppf(1 - self.false_alarm / 2)) * self.error
        return self.slope - half, self.slope + half

    @property
    def outcome(self) -> Outcome:
        """Whether the interval, widened by the allowance, holds the exponent of theory.

        ============= ============================ ======================
        holds it      half width below 1/2         outcome
        ============= ============================ ======================
        no            -                            inconsistent
        yes           yes                          consistent
        yes           no                           undecided
        ============= ============================ ======================
        """
        low, high = self.interval
        if not low - self.allowance <= self.expected <= high + self.allowance:
            return "inconsistent"
        return "consistent" if (high - low) / 2 + self.allowance < _TELLING else "undecided"

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {
            "expected": self.expected,
            "slope": self.slope,
            "error": self.error,
            "interval": list(self.interval),
            "finite_size_allowance": self.allowance,
            "false_alarm": self.false_alarm,
            "constant": self.constant,
            "outcome": self.outcome,
        }

    def __str__(self) -> str:
        low, high = self.interval
        return (
            f"slope {self.slope:.2f}, {100 * (1 - self.false_alarm):g}% interval {low:.2f} to {high:.2f}, "
            f"finite-size allowance ±{self.allowance:.2f}; theory {self.expected:g}: {self.outcome}"
        )


def power_law(
    d: ArrayLike,
    values: ArrayLike,
    log_errors: ArrayLike,
    expected: float,
    *,
    delta: ArrayLike | None = None,
    false_alarm: float = 1e-3,
) -> PowerLaw:
    """Fit a power of d and hold it against the expected one.

    Parameters
    ----------
    d : array_like, shape (sizes,)
        At least 3 different ones.
    values : array_like, shape (sizes,)
        Positive.
    log_errors : array_like, shape (sizes,)
        Standard errors of the logarithms of the values, positive.
    expected : float
    delta : array_like, shape (sizes,), optional
        Leading finite-size term up to its coefficient; by default 1/sqrt(d).
    false_alarm : float
        Between 0 and 1.

    Raises
    ------
    RebatchError
        If an argument is not allowed.
    """
    size, value, error = (np.asarray(a, dtype=np.float64) for a in (d, values, log_errors))
    if size.ndim != 1 or not size.shape == value.shape == error.shape or len(np.unique(size)) < 3:
        raise RebatchError(
            f"d = {size.tolist()} with {value.size} values; allowed are at least 3 different d, a value each"
        )
    if not (
        np.isfinite(value).all() and np.isfinite(error).all() and (value > 0).all() and (error > 0).all()
    ):
        raise RebatchError("values and errors of a power law are finite and positive")
    false_alarm = checks.number("false_alarm", false_alarm, above=0, below=1)
    x, y, w = np.log(size), np.log(value), error**-2.0
    centred = x - w @ x / w.sum()
    L = w * centred / (w @ centred**2)
    shift = 1 / np.sqrt(size) if delta is None else np.asarray(delta, dtype=np.float64)
    allowance = max(abs(float(L @ np.log1p(kappa * shift))) for kappa in (-KAPPA, KAPPA))
    return PowerLaw(
        float(expected),
        float(L @ y),
        float(np.sqrt(L**2 @ error**2)),
        float(np.exp(w @ (y - expected * x) / w.sum())),
        allowance,
        false_alarm,
    )


def distinct_sizes(dimensions: Sequence[int]) -> list[int]:
    """Return the dimensions of a study, sorted, each once.

    Raises
    ------
    RebatchError
        If they are fewer than 3, or not integers.
    """
    given = checks.sequence("dimensions", dimensions, "at least 3 different integers")
    sizes = sorted({checks.integer("a dimension", d, least=1) for d in given})
    if len(sizes) < 3:
        raise RebatchError(f"dimensions = {list(dimensions)}; allowed are at least 3 different integers")
    return sizes


def sample_quantile(times: Array, quantile: float = 0.5) -> float:
    """Return a quantile of right-censored values (infinite where censored); infinite if it is among them.

    Of the two values beside it the upper one, so that no average is taken with a censored one.
    """
    return float(np.sort(times)[_index(len(times), quantile)])


def _index(count: int, quantile: float) -> int:
    return int(quantile * count)


def bootstrap_log_error(times: Array, cap: float, seed: int, quantile: float = 0.5) -> float:
    """Return the standard error of the log of a quantile, from 2000 bootstrap samples.

    A resampled quantile that is censored counts as `cap`, the time at which watching ended.
    """
    rng = np.random.default_rng(seed)
    ordered = np.sort(times)
    # The order statistic of a resample is the order statistic of the indices drawn.
    drawn = np.sort(rng.integers(len(ordered), size=(_RESAMPLES, len(ordered))), axis=1)
    found = ordered[drawn[:, _index(len(ordered), quantile)]]
    found[np.isinf(found)] = cap
    return float(np.log(found).std(ddof=1))
