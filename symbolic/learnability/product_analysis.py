"""What can be learned of a target whose inputs are not Gaussian, in the form of every other analysis (theory, 13).

What has no meaning there is left out and said to be: no rotation keeps the law of the inputs, so there is no
isotropic and no generative leap; the leap in the coordinates and that for statistical queries stand in their place.
The table of samples holds what is stated for such inputs:

========================== =================== ================================================
online SGD                 d^max(L - 1, 1)     L the leap; time d^max(L, 2) by the conjecture of [A23]
two steps on one batch     d                   what two steps reach: [D24] for Gaussian inputs
statistical queries        d^L                 queries over squared tolerance, adaptive   [JMS24]
statistical queries        d^C                 the same, not adaptive: C the cover        [JMS24]
========================== =================== ================================================
"""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from ..exact.known import How
from ..exact.subspace import Vector, in_words
from ..language.target import Target
from .analysis import Analysis, noise_notes
from .direction_count import count_directions
from .direction_verdict import DirectionVerdict
from .known_exponents import Exponent
from .product_exponents import NO_ROTATION, CoordinateLeap, Fourier
from .reading import read_product
from .samples import SampleComplexity, at_exponent, online_power, two_steps
from .standardised import Standardised
from .verdict import verdict_of

ABSENT = {
    "isotropic_leap": NO_ROTATION,
    "generative_leap": f"{NO_ROTATION}; the statistical leap stands in its place",
}


@dataclass(frozen=True)
class ProductAnalysis(Analysis):
    """The analysis of a target under a law that is not Gaussian.

    Attributes
    ----------
    statistical_leap : CoordinateLeap
        The leap for queries on any function of the label.
    loss_leap : mapping from loss to Exponent
        For the squared, absolute, hinge and logistic loss.
    cover : Exponent
        What queries need that do not build on each other.
    coordinate_leap : mapping, or None
        Both leaps with a coordinate counted once whatever its degree; None where this is the same, on two values.
    fourier : Fourier or None
        Coefficients on the characters; None where the inputs take more values than can be gone through.
    """

    statistical_leap: CoordinateLeap
    loss_leap: Mapping[str, Exponent]
    cover: Exponent
    coordinate_leap: Mapping[str, Exponent] | None
    fourier: Fourier | None

    def exponents(self) -> dict[str, Exponent]:
        """Return the exponents under their names."""
        coordinates = self.coordinate_leap or {}
        return {
            "information exponent": self.information_exponent,
            "leap": self.leap,
            "statistical leap": self.statistical_leap,
            "logistic leap": self.loss_leap["logistic"],
            "cover": self.cover,
            **{f"{name} leap by coordinates": leap for name, leap in coordinates.items()},
        }

    @property
    def samples(self) -> dict[str, SampleComplexity]:
        """What each algorithm needs, by its name in the JSON."""
        if self.information_exponent.infinite:
            return {}
        reached = [v.how for v in self.two_step if v.verdict == "learned"]
        undecided = sum(v.verdict == "undecided" for v in self.two_step)
        return {
            "online_sgd": _online("first direction", self.information_exponent),
            "online_sgd_all": _online("all directions", self.leap),
            "reuse": two_steps(reached, undecided, self.directions, gaussian=False),
            "statistical_queries": _queries("all, adaptive", self.statistical_leap),
            "nonadaptive_queries": _queries("all, at once", self.cover),
        }

    def _fate(self, verdict: DirectionVerdict) -> tuple[str, str, str, str, str]:
        v = verdict.direction
        steps = [t for t, space in enumerate(self.reuse_staircase.spaces, start=1) if v in space]
        complete = self.reuse_staircase.how is not How.UNDECIDED and not self.reuse_staircase.capped
        never = "hidden" if complete or verdict.certificate else "not found"
        assert isinstance(self.leap, CoordinateLeap)
        online, queries = (_order(leap, v) for leap in (self.leap, self.statistical_leap))
        return in_words(v), online, verdict.summary, f"round {steps[0]}" if steps else never, queries

    def to_json(self) -> dict[str, Any]:
        """Return the keys of a Gaussian analysis that make sense here, and those of these inputs."""
        known: dict[str, Any] = {
            "target": self.target.text,
            "inputs": self.target.inputs.name,
            "k": self.target.k,
            "dimension": self.dimension,
            "directions": self.directions.to_json(),
            "information_exponent": self.information_exponent.to_json(),
            "leap": self.leap.to_json(),
            "statistical_leap": self.statistical_leap.to_json(),
            "loss_leap": {loss: leap.to_json() for loss, leap in self.loss_leap.items()},
            "cover": self.cover.to_json(),
            "generative_exponent": self.generative_exponent.to_json(),
            "reuse_staircase": self.reuse_staircase.to_json(),
            "staircase": self.staircase,
            "samples": {name: need.to_json() for name, need in self.samples.items()},
            "two_step": [verdict.to_json() for verdict in self.two_step],
            "absent": ABSENT,
        }
        if self.coordinate_leap is not None:
            known["coordinate_leap"] = {name: leap.to_json() for name, leap in self.coordinate_leap.items()}
        if self.fourier is not None:
            known["fourier"] = self.fourier.to_json()
        return known

    def notes(self) -> list[str]:
        """Return what has no meaning for these inputs, and why; what directions are of, where it must be said."""
        absent = [f"no {name.replace('_', ' ')}: {reason}" for name, reason in ABSENT.items()]
        if Standardised(self.target.inputs, self.target.k).is_plain:
            return [*noise_notes(self.target), *absent]
        standardised = "directions are of (z - mean)/deviation, which a network sees; deviations differ"
        return [*noise_notes(self.target), standardised, *absent]

    def __str__(self) -> str:
        head, *lines = super().__str__().splitlines()
        return "\n".join([f"{head}, inputs {self.target.inputs}", *lines, *self.notes()])


