"""Files that are written whole or not at all, and paths that are checked before the work they are for.

The bytes go to a hidden file beside the destination, are synced, and take its name at once. Whoever writes holds a
lock on the hidden file: one without a lock was left by a process that died, and is cleared by the next.
"""

import contextlib
import fcntl
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ...symbolic.errors import RebatchError

_PREFIX, _SUFFIX = ".rebatch-", ".partial"


def require_writable(path: str | os.PathLike[str], name: str = "file") -> Path:
    """Return the file that a path leads to, links followed, if it can be written there; folders may be missing.

    Raises
    ------
    RebatchError
        If it is a device, a folder or in one that cannot be written to, with the reason.
    """
    try:
        given = os.fspath(path)
        if not isinstance(given, str) or not given:
            raise TypeError
        destination = Path(os.path.realpath(given))
        with contextlib.suppress(FileNotFoundError):
            os.stat(given)
        # What /dev/stdout leads to may have no name any more.
        if os.path.exists(given) and not destination.is_file():
            what = "a folder" if destination.is_dir() else "a device"
            raise RebatchError(f"{name} {given!r} is {what}; allowed are files")
        _require_folder(destination.parent, f"{name} {given!r}")
    except TypeError:
        raise RebatchError(f"{name} = {path!r}; allowed are paths") from None
    except RebatchError:
        # Which is a ValueError, and names the path already.
        raise
    except (OSError, ValueError) as error:
        raise refused(path, error, name) from None
    return destination


def require_folder(path: str | os.PathLike[str], name: str = "folder") -> Path:
    """Return a folder that files can be written to, made if it is missing.

    Raises
    ------
    RebatchError
        If it cannot be made or written to, with the reason.
    """
    try:
        given = os.fspath(path)
        if not isinstance(given, str) or not given:
            raise TypeError
        folder = Path(given)
        _require_folder(folder, f"{name} = {given!r}")
        folder.mkdir(parents=True, exist_ok=True)
    except TypeError:
        raise RebatchError(f"{name} = {path!r}; allowed are paths") from None
    except RebatchError:
        raise
    except (OSError, ValueError) as error:
        raise refused(path, error, name) from None
    return folder


def _require_folder(folder: Path, name: str) -> None:
    """Refuse what is not a folder, or the first that exists above one, or cannot be written to."""
    while not folder.exists() and folder.parent != folder:
        folder = folder.parent
    if not folder.is_dir():
        raise RebatchError(f"{name}: {str(folder)!r} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise RebatchError(f"{name}: the folder {str(folder)!r} cannot be written to")
    # Rights are one thing, a file system that takes no files another.
    try:
        handle, partial = _open_partial(folder)
    except OSError as error:
        raise RebatchError(f"{name}: the folder {str(folder)!r}: {error.strerror}") from None
    os.close(handle)
    partial.unlink(missing_ok=True)


def refused(path: Any, error: Exception, name: str = "file") -> RebatchError:
    """Return the error that says in one line why a path cannot be read or written."""
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
    return RebatchError(f"{name} {os.fspath(path)!r}: {reason[0].lower()}{reason[1:]}")


def write(path: str | os.PathLike[str], *pieces: bytes) -> Path:
    """Write bytes under a name that shows only the complete file; return where it is.

    Raises
    ------
    RebatchError
        If it cannot be written: no space, no right, no folder. What had the name before is then still there.
    """
    destination = require_writable(path)
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        clear(destination.parent)
        handle, partial = _open_partial(destination.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                for piece in pieces:
                    file.write(piece)
                file.flush()
                os.fsync(file.fileno())
                os.replace(partial, destination)
        finally:
            partial.unlink(missing_ok=True)
    except OSError as error:
        raise refused(path, error) from None
    return destination


def _open_partial(folder: Path) -> tuple[int, Path]:
    """Return a new hidden file, locked, with the rights that the umask leaves."""
    while True:
        partial = folder / f"{_PREFIX}{os.urandom(8).hex()}{_SUFFIX}"
        handle = os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666)
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if os.fstat(handle).st_nlink:
            return handle, partial
        os.close(handle)  # cleared between its birth and its lock


def clear(folder: Path) -> None:
    """Remove what processes that are gone have left half-written in a folder."""
    for partial in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):
            handle = os.open(partial, os.O_RDWR | os.O_NOFOLLOW)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                partial.unlink()
            finally:
                os.close(handle)


def read(path: str | os.PathLike[str], name: str = "file") -> bytes:
    """Return the bytes of a file, of a file only: a pipe or a device may never end.

    Raises
    ------
    RebatchError
        If there is none, or it cannot be read.
    """
    with opened(path, name) as file:
        return file.read()


@contextlib.contextmanager
def opened(path: str | os.PathLike[str], name: str = "file") -> Iterator[BinaryIO]:
    """Open a file to be read; what goes wrong with it meanwhile is the error of :func:`read`."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(None, "not a file")
            yield file
    except TypeError:
        raise RebatchError(f"path = {path!r}; allowed are paths") from None
    except RebatchError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise refused(path, error, name) from None


def set_aside(path: Path) -> Path:
    """Rename a file that cannot be used, so that it is kept and no longer in the way; return its new name."""
    aside = path.with_name(f"{path.name}.bad")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.bad{number}")
    try:
        os.replace(path, aside)
    except OSError as error:
        raise refused(path, error) from None
    return aside


def plain(value: Any) -> Any:
    """Return a NumPy number as Python's, and anything else as it is."""
    return value.item() if isinstance(value, np.generic) else value
