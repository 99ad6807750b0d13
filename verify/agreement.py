"""Predictions held against simulations: mean over seeds, standard errors, z-scores (theory, 5.3).

For one run at dimension d, sqrt(d) (M_run - M) is O(1) and the mean over runs deviates from the limit by O(1/d): the
spread over seeds is the yardstick, never a fixed tolerance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..numeric.trajectory import Trajectory
from ..symbolic.errors import RebatchError

# Above this share of one run in the sum of squared deviations, the standard error rests on that run.
_DOMINANT_SHARE = 0.5


@dataclass(frozen=True)
class Agreement:
    """A prediction beside the mean over runs.

    Attributes
    ----------
    predicted, mean, standard_error : ndarray, shape (steps, p, k)
    runs : int
    trusted : ndarray of bool, shape (steps, p, k)
        False where one run carries most of the spread: the law is heavy-tailed and no z-score is given.
    """

    predicted: NDArray[np.float64]
    mean: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    runs: int
    trusted: NDArray[np.bool_]

    @property
    def z(self) -> NDArray[np.float64]:
        """(mean - predicted) / standard error; 0 where both agree exactly, NaN where it cannot be trusted."""
        difference = self.mean - self.predicted
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(difference == 0, 0.0, difference / self.standard_error)
        return np.where(self.trusted, z, np.nan)

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data; untrusted z-scores are null."""
        z = [[[None if np.isnan(v) else v for v in row] for row in step] for step in self.z.tolist()]
        return {
            "runs": self.runs,
            "predicted": self.predicted.tolist(),
            "mean": self.mean.tolist(),
            "standard_error": self.standard_error.tolist(),
            "z": z,
        }


def agreement(prediction: ArrayLike, trajectories: Sequence[Trajectory]) -> Agreement:
    """Hold predicted overlaps against runs that differ only in their seed.

    Parameters
    ----------
    prediction : array_like, shape (steps, p, k)
        M^0, M^1, …; as many steps as are to be compared, at most those that were run.
    trajectories : sequence of Trajectory
        At least 3.

    Raises
    ------
    RebatchError
        If there are too few runs, or the shapes do not fit.

    References
    ----------
    theory, 5.3.
    """
    try:
        predicted = np.asarray(prediction, dtype=np.float64)
    except (TypeError, ValueError):
        raise RebatchError("the prediction is no array of numbers of shape (steps, p, k)") from None
    if predicted.ndim != 3 or not np.isfinite(predicted).all():
        raise RebatchError(f"the prediction has shape {predicted.shape}; allowed are finite (steps, p, k)")
    if len(trajectories) < 3:
        raise RebatchError(f"{len(trajectories)} run(s); at least 3 are needed for a standard error")
    _require_one_experiment(trajectories)
    runs = np.stack([np.asarray(t.M) for t in trajectories])
    steps = len(predicted)
    if predicted.shape[1:] != runs.shape[2:] or steps > runs.shape[1]:
        raise RebatchError(f"the prediction has shape {predicted.shape}; the runs have {runs.shape[1:]}")
    runs = runs[:, :steps]
    mean = runs.mean(axis=0)
    squares = (runs - mean) ** 2
    total = squares.sum(axis=0)
    standard_error = np.sqrt(total / (len(runs) - 1) / len(runs))
    # A few runs always have one that leads: only a share far above 1/len(runs) says heavy tails, so with fewer than
    # six the tails cannot be judged.
    limit = max(_DOMINANT_SHARE, 3 / len(runs))
    trusted = squares.max(axis=0) <= limit * np.where(total > 0, total, 1.0)
    return Agreement(predicted, mean, standard_error, len(runs), trusted)


def _require_one_experiment(trajectories: Sequence[Trajectory]) -> None:
    """Refuse runs of different experiments, and runs that are one run twice."""
    experiments = {(t.data.attrs["setting"], t.data.attrs.get("d"), t.M.shape) for t in trajectories}
    if len(experiments) > 1:
        raise RebatchError(
            f"the runs are of {len(experiments)} experiments; allowed are runs that differ in the seed"
        )
    seeds = [t.data.attrs.get("seed") for t in trajectories]
    if len(set(seeds)) < len(seeds):
        raise RebatchError(f"seeds {seeds}; allowed are runs of different seeds")
