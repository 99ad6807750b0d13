import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import ks_2samp

from rebatch import RebatchError, Setting, simulate
from rebatch.numeric.engines.dense import NotStandard
from rebatch.numeric.engines.descent import StoppedEarly

BASE = {"target": "tanh(z1 + z2)", "activation": "erf", "neurons": 2, "alpha": 1.5, "eta": 0.8, "steps": 3}


def plain(X, W, directions, setting, batches):
    """Gradient descent as in theory 1, with a look ahead, over the given row indices; M per step."""
    d, a = X.shape[1], setting.a()
    y = setting.target(X @ directions.T / np.sqrt(d))
    M = [W @ directions.T / d]

    def G(W, rows):
        h = X[rows] @ W.T / np.sqrt(d)
        r = y[rows] - erf(h) @ a
        return (a * 2 / np.sqrt(np.pi) * np.exp(-(h**2)) * r[:, None]).T @ X[rows] / np.sqrt(d)

    for rows in batches:
        ahead = W + setting.rho * G(W, rows)
        W = (1 - setting.eta * setting.weight_decay) * W + setting.eta * G(ahead, rows)
        if setting.normalize:
            W = W * np.sqrt(d) / np.linalg.norm(W, axis=1, keepdims=True)
        M.append(W @ directions.T / d)
    return np.array(M)


@pytest.mark.parametrize("rho", [0.0, 0.5, -0.5])
@pytest.mark.parametrize("normalize", [True, False])
def test_a_run_on_given_data_is_descent_as_written(rho, normalize):
    rng = np.random.default_rng(0)
    d, n = 20, 30
    X = rng.standard_normal((n, d))
    directions = np.sqrt(d) * np.linalg.qr(rng.standard_normal((d, d)))[0].T[:2]
    # With M^0 = I and Q^0 = I the weights are W* itself: the start holds nothing random.
    setting = Setting(**BASE, start=np.eye(2), rho=rho, normalize=normalize, weight_decay=0.1)
    ours = simulate(setting, "dense", seed=0, X=X, directions=directions)
    expected = plain(X, directions, directions, setting, [np.arange(n)] * 3)
    np.testing.assert_allclose(ours.M, expected, rtol=1e-10, atol=1e-12)  # rounding only


@pytest.mark.deep
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"reuse": False},
        {"reuse": False, "repeats": 2},
        {"rho": 0.7},
        {"rho": -0.7, "reuse": False},
        {"normalize": True, "noise_std": 0.5},
        {"start": [[0.3, 0.1], [0.0, -0.4]], "weight_decay": 0.3},
        {"start": "random"},
    ],
)
def test_dense_and_lazy_runs_have_one_law(options):
    # d so small that every finite-size effect counts; 300 runs each, fixed seeds, Kolmogorov-Smirnov.
    setting = Setting(**BASE, **options)
    dense = [simulate(setting, "dense", d=9, seed=s, threads=1) for s in range(300)]
    lazy = [simulate(setting, "lazy", d=9, seed=s, threads=1) for s in range(300)]
    for pick in (
        lambda t: t.M[3, 0, 0],
        lambda t: t.M[2, 1, 1],
        lambda t: t.Q[3, 0, 1],
        lambda t: t.training_loss[3],
    ):
        assert ks_2samp([float(pick(t)) for t in dense], [float(pick(t)) for t in lazy]).pvalue > 1e-3


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_a_look_ahead_of_nothing_is_plain_descent(engine):
    # rho too small to matter takes the path of the look ahead, but draws other numbers in the lazy engine.
    plain_run, ahead = (simulate(Setting(**BASE, rho=rho), "dense", d=30, seed=1) for rho in (0.0, 1e-14))
    np.testing.assert_allclose(plain_run.M, ahead.M, atol=1e-12)
    assert simulate(Setting(**BASE, rho=0), engine, d=30, seed=1).M.equals(
        simulate(Setting(**BASE), engine, d=30, seed=1).M
    )


