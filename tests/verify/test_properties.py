"""The symbolic layer against the kernels, on random problems.

Two tiers: a few examples in every run, many in the deep one. The examples are derandomised (tests/conftest.py), and
every statistical comparison is made at a level of 1e-9: a hundred of them raise a false alarm once in 10^7.
"""

import numpy as np
import pytest
import sympy as sp
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from rebatch import (
    Setting,
    Target,
    TooLargeError,
    agreement,
    expectation,
    information_exponent,
    isotropic_leap,
    overlap_series,
    simulate,
    two_step_overlap,
    two_step_verdict,
)
from rebatch.symbolic.exact.subspace import as_floats
from rebatch.symbolic.language.symbols import ACTIVATION_VARIABLE, coordinate
from rebatch.symbolic.overlap.two_steps import ALPHA, ETA
from rebatch.verify.strategies import activations, polynomials, rotations, targets, transformed

LEVEL = 1e-9
# Neither odd nor even, of degree 4: reaches witnesses up to m = 4 under correlation loss (theory, 3.4).
RICH = "h + h^2/2 + h^3/6 + h^4/24"
BEND = "h + h^2/2 + h^3/6"


def tiers(quick, deep):
    """Run a property on so many examples in every run, and in the deep tier."""

    def decorate(property_):
        @pytest.mark.parametrize("examples", [quick, pytest.param(deep, marks=pytest.mark.deep)])
        def run(examples):
            checks = [HealthCheck.too_slow, HealthCheck.filter_too_much]
            # Shrinking a statistical failure takes minutes: the quick tier says what fails, the deep one how simply.
            phases = (Phase.generate,) if examples == quick else tuple(Phase)
            settings(
                max_examples=examples, suppress_health_check=checks, phases=phases, report_multiple_bugs=False
            )(property_)()

        run.__name__, run.__doc__ = property_.__name__, property_.__doc__
        return run

    return decorate


def experiment(target, activation, eta, **options):
    return Setting(target=target, activation=activation, alpha=2, eta=eta, steps=2, **options)


def nonconstant(strategy):
    return strategy.filter(lambda target: bool(target.expr.free_symbols))


TAME = nonconstant(targets(kind="polynomial", max_degree=2, max_coordinates=2, max_terms=2, noise=True))
SMOOTH_LINES = nonconstant(targets(kind="bounded", max_degree=1, max_coordinates=1, max_terms=2))


@tiers(quick=10, deep=60)
@given(
    TAME,
    activations(kind="polynomial", max_degree=2),
    st.integers(1, 2),
    st.sampled_from(["correlation", "squared"]),
    st.sampled_from([True, False]),
    st.sampled_from([0.0, 0.5]),
)
def test_two_step_formula_is_the_mean_of_simulations(target, activation, neurons, loss, reuse, weight_decay):
    options = {"neurons": neurons, "loss": loss, "reuse": reuse}
    formula = two_step_overlap(target, activation, **options)
    setting = experiment(target, activation, 0.02, weight_decay=weight_decay, **options)
    runs = [simulate(setting, d=20_000, seed=seed, threads=1) for seed in range(12)]
    result = agreement(formula.at(alpha=2, eta=0.02, weight_decay=weight_decay), runs)
    assert result.joint.p_value > LEVEL, result


@pytest.mark.filterwarnings("ignore:accuracy")
@tiers(quick=15, deep=100)
@given(
    targets(kind="polynomial", max_degree=3, max_coordinates=1),
    activations(kind="polynomial", max_degree=2),
    st.sampled_from(["correlation", "squared"]),
    st.sampled_from([True, False]),
)
def test_two_step_formula_is_the_limit(target, activation, loss, reuse):
    formula = two_step_overlap(target, activation, loss=loss, reuse=reuse)
    limit = simulate(
        experiment(target, activation, 0.05, loss=loss, reuse=reuse), "limit", seed=0, accuracy=1e-10
    )
    exact = formula.at(alpha=2, eta=0.05)
    # Gauss-Hermite nodes are exact for polynomials; what is left is the rounding of large sums.
    assert np.allclose(limit.M.values, exact, rtol=1e-8, atol=1e-9)


