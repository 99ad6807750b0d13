"""Gradient descent in the limit d -> infinity at n / d = alpha: dynamical mean-field theory in innovation form.

Theory, 4. The weights are coefficients C^t = (M^t, N^t, B^t) on w*, the start and one new direction per innovation. A
sample sees the images of these directions: z, u and v^s = zeta^s + gamma^s / sqrt(alpha), so that

    h^t = C^t (z, u, v^0, …, v^{t-1})          g^t_j = a_j sigma'(h^t_j) r^t
    gamma^t = g^t orthonormalised in L2 against all earlier gamma
    C^{t+1} = (1 - eta lam) C^t + eta (alpha E[g^t (z, u, v)^T], sqrt(alpha) E[g^t gamma^t^T])

Only expectations of products occur: no response functions and no second derivative, so ReLU holds as it stands. A
fresh batch starts again from M and the root of Q - M M^T, on fresh z, u: the one-pass recursion (theory, 4.1) is the
case of one step per batch.

Rows scaled back to norm sqrt(d): Q_jj concentrates, so that row j of C^{t+1} is divided by its own length, a number
of this recursion. The basis, hence all above, is that of the steps before and does not change.

The paper's objects [D24] (theory, 4.3): the noise covariance C(t, s) = alpha E[g^t g^s^T]; the response kernel
K(t, s) in h^t = (Gaussian part) + sum_{s<t} K(t, s) g^s; and the effective regularisation
lam I - alpha E[dg^t / dh^t], by Gaussian integration by parts in the last fresh directions of h^t (NaN where there
are fewer than p of them).
"""

import logging
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np
from scipy.special import ndtri

from ...symbolic import checks
from ...symbolic.errors import RebatchError, TooLargeError
from ..integration import SobolSamples, TensorSamples, count_of_points, dimension, is_smooth, tail_degree
from ..machine.blocks import Array, Threads, thread_pool
from ..machine.memory import require
from ..machine.progress import progress
from ..machine.warned import warn
from ..masks import MaskPlan
from ..setting import Setting
from ..trajectory import INTERRUPTED, Trajectory
from .descent import divergence, warn_of_stop
from .recursion import DIMENSIONS, Finished, Run, first_steps, most_innovations

_log = logging.getLogger(__name__)

Rule = Literal["auto", "sobol", "gauss-hermite"]
RULES: tuple[Rule, ...] = ("auto", "sobol", "gauss-hermite")

DEFAULT_POINTS = 2**15
MAX_POINTS = 2**22
SCRAMBLES = 16
MEMORY_LIMIT = 1_000_000_000
TENSOR_DIMENSION = 4
TENSOR_ACCURACY = 1e-10
_FIRST_POINTS = 2**12
_NODES = (20, 28, 40, 56, 80, 112, 160, 224)
_GRID_LIMIT = 2**25

# With an accuracy, so many times the scrambles that were asked for.
_MOST_SCRAMBLES = 8
# Grids may cost so many times the default Sobol points where no accuracy is asked: their error falls far faster.
_GRIDS_FOR_POINTS = 8
# Beside two arrays for each scramble, their mean and spread.
_FURTHER = 3
# About an hour of two cores.
_MOST_OPERATIONS = 2e13
# Eigenvalues of matrices p by p.
_PER_CUBE = 20
# To draw a Sobol point takes as long as so many of its steps.
_DRAWING = 4
# The error of n Sobol points is expected to fall like n to the minus this: 0.6 with kinks, 1 for smooth functions.
_RATE = 0.8
# Of which no number of points makes 1.
_HOPELESS = 1e9
# Stretched further, points have weights of which few carry all.
_WIDEST = 2.0
# Batches per epoch of the coarsest of three runs from which single samples are extrapolated.
_COARSEST = 4
_MEANINGS = {
    "test_loss": "loss per sample at a fresh input, from M and Q",
    "noise_covariance": "C(t, s) = alpha E[g^t g^s^T]; 0 between batches",
    "response_kernel": "K(t, s) in h^t = (Gaussian part) + sum_{s<t} K(t, s) g^s; 0 between batches",
    "effective_regularisation": "lam I - alpha E[dg^t / dh^t]; NaN where h^t has fewer than p fresh directions",
}


