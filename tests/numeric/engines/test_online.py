import numpy as np
import pytest
from scipy.special import erf
from scipy.stats import ks_2samp

from rebatch import RebatchError, Setting, simulate
from rebatch.numeric.engines.descent import StoppedEarly

BASE = {
    "target": "z1 + z2^2/2",
    "neurons": 2,
    "alpha": 1,
    "eta": 8.0,
    "steps": 12,
    "reuse": False,
    "record_every": 4,
}
RUNS = 8000
SCALAR = {
    "target": "z1",
    "neurons": 1,
    "alpha": 1,
    "eta": 8.0,
    "steps": 12,
    "reuse": False,
    "record_every": 4,
}


SLOPES = {
    "erf": (erf, lambda h: 2 / np.sqrt(np.pi) * np.exp(-(h**2))),
    "relu": (lambda h: np.maximum(h, 0), lambda h: np.heaviside(h, 0.5)),
    "tanh": (np.tanh, lambda h: 1 / np.cosh(h) ** 2),
}


def plain(setting, d, runs, rng):
    """Descent in R^d on real samples (theory, 1), all runs at once; M and Q at the recorded steps."""
    k, p, b = setting.k, setting.neurons, setting.batch_size or 1
    sigma, slope = SLOPES[setting.activation.name]
    a, root = setting.a(), np.sqrt(d)
    stars = root * np.eye(d)[:k]  # the law does not depend on where they point
    if setting.start == "random":
        W = rng.standard_normal((runs, p, d))
        W *= root / np.linalg.norm(W, axis=2, keepdims=True)
    else:
        W = np.broadcast_to(root * np.eye(d)[k : k + p], (runs, p, d)).copy()

    def gradient(W, X, y):
        h = np.einsum("rbd,rpd->rbp", X, W) / root
        r = y - sigma(h) @ a if setting.loss == "squared" else y
        return np.einsum("rbp,rbd->rpd", a * slope(h) * r[:, :, None], X) / root

    M, Q = {}, {}
    for step in range(setting.steps + 1):
        if step % setting.record_every == 0:
            M[step], Q[step] = W @ stars.T / d, W @ W.transpose(0, 2, 1) / d
        if step % setting.repeats == 0:
            X = rng.standard_normal((runs, b, d))
            y = setting.target((X[:, :, :k]).reshape(-1, k)).reshape(runs, b)
            y += setting.noise_std * rng.standard_normal(y.shape)
        ahead = W + setting.rho * gradient(W, X, y) if setting.rho else W
        W = (1 - setting.eta * setting.weight_decay) * W + setting.eta * gradient(ahead, X, y)
        if setting.normalize:
            W *= root / np.linalg.norm(W, axis=2, keepdims=True)
    return M, Q


@pytest.mark.parametrize(
    "options",
    [
        {**BASE, "activation": "erf"},
        {**BASE, "activation": "relu", "batch_size": 3, "weight_decay": 0.01},
        {**BASE, "activation": "erf", "batch_size": 8, "eta": 2.0, "noise_std": 0.5},
        {**BASE, "activation": "tanh", "repeats": 3, "loss": "correlation", "normalize": True},
        {**BASE, "activation": "erf", "rho": 1.0},
        {**BASE, "activation": "erf", "rho": -1.0, "batch_size": 2, "repeats": 2, "noise_std": 0.5},
        {**SCALAR, "activation": "erf", "start": "random"},
        {**SCALAR, "activation": "relu", "loss": "correlation", "normalize": True, "rho": 1.0},
    ],
)
@pytest.mark.parametrize("d", [60, 5])
def test_the_chain_has_the_law_of_descent_on_real_samples(options, d):
    # 8000 runs each, fixed seeds, Kolmogorov-Smirnov at three times: distances of 3% are seen. d = 5 leaves one
    # dimension, or two, outside z and h.
    setting = Setting(**{**options, "eta": options["eta"] * min(d, 10) / 10})
    M, Q = plain(setting, d, RUNS, np.random.default_rng(1))
    chain = simulate(setting, "online", d=d, seed=0, replicas=RUNS)
    for step in (4, 8, 12):
        for ours, theirs in ((chain.M, M), (chain.Q, Q)):
            for at in np.ndindex(theirs[step].shape[1:]):
                # Rounded: where a run has not moved, or rows are normalised, the law has atoms, equal up to rounding.
                sample, expected = (
                    np.round(v, 9) for v in (ours.sel(step=step).values[:, *at], theirs[step][:, *at])
                )
                assert ks_2samp(sample, expected, method="asymp").pvalue > 1e-5


@pytest.mark.parametrize("p", [1, 2])
def test_the_numbers_do_not_depend_on_the_number_of_threads(p):
    setting = Setting(**{**SCALAR, "neurons": p, "activation": "erf", "noise_std": 0.1})
    one, two = (simulate(setting, "online", d=50, seed=3, replicas=40, threads=t) for t in (1, 2))
    assert one.M.equals(two.M)
    assert one.training_loss.equals(two.training_loss)


# The last group of replicas stops after samples were drawn anew, where the first has stopped before.
@pytest.mark.parametrize(("rho", "eta"), [(0.0, 5.0), (1e-14, 5.0), (0.0, 0.045)])
def test_a_replica_stops_at_the_threshold(rho, eta):
    setting = Setting(
        target="z1", activation="erf", alpha=1, eta=eta, steps=2000, reuse=False, loss="correlation", normalize=True,
        rho=rho,
    )  # fmt: skip
    run = simulate(setting, "online", d=50, seed=0, replicas=20, stop=0.5)
    hit = run.data["hitting_step"].values
    assert (hit > 0).all()
    M = run.M.values[:, :, 0, 0]
    for replica, step in enumerate(hit):
        assert (np.abs(M[replica, :step]) <= 0.5).all()
        assert (M[replica, step:] == M[replica, step]).all()
        assert abs(M[replica, step]) > 0.5
    np.testing.assert_allclose(run.Q.values[:, -400:], 1.0, rtol=1e-12)


