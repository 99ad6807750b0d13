"""Latent coordinates of other laws: draws and points, and every engine against enumeration written out here."""

import json
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from rebatch import (
    Activation,
    RebatchError,
    Setting,
    Target,
    agreement,
    overlap_series,
    simulate,
    two_step_overlap,
    universality,
)
from rebatch.numeric.gathered import gathered
from rebatch.numeric.inputs import draw, lattice, quantile, target_at
from rebatch.numeric.population import population
from rebatch.symbolic.language.law import law

LAWS = [
    "boolean",
    "biased(1/4)",
    "uniform(-1, 0, 3)",
    "finite(0: 1/5, 2: 4/5)",
    "uniform",
    "laplace",
    "student(7)",
]
FINITE = {
    "boolean": [(1, 1 / 2), (-1, 1 / 2)],
    "biased(1/4)": [(1, 1 / 4), (-1, 3 / 4)],
    "uniform(-1, 0, 3)": [(-1, 1 / 3), (0, 1 / 3), (3, 1 / 3)],
}

# A law for each coordinate: of deviations 1 and irrational, and of both irrational.
MIXED = {
    "boolean, uniform(-1, 0, 3)": [FINITE["boolean"], FINITE["uniform(-1, 0, 3)"]],
    "biased(1/4), uniform(-1, 0, 3)": [FINITE["biased(1/4)"], FINITE["uniform(-1, 0, 3)"]],
}

_NAMES = {"Setting": Setting, "Target": Target, "Activation": Activation}


def points_of(name, k):
    """Every value of z, its standardised form, its probability."""
    laws = MIXED[name] if name in MIXED else [FINITE[name]] * k
    for point in product(*laws):
        values, weights = map(np.array, zip(*point, strict=True))
        means = np.array([sum(p * a for a, p in one) for one in laws])
        variances = np.array([sum(p * a**2 for a, p in one) for one in laws]) - means**2
        yield values, (values - means) / np.sqrt(variances), np.prod(weights)


def two_steps_by_hand(name, g, k, slope, *, alpha, eta, lam, a, reuse):
    """M^1 and M^2 of one neuron under correlation loss: sums over points, Gauss-Hermite in h^0 and omega."""
    x, w = np.polynomial.hermite_e.hermegauss(24)
    w = w / w.sum()
    points = [(g(*z), zs, p) for z, zs, p in points_of(name, k)]
    signal = a * slope(x)  # g^0 is y times this
    M1 = alpha * eta * sum(p * y * zs for y, zs, p in points) * (w @ signal)
    mean_y = sum(p * y for y, zs, p in points)
    N1 = 1 - eta * lam + alpha * eta * mean_y * (w @ (signal * x))
    deviation = np.sqrt(alpha * sum(p * y**2 for y, zs, p in points) * (w @ signal**2))
    total = np.zeros(k)
    for y, zs, p in points:
        h = M1 @ zs + N1 * x + eta * reuse * y * signal
        fields = h[:, None] + eta * deviation * x
        total += p * y * zs * (w @ (a * slope(fields)) @ w)
    return M1, (1 - eta * lam) * M1 + alpha * eta * total


@pytest.mark.parametrize("name", LAWS)
def test_draws_and_quantiles_have_the_moments_of_their_law(name):
    given = law(name)
    mean, deviation = float(given.mean), float(given.variance) ** 0.5
    z = draw(given, np.random.default_rng(5), 100_000)
    middle = quantile(given, (np.arange(2**14) + 0.5) / 2**14)
    for n in (1, 2, 3):
        exact = float(given.moment(n))
        values = (mean + deviation * z) ** n
        # Six standard errors are a false alarm of 2e-9; midpoints of quantiles miss a heavy tail by 2 %.
        assert abs(values.mean() - exact) <= 6 * values.std() / np.sqrt(len(values))
        assert abs(((mean + deviation * middle) ** n).mean() - exact) <= 0.02


