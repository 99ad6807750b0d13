"""The options that several commands share, and how their texts are read."""

from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ..symbolic.errors import RebatchError
from ..symbolic.language import syntax

if TYPE_CHECKING:  # a target loads SymPy, which --help does not need
    from ..symbolic.language.target import Target


def _formula(text: str) -> str:
    """Return a target's text, checked as far as it can be before SymPy loads."""
    if not text.startswith("@"):
        syntax.require_formula(text)
    return text


TargetText = Annotated[
    str,
    typer.Argument(
        metavar="TARGET",
        callback=_formula,
        help='Link function, such as "z1 + He(3, z2)", or @name of the catalog.',
    ),
]


ActivationText = Annotated[str, typer.Option("--activation", "-s", help="A name, or a polynomial in h.")]


Neurons = Annotated[int, typer.Option("--neurons", "-p", help="Number of neurons.")]


Alpha = Annotated[float, typer.Option(help="Samples per dimension, n = alpha d.")]


Eta = Annotated[float, typer.Option(help="Step size.")]


WeightDecay = Annotated[float, typer.Option(help="Weight decay lam.")]


Loss = Annotated[Literal["squared", "correlation"], typer.Option(help="What a step descends.")]


NoiseStd = Annotated[float, typer.Option(help="Standard deviation of the label noise.")]


OnePass = Annotated[bool, typer.Option("--one-pass", help="A fresh batch at every step.")]


Inputs = Annotated[
    str | None,
    typer.Option(
        "--inputs",
        help="Law of each input coordinate: gaussian (default), boolean, biased(1/4), uniform(-1, 0, 1), "
        "finite(0: 1/4, 1: 3/4), uniform, laplace, student(5); one for each, 'boolean, gaussian', or 'z2: boolean'.",
    ),
]


LabelNoise = Annotated[
    str | None,
    typer.Option(
        "--noise", help="Label noise by name instead: laplace(0.3), student(5, 0.3), uniform(0.3), flip(0.1)."
    ),
]


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


AsLatex = Annotated[bool, typer.Option("--latex", help="Print LaTeX.")]


Readout = Annotated[
    str | None, typer.Option(help="Second layer, p numbers with commas between; default (-1)^j / sqrt(p).")
]


def text_of(target: str) -> str:
    """Return the target's text, of one of the catalog where it is given by @name: only then SymPy loads."""
    if not target.startswith("@"):
        return target
    from ..symbolic.language.catalog import gaussian_text

    return gaussian_text(target)


def target_from(
    target: str, inputs: str | None, noise_std: float | None = None, noise: str | None = None
) -> "Target":
    """Return the target of a text or an @name; a name of the cube brings its inputs."""
    from ..symbolic.language.catalog import named
    from ..symbolic.language.target import Target

    source = named(target).target if target.startswith("@") else target
    if inputs is not None and isinstance(source, Target):
        source = source.text
    return Target(source, inputs=inputs, noise_std=noise_std or None, noise=noise)


def integers_from(option: str, text: str) -> list[int]:
    """Return the integers of a list with commas."""
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise RebatchError(f"{option} {text!r}; allowed are integers with commas between") from None


def batches_from(text: str | None) -> int | Literal["single"] | None:
    """Return the number of blocks, or "single"."""
    if text is None or text == "single":
        return None if text is None else "single"
    try:
        return int(text)
    except ValueError:
        raise RebatchError(f"--batches {text!r}; allowed are integers >= 1 and single") from None


def readout_from(text: str | None) -> list[Any] | None:
    """Return the second layer, numbers with commas, exactly as written."""
    if text is None:
        return None
    try:
        return [number_from(part) for part in text.split(",")]
    except (ValueError, OverflowError):
        raise RebatchError(
            f"--readout {text!r}; allowed are numbers with commas between, 0.5,-0.5 or 1/sqrt(2),0"
        ) from None


def start_from(text: str | None, names: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the start as an argument, if one is given: numbers, or one of the names."""
    if text is None:
        return {}
    if text in names:
        return {"start": text}
    try:
        return {"start": [[number_from(x) for x in row.split(",")] for row in text.split(";")]}
    except (ValueError, OverflowError):
        raise RebatchError(
            f"--start {text!r}; allowed are {''.join(f'{name}, ' for name in names)}numbers with commas between, "
            "a row per neuron with ; between: 1/3,0;0,0.2"
        ) from None


def number_from(text: str) -> Any:
    """Return a number as it is written, 1/3 or sqrt(2)/2 exactly."""
    from ..symbolic.overlap.network import constant

    return constant(text)
