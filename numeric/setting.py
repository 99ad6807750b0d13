"""Setting: everything that defines an experiment of two-layer gradient descent (theory, 1)."""

import inspect
import json
import math
import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..symbolic import checks
from ..symbolic.errors import RebatchError
from ..symbolic.language.called import Called
from ..symbolic.language.law import Inputs, Law
from ..symbolic.language.target import Target
from ..symbolic.overlap.activation import KERNELS, Activation
from ..symbolic.overlap.network import LOSSES, Loss, checked_readout

Matrix = tuple[tuple[float, ...], ...]
Start = Literal["orthogonal", "random", "symmetric"] | Matrix
STARTS: tuple[Literal["orthogonal", "random", "symmetric"], ...] = ("orthogonal", "random", "symmetric")
Batches = int | Literal["single"]
Schedule = Literal["full", "cyclic", "reshuffled", "with replacement"]
SCHEDULES: tuple[Schedule, ...] = ("full", "cyclic", "reshuffled", "with replacement")
MAX_NEURONS = 4096
# A given Q^0 may be this far from symmetric or positive, relative to its size: the rounding of who computed it.
_START_ERROR = 1e-10
# A pivot this small against its diagonal entry is the rounding of a dependent row.
_PIVOT = 1e-13


@dataclass(frozen=True, init=False)
class Setting:
    """An experiment: gradient descent of f(x) = sum_j a_j sigma(<w_j, x>/sqrt(d)) on n = alpha d samples.

    Valid when

    1. alpha and eta are finite and positive, weight_decay and noise_std finite and not negative;
    2. there is at least one neuron and one step;
    3. the readout has one finite number per neuron;
    4. a given start has M^0 of shape (p, k) and Q^0 - M^0 M^0^T positive semidefinite;
    5. `repeats` > 1 only where a batch is followed by another one;
    6. a schedule other than "full" is of one reused data set, and says into how many batches it falls.

    Parameters
    ----------
    target : Target or str
        Its inputs say the law of z. The network sees z standardised; what is orthogonal to w* is Gaussian, or has
        the law of z too in the dense engine (theory, 13).
    activation : Activation or str
    neurons : int
        p.
    alpha : float
        Samples per dimension, n = alpha d.
    eta : float
        Step size; w_j <- (1 - eta weight_decay) w_j + (eta / sqrt(d)) sum_v x_v g_j(v).
    steps : int
    weight_decay : float
        lam.
    loss : {"squared", "correlation"}
    noise_std : float
        Label noise; 0 takes the target's own.
    readout : sequence of p floats, or "gaussian", optional
        The second layer a, fixed; by default (-1)^j / sqrt(p). "gaussian": a_j ~ N(0, 1/p), drawn from
        `readout_seed`; at a symmetric start the first half, and the other half is minus it.
    start : {"orthogonal", "random", "symmetric"} or array_like, shape (p, k)
        M = 0 and Q = I exactly; rows uniform on the sphere of radius sqrt(d); pairs w_i = w_{p-i+1} with
        a_i = -a_{p-i+1}, the p/2 different rows with M = 0 and Q = I: f = 0 at the start [D24]; or a given M^0.
    reuse : bool
        True: the n samples stay. False: every step draws new ones.
    start_Q : array_like, shape (p, p), optional
        Q^0 for a given M^0; by default rows of norm sqrt(d) that have only w* in common: M^0 M^0^T with diagonal 1.
    schedule : {"full", "cyclic", "reshuffled", "with replacement"}, optional
        Which of the n samples take part in a step, where `reuse` keeps them (theory, 8). "full": all. "cyclic": they
        fall into blocks, one after the other, again and again. "reshuffled": into new random blocks in each epoch.
        "with replacement": as many as a block has, chosen anew at each step. By default "reshuffled" where `batches`
        or `batch_size` is given, else "full".
    batches : int or "single", optional
        B, the number of blocks, as equal as they can be: where B does not divide n, some have one sample more.
        "single": one sample at a time, and a step is then an epoch of n of them, in which weight decay acts with
        lam / n each time.
    batch_size : int, optional
        Samples per step, by default all n = alpha d (the online engine: 1). With `reuse` it says the size of the
        blocks instead of their number; the last of an epoch may be smaller.
    fresh_at : sequence of int
        Steps, counted from 0, taken on as many fresh samples that are seen once, between those on the reused data.
    repeats : int
        Steps on each batch before the next one.
    rho : float
        Look ahead: the gradient is taken at w_j + (rho / sqrt(d)) sum_v x_v g_j(v), on the same batch. rho > 0 is
        extragradient, rho < 0 sharpness-aware, 0 plain descent [R24].
    normalize : bool
        Scale every row back to norm sqrt(d) after each step: spherical gradient descent.
    readout_seed : int, optional
        Of the readout "gaussian".
    noise : str, optional
        Label noise of another law than `noise_std`: "laplace(0.3)", "student(5, 0.3)", "uniform(0.3)", by its
        standard deviation, or "flip(0.1)": labels change their sign with this probability.
    inputs : str, Law, list or mapping, optional
        The law of each coordinate of z, by default the target's own: "gaussian", "boolean", ….
    record_every : int
        Keep the overlaps at every so-many-th step, and at the last.

    Raises
    ------
    RebatchError
        If one of the conditions fails; the message names the value and what is allowed.
    """

    target: Target
    activation: Activation
    neurons: int
    alpha: float
    eta: float
    steps: int
    weight_decay: float
    loss: Loss
    noise_std: float
    readout: tuple[float, ...]
    start: Start
    reuse: bool
    start_Q: Matrix | None
    batch_size: int | None
    repeats: int
    rho: float
    normalize: bool
    record_every: int
    schedule: Schedule
    batches: Batches | None
    fresh_at: tuple[int, ...]
    readout_seed: int | None
    noise: str | None

    def __init__(
        self,
        *,
        target: Target | str,
        activation: Activation | str,
        neurons: int = 1,
        alpha: float,
        eta: float,
        steps: int,
        weight_decay: float = 0.0,
        loss: Loss = "squared",
        noise_std: float = 0.0,
        readout: Sequence[float] | Literal["gaussian"] | None = None,
        start: Literal["orthogonal", "random", "symmetric"] | ArrayLike = "orthogonal",
        reuse: bool = True,
        start_Q: ArrayLike | None = None,
        batch_size: int | None = None,
        repeats: int = 1,
        rho: float = 0.0,
        normalize: bool = False,
        record_every: int = 1,
        schedule: Schedule | None = None,
        batches: Batches | None = None,
        fresh_at: Sequence[int] = (),
        readout_seed: int | None = None,
        inputs: Inputs | None = None,
        noise: str | None = None,
    ) -> None:
        target = _with_noise(
            Target(target, inputs=inputs), checks.number("noise_std", noise_std, least=0), noise
        )
        neurons = checks.integer(
            "neurons", neurons, least=1, most=MAX_NEURONS, why=": p is small against d here"
        )
        values = {
            "target": target,
            "activation": _with_kernel(Activation(activation)),
            "neurons": neurons,
            "alpha": checks.number("alpha", alpha, above=0),
            "eta": checks.number("eta", eta, above=0),
            "steps": checks.integer("steps", steps, least=1),
            "weight_decay": checks.number("weight_decay", weight_decay, least=0),
            "loss": checks.one_of("loss", loss, LOSSES),
            "noise_std": target.noise_std if _is_gaussian(target) else 0.0,
            "noise": None if _is_gaussian(target) else str(target.noise),
            "readout": _readout(
                readout, neurons, readout_seed, mirrored=isinstance(start, str) and start == "symmetric"
            ),
            "readout_seed": readout_seed,
            "start": _start(start, neurons, target.k),
            "reuse": checks.flag("reuse", reuse),
            "start_Q": None if start_Q is None else checks.matrix("start_Q", start_Q, (neurons, neurons)),
            "batch_size": None if batch_size is None else checks.integer("batch_size", batch_size, least=1),
            "repeats": checks.integer("repeats", repeats, least=1),
            "rho": checks.number("rho", rho),
            "normalize": checks.flag("normalize", normalize),
            "record_every": checks.integer("record_every", record_every, least=1),
            "schedule": _schedule(schedule, batches, batch_size, reuse=checks.flag("reuse", reuse)),
            "batches": batches
            if batches in (None, "single")
            else checks.integer("batches", batches, least=1),
            "fresh_at": _fresh_at(
                fresh_at, checks.integer("steps", steps, least=1), reuse=checks.flag("reuse", reuse)
            ),
        }
        if start_Q is not None and isinstance(start, str):
            raise RebatchError(f"start_Q is given, but start = {start!r}; allowed with a given M^0")
        _require_one_schedule(values)
        for name, value in values.items():
            object.__setattr__(self, name, value)
        self.start_coefficients()

    @property
    def k(self) -> int:
        """Number of latent coordinates of the target."""
        return self.target.k

    @property
    def inputs(self) -> Law:
        """The law of each latent coordinate."""
        return self.target.inputs

    def samples(self, d: int) -> int:
        """Return n = alpha d, rounded.

        Raises
        ------
        RebatchError
            If d is too small to hold the k + p starting directions, or n would be 0.
        """
        least = self.k + self.neurons
        d = checks.integer("d", d, least=least, why=f": k + p = {least}")
        if not 0.5 < self.alpha * d <= checks.MOST:
            few = self.alpha * d < 1
            raise RebatchError(
                f"alpha = {self.alpha:g} and d = {d} give {'no sample' if few else 'more than 2^53 samples'}; "
                f"allowed is {'alpha d >= 1' if few else 'alpha d <= 2^53'}"
            )
        return round(self.alpha * d)

    def a(self) -> NDArray[np.float64]:
        """Return the second layer as an array, shape (p,)."""
        return np.array(self.readout)

    def batch(self, d: int) -> int:
        """Return the most samples that one update uses.

        Raises
        ------
        RebatchError
            If there are fewer samples than blocks, or than one batch has.
        """
        n = self.samples(d)
        if self.batches == "single":
            return 1
        if self.batches is not None:
            if self.batches > n:
                raise RebatchError(f"batches = {self.batches}; allowed is at most one a sample, n = {n}")
            return -(-n // self.batches)
        if self.batch_size is None or not self.reuse:
            return self.batch_size or n
        if self.batch_size > n:
            raise RebatchError(f"batch_size = {self.batch_size}; allowed is at most n = {n}")
        return self.batch_size

    def draws(self, step: int) -> bool:
        """Return whether new data comes at this step and stays (step 0 always)."""
        return step == 0 if self.reuse else step % self.repeats == 0

    def position(self, step: int) -> int:
        """Return the number of batches of the schedule before the one of this step."""
        return (step - sum(fresh < step for fresh in self.fresh_at)) // self.repeats

    def start_coefficients(self) -> NDArray[np.float64] | None:
        """Return the start on w*_1 … w*_k and p directions outside them, shape (p, k + p); None if it is random.

        [M^0, L] with L L^T = Q^0 - M^0 M^0^T, L lower triangular.

        Raises
        ------
        RebatchError
            If Q^0 - M^0 M^0^T is not positive semidefinite: no rows have these overlaps.
        """
        p, k = self.neurons, self.k
        if self.start == "random":
            return None
        if self.start == "orthogonal":
            return np.hstack([np.zeros((p, k)), np.eye(p)])
        if self.start == "symmetric":
            half = np.eye(p)[: p // 2]
            return np.hstack([np.zeros((p, k)), np.vstack([half, half[::-1]])])
        M = np.array(self.start)
        if self.start_Q is None:
            rest = 1 - (M**2).sum(axis=1)
            if (rest < -_START_ERROR).any():
                raise RebatchError(
                    f"start has rows longer than 1: {M.tolist()}; allowed are M^0 of unit rows, or give start_Q"
                )
            return np.hstack([M, np.diag(np.sqrt(np.maximum(rest, 0.0)))])
        Q = np.array(self.start_Q)
        S = Q - M @ M.T
        L = semidefinite_cholesky(S)
        if not np.allclose(Q, Q.T, atol=_START_ERROR) or np.abs(L @ L.T - S).max() > _START_ERROR * max(
            1.0, np.abs(Q).max()
        ):
            raise RebatchError(
                f"start_Q = {Q.tolist()}; allowed are Q^0 with Q^0 - M^0 M^0^T positive semidefinite"
            )
        return np.hstack([M, L])

    def to_dict(self) -> dict[str, Any]:
        """Return the setting as JSON-ready data; :meth:`from_dict` reads it back."""
        return {
            "target": self.target.text,
            "k": self.target.k,
            "activation": self.activation.name,
            "neurons": self.neurons,
            "alpha": self.alpha,
            "eta": self.eta,
            "steps": self.steps,
            "weight_decay": self.weight_decay,
            "loss": self.loss,
            "noise_std": self.noise_std,
            "readout": list(self.readout),
            "start": self.start if isinstance(self.start, str) else [list(row) for row in self.start],
            "reuse": self.reuse,
            "start_Q": None if self.start_Q is None else [list(row) for row in self.start_Q],
            "batch_size": self.batch_size,
            "repeats": self.repeats,
            "rho": self.rho,
            "normalize": self.normalize,
            "record_every": self.record_every,
            "schedule": self.schedule,
            "batches": self.batches,
            "fresh_at": list(self.fresh_at),
            "readout_seed": self.readout_seed,
            **({} if self.inputs.is_gaussian else {"inputs": self.inputs.name}),
            **({} if self.noise is None else {"noise": self.noise}),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Setting":
        """Return the setting that :meth:`to_dict` wrote; its texts go through our parsers again."""
        known = inspect.signature(cls).parameters.keys() | {"k"}
        if not isinstance(data, dict) or not data.keys() <= known:
            given = (
                ", ".join(map(checks.shown, data.keys() - known))
                if isinstance(data, dict)
                else checks.shown(data)
            )
            raise RebatchError(
                f"not a setting: it has {given}; allowed are the names {', '.join(sorted(known))}"
            )
        if not isinstance(data.get("target"), str):
            raise RebatchError(
                f"not a setting: target = {checks.shown(data.get('target'))}; allowed are texts"
            )
        values = dict(data)
        target = Target(values.pop("target"), k=values.pop("k", None), inputs=values.pop("inputs", None))
        if values.get("readout_seed") is not None:
            values["readout"] = "gaussian"
        try:
            return cls(target=target, **values)
        except TypeError as error:
            raise RebatchError(f"not a setting: {error}") from None

    def to_json(self) -> str:
        """Return the setting as JSON text."""
        return json.dumps(self.to_dict())

    @classmethod
    def from_json(cls, text: str) -> "Setting":
        """Return the setting that :meth:`to_json` wrote.

        Raises
        ------
        RebatchError
            If the text is not the JSON of a setting.
        """
        try:
            data = json.loads(text)
        except (TypeError, ValueError) as error:
            raise RebatchError(f"not JSON: {checks.shown(text)}: {error}") from None
        except RecursionError:
            raise RebatchError(f"not the JSON of a setting: {checks.shown(text)} is too deep") from None
        return cls.from_dict(data)

    def __repr__(self) -> str:
        """Return the call that makes this setting; what has its default value is left out."""
        parameters = inspect.signature(Setting).parameters
        given = {name: getattr(self, name) for name in parameters}
        given["noise_std"], given["noise"], given["inputs"] = 0.0, None, None  # the target says it
        if self.schedule == _schedule(None, self.batches, self.batch_size, reuse=self.reuse):
            given["schedule"] = None
        if self.readout_seed is not None:
            given["readout"] = "gaussian"
        elif self.readout == _readout(None, self.neurons):
            given["readout"] = None
        shown = (f"{name}={v!r}" for name, v in given.items() if v != parameters[name].default)
        return f"Setting({', '.join(shown)})"

    def __str__(self) -> str:
        batch = "one batch reused" if self.reuse else "a fresh batch each step"
        if self.schedule != "full":
            batch += f", {self.schedule}"
        if self.batches is not None:
            batch += ", one sample at a time" if self.batches == "single" else f", {self.batches} batches"
        if self.batch_size is not None:
            batch += f", {self.batch_size} samples a step"
        if self.fresh_at:
            batch += f", fresh samples at steps {', '.join(map(str, self.fresh_at))}"
        if self.repeats > 1:
            batch += f", each batch {self.repeats} times"
        if self.rho:
            batch += f", looking ahead by rho = {self.rho:g}"
        if self.normalize:
            batch += ", rows normalised"
        if self.start == "symmetric":
            batch += ", symmetric start"
        if self.readout_seed is not None:
            batch += f", a_j ~ N(0, 1/p) of seed {self.readout_seed}"
        law = "" if self.inputs.is_gaussian else f", inputs {self.inputs}"
        law += "" if self.noise is None else f", label noise {self.noise}"
        return (
            f"{self.target.text}{law}; sigma = {self.activation}, p = {self.neurons}, alpha = {self.alpha:g}, "
            f"eta = {self.eta:g}, lam = {self.weight_decay:g}, {self.loss} loss, {self.steps} steps, {batch}"
        )


def _with_kernel(activation: Activation) -> Activation:
    if activation.kernel is None and not isinstance(activation.formula, Called):
        raise RebatchError(
            f"activation {activation} has no kernel; allowed are {', '.join(KERNELS)}, and Activation.from_callable"
        )
    return activation


def _is_gaussian(target: Target) -> bool:
    return target.noise is None or target.noise.is_gaussian


def _with_noise(target: Target, noise_std: float, noise: str | None) -> Target:
    """Return the target with the label noise that is said once, here or with the target."""
    if noise is not None or noise_std:
        given = Target(target, noise=noise, noise_std=noise_std).noise
        if target.noise not in (None, given):
            raise RebatchError(f"label noise {given} here, {target.noise} in the target; give it once")
        return Target(target, noise=noise, noise_std=noise_std)
    return target


def _start(start: str | ArrayLike, neurons: int, k: int) -> Start:
    if isinstance(start, str):
        return checks.one_of("start", start, STARTS)
    return checks.matrix("start", start, (neurons, k))


def semidefinite_cholesky(S: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a lower triangular L with L L^T = S for a positive semidefinite S; dependent columns are zero."""
    L = np.zeros_like(S)
    for j in range(len(S)):
        pivot = S[j, j] - L[j, :j] @ L[j, :j]
        if pivot > _PIVOT * S[j, j]:
            L[j:, j] = (S[j:, j] - L[j:, :j] @ L[j, :j]) / np.sqrt(pivot)
    return L


def _require_one_schedule(values: dict[str, Any]) -> None:
    """Refuse schedules that contradict each other."""
    if values["repeats"] != 1 and values["reuse"] and values["schedule"] == "full":
        raise RebatchError(
            f"repeats = {values['repeats']}, but one batch serves every step; allowed with reuse=False"
        )
    if values["batches"] == "single" and (values["fresh_at"] or values["repeats"] != 1):
        raise RebatchError("batches = 'single' with fresh_at or repeats; allowed are their defaults")


def _schedule(
    schedule: str | None, batches: Batches | None, batch_size: int | None, *, reuse: bool
) -> Schedule:
    """Return the schedule, by default the one that is meant, after checking it against what else is given."""
    if isinstance(batches, str) and batches != "single":
        raise RebatchError(f"batches = {batches!r}; allowed are integers >= 1 and 'single'")
    if batches is not None and batch_size is not None:
        raise RebatchError(f"batches = {batches!r} and batch_size = {batch_size}; allowed is one of them")
    if not reuse:
        if batches is not None or schedule not in (None, "full"):
            raise RebatchError(
                f"schedule = {schedule!r}, batches = {batches!r} with reuse=False; allowed with reuse=True: fresh "
                "samples come once"
            )
        return "full"
    parts = batches is not None or batch_size is not None
    name = checks.one_of("schedule", schedule or ("reshuffled" if parts else "full"), SCHEDULES)
    if name == "full" and (batch_size is not None or batches not in (None, 1)):
        raise RebatchError(
            f"schedule = 'full' with batches = {batches!r}, batch_size = {batch_size}; allowed are "
            f"{', '.join(SCHEDULES[1:])}"
        )
    if name != "full" and not parts:
        raise RebatchError(
            f"schedule = {name!r} without batches; allowed are batches = 5, say, or 'single', or a batch_size"
        )
    return name


def _fresh_at(steps: Sequence[int], count: int, *, reuse: bool) -> tuple[int, ...]:
    try:
        given = sorted({operator.index(step) for step in steps})
    except TypeError:
        raise RebatchError(f"fresh_at = {steps!r}; allowed are steps 0 … {count - 1}") from None
    if given and not (reuse and given[0] >= 0 and given[-1] < count):
        raise RebatchError(f"fresh_at = {given}; allowed are steps 0 … {count - 1} of a run with reuse=True")
    return tuple(given)


def _readout(
    readout: Sequence[float] | str | None, neurons: int, seed: int | None = None, *, mirrored: bool = False
) -> tuple[float, ...]:
    """Return the second layer as numbers, drawn where it is Gaussian, antisymmetric where the start is mirrored."""
    if mirrored and neurons % 2:
        raise RebatchError(f"neurons = {neurons} with start = 'symmetric'; allowed are even numbers")
    if seed is not None:
        drawn = _gaussian_readout(neurons, seed, mirrored=mirrored)
        # A setting that is copied gives the numbers along with their seed.
        if readout != "gaussian" and (readout is None or tuple(readout) != drawn):
            raise RebatchError(f"readout = {readout!r} with readout_seed = {seed}; allowed is 'gaussian'")
        return drawn
    if isinstance(readout, str) and readout == "gaussian":
        raise RebatchError("readout = 'gaussian' without readout_seed; allowed are integers >= 0")
    if isinstance(readout, str):
        raise RebatchError(
            f"readout = {readout!r}; allowed are {neurons} finite numbers, one per neuron, and 'gaussian'"
        )
    numbers_given = tuple(float(a) for a in checked_readout(readout, neurons))
    if mirrored and any(a != -b for a, b in zip(numbers_given, reversed(numbers_given), strict=True)):
        raise RebatchError(
            f"readout = {numbers_given} with start = 'symmetric'; allowed are a_i = -a_(p-i+1)"
        )
    return numbers_given


def _gaussian_readout(neurons: int, seed: int, *, mirrored: bool) -> tuple[float, ...]:
    """Return a_j ~ N(0, 1/p); the second half minus the first, backwards, where the start is mirrored."""
    checks.integer("readout_seed", seed, least=0)
    a = np.random.default_rng(int(seed)).standard_normal(neurons) / math.sqrt(neurons)
    if mirrored:
        a[neurons // 2 :] = -a[: neurons // 2][::-1]
    return tuple(map(float, a))