@pytest.mark.parametrize("name", ["uniform", "laplace", "student(5)"])
def test_quantiles_are_those_of_the_standardised_density(name):
    reference = {
        "uniform": stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)),
        "laplace": stats.laplace(scale=np.sqrt(0.5)),
        "student(5)": stats.t(5, scale=np.sqrt(3 / 5)),
    }[name]
    p = np.array([1e-9, 0.01, 0.3, 0.5, 0.9, 1 - 1e-6])
    np.testing.assert_allclose(quantile(law(name), p), reference.ppf(p), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(FINITE))
def test_the_points_are_all_values_with_their_probabilities(name):
    z, weights = lattice(law(name), 3)
    ours = sorted(map(tuple, np.vstack([z, weights]).T))
    theirs = sorted((*standardised, p) for _, standardised, p in points_of(name, 3))
    np.testing.assert_allclose(ours, theirs, atol=1e-15)
    assert lattice(law(name), 13) is None


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("name", [*FINITE, *MIXED])
def test_two_steps_are_the_sum_over_all_points(name, reuse):
    target = Target("z1 + z1*z2 - z2^2/3", inputs=name)
    M1, M2 = two_steps_by_hand(
        name, lambda u, v: u + u * v - v**2 / 3, 2, lambda h: 1 + h - h**2 / 2,
        alpha=2, eta=0.1, lam=0.3, a=0.8, reuse=reuse,
    )  # fmt: skip
    options = {"loss": "correlation", "reuse": reuse, "readout": [0.8]}
    formula = two_step_overlap(target, "h + h^2/2 - h^3/6", **options)
    exact = formula.at(alpha=2, eta=0.1, weight_decay=0.3)
    np.testing.assert_allclose(exact[1:, 0], [M1, M2], rtol=1e-11, atol=1e-13)
    setting = Setting(
        target=target, activation="h + h^2/2 - h^3/6", alpha=2, eta=0.1, steps=2, weight_decay=0.3, **options
    )
    run = simulate(setting, "limit", seed=0, rule="gauss-hermite", accuracy=1e3)
    np.testing.assert_allclose(run.M, exact, rtol=1e-11, atol=1e-13)
    Q2 = formula.Q2[0, 0]
    at = {s: {"alpha": 2, "eta": 0.1, "lam": 0.3}[str(s)] for s in Q2.free_symbols}
    np.testing.assert_allclose(run.Q.values[2, 0, 0], float(Q2.subs(at)), rtol=1e-11)


@pytest.mark.parametrize("name", list(FINITE))
def test_any_function_with_rational_values_has_a_formula_on_a_finite_law(name):
    formula = two_step_overlap(
        Target("abs(z1 - z2) + sign(z1)", inputs=name), "h + h^2/2", loss="correlation", readout=[0.8]
    )
    by_hand = two_steps_by_hand(
        name, lambda u, v: abs(u - v) + np.sign(u), 2, lambda h: 1 + h,
        alpha=2, eta=0.1, lam=0.3, a=0.8, reuse=True,
    )  # fmt: skip
    exact = formula.at(alpha=2, eta=0.1, weight_decay=0.3)
    np.testing.assert_allclose(exact[1:, 0], by_hand, rtol=1e-11, atol=1e-13)


@pytest.mark.parametrize("name", ["boolean", "biased(1/4)"])
def test_a_series_is_the_formula_power_by_power(name):
    target = Target("z1*z2 + z2*z3 + z1*z3 + z1*z2*z3", inputs=name, noise_std=0.5)
    formula = two_step_overlap(target, "h + h^2/2", loss="correlation")
    series = overlap_series(target, "h + h^2/2", 4, loss="correlation")
    assert all((term.expand() == 0) for term in series.to_expr() - formula.M2)
    if name == "boolean":
        # E[y x1] = 0 and E[y^2 x1] = 2: reuse finds at eta^2 what one pass never does.
        assert str(formula.leading(0, 0)) == "(2, 2*alpha)"
        assert formula.one_pass.M2.is_zero_matrix


