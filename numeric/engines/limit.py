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

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...kernels.limit import expected_loss, innovate, respond
from ...symbolic.errors import RebatchError, TooLargeError
from ..integration import Block, Samples, SobolSamples, TensorSamples, dimension, is_smooth
from ..machine.blocks import Threads, thread_pool
from ..machine.progress import progress
from ..setting import Setting
from ..trajectory import INTERRUPTED, Trajectory
from .descent import diverged, divergence, interruption, warn_of_stop

Array = NDArray[np.float64]
Rule = Literal["auto", "sobol", "gauss-hermite"]
RULES: tuple[Rule, ...] = ("auto", "sobol", "gauss-hermite")

DEFAULT_POINTS = 2**15
MAX_POINTS = 2**20
SCRAMBLES = 16
MEMORY_LIMIT = 1_000_000_000
TENSOR_DIMENSION = 4
TENSOR_ACCURACY = 1e-10
# A signal whose part outside the earlier innovations is this small against it is dependent on them.
_DEPENDENT = 1e-6
# A signal this small against label and readout is rounding.
_ROUNDING = 1e-14
_FIRST_POINTS = 2**12
_NODES = (20, 28, 40, 56, 80, 112, 160, 224)
_GRID_LIMIT = 2**25

# Variants of the dynamics for which theory, 4 does not hold as it stands.
_PLAIN = {"batch_size": None, "rho": 0.0, "record_every": 1}
_KINDS: dict[str | None, int] = {"relu": 0, "erf": 1, "tanh": 2, "polynomial": 3}
_DIMENSIONS = {
    "M": ("step", "neuron", "direction"),
    "Q": ("step", "neuron", "other"),
    "training_loss": ("step",),
    "test_loss": ("step",),
    "noise_covariance": ("step", "earlier", "neuron", "other"),
    "response_kernel": ("step", "earlier", "neuron", "other"),
    "effective_regularisation": ("step", "neuron", "other"),
}
_MEANINGS = {
    "test_loss": "loss per sample at a fresh input, from M and Q",
    "noise_covariance": "C(t, s) = alpha E[g^t g^s^T]; 0 between batches",
    "response_kernel": "K(t, s) in h^t = (Gaussian part) + sum_{s<t} K(t, s) g^s; 0 between batches",
    "effective_regularisation": "lam I - alpha E[dg^t / dh^t]; NaN where h^t has fewer than p fresh directions",
}


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
        A random start is the orthogonal one in this limit.
    d : None
        There is none.
    seed : int
        Of the scrambles. The same seed gives the same numbers, whatever the number of threads.
    threads : int, optional
        By default one per core.
    points : int, optional
        Sobol points per scramble, a power of 2; by default 2^15.
    accuracy : float, optional
        Instead of `points`: the error that every entry of M shall have at most. Points and scrambles are added until
        it is reached, or 2^20 points per scramble or 1 GB of memory are; the attribute ``accuracy_reached`` says
        "yes" or "no".
    scrambles : int
        Independent scrambles, at least 3; a run on each, and the errors are the standard errors of their mean.
        With an accuracy, there may be up to 5 times as many in the end.
    rule : {"auto", "sobol", "gauss-hermite"}
        "gauss-hermite" takes tensor nodes, more and more of them until two grids in a row agree to `accuracy`
        (1e-10 by default) in M, Q and the losses; the errors are the difference of the last two. "auto" takes it
        where the dimension k + p + p (steps - 1), and one more for label noise, is at most 4 and target and
        activation are recognised as smooth, and no `points` are given; else, or where the Sobol points have the
        smaller error in the end, Sobol points.
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
        If the samples would need more than 1 GB, or the tensor grid more than 2^25 nodes.

    Warns
    -----
    StoppedEarly
        If the overlaps diverge: the steps before are kept, those that every run on a scramble has. On Ctrl-C: the
        finished runs are kept, their errors are NaN where there is but one, or else the steps of the first run.

    References
    ----------
    [D24], [CCM21]; theory, 4 (The limit dynamics on one batch). Per sample and step t: about 4 p^2 (2 t + 2) flops;
    memory: 8 (k + p + 1 + 2 p steps) bytes per point.
    """
    if d is not None:
        raise RebatchError(f"d = {d!r}; the limit has no d, leave it out")
    _check_setting(setting)
    _check(points, accuracy, scrambles, rule)
    with thread_pool(threads) as pool:
        answer = None
        if rule == "gauss-hermite" or (rule == "auto" and points is None and _fits_tensor(setting)):
            to = TENSOR_ACCURACY if accuracy is None else accuracy
            answer = _by_tensor(setting, to, pool, overlaps_only)
        unsure = answer is not None and not answer.stopped and answer.provenance["accuracy_reached"] == "no"
        if answer is None or (rule == "auto" and unsure):
            seeds = np.random.SeedSequence(seed)
            sampled = _by_sobol(setting, points, accuracy, scrambles, seeds, pool, overlaps_only)
            if answer is None or sampled.error["M"].max() < answer.error["M"].max():
                answer = sampled
    if answer.stopped:
        warn_of_stop(answer.stopped, stacklevel=3)
    extra = {
        name: (_DIMENSIONS[name], answer.mean[name], {"long_name": _MEANINGS[name]}) for name in _MEANINGS
    }
    errors = {
        f"{name}_error": (_DIMENSIONS[name], error, {"long_name": answer.error_meaning})
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


def _check_setting(setting: Setting) -> None:
    """Refuse what the recursion does not hold for."""
    for name, plain in _PLAIN.items():
        if (given := getattr(setting, name, plain)) != plain:
            raise RebatchError(
                f"{name} = {given!r}; the limit is for plain full-batch steps, {name} = {plain!r}"
            )


def _check(points: int | None, accuracy: float | None, scrambles: int, rule: str) -> None:
    if rule not in RULES:
        raise RebatchError(f"rule = {rule!r}; allowed are {', '.join(RULES)}")
    if points is not None and accuracy is not None:
        raise RebatchError(f"points = {points} and accuracy = {accuracy}; give one of them")
    if points is not None:
        if rule == "gauss-hermite":
            raise RebatchError("points are for the rule 'sobol'; Gauss-Hermite takes an accuracy")
        if not isinstance(points, int | np.integer) or not 2 <= points <= MAX_POINTS or points & (points - 1):
            raise RebatchError(f"points = {points!r}; allowed are powers of 2 up to {MAX_POINTS}")
    if accuracy is not None and not 0 < accuracy < np.inf:
        raise RebatchError(f"accuracy = {accuracy!r}; allowed are finite numbers > 0")
    if isinstance(scrambles, bool) or not isinstance(scrambles, int | np.integer) or scrambles < 3:
        raise RebatchError(f"scrambles = {scrambles!r}; allowed are integers >= 3")


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
    innovations = setting.neurons * longest_reuse(setting, setting.steps)
    bytes_per_point = 8 * (dimension(setting, innovations) + 2 + innovations + setting.neurons)
    most = MAX_POINTS
    while most * bytes_per_point > MEMORY_LIMIT:
        most //= 2
    size = points or (DEFAULT_POINTS if accuracy is None else _FIRST_POINTS)
    if size > most:
        raise TooLargeError(
            f"{size} points need {size * bytes_per_point / 1e9:.2g} GB; the limit is {MEMORY_LIMIT / 1e9:g} GB, "
            f"or {most} points"
        )
    samples = SobolSamples(setting, size, innovations, pool)
    runs: list[_Finished] = []
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
        excess = 0.0 if accuracy is None else float(answer.error["M"].max()) / accuracy
        if excess <= 1 or (size == most and wanted > scrambles):
            break
        if excess <= 2 or size == most:
            # The error falls like the root of the number of scrambles, itself uncertain by a tenth.
            wanted = math.ceil(1.1 * min(excess, 2) ** 2 * len(runs))
            continue
        # It falls at least like the root of the number of points, for smooth functions nearly like its inverse.
        growth = 2 ** math.floor(math.log2((excess / 1.5) ** (1 / 0.6)))
        size = min(most, size * min(max(growth, 2), 16))
        samples, runs, wanted = SobolSamples(setting, size, innovations, pool), [], scrambles
    if accuracy is None:
        return answer
    reached = "yes" if excess <= 1 and answer.provenance["errors_trusted"] == "yes" else "no"
    asked = {"accuracy_asked": accuracy, "accuracy_reached": reached}
    return replace(answer, provenance={**answer.provenance, **asked})


def _run_on_scrambles(
    setting: Setting,
    samples: SobolSamples,
    seeds: list[np.random.SeedSequence],
    runs: list["_Finished"],
    overlaps_only: bool,
) -> str:
    """Add a run for every seed to `runs`; return why Ctrl-C left some out, or nothing."""
    wanted = len(runs) + len(seeds)

    def on(scramble: np.random.SeedSequence) -> _Finished:
        samples.scramble(scramble)
        return _Run(setting, samples, overlaps_only).trajectory()

    with progress("limit", wanted) as done:
        for child in seeds:
            left_out = f"after {len(runs)} of {wanted} scrambles; the runs on these are kept"
            if interrupted := _add_run(partial(on, child), runs, left_out):
                return interrupted
            done(len(runs))
    return ""


def _add_run(compute: Callable[[], "_Finished"], runs: list["_Finished"], left_out: str) -> str:
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


def _over_scrambles(runs: list["_Finished"], points: int) -> _Answer:
    """Return means over scrambles and their standard errors, at the steps that all runs have."""
    shortest = min(runs, key=lambda run: len(run.values["M"]))
    kept = len(shortest.values["M"])
    mean, error = {}, {}
    for name in shortest.values:
        values = np.stack([_first_steps(name, run.values[name], kept) for run in runs])
        mean[name] = values.mean(axis=0)
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
    innovations = setting.neurons * longest_reuse(setting, setting.steps - 1)
    return dimension(setting, innovations) <= TENSOR_DIMENSION and is_smooth(setting)


def _by_tensor(setting: Setting, accuracy: float, pool: Threads, overlaps_only: bool) -> _Answer:
    """Run on finer and finer grids until two in a row agree."""
    innovations = setting.neurons * longest_reuse(setting, setting.steps - 1)
    dimensions = dimension(setting, innovations)
    allowed = [nodes for nodes in _NODES if nodes**dimensions <= _GRID_LIMIT]
    if len(allowed) < 2:
        raise TooLargeError(
            f"Gauss-Hermite nodes in {dimensions} dimensions: {_NODES[1]}^{dimensions} are more than 2^25; "
            "use the rule 'sobol'"
        )

    def on(nodes: int) -> _Finished:
        return _Run(setting, TensorSamples(setting, nodes, _GRID_LIMIT, pool), overlaps_only).trajectory()

    checked = ("M", "Q") if overlaps_only else ("M", "Q", "training_loss", "test_loss")
    runs: list[_Finished] = []
    stopped = ""
    worst = math.inf
    for nodes in allowed:
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
            "points": nodes**dimensions,
            "nodes": nodes,
            "accuracy_asked": accuracy,
            "accuracy_reached": "yes" if worst <= accuracy else "no",
        },
        stopped,
    )


def _between_grids(before: "_Finished", last: "_Finished") -> tuple[dict[str, Array], dict[str, Array]]:
    """Return the last grid's values and their difference from the one before, at the steps that both have."""
    kept = min(len(before.values["M"]), len(last.values["M"]))
    mean = {name: _first_steps(name, value, kept) for name, value in last.values.items()}
    error = {
        name: np.abs(value - _first_steps(name, before.values[name], kept)) for name, value in mean.items()
    }
    return mean, error


