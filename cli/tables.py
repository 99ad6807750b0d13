"""Results as Rich tables: what the commands print to a terminal."""

from __future__ import annotations

from itertools import product
from math import isfinite, isnan
from typing import TYPE_CHECKING

from rich import box
from rich.markup import escape
from rich.table import Table

from ..symbolic.exact.shown import Sheet
from ..symbolic.exact.subspace import in_words
from ..symbolic.language.boolean_catalog import BooleanEntry
from ..symbolic.language.catalog import Entry
from ..symbolic.learnability.analysis import FATES, Analysis
from ..symbolic.thresholds.algorithms import BOUNDS, HEAD, AlgorithmComparison
from .formulas import folded, for_terminal

if TYPE_CHECKING:  # an analysis needs neither, and they load slowly
    import numpy as np
    import xarray as xr

    from ..numeric.trajectory import Trajectory
    from ..symbolic.overlap.headline import Headline
    from ..verify.agreement import Agreement
    from ..verify.full_batch import FullBatchScaling
    from ..verify.learnability import LearnabilityCheck
    from ..verify.reuse_samples import ReuseScaling
    from ..verify.scaling import Scaling
    from ..verify.universality_check import Universality

_LAW_STYLE = {"consistent": "green", "inconsistent": "red", "undecided": "yellow"}
_VERDICT_STYLE = {"learned": "green", "hidden": "red", "undecided": "yellow"}
_OUTCOME_OF_ACTIVATION = {**_VERDICT_STYLE, "shown": "green", "vanishes": "yellow", "not": "red"}
_OUTCOME_STYLE = {"agrees": "green", "disagrees": "red", "no claim": "default"}
# A single overlap this unlikely is shown in red; the test of all of them stands below the table.
_SUSPICIOUS = 1e-4
# An error below this does not show in five decimals.
_SMALL_ERROR = 1e-4
# An integration rule that agrees with itself to this has met rounding.
_LEAST_ERROR = 1e-10
_TERM_WIDTH = 160


def directions_table(analysis: Analysis) -> Table:
    """Return what becomes of every direction under each algorithm."""
    table = _table(*FATES)
    for name, online, two_steps, later, queries in analysis.fates():
        style = _VERDICT_STYLE[two_steps.split()[0]]
        table.add_row(f"[bold]{name}[/]", online, f"[{style}]{two_steps}[/]", later, queries)
    return table


def algorithms_table(compared: AlgorithmComparison) -> Table:
    """Return every direction under each family of algorithms, exponents beside sharp thresholds."""
    table = _table(*HEAD)
    for name, online, two_steps, *others in compared.rows():
        style = _VERDICT_STYLE[two_steps.split()[0]]
        table.add_row(f"[bold]{name}[/]", online, f"[{style}]{two_steps}[/]", *map(escape, others))
    return table


def thresholds_table(compared: AlgorithmComparison, *, price: bool) -> Table:
    """Return the sharp threshold of each direction, how it is known and by what, with the price of noise if asked."""
    table = _table("direction", "alpha_c", *(["price of noise"] if price else []), "how known", "proof")
    for (name, number, how, proof), sharp in zip(compared.proofs(), compared.thresholds, strict=True):
        paid = [sharp.price] if price else []
        table.add_row(name, f"[bold]{escape(number)}[/]", *paid, how, escape(proof))
    return table


def bounds_table() -> Table:
    """Return which algorithms each column of the comparison bounds."""
    table = _table("column", "whom it bounds")
    for name, words in BOUNDS.items():
        table.add_row(name, escape(words))
    return table


def exponents_table(analysis: Analysis) -> Table:
    """Return the number of directions and the exponents of a target, each with its witness."""
    table = _table("exponent", "value", "how known", "witness")
    count = analysis.directions
    table.add_row("directions", f"[bold]{count}[/]", str(count.how), escape(count.proof))
    for name, exponent in analysis.exponents().items():
        table.add_row(name, f"[bold]{exponent}[/]", str(exponent.how), escape(exponent.witness))
    if analysis.staircase is not None:
        how = str(analysis.leap.how)
        table.add_row("staircase property", "yes" if analysis.staircase else "no", how, "leap = 1")
    return table


def proofs_table(analysis: Analysis) -> Table:
    """Return the two-step verdict of every direction with its proof."""
    table = _table("direction", "two steps", "how known", "proof")
    for verdict in analysis.two_step:
        style = _VERDICT_STYLE[verdict.verdict]
        table.add_row(
            in_words(verdict.direction),
            f"[{style}]{verdict.said}[/]",
            str(verdict.how),
            escape(verdict.reason()),
        )
    return table


def samples_table(analysis: Analysis) -> Table:
    """Return what each algorithm needs."""
    table = _table("algorithm", "learns", "needs", "how known", "reference")
    for need in analysis.samples.values():
        table.add_row(need.algorithm, need.learns, f"[bold]{need}[/]", str(need.how), escape(need.source))
    table.columns[0].no_wrap = True  # the last column is long: on a narrow screen it alone folds
    return table


