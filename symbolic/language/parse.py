"""Text to a SymPy expression, by a whitelist over Python's own syntax tree.

Python parses the text (`ast.parse` builds a tree and runs nothing); each node is then read by one method below
or refused with its place. Nothing that a user writes reaches ``eval``, ``sympify`` or ``parse_expr``. Sizes are
checked before anything is computed from them, so that ``9**9**9`` is answered at once.
"""

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial

import sympy as sp
from sympy.printing.str import StrPrinter

from ..errors import ParseError
from .symbols import ACTIVATION_VARIABLE, MAX_COORDINATES, coordinate, hermite

MAX_CHARACTERS = 10_000
MAX_NESTING = 100
MAX_EXPONENT = 64
MAX_HERMITE_ORDER = 64
_MAX_NUMBER_BITS = 20_000
# Roots and functions of longer numbers would be simplified for seconds.
_MAX_ARGUMENT_BITS = 2_048
_MAX_DECIMAL_EXPONENT = 300
_MAX_DIGITS = 4_000
_MAX_ARGUMENTS = 12
_MAX_TOWER = 3
_MAX_NODES = 100_000
_FUNCTIONS: Mapping[str, tuple[int | None, Callable[..., sp.Expr]]] = {
    # name: (number of arguments, None for any number from one; constructor)
    "exp": (1, sp.exp),
    "log": (1, sp.log),
    "sqrt": (1, sp.sqrt),
    "sin": (1, sp.sin),
    "cos": (1, sp.cos),
    "tan": (1, sp.tan),
    "sinh": (1, sp.sinh),
    "cosh": (1, sp.cosh),
    "tanh": (1, sp.tanh),
    "erf": (1, sp.erf),
    "sigmoid": (1, lambda u: 1 / (1 + sp.exp(-u))),
    "softplus": (1, lambda u: sp.log(1 + sp.exp(u))),
    "gelu": (1, lambda u: u * (1 + sp.erf(u / sp.sqrt(2))) / 2),
    "silu": (1, lambda u: u / (1 + sp.exp(-u))),
    "relu": (1, partial(sp.Max, 0)),
    "sign": (1, sp.sign),
    "abs": (1, sp.Abs),
    "heaviside": (1, sp.Heaviside),
    "Min": (None, sp.Min),
    "Max": (None, sp.Max),
}
_CONSTANTS: Mapping[str, sp.Expr] = {"pi": sp.pi, "e": sp.E}
_ALLOWED_NAMES = ", ".join([*_CONSTANTS, "He", *_FUNCTIONS])


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
    return _Reader(text, partial(_latent, coordinates), f"z1 to z{coordinates}").read()


def parse_activation(text: str) -> sp.Expr:
    """Return the expression that `text` denotes, in the one variable h; otherwise as :func:`parse`.

    Examples
    --------
    >>> parse_activation("h + h^2/2")
    h**2/2 + h
    """
    return _Reader(text, lambda name: ACTIVATION_VARIABLE if name == "h" else None, "h").read()


