"""What the tests share: the independently computed reference values, and how Hypothesis is run."""

import json
from pathlib import Path

from hypothesis import settings

# Times vary on shared machines; derandomised runs make a failure repeatable.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=50, print_blob=True)
settings.load_profile("default")

REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "targets.json"


def pytest_generate_tests(metafunc):
    """Give every test with an argument `reference` one row of the reference values; its name says which kind."""
    if "reference" in metafunc.fixturenames:
        rows = json.loads(REFERENCE.read_text())["targets"] if REFERENCE.exists() else []
        wanted = [row for row in rows if row["polynomial"]]
        metafunc.parametrize("reference", wanted, ids=[row["name"] for row in wanted])
