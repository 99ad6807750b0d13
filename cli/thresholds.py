"""Thresholds as tables and figures."""

import numpy as np
from matplotlib.figure import Figure
from rich import box
from rich.markup import escape
from rich.table import Table

from ..numeric.inference.ceiling import Ceiling
from ..numeric.inference.threshold import alpha_curve
from ..symbolic.exact.subspace import in_words
from ..symbolic.thresholds.answers import Threshold

# A bound with more digits is shown as a decimal number: the fraction is in the JSON.
_LONGEST = 24


def stages_table(answer: Threshold) -> Table:
    """Return the stages, the trivial one first."""
    table = _table("stage", "directions", "alpha_c", "how known", "proof", "transform T(y)")
    for number, stage in enumerate(answer.stages):
        table.add_row(
            "trivial" if number == 0 else str(number),
            ", ".join(map(in_words, stage.directions)) or "none",
            f"[bold]{escape(stage.number())}[/]",
            str(stage.how),
            escape(stage.proof),
            "" if stage.transform is None else escape(str(stage.transform)),
        )
    return table


def certificates_table(answer: Threshold) -> Table:
    """Return the certificates, a row per degree."""
    table = _table("degree", "alpha_c is at most", "direction")
    for c in answer.certificates:
        exact = str(c.bound)
        shown = f"{exact} = {float(c.bound):.6g}" if len(exact) <= _LONGEST else f"{float(c.bound):.6g}"
        table.add_row(str(c.degree), shown, in_words(c.direction))
    return table


def noise_figure(answer: Threshold) -> Figure:
    """Return alpha_c against the variance of label noise, with its law at large variance."""
    variances = np.geomspace(0.01, 100, 13)
    alphas, errors = alpha_curve(answer.target, variances)
    figure = Figure(figsize=(4.8, 3.6), layout="constrained")
    panel = figure.subplots()
    panel.errorbar(variances, alphas, errors, fmt="o-", markersize=3, label=r"$\alpha_c$")
    if answer.noise.price is not None and answer.noise.exponent is not None:
        law = answer.noise.price * variances**answer.noise.exponent
        panel.plot(
            variances, law, "--", color="0.5", label=rf"price of noise, $\propto D^{answer.noise.exponent}$"
        )
    panel.set(
        xscale="log",
        yscale="log",
        xlabel="variance $D$ of the label noise",
        ylabel=r"samples per dimension $\alpha_c$",
    )
    panel.set_ylim(bottom=0.5 * float(np.min(alphas)), top=2 * float(np.max(alphas)))
    panel.legend(frameon=False, fontsize="small")
    return figure


def ceiling_table(answer: Ceiling) -> Table:
    """Return the cosines at every number of products, with the step sizes that were best."""
    table = _table("products with X", "best possible", "one batch, reused", "eta", "fresh batches", "eta")
    rows = zip(
        answer.products,
        answer.best,
        answer.reused,
        answer.eta_reused,
        answer.fresh,
        answer.eta_fresh,
        strict=True,
    )
    for count, best, reused, eta, fresh, eta_fresh in rows:
        cells = (
            f"{best:.3f}",
            f"{reused:.3f}",
            "" if np.isnan(eta) else f"{eta:.3g}",
            f"{fresh:.3f}",
            "" if np.isnan(eta_fresh) else f"{eta_fresh:.3g}",
        )
        table.add_row(str(count), *cells)
    table.caption = "fresh batches take alpha d new samples at every step"
    return table


def ceiling_figure(answer: Ceiling) -> Figure:
    """Return the cosines against the number of products with X."""
    figure = Figure(figsize=(5.2, 3.8), layout="constrained")
    panel = figure.subplots()
    curves = (
        ("C2", "s-", answer.best, "best first-order method (message passing)"),
        ("C0", "o-", answer.reused, "descent, one batch reused"),
        ("C1", "o--", answer.fresh, "descent, fresh batches"),
    )
    for color, line, cosine, name in curves:
        panel.plot(answer.products, cosine, line, color=color, markersize=4, label=name)
    panel.set(
        xlabel=r"products with $X$ or $X^\top$",
        ylabel="cosine with the hidden direction",
        ylim=(-0.02, 1.02),
        title=rf"$\alpha$ = {answer.alpha:g}, step size tuned at every point",
    )
    panel.legend(frameon=False, fontsize="small")
    return figure


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
