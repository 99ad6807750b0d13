"""Flowcharts in the notation of a forge, drawn in the build: boxes in layers, arrows between them, as inline SVG.

It reads what the pages here use of Mermaid: ``flowchart TD`` or ``LR``, nodes ``name["words"]`` and arrows
``a --> b --> c`` or ``a -->|words| b``. A node stands one layer after the last that points to it.
"""

import re
from html import escape
from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive

_NODE = re.compile(r'\s*(\w+)(?:\["([^"]*)"\])?\s*')
_ARROW = re.compile(r'-->(?:\|"?([^|"]*)"?\|)?')
_LETTER, _HEIGHT, _GAP_X, _GAP_Y = 7.2, 34, 56, 30


def _read(text: str) -> tuple[str, dict[str, str], list[tuple[str, str, str]]]:
    """Return direction, words by node, and arrows (from, to, words)."""
    head, *lines = [line.strip() for line in text.strip().splitlines() if line.strip()]
    words: dict[str, str] = {}
    arrows: list[tuple[str, str, str]] = []
    for line in lines:
        at, before, label = 0, "", ""
        while match := _NODE.match(line, at):
            name = match[1]
            words[name] = match[2] or words.get(name, name)
            if before:
                arrows.append((before, name, label))
            arrow = _ARROW.match(line, match.end())
            if arrow is None:
                break
            before, label, at = name, arrow[1] or "", arrow.end()
    return head.split()[1], words, arrows


def _layers(words: dict[str, str], arrows: list[tuple[str, str, str]]) -> list[list[str]]:
    depth = dict.fromkeys(words, 0)
    for _ in words:
        for start, end, _label in arrows:
            depth[end] = max(depth[end], depth[start] + 1)
    return [[name for name in words if depth[name] == n] for n in range(max(depth.values()) + 1)]


def svg(text: str) -> str:
    """Return a flowchart as SVG."""
    direction, words, arrows = _read(text)
    layers = _layers(words, arrows)
    width = {name: 22 + _LETTER * len(label) for name, label in words.items()}
    place: dict[str, tuple[float, float]] = {}  # the middle of each box
    if direction == "TD":
        total = max(sum(width[n] for n in layer) + 20 * (len(layer) - 1) for layer in layers)
        for level, layer in enumerate(layers):
            x = (total - sum(width[n] for n in layer) - 20 * (len(layer) - 1)) / 2
            for name in layer:
                place[name] = (x + width[name] / 2, _HEIGHT / 2 + level * (_HEIGHT + _GAP_Y))
                x += width[name] + 20
        size = (total, len(layers) * (_HEIGHT + _GAP_Y) - _GAP_Y)
    else:
        tallest, x = max(map(len, layers)), 0.0
        labels = max((len(label) for *_, label in arrows), default=0)
        gap = max(_GAP_X, 24 + _LETTER * 0.9 * labels)
        for layer in layers:
            column = max(width[n] for n in layer)
            for row, name in enumerate(layer):
                middle = (tallest - len(layer)) / 2 + row
                place[name] = (x + column / 2, _HEIGHT / 2 + middle * (_HEIGHT + 14))
            x += column + gap
        size = (x - gap, tallest * (_HEIGHT + 14) - 14)
    drawn = [_arrow(place, width, direction, *arrow) for arrow in arrows]
    parts = [line for line, _ in drawn] + [said for _, said in drawn]  # words over all lines
    for name, (x, y) in place.items():
        parts.append(
            f'<rect x="{x - width[name] / 2:.0f}" y="{y - _HEIGHT / 2:.0f}" width="{width[name]:.0f}" '
            f'height="{_HEIGHT}" rx="5"/><text x="{x:.0f}" y="{y + 4.5:.0f}">{escape(words[name])}</text>'
        )
    summary = escape("; ".join(f"{words[a]} leads to {words[b]}" for a, b, _ in arrows))
    return (
        f'<div class="flowchart"><svg role="img" aria-label="{summary}" width="{size[0] + 2:.0f}" '
        f'viewBox="-1 -1 {size[0] + 2:.0f} {size[1] + 2:.0f}" xmlns="http://www.w3.org/2000/svg"><defs>'
        '<marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        f'<path d="M0 0L8 4L0 8z"/></marker></defs>{"".join(parts)}</svg></div>'
    )


def _arrow(
    place: dict[str, tuple[float, float]], width: dict[str, float], direction: str, a: str, b: str, label: str
) -> tuple[str, str]:
    """Return the line of an arrow, and its words."""
    (x1, y1), (x2, y2) = place[a], place[b]
    if direction == "TD":
        y1, y2 = y1 + _HEIGHT / 2, y2 - _HEIGHT / 2
        path = (
            f"M{x1:.0f} {y1:.0f}C{x1:.0f} {(y1 + y2) / 2:.0f} {x2:.0f} {(y1 + y2) / 2:.0f} {x2:.0f} {y2:.0f}"
        )
    else:
        x1, x2 = x1 + width[a] / 2, x2 - width[b] / 2
        path = (
            f"M{x1:.0f} {y1:.0f}C{(x1 + x2) / 2:.0f} {y1:.0f} {(x1 + x2) / 2:.0f} {y2:.0f} {x2:.0f} {y2:.0f}"
        )
    said = (
        f'<text class="label" x="{(x1 + 3 * x2) / 4:.0f}" y="{(y1 + y2) / 2 + 4:.0f}">{escape(label)}</text>'
    )
    return f'<path class="line" d="{path}" marker-end="url(#tip)"/>', said if label else ""


class Flowchart(Directive):
    """The directive ``mermaid``."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the picture."""
        return [nodes.raw("", svg("\n".join(self.content)), format="html")]


def setup(app: Any) -> dict[str, Any]:
    """Name the directive as a forge does."""
    app.add_directive("mermaid", Flowchart)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
