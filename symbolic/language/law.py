"""The law of the latent coordinates: independent, each with the one law that a user names (theory, 13).

============================ ======================================================== ==========
gaussian                     N(0, 1), the default                                     moments
boolean (or rademacher)      -1 and 1 with probability 1/2                            2 values
biased(p)                    1 with probability p, -1 with 1 - p                      2 values
uniform(a, b, …)             each of these rational numbers with the same probability finite
finite(a: p, b: q, …)        a with probability p, …; the probabilities sum to 1      finite
uniform                      on [-sqrt(3), sqrt(3)]                                   moments
laplace                      density exp(-sqrt(2) |z|) / sqrt(2)                      moments
student(nu)                  Student's t with nu > 2 degrees of freedom; nu = 5       moments
============================ ======================================================== ==========

The laws with a density have mean 0 and variance 1. One with finitely many values is taken as it is written: a target
sees these values, and a network their standardised form (z - mean) / standard deviation.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from math import factorial, prod

import sympy as sp

from ..errors import ParseError, RebatchError
from .parse import parse
from .syntax import MAX_COORDINATES

# The bits of a set of coordinates that fit a machine word.
MAX_PRODUCT_COORDINATES = 64
_MAX_VALUES = 64
_DEFAULT_FREEDOM = 5
_DENSITIES = ("gaussian", "uniform", "laplace", "student")
ALLOWED = (
    "gaussian, boolean, biased(p), uniform(a, b, …), finite(a: p, b: q, …), uniform, laplace, student(nu)"
)


@dataclass(frozen=True)
class Law:
    """The law of one latent coordinate, read by :func:`law`.

    Attributes
    ----------
    name : str
        As it is written: "biased(1/4)".
    family : str
        "finite", or the name of a density.
    atoms : tuple of (value, probability)
        The values in falling order; empty for a density.
    freedom : sympy.Rational or None
        Degrees of freedom of Student's t.
    """

    name: str = field(compare=False)
    family: str
    atoms: tuple[tuple[sp.Rational, sp.Rational], ...] = ()
    freedom: sp.Rational | None = None

    @property
    def is_gaussian(self) -> bool:
        """Whether it is N(0, 1)."""
        return self.family == "gaussian"

    @property
    def is_boolean(self) -> bool:
        """Whether it is -1 and 1 with probability 1/2, whatever its name."""
        return self.atoms == _BOOLEAN

    @property
    def max_coordinates(self) -> int:
        """How many coordinates a target may have."""
        return MAX_COORDINATES if self.is_gaussian else MAX_PRODUCT_COORDINATES

    @cached_property
    def mean(self) -> sp.Rational:
        """E[z]."""
        return sp.Add(*(p * a for a, p in self.atoms))

    @cached_property
    def variance(self) -> sp.Rational:
        """E[(z - mean)^2]."""
        return sp.Add(*(p * (a - self.mean) ** 2 for a, p in self.atoms)) if self.atoms else sp.Integer(1)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether -z has the same law."""
        return not self.atoms or set(self.atoms) == {(-a, p) for a, p in self.atoms}

    def moment(self, n: int) -> sp.Rational | None:
        """Return E[z^n], a rational number; None where it is infinite.

        Even moments of the densities: (n - 1)!!, 3^(n/2) / (n + 1), n! / 2^(n/2), and for Student's t of variance 1
        prod_{i=1}^{n/2} (2 i - 1) (nu - 2) / (nu - 2 i), n < nu.

        Examples
        --------
        >>> law("laplace").moment(4)
        6
        """
        if self.atoms:
            return sp.Add(*(p * a**n for a, p in self.atoms))
        if self.freedom is not None and n >= self.freedom:
            return None
        if n % 2:
            return sp.Integer(0)
        half = range(1, n // 2 + 1)
        if self.family == "uniform":
            return sp.Rational(3 ** (n // 2), n + 1)
        if self.family == "laplace":
            return sp.Rational(factorial(n), 2 ** (n // 2))
        if self.freedom is not None:
            nu = self.freedom
            return sp.Mul(*((2 * i - 1) * (nu - 2) / (nu - 2 * i) for i in half))
        return sp.Integer(prod(2 * i - 1 for i in half))

    def __str__(self) -> str:
        return self.name


def law(source: "str | Law") -> Law:
    """Return the law of that name.

    Parameters
    ----------
    source : str or Law
        See the table above; the numbers are rational: ``1/4``, ``0.25``, ``-3``.

    Raises
    ------
    RebatchError
        If the name is unknown, a probability is not strictly between 0 and 1, or the variance is infinite or 0.

    Examples
    --------
    >>> law("biased(1/4)").mean
    -1/2
    """
    if isinstance(source, Law):
        return source
    if not isinstance(source, str):
        raise RebatchError(f"inputs = {source!r}; allowed are {ALLOWED}")
    match = re.fullmatch(r"\s*([a-z]+)\s*(?:\((.*)\))?\s*", source, re.DOTALL)
    if not match:
        raise RebatchError(f"inputs = {source!r}; allowed are {ALLOWED}")
    name, inside = match.groups()
    arguments = None if inside is None else inside.split(",")
    if name in ("boolean", "rademacher") and arguments is None:
        return Law(name, "finite", _BOOLEAN)
    if name == "biased" and arguments is not None and len(arguments) == 1:
        p = _number(arguments[0], source)
        if not 0 < p < 1:
            raise RebatchError(
                f"probability {p} in {source!r}; allowed are probabilities strictly between 0 and 1"
            )
        return _finite(f"biased({p})", [(sp.Integer(1), p), (sp.Integer(-1), 1 - p)])
    if name == "uniform" and arguments is not None:
        values = [_number(part, source) for part in arguments]
        text = f"uniform({', '.join(map(str, values))})"
        return _finite(text, [(a, sp.Rational(1, len(values))) for a in values])
    if name == "finite" and arguments is not None:
        return _weighted(arguments, source)
    if name in _DENSITIES and name != "student" and arguments is None:
        return Law(name, name)
    if name == "student" and (arguments is None or len(arguments) == 1):
        nu = sp.Integer(_DEFAULT_FREEDOM) if arguments is None else _number(arguments[0], source)
        if nu <= 2:
            raise RebatchError(f"{source!r} has infinite variance; allowed are degrees of freedom nu > 2")
        return Law(f"student({nu})", "student", freedom=nu)
    raise RebatchError(f"inputs = {source!r}; allowed are {ALLOWED}")


def _weighted(arguments: list[str], source: str) -> Law:
    """Return the law of "finite(a: p, …)"."""
    atoms = []
    for part in arguments:
        if part.count(":") != 1:
            raise RebatchError(
                f"{part.strip()!r} in {source!r}; allowed is value: probability, as in finite(0: 1/4, 1: 3/4)"
            )
        value, weight = (_number(x, source) for x in part.split(":"))
        if not 0 < weight < 1:
            raise RebatchError(
                f"probability {weight} in {source!r}; allowed are probabilities strictly between 0 and 1"
            )
        atoms.append((value, weight))
    if (total := sp.Add(*(p for _, p in atoms))) != 1:
        raise RebatchError(f"the probabilities in {source!r} sum to {total}; allowed is 1")
    return _finite(f"finite({', '.join(f'{a}: {p}' for a, p in atoms)})", atoms)


def _finite(name: str, atoms: list[tuple[sp.Rational, sp.Rational]]) -> Law:
    if not 2 <= len(atoms) <= _MAX_VALUES or len({a for a, _ in atoms}) < len(atoms):
        raise RebatchError(
            f"{name!r} has {len(atoms)} value(s); allowed are 2 to {_MAX_VALUES} different ones"
        )
    return Law(name, "finite", tuple(sorted(atoms, reverse=True)))


def _number(text: str, source: str) -> sp.Rational:
    """Return a rational number that stands inside a law."""
    try:
        value = parse(text)
    except ParseError:
        value = None
    if value is None or not value.is_Rational:
        raise RebatchError(f"{text.strip()!r} in {source!r}; allowed are rational numbers, 1/4 or 0.25")
    return value


_BOOLEAN = ((sp.Integer(1), sp.Rational(1, 2)), (sp.Integer(-1), sp.Rational(1, 2)))
GAUSSIAN = Law("gaussian", "gaussian")
