"""What a section of a report is made of: tables, pictures inside the page, and what it rests on."""

import base64
import io
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ...symbolic.language.target import Target

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Dots per inch of a figure: sharp on a dense screen, and a whole report stays far below 3 MB.
_DPI = 150


@dataclass(frozen=True)
class Table:
    """A table of texts."""

    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure as it stands in the page, with what it shows in words."""

    png: str
    width: int
    alternative: str
    caption: str


@dataclass(frozen=True)
class Section:
    """One part of the report.

    Attributes
    ----------
    title : str
    rests : str
        How what it says is known.
    command : str
        What repeats it in a terminal.
    text, tables, formulas, figures
        Paragraphs, tables, MathML and pictures.
    """

    title: str
    rests: str
    command: str
    text: Sequence[str] = ()
    tables: Sequence[Table] = ()
    formulas: Sequence[str] = ()
    figures: Sequence[Picture] = field(default=())


def quoted(target: Target, option: str = "--inputs") -> str:
    """Return a target as a terminal takes it, with the option that names its inputs where they are not Gaussian."""
    law = "" if target.inputs.is_gaussian else f" {option} {shlex.quote(target.inputs.name)}"
    return shlex.quote(target.text) + law


def picture(figure: "Figure", alternative: str, caption: str) -> Picture:
    """Return a Matplotlib figure as PNG inside the page."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DPI)
    width = round(96 * figure.get_figwidth())  # CSS pixels
    return Picture(base64.b64encode(file.getvalue()).decode(), width, alternative, caption)
