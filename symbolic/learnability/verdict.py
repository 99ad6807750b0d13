"""What gradient descent can learn of a target, direction by direction, with a proof for each line (theory, 3.4).

After two steps on a reused batch of n = Theta(d) samples the network can overlap with span{E[F(y) z] : F}. A witness
E[y^m z] proves that a direction is learned; a symmetry of the target proves that one stays hidden; with neither,
the verdict is "undecided", never "hidden".
"""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from flint import fmpq

from ..calculus.gaussian import first_moments
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.known import How, worst
from ..exact.polynomial import is_polynomial, powers, to_polynomial
from ..exact.real import how_known
from ..exact.subspace import (
    Subspace,
    Vector,
    as_latex,
    as_text,
    axis,
    in_words,
    orthogonalised,
    primitive,
    projected,
)
from ..language.target import Target
from ..proofs.symmetry import PolynomialFixer, Symmetry, hidden_directions
from .answers import Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .any_target import search_of
from .exponents import (
    generative_exponent,
    generative_leap,
    information_exponent,
    isotropic_leap,
    leap,
    relevant_subspace,
    reuse_staircase,
)
from .samples import SampleComplexity, sample_complexities
from .search import direction_of

Witness = tuple[fmpq | Expectation, ...]
Verdict = Literal["learned", "hidden", "undecided"]

MAX_WITNESS_ORDER = 8
_MAX_WITNESS_TERMS = 300_000
_SHORT = 24


