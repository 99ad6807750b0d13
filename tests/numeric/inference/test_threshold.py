import json
from math import inf
from pathlib import Path

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import k0, k1

from rebatch import RebatchError, Target, alpha_curve, catalog, weak_recovery_threshold
from rebatch.numeric.inference import cells, line, noisy, sampled, separate
from rebatch.numeric.inference.latent import Latent
from rebatch.numeric.inference.stability import instability, pair_tensor
from rebatch.symbolic.exact.known import How
from rebatch.symbolic.learnability.reading import read

ROWS = json.loads((Path(__file__).parents[2] / "reference" / "thresholds.json").read_text())["alpha_c"]


@pytest.mark.parametrize(("text", "value"), ROWS, ids=[row[0] for row in ROWS])
def test_thresholds_are_the_reference_values(text, value):
    answer = weak_recovery_threshold(text, max_degree=2)
    if value is None:
        assert answer.alpha_c == inf
        assert answer.to_json()["stages"][1]["alpha_c"] is None
    elif isinstance(value, str):
        assert answer.stages[1].how is How.EXACT
        assert sp.simplify(answer.stages[1].exact - sp.sympify(value.replace("^", "**"))) == 0
    else:
        # The reference has six digits.
        assert answer.alpha_c == pytest.approx(value, rel=4e-6)


def latent(text, **options):
    target = Target(text, **options)
    return Latent.of(target, read(target).relevant)


def test_roots_on_level_sets_agree_with_adaptive_integration():
    # (z^2 - 1)^2 = y: four roots below 1, two above.
    def integrand(y):
        s = np.sqrt(y)
        r = np.sqrt([1 + s, 1 - s] if s < 1 else [1 + s])
        w = np.exp(-(r**2) / 2) * 2 / np.sqrt(2 * np.pi) / np.abs(4 * r * (r**2 - 1))
        return (w @ (r**2 - 1)) ** 2 / w.sum()

    expected = sum(quad(integrand, a, b, limit=400)[0] for a, b in ((0, 1), (1, 2), (2, 1500)))
    S, error = line.second_moments(latent("(z1^2 - 1)^2").branches())
    assert S[1, 1] == pytest.approx(expected, abs=1e-6)  # what quad leaves at square-root ends
    assert error < 1e-6


def test_a_flat_piece_is_an_atom():
    # relu(|z| - 1): on |z| > 1 z^2 is known; below, only that |z| < 1.
    z = np.linspace(1, 12, 200_001)
    tail = 2 * np.trapezoid((z**2 - 1) ** 2 * np.exp(-(z**2) / 2), z) / np.sqrt(2 * np.pi)
    expected = tail + (2 * 0.24197072451914337) ** 2 / 0.6826894921370859
    S, _ = line.second_moments(latent("relu(abs(z1) - 1)").branches())
    assert S[1, 1] == pytest.approx(expected, abs=1e-7)


def test_cells_and_samples_agree_with_roots_within_their_errors():
    plain = latent("cos(z1) + abs(z1)/3")
    exact, _ = line.second_moments(plain.branches())
    for method in (cells, sampled):
        S, error = method.second_moments(plain)
        assert np.abs(S - exact).max() < error + 1e-7


def test_two_directions_agree_with_a_bessel_integral():
    # z1 z2: p(y) = K_0(|y|)/pi, E[z1^2 | y] = |y| K_1/K_0, E[z1 z2 | y] = y.
    def integrand(y):
        return ((y * k1(y) / k0(y) - 1) ** 2 + y**2) * k0(y) / np.pi

    expected = 2 * (quad(integrand, 0, 1)[0] + quad(integrand, 1, 60)[0])
    S, error = cells.second_moments(latent("z1*z2"))
    assert S[2, 2] + S[3, 3] == pytest.approx(expected, abs=1e-5)
    assert error < 1e-4


@pytest.mark.parametrize("noise_std", [0.0, 1.0])
def test_cells_of_three_directions_meet_the_convolution_of_a_quadratic_form(noise_std, monkeypatch):
    monkeypatch.setitem(cells._CELLS, 3, (12, 24, 48))
    monkeypatch.setitem(cells._BINS, 3, 512)
    monkeypatch.setitem(noisy._CELLS, 3, 48)
    form = latent("z1*z2 + z2*z3 + z1*z3", noise_std=noise_std)
    S, error = (noisy if noise_std else cells).second_moments(form)
    # The trace of E[G G] over pairs a <= b is no invariant of rotations: the largest eigenvalue of F is.
    top = instability(pair_tensor(S[3:, 3:], 3, np.eye(3))).eigenvalue
    parts = separate.parts_of(form.target, read(form.target).relevant, form.target.expr)
    T, sharp = separate.second_moments(parts)
    truth = instability(pair_tensor(T[3:, 3:], 3, np.eye(3))).eigenvalue
    assert sharp < 1e-5
    assert 0 < error < 5e-3
    assert abs(top - truth) < 3 * error


def test_the_law_of_a_sum_of_uniform_numbers_is_that_of_samples():
    rng = np.random.default_rng(5)
    widths = np.array([[1.0], [0.7], [0.2]])
    total = (widths * (rng.random((3, 400_000)) - 0.5)).sum(axis=0)
    for count in (1, 2, 3):
        part = total if count == 3 else (widths[:count] * (rng.random((count, 400_000)) - 0.5)).sum(axis=0)
        cell = cells._Linear(np.zeros(1), widths[:count])
        for y in (-0.6, -0.3, 0.0, 0.2, 0.45):
            assert cells._below(cell, np.array([y]))[0] == pytest.approx((part <= y).mean(), abs=4e-3)


