"""Predictions held against simulations: Student's t for each overlap, Hotelling's T^2 for all of them (theory, 5.3).

For one run at dimension d, sqrt(d) (M_run - M) is O(1) and close to normal: the spread over runs is the yardstick,
never a fixed tolerance. With m the mean of n runs, S their covariance, P the variance of the prediction itself,

    t_i = (m_i - M_i) / sqrt(S_ii / n + P_ii)                                  t with n - 1 degrees of freedom
    T^2 = (m - M)^T (S / n + P)^{-1} (m - M),   (n - r) / (r (n - 1)) T^2      F with r, n - r degrees of freedom

on the r-dimensional space in which the runs vary; what does not vary over runs must be met up to rounding. With fewer
than 2 r runs, T^2 has no power and is replaced by Bonferroni's bound over the t-tests, valid under any correlation.

Both are tests at fixed d. The expectation over runs itself deviates from the limit by O(1/d): the rates of false
alarm are nominal for a prediction at this d, and for a limit only where that deviation is far below the standard
error, which falls like 1/sqrt(d n). A `bias` given by the user is allowed for.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.optimize import lsq_linear

from ..numeric.setting import Setting
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Sheet, Tabulated

Array = NDArray[np.float64]

# Above this share of one run in the sum of squared deviations, the standard error rests on that run …
_DOMINANT_SHARE = 0.5
# … and above the share that one of n normal runs has with this probability, where n is small.
_OUTLIER_LEVEL = 1e-3
# Below this, relative to the overlaps, a difference or a spread is rounding.
_ROUNDING = 1e-12
# An eigenvalue of the correlation matrix this small is a linear relation among the entries.
_DEPENDENT = 1e-10
# How many of its own errors a prediction may be off where the runs do not vary at all: once in 10^9.
_SURE = 6.0


@dataclass(frozen=True, eq=False)
class Joint:
    """One test of all overlaps together.

    Attributes
    ----------
    method : str
        "Hotelling's T^2", "Bonferroni over t" or "no spread".
    statistic : float
        T^2; for Bonferroni the largest |t|.
    p_value : float
        Probability of so large a statistic if the prediction holds; for Bonferroni a bound on it.
    rank : int
        Number of independent entries.
    left_out : int
        Entries that heavy tails leave out.
    """

    method: str
    statistic: float
    p_value: float
    rank: int
    left_out: int

    def __str__(self) -> str:
        text = (
            f"{self.method} = {self.statistic:.4g}, {self.rank} independent entries, p = {self.p_value:.3g}"
            if self.rank or self.statistic
            else "nothing to test, no entry has a spread"
        )
        entries = "entry" if self.left_out == 1 else "entries"
        return text + (f"; {self.left_out} {entries} left out: heavy tails" if self.left_out else "")


@dataclass(frozen=True, eq=False)
class Agreement(Tabulated, Drawn):
    """A prediction beside the mean over runs.

    Attributes
    ----------
    predicted, predicted_error, mean, standard_error : ndarray, shape (steps, p, k)
        The prediction with its own standard error, the mean over runs with that of the runs.
    runs : int
    trusted : ndarray of bool, shape (steps, p, k)
        False where one run carries most of the spread: the law is heavy-tailed and no score is given.
    step : ndarray of int, shape (steps,)
        The steps compared.
    joint : Joint
        All entries in one test.
    bias : float
        The deviation of the expectation from the prediction that was allowed for.
    setting : Setting or None
    d : int or None
        What was run.
    """

    predicted: Array
    predicted_error: Array
    mean: Array
    standard_error: Array
    runs: int
    trusted: NDArray[np.bool_]
    step: NDArray[np.int64]
    joint: Joint
    bias: float = 0.0
    setting: Setting | None = None
    d: int | None = None

    @property
    def z(self) -> Array:
        """(mean - predicted) / standard error, shape (steps, p, k), the prediction's error included.

        A Student t with runs - 1 degrees of freedom; what `bias` allows is taken off the difference. 0 where both
        agree exactly, NaN where it cannot be trusted.
        """
        difference = _beyond(self.mean - self.predicted, self.bias)
        error = np.hypot(self.standard_error, self.predicted_error)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(difference == 0, 0.0, difference / error)
        return np.where(self.trusted, z, np.nan)

    @property
    def p_values(self) -> Array:
        """Two-sided p-values by Student's t, shape (steps, p, k); NaN where they cannot be trusted."""
        return np.asarray(2 * stats.t.sf(np.abs(self.z), self.runs - 1))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; scores that cannot be trusted are null."""
        arrays = ("predicted", "predicted_error", "mean", "standard_error")
        return {
            "runs": self.runs,
            "step": self.step.tolist(),
            **{name: getattr(self, name).tolist() for name in arrays},
            "z": _nulls(self.z),
            "p_values": _nulls(self.p_values),
            "bias": self.bias,
            "joint": {name: getattr(self.joint, name) for name in Joint.__dataclass_fields__},
        }

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row of text for every overlap after the start: what is predicted, measured, and the p-value."""
        z, p = self.z, self.p_values
        rows: list[tuple[str, ...]] = []
        for at, j, r in np.ndindex(*self.predicted.shape):
            if self.step[at] == 0:
                continue
            trust = "heavy tails" if np.isnan(z[at, j, r]) else f"{z[at, j, r]:+.2f}"
            chance = "" if np.isnan(z[at, j, r]) else f"{p[at, j, r]:.2g}"
            measured = f"{self.mean[at, j, r]:.5f} ± {self.standard_error[at, j, r]:.5f}"
            predicted = f"{self.predicted[at, j, r]:.5f}"
            rows.append((str(self.step[at]), str(j + 1), f"z{r + 1}", predicted, measured, trust, chance))
        return rows

    def __str__(self) -> str:
        lines = [
            f"step {s}, neuron {j}, {r}: predicted {m}, {self.runs} runs {x}, z = {z}{p and f', p = {p}'}"
            for s, j, r, m, x, z, p in self.rows()
        ]
        return "\n".join([*lines, f"together: {self.joint}"])

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every overlap, the start included; scores that cannot be trusted are NaN."""
        z, p = self.z, self.p_values
        return [
            {
                "step": int(self.step[at]),
                "neuron": j + 1,
                "direction": f"z{r + 1}",
                **{
                    name: float(getattr(self, name)[at, j, r])
                    for name in ("predicted", "predicted_error", "mean", "standard_error")
                },
                "z": float(z[at, j, r]),
                "p": float(p[at, j, r]),
            }
            for at, j, r in np.ndindex(*self.predicted.shape)
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the table of overlaps after the start, with the test of all together as its title."""
        head = ("step", "neuron", "direction", "predicted", f"mean of {self.runs} runs", "z", "p")
        return (Sheet(head, tuple(self.rows()), f"together: {self.joint}"),)


