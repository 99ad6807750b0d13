"""Along what the weights moved on data of one's own, drawn beside what chance does (Matplotlib)."""

from typing import Any

import numpy as np

from .canvas import COLOURS, NEW, Canvas, styled
from .own_data import LearnedDirections


@styled
def draw_movement(result: LearnedDirections, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw the singular values of the movement of W, and the largest that shuffled labels gave.

    Parameters
    ----------
    result : LearnedDirections
    canvas : Canvas

    Returns
    -------
    ndarray of matplotlib.axes.Axes, shape (1,)

    Raises
    ------
    RebatchError
        If there is not one axis.
    """
    panels = canvas.panels(1, width=3.8)
    numbers = np.arange(1, len(result.sizes) + 1)
    (found,) = panels[0].plot(numbers, result.sizes, "o", color=COLOURS[0], label="of the run")
    handles = [found]
    if len(result.chance):
        label = f"largest, {len(result.chance)} shuffles of the labels"
        handles.append(panels[0].axhline(result.chance.max(), color=COLOURS[1], linestyle="--", label=label))
    panels[0].set(xlabel="direction", ylabel="singular value", xticks=numbers)
    panels[0].set_xlim(0.5, len(numbers) + 0.5)
    panels[0].set_ylim(bottom=0)
    canvas.legend(panels, handles)
    chance = "" if result.p_value is None else f"; as far by chance: p = {result.p_value:.2g}"
    canvas.say(
        panels,
        f"movement of W: at the end less at the start, over sqrt(d), {result.directions.shape[1]} inputs{chance}",
    )
    return panels
