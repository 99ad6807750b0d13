"""Overlaps against the step, drawn: predictions as curves with a band, runs as points with bars (Matplotlib)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..symbolic.errors import RebatchError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Okabe and Ito's colours can be told apart by colour-blind readers and in grey print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Neurons beyond so many are told apart by their curves alone, not by a legend.
_NAMED_NEURONS = 6


def draw_trajectory(
    curve: xr.Dataset, runs: Sequence[xr.Dataset] = (), axes: "Sequence[Axes] | None" = None
) -> "np.ndarray[Any, Any]":
    """Draw the overlaps of a trajectory against the step, a panel per direction and a colour per neuron.

    Parameters
    ----------
    curve : xarray.Dataset
        The data of a trajectory. Drawn as lines, with a band of two standard errors where it states its errors;
        replicas by their mean.
    runs : sequence of xarray.Dataset
        Drawn as points: their mean with two standard errors, at the steps that all of them have.
    axes : sequence of k matplotlib.axes.Axes, optional
        By default of a new figure.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (k,)

    Raises
    ------
    RebatchError
        If there are not k axes.
    """
    M = curve.M.mean("replica") if "replica" in curve.M.dims else curve.M
    directions = [str(name) for name in M.direction.values]
    panels = _panels(len(directions), axes)
    points = xr.concat([run["M"] for run in runs], "run", join="inner") if runs else None
    neurons = M.sizes["neuron"]
    for panel, name in zip(panels, directions, strict=True):
        for j in range(neurons):
            colour = COLOURS[j % len(COLOURS)]
            values = M.sel(direction=name).isel(neuron=j)
            label = f"neuron {j + 1}" if 1 < neurons <= _NAMED_NEURONS else None
            panel.plot(M.step, values, color=colour, linewidth=1.2, label=label)
            if "M_error" in curve:
                error = 2 * curve.M_error.sel(direction=name).isel(neuron=j)
                panel.fill_between(
                    M.step, values - error, values + error, color=colour, alpha=0.25, linewidth=0
                )
            if points is not None:
                here = points.sel(direction=name).isel(neuron=j)
                count = here.sizes["run"]
                bars = 2 * here.std("run", ddof=1) / np.sqrt(count) if count > 1 else None
                panel.errorbar(
                    here.step, here.mean("run"), bars, fmt="o", color=colour, markersize=3.5, capsize=2
                )
        panel.set(xlabel="step", title=f"direction {name}")
        panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panels[0].set_ylabel("overlap M")
    if panels[0].get_legend_handles_labels()[0]:
        panels[0].legend(frameon=False, fontsize="small")
    return panels


def _panels(count: int, axes: "Sequence[Axes] | None") -> "np.ndarray[Any, Any]":
    """Return the axes that were given, or those of a new figure."""
    if axes is None:
        from matplotlib.figure import Figure  # noqa: PLC0415 - numbers are had without it, and it loads slowly

        figure = Figure(figsize=(1 + 3.2 * count, 3.2), layout="constrained")
        panels: np.ndarray[Any, Any] = figure.subplots(1, count, squeeze=False, sharey=True)[0]
        return panels
    panels = np.atleast_1d(np.asarray(axes, dtype=object))
    if panels.shape != (count,):
        raise RebatchError(f"{panels.size} axes; allowed are {count}, one per direction")
    return panels
