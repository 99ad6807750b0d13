"""A sweep, drawn: its last overlaps against one of its parameters, or over two (Matplotlib)."""

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from ..symbolic.errors import RebatchError
from .canvas import NEW, Canvas, colours, styled
from .gathered import last_overlaps, parameters_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# So many values of a parameter are named one by one.
_FEW = 4
# More curves than these nobody tells apart.
_MOST_CURVES = 12


@styled
def draw_sweep(
    data: xr.Dataset, x: str | None = None, y: str | None = None, canvas: Canvas = NEW
) -> "np.ndarray[Any, Any]":
    """Draw the last overlaps of a sweep, a panel per direction: against x, or as a heat map over x and y.

    A curve for each combination of what else varies but the seed; points are means over the runs behind them, with
    two standard errors. A heat map shows means over all that is on neither axis.

    Parameters
    ----------
    data : xarray.Dataset
        As :func:`~rebatch.numeric.gathered.gathered` returns it.
    x, y : str, optional
        Parameters that vary; x by default the first of them that is a number and no seed.
    canvas : Canvas

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (k,)

    Raises
    ------
    RebatchError
        If a name is no parameter that varies, or none does, or there would be more than 12 curves.
    """
    size, varying = last_overlaps(data), parameters_of(data)
    x = x or next((n for n in varying if n != "seed" and data[n].dtype.kind in "if"), None)
    for option, name in (("x", x), ("y", y)):
        if name is not None and name not in varying:
            raise RebatchError(f"{option} = {name!r} does not vary here; allowed are {', '.join(varying)}")
    if x is None:
        raise RebatchError("no parameter varies but the seed; allowed is a sweep over at least one number")
    panels = canvas.panels(data.sizes["direction"], sharey=y is None)
    for panel, name in zip(panels, data.direction.values, strict=True):
        here = size.sel(direction=name)
        if y is None:
            _curves(panel, here, x, [n for n in varying if n not in (x, "seed")])
            panel.set(xlabel=x, title=f"direction {name}")
        else:
            _heat_map(panel, here, x, y)
            panel.set(xlabel=x, ylabel=y, title=f"direction {name}")
    if y is None:
        panels[0].set_ylabel("last overlap, norm over neurons")
        canvas.legend(panels, panels[0].get_legend_handles_labels()[0])
    canvas.say(panels, _said(data, x, y, varying))
    return panels


def _said(data: xr.Dataset, x: str, y: str | None, varying: list[str]) -> str:
    """Return what a sweep is over, and what is drawn of it."""
    ranges = []
    for name in varying:
        values = np.unique(
            data[name].values.astype(object) if data[name].dtype == object else data[name].values
        )
        shown = ", ".join(map(str, values)) if len(values) <= _FEW else f"{values[0]} to {values[-1]}"
        ranges.append(f"{name} = {shown}")
    drawn = "means over runs, 2 s.e." if y is None else f"means over all but {x} and {y}"
    return "; ".join([*ranges, data.attrs.get("common", ""), drawn])


def _points(values: xr.DataArray, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return for every value its place, shape (runs, len(names)), and the values, those that are missing left out."""
    broadcast = xr.broadcast(values, *(values[n] for n in names))
    found, *places = (array.values.ravel() for array in broadcast)
    kept = np.isfinite(found.astype(float))
    # Numbers and texts side by side stay what they are.
    return np.stack([p[kept].astype(object) for p in places], axis=1), found[kept]


def _curves(panel: "Axes", values: xr.DataArray, x: str, others: list[str]) -> None:
    """Draw means over what is not named, with two standard errors, a colour for each value of the others."""
    places, found = _points(values, [x, *others])
    keys = sorted({tuple(row[1:]) for row in places})
    if len(keys) > _MOST_CURVES:
        raise RebatchError(
            f"{len(keys)} curves, one for each of {', '.join(others)}; allowed are {_MOST_CURVES}: give y too"
        )
    for colour, key in zip(colours(len(keys)), keys, strict=True):
        mine = [all(row[1:] == key) for row in places]
        at, here = places[mine, 0], found[mine]
        where = np.unique(at)
        groups = [here[at == w] for w in where]
        errors = [2 * g.std(ddof=1) / np.sqrt(len(g)) if len(g) > 1 else 0.0 for g in groups]
        label = ", ".join(f"{n} = {v}" for n, v in zip(others, key, strict=True))
        means = [g.mean() for g in groups]
        panel.errorbar(where, means, errors, fmt="o-", color=colour, label=label or None)
    panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)


def _heat_map(panel: "Axes", values: xr.DataArray, x: str, y: str) -> None:
    """Draw means over what is not named as a colour for each pair of values."""
    places, found = _points(values, [x, y])
    columns, rows = np.unique(places[:, 0]), np.unique(places[:, 1])
    grid = np.full((len(rows), len(columns)), np.nan)
    for i, j in np.ndindex(grid.shape):
        here = (places[:, 0] == columns[j]) & (places[:, 1] == rows[i])
        grid[i, j] = found[here].mean() if here.any() else np.nan
    image = panel.imshow(grid, origin="lower", aspect="auto", cmap="cividis")
    panel.set_xticks(range(len(columns)), [f"{c:g}" if isinstance(c, float) else str(c) for c in columns])
    panel.set_yticks(range(len(rows)), [f"{r:g}" if isinstance(r, float) else str(r) for r in rows])
    panel.figure.colorbar(image, ax=panel, label="last overlap, norm over neurons")
