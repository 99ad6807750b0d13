"""Sums of monomials in eta, printed by ascending powers, in text and in LaTeX."""

import re
from collections.abc import Callable

import sympy as sp

from ..errors import RebatchError
from ..exact.typeset import CLOSE, OPEN, WIDTH, equation

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
    return " + ".join(map(written, _terms(polynomial))).replace("+ -", "- ").replace("-  ", "- ") or "0"


def _terms(polynomial: sp.Expr) -> list[sp.Expr]:
    """Return a sum of monomials by ascending powers of eta, what is common to a coefficient in front of it."""
    return [sp.factor_terms(c) * ETA**n for n, c in by_power(polynomial)]


def latex_equation(left: str, polynomial: sp.Expr, rest: str = "") -> str:
    """Return "left = sum of monomials" in LaTeX, broken before terms, those of a long coefficient included.

    Parameters
    ----------
    left : str
        In LaTeX.
    polynomial : sympy.Expr
    rest : str
        A last term, such as O(eta^3).
    """
    pieces = [piece for term in _terms(polynomial) for piece in _pieces(term)]
    return equation(left, [*pieces, *([rest] if rest else [])])


def _pieces(term: sp.Expr) -> list[str]:
    """Return a term as it is, or, where it is longer than a line, cut before the terms of its longest bracket."""
    whole = in_latex(term)
    sums = sorted((x for x in sp.Mul.make_args(term) if x.is_Add), key=lambda x: len(x.args))
    if len(whole) < WIDTH or not sums:
        return [whole]
    front = in_latex(term / sums[-1])
    first, *others = map(in_latex, sums[-1].as_ordered_terms())
    return [rf"{front} {OPEN}{first}", *others[:-1], *(f"{x}{CLOSE}" for x in others[-1:])]


def latex_equations(left: str, matrix: sp.Matrix, rest: str = "") -> list[str]:
    """Return "left = matrix" in LaTeX as one equation if it is short, else an equation for every entry.

    A matrix of one entry is written as that entry.
    """
    if matrix.shape == (1, 1):
        return [latex_equation(left, matrix[0], rest)]
    whole = [matrix_in_latex(matrix), *([rest] if rest else [])]
    if len(left) + sum(map(len, whole)) < WIDTH:
        return [equation(left, whole)]
    name = left if re.fullmatch(r"\w(\^\{\d\})?", left) else rf"\left({left}\right)"
    return [
        latex_equation(
            f"{name}_{{{j + 1},{r + 1}}}" if matrix.cols > 1 else f"{name}_{{{j + 1}}}", matrix[j, r], rest
        )
        for j in range(matrix.rows)
        for r in range(matrix.cols)
    ]


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
