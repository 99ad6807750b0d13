"""Which activation shows which direction after two steps on one batch (theory, 5.2 and 10).

As a polynomial in alpha, M^2 v has at eta^m, to first order in alpha and without weight decay, the coefficient

    a^m / (m - 1)! E[y^m <v, z>] E[sigma'(h)^(m-1) sigma^(m)(h)]

under correlation loss (at m = 1 twice that): every term that is left out carries a further factor of alpha or lam,
since m, n and the variance of omega in 5.2 do. Where both factors differ from 0 the direction shows at eta^m for
almost every alpha; under squared loss too, for almost every size of the second layer. The least such m is the witness
order of the direction where the activation allows it, else a higher one. Where sigma' jumps these derivatives do not
exist beyond m = 1, and :mod:`~rebatch.symbolic.overlap.kinks` decides at eta^2.

Two symmetries of the first field hide more. An even sigma has an odd sigma': changing the sign of h^0 and of all that
is drawn beside it changes the sign of every signal and of no label, so that M stays 0. With an odd sigma, where
E[y z] = 0, only odd functions of the label count.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import sympy as sp

from .. import checks
from ..calculus.gaussian import expectation
from ..errors import RebatchError
from ..exact.effort import DEFAULT_EFFORT, effort
from ..exact.expectation import Expectation
from ..exact.irrational import as_expr, as_float, vanishes
from ..exact.known import How, worst
from ..exact.shown import Sheet, Tabulated
from ..exact.subspace import Vector, in_words, is_exact
from ..language.symbols import ACTIVATION_VARIABLE as H
from ..language.symbols import coordinate
from ..language.target import Target
from ..learnability.direction_verdict import DirectionVerdict
from ..learnability.known_exponents import MOST_ORDER
from ..learnability.verdict import MAX_WITNESS_ORDER, two_step_verdict
from .activation import NAMED, Activation
from .hypothesis import Hypothesis, paper_hypothesis
from .kinks import kink_coefficients, kinks
from .moments import moments_of, noisy_terms
from .network import exact
from .series import outgrows_polynomials

Outcome = Literal["shown", "vanishes", "not shown", "undecided", "hidden"]
# Of the entries of a direction that is known in decimals only.
_ROUNDING = 1e-9
_BY_SYMMETRY = "sigma is even: M stays 0 at every step"


@dataclass(frozen=True)
class DirectionShown:
    """Whether one activation shows one direction after two steps.

    Attributes
    ----------
    verdict : DirectionVerdict
        Whether any activation does.
    outcome : {"shown", "vanishes", "not shown", "undecided", "hidden"}
        "shown": for almost every alpha, at this power of eta or below. "vanishes": to first order in alpha at every
        power of eta up to `searched`, which leaves the other orders open. "not shown": at no alpha and eta. "hidden":
        by a symmetry of the target, from every activation.
    how : How
    power : int or None
        The power of eta at which it shows.
    coefficient : Expectation or None
        E[sigma'^(m-1) sigma^(m)] at the witness order m; None where there is no m, or it does not exist.
    kink : tuple of Expectation, or None
        K(v) for neurons with a > 0 and with a < 0, where a kink decides.
    searched : int or None
        The highest power of the label that was tried.
    reason : str
    """

    verdict: DirectionVerdict
    outcome: Outcome
    how: How
    power: int | None = None
    coefficient: Expectation | None = None
    kink: tuple[Expectation, Expectation] | None = None
    searched: int | None = None
    reason: str = ""

    @property
    def summary(self) -> str:
        """The outcome, and the power of eta."""
        if self.outcome == "vanishes":
            return f"vanishes up to eta^{self.searched}"
        return f"shown at eta^{self.power}" if self.outcome == "shown" else self.outcome

    def to_json(self) -> dict[str, Any]:
        """Return all fields as data."""
        verdict = self.verdict.to_json()
        return {
            **{name: verdict[name] for name in ("direction", "verdict", "order")},
            "outcome": self.outcome,
            "how": str(self.how),
            "power": self.power,
            "coefficient": None if self.coefficient is None else self.coefficient.to_json(),
            "kink": None if self.kink is None else [K.to_json() for K in self.kink],
            "searched": self.searched,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class ActivationCheck(Tabulated):
    """What one activation shows of a target after two steps on one batch.

    Attributes
    ----------
    target : Target
    activation : Activation
    directions : tuple of DirectionShown
        An orthogonal basis of V(g), in the order of the two-step verdicts.
    hypothesis : Hypothesis
        What the published theorem asks, taken literally.
    formal : bool
        Whether sigma outgrows every polynomial, so that M^2 itself may be infinite.
    """

    target: Target
    activation: Activation
    directions: tuple[DirectionShown, ...]
    hypothesis: Hypothesis
    formal: bool

    @property
    def shows_all(self) -> bool:
        """Whether it shows every direction that two steps can learn."""
        return all(d.outcome == "shown" for d in self.directions if d.verdict.verdict == "learned")

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each direction."""
        return [
            {
                "activation": self.activation.name,
                "direction": in_words(d.verdict.direction),
                "two steps": d.verdict.summary,
                "this activation": d.summary,
                "how": str(d.how),
                "reason": d.reason,
            }
            for d in self.directions
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return a row for each direction."""
        head = ("direction", "two steps", f"sigma = {self.activation}", "how known", "why")
        rows = tuple(
            (in_words(d.verdict.direction), d.verdict.summary, d.summary, str(d.how), d.reason)
            for d in self.directions
        )
        return (Sheet(head, rows, f"g(z) = {self.target.text}"),)

    def remarks(self) -> tuple[str, ...]:
        """Return what is to be said beside the table: for which settings, and the published theorem."""
        return (*([_FORMAL] if self.formal else [_SETTINGS]), self.theorem())

    def theorem(self) -> str:
        """Return what the published theorem asks of the activation, and whether it is so."""
        return f"[D24, Theorem 1] for sigma = {self.activation}: {self.hypothesis.reason()}"

    def __str__(self) -> str:
        rows = [
            f"{r['direction']}: {r['this activation']} ({r['how']}): {r['reason']}" for r in self.records()
        ]
        return "\n".join([f"sigma = {self.activation}, g(z) = {self.target.text}", *rows, *self.remarks()])

    def to_json(self) -> dict[str, Any]:
        """Return the check as data."""
        return {
            "activation": self.activation.name,
            "shows_all": self.shows_all,
            "formal": self.formal,
            "directions": [d.to_json() for d in self.directions],
            "theorem": self.hypothesis.to_json(),
        }


_SETTINGS = "shown: at almost every alpha, and under squared loss at almost every size of the second layer"
_FORMAL = "sigma outgrows every polynomial: M^2 may be infinite at every eta > 0, and the power is formal"


@dataclass(frozen=True)
class ActivationChoice(Tabulated):
    """Which activation to take for a target: several of them, by direction.

    Attributes
    ----------
    target : Target
    checks : tuple of ActivationCheck
    """

    target: Target
    checks: tuple[ActivationCheck, ...]

    def best(self) -> tuple[str, ...]:
        """Return those that show every direction that two steps can learn, lowest powers of eta first.

        None where no direction can be learned; activations of which M^2 may be infinite are left out.
        """
        able = [
            c
            for c in self.checks
            if c.shows_all and not c.formal and any(d.outcome == "shown" for d in c.directions)
        ]
        return tuple(c.activation.name for c in sorted(able, key=lambda c: sorted(_powers(c), reverse=True)))

    def remarks(self) -> tuple[str, ...]:
        """Return what is to be said beside the table: which to take."""
        return (self.answer(),)

    def answer(self) -> str:
        """Return which to take, in one line."""
        learnable = (
            [d for d in self.checks[0].directions if d.verdict.verdict == "learned"] if self.checks else []
        )
        if not learnable:
            return "no direction has a witness: no activation is known to show any after two steps"
        if not (names := self.best()):
            return (
                "none of these shows every direction that two steps can learn: try a bias, relu(h + 1/2), say"
            )
        return f"every direction that two steps can learn is shown by {', '.join(names)}, lowest powers of eta first"

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each activation and direction."""
        return [row for check in self.checks for row in check.records()]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return a row for each activation, a column for each direction."""
        if not self.checks:
            return (Sheet(("activation",), ()),)
        names = (in_words(d.verdict.direction) for d in self.checks[0].directions)
        rows = tuple(
            (c.activation.name, *(f"{d.summary} ({d.how})" for d in c.directions), c.hypothesis.reason())
            for c in self.checks
        )
        return (Sheet(("activation", *names, "[D24, Theorem 1]"), rows, f"g(z) = {self.target.text}"),)

    def __str__(self) -> str:
        lines = [f"{name:12}{'; '.join(cells)}" for name, *cells in self.sheets()[0].rows]
        return "\n".join([f"g(z) = {self.target.text}", *lines, *self.remarks()])

    def to_json(self) -> dict[str, Any]:
        """Return the checks, and which of them to take."""
        return {
            "target": self.target.text,
            "best": list(self.best()),
            "activations": [c.to_json() for c in self.checks],
        }


def _powers(check: ActivationCheck) -> Iterable[int]:
    return (d.power for d in check.directions if d.power is not None)


def activation_check(
    target: Target | str, activation: Activation | str, max_order: int = MAX_WITNESS_ORDER
) -> ActivationCheck:
    """Return whether an activation shows, after two steps on one batch, each direction that has a witness.

    Parameters
    ----------
    target : Target or str
        Of Gaussian inputs.
    activation : Activation or str
    max_order : int
        The highest power m of the label that is tried.

    Raises
    ------
    RebatchError
        If an argument is not allowed.

    References
    ----------
    [D24, Theorem 1]; theory, 5.2 and 10.

    Examples
    --------
    >>> print(activation_check("z1 + He(3, z2)", "erf"))
    sigma = erf, g(z) = z1 + He(3, z2)
    e1: shown at eta^1 (exact): E[sigma'] = 2*sqrt(3)/(3*sqrt(pi))
    e2: shown at eta^3 (exact): E[sigma'^2 sigma'''] = -80*sqrt(7)/(49*pi**(3/2))
    shown: at almost every alpha, and under squared loss at almost every size of the second layer
    [D24, Theorem 1] for sigma = erf: fails literally: sigma^(2)(0) = 0
    """
    learned = Target(target)
    learned.require_gaussian("what an activation shows after two steps", "its terms are Hermite coefficients")
    max_order = checks.integer("max_order", max_order, least=1, most=MOST_ORDER)
    sigma = Activation(activation)
    verdicts = two_step_verdict(learned, max_order)
    seen = _Labels(learned)
    return ActivationCheck(
        learned,
        sigma,
        tuple(_shown(v, sigma, seen, max_order) for v in verdicts),
        paper_hypothesis(sigma),
        kinks(sigma) is not None and outgrows_polynomials(sigma),
    )


def which_activation(
    target: Target | str,
    activations: Sequence[Activation | str] | None = None,
    max_order: int = MAX_WITNESS_ORDER,
) -> ActivationChoice:
    """Return what several activations show of a target after two steps, and which of them to take.

    Parameters
    ----------
    target : Target or str
        Of Gaussian inputs.
    activations : sequence, optional
        By default all that have a name.
    max_order : int
        The highest power of the label that is tried.

    Raises
    ------
    RebatchError
        If an argument is not allowed.

    References
    ----------
    [D24, Theorem 1]; theory, 10.

    Examples
    --------
    >>> which_activation("He(2, z1)*z2 + z1^2", ["erf", "softplus"]).best()
    ('softplus', 'erf')
    """
    if isinstance(activations, str | Activation):
        raise RebatchError(
            f"activations = {activations!r}; allowed are sequences of names or expressions in h"
        )
    names = (
        list(NAMED)
        if activations is None
        else checks.sequence("activations", activations, "sequences of names or expressions in h")
    )
    return ActivationChoice(
        Target(target), tuple(activation_check(target, name, max_order) for name in names)
    )


@lru_cache(maxsize=64)
def _moment(activation: Activation, m: int) -> Expectation | None:
    """Return E[sigma'^(m-1) sigma^(m)]; None where it does not exist as one of functions, or is not known."""
    powers = [0] * (m + 1)
    powers[1] += m - 1
    powers[m] += 1
    moments = moments_of(_NO_LABEL, activation)
    try:
        with effort(DEFAULT_EFFORT):
            value = moments.field(0, tuple(powers))
    except RebatchError:
        return None
    return moments.values.get(value) or Expectation.exact(value)


# Moments of an activation alone.
_NO_LABEL = Target("z1")


class _Labels:
    """Moments of the label along directions, each computed once."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._known: dict[Any, Expectation | None] = {}

    def power(self, m: int, v: Vector) -> Expectation | None:
        """Return E[y^m <v, z>], label noise included; None where it is not known."""

        def along(weight: sp.Expr) -> Expectation:
            total = Expectation.exact(0)
            for n, share in noisy_terms(m, self.target.noise):
                total = total + expectation(self.target.expr**n * weight) * share
            return total

        return self._remembered((m, v), v, along)

    def half(self, sign: int, v: Vector) -> Expectation | None:
        """Return E[max(+-y, 0)^2 <v, z>], label noise included; None where it is not known."""
        noise, y = self.target.noise, self.target.expr
        if noise is not None and noise.family == "flip":
            q = exact(noise.size)
            shares = [(1 - q, sign * y), (q, -sign * y)]
        elif noise is not None and not noise.is_gaussian:
            return None
        else:
            xi = 0 if noise is None else exact(noise.size) * coordinate(self.target.k + 1)
            shares = [(sp.Integer(1), sign * (y + xi))]
        square = sp.Add(*(share * sp.Max(0, label) ** 2 for share, label in shares))
        return self._remembered(("half", sign, v), v, lambda weight: expectation(square * weight))

    def _remembered(
        self, key: Any, v: Vector, average: Callable[[sp.Expr], Expectation]
    ) -> Expectation | None:
        if key not in self._known:
            try:
                with effort(DEFAULT_EFFORT):
                    self._known[key] = _along(v, average)
            except RebatchError:
                self._known[key] = None
        return self._known[key]


def _along(v: Vector, average: Callable[[sp.Expr], Expectation]) -> Expectation:
    """Return the average of <v, z>; entry by entry, in floating point, where v is known in decimals only."""
    z = [coordinate(i) for i in range(1, len(v) + 1)]
    if is_exact(v):
        return average(sp.Add(*(as_expr(x) * zi for x, zi in zip(v, z, strict=True))))
    parts = [(as_float(x), average(zi)) for x, zi in zip(v, z, strict=True) if as_float(x)]
    value = sum(x * float(part) for x, part in parts)
    error = sum(abs(x) * (part.error + _ROUNDING * abs(float(part))) for x, part in parts)
    return Expectation.numeric(value, error)


def _shown(verdict: DirectionVerdict, sigma: Activation, labels: _Labels, max_order: int) -> DirectionShown:
    """Return whether an activation shows a direction."""
    if verdict.verdict == "hidden":
        return DirectionShown(verdict, "hidden", verdict.how, reason="a symmetry of the target hides it")
    if _parity(sigma) == 1:
        return DirectionShown(verdict, "not shown", How.EXACT, reason=f"{_BY_SYMMETRY}; add a bias")
    if verdict.witness is None or verdict.order is None:
        reason = "no witness E[y^m z] of the direction is known"
        return DirectionShown(verdict, "undecided", How.UNDECIDED, reason=reason)
    m = verdict.order
    if m > 1 and sp.diff(sigma.expr, H, 2) == 0:
        return DirectionShown(
            verdict, "not shown", How.EXACT, reason="sigma is linear: E[y z] is all it shows"
        )
    first = _moment(sigma, m)
    if first is None:
        return _by_kinks(verdict, sigma, labels)
    if _differs(first):
        how = worst([verdict.how, first.how])
        return DirectionShown(verdict, "shown", how, m, first, reason=f"{_symbol(m)} = {first.in_short()}")
    return _at_higher_power(verdict, sigma, labels, first, max_order)


def _at_higher_power(
    verdict: DirectionVerdict, sigma: Activation, labels: _Labels, first: Expectation, max_order: int
) -> DirectionShown:
    """Return the next power at which label and activation both have a moment, where the activation's first is 0."""
    m = verdict.order or 0
    open_powers = [] if first.is_zero() else [m]
    why = f"{_symbol(m)} = 0" if first.is_zero() else f"{_symbol(m)} = {first.in_short()}, which may be 0"
    for power in range(m + 1, max_order + 1):
        c = _moment(sigma, power)
        if c is not None and c.is_zero():
            continue
        mu = labels.power(power, verdict.direction)
        if mu is not None and mu.is_zero():
            continue
        if c is not None and mu is not None and _differs(c) and _differs(mu):
            reason = f"{why}, but {_symbol(power)} = {c.in_short()} and E[y^{power} v.z] = {mu.in_short()}"
            how = worst([c.how, mu.how])
            return DirectionShown(verdict, "shown", how, power, first, searched=power, reason=reason)
        open_powers.append(power)
    if open_powers:
        reason = f"{why}; not known at eta^{', eta^'.join(map(str, open_powers))}"
        return DirectionShown(
            verdict, "undecided", How.UNDECIDED, None, first, searched=max_order, reason=reason
        )
    reason = f"{why}{_advice(sigma, m)}"
    return DirectionShown(verdict, "vanishes", How.EXACT, None, first, searched=max_order, reason=reason)


def _advice(sigma: Activation, m: int) -> str:
    """Return why a coefficient vanishes, and what to do."""
    if _parity(sigma) == -1 and m % 2 == 0:
        return ": sigma is odd and m even; add a bias, or take another activation"
    if sigma.is_polynomial and (degree := sigma.degree) < m:
        return f": a polynomial of degree {degree} reaches m <= {degree}; take a higher one"
    return "; take another activation"


def _by_kinks(verdict: DirectionVerdict, sigma: Activation, labels: _Labels) -> DirectionShown:
    """Return what a kink shows at eta^2, where sigma has no derivatives as functions."""
    found, v = kinks(sigma), verdict.direction
    nothing = DirectionShown(
        verdict, "undecided", How.UNDECIDED, reason=f"{_symbol(verdict.order or 0)} of {sigma} is not known"
    )
    if not found:
        return nothing
    P, N = labels.half(1, v), labels.half(-1, v)
    if P is None or N is None:
        return nothing
    K = kink_coefficients(sigma, found, lambda sign: P if sign > 0 else N)
    values = f"K = {K[0].in_short()} for a > 0, {K[1].in_short()} for a < 0"
    seen = [x for x in K if _differs(x)]
    if not seen:
        return DirectionShown(
            verdict, "undecided", How.UNDECIDED, kink=K, reason=f"kinks show nothing at eta^2: {values}"
        )
    where = "" if len(seen) == len(K) else f", by neurons with a {'>' if _differs(K[0]) else '<'} 0"
    how = min((x.how for x in seen), key=list(How).index)
    return DirectionShown(verdict, "shown", how, 2, kink=K, reason=f"by the kink{where}: {values}")


@lru_cache(maxsize=64)
def _parity(sigma: Activation) -> int:
    """Return 1 if sigma is even up to rounding of its form, -1 if it is odd up to a constant, else 0."""
    mirrored = sigma.expr.xreplace({H: -H})
    if sp.simplify(sigma.expr - mirrored) == 0:
        return 1
    return -1 if not sp.simplify(sigma.expr + mirrored).has(H) else 0


def _differs(value: Expectation) -> bool:
    """Whether a number differs from 0: by proof, or by many of its errors where it is a float."""
    return not vanishes(value)[0]


def _symbol(m: int) -> str:
    """Return E[sigma'^(m-1) sigma^(m)] as theory writes it."""
    primes = "'" * m
    last = f"sigma{primes}" if m <= 3 else f"sigma^({m})"
    first = {1: "", 2: "sigma' "}.get(m, f"sigma'^{m - 1} ")
    return f"E[{first}{last}]"
