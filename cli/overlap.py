"""What `rebatch overlap` answers: a formula, where each direction appears in it, what reuse adds, and numbers."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import sympy as sp

from ..symbolic.errors import RebatchError
from ..symbolic.exact.typeset import display
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation
from ..symbolic.overlap.eta import as_text, ascending, shortened
from ..symbolic.overlap.headline import Formula, Headline, headlines
from ..symbolic.overlap.moments import NoMomentError
from ..symbolic.overlap.series import MAX_ORDER, OverlapSeries, overlap_series
from ..symbolic.overlap.suitability import ActivationCheck
from ..symbolic.overlap.two_steps import TwoStepOverlap, two_step_overlap
from .formulas import folded, for_terminal

if TYPE_CHECKING:  # a formula needs it not, and it loads slowly
    from ..numeric.setting import Setting

_UNIVERSAL = "For any activation sigma; E[.] over h ~ N(0, 1), sigma' and sigma^(n) its derivatives at h."
_FROM_A_START = (
    "Verdicts and m are for the start M = 0. From a given one the fields h know z at the first step already: a "
    "direction may appear below its m, and one that is hidden from M = 0 may appear."
)


@dataclass(frozen=True)
class Numbers:
    """M^0, M^1, M^2 at one alpha and eta.

    Attributes
    ----------
    M : ndarray, shape (3, p, k)
    errors : ndarray of the same shape, or None
        None: from the exact formula.
    meaning : str
        What the errors are.
    """

    M: np.ndarray
    errors: np.ndarray | None = None
    meaning: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer to one command.

    Attributes
    ----------
    reused, fresh : TwoStepOverlap or OverlapSeries, or None
        The formula with the batch used twice and with a fresh one; None where there are only numbers.
    one_pass : bool
        Which of them was asked for.
    numbers : Numbers or None
    check : ActivationCheck or None
        What the activation shows of each direction from M = 0; None without an activation, or from another start.
    """

    reused: Formula | None
    fresh: Formula | None
    one_pass: bool
    numbers: Numbers | None
    check: ActivationCheck | None = None

    @property
    def formula(self) -> Formula | None:
        """The formula that was asked for."""
        return self.fresh if self.one_pass else self.reused

    @property
    def exact(self) -> TwoStepOverlap | None:
        """That formula, if it is exact in eta."""
        return self.formula if isinstance(self.formula, TwoStepOverlap) else None

    @property
    def series(self) -> OverlapSeries | None:
        """That formula, if it is a series."""
        return self.formula if isinstance(self.formula, OverlapSeries) else None

    @cached_property
    def rows(self) -> tuple[Headline, ...]:
        """Where each direction appears."""
        return () if self.reused is None or self.fresh is None else headlines(self.reused, self.fresh)

    @cached_property
    def gain(self) -> sp.ImmutableMatrix | None:
        """What the second look at the batch adds to M^2; None in one pass, and for normalised rows: no polynomial."""
        if self.one_pass or self.reused is None or (self.exact is not None and self.exact.normalize):
            return None
        return self.reused.gain()

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        numbers = self.numbers
        errors = None if numbers is None else numbers.errors
        return {
            **({} if self.exact is None else self.exact.to_json()),
            "series": None if self.series is None else self.series.to_json(),
            "headline": [row.to_json() for row in self.rows],
            "activation_check": None if self.check is None else self.check.to_json(),
            "reuse_adds": None if self.gain is None else as_text(self.gain),
            "numbers": None if numbers is None else numbers.M.tolist(),
            "standard_error": None if errors is None else errors.tolist(),
            "error_meaning": None if numbers is None or errors is None else numbers.meaning,
        }

    def latex(self) -> str:
        """Return the formula and the headline in LaTeX, an equation to a row of one display.

        Raises
        ------
        RebatchError
            If there are only numbers.
        """
        if self.formula is None:
            raise RebatchError("--latex prints a formula; with --alpha and --eta add --series N for one")
        rows = [*self.formula.equations(), *(line for row in self.rows for line in row.equations())]
        return display(rows)

    def to_python(self) -> str:
        """Return the exact formula as a NumPy function.

        Raises
        ------
        RebatchError
            If there is none.
        """
        if self.exact is None:
            raise RebatchError("--python prints the exact formula, which needs a polynomial activation")
        return self.exact.to_python()

    def formula_lines(self) -> Iterator[str]:
        """Yield what a terminal shows of the formula."""
        if self.formula is None:
            return
        series = self.series
        if series is not None and series.activation is None:
            yield for_terminal(_UNIVERSAL)
        for line in str(self.formula).splitlines():
            yield folded(for_terminal(line))
        if series is not None and series.moments:
            error = {"enclosure": "a proved", "numeric": "an estimated"}[series.how]
            yield f"Decimals come from moments with {error} error; --json has them in full."
        if series is not None and series.stopped:
            simulated = series.activation is not None and series.activation.kernel is not None
            numbers = " --alpha and --eta give numbers." if simulated else ""
            yield f"No further: {for_terminal(series.stopped)}.{numbers}"

    def notes(self) -> Iterator[str]:
        """Yield what a reader of the headline must know."""
        formula = self.reused
        if formula is not None and not formula.target.inputs.is_gaussian:
            yield for_terminal(
                f"Inputs {formula.target.inputs}: the network sees z standardised, (z - mean) / deviation."
            )
        if isinstance(formula, TwoStepOverlap) and self.rows:
            if not formula.M0.is_zero_matrix:
                yield for_terminal(_FROM_A_START)
            if formula.normalize:
                yield for_terminal(
                    "Rows normalised: leading terms with the scales s and t expanded in eta, too."
                )
        if (
            formula is not None
            and not self.rows
            and any(formula.leading(j, r) for j, r in np.ndindex(len(formula.readout), formula.target.k))
        ):
            yield "No leading terms by direction: the directions are known as decimals only."

    def gain_lines(self) -> Iterator[str]:
        """Yield what reuse adds to M^2, entry by entry."""
        if self.gain is None:
            return
        rest = "" if self.series is None else f" + O(eta^{self.series.order + 1})"
        if not any(self.gain):
            known = "" if self.series is None else f" up to eta^{self.series.order}"
            yield for_terminal(f"Reuse adds nothing to M2{known}.")
            return
        yield "What the second look at the batch adds to M2:"
        for j, r in product(range(self.gain.rows), range(self.gain.cols)):
            if self.gain[j, r] != 0:
                terms = ascending(shortened(self.gain[j, r]))
                yield folded(for_terminal(f"  M2[{j + 1}, z{r + 1}]: {terms}{rest}"))


