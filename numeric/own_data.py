"""Descent on data and labels of one's own, and what was learned where no direction is known.

The network sees (X, y) alone, W <- W - eta grad. Whether anything of the labels was learned is asked of the movement
W^T - W^0 by its singular values. Labels that are shuffled among the rows can move W by chance only, and where y tells
nothing of x all orders of y are equally likely, whatever the law of either. So the rank of the true first singular
value among those of shuffled labels is an exact test (Phipson and Smyth, 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.known import How
from ..symbolic.exact.shown import Drawn, Tabulated
from ..symbolic.language.target import Target
from .engines.dense import simulate_dense
from .engines.rows import as_rows
from .setting import Setting
from .trajectory import Trajectory

Array = NDArray[np.float64]
# Singular values below this part of the first are rounding.
_ROUNDING = 1e-10


def descend_on_data(
    X: Any,
    y: ArrayLike,
    *,
    activation: Any,
    eta: float,
    steps: int,
    seed: int,
    directions: ArrayLike | None = None,
    threads: int | None = None,
    **setting: Any,
) -> Trajectory:
    """Return the run of gradient descent on data and labels of one's own; no target is asked for.

    Parameters
    ----------
    X : ndarray, memory map, dask.array.Array or zarr.Array, shape (n, d)
        See :func:`~rebatch.numeric.engines.dense.simulate_dense`; entries are taken as they are.
    y : array_like, shape (n,)
    activation, eta, steps
        As in :class:`~rebatch.Setting`.
    seed : int
        Of the start.
    directions : array_like, shape (k, d), optional
        Orthogonal rows of norm sqrt(d): M is the overlap with them. Without any, M has no columns.
    threads : int, optional
    **setting
        What else a setting has: neurons, loss, weight_decay, schedule, batches, rho, ….

    Returns
    -------
    Trajectory
        Its variables ``first_weights`` and ``weights`` are W at the ends, rows of norm sqrt(d) at the start.

    Raises
    ------
    RebatchError
        If an argument is not of the kind described.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((400, 50))
    >>> run = descend_on_data(X, np.tanh(X[:, 0]), activation="relu", eta=0.5, steps=3, seed=0)
    >>> run.data["weights"].shape
    (1, 50)
    """
    rows = as_rows(X)
    if getattr(rows, "ndim", 0) != 2 or 0 in rows.shape:
        raise RebatchError(f"X = {checks.shown(X)}; allowed are arrays of shape (n, d)")
    if refused := setting.keys() & {"target", "alpha", "reuse", "inputs", "noise", "noise_std"}:
        raise RebatchError(f"{', '.join(sorted(refused))} with data; allowed is what the data do not say")
    n, d = rows.shape
    if directions is not None:
        directions = np.atleast_2d(checks.array("directions", directions, f"orthogonal rows, d = {d}"))
    k = 0 if directions is None else len(directions)
    experiment = Setting(
        target=Target.of_data(k), activation=activation, alpha=n / d, eta=eta, steps=steps, **setting
    )
    return simulate_dense(
        experiment, seed=checks.seed(seed), threads=threads, X=rows, y=y, directions=directions, weights=True
    )


@dataclass(frozen=True)
class LearnedDirections(Tabulated, Drawn):
    """Along which directions of the inputs the weights have moved.

    Attributes
    ----------
    sizes : ndarray, shape (r,)
        Singular values of (W^T - W^0) / sqrt(d), the largest first.
    directions : ndarray, shape (r, d)
        The unit directions of R^d that belong to them.
    chance : ndarray, shape (permutations,)
        The first singular value where the labels were shuffled.
    how : How
    """

    sizes: Array
    directions: Array
    chance: Array
    how: How = How.NUMERIC

    @property
    def p_value(self) -> float | None:
        """Chance that shuffled labels move W as far, (1 + number that do) / (1 + permutations); None without any."""
        if not len(self.chance):
            return None
        return float((1 + (self.chance >= self.sizes[0]).sum()) / (1 + len(self.chance)))

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each direction."""
        total = float((self.sizes**2).sum())
        return [
            {
                "direction": i + 1,
                "singular value": float(size),
                "share of the movement": float(size**2 / total) if total else 0.0,
                "largest inputs": ", ".join(f"x{at + 1} ({v[at]:+.2f})" for at in np.argsort(-np.abs(v))[:3]),
            }
            for i, (size, v) in enumerate(zip(self.sizes, self.directions, strict=True))
        ]

    def __str__(self) -> str:
        lines = [
            f"direction {row['direction']}: singular value {row['singular value']:.4g}, "
            f"{row['share of the movement']:.0%} of the movement, mostly {row['largest inputs']}"
            for row in self.records()
        ]
        if self.p_value is not None:
            lines.append(
                f"shuffled labels move W by at most {self.chance.max():.4g} in {len(self.chance)} runs: "
                f"p = {self.p_value:.2g} (numeric; exact for any law of X and y)"
            )
        return "\n".join(lines)


