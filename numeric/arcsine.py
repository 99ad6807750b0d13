"""Closed Gaussian integrals of erf networks (theory, 6.4): activation erf, target P(z) + sum_b c_b erf(beta_b . z).

All follow from two facts about x ~ N(0, C), for sigma(h) = erf(h); [SS95] writes them for erf(h / sqrt(2)), with C
where 2 C stands here:

    E[erf(x_i) erf(x_j)] = (2/pi) arcsin(2 C_ij / sqrt((1 + 2 C_ii) (1 + 2 C_jj)))
    E[erf'(x_j) F(x)] = t_j E'[F(x)],  t_j = (2/sqrt(pi)) (1 + 2 C_jj)^(-1/2),

E' over N(0, C'), C' = C - 2 C_j C_j^T / (1 + 2 C_jj): a Gaussian factor only tilts the covariance. By Stein's lemma
E'[x F] = C' E'[grad F]; the mean slope of erf is t again, that of a polynomial is exact on enough nodes.
"""

import math

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..symbolic.exact.polynomial import is_polynomial
from ..symbolic.language.called import Called
from ..symbolic.language.compiled import compiled
from .integration import tensor_rule
from .setting import Setting, semidefinite_cholesky

Array = NDArray[np.float64]
_MOST_NODES = 2**12


class ErfTarget:
    """A target P(z) + sum_b c_b erf(beta_b . z), and its expectations under centred Gaussian laws.

    Parameters
    ----------
    z : tuple of sympy.Symbol
    polynomial : sympy.Expr
        P.
    c, beta : ndarray, shapes (terms,) and (terms, k)
    """

    def __init__(self, z: tuple[sp.Symbol, ...], polynomial: sp.Expr, c: Array, beta: Array) -> None:
        self.k, self.c, self.beta = len(z), c, beta
        degree = _degree(polynomial, z)
        # Exact for P^2; and for s -> E[grad P] under a covariance quadratic in s.
        self._nodes, self._weights = tensor_rule(degree + 1, self.k)
        s, w = np.polynomial.legendre.leggauss(max(1, degree))
        self._path = (1 + s) / 2, w / 2
        self._polynomial = compiled(polynomial, z)
        self._slopes = [compiled(sp.diff(polynomial, x), z) for x in z]

    @classmethod
    def of(cls, setting: Setting) -> "ErfTarget | None":
        """Return the target of a setting; None where it is not of this kind, or P has too many nodes."""
        target = setting.target
        if not setting.inputs.is_gaussian or isinstance(target.formula, Called):
            return None
        if target.noise is not None and not target.noise.is_gaussian:
            return None
        z = setting.target.coordinates
        zero = dict.fromkeys(z, 0)
        polynomial, c, beta = sp.Integer(0), [], []
        for term in sp.Add.make_args(sp.expand_mul(setting.target.expr)):
            constant, factor = term.as_independent(*z, as_Add=False)
            if is_polynomial(factor, z):
                polynomial += term
                continue
            if not isinstance(factor, sp.erf):
                return None
            slopes = [sp.diff(factor.args[0], x) for x in z]
            if factor.args[0].subs(zero) != 0 or any(slope.free_symbols for slope in slopes):
                return None
            c.append(float(constant))
            beta.append([float(slope) for slope in slopes])
        if (_degree(polynomial, z) + 1) ** len(z) > _MOST_NODES:
            return None
        return cls(z, polynomial, np.array(c), np.array(beta).reshape(-1, len(z)))

    def mean_slope(self, S: Array) -> Array:
        """Return E[grad y] for z ~ N(0, S), shape (k,)."""
        variances = np.einsum("bi,ij,bj->b", self.beta, S, self.beta)
        return self._polynomial_slope(S) + (self.c * mean_slope(variances)) @ self.beta

    def square(self) -> float:
        """Return E[y^2] for z ~ N(0, I_k)."""
        values = np.broadcast_to(self._polynomial(*self._nodes), self._weights.shape)
        total = self._weights @ values**2
        for c, beta in zip(self.c, self.beta, strict=True):
            total += 2 * c * self._with_polynomial(beta, beta @ beta)
        C = self.beta @ self.beta.T
        q = np.diagonal(C)
        return float(total + self.c @ erf_products(C, q, q) @ self.c)

    def overlap(self, m: Array, q: float) -> float:
        """Return E[y erf(h)] for h of variance q with E[h z] = m."""
        own = self.beta @ self.beta.T
        erfs = erf_products(self.beta @ m, np.diagonal(own), np.full(len(self.c), q), outer=False)
        return float(self._with_polynomial(m, q) + self.c @ erfs)

    def _polynomial_slope(self, S: Array) -> Array:
        z = semidefinite_cholesky(S) @ self._nodes
        return np.array([self._weights @ np.broadcast_to(f(*z), self._weights.shape) for f in self._slopes])

    def _with_polynomial(self, m: Array, q: float) -> float:
        """Return E[P(z) erf(h)]: its derivative along the covariances s m, 0 <= s <= 1, is m . E[grad P erf'(h)]."""
        tilt = 2 * np.outer(m, m) / (1 + 2 * q)
        parts = [
            w * (m @ self._polynomial_slope(np.eye(self.k) - s * s * tilt))
            for s, w in zip(*self._path, strict=True)
        ]
        return float(mean_slope(np.asarray(q)) * sum(parts))


