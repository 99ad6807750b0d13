"""Label noise of any law: its moments against SciPy, formulas against the limit, exponents that do not change."""

from functools import partial

import pytest
from scipy import stats

from rebatch import RebatchError, Setting, Target, analyze, simulate, two_step_overlap
from rebatch.symbolic.overlap.eta import ETA
from rebatch.symbolic.overlap.moments import noise_moment, noisy_terms
from rebatch.symbolic.overlap.series import overlap_series
from rebatch.symbolic.overlap.suitability import activation_check

LAWS = {
    "gaussian(1)": stats.norm(),
    "laplace(1)": stats.laplace(scale=2**-0.5),
    "uniform(1)": stats.uniform(-(3**0.5), 2 * 3**0.5),
    "student(9, 1)": stats.t(9, scale=(7 / 9) ** 0.5),
}
NAMES = ("laplace(0.5)", "uniform(0.5)", "student(9, 0.5)", "flip(0.1)")


@pytest.mark.parametrize("name", LAWS)
def test_moments_are_those_of_the_law(name):
    noise = Target("z", noise=name).noise
    for m in range(9):
        expected = LAWS[name].expect(lambda xi, m=m: xi**m)
        assert float(noise_moment(noise, m)) == pytest.approx(expected, rel=1e-5, abs=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_a_power_of_the_noisy_label_is_that_of_two_values(name):
    # g = 1 or -2: E[y^m] by the quantiles of the noise, integrated.
    noise, m = Target("z", noise=name).noise, 5
    for g in (1.0, -2.0):
        found = sum(float(c) * g**n for n, c in noisy_terms(m, noise))
        if noise.family == "flip":
            expected = 0.9 * g**m + 0.1 * (-g) ** m
        else:
            law = LAWS[name.replace("0.5", "1")]
            expected = law.expect(lambda xi, g=g: (g + 0.5 * xi) ** m)
        assert found == pytest.approx(expected, rel=1e-8)


@pytest.mark.parametrize("loss", ["squared", "correlation"])
@pytest.mark.parametrize("name", NAMES)
def test_two_steps_are_those_of_the_limit(name, loss):
    target, sigma = Target("z^2 + z/3", noise=name), "h/2 + h^2/5 + h^3/40"
    exact = two_step_overlap(target, sigma, loss=loss, readout=[0.8]).at(alpha=1, eta=0.05)[-1, 0, 0]
    setting = Setting(target=target, activation=sigma, alpha=1, eta=0.05, steps=2, loss=loss, readout=[0.8])
    run = simulate(setting, "limit", seed=0, points=2**15)
    error = run.data["M_error"].values[-1].item()
    assert error < 0.003 * abs(exact)
    assert run.M.values[-1].item() == pytest.approx(exact, abs=8 * error)


def test_formulas_of_laws_of_one_variance_differ_by_the_fourth_moment():
    values = {
        name: two_step_overlap(Target("z^2 + z/3", noise=name), "h + h^5/120", loss="correlation").M2
        for name in ("gaussian(0.5)", "laplace(0.5)", "uniform(0.5)")
    }
    assert len(set(map(str, values.values()))) == 3


@pytest.mark.parametrize("name", NAMES)
def test_the_series_is_the_formula(name):
    target, sigma = Target("z^2 + z/3", noise=name), "h + h^2/2 + h^3/6"
    series = overlap_series(target, sigma, 4, loss="correlation")
    formula = two_step_overlap(target, sigma, loss="correlation").M2[0, 0].expand()
    for order, coefficient in enumerate(series.coefficients):
        assert (coefficient[0, 0] - formula.coeff(ETA, order)).expand() == 0


@pytest.mark.parametrize("name", [*NAMES, "student(3, 0.5)"])
@pytest.mark.parametrize(
    ("text", "inputs"), [("z1 + He(3, z2)", None), ("sign(z1)*z2^2", None), ("z1 + z1*z2", "boolean")]
)
def test_noise_changes_no_exponent_and_no_verdict(text, inputs, name):
    noisy = analyze(Target(text, inputs=inputs, noise=name))
    assert noisy.to_json() == analyze(Target(text, inputs=inputs)).to_json()
    assert "changes no exponent" in str(noisy)


def test_noise_without_the_moment_is_refused_in_a_line_that_names_it():
    target = Target("He(3, z)", noise="student(4, 0.5)")
    with pytest.raises(
        RebatchError, match=r"student\(4.0, 0.5\) has no moment of order 4; allowed .* below 4"
    ):
        two_step_overlap(target, "h + h^2/2 + h^4/9")


@pytest.mark.parametrize(
    ("text", "activation"),
    [("z^2", "h + h^2/2 + h^3"), ("He(3, z)", "h + h^2/2 + h^3/6"), ("He(3, z)", "erf(h)")],
)
def test_a_moment_that_does_not_exist_is_refused_although_its_order_is_odd_or_its_factor_has_mean_zero(
    text, activation
):
    # The label enters M^2 to the third power, and E|xi|^3 is infinite.
    target = Target(text, noise="student(3, 0.5)")
    ask = (
        partial(overlap_series, order=3)
        if activation == "erf(h)"
        else partial(two_step_overlap, loss="correlation")
    )
    with pytest.raises(RebatchError, match="no moment of order 3"):
        ask(target, activation)


@pytest.mark.parametrize(("name", "how"), [("flip(0.1)", "exact"), ("laplace(0.3)", "undecided")])
def test_what_relu_shows_of_a_noisy_label(name, how):
    # Its kinks ask for E[max(+-y, 0)^2 z], of which the mean over the noise is known for flips alone.
    shown = activation_check(Target("He(2, z) + He(3, z)", noise=name), "relu").directions[0]
    assert str(shown.how) == how
