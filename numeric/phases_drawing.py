"""A phase diagram, drawn: exponents against batch size, stable steps, exponents against look-ahead (Matplotlib)."""

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import in_words
from ..symbolic.phases.diagram import DirectionPhases, PhaseDiagram
from .canvas import COLOURS, NEW, Canvas, colours, fitted, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_STEPS, _SAMPLES, _UNSTABLE = COLOURS[0], COLOURS[1], COLOURS[3]
# How far beyond the first breakpoint of look-ahead the figure goes.
_BEYOND = Fraction(1, 2)


@styled
def draw_phases(diagram: PhaseDiagram, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw a row of three panels for every direction.

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (3 directions,)

    Raises
    ------
    RebatchError
        If there is no direction, or another number of axes.
    """
    rows = len(diagram.directions)
    if not rows:
        raise RebatchError(f"{diagram.target.text} is constant: there is no direction to draw")
    panels = canvas.panels(3 * rows, width=3.8, height=3.5, rows=rows)
    for row, phases in zip(panels.reshape(rows, 3), diagram.directions, strict=True):
        _draw_batch(row[0], phases)
        _draw_steps(row[1], phases)
        _draw_look_ahead(row[2], phases)
    canvas.say(
        panels, f"{diagram.heading()}; powers of d, batches of d^mu, steps d^-delta, look-ahead rho d = d^r"
    )
    return panels


def _draw_batch(panel: "Axes", phases: DirectionPhases) -> None:
    """Draw steps and samples against mu, with the giant step and two steps on a reused batch."""
    from matplotlib.lines import Line2D  # noqa: PLC0415 - numbers are had without it, and it loads slowly

    for piece in phases.batch:
        mu = [float(piece.lower), float(piece.upper)]
        for line, color, style in ((piece.time, _STEPS, "-"), (piece.samples, _SAMPLES, "--")):
            panel.plot(mu, [float(line(x)) for x in (piece.lower, piece.upper)], style, color=color)
    handles = [
        Line2D([], [], color=_STEPS, label="steps"),
        Line2D([], [], color=_SAMPLES, linestyle="--", label="samples"),
    ]
    if phases.order is not None:
        panel.plot(phases.order, 0, "s", color=_STEPS, clip_on=False)
        panel.plot(phases.order, phases.order, "s", color=_SAMPLES, clip_on=False)
        handles.append(Line2D([], [], color="0.4", marker="s", linestyle="", label="one giant step"))
    if phases.reuse == "learned":
        panel.plot(1, 0, "*", color=_STEPS, markersize=11, clip_on=False)
        panel.plot(1, 1, "*", color=_SAMPLES, markersize=11)
        handles.append(
            Line2D([], [], color="0.4", marker="*", markersize=11, linestyle="", label="two steps, reused")
        )
    for bend in (piece.lower for piece in phases.batch[1:]):
        panel.axvline(float(bend), color="0.8", linewidth=0.8, zorder=0)
    if any(piece.log for piece in phases.batch):
        handles.append(Line2D([], [], linestyle="", label=r"lines: times $\log d$"))
    if not phases.batch:
        panel.text(0.5, 0.5, "not found by one pass, or undecided", ha="center", transform=panel.transAxes)
    panel.legend(handles=handles, fontsize=8)
    fitted(panel, f"{in_words(phases.direction)}: steps and samples")
    panel.set_xlabel(r"$\mu$")
    panel.set_ylabel("power of $d$")
    panel.set_ylim(bottom=0)


def _draw_steps(panel: "Axes", phases: DirectionPhases) -> None:
    """Draw where steps d^-delta are stable, and how many they are."""
    panel.set_title(r"steps $d^{-\delta}$")
    panel.set_xlabel(r"$\mu$")
    panel.set_ylabel(r"$\delta$")
    if not phases.batch:
        return
    mu = [float(x) for piece in phases.batch for x in (piece.lower, piece.upper)]
    least = [float(piece.step(x)) for piece in phases.batch for x in (piece.lower, piece.upper)]
    top = max(least) + 0.75
    steps = max(0.0, float(phases.batch[0].time.intercept) - least[0])
    delta = np.linspace(0, top, 200)
    size = np.linspace(mu[0], mu[-1], 200)
    shown = np.ma.masked_where(
        delta[:, None] < np.interp(size, mu, least)[None, :], np.tile((delta + steps)[:, None], (1, 200))
    )
    mesh = panel.pcolormesh(
        size, delta, shown, cmap="Blues", shading="auto", vmin=0, alpha=0.7, rasterized=True
    )
    colorbar = panel.figure.colorbar(mesh, ax=panel)
    colorbar.set_label("power of $d$ of the steps", fontsize=8)
    panel.fill_between(mu, 0, least, color=_UNSTABLE, alpha=0.12, linewidth=0)
    panel.plot(mu, least, color=_UNSTABLE)
    panel.annotate("largest stable step", (mu[0], least[0]), (8, 6), textcoords="offset points", fontsize=8)
    if least[0] > 0:
        panel.text(0.04, 0.06, "unstable", color=_UNSTABLE, transform=panel.transAxes)
    panel.set_ylim(0, top)


def _draw_look_ahead(panel: "Axes", phases: DirectionPhases) -> None:
    """Draw the steps against r, each piece with the pair that rules it; open ones are shaded."""
    left = _left_end(phases)
    own = colours(len(phases.look_ahead))
    for number, piece in enumerate(phases.look_ahead):
        ends = [left if piece.lower is None else piece.lower, piece.upper]
        x = [float(end) for end in ends]
        if piece.time is None or piece.term is None:
            panel.axvspan(*x, color="0.9")
            panel.text(
                sum(x) / 2,
                0.5,
                "open" if piece.open else "never",
                ha="center",
                transform=panel.get_xaxis_transform(),
            )
            continue
        y = [float(piece.time(end)) for end in ends]
        if ends[0] == ends[1]:
            panel.plot(x[0], y[0], "o", color=_STEPS, clip_on=False, zorder=3)
            panel.annotate(
                f"{piece.term}", (x[0], y[0]), (-6, -13), textcoords="offset points", fontsize=9, ha="right"
            )
            continue
        panel.plot(x, y, "-", color=own[number])
        label = ", ".join(
            filter(None, (f"{piece.term}", r"$\times \log d$" * piece.log, piece.term.sign_in_words()))
        )
        panel.annotate(
            label,
            (sum(x) / 2, sum(y) / 2),
            (-4, 7) if y[0] == y[1] else (-4, -14),
            textcoords="offset points",
            fontsize=9,
            color=own[number],
            ha="center" if y[0] == y[1] else "right",
        )
        if piece.lower is not None:
            panel.axvline(x[0], color="0.8", linewidth=0.8, zorder=0)
    panel.set_title(r"look-ahead $\rho d = d^r$: the pair $(k, i)$")
    panel.set_xlabel("$r$")
    panel.set_ylabel("power of $d$ of the steps")
    panel.set_xlim(float(left), 0)
    low, high = panel.get_ylim()
    panel.set_ylim(min(low, 0.5), high + 0.3)


def _left_end(phases: DirectionPhases) -> Fraction:
    """Return where the axis of r begins: left of what is drawn with a bend."""
    bends = [piece.lower for piece in phases.look_ahead if piece.lower is not None and piece.lower < 0]
    return min(bends, default=-_BEYOND) - _BEYOND
