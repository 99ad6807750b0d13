"""A bibliography labelled by the keys that code and pages cite: [D24]."""

from collections.abc import Iterable
from typing import Any

from pybtex.plugin import register_plugin
from pybtex.style.formatting.unsrt import Style
from pybtex.style.labels import BaseLabelStyle


class KeyLabels(BaseLabelStyle):  # type: ignore[misc]
    """The label of an entry is its key."""

    def format_labels(self, entries: Iterable[Any]) -> Iterable[str]:
        """Yield them in the order of the entries."""
        return (entry.key for entry in entries)


class KeyStyle(Style):  # type: ignore[misc]
    """Plain entries in the order of the file, under their keys."""

    default_label_style = "keys"


register_plugin("pybtex.style.labels", "keys", KeyLabels)
register_plugin("pybtex.style.formatting", "keys", KeyStyle)


def setup(app: Any) -> dict[str, Any]:
    """Nothing is left to do: the style is known by its name."""
    return {"parallel_read_safe": True, "parallel_write_safe": True}
