"""Conditional second moments of a label made of independent parts, for any number of directions (theory, 9).

With y = sum_b y_b, or y = prod_b y_b, over parts that share no direction, and p_b(y) the law of a part, N_b(y) its
moments E[f_b; y_b = y],

    E[f_b; y] = N_b * (convolution of the other p),   E[t_a t_c; y] = N_a * N_c * (…)   for a, c of different parts,

by fast Fourier transforms on bins of one width; a product is a sum of logarithms, with the signs apart. A part of
one direction is laid on the bins exactly, between its roots; noise is one more part, which has no moments. What
remains falls with the square of the width for smooth laws: three widths extrapolate and tell the error.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations_with_replacement, pairwise, product

import numpy as np
import sympy as sp
from numpy.typing import NDArray
from scipy.special import ndtr

from ...symbolic.exact.effort import spend
from ...symbolic.exact.polynomial import is_polynomial
from ...symbolic.exact.subspace import Subspace, as_floats
from ...symbolic.language.compiled import compiled
from ...symbolic.language.symbols import coordinate
from ...symbolic.language.target import Target
from ...symbolic.proofs.orthogonal_sum import summands
from ...symbolic.proofs.structure import multiplied_out
from .latent import Latent, breaks, slope_of
from .line import REACH, Atom, Branch, Piece, TooManyPiecesError, roots_of, split

Array = NDArray[np.float64]
# A factor that is smaller than all but so large a share counts as the smallest of the others.
_RARE = 1e-9
# Logarithms of sizes at which that share is sought, down to what floating point holds.
_LEAST_LOG, _SIZES = -700.0, 4096
_BITS = range(15, 20)
_ENOUGH = 5e-7
_MOST_DIRECTIONS = 8
# So many moments of so many bins take 100 MB.
_MOST_NUMBERS = 1 << 23
_NOISE_REACH = 8.0
# A law's probabilities below this share of the largest are rounding of the transforms.
_ROUNDING = 1e-15
# What is left at y = 0 of a product, if it is more than the smallest factors.
_LEAST_ATOM = 1e-6
_PER_NUMBER = 0.2
_TRIED = 401


@dataclass(frozen=True)
class Parts:
    """A label as a sum or a product of functions of one direction each.

    Attributes
    ----------
    basis : ndarray, shape (r, k)
        Orthonormal rows, a direction for each part.
    functions : tuple of sympy.Expr
        Of the coordinate z1.
    multiplied : bool
    noise_std : float
    """

    basis: Array
    functions: tuple[sp.Expr, ...]
    multiplied: bool = False
    noise_std: float = 0.0

    @property
    def r(self) -> int:
        """The number of directions."""
        return len(self.basis)


def parts_of(target: Target, space: Subspace, expr: sp.Expr) -> Parts | None:
    """Return the parts of g, up to an additive constant; None where it is not told to have any, or too many.

    A quadratic form in its own axes, a sum over orthogonal directions, or a product of functions of one coordinate.
    """
    if not 2 <= space.dimension <= _MOST_DIRECTIONS:
        return None
    found = _quadratic(target, space, expr) or _sum(target, expr) or _product(target, space, expr)
    if found is None or found.r != space.dimension or (found.multiplied and target.noise_std):
        return None
    return replace(found, noise_std=target.noise_std)


def _quadratic(target: Target, space: Subspace, expr: sp.Expr) -> Parts | None:
    """Return z^T B z + l.z along the eigenvectors of B."""
    z = target.coordinates
    if not is_polynomial(expr, z) or sp.Poly(expr, *z).total_degree() != 2:
        return None
    origin = dict.fromkeys(z, sp.Integer(0))
    B = np.array(sp.hessian(expr, z).tolist(), dtype=float) / 2
    linear = np.array([expr.diff(x).xreplace(origin) for x in z], dtype=float)
    unit = np.array([as_floats(v) / np.linalg.norm(as_floats(v)) for v in space.orthogonal_basis()])
    values, vectors = np.linalg.eigh(unit @ B @ unit.T)
    values[np.abs(values) < _ROUNDING * np.abs(values).max()] = 0.0
    basis = vectors.T @ unit
    t = coordinate(1)
    return Parts(
        basis,
        tuple(sp.Float(v) * t**2 + sp.Float(c) * t for v, c in zip(values, basis @ linear, strict=True)),
    )


def _sum(target: Target, expr: sp.Expr) -> Parts | None:
    found = summands(expr, target.k)
    if not found:
        return None
    basis = np.array([as_floats(b) / np.linalg.norm(as_floats(b)) for _, b in found])
    return Parts(basis, tuple(f for f, _ in found))


def _product(target: Target, space: Subspace, expr: sp.Expr) -> Parts | None:
    """Return the factors of one coordinate each, along the basis of the directions."""
    latent = Latent.of(target, space, expr)
    factors: dict[sp.Symbol, sp.Expr] = {}
    for factor in sp.Mul.make_args(multiplied_out(latent.expr)):
        if len(factor.free_symbols) > 1:
            return None
        for t in factor.free_symbols:
            factors[t] = factors.get(t, sp.Integer(1)) * factor
    if set(factors) != set(latent.coordinates):
        return None
    one = coordinate(1)
    return Parts(
        latent.basis, tuple(factors[t].xreplace({t: one}) for t in latent.coordinates), multiplied=True
    )


def second_moments(parts: Parts) -> tuple[Array, float] | None:
    """Return E[m m^T], m = E[(t_a, t_a t_b - delta_ab) | y] along the basis, and an estimated error.

    None if a part is not finite, or oscillates too much for its roots to be followed.
    """
    try:
        lines = [_Line.of(f) for f in parts.functions]
        lowest = [_least_log(line) for line in lines] if parts.multiplied else []
    except (TooManyPiecesError, FloatingPointError):
        return None
    most = _MOST_NUMBERS // (1 + parts.r * (parts.r + 3) // 2)
    widths: list[Array] = []
    for bits in _BITS:
        spend(int(_PER_NUMBER * (2**bits) * (1 + parts.r * (parts.r + 3) // 2)))
        widths.append(_on_bins(parts, lines, lowest, 2**bits))
        if len(widths) >= 3:
            worse, better = (fine + (fine - coarse) / 3 for coarse, fine in pairwise(widths[-3:]))
            error = float(np.abs(better - worse).max())
            if error < _ENOUGH or 2 ** (bits + 1) > most:
                break
    return better, error + 1e-12


@dataclass(frozen=True)
class _Line:
    """A function of one direction by its monotone and flat pieces."""

    pieces: list[Piece]
    atoms: list[Atom]

    @classmethod
    def of(cls, f: sp.Expr) -> "_Line":
        """Return the pieces of f."""
        t = coordinate(1)
        value, slope = compiled(f, (t,)), compiled(slope_of(f, t), (t,))
        if not np.isfinite(value(np.linspace(-REACH, REACH, _TRIED))).all():
            raise FloatingPointError
        pieces: list[Piece] = []
        atoms: list[Atom] = []
        split(Branch(1.0, value, slope, breaks(f, t), lambda basic: basic[1:]), pieces, atoms)
        return cls(pieces, atoms)

    def range(self) -> tuple[float, float]:
        """Return the least and the largest value."""
        values = [x for p in self.pieces for x in (p.low, p.high)] + [a.value for a in self.atoms]
        return min(values), max(values)

    def highest_log(self) -> float:
        """Return the logarithm of the largest size of a value."""
        return float(np.log(max(map(abs, self.range()))))

    def laid(self, edges: Array) -> Array:
        """Return mass, E[t] and E[t^2 - 1] in the bins between rising values, shape (3, bins)."""
        N = np.zeros((3, len(edges) - 1))
        for piece in self.pieces:
            root = roots_of(piece, edges)
            N += _between(np.minimum(root[:-1], root[1:]), np.maximum(root[:-1], root[1:]))
        return N


def _between(a: Array, b: Array) -> Array:
    """Return the integrals of phi, t phi and (t^2 - 1) phi from a to b."""
    mass = np.where(a < 0, ndtr(b) - ndtr(a), ndtr(-a) - ndtr(-b))
    phi_a, phi_b = (np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi) for x in (a, b))
    return np.array([mass, phi_a - phi_b, a * phi_a - b * phi_b])


def _on_bins(parts: Parts, lines: Sequence[_Line], lowest: Sequence[float], bins: int) -> Array:
    """Return E[m m^T] from about so many bins of the label; lowest: the least log|y_b| of factors."""
    if not parts.multiplied:
        N = _convolved(_added(lines, bins, parts.noise_std), parts.r)
        return _total(N)
    both, difference = (_convolved(x, parts.r) for x in _factors(lines, lowest, bins))
    positive, negative = (both + difference) / 2, (both - difference) / 2
    rest = np.zeros((len(both), 1))
    rest[0] = 1.0
    rest -= both.sum(axis=1, keepdims=True)
    return _total(positive) + _total(negative) + (_total(rest) if rest[0, 0] > _LEAST_ATOM else 0.0)


def _total(N: Array) -> Array:
    """Return sum N N^T / N_1 over bins."""
    kept = N[:, N[0] > _ROUNDING * N[0].max(initial=0.0)]
    return np.asarray((kept[1:] / kept[0]) @ kept[1:].T)


def _added(lines: Sequence[_Line], bins: int, noise_std: float) -> list[Array]:
    """Return mass and moments of every summand on bins of one width, that of the noise last."""
    ranges = [line.range() for line in lines]
    width = (sum(high - low for low, high in ranges) + 2 * _NOISE_REACH * noise_std) / bins
    found = []
    for line, (low, high) in zip(lines, ranges, strict=True):
        edges = np.asarray(low + width * np.arange(-1.0, int(np.ceil((high - low) / width)) + 2))
        N = line.laid(edges)
        for atom in line.atoms:
            _put(N, atom, (atom.value - edges[0]) / width - 0.5)
        found.append(N)
    if noise_std:
        half = int(np.ceil(_NOISE_REACH * noise_std / width))
        found.append(np.diff(ndtr(width / noise_std * (np.arange(-half, half + 2) - 0.5)))[None])
    return found


def _put(N: Array, atom: Atom, place: float) -> None:
    """Add an atom to the two bins whose centres it lies between, in the shares that keep its mean."""
    left = int(np.clip(np.floor(place), 0, N.shape[1] - 2))
    share = float(np.clip(place - left, 0.0, 1.0))
    N[:, left] += atom.moments() * (1 - share)
    N[:, left + 1] += atom.moments() * share


def _factors(lines: Sequence[_Line], lowest: Sequence[float], bins: int) -> tuple[list[Array], list[Array]]:
    """Return mass and moments of log|y_b|: those of both signs together, and positive less negative ones."""
    highest = [line.highest_log() for line in lines]
    # Factors of one size each have a width of their own.
    width = max(1.0, sum(h - low for low, h in zip(lowest, highest, strict=True))) / bins
    both, difference = [], []
    for line, low, high in zip(lines, lowest, highest, strict=True):
        logs = low + width * np.arange(-1, max(1, int(np.ceil((high - low) / width))) + 2)
        edges = np.exp(logs)
        # The lowest bin takes all that is smaller.
        edges[0] = 0.0
        signed = [line.laid(edges), line.laid(-edges[::-1])[:, ::-1]]
        for atom, side in product(line.atoms, (0, 1)):
            if atom.value * (1 - 2 * side) > 0:
                _put(signed[side], atom, (np.log(abs(atom.value)) - logs[0]) / width - 0.5)
        both.append(signed[0] + signed[1])
        difference.append(signed[0] - signed[1])
    return both, difference


def _least_log(line: _Line) -> float:
    """Return a lower bound of log|y|, but for what is as rare as `_RARE`.

    Raises
    ------
    FloatingPointError
        If more than that is too small for floating point.
    """
    logs = np.linspace(_LEAST_LOG, line.highest_log(), _SIZES)
    edges = np.exp(logs)
    mass = line.laid(edges)[0] + line.laid(-edges[::-1])[0, ::-1]
    below = np.cumsum([line.laid(np.array([-edges[0], edges[0]]))[0, 0], *mass])
    for atom in line.atoms:
        if atom.value:
            below[logs > np.log(abs(atom.value))] += atom.moments()[0]
    if below[0] > _RARE:
        raise FloatingPointError
    return float(logs[below <= _RARE][-1])


def _convolved(laid: Sequence[Array], r: int) -> Array:
    """Return mass, E[t_a; y] and E[t_a t_b - delta_ab; y] on the bins of the whole, from those of the parts."""
    from scipy.fft import irfft, next_fast_len, rfft  # noqa: PLC0415 - what has no parts does without

    length = next_fast_len(sum(N.shape[1] for N in laid), real=True)
    parts = [rfft(N, length, axis=1) for N in laid]

    def others(*left_out: int) -> NDArray[np.complex128]:
        kept = [N[0] for i, N in enumerate(parts) if i not in left_out]
        return np.prod(kept, axis=0) if kept else np.ones_like(parts[0][0])

    rows = [others(), *(parts[a][1] * others(a) for a in range(r))]
    for a, b in combinations_with_replacement(range(r), 2):
        rows.append(parts[a][2] * others(a) if a == b else parts[a][1] * parts[b][1] * others(a, b))
    return np.array([irfft(row, length) for row in rows])
