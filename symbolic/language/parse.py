"""Text to a SymPy expression, node by node from a syntax tree that `syntax.py` has checked.

Nothing that a user writes reaches ``eval``, ``sympify`` or ``parse_expr``. Sizes are checked before anything is
computed from them, so that ``9**9**9`` is answered at once.
"""

import ast
import re
from collections.abc import Callable, Mapping
from functools import partial

import sympy as sp
from sympy.printing.str import StrPrinter

from .. import checks
from ..errors import ParseError
from . import syntax
from .symbols import ACTIVATION_VARIABLE, coordinate, hermite
from .syntax import MAX_COORDINATES, MAX_NUMBER_BITS, Syntax

MAX_EXPONENT = 64
MAX_HERMITE_ORDER = 64
# Roots and functions of longer numbers would be simplified for seconds.
_MAX_ARGUMENT_BITS = 2_048
_MAX_DECIMAL_EXPONENT = 300
_MAX_DIGITS = 4_000
_MOST_COORDINATES = 4096
_MAX_TOWER = 3
_MAX_NODES = 100_000
_FUNCTIONS: Mapping[str, Callable[..., sp.Expr]] = {
    "exp": sp.exp,
    "log": sp.log,
    "sqrt": sp.sqrt,
    "sin": sp.sin,
    "cos": sp.cos,
    "tan": sp.tan,
    "sinh": sp.sinh,
    "cosh": sp.cosh,
    "tanh": sp.tanh,
    "erf": sp.erf,
    "sigmoid": lambda u: 1 / (1 + sp.exp(-u)),
    "softplus": lambda u: sp.log(1 + sp.exp(u)),
    "gelu": lambda u: u * (1 + sp.erf(u / sp.sqrt(2))) / 2,
    "silu": lambda u: u / (1 + sp.exp(-u)),
    "relu": partial(sp.Max, 0),
    "sign": sp.sign,
    "abs": sp.Abs,
    "heaviside": sp.Heaviside,
    "Min": sp.Min,
    "Max": sp.Max,
}
_CONSTANTS: Mapping[str, sp.Expr] = {"pi": sp.pi, "e": sp.E}


def parse(text: str, coordinates: int = MAX_COORDINATES) -> sp.Expr:
    """Return the expression that `text` denotes, in the latent coordinates z1, z2 and so on.

    Parameters
    ----------
    text : str
        Arithmetic (``+ - * / **``, with ``^`` as a second spelling of ``**``) over numbers, the coordinates
        ``z1`` to ``z12`` (``z`` alone means ``z1``), the constants ``pi`` and ``e``, and the functions
        ``He(n, u)``, exp, log, sqrt, sin, cos, tan, sinh, cosh, tanh, erf, sigmoid, softplus, gelu, silu, relu, sign,
        abs, heaviside, Min, Max.
        Decimals are exact rationals. No multiplication is implicit.
    coordinates : int
        How many coordinates may be named: 12, and more for inputs that are not Gaussian.

    Returns
    -------
    sympy.Expr
        A real expression in the symbols :func:`coordinate`.

    Raises
    ------
    ParseError
        If anything else stands in the text, with the place; or if a limit is exceeded: 10,000 characters,
        nesting 100, exponents and Hermite orders up to 64, 12 coordinates.

    Examples
    --------
    >>> parse("z1 + He(3, z2)")
    z1 + z2**3 - 3*z2
    """
    coordinates = checks.integer("coordinates", coordinates, least=1, most=_MOST_COORDINATES)
    return _Reader(syntax.latent(text, coordinates), lambda name: coordinate(syntax.number_of(name))).read()


def parse_activation(text: str) -> sp.Expr:
    """Return the expression that `text` denotes, in the one variable h; otherwise as :func:`parse`.

    Examples
    --------
    >>> parse_activation("h + h^2/2")
    h**2/2 + h
    """
    return _Reader(syntax.activation(text), lambda _: ACTIVATION_VARIABLE).read()


