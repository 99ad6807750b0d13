"""What is decided of targets that are no polynomials where some coordinates have a density (theory, 13).

The others are Gaussian, or functions of a normal in closed form (uniform, Laplace). At each point a of the finite
ones the target is a function g_a of the others. For monic orthogonal polynomials phi_S, He_T of the Gaussian ones,

    E[y^m phi_S He_T] = c_T(h),   h = E_a[phi_S(a) g_a^m],

a Hermite coefficient of a Gaussian target, exact or enclosed. They are looked at up to a degree and a power of the
label, and what they show bounds leaps, cover and generative exponent from above; the information exponent is decided
where no coefficient of lower degree is in doubt. From below: the correlational leap is not less than that, and what a
sign flip of the target hides is not shown alone. Two steps are decided by E[y^m z] and by signed permutations
that keep the law and fix the target at every point.
"""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from functools import cached_property
from itertools import chain, combinations, combinations_with_replacement, product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ..calculus.gaussian import expectation
from ..calculus.hermite import hermite_series
from ..calculus.hermite_form import MultiIndex
from ..calculus.product_form import averaged, named, orthogonal, require_few_points
from ..errors import RebatchError
from ..exact.expectation import Expectation
from ..exact.irrational import Real, how_known, scalar, vanishes
from ..exact.known import How, worst
from ..exact.polynomial import rational
from ..exact.subspace import Subspace, Vector, axis, primitive
from ..language.symbols import coordinate, hermite
from ..language.target import Target
from ..proofs.symmetry import Symmetry, those_that_hide
from .direction_verdict import DirectionVerdict, undecided
from .known_exponents import NO_DIRECTION, Exponent, GenerativeLeap, IsotropicLeap, ReuseStaircase
from .product_exponents import (
    NO_ROTATION,
    CoordinateLeap,
    ProductVerdict,
    SecondStep,
    centred_name,
    character_name,
    decided,
    leap_over,
    signed_permutation,
)
from .standardised import Standardised

# Powers of the label and degrees in the Gaussian coordinates: seconds, for two of them.
_MOST_POWER, _DEGREE = 3, 3
# Coordinates whose signs are changed at once.
_LARGEST_FLIP = 3

Form = dict[MultiIndex, Expectation]


