"""The grand staircase: what is known of some directions lowers the thresholds of others (theory, 9; [T24]).

With S learned to the overlap Q(alpha) at which uninformed message passing on S comes to rest, a trace of the other
directions grows where

    alpha > 1 / (the largest eigenvalue of A -> E[G A G]),  G = E[z z^T | y, omega] - I on the complement of S,

omega ~ N(0, Q(alpha)) the estimate along S. The trivial directions, or else those of the first threshold, are
learned first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq

from ...symbolic.errors import RebatchError
from ...symbolic.exact.known import How
from ...symbolic.exact.shown import Sheet, Tabulated
from ...symbolic.exact.subspace import Subspace, Vector, in_words
from ...symbolic.language.target import Target
from ...symbolic.learnability.reading import read
from ...symbolic.thresholds.invertible import without_invertible
from ...symbolic.thresholds.threshold import Stage
from .cloud import Cloud
from .latent import Latent
from .stability import Instability, as_subspace, instability, pair_tensor
from .state_evolution import iterate, uninformed
from .threshold import unit_rows, weak_recovery_threshold

Array = NDArray[np.float64]
# Beyond it no threshold is looked for.
_LARGEST_ALPHA = 64.0
_SHARE = 1e-5
_PRECISION = 1e-4
# E[K K^T] or 1/alpha of less than this is the error of the quadrature.
_NOTHING = 1e-4
# The search begins so far beyond the threshold before, where message passing comes to rest in few steps, and on the
# fine grid so far around the answer of the coarse one.
_AROUND = 0.01


@dataclass(frozen=True)
class GrandStaircase(Tabulated):
    """The thresholds of Bayes-optimal message passing, stage by stage, with what is known by then.

    Attributes
    ----------
    target : Target
    stages : tuple of Stage
        The trivial one first.
    overlaps : tuple of ndarray
        The squared cosines of the directions of the stages before, at each threshold.
    """

    target: Target
    stages: tuple[Stage, ...]
    overlaps: tuple[Array, ...]

    def records(self) -> list[dict[str, Any]]:
        """Return a row for each stage, the trivial one first."""
        return [
            {"stage": number, **stage.record(), "known": [round(float(q), 4) for q in known]}
            for number, (stage, known) in enumerate(zip(self.stages, self.overlaps, strict=True))
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the stages."""
        rows = tuple(
            (
                ", ".join(map(in_words, stage.directions)) or "none",
                stage.number(),
                ", ".join(f"{q:.3f}" for q in known) or "nothing",
                str(stage.how),
                stage.proof,
            )
            for stage, known in zip(self.stages, self.overlaps, strict=True)
        )
        head = ("directions", "alpha_c", "squared cosines known by then", "how known", "proof")
        return (Sheet(head, rows, f"y = {self.target.text}"),)

    def to_json(self) -> dict[str, Any]:
        """Return the stages as of a threshold, each with the squared cosines known by then."""
        return {
            "target": self.target.text,
            "stages": [
                {**stage.to_json(), "known": known.tolist()}
                for stage, known in zip(self.stages, self.overlaps, strict=True)
            ],
        }

    def __str__(self) -> str:
        return "\n".join(
            [f"y = {self.target.text}"]
            + [f"stage {n}: {stage}" if n else f"trivial: {stage}" for n, stage in enumerate(self.stages)]
        )


def grand_staircase(target: Target | str, *, noise_std: float | None = None) -> GrandStaircase:
    """Return the thresholds at which further directions become unstable, given what is known of the earlier ones.

    Parameters
    ----------
    target : Target or str
        Directions learned together with those of which not only the sign counts are two at most.
    noise_std : float, optional
        Standard deviation of the label noise; by default the target's own.

    Returns
    -------
    GrandStaircase
        Stages: the trivial one, and what :func:`~rebatch.weak_recovery_threshold` says of the first one if nothing is
        trivial; then numbers, with twice the change from a grid half as fine as their error. A stage beyond alpha =
        64, or one that needs more than two axes of integration, is undecided.

    Raises
    ------
    RebatchError
        As :func:`~rebatch.weak_recovery_threshold`.

    References
    ----------
    [T24]; theory, 9.

    Examples
    --------
    >>> [round(stage.alpha, 2) for stage in grand_staircase("sign(z1)*z2^2").stages]
    [0.0, 0.5]
    """
    target = Target(target, noise_std=noise_std)
    answer = weak_recovery_threshold(target, max_degree=1)
    reading = read(target)
    stages = list(answer.stages[: 1 if answer.stages[0].directions else 2])
    overlaps = [np.zeros(0) for _ in stages]
    known = Subspace.span([v for stage in stages for v in stage.directions], reading.k)
    while (left := known.within(reading.relevant)).dimension and _is_told(stages[-1]):
        stage, q = _next(target, known, left, stages[-1].alpha)
        stages.append(stage)
        overlaps.append(q)
        known = known + Subspace.span(stage.directions, reading.k)
    return GrandStaircase(target, tuple(stages), tuple(overlaps))


