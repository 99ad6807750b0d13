"""E[z_r f(h^1)] where f is not written out in z and e: products of independent factors (theory, 5 and 5.1).

From the orthonormal start h^0 = e, the fields of the second step are linear in a few letters, omega left out,

    h^1_j = sum_r m_jr z_r + sum_l n_jl e_l + G_j sigma'(e_j) (y - sum_l a_l sigma(e_l)),   G_j = eta a_j,

so that a power of h^1_j times a power of h^1_i is a sum of products in which every e_l has its own factor
e_l^n sigma(e_l)^c sigma'(e_l)^b, and z and y have one. Their averages are numbers of one variable, or of z alone.
Written out, the same powers have the degree of f times 2 deg sigma - 1 in the e together.

The coefficients m, n, G and a stay letters too: neurons differ in nothing else, so that one table serves all pairs.
"""

from collections.abc import Callable, Sequence
from functools import cache

from flint import fmpq, fmpq_mpoly, fmpq_poly

from ..exact.effort import spend
from ..exact.polynomial import ring

# Measured, in units of work.
_EACH_TERM = 10

Latent = Callable[[tuple[int, ...], int], list[fmpq]]


class Letters:
    """Tables of E[z_r y^q (h^1_j)^u (h^1_i)^v], omega left out, as polynomials in the coefficients of the fields.

    Parameters
    ----------
    k, p : int
        Latent coordinates and neurons.
    sigma : fmpq_poly
    latent : callable
        Of exponents of z and of y: [E[z^exponents y^q z_r] for every r].
    reuse : bool
        Whether the fields hold the gradient on the same sample: G is 0 otherwise.
    squared : bool
        Whether the residual in it is y - f, or y.
    """

    def __init__(
        self, k: int, p: int, sigma: fmpq_poly, latent: Latent, *, reuse: bool, squared: bool
    ) -> None:
        self.k, self.p, self._sigma, self._slope = k, p, sigma, sigma.derivative()
        self._latent = cache(latent)
        each = [f"{x}{i}" for x in "est" for i in range(p)]
        read = [*each, *(f"z{r}" for r in range(k)), "y"]
        own = [
            f"{x}{field}_{i}"
            for field in range(2)
            for x, count in (("m", k), ("n", p), ("G", 1))
            for i in range(count)
        ]
        coefficients = [*own, *(f"a{i}" for i in range(p))]
        self._read = len(read)
        self.ring, self._table = ring([*read, *coefficients]), ring(coefficients)
        self._fields = [self._field(j, reuse=reuse, squared=squared) for j in range(min(2, p))]

    def _field(self, j: int, *, reuse: bool, squared: bool) -> fmpq_mpoly:
        """Return h^1_j for the first or second neuron of a pair."""
        x, k, p = self.ring.gens(), self.k, self.p
        e, s, t, z, y = x[:p], x[p : 2 * p], x[2 * p : 3 * p], x[3 * p : 3 * p + k], x[3 * p + k]
        own = x[self._read + j * (k + p + 1) :]
        a = x[self._read + 2 * (k + p + 1) :]
        h = self.ring.constant(0)
        for coefficient, letter in zip(own[: k + p], (*z, *e), strict=True):
            h += coefficient * letter
        if reuse:
            residual = y - sum((a_l * s_l for a_l, s_l in zip(a, s, strict=True)), h * 0) * int(squared)
            h += own[k + p] * t[j] * residual
        return h

    @cache  # noqa: B019 - a table lives as long as its formula
    def average(self, q: int, u: int, v: int) -> list[fmpq_mpoly]:
        """Return E[z_r y^q (h^1_j)^u (h^1_i)^v] for every r."""
        k, p = self.k, self.p
        powers = self._power(0, u)
        if v:
            powers = powers * self._power(1, v)
        spend(_EACH_TERM * len(powers))
        sums: list[dict[tuple[int, ...], fmpq]] = [{} for _ in range(k)]
        for exponents, weight in powers.to_dict().items():
            factor = weight
            for i in range(p):
                n, c, b = exponents[i], exponents[p + i], exponents[2 * p + i]
                if n or c or b:
                    factor *= self._of_neuron(n, c, b)
            if factor == 0:
                continue
            seen = self._latent(exponents[3 * p : 3 * p + k], int(exponents[3 * p + k]) + q)
            rest = exponents[self._read :]
            for total, moment in zip(sums, seen, strict=True):
                if moment != 0:
                    total[rest] = total.get(rest, 0) + factor * moment
        return [self._table.from_dict(total) for total in sums]

    @cache  # noqa: B019 - as above
    def _power(self, field: int, n: int) -> fmpq_mpoly:
        return self._power(field, n - 1) * self._fields[field] if n else self.ring.constant(1)

    @cache  # noqa: B019 - as above
    def _of_neuron(self, n: int, c: int, b: int) -> fmpq:
        """Return E[e^n sigma(e)^c sigma'(e)^b], e ~ N(0, 1)."""
        value, moment = fmpq(0), fmpq(1)
        polynomial = fmpq_poly([0] * int(n) + [1]) * self._sigma ** int(c) * self._slope ** int(b)
        for m, coefficient in enumerate(polynomial.coeffs()):
            if m % 2 == 0:
                value += coefficient * moment
                moment *= m + 1
        return value

    def values(
        self,
        fields: Sequence[tuple[Sequence[fmpq_mpoly], Sequence[fmpq_mpoly], fmpq_mpoly]],
        a: Sequence[fmpq_mpoly],
        pair: tuple[int, int],
        zero: fmpq_mpoly,
    ) -> list[fmpq_mpoly]:
        """Return what the coefficients of the table are for the neurons j, i of a pair: they are its first two.

        Parameters
        ----------
        fields : sequence of (m, n, G)
            Of every neuron.
        """
        j, i = pair
        order = [j, *([i] if i != j else []), *(other for other in range(self.p) if other not in pair)]
        both = [fields[j], fields[i] if i != j else ([zero] * self.k, [zero] * self.p, zero)]
        own = [x for m, n, G in both for x in (*m, *(n[of] for of in order), G)]
        return [*own, *(a[of] for of in order)]


def orders(f: fmpq_mpoly, variables: tuple[int, int]) -> list[tuple[int, int, fmpq_mpoly]]:
    """Return (u, v, coefficient) for the powers in f of two variables, or of one given twice: then v = 0."""
    j, i = variables
    parts: dict[tuple[int, int], dict[tuple[int, ...], fmpq]] = {}
    for exponents, weight in f.to_dict().items():
        u, v = int(exponents[j]), int(exponents[i]) if i != j else 0
        rest = tuple(0 if at in variables else x for at, x in enumerate(exponents))
        parts.setdefault((u, v), {})[rest] = weight
    return [(u, v, f.context().from_dict(part)) for (u, v), part in parts.items()]