@dataclass(frozen=True)
class DirectionVerdict:
    """The two-step verdict on one direction.

    Attributes
    ----------
    direction : vector
        An integer vector in R^k, unnormalised.
    verdict : {"learned", "hidden", "undecided"}
    how : How
    order : int or None
        Learned: the least m at which E[y^m z] leaves the span of the lower ones. Undecided: the highest m searched.
    witness : vector of rationals or of Expectation, or None
        Learned: mu_m = E[y^m z], not orthogonal to the direction. Label noise is left out; it adds multiples of
        lower mu_j.
    at_most : bool
        Whether a lower m is not excluded: a moment of it cannot be told from 0.
    certificate : tuple of Symmetry or None
        Hidden: symmetries R of the target whose images of I - R together contain the direction.
    """

    direction: Vector
    verdict: Verdict
    how: How
    order: int | None = None
    witness: Witness | None = None
    certificate: tuple[Symmetry, ...] | None = None
    at_most: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return all fields, numbers as exact text."""
        return {
            "direction": as_text(self.direction),
            "verdict": self.verdict,
            "how": str(self.how),
            "order": self.order,
            "at_most": self.at_most,
            "witness": None if self.witness is None else [_in_full(x) for x in self.witness],
            "certificate": None if self.certificate is None else [R.to_json() for R in self.certificate],
        }

    @property
    def summary(self) -> str:
        """The verdict, and the m of its witness."""
        return (
            f"{self.verdict} (m {'<=' if self.at_most else '='} {self.order})"
            if self.witness
            else self.verdict
        )

    def reason(self) -> str:
        """Return the proof, or what was searched, in one line."""
        if self.witness is not None:
            power = "y" if self.order == 1 else f"y^{self.order}"
            return f"E[{power} z] = ({', '.join(map(_in_short, self.witness))})"
        if self.certificate is not None:
            return "; ".join(map(str, self.certificate))
        if self.verdict == "learned":
            return f"a polynomial of one direction that is not even; E[y^m z] = 0 for m <= {self.order}"
        return f"no witness E[y^m z] for m <= {self.order}, no symmetry among those tried"


_AT_MOST = r"\le"


def _order(order: int | None, leap: IsotropicLeap | GenerativeLeap) -> str:
    """Return at which order a direction is learned; where the leap is undecided, a lower one is not excluded."""
    if order is None:
        return "undecided"
    return f"order {order}" if leap.value is not None else f"order <= {order}"


def _in_full(x: fmpq | Expectation) -> str:
    return str(x) if isinstance(x, Expectation) else as_text([x])[0]


def _in_short(x: fmpq | Expectation) -> str:
    """Return an exact number as it is where it is short, else six digits."""
    if isinstance(x, Expectation) and (x.how is not How.EXACT or len(str(x)) > _SHORT):
        return f"{float(x):.6g}"
    return _in_full(x)


def two_step_verdict(
    target: Target | str, max_order: int = MAX_WITNESS_ORDER
) -> tuple[DirectionVerdict, ...]:
    """Return the verdict on each direction of an orthogonal basis of V(g), learned ones first.

    Parameters
    ----------
    target : Target or str
    max_order : int
        The highest power m of the label whose moment E[y^m z] is computed; fewer where y^m has over 300,000 terms.

    Raises
    ------
    RebatchError
        If max_order is not a positive integer; UndefinedFunctionError if g is not defined everywhere.

    References
    ----------
    [D24]; theory, 3.4. For one direction [L24]: a polynomial is hidden if and only if it is even.

    Examples
    --------
    >>> [v.order for v in two_step_verdict("z1 + He(3, z2)")]
    [1, 3]
    """
    if not (isinstance(max_order, int) and max_order >= 1):
        raise RebatchError(f"max_order = {max_order!r}; allowed are integers >= 1")
    target = Target(target)
    relevant = relevant_subspace(target)
    if relevant.dimension == 0:
        return ()
    polynomial = is_polynomial(target.expr, target.coordinates)
    if polynomial:
        learned, searched = _witnessed(target, relevant, max_order)
        reached = Subspace.span((v.direction for v in learned), target.k)
        g = PolynomialFixer(to_polynomial(target.expr, target.coordinates))
        symmetries = hidden_directions(g, relevant, reached)[0]
    else:
        search = search_of(target)
        symmetries = search.certified[0]
        learned, searched = _measured(target, max_order)
        reached = Subspace.span((v.direction for v in learned), target.k)
        if (reached + search.hidden).dimension < relevant.dimension:
            symmetries = (*symmetries, *hidden_directions(search.fixer, relevant, reached)[0])
    hidden = _certified(symmetries, relevant)
    rest = (reached + Subspace.span((v.direction for v in hidden), target.k)).within(relevant)
    if polynomial and relevant.dimension == 1 and rest.dimension:
        # Not even, or the inversion of V would have been found: learned, by the theorem.
        return tuple(
            DirectionVerdict(v, "learned", How.THEOREM, order=searched) for v in rest.orthogonal_basis()
        )
    undecided = (
        DirectionVerdict(v, "undecided", How.UNDECIDED, order=searched) for v in rest.orthogonal_basis()
    )
    return (*learned, *hidden, *undecided)


def _certified(symmetries: tuple[Symmetry, ...], relevant: Subspace) -> tuple[DirectionVerdict, ...]:
    """Return an orthogonal basis of the directions that symmetries prove hidden, each with those that prove it."""
    found: list[DirectionVerdict] = []
    moved: list[Subspace] = []
    for i, symmetry in enumerate(symmetries):
        moved.append(Subspace.span((projected(v, relevant) for v in symmetry.moved), relevant.ambient))
        for v in moved[-1].orthogonal_basis():
            new = orthogonalised(v, (known.direction for known in found))
            if any(new):
                alone = [s for s, space in zip(symmetries, moved, strict=False) if new in space][:1]
                proof = tuple(alone or symmetries[: i + 1])
                found.append(DirectionVerdict(primitive(new), "hidden", How.EXACT, certificate=proof))
    return tuple(found)


def _witnessed(
    target: Target, relevant: Subspace, max_order: int
) -> tuple[tuple[DirectionVerdict, ...], int]:
    """Return the directions that a moment E[y^m z] reaches, each at its least m, and the last m searched."""
    polynomial = to_polynomial(target.expr, target.coordinates)
    found: list[DirectionVerdict] = []
    m = 0
    for m, power in enumerate(powers(polynomial, max_order, _MAX_WITNESS_TERMS), start=1):
        mu = tuple(first_moments(power, target.k))
        new = orthogonalised(mu, (v.direction for v in found))
        if any(new):
            found.append(DirectionVerdict(primitive(new), "learned", How.EXACT, order=m, witness=mu))
        if len(found) == relevant.dimension:
            break
    return tuple(found), m


def _measured(target: Target, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
    """Return the directions that moments E[y^m z] of any target reach, at their least m, and the last m searched."""
    search = search_of(target)
    axes = [axis(i, target.k) for i in range(target.k)]
    basis = search.fixed.orthogonal_basis()
    found: list[DirectionVerdict] = []
    # How it is known that lower moments add nothing: the order of a verdict rests on it.
    lower: list[How] = []
    coarse = False
    if not basis:
        return (), max_order
    m = 0
    for m in range(1, max_order + 1):
        entries = tuple(search.averages.coefficient(m, ((b, 1),)) for b in basis)
        before = worst(lower)
        at_most, coarse = coarse, coarse or not all(c.tells for c in entries)
        lower += [c.how for c in entries if c.zero]
        if all(c.zero for c in entries):
            continue
        direction, how = direction_of(search, m, basis, entries)
        new = orthogonalised(direction, (verdict.direction for verdict in found))
        if any(new):
            mu = tuple(search.averages.coefficient(m, ((e, 1),)).value for e in axes)
            if len(found) == len(basis) - 1:
                # Up to a factor the last one is what the others leave, and shorter to write.
                others = Subspace.span((verdict.direction for verdict in found), target.k)
                (new,) = others.within(search.fixed).orthogonal_basis()
            known = worst([how, before, *map(how_known, new), *(verdict.how for verdict in found)])
            found.append(
                DirectionVerdict(primitive(new), "learned", known, order=m, witness=mu, at_most=at_most)
            )
        elif how is not How.EXACT:
            lower.append(How.NUMERIC)  # in the span of those before, as far as can be told
        if len(found) == len(basis):
            break
    return tuple(found), m


@dataclass(frozen=True)
class Analysis:
    """What can be learned of a target: exponents and verdicts, each with its proof. Prints itself.

    Attributes
    ----------
    target : Target
    dimension : int
        Number of index directions, the dimension of V(g).
    information_exponent, leap, generative_exponent : Exponent
    isotropic_leap : IsotropicLeap
    generative_leap : GenerativeLeap
    reuse_staircase : ReuseStaircase
    two_step : tuple of DirectionVerdict
        An orthogonal basis of V(g).
    """

    target: Target
    dimension: int
    information_exponent: Exponent
    leap: Exponent
    isotropic_leap: IsotropicLeap
    generative_exponent: Exponent
    generative_leap: GenerativeLeap
    reuse_staircase: ReuseStaircase
    two_step: tuple[DirectionVerdict, ...]

    @property
    def staircase(self) -> bool | None:
        """Whether the target has the merged-staircase property (leap 1); None for a constant."""
        return None if self.leap.value is None else self.leap.value == 1

    def exponents(self) -> dict[str, Exponent]:
        """Return the exponents under their names."""
        return {
            "information exponent": self.information_exponent,
            "leap": self.leap,
            "isotropic leap": self.isotropic_leap,
            "generative leap": self.generative_leap,
        }

    @property
    def samples(self) -> dict[str, SampleComplexity]:
        """What each algorithm needs, by its name in the JSON."""
        reached = [v.how for v in self.two_step if v.verdict == "learned"]
        undecided = sum(v.verdict == "undecided" for v in self.two_step)
        return sample_complexities(
            self.information_exponent,
            self.isotropic_leap,
            self.generative_leap,
            reached,
            undecided,
            self.dimension,
        )

    def fates(self) -> list[tuple[str, str, str, str, str]]:
        """Return, for each direction: its name, and how online SGD, two steps, more steps and queries see it."""
        return [self._fate(verdict) for verdict in self.two_step]

    def _fate(self, verdict: DirectionVerdict) -> tuple[str, str, str, str, str]:
        v = verdict.direction
        online, generative = self.isotropic_leap.order_of(v), self.generative_leap.order_of(v)
        steps = [t for t, space in enumerate(self.reuse_staircase.spaces, start=1) if v in space]
        # What a symmetry hides from two steps it hides from any number: it fixes all that they reach.
        never = "hidden" if verdict.verdict == "hidden" else "not found"
        later = f"round {steps[0]}" if steps else never
        return (
            in_words(v),
            _order(online, self.isotropic_leap),
            verdict.summary,
            later,
            _order(generative, self.generative_leap),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the analysis as JSON-ready data; exact numbers are text."""
        return {
            "target": self.target.text,
            "k": self.target.k,
            "dimension": self.dimension,
            "information_exponent": self.information_exponent.to_json(),
            "leap": self.leap.to_json(),
            "isotropic_leap": self.isotropic_leap.to_json(),
            "generative_exponent": self.generative_exponent.to_json(),
            "generative_leap": self.generative_leap.to_json(),
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
        for need in self.samples.values():
            lines.append(f"{need.algorithm}, {need.learns}: {need} ({need.how}) [{need.reference}]")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        """Return the tables of the analysis for a notebook."""
        exponents = [(n, str(e), str(e.how), e.witness) for n, e in self.exponents().items()]
        needs = [(n.algorithm, n.learns, str(n), str(n.how), n.reference) for n in self.samples.values()]
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


def analyze(target: Target | str, *, max_order: int = MAX_WITNESS_ORDER) -> Analysis:
    """Return what gradient descent can learn of a target: exponents and two-step verdicts.

    Parameters
    ----------
    target : Target or str
    max_order : int
        The highest m for which a witness E[y^m z] is sought.

    Raises
    ------
    RebatchError
        If max_order is not a positive integer, or g is not a real function with an expectation.

    References
    ----------
    theory, 3.
    """
    target = Target(target)
    return Analysis(
        target=target,
        dimension=relevant_subspace(target).dimension,
        information_exponent=information_exponent(target),
        leap=leap(target),
        isotropic_leap=isotropic_leap(target),
        generative_exponent=generative_exponent(target),
        generative_leap=generative_leap(target, max_order),
        reuse_staircase=reuse_staircase(target, max_order),
        two_step=two_step_verdict(target, max_order),
    )
