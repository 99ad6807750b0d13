"""Functions of |z_S| alone, S some of the coordinates, averaged over the directions within S.

z_S = r u with u uniform on the sphere and independent of r = |z_S|, whose density is r^(n-1) exp(-r^2/2) for n = |S|.
For a power z^b over S and t ~ N(0, I_m), m < n,

    E[z^b F(|z_S|)] = E[z^b] E[|t|^(n-m+|b|) F(|t|)] / E|t|^(n-m+|b|),
    E|t|^j = 2^(j/2) Gamma((j+m)/2) / Gamma(m/2).

With m = 1 what was a function of n coordinates is one of a single coordinate, for which closed forms and balls are
known: E sign(z1^2 + z2^2 - 2) = 2 E[1{t > 0} t sign(t^2 - 2)] / E|t| = 2/e - 1. Where the radius meets other
coordinates, and n is even, m = 2 keeps the power of |t| a polynomial, and cubature accurate.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial, reduce
from itertools import combinations
from math import prod
from operator import add, mul

import sympy as sp
from flint import fmpq_mpoly

from ..exact.effort import Memory, spend
from .algebra import Element, Slot
from .normal_form import Reader

# Units of work: a node of an expression, whose turns are tried.
_PER_NODE = 100


@dataclass(frozen=True)
class _Sphere:
    """Coordinates S on which a term depends by their radius alone, and how many of them are kept."""

    coordinates: tuple[int, ...]
    m: int

    @property
    def kept(self) -> tuple[int, ...]:
        return self.coordinates[: self.m]

    @property
    def left(self) -> tuple[int, ...]:
        return self.coordinates[self.m :]

    @property
    def raised(self) -> int:
        """The power n - m of the radius that stands for what is left out."""
        return len(self.left)

    def absolute_moment(self, j: int) -> sp.Expr:
        """Return E|t|^j."""
        return sp.sqrt(2) ** j * sp.gamma(sp.Rational(j + self.m, 2)) / sp.gamma(sp.Rational(self.m, 2))


class Spheres:
    """Finds the spheres on which terms depend by the radius alone; what is found for a function is kept."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._turned = Memory[bool]()
        self._kept = Memory[Element]()

    def averaged(self, g: Element) -> Element:
        """Return an element of the same expectation, if E|g| < inf, in fewer coordinates; g where there is none."""
        terms, found = [], False
        for E, P in g.parts.values():
            for functions, group in self._reader.algebra.grouped(P):
                spheres = self._spheres(E, functions)
                found = found or bool(spheres)
                term = Element(g.algebra, [(E, group)])
                terms.append(self._on_fewer(spheres, E, functions, group) if spheres else term)
        return reduce(add, terms) if found else g

    def _spheres(self, E: fmpq_mpoly, functions: Sequence[int]) -> list[_Sphere]:
        """Return the sets of coordinates in which exp(E) and the functions depend on the radius alone.

        Turns of two planes that share an axis generate those of all three axes.
        """
        algebra = self._reader.algebra
        if any(j > algebra.k for j in _held(E)):
            return []
        slots = [algebra.slots[j] for j in functions]
        held = [{i for i, z in enumerate(algebra.coordinates) if z in s.expr.free_symbols} for s in slots]
        held += [_held(algebra.ring.from_dict({e: c})) for e, c in E.to_dict().items()]
        together = [{i} for i in sorted(set().union(*held)) if i < algebra.k]
        for i, j in combinations(sorted(set().union(*together)), 2):
            a, b = (next(s for s in together if n in s) for n in (i, j))
            if a is not b and _polynomial_turns(E, i, j) and all(self._turns(slot, i, j) for slot in slots):
                together.remove(b)
                a |= b
        spheres = []
        for sphere in together:
            alone = all(h <= sphere | {algebra.k} for h in held if h & sphere)
            m = 1 if alone or len(sphere) % 2 else 2
            if m < len(sphere):
                spheres.append(_Sphere(tuple(sorted(sphere)), m))
        return spheres

    def _turns(self, slot: Slot, i: int, j: int) -> bool:
        x, y = (self._reader.algebra.coordinates[n] for n in (i, j))
        return self._turned.get((slot.expr, i, j), partial(_turns, slot.expr, x, y))

    def _on_fewer(
        self, spheres: Sequence[_Sphere], E: fmpq_mpoly, functions: Sequence[int], P: fmpq_mpoly
    ) -> Element:
        """Return a term with the same expectation as exp(E) P, in the coordinates that are kept of each sphere."""
        algebra = self._reader.algebra
        left = {n for sphere in spheres for n in sphere.left}
        images = [algebra.one * 0 if n in left else x for n, x in enumerate(algebra.generators)]
        factors = [Element(algebra, [(algebra.reduced(E.compose(*images, ctx=algebra.ring)), algebra.one)])]
        powers = next(iter(P.to_dict()))
        factors += [self._at_zero(j, left) ** int(powers[j]) for j in functions]
        # |t| in place of t in an integrand that is even but for it: 2 1{t > 0}.
        odd = [sphere.kept[0] for sphere in spheres if sphere.m == 1 and sphere.raised % 2]
        factors += [self._reader.element(2 * sp.Heaviside(algebra.coordinates[n])) for n in odd]
        polynomial = Element(algebra, [])
        for monomial, c in P.to_dict().items():
            if not any(monomial[n] % 2 for sphere in spheres for n in sphere.coordinates):
                polynomial = polynomial + self._monomial(spheres, functions, monomial).scaled(algebra.one * c)
        return reduce(mul, factors, polynomial)

    def _monomial(
        self, spheres: Sequence[_Sphere], functions: Sequence[int], monomial: tuple[int, ...]
    ) -> Element:
        """Return what a monomial, without its functions, becomes: E[z^b] |t|^(n-m+|b|) / E|t|^(n-m+|b|)."""
        algebra = self._reader.algebra
        gone = {*functions, *(n for sphere in spheres for n in sphere.coordinates)}
        image = algebra.ring.from_dict({tuple(0 if j in gone else e for j, e in enumerate(monomial)): 1})
        weight = sp.Integer(1)
        for sphere in spheres:
            b = [int(monomial[n]) for n in sphere.coordinates]
            degree = sphere.raised + sum(b)
            t = [algebra.z[n] for n in sphere.kept]
            image = image * (t[0] ** degree if sphere.m == 1 else sum(x * x for x in t) ** (degree // 2))
            weight *= prod(sp.factorial2(n - 1) for n in b) / sphere.absolute_moment(degree)
        return algebra.of(image) * self._reader.element(weight)

    def _at_zero(self, j: int, left: set[int]) -> Element:
        """Return a function of z where the coordinates that are left out are 0."""
        algebra = self._reader.algebra
        zero = {algebra.coordinates[n]: sp.S.Zero for n in left}
        f = algebra.slots[j].expr
        return self._kept.get((f, *sorted(left)), lambda: self._reader.element(f.xreplace(zero)))


def _held(P: fmpq_mpoly) -> set[int]:
    """Return the generators that occur."""
    return {j for j, degree in enumerate(P.degrees()) if degree > 0} if len(P) else set()


def _polynomial_turns(P: fmpq_mpoly, i: int, j: int) -> bool:
    """Whether turns of the plane of z_i and z_j leave P as it is: z_i d_j P = z_j d_i P."""
    x = P.context().gens()
    return bool(x[i] * P.derivative(j) == x[j] * P.derivative(i))


def _turns(f: sp.Expr, x: sp.Symbol, y: sp.Symbol) -> bool:
    """Whether turns of the plane of x and y leave f as it is: it is built of polynomials that they leave."""
    spend(_PER_NODE)
    if not f.has(x, y):
        return True
    if f in (x, y):
        return False
    if isinstance(f, sp.Expr) and f.is_polynomial(x, y):
        return bool(sp.expand(x * f.diff(y) - y * f.diff(x)) == 0)
    return all(_turns(a, x, y) for a in f.args)
