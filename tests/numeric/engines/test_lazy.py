import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf
from scipy.stats import ks_2samp

from rebatch import RebatchError, Setting, agreement, simulate, two_step_overlap
from rebatch.numeric.engines import lazy
from rebatch.numeric.engines.descent import descend
from rebatch.numeric.machine import memory, scratch
from rebatch.numeric.machine.blocks import Threads
from rebatch.symbolic.errors import TooLargeError

REFERENCE = Setting(target="tanh(z1 + z2**3 - 3*z2)", activation="relu", neurons=2, alpha=3, eta=0.2, steps=7)

ACTIVATIONS = {
    "relu": (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
    "erf": (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
    "quadratic": (np.square, lambda h: 2 * h),
}


def dense(setting, X, W, directions):
    """Gradient descent of theory 1 as it is written there, on a batch that is all there; M, Q and loss."""
    d = X.shape[1]
    sigma, slope = ACTIVATIONS[setting.activation.name]
    a = setting.a()
    y = setting.target(X @ directions.T / np.sqrt(d))
    M, Q, losses = [], [], []
    for _ in range(setting.steps + 1):
        h = X @ W.T / np.sqrt(d)
        f = sigma(h) @ a
        r = y - f if setting.loss == "squared" else y
        M.append(W @ directions.T / d)
        Q.append(W @ W.T / d)
        losses.append((r**2).mean() / 2 if setting.loss == "squared" else -(y * f).mean())
        g = a * slope(h) * r[:, None]
        W = (1 - setting.eta * setting.weight_decay) * W + setting.eta / np.sqrt(d) * g.T @ X
    return np.array(M), np.array(Q), np.array(losses)


def revealed(X, rng):
    """Return a dense matrix of which the lazy one has revealed what it knows, and its directions v_i."""
    V = np.linalg.qr(rng.standard_normal((X.d, X.directions)))[0].T
    known, rest = V[: X.drawn], V[X.drawn :]
    U = X.U[: X.rows]
    fresh = rng.standard_normal((X.n, X.d))
    fresh -= U.T @ (U @ fresh)
    fresh -= (fresh @ V.T) @ V
    matrix = X.P[: X.drawn].T @ known + U.T @ (X.C[: X.rows, X.drawn : X.directions] @ rest) + fresh
    return matrix, V


@given(
    name=st.sampled_from(sorted(ACTIVATIONS)),
    loss=st.sampled_from(["squared", "correlation"]),
    start=st.sampled_from(["orthogonal", "random"]),
    p=st.integers(1, 3),
    steps=st.integers(1, 4),
    d=st.integers(6, 60),
    alpha=st.sampled_from([0.3, 1.0, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60)
def test_dense_descent_on_the_revealed_matrix_is_the_lazy_run(name, loss, start, p, steps, d, alpha, seed):
    setting = Setting(
        target="tanh(z1 + z2)", activation=name, neurons=p, alpha=alpha, eta=0.3, steps=steps, loss=loss,
        start=start, weight_decay=0.1,
    )  # fmt: skip
    with Threads(2) as pool:
        run = lazy._LazySide(setting, d, np.random.SeedSequence(seed), pool, "float64")
        first = run.start.copy()
        record, _ = descend(setting, run, first, "test")
    M, Q, loss_lazy = record.M, record.Q, record.loss
    X, V = revealed(run.data.X, np.random.default_rng(seed))
    # The batch rotates the directions outside w* once, so that the start is again k + p coefficients.
    rotated = np.hstack([first[:, :2], np.linalg.qr(first[:, 2:].T, mode="r").T])
    W = np.sqrt(d) * rotated @ V[: rotated.shape[1]]
    M_dense, Q_dense, loss_dense = dense(setting, X, W, np.sqrt(d) * V[:2])
    # Rounding grows with the dynamics; a wrong term would show at 1e-2 and above.
    kept = len(M)  # a run that diverges keeps the steps before
    np.testing.assert_allclose(M, M_dense[:kept], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(Q, Q_dense[:kept], rtol=1e-7, atol=1e-8)
    np.testing.assert_allclose(loss_lazy, loss_dense[:kept], rtol=1e-7, atol=1e-8)


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("start", ["orthogonal", "random"])
def test_lazy_and_dense_runs_have_one_law(reuse, start):
    # d so small that every finite-size effect counts; 300 runs each, fixed seeds, Kolmogorov-Smirnov.
    setting = Setting(
        target="tanh(z1 + z2)", activation="erf", alpha=1.5, eta=0.8, steps=3, reuse=reuse, start=start
    )
    d, n, runs = 8, 12, 300
    rng = np.random.default_rng(1)
    ours = [simulate(setting, d=d, seed=s) for s in range(runs)]
    theirs = []
    for _ in range(runs):
        frame = np.sqrt(d) * np.linalg.qr(rng.standard_normal((d, d)))[0].T
        W = frame[2:3]
        if start == "random":
            W = rng.standard_normal((1, d))
            W *= np.sqrt(d) / np.linalg.norm(W)
        theirs.append(_dense_run(setting, rng, n, W, frame[:2]))
    for pick in (
        lambda t: t[0][3, 0, 0],
        lambda t: t[0][3, 0, 1],
        lambda t: t[1][3, 0, 0],
        lambda t: t[1][1, 0, 0],
    ):
        a = [pick((t.M.values, t.Q.values)) for t in ours]
        assert ks_2samp(a, [pick(t) for t in theirs]).pvalue > 1e-3


def _dense_run(setting, rng, n, W, directions):
    d = W.shape[1]
    if setting.reuse:
        return dense(setting, rng.standard_normal((n, d)), W, directions)
    M, Q = [], []
    for _ in range(setting.steps + 1):
        M.append(W @ directions.T / d)
        Q.append(W @ W.T / d)
        X = rng.standard_normal((n, d))
        h = X @ W.T / np.sqrt(d)
        sigma, slope = ACTIVATIONS[setting.activation.name]
        r = setting.target(X @ directions.T / np.sqrt(d)) - sigma(h) @ setting.a()
        W = W + setting.eta / np.sqrt(d) * (setting.a() * slope(h) * r[:, None]).T @ X
    return np.array(M), np.array(Q)


@pytest.mark.parametrize("reuse", [True, False])
def test_the_numbers_do_not_depend_on_the_number_of_threads(reuse):
    setting = Setting(
        target="z1*z2", activation="tanh", neurons=2, alpha=2, eta=0.5, steps=3, noise_std=0.5, reuse=reuse
    )
    one, two, five = (simulate(setting, d=30_000, seed=7, threads=t) for t in (1, 2, 5))
    np.testing.assert_array_equal(one.M, two.M)
    np.testing.assert_array_equal(one.Q, five.Q)
    np.testing.assert_array_equal(one.training_loss, five.training_loss)


def test_different_seeds_give_different_runs():
    setting = Setting(target="z1", activation="tanh", alpha=2, eta=0.5, steps=1)
    assert simulate(setting, d=100, seed=0).M[1, 0, 0] != simulate(setting, d=100, seed=1).M[1, 0, 0]


def test_the_reference_experiment():
    # theory 7: (t, M row 0, its standard errors in the limit). Row 1 is minus row 0.
    reference = {
        1: ([0.07579, -0.06330], [7e-5, 6e-5]),
        2: ([0.12402, -0.10302], [1e-4, 1e-4]),
        4: ([0.18040, -0.14785], [1.2e-4, 1.6e-4]),
        6: ([0.21491, -0.17440], [1.4e-4, 2e-4]),
    }
    M = np.stack([simulate(REFERENCE, d=100_000, seed=s).M.values for s in range(8)])
    M[:, :, 1] *= -1
    # The two rows are exchanged by a symmetry of the law: their mean over runs is one number, 8 runs of it.
    rows = M.mean(axis=2)
    error = rows.std(axis=0, ddof=1) / np.sqrt(len(rows))
    for t, (expected, uncertainty) in reference.items():
        total = np.hypot(error[t], uncertainty)
        assert (np.abs(rows.mean(axis=0)[t] - expected) < 4 * total).all()
        assert (total < 0.01 * np.abs(expected)).all()  # or the test could not see a few per cent


@pytest.mark.parametrize("reuse", [True, False])
@pytest.mark.parametrize("loss", ["squared", "correlation"])
def test_runs_agree_with_the_two_step_formula(loss, reuse):
    setting = Setting(
        target="z1 + He(2, z2)/2 + z1*z2", activation="h + h^2/4", neurons=2, alpha=2, eta=0.1, steps=2, loss=loss,
        reuse=reuse, weight_decay=0.5, noise_std=0.5,
    )  # fmt: skip
    formula = two_step_overlap(setting.target, setting.activation, neurons=2, loss=loss, reuse=reuse)
    predicted = formula.at(alpha=2, eta=0.1, weight_decay=0.5)
    result = agreement(predicted, [simulate(setting, d=50_000, seed=s) for s in range(24)])
    assert result.trusted.all()
    assert (np.abs(result.z) < 4).all()
    # A formula wrong by five per cent must fail.
    assert (
        np.abs(agreement(1.05 * predicted, [simulate(setting, d=50_000, seed=s) for s in range(24)]).z) > 4
    ).any()


@pytest.mark.parametrize("reuse", [True, False])
def test_normalised_runs_agree_with_the_formula_for_cosines(reuse):
    setting = Setting(
        target="z1 + He(2, z2)/2", activation="h + h^2/4", alpha=2, eta=0.2, steps=2, reuse=reuse,
        weight_decay=0.5, normalize=True,
    )  # fmt: skip
    formula = two_step_overlap(setting.target, setting.activation, reuse=reuse, normalize=True)
    runs = [simulate(setting, d=50_000, seed=s) for s in range(16)]
    result = agreement(formula.at(alpha=2, eta=0.2, weight_decay=0.5), runs)
    assert (np.abs(result.z) < 4.5).all()  # 16 runs: t with 15 degrees of freedom
    assert (np.abs(agreement(1.03 * result.predicted, runs).z) > 4.5).any()


def test_a_direction_that_needs_reuse_is_found_by_reuse():
    setting = {
        "target": "z1 + He(3, z2)", "activation": "h + h^2/2 + h^3/6", "alpha": 2, "eta": 0.05, "steps": 2,
        "loss": "correlation",
    }  # fmt: skip
    for reuse in (True, False):
        runs = [simulate(Setting(**setting, reuse=reuse), d=50_000, seed=s) for s in range(24)]
        found = np.array([float(run.M[2, 0, 1]) for run in runs])
        score = found.mean() / (found.std(ddof=1) / np.sqrt(len(found)))
        assert (score > 6) if reuse else (abs(score) < 4)


def test_dependent_signals_are_dropped_not_divided_by():
    # Two neurons that are one: random start would differ, so give both the same readout and a linear activation.
    setting = Setting(
        target="z1", activation="linear", neurons=2, alpha=2, eta=0.1, steps=3, readout=[0.5, 0.5]
    )
    M = simulate(setting, d=500, seed=0).M
    assert np.isfinite(M).all()
    np.testing.assert_allclose(M[:, 0], M[:, 1], atol=1e-12)


def test_more_steps_than_dimensions_are_exact_too():
    setting = Setting(target="z1", activation="erf", alpha=4, eta=0.5, steps=12)
    trajectory = simulate(setting, d=3, seed=0)
    assert np.isfinite(trajectory.M).all()


def test_single_precision_storage_is_near_double():
    double, single = (simulate(REFERENCE, d=5000, seed=0, storage=s) for s in ("float64", "float32"))
    np.testing.assert_allclose(single.M, double.M, atol=1e-5)  # the same draws, rounded to 24 bits


def test_a_target_that_is_not_finite_everywhere_is_refused():
    with pytest.raises(RebatchError, match="not finite"):
        simulate(Setting(target="log(z1)", activation="erf", alpha=2, eta=0.1, steps=1), d=100, seed=0)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"d": 1, "seed": 0}, "k \\+ p"),
        ({"d": 100, "seed": -1}, "seed"),
        ({"d": 100, "seed": 0, "engine": "magic"}, "engine"),
    ],
)
def test_bad_calls_are_refused(arguments, says):
    with pytest.raises(RebatchError, match=says):
        simulate(Setting(target="z1", activation="erf", alpha=2, eta=0.1, steps=1), **arguments)


def test_rows_that_depend_on_later_ones_leave_the_basis_orthonormal():
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal((2, 37))
    with Threads(1) as pool:
        X = lazy.LazyGaussian(37, 20, 3, 3, np.random.SeedSequence(0), pool)
        X.images()
        G = X.rooms[0][:3]
        G[:] = first, first + 1e-8 * second, second
        X.transposed_product(G)
        U, P = X.U[: X.rows], X.P[: X.drawn]
    assert X.rows == 2
    # The basis is orthonormal and its products with the images are those of the columns, to rounding.
    np.testing.assert_allclose(U @ U.T, np.eye(2), atol=1e-13)
    np.testing.assert_allclose(X.C[: X.rows, : X.drawn], U @ P.T, atol=1e-12)


def test_rows_of_which_little_is_new_leave_the_basis_orthonormal():
    rng = np.random.default_rng(0)
    old, other, rest = rng.standard_normal((3, 37))
    with Threads(1) as pool:
        X = lazy.LazyGaussian(37, 20, 3, 3, np.random.SeedSequence(0), pool)
        X.images()
        X.rooms[0][:1] = old
        X.transposed_product(X.rooms[0][:1])
        rows = np.array([old + 1e-5 * other, old + 1e-5 * other + 1e-7 * rest])
        X.rooms[0][:2] = rows
        found = X.transposed_product(X.rooms[0][:2])
    assert X.rows == 3
    np.testing.assert_allclose(X.U @ X.U.T, np.eye(3), atol=1e-13)
    np.testing.assert_allclose(found, rows @ X.U.T @ X.C[:, : X.directions], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("storage", ["float64", "float32"])
@pytest.mark.parametrize("seed", range(3))
def test_signals_that_depend_on_earlier_ones_leave_the_basis_orthonormal(storage, seed, monkeypatch):
    # Signals of relu with the correlation loss are labels where a field is positive: soon the same again.
    made = []

    class Kept(lazy.LazyGaussian):
        def __init__(self, *given, **options):
            super().__init__(*given, **options)
            made.append(self)

    monkeypatch.setattr(lazy, "LazyGaussian", Kept)
    setting = Setting(
        target="z1*z2", activation="relu", neurons=4, alpha=1, eta=0.5, steps=60, loss="correlation"
    )
    simulate(setting, d=60, seed=seed, storage=storage)
    (X,) = made
    U = X.U[: X.rows].astype(float)
    assert X.rows <= X.n
    np.testing.assert_allclose(U @ U.T, np.eye(len(U)), atol=1e-13 if storage == "float64" else 3e-7)


@pytest.mark.parametrize(
    "rows",
    [
        # Each of them mostly the one before: a small determinant and no small pivot.
        [[1.0, 0, 0, 0, 0, 0], *(np.eye(6)[j] + 9 * np.eye(6)[j - 1] for j in range(1, 6))],
        [[1.0, 0, 0, 0, 0, 0], [1, 1e-9, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1e140, 0, 0, 0]],
        [[1.0, 2, 3, 4, 5, 6], [0] * 6, [1, 2, 3, 4, 5, 6], [1e-140, 0, 0, 0, 0, 0]],
    ],
)
def test_any_rows_are_combinations_of_an_orthonormal_basis(rows):
    G = np.array(rows)
    with Threads(1) as pool:
        X = lazy.LazyGaussian(6, 20, 6, 12, np.random.SeedSequence(0), pool)
        X.images()
        for start in range(0, len(G), 3):
            X.rooms[0][:3] = G[start : start + 3]
            found = X.transposed_product(X.rooms[0][: len(G[start : start + 3])])
    U = X.U[: X.rows]
    np.testing.assert_allclose(U @ U.T, np.eye(X.rows), atol=1e-13)
    last = G[3 * ((len(G) - 1) // 3) :]
    exact = last @ U.T @ X.C[: X.rows, : X.directions]
    np.testing.assert_allclose(found, exact, rtol=1e-11, atol=1e-11 * np.abs(exact).max())


def test_the_draws_are_what_the_first_step_is_made_of():
    setting = Setting(target="z1", activation="h", alpha=2, eta=0.5, steps=2, noise_std=0.3)
    run = simulate(setting, d=50, seed=0, draws=True)
    z, u, noise, _ = run.data["normals"].values
    residual = z + 0.3 * noise - u
    assert run.M[1, 0, 0] == pytest.approx(0.5 / 50 * residual @ z)
    assert run.training_loss[0] == pytest.approx((residual**2).mean() / 2)
    np.testing.assert_array_equal(run.M, simulate(setting, d=50, seed=0).M)


@pytest.mark.parametrize("reuse", [True, False])
def test_overlaps_alone_are_those_of_the_whole_run(reuse):
    setting = Setting(target="z1*z2", activation="relu", neurons=2, alpha=2, eta=0.5, steps=3, reuse=reuse)
    whole = simulate(setting, d=40, seed=0, draws=True)
    short = simulate(setting, d=40, seed=0, draws=True, overlaps_only=True)
    for name in ("M", "Q", "normals", "numbers"):
        np.testing.assert_array_equal(short.data[name], whole.data[name])
    np.testing.assert_array_equal(short.training_loss[:-1], whole.training_loss[:-1])
    assert np.isnan(short.training_loss[-1])
    with pytest.raises(RebatchError, match="fields=True with overlaps_only=True; allowed is one"):
        simulate(setting, d=40, seed=0, fields=True, overlaps_only=True)


@pytest.mark.parametrize("reuse", [True, pytest.param(False, marks=pytest.mark.deep)])
def test_the_draws_are_independent_of_mean_0_and_variance_1(reuse):
    setting = Setting(target="z1 + z2", activation="relu", neurons=2, alpha=2, eta=0.5, steps=2, reuse=reuse)
    runs = [simulate(setting, d=12, seed=seed, threads=1, draws=True).data for seed in range(2000)]
    normals = np.concatenate([run["normals"].values for run in runs], axis=1)
    numbers = np.stack([run["numbers"].values for run in runs], axis=1)
    # Six rows on one batch and four on each fresh one; and two lengths and one product a step.
    assert len(normals) == (6 if reuse else 8)
    assert len(numbers) == 6
    for draws in (normals, numbers):
        count = draws.shape[1]
        assert np.all(np.abs(draws.mean(axis=1)) < 6 / np.sqrt(count))
        # A chi-square with 1 degree of freedom has kurtosis 15.
        assert np.all(np.abs(np.cov(draws) - np.eye(len(draws))) < 6 * np.sqrt(14 / count))


def _needs(monkeypatch, setting, share, **options):
    """Let memory have room for a share of what a run asks for."""
    monkeypatch.setattr(memory, "memory", lambda: 1e12)
    with memory.asked_for() as asked:
        simulate(setting, "lazy", d=40_000, seed=3, **options)
    monkeypatch.setattr(memory, "memory", lambda: share * max(asked) / memory.SHARE)


@pytest.mark.parametrize("storage", ["float64", "float32"])
@pytest.mark.parametrize("fresh_at", [(), (2,)])
def test_rows_on_disk_give_the_same_bits(monkeypatch, storage, fresh_at):
    setting = Setting(
        target="z1 * z2", activation="relu", neurons=2, alpha=2.0, eta=0.4, steps=6, fresh_at=fresh_at
    )
    given = {"d": 40_000, "seed": 3, "storage": storage, "fields": True}
    before = simulate(setting, "lazy", **given).data
    _needs(monkeypatch, setting, 0.8, storage=storage)
    with pytest.warns(lazy.OnDisk, match="kept in a file in"):
        after = simulate(setting, "lazy", **given).data
    assert before.identical(after)


def test_the_file_of_rows_has_no_name_and_ends_with_them(monkeypatch, tmp_path):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(scratch, "_kind", lambda place: "ext4")
    count = len(os.listdir("/proc/self/fd")) if os.path.exists("/proc/self/fd") else 0
    array = scratch.scratch(1 << 20)
    array[:] = 7
    assert array.flags.writeable
    assert not os.listdir(tmp_path)
    if count:
        assert len(os.listdir("/proc/self/fd")) == count + 1
        del array
        assert len(os.listdir("/proc/self/fd")) == count


def test_a_run_that_neither_memory_nor_disk_holds_is_refused(monkeypatch):
    setting = Setting(target="z1 * z2", activation="relu", neurons=2, alpha=2.0, eta=0.4, steps=6)
    _needs(monkeypatch, setting, 0.8)
    monkeypatch.setattr(scratch, "free", lambda: 1e6)
    with pytest.raises(TooLargeError, match=r"nor is there room on disk for .* GB"):
        simulate(setting, "lazy", d=40_000, seed=3)
    _needs(monkeypatch, setting, 0.2)
    with pytest.raises(TooLargeError, match="cannot be on disk"):
        simulate(setting, "lazy", d=40_000, seed=3)


def test_a_file_in_memory_is_no_room_on_disk(monkeypatch):
    monkeypatch.setattr(scratch, "_kind", lambda place: "tmpfs")
    assert scratch.folder() is None
    assert scratch.free() == 0
    with pytest.raises(TooLargeError, match="TMPDIR"):
        scratch.scratch(4096)
