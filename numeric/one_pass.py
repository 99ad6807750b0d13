"""The overlap of one neuron in one pass, as d -> infinity (theory, 6.4 and 11; [SS95]).

A fresh sample a step, correlation loss, rows of unit length, step eta / d, time t = (samples) / d:

    dm/dt = eta (E[g z] - m E[g h]) - eta^2 / 2 m E[g^2],   g = sigma'(h) y,

(z, h) normal with correlation m. The first part is eta (1 - m^2) C'(m); the second is what the noise of single
samples costs, and keeps 1 - m^2 near eta E[g^2] / (2 C'(1)): the step size is divided by four until that is small.
"""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.interpolate import CubicSpline

from ..symbolic.exact.polynomial import is_polynomial
from ..symbolic.language.compiled import compiled
from ..symbolic.language.symbols import ACTIVATION_VARIABLE as H
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import Activation

Array = NDArray[np.float64]

# Overlaps between which moments are interpolated: Chebyshev points, dense where 1 - m^2 is small.
_OVERLAPS = np.cos(np.linspace(np.pi, 0, 97))
# Nodes for each of z and u where something is no polynomial; smooth or kinked, the Gaussian is 0 beyond.
_NODES, _REACH = 400, 9.0
# 1 - m^2 that the first step size leaves, and by what the next ones are smaller.
_FIRST_PLATEAU, _FINER = 0.2, 4.0
# How long a step size is kept, in units of its relaxation time.
_RELAXATIONS = 4.0
# Samples per dimension where nothing is to be gained, and the most that are asked for.
_IN_VAIN, _MOST_TIME = 50.0, 20_000.0
_POINTS, _FINE = 200, 4000


@dataclass(frozen=True)
class Plan:
    """Step sizes, each for a time in samples per dimension.

    Attributes
    ----------
    etas, times : tuple of float
    arrives : bool
        Whether the overlap is brought to where it is to be.
    """

    etas: tuple[float, ...]
    times: tuple[float, ...]
    arrives: bool = True

    @property
    def time(self) -> float:
        """Samples per dimension in all."""
        return sum(self.times)