def agreement(
    prediction: ArrayLike | Trajectory,
    trajectories: Trajectory | Sequence[Trajectory],
    *,
    bias: float = 0.0,
) -> Agreement:
    """Hold predicted overlaps against runs that differ only in their seed.

    Parameters
    ----------
    prediction : Trajectory or array_like, shape (steps, p, k)
        M^0, M^1, …, as a formula's ``at(…)`` gives them, at most as many as were run; or the trajectory of an engine
        without randomness: the limit, whose error bars are added to those of the runs, or population flow. Replicas
        of an engine with randomness predict by their mean.
    trajectories : Trajectory or sequence of Trajectory
        At least 3 runs; every replica of a trajectory is a run. Steps that all of them and the prediction have are
        compared.
    bias : float
        How far the expectation over runs may be from the prediction in each overlap: c / d for a limit whose
        finite-size deviation is known to be at most c / d (``convergence`` measures it). The tests are then of the
        nearest prediction that is allowed.

    Returns
    -------
    Agreement

    Raises
    ------
    RebatchError
        If there are too few runs, they are of different experiments, or the shapes do not fit.

    References
    ----------
    theory, 5.3 (Finite-size law).

    Examples
    --------
    >>> from rebatch import Setting, simulate
    >>> setting = Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=1)
    >>> runs = [simulate(setting, d=1000, seed=seed) for seed in range(20)]
    >>> agreement([[[0.0]], [[1.0]]], runs).joint.p_value > 1e-3
    True
    """
    bias = checks.number("bias", bias, least=0)
    allowed = "a trajectory, or a sequence of them"
    given = (
        [trajectories]
        if isinstance(trajectories, Trajectory)
        else checks.sequence("trajectories", trajectories, allowed)
    )
    if not all(isinstance(run, Trajectory) for run in given):
        raise RebatchError(f"trajectories = {checks.shown(trajectories)}; allowed is {allowed}")
    runs, step = _runs(given)
    if len(runs) < 3:
        raise RebatchError(f"{len(runs)} run(s); at least 3 are needed for a standard error")
    predicted, error, predicted_step = _prediction(prediction, step)
    if predicted.shape[1:] != runs.shape[2:]:
        raise RebatchError(f"the prediction has shape {predicted.shape}; the runs have {runs.shape[1:]}")
    common, ours, theirs = np.intersect1d(step, predicted_step, return_indices=True)
    if not len(common):
        raise RebatchError(
            f"the prediction has steps {predicted_step.tolist()}, the runs {step.tolist()}: none in common"
        )
    runs, predicted, error = runs[:, ours], predicted[theirs], error[theirs]
    mean = runs.mean(axis=0)
    squares = (runs - mean) ** 2
    total = squares.sum(axis=0)
    scale = np.abs(runs).max(axis=0) + np.abs(predicted)
    spread = np.where(total > (_ROUNDING * scale) ** 2, total, 0.0)
    standard_error = np.sqrt(spread / (len(runs) - 1) / len(runs))
    trusted = squares.max(axis=0) <= heavy_share(len(runs)) * np.where(spread > 0, spread, 1.0)
    difference = mean - predicted
    # Where nothing varies, equal up to rounding is equal.
    same = (spread == 0) & (np.abs(difference) <= _ROUNDING * np.maximum(scale, 1.0))
    mean = np.where(same, predicted, mean)
    joint = _joint(runs, mean - predicted, error, standard_error, trusted, bias)
    d = given[0].data.attrs.get("d")
    return Agreement(
        predicted, error, mean, standard_error, len(runs), trusted, common, joint, bias,
        given[0].setting, None if d is None else int(d),
    )  # fmt: skip