@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("options", [{}, {"reuse": False}, {"batch_size": 700}])
def test_the_numbers_do_not_depend_on_the_number_of_threads(options, precision):
    setting = Setting(**BASE, **options)
    one, two = (simulate(setting, "dense", d=1500, seed=7, threads=t, precision=precision) for t in (1, 2))
    assert one.M.equals(two.M)
    assert one.training_loss.equals(two.training_loss)


def test_an_epoch_uses_every_sample_once():
    # A correlation loss and a linear activation: the step from a batch does not depend on the weights, so an epoch
    # of batches is one full step, whatever the order.
    base = {**BASE, "activation": "linear", "loss": "correlation"}
    full = simulate(Setting(**{**base, "steps": 1}), "dense", d=40, seed=3)
    epoch = simulate(
        Setting(**{**base, "steps": 4}, batch_size=17), "dense", d=40, seed=3
    )  # 17 + 17 + 17 + 9
    np.testing.assert_allclose(epoch.M[4], full.M[1], atol=1e-12)
    again = simulate(Setting(**{**base, "steps": 8}, batch_size=17), "dense", d=40, seed=3)
    assert np.abs(again.M[5] - again.M[4] - (again.M[1] - again.M[0])).max() > 1e-6  # another order


def test_single_precision_is_near_double_on_the_same_data():
    rng = np.random.default_rng(5)
    X = rng.standard_normal((300, 200), dtype=np.float32)
    setting = Setting(**BASE)
    single = simulate(setting, "dense", seed=0, X=X)
    double = simulate(setting, "dense", seed=0, X=X.astype(np.float64))
    np.testing.assert_allclose(single.M, double.M, atol=1e-5)  # some hundred float32 roundings


def test_a_memory_map_is_read_in_place(tmp_path):
    X = np.random.default_rng(0).standard_normal((60, 30))
    np.save(tmp_path / "X.npy", X)
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    setting = Setting(**BASE)
    assert simulate(setting, "dense", seed=0, X=mapped).M.equals(simulate(setting, "dense", seed=0, X=X).M)


@pytest.mark.parametrize("options", ["", "neurons=6", "schedule='cyclic', batches=2", "start='random'"])
def test_a_file_that_is_cut_off_in_the_middle_of_a_run_is_an_error_and_no_signal(tmp_path, options):
    program = f"""if True:
        import os, sys, numpy as np
        from rebatch import RebatchError, Setting, simulate
        from rebatch.numeric.engines import dense, rows
        np.save("X.npy", np.random.default_rng(0).standard_normal((400, 200)))
        X, reads = np.load("X.npy", mmap_mode="r"), 0

        def counted(read):
            def reading(*arguments):
                global reads
                reads += 1
                if reads == 4:
                    os.truncate("X.npy", 4096)
                return read(*arguments)
            return reading

        dense.gradient, dense.compute_fields = counted(rows.gradient), counted(rows.fields)
        try:
            base = {{"target": "z1*z2 + z1", "activation": "relu", "alpha": 2, "eta": 0.1, "steps": 9}}
            simulate(Setting(**base, {options}), "dense", seed=0, X=X)
        except RebatchError as error:
            sys.exit(str(error))
    """
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "needs 640128 bytes of its memory-mapped file, which has 4096" in done.stderr


@pytest.mark.parametrize(
    ("X", "says"),
    [
        (np.ones((90, 40), dtype=int), "int64"),
        (np.asfortranarray(np.ones((90, 40))), "contiguous"),
        (np.ones((10, 40)), "at least n"),
        (np.full((90, 40), np.nan), "not finite"),
        ([[1.0]], "list"),
    ],
)
def test_data_of_another_kind_is_refused(X, says):
    with pytest.raises(RebatchError, match=says):
        simulate(Setting(**BASE), "dense", seed=0, X=X)


def test_a_job_that_does_not_fit_is_refused_with_the_figures():
    with pytest.raises(RebatchError, match=r"needs .* GB; allowed"):
        simulate(Setting(**BASE), "dense", d=10**7, seed=0)
    with pytest.raises(RebatchError, match=r"needs .* GB; allowed"):
        simulate(Setting(**BASE), "lazy", d=10**10, seed=0)