@dataclass(frozen=True)
class OnePass:
    """The moments that drive one neuron, for a target of one coordinate.

    Attributes
    ----------
    target : Target
    activation : Activation
    climbed : tuple of float
        c_0, c_1, … of C where it is a polynomial; else empty. Interpolation does not resolve C' where it is small.
    """

    target: Target
    activation: Activation
    climbed: tuple[float, ...] = ()

    @cached_property
    def moments(self) -> Array:
        """E[g z] - m E[g h] and E[g^2] at the overlaps, shape (2, overlaps)."""
        z, u, weights = self._nodes
        g = self.target(z[:, None])
        y, noise = self.target.shrink * g, g**2 + self.target.noise_variance
        slope = compiled(self.activation.derivative, (H,))
        found = np.empty((2, len(_OVERLAPS)))
        for i, m in enumerate(_OVERLAPS):
            h = m * z[:, None] + sqrt(max(0.0, 1 - m**2)) * u[None, :]
            s = np.broadcast_to(slope(h), h.shape)
            mean, square = s @ weights, s**2 @ weights
            with_u = (s * u) @ weights
            # z - m h = (1 - m^2) z - m sqrt(1 - m^2) u.
            along = (1 - m**2) * z * mean - m * sqrt(max(0.0, 1 - m**2)) * with_u
            found[:, i] = self._weights @ (y * along), self._weights @ (noise * square)
        return found

    @cached_property
    def _nodes(self) -> tuple[Array, Array, Array]:
        """Nodes for z and u, with the weights of the latter: exact for polynomials, else an even grid."""
        sigma, g = self.activation, self.target
        if sigma.is_polynomial and is_polynomial(g.expr, g.coordinates):
            degree = int(sp.Poly(g.expr, *g.coordinates).total_degree()) + int(sp.degree(sigma.expr, H))
            x, w = np.polynomial.hermite_e.hermegauss(degree + 2)
            return x, x, w / w.sum()
        x = np.linspace(-_REACH, _REACH, _NODES)
        w = np.exp(-(x**2) / 2)
        return x, x, w / w.sum()

    @property
    def _weights(self) -> Array:
        return self._nodes[2]

    @cached_property
    def variance(self) -> float:
        """The variance of the label, its noise included."""
        g = self.target(self._nodes[0][:, None])
        mean = self.target.shrink * (self._weights @ g)
        return float(self._weights @ g**2 - mean**2 + self.target.noise_variance)

    @cached_property
    def _splines(self) -> tuple[CubicSpline, CubicSpline]:
        drift, noise = self.moments
        return CubicSpline(_OVERLAPS, drift), CubicSpline(_OVERLAPS, noise)

    def noise(self, m: float) -> float:
        """Return E[g^2] at an overlap."""
        return float(self._splines[1](m))

    def drift(self, m: Array | float) -> Array:
        """Return (1 - m^2) C'(m)."""
        x = np.asarray(m)
        if not self.climbed:
            return np.asarray(self._splines[0](x))
        slope = self.target.shrink * np.polynomial.polynomial.polyder(self.climbed)
        return np.asarray((1 - x**2) * np.polynomial.polynomial.polyval(x, slope))

    def speed(self, m: float, eta: float) -> float:
        """Return dm/dt."""
        return float(eta * self.drift(m) - eta**2 / 2 * m * self.noise(m))

    def carries(self, sign: int, size: float) -> tuple[bool, int]:
        """Return whether the drift, without noise, points on at overlaps from sign * size to 1, and at how many."""
        drift, _ = self.moments
        inside = (sign * _OVERLAPS > size) & (np.abs(_OVERLAPS) < 1)
        return bool((sign * drift[inside] > 0).all()), int(inside.sum())

    def plan(self, start: float, end: int, accuracy: float, *, succeeds: bool) -> Plan:
        """Return step sizes that bring 1 - m^2 from the start to the accuracy at m = end, +1 or -1.

        Where that is not to be: one step size, for as long as the drift at its largest would need.
        """
        steep, cost = self._at_end(end)
        against = abs(start) * self.noise(start)
        early = end * float(self.drift(start)) / against if against > 0 else 0.0
        if not (succeeds and steep > 0 and cost > 0 and early > 0):
            most = float(self.moments[1].max())
            return Plan((_FIRST_PLATEAU / sqrt(most) if most > 0 else 1.0,), (_IN_VAIN,), arrives=False)
        eta = min(_FIRST_PLATEAU * 2 * steep / cost, early)
        while eta > 0 and 1 - self._rest(start, end, eta) ** 2 > 2 * _FIRST_PLATEAU:
            eta /= 2
        etas, times, m = list[float](), list[float](), start
        while True:
            rest = self._rest(m, end, eta)
            time, m = self._arrival(m, end, eta, sqrt(max(0.0, 1 - 1.2 * (1 - rest**2))), steep)
            etas.append(eta)
            times.append(time)
            if time >= _MOST_TIME:
                return Plan((etas[0],), (_IN_VAIN,), arrives=False)
            if 1 - rest**2 <= accuracy:
                return Plan(tuple(etas), tuple(times))
            eta /= _FINER

    def _at_end(self, end: int) -> tuple[float, float]:
        """Return +-C' and E[g^2] at m = end."""
        drift, noise = self.moments
        at = -1 if end > 0 else 0
        near = np.flatnonzero(np.abs(_OVERLAPS) < 1)[at]
        return float(end * drift[near] / (1 - _OVERLAPS[near] ** 2)), float(noise[at])

    def _rest(self, start: float, end: int, eta: float) -> float:
        """Return |m| just before drift and noise balance, first on the way; that of the start if it is beyond."""
        # Dense where 1 - m^2 is small.
        x = np.cos(np.linspace(np.arccos(min(1.0, abs(start))), 0, _FINE))
        m = end * x
        speed = end * (self.drift(m) - eta / 2 * m * self._splines[1](m))
        stopped = np.flatnonzero(speed <= 0)
        return float(x[max(0, stopped[0] - 1)]) if stopped.size else 1.0

    def _arrival(self, start: float, end: int, eta: float, goal: float, steep: float) -> tuple[float, float]:
        """Return when |m| is at the goal, and m; where it began beyond, a relaxation time and where that ends."""

        def there(_: float, m: Array) -> float:
            return float(end * m[0] - goal)

        there.terminal = True  # type: ignore[attr-defined]
        beyond = abs(start) >= goal
        run = solve_ivp(
            lambda _, m: [self.speed(m[0], eta)],
            (0, min(_MOST_TIME, _RELAXATIONS / (2 * eta * steep)) if beyond else _MOST_TIME),
            [start],
            events=None if beyond else there,
            rtol=1e-6,
        )
        return float(run.t[-1]), float(run.y[0, -1])

    def path(self, start: float, plan: Plan) -> tuple[Array, Array]:
        """Return times and overlaps, the first at time 0."""
        times, overlaps, now, m = [0.0], [start], 0.0, start
        for eta, time in zip(plan.etas, plan.times, strict=True):
            at = np.linspace(0, time, _POINTS)[1:]
            run = solve_ivp(
                lambda _, x, eta=eta: [self.speed(x[0], eta)], (0, time), [m], t_eval=at, rtol=1e-7, atol=1e-9
            )
            times += list(now + run.t)
            overlaps += list(run.y[0])
            now, m = now + time, float(run.y[0, -1])
        return np.array(times), np.clip(overlaps, -1, 1)
