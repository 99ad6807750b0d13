"""When uninformed message passing becomes unstable: the largest eigenvalue of F(A) = E[G A G] (theory, 9)."""

from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations_with_replacement

import numpy as np
from flint import fmpq
from numpy.typing import NDArray

from ...symbolic.exact.expectation import Expectation
from ...symbolic.exact.irrational import Real
from ...symbolic.exact.subspace import Subspace, Vector, primitive

Array = NDArray[np.float64]
# Eigenvalues of F closer than this share of the largest are one: well above the error of the coarsest quadrature.
_DEGENERATE = 0.01
_PRESENT = 1e-4
_DENOMINATOR = 24
_RATIONAL = 1e-6


@dataclass(frozen=True)
class Instability:
    """The largest eigenvalue of F on some directions.

    Attributes
    ----------
    eigenvalue : float
        1 / alpha_c.
    span : ndarray, shape (s, w)
        Orthonormal rows: the directions, in the coordinates asked about, of the top eigenmatrices.
    """

    eigenvalue: float
    span: Array


def instability(tensor: Array, doubt: float = 0.0) -> Instability:
    """Return the top of F for E[G_ab G_cd], shape (w, w, w, w), whose eigenvalues are uncertain by `doubt`."""
    w = len(tensor)
    units = []
    for i, j in combinations_with_replacement(range(w), 2):
        unit = np.zeros((w, w))
        unit[i, j] = unit[j, i] = 1.0 if i == j else np.sqrt(0.5)
        units.append(unit)
    basis = np.array(units)
    images = np.einsum("abcd,nbc->nad", tensor, basis)
    F = np.einsum("mad,nad->mn", basis, images)
    values, vectors = np.linalg.eigh((F + F.T) / 2)
    top = float(values[-1])
    chosen = vectors[:, values >= top - max(_DEGENERATE * abs(top), 2 * doubt)]
    matrices = np.einsum("nm,nab->mab", chosen, basis)
    left, size, _ = np.linalg.svd(np.hstack(list(matrices)))
    rank = int((size > _PRESENT**0.5 * size[0]).sum())
    return Instability(top, left[:, :rank].T)


def pair_tensor(second: Array, r: int, onto: Array) -> Array:
    """Return E[G_ab G_cd] on the rows of `onto`, from the moments of the pairs a <= b in the coordinates of r."""
    pairs = list(combinations_with_replacement(range(r), 2))
    full = np.zeros((r, r, r, r))
    for m, (a, b) in enumerate(pairs):
        for n, (c, d) in enumerate(pairs):
            for i, j in {(a, b), (b, a)}:
                for p, q in {(c, d), (d, c)}:
                    full[i, j, p, q] = second[m, n]
    return np.asarray(np.einsum("abcd,ia,jb,kc,ld->ijkl", full, onto, onto, onto, onto, optimize=True))


def as_subspace(rows: Array, k: int) -> Subspace:
    """Return the span of float vectors, with rational entries where they are simple."""
    if not len(rows):
        return Subspace.zero(k)
    return Subspace.span([_recognised(v) for v in _reduced(rows)], k)


def _reduced(rows: Array) -> Array:
    """Return the reduced row echelon form, pivots where entries are largest."""
    reduced = np.array(rows, dtype=float)
    used: list[int] = []
    for i in range(len(reduced)):
        column = int(np.argmax(np.where(np.isin(np.arange(reduced.shape[1]), used), 0, np.abs(reduced[i]))))
        used.append(column)
        reduced[i] /= reduced[i, column]
        for j in range(len(reduced)):
            if j != i:
                reduced[j] -= reduced[j, column] * reduced[i]
    return reduced[np.argsort(used)]


def _recognised(vector: Array) -> Vector:
    fractions = [Fraction(float(x)).limit_denominator(_DENOMINATOR) for x in vector]
    if max(abs(float(f) - x) for f, x in zip(fractions, vector, strict=True)) < _RATIONAL:
        return primitive([fmpq(f.numerator, f.denominator) for f in fractions])
    entries = [
        Real(Expectation.numeric(float(x), _RATIONAL)) if abs(x) > _PRESENT else fmpq(0) for x in vector
    ]
    return tuple(entries)
