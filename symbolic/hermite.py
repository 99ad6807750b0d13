"""Hermite coefficients c_S = E[g(z) He_S(z)] of polynomials, their expansion, and its rotation (theory, 2).

All of it is one generating function, the Hermite form

    G(x) = E[g(x + z)] = sum_S c_S x^S / S!,

which turns the Hermite tensor C_n into the homogeneous part of degree n: C_n[x, …, x] / n!. A change of basis of
R^k is a linear substitution in G, so nothing here needs square roots.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from math import factorial, prod
from operator import mul

import sympy as sp
from flint import fmpq, fmpq_mpoly

from .gaussian import smoothed
from .parse import hermite
from .polynomial import rational, ring, to_polynomial
from .target import Target

MultiIndex = tuple[int, ...]


@dataclass(frozen=True)
class HermiteSeries:
    """The Hermite expansion g = sum_S c_S He_S / S! of a target.

    Attributes
    ----------
    target : Target
    coefficients : dict
        S -> c_S, the nonzero ones only, ordered by |S| and then from the first coordinate on.
    """

    target: Target
    coefficients: dict[MultiIndex, sp.Rational]

    def squared_norm(self) -> sp.Rational:
        """Return E[g^2] = sum_S c_S^2 / S! (Parseval)."""
        return sp.Add(*(c**2 / _factorial(S) for S, c in self.coefficients.items()))

    def to_expr(self) -> sp.Expr:
        """Return the sum written out in powers of the coordinates."""
        z = self.target.coordinates
        return sp.Add(
            *(
                c / _factorial(S) * sp.Mul(*(hermite(n, zi) for n, zi in zip(S, z, strict=True)))
                for S, c in self.coefficients.items()
            )
        ).expand()

    def latex(self) -> str:
        """Return the expansion in LaTeX, in He_n(z_i)."""
        terms = (self._latex_term(S, c) for S, c in self.coefficients.items())
        return " + ".join(terms).replace("+ -", "- ") or "0"

    def _latex_term(self, index: MultiIndex, coefficient: sp.Rational) -> str:
        factors = [
            rf"\mathrm{{He}}_{{{n}}}({sp.latex(z)})"
            for n, z in zip(index, self.target.coordinates, strict=True)
            if n
        ]
        weight = coefficient / _factorial(index)
        if not factors:
            return str(sp.latex(weight))
        sign = {1: "", -1: "-"}.get(weight)
        return (sp.latex(weight) + r"\, " if sign is None else sign) + r"\,".join(factors)

    def __str__(self) -> str:
        lines = (f"c_{S} = {c}" for S, c in self.coefficients.items())
        return "\n".join(lines) or "0"

    def _repr_latex_(self) -> str:
        return f"${self.latex()}$"


def hermite_series(target: Target | str) -> HermiteSeries:
    """Return the complete Hermite expansion of a polynomial target.

    Raises
    ------
    NotPolynomialError
        If the target is not a polynomial with rational coefficients.

    References
    ----------
    theory, 2 (Hermite calculus).

    Examples
    --------
    >>> print(hermite_series("z1**3"))
    c_(1,) = 3
    c_(3,) = 6
    """
    target = Target(target)
    coefficients = hermite_coefficients(hermite_form(to_polynomial(target.expr, target.coordinates)))
    ordered = sorted(coefficients, key=lambda S: (sum(S), tuple(-n for n in S)))
    return HermiteSeries(target, {S: rational(coefficients[S]) for S in ordered})


def hermite_form(polynomial: fmpq_mpoly) -> fmpq_mpoly:
    """Return G(x) = E[g(x + z)] = sum_S c_S x^S / S!."""
    return smoothed(polynomial)


def hermite_coefficients(form: fmpq_mpoly) -> dict[MultiIndex, fmpq]:
    """Return S -> c_S, the nonzero ones, from the Hermite form."""
    return {tuple(map(int, S)): c * prod(factorial(n) for n in S) for S, c in form.to_dict().items()}


def rotated_form(form: fmpq_mpoly, basis: Sequence[Sequence[fmpq]]) -> fmpq_mpoly:
    """Return t -> G(sum_i t_i b_i): the Hermite tensors contracted with the vectors b_i.

    The basis need not be normalised; the coefficient of t^T / T! is C_n[b^T].
    """
    t = ring([f"t{i + 1}" for i in range(len(basis))]).gens()
    columns = zip(*basis, strict=True)
    linear = [reduce(lambda a, b: a + b, map(mul, t, column)) for column in columns]
    return form.compose(*linear)


def _factorial(index: MultiIndex) -> int:
    return prod(factorial(n) for n in index)
