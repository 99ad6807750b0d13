"""Sums of monomials in eta, printed by ascending powers, in text and in LaTeX."""

import re
from collections.abc import Callable

import sympy as sp

from ..errors import RebatchError

# Digits of a number that a person reads.
SHOWN_DIGITS = 8


def shortened(x: sp.Expr, digits: int = SHOWN_DIGITS) -> sp.Expr:
    """Return an expression with its decimals cut to so many digits, by default what a person reads."""
    return x.xreplace({number: sp.Float(number, digits) for number in x.atoms(sp.Float)})


ALPHA, ETA, LAM = sp.symbols("alpha eta lam", positive=True)


def as_text(matrix: sp.Matrix) -> list[list[str]]:
    """Return the entries of a matrix as text, by rows."""
    return [[str(x) for x in row] for row in matrix.tolist()]


def ascending(polynomial: sp.Expr, written: Callable[[sp.Expr], str] = str) -> str:
    """Return a sum of monomials as text, by ascending powers of eta: the leading term comes first."""
    terms = [sp.factor_terms(c) * ETA**n for n, c in by_power(polynomial)]
    return " + ".join(map(written, terms)).replace("+ -", "- ").replace("-  ", "- ") or "0"


def matrix_in_latex(matrix: sp.Matrix) -> str:
    """Return a matrix of sums of monomials in LaTeX, each entry by ascending powers of eta."""
    rows = (" & ".join(ascending(x, in_latex) for x in matrix.row(j)) for j in range(matrix.rows))
    return r"\left[\begin{matrix}" + r" \\ ".join(rows) + r"\end{matrix}\right]"


def in_latex(x: sp.Expr) -> str:
    """Return an expression in the parameters, and in moments such as E[h sigma'^2], in LaTeX."""
    names = {symbol: _moment_in_latex(str(symbol)) for symbol in x.free_symbols if str(symbol)[:2] == "E["}
    return str(sp.latex(x, symbol_names={LAM: r"\lambda", **names}))


def _moment_in_latex(name: str) -> str:
    """Return E[h^2 sigma'^2 sigma^(4)] in LaTeX; the power of a derivative stands outside a bracket."""
    text = re.sub(r"sigma\^\((\d+)\)", r"sigma^{(\1)}", name[2:-1])
    text = re.sub(r"(sigma(?:'+|\^\{\(\d+\)\}))\^(\d+)", r"\\left(\1\\right)^{\2}", text)
    text = re.sub(r"\^(\d+)", r"^{\1}", re.sub(r"\bz(\d+)", r"z_{\1}", text))
    return r"\mathbb{E}\left[" + text.replace("sigma", r"\sigma") + r"\right]"


def by_power(polynomial: sp.Expr) -> list[tuple[int, sp.Expr]]:
    """Return the powers of eta that occur in a sum of monomials, ascending, with their coefficients."""
    found: dict[int, list[sp.Expr]] = {}
    for monomial in sp.Add.make_args(polynomial):
        rest, power = monomial.as_independent(ETA, as_Add=False)
        found.setdefault(int(power.as_base_exp()[1]) if power != 1 else 0, []).append(rest)
    coefficients = ((n, sp.Add(*found[n])) for n in sorted(found))
    return [(n, c) for n, c in coefficients if c != 0]


def _inverse_root(Q: sp.Expr, order: int) -> sp.Expr:
    """Return Q^(-1/2) up to a power of eta, for a sum of monomials: (Q_0)^(-1/2) (1 + x)^(-1/2), x = O(eta)."""
    powers = dict(by_power(Q))
    if 0 not in powers:
        raise RebatchError("a row of the start is 0: normalised, it has no power series in eta")
    x = sp.Add(*(c / powers[0] * ETA**n for n, c in powers.items() if 0 < n <= order))
    term = total = sp.Integer(1)
    for i in range(1, order + 1):
        term = sp.Add(*(c * ETA**n for n, c in by_power(sp.expand(term * x)) if n <= order))
        total += sp.binomial(sp.Rational(-1, 2), i) * term
    return total / sp.sqrt(powers[0])


def _nested_in_eta(polynomial: sp.Expr) -> sp.Expr:
    """Return a sum of monomials in Horner form in eta: the coefficients stay as they are."""
    result, above = sp.Integer(0), 0
    for n, coefficient in reversed(by_power(polynomial)):
        result, above = coefficient + ETA ** (above - n) * result, n
    return result * ETA**above
