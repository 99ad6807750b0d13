"""Which experiment can decide: activation, loss and step size with the clearest signal."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..numeric.engines.descent import silent_stops
from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..symbolic.errors import RebatchError
from ..symbolic.language.target import Target
from ..symbolic.overlap.network import Loss
from .power_law import Array

STEPS = 2
_BOUNDED: tuple[tuple[str, Loss], ...] = (("relu", "correlation"), ("tanh", "correlation"))
# sigma' is odd about 1/2 for ReLU and even for tanh: a polynomial is neither, and squared loss bends the signal.
_FURTHER: tuple[tuple[str, Loss], ...] = (("relu", "squared"), ("h + h^2/2 + h^3/6", "correlation"))
_ETAS = (0.02, 0.07, 0.25, 0.8)
# Of those surveyed, for targets with nothing to be learned: ReLU at a step size that moves the weights.
_USUAL = 2
# Expected scores at which a direction is seen beyond doubt, at any level that makes sense.
_CLEAR = 30.0
# Experiments with this share of the best expected score are as clear as the best.
_AS_CLEAR = 0.6
_SURVEY_POINTS, _SURVEY_SCRAMBLES = 2**13, 6
# A survey's signal counts beyond this many of its errors.
_SURVEY_ERRORS = 4.0


def chosen_experiments(
    target: Target,
    units: Array,
    wanted: NDArray[np.bool_],
    alpha: float,
    precision: float,
    seed: int,
    threads: int | None,
) -> list[Setting]:
    """Return the experiment for each direction: where those that are to be learned stand out most.

    One experiment for all if the weakest of them is clear in it, else each its own best. Of experiments that are
    about as clear, the one with the largest step, which moves the weights most.
    """
    surveyed: list[tuple[Setting, Array]] = []
    for family in (_BOUNDED, _FURTHER):
        for setting in _candidates(target, family, alpha):
            signal = _signals(setting, units, seed, threads)
            if signal is not None:
                surveyed.append((setting, signal * precision))
        if not wanted.any() or not surveyed:
            break
        weakest = [signal[wanted].min() for _, signal in surveyed]
        if max(weakest) >= _CLEAR:
            clear = [s for (s, _), w in zip(surveyed, weakest, strict=True) if w >= _AS_CLEAR * max(weakest)]
            return [max(clear, key=lambda s: s.eta)] * len(units)
    if not surveyed:
        raise RebatchError(f"no experiment with {target} has a finite limit")
    # Where nothing is to be learned any experiment will do: ReLU, which no parity spares, at a step that is felt.
    common = (
        max(surveyed, key=lambda s: s[1][wanted].sum())[0]
        if wanted.any()
        else surveyed[min(_USUAL, len(surveyed) - 1)][0]
    )
    best = []
    for column, ways in enumerate(wanted.T):
        weakest = [signal[ways, column].min() if ways.any() else 0.0 for _, signal in surveyed]
        best.append(surveyed[int(np.argmax(weakest))][0] if ways.any() else common)
    return best


def _candidates(target: Target, family: Sequence[tuple[str, Loss]], alpha: float) -> Iterator[Setting]:
    for activation, loss in family:
        for eta in _ETAS:
            yield Setting(target=target, activation=activation, loss=loss, alpha=alpha, eta=eta, steps=STEPS)


def _signals(setting: Setting, units: Array, seed: int, threads: int | None) -> Array | None:
    """Return |M v| over the noise of one run times sqrt(d), shape (fresh and reused, directions).

    None where the limit is not finite, or its errors say nothing.
    """
    result = np.zeros((2, len(units)))
    for reuse in (False, True):
        with silent_stops():
            limit = simulate(
                replace(setting, reuse=reuse), "limit", seed=seed, threads=threads, points=_SURVEY_POINTS,
                scrambles=_SURVEY_SCRAMBLES, rule="sobol",
            )  # fmt: skip
        if limit.interrupted:
            raise KeyboardInterrupt
        if limit.stopped:
            return None
        M, error = limit.M.values[-1, 0], limit.data["M_error"].values[-1, 0]
        C = limit.data["noise_covariance"].values[:STEPS, :STEPS, 0, 0]
        noise = setting.eta * np.sqrt(C[0, 0] + C[1, 1] + 2 * C[1, 0])
        size = np.abs(units @ M) - _SURVEY_ERRORS * np.abs(units) @ error
        result[int(reuse)] = np.maximum(size, 0.0) / noise if noise > 0 else 0.0
    return result
