"""Whether Gaussian theory holds for other inputs: data whose one fault is known must be told by that fault."""

import json
from dataclasses import replace

import numpy as np
import pytest

import rebatch
from rebatch import RebatchError, Setting, Target, universality
from rebatch.verify.universality_check import _source, _Trials

# Bounded labels, both directions seen: a fault in the inputs moves the overlaps, and tails are light.
SETTING = Setting(target="tanh(2*z1) + tanh(z2)^2", activation="relu", neurons=2, alpha=2, eta=0.3, steps=2)
D = 100
RNG = np.random.default_rng(11)
ROWS = RNG.standard_normal((1200, D))


@pytest.fixture(scope="module")
def signs_along_columns():
    return universality(SETTING, inputs="rademacher", directions="columns", d=D, runs=16)


def test_signs_in_random_directions_agree_with_the_gaussian_limit():
    result = universality(SETTING, inputs="rademacher", d=D, runs=16)
    assert result.outcome == "agrees"
    assert result.explained_by == ()
    assert all(a.alone is None for a in result.assumptions)


def test_signs_along_columns_disagree_and_only_the_latent_coordinates_explain_it(signs_along_columns):
    result = signs_along_columns
    assert result.outcome == "disagrees"
    assert result.explained_by == ("latent coordinates",)
    latent, columns, _ = result.assumptions
    assert latent.holds is False
    assert columns.holds is True
    assert columns.alone is None  # columns of a law are independent
    assert "the latent coordinates are not Gaussian" in result.statement()


@pytest.mark.parametrize(
    ("X", "fault"),
    [
        (ROWS + 2 * RNG.standard_normal((1200, 10)) @ RNG.standard_normal((10, D)), "correlated columns"),
        (ROWS * RNG.choice([0.05, 0.05, 0.05, 2.0], size=(1200, 1)), "lengths of rows"),
    ],
    ids=["a few common factors", "a scale for each row"],
)
def test_a_matrix_with_one_fault_is_told_by_it(X, fault):
    result = universality(SETTING, X=X, runs=24)
    assert result.outcome == "disagrees"
    assert result.explained_by == (fault,)
    assert next(a for a in result.assumptions if a.name == fault).holds is False


def test_gaussian_data_has_one_thing_of_the_data_and_no_other():
    X = RNG.laplace(size=(4000, 6)) @ RNG.standard_normal((6, 6))
    source = _source(
        Setting(target="z1", activation="h", alpha=600, eta=1, steps=1), None, X, None, whiten=False
    )
    trials = _Trials(SETTING, source, "random", [1, 2], None)
    w = np.eye(2, 6)
    made = {
        name: trials._replaced(name, source.matrix, w, np.random.default_rng(3))
        for name in ("latent coordinates", "correlated columns", "lengths of rows")
    }
    same = {
        "latent coordinates": lambda Y: Y @ w.T,
        "lengths of rows": lambda Y: np.linalg.norm(Y, axis=1),
        # A covariance of 4000 rows is known to 0.1 at six standard errors.
        "correlated columns": lambda Y: Y.T @ Y / len(Y),
    }
    for name, Y in made.items():
        for thing, of in same.items():
            close = 0.12 if thing == "correlated columns" else 1e-9
            assert np.allclose(of(Y), of(source.matrix), atol=close) is (name == thing)


@pytest.mark.deep
def test_whitening_mends_correlated_columns():
    X = ROWS + 2 * RNG.standard_normal((1200, 10)) @ RNG.standard_normal((10, D))
    result = universality(SETTING, X=X, whiten=True, runs=16)
    assert result.outcome == "agrees"
    np.testing.assert_allclose(result.report.eigenvalues, 1, atol=1e-9)


