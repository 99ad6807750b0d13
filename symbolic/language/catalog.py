"""Named targets from the literature, with the exponents that are known of them: `rebatch analyze @phase-retrieval`.

The known values stand here as the papers give them or as they follow by hand; nothing is computed from them. The
tests hold them against what the analysis finds.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..errors import RebatchError
from .boolean_catalog import BOOLEAN_ENTRIES, BooleanEntry
from .target import Target


@dataclass(frozen=True)
class Entry:
    """A named target.

    Attributes
    ----------
    name : str
    text : str
        For the parser.
    paper : str
        A key of `papers()`: where a target of this kind is studied.
    information_exponent, leap, generative_leap : int
        What is known; the leap is that in the given coordinates.
    note : str
    """

    name: str
    text: str
    paper: str
    information_exponent: int
    leap: int
    generative_leap: int
    note: str

    @property
    def target(self) -> Target:
        """The target itself."""
        return Target(self.text)


_ROWS = (
    ("he1", "He(1, z1)", "BA21", 1, 1, 1, "linear regression"),
    ("phase-retrieval", "z1^2", "BA21", 2, 2, 2, "online SGD needs d log d"),
    ("he2", "He(2, z1)", "BA21", 2, 2, 2, "even: hidden from two steps"),
    ("he3", "He(3, z1)", "BA21", 3, 3, 1, "d^2 online, d with reuse"),
    ("he4", "He(4, z1)", "BA21", 4, 4, 2, "even and flat at the start"),
    ("he5", "He(5, z1)", "BA21", 5, 5, 1, "d^4 online, d with reuse"),
    ("cube", "z1^3", "L24", 1, 1, 1, "the linear part shows it at once"),
    ("he2-plus-he3", "He(2, z1) + He(3, z1)", "D24", 2, 2, 1, "E[y^2 z] shows it"),
    ("he4-plus-he5", "He(4, z1) + He(5, z1)", "D24", 4, 4, 1, "E[y^2 z] shows it"),
    ("he2-minus-he4", "He(2, z1) - He(4, z1)/3", "L24", 2, 2, 2, "an even polynomial"),
    ("abs", "abs(z1)", "BA21", 2, 2, 2, "phase retrieval by amplitudes"),
    ("relu", "relu(z1)", "BA21", 1, 1, 1, "a single neuron"),
    ("relu-shifted", "relu(z1 - 1/2)", "BA21", 1, 1, 1, "a neuron with a threshold"),
    ("perceptron", "sign(z1)", "DPLB24", 1, 1, 1, "a label of two values"),
    ("tanh", "tanh(z1)", "D24", 1, 1, 1, "a smooth neuron"),
    ("erf", "erf(z1)", "SS95", 1, 1, 1, "the neuron of the soft committee"),
    ("softplus", "softplus(z1)", "BA21", 1, 1, 1, "a smooth ReLU"),
    ("silu", "silu(z1)", "BA21", 1, 1, 1, "a neuron that is not monotone"),
    ("sine", "sin(z1)", "BA21", 1, 1, 1, "odd and bounded"),
    ("cosine", "cos(z1)", "BA21", 2, 2, 2, "even and bounded"),
    ("exponential", "exp(z1)", "BA21", 1, 1, 1, "all Hermite coefficients are equal"),
    ("bump", "exp(-z1^2)", "DPLB24", 2, 2, 2, "an even bump"),
    ("generative-four", "z1^2*exp(-z1^2)", "DPLB24", 4, 4, 4, "no transformation of the label shows order 2"),
    (
        "cancelling-cosine",
        "cos(z1) + z1^2*exp(-1/2)/2",
        "BA21",
        4,
        4,
        2,
        "order 2 cancels, that of y^2 does not",
    ),
    ("tanh-he3", "tanh(He(3, z1))", "D24", 1, 1, 1, "squashing opens order 1"),
    ("staircase-2", "z1 + z1*z2", "A21", 1, 1, 1, "one step up"),
    ("staircase-3", "z1 + z1*z2 + z1*z2*z3", "A21", 1, 1, 1, "each direction opens the next"),
    ("staircase-4", "z1 + z1*z2 + z1*z2*z3 + z1*z2*z3*z4", "A21", 1, 1, 1, "four steps"),
    ("leap-2", "z1 + z1*z2*z3", "A23", 1, 2, 2, "a leap of two"),
    ("leap-3", "z1 + z1*z2*z3*z4", "A23", 1, 3, 2, "a leap of three"),
    ("product-2", "z1*z2", "A23", 2, 2, 2, "a saddle"),
    ("product-3", "z1*z2*z3", "A23", 3, 3, 2, "three directions at once"),
    ("product-4", "z1*z2*z3*z4", "A23", 4, 4, 2, "four directions at once"),
    ("parity-2", "sign(z1*z2)", "T24", 2, 2, 2, "two-valued: the label is all there is"),
    ("product-he3", "z1*z2*z3 + He(3, z4)", "D24", 3, 3, 2, "reuse shows e4 alone"),
    ("radius-4", "z1^2 + z2^2 + z3^2 + z4^2", "T24", 2, 2, 2, "every rotation fixes it: alpha_c = 2"),
    ("parity-3", "sign(z1*z2*z3)", "T24", 3, 3, 3, "hard for every statistical query"),
    ("square-parity", "z1^2 + sign(z1*z2*z3)", "T24", 2, 2, 2, "the square opens the parity"),
    ("he2-parity", "He(2, z1) + sign(z1*z2*z3)", "T24", 2, 2, 2, "the square opens the parity, no constant"),
    ("he4-parity", "He(4, z1) + sign(z1*z2*z3)", "T24", 3, 3, 2, "y^2 opens what the label does not"),
    ("diagonal", "z1 + z2 + z1*z2", "A23", 1, 1, 2, "leap 1 in these coordinates, 2 in others"),
    ("reuse-he3", "z1 + He(3, z2)", "D24", 1, 3, 1, "one batch twice learns both"),
    ("tanh-reference", "tanh(z1 + He(3, z2))", "D24", 1, 1, 1, "the experiment with ReLU networks"),
    ("he3-committee", "He(3, z1) + He(3, z2)", "D24", 3, 3, 2, "the swap hides the difference"),
    ("relu-committee", "relu(z1) + relu(z2)", "SS95", 1, 1, 2, "the swap hides the difference"),
    (
        "tanh-committee",
        "tanh(z1) + tanh(z2)",
        "SS95",
        1,
        1,
        2,
        "specialisation comes at order 2 of the label's powers",
    ),
    ("erf-committee", "erf(z1) + erf(z2)", "SS95", 1, 1, 2, "the soft committee machine"),
    ("quadratic-committee", "z1^2 + z2^2", "SS95", 2, 2, 2, "every rotation fixes it"),
    ("hyperbolic", "z1^2 - z2^2", "D24", 2, 2, 2, "a saddle, turned"),
    ("pairs", "z1*z2 + z3*z4", "A23", 2, 2, 2, "two saddles"),
    ("he3-he2", "He(3, z1)*He(2, z2)", "D24", 5, 5, 2, "the odd factor is learned, the even one hidden"),
    ("mixed", "He(2, z1)*He(3, z2) + z3", "D24", 1, 5, 2, "three fates in one target"),
    ("cyclic", "z1*z2^2 + z2*z3^2 + z3*z1^2", "D24", 1, 1, 2, "a cycle of coordinates hides two directions"),
    ("harmonic", "z1^3 - 3*z1*z2^2", "D24", 3, 3, 2, "a rotation by 120 degrees hides both"),
    ("relu-product", "relu(z1)*relu(z2)", "A23", 1, 1, 2, "two gates"),
    ("even-product", "z1^2*z2^2*z3^2", "T24", 2, 2, 2, "even in each coordinate"),
)

ENTRIES = {row[0]: Entry(*row) for row in _ROWS}


def catalog() -> Iterator[Entry]:
    """Yield the named targets.

    Examples
    --------
    >>> next(catalog()).name
    'he1'
    """
    yield from ENTRIES.values()


def gaussian_text(target: str) -> str:
    """Return the text of a target, of one of the catalog where it is given by @name.

    Raises
    ------
    RebatchError
        If there is none of that name, or its inputs are not Gaussian.
    """
    if not target.startswith("@"):
        return target
    entry = named(target)
    if not entry.target.inputs.is_gaussian:
        raise RebatchError(
            f"{target} is a target of {entry.target.inputs} inputs; allowed here are targets of Gaussian ones"
        )
    return entry.text


def named(name: str) -> Entry | BooleanEntry:
    """Return the entry of a name, Gaussian or on the cube, with or without the @ of the command line.

    Raises
    ------
    RebatchError
        If there is none of that name.
    """
    every: dict[str, Entry | BooleanEntry] = {**ENTRIES, **BOOLEAN_ENTRIES}
    entry = every.get(name.removeprefix("@"))
    if entry is None:
        raise RebatchError(f"no target is named {name!r}; `rebatch catalog` lists the {len(every)} names")
    return entry
