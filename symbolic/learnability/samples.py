"""How many samples each algorithm needs, as a power of the dimension d, from the exponents of the target.

============================ ============================= ==================================
online SGD, first direction  d^max(IE - 1, 1)              d log d at IE = 2       [BA21]
online SGD, all directions   d^max(L - 1, 1)               L the isotropic leap    [A23]
one giant batch, one step    d^IE                          the directions of order IE [D23]
giant batches, all           d^L                           a batch for each step   [D23]
two steps on one batch       d                             what two steps reach    [D24]
population gradient flow     time 1, log d, d^(IE/2 - 1)   from dm/dt ~ m^(IE - 1) [BA21]
statistical queries          d^max(GL / 2, 1)              GL the generative leap  [DPLB24], [DLB25]
============================ ============================= ==================================

The flow starts at an overlap m of order d^(-1/2) and leaves it in a time that the integral of m^(1 - IE) dm gives.
Theory, 3.7.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..exact.known import How, worst
from .answers import Exponent, GenerativeLeap


@dataclass(frozen=True)
class SampleComplexity:
    """What an algorithm needs, d^power or d^power log d.

    Attributes
    ----------
    algorithm, learns : str
        Who, and what it reaches.
    power : Fraction or None
        None where the exponent behind it is not decided, or nothing is reached.
    logarithm : bool
    how : How
    reference : str
    unit : {"samples", "time"}
        The flow on the population has no samples; it takes time.
    """

    algorithm: str
    learns: str
    power: Fraction | None
    how: How
    reference: str
    logarithm: bool = False
    unit: str = "samples"

    def __str__(self) -> str:
        if self.power is None:
            return "undecided" if self.how is How.UNDECIDED else "never"
        prefix = "time " if self.unit == "time" else ""
        return prefix + _product(
            self.power, "d^{}" if self.power.denominator == 1 else "d^({})", "log d", self.logarithm
        )

    def latex(self) -> str:
        """Return it in LaTeX."""
        if self.power is None:
            return rf"\text{{{self}}}"
        prefix = r"\text{time } " if self.unit == "time" else ""
        return prefix + _product(self.power, "d^{{{}}}", r"\log d", self.logarithm)

    def to_json(self) -> dict[str, Any]:
        """Return text, LaTeX, power, warrant and reference."""
        return {
            "learns": self.learns,
            "text": str(self),
            "latex": self.latex(),
            "power": None if self.power is None else float(self.power),
            "logarithm": self.logarithm,
            "unit": self.unit,
            "how": str(self.how),
            "reference": self.reference,
        }


def _product(power: Fraction, form: str, log: str, logarithm: bool) -> str:
    base = "" if power == 0 else "d" if power == 1 else form.format(power)
    return f"{base} {log if logarithm else ''}".strip() or "1"


def sample_complexities(
    information_exponent: Exponent,
    isotropic_leap: Exponent,
    generative_leap: GenerativeLeap,
    reached: Sequence[How],
    undecided: int,
    dimension: int,
) -> dict[str, SampleComplexity]:
    """Return what each algorithm needs, by its key; nothing for a constant target.

    Parameters
    ----------
    information_exponent, isotropic_leap, generative_leap
        Of the target.
    reached : sequence of How
        How each direction that two steps learn is known to be learned.
    undecided, dimension : int
        How many directions two steps leave undecided, and how many there are.

    Examples
    --------
    >>> from rebatch import analyze
    >>> {name: str(need) for name, need in analyze("z1 + He(3, z2)").samples.items()}["online_sgd_all"]
    'd^2'
    """
    if information_exponent.infinite:
        return {}
    IE, L = information_exponent, isotropic_leap
    order = f"order {IE.value}" if IE.value else "first directions"
    return {
        "online_sgd": _needs("online SGD", "first direction", IE, _online, "BA21", square_log=True),
        "online_sgd_all": _needs("online SGD", "all directions", L, _online, "A23", square_log=True),
        "giant_step": _needs("giant batch, one step", order, IE, Fraction, "D23"),
        "giant_steps": _needs("giant batches, steps", "all directions", L, Fraction, "D23"),
        "reuse": _reuse(reached, undecided, dimension),
        "gradient_flow": _needs(
            "gradient flow",
            "first direction",
            IE,
            lambda n: max(Fraction(n - 2, 2), Fraction(0)),
            "BA21",
            square_log=True,
            unit="time",
        ),
        "statistical_queries": _queries(generative_leap),
    }


def _online(n: int) -> Fraction:
    return Fraction(max(n - 1, 1))


def _needs(
    algorithm: str,
    learns: str,
    exponent: Exponent,
    power: Callable[[int], Fraction],
    reference: str,
    *,
    square_log: bool = False,
    unit: str = "samples",
) -> SampleComplexity:
    """Return the complexity at an exponent, with a logarithm at exponent 2 where the algorithm has one there."""
    if exponent.value is None:
        return SampleComplexity(algorithm, learns, None, How.UNDECIDED, reference, unit=unit)
    logarithm = square_log and exponent.value == 2
    return SampleComplexity(
        algorithm, learns, power(exponent.value), exponent.how, reference, logarithm, unit
    )


def _reuse(reached: Sequence[How], undecided: int, dimension: int) -> SampleComplexity:
    name, learns = "two steps, one batch", f"{len(reached)} of {dimension}"
    if reached:
        # Theorem [D24] on top of a witness, which may be known in floating point only.
        how = worst([How.THEOREM, *reached])
        return SampleComplexity(name, learns, Fraction(1), how, "D24")
    return SampleComplexity(name, learns, None, How.UNDECIDED if undecided else How.THEOREM, "D24")


def _queries(leap: GenerativeLeap) -> SampleComplexity:
    """Return d^max(GL/2, 1), decided also where both bounds of the leap give the same power."""
    name, reference = "statistical queries", "DPLB24, DLB25"
    bounds = [None if n is None else max(Fraction(n, 2), Fraction(1)) for n in (leap.lower, leap.upper)]
    if bounds[0] is None or bounds[0] != bounds[1]:
        return SampleComplexity(name, "all directions", None, How.UNDECIDED, reference)
    how = leap.how if leap.value is not None else How.NUMERIC
    return SampleComplexity(name, "all directions", bounds[0], how, reference)
