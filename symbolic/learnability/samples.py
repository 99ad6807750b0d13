"""How many samples each algorithm needs, as a power of the dimension d, from the exponents of the target.

What is said of an algorithm is at best a theorem of a paper, on top of an exponent that is known as well as it says:

============================ =========================== =========================================================
online SGD, first direction  d^max(IE - 1, 1)            theorem [BA21] for one direction and one neuron on the
                             d log d at IE = 2           sphere, up to logarithms; conjecture for several directions
online SGD, all directions   d^max(L - 1, 1)             main conjecture of [A23], there a time d^max(Leap, 2), with
                                                         the leap in given coordinates; proved for a class and a
                                                         variant of SGD. Here L is the isotropic leap
one giant batch, one step    d^IE                        theorem [D23]: the directions of order IE
giant batches, all           d^L, a batch for each step  theorem [D23] for staircases (L = 1), else conjecture
two steps on one batch       d                           theorem [D24]: what two steps reach, for almost every step
                                                         size and an activation with E[sigma'^(m-1) sigma^(m)] != 0
population gradient flow     time 1, log d,              conjecture: the integral of dm/dt = m^(IE - 1) from an
                             d^(IE/2 - 1)                overlap m of order d^(-1/2), a heuristic
statistical queries          d^max(GL / 2, 1)            theorem [DPLB24], [DLB25]: no statistical query or
                                                         low-degree polynomial needs fewer, and a spectral
                                                         statistic needs no more; nothing is said of descent
============================ =========================== =========================================================

"Not with n = O(d)" is what [D24] proves of directions that stay hidden after two steps; more samples may find them.
Theory, 3.7.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..exact.known import How, by_law
from .direction_count import DirectionCount
from .known_exponents import Exponent, GenerativeLeap

NEVER = "not with n = O(d)"


@dataclass(frozen=True)
class SampleComplexity:
    """What an algorithm needs, d^power or d^power log d.

    Attributes
    ----------
    algorithm, learns : str
        Who, and what it reaches.
    power : Fraction or None
        None where the exponent behind it is not decided, or nothing is reached with n = O(d).
    how : How
        At best a theorem, as the law of the algorithm is; weaker where the exponent is not proved.
    reference : str
        Keys of papers.
    hypothesis : str
        Of whom it is a theorem or a conjecture, and under what hypotheses.
    logarithm : bool
    unit : {"samples", "time", "queries"}
        The flow on the population has no samples; it takes time.
    """

    algorithm: str
    learns: str
    power: Fraction | None
    how: How
    reference: str
    hypothesis: str
    logarithm: bool = False
    unit: str = "samples"

    @property
    def source(self) -> str:
        """The reference with its hypothesis, in one line."""
        return f"[{self.reference}] {self.hypothesis}"

    def __str__(self) -> str:
        if self.power is None:
            return "undecided" if self.how is How.UNDECIDED else NEVER
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
        """Return text, LaTeX, power, warrant, reference and hypothesis."""
        return {
            "learns": self.learns,
            "text": str(self),
            "latex": self.latex(),
            "power": None if self.power is None else float(self.power),
            "logarithm": self.logarithm,
            "unit": self.unit,
            "how": str(self.how),
            "reference": self.reference,
            "hypothesis": self.hypothesis,
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
    directions: DirectionCount,
) -> dict[str, SampleComplexity]:
    """Return what each algorithm needs, by its key; nothing for a constant target.

    Parameters
    ----------
    information_exponent, isotropic_leap, generative_leap
        Of the target.
    reached : sequence of How
        How each direction that two steps learn is known to be learned.
    undecided : int
        How many directions two steps leave undecided.
    directions : DirectionCount
        How many there are.

    Examples
    --------
    >>> from rebatch import analyze
    >>> needs = analyze("z1 + He(3, z2)").samples
    >>> print(needs["online_sgd_all"], needs["online_sgd_all"].how)
    d^2 conjecture
    """
    if information_exponent.infinite:
        return {}
    return {
        "online_sgd": _online_first(information_exponent, directions.upper),
        "online_sgd_all": _online_all(isotropic_leap),
        "giant_step": _giant_step(information_exponent),
        "giant_steps": _giant_steps(isotropic_leap),
        "reuse": two_steps(reached, undecided, directions),
        "gradient_flow": _flow(information_exponent),
        "statistical_queries": _queries(generative_leap),
    }


def at_exponent(
    exponent: Exponent,
    law: How,
    algorithm: tuple[str, str],
    power: Fraction,
    source: tuple[str, str],
    **form: Any,
) -> SampleComplexity:
    """Return what an algorithm needs by a law, known no better than the law and the exponent."""
    reference, hypothesis = source
    if exponent.value is None:
        form.pop("logarithm", None)
        hypothesis = f"the exponent is undecided; {hypothesis}"
        return SampleComplexity(*algorithm, None, How.UNDECIDED, reference, hypothesis, **form)
    how = by_law(law, [exponent.how])
    return SampleComplexity(*algorithm, power, how, reference, _based(hypothesis, how), **form)


def _based(hypothesis: str, how: How) -> str:
    """Return a hypothesis that says where it is put on an exponent of evidence."""
    return f"for an exponent in floating point; {hypothesis}" if how is How.NUMERIC else hypothesis


def online_power(exponent: Exponent) -> Fraction:
    """Return n - 1, at least 1: the power of samples that online SGD needs at the exponent n."""
    return Fraction(max((exponent.value or 0) - 1, 1))


def _online_first(IE: Exponent, dimension: int) -> SampleComplexity:
    """Return what online SGD needs for a first direction."""
    proved = dimension == 1
    source = (
        "theorem: one neuron on the sphere, random start, up to logarithms"
        if proved
        else "conjecture: the theorem is for one direction, the local analysis the same"
    )
    return at_exponent(
        IE, How.THEOREM if proved else How.CONJECTURE, ("online SGD", "first direction"), online_power(IE),
        ("BA21", source), logarithm=IE.value == 2,
    )  # fmt: skip


def _online_all(L: Exponent) -> SampleComplexity:
    source = (
        "main conjecture: time d^max(leap, 2) up to logarithms, proved for a class; there the leap in given "
        "coordinates, here the isotropic one"
    )
    return at_exponent(
        L, How.CONJECTURE, ("online SGD", "all directions"), online_power(L), ("A23", source), logarithm=L.value == 2
    )  # fmt: skip


def _giant_step(IE: Exponent) -> SampleComplexity:
    order = f"order {IE.value}" if IE.value else "first directions"
    source = "theorem: one large step, an activation with Hermite coefficients up to this order"
    return at_exponent(
        IE, How.THEOREM, ("giant batch, one step", order), Fraction(IE.value or 0), ("D23", source)
    )


def _giant_steps(L: Exponent) -> SampleComplexity:
    """Return what steps on giant fresh batches need for all directions."""
    source = (
        "theorem for staircases: finitely many steps, each on fresh O(d) samples"
        if L.value == 1
        else "conjecture: proved for staircases only; the isotropic leap"
    )
    law = How.THEOREM if L.value == 1 else How.CONJECTURE
    return at_exponent(
        L, law, ("giant batches, steps", "all directions"), Fraction(L.value or 0), ("D23", source)
    )


def two_steps(
    reached: Sequence[How], undecided: int, directions: DirectionCount, *, gaussian: bool = True
) -> SampleComplexity:
    """Return what two steps on one batch need: O(d) for what they reach.

    [D24] is about Gaussian inputs; of others the same is a conjecture.
    """
    algorithm = ("two steps, one batch", f"{len(reached)} of {directions.at_most}")
    law = How.THEOREM if gaussian else How.CONJECTURE
    kind = "theorem" if gaussian else "conjecture, a theorem for Gaussian inputs"
    if reached:
        source = f"{kind}: almost every step size, an activation with E[sigma'^(m-1) sigma^(m)] != 0"
        # The law on top of a witness, which may be known in floating point only.
        how = by_law(law, reached)
        return SampleComplexity(*algorithm, Fraction(1), how, "D24", _based(source, how))
    if undecided:
        source = "neither a witness nor a symmetry was found"
        return SampleComplexity(*algorithm, None, How.UNDECIDED, "D24", source)
    source = f"{kind}: a proof for each direction that two steps with n = O(d) do not see it"
    return SampleComplexity(*algorithm, None, law, "D24", source)


def _flow(IE: Exponent) -> SampleComplexity:
    source = "heuristic: the integral of dm/dt = m^(IE-1) from m of order d^(-1/2)"
    power = max(Fraction((IE.value or 0) - 2, 2), Fraction(0))
    return at_exponent(
        IE, How.CONJECTURE, ("gradient flow", "first direction"), power, ("BA21", source),
        logarithm=IE.value == 2, unit="time",
    )  # fmt: skip


def _queries(leap: GenerativeLeap) -> SampleComplexity:
    """Return d^max(GL/2, 1), decided also where both bounds of the leap give the same power."""
    algorithm = ("statistical queries", "all directions")
    source = "theorem: a lower bound, met by a spectral statistic, not by descent"
    bounds = [None if n is None else max(Fraction(n, 2), Fraction(1)) for n in (leap.lower, leap.upper)]
    if bounds[0] is None or bounds[0] != bounds[1]:
        source = f"the exponent is undecided; {source}"
        return SampleComplexity(*algorithm, None, How.UNDECIDED, "DPLB24, DLB25", source)
    how = by_law(How.THEOREM, [leap.how if leap.value is not None else leap.upper_how])
    return SampleComplexity(*algorithm, bounds[0], how, "DPLB24, DLB25", _based(source, how))
