"""What `rebatch verify --inputs` and `--data` answer: whether Gaussian theory holds for these inputs."""

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..numeric.machine.files import opened
from ..numeric.setting import Setting
from ..symbolic.errors import RebatchError
from ..verify.universality_check import LEGEND, Universality, universality
from .tables import assumptions_table
from .terminal import console

if TYPE_CHECKING:
    import numpy as np

# ReLU under squared loss at a step that moves the weights, and one more step than two on the batch.
_NEURONS, _STEPS, _ETA = 2, 3, 0.3


def hold(
    target: str,
    inputs: str | None,
    data: Path | None,
    *,
    activation: str | None,
    eta: float | None,
    alpha: float,
    progress: Callable[[Sequence[int]], Iterable[int]],
    **options: Any,
) -> Universality:
    """Return runs on inputs of a law or on a file's matrix, against the Gaussian limit.

    Raises
    ------
    RebatchError
        If the file cannot be read as a matrix, or an option is not allowed.
    """
    setting = Setting(
        target=target,
        activation=activation or "relu",
        neurons=_NEURONS,
        alpha=alpha,
        eta=_ETA if eta is None else eta,
        steps=_STEPS,
    )
    X = None if data is None else matrix_from(data)
    return universality(setting, inputs=inputs, X=X, progress=progress, **options)


def matrix_from(path: Path) -> "np.ndarray[Any, Any]":
    """Return the matrix of a file: NumPy's .npy, or numbers with commas or spaces between, a row per sample.

    Raises
    ------
    RebatchError
        If there is none.
    """
    import numpy as np  # noqa: PLC0415 - the options are read without it

    allowed = "allowed are .npy, or text of numbers with commas or spaces between, a row per sample"
    with opened(path, "--data") as file:
        try:
            if path.suffix == ".npy":
                return np.asarray(np.load(file, allow_pickle=False))
            return np.loadtxt(file.read().decode().replace(",", " ").splitlines(), ndmin=2)
        except (ValueError, EOFError) as error:
            raise RebatchError(f"--data {str(path)!r}: {str(error).splitlines()[0]}; {allowed}") from None


def show(result: Universality) -> None:
    """Print the experiment, what the data is like, what theory assumes of it, and the answer."""
    console.print(f"{result.setting}, d = {result.d}", highlight=False, markup=False)
    console.print(
        f"inputs: {result.inputs}, W* {result.directions}; {result.runs} runs", highlight=False, markup=False
    )
    for line in result.report.lines():
        console.print(f"  {line}", highlight=False, markup=False)
    console.print(assumptions_table(result))
    console.print(LEGEND, style="dim", highlight=False)
    console.print(f"against the limit: {result.agreement.joint}", highlight=False, markup=False)
    console.print(result.statement(), highlight=False, markup=False)
