"""Which experiment can decide: activation, loss and step size with the clearest signal."""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..numeric.engines.descent import silent_stops
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..symbolic.errors import RebatchError
from ..symbolic.language.target import Target
from ..symbolic.overlap.network import Loss
from .power_law import Array

_log = logging.getLogger(__name__)

_BOUNDED: tuple[tuple[str, Loss], ...] = (("relu", "correlation"), ("tanh", "correlation"))
# sigma' is odd about 1/2 for ReLU and even for tanh: a polynomial is neither, and squared loss bends the signal.
_FURTHER: tuple[tuple[str, Loss], ...] = (("relu", "squared"), ("h + h^2/2 + h^3/6", "correlation"))
_ETAS = (0.02, 0.07, 0.25, 0.8)
# For directions that these leave below the noise: h with a bias for even orders, odd activations that the loss bends,
# at steps that move the weights far.
_LAST: tuple[tuple[str, Loss], ...] = (
    ("h + h^2/2", "correlation"),
    ("tanh", "squared"),
    ("relu", "correlation"),
    ("h^2/2 + h^3/6", "correlation"),
)
_LARGE_ETAS = (0.4, 1.2, 2.5)
# Of those surveyed, for targets with nothing to be learned: ReLU at a step size that moves the weights.
_USUAL = 2
# Expected scores at which a direction is seen beyond doubt, at any level that makes sense.
_CLEAR = 30.0
# Experiments with this share of the best expected score are as clear as the best.
_AS_CLEAR = 0.6
_SURVEY_POINTS, _SURVEY_SCRAMBLES = 2**13, 6
# A survey's signal counts beyond this many of its errors.
_SURVEY_ERRORS = 4.0


@dataclass(frozen=True)
class Choice:
    """The experiment for one direction and one way to use data.

    Attributes
    ----------
    setting : Setting
    score : float
        The prediction over the standard error of the mean over runs that is to be expected, at the largest d.
    """

    setting: Setting
    score: float


def chosen_experiments(
    target: Target,
    units: Array,
    shows: NDArray[np.int64],
    steps: tuple[int, int],
    alpha: float,
    precision: float,
    needed: float,
    seed: int,
    threads: int | None,
) -> tuple[tuple[Choice, ...], tuple[Choice, ...]]:
    """Return the experiment for each direction, on fresh batches and on a reused one: where it stands out most.

    shows: the step at which each direction is to show, shape (fresh and reused, directions); 0 where at none. steps:
    how many are taken on fresh batches and on a reused one.

    One experiment for all if the weakest of them is clear in it, else each its own best. Of experiments that are
    about as clear, the one with the largest step, which moves the weights most. The search goes on to further
    activations and steps while some direction that is to be learned scores less than `needed`; where one still does
    in the end, its choice says so by its score.
    """
    surveyed: list[tuple[Setting, Array]] = []
    wanted = shows > 0
    for family, etas in ((_BOUNDED, _ETAS), (_FURTHER, _ETAS), (_LAST, _LARGE_ETAS)):
        if family is _LAST and _least_best(surveyed, wanted) >= needed:
            break
        for setting in _candidates(target, family, etas, alpha):
            signal = _signals(setting, units, np.where(wanted, shows, steps[1]), steps, seed, threads)
            if signal is not None:
                surveyed.append((setting, signal * precision))
                _log.info(
                    "survey of %s: %s standard errors", setting, np.round(signal * precision, 1).tolist()
                )
        if not wanted.any():
            break
        weakest = [signal[wanted].min() for _, signal in surveyed]
        if surveyed and max(weakest) >= _CLEAR:
            clear = [s for s, w in zip(surveyed, weakest, strict=True) if w >= _AS_CLEAR * max(weakest)]
            setting, signal = max(clear, key=lambda s: s[0].eta)
            fresh, reused = (tuple(Choice(setting, float(x)) for x in way) for way in signal)
            return fresh, reused
    if not surveyed:
        raise RebatchError(f"no experiment with {target} has a finite limit")
    # Where nothing is to be learned any experiment will do: ReLU, which no parity spares, at a step that is felt.
    common = (
        max(surveyed, key=lambda s: s[1][wanted].sum())[0]
        if wanted.any()
        else surveyed[min(_USUAL, len(surveyed) - 1)][0]
    )
    fresh, reused = (
        tuple(_best(surveyed, way, column, common, is_wanted=bool(asked)) for column, asked in enumerate(row))
        for way, row in enumerate(wanted)
    )
    return fresh, reused


def _best(
    surveyed: Sequence[tuple[Setting, Array]], way: int, column: int, common: Setting, *, is_wanted: bool
) -> Choice:
    """Return the experiment in which one direction stands out most; the common one where none shows it."""
    if not is_wanted:
        return Choice(common, 0.0)
    setting, signal = max(surveyed, key=lambda s: s[1][way, column])
    score = float(signal[way, column])
    return Choice(setting if score else common, score)


def _least_best(surveyed: Sequence[tuple[Setting, Array]], wanted: NDArray[np.bool_]) -> float:
    """Return the best score of the direction and way that is worst off."""
    if not (surveyed and wanted.any()):
        return np.inf if surveyed else 0.0
    return float(np.max([signal[wanted] for _, signal in surveyed], axis=0).min())


def _candidates(
    target: Target, family: Sequence[tuple[str, Loss]], etas: Sequence[float], alpha: float
) -> Iterator[Setting]:
    for activation, loss in family:
        for eta in etas:
            yield Setting(target=target, activation=activation, loss=loss, alpha=alpha, eta=eta, steps=1)


def _signals(
    setting: Setting,
    units: Array,
    at: NDArray[np.int64],
    steps: tuple[int, int],
    seed: int,
    threads: int | None,
) -> Array | None:
    """Return |M v| over the noise of one run times sqrt(d), shape (fresh and reused, directions); within errors 0.

    at: the step at which each is looked at, of the same shape. None where the limit is not finite, or its errors say
    nothing.
    """
    result = np.zeros((2, len(units)))
    for reuse in (False, True):
        with silent_stops():
            limit = simulate(
                replace(setting, reuse=reuse, steps=steps[reuse]), "limit", seed=seed, threads=threads,
                points=_SURVEY_POINTS, scrambles=_SURVEY_SCRAMBLES, rule="sobol",
            )  # fmt: skip
        if limit.interrupted:
            raise KeyboardInterrupt
        if limit.stopped:
            return None
        after = np.minimum(at[int(reuse)], steps[reuse])
        M, error = limit.M.values[after, 0], limit.data["M_error"].values[after, 0]
        C = limit.data["noise_covariance"].values[:, :, 0, 0]
        noise = np.array([setting.eta * np.sqrt(_total(C[:t, :t])) for t in after])
        size = np.abs((units * M).sum(axis=1))
        seen = (size > _SURVEY_ERRORS * (np.abs(units) * error).sum(axis=1)) & (noise > 0)
        result[int(reuse)] = np.where(seen, size, 0.0) / np.where(noise > 0, noise, 1.0)
    return result


def _total(covariance: Array) -> float:
    """Return the sum of a symmetric matrix of which the lower triangle is known."""
    lower = np.tril(covariance)
    return float(2 * lower.sum() - np.trace(lower))
