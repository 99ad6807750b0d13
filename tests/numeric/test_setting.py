import dataclasses
import math

import numpy as np
import pytest

from rebatch import RebatchError, Setting, Target

VALID = {"target": "z1 + He(3, z2)", "activation": "relu", "neurons": 2, "alpha": 3, "eta": 0.2, "steps": 4}


def test_a_setting_survives_json():
    setting = Setting(
        **VALID, weight_decay=0.1, loss="correlation", noise_std=0.3, start="random", reuse=False
    )
    assert Setting.from_json(setting.to_json()) == setting


def test_every_option_survives_json():
    setting = Setting(
        **VALID, start=[[0.1, 0.2], [0.3, 0.0]], start_Q=[[1.0, 0.5], [0.5, 2.0]], reuse=False, batch_size=7,
        repeats=3, rho=-0.5, normalize=True, record_every=2,
    )  # fmt: skip
    assert Setting.from_json(setting.to_json()) == setting
    rows = setting.start_coefficients()
    np.testing.assert_allclose(rows @ rows.T, setting.start_Q, atol=1e-14)
    np.testing.assert_allclose(rows[:, :2], setting.start)


def test_overlaps_that_no_rows_have_are_refused():
    with pytest.raises(RebatchError, match="positive semidefinite"):
        Setting(**VALID, start=np.zeros((2, 2)), start_Q=[[1.0, 2.0], [2.0, 1.0]])


@pytest.mark.parametrize("text", ["abs(z1) + e*heaviside(z2)", "z1**(1/2)", "relu(z1 - 1/2)*sign(z1)"])
def test_an_expression_as_target_survives_json(text):
    setting = Setting(**{**VALID, "target": Target(Target(text).expr)})
    assert Setting.from_json(setting.to_json()).target.expr == setting.target.expr


def test_the_default_readout_alternates():
    np.testing.assert_allclose(Setting(**VALID).a(), np.array([1, -1]) / math.sqrt(2))


def test_the_noise_of_the_target_is_the_noise_of_the_setting():
    assert Setting(**{**VALID, "target": Target("z1", noise_std=0.5)}).noise_std == 0.5
    assert Setting(**VALID, noise_std=0.5).target.noise_std == 0.5
    with pytest.raises(RebatchError, match="give it once"):
        Setting(**{**VALID, "target": Target("z1", noise_std=0.5)}, noise_std=0.4)


def test_settings_are_immutable():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Setting(**VALID).eta = 1.0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("alpha", float("nan")),
        ("alpha", -1.0),
        ("alpha", 0.0),
        ("alpha", "3"),
        ("eta", 0),
        ("eta", float("inf")),
        ("neurons", 0),
        ("neurons", 1.5),
        ("neurons", True),
        ("steps", 0),
        ("weight_decay", -0.1),
        ("noise_std", float("nan")),
        ("loss", "hinge"),
        ("start", "warm"),
        ("readout", [1.0]),
        ("readout", [1.0, float("nan")]),
        ("activation", "swish"),
        ("start", [[0.1, 0.2]]),
        ("start", [[0.9, 0.9], [0, 0]]),
        ("start", [["a", "b"], [0, 0]]),
        ("batch_size", 0),
        ("repeats", 2),
        ("rho", float("nan")),
        ("record_every", 0),
        ("start_Q", [[1, 0], [0, 1]]),
    ],
)
def test_a_value_out_of_range_is_refused_by_name_with_what_is_allowed(name, value):
    with pytest.raises(RebatchError, match=f"{name}.*allowed") as refused:
        Setting(**{**VALID, name: value})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("d", [3, 0, -5, 2.5, True])
def test_a_dimension_too_small_is_refused(d):
    with pytest.raises(RebatchError, match="k \\+ p = 4"):
        Setting(**VALID).samples(d)


@pytest.mark.parametrize("text", ["{", "[1]", "{}", '{"target": "z1", "colour": 3}'])
def test_what_is_not_a_setting_is_refused(text):
    with pytest.raises(RebatchError):
        Setting.from_json(text)
