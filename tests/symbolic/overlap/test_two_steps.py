from fractions import Fraction
from itertools import product

import numpy as np
import pytest
import sympy as sp
from hypothesis import given, settings

from rebatch import (
    Activation,
    NotPolynomialError,
    RebatchError,
    Setting,
    Target,
    simulate,
    two_step_overlap,
    two_step_verdict,
)
from rebatch.symbolic.language.compiled import compiled
from rebatch.symbolic.overlap.two_steps import ALPHA, ETA, LAM
from rebatch.verify.strategies import polynomial_targets

RICH = "h + h^2/2 + h^3/6"


def test_the_check_value_of_the_theory():
    formula = two_step_overlap("He(3, z)", RICH).M2[0, 0].subs(LAM, 0)
    terms = sp.Poly(formula, ETA, ALPHA).terms()
    assert len(terms) == 7
    assert min(terms) == ((3, 1), sp.Rational(1215, 2))
    assert float(formula.subs({ALPHA: 2, ETA: sp.Rational(1, 20)})) == pytest.approx(-1.0056, abs=5e-5)
    assert float(formula.subs({ALPHA: 2, ETA: sp.Rational(1, 50)})) == pytest.approx(0.00185, abs=5e-6)


def test_the_leading_term_is_the_third_moment_of_the_label():
    # theory, 5.2 at q = 2: alpha eta (eta a)^2 / 2! E[y^3 z] E[sigma'^2 sigma'''] with 324 and 15/4.
    formula = two_step_overlap("He(3, z)", RICH, loss="correlation").M2[0, 0]
    assert formula == ALPHA * ETA**3 / 2 * 324 * sp.Rational(15, 4)


