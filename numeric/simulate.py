"""One call for every engine: a Setting in, a Trajectory out."""

import inspect
import json
import logging
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from .engine_names import Engine
from .engines.dense import simulate_dense
from .engines.flow import simulate_flow
from .engines.lazy import simulate_lazy
from .engines.limit import simulate_limit
from .engines.online import simulate_online
from .setting import Setting
from .trajectory import Trajectory

_log = logging.getLogger(__name__)

ENGINES: dict[str, Callable[..., Trajectory]] = {
    "lazy": simulate_lazy,
    "dense": simulate_dense,
    "online": simulate_online,
    "flow": simulate_flow,
    "limit": simulate_limit,
}


def simulate(
    setting: Setting,
    engine: Engine = "lazy",
    *,
    d: int | None = None,
    seed: int,
    threads: int | None = None,
    **options: Any,
) -> Trajectory:
    """Run an experiment and return its trajectory.

    Parameters
    ----------
    setting : Setting
    engine : {"lazy", "dense", "online", "flow", "limit"}
        "lazy": exactly the law of full-batch GD on n = alpha d Gaussian samples, without storing them.
        "dense": gradient descent on a stored X, drawn or given; mini-batches.
        "online": one fresh sample per step, or a few, by the exact chain of overlaps; many replicas at once.
        "flow": gradient flow, on the population (``reuse=False``) or on one batch (``reuse=True``).
        "limit": what full-batch GD tends to as d -> infinity, with error bars.
    d : int
        Input dimension, at least k + p; refused for "limit", which has none.
    seed : int
        Nonnegative. The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    **options
        The engine's own options; see :func:`~rebatch.numeric.engines.lazy.simulate_lazy`,
        :func:`~rebatch.numeric.engines.dense.simulate_dense`,
        :func:`~rebatch.numeric.engines.online.simulate_online`,
        :func:`~rebatch.numeric.engines.flow.simulate_flow` and
        :func:`~rebatch.numeric.engines.limit.simulate_limit`.

    Raises
    ------
    RebatchError
        If an argument is not allowed, or the job does not fit in memory.

    Warns
    -----
    StoppedEarly
        If the overlaps diverge, or on Ctrl-C: the trajectory holds the steps before.

    Examples
    --------
    >>> setting = Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=3)
    >>> simulate(setting, d=500, seed=1).M.shape
    (4, 1, 1)
    """
    if not isinstance(setting, Setting):
        raise RebatchError(f"setting = {checks.shown(setting)}; allowed are objects of rebatch.Setting")
    run = ENGINES[checks.one_of("engine", engine, tuple(ENGINES))]
    allowed = set(inspect.signature(run).parameters) - {"setting", "d", "seed", "threads"}
    if unknown := options.keys() - allowed:
        given, known = ", ".join(sorted(unknown)), ", ".join(sorted(allowed))
        raise RebatchError(f"engine {engine} has no option {given}; allowed are {known}")
    where = engine if d is None else f"{engine}, d = {d}"
    _log.info("%s, seed = %s: %s", where, seed, setting)
    began = time.perf_counter()
    done = run(
        setting, d=d, seed=checks.integer("seed", seed, least=0, most=None), threads=threads, **options
    )
    took, stopped = time.perf_counter() - began, done.stopped or "finished"
    _log.info("%s, seed = %s: %s, %.3g s", where, seed, stopped, took)
    done.data.attrs.update(_as_text(options))
    return done


def _as_text(options: dict[str, Any]) -> dict[str, str]:
    """Return the engine's options as attributes: those that JSON can hold, and the names of the others."""
    plain = {name: x.item() if isinstance(x, np.generic) else x for name, x in options.items()}
    held = {name: x for name, x in plain.items() if isinstance(x, str | bool | int | float | None)}
    unsaved = ", ".join(sorted(options.keys() - held.keys()))
    text = {"options": json.dumps(held, sort_keys=True)}
    return {**text, "unsaved": unsaved} if unsaved else text
