"""How a weak-recovery time is measured: order, directions, activation, step size (theory, 6.3, 12 and 13).

A step on one sample has the drift (eta/d) q rho^(k-1) m^(i-1) of `regime.py`, and the random part of it shortens m by
(eta/d)^2 d v m / 2, v = E[y^2] E[sigma'^2]. Both are of one size at eta/d = c d^{-max(i,2)/2}, c a share of
q rho^(k-1)/v. Batches of B samples take the same step for each of them until B of them are a step of order one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.polynomial.hermite_e import hermeval
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import qmc

from ..numeric.response import kind_of, signals
from ..numeric.setting import Setting
from ..symbolic import checks
from ..symbolic.calculus.gaussian import expectation
from ..symbolic.calculus.hermite import hermite_series
from ..symbolic.errors import RebatchError
from ..symbolic.exact.subspace import as_floats, in_words
from ..symbolic.language.symbols import ACTIVATION_VARIABLE, coordinate
from ..symbolic.language.target import Target
from ..symbolic.learnability.exponents import information_exponent, isotropic_leap
from ..symbolic.learnability.leading_order import leading_order
from ..symbolic.overlap.activation import Activation
from ..symbolic.phases.pieces import Line, power_in_words
from .power_law import Array, distinct_sizes
from .regime import SINGLE_SAMPLES, Law, Regime, activation_factor, batch_law, look_ahead_law, shown_label

# By default from where the law is seen to where a run takes a minute or so on two cores.
DIMENSIONS: dict[int, tuple[int, ...]] = {
    1: (64, 128, 256, 512, 1024, 2048, 4096),
    2: (64, 128, 256, 512, 1024, 2048, 4096),
    3: (64, 96, 128, 192, 256, 384),
    4: (32, 48, 64, 96, 128),
}
_FALLBACK = (16, 24, 32, 48)
_OF_LARGE_BATCHES = (36, 64, 100, 144)
# A replica is given up after so many times the time that the drift alone takes.
PATIENCE = 8
# Of the overlap in a step, as a share of the least time in which it can grow.
_LARGEST_MOVE = 0.25
_BITS = 16
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
    point: Regime = SINGLE_SAMPLES,
) -> "Protocol":
    """Return how the weak-recovery time of a target is measured: order, directions, activation, step size.

    Raises
    ------
    RebatchError
        As for :func:`scaling`.
    """
    target = Target(target)
    if point.rho0:
        target.require_gaussian("a look-ahead", "its law is that of Hermite coefficients")
    threshold = checks.number("threshold", threshold, above=0, below=1)
    if share is not None:
        share = checks.number("share", share, above=0)
    exponent = information_exponent(target)
    if exponent.value is None:
        raise RebatchError(
            f"the information exponent of {target.text} is {exponent}: there is no law to measure"
        )
    n = exponent.value
    start, used, scale = leading_order(target, n)
    # Bounded slopes: with a polynomial's a look-ahead of order one makes rare samples decide.
    sigma = Activation(activation if activation is not None else "tanh" if point.rho0 else _matched(n))
    if point.rho0:
        law, added = look_ahead_law(target, sigma, point)
    else:
        _require_moment(sigma, n)
        law, added = batch_law(n, exponent.how, point), isotropic_leap(start).sequence[0][1]
    directions = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in added])
    moment = activation_factor(sigma, law.k, law.i)
    drifts = _drifts(start, sigma, law, directions, scale * float(moment), point)
    readout, (drift, _) = max(drifts.items(), key=lambda known: known[1][0])
    if point.rho0 and not point.r:
        full = [_drift_and_noise(target, sigma, law, v, a, point.rho0) for a, (_, v) in drifts.items()]
        readout, drift, noise = max(full, key=lambda known: known[1])
    else:
        slope = sigma.derivative.xreplace({ACTIVATION_VARIABLE: coordinate(1)})
        noise = mean_square(target) * float(expectation(slope**2))
    if drift <= 0:
        raise RebatchError(
            f"look_ahead = {point.rho0:g}: the term ({law.k}, {law.i}) leads back to 0 at this sign; allowed is "
            f"{-point.rho0:g}"
        )
    return Protocol(
        target,
        sigma,
        n,
        law,
        _placed(directions, used, target.k),
        tuple(in_words(_placed(np.array([v], dtype=object), used, target.k)[0]) for v in added),
        readout,
        str(moment),
        drift,
        noise,
        float(threshold),
        float(_STEP_SHARE if law.i < 4 else _SMALL_STEP_SHARE) if share is None else float(share),
        point,
    )


def _placed(rows: NDArray[Any], used: Sequence[int], k: int) -> NDArray[Any]:
    """Return rows of some coordinates as rows of all k."""
    whole = np.zeros((len(rows), k), dtype=rows.dtype)
    whole[:, list(used)] = rows
    return whole


def mean_square(target: Target) -> float:
    """Return E[y^2], label noise included."""
    square = Target(target.expr**2, k=target.k, inputs=target.inputs)
    return float(expectation(square)) + target.noise_variance


def _require_moment(sigma: Activation, n: int) -> None:
    """Raise a RebatchError unless an activation has a moment of order n, known not to be 0."""
    moment = sigma.moment(order=n)
    if moment.is_zero() is not False:
        known = "is 0" if moment.is_zero() else "is not known not to be 0"
        raise RebatchError(
            f"E[sigma^({n})] {known} for sigma = {sigma}, so the drift at order IE = {n} is none; allowed is an "
            f"activation with this moment, such as {_matched(n)}"
        )


def _drifts(
    target: Target, sigma: Activation, law: Law, directions: Array, moment: float, point: Regime
) -> dict[float, tuple[float, Array]]:
    """Return, for a second layer of 1 and -1, the largest q over unit directions v, signed away from 0, and that v.

    An odd form takes both signs; of an even one the larger side shall lead away from 0.
    """
    factor = moment * math.copysign(1.0, point.rho0) ** (law.k - 1) / math.factorial(law.i - 1)
    found: dict[float, tuple[float, Array]] = {}
    for a in (1, -1):
        label = Target(shown_label(target, sigma, law.k, a), k=target.k)
        form, v = _form_on_directions(label, law.i, directions)
        at = int(np.argmax(factor * form))
        found[float(a)] = float(factor * form[at]), v[at]
    return found


def _drift_and_noise(
    target: Target, sigma: Activation, law: Law, v: Array, a: float, rho: float
) -> tuple[float, float, float]:
    """Return a, q rho^(k-1) / rho0^(k-1) and v of a look-ahead of order one, where all powers of the label count.

    F = a y sigma'(h + rho a y sigma'(h)) has q = E[F He_i(v.z) He_(i-1)(h)] / (i-1)! and v = E[F^2], at independent
    z and h. Only their size matters, and 2^16 points of a Sobol sequence give it to a few per cent.
    """
    points = ndtri(qmc.Sobol(target.k + 1, rng=np.random.default_rng(0)).random_base2(_BITS))
    h = np.ascontiguousarray(points[:, -1])
    y, sides, losses = target(points[:, :-1]), np.array([a]), np.empty(1)
    kind, coefficients = kind_of(sigma), np.array(sigma.coefficients())
    F = np.zeros((1, len(h)))
    for _ in range(2):
        F, field = np.empty_like(F), h[None] + rho * F
        signals(field, y, sides, kind, coefficients, True, F, losses, 1)
    one, other = (hermeval(t, [0.0] * n + [1.0]) for t, n in ((points[:, :-1] @ v, law.i), (h, law.i - 1)))
    drift = float((F[0] * one * other).mean()) / math.factorial(law.i - 1)
    # Of an odd order either sign of the overlap leads away from 0.
    drift = abs(drift) if law.i % 2 else drift
    return a, drift / abs(rho) ** (law.k - 1), float((F**2).mean())


def _matched(n: int) -> str:
    """Return the activation that has order n alone, scaled so that E[sigma^(n)] = 1."""
    return "h" if n == 1 else f"He({n}, h)/{math.factorial(n)}"


def _form_on_directions(target: Target, n: int, directions: Array) -> tuple[Array, Array]:
    """Return C_n(g)[v, …, v] = n! sum_S c_S v^S / S! at many unit v of the span of `directions`, and the v.

    The largest of them sets the scale of the steps, of which only the order counts.
    """
    terms = [(S, float(c)) for S, c in hermite_series(target, n).coefficients.items() if sum(S) == n]
    rng = np.random.default_rng(0)
    v = np.vstack([np.eye(len(directions)), rng.standard_normal((_DIRECTIONS_TRIED, len(directions)))])
    v = v / np.linalg.norm(v, axis=1, keepdims=True) @ directions
    form: Array = np.zeros(len(v)) + sum(
        c * math.factorial(n) / math.prod(map(math.factorial, S)) * np.prod(v ** np.array(S), axis=1)
        for S, c in terms
    )
    return form, v


def sizes_of(plan: "Protocol", dimensions: Sequence[int] | None) -> list[int]:
    """Return the dimensions, sorted."""
    if dimensions is None:
        if plan.point.batch > 1:
            return list(_OF_LARGE_BATCHES)
        return list(DIMENSIONS.get(plan.law.i, _FALLBACK))
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
    information_exponent : int
    law : Law
        That of the steps, with the order i of the overlap in the drift: i - 1.
    directions : ndarray, shape (q, k)
        Basis of the directions of first order, along which the overlap is measured.
    names : tuple of str
        The same in words.
    readout : float
        a: 1 or -1, so that the drift leads away from 0.
    activation_moment : str
        E[sigma'^(k-1) sigma^(k) He_(i-1)] / (k-1)!: not zero. Without look-ahead E[sigma^(n)], n = IE(g).
    drift, noise : float
        |q| at its largest over unit directions, and v.
    threshold : float
    share : float
        c = share |q| rho^(k-1)/v.
    point : Regime
        Single samples by default.
    """

    target: Target
    activation: Activation
    information_exponent: int
    law: Law
    directions: Array
    names: tuple[str, ...]
    readout: float
    activation_moment: str
    drift: float
    noise: float
    threshold: float
    share: float
    point: Regime = SINGLE_SAMPLES

    @property
    def quantile(self) -> float:
        """Which of the replicas' times follows the law: the median, or the first quartile.

        On batches and with look-ahead half of the starts may have the drift against them, where two orders of the
        overlap have opposite signs, or where noise no longer carries them across 0.
        """
        return 0.5 if self.point.is_plain else 0.25

    @property
    def statistic(self) -> str:
        """The quantile in words."""
        return "median" if self.point.is_plain else "first quartile"

    @property
    def exponent(self) -> float:
        """The power of d in the law of the steps."""
        return float(self.law.exponent)

    def times_law(self, d: Array | Sequence[int]) -> Array:
        """Return the law of the steps up to its constant."""
        size = np.asarray(d, dtype=np.float64)
        return np.asarray(size**self.exponent * self.factor(size))

    def factor(self, d: Array | Sequence[int]) -> Array:
        """Return what the law has beside its power of d: log d, or 1."""
        size = np.asarray(d, dtype=np.float64)
        return np.log(size) if self.law.log else np.ones_like(size)

    def finite_size(self, d: Array | Sequence[int]) -> Array:
        """Return the leading finite-size term up to its coefficient: 1/log d beside a logarithm, else 1/sqrt(d).

        Of order 1 the start saves a share of the way. A first quartile starts ahead of a median, and the more of
        the time is saved the more the drift grows on the way: there twice as much.
        """
        size = np.asarray(d, dtype=np.float64)
        term = 1 / np.log(size) if self.law.log else 1 / np.sqrt(size)
        return term if self.point.is_plain or self.law.i > 1 else 2 * term

    def strength(self, d: int) -> float:
        """Return q rho^(k-1)."""
        return float(self.drift * abs(self.point.rho(d)) ** (self.law.k - 1))

    def step_size(self, d: int) -> float:
        """Return eta/d = c d^{-max(i,2)/2}; of a batch no more than makes a step of order one of all its samples."""
        power, batch, share = max(self.law.i, 2) / 2, float(self.point.batch), self.share
        if batch >= power:
            # A step of order one: it shall not leap over the threshold.
            share = min(share, _LARGEST_MOVE * self.noise / self.drift**2)
        return share * self.strength(d) / self.noise * math.pow(d, -max(power, batch))

    def drift_time(self, d: int) -> float:
        """Return the steps that the drift alone takes from |m| = 0.67/sqrt(d), a median start, to the threshold."""
        n, rate = self.law.i, self.step_size(d) * self.strength(d) * self.point.samples(d)
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
            rho=self.point.rho(d),
            batch_size=self.point.samples(d) if self.point.batch else None,
        )

    def __str__(self) -> str:
        sign, law = "-" if self.readout < 0 else "", self.law
        inputs = self.target.inputs
        law_of = "" if inputs.is_gaussian else f", inputs {inputs}"
        moment = (
            f"E[sigma^({law.i})]"
            if law.k == 1
            else f"E[sigma'^({law.k - 1}) sigma^({law.k}) He_{law.i - 1}]/(k-1)!"
        )
        return (
            f"{self.target.text}{law_of}: {self.basis()}; |M| along {', '.join(self.names)} exceeds "
            f"{self.threshold:g}; sigma = {sign}({self.activation}), {moment} = {self.activation_moment}"
        )

    def basis(self) -> str:
        """Return what the law rests on, in words."""
        law, how = self.law, f"({self.law.how})"
        if self.point.rho0:
            return f"{self.point.in_words()}, term ({law.k}, {law.i}) {how}"
        known = f"IE = {self.information_exponent} {how}"
        return known if self.point.is_plain else f"{known}, {self.point.in_words()}"


def law_in_words(order: int) -> str:
    """Return the law of the time: d, d log d, d^2, …."""
    return power_in_words(Line(Fraction(0), Fraction(max(order - 1, 1))), "", log=order == 2)