def longest_reuse(setting: Setting, last: int) -> int:
    """Return the most steps that one batch has behind it at a step up to `last`."""
    longest = now = 0
    for t in range(1, last + 1):
        now = 0 if setting.draws(t) else now + 1
        longest = max(longest, now)
    return longest


@dataclass(frozen=True)
class _Finished:
    """Every quantity at the steps that a run has, and why it has no more; empty if it has all."""

    values: dict[str, Array]
    stopped: str


def _first_steps(name: str, values: Array, count: int) -> Array:
    """Return a quantity at the first `count` steps, and against those alone."""
    return values[tuple(slice(count) for axis in _DIMENSIONS[name] if axis in {"step", "earlier"})]


@dataclass
class _Batch:
    """What is known of the present batch.

    Attributes
    ----------
    coefficients : list of ndarray, shape (p, k + p + innovations so far)
        C^t at its steps.
    transforms : list of ndarray, shape (rank, innovations before + p)
        A^s: gamma^s = A^s (gamma^0 … gamma^{s-1}, g^s).
    on_signals : ndarray, shape (innovations, p steps)
        All gamma in terms of all signals g^s.
    on_innovations : list of ndarray, shape (p, innovations)
        E[g^s gamma^T], so that g^s is this times gamma.
    """

    coefficients: list[Array] = field(default_factory=list)
    transforms: list[Array] = field(default_factory=list)
    on_signals: Array = field(default_factory=lambda: np.zeros((0, 0)))
    on_innovations: list[Array] = field(default_factory=list)

    @property
    def ranks(self) -> list[int]:
        """How many innovations each step gave."""
        return [len(A) for A in self.transforms]


