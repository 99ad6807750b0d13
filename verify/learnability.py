"""Each verdict of the learnability table put to an experiment: what is learned shows, what is hidden never does.

The two-step verdict (theory, 3.4) says of each direction v of V(g) whether two steps on one batch of n = alpha d
samples overlap with it, and the reuse staircase (3.5) after how many steps the others show; :mod:`.claims` lists what
follows at each step. Here the steps are taken, by lazy runs at several d, on the same batch and on fresh ones:

    learned   M v tends to its limit, which is not 0: the mean over runs at the largest d has the size that the limit
              engine predicts, and differs from 0;
    hidden    E[M v] = 0 at every d, and sqrt(d) M v has a law that d does not change: (M v)^2 falls like 1 / d, which
              is tested against 1 / d and against not falling at all, by F-tests over d, not by a threshold.

The same runs are looked at step by step: a direction that shows after two steps on one batch is noise after one.

The experiment is chosen by its prediction: among several activations, losses and step sizes the limit engine says
where the directions that are to be learned stand out most from the noise of one run, eta sqrt(sum_ts C(t, s) / d)
with C(t, s) = alpha E[g^t g^s]. Signals of activations with a bounded slope are tried first: those of polynomials
have heavy tails (theory, 5.3). Each direction and each way to use data may have an experiment of its own. Where none
shows a direction over the noise the search goes on (:mod:`~rebatch.verify.design`), and where none does in the end
that is the answer: no experiment is chosen that cannot decide.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from ..numeric.machine.blocks import thread_count
from ..numeric.machine.draws import seeds
from ..numeric.machine.progress import tracked
from ..numeric.machine.side_by_side import side_by_side
from ..numeric.setting import Setting
from ..numeric.sweep import simulate_kept as simulate
from ..numeric.trajectory import Trajectory
from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.exact.shown import Drawn, Sheet, Tabulated
from ..symbolic.exact.subspace import Vector, as_floats, as_text, in_words
from ..symbolic.language.target import Target
from ..symbolic.learnability.verdict import MAX_WITNESS_ORDER
from .agreement import heavy_share
from .claims import TWO, Claim, Claimed, claims_of
from .convergence import Slope
from .design import Choice, chosen_experiments

Array = NDArray[np.float64]
Outcome = Literal["agrees", "disagrees", "inconclusive", "cannot be trusted", "no experiment", "no claim"]
Job = tuple[int, bool, int, int]

DIMENSIONS = (2_000, 16_000, 128_000)
RUNS = 24
FALSE_ALARM = 1e-6
ALPHA = 2.0
_PREDICTION_POINTS = 2**17
_OUTLIER_LEVEL = 1e-5
# Overlaps, of order 1 where there are any, below which all runs have none.
_ROUNDING = 1e-12
# How many tests a claim takes.
_TESTS = {"learned": 1, "hidden": 2, "undecided": 0}
# An experiment is to decide more often than not: so many standard errors beyond the quantile of its test. Of normal
# runs with a known spread it would in 97 of 100; the spread is measured on the same runs.
_POWER = 2.0


@dataclass(frozen=True, eq=False)
class Check:
    """One verdict on one direction, and what runs at several d show of it.

    Attributes
    ----------
    direction : vector
        v, unnormalised; overlaps are with the unit vector.
    step : int
        The number of steps after which M v is looked at.
    claim : {"learned", "hidden", "undecided"}
    reason : str
        What proves the claim.
    setting : Setting
        The experiment, its `reuse` included.
    predicted, predicted_error : float
        M v after these steps in the limit; 0 exactly where it is hidden.
    d : ndarray of int, shape (sizes,)
    mean, standard_error, size : ndarray, shape (sizes,)
        Mean of M v over the runs with its standard error, and the root of the mean of (M v)^2.
    slope : Slope
        Of log size against log d: 0 where M v has a limit, -1/2 where it is noise.
    p_values : dict
        "size": the mean at the largest d is the predicted one; "zero": it is 0; "noise": (M v)^2 falls like 1 / d;
        "constant": it does not fall.
    outcome : {"agrees", "disagrees", "inconclusive", "cannot be trusted", "no experiment", "no claim"}
        "no experiment": none of those surveyed would show the direction over the noise, and none was held against it.
    """

    direction: Vector
    step: int
    claim: Claim
    reason: str
    setting: Setting
    predicted: float
    predicted_error: float
    d: NDArray[np.int64]
    mean: Array
    standard_error: Array
    size: Array
    slope: Slope
    p_values: dict[str, float]
    outcome: Outcome

    @property
    def batch(self) -> str:
        """Which batches the steps see, in words."""
        return "reused" if self.setting.reuse else "fresh"

    def expected(self) -> str:
        """Return what the claim predicts, in words."""
        return "0" if self.claim == "hidden" else _bracketed(self.predicted, self.predicted_error)

    def measured(self) -> str:
        """Return the mean at the largest d, in words."""
        return _bracketed(self.mean[-1], self.standard_error[-1])

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {
            "direction": as_text(self.direction),
            "batch": self.batch,
            "step": self.step,
            "claim": self.claim,
            "reason": self.reason,
            "setting": self.setting.to_dict(),
            "predicted": self.predicted,
            "predicted_error": self.predicted_error,
            **{name: getattr(self, name).tolist() for name in ("d", "mean", "standard_error", "size")},
            "slope": [self.slope.value, self.slope.error],
            "p_values": self.p_values,
            "outcome": self.outcome,
        }


@dataclass(frozen=True, eq=False)
class LearnabilityCheck(Tabulated, Drawn):
    """Every direction under both ways to use data, and one statement about all.

    Attributes
    ----------
    target : Target
    checks : tuple of Check
    runs : int
        At each d.
    false_alarm : float
        If every claim is true, "disagrees" is said of any of them with at most this probability.
    tests : int
        Tests among which it is shared (Bonferroni).
    """

    target: Target
    checks: tuple[Check, ...]
    runs: int
    false_alarm: float
    tests: int

    @property
    def agrees(self) -> bool | None:
        """False if any claim is contradicted, True if all claims are confirmed; None if some are left open."""
        outcomes = {check.outcome for check in self.checks}
        if "disagrees" in outcomes:
            return False
        return None if outcomes & {"inconclusive", "cannot be trusted", "no experiment"} else True

    @property
    def statement(self) -> str:
        """What was found, in one sentence, with its false-alarm rate."""
        found = [check.outcome for check in self.checks]
        if not found:
            return "the target is constant: there is nothing to learn and nothing to test"
        words = {
            "agrees": "confirmed",
            "disagrees": "contradicted",
            "cannot be trusted": "with heavy tails",
            "no claim": "without a claim",
            "no experiment": "without an experiment that could decide",
        }
        counts = ", ".join(f"{found.count(o)} {words.get(o, o)}" for o in dict.fromkeys(found))
        if not self.tests:
            return f"no claim to test: {counts}"
        verdict = {
            True: "theory and numbers agree",
            False: "theory and numbers disagree",
            None: "nothing disagrees, but not everything is settled",
        }[self.agrees]
        return (
            f"{verdict}: {counts}; if theory is right, a contradiction is reported with probability at most "
            f"{self.false_alarm:g} over all {self.tests} tests"
        )

    def rows(self) -> list[tuple[str, ...]]:
        """Return a row of text for every check, under `COLUMNS`."""
        return [
            (
                in_words(c.direction),
                c.batch,
                str(c.step),
                c.claim,
                c.expected(),
                c.measured(),
                _bracketed(c.slope.value, c.slope.error, most=2),
                c.outcome,
            )
            for c in self.checks
        ]

    def heading(self) -> str:
        """Return the target and its inputs where they are not Gaussian."""
        law = "" if self.target.inputs.is_gaussian else f", inputs {self.target.inputs}"
        return f"g(z) = {self.target.text}{law}"

    def experiments(self) -> list[str]:
        """Return the settings that were run, without their batches and steps."""
        return list(dict.fromkeys(str(c.setting).rsplit(", ", 2)[0] for c in self.checks))

    def to_json(self) -> dict[str, Any]:
        """Return everything as JSON-ready data."""
        return {
            "target": self.target.text,
            **({} if self.target.inputs.is_gaussian else {"inputs": self.target.inputs.name}),
            "k": self.target.k,
            "agrees": self.agrees,
            "statement": self.statement,
            "runs": self.runs,
            "false_alarm": self.false_alarm,
            "tests": self.tests,
            "checks": [check.to_json() for check in self.checks],
        }

    def __str__(self) -> str:
        lines = [
            f"{v}, {batch} batch, step {step}: {claim}; predicted {expected}, measured {measured}, slope {slope}: "
            f"{outcome}"
            for v, batch, step, claim, expected, measured, slope, outcome in self.rows()
        ]
        return "\n".join([self.heading(), *self.experiments(), *lines, self.statement])

    def records(self) -> list[dict[str, Any]]:
        """Return a row for every check, measured at the largest d."""
        return [
            {
                "direction": in_words(c.direction),
                "batch": c.batch,
                "step": c.step,
                "claim": c.claim,
                "predicted": c.predicted,
                "predicted_error": c.predicted_error,
                "d": int(c.d[-1]),
                "mean": float(c.mean[-1]),
                "standard_error": float(c.standard_error[-1]),
                "slope": c.slope.value,
                "slope_error": c.slope.error,
                "outcome": c.outcome,
            }
            for c in self.checks
        ]

    def sheets(self) -> tuple[Sheet, ...]:
        """Return the table of all checks, with the experiments and the statement as its title."""
        title = "; ".join([self.heading(), *self.experiments(), self.statement])
        return (Sheet(COLUMNS, tuple(self.rows()), title),)


COLUMNS = ("direction", "batch", "steps", "verdict", "M v", "measured", "slope", "outcome")


def _bracketed(value: float, error: float, most: int = 6) -> str:
    """Return a number with its standard error in units of the last digit, 0.1267(14), to at most so many digits."""
    if not 0 < error < np.inf:
        return f"{value:.6g}"
    magnitude = int(np.floor(np.log10(error)))
    # A second digit of the error only where the first is small.
    digits = min(max(0, (1 if error < 3 * 10.0**magnitude else 0) - magnitude), most)
    return f"{round(value, digits) + 0.0:.{digits}f}({max(round(error * 10**digits), 1)})"


def learnability(
    target: Target | str,
    *,
    dimensions: Sequence[int] = DIMENSIONS,
    runs: int = RUNS,
    alpha: float = ALPHA,
    seed: int = 0,
    max_order: int = MAX_WITNESS_ORDER,
    false_alarm: float = FALSE_ALARM,
    threads: int | None = None,
    progress: Callable[[list[Job]], Iterable[Job]] = tracked,
) -> LearnabilityCheck:
    """Put each verdict on a target to an experiment chosen for it, with reused and with fresh batches.

    Parameters
    ----------
    target : Target or str
    dimensions : sequence of int
        At least 3, increasing; a geometric progression over a factor of 16 or more decides best.
    runs : int
        At each dimension and each way to use data, at least 6.
    alpha : float
        Samples per dimension of a batch.
    seed : int
        Of the limit; every run has its own after it.
    max_order : int
        As in :func:`~rebatch.symbolic.learnability.verdict.two_step_verdict`.
    false_alarm : float
        Probability that a true theory is contradicted, over all directions together; below 0.1.
    threads : int, optional
    progress : callable, optional
        Passes on the list of jobs (experiment, reuse, d, run) one by one; by default behind a bar.

    Returns
    -------
    LearnabilityCheck

    Raises
    ------
    RebatchError
        If an argument is not allowed.

    Notes
    -----
    At finite d the mean deviates from the limit by O(1 / d), which the rate of false alarm does not count: at the
    default dimensions it is a small fraction of the standard error. Where a symmetry hides a direction the mean is 0
    at every d. Where one run carries most of the spread, the outcome is "cannot be trusted"; where a direction is too
    weak to be told from 0, or too few runs do not tell noise from a limit, "inconclusive".

    References
    ----------
    [D24]; theory, 3.3, 3.4 and 5.3.
    """
    target = Target(target)
    sizes, seed = _checked(dimensions, runs, false_alarm), checks.seed(seed)
    progress = checks.called("progress", progress)
    thread_count(threads)
    claims = claims_of(target, max_order)
    if not claims:
        return LearnabilityCheck(target, (), runs, false_alarm, 0)
    directions = list(dict.fromkeys(claim.direction for claim in claims))
    units = np.array([as_floats(v) for v in directions])
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    shows = _first_shown(claims, directions)
    steps = (TWO, max(claim.step for claim in claims))
    needed = needed_score(false_alarm / max(sum(_TESTS[c.claim] for c in claims), 1), runs)
    precision = np.sqrt(sizes[-1] * runs)
    chosen = chosen_experiments(target, units, shows, steps, alpha, precision, needed, seed, threads)

    def choice(claim: Claimed) -> Choice:
        return chosen[claim.reuse][directions.index(claim.direction)]

    used = list(dict.fromkeys(_as_run(choice(claim).setting, claim.reuse, steps) for claim in claims))
    values = _measured(used, units, sizes, runs, seed, threads, progress)
    limits = {s: simulate(s, "limit", seed=seed, points=_PREDICTION_POINTS, threads=threads) for s in used}
    if any(run.interrupted for run in limits.values()):
        raise KeyboardInterrupt
    blind = [claim.claim == "learned" and choice(claim).score < needed for claim in claims]
    tests = sum(_TESTS[c.claim] for c, is_blind in zip(claims, blind, strict=True) if not is_blind)
    found = []
    for claim, is_blind in zip(claims, blind, strict=True):
        setting = _as_run(choice(claim).setting, claim.reuse, steps)
        number = directions.index(claim.direction)
        predicted = _predicted(claim, limits[setting], units[number])
        own = values[setting][:, :, claim.step, number]
        check = _check(claim, setting, *predicted, sizes, own, false_alarm / max(tests, 1))
        if is_blind:
            score = choice(claim).score
            searched = f"no experiment surveyed shows it: {score:.2g} standard errors, of {needed:.2g}"
            check = replace(check, outcome="no experiment", reason=f"{claim.reason}; {searched}")
        found.append(check)
    return LearnabilityCheck(target, tuple(found), runs, false_alarm, tests)


def _first_shown(claims: Sequence[Claimed], directions: Sequence[Vector]) -> NDArray[np.int64]:
    """Return the step at which each direction is to show, shape (fresh and reused, directions); 0: at none."""
    shows = np.zeros((2, len(directions)), dtype=np.int64)
    for claim in claims:
        if claim.claim == "learned":
            shows[int(claim.reuse), directions.index(claim.direction)] = claim.step
    return shows


def _as_run(setting: Setting, reuse: bool, steps: tuple[int, int]) -> Setting:
    """Return an experiment with fresh batches or one that is reused, and the steps that each takes."""
    return replace(setting, reuse=reuse, steps=steps[int(reuse)])


def _predicted(claim: Claimed, limit: Trajectory, unit: Array) -> tuple[float, float]:
    """Return M v of the limit with its error; 0 exactly where v is hidden."""
    if claim.claim == "hidden":
        return 0.0, 0.0
    # Errors of several coordinates may add up.
    error = limit.data["M_error"].values[claim.step, 0] @ np.abs(unit)
    return float(limit.M.values[claim.step, 0] @ unit), float(error)


def needed_score(level: float, runs: int) -> float:
    """Return how many standard errors a prediction must be off 0 for an experiment to decide at a level."""
    return float(stats.t.isf(level / 2, runs - 1)) + _POWER


def _checked(dimensions: Sequence[int], runs: int, false_alarm: float) -> NDArray[np.int64]:
    checks.integer("runs", runs, least=6)
    checks.number("false_alarm", false_alarm, above=0, below=0.1)
    given = checks.sequence("dimensions", dimensions, "at least 3 increasing dimensions")
    sizes = [checks.integer("d", d, least=50) for d in given]
    if len(sizes) < 3 or sizes != sorted(set(sizes)):
        raise RebatchError(f"d = {sizes}; allowed are at least 3 increasing dimensions")
    return np.array(sizes, dtype=np.int64)


def _measured(
    used: Sequence[Setting],
    units: Array,
    sizes: NDArray[np.int64],
    runs: int,
    seed: int,
    threads: int | None,
    progress: Callable[[list[Job]], Iterable[Job]],
) -> dict[Setting, Array]:
    """Return M v of every run by experiment, shape (sizes, runs, steps + 1, directions)."""
    drawn = seeds(seed, len(used) * len(sizes) * runs)
    values = {s: np.empty((len(sizes), runs, s.steps + 1, len(units))) for s in used}
    jobs = [(e, s.reuse, int(d), run) for e, s in enumerate(used) for d in sizes for run in range(runs)]

    def measured(job: tuple[Job, int], threads: int | None) -> Trajectory:
        (e, _, d, _), own = job
        return simulate(used[e], d=d, seed=own, threads=threads, overlaps_only=True)

    trajectories = side_by_side(
        measured, zip(jobs, drawn, strict=True), threads, lambda job: used[job[0][0]].alpha * job[0][2]
    )
    with closing(trajectories) as found:
        for (e, _, d, run), trajectory in zip(progress(jobs), found, strict=True):
            if trajectory.interrupted:
                raise KeyboardInterrupt
            if trajectory.stopped:
                raise RebatchError(f"{used[e]}, d = {d}: {trajectory.stopped}")
            values[used[e]][int(np.searchsorted(sizes, d)), run] = trajectory.M.values[:, 0] @ units.T
    return values


def _check(
    claim: Claimed,
    setting: Setting,
    predicted: float,
    predicted_error: float,
    sizes: NDArray[np.int64],
    values: Array,
    level: float,
) -> Check:
    """Hold the runs, shape (sizes, runs), against what is claimed of a direction."""
    runs = values.shape[1]
    values = values if np.abs(values).max() > _ROUNDING else np.zeros_like(values)
    mean = values.mean(axis=1)
    squares = (values - mean[:, None]) ** 2
    standard_error = np.sqrt(squares.sum(axis=1) / (runs - 1) / runs)
    size = np.sqrt((values**2).mean(axis=1))
    dependent = squares.max(axis=1) > heavy_share(runs, _OUTLIER_LEVEL) * squares.sum(axis=1)
    if not values.any():
        # On signs z1 + z1 z2 z3 is 0 where z2 and z3 differ: no sample moves M along e2 - e3 at all.
        never = {"size": float(claim.claim == "hidden"), "zero": 1.0, "noise": 1.0, "constant": 0.0}
        outcome = _outcome(claim.claim, never, level, trusted=True)
        return Check(
            claim.direction, claim.step, claim.claim, claim.reason, setting, predicted, predicted_error, sizes, mean,
            standard_error, size, Slope(np.nan, np.inf), never, outcome,
        )  # fmt: skip
    total = float(np.hypot(standard_error[-1], predicted_error))
    # (M v)^2 summed over runs is chi-square for noise, at every d: the ratio of the last to the first follows F.
    ratio, fall = (size[-1] / size[0]) ** 2, float(sizes[0] / sizes[-1])
    p_values = {
        "size": _two_sided(stats.t, (mean[-1] - predicted) / total, runs - 1),
        "zero": _two_sided(stats.t, mean[-1] / standard_error[-1], runs - 1),
        "noise": _two_sided(stats.f, ratio / fall, runs, runs),
        "constant": _two_sided(stats.f, ratio, runs, runs),
    }
    outcome = _outcome(claim.claim, p_values, level, trusted=not dependent.any())
    return Check(
        claim.direction, claim.step, claim.claim, claim.reason, setting, predicted, predicted_error, sizes, mean,
        standard_error, size, _slope(sizes, size, standard_error, runs), p_values, outcome,
    )  # fmt: skip


def _outcome(claim: Claim, p: dict[str, float], level: float, *, trusted: bool) -> Outcome:
    """Return what the tests say of a claim.

    ========= ===================== ==============================
    claim     contradicted by       needs, to be confirmed
    ========= ===================== ==============================
    learned   size                  zero rejected
    hidden    zero, noise           constant rejected
    ========= ===================== ==============================
    """
    if claim == "undecided":
        return "no claim"
    if not trusted:
        return "cannot be trusted"
    against, shown = (("size",), "zero") if claim == "learned" else (("zero", "noise"), "constant")
    if any(p[test] < level for test in against):
        return "disagrees"
    return "agrees" if p[shown] < level else "inconclusive"


def _two_sided(law: Any, value: float, *freedom: int) -> float:
    """Return the two-sided p-value of a statistic under a law of scipy."""
    return float(min(1.0, 2 * min(law.cdf(value, *freedom), law.sf(value, *freedom))))


def _slope(sizes: NDArray[np.int64], size: Array, standard_error: Array, runs: int) -> Slope:
    """Return the slope of log size against log d by weighted least squares, with its standard error.

    The error of log size is that of a root of a chi-square where M v is noise, and of a mean where it has a limit:
    the variance of (M v)^2 over runs tells, s^2 (2 s^2 + 4 m^2) with m the mean and s the spread of one run.
    """
    spread2 = runs * standard_error**2
    mean2 = np.maximum(size**2 - spread2, 0.0)
    noise = spread2 / (spread2 + mean2)
    # Var log(chi^2 / n) / 4 for pure noise, and the delta method for the rest.
    variance = noise**2 * special.polygamma(1, runs / 2) / 4 + (1 - noise) * noise / runs
    weight = 1 / np.maximum(variance, 1e-300)
    x = np.log(sizes) - np.average(np.log(sizes), weights=weight)
    total = (weight * x**2).sum()
    return Slope(float((weight * x * np.log(size)).sum() / total), float(1 / np.sqrt(total)))