class MixedReading:
    """One target that is no polynomial, of coordinates with finitely many values, Gaussian, uniform or Laplace.

    Raises
    ------
    TooLargeError
        If the finite coordinates have more than 32 points.
    RebatchError
        If a coordinate that occurs is shown by nothing that was looked at.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.k, self.law = target, target.k, target.inputs
        laws = self.law.each(self.k)
        self._finite = [i for i in range(self.k) if laws[i].atoms]
        self._normal = [i for i in range(self.k) if not laws[i].atoms]
        self._weighted = [i for i in range(self.k) if not laws[i].is_gaussian]
        require_few_points(target)
        self._points = list(product(*(laws[i].atoms for i in self._finite)))
        self._functions = {
            tuple(a for a, _ in point): self._at([a for a, _ in point]) for point in self._points
        }
        self._centre = centred_name(self.law)
        self._standard = Standardised(self.law, self.k)

    def _at(self, values: Sequence[sp.Rational]) -> sp.Expr:
        """Return g_a, in the Gaussian coordinates named z1, z2, …."""
        z = self.target.coordinates
        images = {z[i]: a for i, a in zip(self._finite, values, strict=True)}
        images |= {z[i]: coordinate(j) for j, i in enumerate(self._normal, start=1)}
        return self.target.expr.xreplace(images)

    def _averaged(self, S: MultiIndex, power: int) -> Target:
        """Return E_a[phi_S(z) g^m] over the finite coordinates a, a Gaussian target."""
        expr = self.target.expr**power
        for i, z in enumerate(self.target.coordinates):
            phi = orthogonal(self.law.at(i), S[i]) or ()
            expr *= sp.Add(*(rational(c) * z**n for n, c in enumerate(phi))) if S[i] else 1
        return averaged(Target(expr, k=self.k, inputs=self.law))

    def _degrees(self) -> Iterator[MultiIndex]:
        """Yield the S of the coordinates that are not Gaussian, up to a degree in those with a density."""
        counts = [len(self.law.at(i).atoms) or _DEGREE + 1 for i in self._weighted]
        for degrees in product(*map(range, counts)):
            S = [0] * self.k
            for i, n in zip(self._weighted, degrees, strict=True):
                S[i] = n
            if sum(S[i] for i in self._normal) <= _DEGREE:
                yield tuple(S)

    def _form(self, power: int) -> Form:
        """Return E[y^m phi_S He_T] by (S, T), those that are not proved 0."""
        form: Form = {}
        for S in self._degrees():
            left = _DEGREE - sum(S[i] for i in self._normal)
            for T, c in self._hermite(self._averaged(S, power), left):
                if c.is_zero() is not True:
                    whole = list(S)
                    for i, n in zip(self._normal, T, strict=True):
                        whole[i] += n
                    form[tuple(whole)] = c
        return form

    def _hermite(self, target: Target, degree: int) -> Iterator[tuple[MultiIndex, Expectation]]:
        """Yield the T and E[h He_T] over the Gaussian coordinates, up to a degree."""
        normal = [j for j, i in enumerate(self._normal) if self.law.at(i).is_gaussian]
        if len(normal) == len(self._normal):
            yield from hermite_series(target, degree).coefficients.items()
            return
        for few in chain.from_iterable(combinations_with_replacement(normal, n) for n in range(degree + 1)):
            T = tuple(few.count(j) for j in range(len(self._normal)))
            factors = (hermite(n, coordinate(j)) for j, n in enumerate(T, start=1) if n)
            yield T, expectation(Target(sp.Mul(target.expr, *factors), k=target.k))

    @cached_property
    def _forms(self) -> list[Form]:
        """The forms of y, y^2, …, as far as their expectations are known to be finite and the effort lasts."""
        with named(self.target):
            forms = [self._form(1)]
        with suppress(RebatchError):
            forms += (self._form(m) for m in range(2, _MOST_POWER + 1))
        return forms

    def _shown(self, forms: Sequence[Form]) -> Form:
        """Return the coefficients that are not 0, those of the first coordinates first; numeric ones are evidence."""
        shown = {S: c for form in reversed(forms) for S, c in form.items() if any(S) and not vanishes(c)[0]}
        return dict(sorted(shown.items(), key=lambda known: tuple(-n for n in known[0])))

    @cached_property
    def relevant(self) -> Subspace:
        """The axes of the coordinates on which the target depends."""
        shown = {i for S in self._shown(self._forms) for i in range(self.k) if S[i]}
        occurring = set(self._varying())
        if dark := sorted(occurring - shown):
            raise RebatchError(
                f"{self.target} with inputs {self.law}: whether it depends on z{dark[0] + 1} is not decided by "
                f"E[y^m phi_S] up to m = {len(self._forms)} and degree {_DEGREE} in Gaussian coordinates"
            )
        return Subspace.span((axis(i, self.k) for i in sorted(shown)), self.k)

    def _varying(self) -> Iterator[int]:
        """Yield the coordinates that occur: at some point, or that change the function at one."""
        for j, i in enumerate(self._normal, start=1):
            if any(coordinate(j) in g.free_symbols for g in self._functions.values()):
                yield i
        for place, i in enumerate(self._finite):
            groups: dict[tuple[sp.Rational, ...], set[sp.Expr]] = {}
            for a, g in self._functions.items():
                groups.setdefault((*a[:place], *a[place + 1 :]), set()).add(sp.expand(g))
            if any(len(group) > 1 for group in groups.values()):
                yield i

    def information_exponent(self) -> Exponent:
        """Return the least |S| >= 1 with c_S != 0, where no lower one is in doubt."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        shown = self._shown(self._forms[:1])
        if not shown:
            return Exponent(None, How.UNDECIDED, witness=f"nothing shown up to degree {_DEGREE}")
        S = min(shown, key=lambda S: (sum(S), tuple(-n for n in S)))
        witness = f"E[g {self._name(S)}] = {shown[S].in_short()}"
        doubts = any(0 < sum(T) < sum(S) for T in self._forms[0] if T not in shown)
        if doubts or sum(S) > _DEGREE + 1:
            return Exponent(None, How.UNDECIDED, witness=f"at most {sum(S)}: {witness}")
        return Exponent(sum(S), shown[S].how, witness=witness)

    def generative_exponent(self) -> Exponent:
        """Return the least |S| >= 1 that a power of the label shows, where nothing less is possible."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        shown = self._shown(self._forms)
        S = min(shown, key=lambda S: (sum(S), tuple(-n for n in S)))
        witness = f"E[{self._name(S)} | y] is not 0"
        if sum(S) == (2 if self._flips else 1) or sum(S) == 1:
            return Exponent(sum(S), shown[S].how, witness=witness)
        return Exponent(None, How.UNDECIDED, witness=f"at most {sum(S)}: {witness}")

    def leap(self) -> CoordinateLeap:
        """Return the leap for correlational queries."""
        return self._leap(self._forms[:1], max(self._least_leap, self.information_exponent().value or 1))

    def statistical_leap(self) -> CoordinateLeap:
        """Return the leap for queries on powers of the label, where nothing less is possible."""
        return self._leap(self._forms, self._least_leap)

    def loss_leap(self) -> dict[str, Exponent]:
        """Return the leap of each loss: see `enumerated.py`."""
        statistical = self.statistical_leap()
        even = self._leap([self._forms[0], *self._forms[1::2]], self._least_leap)
        return {"squared": self.leap(), "absolute": statistical, "hinge": statistical, "logistic": even}

    def coordinate_leap(self) -> dict[str, Exponent]:
        """Return both leaps with a coordinate counted once, whatever its degree."""
        return {
            "correlational": self._leap(self._forms[:1], 1, by_degree=False),
            "statistical": self._leap(self._forms, 1, by_degree=False),
        }

    def cover(self) -> Exponent:
        """Return the largest, over coordinates, of the least |S| that holds it and that a power of y shows."""
        if not self.relevant.dimension:
            return Exponent(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        shown = self._shown(self._forms)
        used = sorted({i for S in shown for i in range(self.k) if S[i]})
        least = {i: min((S for S in shown if S[i]), key=sum) for i in used}
        hardest = max(used, key=lambda i: (sum(least[i]), -i))
        size = sum(least[hardest])
        witness = f"z{hardest + 1}, by {size} coordinate(s)"
        if size == self._least_leap:
            return Exponent(size, worst(shown[S].how for S in least.values()), witness=witness)
        return Exponent(None, How.UNDECIDED, witness=f"at most {size}: {witness}")

    def _leap(self, forms: Sequence[Form], lower: int, *, by_degree: bool = True) -> CoordinateLeap:
        """Return the leap over what is shown, undecided where it may be less, or does not reach every coordinate."""
        if not self.relevant.dimension:
            return CoordinateLeap(None, How.EXACT, infinite=True, witness=NO_DIRECTION)
        shown = self._shown(forms)
        covered = {i for S in shown for i in range(self.k) if S[i]}
        if len(covered) < self.relevant.dimension:
            dark = min(i for i in range(self.k) if i not in covered and axis(i, self.k) in self.relevant)
            return CoordinateLeap(
                None, How.UNDECIDED, witness=f"z{dark + 1} is not shown up to degree {_DEGREE}"
            )
        degrees: NDArray[np.int64] = np.array(list(shown), dtype=np.int64).reshape(len(shown), self.k)
        upper = leap_over(
            degrees,
            worst(c.how for c in shown.values()),
            lambda some: int(some[0]),
            lambda place: self._name(degrees[place]),
            by_degree=by_degree,
        )
        return decided(upper, lower)

    @property
    def _least_leap(self) -> int:
        """2 if a flip of the target hides a coordinate until another that it moves is covered, else 1."""
        return 2 if self._flips else 1

    @cached_property
    def _flips(self) -> list[tuple[int, ...]]:
        """Sets of relevant coordinates whose change of sign fixes target and law, small ones first."""
        used = [i for i in range(self.k) if axis(i, self.k) in self.relevant and self.law.at(i).is_symmetric]
        sets = chain.from_iterable(combinations(used, n) for n in range(1, _LARGEST_FLIP + 1))
        return [some for some in sets if self._is_fixed({i: (i, -1) for i in some})]

    def _is_fixed(self, images: dict[int, tuple[int, int]]) -> bool:
        """Whether z_i -> sign z_j is seen to fix the target at every point."""
        full = [images.get(i, (i, 1)) for i in range(self.k)]
        place = {i: at for at, i in enumerate(self._finite)}
        moved = {
            coordinate(j): full[i][1] * coordinate(self._normal.index(full[i][0]) + 1)
            for j, i in enumerate(self._normal, start=1)
        }
        for a, g in self._functions.items():
            image = tuple(full[i][1] * a[place[full[i][0]]] for i in self._finite)
            if sp.expand(self._functions[image].xreplace(moved) - g) != 0:
                return False
        return True

    def isotropic_leap(self) -> IsotropicLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(f"inputs = {self.law}: {NO_ROTATION}, so there is no isotropic leap")

    def generative_leap(self, max_order: int) -> GenerativeLeap:
        """Refuse: no rotation keeps the law."""
        raise RebatchError(
            f"inputs = {self.law}: {NO_ROTATION}; the statistical leap replaces the generative one"
        )

    def _moments(self, max_order: int) -> Iterator[tuple[Expectation, ...]]:
        """Yield E[y^m (z - mean)] for m = 1, 2, …, as far as it is known which of its entries are 0."""
        for form in self._forms[:max_order]:
            moment = tuple(form.get(_unit(i, self.k), Expectation.exact(0)) for i in range(self.k))
            if any(vanishes(x) == (True, False) for x in moment):
                return
            yield moment

    def witnesses(self, max_order: int) -> tuple[tuple[DirectionVerdict, ...], int]:
        """Return the directions that moments E[y^m z] reach, each at its least m, and the last m searched."""
        found: list[DirectionVerdict] = []
        averages: list[Vector] = []
        m = 0
        for m, known in enumerate(self._moments(max_order), start=1):
            moment = tuple(map(scalar, known))
            new = self._standard.rest(moment, averages)
            if any(new):
                averages.append(primitive(new))
                direction = primitive(self._standard.vector(averages[-1]))
                how = worst([*map(how_known, direction), *(x.how for x in known), *(v.how for v in found)])
                witness = tuple(x if not isinstance(x, Real) else x.known for x in moment)
                found.append(ProductVerdict(direction, "learned", how, m, witness, centre=self._centre))
            if len(found) == self.relevant.dimension:
                break
        return tuple(found), m

    def symmetries(self, reached: Subspace) -> tuple[Symmetry, ...]:
        """Return sign flips and exchanges of two coordinates that fix the target and the law."""
        return those_that_hide(self._symmetries(), reached.within(self.relevant))

    def _symmetries(self) -> Iterator[Symmetry]:
        """Yield sign flips, then exchanges of two coordinates of one law, that fix the target and its inputs."""
        for some in self._flips:
            yield signed_permutation(self.k, {i: (i, -1) for i in some})
        for i, j in combinations(range(self.k), 2):
            signs = (1, -1) if self.law.at(i).is_symmetric else (1,)
            for sign in signs if self.law.at(i) == self.law.at(j) else ():
                images = {i: (j, sign), j: (i, sign)}
                if self._is_fixed(images):
                    yield signed_permutation(self.k, images)

    def verdict_on(self, left: Subspace, searched: int) -> tuple[DirectionVerdict, ...]:
        """Return that nothing is decided of what has neither witness nor symmetry."""
        return undecided(left, searched)

    def reuse_staircase(self, max_order: int) -> ReuseStaircase:
        """Return what E[y^m z] reaches; later rounds are not looked for."""
        found, _ = self.witnesses(max_order)
        space = Subspace.span((v.direction for v in found), self.k)
        capped, how = space != self.relevant, worst(v.how for v in found)
        witness = "; ".join(v.reason() for v in found)
        rounds = ((space,), (witness,)) if found else ((), ())
        return ReuseStaircase(rounds[0], len(self._forms), how, rounds[1], capped=capped)

    def correlations(self, degree: int) -> dict[MultiIndex, sp.Expr]:
        """Return E[g phi_S] of the monic orthogonal polynomials phi_S of a degree, those that are not 0."""
        found = {S: c for S, c in self._forms[0].items() if sum(S) == degree}
        if not all(c.how is How.EXACT for c in found.values()):
            raise RebatchError(
                f"E[y phi_S] of {self.target} is known in decimals only; allowed are exact ones"
            )
        return {S: c.value for S, c in found.items()}

    def second_step(self) -> SecondStep:
        """Return that mu = E[y z] is seen; what else is, is known of symmetries alone."""
        mu = Subspace.span((tuple(map(scalar, x)) for x in list(self._moments(1))), self.k)
        relevant = self._standard.space(self.relevant)
        return SecondStep(relevant, self._standard.space(mu), relevant)

    def fourier(self) -> None:
        """Return nothing: there is no end of coefficients."""

    def _name(self, S: Sequence[int]) -> str:
        return character_name(S, self.law)


def _unit(i: int, k: int) -> MultiIndex:
    return tuple(int(i == j) for j in range(k))
