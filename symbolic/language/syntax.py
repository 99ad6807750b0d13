"""Text to a checked syntax tree: characters, brackets, names and arguments, before anything is computed.

Python parses the text (`ast.parse` builds a tree and runs nothing); every node is then one of a whitelist or refused
with its place. SymPy is not loaded for that: a slip is answered at once.
"""

import ast
import re
import warnings
from collections.abc import Callable, Mapping
from functools import partial

from ..errors import ParseError

MAX_COORDINATES = 12
MAX_CHARACTERS = 10_000
MAX_NESTING = 100
MAX_NUMBER_BITS = 20_000
_MAX_ARGUMENTS = 12
# z1 to z99 are names, whatever the inputs.
_MOST_NAMED = 99
# The functions by name, with their number of arguments; None: any number from one.
FUNCTIONS: Mapping[str, int | None] = {
    "exp": 1,
    "log": 1,
    "sqrt": 1,
    "sin": 1,
    "cos": 1,
    "tan": 1,
    "sinh": 1,
    "cosh": 1,
    "tanh": 1,
    "erf": 1,
    "sigmoid": 1,
    "softplus": 1,
    "gelu": 1,
    "silu": 1,
    "relu": 1,
    "sign": 1,
    "abs": 1,
    "heaviside": 1,
    "Min": None,
    "Max": None,
}
CONSTANTS = ("pi", "e")
_ALLOWED_NAMES = ", ".join([*CONSTANTS, "He", *FUNCTIONS])


def latent(text: str, coordinates: int = MAX_COORDINATES) -> "Syntax":
    """Return a text checked as a function of z1, z2, …, of which so many may be named.

    Raises
    ------
    ParseError
        If something in it is not of the language, with the place.
    """
    return Syntax(text, partial(_names_coordinate, coordinates), f"z1 to z{coordinates}")


def require_formula(text: str) -> None:
    """Check what can be told before it is known how many coordinates may be named.

    Raises
    ------
    ParseError
        If something in it is not of the language, with the place.
    """
    Syntax(text, partial(_names_coordinate, _MOST_NAMED), f"z1 to z{MAX_COORDINATES}")


def activation(text: str) -> "Syntax":
    """Return a text checked as a function of h.

    Raises
    ------
    ParseError
        If something in it is not of the language, with the place.
    """
    return Syntax(text, lambda name: name == "h", "h")


def number_of(name: str) -> int:
    """Return i of a coordinate's name zi; z alone is z1."""
    return int(name[1:] or "1")


def _names_coordinate(coordinates: int, name: str) -> bool:
    return name == "z" or bool(re.fullmatch("z[1-9][0-9]?", name) and number_of(name) <= coordinates)


