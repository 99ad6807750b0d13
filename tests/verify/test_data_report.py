"""What a matrix is like: moments, spectrum and lengths, against formulas and data of known kinds."""

import json

import numpy as np
import pytest

from rebatch import RebatchError
from rebatch.verify.data_report import data_report, standardised

RNG = np.random.default_rng(7)
GAUSSIAN = RNG.standard_normal((1500, 120))


def test_columns_are_standardised_and_constant_ones_left_out():
    X = np.column_stack([5 + 3 * GAUSSIAN, np.full(len(GAUSSIAN), 7.0)])
    Y, dropped = standardised(X)
    assert dropped == 1
    np.testing.assert_allclose(Y.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose((Y**2).mean(axis=0), 1, rtol=1e-12)
    np.testing.assert_allclose(np.corrcoef(Y.T), np.corrcoef(GAUSSIAN.T), atol=1e-10)


@pytest.mark.parametrize("rank", [120, 40])
def test_whitening_takes_out_every_correlation(rank):
    X = GAUSSIAN[:, :rank] @ RNG.standard_normal((rank, 120))
    Y, dropped = standardised(X, whiten=True)
    assert (Y.shape[1], dropped) == (rank, 120 - rank)
    np.testing.assert_allclose(Y.T @ Y / len(Y), np.eye(rank), atol=1e-9)
    np.testing.assert_allclose(data_report(Y).eigenvalues, 1, atol=1e-9)


def test_independent_columns_are_inside_the_edges_and_their_score_is_normal():
    report = data_report(GAUSSIAN)
    ratio = np.sqrt(120 / 1500)
    np.testing.assert_allclose(report.edges, ((1 - ratio) ** 2, (1 + ratio) ** 2))
    assert report.outside == 0
    # Beyond 5.5 a normal score is a false alarm of 4e-8; the spread of 200 of them is known to a twentieth.
    draws = [np.random.default_rng(seed).standard_normal((200, 30)) for seed in range(200)]
    scores = [data_report(draw).correlation_score for draw in draws]
    assert np.abs(scores).max() < 5.5
    assert abs(np.mean(scores)) < 5.5 / np.sqrt(200)
    assert 0.8 < np.std(scores) < 1.2
    assert abs(report.length_variance - 2) < 5.5 * report.length_error
    assert abs(report.fourth_moments.mean() - 3) < 0.1


def test_a_common_factor_is_seen_in_the_correlations_and_in_the_spectrum():
    X = standardised(GAUSSIAN + 0.5 * RNG.standard_normal((1500, 1)))[0]
    report = data_report(X)
    # Correlations are 1/5: n r^2 is 61 on average, over 7140 pairs, and one eigenvalue is 1 + 119 / 5.
    assert report.correlation_score > 1000
    assert report.outside >= 1
    assert abs(report.eigenvalues[-1] - (1 + 119 / 5)) < 4


def test_signs_have_rows_of_one_length_and_a_common_scale_spreads_them():
    signs = data_report(np.sign(GAUSSIAN))
    assert signs.length_variance < 0.2
    np.testing.assert_allclose(signs.fourth_moments, 1, atol=0.05)
    scaled = data_report(standardised(GAUSSIAN * RNG.gamma(2, size=(1500, 1)))[0])
    # E[s^2] = 6 and E[s^4] = 120: |x|^2 / d varies like s^2 / 6, by 120 / 36 - 1.
    assert abs(scaled.length_variance / 120 - (120 / 36 - 1)) < 6 * scaled.length_error / 120


def test_a_report_is_plain_data():
    data = json.loads(json.dumps(data_report(GAUSSIAN[:50, :3]).to_json()))
    assert data["rows"] == 50
    assert len(data["eigenvalues"]) == len(data["fourth_moments"]) == 3


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.zeros(5), r"shape \(5,\)"),
        (np.ones((20, 3)), "constant columns only"),
        (GAUSSIAN[:5], "n >= 10 rows"),
        ([[np.nan] * 3] * 20, "finite"),
        ("data.csv", "finite numbers of shape"),
    ],
)
def test_what_is_no_matrix_is_refused(X, says):
    with pytest.raises(RebatchError, match=says):
        standardised(X)
