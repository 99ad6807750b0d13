"""Figures: predictions as curves, simulations as points with error bars."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from ..numeric.two_steps import TwoStepNumbers
from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import in_words
from ..symbolic.overlap.two_steps import TwoStepOverlap
from ..verify.agreement import Agreement
from ..verify.convergence import Convergence
from ..verify.learnability import Check, LearnabilityCheck
from ..verify.protocol import law_in_words
from ..verify.reuse_samples import ReuseScaling
from ..verify.scaling import Scaling

Prediction = TwoStepOverlap | TwoStepNumbers


def two_step_figure(
    reused: Prediction,
    one_pass: Prediction,
    *,
    alpha: float,
    etas: Sequence[float],
    simulated: Mapping[bool, Mapping[float, Agreement]],
    weight_decay: float = 0.0,
) -> Figure:
    """Return M^2 against the step size, a panel per direction, with and without reuse.

    Parameters
    ----------
    reused, one_pass : TwoStepOverlap or TwoStepNumbers
        The predictions of the first neuron's overlap after two steps.
    alpha : float
    etas : sequence of float
        Grid on which the formulas are drawn.
    simulated : mapping
        reuse -> eta -> agreement of the runs at that step size; drawn with two standard errors.
    """
    k = reused.target.k
    kind = "formula" if isinstance(reused, TwoStepOverlap) else "limit"
    figure = Figure(figsize=(4.2 * k, 3.4), layout="constrained")
    panels = figure.subplots(1, k, squeeze=False)[0]
    curves = ((True, reused, "C0", "-", "reused batch"), (False, one_pass, "C1", "--", "fresh batches"))
    for reuse, formula, color, line, label in curves:
        M2 = formula.at(alpha=alpha, eta=np.asarray(etas), weight_decay=weight_decay)[2, 0].T
        points = simulated.get(reuse, {})
        for r, panel in enumerate(panels):
            panel.plot(etas, M2[:, r], line, color=color, label=f"{label}: {kind}")
            if points:
                panel.errorbar(
                    list(points),
                    [a.mean[2, 0, r] for a in points.values()],
                    [2 * a.standard_error[2, 0, r] for a in points.values()],
                    fmt="o",
                    color=color,
                    markersize=4,
                    capsize=3,
                    label=f"{label}: simulated, 2 s.e.",
                )
    for r, panel in enumerate(panels):
        panel.set(xlabel=r"step size $\eta$", title=f"direction $z_{{{r + 1}}}$")
        panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
    panels[0].set_ylabel(r"overlap $M^{2}$ after two steps")
    panels[0].legend(frameon=False, fontsize="small")
    return figure


def convergence_figure(result: Convergence) -> Figure:
    """Return deviation of the mean and spread of the runs against d, with the laws 1/d and 1/sqrt(d)."""
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    panel = figure.subplots()
    d = result.d.astype(float)
    laws = (
        (
            "C0",
            result.spread,
            result.spread / np.sqrt(2 * (result.runs - 1)),
            -0.5,
            result.spread_slope,
            "spread of runs",
        ),
        (
            "C1",
            np.abs(result.deviation),
            result.deviation_error,
            -1.0,
            result.deviation_slope,
            "|mean - limit|",
        ),
    )
    for color, values, errors, power, slope, name in laws:
        panel.errorbar(
            d, values, errors, fmt="o", color=color, markersize=4, capsize=3, label=f"{name}: slope {slope}"
        )
        weights = (d**power / errors) ** 2
        constant = (weights * values * d**-power).sum() / weights.sum()
        panel.plot(
            d, constant * d**power, "--", color=color, linewidth=0.9, label=rf"$\propto d^{{{power:g}}}$"
        )
    panel.set(
        xscale="log", yscale="log", xlabel="dimension $d$", ylabel="overlap along the limit's, last step"
    )
    panel.set_title(
        f"{result.setting.target.text}, {result.setting.activation}, step {result.setting.steps}", fontsize=9
    )
    panel.legend(frameon=False, fontsize="small")
    return figure


def agreement_figure(result: Agreement) -> Figure:
    """Return overlaps against the step, a panel per direction: lines predict, points are runs with 2 s.e."""
    _, p, k = result.predicted.shape
    figure = Figure(figsize=(4.2 * k, 3.4), layout="constrained")
    panels = figure.subplots(1, k, squeeze=False)[0]
    for r, panel in enumerate(panels):
        for j in range(p):
            name = f"neuron {j + 1}: " if p > 1 else ""
            panel.plot(result.step, result.predicted[:, j, r], color=f"C{j % 10}", label=f"{name}predicted")
            panel.errorbar(
                result.step,
                result.mean[:, j, r],
                2 * result.standard_error[:, j, r],
                fmt="o",
                color=f"C{j % 10}",
                markersize=4,
                capsize=3,
                label=f"{name}{result.runs} runs, 2 s.e.",
            )
        panel.axhline(0, color="0.8", linewidth=0.8, zorder=0)
        panel.set(xlabel="step", title=f"direction $z_{{{r + 1}}}$")
        panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panels[0].set_ylabel("overlap $M$")
    panels[0].legend(frameon=False, fontsize="small")
    figure.suptitle(f"together: {result.joint}", fontsize=8, color="0.3")
    return figure


def learnability_figure(result: LearnabilityCheck) -> Figure:
    """Return the size of M v against d, a panel per direction, on one batch and on fresh ones.

    A learned direction stays at its predicted overlap (line), a hidden one falls like d^(-1/2) (dashes).
    """
    directions = list(dict.fromkeys(check.direction for check in result.checks))
    if not directions:
        raise RebatchError(f"{result.target.text} is constant: there is no direction to draw")
    figure = Figure(figsize=(3.2 * max(len(directions), 2), 3.6), layout="constrained")
    panels = figure.subplots(1, len(directions), squeeze=False, sharey=True)[0]
    for panel, direction in zip(panels, directions, strict=True):
        for check in (c for c in result.checks if c.direction == direction):
            _draw_check(panel, check, result.runs)
        panel.set(xscale="log", yscale="log", xlabel="dimension $d$", title=f"v = {in_words(direction)}")
        panel.legend(frameon=False, fontsize=7)
    panels[0].set_ylabel(r"$|M v|$ after two steps (r.m.s.)")
    panels[-1].set_title("lines: predicted; dashes: noise", fontsize=7, color="0.4", loc="right", y=-0.28)
    figure.suptitle(f"g(z) = {result.target.text}", fontsize=10, parse_math=False)
    return figure


def _draw_check(panel: Axes, check: Check, runs: int) -> None:
    """Draw what was measured of a direction, and the law that its verdict claims."""
    color, marker = ("C0", "o") if check.setting.reuse else ("C1", "s")
    d = check.d.astype(float)
    # Twice the error of the root of a mean square: of noise, and of a mean.
    share = np.minimum(runs * check.standard_error**2 / check.size**2, 1.0)
    error = 2 * check.size * np.sqrt(share**2 / (2 * runs) + (1 - share) * share / runs)
    outcome = "" if check.outcome == "agrees" else f" ({check.outcome})"
    label = f"{check.batch} batch: {check.claim}{outcome}"
    panel.errorbar(d, check.size, error, fmt=marker, color=color, markersize=4, capsize=3, label=label)
    if check.claim == "learned":
        panel.axhline(abs(check.predicted), color=color, linewidth=1)
    elif check.claim == "hidden":
        constant = np.exp(np.mean(np.log(check.size * np.sqrt(d))))
        panel.plot(d, constant / np.sqrt(d), "--", color=color, linewidth=1)


def scaling_figure(result: Scaling) -> Figure:
    """Return weak-recovery times against d: replicas, medians, the fitted power and the law of theory."""
    figure = Figure(figsize=(5.6, 4.2), layout="constrained")
    panel = figure.subplots()
    d, protocol = result.d.astype(float), result.protocol
    # Replicas that were given up stand at their budget; beside each other, so that their number is seen.
    spread = (d[-1] / d[0]) ** np.linspace(-0.01, 0.01, result.replicas)
    for size, times, budget in zip(d, result.times, result.budget, strict=True):
        panel.plot(size * spread, np.minimum(times, budget), ".", color="0.8", markersize=2, zorder=1)
    panel.plot([], [], ".", color="0.7", label=f"{result.replicas} replicas each")
    known = np.isfinite(result.high)
    median, low, high = (values[known] for values in (result.median, result.low, result.high))
    panel.errorbar(
        d[known],
        median,
        [median - low, high - median],
        fmt="o",
        color="C0",
        markersize=5,
        capsize=3,
        label=f"median, {100 * (1 - result.false_alarm):g}% interval",
        zorder=3,
    )
    if (~known).any():
        panel.plot(
            d[~known], result.budget[~known], "^", color="C3", markersize=6, label="no median in the budget"
        )
    if result.fit is not None:
        fit, grid = result.fit, np.geomspace(d[0], d[-1], 100)
        law = fit.constant * protocol.law(grid)
        panel.plot(grid, law, "--", color="C1", label=f"theory: {_in_math(protocol.law_in_words)}")
        middle = np.exp(np.log(d[known]).mean())
        at = np.exp((np.log(median) - np.log(protocol.factor(d[known]))).mean())
        power = at * (grid / middle) ** fit.slope * protocol.factor(grid)
        times_log = r"\,\log d" if protocol.order == 2 else ""
        panel.plot(
            grid, power, "-", color="C0", linewidth=1, label=rf"fit: $d^{{{fit.slope:.2f}}}{times_log}$"
        )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="dimension $d$",
        ylabel=rf"steps until $|M| > {protocol.threshold:g}$",
    )
    panel.set_title(f"{protocol.target.text}, IE = {protocol.order}: {result.outcome}", fontsize=10)
    _finish(panel, result.d.tolist())
    return figure


def reuse_figure(result: ReuseScaling) -> Figure:
    """Return the samples that a reused batch needs against d beside one pass, and what fresh batches reach."""
    figure = Figure(figsize=(8.8, 3.9), layout="constrained")
    left, right = figure.subplots(1, 2)
    d, setting = result.d.astype(float), result.setting
    known = np.isfinite(result.alpha)
    n = result.alpha[known] * d[known]
    left.errorbar(
        d[known],
        n,
        2 * n * result.log_error[known],
        fmt="o",
        color="C0",
        markersize=5,
        capsize=3,
        label="reused batch: measured, 2 s.e.",
        zorder=3,
    )
    left.plot(d, setting.alpha * d, "-", color="C0", linewidth=1, label=rf"limit: $n = {setting.alpha:g}\,d$")
    order = result.one_pass_order
    law = d * np.log(d) if order == 2 else d**result.one_pass_exponent
    left.plot(
        d,
        setting.alpha * d[0] * law / law[0],
        "--",
        color="C1",
        label=f"one pass: grows like {_in_math(law_in_words(order))}",
    )
    left.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel="samples needed $n$")
    slope = "" if result.fit is None else rf", $n \propto d^{{{result.fit.slope:.2f}}}$"
    left.set_title(f"{setting.target.text}: {result.outcome}{slope}", fontsize=10)
    right.axhline(
        result.threshold, color="C0", linewidth=1, label=rf"reused, limit, $n = {setting.alpha:g}\,d$"
    )
    right.plot(
        d, result.fresh, "s", color="C1", markersize=5, label=rf"fresh batches, $n = {setting.alpha:g}\,d$"
    )
    right.plot(d, 0.67 / np.sqrt(d), ":", color="0.4", label=r"random neuron: $0.67/\sqrt{d}$")
    right.set(xscale="log", yscale="log", xlabel="dimension $d$", ylabel=r"median of $|M|/\sqrt{Q}$")
    right.set_title(f"after {setting.steps} steps", fontsize=10)
    for panel in (left, right):
        _finish(panel, result.d.tolist())
    return figure


def _in_math(law: str) -> str:
    return "$" + law.replace("d log d", r"d\,\log d") + "$"


def _finish(panel: Axes, d: Sequence[int]) -> None:
    """Label the dimensions measured, as plain numbers; what was measured comes first in the legend."""
    handles, labels = panel.get_legend_handles_labels()
    panel.legend(handles[::-1], labels[::-1], frameon=False, fontsize="small")
    panel.set_xticks(list(d), [f"{size}" for size in d], fontsize="small")
    panel.set_xticks([], minor=True)


def overlap_map_figure(
    formula: Prediction, *, alphas: Sequence[float], etas: Sequence[float], weight_decay: float = 0.0
) -> Figure:
    """Return M^2 of the first neuron over (alpha, eta) as a map, a panel per direction."""
    k = formula.target.k
    figure = Figure(figsize=(4.2 * k, 3.4), layout="constrained")
    panels = figure.subplots(1, k, squeeze=False)[0]
    alpha, eta = np.asarray(alphas)[:, None], np.asarray(etas)
    M2 = formula.at(alpha=alpha, eta=eta, weight_decay=weight_decay)[2, 0]
    for r, panel in enumerate(panels):
        largest = float(np.abs(M2[r]).max()) or 1.0
        mesh = panel.pcolormesh(
            etas, alphas, M2[r], cmap="RdBu_r", vmin=-largest, vmax=largest, shading="gouraud"
        )
        figure.colorbar(mesh, ax=panel, label=r"$M^2$")
        panel.set(xlabel=r"step size $\eta$", title=f"direction $z_{{{r + 1}}}$")
    panels[0].set_ylabel(r"samples per dimension $\alpha$")
    return figure


def require_format(path: Path) -> None:
    """Refuse a figure whose format is not one that can be written, before anything is computed for it.

    Raises
    ------
    RebatchError
    """
    known = FigureCanvasBase.filetypes
    if path.suffix.removeprefix(".").lower() not in known:
        raise RebatchError(
            f"figure {str(path)!r}; allowed are names that end in .{', .'.join(sorted(known))}"
        )


def save(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure; its format is the path's suffix. An existing file is replaced only by a complete one."""
    destination = Path(path)
    destination.parent.mkdir(parents=True, exist_ok=True)
    partial = destination.with_name(f".partial-{destination.name}")
    try:
        figure.savefig(partial, dpi=150)
        os.replace(partial, destination)
    finally:
        partial.unlink(missing_ok=True)
    return destination
