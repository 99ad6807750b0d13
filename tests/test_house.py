"""How the code is written: bodies that fit a screen, flat, and said in a line; constants set once."""

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOORS = ("symbolic", "kernels", "numeric", "verify", "cli")
FILES = sorted(path for floor in FLOORS for path in (ROOT / floor).rglob("*.py"))
LONGEST = 50  # lines of a body: a screen
DEEPEST = 4
SHORT = 9  # lines from which on a private function says its one job
BLOCKS = (ast.For, ast.While, ast.If, ast.With, ast.Try, ast.Match)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def size(function: Function) -> int:
    """Lines of the body, without the docstring."""
    body = function.body[1:] if ast.get_docstring(function) and len(function.body) > 1 else function.body
    return (function.end_lineno or 0) - body[0].lineno + 1


def depth(node: ast.AST) -> int:
    """Blocks within blocks, where elif is beside its if, and functions within are measured on their own."""
    inner = [0]
    for child in ast.iter_child_nodes(node):
        if isinstance(child, Function | ast.ClassDef | ast.Lambda):
            continue
        beside = isinstance(node, ast.If) and isinstance(child, ast.If) and node.orelse == [child]
        inner.append(depth(child) + (isinstance(child, BLOCKS) and not beside))
    return max(inner)


def assigned(body):
    """Yield the names that statements of a module or class assign, without branches."""
    for statement in body:
        if isinstance(statement, ast.Assign):
            targets = statement.targets
        elif isinstance(statement, ast.AnnAssign) and statement.value is not None:
            targets = [statement.target]
        else:
            continue
        for target in targets:
            yield from (node.id for node in ast.walk(target) if isinstance(node, ast.Name))


def faults(text: str) -> list[str]:
    """What a reader would stumble over in a module."""
    tree, found = ast.parse(text), []
    for f in ast.walk(tree):
        if isinstance(f, Function):
            private = f.name.startswith("_") and not f.name.startswith("__")
            if size(f) > LONGEST:
                found.append(f"{f.name}: {size(f)} lines")
            if depth(f) > DEEPEST:
                found.append(f"{f.name}: nested {depth(f)} deep")
            if private and size(f) >= SHORT and not ast.get_docstring(f):
                found.append(f"{f.name}: does not say what it does")
    # A second value for a name is a second meaning; what reads it in between is silently wrong.
    for scope in (tree, *(node for node in ast.walk(tree) if isinstance(node, ast.ClassDef))):
        found += [f"{name}: set {n} times" for name, n in Counter(assigned(scope.body)).items() if n > 1]
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_reads_well(path):
    assert faults(path.read_text(encoding="utf-8")) == []


def test_what_is_hard_to_read_is_found():
    nested = "def f():\n" + "".join(" " * i + "if x:\n" for i in range(1, 6)) + " " * 6 + "pass\n"
    beside = "def f():\n if a: pass\n" + " elif b: pass\n" * 6
    body = "    x()\n"
    assert faults(nested) == ["f: nested 5 deep"]
    assert faults(beside) == []
    assert faults("def f():\n" + body * 51) == ["f: 51 lines"]
    assert faults("def _f():\n" + body * 9) == ["_f: does not say what it does"]
    assert faults("DIGITS = 25\n\nDIGITS: int = 8\n") == ["DIGITS: set 2 times"]