def catalog_table(rows: list[tuple[Entry | BooleanEntry, Analysis]]) -> Table:
    """Return the named targets with their exponents as computed, and where they are studied."""
    names = list(rows[0][1].exponents())
    table = _table("name", "target", "IE", *names[1:], "two steps", "paper", "note")
    for entry, analysis in rows:
        verdicts = [v.verdict for v in analysis.two_step]
        learned = f"{verdicts.count('learned')} of {analysis.directions.at_most}"
        exponents = map(str, analysis.exponents().values())
        table.add_row(
            f"@{entry.name}", escape(entry.text), *exponents, learned, entry.paper, escape(entry.note)
        )
    return table


def headline_table(rows: tuple[Headline, ...]) -> Table:
    """Return the leading term of M^2 v for each direction v, beside the witness order of its verdict."""
    table = _table("direction v", "two steps", "leading term of M2 v with reuse", "in one pass")
    for row in rows:
        verdict = row.verdict
        style = _VERDICT_STYLE[verdict.verdict]
        terms = [escape(folded(for_terminal(str(x)), _TERM_WIDTH)) for x in (row.reuse, row.one_pass)]
        table.add_row(
            f"[bold]{for_terminal(in_words(verdict.direction))}[/]",
            f"[{style}]{for_terminal(verdict.summary)}[/]",
            f"[bold]{terms[0]}[/]" if row.carried_by_reuse else terms[0],
            terms[1],
        )
    return table


def sheet_table(sheet: Sheet, bold: int = 0) -> Table:
    """Return a table of texts as it is, the first `bold` columns in bold, what is shown or hidden in its colour."""
    table = _table(*(escape(name) for name in sheet.head))
    for row in sheet.rows:
        cells = [escape(for_terminal(cell)) for cell in row]
        styles = [
            "bold" if i < bold else _OUTCOME_OF_ACTIVATION.get(x.split(" ")[0]) for i, x in enumerate(row)
        ]
        table.add_row(*(f"[{s}]{x}[/]" if s else x for x, s in zip(cells, styles, strict=True)))
    return table


def overlaps_table(M: np.ndarray, errors: np.ndarray | None = None) -> Table:
    """Return overlaps M, shape (steps, p, k), a row per step and neuron, with errors where there are some."""
    table = _table("step", "neuron", *(f"z{r + 1}" for r in range(M.shape[2])))
    for step, j in product(*map(range, M.shape[:2])):
        error = [None] * M.shape[2] if errors is None else errors[step, j]
        cells = [
            f"{x:.6g}" if e is None else _with_error(x, e) for x, e in zip(M[step, j], error, strict=True)
        ]
        table.add_row(str(step), str(j + 1), *cells)
    return table


def sweep_table(data: xr.Dataset) -> Table:
    """Return the last overlaps of a sweep, a row for each combination of its parameters, over seeds."""
    import numpy as np  # noqa: PLC0415

    from ..numeric.gathered import last_overlaps, parameters_of  # noqa: PLC0415 - only this table needs them

    size = last_overlaps(data)
    names = [n for n in parameters_of(data) if n != "seed"]
    table = _table(*names, "runs", *(f"|M {name}|" for name in data.direction.values))
    groups: dict[tuple[str, ...], list[np.ndarray]] = {}
    (points,) = (
        size.stack(point=[d for d in size.dims if d != "direction"]).transpose("point", "direction"),
    )
    for i in range(points.sizes["point"]):
        one = points.isel(point=i)
        if np.isfinite(one.values.astype(float)).all():
            groups.setdefault(tuple(one[n].item() for n in names), []).append(one.values)
    for labels, found in sorted(groups.items()):
        runs = np.stack(found)
        errors = runs.std(axis=0, ddof=1) / np.sqrt(len(runs)) if len(runs) > 1 else [None] * runs.shape[1]
        cells = (
            f"{m:.6g}" if e is None else _with_error(m, e)
            for m, e in zip(runs.mean(axis=0), errors, strict=True)
        )
        table.add_row(*map(str, labels), str(len(runs)), *cells)
    return table


def trajectories_table(runs: list[Trajectory]) -> Table:
    """Return the mean overlaps over runs with their standard errors, or the errors of one, and the training loss."""
    from ..numeric.gathered import averaged  # noqa: PLC0415 - only this table needs it

    data = averaged(runs)
    p, k = data.sizes["neuron"], data.sizes["direction"]
    table = _table("step", "training loss", *(f"M[{j + 1}, z{r + 1}]" for j in range(p) for r in range(k)))
    for step, loss, loss_error, here, M, errors in zip(
        data["step"].values.tolist(),
        data["training_loss"].values,
        data["training_loss_error"].values,
        data["runs"].values,
        data["M"].values.reshape(-1, p * k),
        data["M_error"].values.reshape(-1, p * k),
        strict=True,
    ):
        label = f"{step}" if here == len(runs) else f"{step} ({here} of {len(runs)} runs)"
        cells = (_with_error(x, None if isnan(e) else e) for x, e in zip(M, errors, strict=True))
        # The online engine computes the loss on the way of a step: at the last one there is none.
        lost = "-" if isnan(loss) else _with_error(loss, None if isnan(loss_error) else loss_error)
        table.add_row(label, lost, *cells)
    return table