class AccuracyMissed(UserWarning):
    """The accuracy that was asked for is beyond the points that a run may take; the answer has its errors."""


def simulate_limit(
    setting: Setting,
    *,
    d: int | None = None,
    seed: int,
    threads: int | None = None,
    points: int | None = None,
    accuracy: float | None = None,
    scrambles: int = SCRAMBLES,
    rule: Rule = "auto",
    overlaps_only: bool = False,
) -> Trajectory:
    """Return the trajectory of gradient descent as d -> infinity, with error bars.

    Parameters
    ----------
    setting : Setting
        A random start is the orthogonal one in this limit. Every schedule of the batch: `batches` of them in an
        epoch, or single samples, which are the limit of ever smaller batches (a step is an epoch there).
    d : None
        There is none.
    seed : int
        Of the scrambles. The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    points : int, optional
        Sobol points per scramble, a power of 2; by default 2^15. Where they fall into strata (blocks of a schedule;
        the points of a finite law of z, at most 4096, which are gone through one by one and not sampled), each has
        the next power of 2 above its share.
    accuracy : float, optional
        Instead of `points`: the error that every entry of M shall have at most. Points and scrambles are added until
        it is reached, or 2^22 points per scramble or 1 GB of memory are; the attribute ``accuracy_reached`` says
        "yes" or "no".
    scrambles : int
        Independent scrambles, at least 3; a run on each, and the errors are the standard errors of their mean.
        With an accuracy, there may be up to 8 times as many in the end.
    rule : {"auto", "sobol", "gauss-hermite"}
        "gauss-hermite" takes tensor nodes, more and more of them until two grids in a row agree to `accuracy`
        (1e-10 by default) in M, Q and the losses; the errors are the difference of the last two. "auto" takes it
        where the dimension k + p + p (steps - 1), and one more for label noise, is at most 4 and target and
        activation are recognised as smooth, and no `points` are given, as long as the grids cost no more than Sobol
        points would for the same accuracy (8 times the default points, if none is asked); else, or where these have
        the smaller error in the end, Sobol points.
    overlaps_only : bool
        Leave out the expectations at the last step, on which M and Q do not depend: what else there is at that step
        is NaN. On a tensor grid they are nearly all of the work.

    Returns
    -------
    Trajectory
        M, Q, training_loss, test_loss, noise_covariance, response_kernel and effective_regularisation, each with its
        error in a variable of that name and ``_error``.

    Raises
    ------
    RebatchError
        If an argument is not allowed.
    TooLargeError
        If the samples would need more than 1 GB, the tensor grid more than 2^25 nodes, all kernels more than 80% of
        the free memory, or the run more than 2e13 operations, about an hour.

    Warns
    -----
    StoppedEarly
        If the overlaps diverge: the steps before are kept, those that every run on a scramble has. On Ctrl-C: the
        finished runs are kept, their errors are NaN where there is but one, or else the steps of the first run.
    AccuracyMissed
        If an accuracy was asked for and not reached: the errors say how close the answer is.

    References
    ----------
    [D24], [CCM21]; theory, 4 (The limit dynamics on one batch). Per sample and step t: about 4 p^2 (2 t + 2) flops;
    memory: 8 (k + p + 1 + 2 p steps) bytes per point.
    """
    if d is not None:
        raise RebatchError(f"d = {d!r}; the limit has no d, leave it out")
    _check_setting(setting)
    _check(points, accuracy, scrambles, rule)
    if setting.batches == "single" and (accuracy is not None or rule == "gauss-hermite"):
        raise RebatchError(
            "an accuracy or the rule 'gauss-hermite' with batches = 'single'; allowed are points, the rule is 'sobol'"
        )
    _require_resources(setting, points, scrambles)
    with thread_pool(threads) as pool:
        if setting.batches == "single":
            answer = _of_single_samples(setting, points, scrambles, seed, pool, overlaps_only)
        elif rule == "gauss-hermite":
            answer = _by_tensor(setting, accuracy or TENSOR_ACCURACY, pool, overlaps_only)
        elif rule == "auto" and points is None and _fits_tensor(setting):
            answer = _by_cheaper(setting, accuracy, scrambles, seed, pool, overlaps_only)
        else:
            seeds = np.random.SeedSequence(seed)
            answer = _by_sobol(setting, points, accuracy, scrambles, seeds, pool, overlaps_only)
    if answer.stopped:
        warn_of_stop(answer.stopped)
    elif accuracy is not None and answer.provenance["accuracy_reached"] == "no":
        warn(
            f"accuracy = {accuracy:g} was not reached: the largest error is {_largest(answer.error):.1e}",
            AccuracyMissed,
        )
    extra = {
        name: (DIMENSIONS[name], answer.mean[name], {"long_name": meaning})
        for name, meaning in _MEANINGS.items()
        if name in answer.mean
    }
    errors = {
        f"{name}_error": (DIMENSIONS[name], error, {"long_name": answer.error_meaning})
        for name, error in answer.error.items()
    }
    return Trajectory.build(
        setting,
        answer.mean["M"],
        answer.mean["Q"],
        answer.mean["training_loss"],
        variables={**extra, **errors},
        engine="limit",
        seed=int(seed),
        how="numeric",
        stopped=answer.stopped,
        **answer.provenance,
    )


