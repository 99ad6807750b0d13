"""Everything about one target on one page: `report`."""

from pathlib import Path
from typing import Annotated

import typer

from ...symbolic.errors import RebatchError
from ..options import AsJson, Inputs, TargetText, target_from
from ..terminal import console, print_json, progress_bar


def report(
    target: TargetText,
    out: Annotated[Path, typer.Option("--out", "-o", help="Where the page is written.")] = Path(
        "report.html"
    ),
    steps: Annotated[int, typer.Option(min=1, help="Steps of the trajectory on one batch.")] = 8,
    runs: Annotated[int, typer.Option(min=6, help="Runs behind each simulated number.")] = 12,
    d: Annotated[int, typer.Option("--d", "-d", help="Their dimension beside the trajectory.")] = 20_000,
    seed: Annotated[int, typer.Option(help="Seed of all that is drawn.")] = 0,
    inputs: Inputs = None,
    theory_only: Annotated[bool, typer.Option("--theory-only", help="Leave the simulations out.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write one self-contained page on a target: proofs, formulas, experiments, figures, the commands to repeat.

    Example: rebatch report "z1 + He(3, z2)" -o report.html
    """
    from ..report import sections as parts
    from ..report import studies
    from ..report.page import page, write

    _require_page(out)
    given = target_from(target, inputs)
    # What rests on rotations or on Hermite coefficients has no meaning for other inputs.
    gaussian = given.inputs.is_gaussian
    wanted = [lambda: parts.what_theory_says(given), lambda: parts.formula_section(given)]
    if gaussian:
        wanted += [
            lambda: studies.activation_section(given),
            lambda: studies.phase_section(given),
            lambda: studies.threshold_section(given),
        ]
    if not theory_only:
        wanted += [
            lambda: studies.two_step_section(given, runs, d),
            lambda: parts.experiment_section(given, runs, seed),
            lambda: parts.trajectory_section(given, steps, runs, d, seed),
        ]
        if gaussian:
            wanted += [
                lambda: studies.ceiling_section(given, seed),
                lambda: studies.learn_section(given, seed),
            ]
    sections = [part() for part in progress_bar(wanted, "writing", show=not as_json)]
    written = write(page(given, sections), out)
    if as_json:
        print_json(
            {"report": str(written), "sections": [s.title for s in sections], "bytes": written.stat().st_size}
        )
        return
    console.print(f"report: {written}", highlight=False)


def _require_page(out: Path) -> None:
    """Refuse a path before the work: what is written is HTML."""
    from ...numeric.machine.files import require_writable

    if out.suffix.lower() not in (".html", ".htm", ""):
        raise RebatchError(f"--out {str(out)!r} ends in {out.suffix!r}; allowed is .html")
    require_writable(out, "--out")
