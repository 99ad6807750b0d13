"""Datasets as the bytes of a netCDF file, and back; a file is believed only as far as it has been checked.

The file is HDF5 in netCDF-4's form (dimension scales), made in memory: the HDF5 library ends the process when the
disk is full. Behind it stand a mark and the SHA-256 of all bytes before, which HDF5 does not look at: a file in which
a bit has changed is refused before HDF5 reads it. What has no mark (an earlier version, another program) is read with
care: no links, no data elsewhere, nothing larger than the file can hold.
"""

import hashlib
import os
from typing import Any

import h5py
import numpy as np
import xarray as xr
from numpy.typing import NDArray

from ..symbolic.errors import RebatchError
from .machine.files import plain
from .machine.memory import require

_MARK = b"\nrebatch sha256 "
_DIGEST = 64
_NO_VARIABLE = b"This is a netCDF dimension but not a netCDF variable."
# What deflate makes of a zero at best; data beyond it is not in the file.
_COMPRESSION = 1100
# Attributes that netCDF-4 keeps for itself.
_OWN = ("CLASS", "NAME", "DIMENSION_LIST", "REFERENCE_LIST", "_FillValue")


def to_bytes(data: xr.Dataset) -> tuple[bytes, bytes]:
    """Return a dataset of numbers and texts as a netCDF file, and the mark that stands behind it."""
    require(3.0 * data.nbytes, "the file of a trajectory")
    # A name of its own: HDF5 takes two files of one name for one, in whichever threads they are.
    with h5py.File(os.urandom(8).hex(), "w", driver="core", backing_store=False, track_order=True) as file:
        scales = {}
        for number, (name, size) in enumerate(data.sizes.items()):
            scale = _scale(file, str(name), size, data.variables.get(name))
            scale.attrs.create("_Netcdf4Dimid", number, dtype=np.int32)
            scales[name] = scale
        for name, variable in data.variables.items():
            written = scales[name] if name in scales else _written(file, str(name), variable.values)
            if name not in scales:
                for axis, dimension in enumerate(variable.dims):
                    written.dims[axis].attach_scale(scales[dimension])
            _write_attributes(written, variable.attrs)
        _write_attributes(file, data.attrs)
        file.flush()
        image = file.id.get_file_image()
    return image, _MARK + hashlib.sha256(image).hexdigest().encode()


def _scale(file: h5py.File, name: str, size: int, variable: xr.Variable | None) -> h5py.Dataset:
    """Write a dimension with its labels, or without."""
    if variable is None:
        scale = file.create_dataset(name, shape=(size,), dtype=">f4")
        scale.make_scale(f"{_NO_VARIABLE.decode()} {size:9d}")
    else:
        scale = _written(file, name, variable.values)
        scale.make_scale(name)
    return scale


def _written(file: h5py.File, name: str, values: NDArray[Any]) -> h5py.Dataset:
    if values.dtype.kind in "UO":
        return file.create_dataset(name, data=values.astype(object), dtype=h5py.string_dtype())
    return file.create_dataset(name, data=values)


def _write_attributes(owner: Any, attributes: Any) -> None:
    for name, value in attributes.items():
        # Beyond what HDF5 holds, as the seeds of 128 bits that NumPy draws.
        large = isinstance(value, int) and not -(2**63) <= value < 2**63
        owner.attrs[name] = hex(value) if large else value


def from_bytes(raw: bytes) -> xr.Dataset:
    """Return the dataset of a netCDF file.

    Raises
    ------
    RebatchError
        If the bytes are not those that were written, or no such file; the caller names the file.
    """
    image, mark, digest = raw[: -len(_MARK) - _DIGEST], raw[-len(_MARK) - _DIGEST : -_DIGEST], raw[-_DIGEST:]
    if mark != _MARK:
        image = raw
    elif hashlib.sha256(image).hexdigest().encode() != digest:
        raise RebatchError("its checksum is wrong: the file was changed or damaged after it was written")
    require(3.0 * len(image), "reading the file")
    try:
        with h5py.File(h5py.h5f.open_file_image(image)) as file:
            return _dataset(file)
    except RebatchError:
        raise
    except Exception as error:
        raise RebatchError(f"not a readable netCDF file: {' '.join(str(error).split())}") from None


def _dataset(file: h5py.File) -> xr.Dataset:
    """Return what a file holds, and refuse what only points elsewhere."""
    variables: dict[str, Any] = {}
    coordinates: dict[str, Any] = {}
    for name in file:
        if not isinstance(file.get(name, getlink=True), h5py.HardLink):
            raise RebatchError(f"{name!r} is a link to elsewhere; allowed are data in the file")
        data = file[name]
        if not isinstance(data, h5py.Dataset):
            raise RebatchError(f"{name!r} is a group; allowed are data")
        is_scale = h5py.h5ds.is_scale(data.id)
        if is_scale and h5py.h5ds.get_scale_name(data.id).startswith(_NO_VARIABLE):
            continue
        dimensions = (name,) if is_scale else _dimensions(file, data)
        own = {key: _attribute(data, key) for key in data.attrs if not _is_own(key)}
        (coordinates if is_scale else variables)[name] = (dimensions, _values(name, data), own)
    attributes = {key: _attribute(file, key) for key in file.attrs if not _is_own(key)}
    return xr.Dataset(variables, coordinates, attributes)


def _dimensions(file: h5py.File, data: h5py.Dataset) -> tuple[str, ...]:
    """Return the names of a variable's dimensions."""
    if not data.shape:
        return ()
    names = (h5py.h5r.get_name(scales[0], file.id) for scales in data.attrs["DIMENSION_LIST"])
    return tuple(name.decode().removeprefix("/") for name in names)


def _values(name: str, data: h5py.Dataset) -> NDArray[Any]:
    """Return numbers or texts that are in the file themselves."""
    layout = data.id.get_create_plist()
    text = h5py.check_string_dtype(data.dtype) is not None
    if layout.get_external_count() or layout.get_layout() == h5py.h5d.VIRTUAL:
        raise RebatchError(f"{name!r} is data of another file; allowed are data in the file")
    if not text and data.dtype.kind not in "iufb":
        raise RebatchError(f"{name!r} holds {data.dtype}; allowed are numbers and texts")
    if data.size and data.size * data.dtype.itemsize > _COMPRESSION * data.id.get_storage_size():
        raise RebatchError(f"{name!r} has {data.size} numbers, which are not in the file")
    require(2.0 * data.size * data.dtype.itemsize, f"reading {name!r}")
    if text:
        return np.asarray(data.asstr()[...], dtype=np.str_)
    return np.asarray(data[...])


def _attribute(owner: Any, name: str) -> Any:
    value = plain(_text(owner.attrs[name]))
    return int(value, 16) if name == "seed" and isinstance(value, str) else value


def _text(value: Any) -> Any:
    return value.decode(errors="replace") if isinstance(value, bytes) else value


def _is_own(name: str) -> bool:
    return name in _OWN or name.startswith("_Netcdf4") or name == "_NCProperties"
