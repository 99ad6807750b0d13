"""The experiments of the paper: data that says what the figures show, and a verdict that can be both ways."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rebatch import Trajectory
from rebatch.symbolic.errors import RebatchError
from rebatch.verify import paper as module
from rebatch.verify.paper import paper, registry

REFERENCE = json.loads((Path(__file__).parents[1] / "reference" / "paper.json").read_text())


def numbers(data):
    """Yield every list of numbers in nested data; a list of pairs as its columns."""
    if isinstance(data, dict):
        for key, value in data.items():
            if key != "test_error_simulation":
                yield from numbers(value)
    elif isinstance(data, list) and data and isinstance(data[0], list):
        yield from (list(column) for column in zip(*data, strict=True))
    elif isinstance(data, list):
        yield data


@pytest.fixture
def cheap(monkeypatch):
    monkeypatch.setattr(module, "_QUICK", (2**12, 8))


def test_the_registry_has_every_experiment_and_every_published_number():
    ours = registry()["experiments"]
    assert list(ours) == [entry["id"] for entry in REFERENCE["experiments"]]
    for entry in REFERENCE["experiments"]:
        held, caption = ours[entry["id"]], entry["caption"]
        published = [curve["published"] for curve in held["curves"]]
        assert all(values in published for values in numbers(entry)), entry["id"]
        for name in ("alpha", "eta", "neurons", "activation"):
            assert held["setting"][name] == caption[name]
        assert (held["d"], held["runs"]) == (caption["d"], caption["runs"])


def test_an_agreeing_figure_agrees_and_one_that_does_not_says_what_was_tried(cheap):
    done = paper("fig2-tanh-tanh", quick=True).experiments[0]
    assert done.verdict.startswith("agrees")
    # E[tanh'(z)] = .60570551, and relu' is 1/2 on average: |M^1| = alpha eta .6057 / 2.
    assert done.curves[0].computed[0] == pytest.approx(0.3 * 0.60570551 / 2, abs=5e-4)
    other = paper("fig1-tanh", quick=True).experiments[0]
    assert other.verdict.startswith("does not agree")
    assert "Found: the target erf(z1)" in other.verdict
    assert not any(curve.agrees for curve in other.curves)


def test_dots_are_held_against_their_scatter_and_lines_against_the_reading_error(cheap, monkeypatch):
    monkeypatch.setattr(module, "_QUICK", (2**15, 16))
    curves = {curve.name: curve for curve in paper("repository", quick=True).experiments[0].curves}
    assert curves["reused batch, e1, published simulation"].agrees
    assert not curves["reused batch, e2, published theory"].agrees
    # One run spreads by about .3 to .5 / sqrt(d) (32 runs at d = 4000): .0009 for the mean of 32 at d = 5000.
    dots, line = (
        curves["reused batch, e1, published simulation"],
        curves["reused batch, e1, published theory"],
    )
    assert np.hypot(line.error, 0.0005) == pytest.approx(line.unit)
    scatter = np.sqrt(np.square(dots.unit) - np.square(line.unit)) * np.sqrt(5000 * 32)
    assert np.all((scatter > 0.1) & (scatter < 0.7))
    assert curves["reused batch, e2, published theory"].published[0] == -0.06323


def test_an_offset_of_two_and_a_half_units_along_a_curve_does_not_agree():
    def curve(units):
        flat = tuple(np.zeros(4).tolist())
        return module.Curve("c", (1, 2, 3, 4), units, flat, flat, (1.0,) * 4, "limit", "theory")

    assert curve((2.9, 0.0, 0.0, 0.0)).agrees
    assert not curve((3.1, 0.0, 0.0, 0.0)).agrees
    assert not curve((2.5, 2.5, 2.5, 2.5)).agrees


def test_runs_at_finite_d_are_set_beside_the_same_curves(cheap):
    done = paper("fig2-tanh-tanh", quick=True, simulated=True, d=500, runs=4, seed=3).experiments[0]
    assert len(done.curves) == 6
    for limit, runs in zip(done.curves[::2], done.curves[1::2], strict=True):
        assert (limit.by, runs.by) == ("limit", "simulation")
        assert runs.name == f"{limit.name}, by runs"
    # 4 runs at d = 500: a standard error of about .01.
    assert done.curves[1].computed == pytest.approx(done.curves[0].computed, abs=0.08)


@pytest.mark.deep
def test_single_samples_run_on_a_stored_matrix():
    done = paper("fig5", quick=True, simulated=True, d=60, runs=2).experiments[0]
    assert [len(curve.computed) for curve in done.curves] == [3, 3, 3, 3]


@pytest.mark.parametrize(
    ("stopped", "error"), [("interrupted after step 1", KeyboardInterrupt), ("x", RebatchError)]
)
def test_a_run_that_ended_early_is_no_answer(stopped, error, monkeypatch):
    run = SimpleNamespace(stopped=stopped, interrupted=stopped != "x", setting="")
    run.require_all_steps = lambda: Trajectory.require_all_steps(run)
    monkeypatch.setattr(module, "simulate", lambda *_, **__: run)
    with pytest.raises(error):
        paper("fig1-he4", quick=True)


def test_wrong_names_and_lost_options_are_refused():
    with pytest.raises(RebatchError, match="no experiment 'fig9'; allowed are fig1-tanh, "):
        paper("fig9")
    with pytest.raises(RebatchError, match="simulated=True"):
        paper("fig4", d=100)
    with pytest.raises(RebatchError, match="runs = 1"):
        paper("fig4", simulated=True, runs=1)