class Syntax:
    """A text that is a formula of the language, as far as this can be told without computing.

    Attributes
    ----------
    text : str
        As the user wrote it.
    tree : ast.expr
        Numbers, names, operators and calls that the language knows.
    variables : str
        The variables in words.
    """

    def __init__(self, text: str, is_variable: Callable[[str], bool], variables: str) -> None:
        if not isinstance(text, str):
            raise ParseError(f"expected text, got {type(text).__name__}", "", 0)
        self.text = text
        self._is_variable = is_variable
        self.variables = variables
        self.tree = self._parsed()
        self._check(self.tree, 0)

    def _parsed(self) -> ast.expr:
        """Return Python's syntax tree of the text, after the checks that must come before it."""
        if len(self.text) > MAX_CHARACTERS:
            raise self.error(
                f"{len(self.text)} characters; at most {MAX_CHARACTERS} are read", MAX_CHARACTERS
            )
        if not self.text.strip():
            raise self.error(f"the text is empty; write an expression in {self.variables}", 0)
        depth = 0
        for position, character in enumerate(self.text):
            if character == "#" or not (
                character.isascii() and (character.isprintable() or character.isspace())
            ):
                raise self.error(
                    f"the character {character!r} is not allowed; write ASCII (pi, z1, ^2)", position
                )
            depth += (character in "([{") - (character in ")]}")
            if depth > MAX_NESTING:
                raise self.error(f"brackets nested deeper than {MAX_NESTING}", position)
        # One line, no indentation, ** for ^: the positions of Python's tree are mapped back by _position.
        self._start = len(self.text) - len(self.text.lstrip())
        self._source = re.sub(r"\s", " ", self.text[self._start :]).replace("^", "**")
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", SyntaxWarning)
                return ast.parse(self._source, mode="eval").body
        except SyntaxError as error:
            raise self.error(*self._explain(error)) from None
        except (RecursionError, MemoryError):
            message = f"too many terms or signs in a row, or nested deeper than {MAX_NESTING}"
            raise self.error(message, 0) from None

    def _explain(self, error: SyntaxError) -> tuple[str, int]:
        """Return what Python's syntax error means here, and the place in the user's text."""
        # Python gives no column for a formula that ends too early.
        position = self.position(error.offset - 1) if error.offset else len(self.text)
        reason = str(error.msg)
        if "invalid decimal literal" in reason or "invalid syntax" in reason:
            # Python marks the number before a name (2z): say what is meant.
            product = re.compile(r"\d\s*(?=[A-Za-z(])|\)\s*(?=[\w(])").search(self.text, max(0, position - 1))
            if product and product.start() <= position + 1:
                return "no multiplication is implicit: write 2*z, not 2z", product.end()
        if "integer string conversion" in reason:
            return f"a number with too many digits; at most {MAX_NUMBER_BITS} bits", position
        return f"not a complete formula: {reason}", position

    def position(self, column: int) -> int:
        """Return the index into the user's text of a column of the parsed source."""
        position, seen = self._start, 0
        while seen < column and position < len(self.text):
            seen += 2 if self.text[position] == "^" else 1
            position += 1
        return position if seen <= column else position - 1

    def error(self, message: str, where: int | ast.AST) -> ParseError:
        """Return the error that shows the place in the user's text."""
        position = where if isinstance(where, int) else self.position(getattr(where, "col_offset", 0))
        return ParseError(message, self.text, position)

    def source(self, node: ast.expr) -> str:
        """Return the text of a node."""
        return self._source[node.col_offset : node.end_col_offset]

    def chain(self, node: ast.expr, operators: tuple[type, type]) -> list[tuple[bool, ast.expr]]:
        """Return the operands of a left-nested chain, each with whether it is subtracted (or divides)."""
        operands: list[tuple[bool, ast.expr]] = []
        while isinstance(node, ast.BinOp) and isinstance(node.op, operators):
            operands.append((isinstance(node.op, operators[1]), node.right))
            node = node.left
        return [(False, node), *reversed(operands)]

    def _check(self, node: ast.expr, depth: int) -> None:
        """Check a node and what is below; `depth` counts nesting, where a chain of + or of * is one level."""
        if depth > MAX_NESTING:
            raise self.error(f"nested deeper than {MAX_NESTING}", node)
        match node:
            case ast.BinOp(op=ast.Add() | ast.Sub()):
                below = [operand for _, operand in self.chain(node, (ast.Add, ast.Sub))]
            case ast.BinOp(op=ast.Mult() | ast.Div()):
                below = [operand for _, operand in self.chain(node, (ast.Mult, ast.Div))]
            case ast.BinOp(op=ast.Pow()):
                below = [node.left, node.right]
            case ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                below = [node.operand]
            case ast.Constant(value=value) if isinstance(value, int | float) and not isinstance(value, bool):
                below = []
            case ast.Constant():
                raise self.error(
                    f"{_describe(node)} is not allowed; numbers are written 3, 0.25 or 1e-3", node
                )
            case ast.Name():
                self._check_name(node)
                below = []
            case ast.Call():
                self._check_call(node)
                below = node.args
            case _:
                raise self.error(
                    f"{_describe(node)} is not allowed; allowed are numbers, {self.variables}, + - * / **, "
                    f"and {_ALLOWED_NAMES}",
                    node,
                )
        for part in below:
            self._check(part, depth + 1)

    def _check_name(self, node: ast.Name) -> None:
        if node.id in CONSTANTS or self._is_variable(node.id):
            return
        if node.id in FUNCTIONS or node.id == "He":
            raise self.error(f"{node.id} is a function: write {node.id}(…)", node)
        raise self.error(f"unknown name {node.id!r}; allowed are {self.variables}, {_ALLOWED_NAMES}", node)

    def _check_call(self, node: ast.Call) -> None:
        """Check the name of a function and the number of its arguments."""
        functions = f"functions are He, {', '.join(FUNCTIONS)}"
        if isinstance(node.func, ast.Constant):
            raise self.error("no multiplication is implicit: write 2*(…)", node.func)
        if not isinstance(node.func, ast.Name):
            raise self.error(f"{_describe(node.func)} cannot be called; {functions}", node)
        name, given = node.func.id, len(node.args)
        if node.keywords:
            raise self.error(f"{name} takes no keywords", node.keywords[0])
        if name == "He":
            if given != 2:
                raise self.error(
                    f"He takes an order and an argument, He(3, z1); got {given} argument(s)", node
                )
            return
        if name not in FUNCTIONS:
            known = self._is_variable(name) or name in CONSTANTS
            raise self.error(f"{name!r} {'is not a function' if known else 'is unknown'}; {functions}", node)
        count = FUNCTIONS[name]
        if given != count if count is not None else not given:
            raise self.error(f"{name} takes {count or 'at least one'} argument(s), got {given}", node)
        if given > _MAX_ARGUMENTS:
            raise self.error(f"{name} takes at most {_MAX_ARGUMENTS} arguments, got {given}", node)


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