def _degree(polynomial: sp.Expr, z: tuple[sp.Symbol, ...]) -> int:
    """Return the degree, 0 for the polynomial 0."""
    return int(max(0, sp.Poly(polynomial, *z).total_degree()))


class ErfPopulation:
    """What :class:`rebatch.numeric.population.Nodes` computes, in closed form; activation erf.

    Parameters
    ----------
    setting : Setting
    target : ErfTarget
    """

    exact = True

    def __init__(self, setting: Setting, target: ErfTarget) -> None:
        self._setting, self._target = setting, target
        self._square = target.square()

    @classmethod
    def of(cls, setting: Setting) -> "ErfPopulation | None":
        """Return what a setting needs; None where activation or target are not of this kind."""
        target = ErfTarget.of(setting) if setting.activation.kernel == "erf" else None
        return None if target is None else cls(setting, target)

    def moments(self, M: Array, Q: Array) -> tuple[Array, Array]:
        """Return E[g z^T], shape (p, k), and E[g h^T], shape (p, p)."""
        a, k = self._setting.a(), self._setting.k
        C = np.block([[np.eye(k), M.T], [M, Q]])
        result = np.empty((len(a), len(C)))
        for j in range(len(a)):
            tilted = C - 2 * np.outer(C[k + j], C[k + j]) / (1 + 2 * Q[j, j])
            result[j] = tilted[:, :k] @ self._target.mean_slope(tilted[:k, :k])
            if self._setting.loss != "correlation":
                result[j] -= tilted[:, k:] @ (a * mean_slope(np.diagonal(tilted)[k:]))
            result[j] *= a[j] * mean_slope(Q[j, j])
        return result[:, :k], result[:, k:]

    def loss(self, M: Array, Q: Array) -> float:
        """Return the loss per sample, label noise included."""
        a, q = self._setting.a(), np.diagonal(Q)
        with_label = sum(a[j] * self._target.overlap(M[j], q[j]) for j in range(len(a)))
        if self._setting.loss == "correlation":
            return float(-with_label)
        network = a @ erf_products(Q, q, q) @ a
        return float((self._square + self._setting.noise_std**2 + network) / 2 - with_label)


def mean_slope(q: Array) -> Array:
    """Return E[erf'(h)] for h of variance q."""
    return np.asarray(2 / np.sqrt(math.pi * (1 + 2 * q)))


def erf_products(C: Array, q: Array, r: Array, *, outer: bool = True) -> Array:
    """Return E[erf(x) erf(x')] for covariances C, variances q of x and r of x'; each x with each x', or in pairs."""
    sizes = np.outer(1 + 2 * q, 1 + 2 * r) if outer else (1 + 2 * q) * (1 + 2 * r)
    return np.asarray(2 / math.pi * np.arcsin(2 * C / np.sqrt(sizes)))
