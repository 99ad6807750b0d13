"""Many runs: settings by dimensions by seeds, each finished one in a file at once, so that a restart continues.

The file of a run is named by a hash of all that defines its numbers: setting, engine, d, seed, the engine's options
and the version of rebatch. It is written when the run ends and moved to its name complete; what exists is not run
again.
"""

import hashlib
import itertools
import json
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from .engines.descent import StoppedEarly, silent_stops
from .gathered import gathered
from .machine.progress import progress
from .setting import Setting
from .simulate import ENGINES, Engine, simulate
from .trajectory import INTERRUPTED, Trajectory, installed_version

_DIGITS = 32


class Future(Protocol):
    """A run on its way."""

    def result(self) -> Any:
        """Wait for it."""

    def cancel(self) -> Any:
        """Do not begin it, if it has not begun."""


class Client(Protocol):
    """Where runs are sent: ``dask.distributed.Client``, or any ``concurrent.futures.Executor``."""

    def submit(self, function: Callable[..., Any], /, *arguments: Any) -> Future:
        """Call the function there."""


class Runs(list[Trajectory]):
    """The trajectories of a sweep, in the order of its settings, dimensions and seeds."""

    @property
    def data(self) -> xr.Dataset:
        """All runs in one dataset, an axis for each parameter that varies among them.

        See :func:`~rebatch.numeric.gathered.gathered`.
        """
        return gathered(self)


@dataclass(frozen=True)
class _Run:
    """One run of a sweep, as plain data that can be sent to another process."""

    setting: dict[str, Any]
    engine: Engine
    d: int | None
    seed: int
    options: dict[str, Any]
    rebatch: str = field(default_factory=lambda: installed_version())  # noqa: PLW0108 - looked up when called

    @property
    def name(self) -> str:
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS] + ".nc"

    def write(self, folder: str, threads: int | None) -> str:
        """Run, save unless interrupted, and return why it stopped early; empty if it did not."""
        if (here := installed_version()) != self.rebatch:
            raise RebatchError(f"a worker has rebatch {here}; allowed is that of the sweep, {self.rebatch}")
        setting = Setting.from_dict(self.setting)
        with silent_stops():  # the sweep says it, wherever this runs
            run = simulate(setting, self.engine, d=self.d, seed=self.seed, threads=threads, **self.options)
        if not run.interrupted:
            run.save(Path(folder) / self.name)
        return run.stopped


def sweep(
    settings: Setting | Sequence[Setting],
    engine: Engine = "lazy",
    *,
    d: int | Sequence[int] | None,
    seeds: int | Sequence[int],
    folder: str | os.PathLike[str],
    threads: int | None = None,
    client: Client | None = None,
    **options: Any,
) -> "Runs":
    """Run every setting at every dimension with every seed, and return the trajectories in this order.

    Parameters
    ----------
    settings : Setting or sequence of Setting
    engine : {"lazy", "dense", "online", "flow", "limit"}
    d : int, sequence of int or None
        Dimensions; None for the limit, which has none.
    seeds : int or sequence of int
        The seeds, or how many: 0, 1, 2, ….
    folder : path
        Where the trajectories are; made if missing. A run whose file is there is not repeated, whichever sweep of
        the same version of rebatch wrote it. With a client it must be a folder that the workers see by the same path.
    threads : int, optional
        Threads of one run, by default one per core; no part of what defines its numbers.
    client : dask.distributed.Client or concurrent.futures.Executor, optional
        Where to run, by its ``submit``; by default here, one run after the other.
    **options
        The engine's own, such as ``storage="float32"``; numbers, texts, truth values and lists of them.

    Returns
    -------
    Runs
        The trajectories, a list, and all of them as one dataset, ``.data``.
        After Ctrl-C those that are finished; the sweep called again runs the rest.

    Raises
    ------
    RebatchError
        If an argument is not allowed, a file in the folder is not a trajectory, or a worker has another version.

    Warns
    -----
    StoppedEarly
        On Ctrl-C, with the number of runs that are missing; and for each run that diverges, which is kept.

    Examples
    --------
    >>> import tempfile
    >>> setting = Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(sweep(setting, d=[100, 200], seeds=3, folder=folder))
    6
    """
    runs = _runs(settings, engine, d, seeds, options)
    place = Path(folder)
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RebatchError(
            f"folder = {str(folder)!r}: {error.strerror}; allowed is one that can be made"
        ) from None
    missing = [run for run in runs if not (place / run.name).exists()]
    try:
        with progress(f"sweep, {engine}", len(runs)) as done:
            done(len(runs) - len(missing))
            stops = _stops(missing, str(place.resolve()), threads, client)
            for count, (run, stopped) in enumerate(zip(missing, stops, strict=True), 1):
                if stopped.startswith(INTERRUPTED):
                    raise KeyboardInterrupt
                if stopped:
                    warnings.warn(f"d = {run.d}, seed = {run.seed}: {stopped}", StoppedEarly, stacklevel=2)
                done(len(runs) - len(missing) + count)
    except KeyboardInterrupt:
        runs, asked = [run for run in runs if (place / run.name).exists()], len(runs)
        message = f"interrupted: {asked - len(runs)} of {asked} runs are missing; the same call continues"
        warnings.warn(message, StoppedEarly, stacklevel=2)
    return Runs(Trajectory.load(place / run.name) for run in runs)


def finished(
    settings: Setting | Sequence[Setting],
    engine: Engine,
    *,
    d: int | Sequence[int] | None,
    seeds: int | Sequence[int],
    folder: str | os.PathLike[str],
    options: dict[str, Any],
) -> int:
    """Return how many runs of a sweep are in its folder; the arguments are those of :func:`sweep`."""
    return sum((Path(folder) / run.name).exists() for run in _runs(settings, engine, d, seeds, options))


def _stops(runs: list[_Run], folder: str, threads: int | None, client: Client | None) -> Iterator[str]:
    """Run and yield why each stopped early, mostly empty."""
    if client is None:
        for run in runs:
            yield run.write(folder, threads)
        return
    futures = [client.submit(_Run.write, run, folder, threads) for run in runs]
    try:
        for future in futures:
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def _runs(
    settings: Setting | Sequence[Setting],
    engine: Engine,
    d: int | Sequence[int] | None,
    seeds: int | Sequence[int],
    options: dict[str, Any],
) -> list[_Run]:
    """Return the runs that are asked for, each once, in the order of the answer."""
    settings = [settings] if isinstance(settings, Setting) else list(settings)
    checks.one_of("engine", engine, ENGINES)
    if not settings or not all(isinstance(setting, Setting) for setting in settings):
        raise RebatchError("settings: allowed are a Setting and nonempty sequences of them")
    try:
        json.dumps(options)
    except TypeError as error:
        raise RebatchError(f"options of a sweep define its files and must be plain data: {error}") from None
    sizes = [d] if d is None or isinstance(d, int | np.integer) else d
    dimensions = [None if size is None else checks.integer("d", size, least=1) for size in sizes]
    given = range(checks.integer("seeds", seeds)) if isinstance(seeds, int | np.integer) else seeds
    numbers = [checks.integer("seed", seed, least=0) for seed in given]
    if not dimensions or not numbers:
        raise RebatchError(f"d = {d!r} and seeds = {seeds!r}; allowed are at least one of each")
    runs = [
        _Run(setting.to_dict(), engine, size, seed, options)
        for setting, size, seed in itertools.product(settings, dimensions, numbers)
    ]
    if len({run.name for run in runs}) < len(runs):
        raise RebatchError("a setting, dimension or seed is given twice; allowed is once")
    return runs