def quadrature(target, activation, a, loss, reuse, alpha, eta, lam, nodes=24, start=None):
    """M^1 and M^2 of theory 5 by tensor Gauss-Hermite over (z, u, zeta), h^0 = M^0 z + L u: an independent way.

    start: M^0 and L, by default 0 and I.
    """
    target, activation = Target(target), Activation(activation)
    h = sp.Symbol("h", real=True)
    sigma, slope = (compiled(e, (h,)) for e in (activation.expr, activation.derivative))
    a = np.asarray(a, dtype=float)
    p, k = len(a), target.k
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    w = w / w.sum()
    points = np.array(list(product(x, repeat=k + 2 * p)))
    weights = np.prod(np.array(list(product(w, repeat=k + 2 * p))), axis=1)
    z, u, zeta = points[:, :k], points[:, k : k + p], points[:, k + p :]
    M0, L = (np.zeros((p, k)), np.eye(p)) if start is None else start
    h0 = z @ M0.T + u @ L.T
    y = target(z)

    def signal(fields):
        r = y - (sigma(fields) * a).sum(axis=1) if loss == "squared" else y
        return a * slope(fields) * r[:, None]

    def mean(values):
        return np.tensordot(weights, values, axes=1)

    g0 = signal(h0)
    M1 = (1 - eta * lam) * M0 + alpha * eta * mean(g0[:, :, None] * z[:, None, :])
    N1 = (1 - eta * lam) * L + alpha * eta * mean(g0[:, :, None] * u[:, None, :])
    root = np.linalg.cholesky(alpha * mean(g0[:, :, None] * g0[:, None, :]))
    h1 = z @ M1.T + u @ N1.T + eta * zeta @ root.T + (eta * g0 if reuse else 0)
    M2 = (1 - eta * lam) * M1 + alpha * eta * mean(signal(h1)[:, :, None] * z[:, None, :])
    return M1, M2


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize(
    ("target", "activation", "a", "nodes"),
    [
        ("He(3, z)", RICH, [1.0], 24),
        ("z1 + He(2, z2) - z1*z2/2", "h + h^2/2", [0.75], 14),
        ("He(2, z) + z/3", "h + h^2/3", [0.5, -1.25], 9),
    ],
)
def test_the_formula_is_what_quadrature_gives(target, activation, a, nodes, loss, reuse):
    alpha, eta, lam = 1.7, 0.06, 0.4
    formula = two_step_overlap(target, activation, neurons=len(a), readout=a, loss=loss, reuse=reuse)
    M0, M1, M2 = formula.at(alpha=alpha, eta=eta, weight_decay=lam)
    expected = quadrature(target, activation, a, loss, reuse, alpha, eta, lam, nodes)
    assert not M0.any()
    # Gauss-Hermite with n nodes is exact up to degree 2n - 1, beyond the degrees here: rounding only.
    np.testing.assert_allclose(M1, expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(M2, expected[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize(
    ("target", "a", "M0", "Q0"),
    [
        ("He(3, z)", [1.0], [[0.25]], None),
        ("z1*z2 + z1", [0.75], [[0.5, -0.25]], [[2.0]]),
        ("He(2, z) + z/3", [0.5, -1.25], [[0.5], [-0.25]], None),
        ("He(2, z) + z/3", [0.5, -1.25], [[0.5], [-0.25]], [[1.25, 0.375], [0.375, 0.5]]),
        # No part outside z is left: S = 0 has no inverse.
        ("He(2, z) + z/3", [0.5, -1.25], [[0.5], [-0.25]], [[0.25, -0.125], [-0.125, 0.0625]]),
    ],
)
def test_the_formula_from_any_start_is_what_quadrature_gives(target, a, M0, Q0, loss, reuse):
    alpha, eta, lam = 1.7, 0.06, 0.4
    formula = two_step_overlap(
        target, "h + h^2/3", neurons=len(a), readout=a, loss=loss, reuse=reuse, start=M0, start_Q=Q0
    )
    M = np.array(M0)
    S = (np.diag(1 - (M**2).sum(axis=1)) if Q0 is None else np.array(Q0) - M @ M.T) + 1e-30 * np.eye(len(a))
    expected = quadrature(target, "h + h^2/3", a, loss, reuse, alpha, eta, lam, 9, (M, np.linalg.cholesky(S)))
    found = formula.at(alpha=alpha, eta=eta, weight_decay=lam)
    np.testing.assert_array_equal(found[0], M)
    np.testing.assert_allclose(found[1], expected[0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(found[2], expected[1], rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("reuse", [True, False])
def test_both_grams_from_any_start_are_those_of_the_limit(reuse):
    start, start_Q = [[0.5], [-0.25]], [[1.25, 0.375], [0.375, 0.5]]
    problem = {"neurons": 2, "readout": [0.5, -1.25], "reuse": reuse}
    formula = two_step_overlap("He(2, z) + z/3", "h + h^2/3", start=start, start_Q=start_Q, **problem)
    setting = Setting(
        target="He(2, z) + z/3", activation="h + h^2/3", alpha=1.5, eta=0.05, steps=2, weight_decay=0.3,
        start=start, start_Q=start_Q, **problem,
    )  # fmt: skip
    limit = simulate(setting, "limit", seed=1, points=2**14, scrambles=8)
    values = {ALPHA: 1.5, ETA: 0.05, LAM: 0.3}
    for step, (M, Q) in enumerate([(formula.M1, formula.Q1), (formula.M2, formula.Q2)], start=1):
        for matrix, name in ((M, "M"), (Q, "Q")):
            exact = np.array(matrix.subs(values).evalf().tolist(), dtype=float)
            found = limit.data[name].values[step]
            # The limit's own error bars, six of them; rounding where it integrates exactly.
            error = limit.data["M_error"].values[step].max() if "M_error" in limit.data else 0.0
            np.testing.assert_allclose(found, exact, atol=6 * error + 1e-8)


def test_normalised_overlaps_are_written_with_a_symbol_for_each_scale():
    formula = two_step_overlap("z1", "h", neurons=2, normalize=True)
    assert [str(symbol) for symbol, _ in formula.scales] == ["s1", "s2", "t1", "t2"]
    lines = str(formula).splitlines()
    assert lines[0].startswith("s1 = 1/sqrt(1 ")
    assert set(formula.to_json()["scales"]) == {"s1", "s2", "t1", "t2"}
    assert formula.M2.free_symbols == {ALPHA, ETA, LAM}


@pytest.mark.parametrize("third", ["1/3", Fraction(1, 3), sp.Rational(1, 3)])
def test_fractions_are_exact(third):
    formula = two_step_overlap("z", "h + h^2", start=[[third]], readout=[third])
    assert formula.M0[0, 0] == formula.readout[0] == sp.Rational(1, 3)


def test_a_readout_in_text_is_the_number_that_it_names():
    assert two_step_overlap("z", "h", readout=["1/sqrt(2)"]).readout == (sp.sqrt(2) / 2,)


@pytest.mark.parametrize(
    ("start", "start_Q", "says"),
    [
        ([[2.0]], None, "positive semidefinite"),
        ([[0.5]], [[0.1]], "positive semidefinite"),
        ([[0.5, 0.5]], None, "1 rows of 1 rational numbers"),
        ([[sp.sqrt(2) / 2]], None, "rational"),
        ([["x"]], None, "rational"),
        ([["z1"]], None, "rational"),
        ([["1/0"]], None, "rational"),
        (None, [[1.0]], "no start"),
    ],
)
def test_a_start_that_no_rows_have_is_refused(start, start_Q, says):
    with pytest.raises(RebatchError, match=says):
        two_step_overlap("He(3, z)", RICH, start=start, start_Q=start_Q)


def lowest_power_along(M2, direction):
    along = sp.expand(sum(sp.Rational(int(x.p), int(x.q)) * M2[0, r] for r, x in enumerate(direction)))
    return None if along == 0 else min(power for (power,) in sp.Poly(along, ETA).monoms())


@given(polynomial_targets(max_degree=3, max_coordinates=2, max_terms=3))
@settings(max_examples=25)
def test_the_leading_power_of_eta_is_the_witness_order(target):
    # Correlation loss, one neuron, an activation with E[sigma'^q sigma^(q+1)] > 0 up to q = 2. With a first moment
    # of the label, M^1 z enters h^1 and may show a direction earlier still: then the witness order is a bound.
    verdicts = two_step_verdict(target, max_order=3)
    M2 = two_step_overlap(target, RICH, loss="correlation").M2
    for verdict in verdicts:
        lowest = lowest_power_along(M2, verdict.direction)
        if verdict.verdict == "hidden":
            assert lowest is None
        elif verdict.witness and verdicts[0].order > 1:
            assert lowest == verdict.order
        elif verdict.witness:
            assert lowest <= verdict.order


def test_the_staircase_can_show_a_direction_below_its_witness_order():
    # E[y z] = (1, 1) and E[y^2 z] is parallel to it, so e1 - e2 has its first witness at m = 3. But h^1 contains
    # M^1 z, and E[y (z1 + z2) (z1 - z2)] = -2: eta^2 already carries it, with reuse or without.
    target = "z1*z2**2 + z2**2 + z2"
    assert [v.order for v in two_step_verdict(target)] == [1, 3]
    for reuse in (True, False):
        M2 = two_step_overlap(target, RICH, loss="correlation", reuse=reuse).M2
        assert lowest_power_along(M2, two_step_verdict(target)[1].direction) == 2


def test_an_even_target_is_never_seen():
    formula = two_step_overlap("He(2, z) - He(4, z)/3", RICH)
    assert formula.M1[0, 0] == 0
    assert formula.M2[0, 0] == 0


def test_one_pass_does_not_see_what_reuse_sees():
    reused = two_step_overlap("z1 + He(3, z2)", RICH, loss="correlation")
    one_pass = two_step_overlap("z1 + He(3, z2)", RICH, loss="correlation", reuse=False)
    assert reused.M2[0, 1] != 0
    assert one_pass.M2[0, 1] == 0
    assert reused.M1 == one_pass.M1


def test_label_noise_enters_through_the_variance_of_omega():
    clean = two_step_overlap("He(2, z) + z", RICH)
    noisy = two_step_overlap(Target("He(2, z) + z", noise_std=0.5), RICH)
    assert clean.M1 == noisy.M1
    assert sp.expand(noisy.M2[0, 0] - clean.M2[0, 0]) != 0


def test_a_symbolic_readout_gives_the_numeric_one():
    symbolic = two_step_overlap("z1 + He(2, z1)", "h + h^2/2", neurons=2, readout="symbolic")
    numeric = two_step_overlap("z1 + He(2, z1)", "h + h^2/2", neurons=2)
    a1, a2 = symbolic.readout
    values = {a1: numeric.readout[0], a2: numeric.readout[1]}
    assert sp.expand(symbolic.M2.subs(values) - numeric.M2) == sp.zeros(2, 1)


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"activation": "relu"}, NotPolynomialError, "not a polynomial"),
        ({"loss": "hinge"}, RebatchError, "squared, correlation"),
        ({"neurons": 0}, RebatchError, "neurons = 0"),
        ({"neurons": 2, "readout": [1.0]}, RebatchError, "one per neuron"),
        ({"readout": "open"}, RebatchError, "symbolic"),
        ({"target": "tanh(z1)"}, NotPolynomialError, "tanh"),
    ],
)
def test_bad_problems_are_refused(arguments, error, says):
    target, activation = arguments.pop("target", "z1"), arguments.pop("activation", "h")
    with pytest.raises(error, match=says):
        two_step_overlap(target, activation, **arguments)


def test_a_formula_with_open_readout_gives_no_numbers():
    with pytest.raises(RebatchError, match="symbolic in a1"):
        two_step_overlap("z1", "h", readout="symbolic").at(alpha=1, eta=0.1)


@pytest.mark.parametrize("value", [float("nan"), -1.0, float("inf")])
def test_numbers_out_of_range_are_refused(value):
    with pytest.raises(RebatchError, match="eta"):
        two_step_overlap("z1", "h").at(alpha=1, eta=value)


@pytest.mark.parametrize("readout", [[float("nan")], ["a"], [float("inf")]])
def test_a_readout_that_is_no_number_is_refused(readout):
    with pytest.raises(RebatchError, match="readout"):
        two_step_overlap("z1", "h", readout=readout)


@pytest.mark.parametrize("normalize", [False, True])
def test_the_python_function_is_the_formula(normalize):
    formula = two_step_overlap("z1 + z2^2", "h + h^2/2", neurons=2, normalize=normalize, loss="correlation")
    namespace = {}
    exec(formula.to_python(), namespace)
    eta = np.array([0.03, 0.1])
    M1, M2 = namespace["two_step_overlap"](1.5, eta, 0.2)
    expected = formula.at(alpha=1.5, eta=eta, weight_decay=0.2)
    np.testing.assert_allclose(M1, expected[1], rtol=1e-12)
    np.testing.assert_allclose(M2, expected[2], rtol=1e-10, atol=1e-12)


def test_the_leading_term_of_a_formula_is_its_lowest_power():
    formula = two_step_overlap("z1 + He(3, z2)", RICH, loss="correlation")
    assert formula.leading(0, 1) == (3, 1215 * ALPHA / 2)
    assert two_step_overlap("He(2, z)", RICH).leading(0, 0) is None
    assert two_step_overlap("z1", "h", normalize=True).leading(0, 0) == (1, 2 * ALPHA)
    assert two_step_overlap("z1^2", "h", normalize=True).leading(0, 0) is None


def test_the_gain_is_what_the_second_look_adds():
    formula = two_step_overlap("z1 + He(3, z2)", RICH, loss="correlation")
    assert formula.gain()[0, 1] == formula.M2[0, 1]
    assert two_step_overlap("z1", RICH, reuse=False).gain() == sp.zeros(1, 1)


def test_grids_of_numbers_are_the_numbers_one_by_one():
    formula = two_step_overlap("z1 + He(3, z2)", RICH, neurons=2)
    alphas, etas = np.array([0.5, 2.0])[:, None], np.array([0.01, 0.05, 0.1])
    grid = formula.at(alpha=alphas, eta=etas)
    assert grid.shape == (3, 2, 2, 2, 3)
    np.testing.assert_allclose(grid[..., 1, 2], formula.at(alpha=2.0, eta=0.1), rtol=1e-14)


@pytest.mark.parametrize("M0", [0.0, 0.6])
@pytest.mark.parametrize("normalize", [True, False])
@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("reuse", [True, False])
def test_both_steps_of_Q_are_what_quadrature_gives(loss, reuse, normalize, M0):
    # The innovation form of theory 4 by Gauss-Hermite over (z, u, zeta), one neuron, h^0 = M^0 z + L u,
    # L^2 = 1 - M^0^2; the rows scaled where asked.
    target, alpha, eta, lam = Target("z1 + He(2, z1)/2"), 2.0, 0.2, 0.5
    x, w = np.polynomial.hermite_e.hermegauss(14)
    points = np.array(list(product(x, repeat=3)))
    weights = np.prod(np.array(list(product(w / w.sum(), repeat=3))), axis=1)
    z, u, zeta = points[:, :1], points[:, 1], points[:, 2]
    y, L = target(z), np.sqrt(1 - M0**2)
    h0 = M0 * z[:, 0] + L * u

    def signal(h):
        return (1 + h / 2) * (y - (h + h**2 / 4) * (loss == "squared"))

    g0 = signal(h0)
    scale = np.sqrt(weights @ g0**2)
    v = zeta + reuse * g0 / scale / np.sqrt(alpha)
    basis = np.stack([z[:, 0], u, v])
    first = np.array(
        [
            (1 - eta * lam) * M0 + alpha * eta * weights @ (g0 * z[:, 0]),
            (1 - eta * lam) * L + alpha * eta * weights @ (g0 * u),
            eta * np.sqrt(alpha) * scale,
        ]
    )
    Q1 = first @ first
    kept = first / np.sqrt(Q1) if normalize else first
    g1 = signal(kept @ basis)
    second = (1 - eta * lam) * kept + alpha * eta * (basis * g1) @ weights
    seen = reuse * (weights @ (g1 * g0)) / scale
    Q2 = second @ second + eta**2 * alpha * (weights @ g1**2 - seen**2)

    formula = two_step_overlap(
        target, "h + h^2/4", loss=loss, reuse=reuse, normalize=normalize, readout=[1.0], start=[[M0]]
    )
    values = {ALPHA: 2, ETA: sp.Rational(1, 5), LAM: sp.Rational(1, 2)}
    M2 = second[0] / np.sqrt(Q2) if normalize else second[0]
    assert float(formula.M2[0, 0].subs(values)) == pytest.approx(M2, rel=1e-10)
    assert float(formula.Q2[0, 0].subs(values)) == pytest.approx(1 if normalize else Q2, rel=1e-10)
    assert float(formula.Q1[0, 0].subs(values)) == pytest.approx(1 if normalize else Q1, rel=1e-10)


def test_an_activation_that_is_zero_moves_nothing():
    answer = two_step_overlap("z1 + He(2, z2)", "0")
    assert not any(answer.M2)
