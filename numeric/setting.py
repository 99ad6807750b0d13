"""Setting: everything that defines an experiment of two-layer gradient descent (theory, 1)."""

import json
import math
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from ..symbolic.activation import KERNELS, Activation
from ..symbolic.errors import RebatchError
from ..symbolic.overlap import LOSSES, Loss, default_readout
from ..symbolic.target import Target

T = TypeVar("T", bound=str)
Start = Literal["orthogonal", "random"]
STARTS: tuple[Start, ...] = ("orthogonal", "random")


@dataclass(frozen=True, init=False)
class Setting:
    """An experiment: gradient descent of f(x) = sum_j a_j sigma(<w_j, x>/sqrt(d)) on n = alpha d samples.

    Valid when

    1. alpha and eta are finite and positive, weight_decay and noise_std finite and not negative;
    2. there is at least one neuron and one step;
    3. the readout has one finite number per neuron.

    Parameters
    ----------
    target : Target or str
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
    readout : sequence of p floats, optional
        The second layer a, fixed; by default (-1)^j / sqrt(p).
    start : {"orthogonal", "random"}
        M = 0 and Q = I exactly, or rows uniform on the sphere of radius sqrt(d).
    reuse : bool
        True: every step uses the same batch. False: every step draws a new one of the same size.

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
        readout: Sequence[float] | None = None,
        start: Start = "orthogonal",
        reuse: bool = True,
    ) -> None:
        target = Target(target)
        noise_std = _real("noise_std", noise_std, positive=False)
        if noise_std and target.noise_std not in (0.0, noise_std):
            raise RebatchError(
                f"noise_std = {noise_std} here, {target.noise_std} in the target; give it once"
            )
        neurons = _count("neurons", neurons)
        values = {
            "target": Target(target, noise_std=noise_std or target.noise_std),
            "activation": _with_kernel(Activation(activation)),
            "neurons": neurons,
            "alpha": _real("alpha", alpha, positive=True),
            "eta": _real("eta", eta, positive=True),
            "steps": _count("steps", steps),
            "weight_decay": _real("weight_decay", weight_decay, positive=False),
            "loss": _one_of("loss", loss, LOSSES),
            "noise_std": noise_std or target.noise_std,
            "readout": _readout(readout, neurons),
            "start": _one_of("start", start, STARTS),
            "reuse": bool(reuse),
        }
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def k(self) -> int:
        """Number of latent coordinates of the target."""
        return self.target.k

    def samples(self, d: int) -> int:
        """Return n = alpha d, rounded.

        Raises
        ------
        RebatchError
            If d is too small to hold the k + p starting directions, or n would be 0.
        """
        if isinstance(d, bool) or not isinstance(d, numbers.Integral) or d < self.k + self.neurons:
            raise RebatchError(f"d = {d!r}; allowed are integers >= k + p = {self.k + self.neurons}")
        n = round(self.alpha * int(d))
        if n < 1:
            raise RebatchError(f"alpha = {self.alpha} and d = {d} give no sample; allowed is alpha d >= 1")
        return n

    def a(self) -> NDArray[np.float64]:
        """Return the second layer as an array, shape (p,)."""
        return np.array(self.readout)

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
            "start": self.start,
            "reuse": self.reuse,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> "Setting":
        """Return the setting that :meth:`to_dict` wrote; its texts go through our parsers again."""
        values = dict(data)
        try:
            target = Target(values.pop("target"), k=values.pop("k", None))
            return cls(target=target, **values)
        except (KeyError, TypeError) as error:
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
        except json.JSONDecodeError as error:
            raise RebatchError(f"not JSON: {error}") from None
        if not isinstance(data, dict):
            raise RebatchError(f"the JSON of a setting is an object, got {type(data).__name__}")
        return cls.from_dict(data)

    def __str__(self) -> str:
        batch = "one batch reused" if self.reuse else "a fresh batch each step"
        return (
            f"{self.target.text}; sigma = {self.activation}, p = {self.neurons}, alpha = {self.alpha:g}, "
            f"eta = {self.eta:g}, lam = {self.weight_decay:g}, {self.loss} loss, {self.steps} steps, {batch}"
        )


def _with_kernel(activation: Activation) -> Activation:
    if activation.kernel is None:
        raise RebatchError(f"activation {activation} has no kernel; allowed are {', '.join(KERNELS)}")
    return activation


def _real(name: str, value: float, *, positive: bool) -> float:
    allowed = "finite numbers > 0" if positive else "finite numbers >= 0"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise RebatchError(f"{name} = {value!r}; allowed are {allowed}")
    number = float(value)
    if not math.isfinite(number) or number < 0 or (positive and number == 0):
        raise RebatchError(f"{name} = {number:g}; allowed are {allowed}")
    return number


def _count(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 1:
        raise RebatchError(f"{name} = {value!r}; allowed are integers >= 1")
    return int(value)


def _one_of(name: str, value: T, allowed: Sequence[T]) -> T:
    if value not in allowed:
        raise RebatchError(f"{name} = {value!r}; allowed are {', '.join(allowed)}")
    return value


def _readout(readout: Sequence[float] | None, neurons: int) -> tuple[float, ...]:
    if readout is None:
        return tuple(float(a) for a in default_readout(neurons))
    values = tuple(float(a) for a in readout)
    if len(values) != neurons or not all(map(math.isfinite, values)):
        raise RebatchError(f"readout = {values}; allowed are {neurons} finite numbers, one per neuron")
    return values
