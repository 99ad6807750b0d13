"""The label noise by name: y = g(z) + noise, or a label whose sign is flipped.

    gaussian(s)     s xi, xi ~ N(0, 1)
    laplace(s)      s xi with a Laplace law of variance 1
    uniform(s)      s xi, uniform on [-sqrt(3), sqrt(3)]
    student(nu, s)  s xi with Student's law of nu > 2 degrees of freedom, scaled to variance 1
    flip(q)         y = -g(z) with probability q < 1/2, else g(z)

Given z the label has mean (shrink) g and variance (spread); correlational quantities see no more of it.
"""

import math
import re
from dataclasses import dataclass
from typing import Literal

from .. import checks
from ..errors import RebatchError

Family = Literal["gaussian", "laplace", "uniform", "student", "flip"]
FAMILIES: tuple[Family, ...] = ("gaussian", "laplace", "uniform", "student", "flip")
_FORM = re.compile(r"\s*([a-z]+)\s*\(([^()]*)\)\s*")
_ALLOWED = "gaussian(s), laplace(s), uniform(s), student(nu, s) with nu > 2 and flip(q) with q < 1/2"


@dataclass(frozen=True)
class Noise:
    """A law of the label given z.

    Attributes
    ----------
    family : {"gaussian", "laplace", "uniform", "student", "flip"}
    size : float
        The standard deviation, or the probability of a flip.
    freedom : float, optional
        Of Student's law.
    """

    family: Family
    size: float
    freedom: float | None = None

    @property
    def is_gaussian(self) -> bool:
        """Whether it is normal, the only noise of which formulas speak."""
        return self.family == "gaussian"

    @property
    def shrink(self) -> float:
        """The factor c in E[y | z] = c g(z)."""
        return 1 - 2 * self.size if self.family == "flip" else 1.0

    @property
    def variance(self) -> float:
        """What noise that is added has; 0 for flips, whose variance is (1 - c^2) g^2."""
        return 0.0 if self.family == "flip" else self.size**2

    def __str__(self) -> str:
        freedom = "" if self.freedom is None else f"{self.freedom!r}, "
        return f"{self.family}({freedom}{self.size!r})"


def noise(source: "str | Noise | None") -> Noise | None:
    """Return the noise of that name; None for none, or one of size 0.

    Raises
    ------
    RebatchError
        If the name is unknown, or a number out of range.

    Examples
    --------
    >>> str(noise("student(5, 0.3)"))
    'student(5.0, 0.3)'
    """
    if source is None or isinstance(source, Noise):
        return source
    form = _FORM.fullmatch(source) if isinstance(source, str) else None
    family = next((name for name in FAMILIES if form and name == form[1]), None)
    if form is None or family is None:
        raise RebatchError(f"noise = {checks.shown(source)}; allowed are {_ALLOWED}")
    try:
        numbers = [float(part) for part in form[2].split(",")]
    except ValueError:
        numbers = []
    if len(numbers) != 1 + (family == "student") or not all(map(math.isfinite, numbers)):
        raise RebatchError(f"noise = {checks.shown(source)}; allowed are {_ALLOWED}")
    size, freedom = numbers[-1], numbers[0] if family == "student" else None
    if size < 0 or (family == "flip" and size >= 1 / 2) or (freedom is not None and freedom <= 2):
        raise RebatchError(f"noise = {checks.shown(source)}; allowed are {_ALLOWED}, nothing negative")
    return Noise(family, size, freedom) if size else None
