"""The overlaps after two steps as numbers, for any activation and target (theory, 5, by the integrals of 4).

M^1 and M^2 at given alpha, eta and lam are integrals over (z, h^0, zeta); `limit.py` takes them by tensor
Gauss-Hermite where they are smooth and few, else by scrambled Sobol points, with an error either way. Kinks need no
care: the innovation form has no derivative of sigma' in it.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..symbolic.exact.shown import Drawn
from ..symbolic.language.target import Target
from .engines.descent import silent_stops
from .engines.limit import simulate_limit
from .setting import Setting

Array = NDArray[np.float64]


@dataclass(frozen=True)
class TwoStepNumbers(Drawn):
    """The two-step overlap where there is no closed formula.

    The counterpart of :class:`~rebatch.symbolic.overlap.two_steps.TwoStepOverlap`.

    Attributes
    ----------
    setting : Setting
        Its alpha, eta, weight decay and steps are replaced by what is asked for.
    points : int or None
        Sobol points per scramble; None leaves the choice of the rule to the limit engine.
    """

    setting: Setting
    points: int | None = None

    @property
    def target(self) -> Target:
        """The target."""
        return self.setting.target

    def at(self, *, alpha: ArrayLike, eta: ArrayLike, weight_decay: ArrayLike = 0.0) -> Array:
        """Return M^0, M^1, M^2 on a grid: arrays of a common shape S, the result of shape (3, p, k) + S."""
        return self.with_errors(alpha=alpha, eta=eta, weight_decay=weight_decay)[0]

    def with_errors(
        self, *, alpha: ArrayLike, eta: ArrayLike, weight_decay: ArrayLike = 0.0
    ) -> tuple[Array, Array]:
        """Return M^0, M^1, M^2 on a grid, and their errors, both of shape (3, p, k) + S.

        The same points serve the whole grid, so that curves are smooth.

        Raises
        ------
        RebatchError
            If a number is out of range, or overlaps diverge.
        """
        grids = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (alpha, eta, weight_decay)))
        shape = (3, self.setting.neurons, self.setting.k, *grids[0].shape)
        values, errors = np.empty(shape), np.empty(shape)
        for index in np.ndindex(grids[0].shape):
            a, e, lam = (float(x[index]) for x in grids)
            here = replace(self.setting, alpha=a, eta=e, weight_decay=lam, steps=2)
            with silent_stops():
                run = simulate_limit(here, seed=0, points=self.points, overlaps_only=True)
            run.require_all_steps()
            values[(..., *index)] = run.M.values
            errors[(..., *index)] = run.data["M_error"].values
        return values, errors
