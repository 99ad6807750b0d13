"""Whether E|g(z)| is finite, proved; whether it is infinite, proved; or neither.

*Finite*: on |z| <= r each function is bounded by a majorant c r^n exp(sum_j a_j r^j) (`tail.py`), or a quotient by
exp(Q(z)) with a polynomial Q, and the Gaussian that is left after the exponentials must outweigh their product.

*Infinite*: without functions that stand for themselves, g is a sum of P(z) exp(E(z)) with steps. On a line w + s v
every step is constant for large s, and the exponent that is largest there dominates. If its real part, less |z|^2/2,
does not fall, and the amplitudes that go with it do not cancel, the integral along the line is infinite: a sum of
c_j exp(i theta_j(s)) with distinct polynomials theta_j has the mean square sum_j |c_j|^2 > 0. All that is compared
differs by a margin, so the same holds on every line near by, and E|g| is infinite by Fubini's theorem. What is not
compared with certainty shows nothing: growing parts may cancel each other.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from functools import lru_cache, reduce
from itertools import combinations, islice, product
from operator import mul

import numpy as np
import sympy as sp
from flint import arb, ctx, fmpq, fmpq_mpoly

from ..errors import DivergentError, RebatchError
from ..exact.ball import evaluator
from ..exact.effort import spend
from ..exact.polynomial import to_fmpq
from .algebra import Element, Slot
from .closed_form import NoClosedFormError, Tilt
from .elimination import eliminated
from .normal_form import Reader
from .tail import Majorant, majorant

_S = sp.Symbol("s", positive=True)
_BITS = 256
_LITTLE = fmpq(1, 10**6)
# Directions of a grid are tried up to this many coordinates, axes and diagonals of two of them beyond.
_MAX_GRID = 3
# Bounds of a product of functions that are tried.
_MAX_CHOICES = 64
# Units of work: a product of functions is bounded in about so many microseconds.
_PER_BOUND = 100


def is_integrable(reader: Reader, g: Element) -> bool:
    """Whether E|g| is proved to be finite."""
    return all(_is_integrable(reader, E, P) for E, P in g.parts.values())


def is_square_integrable(reader: Reader, weight: fmpq_mpoly, g: Element) -> bool:
    """Whether E[exp(weight) |P|^2] is proved to be finite for every term exp(E) P of g."""
    return all(_is_integrable(reader, weight, P, 2) for _, P in g.parts.values())


def _is_integrable(reader: Reader, E: fmpq_mpoly, P: fmpq_mpoly, power: int = 1) -> bool:
    """Whether E[exp(E) |P|^power] is finite, by one of the bounds of each of its terms."""
    slots, degrees = reader.algebra.slots, P.degrees()
    # Bounded functions leave the exponential alone: one answer for all of their products.
    settled: dict[str, bool] = {}

    def outweighed(F: fmpq_mpoly, bound: Majorant) -> bool:
        spend(_PER_BOUND)
        if bound.a:
            return _is_outweighed(reader, F, bound)
        if (key := str(F)) not in settled:
            settled[key] = _is_outweighed(reader, F, bound)
        return settled[key]

    names = [j for j, slot in slots.items() if slot.kind == "opaque" and degrees[j]]
    for powers in {tuple(int(exponents[j]) for j in names) for exponents in P.monoms()}:
        factors = [(slots[j], n * power) for j, n in zip(names, powers, strict=True) if n]
        if not any(outweighed(E + Q, bound) for Q, bound in _bounds(reader, factors)):
            return False
    return True


def _bounds(reader: Reader, factors: Sequence[tuple[Slot, int]]) -> Iterator[tuple[fmpq_mpoly, Majorant]]:
    """Yield (Q, m) with |f| <= exp(Q) m for a product of functions, up to powers of the coordinates.

    A quotient falls with each of the exponentials in its denominator, and with the mean of any two of them.
    """
    choices = []
    for slot, n in factors:
        own: list[tuple[fmpq_mpoly, Majorant]] = []
        with suppress(RebatchError):
            own.append((reader.algebra.one * 0, _radial(slot.expr, slot.origin).power(Fraction(n))))
        falls = [Q * n for Q in _falls(reader, slot.expr)]
        falls += [(Q + R) * fmpq(1, 2) for Q, R in combinations(falls, 2)]
        choices.append([*own, *((Q, Majorant(arb(1))) for Q in falls)])
    for chosen in islice(product(*choices), _MAX_CHOICES):
        bound = reduce(mul, (m for _, m in chosen), Majorant(arb(1)))
        yield sum((Q for Q, _ in chosen), reader.algebra.one * 0), bound


def _falls(reader: Reader, expr: sp.Expr) -> Iterator[fmpq_mpoly]:
    """Yield polynomials Q with |f| <= c exp(Q), for f the inverse of a power of a sum of positive terms."""
    if not (expr.is_Pow and expr.exp.is_Rational and expr.exp < 0):
        return
    if isinstance(expr.base, sp.cosh):
        exponents = [expr.base.args[0], -expr.base.args[0]]
    elif all(a.is_nonnegative for a in sp.Add.make_args(expr.base)):
        terms = (a.as_coeff_Mul() for a in sp.Add.make_args(expr.base))
        exponents = [f.args[0] for c, f in terms if c > 0 and isinstance(f, sp.exp)]
    else:
        return
    for v in exponents:
        Q = reader.element(v).polynomial()
        if Q is not None and reader.algebra.is_real_polynomial(Q):
            yield Q * to_fmpq(-expr.exp) * -1


@lru_cache(maxsize=4096)
def _radial(expr: sp.Expr, origin: sp.Expr | None = None) -> Majorant:
    """Return a majorant of |f(z)| in r >= |z|, from one of the ways in which f is written."""
    try:
        return majorant(expr)
    except RebatchError:
        if origin is None or origin == expr:
            raise
        return majorant(origin)


def _is_outweighed(reader: Reader, E: fmpq_mpoly, bound: Majorant) -> bool:
    """Whether E[exp(Re E) bound] is finite."""
    algebra = reader.algebra
    growing = {j: a for j, a in bound.a.items() if not a <= 0}
    if max(growing, default=0) > 2:
        return False
    square = sum((z * z for z in algebra.z), algebra.one * 0)
    excess = algebra.one * 0
    if 2 in growing:
        # A rational number above the coefficient of r^2.
        excess = square * (growing[2].upper().fmpq() + fmpq(1, 10**12))
    try:
        Tilt(reader, _real(reader, E) + excess).check()
    except DivergentError:
        return False
    except NoClosedFormError:
        # What grows more slowly than r^2 is below a small multiple of it.
        if _is_outweighed_stepwise(reader, _real(reader, E) + excess + square * _LITTLE):
            return True
        try:
            whole = _radial(sp.exp(algebra.real_and_imaginary(E)[0])) * bound
        except RebatchError:
            return False
        growing = {j: a for j, a in whole.a.items() if not a <= 0}
        highest = max(growing, default=0)
        return highest < 2 or (highest == 2 and bool(growing[2] < arb(fmpq(1, 2))))
    return True


def _real(reader: Reader, E: fmpq_mpoly) -> fmpq_mpoly:
    k = reader.algebra.k
    return reader.algebra.ring.from_dict({e: c for e, c in E.to_dict().items() if not e[k]})


def _is_outweighed_stepwise(reader: Reader, E: fmpq_mpoly) -> bool:
    """Whether E[exp(E)], of a positive function, is finite: coordinates are integrated out until one line is left."""
    algebra = reader.algebra
    (E, _), *others = eliminated(reader, Element(algebra, [(E, algebra.one)])).parts.values()
    if others or any(E.degrees()[algebra.k :]):
        return False
    left = [i for i in range(algebra.k) if E.degrees()[i]]
    if len(left) != 1:
        return not left
    degree = int(E.total_degree())
    lead = next(c for e, c in E.to_dict().items() if e[left[0]] == degree)
    return bool(lead < 0 if degree > 2 and degree % 2 == 0 else degree == 2 and lead < fmpq(1, 2))


def grows_too_fast(reader: Reader, g: Element) -> sp.Expr | None:
    """Return an exponential of g that proves E|g| to be infinite; None if that is not proved."""
    algebra = reader.algebra
    if any(algebra.slots[j].kind in ("opaque", "smooth step") for j in algebra.used(g)):
        return None
    for direction in _directions(reader, g):
        line = _Line(reader, direction)
        try:
            if (exponent := line.divergent(g)) is not None:
                return sp.exp(exponent)
        except (RebatchError, _UncertainError):
            continue
    return None


def _directions(reader: Reader, g: Element) -> Iterator[tuple[sp.Rational, ...]]:
    """Yield directions along which an exponential may grow: simple ones, and eigenvectors of quadratic exponents."""
    k = reader.algebra.k
    grid: Iterable[tuple[int, ...]]
    if k <= _MAX_GRID:
        grid = product(range(-2, 3), repeat=k)
    else:
        grid = (
            tuple(a if r == i else b if r == j else 0 for r in range(k))
            for i in range(k)
            for j in range(i + 1, k)
            for a, b in product((-1, 0, 1), repeat=2)
        )
    seen = set()
    for direction in sorted(grid, key=lambda v: sum(map(abs, v))):
        if any(direction) and direction not in seen:
            seen.add(direction)
            yield tuple(map(sp.Integer, direction))
    for E, _ in g.parts.values():
        quadratic = sp.hessian(reader.algebra.real_and_imaginary(E)[0], reader.algebra.coordinates)
        if quadratic.free_symbols:
            continue
        values, vectors = np.linalg.eigh(np.array(quadratic.evalf(), dtype=np.float64) - np.eye(k))
        for value, vector in zip(values, vectors.T, strict=True):
            if value > 0:
                entries = tuple(sp.Rational(float(x)).limit_denominator(1000) for x in vector)
                yield entries
                yield tuple(-x for x in entries)


class _UncertainError(Exception):
    """Two numbers that could not be compared."""


class _Line:
    """The line w + s v, for w near a point without relations to anything in the function."""

    def __init__(self, reader: Reader, direction: Sequence[sp.Rational]) -> None:
        self.reader, self.direction = reader, direction
        algebra = reader.algebra
        self.w = [sp.Symbol(f"w{i}", real=True) for i in range(algebra.k)]
        self.point = {w: sp.Rational(7 * i + 3, 11 + 2 * i) for i, w in enumerate(self.w)}
        self.image = {z: w + x * _S for z, w, x in zip(algebra.coordinates, self.w, direction, strict=True)}

    def divergent(self, g: Element) -> sp.Expr | None:
        """Return the exponent that dominates on the line, if the integral along it is infinite."""
        algebra = self.reader.algebra
        images = list(algebra.generators)
        for j in algebra.used(g):
            if algebra.slots[j].kind == "step":
                images[j] = algebra.one * int(self._is_open(j))
        square = sum(z**2 for z in algebra.coordinates) / 2
        parts = []
        for E, P in g.parts.values():
            on_cell = algebra.reduced(P.compose(*images, ctx=algebra.ring))
            if on_cell != 0:
                growth, phase = algebra.real_and_imaginary(E)
                amplitude = algebra.real_and_imaginary(on_cell)
                parts.append((growth, self._powers(growth - square), self._powers(phase), amplitude))
        if not parts:
            return None
        leading = parts[0]
        for part in parts[1:]:
            if self._sign(self._difference(part[1], leading[1])) > 0:
                leading = part
        if self._sign(leading[1]) < 0:
            return None
        together = [p for p in parts if self._sign(self._difference(p[1], leading[1])) == 0]
        if self._amplitude_remains(together):
            return leading[0]
        return None

    def _is_open(self, j: int) -> bool:
        """Whether a step is 1 far out on the line."""
        algebra, slot = self.reader.algebra, self.reader.algebra.slots[j]
        along = sum(
            (algebra.constant_expr(u) * x for u, x in zip(slot.direction, self.direction, strict=True)),
            sp.Integer(0),
        )
        across = sum(
            (algebra.constant_expr(u) * w for u, w in zip(slot.direction, self.w, strict=True)), sp.Integer(0)
        )
        return self._sign({1: along, 0: across - algebra.constant_expr(algebra.threshold(j))}, least=0) > 0

    def _powers(self, polynomial: sp.Expr) -> dict[int, sp.Expr]:
        """Return power of s -> coefficient, in w."""
        collected = sp.Poly(sp.expand(polynomial.xreplace(self.image)), _S)
        return {int(power): c for (power,), c in collected.terms()}

    @staticmethod
    def _difference(a: dict[int, sp.Expr], b: dict[int, sp.Expr]) -> dict[int, sp.Expr]:
        return {j: sp.expand(a.get(j, 0) - b.get(j, 0)) for j in a.keys() | b.keys()}

    def _sign(self, powers: dict[int, sp.Expr], least: int = 1) -> int:
        """Return the sign of a polynomial in s far out, by its powers from `least` on; the same for all w near by."""
        for power in sorted((j for j in powers if j >= least), reverse=True):
            if powers[power] != 0:
                return self._sign_of(powers[power])
        return 0

    def _sign_of(self, coefficient: sp.Expr) -> int:
        value = self._ball(coefficient)
        if value > 0:
            return 1
        if value < 0:
            return -1
        raise _UncertainError

    def _ball(self, expr: sp.Expr) -> arb:
        """Return the ball of an expression in w at the point."""
        with ctx.workprec(_BITS):
            return arb(evaluator(expr.xreplace(self.point), [])([], False).real)

    def _amplitude_remains(
        self,
        parts: Sequence[tuple[sp.Expr, dict[int, sp.Expr], dict[int, sp.Expr], tuple[sp.Expr, sp.Expr]]],
    ) -> bool:
        """Whether parts of the same growth do not cancel: one amplitude of the highest power of s is not 0."""
        sums: list[tuple[dict[int, sp.Expr], dict[int, list[sp.Expr]]]] = []
        highest = 0
        for _, growth, phase, (real, imaginary) in parts:
            factor = sp.exp(growth.get(0, 0) - parts[0][1].get(0, 0))
            turn = phase.get(0, sp.Integer(0))
            for known, together in sums:
                difference = self._difference(phase, known)
                if not any(c != 0 for j, c in difference.items() if j >= 1):
                    amplitudes = together
                    break
                # Distinct: one coefficient certainly differs.
                self._sign(difference)
            else:
                amplitudes = {}
                sums.append((phase, amplitudes))
            a, b = self._powers(real), self._powers(imaginary)
            for j in a.keys() | b.keys():
                x, y = a.get(j, sp.Integer(0)), b.get(j, sp.Integer(0))
                rotated = (x * sp.cos(turn) - y * sp.sin(turn), x * sp.sin(turn) + y * sp.cos(turn))
                pair = amplitudes.setdefault(j, [sp.Integer(0), sp.Integer(0)])
                pair[0] += factor * rotated[0]
                pair[1] += factor * rotated[1]
                highest = max(highest, j)
        return any(
            not self._ball(sp.expand(c)).contains(0)
            for _, amplitudes in sums
            for c in amplitudes.get(highest, ())
        )