def _largest(errors: Mapping[str, Array]) -> float:
    return max(float(np.nanmax(error, initial=0.0)) for error in errors.values())


def _check_setting(setting: Setting) -> None:
    """Refuse what the recursion does not hold for."""
    if setting.record_every != 1:
        raise RebatchError(f"record_every = {setting.record_every}; the limit keeps every step, allowed is 1")
    if setting.batch_size is not None:
        raise RebatchError(
            f"batch_size = {setting.batch_size}; the limit has no n: allowed are batches = n / batch_size, 'single'"
        )
    if setting.rho and setting.fresh_at:
        raise RebatchError(
            f"rho = {setting.rho:g} with fresh_at; in the limit a step on fresh samples has no look ahead: "
            "allowed is one of them"
        )


def _require_resources(setting: Setting, points: int | None, scrambles: int) -> None:
    """Refuse a run whose kernels do not fit in memory, or that takes hours.

    Raises
    ------
    TooLargeError
    """
    single = setting.batches == "single"
    # Single samples: of the finest batches nothing is kept but the overlaps.
    steps, kept = (4 * _COARSEST * setting.steps, 1) if single else (setting.steps, 2 * scrambles + _FURTHER)
    p = setting.neurons
    require(
        kept * 2 * 8.0 * (steps + 1) ** 2 * p**2,
        f"the limit's kernels of {setting.steps} steps and {p} neurons on {scrambles} scrambles",
    )
    if single:
        setting = replace(
            setting, batches=4 * _COARSEST, steps=steps, weight_decay=setting.weight_decay / (4 * _COARSEST)
        )
    size = _strata(setting) * _share(setting, points or min(_most_points(setting), DEFAULT_POINTS))
    each = 4 * p * dimension(setting, most_innovations(setting, steps)) * (2 if setting.rho else 1)
    operations = float(scrambles) * steps * (size * each + _PER_CUBE * p**3)
    if operations > _MOST_OPERATIONS:
        raise TooLargeError(
            f"the limit of {p} neurons over {setting.steps} steps on {size} points, {scrambles} times, takes about "
            f"{operations:.2g} operations; allowed are {_MOST_OPERATIONS:.0e}, about an hour: fewer neurons or "
            "steps, or by the argument points fewer points"
        )


def _check(points: int | None, accuracy: float | None, scrambles: int, rule: str) -> None:
    """Check the options of the integration against each other."""
    checks.one_of("rule", rule, RULES)
    if points is not None and accuracy is not None:
        raise RebatchError(f"points = {points} and accuracy = {accuracy}; give one of them")
    if points is not None:
        if rule == "gauss-hermite":
            raise RebatchError("points are for the rule 'sobol'; Gauss-Hermite takes an accuracy")
        if checks.integer("points", points, least=2, most=MAX_POINTS) & (points - 1):
            raise RebatchError(f"points = {points!r}; allowed are powers of 2 up to {MAX_POINTS}")
    if accuracy is not None:
        checks.number("accuracy", accuracy, above=0)
    checks.integer("scrambles", scrambles, least=3)


@dataclass(frozen=True)
class _Answer:
    """Every quantity with its error, and how both were had."""

    mean: Mapping[str, Array]
    error: Mapping[str, Array]
    error_meaning: str
    provenance: Mapping[str, Any]
    stopped: str = ""


