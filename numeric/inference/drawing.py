"""What the best algorithms reach, drawn: thresholds, certificates, message passing and the ceiling (Matplotlib)."""

from typing import Any

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ...symbolic.errors import RebatchError
from ...symbolic.language.compiled import compiled
from ...symbolic.thresholds.certificates import Certificate
from ...symbolic.thresholds.threshold import Threshold
from ..canvas import COLOURS, NEW, Canvas, styled
from .ceiling import Ceiling
from .channel import LineChannel
from .spectral import transformed
from .threshold import AlphaCurve, alpha_curve

Array = NDArray[np.float64]
# Variances of label noise, from hardly felt to where the law of large variance holds.
VARIANCES = np.geomspace(0.01, 100, 13)
# Labels along a transform; so few different ones are drawn as points.
_LABELS, _FEW_LABELS = 2000, 20


@styled
def draw_ceiling(answer: Ceiling, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw the cosines of descent and of the best method against the number of products with X."""
    panels = canvas.panels(1, width=4.4, height=3.8)
    curves = (
        (COLOURS[2], "s-", answer.best, "best first-order method (message passing)"),
        (COLOURS[0], "o-", answer.reused, "descent, one batch reused"),
        (COLOURS[1], "o--", answer.fresh, "descent, fresh batches"),
    )
    for colour, line, cosine, name in curves:
        panels[0].plot(answer.products, cosine, line, color=colour, label=name)
    panels[0].set(
        xlabel=r"products with $X$ or $X^\top$", ylabel=cosine_with(answer.directions), ylim=(-0.02, 1.02)
    )
    canvas.legend(panels, panels[0].get_legend_handles_labels()[0])
    canvas.say(
        panels,
        f"y = {answer.target.text}; sigma = {answer.activation}, p = {answer.directions}, alpha = {answer.alpha:g}, "
        "d infinite, step size tuned at every point",
    )
    return panels


def cosine_with(directions: int) -> str:
    """Return what the cosine of a ceiling is, in words."""
    return (
        "cosine with the hidden direction" if directions == 1 else "r.m.s. cosine with the hidden directions"
    )


@styled
def draw_threshold(
    answer: Threshold, variances: Array = VARIANCES, canvas: Canvas = NEW
) -> "np.ndarray[Any, Any]":
    """Draw alpha_c against the variance of label noise, with its law at large variance."""
    curve = alpha_curve(answer.target, variances)
    panels = draw_alpha_curve(curve, canvas)
    noise, shown = answer.noise, curve.variances[curve.variances > 0]
    if noise.price is not None and np.isfinite(noise.price) and noise.exponent is not None:
        name = rf"price of noise, $\propto D^{{{noise.exponent}}}$"
        panels[0].plot(shown, noise.price * shown**noise.exponent, "--", color="0.5", label=name)
        canvas.legend(panels, panels[0].get_legend_handles_labels()[0])
    return panels


@styled
def draw_alpha_curve(curve: AlphaCurve, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw alpha_c against the variance of label noise."""
    variances, alphas, errors = curve.variances, *curve
    panels = canvas.panels(1, width=4.0, height=3.6)
    panel = panels[0]
    shown = variances > 0
    label = r"$\alpha_c$, bars 2 errors of integration" if np.any(errors) else r"$\alpha_c$"
    panel.errorbar(
        variances[shown],
        alphas[shown],
        2 * errors[shown],
        fmt="o-",
        color=COLOURS[0],
        markersize=3,
        label=label,
    )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="variance $D$ of the label noise",
        ylabel=r"samples per dimension $\alpha_c$",
    )
    panel.set_ylim(bottom=0.5 * float(np.min(alphas)), top=2 * float(np.max(alphas)))
    if np.any(errors):
        canvas.legend(panels, panel.get_legend_handles_labels()[0])
    canvas.say(
        panels, f"y = {curve.target.text} + noise of variance D; threshold of the first stage, d infinite"
    )
    return panels