def formulas_of(
    target: Target,
    activation: str | None,
    series: int | None,
    *,
    numeric: bool,
    normalize: bool,
    begin: dict[str, Any],
    options: dict[str, Any],
) -> tuple[Formula | None, Formula | None]:
    """Return the formula with reuse and in one pass: exact where sigma is a polynomial, else a series, or none.

    Parameters
    ----------
    target, activation, series
        As given; series is the order, None by default.
    numeric : bool
        Whether numbers are asked for: they need no formula.
    normalize : bool
    begin, options : dict
        The start, and what every formula takes.

    Raises
    ------
    RebatchError
        If there is no formula for what is asked.
    """
    if series is None and activation is not None:
        if Activation(activation).is_polynomial:
            exact = two_step_overlap(target, activation, normalize=normalize, **options, **begin)
            return exact, exact.one_pass
        if numeric:
            return None, None
    for option, given in (("--start", bool(begin)), ("--normalize", normalize)):
        if given:
            raise RebatchError(
                f"{option} gives the exact formula of a polynomial activation, or numbers (--alpha and --eta); the "
                "series starts from M = 0 with rows as they are"
            )
    if series is not None and not 1 <= series <= MAX_ORDER:
        raise RebatchError(f"--series {series}; allowed are integers from 1 to {MAX_ORDER}")
    try:
        reused = overlap_series(target, activation, series, **options)
    except NoMomentError as error:
        if activation is None:
            raise
        raise RebatchError(f"{error}; --alpha and --eta give numbers") from None
    return reused, reused.one_pass


def numbers_of(experiment: "Setting", exact: TwoStepOverlap | None) -> Numbers:
    """Return M^0, M^1, M^2 of an experiment, from the exact formula where there is one, else by integrals."""
    if exact is not None:
        lam = experiment.weight_decay
        return Numbers(exact.at(alpha=experiment.alpha, eta=experiment.eta, weight_decay=lam))
    from ..numeric.simulate import simulate  # noqa: PLC0415 - a formula needs it not, and it loads slowly

    run = simulate(experiment, "limit", seed=0, overlaps_only=True)
    errors = run.data["M_error"]
    return Numbers(run.M.values, errors.values, errors.attrs["long_name"])
