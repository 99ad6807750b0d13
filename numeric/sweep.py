"""Many runs: settings by dimensions by seeds, each finished one in a file at once, so that a restart continues.

The file of a run is named by a hash of all that defines its numbers: setting, engine, d, seed, the engine's options
and the version of rebatch. It is written when the run ends and moved to its name complete; what exists is not run
again, unless it is damaged or not the run of its name: then it is set aside.
"""

import hashlib
import itertools
import json
import logging
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import xarray as xr

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Tabulated
from ..symbolic.language.called import Called
from .engine_names import Engine
from .engines.descent import StoppedEarly, silent_stops, warn_of_stop
from .gathered import gathered, labels_of, last_sizes
from .machine.files import clear, require_folder, set_aside
from .machine.memory import require
from .machine.progress import progress
from .machine.warned import warn
from .setting import Setting
from .simulate import ENGINES, simulate
from .trajectory import INTERRUPTED, Trajectory, installed_version

_log = logging.getLogger(__name__)
_DIGITS = 32
# What a run that is still to come takes in memory, with its place in the answer.
_BYTES_PER_RUN = 2000.0
# Where the runs of studies are kept in this context; None: nowhere.
_kept_in: ContextVar[Path | None] = ContextVar("kept_in", default=None)


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


class SetAside(UserWarning):
    """A file in the folder of a sweep is damaged or not the run of its name."""


class Runs(list[Trajectory], Tabulated, Drawn):
    """The trajectories of a sweep, in the order of its settings, dimensions and seeds."""

    @property
    def data(self) -> xr.Dataset:
        """All runs in one dataset, an axis for each parameter that varies among them.

        See :func:`~rebatch.numeric.gathered.gathered`.
        """
        return gathered(self)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each run: what varies among them, why it stopped, and its last overlaps.

        ``|M z1|`` is the norm over neurons of the overlap with the first direction, at the last step kept.
        """
        if not self:
            return []
        labels = [labels_of(run) for run in self]
        varying = [n for n in labels[0] if len({str(label.get(n)) for label in labels}) > 1] or ["seed"]
        return [
            {**{n: label.get(n) for n in varying}, "stopped": run.stopped}
            | {f"|M {name}|": size for name, size in last_sizes(run).items()}
            for run, label in zip(self, labels, strict=True)
        ]


@dataclass(frozen=True)
class _Run:
    """One run of a sweep, as plain data that can be sent to another process."""

    setting: dict[str, Any]
    engine: Engine
    d: int | None
    seed: int
    options: dict[str, Any]
    rebatch: str = field(default_factory=lambda: installed_version())  # noqa: PLW0108 - looked up when called
    # What the setting names and a file cannot hold: functions of the user's own, which travel along.
    brought: tuple[Called, ...] = ()

    @classmethod
    def of(
        cls, setting: Setting, engine: Engine, d: int | None, seed: int, options: dict[str, Any]
    ) -> "_Run":
        formulas = setting.target.formula, setting.activation.formula
        brought = tuple(formula for formula in formulas if isinstance(formula, Called))
        return cls(setting.to_dict(), engine, d, seed, options, brought=brought)

    @property
    def name(self) -> str:
        plain = {key: value for key, value in vars(self).items() if key != "brought"}
        text = json.dumps(plain, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS] + ".nc"

    def write(self, folder: str, threads: int | None) -> str:
        """Run, save unless interrupted, and return why it stopped early; empty if it did not."""
        return self.run(Path(folder), threads).stopped

    def run(self, folder: Path, threads: int | None) -> Trajectory:
        """Run, save unless interrupted, and return the run."""
        if (here := installed_version()) != self.rebatch:
            raise RebatchError(f"a worker has rebatch {here}; allowed is that of the sweep, {self.rebatch}")
        for called in self.brought:
            called.keep()
        setting = Setting.from_dict(self.setting)
        with silent_stops():  # the sweep says it, wherever this runs
            run = simulate(setting, self.engine, d=self.d, seed=self.seed, threads=threads, **self.options)
        if not run.interrupted:
            named = run.data.assign_attrs(options=json.dumps(self.options, sort_keys=True))
            Trajectory(named).save(folder / self.name)
        return run

    def find(self, folder: Path) -> Trajectory | None:
        """Return the run if its file is there; a file that is not this run is set aside, with a warning."""
        path = folder / self.name
        if not path.exists():
            return None
        try:
            found = Trajectory.load(path)
            if differing := ", ".join(self._differing(found)):
                raise RebatchError(f"{path} is another run than its name says: {differing} differ")
        except RebatchError as error:
            message = f"{error}; it is kept as {set_aside(path).name} and its run repeated"
            warn(message, SetAside)
            return None
        return found

    def _differing(self, found: Trajectory) -> Iterator[str]:
        """Yield the names of what defines a run and is not the same in the one that was found."""
        attributes = found.data.attrs
        options = json.dumps(self.options, sort_keys=True)
        for name, given, own in (
            ("setting", found.setting.to_dict(), self.setting),
            ("engine", attributes.get("engine"), self.engine),
            ("d", attributes.get("d") or None, self.d),
            ("seed", attributes.get("seed"), self.seed),
            ("options", attributes.get("options", options), options),
            ("the version of rebatch", attributes.get("rebatch"), self.rebatch),
        ):
            if given != own:
                yield name


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
        If an argument is not allowed, the folder cannot be written to, or a worker has another version.

    Warns
    -----
    StoppedEarly
        On Ctrl-C, with the number of runs that are missing; and for each run that diverges, which is kept.
    SetAside
        For each file that is damaged or another run than its name says: it is renamed and the run repeated.

    Examples
    --------
    >>> import tempfile
    >>> setting = Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=3)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     len(sweep(setting, d=[100, 200], seeds=3, folder=folder))
    6
    """
    runs = _runs(settings, engine, d, seeds, options)
    place = require_folder(folder)
    clear(place)
    found = {run.name: run.find(place) for run in runs}
    missing = [run for run in runs if found[run.name] is None]
    _log.info("sweep: %d runs, %d of them to do, in %s", len(runs), len(missing), place)
    try:
        with progress(f"sweep, {engine}", len(runs)) as done:
            done(len(runs) - len(missing))
            stops = _stops(missing, str(place.resolve()), threads, client)
            for count, (run, stopped) in enumerate(zip(missing, stops, strict=True), 1):
                if stopped.startswith(INTERRUPTED):
                    raise KeyboardInterrupt
                if stopped:
                    warn(f"d = {run.d}, seed = {run.seed}: {stopped}", StoppedEarly)
                done(len(runs) - len(missing) + count)
                _log.info("sweep: %d of %d done", count, len(missing))
    except KeyboardInterrupt:
        found, asked = {run.name: run.find(place) for run in runs}, len(runs)
        runs = [run for run in runs if found[run.name] is not None]
        message = f"interrupted: {asked - len(runs)} of {asked} runs are missing; the same call continues"
        warn(message, StoppedEarly)
    return Runs(found[run.name] or Trajectory.load(place / run.name) for run in runs)