@styled
def draw_certificates(
    answer: Threshold | tuple[Certificate, ...], canvas: Canvas = NEW
) -> "np.ndarray[Any, Any]":
    """Draw the bounds of the certificates against their degree, beside the threshold where it is known.

    Raises
    ------
    RebatchError
        If there are none.
    """
    certificates = answer.certificates if isinstance(answer, Threshold) else answer
    if not certificates:
        raise RebatchError("no certificates to draw; allowed are targets with a stage that needs alpha > 0")
    panels = canvas.panels(1, width=3.6, height=3.2)
    degrees = [c.degree for c in certificates]
    panels[0].plot(
        degrees, [float(c.bound) for c in certificates], "o", color=COLOURS[0], label="certificate: at most"
    )
    if isinstance(answer, Threshold) and len(answer.stages) > 1 and np.isfinite(answer.stages[1].alpha):
        stage = answer.stages[1]
        panels[0].axhline(stage.alpha, color=COLOURS[1], label=rf"$\alpha_c$ ({stage.how})")
    panels[0].set(xlabel="degree of the transform of the label", ylabel=r"samples per dimension $\alpha$")
    panels[0].set_xticks(degrees)
    panels[0].set_ylim(bottom=0)
    canvas.legend(panels, panels[0].get_legend_handles_labels()[0])
    if isinstance(answer, Threshold):
        noise = f" + noise of std {answer.target.noise_std:g}" if answer.target.noise_std else ""
        canvas.say(panels, f"y = {answer.target.text}{noise}")
    return panels


@styled
def draw_transform(answer: Threshold, canvas: Canvas = NEW) -> "np.ndarray[Any, Any]":
    """Draw the transform of the label with which a spectral method attains the threshold, against the label.

    Of one direction it is T(y) = 1 - 1/E[z^2 | y]; of several that of the certificate with the least bound.

    Raises
    ------
    RebatchError
        If there is neither one direction nor a certificate, or no stage that needs alpha > 0.
    """
    target, several = answer.target, sum(len(stage.directions) for stage in answer.stages) > 1
    if len(answer.stages) < 2 or (several and not answer.certificates):
        raise RebatchError(
            f"no transform of the label of {target} to draw; allowed are targets with a stage that needs alpha > 0, "
            "of one direction or with certificates"
        )
    z = np.random.default_rng(0).standard_normal((_LABELS, target.k))
    y = np.sort(target(z) + target.noise_std * np.random.default_rng(1).standard_normal(_LABELS))
    # The label from its first to its last hundredth; what is rarer would be all of the figure.
    y = y[_LABELS // 100 : -_LABELS // 100]
    if several:
        best = min(answer.certificates, key=lambda c: c.bound)
        T = np.broadcast_to(compiled(best.transform, (sp.Symbol("y", real=True),))(y), y.shape)
        said = f"certificate of degree {best.degree}: alpha_c at most {float(best.bound):.4g}"
    else:
        T, said = transformed(LineChannel(target), y), "T = 1 - 1/E[z^2 | y], which attains alpha_c"
    panels = canvas.panels(1, width=3.6, height=3.2)
    few = len(np.unique(y)) <= _FEW_LABELS
    panels[0].plot(y, T, "o" if few else "-", color=COLOURS[0])
    panels[0].set(xlabel="label $y$", ylabel="transform $T(y)$")
    noise = f" + noise of std {target.noise_std:g}" if target.noise_std else ""
    canvas.say(panels, f"y = {target.text}{noise}; {said}")
    return panels


@styled
def draw_cosines(
    cosine: Array, said: str, label: str, canvas: Canvas = NEW, alphas: Array | None = None
) -> "np.ndarray[Any, Any]":
    """Draw the cosine between estimate and direction against the step of a method, or against alpha."""
    panels = canvas.panels(1, width=3.6, height=3.0)
    columns = np.abs(cosine).reshape(len(cosine), -1).T
    places = np.arange(len(cosine)) if alphas is None else alphas
    for colour, column in zip(COLOURS, columns, strict=False):
        panels[0].plot(places, column, "o-", color=colour, label=label)
    what = "cosine with the hidden direction" if len(columns) == 1 else "cosines with the hidden directions"
    panels[0].set(xlabel="step" if alphas is None else r"$\alpha = n/d$", ylabel=what, ylim=(-0.02, 1.02))
    if alphas is None:
        panels[0].xaxis.get_major_locator().set_params(integer=True)
    canvas.say(panels, said)
    return panels