@pytest.mark.parametrize("engine", ["dense", "lazy"])
def test_a_diverging_run_keeps_the_steps_before(engine):
    setting = Setting(target="z1^3", activation="cubic", alpha=2, eta=5.0, steps=30)
    with pytest.warns(StoppedEarly, match="diverged at step"):
        run = simulate(setting, engine, d=200, seed=0)
    assert 1 <= run.M.shape[0] < 30
    assert np.isfinite(run.M).all()
    assert run.stopped


@pytest.mark.parametrize("engine", ["dense", "lazy", "limit"])
def test_what_is_beyond_floating_point_from_the_start_keeps_the_start(engine):
    setting = Setting(target="z1", activation="erf", alpha=2, eta=0.1, steps=3, noise_std=1e160)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        run = simulate(setting, engine, **({} if engine == "limit" else {"d": 50}), seed=0)
    assert any("diverged at step 1" in str(w.message) for w in seen)
    assert run.M.step.values.tolist() == [0]
    assert np.isfinite(run.M).all()
    assert not np.isfinite(run.training_loss).any()


def test_thinned_recording_keeps_every_third_step_and_the_last():
    full = simulate(Setting(**{**BASE, "steps": 7}), "dense", d=30, seed=2)
    thin = simulate(Setting(**{**BASE, "steps": 7}, record_every=3), "dense", d=30, seed=2)
    assert list(thin.M.step.values) == [0, 3, 6, 7]
    np.testing.assert_array_equal(thin.M, full.M[[0, 3, 6, 7]])


def packed(n, d):
    """Rows 4 bytes further apart than they are long: a field of a packed structured array."""
    structure = np.zeros(n, dtype=[("x", np.float64, (d,)), ("tag", np.int32)])
    structure["x"] = np.random.default_rng(0).standard_normal((n, d))
    return structure["x"]


def test_rows_that_begin_between_numbers_are_refused_and_their_copy_is_run():
    X = packed(60, 40)
    with pytest.raises(RebatchError, match="324 bytes apart"):
        simulate(Setting(**BASE), "dense", seed=0, X=X)
    simulate(Setting(**BASE), "dense", seed=0, X=np.ascontiguousarray(X))


def test_a_masked_array_is_refused():
    X = np.ma.masked_greater(np.random.default_rng(0).standard_normal((60, 40)), 1)
    with pytest.raises(RebatchError, match="masked"):
        simulate(Setting(**BASE), "dense", seed=0, X=X)


@pytest.mark.parametrize("view", [lambda X: X, lambda X: np.asarray(X)[1:], lambda X: X[:61][::1]])
def test_a_memory_map_whose_file_was_cut_off_is_refused(tmp_path, view):
    path = tmp_path / "X.npy"
    np.save(path, np.random.default_rng(0).standard_normal((300, 40)))
    X = view(np.load(path, mmap_mode="r"))
    simulate(Setting(**BASE), "dense", seed=0, X=X)
    with path.open("r+b") as file:
        file.truncate(5000)
    with pytest.raises(RebatchError, match="cut off"):
        simulate(Setting(**BASE), "dense", seed=0, X=X)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda X: X * np.sqrt(50), "40 of 40 columns"),
        (lambda X: X + 3, "40 of 40 columns"),
        (lambda X: np.hstack([X[:, 1:], np.ones((len(X), 1))]), "1 of 40 columns.*column 39"),
    ],
)
def test_columns_far_from_mean_0_and_variance_1_are_told(change, says):
    X = np.random.default_rng(0).standard_normal((900, 40))
    with pytest.warns(NotStandard, match=says):
        simulate(Setting(**BASE | {"steps": 1}), "dense", seed=0, X=change(X))
    # Signs and Gaussian data, few rows or many, are what theory speaks of.
    for plain in (X, np.sign(X), X[:60]):
        simulate(Setting(**BASE | {"steps": 1}), "dense", seed=0, X=plain)
