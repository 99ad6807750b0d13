import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import brentq

from rebatch import RebatchError, spectral, spectral_limit, spectral_on_data, weak_recovery_threshold

CUT = -5  # of the transform, which the module states


def transform_of_square(y):
    """T for y = z^2: E[z^2 | y] = y."""
    return np.maximum(1 - 1 / np.maximum(y, 1e-300), CUT)


def test_the_limit_is_what_the_equations_give_by_adaptive_integration():
    alpha = 1.0

    def mean(f):
        def integrand(z):
            return 2 * f(transform_of_square(z * z), z * z) * np.exp(-z * z / 2) / np.sqrt(2 * np.pi)

        return sum(quad(integrand, a, b, epsabs=1e-8)[0] for a, b in ((0, 6**-0.5), (6**-0.5, 3), (3, 12)))

    def psi(x):
        return x * (1 / alpha + mean(lambda Z, _: Z / (x - Z)))

    def phi(x):
        return x * mean(lambda Z, s: Z * s / (x - Z))

    at = brentq(lambda x: psi(x) - phi(x), 1.01, 50)
    rise = 1 / alpha - mean(lambda Z, _: (Z / (at - Z)) ** 2)
    fall = mean(lambda Z, s: s * (Z / (at - Z)) ** 2)
    found = spectral_limit("z1^2", alpha)
    assert found.eigenvalue == pytest.approx(psi(at), abs=1e-5)
    assert found.cosine == pytest.approx(np.sqrt(rise / (rise + fall)), abs=1e-4)
    assert found.edge < found.eigenvalue


@pytest.mark.parametrize("text", ["z1^2", "He(4, z1)", "cos(z1)"])
def test_the_outlier_appears_at_the_threshold_of_weak_recovery(text):
    alpha_c = weak_recovery_threshold(text, max_degree=1).alpha_c
    below, above = spectral_limit(text, 0.995 * alpha_c), spectral_limit(text, 1.01 * alpha_c)
    assert below.cosine == 0
    assert below.eigenvalue == below.edge
    assert above.cosine > 0.02


def test_runs_have_the_predicted_eigenvalue_and_overlap():
    d, runs = 3000, 8
    limit = spectral_limit("z1^2", 1.5)
    found = [spectral("z1^2", 1.5, d=d, seed=seed) for seed in range(runs)]
    values = np.array([(r.eigenvalue, r.cosine) for r in found])
    error = values.std(axis=0, ddof=1) / np.sqrt(runs)
    # Student's t with 7 degrees of freedom exceeds 12 with probability 6e-6; the mean is off by O(1/d).
    assert (np.abs(values.mean(axis=0) - (limit.eigenvalue, limit.cosine)) < 12 * error + 10 / d).all()
    assert error.max() < 0.015
    assert max(r.residual for r in found) < 2e-6


@pytest.mark.deep
@pytest.mark.parametrize(
    ("text", "alpha"), [("z1^2", 1.0), ("He(4, z1)", 1.5), ("cos(z1)", 2.5), ("He(3, z1)", 2.0)]
)
@pytest.mark.parametrize("d", [2000, 12_000])
def test_runs_come_close_to_the_limit_as_d_grows(text, alpha, d):
    limit, runs = spectral_limit(text, alpha), 8
    found = [spectral(text, alpha, d=d, seed=seed) for seed in range(runs)]
    values = np.array([(r.eigenvalue, r.cosine) for r in found])
    error = values.std(axis=0, ddof=1) / np.sqrt(runs)
    assert (np.abs(values.mean(axis=0) - (limit.eigenvalue, limit.cosine)) < 12 * error + 10 / d).all()
    assert error.max() < 1.5 / np.sqrt(d)


def test_stored_data_give_the_top_eigenvector_of_the_matrix_written_out():
    rng = np.random.default_rng(0)
    d, n = 120, 240
    X, w = rng.standard_normal((n, d)), rng.standard_normal(d)
    y = (X @ w / np.linalg.norm(w)) ** 2
    found = spectral_on_data("z1^2", X, y, truth=w)
    values, vectors = np.linalg.eigh((X.T * transform_of_square(y)) @ X / n)
    assert found.eigenvalue == pytest.approx(values[-1], rel=1e-9)
    assert abs(found.estimate @ vectors[:, -1]) == pytest.approx(1, abs=1e-9)
    assert found.cosine == pytest.approx(abs(vectors[:, -1] @ w) / np.linalg.norm(w), abs=1e-9)


def test_an_invertible_function_of_the_label_changes_nothing():
    one, other = spectral_limit("abs(z1)", 1.2), spectral_limit("exp(-z1^2/3)", 1.2)
    assert one.cosine == pytest.approx(other.cosine, abs=1e-5)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: spectral_limit("z1^2", -1.0), "alpha = -1"),
        (lambda: spectral_limit("z1*z2", 1.0), "2 directions"),
        (lambda: spectral("z1^2", 1.0, d=20, seed=0), "d = 20; .*203"),
        (lambda: spectral_on_data("z1^2", np.ones((4, 5)), np.ones(3)), r"X \(4, 5\), y \(3,\)"),
        (lambda: spectral_on_data("z1^2", np.full((4, 5), np.nan), np.ones(4)), "not finite"),
        (lambda: spectral_on_data("z1^2", np.ones((4, 5)), np.ones(4), truth=[1]), r"truth of shape \(1,\)"),
    ],
)
def test_bad_input_is_refused_in_a_line(call, words):
    with pytest.raises(RebatchError, match=words):
        call()
