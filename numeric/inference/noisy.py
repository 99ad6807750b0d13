"""Conditional second moments of a label with Gaussian noise of variance D, of up to three directions (theory, 9).

p(y | z) = N(g(z), D): mass and moments of the noiseless label, in bins much narrower than the noise, are convolved
with it before the means are taken. A bin of width w adds w^2/12 to the variance, which the kernel leaves out.
Where labels are so rare and so far apart that noise says nothing, beyond |z| = 5.6, they are taken as they are.
Labels that range too far against the noise for bins of one width have bins of equal probability instead, which the
noise spreads over bins as narrow as itself, to three or four digits.
"""

import numpy as np
from numpy.typing import NDArray

from ...symbolic.errors import TooLargeError
from .cells import label_moments, quantiles
from .cloud import spread
from .latent import Latent

Array = NDArray[np.float64]
# Along an axis, for so many axes.
_CELLS = {0: 768, 1: 196_608, 2: 768, 3: 96}
_PER_SIGMA = {0: 8, 1: 8, 2: 8, 3: 4}
_MAX_BINS = 1 << 21
_REACH = 9.0
# Noise says nothing of labels that are so many times farther apart.
_FAR = 100.0
_PER_RANGE = {0: 2048, 1: 2048, 2: 2048, 3: 512}
_MOST_PER_SIGMA = 4096
# The outermost of so many bins lie beyond |z| = 5.6.
_QUANTILES = 4096
_OF_EQUAL_MASS = 3072
_TO_SEE_ATOMS = 64
# Against the noise: so narrow that they count as atoms.
_ATOM_WIDTH = 1e-6


def second_moments(latent: Latent) -> tuple[Array, float]:
    """Return E[m m^T], m = E[f | y], and an estimated error, of a target with label noise."""
    axes = len(latent.continuous)
    cells, per_sigma = _CELLS[axes], _PER_SIGMA[axes]
    try:
        fine = _smoothed(latent, cells, per_sigma)
        coarse = _smoothed(latent, cells // 2, per_sigma // 2)
    except TooLargeError:
        fine = _spread_out(latent, cells, _OF_EQUAL_MASS)
        coarse = _spread_out(latent, cells // 2, _OF_EQUAL_MASS // 2)
        return fine + (fine - coarse) / 3, float(np.abs(fine - coarse).max())
    # Both widths halve: the error of the finer grid is a third of the change.
    better = fine + (fine - coarse) / 3
    return better, float(np.abs(fine - coarse).max()) / 3 + 1e-12


def _spread_out(latent: Latent, cells: int, bins: int) -> Array:
    """Return the same from bins of equal probability, atoms in narrow ones of their own."""
    sigma = latent.target.noise_std
    edges = quantiles(latent, bins)
    values = label_moments(latent, _TO_SEE_ATOMS, edges)[2]
    edges = np.unique(np.concatenate([edges, *(values + side * _ATOM_WIDTH * sigma for side in (-0.5, 0.5))]))
    N, atoms, values = label_moments(latent, cells, edges)
    at = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, N.shape[1] - 1)
    for row in range(len(N)):
        N[row] += np.bincount(at, atoms[row], minlength=N.shape[1])
    return _total(N @ spread(edges, sigma))


def _smoothed(latent: Latent, cells: int, per_sigma: int) -> Array:
    """Return E[G G] of the label with noise: moments in narrow bins, convolved with the noise."""
    sigma, per_range = latent.target.noise_std, _PER_RANGE[len(latent.continuous)]
    wide = quantiles(latent, _QUANTILES)
    far = wide[1] - wide[0] > _FAR * sigma, wide[-1] - wide[-2] > _FAR * sigma
    low, high = wide[1] if far[0] else wide[0], wide[-2] if far[1] else wide[-1]
    # Narrow against the range of the label too, unless the noise is so wide that it no longer matters.
    width = min(sigma, max((high - low) / per_range, sigma / _MOST_PER_SIGMA)) / per_sigma
    reach = _REACH * sigma
    count = int(np.ceil((high - low) / width)) + 1
    if count > _MAX_BINS:
        raise TooLargeError(
            f"label noise {sigma:g} on a label from {low:.3g} to {high:.3g} needs {count} bins; "
            f"allowed are {_MAX_BINS}: a larger noise_std, or none"
        )
    inside = low - width + width * np.arange(count + 3)
    count += 2
    edges = np.concatenate([[min(wide[0], low) - width], inside, [max(wide[-1], inside[-1]) + width]])
    N, atoms, values = label_moments(latent, cells, edges)
    body, rest = N[:, 1:-1], N[:, [0, -1]]
    for outer, inner, apart in ((0, 0, far[0]), (1, -1, far[1])):
        if not apart:
            body[:, inner] += rest[:, outer]
            rest[:, outer] = 0.0
    _put(body, atoms, (values - inside[0]) / width - 0.5)
    half = int(np.ceil(reach / width))
    steps = width * np.arange(-half, half + 1)
    kernel = np.exp(-(steps**2) / (2 * (sigma**2 - width**2 / 12)))
    kernel /= kernel.sum()
    from scipy.signal import fftconvolve  # noqa: PLC0415 - half a second that labels without noise do without

    smooth = fftconvolve(body, kernel[None, :], axes=1)
    return _total(smooth) + _total(rest)


def _put(body: Array, atoms: Array, place: Array) -> None:
    """Add atoms to the two bins whose centres they lie between, in the shares that keep their mean."""
    count = body.shape[1]
    left = np.clip(np.floor(place).astype(int), 0, count - 2)
    share = np.clip(place - left, 0.0, 1.0)
    for row in range(len(body)):
        body[row] += np.bincount(left, atoms[row] * (1 - share), minlength=count)
        body[row] += np.bincount(left + 1, atoms[row] * share, minlength=count)


def _total(N: Array) -> Array:
    """Return sum N N^T / N_1; what the transform leaves as rounding is left out."""
    kept = N[:, N[0] > 1e-15 * N[0].max(initial=0.0)]
    return np.asarray((kept[1:] / kept[0]) @ kept[1:].T) if kept.size else np.zeros((len(N) - 1,) * 2)