def learned_directions(
    run: Trajectory, X: Any = None, y: ArrayLike | None = None, *, permutations: int = 0, seed: int = 0
) -> LearnedDirections:
    """Return the singular directions of the movement of W, and whether chance moves it as far.

    Parameters
    ----------
    run : Trajectory
        Of :func:`descend_on_data`, or of the dense engine with ``weights=True``.
    X, y
        The data of the run; for permutations only.
    permutations : int
        Runs on shuffled labels; 19 can show p = 0.05.
    seed : int
        Of the shuffles.

    Raises
    ------
    RebatchError
        If the run kept no weights, or X and y are missing where they are needed.

    Examples
    --------
    >>> X = np.random.default_rng(0).standard_normal((4000, 20))
    >>> run = descend_on_data(X, np.tanh(X[:, 0]), activation="erf", eta=0.05, steps=2, seed=0)
    >>> bool(abs(learned_directions(run).directions[0, 0]) > 0.9)
    True
    """
    if not isinstance(run, Trajectory):
        raise RebatchError(f"run = {checks.shown(run)}; allowed are trajectories")
    sizes, directions = _movement(run)
    count, seed = checks.integer("permutations", permutations, least=0), checks.seed(seed)
    if count and (X is None or y is None):
        raise RebatchError("X or y is missing; allowed with permutations are both")
    chance = _shuffled(run, X, y, count, seed) if count else ()
    return LearnedDirections(sizes, directions, np.array(chance, dtype=np.float64))


def _movement(run: Trajectory) -> tuple[Array, Array]:
    """Return the singular values and right singular vectors of (W^T - W^0) / sqrt(d)."""
    if not {"first_weights", "weights"} <= set(run.data.data_vars):
        raise RebatchError(
            "the run kept no weights; allowed are those of descend_on_data, or with weights=True"
        )
    moved = run.data["weights"].values - run.data["first_weights"].values
    _, sizes, directions = np.linalg.svd(moved / np.sqrt(moved.shape[1]), full_matrices=False)
    kept = sizes > _ROUNDING * sizes[0]
    signs = np.sign(directions[np.arange(len(directions)), np.argmax(np.abs(directions), axis=1)])
    return sizes[kept], (signs[:, None] * directions)[kept]


def _shuffled(run: Trajectory, X: Any, y: ArrayLike | None, count: int, seed: int) -> Sequence[float]:
    """Return the first singular value of as many runs on shuffled labels, from the start of the run."""
    labels = checks.array("y", y, "a label for each row of X")
    setting = replace(
        run.setting,
        target=Target.of_data(run.setting.k),
        record_every=run.setting.steps,
        noise=None,
        noise_std=0.0,
    )
    seed_of_start, directions = int(run.data.attrs["seed"]), run.data["index_directions"].values
    found = []
    for child in np.random.SeedSequence(seed).spawn(count):
        rng = np.random.default_rng(child)
        again = simulate_dense(
            setting, seed=seed_of_start, X=X, y=rng.permutation(labels), weights=True,
            directions=directions if setting.k else None,
        )  # fmt: skip
        sizes, _ = _movement(again)
        found.append(float(sizes[0]) if len(sizes) else 0.0)
    return found
