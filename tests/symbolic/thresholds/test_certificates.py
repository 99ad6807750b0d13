import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import RebatchError, Target
from rebatch.symbolic.thresholds.certificates import certificate

ROWS = json.loads((Path(__file__).parents[2] / "reference" / "thresholds.json").read_text())["certificates"]


@pytest.mark.parametrize(("text", "direction", "bounds"), ROWS, ids=[row[0] for row in ROWS])
def test_certificates_are_the_reference_fractions(text, direction, bounds):
    for degree, bound in bounds.items():
        assert certificate(text, [int(x) for x in direction], int(degree)).bound == Fraction(bound)


@settings(max_examples=15)
@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=3).filter(lambda c: c[-1] != 0),
    st.integers(1, 3),
)
def test_bounds_fall_with_the_degree_and_scales_change_nothing(weights, size):
    text = " + ".join(f"({c})*z1^{2 * (i + 1)}" for i, c in enumerate(weights))
    found = [certificate(text, (1,), m) for m in (1, 2, 3, 4)]
    bounds = [c.bound for c in found if c is not None]
    assert bounds == sorted(bounds, reverse=True)
    assert all(b >= Fraction(1, 2) for b in bounds)
    scaled = [certificate(f"{size}*({text}) - 7", (size,), m) for m in (1, 2, 3, 4)]
    assert [c.bound for c in scaled if c is not None] == bounds


def test_the_transform_has_the_certified_correlation():
    x, w = np.polynomial.hermite_e.hermegauss(60)
    w = w / w.sum()
    found = certificate("He(4, z1)", (1,), 3)
    T = sp.lambdify(sp.Symbol("y", real=True), found.transform)(x**4 - 6 * x**2 + 3)
    correlation = (w @ (T * (x**2 - 1))) ** 2 / (w @ T**2)
    assert correlation == pytest.approx(1 / float(found.bound), rel=1e-10)


def test_label_noise_enters_the_certificate():
    # m = 1: E[y He_2] = 2, var y = 2 + D.
    assert certificate(Target("z1^2", noise_std=0.5), (1,), 1).bound == Fraction(9, 4) / 4


@pytest.mark.parametrize(
    ("text", "direction", "degree", "words"),
    [
        ("tanh(z1)", (1,), 2, "not a polynomial"),
        ("z1^2", (1,), 0, "degree = 0"),
        ("z1*z2", (1,), 2, "1 entries"),
        ("z1*z2", (0, 0), 2, "not all 0"),
    ],
)
def test_bad_input_is_one_clear_line(text, direction, degree, words):
    with pytest.raises(RebatchError, match=words) as error:
        certificate(text, direction, degree)
    assert "\n" not in str(error.value)