@pytest.mark.parametrize(
    ("limit", "left_out", "control", "gaussian", "outcome", "says"),
    [
        (0.5, 0, 0.5, 0.5, "agrees", "are not told from the Gaussian limit"),
        (0.5, 2, 0.5, 0.5, "cannot be trusted", "in 2 overlaps one run carries most of the spread"),
        (1e-9, 0, 0.5, 1e-9, "finite dimension", "as Gaussian runs at d = 100 miss it"),
        (1e-9, 0, 0.5, 0.5, "inconclusive", "more runs would tell"),
        (1e-9, 2, 1e-9, 0.5, "disagrees", "none of what was tried explains it alone"),
    ],
)
def test_the_answer_is_that_of_both_comparisons(
    signs_along_columns, limit, left_out, control, gaussian, outcome, says
):
    result = signs_along_columns
    against_limit = replace(
        result.agreement, joint=replace(result.agreement.joint, p_value=limit, left_out=left_out)
    )
    against_runs = replace(result.control, joint=replace(result.control.joint, p_value=control))
    bare = tuple(replace(a, alone=None) for a in result.assumptions)
    of_gaussian = replace(result.gaussian, joint=replace(result.gaussian.joint, p_value=gaussian))
    told = replace(
        result, agreement=against_limit, control=against_runs, gaussian=of_gaussian, assumptions=bare
    )
    assert told.outcome == outcome
    assert says in told.statement()


def test_the_same_seed_gives_the_same_answer_and_it_is_plain_data(signs_along_columns):
    again = universality(SETTING, inputs="boolean", directions="columns", d=D, runs=16, threads=1)
    ours, theirs = (json.loads(json.dumps(r.to_json())) for r in (signs_along_columns, again))
    assert ours.pop("inputs") == "rademacher"
    assert theirs.pop("inputs") == "boolean"
    assert ours == theirs
    assert ours["explained_by"] == ["latent coordinates"]
    assert [a["name"] for a in ours["assumptions"]] == [
        "latent coordinates",
        "correlated columns",
        "lengths of rows",
    ]


def test_the_function_stands_where_theory_meets_numbers():
    assert rebatch.verify.universality is universality


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "allowed is one of them"),
        ({"inputs": "laplace", "X": ROWS}, "allowed is one of them"),
        ({"inputs": "cauchy"}, "allowed are gaussian, boolean"),
        ({"inputs": "student(2)"}, "infinite variance"),
        ({"inputs": "laplace", "whiten": True}, "allowed with X"),
        ({"inputs": "laplace", "directions": "rows"}, "allowed are random, columns"),
        ({"inputs": "laplace", "runs": 3}, "runs = 3"),
        (
            {"inputs": "laplace", "d": 50, "directions": np.ones((2, 3))},
            r"allowed are random or columns, or numbers",
        ),
        ({"inputs": "laplace", "d": 50, "directions": np.ones((2, 50))}, "orthogonal rows of norm"),
        ({"X": ROWS[:50]}, "allowed is alpha <= 0.5"),
        ({"X": ROWS, "d": 7}, "100 columns of X vary"),
        (
            {"setting": Setting(target="z1", activation="h", alpha=1, eta=1, steps=1, reuse=False)},
            "reuse=True",
        ),
        (
            {
                "setting": Setting(
                    target=Target("z1", inputs="boolean"), activation="h", alpha=1, eta=1, steps=1
                )
            },
            "inputs boolean; allowed are gaussian inputs",
        ),
    ],
)
def test_what_is_not_allowed_is_refused(arguments, says):
    given = {"setting": SETTING, **arguments}
    with pytest.raises(RebatchError, match=says):
        universality(given.pop("setting"), **given)


@pytest.mark.deep
def test_digits_are_told_from_gaussian_data_and_whitened_ones_only_by_what_whitening_leaves():
    datasets = pytest.importorskip("sklearn.datasets")
    X = datasets.load_digits().data
    setting = Setting(
        target="tanh(z1 + z2)", activation="relu", neurons=2, alpha=8, eta=0.1, steps=3, noise_std=0.2
    )
    plain, white = (universality(setting, X=X, whiten=whiten, runs=60) for whiten in (False, True))
    for result in (plain, white):
        # Three pixels of the 64 are never lit.
        assert (result.d, result.report.dropped, result.report.rows) == (61, 3, 1797)
        assert result.outcome == "disagrees"
    _, columns, _ = plain.assumptions
    assert columns.holds is False
    assert plain.report.correlation_score > 1000
    _, columns, _ = white.assumptions
    assert columns.holds is True
    np.testing.assert_allclose(white.report.eigenvalues, 1, atol=1e-9)
    # Uncorrelated, and still not Gaussian: images differ in how far they are from the mean one.
    assert "lengths of rows" in white.explained_by
    assert "correlated columns" not in white.explained_by
    gaussian = universality(setting, X=np.random.default_rng(0).standard_normal(X.shape), runs=60)
    assert gaussian.outcome != "disagrees"