def test_three_directions_that_do_not_fall_apart_have_a_number_of_three_digits():
    stage = weak_recovery_threshold("Max(z1, z2, z3)", max_degree=1).stages[1]
    assert stage.how is How.NUMERIC
    assert "level surfaces" in stage.proof
    assert stage.error < 3e-3 * stage.alpha


def test_label_noise_agrees_with_plain_quadrature():
    D = 0.3
    t = np.linspace(-9, 9, 4001)
    p = np.exp(-(t**2) / 2) / np.sqrt(2 * np.pi) * (t[1] - t[0])
    y = np.linspace(-6, 60, 6001)
    total = 0.0
    for part in np.array_split(y, 12):
        kernel = np.exp(-((part[:, None] - t**2) ** 2) / (2 * D))
        a, b = kernel @ p, kernel @ (p * (t**2 - 1))
        total += float((b[a > 0] ** 2 / a[a > 0]).sum()) * (y[1] - y[0]) / np.sqrt(2 * np.pi * D)
    S, error = noisy.second_moments(latent("z1^2", noise_std=D**0.5))
    assert S[1, 1] == pytest.approx(total, abs=5e-5)  # labels have an inverse square root at 0
    assert error < 1e-4


@pytest.mark.parametrize(("text", "D"), [("abs(z1)", 2e3), ("He(4, z1)", 1e6)])
def test_large_noise_has_its_price(text, D):
    law = weak_recovery_threshold(text, max_degree=1).noise
    alphas, _ = alpha_curve(text, np.array([D]))
    # The next order is smaller by the fourth moment of the label over D.
    assert alphas[0] == pytest.approx(law.price * D**law.exponent, rel=0.02)


@settings(max_examples=8)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=2).filter(any), st.integers(3, 6))
def test_the_threshold_tends_to_its_law_of_noise(weights, power):
    text = " + ".join(f"({c})*z1^{2 * (i + 1)}" for i, c in enumerate(weights))
    law = weak_recovery_threshold(text, max_degree=1).noise
    D = 10.0 ** (2 * power)
    alphas, errors = alpha_curve(text, np.array([D]))
    if law.exponent == 1:
        # E[g^4] / D is what the next order is of.
        assert alphas[0] == pytest.approx(law.price * D, rel=3e3 / D + 1e-2, abs=3 * errors[0])


def test_noise_raises_the_threshold():
    alphas, _ = alpha_curve("z1^2", np.array([0.0, 0.01, 0.1, 1.0, 10.0]))
    assert (np.diff(alphas) > 0).all()
    assert alphas[0] == 0.5


@settings(max_examples=12)
@given(st.lists(st.integers(-3, 3), min_size=1, max_size=3).filter(any))
def test_one_direction_needs_a_half_at_least_whatever_invertible_function_follows(weights):
    text = " + ".join(f"({c})*z1^{2 * (i + 1)}" for i, c in enumerate(weights))
    S, error = line.second_moments(latent(text).branches())
    assert S[1, 1] <= 2 + error + 1e-6
    again = weak_recovery_threshold(f"sinh(tanh(({text})/50))", max_degree=1)
    assert 1 / again.alpha_c == pytest.approx(S[1, 1], abs=1e-6)


def test_no_threshold_is_above_a_certificate():
    for text in ("He(4, z1)", "He(6, z1) + z1^2"):
        answer = weak_recovery_threshold(text, max_degree=6)
        bounds = [float(c.bound) for c in answer.certificates]
        assert bounds == sorted(bounds, reverse=True)
        assert answer.alpha_c <= bounds[-1] + answer.stages[1].error


def test_rotations_change_no_threshold():
    turned = weak_recovery_threshold("(3*z1 + 4*z2)*(4*z1 - 3*z2)/25", max_degree=1)
    assert turned.alpha_c == pytest.approx(0.593751, abs=1e-5)
    assert len(turned.stages[1].directions) == 2


def test_the_json_has_its_shape():
    known = weak_recovery_threshold("z1^2", max_degree=2).to_json()
    assert list(known) == ["target", "stages", "certificates", "noise_exponent"]
    trivial, first = known["stages"]
    assert trivial == {"directions": [], "alpha_c": 0.0, "exact": "0", "how": "exact", "error": None}
    assert first == {"directions": [["1"]], "alpha_c": 0.5, "exact": "1/2", "how": "exact", "error": None}
    assert known["certificates"] == [{"degree": 1, "bound": "1/2"}, {"degree": 2, "bound": "1/2"}]


@pytest.mark.parametrize(
    ("text", "options", "words"),
    [
        ("exp(z1^2/3)", {}, "E\\[y\\^2\\]"),
        ("z1^2", {"noise_std": -1.0}, "noise_std"),
        ("z1^2", {"max_degree": 0}, "max_degree"),
    ],
)
def test_bad_input_is_one_clear_line(text, options, words):
    with pytest.raises(RebatchError, match=words) as error:
        weak_recovery_threshold(text, **options)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("entry", [e for e in catalog() if e.target.inputs.is_gaussian], ids=lambda e: e.name)
def test_the_catalog_is_finite_exactly_where_the_first_generative_stage_is_at_most_two(entry):
    first = read(entry.target).generative_exponent().value
    assert first is not None
    # Where order 1 shows something the threshold is 0; what comes after it takes seconds to integrate.
    answer = weak_recovery_threshold(entry.target, max_degree=1, integrate=first > 1)
    deciding = answer.stages[0 if answer.stages[0].directions else 1]
    assert deciding.how is not How.UNDECIDED
    assert (answer.alpha_c < inf) == (first <= 2)
