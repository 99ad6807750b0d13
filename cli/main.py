"""The command `rebatch`: analyze a target, predict its overlaps, simulate, and see whether the two agree."""

import errno
import inspect
import logging
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from ..numeric.machine.progress import no_progress
from ..symbolic.errors import RebatchError
from . import signals
from .commands import checks, inference, learn, paper, phases, report, runs, sweeps, theory
from .reading import Command, Group
from .terminal import be_quiet, is_quiet, write_in_any_encoding

_LONGEST = 300
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Neither progress nor warnings.")]
_Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Say what is done, and how long it takes, as it happens.")
]
_Keep = Annotated[
    Path | None, typer.Option("--keep", help="Folder of the runs: the same study continues from it.")
]


app = typer.Typer(
    cls=Group,
    rich_markup_mode=None,  # boxes around the help take longer to load than the rest of it
    help="What gradient descent learns of a target in high dimension, and what reusing a batch changes.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _print_version(asked: bool) -> None:
    if asked:
        from ..symbolic.version import __version__  # noqa: PLC0415 - takes longer than all of --help

        print(f"rebatch {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    pass


def _with_option(
    command: Callable[..., None], name: str, option: Any, default: Any, before: Callable[[Any], Any]
) -> Callable[..., None]:
    """Return a command with one option more, which is run within what `before` makes of its value."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        with before(options.pop(name)):
            command(*args, **options)

    signature = inspect.signature(command)
    added = inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=option)
    run.__signature__ = signature.replace(parameters=[*signature.parameters.values(), added])  # type: ignore[attr-defined]
    run.__annotations__ = {**command.__annotations__, name: option}
    return run


def _with_quiet(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with --quiet among its options."""

    def before(quiet: bool) -> AbstractContextManager[None]:
        if not quiet:
            return nullcontext()
        be_quiet()
        return no_progress()

    return _with_option(command, "quiet", _Quiet, False, before)


def _with_verbose(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with --verbose among its options: the library's log goes to the terminal."""

    @contextmanager
    def before(verbose: bool) -> Iterator[None]:
        log, handler = logging.getLogger("rebatch"), logging.StreamHandler()
        if verbose:
            handler.setFormatter(logging.Formatter("%(relativeCreated)8.0f ms  %(message)s"))
            log.addHandler(handler)
            log.setLevel(logging.DEBUG)
        with no_progress() if verbose else nullcontext():
            try:
                yield
            finally:
                log.removeHandler(handler)
                log.setLevel(logging.NOTSET)

    return _with_option(command, "verbose", _Verbose, False, before)


def _with_keep(command: Callable[..., None]) -> Callable[..., None]:
    """Return a study with --keep among its options: it continues from the runs in a folder."""

    def before(folder: Path | None) -> AbstractContextManager[None]:
        if folder is None:
            return nullcontext()
        from ..numeric.sweep import kept_runs  # noqa: PLC0415 - takes longer than all of --help

        return kept_runs(folder)

    return _with_option(command, "keep", _Keep, None, before)


for command in (
    theory.analyze,
    theory.catalog,
    theory.overlap,
    phases.phases,
    learn.learn,
    inference.threshold,
    inference.amp,
    inference.ceiling,
    runs.simulate,
    runs.repeat,
    runs.demo,
    sweeps.sweep,
    report.report,
    _with_keep(checks.converge),
    _with_keep(checks.verify),
    _with_keep(checks.scaling),
    _with_keep(paper.paper),
):
    summary = (command.__doc__ or "").splitlines()[0]
    app.command(cls=Command, short_help=summary)(_with_quiet(_with_verbose(command)))


# What a command ends with, beside 0, 1 (theory and numbers disagree), 2 (an error of the user's) and signals.
_OUTPUT_FAILED = 74
_UNFORESEEN = 70


def main() -> None:
    """Run the command; errors are one clear line and exit code 2, never a traceback."""
    warnings.showwarning = _show_warning
    write_in_any_encoding()
    signals.install()
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="rebatch", standalone_mode=False)
        signals.settled()
        sys.stdout.flush()
    except RebatchError as error:
        if signals.received():
            _fail("interrupted", signals.exit_code())
        _fail(str(error), 2)
    except typer.TyperException as error:
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        if re.search(r"No such option: -[^-]", message):
            message += ' (a target that begins with "-" stands after "--")'
        _fail(message, 2)
    except (typer.Abort, KeyboardInterrupt):
        _fail("interrupted", signals.exit_code())
    except SystemExit as ending:
        # The library below ends with 1 where the output is a broken pipe.
        if isinstance(ending.__context__, OSError):
            _fail_on_files(ending.__context__)
        raise
    except OSError as error:
        _fail_on_files(error)
    except MemoryError:
        _fail("the job does not fit in memory; a smaller d, alpha or number of neurons is needed", 2)
    except Exception as error:
        if os.environ.get("REBATCH_TRACEBACK"):
            traceback.print_exc()
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        _fail(
            f"this should not happen: {shown_line(reason)}; REBATCH_TRACEBACK=1 shows where, please report it",
            _UNFORESEEN,
        )
    if signals.received():
        _fail("interrupted: what is above was finished before", signals.exit_code())
    sys.exit(code if isinstance(code, int) else 0)


def _fail_on_files(error: OSError) -> NoReturn:
    """End with one line: 2 for a file, another code where the output itself cannot be written."""
    if error.filename is None and (
        isinstance(error, BrokenPipeError) or error.errno in (errno.ENOSPC, errno.EIO)
    ):
        # Nothing more can be written there, at the end of the process neither.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        _fail(f"output: {error.strerror}", _OUTPUT_FAILED)
    _fail(f"{error.filename or 'file'}: {error.strerror or error}", 2)


def shown_line(text: str) -> str:
    """Return the beginning of a line that may be long."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _show_warning(message: Warning | str, *_: Any, **__: Any) -> None:
    if not is_quiet():
        print(f"warning: {message}", file=sys.stderr)


def _fail(message: str, code: int) -> NoReturn:
    signals.settled()
    print(f"error: {message}", file=sys.stderr)
    sys.exit(code)
