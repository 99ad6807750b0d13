"""The command `rebatch`: analyze a target, predict its overlaps, simulate, and see whether the two agree."""

import re
import sys
import warnings
from typing import Any

import typer

from ..symbolic.errors import RebatchError
from .commands import checks, inference, phases, report, runs, sweeps, theory

app = typer.Typer(
    add_completion=False,
    help="What gradient descent learns of a target in high dimension, and what reusing a batch changes.",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (
    theory.analyze,
    theory.catalog,
    theory.overlap,
    phases.phases,
    inference.threshold,
    runs.simulate,
    runs.demo,
    sweeps.sweep,
    report.report,
    checks.converge,
    checks.verify,
    checks.scaling,
):
    app.command()(command)


def main() -> None:
    """Run the command; errors are one clear line and exit code 2, never a traceback."""
    warnings.showwarning = _show_warning
    try:
        code = app(sys.argv[1:] or ["--help"], standalone_mode=False)
    except RebatchError as error:
        _fail(str(error), 2)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if re.search(r"No such option: -[^-]", message):
            message += ' (a target that begins with "-" stands after "--")'
        _fail(message, 2)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", 130)
    except OSError as error:
        _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)
    except MemoryError:
        _fail("the job does not fit in memory; a smaller d, alpha or number of neurons is needed", 2)
    sys.exit(code if isinstance(code, int) else 0)


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    print(f"warning: {message}", file=sys.stderr)


def _fail(message: str, code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
