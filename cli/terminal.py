"""Where answers go: the terminal with its progress bar, and JSON."""

import codecs
import json
import math
import sys
from typing import Any

from rich.console import Console

from ..numeric.machine.progress import tracked
from .signals import guarded

# Where no person looks on a line has no end: tables are not folded, and `grep` finds every name.
_ENDLESS = 10_000
# What the user said of this process.
_told = {"quiet": False}
console = Console(width=None if sys.stdout.isatty() else _ENDLESS)
# What an encoding without them shows for the signs that answers are written with.
_PLAIN = {
    "±": "+/-",
    "…": "...",
    "–": "-",
    "—": "-",
    "×": "x",
    "√": "sqrt",
    "≥": ">=",
    "≤": "<=",
    "→": "->",
    "∞": "inf",
}
_PLAIN |= {"α": "alpha", "η": "eta", "λ": "lam", "σ": "sigma", "π": "pi", "Θ": "Theta", "ρ": "rho", "²": "^2"}


def write_in_any_encoding() -> None:
    """Let every answer and message be written, in ASCII too, and file names that are no texts."""
    codecs.register_error("rebatch", _plain)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="rebatch")


def _plain(error: UnicodeError) -> tuple[str | bytes, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    letters = error.object[error.start : error.end]
    return "".join(_PLAIN.get(x) or ascii(x)[1:-1] for x in letters), error.end


def be_quiet() -> None:
    """Show neither progress nor warnings from here on."""
    _told["quiet"] = True


def is_quiet() -> bool:
    """Whether neither progress nor warnings are shown."""
    return _told["quiet"]


def progress_bar(items: Any, description: str, *, show: bool) -> Any:
    """Return the items behind a progress bar, where a person looks on; they end when a signal comes."""
    return guarded(tracked(items, description) if show and len(items) > 1 else items)


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