def test_a_diverging_chain_keeps_the_steps_before():
    setting = Setting(target="z1^3", activation="cubic", alpha=1, eta=500.0, steps=100, reuse=False)
    with pytest.warns(StoppedEarly, match="diverged at step"):
        run = simulate(setting, "online", d=20, seed=0)
    assert np.isfinite(run.M).all()
    assert run.M.shape[0] < 100


def test_gradient_flow_is_online_descent_with_small_steps():
    kw = {
        "target": "z1 + He(2, z2)/2", "activation": "h + h^2/4", "neurons": 2, "alpha": 1, "reuse": False,
        "start": [[0.3, 0.1], [0.0, 0.2]],
    }  # fmt: skip
    flow = simulate(Setting(**kw, eta=0.05, steps=10, weight_decay=0.2), "flow", seed=0)
    assert flow.data.attrs["expectations"] == "exact"
    # d steps of eta/d make one unit of time; the step adds Q of order eta alpha = 2% of what moves: halve it away.
    d = 500
    coarse, fine = (
        simulate(
            Setting(**kw, eta=0.05 / s, steps=10 * d * s, record_every=10 * d * s, weight_decay=0.2 / d),
            "online",
            d=d,
            seed=1,
            replicas=64,
        ).M.values[:, -1]
        for s in (2, 4)
    )
    error = np.hypot(2 * fine.std(0, ddof=1), coarse.std(0, ddof=1)) / 8
    assert (np.abs(2 * fine.mean(0) - coarse.mean(0) - flow.M.values[-1]) < 4.5 * error).all()
    assert error.max() < 0.02 * np.abs(flow.M.values[-1]).max()  # or the test could not see a few per cent


def test_gradient_flow_on_a_batch_is_descent_with_small_steps():
    kw = {"target": "tanh(z1)", "activation": "erf", "alpha": 2, "weight_decay": 0.1}
    flow = simulate(Setting(**kw, eta=0.3, steps=3), "flow", d=40, seed=0)
    coarse, fine = (
        simulate(Setting(**kw, eta=0.3 / s, steps=3 * s, record_every=s), "dense", d=40, seed=0).M.values
        for s in (100, 200)
    )
    # The same seed is the same batch; after extrapolation the error of Euler's rule is second order.
    np.testing.assert_allclose(2 * fine - coarse, flow.M, atol=1e-5)


@pytest.mark.parametrize(
    ("setting", "engine", "options", "says"),
    [
        ({"reuse": True}, "online", {}, "reuse=False"),
        ({}, "online", {"replicas": 0}, "replicas"),
        ({}, "online", {"stop": -1}, "stop"),
        ({}, "online", {"colour": 1}, "no option colour"),
        ({"rho": 0.1}, "flow", {}, "rho"),
        ({"steps": 10**10, "record_every": 1}, "online", {}, "GB"),
    ],
)
def test_bad_calls_are_refused(setting, engine, options, says):
    with pytest.raises(RebatchError, match=says):
        simulate(Setting(**{**SCALAR, "activation": "erf", **setting}), engine, d=50, seed=0, **options)


def test_a_threshold_along_directions_is_that_of_the_projected_overlaps():
    setting = Setting(
        target="z1 + 2*z2", activation="erf", neurons=2, alpha=1, eta=2.0, steps=400, reuse=False
    )
    direction = np.array([1.0, -3.0])
    path = simulate(setting, "online", d=50, seed=3, replicas=5)
    length = np.abs(path.M.values @ direction / np.linalg.norm(direction)).max(axis=2)
    hit = simulate(setting, "online", d=50, seed=3, replicas=5, stop=0.2, stop_along=[2 * direction])
    # The same seed draws the same samples, so a run that stops is the other one up to its stop.
    assert (length.max(axis=1) > 0.2).all()
    np.testing.assert_array_equal(hit.data["hitting_step"], (length > 0.2).argmax(axis=1))
    # Along all of R^k it is the default.
    both = simulate(setting, "online", d=50, seed=3, replicas=5, stop=0.2, stop_along=[[1, 1], [0, 2]])
    default = simulate(setting, "online", d=50, seed=3, replicas=5, stop=0.2)
    np.testing.assert_array_equal(both.data["hitting_step"], default.data["hitting_step"])


@pytest.mark.parametrize(
    ("along", "message"),
    [
        ([[1.0]], "shape"),
        ([[1.0, 2.0], [2.0, 4.0]], "independent"),
        ([[0.0, 0.0]], "independent"),
        ([[np.nan, 0.0]], "finite"),
    ],
)
def test_directions_that_measure_nothing_are_refused(along, message):
    setting = Setting(target="z1 + z2", activation="erf", alpha=1, eta=1.0, steps=4, reuse=False)
    with pytest.raises(RebatchError, match=message):
        simulate(setting, "online", d=50, seed=0, stop=0.1, replicas=2, stop_along=along)


def test_directions_without_a_threshold_are_refused():
    setting = Setting(target="z1 + z2", activation="erf", alpha=1, eta=1.0, steps=4, reuse=False)
    with pytest.raises(RebatchError, match="give `stop` too"):
        simulate(setting, "online", d=50, seed=0, replicas=2, stop_along=[[1.0, 0.0]])