@tiers(quick=25, deep=200)
@given(nonconstant(targets(kind="polynomial", max_degree=3, max_coordinates=2, max_terms=3)))
def test_a_direction_of_a_polynomial_is_learned_exactly_where_its_overlap_is_not_zero(target):
    verdicts = two_step_verdict(target)
    assume(verdicts)
    try:
        formula = two_step_overlap(target, RICH, loss="correlation")
    except TooLargeError:
        assume(False)
    for verdict in verdicts:
        direction = sp.Matrix([sp.Rational(str(x)) for x in verdict.direction])
        overlap = sp.expand((formula.M2 * direction)[0])
        if verdict.verdict == "hidden":
            assert overlap == 0, verdict
        # Under correlation loss this activation reaches the moments of y up to y^4.
        if verdict.verdict == "learned" and verdict.order <= 4:
            assert overlap != 0, verdict


@tiers(quick=5, deep=40)
@given(nonconstant(targets(kind="any", max_degree=2, max_coordinates=2, max_terms=2)))
def test_a_hidden_direction_has_no_overlap_in_any_limit_and_a_learned_one_has_some(target):
    verdicts = two_step_verdict(target)
    shown = {verdict.direction: 0.0 for verdict in verdicts}
    for activation, loss in (("relu", "correlation"), ("tanh", "correlation"), (BEND, "squared")):
        limit = simulate(
            experiment(target, activation, 0.1, loss=loss), "limit", seed=0, points=2**13, rule="sobol"
        )
        M, error = limit.M.values[2, 0], limit.data["M_error"].values[2, 0]
        for verdict in verdicts:
            unit = as_floats(verdict.direction)
            unit /= np.linalg.norm(unit)
            # 16 scrambles: a Student t with 15 degrees of freedom is beyond 12 with probability below 1e-8. The
            # errors of several coordinates may add up.
            score = float(abs(M @ unit) / (np.abs(unit) @ error + 1e-12))
            shown[verdict.direction] = max(shown[verdict.direction], score)
            if verdict.verdict == "hidden":
                assert score < 12, verdict
    for verdict in verdicts:
        # Higher moments show too weakly for an error bar of this size.
        if verdict.verdict == "learned" and verdict.order <= 2:
            assert shown[verdict.direction] > 12, verdict


@pytest.mark.filterwarnings("ignore:accuracy")
@tiers(quick=2, deep=40)
@given(
    st.one_of(SMOOTH_LINES, nonconstant(targets(kind="polynomial", max_degree=3, max_coordinates=1))),
    st.sampled_from(["erf", "h + h^2/2", "h^2/2 + h^3/6"]),
    st.sampled_from(["correlation", "squared"]),
    st.sampled_from([True, False]),
)
def test_the_limit_tends_to_the_series_as_eta_tends_to_zero(target, activation, loss, reuse):
    order = 2
    # Each power of eta comes with one more of the label's square.
    small = 0.02 / (1 + float(expectation(target.expr**2)))
    series = overlap_series(target, activation, order, loss=loss, reuse=reuse).to_expr()[0, 0]
    rest = []
    for eta in (small, small / 2):
        setting = experiment(target, activation, eta, loss=loss, reuse=reuse)
        limit = simulate(setting, "limit", seed=0, overlaps_only=True, accuracy=1e-10)
        assume(limit.data.attrs["rule"] == "gauss-hermite" and limit.data.attrs["accuracy_reached"] == "yes")
        value = float(series.subs({ALPHA: 2, ETA: eta, sp.Symbol("lam", positive=True): 0}).evalf())
        rest.append(abs(limit.M.values[2, 0, 0] - value))
    # What is left falls by 2^3 when eta is halved, up to terms of order eta; below 1e-9 it is quadrature.
    assert rest[1] < 1e-9 or rest[1] < rest[0] / 2 ** (order + 0.5), rest


@tiers(quick=25, deep=200)
@given(
    nonconstant(targets(kind="polynomial", max_degree=3, max_coordinates=2, max_terms=3)),
    activations(kind="polynomial", max_degree=3),
)
def test_what_reuse_adds_begins_with_the_second_moment_of_the_label(target, activation):
    """One neuron, correlation loss: alpha a^2 E[y^2 z] E[sigma' sigma''] eta^2 (theory, 5.2)."""
    h = ACTIVATION_VARIABLE
    gain = two_step_overlap(target, activation, loss="correlation").gain()
    bend = (sp.diff(activation.expr, h) * sp.diff(activation.expr, h, 2)).subs(h, coordinate(1))
    factor = expectation(sp.expand(bend)).value
    for r in range(target.k):
        moment = expectation(sp.expand(target.expr**2 * coordinate(r + 1))).value
        entry = sp.expand(gain[0, r])
        assert entry.coeff(ETA, 1) == 0
        assert sp.expand(entry.coeff(ETA, 2) - ALPHA * moment * factor) == 0


