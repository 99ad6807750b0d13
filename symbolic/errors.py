"""The errors of rebatch: one base class, each saying what was given, what is allowed and, for text, where."""

_WINDOW = 72
# A line of a message is read by a person: what was given may be long, and is cut in the middle.
_LONGEST = 1200


class RebatchError(ValueError):
    """Base class of every error that rebatch raises on purpose."""

    def __init__(self, message: object = "") -> None:
        super().__init__("\n".join(_cut(line) for line in str(message).split("\n")))


class ParseError(RebatchError):
    """A text that the parser refuses, with the place.

    Parameters
    ----------
    message : str
        What is wrong and what is allowed, in one line.
    text : str
        The text as the user gave it.
    position : int
        Index into `text` of the character to mark.
    """

    def __init__(self, message: str, text: str, position: int) -> None:
        self.message = message
        self.text = text
        self.position = max(0, min(position, len(text)))
        super().__init__(f"{message}\n{self._marked()}")

    def __reduce__(self) -> tuple[type, tuple[str, str, int]]:
        return type(self), (self.message, self.text, self.position)

    def _marked(self) -> str:
        """Show the text around the place and a caret under it, on two lines."""
        start = max(0, self.position - _WINDOW // 2)
        stop = start + _WINDOW
        head, tail = "…" if start else "", "…" if stop < len(self.text) else ""
        line = "".join(c if c.isprintable() else " " for c in self.text[start:stop])
        return f"  {head}{line}{tail}\n  {' ' * (len(head) + self.position - start)}^"


def _cut(line: str) -> str:
    if len(line) <= _LONGEST:
        return line
    return f"{line[: _LONGEST // 2]} … {line[-_LONGEST // 2 :]}"


class NotPolynomialError(RebatchError):
    """A function that is not a polynomial with rational coefficients, where only those can be answered."""


class DivergentError(RebatchError):
    """An expectation that is infinite or does not exist; the message names the part that grows too fast."""


class UndefinedFunctionError(RebatchError):
    """A function that is not defined on the whole line; the message names it and a place where it is not."""


class TooLargeError(RebatchError):
    """A job refused before it starts, because its size is beyond the stated limit."""
