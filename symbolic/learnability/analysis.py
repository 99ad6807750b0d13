"""All that theory says of a target, in one object that prints itself (theory, 3.7)."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

from ..exact.subspace import as_latex, in_words
from ..language.target import Target
from .answers import Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .direction_verdict import DirectionVerdict
from .samples import SampleComplexity, sample_complexities

_AT_MOST = r"\le"


def _order(order: int | None, leap: IsotropicLeap | GenerativeLeap) -> str:
    """Return at which order a direction is learned; where the leap is undecided, a lower one is not excluded."""
    if order is None:
        return "undecided"
    return f"order {order}" if leap.value is not None else f"order <= {order}"


@dataclass(frozen=True)
class Analysis:
    """What can be learned of a target: exponents and verdicts, each with its proof. Prints itself.

    Attributes
    ----------
    target : Target
    dimension : int
        Number of index directions, the dimension of V(g).
    information_exponent, leap, generative_exponent : Exponent
    isotropic_leap : IsotropicLeap or None
    generative_leap : GenerativeLeap or None
        None where the inputs are not Gaussian: no rotation keeps their law.
    reuse_staircase : ReuseStaircase
    two_step : tuple of DirectionVerdict
        An orthogonal basis of V(g).
    """

    target: Target
    dimension: int
    information_exponent: Exponent
    leap: Exponent
    isotropic_leap: IsotropicLeap | None
    generative_exponent: Exponent
    generative_leap: GenerativeLeap | None
    reuse_staircase: ReuseStaircase
    two_step: tuple[DirectionVerdict, ...]

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
        return []

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
            self.dimension,
        )

    def fates(self) -> list[tuple[str, str, str, str, str]]:
        """Return, for each direction: its name, and how online SGD, two steps, more steps and queries see it."""
        return [self._fate(verdict) for verdict in self.two_step]

    def _fate(self, verdict: DirectionVerdict) -> tuple[str, str, str, str, str]:
        v = verdict.direction
        isotropic, generative = self.rotated()
        steps = [t for t, space in enumerate(self.reuse_staircase.spaces, start=1) if v in space]
        # What a symmetry hides from two steps it hides from any number: it fixes all that they reach.
        never = "hidden" if verdict.verdict == "hidden" else "not found"
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
            f"{self.dimension} direction(s) among {self.target.k} coordinate(s)",
        ]
        for name, exponent in self.exponents().items():
            lines.append(f"{name:22}{exponent!s:10} {exponent.how}: {exponent.witness}")
        for verdict in self.two_step:
            words = in_words(verdict.direction)
            lines.append(f"two steps, {words:10} {verdict.verdict:10} {verdict.how}: {verdict.reason()}")
        for number, witness in enumerate(self.reuse_staircase.witnesses, start=1):
            lines.append(f"reuse, round {number}: {witness} ({self.reuse_staircase.how})")
        if self.reuse_staircase.capped:
            lines.append(f"reuse: powers beyond y^{self.reuse_staircase.max_power} were too large to try")
        for need in self.samples.values():
            lines.append(f"{need.algorithm}, {need.learns}: {need} ({need.how}) {need.source}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the tables of the analysis for a notebook."""
        exponents = [(n, str(e), str(e.how), e.witness) for n, e in self.exponents().items()]
        needs = [(n.algorithm, n.learns, str(n), str(n.how), n.source) for n in self.samples.values()]
        proofs = [(in_words(v.direction), v.verdict, str(v.how), v.reason()) for v in self.two_step]
        return "".join(
            (
                f"<p><b>g(z) = {escape(self.target.text)}</b>, {self.dimension} direction(s)</p>",
                _html(FATES, self.fates()),
                _html(("exponent", "value", "how known", "witness"), exponents),
                _html(("direction", "two steps", "how known", "proof"), proofs),
                _html(("algorithm", "learns", "needs", "how known", "reference"), needs),
            )
        )

    def latex(self) -> str:
        """Return the table of exponents, verdicts and sample complexities in LaTeX."""
        rows = [
            rf"{name} & {_in_latex(exponent)} & {exponent.how} \\"
            for name, exponent in self.exponents().items()
        ]
        rows += [
            rf"two steps, $({', '.join(as_latex(v.direction))})$ & {v.verdict}"
            + (f" ($m {_AT_MOST if v.at_most else '='} {v.order}$)" if v.witness else "")
            + rf" & {v.how} \\"
            for v in self.two_step
        ]
        rows += [
            rf"{need.algorithm}, {need.learns} & ${need.latex()}$ & {need.how} \\"
            for need in self.samples.values()
        ]
        head = rf"\multicolumn{{3}}{{l}}{{${self.target.latex()}$}} \\ \hline"
        return "\n".join([r"\begin{tabular}{lll}", head, *rows, r"\end{tabular}"])


FATES = ("direction", "online SGD", "reuse, two steps", "reuse, more steps", "queries")


def _html(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table, everything in it escaped."""
    cells = "".join(f"<th>{escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells}</tr></thead><tbody>{body}</tbody></table>"


def _in_latex(exponent: Exponent) -> str:
    return r"$\infty$" if exponent.infinite else str(exponent)