@tiers(quick=4, deep=30)
@given(TAME, st.sampled_from(["relu", "erf", BEND]), st.sampled_from(["correlation", "squared"]))
def test_reuse_changes_nothing_in_the_first_step_and_fresh_batches_follow_their_own_limit(
    target, activation, loss
):
    once, twice = (
        simulate(experiment(target, activation, 0.05, loss=loss, reuse=reuse), "limit", seed=0, points=2**13)
        for reuse in (False, True)
    )
    # Different points: 16 scrambles each, beyond 12 standard errors with probability below 1e-8.
    error = np.hypot(once.data["M_error"].values[1], twice.data["M_error"].values[1])
    assert (np.abs(once.M.values[1] - twice.M.values[1]) <= 12 * error + 1e-9).all()
    runs = [simulate(once.setting, d=10_000, seed=seed, threads=1) for seed in range(12)]
    assert agreement(once, runs).joint.p_value > LEVEL


@st.composite
def turned(draw, source=None):
    """A target and a rotation of its coordinates."""
    kinds = (
        targets(kind="polynomial", max_degree=3, max_coordinates=2, max_terms=2) if source is None else source
    )
    target = draw(nonconstant(kinds))
    return target, draw(rotations(target.k))


@tiers(quick=15, deep=150)
@given(turned())
def test_the_analysis_turns_with_the_target(problem):
    target, R = problem
    other = transformed(target, R)
    assert information_exponent(other).value == information_exponent(target).value
    assert isotropic_leap(other).value == isotropic_leap(target).value
    one, two = (
        sorted((v.verdict, v.order or 0) for v in two_step_verdict(g) if v.verdict == "learned")
        for g in (target, other)
    )
    assert one == two
    # g'(z) = g(R z): what is learned of g' is R^T times what is learned of g.
    for verdict in two_step_verdict(target):
        if verdict.verdict == "learned":
            assert any(
                abs(as_floats(v.direction) @ np.array(R, dtype=float).T @ as_floats(verdict.direction)) > 1e-9
                for v in two_step_verdict(other)
                if v.order is not None and v.verdict == "learned"
            )


@tiers(quick=15, deep=150)
@given(turned(), activations(kind="polynomial", max_degree=2), st.sampled_from(["correlation", "squared"]))
def test_the_formula_turns_with_the_target(problem, activation, loss):
    target, R = problem
    one = two_step_overlap(target, activation, neurons=2, loss=loss)
    two = two_step_overlap(transformed(target, R), activation, neurons=2, loss=loss)
    for name in ("M1", "M2"):
        assert (getattr(two, name) - getattr(one, name) * sp.Matrix(R)).applyfunc(sp.expand).is_zero_matrix


@tiers(quick=4, deep=30)
@given(
    turned(targets(kind="bounded", max_degree=2, max_coordinates=2, max_terms=2)),
    st.sampled_from(["relu", "tanh"]),
)
def test_the_limit_turns_with_the_target(problem, activation):
    target, R = problem
    one, two = (
        simulate(experiment(g, activation, 0.2), "limit", seed=0, points=2**14, rule="sobol")
        for g in (target, transformed(target, R))
    )
    error = np.hypot(
        np.abs(one.data["M_error"].values) @ np.abs(np.array(R, dtype=float)), two.data["M_error"].values
    )
    # 16 scrambles each: beyond 12 standard errors with probability below 1e-8.
    assert (np.abs(two.M.values - one.M.values @ np.array(R, dtype=float)) <= 12 * error + 1e-12).all()


@tiers(quick=10, deep=100)
@given(
    polynomials(1, max_degree=3), polynomials(1, max_degree=3), activations(kind="polynomial", max_degree=2)
)
def test_the_first_step_is_linear_in_the_label(g, f, activation):
    """Correlation loss: M^1 of a sum of labels is the sum of the M^1."""
    parts = [two_step_overlap(Target(e, k=1), activation, loss="correlation").M1[0, 0] for e in (g, f, g + f)]
    assert sp.expand(parts[0] + parts[1] - parts[2]) == 0
