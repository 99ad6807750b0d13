"""Gradient descent, step by step, over any representation of data and weights (theory, 1).

w_j <- (1 - eta lam) w_j + (eta / sqrt(d)) sum_v x_v g_j(v), with the variants of data reuse: repeated batches, a look
ahead on the same batch, rows scaled back to norm sqrt(d). An engine says how weights are held and how a gradient is
taken; what a run is, and how it ends early, stands here once.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...symbolic.errors import RebatchError
from ..machine.memory import require
from ..machine.progress import progress
from ..machine.warned import warn
from ..setting import Setting
from ..trajectory import INTERRUPTED, Trajectory
from ..visits import Rows

Array = NDArray[np.float64]

# Overlaps beyond this have left every regime that theory speaks of.
DIVERGED = 1e6
# Of two arrays and their places, beside their entries.
_BYTES_PER_STEP = 400.0


class StoppedEarly(UserWarning):
    """A run ended before its last step; what it has is kept."""


# A filter of the warnings module would hold for every thread at once.
_silent: ContextVar[bool] = ContextVar("silent", default=False)


@contextmanager
def silent_stops() -> Iterator[None]:
    """Let runs in this thread stop early without a warning: the caller reads `Trajectory.stopped`."""
    token = _silent.set(True)
    try:
        yield
    finally:
        _silent.reset(token)


def warn_of_stop(reason: str) -> None:
    """Warn that a run stopped early."""
    if not _silent.get():
        warn(reason, StoppedEarly)


class Side(Protocol):
    """Data and weights as an engine holds them; weights are opaque here, in units in which rows have norm 1.

    The rows in `rows` are the batch at hand.
    """

    rows: Rows

    def begin(self, step: int, weights: Array) -> Array:
        """Go on to the data and the batch of this step; return the same weights, as they are held beside it."""

    def singles(self) -> Iterator[Rows]:
        """Yield the rows of an epoch of single samples, each an array of one."""

    def gradient(self, weights: Array) -> tuple[Array, float]:
        """Return (1/d) sum_v x_v g_j(v) of the batch at hand, for w_j/sqrt(d), and the loss per sample."""

    def loss(self, weights: Array) -> float:
        """Return the loss per sample of the batch at hand."""

    def moved(self, weights: Array, shrink: float, step: float, gradient: Array) -> Array:
        """Return shrink * weights + step * gradient."""

    def overlaps(self, weights: Array) -> tuple[Array, Array]:
        """Return M, shape (p, k), and Q, shape (p, p)."""


@dataclass
class Record:
    """The steps of a run that are kept, and why it stopped early, if it did."""

    setting: Setting
    step: list[int] = field(default_factory=list)
    M: list[Array] | Array = field(default_factory=list)
    Q: list[Array] | Array = field(default_factory=list)
    loss: list[float] | Array = field(default_factory=list)
    stopped: str = ""

    def add(self, step: int, M: Array, Q: Array, loss: float) -> None:
        """Keep this step."""
        self.step.append(step)
        assert isinstance(self.M, list)
        assert isinstance(self.Q, list)
        assert isinstance(self.loss, list)
        self.M.append(M)
        self.Q.append(Q)
        self.loss.append(loss)

    def trajectory(self, **provenance: Any) -> Trajectory:
        """Return what was kept, with a warning if the run stopped early.

        Raises
        ------
        RebatchError
            If nothing was.
        """
        if not self.step:
            raise RebatchError(
                f"{self.stopped}: there are none, overlaps at the start must be finite and below 1e6"
            )
        if self.stopped:
            warn_of_stop(self.stopped)
        return Trajectory.build(
            self.setting,
            np.array(self.M),
            np.array(self.Q),
            np.array(self.loss),
            step=self.step,
            stopped=self.stopped,
            **provenance,
        )


def descend(
    setting: Setting, side: Side, weights: Array, what: str, *, overlaps_only: bool = False
) -> tuple[Record, Array]:
    """Run `setting.steps` steps and return what was kept, and the last weights.

    The loss at a step is that of the batch on which the step is taken, before it is taken (of all samples, where they
    come one by one); at the last step, of the batch that would come next, or NaN with `overlaps_only`. A run ends
    early, keeping the steps before, when an overlap is not finite or beyond 1e6, or on Ctrl-C.

    Raises
    ------
    TooLargeError
        If what is to be kept does not fit in memory.
    KeyboardInterrupt
        If Ctrl-C comes before the first step is kept: there is nothing to return.
    """
    record = Record(setting)
    last = setting.steps
    kept = last // setting.record_every + 2
    each = _BYTES_PER_STEP + 16.0 * setting.neurons * (setting.neurons + setting.k)
    require(kept * each, f"recording {kept} steps")
    try:
        with progress(what, last) as done:
            for step in range(last + 1):
                M, Q = side.overlaps(weights)
                if diverged(M, Q):
                    record.stopped = divergence(step)
                    break
                if step == last and overlaps_only:
                    record.add(step, M, Q, math.nan)
                    break
                weights = side.begin(step, weights)
                if step == last:
                    record.add(step, M, Q, side.loss(weights))
                    break
                keep = step % setting.record_every == 0
                if setting.batches == "single":
                    loss = side.loss(weights) if keep else math.nan
                    weights = _one_by_one(setting, side, weights)
                else:
                    weights, loss = _updated(setting, side, weights, setting.weight_decay)
                if keep:
                    record.add(step, M, Q, loss)
                done(step + 1)
    except FloatingPointError:
        if not record.step:
            # The weights of the start are known, though their loss is beyond floating point.
            record.add(0, M, Q, math.nan)
        record.stopped = divergence(step + 1)
    except KeyboardInterrupt:
        if not record.step:
            raise
        record.stopped = interruption(record.step[-1])
    return record, weights


def _updated(setting: Setting, side: Side, weights: Array, lam: float) -> tuple[Array, float]:
    """Return the weights after one update on the rows at hand, and the loss per sample before it."""
    G, loss = side.gradient(weights)
    if setting.rho:
        G, _ = side.gradient(side.moved(weights, 1.0, setting.rho, G))
    weights = side.moved(weights, 1 - setting.eta * lam, setting.eta, G)
    if setting.normalize:
        _, Q = side.overlaps(weights)
        weights = weights / np.sqrt(np.diagonal(Q))[:, None]
    return weights, loss


def _one_by_one(setting: Setting, side: Side, weights: Array) -> Array:
    """Return the weights after an epoch of single samples, each with its share of the weight decay."""
    share = setting.weight_decay / len(side.rows)
    for rows in side.singles():
        side.rows = rows
        weights, _ = _updated(setting, side, weights, share)
    return weights


def diverged(M: Array, Q: Array) -> bool:
    """Return whether an overlap is not finite or beyond 1e6."""
    return not (np.isfinite(Q).all() and np.abs(M).max(initial=0.0) <= DIVERGED)


def divergence(step: int) -> str:
    """Return the message for a run whose overlaps diverged at this step."""
    return f"the overlaps diverged at step {step}; the steps before are kept; a smaller eta is needed"


def interruption(step: int) -> str:
    """Return the message for a run that Ctrl-C ended after it kept this step."""
    return f"{INTERRUPTED} after step {step}; the steps before are kept"
