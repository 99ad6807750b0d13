"""The characters of a target: its coefficients, and which of them the label shows at all (theory, 13).

c_S = E[g phi_S]; a correlational query sees S where c_S != 0. A statistical query sees S where E[phi_S | y] is not
identically 0: where n_l(S) = E[1[y = l] phi_S] != 0 for a label l. On the cube all S are decided at once by

    sum_l n_l(S)^2 = E_{z, z'}[1[y(z) = y(z')] chi_S(z z')],

the transform of the autocorrelation of the labels. A polynomial on more coordinates of the cube than can be gone
through: the characters that occur in it generate a group of 2^r sets (r their rank over the field of two elements);
r of them are independent fair signs, the target is a function of these, and every other character is hidden from the
label by the sign flips that fix all of the group.
"""

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import sympy as sp
from flint import arb, ctx, fmpq_mpoly
from numpy.typing import NDArray

from ..errors import TooLargeError
from ..exact.ball import constant_ball, is_zero_constant
from ..exact.known import How
from ..exact.polynomial import is_polynomial, to_polynomial
from ..language.target import Target
from .grid import MAX_POINTS, WORD, Axis, Grid, Integers
from .labels import Labels, labels_of
from .signs import generators, group, perpendicular

# Labels on more points than this are transformed one by one, the points of the others compared in pairs.
_LARGE_CLASS = 512
# Labels transformed together, and pairs of points compared at one time.
_BATCH = 16
_PAIRS = 2**21
# Multiplications that the labels of a law other than the cube's may take, one by one.
_MAX_WORK = 2**33
# A coefficient in floating point is not 0 beyond this many roundings of each of its terms.
_ROUNDINGS = 64
# Bits of the balls that tell such a coefficient from 0.
_BITS = 256
# Sets of fewer coordinates are the bits of a machine's word.
_WORD = 63


