"""A target in orthonormal coordinates t of its own directions, for numerical inference (theory, 9).

Coordinates of which only the sign counts are taken as signs: given s = sign(t), E[t | s] = sqrt(2/pi) s and E[t^2
| s] = 1, so z1^2 + sign(z1 z2 z3) is a matter of one direction and two signs. What is asked of the label are the
means of the features t_a and t_a t_b - delta_ab, a <= b, given y.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations_with_replacement, product

import numpy as np
import sympy as sp
from numpy.typing import NDArray

from ...symbolic.errors import RebatchError
from ...symbolic.exact.effort import spend
from ...symbolic.exact.irrational import as_expr
from ...symbolic.exact.subspace import Subspace, Vector, as_floats, is_exact, squared_length
from ...symbolic.language.compiled import compiled
from ...symbolic.language.symbols import coordinate
from ...symbolic.language.target import Target
from .line import REACH, Branch

Array = NDArray[np.float64]
MEAN_OF_HALF = float(np.sqrt(2 / np.pi))
_GRID = 6001
_BISECTIONS = 60
_STEPS = (sp.sign, sp.Heaviside)
# Operations of an expression on arrays, each 3 ns an entry.
_OPERATIONS_PER_UNIT = 256


@dataclass(frozen=True)
class Latent:
    """A target along an orthonormal basis of the directions it depends on.

    Attributes
    ----------
    target : Target
    expr : sympy.Expr
        g in the coordinates ``coordinate(1)`` … of the basis.
    basis : ndarray, shape (r, k)
        Orthonormal rows.
    """

    target: Target
    expr: sp.Expr
    basis: Array

    @classmethod
    def of(cls, target: Target, space: Subspace, expr: sp.Expr | None = None) -> "Latent":
        """Return g along an orthogonal basis of a subspace that holds all its directions."""
        return cls.along(target, space.orthogonal_basis(), expr)

    @classmethod
    def along(cls, target: Target, vectors: Sequence[Vector], expr: sp.Expr | None = None) -> "Latent":
        """Return g along orthogonal vectors whose span holds all its directions."""
        given = target.expr if expr is None else expr
        basis = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in vectors]).reshape(-1, target.k)
        new = [sp.Dummy(real=True) for _ in vectors]
        images = {}
        for i, z in enumerate(target.coordinates):
            terms = []
            for t, v, unit in zip(new, vectors, basis, strict=True):
                size = squared_length(v) if is_exact(v) else None
                terms.append(t * (sp.Float(unit[i]) if size is None else as_expr(v[i]) / sp.sqrt(size)))
            images[z] = sp.Add(*terms)
        moved = given.xreplace(images).xreplace({t: coordinate(i + 1) for i, t in enumerate(new)})
        return cls(target, _with_single_signs(moved), basis)

    @property
    def r(self) -> int:
        """The number of directions."""
        return len(self.basis)

    @property
    def coordinates(self) -> tuple[sp.Symbol, ...]:
        """t_1 … t_r."""
        return tuple(coordinate(i + 1) for i in range(self.r))

    @cached_property
    def signs(self) -> tuple[int, ...]:
        """The coordinates, counted from 0, of which only the sign counts."""
        marks = {t: sp.Dummy(real=True) for t in self.coordinates}
        rest = self.expr.xreplace({sp.sign(t): mark for t, mark in marks.items()})
        return tuple(i for i, t in enumerate(self.coordinates) if t not in rest.free_symbols)

    @cached_property
    def continuous(self) -> tuple[int, ...]:
        """The other coordinates."""
        return tuple(i for i in range(self.r) if i not in self.signs)

    @cached_property
    def states(self) -> tuple[tuple[tuple[int, ...], sp.Expr], ...]:
        """The choices of the signs, all equally likely, each with g in the continuous coordinates."""
        found = []
        for choice in product((1, -1), repeat=len(self.signs)):
            images = {
                sp.sign(coordinate(i + 1)): sp.Integer(s) for i, s in zip(self.signs, choice, strict=True)
            }
            found.append((choice, self.expr.xreplace(images)))
        return tuple(found)

    @cached_property
    def pairs(self) -> tuple[tuple[int, int], ...]:
        """The second-order features (a, b), a <= b, in their order after the r first-order ones."""
        return tuple(combinations_with_replacement(range(self.r), 2))

    def features(self, choice: Sequence[int], t: Array, t2: Array) -> Array:
        """Return E[(t_a, t_a t_b - delta_ab) | signs, continuous coordinates].

        Parameters
        ----------
        choice : the signs
        t, t2 : ndarray, shape (continuous, …)
            The continuous coordinates, and their squares less 1.
        """
        shape = t.shape[1:]
        first = np.zeros((self.r, *shape))
        for position, i in enumerate(self.continuous):
            first[i] = t[position]
        for i, s in zip(self.signs, choice, strict=True):
            first[i] = s * MEAN_OF_HALF
        second = np.zeros((len(self.pairs), *shape))
        for row, (a, b) in enumerate(self.pairs):
            if a != b:
                second[row] = first[a] * first[b]
            elif a in self.continuous:
                second[row] = t2[self.continuous.index(a)]
        return np.concatenate([first, second])

    def compiled(self, expr: sp.Expr) -> Callable[..., Array]:
        """Return an expression in the continuous coordinates as a NumPy function, whose work counts."""
        g = compiled(expr, tuple(coordinate(i + 1) for i in self.continuous))
        operations = 1 + int(expr.count_ops())

        def counted(*t: Array) -> Array:
            spend(np.broadcast(*t).size * operations // _OPERATIONS_PER_UNIT)
            return g(*t)

        return counted

    def branches(self) -> list[Branch]:
        """Return the branches of one continuous coordinate.

        Raises
        ------
        RebatchError
            If g is not finite.
        """
        (i,) = self.continuous
        t = coordinate(i + 1)
        weight = 1 / len(self.states)
        found = []
        for choice, expr in self.states:
            value, slope = self.compiled(expr), self.compiled(slope_of(expr, t))
            if not np.isfinite(np.broadcast_to(value(np.linspace(-REACH, REACH, 401)), 401)).all():
                raise RebatchError(f"the target {self.target} is not finite within |z| <= {REACH}")
            found.append(Branch(weight, value, slope, breaks(expr, t), self._of_line(choice)))
        return found

    def _of_line(self, choice: tuple[int, ...]) -> Callable[[Array], Array]:
        """Features that are linear in (1, t, t^2 - 1): a sign times t, a sign times a sign, …."""
        columns = [
            self.features(choice, np.array([[0.0]]), np.array([[0.0]])),
            self.features(choice, np.array([[1.0]]), np.array([[0.0]])),
            self.features(choice, np.array([[0.0]]), np.array([[1.0]])),
        ]
        base = columns[0]
        matrix = np.hstack([base, columns[1] - base, columns[2] - base])
        return lambda basic: np.asarray(np.tensordot(matrix, basic, axes=1))


def _with_single_signs(expr: sp.Expr) -> sp.Expr:
    """Return an expression with sign(a b) as sign(a) sign(b), and steps as signs where they are of one coordinate."""

    def split(u: sp.Expr) -> sp.Expr:
        if u.is_Mul:
            return sp.Mul(*map(split, u.args))
        if u.is_Pow and u.exp.is_Integer:
            return split(u.base) ** (u.exp % 2)
        return sp.sign(u)

    expr = expr.replace(lambda e: isinstance(e, sp.sign), lambda e: split(e.args[0]))
    return expr.replace(
        lambda e: isinstance(e, sp.Heaviside) and (e.args[0].is_Symbol or e.args[0].is_Mul),
        lambda e: (1 + split(e.args[0])) / 2,
    )


def slope_of(expr: sp.Expr, t: sp.Symbol) -> sp.Expr:
    """Return the derivative between jumps and kinks."""
    return sp.diff(expr, t).replace(lambda e: isinstance(e, sp.DiracDelta), lambda e: sp.Integer(0))


def step_arguments(expr: sp.Expr) -> list[sp.Expr]:
    """Return the functions at whose zeros an expression may jump."""
    return [e.args[0] for e in expr.atoms(*_STEPS)]


def breaks(expr: sp.Expr, t: sp.Symbol) -> list[float]:
    """Return where a function of one variable may have kinks or jumps, within reach."""
    functions = step_arguments(expr)
    functions += [e.args[0] for e in expr.atoms(sp.Abs)]
    for e in expr.atoms(sp.Max, sp.Min):
        functions += [a - b for i, a in enumerate(e.args) for b in e.args[i + 1 :]]
    functions += [e.base for e in expr.atoms(sp.Pow) if e.base.has(t) and not e.exp.is_Integer]
    return sorted({x for u in functions if u.has(t) for x in _zeros(compiled(u, (t,)))})


def _zeros(u: Callable[..., Array]) -> list[float]:
    """Return the zeros of a function within reach that a fine grid shows."""
    t = np.linspace(-REACH, REACH, _GRID)
    values = np.broadcast_to(u(t), t.shape)
    at = np.flatnonzero(values[1:] * values[:-1] < 0)
    low, high, start = t[at], t[at + 1], np.sign(values[at])
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        same = np.sign(np.broadcast_to(u(middle), middle.shape)) == start
        low, high = np.where(same, middle, low), np.where(same, high, middle)
    return [*((low + high) / 2).tolist(), *t[np.flatnonzero(values == 0)].tolist()]
