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
    """

    etas: tuple[float, ...]
    times: tuple[float, ...]

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
    """

    target: Target
    activation: Activation

    @cached_property
    def moments(self) -> Array:
        """E[g z] - m E[g h] and E[g^2] at the overlaps, shape (2, overlaps)."""
        z, u, weights = self._nodes
        y = self.target(z[:, None])
        noise = y**2 + self.target.noise_std**2
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
        y = self.target(self._nodes[0][:, None])
        return float(self._weights @ y**2 - (self._weights @ y) ** 2 + self.target.noise_std**2)

    @cached_property
    def _splines(self) -> tuple[CubicSpline, CubicSpline]:
        drift, noise = self.moments
        return CubicSpline(_OVERLAPS, drift), CubicSpline(_OVERLAPS, noise)

    def noise(self, m: float) -> float:
        """Return E[g^2] at an overlap."""
        return float(self._splines[1](m))

    def speed(self, m: float, eta: float) -> float:
        """Return dm/dt."""
        drift, noise = self._splines
        return float(eta * drift(m) - eta**2 / 2 * m * noise(m))

    def carries(self, sign: int, size: float) -> tuple[bool, int]:
        """Return whether the drift, without noise, points on at overlaps from sign * size to 1, and at how many."""
        drift, _ = self.moments
        inside = (sign * _OVERLAPS > size) & (np.abs(_OVERLAPS) < 1)
        return bool((sign * drift[inside] > 0).all()), int(inside.sum())

    def plan(self, start: float, end: int, accuracy: float, *, succeeds: bool) -> Plan:
        """Return step sizes that bring 1 - m^2 from the start to the accuracy at m = end, +1 or -1.

        Where that is not to be: one step size, for as long as the drift at its largest would need.
        """
        drift, noise = self.moments
        at = -1 if end > 0 else 0
        near = np.flatnonzero(np.abs(_OVERLAPS) < 1)[at]
        steep = end * drift[near] / (1 - _OVERLAPS[near] ** 2)
        cost = noise[at]
        if not (succeeds and steep > 0 and cost > 0 and start * end > 0):
            eta = _FIRST_PLATEAU / sqrt(max(float(noise.max()), 1e-300))
            return Plan((eta,), (_IN_VAIN,))
        splines = self._splines
        early = 2 * end * float(splines[0](start)) / (abs(start) * float(splines[1](start)))
        eta = min(_FIRST_PLATEAU * 2 * steep / cost, early / 2)
        rest = self._rest(start, end, eta)
        etas, times = [eta], [self._arrival(start, end, eta, rest, steep)]
        while 1 - rest**2 > accuracy:
            etas.append(etas[-1] / _FINER)
            times.append(_RELAXATIONS / (2 * etas[-1] * steep))
            rest = self._rest(start, end, etas[-1])
        return Plan(tuple(etas), tuple(times))

    def _rest(self, start: float, end: int, eta: float) -> float:
        """Return |m| just before drift and noise balance, first on the way; that of the start if it is beyond."""
        # Dense where 1 - m^2 is small.
        x = np.cos(np.linspace(np.arccos(min(1.0, abs(start))), 0, _FINE))
        drift, noise = self._splines
        m = end * x
        speed = end * (drift(m) - eta / 2 * m * noise(m))
        stopped = np.flatnonzero(speed <= 0)
        return float(x[max(0, stopped[0] - 1)]) if stopped.size else 1.0

    def _arrival(self, start: float, end: int, eta: float, rest: float, steep: float) -> float:
        """Return when a step size has come near where it rests; where it began beyond, a relaxation time."""
        goal = sqrt(max(0.0, 1 - 1.2 * (1 - rest**2)))
        if abs(start) >= goal:
            return _RELAXATIONS / (2 * eta * steep)

        def there(_: float, m: Array) -> float:
            return float(end * m[0] - goal)

        there.terminal = True  # type: ignore[attr-defined]
        run = solve_ivp(
            lambda _, m: [self.speed(m[0], eta)], (0, _MOST_TIME), [start], events=there, rtol=1e-6
        )
        return float(run.t[-1])

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
