"""E[g(z)] in closed form, for a normal form without opaque functions (theory, 2).

exp(E) with E = z'Qz + l'z + c tilts the Gaussian: E[exp(E) f(z)] = det(1 - 2Q)^(-1/2) exp(c + l'Sl/2) E[f(m + w)],
w ~ N(0, S), S = (1 - 2Q)^(-1), m = S l; it exists where 1 - 2Q is positive definite. What is left is
E[z^a prod_h H_h] under N(m, S), by Stein's identity

    E[z_i f] = m_i E[f] + sum_j S_ij E[d_j f],

where the derivative of a step is a delta: the density at the threshold times the same expectation, one step fewer,
conditioned on the threshold. What remains at the end is the probability that all steps are open: erf for one, the
arcsine law for two and for three with thresholds 0, products where they are independent.
"""

from collections import Counter
from collections.abc import Iterable, Sequence

import sympy as sp
from flint import fmpq, fmpq_mat, fmpq_mpoly

from ..errors import DivergentError, RebatchError
from ..exact.ball import is_positive_constant
from ..exact.effort import spend
from .algebra import Element
from .normal_form import Reader

Row = Sequence[fmpq_mpoly]
Monomial = tuple[int, ...]

# Degrees above it are reached over their half, so that the recursion stays shallow.
_DEEP = 100
# Units of work for a moment, beside its products.
_PER_MOMENT = 20
# And for each entry of the matrix of an exponent.
_PER_ENTRY = 5


class NoClosedFormError(RebatchError):
    """An expectation outside the class that is known in closed form.

    Its integrand holds opaque functions, an exponent that is not quadratic, or steps that depend on each other
    beyond the arcsine law.
    """


class Tilt:
    """The Gaussian after exp(E): its mean and covariance, its mass, and the expectations under it, each once.

    Parameters
    ----------
    reader : Reader
    E : fmpq_mpoly
        The exponent, of degree at most 2 in z.
    variances : row of constants, optional
        Variances of the coordinates, independent before the tilt; 1 by default.
    """

    def __init__(self, reader: Reader, E: fmpq_mpoly, variances: Row | None = None) -> None:
        self.reader, self.E = reader, E
        algebra = reader.algebra
        self._variances = [algebra.one] * algebra.k if variances is None else list(variances)
        self._laws: dict[tuple[int, ...], TruncatedGaussian] = {}
        # What is refused is refused at the first use: an empty sum needs no convergence.
        self._prepared = False

    def _prepare(self, *, truncated: bool) -> None:
        """Work out mean, covariance and mass of the Gaussian law that the exponential tilts to."""
        algebra, reader = self.reader.algebra, self.reader
        k = algebra.k
        spend(_PER_ENTRY * k * k)
        Q, linear, constant = _quadratic(reader, self.E)
        if all(x == 0 for row in Q for x in row):
            self.covariance = [
                [self._variances[i] if i == j else algebra.one * 0 for j in range(k)] for i in range(k)
            ]
            mass = algebra.constant(1)
        else:
            try:
                self.covariance, mass = self._tilted(Q)
            except DivergentError as error:
                # Steps may keep it from growing: then the tail decides.
                if truncated:
                    raise NoClosedFormError(str(error)) from None
                raise
        self.mean = [
            algebra.reduced(sum((s * x for s, x in zip(row, linear, strict=True)), algebra.one * 0))
            for row in self.covariance
        ]
        half = algebra.one * fmpq(1, 2)
        exponent = constant
        for m, x in zip(self.mean, linear, strict=True):
            exponent = exponent + m * x * half
        self.mass = mass * Element(algebra, [(algebra.reduced(exponent), algebra.one)])
        self._prepared = True

    def _tilted(self, Q: list[list[fmpq_mpoly]]) -> tuple[list[list[fmpq_mpoly]], Element]:
        """Return S = (D^-1 - 2Q)^-1 and det(1 - 2 D Q)^(-1/2)."""
        reader, algebra = self.reader, self.reader.algebra
        k = algebra.k
        precision = [
            [
                (reader.inverse(self._variances[i]) if i == j else algebra.one * 0) - Q[i][j] * 2
                for j in range(k)
            ]
            for i in range(k)
        ]
        if all(x.is_constant() for row in precision for x in row):
            A = fmpq_mat([[_rational(x) for x in row] for row in precision])
            minors = [
                fmpq_mat([[A[i, j] for j in range(n)] for i in range(n)]).det() for n in range(1, k + 1)
            ]
            if not all(minor > 0 for minor in minors):
                self._refuse()
            inverse = A.inv()
            covariance = [[algebra.one * inverse[i, j] for j in range(k)] for i in range(k)]
            determinant: sp.Expr = sp.Rational(int(minors[-1].p), int(minors[-1].q))
        else:
            matrix = sp.Matrix(k, k, [algebra.constant_expr(x) for row in precision for x in row])
            for n in range(1, k + 1):
                if not is_positive_constant(sp.expand(matrix[:n, :n].det(method="berkowitz"))):
                    self._refuse()
            determinant = sp.expand(matrix.det(method="berkowitz"))
            inverse = matrix.adjugate() / determinant
            covariance = [
                [reader.plain(reader.element(sp.radsimp(inverse[i, j]))) for j in range(k)] for i in range(k)
            ]
        for variance in self._variances:
            determinant = determinant * algebra.constant_expr(variance)
        return covariance, reader.element(1 / sp.sqrt(determinant))

    def _refuse(self) -> None:
        expr = sp.exp(self.reader.algebra.real_and_imaginary(self.E)[0])
        raise DivergentError(
            f"the expectation of |g| is infinite: {expr} grows at least as fast as the Gaussian density falls"
        )

    def check(self) -> None:
        """Refuse an exponent under which the Gaussian has no finite mass, and one that is not quadratic.

        Raises
        ------
        DivergentError, NoClosedFormError
        """
        if not self._prepared:
            self._prepare(truncated=False)

    def expectation(self, P: fmpq_mpoly) -> Element:
        """Return E[exp(E) P], P a polynomial in z, constants and steps."""
        reader, algebra = self.reader, self.reader.algebra
        total = algebra.constant(0)
        for steps, polynomial in _by_steps(reader, P).items():
            if not self._prepared:
                self._prepare(truncated=any(map(any, _by_steps(reader, P))))
            if steps not in self._laws:
                self._laws[steps] = self._law(steps)
            total = total + self._laws[steps].expectation(polynomial)
        return total * self.mass if total.parts else total

    def _law(self, steps: tuple[int, ...]) -> "TruncatedGaussian":
        return TruncatedGaussian(self.reader, self.mean, self.covariance, steps)