class _Run:
    """The limit dynamics with all expectations over one set of samples."""

    def __init__(self, setting: Setting, samples: Samples, overlaps_only: bool) -> None:
        self.setting, self.samples, self.overlaps_only = setting, samples, overlaps_only
        self.k, self.p, self.steps = setting.k, setting.neurons, setting.steps
        self.batch, self.done = _Batch(), 0
        self.network = (
            setting.a(),
            _KINDS[setting.activation.kernel],
            np.array(setting.activation.coefficients()),
            setting.loss == "correlation",
        )

    def trajectory(self) -> _Finished:
        """Return every quantity at steps 0 … T, or fewer if the overlaps diverge, or on Ctrl-C after a step."""
        out = self._room()
        stopped = ""
        try:
            with np.errstate(all="ignore"):
                self._go(out)
            if self.done <= self.steps:
                stopped = divergence(self.done)
        except KeyboardInterrupt:
            if not self.done:
                raise
            stopped = interruption(self.done - 1)
        return _Finished({name: _first_steps(name, value, self.done) for name, value in out.items()}, stopped)

    def _room(self) -> dict[str, Array]:
        """Return arrays for every quantity."""
        p, T = self.p, self.steps
        return {
            "M": np.empty((T + 1, p, self.k)),
            "Q": np.empty((T + 1, p, p)),
            "training_loss": np.empty(T + 1),
            "test_loss": np.empty(T + 1),
            "noise_covariance": np.zeros((T + 1, T + 1, p, p)),
            "response_kernel": np.zeros((T + 1, T + 1, p, p)),
            "effective_regularisation": np.empty((T + 1, p, p)),
        }

    def _go(self, out: dict[str, Array]) -> None:
        """Fill `out` step by step, up to the last one or to one at which the overlaps have diverged."""
        p = self.p
        start = self.setting.start_coefficients()
        weights = np.hstack([np.zeros((p, self.k)), np.eye(p)]) if start is None else start
        self.samples.rewind()
        for t in range(self.steps + 1):
            M, Q = weights[:, : self.k], weights @ weights.T
            if diverged(M, Q):
                return
            out["M"][t], out["Q"][t] = M, Q
            if t == self.steps and self.overlaps_only:
                for name in out.keys() - {"M", "Q"}:
                    out[name][t] = np.nan
                out["noise_covariance"][:, t] = np.nan
                self.done = t + 1
                return
            root = np.hstack([M, _root(Q - M @ M.T)])
            if t > 0 and self.setting.draws(t):
                self.samples.rewind()
                self.batch = _Batch()
                weights = root
            out["test_loss"][t] = self.samples.average(partial(self._loss, C=root))
            moments = self.samples.measure(self._begin(weights), self._advance, self._respond)
            if not np.isfinite(moments).all():
                return
            weights = self._step(t, weights, moments, out)
            self.done = t + 1

    def _begin(self, weights: Array) -> list[int]:
        """Let a step begin at these weights; return the ranks of the innovations before it."""
        self.batch.coefficients.append(weights)
        return self.batch.ranks

    def _step(self, t: int, weights: Array, moments: Array, out: dict[str, Array]) -> Array:
        """Write down what the expectations at step t say, and return the next coefficients."""
        batch, p, alpha = self.batch, self.p, self.setting.alpha
        m, r = weights.shape[1], sum(batch.ranks)
        out["training_loss"][t] = moments[-1]
        with_basis = moments[: p * m].reshape(p, m)
        with_gamma, gram = np.hsplit(moments[p * m : -1].reshape(p, r + p), [r])
        gram = (gram + gram.T) / 2
        out["effective_regularisation"][t] = self._regularisation(weights, with_basis, with_gamma)
        A, on_new = orthonormalise(with_gamma, gram, self._floor)
        self._record_kernels(t, weights, np.hstack([with_gamma, on_new]), gram, out)
        self._extend(A)
        gradient = np.hstack([alpha * with_basis, np.sqrt(alpha) * on_new])
        padded = np.hstack([weights, np.zeros((p, len(A)))])
        moved = (1 - self.setting.eta * self.setting.weight_decay) * padded + self.setting.eta * gradient
        return moved / np.linalg.norm(moved, axis=1, keepdims=True) if self.setting.normalize else moved

    def _respond(self, block: Block, step: int) -> Array:
        """Leave the signals of a step of the present batch in a block; return its part of their moments, flat."""
        C = self.batch.coefficients[step]
        m, r = C.shape[1], block.innovations
        with_basis, with_gamma = np.zeros((self.p, m)), np.zeros((self.p, r + self.p))
        loss = respond(
            block.basis, block.gamma, m, r, C, block.y, block.weights, *self.network, with_basis, with_gamma
        )
        return np.concatenate([with_basis.ravel(), with_gamma.ravel(), [loss]])

    def _advance(self, block: Block, step: int) -> None:
        """Turn the signals that stand in a block into the innovations of that step."""
        A = self.batch.transforms[step]
        row = self.k + self.p + block.innovations
        innovate(block.basis, block.gamma, row, block.innovations, A, 1 / np.sqrt(self.setting.alpha))
        block.innovations += len(A)

    def _loss(self, block: Block, C: Array) -> Array:
        """Return a block's part of the loss at the fields C (z, u)."""
        return np.array(expected_loss(block.basis, C.shape[1], C, block.y, block.weights, *self.network))

    @cached_property
    def _floor(self) -> Array:
        """The size below which a signal is rounding, shape (p,)."""
        square = self.samples.average(lambda block: np.array(block.weights @ block.y**2))
        return np.asarray(_ROUNDING * np.abs(self.setting.a()) * np.sqrt(square))

    def _extend(self, A: Array) -> None:
        """Add innovations gamma = A (earlier gamma, signals) to what is known of the batch."""
        batch, p = self.batch, self.p
        old = A[:, :-p] @ batch.on_signals
        earlier = np.hstack([batch.on_signals, np.zeros((len(batch.on_signals), p))])
        batch.on_signals = np.vstack([earlier, np.hstack([old, A[:, -p:]])])
        batch.transforms.append(A)

    def _record_kernels(
        self, t: int, weights: Array, on_innovations: Array, gram: Array, out: dict[str, Array]
    ) -> None:
        """Write C(t, s) = alpha E[g^t g^s^T] and K(t, s), s in the present batch."""
        batch, p, alpha = self.batch, self.p, self.setting.alpha
        first = t - len(batch.on_innovations)
        kernel = weights[:, self.k + p :] @ batch.on_signals / np.sqrt(alpha)
        for s, g in enumerate(batch.on_innovations):
            covariance = alpha * on_innovations[:, : g.shape[1]] @ g.T
            out["noise_covariance"][t, first + s] = covariance
            out["noise_covariance"][first + s, t] = covariance.T
            out["response_kernel"][t, first + s] = kernel[:, s * p : (s + 1) * p]
        out["noise_covariance"][t, t] = alpha * gram
        batch.on_innovations.append(on_innovations)

    def _regularisation(self, weights: Array, with_basis: Array, with_gamma: Array) -> Array:
        """Return lam I - alpha E[dg / dh]: E[dg / dh] = E[g x^T] B^{-1} where h = B x + (what x is no part of)."""
        p, ranks = self.p, self.batch.ranks
        rank = ranks[-1] if ranks else p
        fresh = slice(weights.shape[1] - rank, weights.shape[1])
        B, with_fresh = weights[:, fresh], with_basis[:, fresh]
        if ranks:
            # x is the zeta in v = zeta + gamma / sqrt(alpha).
            last = with_gamma[:, with_gamma.shape[1] - rank :]
            with_fresh = with_fresh - last / np.sqrt(self.setting.alpha)
        if rank < p:
            return np.full((p, p), np.nan)
        size = np.linalg.svd(B, compute_uv=False)
        if size[-1] <= _DEPENDENT * size[0]:
            return np.full((p, p), np.nan)
        slope = np.linalg.solve(B.T, with_fresh.T).T
        return np.asarray(self.setting.weight_decay * np.eye(p) - self.setting.alpha * slope)


