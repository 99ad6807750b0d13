"""Which part of the samples takes part in which step, as d -> infinity (theory, 8).

A sample takes part in step t with a mask m_t in {0, 1} that does not depend on the data. Where the masks fall into a
few kinds (a cyclic block, the blocks of the first epochs) these are strata, each with samples of its own and a
weight: exact. Otherwise a sample draws its mask, from coordinates of its own. Either way an expectation at step t is
taken with P(m_t = 1 | m_0 … m_{t-1}) instead of m_t, and m_t only decides what the sample remembers: a sample that
may or may not be in the batch counts for 1/B of one, which has the smaller variance.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .setting import Setting

Array = NDArray[np.float64]

# Strata of a reshuffled schedule: more of them would leave too few samples in each.
_MOST_STRATA = 64
# Paths of a sampled schedule that a tensor grid takes one by one.
_MOST_PATHS = 1024


@dataclass(frozen=True)
class Masks:
    """The masks of some samples at each step.

    Attributes
    ----------
    chance : ndarray, shape (steps + 1, 1) or (steps + 1, n)
        P(m_t = 1 | the earlier ones).
    taken : ndarray of bool, of the same shape
        m_t.
    weight : float
        The share of all samples that have these.
    """

    chance: Array
    taken: NDArray[np.bool_]
    weight: float = 1.0


class MaskPlan:
    """How the masks of a setting are integrated: strata, and the epochs or steps that are sampled beyond them.

    Attributes
    ----------
    parts : int
        B.
    blocks : ndarray of int, shape (strata, epochs in the strata)
        The block of each stratum's samples in the epochs that are exact.
    choices : int
        Uniform numbers that a sample needs for the rest of its masks.
    """

    def __init__(self, setting: Setting) -> None:
        self.parts = setting.batches if isinstance(setting.batches, int) else 1
        steps = range(setting.steps + 1)
        self._schedule = "full" if self.parts == 1 else setting.schedule
        self._steps = np.array([-1 if t in setting.fresh_at else setting.position(t) for t in steps])
        self._last = last = int(self._steps.max())
        epochs = last // self.parts + 1
        if self._schedule == "cyclic":
            exact, self.choices = 1, 0
        elif self._schedule == "reshuffled":
            exact = 1
            while exact < epochs and self.parts ** (exact + 1) <= _MOST_STRATA:
                exact += 1
            self.choices = epochs - exact
        else:
            # Of the last batch it does not matter who was in it, unless it is looked at again.
            drawn = last + int(setting.repeats > 1 or setting.rho != 0)
            exact, self.choices = 0, (drawn if self._schedule == "with replacement" else 0)
        kinds = list(product(range(self.parts), repeat=exact))
        self.blocks = np.array(kinds, dtype=int).reshape(len(kinds), exact)

    @property
    def trivial(self) -> bool:
        """Whether every sample takes part in every step."""
        return self.parts == 1

    def masks(self, stratum: int, uniform: Array) -> Masks:
        """Return the masks of samples of a stratum, with their uniform numbers, shape (choices, n)."""
        if self._schedule == "full":
            return self._at_steps(np.ones((1, 1)), np.ones((1, 1), dtype=bool))
        if self._schedule == "with replacement":
            taken = np.zeros((self._last + 1, uniform.shape[1]), dtype=bool)
            taken[: self.choices] = uniform < 1 / self.parts
            return self._at_steps(np.full((self._last + 1, 1), 1 / self.parts), taken)
        order = np.arange(self.parts)[:, None]
        taken = np.concatenate([order == block for block in self.blocks[stratum]])
        chance = taken.astype(np.float64)
        for block in np.floor(uniform * self.parts):
            here = order == block
            before = np.cumsum(here, axis=0) - here
            chance = _below(chance, (1 - before) / (self.parts - order))
            taken = _below(taken, here)
        return self._at_steps(chance, taken)

    def paths(self) -> Iterator[Masks]:
        """Yield every stratum, and every outcome of what is sampled, with its probability."""
        outcomes = self._outcomes()
        for stratum in range(len(self.blocks)):
            for uniform, probability in outcomes:
                masks = self.masks(stratum, uniform[:, None])
                yield Masks(masks.chance, masks.taken, probability / len(self.blocks))

    @property
    def countable(self) -> bool:
        """Whether there are few enough paths to take all of them."""
        each = self.parts if self._schedule == "reshuffled" else 2
        return bool(self.choices * np.log(each) + np.log(len(self.blocks)) <= np.log(_MOST_PATHS))

    def _outcomes(self) -> list[tuple[Array, float]]:
        if self._schedule == "with replacement":
            sides: tuple[tuple[float, float], ...] = ((0.0, 1 / self.parts), (1.0, 1 - 1 / self.parts))
        else:
            sides = tuple(((block + 0.5) / self.parts, 1 / self.parts) for block in range(self.parts))
        return [
            (np.array([value for value, _ in path]), float(np.prod([share for _, share in path])))
            for path in product(sides, repeat=self.choices)
        ]

    def _at_steps(self, chance: Array, taken: NDArray[np.bool_]) -> Masks:
        """Return the masks of all steps from those of the batches; in a step on fresh samples nobody takes part."""
        position = self._steps % len(chance) if self._schedule in {"full", "cyclic"} else self._steps
        chance, taken = chance[position], taken[position]
        away = self._steps < 0
        again = np.ones(len(away), dtype=bool)
        again[np.unique(self._steps, return_index=True)[1]] = False
        if self._schedule != "full" and again.any():
            chance = np.where(again[:, None], taken, chance)
        return Masks(np.where(away[:, None], 0.0, chance), taken & ~away[:, None])


def _below(upper: NDArray[Any], lower: NDArray[Any]) -> NDArray[Any]:
    """Return one array of rows under the other, the narrower one broadcast."""
    width = max(upper.shape[1], lower.shape[1])
    return np.concatenate([np.broadcast_to(rows, (len(rows), width)) for rows in (upper, lower)])