class TruncatedGaussian:
    """E[z^a prod_h H_h(z)], z ~ N(mean, covariance); moments are computed once.

    Parameters
    ----------
    reader : Reader
    mean, covariance : row, rows of constants
    steps : sequence of int
        The slots of the steps; a power of a smooth step is so many independent ones, which are alike.
    family : dict, optional
        Laws conditioned on thresholds of some steps, by those that are left: in any order they are the same.
    """

    def __init__(
        self,
        reader: Reader,
        mean: Row,
        covariance: Sequence[Row],
        steps: Sequence[int],
        family: "dict[tuple[int, ...], TruncatedGaussian] | None" = None,
    ) -> None:
        self._reader, self._mean, self._covariance = reader, mean, covariance
        self._algebra = reader.algebra
        self._slots = tuple(sorted(steps))
        self._steps = [self._algebra.slots[j] for j in self._slots]
        self._family = {} if family is None else family
        self._known: dict[Monomial, Element] = {}
        self._faces: dict[int, tuple[Element, TruncatedGaussian]] = {}
        self._imaginary = self._algebra.k
        k = self._algebra.k
        # S u_h, the covariance of z with the variable of each step, and the variance of that variable.
        self._reach = [
            [self._sum(covariance[i][j] * h.direction[j] for j in range(k)) for i in range(k)]
            for h in self._steps
        ]

    def _sum(self, terms: Iterable[fmpq_mpoly]) -> fmpq_mpoly:
        return self._algebra.reduced(sum(terms, self._algebra.one * 0))

    def expectation(self, polynomial: fmpq_mpoly) -> Element:
        """Return E[P(z) prod H] for a polynomial in z and constants."""
        k = self._algebra.k
        coefficients: dict[Monomial, dict[tuple[int, ...], fmpq]] = {}
        for exponents, c in polynomial.to_dict().items():
            coefficients.setdefault(tuple(map(int, exponents[:k])), {})[(0,) * k + tuple(exponents[k:])] = c
        parts: list[tuple[fmpq_mpoly, fmpq_mpoly]] = []
        for a, constant in coefficients.items():
            factor = self._algebra.ring.from_dict(constant)
            parts += self.moment(a).scaled(factor).parts.values()
        return Element(self._algebra, parts)

    def moment(self, a: Monomial) -> Element:
        """Return E[z^a prod H]."""
        if a not in self._known:
            if sum(a) > _DEEP:
                self.moment(_half(a))
            self._known[a] = self._moment(a)
        return self._known[a]

    def _moment(self, a: Monomial) -> Element:
        """Return E[x^a; steps] by parts: a mean, covariances with the other factors, and the faces of the steps."""
        spend(_PER_MOMENT)
        if not any(a):
            return self._probability()
        i = next(j for j, e in enumerate(a) if e)
        rest = _lowered(a, i)
        # A vanishing factor is not asked for its moment: at a point where steps meet it may have none.
        parts = list(self.moment(rest).scaled(self._mean[i]).parts.values()) if self._mean[i] != 0 else []
        for j, e in enumerate(rest):
            if e and self._covariance[i][j] != 0:
                parts += self.moment(_lowered(rest, j)).scaled(self._covariance[i][j] * e).parts.values()
        for step, alike in Counter(self._slots).items():
            h = self._slots.index(step)
            if self._reach[h][i] != 0:
                if h not in self._faces:
                    self._faces[h] = self._face(h)
                density, law = self._faces[h]
                parts += (law.moment(rest) * density).scaled(self._reach[h][i] * alike).parts.values()
        return Element(self._algebra, parts)

    def _face(self, h: int) -> "tuple[Element, TruncatedGaussian]":
        """Return the density of u.z at the threshold of a step, and the law conditioned there."""
        reader, algebra, k = self._reader, self._algebra, self._algebra.k
        reach, variance, distance = self._reach[h], self._variance(h), self._distance(h)
        inverse = reader.inverse(variance)
        V = algebra.constant_expr(variance)
        # exp(-distance^2 / 2V) / sqrt(2 pi V)
        exponent = algebra.reduced(distance * distance * inverse * fmpq(-1, 2))
        density = Element(algebra, [(exponent, algebra.one)]) * reader.element(1 / sp.sqrt(2 * sp.pi * V))
        others = (*self._slots[:h], *self._slots[h + 1 :])
        if others in self._family:
            return density, self._family[others]
        mean = [algebra.reduced(self._mean[i] + reach[i] * distance * inverse) for i in range(k)]
        covariance = [
            [algebra.reduced(self._covariance[i][j] - reach[i] * reach[j] * inverse) for j in range(k)]
            for i in range(k)
        ]
        self._family[others] = TruncatedGaussian(reader, mean, covariance, others, self._family)
        return density, self._family[others]

    def _variance(self, h: int) -> fmpq_mpoly:
        own = fmpq(1, 2) if self._steps[h].kind == "smooth step" else fmpq(0)
        return self._algebra.reduced(self._cross(h, h) + own)

    def _cross(self, g: int, h: int) -> fmpq_mpoly:
        return self._sum(u * r for u, r in zip(self._steps[g].direction, self._reach[h], strict=True))

    def _distance(self, h: int) -> fmpq_mpoly:
        """Return b - u.m."""
        step = self._steps[h]
        distance = (
            self._sum(u * m * -1 for u, m in zip(step.direction, self._mean, strict=True)) + step.threshold
        )
        distance = self._algebra.reduced(distance)
        if len(distance) and distance.degrees()[self._imaginary]:
            raise NoClosedFormError("a step times a sine or cosine along it")
        return distance

    def _probability(self) -> Element:
        """Return the probability that all steps are open, over groups of dependent ones."""
        groups: list[list[int]] = []
        for h in range(len(self._steps)):
            touching = [g for g in groups if any(self._cross(h, j) != 0 for j in g)]
            groups = [g for g in groups if g not in touching] + [[h, *(j for g in touching for j in g)]]
        total = self._algebra.constant(1)
        for group in groups:
            total = total * (self._tail(group[0]) if len(group) == 1 else self._orthant(group))
        return total

    def _tail(self, h: int) -> Element:
        """Return P(u.z > b) = (1 - erf((b - u.m) / sqrt(2V))) / 2."""
        algebra, distance, variance = self._algebra, self._distance(h), self._variance(h)
        if variance == 0:
            if distance == 0:
                raise NoClosedFormError("a step exactly at a point that another step has fixed")
            return algebra.constant(0 if algebra.is_positive(distance) else 1)
        half = algebra.constant(fmpq(1, 2))
        if distance == 0:
            return half
        argument = algebra.constant_expr(distance) / sp.sqrt(2 * algebra.constant_expr(variance))
        return half - self._reader.element(sp.erf(sp.expand(argument))) * half

    def _orthant(self, group: list[int]) -> Element:
        """Return P(all u.z > 0): 1/4 + sum asin(rho)/2pi for two steps, 1/8 + sum asin(rho)/4pi for three."""
        if len(group) > 3 or any(self._distance(h) != 0 for h in group):
            raise NoClosedFormError("dependent steps beyond the arcsine law")
        expr = self._algebra.constant_expr
        angles = sum(
            sp.asin(
                sp.expand(
                    expr(self._cross(g, h)) / sp.sqrt(expr(self._variance(g)) * expr(self._variance(h)))
                )
            )
            for g in group
            for h in group
            if g < h
        )
        size = len(group)
        return self._reader.element(sp.expand(sp.Rational(1, 2**size) + angles / (2 ** (size - 1) * sp.pi)))


