"""The polynomial ring in which two steps of a polynomial network are taken (theory, 5.1; other inputs: 13).

The network sees a latent coordinate standardised, (z - mean) / s. Where s is irrational the ring stays rational: its
generator is u = z - mean, the overlaps in it are s M = (…) + alpha eta E[g u], and the fields hold (s M) u / s^2.
"""

from collections.abc import Sequence
from functools import cache, reduce
from operator import add, mul

import sympy as sp
from flint import fmpq, fmpq_mpoly, fmpq_poly

from ..calculus.gaussian import moments, smoothed
from ..calculus.product_form import averaged_over, centred_moment, polynomial_of
from ..errors import RebatchError
from ..exact.effort import spend
from ..exact.polynomial import rational, ring, to_fmpq, to_polynomial
from ..language.law import GAUSSIAN, Law
from ..language.symbols import ACTIVATION_VARIABLE
from ..language.target import Target
from .activation import Activation
from .eta import ALPHA, ETA, LAM
from .letters import Letters, orders
from .moments import noise_moment
from .network import Loss, Start, exact
from .size import Size

Matrix = list[list[fmpq_mpoly]]
# Measured, in units of work: to put coefficients in, for a product of terms, and to write a term as SymPy's.
_PUT_IN, _WRITTEN = 3, 150


def size_of(
    target: Target,
    activation: Activation,
    readout: tuple[sp.Expr, ...],
    loss: Loss,
    begin: "Start",
    normalize: bool,
) -> Size:
    """Return what the size of the formula depends on.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial.
    """
    g = polynomial_of(target)
    return Size(
        k=target.k + (target.noise is not None),
        p=len(readout),
        target=max(0, int(g.total_degree())),
        activation=activation.degree,
        squared=loss == "squared",
        scales=len({i for i, _ in _common_scales(readout)[0]}),
        orthonormal=begin.is_orthonormal,
        norms=normalize,
    )