def _order(leap: CoordinateLeap, direction: Vector) -> str:
    """Return at which order a direction is learned; where the leap is undecided, a lower one is not excluded."""
    order = leap.order_of(direction)
    if order is None:
        return "undecided"
    return f"order {order}" if leap.value is not None else f"order <= {order}"


def _online(learns: str, exponent: Exponent) -> SampleComplexity:
    source = "main conjecture: time d^max(leap, 2) up to logarithms, stated for uniform signs; here for these inputs"
    return at_exponent(
        exponent, How.CONJECTURE, ("online SGD", learns), online_power(exponent), ("A23", source),
        logarithm=exponent.value == 2,
    )  # fmt: skip


def _queries(learns: str, exponent: Exponent) -> SampleComplexity:
    source = "theorem: the number of queries at a fixed tolerance, on product inputs; not of descent"
    return at_exponent(
        exponent, How.THEOREM, ("statistical queries", learns), Fraction(exponent.value or 0), ("JMS24", source),
        unit="queries",
    )  # fmt: skip


def analyze_product(target: Target, max_order: int) -> ProductAnalysis:
    """Return the analysis of a target whose inputs are not Gaussian."""
    reading = read_product(target)
    two_values = all(len(part.atoms) == 2 for part in target.inputs.each(target.k))
    return ProductAnalysis(
        target=target,
        directions=count_directions(target, reading.relevant, (), exact=True),
        information_exponent=reading.information_exponent(),
        leap=reading.leap(),
        isotropic_leap=None,
        generative_exponent=reading.generative_exponent(),
        generative_leap=None,
        reuse_staircase=reading.reuse_staircase(max_order),
        two_step=verdict_of(reading, max_order),
        statistical_leap=reading.statistical_leap(),
        loss_leap=reading.loss_leap(),
        cover=reading.cover(),
        coordinate_leap=None if two_values else reading.coordinate_leap(),
        fourier=reading.fourier(),
    )