def _latent(coordinates: int, name: str) -> sp.Symbol | None:
    """Return the coordinate of that name, or None where it names none."""
    if name == "z":
        return coordinate(1)
    match = re.fullmatch(r"z([1-9][0-9]?)", name)
    return coordinate(int(match[1])) if match and int(match[1]) <= coordinates else None


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

    def __init__(self, text: str, variable: Callable[[str], sp.Symbol | None], variables: str) -> None:
        self.text = text
        self._variable = variable
        self._variables = variables
        self._sizes: dict[sp.Basic, int] = {}

    def read(self) -> sp.Expr:
        tree = self._tree()
        try:
            return self._expression(tree, 0)
        except (OverflowError, ValueError, RecursionError) as error:
            if isinstance(error, ParseError):
                raise
            # SymPy compares constants as numbers, and some are beyond any number format.
            raise self._error("a constant in it is too large or too deep to be compared with 0", 0) from None

    def _tree(self) -> ast.expr:
        """Return Python's syntax tree of the text, after the checks that must come before it."""
        if not isinstance(self.text, str):
            raise ParseError(f"expected text, got {type(self.text).__name__}", "", 0)
        if len(self.text) > MAX_CHARACTERS:
            raise self._error(
                f"{len(self.text)} characters; at most {MAX_CHARACTERS} are read", MAX_CHARACTERS
            )
        if not self.text.strip():
            raise self._error(f"the text is empty; write an expression in {self._variables}", 0)
        depth = 0
        for position, character in enumerate(self.text):
            if character == "#" or not (
                character.isascii() and (character.isprintable() or character.isspace())
            ):
                raise self._error(
                    f"the character {character!r} is not allowed; write ASCII (pi, z1, ^2)", position
                )
            depth += (character in "([{") - (character in ")]}")
            if depth > MAX_NESTING:
                raise self._error(f"brackets nested deeper than {MAX_NESTING}", position)
        # One line, no indentation, ** for ^: the positions of Python's tree are mapped back by _position.
        self._start = len(self.text) - len(self.text.lstrip())
        self._source = re.sub(r"\s", " ", self.text[self._start :]).replace("^", "**")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return ast.parse(self._source, mode="eval").body
        except SyntaxError as error:
            raise self._error(*self._explain(error)) from None
        except (RecursionError, MemoryError):
            message = f"too many terms or signs in a row, or nested deeper than {MAX_NESTING}"
            raise self._error(message, 0) from None

    def _explain(self, error: SyntaxError) -> tuple[str, int]:
        """Return what Python's syntax error means here, and the place in the user's text."""
        # Python gives no column for a formula that ends too early.
        position = self._position(error.offset - 1) if error.offset else len(self.text)
        reason = str(error.msg)
        if "invalid decimal literal" in reason or "invalid syntax" in reason:
            # Python marks the number before a name (2z): say what is meant.
            product = re.compile(r"\d\s*(?=[A-Za-z(])|\)\s*(?=[\w(])").search(self.text, max(0, position - 1))
            if product and product.start() <= position + 1:
                return "no multiplication is implicit: write 2*z, not 2z", product.end()
        if "integer string conversion" in reason:
            return f"a number with too many digits; at most {_MAX_NUMBER_BITS} bits", position
        return f"not a complete formula: {reason}", position

    def _position(self, column: int) -> int:
        """Return the index into the user's text of a column of the parsed source."""
        position, seen = self._start, 0
        while seen < column and position < len(self.text):
            seen += 2 if self.text[position] == "^" else 1
            position += 1
        return position if seen <= column else position - 1

    def _error(self, message: str, where: int | ast.AST) -> ParseError:
        position = where if isinstance(where, int) else self._position(getattr(where, "col_offset", 0))
        return ParseError(message, self.text, position)

    def _expression(self, node: ast.expr, depth: int) -> sp.Expr:
        """Read any node; `depth` counts nesting, where a chain of + or of * is one level."""
        if depth > MAX_NESTING:
            raise self._error(f"nested deeper than {MAX_NESTING}", node)
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                value = self._sum(node, depth)
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                value = self._product(node, depth)
            case ast.BinOp(op=ast.Pow()):
                value = self._power(node, depth)
            case ast.UnaryOp(op=ast.USub()):
                value = -self._expression(node.operand, depth + 1)
            case ast.UnaryOp(op=ast.UAdd()):
                value = self._expression(node.operand, depth + 1)
            case ast.Constant():
                value = self._number(node)
            case ast.Name():
                value = self._name(node)
            case ast.Call():
                value = self._call(node, depth)
            case _:
                raise self._error(
                    f"{_describe(node)} is not allowed; allowed are numbers, {self._variables}, + - * / **, "
                    f"and {_ALLOWED_NAMES}",
                    node,
                )
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

    def _chain(self, node: ast.expr, operators: tuple[type, type]) -> list[tuple[bool, ast.expr]]:
        """Return the operands of a left-nested chain, each with whether it is subtracted (or divides)."""
        operands: list[tuple[bool, ast.expr]] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, operators):
            operands.append((isinstance(node.op, operators[1]), node.right))
            node = node.left
        return [(False, node), *reversed(operands)]

    def _sum(self, node: ast.BinOp, depth: int) -> sp.Expr:
        terms = []
        for negative, operand in self._chain(node, (ast.Add, ast.Sub)):
            term = self._expression(operand, depth + 1)
            terms.append(-term if negative else term)
        return sp.Add(*terms)

    def _product(self, node: ast.BinOp, depth: int) -> sp.Expr:
        factors = []
        for divides, operand in self._chain(node, (ast.Mult, ast.Div)):
            factor = self._expression(operand, depth + 1)
            if divides and factor.is_zero:
                raise self._error("division by zero", operand)
            factors.append(1 / factor if divides else factor)
        return sp.Mul(*factors)

    def _power(self, node: ast.BinOp, depth: int) -> sp.Expr:
        base = self._expression(node.left, depth + 1)
        exponent = self._expression(node.right, depth + 1)
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
            if base.is_Rational and _bits(base) * largest > _MAX_NUMBER_BITS:
                raise self._error(f"a number of over {_MAX_NUMBER_BITS} bits", node)
        elif not (_is_moderate(base) and _is_moderate(exponent)):
            raise self._error("a constant that is a tower of exponentials is too large", node)
        elif not (base.is_number and base.is_positive):
            raise self._error(
                "an exponent that is not a rational number needs a positive constant base", node.right
            )
        return base**exponent

    def _number(self, node: ast.Constant) -> sp.Expr:
        if isinstance(node.value, bool) or not isinstance(node.value, int | float):
            raise self._error(f"{_describe(node)} is not allowed; numbers are written 3, 0.25 or 1e-3", node)
        literal = self._source[node.col_offset : node.end_col_offset].replace("_", "")
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

    def _name(self, node: ast.Name) -> sp.Expr:
        value = _CONSTANTS.get(node.id) or self._variable(node.id)
        if value is not None:
            return value
        if node.id in _FUNCTIONS or node.id == "He":
            raise self._error(f"{node.id} is a function: write {node.id}(…)", node)
        raise self._error(f"unknown name {node.id!r}; allowed are {self._variables}, {_ALLOWED_NAMES}", node)

    def _call(self, node: ast.Call, depth: int) -> sp.Expr:
        if isinstance(node.func, ast.Constant):
            raise self._error("no multiplication is implicit: write 2*(…)", node.func)
        if not isinstance(node.func, ast.Name):
            raise self._error(
                f"{_describe(node.func)} cannot be called; functions are He, {', '.join(_FUNCTIONS)}", node
            )
        name = node.func.id
        if node.keywords:
            raise self._error(f"{name} takes no keywords", node.keywords[0])
        if name == "He":
            return self._hermite(node, depth)
        if name not in _FUNCTIONS:
            kind = "is not a function" if self._variable(name) or name in _CONSTANTS else "is unknown"
            raise self._error(f"{name!r} {kind}; functions are He, {', '.join(_FUNCTIONS)}", node)
        count, function = _FUNCTIONS[name]
        if len(node.args) != count if count is not None else not node.args:
            raise self._error(
                f"{name} takes {count or 'at least one'} argument(s), got {len(node.args)}", node
            )
        if len(node.args) > _MAX_ARGUMENTS:
            raise self._error(f"{name} takes at most {_MAX_ARGUMENTS} arguments, got {len(node.args)}", node)
        arguments = [self._expression(argument, depth + 1) for argument in node.args]
        if not all(map(_is_moderate, arguments)):
            raise self._error("a constant that is a tower of exponentials is too large", node)
        if any(a.is_Rational and _bits(a) > _MAX_ARGUMENT_BITS for a in arguments):
            raise self._error(f"{name} of a number of over {_MAX_ARGUMENT_BITS} bits", node)
        return function(*arguments)

    def _hermite(self, node: ast.Call, depth: int) -> sp.Expr:
        if len(node.args) != 2:
            raise self._error(
                f"He takes an order and an argument, He(3, z1); got {len(node.args)} argument(s)", node
            )
        order = self._expression(node.args[0], depth + 1)
        if not (order.is_Integer and 0 <= order <= MAX_HERMITE_ORDER):
            raise self._error(f"the order of He is an integer from 0 to {MAX_HERMITE_ORDER}", node.args[0])
        argument = self._expression(node.args[1], depth + 1)
        if argument.is_Rational and _bits(argument) * int(order) > _MAX_NUMBER_BITS:
            raise self._error(f"a number of over {_MAX_NUMBER_BITS} bits", node)
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


_KINDS_IN_WORDS: tuple[tuple[tuple[type[ast.AST], ...], str], ...] = (
    ((ast.Compare, ast.BoolOp), "a comparison"),
    ((ast.Tuple, ast.List, ast.Set, ast.Dict), "a list or tuple"),
    ((ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp), "a comprehension"),
    ((ast.Starred,), "a starred argument"),
)


def _describe(node: ast.AST) -> str:
    """Name a node that is refused, in words a user knows."""
    match node:
        case ast.Constant(value=str() | bytes()):
            return "a string"
        case ast.Constant(value=value):
            return f"the value {value!r}"
        case ast.Attribute(attr=attribute):
            return f"the attribute .{attribute}"
        case ast.BinOp(op=operator) | ast.UnaryOp(op=operator):
            return f"the operator {type(operator).__name__}"
    kinds = (words for kinds, words in _KINDS_IN_WORDS if isinstance(node, kinds))
    return next(kinds, f"this ({type(node).__name__})")
