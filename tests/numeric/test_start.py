import numpy as np
import pytest

from rebatch import Setting
from rebatch.numeric.start import start


@pytest.mark.parametrize(("d", "k", "p"), [(3, 1, 1), (4, 1, 2), (6, 2, 2)])
def test_random_rows_are_uniform_on_the_sphere(d, k, p):
    # E[M^2] = E[Q_12^2] = 1/d for independent uniform rows; degrees of freedom d give 1/(d + 1) or less.
    setting = Setting(
        target="+".join(f"z{i + 1}" for i in range(k)),
        activation="h",
        neurons=p,
        alpha=2,
        eta=1,
        steps=1,
        start="random",
    )
    rng = np.random.default_rng(0)
    weights = np.array([start(setting, d, rng) for _ in range(20_000)])
    np.testing.assert_allclose((weights**2).sum(axis=2), 1.0)
    squares = (weights[:, :, :k] ** 2).mean(axis=(0, 2))
    others = [((weights[:, 0] * weights[:, j]).sum(axis=1) ** 2).mean() for j in range(1, p)]
    # Six standard errors: the variance of a squared coordinate is at most 2 / d^2.
    tolerance = 6 * np.sqrt(2) / d / np.sqrt(20_000)
    np.testing.assert_allclose([*squares, *others], 1 / d, atol=tolerance)
