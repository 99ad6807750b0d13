"""The normal form in which targets are computed with: sums of exp(E) P, in one exact ring.

    g = sum_E exp(E(z)) P_E(z, c, H, T)        E, P_E polynomials over the rationals in

- the coordinates z_i and the imaginary unit, so that sin, cos, sinh and cosh are exponentials;
- constants c: roots of primes, powers of pi, and any other constant as a symbol of its own;
- steps H = 1{u.z > b}, with H^2 = H and H_b H_b' = H_max(b, b') for a common direction u: sign, abs, relu, Min, Max
  and Piecewise are polynomials in them;
- smooth steps N = Phi(sqrt(2) (u.z - b)), which is what erf is: the probability that u.z + omega > b for omega of
  variance 1/2;
- any other function T of z (tanh, log, …), opaque, with the directions on which it depends. For T = tanh(w) and
  S = 1/cosh(w) of a polynomial w the relations with exponentials hold,

      e^w S = 1 + T,   e^-w S = 1 - T,   e^w T = e^w - S,   e^-w T = S - e^-w,   S^2 = 1 - T^2,

  by which quotients of exponentials that are bounded show it.

A function of a piecewise argument is split: F(f) = H F(f at H = 1) + (1 - H) F(f at H = 0). Like terms meet in
this form, so what cancels is gone exactly.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key
from typing import Literal

import sympy as sp
from flint import fmpq, fmpq_mpoly

from ..errors import RebatchError, TooLargeError
from ..exact.ball import is_positive_constant
from ..exact.effort import spend
from ..exact.polynomial import rational, ring

MAX_TERMS = 200_000
# Units of work for a monomial that is reduced; ten times that to write it as an expression.
_PER_MONOMIAL = 5
# Pairs of hyperbolic functions that are looked for in a term in about a microsecond.
_PAIRS_PER_UNIT = 4
# exp(n w) tanh(w) is taken apart step by step, up to this n.
_MAX_MULTIPLE = 12

Direction = tuple[fmpq_mpoly, ...]
Part = tuple[fmpq_mpoly, fmpq_mpoly]
Kind = Literal["constant", "step", "smooth step", "opaque"]


class OutOfSlotsError(Exception):
    """The algebra has no generator left; the computation is repeated in a larger one."""


@dataclass(frozen=True)
class Slot:
    """What a generator of the ring, beyond z and i, stands for.

    Attributes
    ----------
    kind : {"constant", "step", "smooth step", "opaque"}
    expr : sympy.Expr
        Its value: the constant, or the function of z.
    order : int
        The power q that is replaced by a rational: of a q-th root, and 2 of a sign; else 0.
    power : fmpq
        That rational.
    direction, threshold
        Steps: u with leading entry 1, and b, as constants of the ring.
    directions : tuple of directions
        Opaque functions: pairwise not parallel directions that they depend on.
    origin : sympy.Expr or None
        Opaque functions: how they were written first, where that shows more (1 + (z1 - z2)^2 > 0).
    """

    kind: Kind
    expr: sp.Expr
    order: int = 0
    power: fmpq = fmpq(0)  # noqa: RUF009 - fmpq is immutable
    direction: Direction = ()
    threshold: fmpq_mpoly | None = None
    directions: tuple[Direction, ...] = ()
    origin: sp.Expr | None = None


@dataclass
class Hyperbolic:
    """The generators tanh(w) and 1/cosh(w) of a polynomial w."""

    w: fmpq_mpoly
    tanh: int
    sech: int


class Element:
    """A member sum_E exp(E) P_E of an :class:`Algebra`; `parts` maps the text of E to (E, P_E)."""

    __slots__ = ("algebra", "parts")

    def __init__(self, algebra: Algebra, parts: Iterable[tuple[fmpq_mpoly, fmpq_mpoly]]) -> None:
        self.algebra = algebra
        self.parts: dict[str, tuple[fmpq_mpoly, fmpq_mpoly]] = {}
        for E, P in parts:
            key = str(E)
            total = self.parts[key][1] + P if key in self.parts else P
            if total == 0:
                self.parts.pop(key, None)
            else:
                self.parts[key] = (E, total)
        if sum(len(P) for _, P in self.parts.values()) > MAX_TERMS:
            raise TooLargeError(
                f"the target written out has over {MAX_TERMS:,} terms, the most that is allowed"
            )

    def __add__(self, other: Element) -> Element:
        return Element(self.algebra, [*self.parts.values(), *other.parts.values()])

    def __neg__(self) -> Element:
        return self.scaled(self.algebra.one * -1)

    def __sub__(self, other: Element) -> Element:
        return self + -other

    def __mul__(self, other: Element) -> Element:
        return Element(
            self.algebra,
            (
                part
                for E, P in self.parts.values()
                for F, R in other.parts.values()
                for part in self.algebra.product((E, P), (F, R))
            ),
        )

    def __pow__(self, n: int) -> Element:
        result, square = self.algebra.constant(1), self
        while n:
            if n % 2:
                result = result * square
            n //= 2
            if n:
                square = square * square
        return result

    def scaled(self, factor: fmpq_mpoly) -> Element:
        """Return the product with a polynomial."""
        return self * self.algebra.of(factor)

    def is_zero(self) -> bool:
        """Whether it vanishes in the normal form (a proof); False proves nothing."""
        return not self.parts

    def polynomial(self) -> fmpq_mpoly | None:
        """Return P if it is a polynomial without exponentials, else None."""
        if not self.parts:
            return self.algebra.one * 0
        if len(self.parts) == 1 and (part := next(iter(self.parts.values())))[0] == 0:
            return part[1]
        return None


class Algebra:
    """The ring of normal forms in these coordinates.

    Its slots are filled as expressions are read: a constant, step or function met again has the same generator.
    """

    def __init__(self, coordinates: Sequence[sp.Symbol], slots: int) -> None:
        self.coordinates = tuple(coordinates)
        self.k = len(self.coordinates)
        names = [*map(str, self.coordinates), "i", *(f"s{j}" for j in range(slots))]
        self.ring = ring(names)
        self.generators = self.ring.gens()
        self.one = self.ring.constant(1)
        self.z = self.generators[: self.k]
        self.slots: dict[int, Slot] = {}
        self._keys: dict[tuple[object, ...], int] = {}
        self._rules: list[int] = []
        self._steps: dict[str, list[int]] = {}
        self.hyperbolics: list[Hyperbolic] = []

    def constant(self, value: int | fmpq) -> Element:
        """Return a rational as an element."""
        return Element(self, [(self.one * 0, self.one * value)])

    def product(self, a: Part, b: Part) -> Iterable[Part]:
        """Return exp(E) P of the product of two such terms, by all relations."""
        spend(1 + 2 * len(a[1]) * len(b[1]))
        E, P = self.reduced(a[0] + b[0]), self.reduced(a[1] * b[1])
        return self._without_growth(E, P) if self.hyperbolics else [(E, P)]

    def hyperbolic(self, w: fmpq_mpoly) -> Hyperbolic:
        """Return the generators tanh(w) and 1/cosh(w), made now if they are new."""
        for pair in self.hyperbolics:
            if pair.w == w:
                return pair
        u = self.constant_expr(w)
        directions = tuple(self.directions(self.of(w)))
        T, S = (
            self.slot(("opaque", f), Slot("opaque", f, directions=directions))
            for f in (sp.tanh(u), 1 / sp.cosh(u))
        )
        pair = Hyperbolic(w, self.generators.index(T), self.generators.index(S))
        self.hyperbolics.append(pair)
        return pair

    def _without_growth(self, E: fmpq_mpoly, P: fmpq_mpoly) -> list[Part]:
        """Return exp(E) P by the relations of hyperbolic functions, as terms to which none of them applies."""
        done: list[Part] = []
        waiting = [(E, P)]
        while waiting:
            E, P = waiting.pop()
            degrees = P.degrees()
            spend(1 + len(self.hyperbolics) // _PAIRS_PER_UNIT)
            for pair in self.hyperbolics:
                if (degrees[pair.tanh] or degrees[pair.sech]) and (
                    degrees[pair.sech] > 1 or 1 <= abs(_multiple(E, pair.w)) <= _MAX_MULTIPLE
                ):
                    waiting += self._related(E, P, pair)
                    break
            else:
                done.append((E, P))
        return done

    def _related(self, E: fmpq_mpoly, P: fmpq_mpoly, pair: Hyperbolic) -> list[Part]:
        """Return exp(E) P after one relation of a pair has been applied to each monomial."""
        T, S = self.generators[pair.tanh], self.generators[pair.sech]
        multiple = _multiple(E, pair.w)
        sign = 1 if multiple > 0 else -1
        here = below = self.one * 0
        for monomial, c in P.to_dict().items():
            exponents = list(monomial)
            tanh, sech = int(exponents[pair.tanh]), int(exponents[pair.sech])
            if sech > 1:
                exponents[pair.sech] -= 2
                here = here + self.ring.from_dict({tuple(exponents): c}) * (1 - T * T)
            elif not 1 <= abs(multiple) <= _MAX_MULTIPLE or not (tanh or sech):
                here = here + self.ring.from_dict({monomial: c})
            elif sech:
                exponents[pair.sech] = 0
                below = below + self.ring.from_dict({tuple(exponents): c}) * (1 + T * sign)
            else:
                exponents[pair.tanh] -= 1
                rest = self.ring.from_dict({tuple(exponents): c}) * sign
                here, below = here + rest, below - rest * S
        lower = self.reduced(E - pair.w * sign)
        return [(F, self.reduced(R)) for F, R in ((E, here), (lower, below)) if R != 0]

    def of(self, polynomial: fmpq_mpoly) -> Element:
        """Return a polynomial of the ring as an element."""
        return Element(self, [(self.one * 0, self.reduced(polynomial))])

    def with_steps(self, f: Element, values: dict[int, int]) -> Element:
        """Return f with some steps replaced by 0 or 1."""
        images = list(self.generators)
        for j, value in values.items():
            images[j] = self.one * value
        return Element(self, ((E, P.compose(*images, ctx=self.ring)) for E, P in f.parts.values()))

    def used(self, f: Element) -> list[int]:
        """Return the slots that occur in the polynomials of f."""
        degrees = [0] * len(self.generators)
        for _, P in f.parts.values():
            degrees = [max(a, b) for a, b in zip(degrees, P.degrees(), strict=True)]
        return [j for j in self.slots if degrees[j]]

    def grouped(self, P: fmpq_mpoly) -> Iterator[tuple[list[int], fmpq_mpoly]]:
        """Yield the parts of P with the same powers of functions of z, after the slots of those functions."""
        names = [j for j, slot in self.slots.items() if slot.kind != "constant"]
        grouped: dict[tuple[int, ...], dict[tuple[int, ...], fmpq]] = {}
        for exponents, c in P.to_dict().items():
            grouped.setdefault(tuple(exponents[j] for j in names), {})[exponents] = c
        for powers, terms in grouped.items():
            yield [j for j, e in zip(names, powers, strict=True) if e], self.ring.from_dict(terms)

    def directions(self, f: Element) -> list[Direction]:
        """Return pairwise not parallel directions whose span holds all that f depends on."""
        found: list[Direction] = []
        for E, P in f.parts.values():
            candidates = [*self._gradients(E), *self._gradients(P)]
            for j, slot in self.slots.items():
                if P.degrees()[j]:
                    candidates += [slot.direction] if slot.direction else slot.directions
            for d in candidates:
                if not any(self.parallel(d, other) for other in found):
                    found.append(d)
        return found

    def _gradients(self, P: fmpq_mpoly) -> list[Direction]:
        """Return the coefficient vectors of the gradient in z, over the monomials in z, i and functions of z."""
        rows: dict[tuple[int, ...], list[fmpq_mpoly]] = {}
        for exponents, c in P.to_dict().items():
            held = [0 if self._is_constant_generator(j) else e for j, e in enumerate(exponents)]
            coefficient = [e - h for e, h in zip(exponents, held, strict=True)]
            for i in range(self.k):
                if held[i]:
                    lowered = (*held[:i], held[i] - 1, *held[i + 1 :])
                    row = rows.setdefault(lowered, [self.one * 0] * self.k)
                    row[i] = row[i] + self.ring.from_dict({tuple(coefficient): c * held[i]})
        return [tuple(row) for row in rows.values() if any(x != 0 for x in row)]

    def _is_constant_generator(self, j: int) -> bool:
        return j in self.slots and self.slots[j].kind == "constant"

    def is_real_polynomial(self, P: fmpq_mpoly) -> bool:
        """Whether P is a polynomial in the coordinates over the rationals that is not constant."""
        degrees = P.degrees() if len(P) else ()
        return any(degrees[: self.k]) and not any(degrees[self.k :])

    def parallel(self, a: Direction, b: Direction) -> bool:
        """Whether two directions are proportional."""
        return all(self.reduced(a[i] * b[j] - a[j] * b[i]) == 0 for i in range(self.k) for j in range(i))

    def slot(self, key: tuple[object, ...], slot: Slot) -> fmpq_mpoly:
        """Return the generator of that key, made now if it is new."""
        if key not in self._keys:
            j = self.k + 1 + len(self.slots)
            if j >= len(self.generators):
                raise OutOfSlotsError
            self._keys[key], self.slots[j] = j, slot
            if slot.order:
                self._rules.append(j)
            if slot.kind == "step":
                same = self._steps.setdefault(str(slot.direction), [])
                same.append(j)
                self.sort_steps(same)
        return self.generators[self._keys[key]]

    def sort_steps(self, steps: list[int]) -> None:
        """Sort steps of one direction by their thresholds, which are compared as exact numbers.

        Raises
        ------
        RebatchError
            If two thresholds cannot be compared.
        """

        def compare(i: int, j: int) -> int:
            difference = self.reduced(self.threshold(i) - self.threshold(j))
            return int(self.is_positive(difference)) - int(self.is_positive(difference * -1))

        steps.sort(key=cmp_to_key(compare))

    def threshold(self, j: int) -> fmpq_mpoly:
        """Return b of the step 1{u.z > b}, or of the smooth step, that a slot stands for."""
        threshold = self.slots[j].threshold
        if threshold is None:
            raise TypeError(f"{self.slots[j].expr} has no threshold")
        return threshold

    def is_positive(self, c: fmpq_mpoly) -> bool:
        """Whether a real constant is positive.

        Raises
        ------
        RebatchError
            If its sign cannot be decided.
        """
        if c.is_constant():
            return bool(c != 0 and c.leading_coefficient() > 0)
        positive = is_positive_constant(self.constant_expr(c))
        if positive is None:
            raise RebatchError(f"the sign of the constant {self.constant_expr(c)} could not be decided")
        return positive

    def linear(self, P: fmpq_mpoly) -> tuple[Direction, fmpq_mpoly] | None:
        """Return (u, c) of u.z + c, or None if P is not of that form."""
        u, c = [self.one * 0] * self.k, self.one * 0
        for exponents, coefficient in P.to_dict().items():
            if any(e and not self._is_constant_generator(j) for j, e in enumerate(exponents) if j >= self.k):
                return None
            degree = sum(exponents[: self.k])
            if degree > 1 or exponents[self.k]:
                return None
            constant = self.ring.from_dict({(0,) * self.k + tuple(exponents[self.k :]): coefficient})
            if degree:
                i = exponents.index(1)
                u[i] = u[i] + constant
            else:
                c = c + constant
        return tuple(u), c

    def reduced(self, P: fmpq_mpoly) -> fmpq_mpoly:
        """Return P by the relations i^2 = -1, c^q = p, sqrt(pi) / sqrt(pi) = 1, H^2 = H and of parallel steps."""
        degrees = P.degrees() if len(P) else ()
        if not any(degrees[self.k :]) or not self._reducible(degrees):
            return P
        rules = [j for j in self._rules if degrees[j] >= self.slots[j].order]
        groups = [group for group in self._steps.values() if sum(degrees[j] for j in group) > 1]
        spend((_PER_MONOMIAL + len(groups)) * len(P))
        total: dict[tuple[int, ...], fmpq] = {}
        for monomial, coefficient in P.to_dict().items():
            exponents, c = self._reduced_monomial(list(map(int, monomial)), coefficient, rules, groups)
            total[exponents] = total[exponents] + c if exponents in total else c
        return self.ring.from_dict({e: c for e, c in total.items() if c != 0})

    def _reducible(self, degrees: Sequence[int]) -> bool:
        if degrees[self.k] > 1 or any(degrees[j] >= self.slots[j].order for j in self._rules):
            return True
        if all(degrees[self._keys[key]] if key in self._keys else 0 for key in (("pi", 1), ("pi", -1))):
            return True
        return any(sum(degrees[j] for j in group) > 1 for group in self._steps.values())

    def _reduced_monomial(
        self, exponents: list[int], c: fmpq, rules: Sequence[int], groups: Sequence[Sequence[int]]
    ) -> tuple[tuple[int, ...], fmpq]:
        """Return a monomial with i^2 = -1, roots below their order, pi/pi = 1 and steps multiplied out.

        Only of the rules, and of the groups of parallel steps, that may apply to it.
        """
        turns, exponents[self.k] = divmod(exponents[self.k], 2)
        if turns % 2:
            c = -c
        for j in rules:
            slot = self.slots[j]
            whole, exponents[j] = divmod(exponents[j], slot.order)
            if whole:
                c = c * slot.power**whole
        if ("pi", 1) in self._keys and ("pi", -1) in self._keys:
            up, down = self._keys["pi", 1], self._keys["pi", -1]
            common = min(exponents[up], exponents[down])
            exponents[up] -= common
            exponents[down] -= common
        for group in groups:
            present = [j for j in group if exponents[j]]
            for j in present:
                exponents[j] = 0
            if present:
                exponents[present[-1]] = 1
        return tuple(exponents), c

    def to_expr(self, f: Element) -> sp.Expr:
        """Return the SymPy expression of a real element."""
        terms = []
        for E, P in f.parts.values():
            growth, phase = self.real_and_imaginary(E)
            real, imaginary = self.real_and_imaginary(P)
            value = real
            if phase != 0:
                value = real * sp.cos(phase) - imaginary * sp.sin(phase)
            terms.append(value if growth == 0 else value * sp.exp(growth))
        return sp.expand_mul(sp.Add(*terms))

    def constant_expr(self, c: fmpq_mpoly) -> sp.Expr:
        """Return the SymPy expression of a real polynomial.

        Raises
        ------
        RebatchError
            If it holds i.
        """
        real, imaginary = self.real_and_imaginary(c)
        if imaginary != 0:
            raise RebatchError(f"{real} + i ({imaginary}) stands where a real number is needed")
        return real

    def real_and_imaginary(self, P: fmpq_mpoly) -> tuple[sp.Expr, sp.Expr]:
        """Return the real and the imaginary part of a polynomial as SymPy expressions."""
        spend(10 * _PER_MONOMIAL * len(P))
        symbols = [*self.coordinates, None, *(slot.expr for slot in self.slots.values())]
        parts: tuple[list[sp.Expr], list[sp.Expr]] = ([], [])
        for exponents, c in P.to_dict().items():
            factors = [symbols[j] ** int(e) for j, e in enumerate(exponents) if e and j != self.k]
            parts[exponents[self.k]].append(sp.Mul(rational(c), *factors))
        return sp.Add(*parts[0]), sp.Add(*parts[1])


def rational_ratios(direction: Direction) -> list[fmpq] | None:
    """Return a direction up to a factor, with rational entries; None where it has none."""
    first = next(x for x in direction if x != 0)
    ratios = [x.leading_coefficient() / first.leading_coefficient() if x != 0 else fmpq(0) for x in direction]
    proportional = all(x == first * ratio for x, ratio in zip(direction, ratios, strict=True))
    return ratios if proportional else None


def _multiple(E: fmpq_mpoly, w: fmpq_mpoly) -> fmpq:
    """Return c such that E - c w has no term in the leading monomial of w."""
    (leading, coefficient), *_ = w.terms()
    return E[tuple(leading)] / coefficient
