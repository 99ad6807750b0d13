"""State evolution and runs of message passing, for `amp`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich import box
from rich.markup import escape
from rich.table import Table

from ..numeric.inference.state_evolution import StateEvolution, state_evolution
from ..symbolic.errors import RebatchError
from ..symbolic.language.target import Target
from .terminal import console

if TYPE_CHECKING:
    from ..numeric.inference.amp import MessagePassing

# Of a long evolution the first steps are shown, then so many of the rest.
_FIRST, _LATER = 8, 8


def asked_alphas(text: str) -> list[float]:
    """Return the numbers of a list with commas."""
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise RebatchError(f"--alpha {text!r}; allowed are numbers above 0 with commas between") from None


def evolutions(
    target: Target, alphas: Sequence[float], *, d: int | None, steps: int | None, start: float, damping: float
) -> list[StateEvolution]:
    """Return state evolution at every alpha; a run beside it is of one alpha, and takes whole steps."""
    if d is not None and (len(alphas) > 1 or damping):
        raise RebatchError(
            "--d runs whole steps at one alpha; allowed are one --alpha and no --damping with it"
        )
    return [state_evolution(target, alpha, steps=steps, start=start, damping=damping) for alpha in alphas]


def run_beside(evolution: StateEvolution, target: Target, *, d: int, seed: int) -> "MessagePassing":
    """Return a run of as many steps, from the same start."""
    from ..numeric.inference.amp import amp  # noqa: PLC0415 - loads the engines

    if len(evolution.basis) > 1:
        raise RebatchError(
            f"{target} has {len(evolution.basis)} directions; --d allows targets of one direction"
        )
    start = float(evolution.Q[0, 0, 0])
    return amp(target, evolution.alpha, d=d, steps=len(evolution.Q) - 1, seed=seed, start=start)


def draw(found: Sequence[StateEvolution], target: Target, path: Path) -> None:
    """Draw the cosines against the step, or where they come to rest against alpha."""
    from ..numeric.inference.drawing import draw_cosines  # noqa: PLC0415 - as below
    from .figures import figure_of, save  # noqa: PLC0415 - loads Matplotlib

    if len(found) == 1:
        said = f"y = {target.text}: state evolution, alpha = {found[0].alpha:g}, d infinite"
        save(figure_of(draw_cosines, found[0].cosine, said, "state evolution"), path)
        return
    alphas, rest = np.array([e.alpha for e in found]), np.array([e.cosine[-1] for e in found])
    said = f"y = {target.text}: state evolution, d infinite"
    save(figure_of(draw_cosines, rest, said, "state evolution", alphas=alphas), path)


def print_evolution(evolution: StateEvolution, target: Target, run: "MessagePassing | None") -> None:
    """Print the cosines after some of the steps, those of the run beside them, and how it ended."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("step", "products with X", *_names(evolution), *(["run"] if run else [])):
        table.add_column(name)
    cosines = evolution.cosine.reshape(len(evolution.Q), -1)
    last = len(cosines) - 1
    shown = sorted({*range(min(_FIRST, last + 1)), *np.linspace(0, last, _LATER, dtype=int).tolist()})
    for t in shown:
        beside = ["" if np.isnan(run.cosine[t]) else f"{abs(run.cosine[t]):.4f}"] if run else []
        table.add_row(str(t), str(2 * t), *(f"{x:.4f}" for x in cosines[t]), *beside)
    console.print(f"[bold]y = {escape(target.text)}[/], alpha = {evolution.alpha:g}", highlight=False)
    console.print(table)
    console.print(ending(evolution), highlight=False)
    if run:
        console.print(f"run: d = {run.d}, n = {run.n}, one batch", highlight=False)


def print_rest(found: Sequence[StateEvolution], target: Target) -> None:
    """Print where the cosines come to rest at every alpha."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in ("alpha", *_names(found[0]), "steps", "at rest"):
        table.add_column(name)
    for evolution in found:
        last = np.ravel(evolution.cosine[-1])
        rest = "yes" if evolution.converged else "no"
        table.add_row(f"{evolution.alpha:g}", *(f"{x:.4f}" for x in last), str(len(evolution.Q) - 1), rest)
    console.print(f"[bold]y = {escape(target.text)}[/]", highlight=False)
    console.print(table)


def ending(evolution: StateEvolution) -> str:
    """Return whether state evolution has come to rest, and what that means."""
    share = "1e-8" if len(evolution.basis) == 1 else "1e-5"
    state = "at rest" if evolution.converged else "not at rest"
    return f"{state}: at rest is where a step moves no squared cosine by more than {share} of it"


def _names(evolution: StateEvolution) -> list[str]:
    r = len(evolution.basis)
    return ["cosine"] if r == 1 else [f"cosine {i + 1}" for i in range(r)]