def _by_sobol(
    setting: Setting,
    points: int | None,
    accuracy: float | None,
    scrambles: int,
    seed: np.random.SeedSequence,
    pool: Threads,
    overlaps_only: bool,
) -> _Answer:
    """Run on independent scrambles; with an accuracy, on larger ones until it is reached."""
    most = _most_points(setting)
    size = points or min(most, DEFAULT_POINTS if accuracy is None else _FIRST_POINTS)
    samples = _sobol_samples(setting, size, pool)
    runs: list[Finished] = []
    wanted = scrambles
    answer = None
    while True:
        some = seed.spawn(wanted - len(runs))
        if interrupted := _run_on_scrambles(setting, samples, some, runs, overlaps_only):
            if len(runs) > 1 or answer is None:
                answer = _over_scrambles(runs, size)
            answer = replace(answer, stopped=interrupted)
            excess = math.inf
            break
        answer = _over_scrambles(runs, size)
        if answer.stopped:
            excess = math.inf
            break
        answer = _with_tails(answer, setting, samples, seed.spawn(scrambles), overlaps_only)
        _log.debug(
            "limit: %d scrambles of %d points, error of M %.2g", len(runs), size, answer.error["M"].max()
        )
        excess = 0.0 if accuracy is None else min(float(answer.error["M"].max()) / accuracy, _HOPELESS)
        if excess <= 1 or wanted == _MOST_SCRAMBLES * scrambles:
            break
        if excess <= 2 or size == most:
            # The error falls like the root of the number of scrambles, itself uncertain by a tenth.
            wanted = min(math.ceil(1.1 * excess**2 * len(runs)), _MOST_SCRAMBLES * scrambles)
            continue
        # It falls at least like the root of the number of points, for smooth functions nearly like its inverse.
        growth = 2 ** math.floor(math.log2((excess / 1.5) ** (1 / 0.6)))
        size = min(most, size * min(max(growth, 2), 16))
        del samples
        samples, runs, wanted = _sobol_samples(setting, size, pool), [], scrambles
    if accuracy is None:
        return answer
    reached = "yes" if excess <= 1 and answer.provenance["errors_trusted"] == "yes" else "no"
    asked = {"accuracy_asked": accuracy, "accuracy_reached": reached}
    return replace(answer, provenance={**answer.provenance, **asked})


def _with_tails(
    answer: _Answer,
    setting: Setting,
    samples: SobolSamples,
    seeds: list[np.random.SeedSequence],
    overlaps_only: bool,
) -> _Answer:
    """Add to the errors what points further out say, where means lie beyond the points of all scrambles.

    The mean of a polynomial of degree n lies around sqrt(n) standard deviations; N points reach Phi^(-1)(1 - 1/N).
    Where they fall short all scrambles agree on what is left out, and their spread says nothing of it. Points that
    are stretched until they reach there, with the weights of their density, are a rule of their own.
    """
    count = len(seeds) * samples.count
    reach, needed = -ndtri(1 / count), math.sqrt(tail_degree(setting))
    if needed <= reach:
        return answer
    wide: list[Finished] = []
    width = min(_WIDEST, needed / reach)
    left_out = _run_on_scrambles(setting, samples, seeds, wide, overlaps_only, width=width)
    if left_out or len(wide) < 2:
        return replace(answer, stopped=left_out)
    other = _over_scrambles(wide, samples.count)
    kept = len(other.mean["M"])  # further steps diverge there: of them nothing is known
    error = {name: np.full(value.shape, np.inf) for name, value in answer.error.items()}
    for name, whole in error.items():
        first_steps(name, whole, kept)[...] = np.hypot(
            first_steps(name, answer.error[name], kept), first_steps(name, other.error[name], len(whole))
        ) + np.abs(
            first_steps(name, answer.mean[name], kept) - first_steps(name, other.mean[name], len(whole))
        )
    meaning = f"{answer.error_meaning}, and the difference from points {width:.3g} times as wide"
    return replace(answer, error=error, error_meaning=meaning)