def _dot(a: Sequence[fmpq_mpoly], b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    return reduce(add, map(mul, a, b))


def _form(a: Sequence[fmpq_mpoly], matrix: Matrix, b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
    """Return a^T A b."""
    return _dot(a, [_dot(row, b) for row in matrix])


class StepRing:
    """The ring in which one two-step problem is computed.

    Its variables: the latent z (k), the fields h (p) and the label noise xi, over which expectations are taken;
    then the parameters alpha, eta, lam and the independent readout symbols, which remain.

    Attributes
    ----------
    seen : list
        What the fields hold of each z: over its variance where the ring has it unscaled.
    """

    def __init__(
        self,
        target: Target,
        activation: Activation,
        readout: tuple[sp.Expr, ...],
        loss: Loss,
        start: Start,
        normalize: bool = False,
    ) -> None:
        self.k, self.p, self.loss = target.k, len(readout), loss
        self.start, self._law = start, target.inputs
        self._units_of_z, self._scales_of_z, self._inverse_squares = _units(target.inputs, self.k, start)
        # Neurons whose readouts have a rational ratio share one symbol: the default readout needs only one.
        ratios, self._scales = _common_scales(readout)
        self._gaussians = self.k + self.p + 1
        # Measured: to average a term takes a microsecond for each four variables.
        self._units = 1 + self._gaussians // 4
        fields = [f"h{j + 1}" for j in range(self.p)]
        latent = [str(z) for z in target.coordinates]
        scales = [f"a{i + 1}" for i in range(len(self._scales))]
        norms = [f"norm{j + 1}" for j in range(self.p)] if normalize else []
        self.ring = ring([*fields, *latent, "xi", "alpha", "eta", "lam", *scales, *norms])
        generators = self.ring.gens()
        self.h = generators[: self.p]
        self.z = generators[self.p : self.p + self.k]
        self.seen = [z * c if c != 1 else z for z, c in zip(self.z, self._inverse_squares, strict=True)]
        self.alpha, self.eta, self.lam = generators[self._gaussians : self._gaussians + 3]
        symbols = generators[self._gaussians + 3 :]
        # 1 / |w^1_j|, put in as a symbol: the second step is a polynomial in it.
        self.norm = symbols[len(scales) :] if normalize else [self.ring.constant(1)] * self.p
        self.a = [symbols[i] * ratio for i, ratio in ratios]
        latent_values = self.z
        if not target.inputs.is_gaussian:
            means = [to_fmpq(part.mean) for part in target.inputs.each(self.k)]
            latent_values = [
                mean + scale * z for mean, scale, z in zip(means, self._scales_of_z, self.z, strict=True)
            ]
        g = polynomial_of(target).compose(*latent_values, ctx=self.ring)
        self._noise, xi = target.noise, generators[self._gaussians - 1]
        self.y = g
        if self._noise is not None and self._noise.family == "flip":
            self.y = g * xi
        elif self._noise is not None:
            self.y = g + xi * to_fmpq(exact(self._noise.size))
        self._sigma = to_polynomial(activation.expr, (ACTIVATION_VARIABLE,))
        self.zero = self.ring.constant(0)
        self.M0, self.S, self.S_inverse = (
            [[self._constant(x) for x in matrix.row(j)] for j in range(self.p)]
            for matrix in (start.M, start.rest, start.rest.pinv())
        )
        # As functions of the fields, and of z, e and the noise: there the generators h stand for e.
        self.signal = self.signals()
        self.h0 = [_dot(M, self.z) + e for M, e in zip(self.M0, self.h, strict=True)]
        self.g0 = [g.compose(*self.h0, *generators[self.p :]) for g in self.signal]
        self._values: list[sp.Expr] = [ALPHA, ETA, LAM, *self._scales]
        if normalize:
            self._values += sp.symbols(f"s1:{self.p + 1}", positive=True)

    def _constant(self, x: sp.Rational) -> fmpq_mpoly:
        return self.ring.constant(to_fmpq(x))

    def signals(self) -> list[fmpq_mpoly]:
        """Return g_j = a_j sigma'(h_j) r as polynomials in the fields, the latent z and the noise."""
        sigma_prime = self._sigma.derivative(0)
        r = self.y
        if self.loss == "squared":
            for a, h in zip(self.a, self.h, strict=True):
                r = r - a * self._sigma.compose(h, ctx=self.ring)
        return [a * sigma_prime.compose(h, ctx=self.ring) * r for a, h in zip(self.a, self.h, strict=True)]

    def expectation(self, polynomial: fmpq_mpoly) -> fmpq_mpoly:
        """Return E[.] over e, latent and noise, as a polynomial in the parameters."""
        if not self.start.is_orthonormal:
            generators = self.ring.gens()
            polynomial = smoothed(polynomial, self.S).compose(*[self.zero] * self.p, *generators[self.p :])
        spend(len(polynomial) * self._units)
        if self._law.is_gaussian and (self._noise is None or self._noise.is_gaussian):
            average = moments(polynomial, self._gaussians)
        else:
            normal = cache(lambda n: centred_moment(GAUSSIAN, n))
            latent = [
                cache(lambda n, part=part, scale=scale: centred_moment(part, n) / scale**n)
                for part, scale in zip(self._law.each(self.k), self._scales_of_z, strict=True)
            ]
            xi = normal if self._noise is None else self._moment_of_noise
            average = averaged_over(polynomial, [*[normal] * self.p, *latent, xi])
        padding = (0,) * self._gaussians
        return self.ring.from_dict({padding + rest: value for rest, value in average.items()})

    @cache  # noqa: B019 - a problem lives as long as its call
    def _moment_of_noise(self, n: int) -> fmpq:
        assert self._noise is not None
        return to_fmpq(noise_moment(self._noise, n))

    @cache  # noqa: B019 - a problem lives as long as its call
    def first_step(self) -> tuple[Matrix, Matrix, Matrix]:
        """Return M^1 (p x k), N^1 (p x p) and the covariance alpha E[g^0 g^0^T] of omega (p x p)."""
        g = self.g0
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        M1 = [
            [decay * M + step * self.expectation(gj * z) for M, z in zip(row, self.z, strict=True)]
            for row, gj in zip(self.M0, g, strict=True)
        ]
        ge = [[self.expectation(gi * e) for e in self.h] for gi in g]
        N1 = [
            [decay * int(i == j) + step * _dot(ge[i], self.S_inverse[j]) for j in range(self.p)]
            for i in range(self.p)
        ]
        C = [[self.alpha * self.expectation(gi * gj) for gj in g] for gi in g]
        return M1, N1, C

    def first_gram(self) -> Matrix:
        """Return Q^1 (p x p)."""
        M1, N1, C = self.first_step()
        return [
            [
                self._along_stars(M1[i], M1[j]) + _form(N1[i], self.S, N1[j]) + self.eta**2 * C[i][j]
                for j in range(self.p)
            ]
            for i in range(self.p)
        ]

    def _along_stars(self, a: Sequence[fmpq_mpoly], b: Sequence[fmpq_mpoly]) -> fmpq_mpoly:
        """Return the inner product of two overlaps of this ring with the standardised coordinates."""
        if all(c == 1 for c in self._inverse_squares):
            return _dot(a, b)
        return _dot(a, [x * c for x, c in zip(b, self._inverse_squares, strict=True)])

    def second_step(self, *, reuse: bool, by_letters: bool = False) -> Matrix:
        """Return M^2 = (1 - eta lam) M^1 + alpha eta E[g^1 z^T], (p x k).

        by_letters: the expectations without g^1 written out, from an orthonormal start and without norms.
        """
        M1, _, _ = self.first_step()
        step, decay = self.alpha * self.eta, 1 - self.eta * self.lam
        if by_letters:
            along = self._along_by_letters(reuse=reuse)
        else:
            g1 = [self.averaged(gj, reuse=reuse) for gj in self.signal]
            along = [[self.expectation(g * z) for z in self.z] for g in g1]
        return [
            [decay * self.norm[j] * M1[j][r] + step * along[j][r] for r in range(self.k)]
            for j in range(self.p)
        ]

    def _along_by_letters(self, *, reuse: bool) -> Matrix:
        """Return E[g^1 z^T], omega averaged in the coefficients of the powers of h^1 (p x k)."""
        M1, N1, C = self.first_step()
        noise = [[self.eta**2 * c for c in row] for row in C]
        sigma = [self._sigma.compose(h, ctx=self.ring) for h in self.h]
        squared = self.loss == "squared"
        activation = fmpq_poly(self._coefficients())
        table = Letters(self.k, self.p, activation, self._with_latent, reuse=reuse, squared=squared)
        fields = [
            ([m * c for m, c in zip(M1[j], self._inverse_squares, strict=True)], N1[j], self.eta * self.a[j])
            for j in range(self.p)
        ]

        def along(f: fmpq_mpoly, j: int, i: int, labels: int) -> list[fmpq_mpoly]:
            values = table.values(fields, self.a, (j, i), self.zero)
            total = [self.zero] * self.k
            for u, v, weight in orders(smoothed(f, noise), (j, i)):
                put_in = [y.compose(*values, ctx=self.ring) for y in table.average(labels, u, v)]
                spend(_PUT_IN * len(weight) * sum(map(len, put_in)))
                total = [x + weight * y for x, y in zip(total, put_in, strict=True)]
            return total

        rows: Matrix = []
        for j in range(self.p):
            # Neurons with equal readouts are alike, and so are pairs of them.
            if (twin := self.a.index(self.a[j])) < j:
                rows.append(rows[twin])
                continue
            slope = sigma[j].derivative(j)
            row = along(slope, j, j, 1)
            if squared:
                of_pairs: dict[tuple[bool, str], list[fmpq_mpoly]] = {}
                for i, a in enumerate(self.a):
                    kind = (i == j, str(a))
                    if kind not in of_pairs:
                        of_pairs[kind] = along(slope * sigma[i], j, i, 0)
                    row = [x - a * y for x, y in zip(row, of_pairs[kind], strict=True)]
            rows.append([self.a[j] * x for x in row])
        return rows

    def _coefficients(self) -> list[fmpq]:
        """Return the coefficients of sigma, constant first."""
        powers = {int(n): c for (n,), c in self._sigma.to_dict().items()}
        return [powers.get(n, fmpq(0)) for n in range(max(powers, default=0) + 1)]

    def _with_latent(self, exponents: tuple[int, ...], q: int) -> list[fmpq]:
        """Return E[z^exponents y^q z_r] for every r."""
        product = reduce(mul, (z ** int(n) for z, n in zip(self.z, exponents, strict=True)), self._label(q))
        averages = (self.expectation(product * z).to_dict() for z in self.z)
        return [next(iter(value.values()), fmpq(0)) for value in averages]

    @cache  # noqa: B019 - a problem lives as long as its call
    def _label(self, q: int) -> fmpq_mpoly:
        return self._label(q - 1) * self.y if q else self.ring.constant(1)

    def averaged(self, f: fmpq_mpoly, *, reuse: bool) -> fmpq_mpoly:
        """Return E[f(h^1) | z, e, xi] for a function f of the fields: omega first, then the rest of h^1 put in."""
        M1, N1, C = self.first_step()
        s = self.norm
        noise = [[self.eta**2 * s[i] * s[j] * C[i][j] for j in range(self.p)] for i in range(self.p)]
        fields = []
        for j in range(self.p):
            A = _dot(M1[j], self.seen) + _dot(N1[j], self.h)
            fields.append(s[j] * (A + self.eta * self.g0[j] if reuse else A))
        return smoothed(f, noise).compose(*fields, *self.ring.gens()[self.p :])

    def second_gram(self, *, reuse: bool, diagonal: bool = False) -> Matrix:
        """Return Q^2 (p x p), or its diagonal alone; the formula stands at :attr:`TwoStepOverlap.Q2`."""
        p, s, everyone = self.p, self.norm, range(self.p)
        C = self.first_step()[2]
        Q1 = self.first_gram()
        g1 = [self.averaged(gj, reuse=reuse) for gj in self.signal]
        gz = [[self.expectation(g * z) for z in self.z] for g in g1]
        ge = [[self.expectation(g * e) for e in self.h] for g in g1]
        D = [
            [
                self.eta * s[j] * self.expectation(self.averaged(self.signal[i].derivative(j), reuse=reuse))
                for j in everyone
            ]
            for i in everyone
        ]
        seen = [[self.expectation(a * b) * int(reuse) for b in g1] for a in self.g0]
        gf = [[self.expectation(self.averaged(g * h, reuse=reuse)) for h in self.h] for g in self.signal]
        decay = 1 - self.eta * self.lam
        result = [[self.zero] * p for _ in everyone]
        for i in everyone:
            for j in (i,) if diagonal else range(i + 1):
                gradients = self._along_stars(gz[i], gz[j])
                gradients += _form(ge[i], self.S_inverse, ge[j]) + _form(D[i], C, D[j])
                gradients += sum((D[i][a] * seen[a][j] + seen[a][i] * D[j][a] for a in range(p)), self.zero)
                squares = self.expectation(self.averaged(self.signal[i] * self.signal[j], reuse=reuse))
                result[i][j] = result[j][i] = (
                    decay**2 * s[i] * s[j] * Q1[i][j]
                    + decay * self.eta * self.alpha * (gf[i][j] + gf[j][i])
                    + self.eta**2 * (self.alpha**2 * gradients + self.alpha * squares)
                )
        return result

    def overlaps(self, entries: Matrix) -> sp.ImmutableMatrix:
        """Return M in SymPy, from the overlaps of this ring."""
        M = self.matrix(entries)
        if all(s == 1 for s in self._units_of_z):
            return M
        return sp.ImmutableMatrix(M.rows, M.cols, lambda j, r: sp.expand(M[j, r] / self._units_of_z[r]))

    def matrix(self, entries: Matrix) -> sp.ImmutableMatrix:
        """Return a matrix of polynomials in the parameters in SymPy, the readout put in."""
        return sp.ImmutableMatrix([[self.to_expr(x) for x in row] for row in entries])

    def to_expr(self, polynomial: fmpq_mpoly) -> sp.Expr:
        """Return a polynomial in the parameters as a SymPy expression, the readout put in."""
        power = cache(lambda i, n: self._values[i] ** n)
        spend(_WRITTEN * len(polynomial))
        return sp.Add(
            *(
                sp.Mul(
                    rational(c), *(power(i, int(n)) for i, n in enumerate(exponents[self._gaussians :]) if n)
                )
                for exponents, c in polynomial.to_dict().items()
            )
        )


def _units(law: Law, k: int, start: Start) -> tuple[list[sp.Expr], list[fmpq], list[fmpq]]:
    """Return for each coordinate what overlaps are divided by, the scale of the generator, and 1 over its variance.

    Raises
    ------
    RebatchError
        If the start holds z, and z has an irrational standard deviation.
    """
    rows = []
    for part in law.each(k):
        s = sp.sqrt(part.variance)
        if not s.is_Rational and not start.M.is_zero_matrix:
            raise RebatchError(
                f"start = {start.M.tolist()} with inputs {law}, of standard deviation {s}; allowed is 0, or inputs "
                "of a rational one"
            )
        rows.append(
            (sp.Integer(1), to_fmpq(s), fmpq(1))
            if s.is_Rational
            else (s, fmpq(1), 1 / to_fmpq(part.variance))
        )
    units, scales, inverse_squares = zip(*rows, strict=True)
    return list(units), list(scales), list(inverse_squares)


def _common_scales(readout: tuple[sp.Expr, ...]) -> tuple[list[tuple[int, fmpq]], list[sp.Expr]]:
    """Write each a_j as (rational) * scales[i]; return the pairs (i, rational) and the scales."""
    scales: list[sp.Expr] = [sp.Integer(1)]
    pairs = []
    for a in readout:
        ratios = [sp.radsimp(a / scale) for scale in scales]
        shared = next((i for i, ratio in enumerate(ratios) if ratio.is_Rational), None)
        if shared is None:
            shared = len(scales)
            scales.append(a)
            ratios.append(sp.Integer(1))
        pairs.append((shared, to_fmpq(ratios[shared])))
    return pairs, scales
