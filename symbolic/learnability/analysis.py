"""All that theory says of a target, in one object that prints itself (theory, 3.7)."""

from dataclasses import dataclass
from typing import Any

from ..exact.shown import Sheet, Tabulated
from ..exact.subspace import as_latex, in_words
from ..language.target import Target
from .direction_count import DirectionCount
from .direction_verdict import DirectionVerdict
from .known_exponents import Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .samples import SampleComplexity, sample_complexities

_AT_MOST = r"\le"


def _order(order: int | None, leap: IsotropicLeap | GenerativeLeap) -> str:
    """Return at which order a direction is learned; where the leap is undecided, a lower one is not excluded."""
    if order is None:
        return "undecided"
    return f"order {order}" if leap.value is not None else f"order <= {order}"


def noise_notes(target: Target) -> list[str]:
    """Return what label noise does to exponents and verdicts: nothing (theory, 3.7)."""
    if target.noise is None:
        return []
    return [f"{target.noise_in_words} changes no exponent and no verdict (theory, 3.7)"]


@dataclass(frozen=True)
class Analysis(Tabulated):
    """What can be learned of a target: exponents and verdicts, each with its proof. Prints itself.

    Attributes
    ----------
    target : Target
    directions : DirectionCount
        How many index directions there are, the dimension of V(g).
    information_exponent, leap, generative_exponent : Exponent
    isotropic_leap : IsotropicLeap or None
    generative_leap : GenerativeLeap or None
        None where the inputs are not Gaussian: no rotation keeps their law.
    reuse_staircase : ReuseStaircase
    two_step : tuple of DirectionVerdict
        An orthogonal basis of V(g).
    """

    target: Target
    directions: DirectionCount
    information_exponent: Exponent
    leap: Exponent
    isotropic_leap: IsotropicLeap | None
    generative_exponent: Exponent
    generative_leap: GenerativeLeap | None
    reuse_staircase: ReuseStaircase
    two_step: tuple[DirectionVerdict, ...]

    @property
    def dimension(self) -> int:
        """Number of index directions; where it is not decided, the upper bound."""
        return self.directions.upper

    @property
    def staircase(self) -> bool | None:
        """Whether the target has the merged-staircase property (leap 1); None for a constant."""
        return None if self.leap.value is None else self.leap.value == 1

    def rotated(self) -> tuple[IsotropicLeap, GenerativeLeap]:
        """Return the two leaps that no rotation changes, of Gaussian inputs."""
        assert self.isotropic_leap is not None
        assert self.generative_leap is not None
        return self.isotropic_leap, self.generative_leap

    def exponents(self) -> dict[str, Exponent]:
        """Return the exponents under their names."""
        isotropic, generative = self.rotated()
        return {
            "information exponent": self.information_exponent,
            "leap": self.leap,
            "isotropic leap": isotropic,
            "generative leap": generative,
        }

    def notes(self) -> list[str]:
        """Return what else is to be said, a line each."""
        return noise_notes(self.target)

    @property
    def samples(self) -> dict[str, SampleComplexity]:
        """What each algorithm needs, by its name in the JSON."""
        reached = [v.how for v in self.two_step if v.verdict == "learned"]
        undecided = sum(v.verdict == "undecided" for v in self.two_step)
        return sample_complexities(
            self.information_exponent,
            *self.rotated(),
            reached,
            undecided,
            self.directions,
        )

    def fates(self) -> list[tuple[str, str, str, str, str]]:
        """Return, for each direction: its name, and how online SGD, two steps, more steps and queries see it."""
        return [self._fate(verdict) for verdict in self.two_step]

    def _fate(self, verdict: DirectionVerdict) -> tuple[str, str, str, str, str]:
        """Return what each algorithm does with one direction, in words."""
        v = verdict.direction
        isotropic, generative = self.rotated()
        # Round 1 is the two steps: what they learn is in it, also where the search for all of it ended early.
        first = [1] if verdict.verdict == "learned" else []
        steps = first + [t for t, space in enumerate(self.reuse_staircase.spaces, start=1) if v in space]
        # What a symmetry hides from two steps it hides from any number: it fixes all that they reach. Where nothing
        # is reached the next step is as the first.
        nothing = all(other.verdict == "hidden" for other in self.two_step)
        unseen = "undecided" if self.reuse_staircase.ended else "not found"
        never = "hidden" if verdict.certificate or nothing else unseen
        later = f"round {steps[0]}" if steps else never
        return (
            in_words(v),
            _order(isotropic.order_of(v), isotropic),
            verdict.summary,
            later,
            _order(generative.order_of(v), generative),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON-ready data; exact numbers are text."""
        isotropic, generative = self.rotated()
        return {
            "target": self.target.text,
            "k": self.target.k,
            "dimension": self.dimension,
            "directions": self.directions.to_json(),
            "information_exponent": self.information_exponent.to_json(),
            "leap": self.leap.to_json(),
            "isotropic_leap": isotropic.to_json(),
            "generative_exponent": self.generative_exponent.to_json(),
            "generative_leap": generative.to_json(),
            "reuse_staircase": self.reuse_staircase.to_json(),
            "staircase": self.staircase,
            "samples": {name: need.to_json() for name, need in self.samples.items()},
            "two_step": [verdict.to_json() for verdict in self.two_step],
        }

    def __str__(self) -> str:
        lines = [
            f"g(z) = {self.target.text}",
            f"{self.directions.in_words()} among {self.target.k} coordinate(s) ({self.directions.how})",
        ]
        for name, exponent in self.exponents().items():
            lines.append(f"{name:22}{exponent!s:10} {exponent.how}: {exponent.witness}")
        for verdict in self.two_step:
            words = in_words(verdict.direction)
            lines.append(f"two steps, {words:10} {verdict.said:10} {verdict.how}: {verdict.reason()}")
        for number, witness in enumerate(self.reuse_staircase.witnesses, start=1):
            lines.append(f"reuse, round {number}: {witness} ({self.reuse_staircase.how})")
        if self.reuse_staircase.capped:
            lines.append(f"reuse: powers beyond y^{self.reuse_staircase.max_power} were too large to try")
        for need in self.samples.values():
            lines.append(f"{need.algorithm}, {need.learns}: {need} ({need.how}) {need.source}")
        lines += noise_notes(self.target)
        return "\n".join(lines)

    def records(self) -> list[dict[str, Any]]:
        """Return a row for the number of directions, each exponent, verdict and algorithm, with how it is known."""
        count = self.directions
        rows = [("number", "directions", str(count), str(count.how), count.proof)]
        rows += [("exponent", name, str(e), str(e.how), e.witness) for name, e in self.exponents().items()]
        rows += [
            ("two steps", in_words(v.direction), v.summary, str(v.how), v.reason()) for v in self.two_step
        ]
        rows += [
            ("samples", f"{n.algorithm}, {n.learns}", str(n), str(n.how), n.source)
            for n in self.samples.values()
        ]
        return [dict(zip(("what", "of", "value", "how", "proof"), row, strict=True)) for row in rows]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return what becomes of each direction, the exponents, the proofs, and what each algorithm needs."""
        count = self.directions
        exponents = (
            ("directions", str(count), str(count.how), count.proof),
            *((n, str(e), str(e.how), e.witness) for n, e in self.exponents().items()),
        )
        needs = tuple((n.algorithm, n.learns, str(n), str(n.how), n.source) for n in self.samples.values())
        proofs = tuple((in_words(v.direction), v.said, str(v.how), v.reason()) for v in self.two_step)
        return (
            Sheet(FATES, tuple(self.fates()), f"g(z) = {self.target.text}, {self.directions.in_words()}"),
            Sheet(("exponent", "value", "how known", "witness"), exponents),
            Sheet(("direction", "two steps", "how known", "proof"), proofs),
            Sheet(("algorithm", "learns", "needs", "how known", "reference"), needs),
        )

    def to_latex(self) -> str:
        """Return :meth:`latex`."""
        return self.latex()

    def _repr_latex_(self) -> str:
        return self.latex()

    def latex(self) -> str:
        """Return exponents, verdicts and sample complexities as a table in LaTeX (booktabs), papers by their keys."""
        count = self.directions
        rows = [rf"directions & {str(count).replace(' to ', '--')} & {count.how} \\"]
        rows += [
            rf"{name} & {_in_latex(exponent)} & {exponent.how} \\"
            for name, exponent in self.exponents().items()
        ]
        rows += [
            rf"two steps, $({', '.join(as_latex(v.direction))})$ & {v.said}"
            + (f" ($m {_AT_MOST if v.at_most else '='} {v.order}$)" if v.witness else "")
            + rf" & {v.how} \\"
            for v in self.two_step
        ]
        rows += [
            rf"{need.algorithm}, {need.learns} & ${need.latex()}$ & {need.how} "
            rf"\cite{{{need.reference.replace(', ', ',')}}} \\"
            for need in self.samples.values()
        ]
        head = rf"\toprule \multicolumn{{3}}{{l}}{{${self.target.latex()}$}} \\ \midrule"
        return "\n".join([r"\begin{tabular}{lll}", head, *rows, r"\bottomrule", r"\end{tabular}"])


FATES = ("direction", "online SGD", "reuse, two steps", "reuse, more steps", "queries")


def _in_latex(exponent: Exponent) -> str:
    return r"$\infty$" if exponent.infinite else str(exponent)