def _bytes_per_point(setting: Setting) -> int:
    innovations = most_innovations(setting, setting.steps)
    plan = MaskPlan(setting)
    masks = 9 * (setting.steps + 1) if plan.choices else 0
    placed = setting.k if count_of_points(setting) > 1 else 0
    return 8 * (placed + dimension(setting, innovations) + 2 + innovations + setting.neurons) + masks


def _share(setting: Setting, points: int) -> int:
    """Return the points of each stratum, a power of 2: together at least as many as asked for."""
    return int(2 ** math.ceil(math.log2(max(2, points / _strata(setting)))))


def _strata(setting: Setting) -> int:
    """Return how many kinds of samples there are: by masks, and by points of z where its law is finite."""
    return len(MaskPlan(setting).blocks) * count_of_points(setting)


def _most_points(setting: Setting) -> int:
    """Return the most points, a power of 2, that the memory limit allows."""
    strata, most = _strata(setting), MAX_POINTS
    while most > 2 and strata * _share(setting, most) * _bytes_per_point(setting) > MEMORY_LIMIT:
        most //= 2
    return most


def _sobol_samples(setting: Setting, points: int, pool: Threads) -> SobolSamples:
    """Return samples of at least so many points, before the first scramble.

    Raises
    ------
    TooLargeError
        If they need too much memory.
    """
    if points > (most := _most_points(setting)):
        raise TooLargeError(
            f"{points} points need {points * _bytes_per_point(setting) / 1e9:.2g} GB; the limit is "
            f"{MEMORY_LIMIT / 1e9:g} GB, or {most} points"
        )
    return SobolSamples(setting, _share(setting, points), most_innovations(setting, setting.steps), pool)


def _of_single_samples(
    setting: Setting, points: int | None, scrambles: int, seed: int, pool: Threads, overlaps_only: bool
) -> _Answer:
    """Return the limit of ever smaller batches, from runs with 4, 8 and 16 of them in an epoch.

    The error of B batches is c / B + O(B^-2), so that f = 2 f(2 B) - f(B) + O(B^-2) on each scramble. What is left is
    a third of the difference of the two extrapolations; it is added to the standard error.
    """
    found: list[list[Finished]] = []
    for parts in (_COARSEST, 2 * _COARSEST, 4 * _COARSEST):
        finer = replace(
            setting, batches=parts, steps=setting.steps * parts, weight_decay=setting.weight_decay / parts
        )
        samples = _sobol_samples(finer, points or min(_most_points(finer), DEFAULT_POINTS), pool)
        runs: list[Finished] = []
        seeds = np.random.SeedSequence(seed).spawn(scrambles)
        if _run_on_scrambles(finer, samples, seeds, runs, overlaps_only, parts):
            raise KeyboardInterrupt
        del samples
        kept = min(len(run.values["M"]) for run in runs)
        names = ("M", "Q", "training_loss", "test_loss")
        found.append([Finished({n: run.values[n][:kept:parts] for n in names}, "") for run in runs])
    common = min(len(run.values["M"]) for runs in found for run in runs)
    coarse, middle, fine = (
        {name: np.stack([run.values[name][:common] for run in runs]) for name in runs[0].values}
        for runs in found
    )
    mean, error, left = {}, {}, 0.0
    for name in fine:
        extrapolated, before = 2 * fine[name] - middle[name], 2 * middle[name] - coarse[name]
        mean[name] = extrapolated.mean(axis=0)
        spread = extrapolated.std(axis=0, ddof=1) / np.sqrt(scrambles)
        rest = np.abs((extrapolated - before).mean(axis=0)) / 3
        error[name] = spread + rest
        if name == "M":
            left = float(rest.max())
    return _Answer(
        mean,
        error,
        f"standard error over {scrambles} scrambles, and what the extrapolation to single samples leaves",
        {
            "rule": "sobol",
            "scrambles": scrambles,
            "batches_per_epoch": [_COARSEST, 2 * _COARSEST, 4 * _COARSEST],
            "extrapolation_error": left,
            "errors_trusted": "yes",
        },
        divergence(common) if common <= setting.steps else "",
    )


