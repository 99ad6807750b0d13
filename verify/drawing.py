"""Theory against measurement, drawn: agreement, convergence, verdicts and scaling laws (Matplotlib).

Lines predict, points are measured, bars are two standard errors unless the legend says otherwise.
"""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..numeric.canvas import COLOURS, NEW, Canvas, fitted, heading, styled
from ..numeric.curves import draw_overlaps
from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import in_words
from .agreement import Agreement
from .convergence import Convergence
from .full_batch import FullBatchScaling
from .learnability import Check, LearnabilityCheck
from .protocol import law_in_words
from .reuse_samples import ReuseScaling
from .scaling import Scaling
from .universality_check import Universality

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_REUSED, _FRESH, _WARNING = COLOURS[0], COLOURS[1], COLOURS[3]
# Of the steps on one batch.
_MARKERS = ("v", "o", "D", "^", "P")


@styled
def draw_agreement(result: Agreement, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw overlaps against the step, a panel per direction: lines predict, points are runs with 2 s.e."""
    panels = _overlaps(result, canvas)
    said = "" if result.setting is None else f"{heading(result.setting, d=result.d)}. "
    canvas.say(panels, f"{said}Together: {result.joint}")
    return panels


def _overlaps(held: Agreement, canvas: Canvas) -> "np.ndarray[Any, Any]":
    return draw_overlaps(
        held.step, held.predicted, held.predicted_error, held.mean, held.standard_error, held.runs, canvas
    )


@styled
def draw_universality(result: Universality, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw overlaps against the step, a panel per direction: the Gaussian limit, runs on the data with 2 s.e."""
    panels = _overlaps(result.agreement, canvas)
    inputs = f"inputs: {result.inputs}, W* {result.directions}"
    canvas.say(panels, f"{heading(result.setting, d=result.d)}; {inputs}. {result.statement()}")
    return panels


@styled
def draw_convergence(result: Convergence, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw deviation of the mean and spread of the runs against d, with the laws 1/d and 1/sqrt(d)."""
    panels = canvas.panels(1, width=4.4, height=4.2)
    panel = panels[0]
    d = result.d.astype(float)
    spread_error = result.spread / np.sqrt(2 * (result.runs - 1))
    deviation = np.abs(result.deviation)
    laws = (
        (COLOURS[0], result.spread, spread_error, -0.5, result.spread_slope, "spread of runs"),
        (COLOURS[1], deviation, result.deviation_error, -1.0, result.deviation_slope, "|mean - limit|"),
    )
    for colour, values, errors, power, slope, name in laws:
        panel.errorbar(d, values, 2 * errors, fmt="o", color=colour, label=f"{name}, 2 s.e.: slope {slope}")
        weights = (d**power / errors) ** 2
        constant = (weights * values * d**-power).sum() / weights.sum()
        panel.plot(
            d, constant * d**power, "--", color=colour, linewidth=0.9, label=rf"$\propto d^{{{power:g}}}$"
        )
    panel.set(
        xscale="log", yscale="log", xlabel="dimension $d$", ylabel="overlap along the limit's, last step"
    )
    low = min(values[values > 0].min(initial=np.inf) for _, values, *_ in laws)
    panel.set_ylim(bottom=low / 10)
    canvas.legend(panels, panel.get_legend_handles_labels()[0])
    canvas.say(panels, heading(result.setting))
    return panels


@styled
def draw_learnability(result: LearnabilityCheck, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw the size of M v against d, a panel per direction, on one batch and on fresh ones, by steps.

    A learned direction stays at its predicted overlap (line), a hidden one falls like d^(-1/2) (dashes).

    Raises
    ------
    RebatchError
        If the target is constant.
    """
    directions = list(dict.fromkeys(check.direction for check in result.checks))
    if not directions:
        raise RebatchError(f"{result.target.text} is constant: there is no direction to draw")
    panels = canvas.panels(len(directions), width=3.0, height=3.6, sharey=True)
    for panel, direction in zip(panels, directions, strict=True):
        own = [check for check in result.checks if check.direction == direction]
        for check in own:
            _draw_check(panel, check, result.runs)
        panel.set(xscale="log", yscale="log", xlabel="dimension $d$")
        _label_dimensions(panel, own[0].d.tolist())
        fitted(panel, f"v = {in_words(direction)}")
        panel.legend(
            fontsize=7, title="\n".join(dict.fromkeys(_experiment(c) for c in own)), title_fontsize=6
        )
    panels[0].set_ylabel(r"$|M v|$ (r.m.s.)")
    setting = result.checks[0].setting
    said = f"g(z) = {result.target.text}; p = {setting.neurons}, alpha = {setting.alpha:g}"
    canvas.say(panels, f"{said}, {result.runs} runs at each d. Bars: 2 s.e.; lines: predicted; dashes: noise")
    return panels


def _experiment(check: Check) -> str:
    setting = check.setting
    return f"sigma = {setting.activation}, eta = {setting.eta:g}, {setting.loss}"


def _draw_check(panel: "Axes", check: Check, runs: int) -> None:
    """Draw what was measured of a direction, and the law that its verdict claims."""
    colour, marker = (
        (_REUSED, _MARKERS[(check.step - 1) % len(_MARKERS)]) if check.setting.reuse else (_FRESH, "s")
    )
    face = colour if check.claim == "learned" else "white"
    d = check.d.astype(float)
    # Twice the error of the root of a mean square: of noise, and of a mean.
    share = np.minimum(runs * check.standard_error**2 / check.size**2, 1.0)
    error = 2 * check.size * np.sqrt(share**2 / (2 * runs) + (1 - share) * share / runs)
    outcome = "" if check.outcome == "agrees" else f" ({check.outcome})"
    steps = "1 step" if check.step == 1 else f"{check.step} steps"
    label = f"{check.batch} batch, {steps}: {check.claim}{outcome}"
    panel.errorbar(d, check.size, error, fmt=marker, color=colour, label=label, markerfacecolor=face)
    if check.claim == "learned":
        panel.axhline(abs(check.predicted), color=colour, linewidth=1)
    elif check.claim == "hidden":
        constant = np.exp(np.mean(np.log(check.size * np.sqrt(d))))
        panel.plot(d, constant / np.sqrt(d), "--", color=colour, linewidth=1)


@styled
def draw_scaling(result: Scaling, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw weak-recovery times against d: replicas, medians, the fitted power and the law of theory."""
    panels = canvas.panels(1, width=4.6, height=4.4)
    panel = panels[0]
    d, protocol = result.d.astype(float), result.protocol
    # Replicas that were given up stand at their budget; beside each other, so that their number is seen.
    spread = (d[-1] / d[0]) ** np.linspace(-0.01, 0.01, result.replicas)
    for size, times, budget in zip(d, result.times, result.budget, strict=True):
        panel.plot(size * spread, np.minimum(times, budget), ".", color="0.8", markersize=2, zorder=1)
    panel.plot([], [], ".", color="0.7", label=f"{result.replicas} replicas each")
    known = np.isfinite(result.high)
    median, low, high = (values[known] for values in (result.median, result.low, result.high))
    level = f"{protocol.statistic}, {100 * (1 - result.false_alarm):g}% interval"
    bars = [median - low, high - median]
    panel.errorbar(d[known], median, bars, fmt="o", color=_REUSED, label=level, zorder=3)
    if (~known).any():
        late = result.budget[~known]
        panel.plot(
            d[~known], late, "^", color=_WARNING, markersize=6, label=f"no {protocol.statistic} in the budget"
        )
    if result.fit is not None:
        fit, grid = result.fit, np.geomspace(d[0], d[-1], 100)
        law = fit.constant * protocol.times_law(grid)
        panel.plot(grid, law, "--", color=_FRESH, label=f"theory: {_in_math(protocol.law.in_words())}")
        middle = np.exp(np.log(d[known]).mean())
        at = np.exp((np.log(median) - np.log(protocol.factor(d[known]))).mean())
        power = at * (grid / middle) ** fit.slope * protocol.factor(grid)
        times_log = r"\,\log d" if protocol.law.log else ""
        panel.plot(
            grid, power, "-", color=_REUSED, linewidth=1, label=rf"fit: $d^{{{fit.slope:.2f}}}{times_log}$"
        )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="dimension $d$",
        ylabel=rf"steps until $|M| > {protocol.threshold:g}$",
    )
    _label_dimensions(panel, result.d.tolist())
    canvas.legend(panels, panel.get_legend_handles_labels()[0])
    canvas.say(
        panels,
        f"g(z) = {protocol.target.text}, {protocol.basis()}; online descent, sigma = {protocol.activation}, "
        f"p = 1, step eta/d from {protocol.step_size(int(d[0])):.2g} to {protocol.step_size(int(d[-1])):.2g}: "
        f"{result.outcome}",
    )
    return panels


@styled
def draw_reuse(result: ReuseScaling, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw the samples that a reused batch needs against d beside one pass, and what fresh batches reach."""
    panels = canvas.panels(2, width=3.9, height=4.2)
    left, right = panels
    d, setting = result.d.astype(float), result.setting
    known = np.isfinite(result.alpha)
    n = result.alpha[known] * d[known]
    bars = 2 * n * result.log_error[known]
    left.errorbar(d[known], n, bars, fmt="o", color=_REUSED, label="reused batch: measured, 2 s.e.", zorder=3)
    left.plot(
        d, setting.alpha * d, "-", color=_REUSED, linewidth=1, label=rf"limit: $n = {setting.alpha:g}\,d$"
    )
    order = result.one_pass_order
    law = d * np.log(d) if order == 2 else d**result.one_pass_exponent
    grows = f"one pass: grows like {_in_math(law_in_words(order))}"
    left.plot(d, setting.alpha * d[0] * law / law[0], "--", color=_FRESH, label=grows)
    left.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel="samples needed $n$")
    slope = "" if result.fit is None else rf": $n \propto d^{{{result.fit.slope:.2f}}}$"
    left.set_title(f"{result.outcome}{slope}")
    level = rf"reused, limit, $n = {setting.alpha:g}\,d$"
    right.axhline(result.threshold, color=_REUSED, linewidth=1, label=level)
    fresh = rf"fresh batches, $n = {setting.alpha:g}\,d$: median of {result.runs} runs"
    right.plot(d, result.fresh, "s", color=_FRESH, label=fresh)
    right.plot(d, 0.67 / np.sqrt(d), ":", color="0.4", label=r"random neuron: $0.67/\sqrt{d}$")
    right.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel=r"median of $|M|/\sqrt{Q}$")
    right.set_title(f"after {setting.steps} steps")
    for panel in panels:
        _label_dimensions(panel, result.d.tolist())
    handles = [handle for panel in panels for handle in panel.get_legend_handles_labels()[0]]
    canvas.legend(panels, handles)
    canvas.say(panels, heading(setting))
    return panels


@styled
def draw_full_batch(result: FullBatchScaling, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw steps on one batch against log d beside the slope of the linear map at 0, and how that map grows."""
    panels = canvas.panels(2, width=3.9, height=4.2)
    left, right = panels
    d, times = result.d.astype(float), result.times
    spread = (d[-1] / d[0]) ** np.linspace(-0.01, 0.01, times.shape[1])
    late = np.isinf(times)
    shown = np.where(late, float(result.setting.steps), times)
    for size, row, given_up in zip(d, shown, late, strict=True):
        left.plot(size * spread[~given_up], row[~given_up], ".", color="0.8", markersize=3, zorder=1)
        left.plot(size * spread[given_up], row[given_up], "^", color=_WARNING, markersize=4, zorder=1)
    left.plot([], [], ".", color="0.7", label=f"{times.shape[1]} runs each")
    if late.any():
        left.plot([], [], "^", color=_WARNING, label=f"not reached in {result.setting.steps} steps")
    median, x = np.median(times, axis=1), np.log(d)
    known = np.isfinite(median)
    left.plot(d[known], median[known], "o", color=_REUSED, label="median", zorder=3)
    if result.slope is not None:
        slope, low, high = result.slope
        level = f"fit: {slope:.2f} steps per factor e, {low:.2f} to {high:.2f}"
        line = times[:, ~late.any(axis=0)].mean() + slope * (x - x.mean())
        left.plot(d, line, "-", color=_REUSED, linewidth=1, label=level)
    if known.any() and np.isfinite(result.expected):
        line = median[known].mean() + result.expected * (x - x[known].mean())
        left.plot(d, line, "--", color=_FRESH, label=f"linear map at 0: {result.expected:.2f} per factor e")
    left.set(xscale="log", xlabel="dimension $d$", ylabel=rf"steps until $|M| > {result.threshold:g}$")
    left.set_title(f"growth: {result.growth}")
    _label_dimensions(left, result.d.tolist())
    right.plot(
        np.arange(len(result.amplification)),
        result.amplification,
        "o-",
        color=_FRESH,
        markersize=4,
        label=rf"limit at $M = 0$, last factor {result.rate:.2f}",
    )
    right.set(yscale="log", xlabel="step $t$", ylabel=r"$\partial M^t / \partial M^0$")
    right.xaxis.get_major_locator().set_params(integer=True)
    handles = [handle for panel in panels for handle in panel.get_legend_handles_labels()[0]]
    canvas.legend(panels, handles)
    canvas.say(panels, f"{heading(result.setting)}, {result.basis}")
    return panels


def _in_math(law: str) -> str:
    power = re.sub(r"\^\(?(-?[\d/]+)\)?", r"^{\1}", law)
    return "$" + power.replace(" log d", r"\,\log d") + "$"


def _label_dimensions(panel: "Axes", d: Sequence[int]) -> None:
    """Label the dimensions measured, as plain numbers."""
    panel.set_xticks(list(d), [f"{size}" for size in d], fontsize="small")
    panel.set_xticks([], minor=True)
