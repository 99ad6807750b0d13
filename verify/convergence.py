"""How gradient descent at dimension d comes close to its limit (theory, 5.3: Finite-size law).

For one run sqrt(d) (M_run - M) is O(1), and the expectation over runs deviates from the limit by O(1/d). Lazy runs at
several d are held against the limit in one number, the last overlaps along those of the limit,
m_d = <M_d, M> / |M|; both laws are fitted as powers of d.

The deviation is far smaller than the spread: of the order of d runs would be needed to see it. But m_d is nearly
linear in averages over the batch whose means are known exactly at every d. What of it they predict linearly is taken
off (control variates):

- the training loss at the start, and M^1 = (1 - eta lam) M^0 + (eta/d) sum_v g_v z_v, with the means of the limit;
- the averages of the normals that the run has drawn, latent coordinates of another law as they are standardised
  among them, and of their products in pairs; its other numbers.

Where m_d to first order in 1/sqrt(d) is a combination of them, as for a linear target and activation, the rest is of
order 1/d, as the deviation itself, and a few hundred runs show it at any d.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import curve_fit

from ..numeric.engines.descent import silent_stops
from ..numeric.machine.draws import seeds
from ..numeric.machine.progress import tracked
from ..numeric.machine.side_by_side import side_by_side
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..numeric.trajectory import Trajectory
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Tabulated

Array = NDArray[np.float64]
Job = tuple[int, int]

# No exponent beyond this is fitted: where the values are all noise, anything would do.
_STEEPEST = 5.0
# Fewer runs per control variate would fit their noise.
_RUNS_PER_CONTROL = 20
# By default; and as many dimensions in all at each.
_FEWEST, _MOST, _DIMENSIONS_IN_ALL = 300, 1000, 40_000_000
_CONSTANT = 1e-12


@dataclass(frozen=True, eq=False)
class Slope:
    """A fitted exponent s in c d^s, with its standard error."""

    value: float
    error: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ± {self.error:.3f}"


@dataclass(frozen=True, eq=False)
class Convergence(Tabulated, Drawn):
    """What was measured at every dimension.

    Attributes
    ----------
    setting : Setting
    d, runs : ndarray of int, shape (sizes,)
    limit, limit_error : float
        m in the limit.
    deviation, deviation_error : ndarray, shape (sizes,)
        Mean of m_d over runs, control variates taken off, minus the limit; its standard error.
    controls : ndarray of int, shape (sizes,)
        How many control variates were taken off: those of the first step, and those of the draws, where there are 20
        runs for each.
    spread : ndarray, shape (sizes,)
        Standard deviation of m_d over runs.
    deviation_slope, spread_slope : Slope
        By weighted least squares; theory says -1 and -1/2. The errors are those of the runs alone: terms of higher
        order, which show at the smallest d, are not in them. NaN where the values determine none.
    """

    setting: Setting
    d: NDArray[np.int64]
    runs: NDArray[np.int64]
    limit: float
    limit_error: float
    deviation: Array
    deviation_error: Array
    controls: NDArray[np.int64]
    spread: Array
    deviation_slope: Slope
    spread_slope: Slope

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each dimension."""
        names = ("d", "runs", "deviation", "deviation_error", "controls", "spread")
        columns = [getattr(self, name).tolist() for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        arrays = ("d", "runs", "deviation", "deviation_error", "controls", "spread")
        return {
            "setting": self.setting.to_dict(),
            "limit": self.limit,
            "limit_error": self.limit_error,
            **{name: getattr(self, name).tolist() for name in arrays},
            "deviation_slope": [self.deviation_slope.value, self.deviation_slope.error],
            "spread_slope": [self.spread_slope.value, self.spread_slope.error],
        }


def convergence(
    setting: Setting,
    dimensions: Sequence[int],
    runs: Sequence[int] | None = None,
    *,
    seed: int = 0,
    progress: Callable[[list[Job]], Iterable[Job]] = tracked,
) -> Convergence:
    """Hold lazy runs at several dimensions against the limit.

    Parameters
    ----------
    setting : Setting
    dimensions : sequence of int
        At least 3 different ones. Where alpha d is no integer, the deviation holds the rounding of n too.
    runs : sequence of int, optional
        Runs at each dimension, at least 3. By default 20 for each control variate, or 300 where that is more than
        1000; up to 1000 where runs are short. The deviation is seen where it is larger than the spread that the
        control variates leave over sqrt(runs): where they leave the most part, at small d.
    seed : int
        Of the limit; those of the runs follow from it.
    progress : callable, optional
        Passes on the list of jobs (d, run) one by one; by default behind a bar.

    Raises
    ------
    RebatchError
        If there are too few dimensions or runs, or the limit has no overlap.

    References
    ----------
    theory, 5.3 (Finite-size law).
    """
    if runs is None and dimensions:
        runs = _enough_runs(setting, dimensions, seed)
    if runs is None or len(set(dimensions)) < 3 or len(runs) != len(dimensions) or min(runs) < 3:
        raise RebatchError(
            f"d = {list(dimensions)} with {list(runs or [])} runs; allowed are at least 3 dimensions, 3 runs at each"
        )
    own = seeds(seed, sum(runs))
    limit, size, error = _limit_with_overlap(setting, seed)
    M = limit.M.values[-1]
    values: dict[int, list[float]] = {d: [] for d in dimensions}
    first: dict[int, list[Array]] = {d: [] for d in dimensions}
    drawn: dict[int, list[Array]] = {d: [] for d in dimensions}
    controlled, expected = _controlled(setting), {d: _expected_first_step(limit, d) for d in dimensions}
    jobs = [(d, run) for d, count in zip(dimensions, runs, strict=True) for run in range(count)]

    def measured(job: tuple[Job, int], threads: int | None) -> tuple[float, Array, Array]:
        (d, _), run_seed = job
        run = simulate(setting, d=d, seed=run_seed, threads=threads, draws=True, overlaps_only=True)
        run.require_all_steps()
        step = _first_step(run) - expected[d] if controlled else np.zeros(0)
        own_draws = _averages(run.data["normals"].values, run.data["numbers"].values)
        return float((run.M.values[-1] * M).sum() / size), step, own_draws

    runs_of = side_by_side(measured, zip(jobs, own, strict=True), None, lambda job: setting.alpha * job[0][0])
    with closing(runs_of) as answers:
        for (d, _), (value, step, averages) in zip(progress(jobs), answers, strict=True):
            values[d].append(value)
            first[d].append(step)
            drawn[d].append(averages)
    means = [
        controlled_mean(np.array(values[d]), np.array(first[d]), _together(drawn[d])) for d in dimensions
    ]
    mean, mean_error, controls = map(np.array, zip(*means, strict=True))
    spread = np.array([np.std(values[d], ddof=1) for d in dimensions])
    x, count = np.array(dimensions), np.array(runs)
    deviation, deviation_error = mean - size, np.hypot(mean_error, error)
    return Convergence(
        setting,
        x,
        count,
        size,
        error,
        deviation,
        deviation_error,
        controls,
        spread,
        _fit(x, deviation, deviation_error, -1.0),
        _fit(x, spread, spread / np.sqrt(2 * (count - 1)), -0.5),
    )


def _limit_with_overlap(setting: Setting, seed: int) -> tuple[Trajectory, float, float]:
    """Return the limit, |M| at its end, and the error of that.

    Raises
    ------
    RebatchError
        If |M| is no larger than ten of its errors.
    """
    with silent_stops():
        limit = simulate(setting, "limit", seed=seed)
        if limit.data.attrs["rule"] == "sobol" and not limit.stopped:
            limit = simulate(setting, "limit", seed=seed, points=2**17)
    limit.require_all_steps()
    size = float(np.linalg.norm(limit.M.values[-1]))
    error = float(np.linalg.norm(limit.data["M_error"].values[-1]))
    if size <= 10 * error:
        raise RebatchError(f"the limit has no overlap to speak of, |M| = {size:.2g} ± {error:.1g}")
    return limit, size, error


def _enough_runs(setting: Setting, dimensions: Sequence[int], seed: int) -> list[int]:
    """Return how many runs the control variates need at each dimension, or more where runs are short."""
    with silent_stops():
        run = simulate(setting, d=min(dimensions), seed=seed, draws=True, overlaps_only=True)
    run.require_all_steps()
    count = len(_averages(run.data["normals"].values, run.data["numbers"].values))
    if _controlled(setting):
        count += setting.neurons * setting.k + 1
    needed = _RUNS_PER_CONTROL * count
    least = max(_FEWEST, needed if needed <= _MOST else 0)
    return [min(_MOST, max(least, _DIMENSIONS_IN_ALL // d)) for d in dimensions]


def _controlled(setting: Setting) -> bool:
    """Whether the first step gives control variates: M^0 is no random number, and m_d is not that step itself."""
    return setting.start != "random" and not setting.normalize and setting.steps > 1


def _expected_first_step(limit: Trajectory, d: int) -> Array:
    """Return the means of the training loss at the start and of M^1, at a dimension whose n is alpha d or near it."""
    setting = limit.setting
    kept = (1 - setting.eta * setting.weight_decay) * limit.M.values[0]
    share = setting.batch(d) / (setting.alpha * d)
    return np.append(kept + share * (limit.M.values[1] - kept), limit.training_loss.values[0])


def _together(drawn: list[Array]) -> Array:
    """Return the controls of all runs; none where some runs have dropped a dependent signal and others have not."""
    return np.array(drawn) if len({len(one) for one in drawn}) == 1 else np.zeros((len(drawn), 0))


def _first_step(run: Trajectory) -> Array:
    """Return M^1, flat, and the training loss at the start."""
    return np.append(run.M.values[1].ravel(), run.training_loss.values[0])


def _averages(normals: Array, numbers: Array) -> Array:
    """Return what has mean 0 and a variance of order 1 at every d: averages of normals, of their products; numbers.

    Parameters
    ----------
    normals : ndarray, shape (draws, samples)
        Independent, of mean 0 and variance 1; of latent coordinates of another law nothing else is asked.
    numbers : ndarray, shape (numbers,)
    """
    draws, n = normals.shape
    products = (normals @ normals.T - n * np.eye(draws))[np.triu_indices(draws)]
    return np.concatenate([normals.sum(axis=1) / np.sqrt(n), products / np.sqrt(n), numbers])


def controlled_mean(values: Array, *controls: Array) -> tuple[float, float, int]:
    """Return the mean of values less what controls of mean 0 predict linearly, its standard error, and their number.

    Parameters
    ----------
    values : ndarray, shape (runs,)
    *controls : ndarray, shape (runs, controls)
        Used in turn as long as there are 20 runs for each that is used. The coefficients are those of these runs: a
        bias of order 1/runs of what they do not predict, against an error of order 1/sqrt(runs).
    """
    runs, used = len(values), np.zeros((len(values), 0))
    for more in controls:
        if runs < _RUNS_PER_CONTROL * (used.shape[1] + more.shape[1]):
            break
        used = np.hstack([used, more])
    size = used.std(axis=0)
    # What hardly varies controls nothing, and its mean is rounding.
    used = used[:, size > _CONSTANT] / size[size > _CONSTANT]
    # Some are combinations of others: those of the linear model's first step.
    slope, _, rank, _ = np.linalg.lstsq(used - used.mean(axis=0), values - values.mean(), rcond=1e-8)
    rest = values - used @ slope
    return float(rest.mean()), float(np.sqrt(rest.var() / (runs - 1 - rank))), used.shape[1]


def _fit(d: NDArray[np.int64], values: Array, errors: Array, expected: float) -> Slope:
    """Return s of c d^s by least squares weighted by the errors, started from the expected exponent."""
    if not (errors > 0).all():
        return Slope(np.nan, np.inf)
    # In units in which the tolerances of the search are small.
    values, errors, scale = values / errors.max(), errors / errors.max(), float(d[0])

    def law(x: Array, c: float, s: float) -> Array:
        return np.asarray(c * (x / scale) ** s)

    try:
        (_, s), covariance = curve_fit(
            law,
            d.astype(float),
            values,
            (values[0], expected),
            sigma=errors,
            absolute_sigma=True,
            bounds=((-np.inf, -_STEEPEST), (np.inf, _STEEPEST)),
        )
    except RuntimeError:
        return Slope(np.nan, np.inf)
    return Slope(float(s), float(np.sqrt(covariance[1, 1])))
