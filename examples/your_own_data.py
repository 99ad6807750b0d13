"""Full-batch descent on a data matrix of your own, and a second layer fitted to what the first has learned."""

import numpy as np

import rebatch as rb

n, d = 3000, 1000
# A memory-mapped .npy works as well, float32 or float64; rows are samples, entries of variance 1.
X = np.random.default_rng(0).standard_normal((n, d)).astype(np.float32)

experiment = rb.Setting(
    target="tanh(z1 + z2^3 - 3*z2)", activation="relu", neurons=8, alpha=n / d, eta=0.5, steps=6
)
run = rb.simulate(experiment, "dense", d=d, seed=1, X=X)
print(run.M.sel(step=6).values.round(3))

readout = rb.ridge_readout(run, seed=2)
print(readout)
