"""The experiments of [D24], rerun in the limit and at finite d, and set beside what the paper printed.

Each experiment is data (`paper.json` beside this file): the setting as its caption says it, and the curves as read
off the vector figures, theory lines and simulation dots. The computed value c +- s and the published one v differ by

    (c - v) / sqrt(s^2 + r^2),  r the reading error; for dots also the scatter b / sqrt(d runs) of their mean, with
                                   b = sqrt(d) times the spread of one run, measured by runs of ours,

and a curve agrees where no point is off by more than three such units, nor all together by more than two (root mean
square): neighbouring points are correlated, so that an offset of two units along a whole curve is no accident.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ..numeric.machine.memory import require
from ..numeric.machine.progress import tracked
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Sheet, Tabulated

Array = NDArray[np.float64]
# A point further off than this is none of the same curve, nor is a curve that is off by the second on average.
MOST_UNITS, MOST_MEAN_UNITS = 3.0, 2.0
# Points and scrambles of the limit: the standard error of M is then about the reading error at most, tails aside.
_QUICK, _THOROUGH = (2**17, 16), (2**19, 16)
# Single samples are an extrapolation from runs of up to 16 batches an epoch, each with masks of its own.
_SINGLE_QUICK, _SINGLE_THOROUGH = (2**15, 8), (2**17, 16)
# Smaller batches than a sample per dimension are run on a stored X, which has to fit.
_MOST_STORED_D = 1000
_QUICK_D, _QUICK_RUNS = 2000, 8
_BYTES_PER_RUN = 500.0


@dataclass(frozen=True)
class Curve:
    """A published curve beside ours.

    Attributes
    ----------
    name : str
    steps : tuple of int
    computed, error : tuple of float
        Ours, with one standard error.
    published : tuple of float
    unit : tuple of float
        What the difference is measured in: both errors together.
    by : {"limit", "simulation"}
        How ours was computed.
    of : {"theory", "simulation"}
        What the paper shows: a line or dots.
    """

    name: str
    steps: tuple[int, ...]
    computed: tuple[float, ...]
    error: tuple[float, ...]
    published: tuple[float, ...]
    unit: tuple[float, ...]
    by: Literal["limit", "simulation"]
    of: Literal["theory", "simulation"]

    @property
    def differences(self) -> tuple[float, ...]:
        """Computed minus published, in units of both errors together."""
        return tuple((c - v) / u for c, v, u in zip(self.computed, self.published, self.unit, strict=True))

    @property
    def points(self) -> Iterable[tuple[int, float, float, float, float]]:
        """Step, ours with its error, the published value and the difference in units, point by point."""
        return zip(self.steps, self.computed, self.error, self.published, self.differences, strict=True)

    @property
    def agrees(self) -> bool:
        """Whether no point is off by more than three units, nor all together by more than two."""
        off = np.array(self.differences)
        return bool(np.abs(off).max() <= MOST_UNITS and np.sqrt((off**2).mean()) <= MOST_MEAN_UNITS)

    def to_json(self) -> dict[str, Any]:
        """Return the curve as data."""
        return {
            "name": self.name,
            "computed": list(self.computed),
            "error": list(self.error),
            "published": list(self.published),
            "agrees": self.agrees,
            "steps": list(self.steps),
            "differences": list(self.differences),
            "by": self.by,
            "of": self.of,
        }


@dataclass(frozen=True)
class Rerun:
    """An experiment of the paper, rerun.

    Attributes
    ----------
    id : str
    figure : str
        Where the paper shows it.
    plotted : str
        What is on its axis.
    setting : Setting
        As the caption says it.
    curves : tuple of Curve
    tried : str
        What else was tried where the caption does not give the printed numbers; or nothing.
    """

    id: str
    figure: str
    plotted: str
    setting: Setting
    curves: tuple[Curve, ...]
    tried: str

    @property
    def verdict(self) -> str:
        """Whether our numbers are the printed ones; where not, which curves are off, and what was tried."""
        off = [curve for curve in self.curves if not curve.agrees]
        if not off:
            return "agrees: the caption's setting gives every printed curve"
        worst = max(off, key=lambda curve: max(map(abs, curve.differences)))
        most = max(worst.differences, key=abs)
        names = "; ".join(dict.fromkeys(curve.name for curve in off))
        which = "no printed curve" if len(off) == len(self.curves) else f"not: {names}"
        said = (
            f"does not agree: the caption's setting gives {which} (largest difference {most:+.1f} units, at step "
            f"{worst.steps[worst.differences.index(most)]} of {worst.name})"
        )
        return f"{said}. {self.tried}" if self.tried else said

    def sheet(self) -> Sheet:
        """Return the points of all curves as a table, a curve named at its first one."""
        rows = [
            (
                "" if i else curve.name,
                str(step),
                f"{ours:.4f} ± {error:.4f}",
                f"{theirs:.4f}",
                f"{off:+.1f}",
                "" if i else ("yes" if curve.agrees else "no"),
            )
            for curve in self.curves
            for i, (step, ours, error, theirs, off) in enumerate(curve.points)
        ]
        head = ("curve", "step", "computed", "published", "units", "agrees")
        return Sheet(head, tuple(rows), f"{self.id}, {self.figure}: {self.verdict}")

    def to_json(self) -> dict[str, Any]:
        """Return the experiment as data."""
        return {
            "id": self.id,
            "figure": self.figure,
            "setting": self.setting.to_dict(),
            "curves": [curve.to_json() for curve in self.curves],
            "verdict": self.verdict,
        }


@dataclass(frozen=True)
class Paper(Tabulated, Drawn):
    """The experiments that were rerun: numbers with errors, by the limit and perhaps by runs (how known: numeric)."""

    experiments: tuple[Rerun, ...]

    def __str__(self) -> str:
        return "\n".join(f"{rerun.id} ({rerun.figure}): {rerun.verdict}" for rerun in self.experiments)

    def to_json(self) -> dict[str, Any]:
        """Return everything as data."""
        return {"experiments": [rerun.to_json() for rerun in self.experiments], "how": "numeric"}

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every printed point: ours, theirs, and the difference in units of both errors."""
        return [
            {
                "experiment": rerun.id,
                "curve": curve.name,
                "step": step,
                "computed": ours,
                "error": error,
                "published": theirs,
                "units": off,
                "agrees": curve.agrees,
            }
            for rerun in self.experiments
            for curve in rerun.curves
            for step, ours, error, theirs, off in curve.points
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return a table for every experiment, with its verdict as title."""
        return tuple(rerun.sheet() for rerun in self.experiments)


@cache
def registry() -> Mapping[str, Any]:
    """Return the experiments of the paper by their ids, and the reading error of the figures, as data."""
    text = resources.files(__package__).joinpath("paper.json").read_text(encoding="utf-8")
    data: dict[str, Any] = json.loads(text)
    return {**data, "experiments": {entry["id"]: entry for entry in data["experiments"]}}


def paper(
    name: str | None = None,
    *,
    quick: bool = False,
    simulated: bool = False,
    d: int | None = None,
    runs: int | None = None,
    seed: int = 0,
    progress: Callable[[list[str]], Iterable[str]] = tracked,
) -> Paper:
    """Return the experiments of [D24], rerun and held against the printed curves.

    Parameters
    ----------
    name : str, optional
        One experiment, or those of one figure ("fig4"); by default all.
    quick : bool
        Fewer points in the limit, and smaller and fewer runs.
    simulated : bool
        Run them at finite d too.
    d, runs : int, optional
        Of these runs; by default as published. Single samples need a stored X, and have at most d = 1000.
    seed : int
        Of everything random.
    progress : callable
        Passes on the list of ids one by one; by default behind a bar.

    Raises
    ------
    RebatchError
        If there is no experiment of that name, or d and runs are given without `simulated`.

    References
    ----------
    [D24], theory 7 and 8.
    """
    quick, simulated = checks.flag("quick", quick), checks.flag("simulated", simulated)
    seed, progress = checks.seed(seed), checks.called("progress", progress)
    if d is not None:
        d = checks.integer("d", d, least=1)
    if not simulated and (d is not None or runs is not None):
        raise RebatchError("d and runs are of simulations; allowed with simulated=True")
    if runs is not None:
        runs = checks.integer("runs", runs, least=2)
        require(_BYTES_PER_RUN * runs, f"{runs} runs")
    known = registry()["experiments"]
    ids = list(known) if name is None else [i for i in known if i == name or i.split("-")[0] == name]
    if not ids:
        raise RebatchError(f"no experiment {checks.shown(name)}; allowed are {', '.join(known)}")
    done = []
    for i in progress(ids):
        entry = known[i]
        size = None if not simulated else _size(entry, d, runs, quick=quick)
        if entry["setting"].get("batches") == "single":
            effort = _SINGLE_QUICK if quick else _SINGLE_THOROUGH
        else:
            effort = _QUICK if quick else _THOROUGH
        done.append(_rerun(entry, effort, size, seed))
    return Paper(tuple(done))


def _size(entry: Mapping[str, Any], d: int | None, runs: int | None, *, quick: bool) -> tuple[int, int]:
    """Return d and the number of runs: given, as published or smaller."""
    most = _MOST_STORED_D if entry["setting"].get("batches") == "single" else entry["d"]
    d = d or (min(most, _QUICK_D) if quick else most)
    return d, runs or (min(entry["runs"], _QUICK_RUNS) if quick else entry["runs"])


def _rerun(
    entry: Mapping[str, Any], effort: tuple[int, int], size: tuple[int, int] | None, seed: int
) -> Rerun:
    """Run every setting of an experiment once, and set each curve beside the published one."""
    setting = Setting(**entry["setting"])
    limits: dict[Setting, tuple[Array, Array]] = {}
    finite: dict[Setting, tuple[Array, Array]] = {}
    curves = []
    for published in entry["curves"]:
        own = _setting_of(setting, published)
        if own not in limits:
            limits[own] = _in_the_limit(own, effort, seed)
        curves.append(_curve(entry, published, *limits[own], limits[own][0], "limit"))
        if size is not None:
            if own not in finite:
                finite[own] = _at_finite_d(own, *size, seed)
            curves.append(_curve(entry, published, *finite[own], limits[own][0], "simulation"))
    return Rerun(entry["id"], entry["figure"], entry["plotted"], setting, tuple(curves), entry["tried"])


def _setting_of(setting: Setting, published: Mapping[str, Any]) -> Setting:
    """Return the setting of one curve: fresh batches or the same one, and perhaps another schedule."""
    if published["pass"] == "one":
        return replace(setting, reuse=False)
    return replace(setting, schedule=published.get("schedule", setting.schedule))


def _in_the_limit(setting: Setting, effort: tuple[int, int], seed: int) -> tuple[Array, Array]:
    """Return M of the first neuron at every step and its standard error, shape (steps + 1, k)."""
    points, scrambles = effort
    found = simulate(setting, "limit", points=points, scrambles=scrambles, seed=seed)
    _require_all_steps(found, "the limit", "more points: quick=False")
    return found.M.values[:, 0], found.data["M_error"].values[:, 0]


def _at_finite_d(setting: Setting, d: int, runs: int, seed: int) -> tuple[Array, Array]:
    """Return the mean M of the first neuron over runs and its standard error, shape (steps + 1, k)."""
    engine: Literal["dense", "lazy"] = "dense" if setting.batches == "single" else "lazy"
    rows = []
    for run in range(runs):
        trajectory = simulate(setting, engine, d=d, seed=seed + run)
        _require_all_steps(trajectory, f"a run at d = {d}", "larger d")
        rows.append(trajectory.M.values[:, 0])
    found = np.stack(rows)
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(runs)


def _require_all_steps(run: Trajectory, what: str, allowed: str) -> None:
    """Refuse a run that ended early with what helps; on Ctrl-C the caller is interrupted, too."""
    try:
        run.require_all_steps()
    except RebatchError:
        raise RebatchError(f"{what} ended early ({run.stopped}); allowed are {allowed}") from None


def _curve(
    entry: Mapping[str, Any],
    published: Mapping[str, Any],
    M: Array,
    error: Array,
    limit: Array,
    by: Literal["limit", "simulation"],
) -> Curve:
    """Return what the paper's axis shows of the first neuron: an entry, its size, along M^1 or orthogonal to it."""
    values = np.array(published["published"])
    steps = np.arange(published["first_step"], published["first_step"] + len(values))
    shown, spread = _shown(published, M[steps], error[steps], limit[1])
    scatter = np.array(published.get("spread", 0.0)) / np.sqrt(entry["d"] * entry["runs"])
    unit = np.sqrt(spread**2 + registry()["reading_error"] ** 2 + scatter**2)
    name = published["name"] if by == "limit" else f"{published['name']}, by runs"
    return Curve(
        name,
        tuple(steps.tolist()),
        computed=tuple(shown.tolist()),
        error=tuple(spread.tolist()),
        published=tuple(values.tolist()),
        unit=tuple(unit.tolist()),
        by=by,
        of=published["of"],
    )


def _shown(published: Mapping[str, Any], M: Array, error: Array, first: Array) -> tuple[Array, Array]:
    """Return the plotted quantity and its error from rows M^t, shape (steps, k), and M^1 of the limit."""
    if published["shows"] in ("entry", "size"):
        column = M[:, published["direction"] - 1]
        return (
            column if published["shows"] == "entry" else np.abs(column),
            error[:, published["direction"] - 1],
        )
    unit = first / np.linalg.norm(first)
    along = M @ unit
    if published["shows"] == "along":
        return np.abs(along), np.sqrt(error**2 @ unit**2)
    rest = M - along[:, None] * unit
    return np.linalg.norm(rest, axis=1), np.sqrt((error**2).sum(axis=1))
