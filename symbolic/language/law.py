"""The law of the latent coordinates: independent, one law for all of them or one for each (theory, 13).

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

A law for each coordinate: a list of names, or text with commas, "boolean, gaussian"; for some of them, the others
Gaussian: a mapping, {"z2": "boolean"}, or "z2: boolean".

The laws with a density have mean 0 and variance 1. One with finitely many values is taken as it is written: a target
sees these values, and a network their standardised form (z - mean) / standard deviation.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import factorial, prod
from typing import Any

import sympy as sp

from ..errors import ParseError, RebatchError
from .parse import parse
from .syntax import MAX_COORDINATES

# The bits of a set of coordinates that fit a machine word.
MAX_PRODUCT_COORDINATES = 64
_MAX_VALUES = 64
_DEFAULT_FREEDOM = 5
_DENSITIES = ("gaussian", "uniform", "laplace", "student")
_PRODUCT = "product"
ALLOWED = (
    "gaussian, boolean, biased(p), uniform(a, b, …), finite(a: p, b: q, …), uniform, laplace, student(nu)"
)
_ALLOWED_EACH = (
    'allowed is a law for each coordinate, ["boolean", "gaussian"], or for some, {"z2": "boolean"}'
)


@dataclass(frozen=True)
class Law:
    """The law of one latent coordinate, or of each of them, read by :func:`law`.

    Attributes
    ----------
    name : str
        As it is written: "biased(1/4)".
    family : str
        "finite", the name of a density, or "product" where coordinates differ.
    atoms : tuple of (value, probability)
        The values in falling order; empty for a density.
    freedom : sympy.Rational or None
        Degrees of freedom of Student's t.
    parts : tuple of Law
        The law of each coordinate, where they differ; mean, variance and moments are then those of the parts.
    is_open : bool
        Whether further coordinates are Gaussian, until a target says how many there are.
    """

    name: str = field(compare=False)
    family: str
    atoms: tuple[tuple[sp.Rational, sp.Rational], ...] = ()
    freedom: sp.Rational | None = None
    parts: "tuple[Law, ...]" = ()
    is_open: bool = False

    def at(self, i: int) -> "Law":
        """Return the law of coordinate i, counted from 0."""
        return self.parts[i] if self.parts else self

    def each(self, k: int) -> "tuple[Law, ...]":
        """Return the law of each of k coordinates."""
        return self.parts or (self,) * k

    def on(self, k: int) -> "Law":
        """Return the law of k coordinates: one law where all have the same.

        Raises
        ------
        RebatchError
            If it names a law for each of another number of coordinates.
        """
        if not self.parts:
            return self
        parts = self.parts + (GAUSSIAN,) * (k - len(self.parts)) * self.is_open
        if len(parts) != k:
            raise RebatchError(
                f"inputs = {self.name!r} has a law for each of {len(parts)} coordinate(s), and the target has {k}; "
                f"{_ALLOWED_EACH}"
            )
        return parts[0] if len(set(parts)) == 1 else _product(parts)

    @property
    def is_finite(self) -> bool:
        """Whether every coordinate has finitely many values."""
        return all(part.atoms for part in self.each(1))

    def points(self, k: int) -> int:
        """Return the number of points of k coordinates of finitely many values."""
        return prod(len(part.atoms) for part in self.each(k))

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
        assert not self.parts
        return sp.Add(*(p * a for a, p in self.atoms))

    @cached_property
    def variance(self) -> sp.Rational:
        """E[(z - mean)^2]."""
        assert not self.parts
        return sp.Add(*(p * (a - self.mean) ** 2 for a, p in self.atoms)) if self.atoms else sp.Integer(1)

    @cached_property
    def is_symmetric(self) -> bool:
        """Whether -z has the same law."""
        assert not self.parts
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
        assert not self.parts
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

    def of_normal(self, x: sp.Expr) -> sp.Expr | None:
        """Return z as a function of a standard normal x; None where there is none in closed form.

        P(x' < x) = (1 + erf(x / sqrt(2))) / 2 is uniform, and P(|z| > t) = exp(-sqrt(2) t) of Laplace's law is
        inverted by a logarithm.

        Examples
        --------
        >>> law("uniform").of_normal(sp.Symbol("x"))
        sqrt(3)*erf(sqrt(2)*x/2)
        """
        u = sp.erf(x / sp.sqrt(2))
        known = {
            "gaussian": x,
            "uniform": sp.sqrt(3) * u,
            "laplace": -sp.sign(x) * sp.log(1 - sp.Abs(u)) / sp.sqrt(2),
        }
        return known.get(self.family)

    @property
    def has_averages(self) -> bool:
        """Whether every coordinate has finitely many values or is a function of a normal in closed form."""
        return all(part.atoms or part.of_normal(sp.Symbol("x")) is not None for part in self.each(1))

    def __str__(self) -> str:
        return self.name


# What a user may write for the law of a target's inputs.
Inputs = str | Law | Sequence[str | Law] | Mapping[Any, str | Law]


def law(source: Inputs) -> Law:
    """Return the law of that name, or the laws of several coordinates.

    Parameters
    ----------
    source : str, Law, or list or mapping of them
        See the table above; the numbers are rational: ``1/4``, ``0.25``, ``-3``. The keys of a mapping are
        coordinates, "z2" or 2.

    Raises
    ------
    RebatchError
        If the name is unknown, a probability is not strictly between 0 and 1, or the variance is infinite or 0; if a
        coordinate is none, or named twice.

    Examples
    --------
    >>> law("biased(1/4)").mean
    -1/2
    >>> law("boolean, gaussian").parts[1].is_gaussian
    True
    """
    if isinstance(source, Law):
        return source
    if isinstance(source, Mapping):
        return _of_some(list(source.items()), source)
    if isinstance(source, list | tuple):
        return _of_each(source, source)
    if not isinstance(source, str):
        raise RebatchError(f"inputs = {source!r}; allowed are {ALLOWED}")
    pieces = _between_commas(source)
    named = [piece.split(":", 1) for piece in pieces if _NAMED.match(piece)]
    if named:
        if len(named) < len(pieces):
            raise RebatchError(f"inputs = {source!r} names some coordinates; {_ALLOWED_EACH}")
        return _of_some([(name.strip(), text) for name, text in named], source)
    return _of_each(pieces, source) if len(pieces) > 1 else _single(source)


def _between_commas(text: str) -> list[str]:
    """Return the pieces of a text between commas that stand in no bracket."""
    pieces, depth = [""], 0
    for character in text:
        depth += (character == "(") - (character == ")")
        if character == "," and depth <= 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return pieces


def _of_each(given: "Sequence[str | Law]", source: object) -> Law:
    """Return the product of the laws of coordinates in their order."""
    parts = tuple(law(part) for part in given)
    if not 1 <= len(parts) <= MAX_PRODUCT_COORDINATES or any(part.parts for part in parts):
        raise RebatchError(f"inputs = {source!r}; {_ALLOWED_EACH}, at most {MAX_PRODUCT_COORDINATES}")
    return _product(parts)


def _of_some(given: "Sequence[tuple[Any, str | Law]]", source: object) -> Law:
    """Return the product of the laws of named coordinates, Gaussian at the others."""
    parts: dict[int, Law] = {}
    for name, part in given:
        match = re.fullmatch(r"z?([1-9][0-9]?)", str(name))
        i = int(match.group(1)) if match else 0
        if not 1 <= i <= MAX_PRODUCT_COORDINATES or i in parts:
            again = " named twice" if i in parts else ""
            raise RebatchError(
                f"{str(name)!r}{again} in inputs = {source!r}; allowed is each of z1 to z{MAX_PRODUCT_COORDINATES} "
                "once"
            )
        parts[i] = law(part)
    if not parts or any(part.parts for part in parts.values()):
        raise RebatchError(f"inputs = {source!r}; {_ALLOWED_EACH}")
    return _product(tuple(parts.get(i, GAUSSIAN) for i in range(1, max(parts) + 1)), is_open=True)


def _product(parts: tuple[Law, ...], *, is_open: bool = False) -> Law:
    return Law(", ".join(part.name for part in parts), _PRODUCT, parts=parts, is_open=is_open)


def _single(source: str) -> Law:
    """Return the law of one coordinate, or of all alike."""
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


# A coordinate with its law.
_NAMED = re.compile(r"\s*z?[0-9]+\s*:")
_BOOLEAN = ((sp.Integer(1), sp.Rational(1, 2)), (sp.Integer(-1), sp.Rational(1, 2)))
GAUSSIAN = Law("gaussian", "gaussian")