def _lowered(a: Monomial, i: int) -> Monomial:
    return (*a[:i], a[i] - 1, *a[i + 1 :])


def _half(a: Monomial) -> Monomial:
    """Return a with the powers above the middle of the recursion taken off, the first coordinates first."""
    excess, rest = sum(a) - sum(a) // 2, []
    for e in a:
        rest.append(max(0, e - excess))
        excess -= e - rest[-1]
    return tuple(rest)


def _quadratic(reader: Reader, E: fmpq_mpoly) -> tuple[list[list[fmpq_mpoly]], list[fmpq_mpoly], fmpq_mpoly]:
    """Return Q, l, c of E = z'Qz + l'z + c.

    Raises
    ------
    NoClosedFormError
        If the degree is over 2, or Q is not real.
    """
    algebra, k = reader.algebra, reader.algebra.k
    Q = [[algebra.one * 0] * k for _ in range(k)]
    linear, constant = [algebra.one * 0] * k, algebra.one * 0
    for exponents, c in E.to_dict().items():
        term = algebra.ring.from_dict({(0,) * k + tuple(exponents[k:]): c})
        at = [i for i in range(k) for _ in range(exponents[i])]
        if len(at) > 2 or (len(at) == 2 and exponents[k]):
            raise NoClosedFormError(f"exp({algebra.real_and_imaginary(E)[0]}) is not Gaussian")
        if len(at) == 2:
            i, j = at
            Q[i][j] = Q[i][j] + term * fmpq(1, 2)
            Q[j][i] = Q[j][i] + term * fmpq(1, 2)
        elif at:
            linear[at[0]] = linear[at[0]] + term
        else:
            constant = constant + term
    return Q, linear, constant


def _by_steps(reader: Reader, P: fmpq_mpoly) -> dict[tuple[int, ...], fmpq_mpoly]:
    """Return steps -> polynomial in z and constants; a power of a smooth step is several independent ones.

    Raises
    ------
    NoClosedFormError
        If P holds an opaque function.
    """
    algebra = reader.algebra
    kinds = {j: slot.kind for j, slot in algebra.slots.items()}
    grouped: dict[tuple[int, ...], dict[tuple[int, ...], fmpq]] = {}
    for monomial, c in P.to_dict().items():
        exponents = list(map(int, monomial))
        steps: list[int] = []
        for j, kind in kinds.items():
            if exponents[j] and kind != "constant":
                if kind == "opaque":
                    raise NoClosedFormError(f"{algebra.slots[j].expr} has no closed form")
                steps += [j] * exponents[j]
                exponents[j] = 0
        grouped.setdefault(tuple(steps), {})[tuple(exponents)] = c
    return {steps: algebra.ring.from_dict(terms) for steps, terms in grouped.items()}


def _rational(c: fmpq_mpoly) -> fmpq:
    return c.leading_coefficient() if c != 0 else fmpq(0)
