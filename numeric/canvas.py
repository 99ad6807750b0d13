"""Where figures are drawn: one style for all, panels on new figures or on given axes, and what every figure says.

Colours are those of Okabe and Ito, which colour-blind readers and grey print tell apart; more lines than these take
theirs from an ordered map, with a colour bar in the place of a legend. Text in PDF stays text (Type 42 fonts).
"""

import textwrap
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

import numpy as np

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.language.called import CALLED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

P = ParamSpec("P")
R = TypeVar("R")

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# Of an ordered map the last tenth is too light for lines on white.
_DARKEST, _LIGHTEST = 0.0, 0.9
STYLE: dict[str, Any] = {
    "axes.axisbelow": True,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.titlesize": 9,
    "errorbar.capsize": 2.5,
    "figure.constrained_layout.use": True,
    "font.size": 9,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 4,
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
}
# Points of a letter's width at a size of 1, on average.
_LETTER = 0.52
# Of a panel's title, and of what is written over a figure.
_MOST_LINES, _MOST_SAID = 3, 5


def style() -> AbstractContextManager[None]:
    """Return the style of all figures as a context: ``with style(): figure.savefig("figure.pdf")``."""
    import matplotlib as mpl  # noqa: PLC0415 - numbers are had without it, and it loads slowly
    from cycler import cycler  # noqa: PLC0415 - Matplotlib's own

    settings: Any = {**STYLE, "axes.prop_cycle": cycler(color=COLOURS)}
    return mpl.rc_context(settings)


def styled(draw: Callable[P, R]) -> Callable[P, R]:
    """Let a function draw in the style of all figures."""

    @wraps(draw)
    def drawn(*args: P.args, **options: P.kwargs) -> R:
        with style():
            return draw(*args, **options)

    return drawn


def colours(count: int) -> list[Any]:
    """Return so many colours, no two of them alike."""
    if count <= len(COLOURS):
        return list(COLOURS[:count])
    import matplotlib as mpl  # noqa: PLC0415 - as above

    return list(mpl.colormaps["viridis"](np.linspace(_DARKEST, _LIGHTEST, count)))


@dataclass(frozen=True)
class Canvas:
    """Where a result is drawn.

    Attributes
    ----------
    given : Axes or sequence of Axes, optional
        By default a new figure.
    make : callable, optional
        What makes a new figure: by default ``matplotlib.figure.Figure``, which no window shows; pyplot's ``figure``
        for notebooks and interactive sessions.
    """

    given: "Axes | Sequence[Axes] | None" = None
    make: "Callable[..., Figure] | None" = None

    def panels(
        self, count: int, *, width: float = 3.4, height: float = 3.2, rows: int = 1, sharey: bool = False
    ) -> "np.ndarray[Any, Any]":
        """Return so many axes, by rows, shape (count,): those that were given, or of a new figure.

        Raises
        ------
        RebatchError
            If other than so many axes were given, or what are none.
        """
        if self.given is None:
            from matplotlib.figure import Figure  # noqa: PLC0415 - loads slowly

            columns = count // rows
            figure = (self.make or Figure)(figsize=(1 + width * columns, height * rows), layout="constrained")
            made: np.ndarray[Any, Any] = figure.subplots(rows, columns, squeeze=False, sharey=sharey).ravel()
            return made
        from matplotlib.axes import Axes  # noqa: PLC0415 - as above

        panels = np.atleast_1d(np.asarray(self.given, dtype=object)).ravel()
        if strangers := [panel for panel in panels if not isinstance(panel, Axes)]:
            raise RebatchError(f"ax = {checks.shown(strangers[0])}; allowed are axes of Matplotlib")
        if panels.shape != (count,):
            raise RebatchError(f"{panels.size} axes; allowed are {count}, one per panel")
        return panels

    def say(self, panels: "np.ndarray[Any, Any]", text: str) -> None:
        """Write over a new figure what it is of, over as many lines as it takes; axes that were given keep theirs."""
        if self.given is not None:
            return
        figure, size = panels[0].figure, 8
        letters = int(figure.get_figwidth() * 72 / (size * _LETTER))
        lines = textwrap.wrap(text, max(letters - 4, 20), break_long_words=True)
        if len(lines) > _MOST_SAID:
            lines = [*lines[: _MOST_SAID - 1], lines[_MOST_SAID - 1][:-4] + " ..."]
        figure.suptitle("\n".join(lines), fontsize=size, color="0.25", parse_math=False)

    def legend(self, panels: "np.ndarray[Any, Any]", handles: Sequence[Any]) -> None:
        """Put one legend under a new figure, where it hides no data; else into the last of the given axes."""
        if not handles:
            return
        if self.given is not None:
            # What lies behind is not to cross its words.
            panels[-1].legend(handles=list(handles), frameon=True, framealpha=0.85, edgecolor="none")
            return
        figure = panels[0].figure
        for former in list(figure.legends):
            former.remove()
        longest = max(len(h.get_label()) for h in handles)
        columns = max(1, int(figure.get_figwidth() * 72 / (8 * _LETTER * (longest + 7))))
        figure.legend(handles=list(handles), loc="outside lower center", ncols=min(columns, len(handles)))


# A new plain figure.
NEW = Canvas()


def heading(setting: Any, *, d: Any = None) -> str:
    """Return what a figure of an experiment states: target, sigma, p, alpha, eta, d and what else is not usual.

    Parameters
    ----------
    setting : Setting
    d : int or text, optional
    """
    first, _, rest = str(setting).removeprefix(CALLED).partition("; ")
    size = "" if d is None else f", d = {d}"
    return f"g(z) = {first}; {rest}{size}"


def fitted(panel: "Axes", title: str) -> None:
    """Give a panel its title on as many lines as its width asks for, cut where there would be more than three."""
    figure: Any = panel.figure
    letters = int(panel.get_position().width * figure.get_figwidth() * 72 / (9 * _LETTER)) - 2
    lines = textwrap.wrap(title, max(letters, 12))
    if len(lines) > _MOST_LINES:
        lines = [*lines[: _MOST_LINES - 1], lines[_MOST_LINES - 1][:-4] + " ..."]
    panel.set_title("\n".join(lines), fontsize=9)


def neuron_key(canvas: Canvas, panels: "np.ndarray[Any, Any]", neurons: int, shown: Sequence[Any]) -> None:
    """Say which colour is which neuron: a legend for a few, a colour bar for many; and what lines and points are.

    Parameters
    ----------
    canvas : Canvas
    panels : ndarray of Axes
    neurons : int
    shown : sequence of artists
        One each for lines and points, in grey.
    """
    from matplotlib.lines import Line2D  # noqa: PLC0415 - as above

    own = colours(neurons)
    names = []
    if 1 < neurons <= len(COLOURS):
        names = [Line2D([], [], color=c, label=f"neuron {j}") for j, c in enumerate(own, start=1)]
    elif neurons > 1:
        from matplotlib.cm import ScalarMappable  # noqa: PLC0415 - as above
        from matplotlib.colors import BoundaryNorm, ListedColormap  # noqa: PLC0415 - as above

        norm = BoundaryNorm(np.arange(0.5, neurons + 1), neurons)
        mapped = ScalarMappable(norm, ListedColormap(own))
        ticks = np.unique(np.linspace(1, neurons, min(neurons, 6)).astype(int))
        panels[-1].figure.colorbar(mapped, ax=list(panels), label="neuron", ticks=ticks, pad=0.02)
    canvas.legend(panels, [*names, *shown])