def _run_on_scrambles(
    setting: Setting,
    samples: SobolSamples,
    seeds: list[np.random.SeedSequence],
    runs: list["Finished"],
    overlaps_only: bool,
    losses_every: int | None = None,
    width: float = 1.0,
) -> str:
    """Add a run for every seed to `runs`; return why Ctrl-C left some out, or nothing."""
    wanted = len(runs) + len(seeds)

    def on(scramble: np.random.SeedSequence) -> Finished:
        samples.scramble(scramble, width)
        return Run(setting, samples, overlaps_only, losses_every).trajectory()

    with progress("limit", wanted) as done:
        for child in seeds:
            left_out = f"after {len(runs)} of {wanted} scrambles; the runs on these are kept"
            if interrupted := _add_run(partial(on, child), runs, left_out):
                return interrupted
            done(len(runs))
    return ""


def _add_run(compute: Callable[[], "Finished"], runs: list["Finished"], left_out: str) -> str:
    """Add a run to those that are finished; return why Ctrl-C left it out or cut it short, or nothing.

    An unfinished run counts only where there is no other.
    """
    try:
        run = compute()
    except KeyboardInterrupt:
        if not runs:
            raise
        return f"{INTERRUPTED} {left_out}"
    unfinished = run.stopped.startswith(INTERRUPTED)
    if unfinished and runs:
        return f"{INTERRUPTED} {left_out}"
    runs.append(run)
    return run.stopped if unfinished else ""


def _over_scrambles(runs: list["Finished"], points: int) -> _Answer:
    """Return means over scrambles and their standard errors, at the steps that all runs have."""
    shortest = min(runs, key=lambda run: len(run.values["M"]))
    kept = len(shortest.values["M"])
    mean, error = {}, {}
    for name in shortest.values:
        values = np.stack([first_steps(name, run.values[name], kept) for run in runs])
        mean[name] = values.mean(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):  # losses of which the tails are beyond a float
            spread = values.std(axis=0, ddof=1) if len(runs) > 1 else np.full(values.shape[1:], np.nan)
        error[name] = spread / np.sqrt(len(runs))
    squares = (np.stack([run.values["M"][:kept] for run in runs]) - mean["M"]) ** 2
    # One scramble that carries most of the spread: a heavy tail, of which the others have seen nothing.
    share = squares.max(axis=0) / np.where(error["M"] > 0, squares.sum(axis=0), 1.0)
    heavy = share.max() > max(0.5, 3 / len(runs))
    return _Answer(
        mean,
        error,
        f"standard error of the mean over {len(runs)} independent scrambles",
        {
            "rule": "sobol",
            "points": points,
            "scrambles": len(runs),
            "errors_trusted": "no: one scramble carries most of the spread" if heavy else "yes",
        },
        shortest.stopped,
    )


def _fits_tensor(setting: Setting) -> bool:
    """Whether the overlaps need at most 4 dimensions, and everything is smooth."""
    innovations = most_innovations(setting, setting.steps - 1)
    dimensions = dimension(setting, innovations)
    few = dimensions <= TENSOR_DIMENSION and count_of_points(setting) * _NODES[1] ** dimensions <= _GRID_LIMIT
    return few and is_smooth(setting) and MaskPlan(setting).countable


def _by_cheaper(
    setting: Setting, accuracy: float | None, scrambles: int, seed: int, pool: Threads, overlaps_only: bool
) -> _Answer:
    """Run on grids while they are worth it, then on Sobol points, then on the other grids if an accuracy is left."""

    def enough(answer: _Answer) -> bool:
        return bool(answer.stopped) or answer.provenance.get("accuracy_reached") == "yes"

    most = _worth_of_grids(setting, accuracy, scrambles, seed, pool, overlaps_only)
    grids = _by_tensor(setting, accuracy or TENSOR_ACCURACY, pool, overlaps_only, most)
    if enough(grids):
        return grids
    seeds = np.random.SeedSequence(seed)
    points = _by_sobol(setting, None, accuracy, scrambles, seeds, pool, overlaps_only)
    if enough(points):
        return points
    if accuracy is not None and most < math.inf:
        grids = _by_tensor(setting, accuracy, pool, overlaps_only)
        if enough(grids):
            return grids
    return points if points.error["M"].max() < grids.error["M"].max() else grids


