"""The three stages of theory, 11, run at finite d: two steps on one batch, one pass from there, a readout."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from .engines.descent import silent_stops
from .one_pass import Plan
from .readout import Readout, ridge_readout
from .setting import Setting
from .simulate import simulate
from .trajectory import Trajectory

Array = NDArray[np.float64]

_BIASES = np.linspace(-3, 3, 13)
# Fresh samples that measure a test loss.
_TEST = 50_000


@dataclass(frozen=True)
class Measured:
    """The chain at one dimension, a number per run.

    Attributes
    ----------
    d : int
    start, overlap : tuple of float
        m after the two steps and after the one pass.
    loss : tuple of float
        Test loss after the readout.
    """

    d: int
    start: tuple[float, ...]
    overlap: tuple[float, ...]
    loss: tuple[float, ...]


def mean_and_error(values: Sequence[float] | Array) -> tuple[float, float]:
    """Return the mean and its standard error, which is NaN for one value."""
    x = np.array(values)
    return float(x.mean()), float(x.std(ddof=1) / sqrt(len(x))) if len(x) > 1 else float("nan")


@dataclass(frozen=True)
class Chain:
    """What is run.

    Attributes
    ----------
    setting : Setting
        Of the two steps, one neuron.
    plan : Plan
        Of the one pass.
    samples : int
        Of the readout.
    seed : int
    threads : int or None
    """

    setting: Setting
    plan: Plan
    samples: int
    seed: int
    threads: int | None

    def measured(self, d: int, runs: int) -> Measured:
        """Return what so many runs at this dimension give."""
        rows = [self._run(d, seed) for seed in self._seeds(d, 3 * runs).reshape(runs, 3)]
        return Measured(d, *zip(*rows, strict=True))

    def readout(self, m: float, runs: int) -> tuple[float, float]:
        """Return the test loss at an overlap, over readouts on as many fresh data, with its error."""
        return mean_and_error(
            [self._readout(self._at(m), int(seed)).test_loss for seed in self._seeds(0, runs)]
        )

    def _seeds(self, d: int, count: int) -> NDArray[np.uint32]:
        return np.random.SeedSequence([self.seed, d]).generate_state(count).astype(np.uint32)

    def _run(self, d: int, seeds: NDArray[np.uint32]) -> tuple[float, float, float]:
        """Return m after two steps, m after one pass, and the test loss, of one run."""
        first, second, third = map(int, seeds)
        with silent_stops():
            two = simulate(self.setting, d=d, seed=first, threads=self.threads)
        two.require_all_steps()
        m = start = float(two.M.values[-1, 0, 0] / sqrt(two.Q.values[-1, 0, 0]))
        run = self._at(m)
        for i, (eta, time) in enumerate(zip(self.plan.etas, self.plan.times, strict=True)):
            steps = max(1, round(time * d))
            setting = replace(self._at(m).setting, eta=eta, steps=steps, record_every=steps)
            run = simulate(setting, "online", d=d, seed=second + i, threads=self.threads)
            run.require_all_steps()
            m = float(np.clip(run.M.values[-1, 0, 0], -1, 1))
        return start, m, self._readout(run, third).test_loss

    def _at(self, m: float) -> Trajectory:
        """Return a run that begins and ends with a unit row of this overlap."""
        setting = replace(self.setting, start=((m,),), reuse=False, normalize=True, steps=1)
        return Trajectory.build(setting, np.array([[[m]]]), np.ones((1, 1, 1)), np.zeros(1), engine="online")

    def _readout(self, run: Trajectory, seed: int) -> Readout:
        return ridge_readout(
            run,
            seed=seed,
            samples=self.samples,
            test_samples=_TEST,
            biases=_BIASES[None, :],
            threads=self.threads,
        )
