"""A run again, from what was saved of it: the same numbers to the last bit, or a word on where they differ."""

import json
import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..symbolic.errors import RebatchError
from .formats import ending_of, provenance
from .machine.files import read
from .plan import Plan
from .setting import Setting
from .simulate import simulate
from .trajectory import Trajectory, installed_version

_COMPARED = ("M", "Q", "training_loss")


@dataclass(frozen=True, eq=False)
class Repeated:
    """A run, and what the one that it repeats had.

    Attributes
    ----------
    run : Trajectory
    first : dict from name to ndarray
        M, Q and the training loss of the first run, of the steps that it has; empty where a plan was run.
    version : str
        Of rebatch, by which the first run was made; empty where a plan was run.
    """

    run: Trajectory
    first: dict[str, NDArray[np.float64]]
    version: str

    @property
    def difference(self) -> float | None:
        """The largest difference from the first run, infinite where they have other steps; None for a plan."""
        if not self.first:
            return None
        pairs = [(self.run.data[name].values, values) for name, values in self.first.items()]
        if any(ours.shape != theirs.shape for ours, theirs in pairs):
            return float("inf")
        largest = 0.0
        for ours, theirs in pairs:
            same = (ours == theirs) | (np.isnan(ours) & np.isnan(theirs))
            with np.errstate(invalid="ignore"):
                off = np.where(same, 0.0, np.abs(ours - theirs))
            largest = max(largest, float(np.nan_to_num(off, nan=np.inf).max(initial=0.0)))
        return largest

    @property
    def statement(self) -> str:
        """Whether the numbers are the same, in one sentence."""
        off = self.difference
        if off is None:
            return "run as the plan says"
        if off == 0:
            return "the same numbers to the last bit"
        here = installed_version()
        versions = "" if self.version == here else f"; it was made by rebatch {self.version}, this is {here}"
        return f"other numbers than in the file, by up to {off:.3g}{versions}"


def repeat(path: str | os.PathLike[str], *, threads: int | None = None) -> Repeated:
    """Run again what a file holds: a saved trajectory (netCDF or JSON), or a plan in TOML with one run.

    Parameters
    ----------
    path : path
        What :meth:`Trajectory.save` wrote, or ``rebatch simulate --json`` of one run, or a plan as for a sweep.
    threads : int, optional
        The numbers do not depend on it.

    Returns
    -------
    Repeated
        The run, and whether its numbers are those of the file.

    Raises
    ------
    RebatchError
        If the file is none of these, or the run had arrays that no file holds (X of one's own).

    Examples
    --------
    >>> from rebatch import Setting, repeat, simulate
    >>> import tempfile
    >>> run = simulate(Setting(target="z1", activation="relu", alpha=2, eta=0.1, steps=2), d=50, seed=1)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     run.save(f"{folder}/run.nc")
    ...     repeat(f"{folder}/run.nc").statement
    'the same numbers to the last bit'
    """
    ending = ending_of(path)
    if ending == ".toml":
        return _of_plan(path, threads)
    first, setting, attributes = _of_json(path) if ending == ".json" else _of_trajectory(path)
    try:
        given = provenance(attributes)
    except RebatchError as error:
        raise RebatchError(f"{os.fspath(path)} cannot be repeated: {error}") from None
    if unsaved := attributes.get("unsaved"):
        raise RebatchError(
            f"{os.fspath(path)} cannot be repeated: it was run with {unsaved}, which no file holds"
        )
    run = simulate(
        setting, given["engine"], d=given["d"], seed=given["seed"], threads=threads, **given["options"]
    )
    return Repeated(run, first, str(attributes.get("rebatch", "")))


def _of_plan(path: str | os.PathLike[str], threads: int | None) -> Repeated:
    """Run the one run of a plan."""
    plan = Plan.load(path)
    if len(plan) != 1:
        raise RebatchError(f"{os.fspath(path)} holds {len(plan)} runs; allowed is one, or: rebatch sweep")
    d = None if plan.d is None else plan.d[0]
    run = simulate(plan.settings[0], plan.engine, d=d, seed=plan.seeds[0], threads=threads, **plan.options)
    return Repeated(run, {}, "")


Read = tuple[dict[str, NDArray[np.float64]], Setting, dict[str, Any]]


def _of_trajectory(path: str | os.PathLike[str]) -> Read:
    found = Trajectory.load(path)
    return {name: found.data[name].values for name in _COMPARED}, found.setting, dict(found.data.attrs)


def _of_json(path: str | os.PathLike[str]) -> Read:
    """Return the arrays, setting and provenance of a run that was written as JSON, alone or among `runs`."""
    name, text = os.fspath(path), read(path)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        raise RebatchError(f"{name} is not JSON") from None
    if not isinstance(data, dict) or not isinstance(data.get("setting"), dict):
        raise RebatchError(f"{name} is not the JSON of a run: it lacks `setting`")
    runs = data.get("runs", [{}])
    if not isinstance(runs, list) or len(runs) != 1 or not isinstance(runs[0], dict):
        raise RebatchError(f"{name} holds {len(runs) if isinstance(runs, list) else 0} runs; allowed is one")
    data = {**data, **runs[0]}
    try:
        first = {key: np.array(data[key], dtype=np.float64) for key in _COMPARED}
    except (KeyError, TypeError, ValueError):
        raise RebatchError(f"{name} is not the JSON of a run: {', '.join(_COMPARED)} are no arrays") from None
    return first, Setting.from_dict(data["setting"]), data