@pytest.mark.parametrize("name", ["biased(1/3)", "laplace"])
def test_sampled_fields_and_coordinates_have_the_exact_overlaps(name):
    setting = Setting(
        target="z1*z2 + z3 + z3^2/3", inputs=name, activation="h + h^2/3", neurons=2, alpha=2, eta=0.1, steps=2,
        noise_std=0.3, weight_decay=0.2,
    )  # fmt: skip
    formula = two_step_overlap(setting.target, "h + h^2/3", neurons=2)
    run = simulate(setting, "limit", seed=1, points=2**12)
    exact = formula.at(alpha=2, eta=0.1, weight_decay=0.2)
    # 12 entries at t quantiles of 15 degrees of freedom: 8 errors is a false alarm below 1e-6.
    assert np.all(np.abs(run.M - exact) <= 8 * run.data.M_error + 1e-12)
    assert run.data.M_error.max() < (1e-3 if name != "laplace" else 3e-3)


@pytest.mark.parametrize(
    ("name", "engine"), [("laplace", "lazy"), ("biased(1/4)", "lazy"), ("biased(1/4)", "dense")]
)
def test_runs_agree_with_the_limit_of_their_law(name, engine):
    setting = Setting(
        target="z1 + z1*z2",
        inputs=name,
        activation="relu",
        neurons=2,
        alpha=3,
        eta=0.2,
        steps=3,
        noise_std=0.2,
    )
    # At the small d of stored data the expectation over runs is off by O(1/d), less than 10 / d here.
    d, runs, bias = (10_000, 16, 0.0) if engine == "lazy" else (500, 10, 0.02)
    done = [simulate(setting, engine, d=d, seed=seed) for seed in range(runs)]
    limit, gaussian = (simulate(s, "limit", seed=0, points=2**13) for s in (setting, _gaussian(setting)))
    assert agreement(limit, done, bias=bias).joint.p_value > 1e-6
    # The runs can tell their inputs from Gaussian ones.
    assert agreement(gaussian, done, bias=bias).joint.p_value < 1e-3


def test_a_step_of_the_online_chain_has_the_mean_of_the_enumeration():
    M0, d, eta, replicas = 0.6, 50, 5.0, 20_000
    setting = Setting(
        target="z1*z2 - z2", inputs="biased(1/4)", activation="h + h^2/2", alpha=1, eta=eta, steps=1, reuse=False,
        start=[[M0, 0.0]], loss="correlation",
    )  # fmt: skip
    # h = M0 z1 + (…) u with E[u] = 0, so that E[sigma'(h) | z] = 1 + M0 z1.
    mean = sum(p * (z[0] * z[1] - z[1]) * (1 + M0 * s[0]) * s for z, s, p in points_of("biased(1/4)", 2))
    run = simulate(setting, "online", d=d, seed=3, replicas=replicas)
    step = run.M.values[:, 1, 0] - [M0, 0.0]
    error = step.std(axis=0) / np.sqrt(replicas)
    assert np.all(np.abs(step.mean(axis=0) - eta / d * mean) < 5.5 * error)
    assert np.all(error < 0.1 * np.abs(eta / d * mean))


