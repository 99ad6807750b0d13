"""Thresholds as tables."""

from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from ..symbolic.exact.subspace import in_words
from ..symbolic.thresholds.threshold import Threshold

if TYPE_CHECKING:
    from ..numeric.inference.ceiling import Ceiling
    from ..numeric.inference.staircase import GrandStaircase

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


def staircase_table(answer: "GrandStaircase") -> Table:
    """Return the stages of the grand staircase, the trivial one first."""
    (sheet,) = answer.sheets()
    table = _table("stage", *sheet.head)
    for number, row in enumerate(sheet.rows):
        table.add_row(str(number) if number else "trivial", *map(escape, row))
    return table


def ceiling_table(answer: "Ceiling") -> Table:
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


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
