"""A program of a user, as a type checker sees it: `make lint` checks it strictly, the tests run it."""

from typing import Any, assert_type

import numpy as np
import xarray as xr

import rebatch as rb


def test_a_typed_program_runs_and_its_types_are_known() -> None:
    analysis = rb.analyze("z1 + He(3, z2)")
    assert_type(analysis.dimension, int)
    assert_type(analysis.two_step[1].how, rb.How)
    assert_type(rb.information_exponent("z1").value, int | None)

    formula = rb.two_step_overlap("z1", "h + h^2/2")
    assert_type(formula.at(alpha=2, eta=0.1), np.ndarray[tuple[Any, ...], np.dtype[np.float64]])

    setting = rb.Setting(target="z1", activation="erf", alpha=2, eta=0.1, steps=1)
    run = rb.simulate(setting, d=60, seed=0)
    assert_type(run, rb.Trajectory)
    assert_type(run.M, xr.DataArray)
    assert run.M.shape == (2, 1, 1)
