"""Where answers go: the terminal with its progress bar, and JSON."""

import json
import math
from typing import Any

from rich.console import Console
from rich.progress import track

console = Console()


def progress_bar(items: Any, description: str, *, show: bool) -> Any:
    """Return the items behind a progress bar, where a person looks on."""
    items = list(items)
    if not (show and console.is_terminal and len(items) > 1):
        return items
    return track(items, description, console=console, transient=True)


def print_json(data: Any) -> None:
    """Print an answer as JSON, without the numbers that JSON has not."""
    print(json.dumps(finite_or_null(data), indent=2, allow_nan=False))


def finite_or_null(data: Any) -> Any:
    """Return JSON-ready data in which numbers that JSON does not know (infinite, not a number) are null."""
    if isinstance(data, dict):
        return {key: finite_or_null(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [finite_or_null(value) for value in data]
    return None if isinstance(data, float) and not math.isfinite(data) else data