def _is_told(stage: Stage) -> bool:
    """Whether a stage has a finite threshold to go on from."""
    number = stage.how is not How.UNDECIDED or stage.alpha == 0
    return number and np.isfinite(stage.alpha) and bool(stage.directions)


def _next(target: Target, known: Subspace, left: Subspace, after: float) -> tuple[Stage, Array]:
    """Return the stage after the threshold of what is known, and the squared cosines there."""
    vectors = [*known.orthogonal_basis(), *left.orthogonal_basis()]
    latent = Latent.along(
        target, vectors, target.expr if target.noise_std else without_invertible(target.expr)
    )
    try:
        rough = _Growth(Cloud(latent, known.dimension, coarser=2))
        fine = _Growth(Cloud(latent, known.dimension))
    except RebatchError as reason:
        return _undecided(left, after, str(reason)), np.zeros(0)
    coarse = rough.threshold(after)
    alpha = None if coarse is None else fine.threshold(after, near=coarse)
    if coarse is None or alpha is None:
        words = f"no trace of them grows up to alpha = {_LARGEST_ALPHA:g}"
        return _undecided(left, _LARGEST_ALPHA, words), np.zeros(0)
    span = fine.at(max(alpha, (1 + _AROUND) * after)).span
    found = as_subspace(span @ unit_rows(left), left.ambient)
    directions = left if found.dimension == left.dimension else found
    # Where all of S is known but for the width of a cell, the error falls no faster than this width.
    error = 2 * abs(alpha - coarse) + (_AROUND if alpha == after else _PRECISION) * alpha
    proof = "1/alpha = |E[G . G]| at the overlaps that message passing reaches on the directions before"
    stage = Stage(directions.orthogonal_basis(), alpha, How.NUMERIC, error, None, proof)
    return stage, np.flip(np.linalg.eigvalsh(fine.overlap(max(alpha, (1 + _AROUND) * after))))


def _undecided(left: Subspace, after: float, reason: str) -> Stage:
    basis: tuple[Vector, ...] = tuple(left.orthogonal_basis())
    return Stage(basis, after, How.UNDECIDED, float("inf"), None, reason)


class _Growth:
    """How a trace of the hidden directions grows at the overlaps reached on the learned ones."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.square: Callable[[Array], Array] = lambda Q: cloud.told(Q).square
        self.reached: dict[float, Array] = {0.0: uninformed(self.square(np.zeros((cloud.learned,) * 2)))}

    def overlap(self, alpha: float) -> Array:
        """Return the overlaps at which message passing comes to rest, from those of a smaller alpha on."""
        if alpha not in self.reached:
            start = self.reached[max(a for a in self.reached if a < alpha)]
            largest = self.cloud.largest_overlap
            self.reached[alpha] = iterate(self.square, alpha, start, largest, share=_SHARE)[0][-1]
        return self.reached[alpha]

    def at(self, alpha: float) -> Instability:
        """Return 1/alpha of the hidden directions at these overlaps, infinite where E[K K^T] already shows some."""
        told = self.cloud.told(self.overlap(alpha))
        values, vectors = np.linalg.eigh(told.first)
        if values[-1] > _NOTHING:
            return Instability(float("inf"), vectors[:, values > _NOTHING].T)
        hidden = self.cloud.hidden
        return instability(pair_tensor(told.second, hidden, np.eye(hidden)), _NOTHING)

    def excess(self, alpha: float) -> float:
        """Return by how much a step enlarges a trace, as a logarithm that is kept finite."""
        return float(np.clip(np.log(max(alpha * self.at(alpha).eigenvalue, 1e-300)), -1.0, 1.0))

    def threshold(self, after: float, near: float | None = None) -> float | None:
        """Return the least alpha above which a trace grows, `after` if that is close; None if there is none."""
        low = max((1 + _AROUND) * after, _PRECISION)
        if self.excess(low) >= 0:
            return after
        high = 2 * low
        if near is not None and near * (1 - _AROUND) > low and self.excess(near * (1 - _AROUND)) < 0:
            low, high = near * (1 - _AROUND), near * (1 + _AROUND)
        while self.excess(high) < 0:
            if high >= _LARGEST_ALPHA:
                return None
            low, high = high, min(2 * high, _LARGEST_ALPHA)
        return float(brentq(self.excess, low, high, rtol=_PRECISION, xtol=_PRECISION * low))