@pytest.mark.parametrize("activation", ["h + h^2/2", "tanh"])
def test_the_population_of_a_finite_law_is_the_sum_over_its_points(activation):
    sigma, slope = {
        "h + h^2/2": (lambda h: h + h**2 / 2, lambda h: 1 + h),
        "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    }[activation]
    setting = Setting(
        target="z1*z2 + sign(z1)",
        inputs="biased(1/4)",
        activation=activation,
        alpha=1,
        eta=0.1,
        steps=1,
        reuse=False,
    )
    M, Q = np.array([[0.3, -0.2]]), np.array([[1.1]])
    x, w = np.polynomial.hermite_e.hermegauss(60)
    gz, gh, loss = np.zeros(2), 0.0, 0.0
    for z, s, p in points_of("biased(1/4)", 2):
        h = M[0] @ s + np.sqrt(Q[0, 0] - M[0] @ M[0]) * x
        y = z[0] * z[1] + np.sign(z[0])
        g = slope(h) * (y - sigma(h)) * w / w.sum()
        gz, gh = gz + p * s * g.sum(), gh + p * (g @ h)
        loss += p * ((y - sigma(h)) ** 2 @ w / w.sum()) / 2
    ours = population(setting)
    # Sobol points stand in for quadrature where sigma is no polynomial.
    tolerance = 1e-12 if ours.exact else 1e-4
    np.testing.assert_allclose(ours.moments(M, Q)[0][0], gz, atol=tolerance)
    np.testing.assert_allclose(ours.moments(M, Q)[1][0, 0], gh, atol=tolerance)
    np.testing.assert_allclose(ours.loss(M, Q), loss, atol=tolerance)
    assert ours.exact is (activation != "tanh")


def test_a_given_matrix_of_signs_is_read_along_its_first_columns():
    setting = Setting(target="z1*z2", inputs="boolean", activation="relu", alpha=2, eta=0.3, steps=2)
    X = np.sign(np.random.default_rng(0).standard_normal((200, 100)))
    run = simulate(setting, "dense", X=X, seed=1, fields=True)
    np.testing.assert_array_equal(np.round(run.data.latent.values, 12), X[:, :2])
    np.testing.assert_allclose(run.data.labels.values, X[:, 0] * X[:, 1])
    with pytest.raises(RebatchError, match="none of the values of inputs boolean"):
        simulate(setting, "dense", X=np.random.default_rng(0).standard_normal((200, 100)), seed=1)


@pytest.mark.parametrize("name", LAWS)
def test_a_setting_keeps_its_inputs_in_json_and_in_its_own_call(name):
    setting = Setting(target="z1 + z1*z2", inputs=name, activation="relu", alpha=1, eta=0.1, steps=2)
    assert Setting.from_json(setting.to_json()) == setting == eval(repr(setting), _NAMES)
    assert f"inputs {setting.inputs}" in str(setting)


def test_gaussian_inputs_are_the_default_and_leave_no_trace():
    plain = Setting(target="z1", activation="relu", alpha=1, eta=0.1, steps=2)
    named = Setting(target="z1", activation="relu", alpha=1, eta=0.1, steps=2, inputs="gaussian")
    assert plain == named
    assert plain.to_json() == named.to_json()
    assert "inputs" not in json.loads(plain.to_json())


@pytest.mark.parametrize(
    ("call", "given", "allowed"),
    [
        (lambda: _run("laplace", rule="gauss-hermite"), "inputs laplace", "allowed with gaussian inputs"),
        (lambda: _run("finite(0: 1/2, 1: 1/2)", target="1/z1"), "not finite", "all values of inputs finite"),
        (
            lambda: two_step_overlap(Target("z1", inputs="biased(1/4)"), "h", start=[[0.5]]),
            "standard deviation sqrt(3)/2",
            "allowed is 0",
        ),
        (
            lambda: two_step_overlap(Target("exp(z1)", inputs="boolean"), "h + h^2"),
            "irrational values under inputs boolean",
            "allowed are polynomials and functions of rational values",
        ),
        (
            lambda: two_step_overlap(Target("z1^3", inputs="student(5)"), "h + h^2"),
            "is infinite for inputs student(5)",
            "allowed are moments below order 5",
        ),
    ],
)
def test_what_a_law_does_not_allow_is_refused_in_one_line(call, given, allowed):
    with pytest.raises(RebatchError) as error:
        call()
    assert given in str(error.value)
    assert allowed in str(error.value)
    assert "\n" not in str(error.value)


def _run(inputs, engine="limit", target="z1", **options):
    setting = Setting(target=target, inputs=inputs, activation="relu", alpha=2, eta=0.1, steps=2)
    return simulate(setting, engine, seed=0, **options)


@pytest.mark.deep
@pytest.mark.parametrize("d", [2000, 6000, 20_000])
def test_dense_runs_on_signs_agree_with_the_limit_of_the_cube(d):
    setting = Setting(
        target="z1 + z1*z2 + z1*z2*z3",
        inputs="boolean",
        activation="relu",
        neurons=2,
        alpha=1,
        eta=0.4,
        steps=4,
    )
    limit = simulate(setting, "limit", seed=0, points=2**16)
    runs = [
        simulate(setting, "dense", d=d, seed=seed, precision="float32")
        for seed in range({2000: 24, 6000: 12}.get(d, 6))
    ]
    # The expectation over runs is off by O(1/d): less than 4 / d in each overlap here.
    assert agreement(limit, runs, bias=4 / d).joint.p_value > 1e-6
    gaussian = simulate(_gaussian(setting), "limit", seed=0)
    assert agreement(gaussian, runs, bias=4 / d).joint.p_value < 1e-3


def _gaussian(setting):
    return replace(setting, target=Target(setting.target.text, noise_std=setting.noise_std))


def test_a_sweep_over_laws_says_which_run_has_which():
    laws = ["gaussian", "boolean", "biased(1/4)"]
    settings = [
        Setting(target="z1 + z1*z2", inputs=name, activation="relu", alpha=1, eta=0.2, steps=1)
        for name in laws
    ]
    data = gathered([simulate(setting, d=50, seed=0) for setting in settings])
    assert sorted(data.inputs.values) == sorted(laws)
    for name, setting in zip(laws, settings, strict=True):
        np.testing.assert_array_equal(data.M.sel(inputs=name), simulate(setting, d=50, seed=0).M)


def test_coordinates_of_laws_of_their_own_are_drawn_and_looked_up_one_by_one():
    given = law("uniform(0, 3), laplace, boolean")
    z = draw(given, np.random.default_rng(3), (20_000, 3))
    assert set(np.unique(z[:, 0])) == set(np.unique(z[:, 2])) == {-1.0, 1.0}
    # E[z^4] = 6 of Laplace's law, with a standard error of 0.35 (E[z^8] = 2520): six of them.
    assert abs((z[:, 1] ** 4).mean() - 6) < 2.1
    target = Target("z1 + 10*z3 + 100*z2", inputs=given)
    np.testing.assert_allclose(target_at(target, z), 1.5 * (z[:, 0] + 1) + 10 * z[:, 2] + 100 * z[:, 1])
    np.testing.assert_array_equal(
        quantile(given, np.full((3, 1), 0.9)).ravel(),
        [1.0, quantile(law("laplace"), np.array([0.9]))[0], 1.0],
    )


@pytest.mark.parametrize("engine", ["lazy", "dense"])
def test_runs_with_a_law_for_each_coordinate_agree_with_their_limit(engine):
    mixed = Setting(
        target="z1 + z1*z2", inputs=["biased(1/4)", "gaussian"], activation="relu", alpha=2, eta=0.2, steps=2
    )
    runs = [simulate(mixed, engine, d=1000, seed=s) for s in range(8)]
    limit = simulate(mixed, "limit", seed=0, accuracy=1e-3)
    assert agreement(limit, runs, bias=4 / 1000).joint.p_value > 1e-6
    # The other order of the laws is another problem, and told from it.
    other = simulate(
        replace(mixed, target=Target("z1 + z1*z2", inputs=["gaussian", "biased(1/4)"])), "limit", seed=0
    )
    assert agreement(other, runs, bias=4 / 1000).joint.p_value < 1e-3


def test_a_law_for_each_coordinate_comes_back_from_a_dictionary_and_is_not_that_of_all_entries():
    setting = Setting(target="z1*z2", inputs={"z2": "boolean"}, activation="relu", alpha=1, eta=0.1, steps=2)
    assert setting.to_dict()["inputs"] == "gaussian, boolean"
    assert Setting.from_dict(setting.to_dict()) == setting
    with pytest.raises(RebatchError, match="one law, of all entries"):
        universality(Setting(target="z1", activation="relu", alpha=1, eta=0.1, steps=2), inputs="z1: boolean")
