"""What integration does not know is drawn as not known: bands, exact zeros, cells without smoothing."""

import numpy as np
import pytest

import rebatch as rb
from rebatch.numeric.overlap_curves import draw_map, draw_two_steps, fresh_of, is_zero, map_grid
from rebatch.numeric.two_steps import TwoStepNumbers
from rebatch.verify.convergence import convergence
from rebatch.verify.drawing import draw_convergence

ETAS = [0.1, 0.2]


def numbers(target, activation="relu"):
    setting = rb.Setting(target=target, activation=activation, alpha=2, eta=0.2, steps=2)
    return TwoStepNumbers(setting, points=64)


@pytest.mark.parametrize(
    ("target", "reused", "fresh"),
    [
        ("He(3, z)", [False], [True]),
        ("z1 + z2^2", [False, True], [False, True]),
        ("z1 + z1*z2 + He(3, z3)", [False, False, False], [False, False, True]),
        # Undecided is not hidden, and what is not proved is not 0.
        ("z1 + 0*z2", [False], [False]),
    ],
)
def test_an_overlap_is_zero_where_theory_says_so(target, reused, fresh):
    parsed = rb.Target(target)
    assert [is_zero(parsed, r, reuse=True) for r in range(parsed.k)] == reused
    assert [is_zero(parsed, r, reuse=False) for r in range(parsed.k)] == fresh


def test_integration_is_drawn_with_its_band_and_zeros_are_exact():
    prediction = numbers("He(3, z)")
    panel = draw_two_steps(prediction, fresh_of(prediction), alpha=2, etas=ETAS)[0]
    values, errors = prediction.with_errors(alpha=2, eta=np.array(ETAS))
    reused, fresh = (line.get_ydata() for line in panel.lines[:2])
    np.testing.assert_array_equal(reused, values[2, 0, 0])
    np.testing.assert_array_equal(fresh, [0.0, 0.0])
    (band,) = panel.collections
    assert band.get_paths()[0].vertices[:, 1].max() == (values + 2 * errors)[2, 0, 0].max()


def test_a_map_has_a_cell_for_each_value_and_no_structure_in_noise():
    prediction = numbers("He(3, z)")
    grid = {"alphas": [1.0, 2.0], "etas": ETAS}
    mesh = draw_map(prediction, **grid)[0].collections[0]
    values, errors = prediction.with_errors(alpha=np.array([[1.0], [2.0]]), eta=np.array(ETAS))
    noise = np.abs(values[2, 0, 0]) <= 2 * errors[2, 0, 0]
    assert noise.any()
    np.testing.assert_array_equal(np.reshape(mesh.get_array(), (2, 2)), np.where(noise, 0.0, values[2, 0, 0]))
    assert type(mesh).__name__ == "QuadMesh"
    assert mesh._shading == "flat"
    assert len(map_grid(prediction, 1, 1)["etas"]) < len(
        map_grid(rb.overlap_series("z", "erf", 1), 1, 1)["etas"]
    )


def test_bars_are_two_standard_errors():
    setting = rb.Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=2)
    result = convergence(setting, [30, 60, 120], [4] * 3)
    panel = draw_convergence(result)[0]
    deviation = panel.containers[1]
    assert "2 s.e." in deviation.get_label()
    ends = np.array([segment[:, 1] for segment in deviation[2][0].get_segments()])
    np.testing.assert_allclose(np.ptp(ends, axis=1), 4 * result.deviation_error)


def test_figures_embed_fonts_that_can_be_edited(tmp_path):
    from rebatch.cli.figures import figure_of, save  # noqa: PLC0415 - the face, not this floor

    formula = rb.two_step_overlap("z1", "h")
    figure = figure_of(draw_two_steps, formula, formula.one_pass, alpha=2, etas=ETAS)
    written = save(figure, tmp_path / "figure.pdf").read_bytes()
    assert b"/CIDFontType2" in written
    assert b"/Type3" not in written