class _Printer(StrPrinter):  # type: ignore[misc]
    """SymPy's text, in the names that the parser reads."""

    def _print_Abs(self, expr: sp.Abs) -> str:
        return f"abs({self._print(expr.args[0])})"

    def _print_Heaviside(self, expr: sp.Heaviside) -> str:
        return f"heaviside({self._print(expr.args[0])})"

    def _print_Exp1(self, _: sp.Expr) -> str:
        return "e"


def to_text(expr: sp.Expr) -> str:
    """Return text that :func:`parse` reads as this expression."""
    return str(_Printer().doprint(expr))


class _Reader:
    """One text on its way to an expression; each method reads one kind of node."""

    def __init__(self, checked: Syntax, variable: Callable[[str], sp.Symbol]) -> None:
        self._syntax = checked
        self._error = checked.error
        self._variable = variable
        self._sizes: dict[sp.Basic, int] = {}

    def read(self) -> sp.Expr:
        try:
            return self._expression(self._syntax.tree)
        except (OverflowError, ValueError, RecursionError) as error:
            if isinstance(error, ParseError):
                raise
            # SymPy compares constants as numbers, and some are beyond any number format.
            raise self._error("a constant in it is too large or too deep to be compared with 0", 0) from None

    def _expression(self, node: ast.expr) -> sp.Expr:
        """Read any node."""
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                value = self._sum(node)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                value = self._product(node)
            case ast.BinOp(op=ast.Pow()):
                value = self._power(node)
            case ast.UnaryOp(op=sign):
                value = self._expression(node.operand)
                value = -value if isinstance(sign, ast.USub) else value
            case ast.Constant():
                value = self._number(node)
            case ast.Name():
                value = _CONSTANTS[node.id] if node.id in _CONSTANTS else self._variable(node.id)
            case ast.Call(func=ast.Name(id=name)):
                value = self._hermite(node) if name == "He" else self._function(name, node)
        return self._checked(value, node)

    def _checked(self, value: sp.Expr, node: ast.AST) -> sp.Expr:
        """Return the value if it is a real expression of bounded size, else refuse it at its place."""
        if value.has(sp.zoo, sp.nan, sp.oo, -sp.oo):
            raise self._error("this is not a finite number", node)
        if value.has(sp.I) or value.is_real is False:
            raise self._error("this is not a real number", node)
        if self._size(value) > _MAX_NODES:
            raise self._error(f"the formula written out has over {_MAX_NODES} parts", node)
        for factor in sp.Mul.make_args(value):
            exponent = factor.exp if factor.is_Pow else sp.Integer(1)
            if exponent.is_Integer and abs(exponent) > MAX_EXPONENT:
                raise self._error(f"the exponent {exponent} is beyond {MAX_EXPONENT}", node)
        return value

    def _size(self, value: sp.Basic) -> int:
        """Return the number of nodes of the expression written out as a tree."""
        if value not in self._sizes:
            self._sizes[value] = 1 + sum(self._size(part) for part in value.args)
        return self._sizes[value]

    def _sum(self, node: ast.BinOp) -> sp.Expr:
        terms = []
        for negative, operand in self._syntax.chain(node, (ast.Add, ast.Sub)):
            term = self._expression(operand)
            terms.append(-term if negative else term)
        return sp.Add(*terms)

    def _product(self, node: ast.BinOp) -> sp.Expr:
        factors = []
        for divides, operand in self._syntax.chain(node, (ast.Mult, ast.Div)):
            factor = self._expression(operand)
            if divides and factor.is_zero:
                raise self._error("division by zero", operand)
            factors.append(1 / factor if divides else factor)
        return sp.Mul(*factors)

    def _power(self, node: ast.BinOp) -> sp.Expr:
        """Read base^exponent, its size checked before it is computed."""
        base = self._expression(node.left)
        exponent = self._expression(node.right)
        if exponent.is_Rational:
            largest = max(abs(exponent.p), exponent.q)
            if largest > MAX_EXPONENT:
                given = str(exponent) if largest < 10**20 else "this number"
                allowed = f"numerator and denominator up to {MAX_EXPONENT}"
                raise self._error(f"the exponent {given} is not allowed; allowed is {allowed}", node.right)
            if base.is_zero and exponent <= 0:
                raise self._error("zero to a power that is not positive", node)
            if base.is_Rational and exponent.q > 1 and _bits(base) > _MAX_ARGUMENT_BITS:
                raise self._error(f"a root of a number of over {_MAX_ARGUMENT_BITS} bits", node)
            if base.is_Rational and _bits(base) * largest > MAX_NUMBER_BITS:
                raise self._error(f"a number of over {MAX_NUMBER_BITS} bits", node)
        elif not (_is_moderate(base) and _is_moderate(exponent)):
            raise self._error("a constant that is a tower of exponentials is too large", node)
        elif not (base.is_number and base.is_positive):
            raise self._error(
                "an exponent that is not a rational number needs a positive constant base", node.right
            )
        return base**exponent

    def _number(self, node: ast.Constant) -> sp.Expr:
        """Read a number exactly, from its digits."""
        literal = self._syntax.source(node).replace("_", "")
        match = re.fullmatch(r"(\d*)\.?(\d*)(?:[eE]([+-]?\d+))?", literal)
        if not match:
            raise self._error(f"the number {literal[:20]} is not decimal", node)
        whole, fraction, exponent = match[1], match[2], int(match[3] or 0)
        if len(whole) + len(fraction) > _MAX_DIGITS:
            raise self._error(f"a number of over {_MAX_DIGITS} digits", node)
        if abs(exponent) > _MAX_DECIMAL_EXPONENT:
            raise self._error(f"the exponent of {literal[:30]} is beyond {_MAX_DECIMAL_EXPONENT}", node)
        # From the digits, not from the float: 0.1 is 1/10.
        return sp.Integer(int(whole + fraction or "0")) * sp.Integer(10) ** (exponent - len(fraction))

    def _function(self, name: str, node: ast.Call) -> sp.Expr:
        arguments = [self._expression(argument) for argument in node.args]
        if not all(map(_is_moderate, arguments)):
            raise self._error("a constant that is a tower of exponentials is too large", node)
        if any(a.is_Rational and _bits(a) > _MAX_ARGUMENT_BITS for a in arguments):
            raise self._error(f"{name} of a number of over {_MAX_ARGUMENT_BITS} bits", node)
        return _FUNCTIONS[name](*arguments)

    def _hermite(self, node: ast.Call) -> sp.Expr:
        """Read He(n, u), its size checked before it is written out."""
        order = self._expression(node.args[0])
        if not (order.is_Integer and 0 <= order <= MAX_HERMITE_ORDER):
            raise self._error(f"the order of He is an integer from 0 to {MAX_HERMITE_ORDER}", node.args[0])
        argument = self._expression(node.args[1])
        if argument.is_Rational and _bits(argument) * int(order) > MAX_NUMBER_BITS:
            raise self._error(f"a number of over {MAX_NUMBER_BITS} bits", node)
        if self._size(argument) * (int(order) // 2 + 1) > _MAX_NODES:
            raise self._error(f"the formula written out has over {_MAX_NODES} parts", node)
        return hermite(int(order), argument)


def _is_moderate(argument: sp.Expr) -> bool:
    """Whether a constant is no tower of exponentials, e^(e^(e^...)), whose comparison with 0 would take for ever."""
    if argument.free_symbols:
        return True
    depth = 0
    layer = [argument]
    while layer and depth <= _MAX_TOWER:
        layer = [part.exp for x in layer for part in x.atoms(sp.exp, sp.Pow) if not part.exp.is_Rational]
        depth += bool(layer)
    return depth <= _MAX_TOWER - 1


def _bits(number: sp.Rational) -> int:
    return max(int(number.p).bit_length(), int(number.q).bit_length())
