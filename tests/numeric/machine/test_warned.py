"""Warnings of runs point at the line that asked for them, whatever was called there."""

import pytest

from rebatch import Setting, simulate, sweep
from rebatch.numeric.engines.descent import StoppedEarly

DIVERGING = Setting(target="z1^3", activation="h^3", alpha=2, eta=1e4, steps=9)


@pytest.mark.parametrize(
    "run",
    [
        lambda _: simulate(DIVERGING, d=60, seed=0),
        lambda _: simulate(DIVERGING, "dense", d=60, seed=0),
        lambda _: simulate(DIVERGING, "flow", d=60, seed=0),
        lambda _: simulate(DIVERGING, "limit", seed=0, points=64),
        lambda folder: sweep(DIVERGING, d=60, seeds=1, folder=folder),
    ],
    ids=["lazy", "dense", "flow", "limit", "sweep"],
)
def test_a_run_that_stops_early_is_told_at_the_line_that_asked(run, tmp_path):
    with pytest.warns(StoppedEarly) as told:
        run(tmp_path)
    assert [warning.filename for warning in told] == [__file__]
