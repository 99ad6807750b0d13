"""Latent coordinates of any law, as numbers: draws, quantiles, all values, and the target at them (theory, 13).

A network sees the standardised coordinate (z - mean) / standard deviation, of mean 0 and variance 1; the target sees
z. Values of a finite law are looked up, so that a target of theirs is evaluated at the numbers that were named.
"""

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..symbolic.errors import RebatchError
from ..symbolic.language.law import Law
from ..symbolic.language.target import Target

Array = NDArray[np.float64]
# Points of the product of finite laws that are gone through one by one; beyond, coordinates are sampled.
MAX_LATTICE = 2**12
# How far a coordinate of given data may be from a value of the law, relative to the step between values.
_ROUNDING = 1e-3


@cache
def values_of(law: Law) -> tuple[Array, Array, Array]:
    """Return the values of a finite law, their standardised form in rising order, and the probabilities."""
    rising = sorted(law.atoms)
    values = np.array([float(a) for a, _ in rising])
    standardised = (values - float(law.mean)) / np.sqrt(float(law.variance))
    return values, standardised, np.array([float(p) for _, p in rising])


@lru_cache(maxsize=8)
def lattice(law: Law, k: int) -> tuple[Array, Array] | None:
    """Return every point of k standardised coordinates, shape (k, points), and its probability.

    None where a coordinate has a density, or there are more than 4096 points. Their order is a fixed shuffle:
    consecutive points take consecutive pieces of a Sobol sequence, whose errors alternate with the bits of their
    number, and so would the last coordinate.
    """
    if not law.is_finite or law.points(k) > MAX_LATTICE:
        return None
    laws = law.each(k)
    digits = np.indices(tuple(len(part.atoms) for part in laws)).reshape(k, -1)
    digits = digits[:, np.random.default_rng(0).permutation(digits.shape[1])]
    tables = [values_of(part) for part in laws]
    standardised = np.stack([table[1][row] for table, row in zip(tables, digits, strict=True)])
    weights = np.stack([table[2][row] for table, row in zip(tables, digits, strict=True)])
    return standardised, np.prod(weights, axis=0)


def quantile(law: Law, uniform: Array) -> Array:
    """Return the standardised coordinate at probabilities in (0, 1), a row of them for each where laws differ."""
    if law.parts:
        return np.stack([quantile(part, row) for part, row in zip(law.parts, uniform, strict=True)])
    if law.atoms:
        _, standardised, weights = values_of(law)
        return np.asarray(standardised[np.searchsorted(np.cumsum(weights)[:-1], uniform, side="right")])
    if law.family == "uniform":
        return np.asarray(np.sqrt(3) * (2 * uniform - 1))
    if law.family == "laplace":
        tail = np.log(2 * np.minimum(uniform, 1 - uniform)) / np.sqrt(2)
        return np.asarray(np.where(uniform < 0.5, tail, -tail))
    if law.freedom is not None:
        nu = float(law.freedom)
        return np.asarray(np.sqrt((nu - 2) / nu) * special.stdtrit(nu, uniform))
    return np.asarray(special.ndtri(uniform))


def draw(law: Law, rng: np.random.Generator, size: int | tuple[int, ...]) -> Array:
    """Return independent standardised coordinates; where laws differ the last axis goes through them."""
    if law.parts:
        assert isinstance(size, tuple)
        return np.stack([draw(part, rng, size[:-1]) for part in law.each(size[-1])], axis=-1)
    if law.is_gaussian:
        return rng.standard_normal(size)
    if law.is_boolean:
        return np.asarray(2.0 * rng.integers(0, 2, size) - 1.0)
    if law.family == "uniform":
        return rng.uniform(-np.sqrt(3), np.sqrt(3), size)
    if law.family == "laplace":
        return rng.laplace(scale=np.sqrt(0.5), size=size)
    if law.freedom is not None:
        nu = float(law.freedom)
        return np.asarray(np.sqrt((nu - 2) / nu) * rng.standard_t(nu, size))
    return quantile(law, rng.random(size))


def target_at(target: Target, z: Array) -> Array:
    """Return g, without noise, at rows of standardised coordinates, shape (n,).

    Raises
    ------
    RebatchError
        If it is not finite there; or the law has finitely many values, and a coordinate is none of them.
    """
    law = target.inputs
    with np.errstate(all="ignore"):
        y = target(_as_written(law, z))
    if not np.isfinite(y).all():
        where = f"at all values of inputs {law}" if law.is_finite else f"on the whole of R^{target.k}"
        raise RebatchError(f"the target {target} is not finite {where}")
    return y


def draw_rows(law: Law, rng: np.random.Generator, room: NDArray[Any]) -> None:
    """Fill rows of inputs: all entries of one law; of laws that differ the first columns, Gaussian the others."""
    if law.parts:
        rng.standard_normal(dtype=room.dtype, out=room)
        room[:, : len(law.parts)] = draw(law, rng, (len(room), len(law.parts)))
    elif law.is_gaussian:
        rng.standard_normal(dtype=room.dtype, out=room)
    else:
        room[...] = draw(law, rng, room.shape)


def _as_written(law: Law, z: Array) -> Array:
    """Return what a target sees of rows of standardised coordinates: the values of a finite law, densities as is."""
    if law.parts:
        return np.stack([_as_written(part, z[:, i]) for i, part in enumerate(law.parts)], axis=1)
    if not law.atoms:
        return z
    values, standardised, _ = values_of(law)
    place = np.searchsorted((standardised[1:] + standardised[:-1]) / 2, z)
    if np.abs(standardised[place] - z).max(initial=0.0) > _ROUNDING * np.diff(standardised).min():
        raise RebatchError(
            f"a latent coordinate of the data is none of the values of inputs {law}; allowed are directions along "
            f"columns of {', '.join(f'{x:.4g}' for x in standardised)}"
        )
    return values[place]
