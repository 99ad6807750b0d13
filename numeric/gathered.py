"""Many trajectories as one labelled dataset: an axis for each parameter that varies among them."""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from ..symbolic.errors import RebatchError
from ..symbolic.overlap.network import default_readout
from .trajectory import Trajectory

# What the data carry along every axis of their own, whichever parameters vary.
_VARIABLES = ("M", "Q", "training_loss", "test_loss")
# What a reader must know of an experiment, where it is one for all runs.
_NAMED = (
    "target",
    "inputs",
    "noise",
    "noise_std",
    "activation",
    "neurons",
    "alpha",
    "eta",
    "weight_decay",
    "loss",
    "steps",
    "reuse",
    "engine",
    "d",
)
# Not said where they are 0.
_OFTEN_ZERO = ("noise_std", "weight_decay")
# The axes of one trajectory.
_OWN_AXES = {"step", "neuron", "other", "direction", "replica"}


def gathered(runs: Sequence[Trajectory]) -> xr.Dataset:
    """Return the overlaps and losses of several runs in one dataset.

    What differs among the runs (parameters of the setting, engine, d, seed) becomes an axis each where the runs are
    all combinations of its values, else a label of the one axis ``run``. Runs of different lengths or sizes share the
    longest; what a run has not is NaN.

    Parameters
    ----------
    runs : sequence of Trajectory
        At least one.

    Returns
    -------
    xarray.Dataset
        ``M`` (…, step, neuron, direction), ``Q`` (…, step, neuron, other), ``training_loss`` (…, step), and
        ``stopped`` (…), why a run ended early; the attribute ``common`` says in words what is the same for all.

    Raises
    ------
    RebatchError
        If there is no run.

    Examples
    --------
    >>> from rebatch import Setting, simulate
    >>> setting = Setting(target="z1", activation="erf", alpha=2, eta=0.5, steps=3)
    >>> dict(gathered([simulate(setting, d=d, seed=s) for d in (50, 90) for s in (0, 1)]).M.sizes)
    {'d': 2, 'seed': 2, 'step': 4, 'neuron': 1, 'direction': 1}
    """
    if not runs:
        raise RebatchError("no runs; allowed is at least one trajectory")
    labels = [labels_of(run) for run in runs]
    names = sorted(set().union(*labels))
    varying = [n for n in names if len({_key(label.get(n)) for label in labels}) > 1] or ["seed"]
    data = xr.concat([_shared(run) for run in runs], "run", data_vars="all", join="outer", fill_value=np.nan)
    data = data.assign_coords({name: ("run", [label[name] for label in labels]) for name in varying})
    if prod(len({_key(label.get(n)) for label in labels}) for n in varying) == len(runs):
        data = (
            data.set_index(run=varying).unstack("run") if len(varying) > 1 else data.swap_dims(run=varying[0])
        )
        data = data.transpose(*varying, ...)
    fixed = ((name, labels[0].get(name)) for name in _NAMED if name not in varying)
    data.attrs["common"] = ", ".join(
        f"{name} = {value}"
        for name, value in fixed
        if value not in (None, "None", "gaussian") and not (name in _OFTEN_ZERO and value == 0)
    )
    return data


def _shared(run: Trajectory) -> xr.Dataset:
    """Return of a run what all have, made at once: each change of a dataset takes as long as reading its file."""
    held = {name: run.data.variables[name] for name in _VARIABLES if name in run.data.variables}
    axes = {axis for variable in held.values() for axis in variable.dims}
    labels = {axis: run.data.variables[axis].values for axis in axes if axis in run.data.variables}
    return xr.Dataset(
        {**{name: (v.dims, v.values) for name, v in held.items()}, "stopped": ((), run.stopped)},
        {**labels, "other": run.data.variables["neuron"].values},
    )


def parameters_of(data: xr.Dataset) -> list[str]:
    """Return the names of what varies in a gathered dataset."""
    if "run" in data.dims:
        return [str(name) for name, c in data.coords.items() if c.dims == ("run",) and name != "run"]
    return [str(name) for name in data.M.dims if name not in _OWN_AXES]


def last_overlaps(data: xr.Dataset) -> xr.DataArray:
    """Return the size of the last overlap that a run has with each direction, sqrt(sum_j M_jr^2), over replicas."""
    size: xr.DataArray = (data.M**2).sum("neuron", min_count=1) ** 0.5
    order = xr.DataArray(np.arange(size.sizes["step"]), dims="step")
    size = size.isel(step=order.where(size.notnull(), 0).max("step").astype(int))
    return size.mean("replica") if "replica" in size.dims else size


def last_sizes(run: Trajectory) -> dict[str, float]:
    """Return the size of the last overlap of one run with each direction, over replicas where there are several."""
    last = (run.M.isel(step=-1) ** 2).sum("neuron") ** 0.5
    if "replica" in last.dims:
        last = last.mean("replica")
    return {str(name): float(size) for name, size in zip(last.direction.values, last.values, strict=True)}


def labels_of(run: Trajectory) -> dict[str, Any]:
    """Return all that defines a run, by name, as numbers and texts."""
    setting = run.setting
    given = {**setting.to_dict(), **{n: run.data.attrs.get(n) for n in ("engine", "d", "seed")}}
    # The usual second layer follows from the number of neurons, as the number of coordinates from the target.
    if np.allclose(setting.readout, np.array(default_readout(setting.neurons), dtype=float)):
        given["readout"] = "default"
    del given["k"]
    # A setting leaves out what Gaussian inputs need not say.
    given.setdefault("inputs", setting.inputs.name)
    return {n: _plain(v) for n, v in given.items()}


def averaged(runs: Sequence[Trajectory]) -> xr.Dataset:
    """Return the means over several runs of one setting at every step, with the number of runs that have it.

    Parameters
    ----------
    runs : sequence of Trajectory
        At least one; those that stopped early count where they are.

    Returns
    -------
    xarray.Dataset
        ``M`` (step, neuron, direction) and ``training_loss`` (step), ``M_error``: the standard error of the mean, of
        one run the error that its engine gives, else NaN; ``training_loss_error`` likewise; ``runs`` (step).
    """
    if len(runs) == 1:
        data = runs[0].data
        error = data["M_error"] if "M_error" in data else xr.full_like(data["M"], np.nan)
        loss = data["training_loss"]
        loss_error = data.get("training_loss_error", xr.full_like(loss, np.nan))
        kept = data[["M", "training_loss"]].assign(
            M_error=error, training_loss_error=loss_error, runs=("step", np.ones(data.sizes["step"], int))
        )
        return kept.drop_attrs()
    pieces = [run.data[["M", "training_loss"]].drop_attrs() for run in runs]
    data = xr.concat(pieces, "run", data_vars="all", join="outer", fill_value=np.nan)
    there = data["training_loss"].notnull() | data["M"].notnull().any(("neuron", "direction"))
    counts = there.sum("run")
    # Of one run there is no spread.
    errors = (data.var("run") * counts / (counts - 1).where(counts > 1) / counts) ** 0.5
    return data.mean("run").assign(
        M_error=errors["M"], training_loss_error=errors["training_loss"], runs=counts
    )


def _plain(value: Any) -> int | float | str:
    """Return a value as a number of Python or a text."""
    if isinstance(value, np.generic):
        value = value.item()
    return value if isinstance(value, int | float | str) else str(value)


def _key(value: Any) -> tuple[str, Any]:
    """Return a label for comparison: 1, True and 1.0 are one number, and a text is never a number."""
    return ("text" if isinstance(value, str) else "number", value)