def heavy_share(runs: int, level: float = _OUTLIER_LEVEL) -> float:
    """Return the share of one run in the sum of squares beyond which the standard error rests on that run.

    A half; of few runs one always leads, so at least what the outermost of n normal runs exceeds with probability
    `level` (Grubbs: (n - 1) / n t^2 / (n - 2 + t^2), t the quantile of Student's t with n - 2 degrees of freedom at
    level / (2 n)).
    """
    t2 = stats.t.isf(level / (2 * runs), max(runs - 2, 1)) ** 2
    return float(max(_DOMINANT_SHARE, (runs - 1) / runs * t2 / (max(runs - 2, 1) + t2)))


def _prediction(
    prediction: ArrayLike | Trajectory, recorded: NDArray[np.int64]
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Return M, its standard error and the steps of a prediction of any kind."""
    if isinstance(prediction, Trajectory):
        data = prediction.data
        M, step = data["M"], data["step"].values.astype(np.int64)
        if "replica" in M.dims:
            count = M.sizes["replica"]
            if count < 3:
                raise RebatchError(f"a prediction by {count} replica(s); at least 3 give it an error")
            return M.mean("replica").values, M.std("replica", ddof=1).values / np.sqrt(count), step
        error = data["M_error"].values if "M_error" in data else np.zeros(M.shape)
        return M.values, error, step
    try:
        predicted = np.asarray(prediction, dtype=np.float64)
    except (TypeError, ValueError):
        raise RebatchError("the prediction is no array of numbers of shape (steps, p, k)") from None
    if predicted.ndim != 3 or not np.isfinite(predicted).all():
        raise RebatchError(f"the prediction has shape {predicted.shape}; allowed are finite (steps, p, k)")
    if len(predicted) > recorded[-1] + 1:
        raise RebatchError(f"the prediction has shape {predicted.shape}; the runs end at step {recorded[-1]}")
    return predicted, np.zeros(predicted.shape), np.arange(len(predicted))


def _runs(trajectories: list[Trajectory]) -> tuple[Array, NDArray[np.int64]]:
    """Return the overlaps of all runs, shape (runs, steps, p, k), at the steps that all of them have."""
    if not trajectories:
        raise RebatchError("0 run(s); at least 3 are needed for a standard error")
    _require_one_experiment(trajectories)
    arrays = [t.M if "replica" in t.M.dims else t.M.expand_dims("replica") for t in trajectories]
    joined = xr.concat(arrays, "replica", join="inner", coords="minimal", compat="override")
    return joined.transpose("replica", "step", ...).values, joined["step"].values.astype(np.int64)


def _require_one_experiment(trajectories: Sequence[Trajectory]) -> None:
    """Refuse runs of different experiments, and runs that are one run twice."""
    experiments = {(t.data.attrs["setting"], t.data.attrs.get("d"), t.M.shape[-2:]) for t in trajectories}
    if len(experiments) > 1:
        raise RebatchError(
            f"the runs are of {len(experiments)} experiments; allowed are runs that differ in the seed"
        )
    seeds = [t.data.attrs.get("seed") for t in trajectories]
    if len(set(seeds)) < len(seeds):
        raise RebatchError(f"seeds {seeds}; allowed are runs of different seeds")


def _joint(
    runs: Array,
    difference: Array,
    prediction_error: Array,
    standard_error: Array,
    trusted: NDArray[np.bool_],
    bias: float,
) -> Joint:
    """Test all trusted entries at once."""
    n = len(runs)
    varying = trusted & (standard_error > 0)
    fixed = trusted & ~varying
    left_out = int((~trusted).sum())
    # What never varies is met or not; the prediction's own error is all the leeway there is.
    missed = np.abs(difference[fixed]) - bias > _SURE * prediction_error[fixed]
    if missed.any():
        return Joint("no spread", float("inf"), 0.0, 0, left_out)
    if not varying.any():
        return Joint("no spread", 0.0, 1.0, 0, left_out)
    scale = standard_error[varying] * np.sqrt(n)
    X = (runs[:, varying] - runs[:, varying].mean(axis=0)) / scale
    delta, own = difference[varying] / scale, prediction_error[varying] / scale
    values, vectors = np.linalg.eigh(X.T @ X / (n - 1))
    keep = values > _DEPENDENT * len(values)
    V, rank = vectors[:, keep], int(keep.sum())
    if n < 2 * rank or (rank == n - 1 and rank < len(values)):
        t = _beyond(delta, bias / scale) / np.hypot(1 / np.sqrt(n), own)
        p = min(1.0, float(len(t) * 2 * stats.t.sf(np.abs(t).max(), n - 1)))
        return Joint("Bonferroni over t", float(np.abs(t).max()), p, rank, left_out)
    # A relation among the entries that every run obeys binds the prediction too.
    outside = np.abs(delta - V @ (V.T @ delta)) * scale
    leeway = _SURE * float(np.linalg.norm(prediction_error[varying])) + bias * np.sqrt(len(scale))
    rounding = np.sqrt(_ROUNDING) * (np.abs(runs[:, varying]).max() + np.abs(difference).max())
    if outside.max() > leeway + rounding:
        return Joint("Hotelling's T^2", float("inf"), 0.0, rank, left_out)
    covariance = np.diag(values[keep]) / n + V.T @ (own[:, None] ** 2 * V)
    whitening = np.linalg.solve(np.linalg.cholesky(covariance), V.T)
    T2 = float(np.sum((whitening @ delta) ** 2))
    if bias:
        # The nearest prediction that is allowed: least T^2 over the box of half width `bias`.
        box = bias / scale
        T2 = 2 * float(lsq_linear(whitening, whitening @ delta, (-box, box)).cost)
    p = float(stats.f.sf((n - rank) / (rank * (n - 1)) * T2, rank, n - rank))
    return Joint("Hotelling's T^2", T2, p, rank, left_out)


def _beyond(difference: Array, allowed: float | Array) -> Array:
    """Return what is left of a difference once `allowed` is taken off its size."""
    return np.asarray(np.sign(difference) * np.maximum(np.abs(difference) - allowed, 0.0))


def _nulls(values: Array) -> list[Any]:
    """Return nested lists with None for what is not a number."""
    listed = values.astype(object)
    listed[np.isnan(values)] = None
    return listed.tolist()  # type: ignore[no-any-return]
