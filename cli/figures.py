"""Figures of commands: drawn on plain figures, which no window follows, and written complete or not at all."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure

from ..numeric.canvas import NEW, style
from ..numeric.machine.files import require_writable
from ..symbolic.errors import RebatchError


def figure_of(draw: Callable[..., Any], *args: Any, **options: Any) -> Figure:
    """Return the new figure on which a function of the floors below draws."""
    figure: Figure = draw(*args, canvas=NEW, **options)[0].figure
    return figure


def require_drawable(path: Path) -> None:
    """Refuse a figure that cannot be written, by its format or its place, before anything is computed for it.

    Raises
    ------
    RebatchError
    """
    known = FigureCanvasBase.filetypes
    if path.suffix.removeprefix(".").lower() not in known:
        raise RebatchError(
            f"figure {str(path)!r}; allowed are names that end in .{', .'.join(sorted(known))}"
        )
    require_writable(path, "figure")


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure; its format is the path's suffix. An existing file is replaced only by a complete one."""
    destination = Path(path)
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f".partial-{destination.name}")
    try:
        with style():
            figure.savefig(partial, dpi=150)
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return destination
