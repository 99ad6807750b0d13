"""In which form a trajectory is written, by the ending of its file: netCDF, CSV, JSON or Parquet.

netCDF and JSON hold the whole run with its provenance, from which :mod:`~rebatch.numeric.repeat` runs it again; CSV
and Parquet hold the table of its records, a row for each step, for other tools.
"""

import io
import json
import os
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..symbolic.errors import RebatchError

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

# What a run is repeated from, beside its setting.
PROVENANCE = ("engine", "d", "seed", "options", "rebatch", "stopped")
_OTHERS = (".json", ".csv", ".parquet")
# A name without an ending is one of netCDF too; the others are those of HDF5, which it is.
_NETCDF = (".nc", ".nc4", ".h5", ".hdf5", "")
_PARQUET = ("pyarrow", "fastparquet")


def require_ending(path: str | os.PathLike[str]) -> None:
    """Refuse an ending whose files are not written, or cannot be written here, before the work.

    Raises
    ------
    RebatchError
        If it stands for no format that is known, or is .parquet and nothing that writes Parquet is installed.
    """
    ending = ending_of(path)
    if ending not in (*_NETCDF, *_OTHERS):
        raise RebatchError(
            f"{os.fspath(path)!r} ends in {ending!r}; allowed are {', '.join(('.nc', *_OTHERS))}"
        )
    if ending == ".parquet" and not any(map(find_spec, _PARQUET)):
        raise RebatchError(
            f"{os.fspath(path)!r}: Parquet is written with the help of pyarrow, which is not installed; "
            "allowed without it are .nc, .csv and .json"
        )


def as_bytes(
    path: str | os.PathLike[str], data: "xr.Dataset", table: "Callable[[], pd.DataFrame]"
) -> tuple[bytes, ...]:
    """Return what a file of this name holds, by its ending: netCDF where it has none."""
    require_ending(path)
    ending = ending_of(path)
    if ending == ".csv":
        return (table().to_csv(index=False).encode(),)
    if ending == ".json":
        return (json.dumps(as_json(data), indent=2, allow_nan=False).encode(),)
    if ending == ".parquet":
        held = io.BytesIO()
        table().to_parquet(held, index=False)
        return (held.getvalue(),)
    from .storage import to_bytes  # noqa: PLC0415 - a run that is not written needs no HDF5

    return to_bytes(data)


def ending_of(path: object) -> str:
    """Return the ending of a file's name in small letters; none of what is no path."""
    return Path(path).suffix.lower() if isinstance(path, str | Path) else ""


def as_json(data: "xr.Dataset") -> dict[str, Any]:
    """Return a run as JSON-ready data: its setting, where it comes from, and every variable with its dimensions."""
    own = {name: _plain(data.attrs[name]) for name in PROVENANCE if name in data.attrs}
    return {
        "setting": json.loads(data.attrs["setting"]),
        **own,
        "step": data["step"].values.tolist(),
        **{str(name): numbers(values.values) for name, values in data.data_vars.items()},
    }


def numbers(values: NDArray[Any]) -> Any:
    """Return nested lists, with null for what JSON has no number for."""
    listed = values.astype(object)
    if values.dtype.kind == "f":
        listed[~np.isfinite(values)] = None
    return listed.tolist()


def _plain(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def provenance(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the engine, d, seed and options of a run from the attributes of its data.

    Raises
    ------
    RebatchError
        If they do not say how it was run.
    """
    missing = [name for name in ("engine", "seed") if attributes.get(name) is None]
    if missing:
        raise RebatchError(f"it does not say its {' and '.join(missing)}")
    try:
        options = json.loads(attributes.get("options") or "{}")
    except (TypeError, json.JSONDecodeError):
        options = None
    if not isinstance(options, dict):
        raise RebatchError("its options are no JSON")
    return {
        "engine": str(attributes["engine"]),
        "d": None if not attributes.get("d") else int(attributes["d"]),
        "seed": int(attributes["seed"]),
        "options": options,
    }
