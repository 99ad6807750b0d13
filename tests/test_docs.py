"""The examples of the documentation run as they stand."""

import re
import runpy
from pathlib import Path

import pytest
from hypothesis import settings

DOCS = Path(__file__).parents[1] / "docs"


@pytest.mark.parametrize("name", ["properties.md"])
def test_the_examples_run(name, capsys):
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / name).read_text(), re.DOTALL)
    assert blocks
    namespace = {"__name__": name}
    # The reader's default is 100 examples; the claim is in the deep tier's hands.
    settings.register_profile("documentation", parent=settings.get_profile("default"), max_examples=8)
    settings.load_profile("documentation")
    try:
        for block in blocks:
            exec(compile(block, name, "exec"), namespace)
    finally:
        settings.load_profile("default")
    assert "Target(" in capsys.readouterr().out


@pytest.mark.parametrize("path", sorted((DOCS.parent / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_the_programs_in_examples_run(path, capsys):
    runpy.run_path(str(path), run_name="__main__")
    assert len(capsys.readouterr().out.splitlines()) > 5
