"""The page of a report, from its sections (Jinja2), written complete or not at all."""

import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ...numeric.trajectory import installed_version
from ...symbolic.exact.typeset import mathml
from ...symbolic.language.target import Target
from .parts import Section

# Cells that begin so are set in colour.
_MARKED = ("learned", "hidden", "agrees", "disagrees")


@cache
def _template() -> Template:
    place = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=place, autoescape=True, undefined=StrictUndefined).get_template("page.html.j2")


def page(target: Target, sections: Sequence[Section]) -> str:
    """Return the report as one HTML page that loads nothing."""
    return _template().render(
        title=f"rebatch: {target.text}",
        inputs="" if target.inputs.is_gaussian else target.inputs.name,
        formula=mathml(target.latex(), display=False),
        sections=sections,
        marked=_MARKED,
        version=installed_version(),
    )


def write(text: str, path: str | os.PathLike[str]) -> Path:
    """Write a page; an existing file is replaced only by a complete one."""
    destination = Path(path)
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f".partial-{destination.name}")
    try:
        partial.write_text(text, encoding="utf-8")
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return destination