def agreement_table(result: Agreement) -> Table:
    """Return prediction and simulation side by side, steps from 1 on, and one test of all overlaps below."""
    table = _table("step", "neuron", "direction", "predicted", f"mean of {result.runs} runs", "z-score", "p")
    for *cells, score, chance in result.rows():
        style = "yellow" if not chance else "green" if float(chance) > _SUSPICIOUS else "red"
        table.add_row(*cells, f"[{style}]{score}[/]", chance)
    table.caption, table.caption_justify = f"together: {result.joint}", "left"
    return table


def learnability_table(result: LearnabilityCheck) -> Table:
    """Return every verdict beside what was measured of it."""
    from ..verify.learnability import COLUMNS  # noqa: PLC0415 - only this table needs it

    table = _table(*COLUMNS)
    for direction, batch, step, claim, predicted, measured, slope, outcome in result.rows():
        table.add_row(
            f"[bold]{direction}[/]",
            batch,
            step,
            f"[{_VERDICT_STYLE[claim]}]{claim}[/]",
            predicted,
            measured,
            slope,
            f"[{_OUTCOME_STYLE.get(outcome, 'yellow')}]{outcome}[/]",
        )
    return table


def assumptions_table(result: Universality) -> Table:
    """Return what theory assumes of the inputs, what was measured, and whether it alone explains the runs."""
    from ..verify.universality_check import COLUMNS  # noqa: PLC0415 - only this table needs it

    table = _table(*COLUMNS)
    for name, measured, state, alone in result.rows():
        style = {"as Gaussian": "green", "differs": "red"}.get(state, "yellow")
        table.add_row(f"[bold]{name}[/]", escape(measured), f"[{style}]{state}[/]", alone)
    return table


def scaling_table(result: Scaling) -> Table:
    """Return the weak-recovery times, a row per dimension; the last column is flat where the law holds."""
    level, law = 100 * (1 - result.false_alarm), result.protocol.law.in_words()
    table = _table(
        "d",
        "eta/d",
        f"{result.protocol.statistic}, steps",
        f"{level:g}% interval",
        "reached",
        f"steps / ({law})",
    )
    for d, times, median, low, high in zip(
        result.d, result.times, result.median, result.low, result.high, strict=True
    ):
        table.add_row(
            str(d),
            f"{result.protocol.step_size(int(d)):.3g}",
            _steps(median),
            f"{_steps(low)} to {_steps(high)}",
            f"{sum(map(isfinite, times))} of {result.replicas}",
            f"{median / result.protocol.times_law([d])[0]:.3g}" if isfinite(median) else "",
        )
    return table


def reuse_table(result: ReuseScaling) -> Table:
    """Return the samples that a reused batch needs, a row per dimension."""
    table = _table("d", "samples n", "n / d", "one pass: overlap", "random neuron")
    for d, alpha, error, fresh in zip(result.d, result.alpha, result.log_error, result.fresh, strict=True):
        found = isfinite(alpha)
        table.add_row(
            str(d),
            f"{alpha * d:,.0f}" if found else "not found",
            f"{alpha:.2f} ± {alpha * error:.2f}" if found else "",
            f"{fresh:.3f}",
            f"{0.67 / d**0.5:.3f}",
        )
    return table


def full_batch_table(result: FullBatchScaling) -> Table:
    """Return the steps that full-batch descent takes, a row per dimension."""
    table = _table("d", "median steps", "fastest", "slowest", "reached")
    for row in result.records():
        steps = (f"{row[name]:.2f}" for name in ("median", "fastest", "slowest"))
        table.add_row(str(row["d"]), *steps, f"{row['reached']} of {row['runs']}")
    return table


def outcome_in_colour(outcome: str, statement: str) -> str:
    """Return a statement with its outcome, the first word, in colour."""
    style = _LAW_STYLE[outcome]
    return f"[bold {style}]{outcome}[/]{escape(statement.removeprefix(outcome))}"


def _steps(count: float) -> str:
    return f"{count:,.0f}" if isfinite(count) else "not reached"


def _with_error(value: float, error: float | None) -> str:
    """Return a number with its error; a small one in two digits, and then more of the number."""
    if error is None or error == 0:
        return f"{value:.5f}"
    if error < _LEAST_ERROR:
        return f"{value:.8f} ± < {_LEAST_ERROR:.0e}"
    return f"{value:.8f} ± {error:.1e}" if error < _SMALL_ERROR else f"{value:.5f} ± {error:.5f}"


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
