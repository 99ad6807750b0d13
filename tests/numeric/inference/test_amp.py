import numpy as np
import pytest

from rebatch import RebatchError, Target, amp, amp_on_data, state_evolution


@pytest.mark.parametrize(
    ("text", "alpha", "start", "noise"),
    [
        ("He(3, z1)", 2.0, 0.0, 0.0),
        ("sign(z1)", 1.5, 0.0, 0.0),
        ("abs(z1)", 1.5, 0.3, 0.0),
        ("relu(z1)", 0.8, 0.0, 0.5),
    ],
)
def test_runs_follow_state_evolution(text, alpha, start, noise):
    steps, d, runs = 4, 1000 if noise else 8000, 8
    target = Target(text, noise_std=noise)
    predicted = state_evolution(target, alpha, steps=steps, start=start).cosine[1:]
    found = np.array(
        [amp(target, alpha, d=d, steps=steps, seed=seed, start=start).cosine[1:] for seed in range(runs)]
    )
    error = found.std(axis=0, ddof=1) / np.sqrt(runs)
    # Student's t with 7 degrees of freedom exceeds 12 with probability 6e-6; the mean is off by O(1/d).
    assert (np.abs(found.mean(axis=0) - predicted) < 12 * error + 5 / d).all()
    assert error.max() < 0.01


@pytest.mark.deep
@pytest.mark.parametrize("d", [2000, 20_000, 200_000])
def test_runs_come_close_to_state_evolution_as_d_grows(d):
    predicted = state_evolution("He(3, z1)", 2.0, steps=5).cosine[1:]
    found = np.array([amp("He(3, z1)", 2.0, d=d, steps=5, seed=s).cosine[1:] for s in range(8)])
    error = found.std(axis=0, ddof=1) / np.sqrt(8)
    assert (np.abs(found.mean(axis=0) - predicted) < 12 * error + 5 / d).all()
    assert (found.std(axis=0) < 3 / np.sqrt(d)).all()


def test_stored_data_follow_state_evolution_too():
    d, alpha = 1500, 2.0
    rng = np.random.default_rng(3)
    cosines = []
    for _ in range(4):
        X, w = rng.standard_normal((int(alpha * d), d)), rng.standard_normal(d)
        z = X @ w / np.linalg.norm(w)
        run = amp_on_data("He(3, z1)", X, z**3 - 3 * z, steps=3, start=np.zeros(d), truth=w)
        cosines.append(run.cosine[1:])
        assert run.estimate.shape == (d,)
    predicted = state_evolution("He(3, z1)", alpha, steps=3).cosine[1:]
    # Runs spread by about 0.4/sqrt(d) = 0.01: five standard errors of the mean of four, and 5/d.
    assert np.abs(np.mean(cosines, axis=0) - predicted).max() < 0.03


def test_the_same_seed_gives_the_same_run_whatever_the_threads():
    one, two = (amp("He(3, z1)", 2.0, d=20_000, steps=2, seed=5, threads=t).cosine for t in (1, 2))
    assert np.array_equal(one, two, equal_nan=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha": -1.0, "d": 100, "steps": 2}, "alpha"),
        ({"alpha": 1.0, "d": 100, "steps": 0}, "steps"),
        ({"alpha": 1.0, "d": 100, "steps": 1, "start": -0.1}, "start"),
    ],
)
def test_bad_input_is_one_clear_line(options, words):
    with pytest.raises(RebatchError, match=words):
        amp("He(3, z1)", **options, seed=0)


def test_data_that_do_not_fit_are_refused():
    with pytest.raises(RebatchError, match="allowed are"):
        amp_on_data("z1", np.zeros((4, 3)), np.zeros(5), steps=1, start=np.zeros(3))
