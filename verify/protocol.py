"""How a weak-recovery time is measured: order, directions, activation, step size (theory, 6.3)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..numeric.setting import Setting
from ..symbolic import checks
from ..symbolic.calculus.gaussian import expectation
from ..symbolic.calculus.hermite import hermite_series
from ..symbolic.errors import RebatchError
from ..symbolic.exact.known import How
from ..symbolic.exact.subspace import as_floats, in_words
from ..symbolic.language.symbols import ACTIVATION_VARIABLE, coordinate
from ..symbolic.language.target import Target
from ..symbolic.learnability.exponents import information_exponent, isotropic_leap
from ..symbolic.overlap.activation import Activation
from .power_law import Array, distinct_sizes

# By default from where the law is seen to where a run takes a minute or so on two cores.
DIMENSIONS: dict[int, tuple[int, ...]] = {
    1: (64, 128, 256, 512, 1024, 2048, 4096),
    2: (64, 128, 256, 512, 1024, 2048, 4096),
    3: (64, 96, 128, 192, 256, 384),
    4: (32, 48, 64, 96, 128),
}
_FALLBACK = (16, 24, 32, 48)
# A replica is given up after so many times the time that the drift alone takes.
PATIENCE = 8
_DIRECTIONS_TRIED = 4096
# For He_4 the law is seen only with small steps: with 1/2, steps / d^3 falls from 0.50 at d = 32 to 0.28 at d = 128;
# with 1/5 it is even up to the errors (1.2, 1.1, 1.2, 1.0 up to d = 96).
_STEP_SHARE, _SMALL_STEP_SHARE = 0.5, 0.25
# Below, a random start is no small one.
_SMALLEST = 16


def protocol(
    target: Target | str,
    activation: Activation | str | None = None,
    *,
    threshold: float = 0.5,
    share: float | None = None,
) -> "Protocol":
    """Return how the weak-recovery time of a target is measured: order, directions, activation, step size.

    Raises
    ------
    RebatchError
        As for :func:`scaling`.
    """
    target = Target(target)
    target.require_gaussian(
        "experiments", "directions are those of the isotropic leap, which needs rotations"
    )
    threshold = checks.number("threshold", threshold, above=0, below=1)
    if share is not None:
        share = checks.number("share", share, above=0)
    exponent = information_exponent(target)
    if exponent.value is None:
        raise RebatchError(
            f"the information exponent of {target.text} is {exponent}: there is no law to measure"
        )
    n = exponent.value
    sigma = Activation(activation if activation is not None else _matched(n))
    moment = sigma.moment(order=n)
    if moment.is_zero() is not False:
        known = "is 0" if moment.is_zero() else "is not known not to be 0"
        raise RebatchError(
            f"E[sigma^({n})] {known} for sigma = {sigma}, so the drift at order IE = {n} is none; allowed is an "
            f"activation with this moment, such as {_matched(n)}"
        )
    added = isotropic_leap(target).sequence[0][1]
    directions = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in added])
    lowest, highest = _form_range(target, n, directions)
    # An odd form takes both signs; of an even one the larger side shall lead away from 0.
    towards = highest if highest >= -lowest else lowest
    slope = sigma.derivative.xreplace({ACTIVATION_VARIABLE: coordinate(1)})
    noise = (float(expectation(target.expr**2)) + target.noise_std**2) * float(expectation(slope**2))
    return Protocol(
        target,
        sigma,
        n,
        exponent.how,
        directions,
        tuple(in_words(v) for v in added),
        1.0 if towards * float(moment) > 0 else -1.0,
        str(moment),
        abs(towards * float(moment)) / math.factorial(n - 1),
        noise,
        float(threshold),
        float(_STEP_SHARE if n < 4 else _SMALL_STEP_SHARE) if share is None else float(share),
    )


def _matched(n: int) -> str:
    """Return the activation that has order n alone, scaled so that E[sigma^(n)] = 1."""
    return "h" if n == 1 else f"He({n}, h)/{math.factorial(n)}"


def _form_range(target: Target, n: int, directions: Array) -> tuple[float, float]:
    """Return the least and largest C_n(g)[v, …, v] = n! sum_S c_S v^S / S! over unit v in the span of `directions`.

    The maxima are those over random unit vectors: they set the scale of the steps, of which only the order counts.
    """
    terms = [(S, float(c)) for S, c in hermite_series(target, n).coefficients.items() if sum(S) == n]
    rng = np.random.default_rng(0)
    v = np.vstack([np.eye(len(directions)), rng.standard_normal((_DIRECTIONS_TRIED, len(directions)))])
    v = v / np.linalg.norm(v, axis=1, keepdims=True) @ directions
    form = sum(
        c * math.factorial(n) / math.prod(map(math.factorial, S)) * np.prod(v ** np.array(S), axis=1)
        for S, c in terms
    )
    return float(np.min(form)), float(np.max(form))


def sizes_of(plan: "Protocol", dimensions: Sequence[int] | None) -> list[int]:
    """Return the dimensions, sorted."""
    if dimensions is None:
        return list(DIMENSIONS.get(plan.order, _FALLBACK))
    sizes = distinct_sizes(dimensions)
    if sizes[0] < _SMALLEST:
        raise RebatchError(f"d = {sizes[0]}; allowed are dimensions >= {_SMALLEST}")
    return sizes


@dataclass(frozen=True)
class Protocol:
    """How a target's weak-recovery time is measured.

    Attributes
    ----------
    target : Target
    activation : Activation
    order : int
        IE(g).
    how : How
        How the order is known.
    directions : ndarray, shape (q, k)
        Basis of the directions of first order, along which the overlap is measured.
    names : tuple of str
        The same in words.
    readout : float
        a: 1 or -1, so that the drift leads away from 0.
    activation_moment : str
        E[sigma^(n)], n = IE(g): not zero.
    drift, noise : float
        |q| at its largest over unit directions, and v.
    threshold : float
    share : float
        c = share |q|/v.
    """

    target: Target
    activation: Activation
    order: int
    how: How
    directions: Array
    names: tuple[str, ...]
    readout: float
    activation_moment: str
    drift: float
    noise: float
    threshold: float
    share: float

    @property
    def exponent(self) -> int:
        """The power of d in the law of the time, max(IE - 1, 1); at IE = 2 the law has a factor log d too."""
        return max(self.order - 1, 1)

    @property
    def law_in_words(self) -> str:
        """The law of the time: d, d log d, d^2, …."""
        return law_in_words(self.order)

    def law(self, d: Array | Sequence[int]) -> Array:
        """Return the law of the time up to its constant: d^{max(IE-1,1)}, times log d at IE = 2."""
        size = np.asarray(d, dtype=np.float64)
        return np.asarray(size**self.exponent * self.factor(size))

    def factor(self, d: Array | Sequence[int]) -> Array:
        """Return what the law has beside its power of d: log d at IE = 2, else 1."""
        size = np.asarray(d, dtype=np.float64)
        return np.log(size) if self.order == 2 else np.ones_like(size)

    def finite_size(self, d: Array | Sequence[int]) -> Array:
        """Return the leading finite-size term up to its coefficient: 1/log d at IE = 2, else 1/sqrt(d)."""
        size = np.asarray(d, dtype=np.float64)
        return 1 / np.log(size) if self.order == 2 else 1 / np.sqrt(size)

    def step_size(self, d: int) -> float:
        """Return eta/d = c d^{-max(IE,2)/2}."""
        return self.share * self.drift / self.noise * math.pow(d, -max(self.order, 2) / 2)

    def drift_time(self, d: int) -> float:
        """Return the steps that the drift alone takes from |m| = 0.67/sqrt(d), a median start, to the threshold."""
        n, rate = self.order, self.step_size(d) * self.drift
        start = min(0.67 / math.sqrt(d), self.threshold / 2)
        if n == 1:
            return self.threshold / rate
        if n == 2:
            return math.log(self.threshold / start) / rate
        return float((start ** (2 - n) - self.threshold ** (2 - n)) / ((n - 2) * rate))

    def budget(self, d: int) -> int:
        """Return the number of steps after which a replica is given up."""
        return math.ceil(PATIENCE * self.drift_time(d))

    def setting(self, d: int) -> Setting:
        """Return the experiment at dimension d."""
        steps = self.budget(d)
        return Setting(
            target=self.target,
            activation=self.activation,
            alpha=1,
            eta=self.step_size(d) * d,
            steps=steps,
            loss="correlation",
            readout=[self.readout],
            start="random",
            reuse=False,
            normalize=True,
            record_every=steps,
        )

    def __str__(self) -> str:
        sign = "-" if self.readout < 0 else ""
        return (
            f"{self.target.text}: IE = {self.order} ({self.how}); |M| along {', '.join(self.names)} exceeds "
            f"{self.threshold:g}; sigma = {sign}({self.activation}), E[sigma^({self.order})] = "
            f"{self.activation_moment}"
        )


def law_in_words(order: int) -> str:
    """Return the law of the time: d, d log d, d^2, …."""
    return {1: "d", 2: "d log d"}.get(order, f"d^{order - 1}")
