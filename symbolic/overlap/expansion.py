"""The Taylor expansion of two steps in the step size, in one polynomial ring (theory, 5.2)."""

from collections.abc import Iterator

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..exact.effort import spend
from ..exact.polynomial import rational, ring
from .eta import ALPHA, LAM
from .moments import Moments
from .network import Loss

# Measured: a term of an integrand takes a tenth of a millisecond to average for each hundred variables, most of it in
# SymPy; each neuron's signal holds a term of each other's.
_UNITS, _SETTING_UP = 100, 10


class Expansion:
    """The ring of one series.

    Its variables, by name: the latent z and the label y; h_j and the derivatives s_j,n = sigma^(n)(h_j); omega_j;
    directions d_j, for which D_j is put in; and the parameters alpha, lam, a_j, and the entries of m and n, which
    are numbers that keep the expansion independent of the target.
    """

    def __init__(self, k: int, p: int, order: int, loss: Loss, moments: Moments) -> None:
        self.k, self.p, self.order, self.loss, self.moments = k, p, order, loss, moments
        neurons, latents = range(1, p + 1), range(1, k + 1)
        self._depth = order + 2
        random = [f"z{r}" for r in latents] + ["y"] + [f"h{j}" for j in neurons]
        random += [f"s{j},{n}" for j in neurons for n in range(self._depth)]
        random += [f"w{j}" for j in neurons]
        parameters = ["alpha", "lam"] + [f"a{j}" for j in neurons]
        parameters += [f"m{j},{r}" for j in neurons for r in latents]
        parameters += [f"n{j},{i}" for j in neurons for i in neurons]
        self._positions = {
            name: i for i, name in enumerate([*random, *parameters, *(f"d{j}" for j in neurons)])
        }
        variables = len(self._positions)
        self._units = _UNITS * (1 + variables // 100)
        spend(p**2 * variables // _SETTING_UP)
        self._parameters = slice(len(random), len(random) + len(parameters))
        self.ring = ring([name.replace(",", "_") for name in self._positions])
        self._generators = self.ring.gens()
        self.readout_symbols = tuple(sp.symbols(f"a1:{p + 1}", real=True))
        self._values: list[sp.Expr] = [ALPHA, LAM, *self.readout_symbols]
        self._covariance = sp.zeros(p)
        self._reuse = False

    def __getitem__(self, name: str) -> fmpq_mpoly:
        return self._generators[self._positions[name]]

    def coefficients(self, *, reuse: bool) -> Iterator[sp.Matrix]:
        """Yield the matrices of M^2 at eta^0, eta^1, … eta^order."""
        k, p = self.k, self.p
        self._reuse = reuse
        g = self.signals()
        m = sp.Matrix(p, k, lambda j, r: self.expectation(g[j] * self[f"z{r + 1}"]))
        yield sp.zeros(p, k)
        yield 2 * ALPHA * m
        n = sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * self[f"h{i + 1}"]))
        self._covariance = ALPHA * sp.Matrix(p, p, lambda j, i: self.expectation(g[j] * g[i]))
        self._values += [*m, *n]
        images = list(self._generators)
        for j in range(p):
            images[self._positions[f"d{j + 1}"]] = self.direction(j, g[j] if reuse else None)
        for q in range(1, self.order):
            g = [self.derivative(gj) * fmpq(1, q) for gj in g]
            here = [gj.compose(*images) for gj in g]
            term = ALPHA * sp.Matrix(
                p,
                k,
                lambda j, r: self.expectation(here[j] * self[f"z{r + 1}"]),  # noqa: B023 - used at once
            )
            yield term - LAM * ALPHA * m if q == 1 else term

    def signals(self) -> list[fmpq_mpoly]:
        """Return g_j = a_j sigma'(h_j) r."""
        neurons = range(1, self.p + 1)
        r = self["y"]
        if self.loss == "squared":
            for j in neurons:
                r = r - self[f"a{j}"] * self[f"s{j},0"]
        return [self[f"a{j}"] * self[f"s{j},1"] * r for j in neurons]

    def direction(self, j: int, g: fmpq_mpoly | None) -> fmpq_mpoly:
        """Return D_j = alpha (m z)_j + (alpha n h)_j - lam h_j + omega_j, with g^0_j where the batch is reused."""
        D = self[f"w{j + 1}"] - self["lam"] * self[f"h{j + 1}"]
        for r in range(self.k):
            D = D + self["alpha"] * self[f"m{j + 1},{r + 1}"] * self[f"z{r + 1}"]
        for i in range(self.p):
            D = D + self["alpha"] * self[f"n{j + 1},{i + 1}"] * self[f"h{i + 1}"]
        return D if g is None else D + g

    def derivative(self, f: fmpq_mpoly) -> fmpq_mpoly:
        """Return sum_j d_j df/dh_j."""
        total = f * 0
        for j in range(1, self.p + 1):
            along = f.derivative(self._positions[f"h{j}"])
            for n in range(self._depth - 1):
                along = along + self[f"s{j},{n + 1}"] * f.derivative(self._positions[f"s{j},{n}"])
            total = total + self[f"d{j}"] * along
        return total

    def expectation(self, f: fmpq_mpoly) -> sp.Expr:
        """Return E[f] over z, y, h and omega, as an expression in the parameters."""
        spend(len(f) * self._units)
        weights: dict[tuple[tuple[int, ...], ...], fmpq] = {}
        for exponents, c in f.to_dict().items():
            e = tuple(map(int, exponents))
            key = (e[: self._parameters.start], e[self._parameters])
            weights[key] = weights.get(key, fmpq(0)) + c
        total = []
        for (random, parameters), c in weights.items():
            moment = self._moment(random)
            if moment != 0:
                powers = (v**e for v, e in zip(self._values, parameters, strict=False) if e)
                total.append(rational(c) * moment * sp.Mul(*powers))
        return sp.expand(sp.Add(*total))

    def _moment(self, e: tuple[int, ...]) -> sp.Expr:
        """Return E of a monomial: the label's part, each neuron's, and that of omega are independent."""
        k, p, depth = self.k, self.p, self._depth
        fields, slopes = e[k + 1 : k + 1 + p], e[k + 1 + p : k + 1 + p + p * depth]
        if self._reuse:
            for j in range(p):
                self.moments.require(fields[j], slopes[j * depth : (j + 1) * depth])
        result = self._wick(e[k + 1 + p + p * depth :])
        if result != 0:
            result *= self.moments.label(e[k], e[:k])
        for j in range(p):
            if result == 0:
                break
            result *= self.moments.field(fields[j], slopes[j * depth : (j + 1) * depth])
        return result

    def _wick(self, e: tuple[int, ...]) -> sp.Expr:
        """Return E[prod omega_j^e_j] by pairing one factor with each other one."""
        if sum(e) % 2:
            return sp.Integer(0)
        first = next((j for j, n in enumerate(e) if n), None)
        if first is None:
            return sp.Integer(1)
        total = sp.Integer(0)
        less = tuple(n - (j == first) for j, n in enumerate(e))
        for j, n in enumerate(less):
            if n:
                rest = tuple(x - (i == j) for i, x in enumerate(less))
                total += n * self._covariance[first, j] * self._wick(rest)
        return total
