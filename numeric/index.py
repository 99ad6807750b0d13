"""What a folder of runs holds: a table of them that other tools read, and the runs as one dataset."""

import csv
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..symbolic.errors import RebatchError
from .gathered import gathered, labels_of, last_sizes
from .trajectory import Trajectory

NAME = "index.csv"
_IDENTITY = ("setting", "engine", "d", "seed", "options", "rebatch")


@dataclass(frozen=True)
class Folder:
    """The runs of a folder.

    Attributes
    ----------
    files : tuple of str
        Names of the files of the runs.
    runs : tuple of Trajectory
    unreadable : dict from str to str
        The netCDF files that are no runs, or copies of one, and why.
    """

    files: tuple[str, ...]
    runs: tuple[Trajectory, ...]
    unreadable: dict[str, str]

    @cached_property
    def data(self) -> xr.Dataset:
        """All runs in one dataset; see :func:`~rebatch.numeric.gathered.gathered`."""
        return gathered(self.runs)

    def rows(self) -> list[dict[str, Any]]:
        """Return for each run its file, all that defines it, why it stopped, and its last overlaps.

        ``|M z1|`` is the norm over neurons of the overlap with the first direction, at the last step kept.
        """
        return [
            {
                "file": file,
                **labels_of(run),
                "stopped": run.stopped,
                "last_step": int(run.data.step.values[-1]),
                "training_loss": float(np.mean(run.training_loss.values[..., -1])),
                **{f"|M {name}|": size for name, size in last_sizes(run).items()},
            }
            for file, run in zip(self.files, self.runs, strict=True)
        ]


def read_folder(folder: str | os.PathLike[str]) -> Folder:
    """Read every run of a folder; what is no run is named, and left where it is.

    Raises
    ------
    RebatchError
        If there is no such folder, or no run in it.
    """
    place = Path(folder)
    if not place.is_dir():
        raise RebatchError(f"folder = {str(folder)!r} is no folder; allowed is one with runs")
    runs: dict[str, Trajectory] = {}
    known: dict[tuple[str, ...], str] = {}
    unreadable = {}
    for path in sorted(place.glob("*.nc")):
        try:
            run = Trajectory.load(path)
        except RebatchError as error:
            unreadable[path.name] = str(error)
            continue
        # Twice the same run would count twice in every mean.
        if (first := known.setdefault(_identity(run), path.name)) != path.name:
            unreadable[path.name] = f"the same run as {first}"
        else:
            runs[path.name] = run
    if not runs:
        raise RebatchError(f"{place} holds no run; allowed is the folder of a sweep")
    return Folder(tuple(runs), tuple(runs.values()), unreadable)


def _identity(run: Trajectory) -> tuple[str, ...]:
    """Return what tells a run from others: what made it, and its numbers (a file has no data of a user)."""
    return (*(str(run.data.attrs.get(name)) for name in _IDENTITY), run.M.values.tobytes().hex())


def write_index(folder: str | os.PathLike[str]) -> Path:
    """Write the table of a folder's runs as CSV beside them, to a temporary name first, and return its path.

    Raises
    ------
    RebatchError
        As :func:`read_folder`.
    """
    rows = read_folder(folder).rows()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    path = Path(folder) / NAME
    partial = path.with_suffix(".partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(rows)
    partial.replace(path)
    return path
