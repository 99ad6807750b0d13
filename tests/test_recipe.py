"""The recipe for conda asks for what pyproject.toml asks for, by conda's names."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RECIPE = yaml.safe_load((ROOT / "conda/recipe.yaml").read_text(encoding="utf-8"))
# What has another name there.
NAMES = {"matplotlib": "matplotlib-base"}


def asked(lines):
    """Return the bounds by name."""
    split = (re.match(r"([A-Za-z0-9_.-]+)\s*(.*)", line) for line in lines)
    return {NAMES.get(found[1].lower(), found[1].lower()): found[2] for found in split if found}


@pytest.mark.parametrize(
    ("there", "here"),
    [("run", PROJECT["project"]["dependencies"]), ("host", PROJECT["build-system"]["requires"])],
)
def test_the_recipe_asks_for_the_same_versions(there, here):
    found = asked(RECIPE["requirements"][there])
    python = found.pop("python")
    found.pop("pip", None)
    assert found == asked(here)
    assert python in ("", PROJECT["project"]["requires-python"])


def test_the_recipe_is_of_this_version_and_makes_the_command():
    assert RECIPE["context"]["version"] == PROJECT["project"]["version"]
    (command,) = RECIPE["build"]["python"]["entry_points"]
    assert command == f"rebatch = {PROJECT['project']['scripts']['rebatch']}"
    assert (ROOT / RECIPE["about"]["license_file"]).exists()