class Spectrum:
    """One target under a finite law: labels, coefficients and what a query on the label sees.

    Attributes
    ----------
    target : Target
    k : int
    grid : Grid
        The points that are gone through; of as many independent signs as the characters of the target have where
        its own coordinates are too many.
    labels : Labels
    degrees : ndarray of int, shape (N, k)
        S for every character, in the order of a flat transform.
    """

    def __init__(self, target: Target) -> None:
        self.target, self.k = target, target.k
        self._generators = None if _fits(target) else _generators_of(target)
        if self._generators is None:
            self.grid = Grid(target.inputs, target.k)
            self.labels = labels_of(target, self.grid)
            self.degrees = self.grid.degrees
        else:
            self._take_signs(self._generators)

    def _take_signs(self, independent: list[int]) -> None:
        """Write the target as a function of independent signs."""
        terms = multilinear(to_polynomial(self.target.expr, self.target.coordinates))
        self.grid = Grid(self.target.inputs, len(independent))
        denominator = int(sp.ilcm(1, *(int(c.q) for c in terms.values())))
        members = group(independent)
        place = {U: i for i, U in enumerate(members)}
        coefficients = np.zeros(len(members), dtype=np.object_)
        for U, c in terms.items():
            coefficients[place[U]] = int(c.p) * (denominator // int(c.q))
        # The transform is its own inverse up to a factor, which the weight 1 of every point leaves out.
        values = self.grid.transform(coefficients.reshape(self.grid.shape))
        found, codes = np.unique(values, return_inverse=True)
        labels = tuple(sp.Rational(int(x), denominator) for x in found)
        self.labels = Labels(codes.reshape(self.grid.shape), labels, How.EXACT)
        self.degrees = np.array([[U >> i & 1 for i in range(self.k)] for U in members], dtype=np.int64)

    @property
    def how(self) -> How:
        """How it is known which labels are equal."""
        return self.labels.how

    @property
    def scale(self) -> int:
        """The weight of all points together: a transform over it is an expectation."""
        return self.grid.scale

    @cached_property
    def _parts(self) -> tuple[tuple[sp.Expr, ...], Integers, int]:
        """Numbers tau_t, integers q_t(S) and D with c_S = sum_t tau_t q_t(S) / (D scale)."""
        if self.labels.are_rational:
            split = [{sp.S.One: y} for y in self.labels.values]
        else:
            split = [sp.expand(y).as_coefficients_dict() for y in self.labels.values]
        terms = tuple(dict.fromkeys(term for parts in split for term in parts)) or (sp.Integer(1),)
        rational = [[sp.Rational(parts.get(term, 0)) for parts in split] for term in terms]
        denominator = int(sp.ilcm(1, *(int(q.q) for row in rational for q in row)))
        whole = [[int(q * denominator) for q in row] for row in rational]
        word = max((abs(x) for row in whole for x in row), default=0) < WORD
        table = np.array(whole, dtype=np.int64 if word else np.object_)
        transformed = [self.grid.transform(row[self.labels.codes]).ravel() for row in table]
        return terms, np.array(transformed), denominator

    @property
    def terms(self) -> int:
        """The number of different numbers, rational factors apart, of which coefficients are sums."""
        return len(self._parts[0])

    def coefficient(self, place: int) -> sp.Expr:
        """Return E[g phi_S] for a flat place, phi_S scaled to integers."""
        terms, parts, denominator = self._parts
        total = sp.Add(*(term * int(q) for term, q in zip(terms, parts[:, place], strict=True)))
        return total / (denominator * self.scale)

    @property
    def first_moments(self) -> list[sp.Expr]:
        """E[g (z_i - mean)] for every coordinate, where they are gone through themselves."""
        places = (int(np.ravel_multi_index(row, self.grid.shape)) for row in np.eye(self.k, dtype=np.int64))
        return [
            self.coefficient(place) / axis.centring
            for place, axis in zip(places, self.grid.axes, strict=True)
        ]

    def norm(self, place: int) -> sp.Rational:
        """Return E[phi_S^2] for a flat place."""
        axes = zip(self.grid.axes, self.grid.degrees[place], strict=True)
        return sp.Mul(*(axis.norms[n] for axis, n in axes))

    def normalised(self, place: int) -> sp.Expr:
        """Return the coefficient on the orthonormal character, c_S / sqrt(E[phi_S^2])."""
        return self.coefficient(place) / sp.sqrt(self.norm(place))

    @cached_property
    def floats(self) -> NDArray[np.float64]:
        """All coefficients on orthonormal characters, in floating point."""
        terms, parts, denominator = self._parts
        values = np.array([float(term) for term in terms]) @ (parts / (denominator * self.scale)).astype(
            np.float64
        )
        norms = np.ones(len(values))
        for axis, n in zip(self.grid.axes, self.grid.degrees.T, strict=True):
            norms *= np.array([float(x) for x in axis.norms])[n]
        return np.asarray(values / np.sqrt(norms))

    def weight(self, of: NDArray[np.bool_]) -> sp.Rational | float:
        """Return the sum of the squares of some coefficients on orthonormal characters; exact for rational labels."""
        squares, denominator = self._squares
        total = squares[of].sum() if of.any() else 0
        return sp.Rational(int(total), denominator) if denominator else float(total)

    @cached_property
    def _squares(self) -> tuple[NDArray[np.object_] | NDArray[np.float64], int]:
        """The squared coefficients, as integers over a denominator; as floats, over 0, if a label is not rational."""
        if not self.labels.are_rational:
            return self.floats**2, 0
        _, parts, denominator = self._parts
        squares, total = parts[0].astype(object) ** 2, (denominator * self.scale) ** 2
        for axis, n in zip(self.grid.axes, self.grid.degrees.T, strict=True):
            inverse = [1 / norm for norm in axis.norms]
            common = int(sp.ilcm(1, *(int(x.q) for x in inverse)))
            squares = squares * np.array([int(x * common) for x in inverse], dtype=object)[n]
            total *= common
        return squares, total

    @cached_property
    def _vanishing(self) -> tuple[NDArray[np.bool_], bool]:
        """Where c_S is 0, and whether that is proved everywhere."""
        terms, parts, denominator = self._parts
        zero = np.asarray(~parts.astype(bool).any(axis=0))
        if len(terms) == 1:
            return zero, True
        weights = np.array([abs(float(term)) for term in terms])
        sizes = weights @ np.abs(parts / (denominator * self.scale)).astype(np.float64)
        values = np.array([float(term) for term in terms]) @ (parts / (denominator * self.scale)).astype(
            np.float64
        )
        close = ~zero & (np.abs(values) <= _ROUNDINGS * np.finfo(float).eps * len(terms) * sizes)
        proved = True
        known: dict[tuple[int, ...], bool | None] = {}
        for place in np.flatnonzero(close):
            key = tuple(map(int, parts[:, place]))
            if key not in known:
                known[key] = self._is_zero(key)
            zero[place] = known[key] is not False
            proved &= known[key] is not None
        return zero, proved

    def _is_zero(self, whole: Sequence[int]) -> bool | None:
        """Whether sum_t q_t tau_t is 0, by balls of the tau_t where they exclude it; None where it is not known."""
        with ctx.workprec(_BITS):
            total = sum((q * ball for q, ball in zip(whole, self._balls, strict=True) if q), arb(0))
        if not total.contains(0):
            return False
        return is_zero_constant(sp.Add(*(term * q for term, q in zip(self._parts[0], whole, strict=True))))

    @cached_property
    def _balls(self) -> list[arb]:
        return [constant_ball(term, _BITS) for term in self._parts[0]]

    @property
    def nonzero(self) -> NDArray[np.bool_]:
        """Where c_S is not 0, shape (N,)."""
        return ~self._vanishing[0]

    @property
    def correlation_how(self) -> How:
        """How it is known which coefficients vanish."""
        return self.how if self._vanishing[1] else How.NUMERIC

    def seen(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return for every S whether E[phi_S | code] is not identically 0, shape (N,)."""
        count = int(codes.max()) + 1
        if count == 1:
            return self._constant
        if self.grid.law.is_boolean:
            return np.asarray(self._energies(codes.ravel()) != 0)
        return self._seen_one_by_one(codes)

    @cached_property
    def detectable(self) -> NDArray[np.bool_]:
        """For every S whether the label shows it to some function of the label, shape (N,)."""
        # A label of two values is, up to a constant, the only function of itself.
        if self.labels.count <= 2:
            return np.asarray(self.nonzero | self._constant)
        return self.seen(self.labels.codes)

    @property
    def _constant(self) -> NDArray[np.bool_]:
        return np.asarray(np.arange(len(self.degrees)) == 0)

    def _energies(self, codes: NDArray[np.int64]) -> Integers:
        """Return sum_l n_l(S)^2 on the cube, in units of 4^-k."""
        counts = np.bincount(codes)
        total = np.zeros(len(codes), dtype=np.int64)
        large = np.flatnonzero(counts > _LARGE_CLASS)
        for first in range(0, len(large), _BATCH):
            some = large[first : first + _BATCH]
            indicators = (codes == some[:, None]).astype(np.int64).reshape(len(some), *self.grid.shape)
            total += (self.grid.transform(indicators).reshape(len(some), -1) ** 2).sum(axis=0)
        pairs = np.zeros(len(codes), dtype=np.int64)
        order = np.argsort(codes, kind="stable")
        starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
        for size in range(1, _LARGE_CLASS + 1):
            classes = starts[counts == size]
            if len(classes):
                points = order[classes[:, None] + np.arange(size)]
                rows = max(1, _PAIRS // size**2)
                for some in (points[i : i + rows] for i in range(0, len(points), rows)):
                    # Points as sets of negative coordinates: the product of two is the exclusive or.
                    products = some[:, :, None] ^ some[:, None, :]
                    pairs += np.bincount(products.ravel(), minlength=len(codes))
        return total + self.grid.transform(pairs.reshape(self.grid.shape)).ravel()

    def _seen_one_by_one(self, codes: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return what the labels see, one after another, the rarest first, until nothing is left to be seen."""
        counts = np.bincount(codes.ravel())
        left = self.grid.transform(np.zeros(self.grid.shape, dtype=np.int64)).ravel() == 0
        work = 0
        for label in np.argsort(counts, kind="stable"):
            if not left.any():
                break
            once = sum(self.grid.shape) * codes.size
            work += once
            if work > _MAX_WORK:
                raise TooLargeError(
                    f"{self.target}: {len(counts):,} labels on {codes.size:,} points; allowed are about "
                    f"{_MAX_WORK // once:,}"
                )
            left &= self.grid.transform((codes == label).astype(np.int64)).ravel() == 0
        return np.asarray(~left)

    @cached_property
    def relevant(self) -> tuple[int, ...]:
        """The coordinates on which the target depends, counted from 0."""
        seen = self.degrees[self.detectable].any(axis=0)
        return tuple(int(i) for i in np.flatnonzero(seen))

    def flips(self, i: int) -> tuple[int, ...]:
        """Return coordinates, i among them, whose change of sign fixes target and law; none if there are none."""
        if self.grid.law.is_boolean:
            fixing = [s for s in self._flips if s >> i & 1]
            least = min(fixing, key=int.bit_count, default=0)
            return tuple(j for j in range(self.k) if least >> j & 1)
        symmetric = tuple(j for j in self.relevant if self.grid.law.at(j).is_symmetric)
        for some in ((i,), symmetric):
            if i in symmetric and np.array_equal(self.labels.codes, np.flip(self.labels.codes, some)):
                return some
        return ()

    @cached_property
    def _flips(self) -> list[int]:
        """Sets of relevant coordinates, as bits, that meet every character of the target in an even number."""
        word = np.int64 if self.k < _WORD else np.object_
        bits = np.array([1 << j for j in range(self.k)], dtype=word)
        rows = map(int, np.where(self.degrees[self.nonzero] > 0, bits, 0).sum(axis=1))
        return perpendicular(generators(rows), sum(1 << i for i in self.relevant))

    def exchanges(self, i: int, j: int, sign: int) -> bool:
        """Whether z_i -> sign z_j, z_j -> sign z_i fixes the target and the law."""
        law = self.target.inputs
        if law.at(i) != law.at(j) or (sign < 0 and not law.at(i).is_symmetric):
            return False
        if self._generators is None:
            image = np.swapaxes(self.labels.codes, i, j)
            return np.array_equal(self.labels.codes, np.flip(image, (i, j)) if sign < 0 else image)
        (numbers,) = self._parts[1]
        known = {tuple(self.degrees[place]): int(numbers[place]) for place in np.flatnonzero(self.nonzero)}
        order = [j if m == i else i if m == j else m for m in range(self.k)]
        return all(
            known.get(tuple(S[m] for m in order)) == sign ** (S[i] + S[j]) * c for S, c in known.items()
        )

    def first(self, places: NDArray[np.intp]) -> int:
        """Return the one of some characters whose coordinates come first."""
        if self._generators is None:
            return int(places.max())
        return int(max(places, key=lambda place: tuple(self.degrees[place])))

    @cached_property
    def centred(self) -> Integers:
        """One multiple of z_i - mean, `centring`, at every point, shape (k, N); 0 where the label cannot show it."""
        columns = np.zeros((self.k, self.grid.points.size), dtype=np.int64)
        single = self.degrees.sum(axis=1) == 1
        for place in np.flatnonzero(single):
            total = np.ones((), dtype=np.int64)
            for axis, n in zip(self.grid.axes, self.grid.degrees[place], strict=True):
                total = np.multiply.outer(total, np.array(axis.characters[n]))
            i = int(self.degrees[place].argmax())
            # The characters of other laws are other multiples.
            columns[i] = total.ravel() * int(self.centring / self._centrings[i])
        return columns

    @cached_property
    def _centrings(self) -> list[sp.Rational]:
        """The c_i of phi_1(z_i) = c_i (z_i - mean_i), by coordinate of the target."""
        known = {part: Axis(part).centring for part in set(self.target.inputs.each(self.k))}
        return [known[part] for part in self.target.inputs.each(self.k)]

    @cached_property
    def centring(self) -> sp.Rational:
        """The least factor that is a whole multiple of every c_i."""
        return sp.Rational(
            sp.ilcm(1, *(int(c.p) for c in self._centrings)), sp.igcd(0, *(int(c.q) for c in self._centrings))
        )

    def class_sums(self, codes: NDArray[np.int64]) -> Integers:
        """Return sum over the points of a class of weight phi_1(z_i), shape (classes, k); codes are 0, 1, …."""
        order = np.argsort(codes, kind="stable")
        starts = np.searchsorted(codes[order], np.arange(int(codes.max()) + 1))
        weights = self.grid.points.ravel()[order]
        columns = [np.add.reduceat(weights * phi[order], starts) for phi in self.centred]
        return np.stack(columns, axis=1)


def is_enumerable(target: Target) -> bool:
    """Whether the values of the inputs can be gone through: at most 2^16, or a polynomial on the cube of such a rank.

    Raises
    ------
    TooLargeError
        If they cannot be, and the target is no polynomial either, whose moments would do.
    """
    if not target.inputs.is_finite:
        return False
    if _fits(target) or _generators_of(target) is not None:
        return True
    if is_polynomial(target.expr, target.coordinates):
        return False
    Grid(target.inputs, target.k)
    return True


def _fits(target: Target) -> bool:
    return target.inputs.points(target.k) <= MAX_POINTS


def _generators_of(target: Target) -> list[int] | None:
    """Return independent sets that generate the characters of a polynomial on the cube, if they are few."""
    if not (target.inputs.is_boolean and is_polynomial(target.expr, target.coordinates)):
        return None
    found = generators(multilinear(to_polynomial(target.expr, target.coordinates)))
    return found if 2 ** len(found) <= MAX_POINTS else None


def multilinear(polynomial: fmpq_mpoly) -> dict[int, sp.Rational]:
    """Return U -> c_U of a polynomial on the cube, by z^2 = 1; U as the bits of its coordinates."""
    terms: dict[int, sp.Rational] = {}
    for S, c in polynomial.to_dict().items():
        U = sum(1 << i for i, n in enumerate(S) if int(n) % 2)
        terms[U] = terms[U] + c if U in terms else c
    return {U: c for U, c in terms.items() if c != 0}
