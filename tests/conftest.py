"""What the tests share: the independently computed reference values, and how Hypothesis is run."""

import json
from pathlib import Path

from hypothesis import settings

# Times vary on shared machines; derandomised runs make a failure repeatable.
settings.register_profile("default", deadline=None, derandomize=True, max_examples=50, print_blob=True)
settings.load_profile("default")

REFERENCE = Path(__file__).parent / "reference" / "targets.json"


def pytest_generate_tests(metafunc):
    """Give a test one row of the reference values: `reference` a polynomial, `other_reference` any other target."""
    rows = json.loads(REFERENCE.read_text())["targets"]
    for argument, polynomial in (("reference", True), ("other_reference", False)):
        if argument in metafunc.fixturenames:
            wanted = [row for row in rows if row["polynomial"] is polynomial]
            metafunc.parametrize(argument, wanted, ids=[row["name"] for row in wanted])
