"""Targets in a hidden orthogonal frame: they are read along it, and every answer is that of the axes, turned."""

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from rebatch import Target, analyze
from rebatch.symbolic.language.symbols import coordinate
from rebatch.symbolic.proofs.averages import UNKNOWN, Averages, averages_of
from rebatch.symbolic.proofs.forms import along_forms, orthogonal_forms
from rebatch.verify.strategies import rotations, transformed

z1, z2, z3 = z = tuple(coordinate(i) for i in (1, 2, 3))
# Rows of orthogonal matrices: rational, and with a row of length sqrt(2), sqrt(3), sqrt(6).
THIRDS = sp.Matrix([[1, 2, 2], [2, 1, -2], [2, -2, 1]]) / 3
ROOTS = sp.Matrix([[1, 1, 1], [1, -1, 0], [1, 1, -2]])
ROOTS = sp.diag(*(1 / sp.sqrt(3), 1 / sp.sqrt(2), 1 / sp.sqrt(6))) * ROOTS
TEXTS = (
    "tanh(z1*z2*z3)",
    "tanh(z1*z2) + z3^2",
    "abs(z1*z2)*z3",
    "relu(z1) + z2*z3",
    "z1*exp(-z2^2/2) + sign(z3)",
)


def turned(text: str, R: sp.Matrix) -> Target:
    g = Target(text, k=3)
    return Target(g.expr.subs(dict(zip(z, R * sp.Matrix(z), strict=True)), simultaneous=True), k=3)


@pytest.mark.parametrize("R", [THIRDS, ROOTS])
@pytest.mark.parametrize("text", TEXTS)
def test_the_function_of_the_forms_is_the_target(text, R):
    target = turned(text, R)
    forms = orthogonal_forms(target.expr, z)
    G = Target(along_forms(target.expr, z, forms), k=3)
    F = np.array(forms, dtype=float)
    points = np.random.default_rng(0).standard_normal((50, 3))
    u = points @ (F / np.linalg.norm(F, axis=1, keepdims=True)).T
    np.testing.assert_allclose(F @ F.T, np.diag(np.diag(F @ F.T)), atol=1e-12)
    np.testing.assert_allclose(G(u), target(points), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "text",
    ["tanh(z1*z2)", "tanh(z1 + z2)*z1", "relu(z1 + z2) + relu(z1 - 2*z2)", "tanh(z1 + sqrt(2)*z2)", "3"],
)
def test_forms_that_are_coordinates_or_not_orthogonal_are_left(text):
    assert orthogonal_forms(Target(text, k=3).expr, z) is None


@pytest.mark.parametrize(("text", "R"), [("tanh(z1*z2) + z3^2", THIRDS), ("relu(z1) + z2*z3", ROOTS)])
def test_averages_are_those_of_one_integral(text, R):
    target = turned(text, R)
    along, plain = averages_of(target), Averages(target)
    for power, S in ((1, (1, 0, 0)), (1, (1, 1, 0)), (2, (0, 2, 0)), (1, (0, 1, 2)), (2, (1, 1, 0))):
        a, b = along.moment(power, S), plain.moment(power, S)
        assert float(a) == pytest.approx(float(b), abs=1e-6 + 4 * (a.error + b.error))


def test_a_power_that_has_no_average_is_not_called_zero():
    target = turned("exp(z1*z2/3) + z3", THIRDS)
    assert averages_of(target).coefficient(4, (((1, 0, 0), 2),)) is UNKNOWN


@pytest.mark.parametrize(
    ("text", "R"),
    [
        ("tanh(z1*z2*z3)", THIRDS),
        ("abs(z1*z2)*z3", ROOTS),
        *(pytest.param(text, R, marks=pytest.mark.deep) for text in TEXTS for R in (THIRDS, ROOTS)),
    ],
)
def test_every_answer_is_that_of_the_axes_turned(text, R):
    known, found = analyze(Target(text, k=3)), analyze(turned(text, R))
    for name in ("information_exponent", "isotropic_leap", "generative_exponent", "generative_leap"):
        assert getattr(found, name).value == getattr(known, name).value, name
    for verdict in ("learned", "hidden", "undecided"):
        here, there = (
            np.array([[float(x) for x in v.direction] for v in a.two_step if v.verdict == verdict])
            for a in (found, known)
        )
        assert len(here) == len(there)
        both = np.vstack([here.reshape(-1, 3), there.reshape(-1, 3) @ np.array(R, dtype=float)])
        assert np.linalg.matrix_rank(both, tol=1e-9) == len(here)


@pytest.mark.deep
@settings(deadline=None, max_examples=25)
@given(rotations(3), st.sampled_from(TEXTS))
def test_leaps_are_those_of_the_axes_in_any_rational_frame(R, text):
    known, found = analyze(Target(text, k=3)), analyze(transformed(Target(text, k=3), R))
    for name in ("information_exponent", "isotropic_leap", "generative_leap"):
        assert getattr(found, name).value == getattr(known, name).value, name
    shown, turned_too = (sum(v.verdict == "learned" for v in a.two_step) for a in (known, found))
    assert shown == turned_too