@contextmanager
def kept_runs(folder: str | os.PathLike[str] | None) -> Iterator[None]:
    """Keep every run of the studies within, so that the same study continues where it was cut off.

    The store is that of :func:`sweep`: a run whose file is there is not repeated.

    Parameters
    ----------
    folder : path or None
        Made if missing; None keeps nothing.

    Raises
    ------
    RebatchError
        If the folder cannot be written to.

    Examples
    --------
    >>> import tempfile
    >>> from rebatch import learnability
    >>> with tempfile.TemporaryDirectory() as folder, kept_runs(folder):
    ...     first = learnability("z1", dimensions=[50, 100, 200], runs=6)
    ...     again = learnability("z1", dimensions=[50, 100, 200], runs=6)  # read from the folder
    >>> str(first) == str(again)
    True
    """
    place = None if folder is None else require_folder(folder)
    if place is not None:
        clear(place)
    token = _kept_in.set(place)
    try:
        yield
    finally:
        _kept_in.reset(token)


def simulate_kept(
    setting: Setting,
    engine: Engine = "lazy",
    *,
    d: int | None = None,
    seed: int,
    threads: int | None = None,
    **options: Any,
) -> Trajectory:
    """Return the run of :func:`simulate`; within :func:`kept_runs` from its file, or into it.

    Warns
    -----
    StoppedEarly
        As a run does that is not kept.
    """
    folder = _kept_in.get()
    if folder is None:
        return simulate(setting, engine, d=d, seed=seed, threads=threads, **options)
    one = _Run.of(setting, engine, d, seed, options)
    found = one.find(folder)
    _log.info("%s: %s", folder / one.name, "to do" if found is None else "kept")
    found = found or one.run(folder, threads)
    if found.stopped:
        warn_of_stop(found.stopped)
    return found


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
    checks.one_of("engine", engine, ENGINES)
    given: Any = settings
    listed = [given] if isinstance(given, Setting) else list(given) if isinstance(given, Sequence) else []
    if not listed or not all(isinstance(setting, Setting) for setting in listed):
        raise RebatchError("settings: allowed are a Setting and nonempty sequences of them")
    try:
        json.dumps(options)
    except (TypeError, ValueError) as error:
        raise RebatchError(f"options of a sweep define its files and must be plain data: {error}") from None
    dimensions = [None] if d is None else [checks.integer("d", size, least=1) for size in _several(d)]
    several = _several(seeds) if isinstance(seeds, Sequence | np.ndarray) else None
    how_many = checks.integer("seeds", seeds, least=0) if several is None else len(several)
    if not dimensions or not how_many:
        raise RebatchError(
            f"d = {checks.shown(d)} and seeds = {checks.shown(seeds)}; allowed are at least one of each"
        )
    require(_BYTES_PER_RUN * len(listed) * len(dimensions) * how_many, f"a sweep with {how_many} seeds")
    numbers = (
        range(how_many)
        if several is None
        else [checks.integer("seed", seed, least=0, most=None) for seed in several]
    )
    runs = [
        _Run.of(setting, engine, size, seed, options)
        for setting, size, seed in itertools.product(listed, dimensions, numbers)
    ]
    if len({run.name for run in runs}) < len(runs):
        raise RebatchError("a setting, dimension or seed is given twice; allowed is once")
    return runs


def _several(values: Any) -> list[Any]:
    return list(values) if isinstance(values, list | tuple | range | np.ndarray) else [values]