def orthonormalise(overlaps: Array, gram: Array, floor: Array) -> tuple[Array, Array]:
    """Return what orthonormalises signals in L2 against earlier innovations and among themselves.

    The part of the signals outside the innovations has the Gram matrix E = E[g g^T] - c c^T, c the overlaps. Its
    eigenvectors, each signal measured by its own size, give the new innovations; directions that are dependent
    (below 1e-6 of the signals) are dropped, not divided by.

    Parameters
    ----------
    overlaps : ndarray, shape (p, r)
        c = E[g gamma^T].
    gram : ndarray, shape (p, p)
        E[g g^T].
    floor : ndarray, shape (p,)
        Size below which a signal is rounding, and gives nothing.

    Returns
    -------
    A : ndarray, shape (rank, r + p)
        The new innovations are A (gamma, g).
    on_new : ndarray, shape (p, rank)
        E[g gamma^T] for the new innovations.
    """
    norm = np.sqrt(np.diag(gram))
    live = norm > floor
    inverse = np.where(live, 1 / np.where(live, norm, 1.0), 0.0)
    outside = (gram - overlaps @ overlaps.T) * np.outer(inverse, inverse)
    values, vectors = np.linalg.eigh(outside)
    keep = values > _DEPENDENT**2
    right = vectors[:, keep].T / np.sqrt(values[keep, None]) * inverse
    A = np.hstack([-right @ overlaps, right])
    on_new = np.where(live, norm, 0.0)[:, None] * vectors[:, keep] * np.sqrt(values[keep])
    return A, on_new


def _root(S: Array) -> Array:
    """Return the symmetric root of a positive semidefinite matrix, rounding below zero taken as zero."""
    values, vectors = np.linalg.eigh((S + S.T) / 2)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
