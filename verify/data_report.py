"""What a data matrix is like where theory speaks of N(0, I): moments, spectrum and lengths of rows.

The columns are standardised, and whitened if asked for. Of independent columns and rows the correlations r_ij have
E[n r_ij^2] = n / (n - 1), the eigenvalues of the correlation matrix lie between (1 - sqrt(d / n))^2 and
(1 + sqrt(d / n))^2 (Marchenko, Pastur), and |x|^2 / d has the variance (mean fourth moment - 1) / d.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..numeric.machine.memory import require
from ..symbolic import checks
from ..symbolic.errors import RebatchError

Array = NDArray[np.float64]
# As many rows and columns are looked at: an eigenvalue problem of some seconds.
_MOST_COLUMNS, _MOST_ROWS = 1024, 8192
# Fewer rows say nothing of a correlation.
_LEAST_ROWS = 10
# Against the largest of its kind, a variance or an eigenvalue below this is rounding.
_ROUNDING = 1e-10
# The edge of a finite spectrum is uncertain by n^(-2/3); so many of these are allowed.
_EDGE = 5.0


@dataclass(frozen=True, eq=False)
class DataReport:
    """What a standardised matrix is like.

    Attributes
    ----------
    rows, columns : int
        Of the whole matrix, columns that are constant left out.
    dropped : int
        Constant columns, or directions without variance where it was whitened.
    whitened : bool
    fourth_moments : ndarray, shape (columns looked at,)
        E[x^4] of each; 3 for Gaussian ones.
    eigenvalues : ndarray, shape (columns looked at,)
        Of their correlation matrix, rising.
    edges : tuple of two floats
        Between which those of independent columns lie.
    outside : int
        How many do not.
    correlation_score : float
        How many standard errors the mean of n r^2 over pairs of columns is above that of independent ones.
    length_variance : float
        d times the variance of |x|^2 / d over rows; for independent columns the mean of their fourth moments less 1.
    length_error : float
        The standard error of that.
    """

    rows: int
    columns: int
    dropped: int
    whitened: bool
    fourth_moments: Array
    eigenvalues: Array
    edges: tuple[float, float]
    outside: int
    correlation_score: float
    length_variance: float
    length_error: float

    def lines(self) -> list[str]:
        """Return what a terminal shows."""
        fourth, eigenvalues, (low, high) = self.fourth_moments, self.eigenvalues, self.edges
        prepared = "standardised and whitened" if self.whitened else "standardised"
        left_out = f", {self.dropped} constant left out" if self.dropped else ""
        return [
            f"{self.rows} rows, {self.columns} columns, {prepared}{left_out}",
            f"E[x^4] of columns {fourth.min():.3g} to {fourth.max():.3g}, mean {fourth.mean():.4g}; Gaussian 3",
            f"eigenvalues {eigenvalues[0]:.3g} to {eigenvalues[-1]:.3g}, {self.outside} off {low:.3g} to {high:.3g}",
            f"d Var(|x|^2 / d) = {self.length_variance:.3g}; of independent columns {self.independent_lengths:.3g}",
        ]

    @property
    def independent_lengths(self) -> float:
        """D times the variance of |x|^2 / d if the columns were independent."""
        return float(self.fourth_moments.mean() - 1)

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in values.items()
        }


def standardised(X: ArrayLike, *, whiten: bool = False) -> tuple[Array, int]:
    """Return a matrix with columns of mean 0 and variance 1, and how many constant ones were left out.

    Parameters
    ----------
    X : array_like, shape (n, d)
    whiten : bool
        Whether to take away all correlations: the columns are then X V / sqrt(variance), V the principal directions
        with variance, rotated back where there are d of them.

    Raises
    ------
    RebatchError
        If it is no matrix of finite numbers with at least 10 rows, or no column varies.
    """
    given = checks.array("X", X, "finite numbers of shape (n, d)")
    if given.ndim != 2 or len(given) < _LEAST_ROWS or not given.shape[1]:
        raise RebatchError(f"X of shape {given.shape}; allowed are (n, d) with n >= {_LEAST_ROWS} rows")
    require(3.0 * given.nbytes, f"standardising a matrix of shape {given.shape}")
    deviation = given.std(axis=0)
    varies = deviation > _ROUNDING * np.abs(given).max(axis=0)
    if not varies.any():
        raise RebatchError(
            f"X of shape {given.shape} has constant columns only; allowed are columns that vary"
        )
    Y = (given[:, varies] - given[:, varies].mean(axis=0)) / deviation[varies]
    if not whiten:
        return Y, int((~varies).sum())
    values, V = np.linalg.eigh(Y.T @ Y / len(Y))
    kept = values > _ROUNDING * values[-1]
    white = Y @ (V[:, kept] / np.sqrt(values[kept]))
    return (white @ V.T if kept.all() else white), int(given.shape[1] - kept.sum())


def data_report(X: Array, *, dropped: int = 0, whitened: bool = False) -> DataReport:
    """Return what standardised columns are like; of a large matrix the first rows and columns are looked at."""
    some = X[:_MOST_ROWS, :_MOST_COLUMNS]
    n, c = some.shape
    some = some - some.mean(axis=0)
    some /= some.std(axis=0)
    fourth = (some**4).mean(axis=0)
    R = some.T @ some / n
    eigenvalues = np.linalg.eigvalsh(R)
    ratio = np.sqrt(c / n)
    low, high = max(0.0, 1 - ratio) ** 2, (1 + ratio) ** 2
    room = _EDGE * min(n, c) ** (-2 / 3) * ratio * (1 + ratio)
    outside = (eigenvalues > high + room) | (eigenvalues < low - room)
    pairs = R[np.triu_indices(c, 1)]
    score = 0.0
    if len(pairs):
        # n r^2 has the mean 1 and the variance 2, up to 1/n, and is uncorrelated between pairs.
        score = float((n * (pairs**2).mean() - n / (n - 1)) * np.sqrt(len(pairs) / 2))
    length = (some**2).mean(axis=1)
    error = np.sqrt(((length - length.mean()) ** 2).var() / n) * c
    return DataReport(
        len(X), X.shape[1], dropped, whitened, fourth, eigenvalues, (float(low), float(high)),
        int(outside.sum()), score, float(length.var() * c), float(error),
    )  # fmt: skip
