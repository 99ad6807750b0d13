"""Trajectory: what one run of an engine returns, labelled, with its provenance; saved and loaded as netCDF."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Tabulated
from .formats import as_bytes
from .machine import files
from .machine.blocks import thread_pool
from .population import population
from .setting import Setting

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .canvas import Canvas

# How the reason begins why an interrupted run stopped.
INTERRUPTED = "interrupted"


@cache
def installed_version() -> str:
    """Return the version of rebatch, which is read from disk once."""
    return version("rebatch")


@cache
def _axes(neurons: int, directions: int) -> xr.Coordinates:
    """Return the labels of neurons and directions, made once: a small run is a few milliseconds."""
    return xr.Coordinates(
        {"neuron": np.arange(1, neurons + 1), "direction": [f"z{i + 1}" for i in range(directions)]}
    )


@lru_cache(maxsize=64)
def _setting(text: str) -> Setting:
    """Return the setting of a JSON text: the runs of a sweep share a few."""
    return Setting.from_json(text)


@dataclass(frozen=True, eq=False)
class Trajectory(Tabulated, Drawn):
    """The overlaps of one run, step by step.

    Attributes
    ----------
    data : xarray.Dataset
        ``M`` (step, neuron, direction), ``Q`` (step, neuron, other), ``training_loss`` (step); its attributes hold
        the setting as JSON, the engine, d and the seed, and as ``stopped`` why a run ended early. Several replicas
        of one setting add a first dimension ``replica``.
    """

    data: xr.Dataset

    @classmethod
    def build(
        cls,
        setting: Setting,
        M: NDArray[np.float64],
        Q: NDArray[np.float64],
        training_loss: NDArray[np.float64],
        *,
        step: ArrayLike | None = None,
        variables: Mapping[str, tuple[Any, ...]] | None = None,
        **provenance: Any,
    ) -> "Trajectory":
        """Return the trajectory with these overlaps.

        Parameters
        ----------
        setting : Setting
        M : ndarray, shape (steps, p, k), or (replicas, steps, p, k)
        Q : ndarray, shape (steps, p, p), or (replicas, steps, p, p)
        training_loss : ndarray, shape (steps,), or (replicas, steps)
        step : array_like of int, shape (steps,), optional
            The steps that were kept; by default 0, 1, 2, ….
        variables : mapping from name to (dimensions, values) or (dimensions, values, attributes), optional
            What else an engine has to say.
        **provenance
            Kept with the data: engine, d, seed, ….
        """
        replica = ("replica",) if M.ndim == 4 else ()
        return cls(
            xr.Dataset(
                {
                    "M": ((*replica, "step", "neuron", "direction"), M),
                    "Q": ((*replica, "step", "neuron", "other"), Q),
                    "training_loss": ((*replica, "step"), training_loss),
                    **(variables or {}),
                },
                coords={
                    "step": np.arange(M.shape[-3]) if step is None else np.asarray(step),
                    **_axes(*M.shape[-2:]),
                },
                attrs={
                    "setting": setting.to_json(),
                    "rebatch": installed_version(),
                    "stopped": "",
                    **provenance,
                },
            )
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Trajectory) and bool(self.data.identical(other.data))

    __hash__ = None  # type: ignore[assignment]

    @property
    def M(self) -> xr.DataArray:
        """Overlaps with the index directions, M = W W*^T / d, shape (steps + 1, p, k)."""
        return self.data["M"]

    @property
    def Q(self) -> xr.DataArray:
        """Overlaps among neurons, Q = W W^T / d, shape (steps + 1, p, p)."""
        return self.data["Q"]

    @property
    def training_loss(self) -> xr.DataArray:
        """Training loss per sample at each step, shape (steps + 1,)."""
        return self.data["training_loss"]

    @cached_property
    def test_loss(self) -> xr.DataArray:
        """Loss per sample at a fresh input, label noise included, at each step, shape (steps + 1,).

        The limit says it with its error. Of other engines it is computed here when it is asked for, since it depends
        on (M, Q) alone (theory, 4: Outputs): closed for erf networks and polynomials, see the flow, and otherwise on
        65536 Sobol points, a few milliseconds a step; a loss of 1 is then known to about 1e-4.
        """
        if "test_loss" in self.data:
            return self.data["test_loss"]
        fresh = population(self.setting)
        M, Q = self.M.values, self.Q.values
        with thread_pool(1):  # BLAS has other bits on other threads
            losses = [fresh.loss(M[at], Q[at]) for at in np.ndindex(M.shape[:-2])]
        attributes = {
            "long_name": "loss per sample at a fresh input, from M and Q",
            "expectations": "exact" if fresh.exact else "Sobol",
        }
        return xr.DataArray(
            np.reshape(losses, M.shape[:-2]),
            coords={"step": self.data["step"]},
            dims=self.training_loss.dims,
            attrs=attributes,
        )

    def with_test_loss(self) -> "Trajectory":
        """Return the same trajectory with the test loss among its data, so that :meth:`save` writes it too."""
        return Trajectory(self.data.assign(test_loss=self.test_loss))

    @property
    def stopped(self) -> str:
        """Why the run ended before its last step; empty if it did not."""
        return str(self.data.attrs.get("stopped", ""))

    @property
    def interrupted(self) -> bool:
        """Whether Ctrl-C ended the run before its last step."""
        return self.stopped.startswith(INTERRUPTED)

    def require_all_steps(self) -> None:
        """Refuse a run that ended before its last step.

        Raises
        ------
        RebatchError
            With the reason.
        KeyboardInterrupt
            If that was Ctrl-C: whoever needs all steps is interrupted, too.
        """
        if self.interrupted:
            raise KeyboardInterrupt
        if self.stopped:
            raise RebatchError(f"{self.setting}: {self.stopped}")

    @cached_property
    def setting(self) -> Setting:
        """The setting that was run."""
        return _setting(self.data.attrs["setting"])

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the trajectory, by its ending; an existing file is replaced only by a complete one.

        .csv and .parquet hold the table of its records, .json and .nc (netCDF, also without an ending) the whole run,
        from which :func:`rebatch.repeat` runs it again. Only netCDF is read by :meth:`load`.

        Raises
        ------
        RebatchError
            If it cannot be written: another ending, no space, no right, a device, no library for Parquet.
        """
        files.write(path, *as_bytes(path, self.data, self.to_dataframe))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Trajectory":
        """Read a trajectory that :meth:`save` wrote.

        Raises
        ------
        RebatchError
            If the file is missing, damaged, or not a trajectory; the message names it.
        """
        from .storage import from_bytes  # noqa: PLC0415 - a run that is not read needs no HDF5

        raw = files.read(path)
        try:
            loaded = cls(from_bytes(raw))
            loaded._check()
        except RebatchError as error:
            raise RebatchError(f"{os.fspath(path)} is not a trajectory: {error}") from None
        return loaded

    def _check(self) -> None:
        """Refuse data that are not those of a trajectory, with the first reason."""
        if missing := {"M", "Q", "training_loss"} - set(self.data.data_vars):
            raise RebatchError(f"it lacks {', '.join(sorted(missing))}")
        if not isinstance(self.data.attrs.get("setting"), str):
            raise RebatchError("it lacks the attribute `setting`")
        if not isinstance(self.data.attrs.get("stopped", ""), str):
            raise RebatchError("its attribute `stopped` is not a text")
        setting, steps = self.setting, self.data.sizes.get("step", 0)
        p, k = setting.neurons, setting.k
        replica = ("replica",) if "replica" in self.M.dims else ()
        for name, dimensions, shape in (
            ("M", ("step", "neuron", "direction"), (steps, p, k)),
            ("Q", ("step", "neuron", "other"), (steps, p, p)),
            ("training_loss", ("step",), (steps,)),
        ):
            values = self.data[name]
            fits = values.dims == (*replica, *dimensions) and values.shape[len(replica) :] == shape
            if not fits or values.dtype != np.float64:
                raise RebatchError(
                    f"{name} is {values.dtype} of {dict(values.sizes)}, which its setting has not"
                )
        step = self.data["step"].values
        if step.dtype.kind not in "iu" or (np.diff(step) <= 0).any():
            raise RebatchError("its steps are not integers in order")

    def plot(  # type: ignore[override]
        self,
        runs: "Sequence[Trajectory]" = (),
        axes: "Axes | Sequence[Axes] | None" = None,
        *,
        ax: "Axes | Sequence[Axes] | None" = None,
    ) -> "np.ndarray[Any, Any]":
        """Draw the overlaps against the step, a panel per direction, and return the axes, shape (k,).

        Where no direction is known, the training loss, on one panel.

        Parameters
        ----------
        runs : sequence of Trajectory
            Drawn as points over the curves: their mean with two standard errors.
        ax : Axes or sequence of k Axes, optional
            By default of a new figure of pyplot, which notebooks show by themselves. `axes` is the same.

        Raises
        ------
        RebatchError
            If there are not k axes.
        """
        return super().plot(ax if axes is None else axes, runs=runs)

    def draw(self, canvas: "Canvas", runs: "Sequence[Trajectory]" = ()) -> "np.ndarray[Any, Any]":
        """Draw it on a canvas: see :func:`~rebatch.numeric.curves.draw_trajectory`."""
        from .curves import draw_losses, draw_trajectory  # noqa: PLC0415 - numbers are had without a figure

        drawing = draw_trajectory if self.M.sizes["direction"] else draw_losses
        return drawing(self.data, [run.data for run in runs], canvas, self.setting)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each step: training loss and overlaps, with their errors where they are stated."""
        data = self.data.mean("replica") if "replica" in self.data.dims else self.data
        columns = {"step": data["step"].values, "training loss": data["training_loss"].values}
        for j, r in np.ndindex(*data["M"].shape[1:]):
            name = f"M[{j + 1}, {data['direction'].values[r]}]"
            columns[name] = data["M"].values[:, j, r]
            if "M_error" in data:
                columns[f"{name} error"] = data["M_error"].values[:, j, r]
        rows = zip(*(values.tolist() for values in columns.values()), strict=True)
        return [dict(zip(columns, row, strict=True)) for row in rows]

    def __str__(self) -> str:
        return f"Trajectory of {self.setting}\n{self.data}"

    def _repr_html_(self) -> str:
        return str(self.data._repr_html_())
