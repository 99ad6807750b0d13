"""One call for every engine: a Setting in, a Trajectory out."""

from typing import Literal

import numpy as np

from ..symbolic.errors import RebatchError
from .lazy import simulate_lazy
from .setting import Setting
from .trajectory import Trajectory

Engine = Literal["lazy"]
ENGINES = {"lazy": simulate_lazy}


def simulate(
    setting: Setting, engine: Engine = "lazy", *, d: int, seed: int, threads: int | None = None
) -> Trajectory:
    """Run an experiment and return its trajectory.

    Parameters
    ----------
    setting : Setting
    engine : {"lazy"}
        "lazy": exactly the law of full-batch GD on n = alpha d Gaussian samples, without storing them.
    d : int
        Input dimension, at least k + p.
    seed : int
        Nonnegative. The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.

    Raises
    ------
    RebatchError
        If an argument is not allowed, or the run stops being finite.

    Examples
    --------
    >>> setting = Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=3)
    >>> simulate(setting, d=500, seed=1).M.shape
    (4, 1, 1)
    """
    if engine not in ENGINES:
        raise RebatchError(f"engine = {engine!r}; allowed are {', '.join(ENGINES)}")
    if isinstance(seed, bool) or not isinstance(seed, int | np.integer) or seed < 0:
        raise RebatchError(f"seed = {seed!r}; allowed are integers >= 0")
    return ENGINES[engine](setting, d=d, seed=int(seed), threads=threads)
