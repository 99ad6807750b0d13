"""Arrays that memory has no room for: in a file without a name, which the system reads and writes as they are used.

The file never stands in a folder, so that it is gone with the array, and with the process, however that ends.
"""

import mmap
import os
import shutil
import tempfile
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

from ...symbolic.errors import TooLargeError

# What is written there takes the memory that it is to save.
_IN_MEMORY = ("tmpfs", "ramfs")
# Of the free space of a disk: others write there, too.
SHARE = 0.8


def folder() -> Path | None:
    """Return where such files are made: TMPDIR, else /var/tmp or the usual place; None if that is in memory."""
    asked = os.environ.get("TMPDIR")
    places = map(Path, [asked] if asked else ["/var/tmp", tempfile.gettempdir()])
    return next((place for place in places if place.is_dir() and _kind(place) not in _IN_MEMORY), None)


def free() -> float:
    """Return how many bytes may be taken on that disk."""
    place = folder()
    return 0.0 if place is None else SHARE * shutil.disk_usage(place).free


def scratch(size: int) -> NDArray[np.uint8]:
    """Return `size` bytes on disk, which are there before they are used.

    Raises
    ------
    TooLargeError
        If there is no such folder, or no room in it.
    """
    place = folder()
    try:
        if place is None:
            raise OSError("there is no folder on a disk")
        with tempfile.TemporaryFile(dir=place) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            return np.frombuffer(mmap.mmap(file.fileno(), size), dtype=np.uint8)
    except OSError as error:
        raise TooLargeError(
            f"a file of {size / 1e9:.3g} GB in {place}: {error.strerror or error}; allowed is a folder on a disk "
            "with room for it, named by the variable TMPDIR"
        ) from None


def _kind(place: Path) -> str:
    """Return the kind of file system that holds a folder."""
    parts = {Path(part.mountpoint): part.fstype for part in psutil.disk_partitions(all=True)}
    whole = place.resolve()
    return next((parts[mount] for mount in (whole, *whole.parents) if mount in parts), "")
