"""Descent on data and labels of one's own: against descent in NumPy, and what is said to be learned."""

import numpy as np
import pytest

from rebatch import RebatchError, Setting, Target, Trajectory, descend_on_data, learned_directions, simulate

RNG = np.random.default_rng(5)
X = RNG.standard_normal((900, 30))
Y = np.tanh(2 * X[:, 0]) + 0.3 * RNG.laplace(size=900)
ROWS = np.sqrt(30) * np.eye(2, 30)
RUN = {"activation": "tanh", "neurons": 2, "eta": 0.3, "steps": 3, "seed": 2}


def test_steps_are_those_of_the_definition_on_the_labels_given():
    run = descend_on_data(X, Y, directions=ROWS, weight_decay=0.1, **RUN)
    W, a, d = run.data["first_weights"].values.copy(), run.setting.a(), 30
    np.testing.assert_allclose(W @ W.T / d, np.eye(2), atol=1e-12)
    for t in range(3):
        np.testing.assert_allclose(run.M[t], W @ ROWS.T / d, atol=1e-12)
        h = X @ W.T / np.sqrt(d)
        r = Y - np.tanh(h) @ a
        assert run.training_loss[t].item() == pytest.approx((r**2).mean() / 2)
        W = (1 - 0.3 * 0.1) * W + 0.3 / np.sqrt(d) * (a * (1 - np.tanh(h) ** 2) * r[:, None]).T @ X
    np.testing.assert_allclose(run.data["weights"], W, atol=1e-12)


def test_without_directions_there_is_no_overlap_and_a_file_holds_it(tmp_path):
    run = descend_on_data(X.astype(np.float32), Y, **RUN)
    assert run.M.shape == (4, 2, 0)
    run.save(tmp_path / "run.nc")
    loaded = Trajectory.load(tmp_path / "run.nc")
    assert loaded == run
    assert run.to_dataframe()["training loss"].is_monotonic_decreasing
    (panel,) = run.plot([loaded])
    np.testing.assert_array_equal(panel.lines[0].get_ydata(), run.training_loss)
    with pytest.raises(RebatchError, match="labels are given by data"):
        _ = run.test_loss


def test_labels_are_taken_instead_of_those_of_a_target():
    setting = Setting(target="z1 + z2", activation="tanh", alpha=30, eta=0.3, steps=3, neurons=2)
    own = simulate(setting, "dense", X=X, y=Y, directions=ROWS, seed=2)
    np.testing.assert_array_equal(own.M, descend_on_data(X, Y, directions=ROWS, **RUN).M)


def test_the_movement_points_along_what_labels_depend_on_and_chance_does_not_move_it_so():
    run = descend_on_data(X, Y, **RUN)
    learned = learned_directions(run, X, Y, permutations=19)
    assert abs(learned.directions[0, 0]) > 0.9
    assert learned.p_value == pytest.approx(1 / 20)
    moved = (run.data["weights"] - run.data["first_weights"]).values / np.sqrt(30)
    # The first size is the operator norm; the directions are its right singular vectors.
    assert learned.sizes[0] == pytest.approx(np.linalg.norm(moved, 2))
    np.testing.assert_allclose(np.linalg.norm(moved @ learned.directions.T, axis=0), learned.sizes)
    assert "x1 (+0.9" in str(learned)
    assert learned_directions(run).p_value is None


def test_shuffled_labels_are_not_said_to_be_learned():
    found = []
    for seed in range(20):
        y = np.random.default_rng(seed).permutation(Y)
        run = descend_on_data(X[:300], y[:300], **(RUN | {"steps": 1}))
        found.append(learned_directions(run, X[:300], y[:300], permutations=9, seed=seed).p_value)
    # Ranks are uniform on 0.1 … 1: 9 of 20 at 0.1 have probability 1e-4, and the seeds are fixed.
    assert sum(p == 0.1 for p in found) < 9
    assert np.mean(found) > 0.3


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"y": Y[:5]}, "labels"),
        ({"y": np.full(900, np.nan)}, "finite"),
        ({"y": Y[:, None]}, "shape"),
        ({"X": X[0]}, r"\(n, d\)"),
        ({"target": "z1"}, "target with data"),
        ({"noise": "flip(0.1)"}, "noise with data"),
        ({"directions": np.ones((2, 30))}, "orthogonal"),
    ],
)
def test_data_of_another_kind_is_refused(changed, reason):
    with pytest.raises(RebatchError, match=reason):
        descend_on_data(**({"X": X, "y": Y} | RUN | changed))


def test_labels_without_data_and_runs_without_weights_are_refused():
    setting = Setting(target=Target.of_data(), activation="erf", alpha=2, eta=1, steps=1)
    for engine in ("dense", "lazy", "limit"):
        with pytest.raises(RebatchError, match=r"missing|labels are given"):
            simulate(setting, engine, **({} if engine == "limit" else {"d": 50}), seed=0)
    with pytest.raises(RebatchError, match="kept no weights"):
        learned_directions(
            simulate(Setting(target="z1", activation="erf", alpha=2, eta=1, steps=1), d=50, seed=0)
        )
    with pytest.raises(RebatchError, match="missing"):
        learned_directions(descend_on_data(X, Y, **RUN), permutations=3)
