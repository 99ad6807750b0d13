"""Runs of one setting, for `rebatch simulate`: seeds in a row, held against the limit, as data, on the screen."""

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..numeric.engine_names import Engine
from ..numeric.machine.memory import require
from ..numeric.setting import Setting
from ..numeric.simulate import simulate
from ..numeric.trajectory import Trajectory
from .signals import require_quiet, settled
from .tables import agreement_table, trajectories_table
from .terminal import console

if TYPE_CHECKING:  # loads SciPy's statistics, which runs alone need not
    from ..verify.agreement import Agreement

# A trajectory with its labels, beside its entries.
_BYTES_PER_RUN = 20_000.0


@dataclass(frozen=True)
class Runs:
    """What was run.

    Attributes
    ----------
    setting : Setting
    engine : str
    d : int or None
        None in the limit.
    done : list of Trajectory
    held : Agreement or None
        The runs against the limit, where that was asked for.
    """

    setting: Setting
    engine: Engine
    d: int | None
    done: list[Trajectory]
    held: "Agreement | None"

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        return {
            "setting": self.setting.to_dict(),
            "engine": self.engine,
            "d": self.d,
            "runs": [_run_as_data(run) for run in self.done],
            "agreement": None if self.held is None else self.held.to_json(),
        }

    def show(self) -> None:
        """Print the overlaps step by step, and what the comparison says."""
        d = "infinite" if self.d is None else self.d
        console.print(f"{self.setting}, d = {d}", highlight=False, markup=False)
        console.print(trajectories_table(self.done))
        if self.held is not None:
            console.print(agreement_table(self.held))


def perform(
    setting: Setting,
    engine: Engine,
    d: int | None,
    seeds: range,
    *,
    compare: bool,
    progress: Callable[[range], Iterable[int]],
) -> Runs:
    """Run a setting with each seed, and hold the runs against the limit if asked to.

    On Ctrl-C the runs that ended are returned, with nothing compared; the one that was cut short, where it is the
    only one.

    Raises
    ------
    TooLargeError
        If all runs together do not fit in memory.
    KeyboardInterrupt
        If there is nothing to return.
    """
    kept = setting.steps // setting.record_every + 2
    each = _BYTES_PER_RUN + 8.0 * kept * (setting.neurons * (setting.neurons + setting.k) + 2)
    count = seeds.stop - seeds.start
    require(count * each, f"{count} runs of {kept} steps")
    done: list[Trajectory] = []
    held = None
    try:
        for seed in progress(seeds):
            done.append(simulate(setting, engine, d=d, seed=seed))
        if compare:
            from ..verify.agreement import agreement  # noqa: PLC0415 - see above

            held = agreement(simulate(setting, "limit", seed=0), done)
        require_quiet()
    except KeyboardInterrupt:
        settled()
        done, held = [run for run in done if not run.interrupted] or done, None
        if not done:
            raise
        print(
            f"interrupted: {len(done)} of {len(seeds)} runs are shown, nothing is compared", file=sys.stderr
        )
    return Runs(setting, engine, d, done, held)


def _run_as_data(run: Trajectory) -> dict[str, Any]:
    """Return one run as data, with the errors where the engine states them."""
    errors = [name for name in ("M_error", "Q_error", "training_loss_error") if name in run.data]
    return {
        "seed": run.data.attrs["seed"],
        "stopped": run.stopped,
        "step": run.data.step.values.tolist(),
        "M": run.M.values.tolist(),
        "Q": run.Q.values.tolist(),
        "training_loss": run.training_loss.values.tolist(),
        **{name: run.data[name].values.tolist() for name in errors},
    }
