"""A sweep as a file: which settings, dimensions and seeds, read from TOML and checked line by line.

engine = "lazy"
d = [1000, 10000]
seeds = 8

[setting]               # what all runs share: the parameters of Setting
target = "He(3, z1)"
activation = "relu"
alpha = 3
steps = 4

[grid]                  # every combination
eta = [0.05, 0.1, 0.2]

[zip]                   # taken together: the first of each, then the second of each, …
neurons = [1, 4]
loss = ["squared", "correlation"]

[options]               # the engine's own
storage = "float32"
"""

import inspect
import itertools
import math
import os
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..symbolic.errors import RebatchError
from ..symbolic.language.catalog import gaussian_text
from .engine_names import Engine
from .machine.files import read
from .setting import Setting
from .simulate import ENGINES

_TABLES = ("setting", "grid", "zip", "options")
_KEYS = ("engine", "d", "seeds")
# More runs than this are a slip of the pen: at a tenth of a second each they take a day.
MOST_RUNS = 1_000_000


@dataclass(frozen=True)
class Plan:
    """What a sweep runs.

    Attributes
    ----------
    settings : tuple of Setting
        Combinations of the grid, for each row of the zipped parameters.
    engine : str
    d : tuple of int, or None
        None for the limit, which has no dimension.
    seeds : tuple of int
    options : dict
        The engine's own.
    """

    settings: tuple[Setting, ...]
    engine: Engine
    d: tuple[int, ...] | None
    seeds: tuple[int, ...]
    options: dict[str, Any]

    def __len__(self) -> int:
        return len(self.settings) * len(self.d or (None,)) * len(self.seeds)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> "Plan":
        """Read a plan.

        Raises
        ------
        RebatchError
            If the file cannot be read or is no plan; the message names the file, the line and what is allowed.
        """
        try:
            text = read(path, "plan").decode()
        except UnicodeDecodeError as error:
            raise RebatchError(f"plan {str(path)!r}: {error}; allowed is a TOML file") from None
        return cls.loads(text, str(path))

    @classmethod
    def loads(cls, text: str, name: str = "plan") -> "Plan":
        """Read a plan from the text of a file of this name; raises as :meth:`load`."""
        return _Reader(text, name).plan()


