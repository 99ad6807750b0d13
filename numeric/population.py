"""Expectations over a fresh sample, of which only the overlaps matter (theory, 4.1): E[g z^T], E[g h^T], the loss.

Closed for erf networks where the target allows (:mod:`rebatch.numeric.arcsine`). Else z ~ N(0, I_k) and
h = M z + L u with u ~ N(0, I_p) and L L^T = Q - M M^T, on nodes for (z, u): a tensor Gauss-Hermite rule that is exact
where target and activation are polynomials, and otherwise scrambled Sobol points with a fixed seed, the same at every
call, so that what is computed is a smooth function of M and Q. Where z has a finite law the nodes are all its points,
each with the rule for u: exact for a polynomial activation and any target (theory, 13).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import ndtri

from ..symbolic.exact.polynomial import is_polynomial
from ..symbolic.language.called import Called
from .arcsine import ErfPopulation
from .inputs import lattice, quantile, target_at
from .integration import tensor_rule
from .response import kind_of, sigma_of, signals
from .setting import Setting, semidefinite_cholesky

Array = NDArray[np.float64]
_MOST_NODES = 2**18
_SOBOL = 16
_SOBOL_SEED = 0


class Population(Protocol):
    """Expectations over a fresh sample."""

    @property
    def exact(self) -> bool:
        """Whether they are exact up to rounding."""

    def moments(self, M: Array, Q: Array) -> tuple[Array, Array]:
        """Return E[g z^T], shape (p, k), and E[g h^T], shape (p, p)."""

    def loss(self, M: Array, Q: Array) -> float:
        """Return the loss per sample, label noise included."""


def population(setting: Setting) -> Population:
    """Return the expectations of a setting, in closed form where there is one."""
    return ErfPopulation.of(setting) or Nodes.of(setting)


@dataclass(frozen=True)
class Nodes:
    """Nodes for a setting.

    Attributes
    ----------
    z, u : ndarray, shapes (k, N) and (p, N)
    weights : ndarray, shape (N,)
        They sum to 1.
    exact : bool
        Whether the rule is exact up to rounding: the activation is a polynomial, and so is the target, or z has
        finitely many points.
    """

    setting: Setting
    z: Array
    u: Array
    weights: Array
    exact: bool

    @classmethod
    def of(cls, setting: Setting) -> "Nodes":
        """Return the nodes that a setting needs."""
        k, p, law = setting.k, setting.neurons, setting.inputs
        points = lattice(law, k)
        if points is not None:
            return cls._on_points(setting, *points)
        degree = _degree(setting) if law.is_gaussian else None
        if degree is not None and (count := degree // 2 + 1) ** (k + p) <= _MOST_NODES:
            x, w = np.polynomial.hermite_e.hermegauss(count)
            grid = np.stack(np.meshgrid(*[x] * (k + p), indexing="ij")).reshape(k + p, -1)
            weights = np.ones(1)
            for _ in range(k + p):
                weights = np.multiply.outer(weights, w / math.sqrt(2 * math.pi)).ravel()
            return cls(setting, grid[:k].copy(), grid[k:].copy(), weights, exact=True)
        uniform = _sobol(k + p, _SOBOL)
        grid = ndtri(uniform).T
        z = grid[:k].copy() if law.is_gaussian else quantile(law, uniform[:, :k].T)
        return cls(setting, z, grid[k:].copy(), np.full(2**_SOBOL, 0.5**_SOBOL), exact=False)

    @classmethod
    def _on_points(cls, setting: Setting, z: Array, probabilities: Array) -> "Nodes":
        """Return all points of z, each with nodes for u: a tensor rule where that is exact, else Sobol points."""
        p, count = setting.neurons, len(probabilities)
        # sigma' sigma h, or sigma^2 in the loss.
        degree = 2 * len(setting.activation.coefficients()) - 2
        each = degree // 2 + 1
        if exact := setting.activation.is_polynomial and count * each**p <= _MOST_NODES:
            u, weights = tensor_rule(each, p)
        else:
            bits = max(1, _SOBOL - (count - 1).bit_length())
            u, weights = ndtri(_sobol(p, bits)).T, np.full(2**bits, 0.5**bits)
        return cls(
            setting,
            np.repeat(z, len(weights), axis=1),
            np.tile(u, count),
            np.outer(probabilities, weights).ravel(),
            exact=bool(exact),
        )

    def moments(self, M: Array, Q: Array) -> tuple[Array, Array]:
        """Return E[g z^T], shape (p, k), and E[g h^T], shape (p, p)."""
        setting, h = self.setting, self._fields(M, Q)
        kind, correlation = kind_of(setting.activation), setting.loss == "correlation"
        g = np.empty_like(h)
        signals(h, self.y, setting.a(), kind, self.coefficients, correlation, g, np.empty(1), 1)
        g *= self.weights
        return g @ self.z.T, g @ h.T

    def loss(self, M: Array, Q: Array) -> float:
        """Return the loss per sample, label noise included."""
        setting, h, target = self.setting, self._fields(M, Q), self.setting.target
        f = setting.a() @ np.broadcast_to(self.sigma(h), h.shape)
        if setting.loss == "correlation":
            return float(-(self.weights * self.y) @ f)
        spread = target.noise_variance + self.weights @ self.square - self.weights @ self.y**2
        return float((self.weights @ (self.y - f) ** 2 + spread) / 2)

    def _fields(self, M: Array, Q: Array) -> Array:
        return np.asarray(M @ self.z + semidefinite_cholesky(Q - M @ M.T) @ self.u)

    @cached_property
    def y(self) -> Array:
        """The mean of the label at the nodes: g, or (1 - 2 q) g where signs are flipped."""
        return self.setting.target.shrink * self._values

    @cached_property
    def square(self) -> Array:
        """g^2 at the nodes."""
        return self._values**2

    @cached_property
    def _values(self) -> Array:
        return target_at(self.setting.target, self.z.T)

    @cached_property
    def sigma(self) -> Callable[..., Array]:
        """The activation as a NumPy function."""
        return sigma_of(self.setting.activation)

    @cached_property
    def coefficients(self) -> Array:
        """The coefficients of a polynomial activation."""
        return np.array(self.setting.activation.coefficients())


def _sobol(dimensions: int, bits: int) -> Array:
    """Return 2^bits points of the unit cube, the same at every call, shape (points, dimensions)."""
    from scipy.stats import qmc  # noqa: PLC0415 - half a second that the other engines do without

    return np.asarray(
        qmc.Sobol(dimensions, scramble=True, rng=np.random.default_rng(_SOBOL_SEED)).random_base2(bits)
    )


def _degree(setting: Setting) -> int | None:
    """Return the highest degree of g_j z, g_j h and the loss; None unless all are polynomials."""
    target, activation = setting.target, setting.activation
    if isinstance(target.formula, Called):
        return None
    if not (activation.is_polynomial and is_polynomial(target.expr, target.coordinates)):
        return None
    sigma = len(activation.coefficients()) - 1
    residual = max(sigma, int(sp.Poly(target.expr, *target.coordinates).total_degree()))
    return max(sigma + residual, 2 * residual)