def _worth_of_grids(
    setting: Setting, accuracy: float | None, scrambles: int, seed: int, pool: Threads, overlaps_only: bool
) -> float:
    """Return how many samples of all grids and steps together are worth their time, beside Sobol points.

    With nothing asked that is a few times what the default points cost. With an accuracy it is what they are expected
    to cost until they reach it, from a run on few of them; any number where they would run out first.
    """
    steps = setting.steps + (0 if overlaps_only else 1)

    def cost(points: float) -> float:
        return points * _strata(setting) * scrambles * (steps + _DRAWING)

    if accuracy is None:
        return _GRIDS_FOR_POINTS * cost(_share(setting, min(_most_points(setting), DEFAULT_POINTS)))
    most = _most_points(setting)
    few = min(_FIRST_POINTS, most)
    seeds = np.random.SeedSequence(seed)
    found = _by_sobol(setting, few, None, scrambles, seeds, pool, overlaps_only)
    if found.stopped:
        return math.inf
    excess = float(found.error["M"].max()) / accuracy
    points = few * max(excess, 1.0) ** (1 / _RATE)
    return math.inf if points > most else cost(_share(setting, points))


def _grid_costs(setting: Setting, nodes: int, overlaps_only: bool) -> float:
    """Return the samples that a run on a grid goes through, step by step."""
    paths = len(list(MaskPlan(setting).paths()))
    last = setting.steps - (1 if overlaps_only else 0)
    sizes = (nodes ** dimension(setting, most_innovations(setting, t)) for t in range(last + 1))
    return float(paths * sum(min(_GRID_LIMIT, count_of_points(setting) * size) for size in sizes))


def _by_tensor(
    setting: Setting, accuracy: float, pool: Threads, overlaps_only: bool, most: float = math.inf
) -> _Answer:
    """Run on finer and finer grids until two in a row agree, or all together would go through over `most` samples."""
    innovations = most_innovations(setting, setting.steps - 1)
    dimensions, latent = dimension(setting, innovations), count_of_points(setting)
    allowed = [nodes for nodes in _NODES if latent * nodes**dimensions <= _GRID_LIMIT]
    if len(allowed) < 2:
        of_latent = f"{latent} points of z and " if latent > 1 else ""
        times = f"{latent} times " if latent > 1 else ""
        raise TooLargeError(
            f"{of_latent}Gauss-Hermite nodes in {dimensions} dimensions: {times}{_NODES[1]}^{dimensions} are more "
            "than 2^25; use the rule 'sobol'"
        )

    def on(nodes: int) -> Finished:
        return Run(setting, TensorSamples(setting, nodes, _GRID_LIMIT, pool), overlaps_only).trajectory()

    checked = ("M", "Q") if overlaps_only else ("M", "Q", "training_loss", "test_loss")
    runs: list[Finished] = []
    stopped = ""
    worst, spent = math.inf, 0.0
    for nodes in allowed:
        spent += _grid_costs(setting, nodes, overlaps_only)
        if len(runs) > 1 and spent > most:
            break
        left_out = f"after {len(runs)} of up to {len(allowed)} grids; the last of these is kept"
        if stopped := _add_run(partial(on, nodes), runs, left_out):
            break
        stopped = runs[-1].stopped
        if len(runs) > 1:
            mean, error = _between_grids(runs[-2], runs[-1])
            worst = max(float((error[name] / np.maximum(1, np.abs(mean[name]))).max()) for name in checked)
            if worst <= accuracy:
                break
    if len(runs) == 1:
        mean = runs[0].values
        error = {name: np.full(value.shape, np.nan) for name, value in mean.items()}
    nodes = allowed[len(runs) - 1]
    return _Answer(
        mean,
        error,
        "difference of two Gauss-Hermite grids",
        {
            "rule": "gauss-hermite",
            "points": latent * nodes**dimensions,
            "nodes": nodes,
            "accuracy_asked": accuracy,
            "accuracy_reached": "yes" if worst <= accuracy else "no",
        },
        stopped,
    )


def _between_grids(before: "Finished", last: "Finished") -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the last grid's values and their difference from the one before, at the steps that both have."""
    kept = min(len(before.values["M"]), len(last.values["M"]))
    mean = {name: first_steps(name, value, kept) for name, value in last.values.items()}
    error = {
        name: np.abs(value - first_steps(name, before.values[name], kept)) for name, value in mean.items()
    }
    return mean, error
