"""Named targets on the cube, with the exponents that are known of them: `rebatch analyze @majority-3`.

z_i = 1 or -1 with probability 1/2, and 1 is true: Min is "and", Max is "or". As in the catalog of Gaussian targets
the values stand here as they follow by hand; the tests hold them against what the analysis finds.
"""

from dataclasses import dataclass

from .target import Target


@dataclass(frozen=True)
class BooleanEntry:
    """A named target on the cube.

    Attributes
    ----------
    name : str
    text : str
        For the parser.
    paper : str
        A key of `papers()`: where a target of this kind is studied.
    information_exponent, leap, statistical_leap : int
        What is known.
    note : str
    """

    name: str
    text: str
    paper: str
    information_exponent: int
    leap: int
    statistical_leap: int
    note: str

    @property
    def target(self) -> Target:
        """The target itself."""
        return Target(self.text, inputs="boolean")


_ROWS = (
    ("dictator", "z1", "OD14", 1, 1, 1, "one coordinate decides"),
    ("cube-parity-2", "z1*z2", "K98", 2, 2, 2, "the smallest parity"),
    ("cube-parity-3", "z1*z2*z3", "K98", 3, 3, 3, "no query on fewer coordinates sees anything"),
    ("cube-parity-4", "z1*z2*z3*z4", "K98", 4, 4, 4, "four at once"),
    ("cube-parity-5", "z1*z2*z3*z4*z5", "K98", 5, 5, 5, "five at once"),
    ("cube-staircase-3", "z1 + z1*z2 + z1*z2*z3", "ABBBN21", 1, 1, 1, "each coordinate opens the next"),
    ("cube-staircase-4", "z1 + z1*z2 + z1*z2*z3 + z1*z2*z3*z4", "ABBBN21", 1, 1, 1, "four steps"),
    (
        "cube-staircase-5",
        "z1 + z1*z2 + z1*z2*z3 + z1*z2*z3*z4 + z1*z2*z3*z4*z5",
        "ABBBN21",
        1,
        1,
        1,
        "five steps",
    ),
    (
        "merged-staircase",
        "z1 + z1*z2 + z2*z3 + z2*z3*z4",
        "A21",
        1,
        1,
        1,
        "steps that do not contain each other",
    ),
    ("merged-pairs", "z1 + z2 + z1*z3 + z2*z4 + z3*z4*z5", "A21", 1, 1, 1, "two starts that meet"),
    ("cube-leap-2", "z1 + z1*z2*z3", "A23", 1, 2, 2, "a leap of two"),
    ("cube-leap-3", "z1 + z1*z2*z3*z4", "A23", 1, 3, 3, "a leap of three"),
    ("two-leaps", "z1*z2 + z1*z2*z3*z4", "A23", 2, 2, 2, "two coordinates, then two more"),
    ("cube-pairs", "z1*z2 + z3*z4", "A23", 2, 2, 2, "two saddles"),
    (
        "triangle",
        "z1*z2 + z2*z3 + z1*z3 + z1*z2*z3",
        "JMS24",
        2,
        2,
        1,
        "the absolute loss sees each coordinate",
    ),
    ("opened-by-squares", "2*z1*z2 + z1*z2*z3 + z3*z4", "JMS24", 2, 2, 2, "y^2 shows z3, y^3 shows z4"),
    ("majority-3", "sign(z1 + z2 + z3)", "OD14", 1, 1, 1, "every coordinate has a vote"),
    ("majority-5", "sign(z1 + z2 + z3 + z4 + z5)", "OD14", 1, 1, 1, "five votes"),
    ("tribes-2-2", "Max(Min(z1, z2), Min(z3, z4))", "BL85", 1, 1, 1, "one of two tribes of two agrees"),
    (
        "tribes-3-2",
        "Max(Min(z1, z2), Min(z3, z4), Min(z5, z6))",
        "BL85",
        1,
        1,
        1,
        "one of three tribes of two agrees",
    ),
    ("and-3", "Min(z1, z2, z3)", "OD14", 1, 1, 1, "all of three"),
    ("multiplexer", "(1 + z1)/2*z2 + (1 - z1)/2*z3", "OD14", 1, 1, 1, "the first bit chooses one of two"),
    ("not-all-equal-3", "(1 - z1*z2 - z2*z3 - z1*z3)/2", "OD14", 2, 2, 2, "even: hidden from two steps"),
    (
        "inner-product-4",
        "(1 + z1 + z2 - z1*z2)*(1 + z3 + z4 - z3*z4)/4",
        "R76",
        1,
        1,
        1,
        "bent: all sixteen coefficients have the same size",
    ),
)

BOOLEAN_ENTRIES = {row[0]: BooleanEntry(*row) for row in _ROWS}
