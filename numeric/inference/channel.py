"""The posterior of one latent coordinate given its label and a Gaussian estimate (theory, 9).

Given y and z ~ N(omega, V), z sits at the roots of g(z) = y with weights N(z; omega, V) / |g'(z)|, or, where
the label is flat, on an interval; with label noise of variance D it has the density N(z; omega, V) N(y; g(z),
D). What message passing needs of the label is g_out = (E[z | y, omega] - omega) / V and its derivative (Var[z
| y, omega] / V - 1) / V.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_ndtr

from ...symbolic.errors import RebatchError
from ...symbolic.language.compiled import compiled
from ...symbolic.language.symbols import coordinate
from ...symbolic.language.target import Target
from ...symbolic.learnability.reading import read
from .latent import Latent, breaks, slope_of
from .line import Atom, Branch, Piece, roots_of, split

Array = NDArray[np.float64]
_NODES = 401
_WIDE = 7.2
# A label this close to a flat value, relative to its size, is that value.
_ON_ATOM = 1e-9
# A posterior narrower than what its weights resolve keeps this share of the prior's variance.
_LEAST_VARIANCE = 1e-12


@dataclass(frozen=True)
class Candidates:
    """Where z can be, for n labels.

    Attributes
    ----------
    z, log_weight : ndarray, shape (r, n)
        Points, and the logarithms of their weights but for the prior's; -inf where there is none.
    low, high : ndarray, shape (m, n)
        Intervals; empty ones have both ends equal.
    """

    z: Array
    log_weight: Array
    low: Array
    high: Array

    def __getitem__(self, part: slice) -> "Candidates":
        return Candidates(self.z[:, part], self.log_weight[:, part], self.low[:, part], self.high[:, part])


class LineChannel:
    """The label of a target of one direction.

    Parameters
    ----------
    target : Target
        Of one index direction.

    Raises
    ------
    RebatchError
        If it has another number of directions, or inputs that are not Gaussian.
    """

    def __init__(self, target: Target) -> None:
        target.require_gaussian("message passing", "state evolution is known of Gaussian rows")
        space = read(target).relevant
        if space.dimension != 1:
            raise RebatchError(
                f"{target} has {space.dimension} directions; allowed here are targets of one direction"
            )
        latent = Latent.of(target, space)
        t = coordinate(1)
        self.target, self.direction = target, latent.basis[0]
        self.value = compiled(latent.expr, (t,))
        self.pieces: list[Piece] = []
        self.atoms: list[Atom] = []
        branch = Branch(
            1.0, self.value, compiled(slope_of(latent.expr, t), (t,)), breaks(latent.expr, t), lambda x: x[:0]
        )
        split(branch, self.pieces, self.atoms)

    def labels(self, z: Array, rng: np.random.Generator) -> Array:
        """Return y at latent coordinates z, with noise."""
        y = np.array(np.broadcast_to(self.value(z), z.shape), dtype=float)
        return y + self.target.noise_std * rng.standard_normal(len(z)) if self.target.noise_std else y

    def candidates(self, y: Array) -> Candidates:
        """Return where z can be, for every label."""
        if self.target.noise_std:
            return self._on_nodes(y)
        points, weights = [np.zeros((0, len(y)))], [np.zeros((0, len(y)))]
        for piece in self.pieces:
            z = roots_of(piece, y)
            slope = np.abs(np.broadcast_to(piece.branch.slope(z), z.shape))
            inside = (y > piece.low) & (y < piece.high)
            with np.errstate(divide="ignore"):
                weight = np.where(inside, -np.log(np.maximum(slope, 1e-300)), -np.inf)
            points.append(z[None])
            weights.append(weight[None])
        on = [np.abs(y - atom.value) <= _ON_ATOM * max(1, abs(atom.value)) for atom in self.atoms]
        low = np.array([np.full(len(y), atom.a) for atom in self.atoms]).reshape(-1, len(y))
        high = np.array([np.where(o, atom.b, atom.a) for o, atom in zip(on, self.atoms, strict=True)])
        log_weight = np.concatenate(weights)
        if on:
            log_weight[:, np.any(on, axis=0)] = -np.inf
        return Candidates(np.concatenate(points), log_weight, low, high.reshape(-1, len(y)))

    def _on_nodes(self, y: Array) -> Candidates:
        """Return the likelihood of labels with noise on nodes of z: any function of one coordinate."""
        z = np.linspace(-_WIDE, _WIDE, _NODES)
        g = np.broadcast_to(self.value(z), z.shape)
        step = float(np.median(np.abs(np.diff(g))))
        if self.target.noise_std < step / 2:
            raise RebatchError(
                f"noise_std = {self.target.noise_std:g} of {self.target}; allowed here: 0, or at least {step / 2:.3g}"
            )
        likelihood = -((y[None] - g[:, None]) ** 2) / (2 * self.target.noise_std**2)
        nothing = np.zeros((0, len(y)))
        return Candidates(np.broadcast_to(z[:, None], likelihood.shape), likelihood, nothing, nothing)


def output(candidates: Candidates, omega: Array, V: float) -> tuple[Array, Array]:
    """Return g_out and its derivative in omega, shape (n,), where a label excludes nothing both are 0."""
    mean, variance = _posterior(candidates, omega, max(V, _LEAST_VARIANCE))
    V = max(V, _LEAST_VARIANCE)
    return (mean - omega) / V, (variance / V - 1) / V


def _posterior(c: Candidates, omega: Array, V: float) -> tuple[Array, Array]:
    """Return mean and variance of z, over points and intervals together."""
    s = np.sqrt(V)
    points = c.log_weight - (c.z - omega) ** 2 / (2 * V)
    a, b = (c.low - omega) / s, (c.high - omega) / s
    a, b = np.where(c.low <= -_WIDE + 1e-6, -np.inf, a), np.where(c.high >= _WIDE - 1e-6, np.inf, b)
    empty = c.high <= c.low
    mass, first, second = _truncated(np.where(empty, 0.0, a), np.where(empty, 1.0, b))
    mass = np.where(empty, -np.inf, mass)
    logs = np.concatenate([points, mass])
    top = np.max(logs, axis=0, initial=-np.inf)
    known = np.isfinite(top)
    weights = np.exp(logs - np.where(known, top, 0.0))
    weights = weights / np.where(known, weights.sum(axis=0), 1.0)
    means = np.concatenate([c.z, omega + s * first])
    squares = np.concatenate([np.zeros_like(c.z), V * second])
    mean = np.where(known, (weights * means).sum(axis=0), omega)
    variance = (weights * (squares + (means - mean) ** 2)).sum(axis=0)
    return mean, np.where(known, variance, V)


def _truncated(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """Return log mass, mean and variance of N(0, 1) on [a, b]."""
    flip = a > 0
    a, b = np.where(flip, -b, a), np.where(flip, -a, b)
    upper, lower = log_ndtr(b), log_ndtr(a)
    mass = upper + np.log1p(-np.exp(np.minimum(lower - upper, -1e-15)))
    phi_a, phi_b = (
        np.exp(-0.5 * np.where(np.isinf(x), 0.0, x) ** 2 - mass) / np.sqrt(2 * np.pi) for x in (a, b)
    )
    phi_a, phi_b = np.where(np.isinf(a), 0.0, phi_a), np.where(np.isinf(b), 0.0, phi_b)
    mean = phi_a - phi_b
    ends = np.where(np.isinf(a), 0.0, a) * phi_a - np.where(np.isinf(b), 0.0, b) * phi_b
    variance = np.maximum(1 + ends - mean**2, 0.0)
    return mass, np.where(flip, -mean, mean), variance