class _Reader:
    """One text; an error says where in it."""

    def __init__(self, text: str, name: str) -> None:
        self._text, self._name = text, name
        try:
            self._data = tomllib.loads(text)
        except (tomllib.TOMLDecodeError, RecursionError) as error:
            raise RebatchError(f"{name}: not TOML: {error}") from None

    def plan(self) -> Plan:
        """Return the plan, every value checked."""
        for key, value in self._data.items():
            if isinstance(value, dict) and key not in _TABLES:
                raise self._error("", key, f"unknown table [{key}]; allowed are {', '.join(_TABLES)}")
            if not isinstance(value, dict) and key not in _KEYS:
                hint = " (a parameter of the setting stands under [setting])" if key in _PARAMETERS else ""
                raise self._error("", key, f"unknown key {key!r}; allowed are {', '.join(_KEYS)}{hint}")
        engine = self._data.get("engine", "lazy")
        if engine not in ENGINES:
            raise self._error("", "engine", f"engine = {engine!r}; allowed are {', '.join(ENGINES)}")
        sizes = self._dimensions(engine)
        seeds = self._seeds()
        self._check_parameters()
        grid, together = self._table("grid"), self._table("zip")
        lists = [*grid.values(), next(iter(together.values()), [None]), sizes or [None], seeds]
        if (total := math.prod(map(len, lists))) > MOST_RUNS:
            raise RebatchError(f"{self._name}: {total} runs; allowed are at most {MOST_RUNS}")
        rows = self._rows()
        return Plan(tuple(map(self._setting, rows)), engine, sizes, seeds, self._options(engine))

    def _table(self, name: str) -> dict[str, Any]:
        table = self._data.get(name, {})
        if not isinstance(table, dict):
            raise self._error("", name, f"{name} = {table!r}; allowed is a table [{name}]")
        return table

    def _dimensions(self, engine: str) -> tuple[int, ...] | None:
        """Return the values of d, None for the limit."""
        given = self._data.get("d")
        if engine == "limit":
            if given is not None:
                raise self._error("", "d", f"d = {given!r}, but the limit has no dimension; leave it out")
            return None
        sizes: list[Any] = given if isinstance(given, list) else [given]
        if not sizes or not all(_is_integer(x) and x > 0 for x in sizes) or len(set(sizes)) < len(sizes):
            what = "d is missing" if given is None else f"d = {given!r}"
            raise self._error(
                "", "d", f"{what}; allowed are positive integers, one or a list of different ones"
            )
        return tuple(sizes)

    def _seeds(self) -> tuple[int, ...]:
        given = self._data.get("seeds", 1)
        if _is_integer(given) and 0 < given <= MOST_RUNS:
            return tuple(range(given))
        numbers = isinstance(given, list) and given and all(_is_integer(x) and x >= 0 for x in given)
        if numbers and len(set(given)) == len(given):
            return tuple(given)
        allowed = "how many (0, 1, 2, …) or a list of different integers >= 0"
        raise self._error("", "seeds", f"seeds = {given!r}; allowed is {allowed}")

    def _check_parameters(self) -> None:
        """Check the names of the parameters, and that those that vary are lists that fit together."""
        seen: dict[str, str] = {}
        for table in ("setting", "grid", "zip"):
            for key, value in self._table(table).items():
                if key not in _PARAMETERS:
                    allowed = ", ".join(_PARAMETERS)
                    raise self._error(table, key, f"unknown parameter {key!r}; allowed are {allowed}")
                if key in seen:
                    raise self._error(table, key, f"{key} stands in [{seen[key]}] too; allowed is once")
                if table != "setting" and not (isinstance(value, list) and value):
                    raise self._error(table, key, f"{key} = {value!r}; allowed is a list of values")
                seen[key] = table
        together = self._table("zip")
        if len({len(value) for value in together.values()}) > 1:
            sizes = ", ".join(f"{key} {len(value)}" for key, value in together.items())
            message = f"lists of different lengths ({sizes}); allowed is one length"
            raise self._error("zip", next(iter(together)), message)

    def _rows(self) -> Iterator[dict[str, Any]]:
        """Yield the parameters of each setting: the grid's combinations in each row of the zip."""
        common, grid, together = map(self._table, ("setting", "grid", "zip"))
        for row in zip(*together.values(), strict=True) if together else [()]:
            for point in itertools.product(*grid.values()):
                yield {
                    **common,
                    **dict(zip(together, row, strict=True)),
                    **dict(zip(grid, point, strict=True)),
                }

    def _setting(self, values: dict[str, Any]) -> Setting:
        try:
            if isinstance(target := values.get("target"), str):
                values = {**values, "target": gaussian_text(target)}
            return Setting(**values)
        except (RebatchError, TypeError) as error:
            name = next((n for n in values if re.match(rf"{n}\b", str(error))), None)
            table = next((t for t in _TABLES[:3] if name in self._table(t)), "setting")
            raise self._error(table, name or "target", str(error)) from None

    def _options(self, engine: str) -> dict[str, Any]:
        """Return the engine's own options."""
        options = self._table("options")
        allowed = set(inspect.signature(ENGINES[engine]).parameters) - {
            "setting",
            "d",
            "seed",
            "threads",
            "X",
        }
        for key in options:
            if key not in allowed:
                known = ", ".join(sorted(allowed)) or "none"
                raise self._error(
                    "options", key, f"engine {engine} has no option {key!r}; allowed are {known}"
                )
        return options

    def _error(self, table: str, key: str, message: str) -> RebatchError:
        line = self._line(table, key)
        return RebatchError(f"{self._name}{f', line {line}' if line else ''}: {message}")

    def _line(self, table: str, key: str) -> int | None:
        """Return the line on which a key of a table stands, counted from 1."""
        here = ""
        for number, line in enumerate(self._text.splitlines(), 1):
            if header := re.match(r"\s*\[\s*([^\]]+?)\s*\]", line):
                here = header[1].strip("\"'")
                if not table and here == key:
                    return number
            elif here == table and re.match(rf"\s*[\"']?{re.escape(key)}[\"']?\s*=", line):
                return number
        return None


_PARAMETERS = tuple(inspect.signature(Setting).parameters)


def _is_integer(x: Any) -> bool:
    return isinstance(x, int) and not isinstance(x, bool)
