"""How many steps per second does the online chain take, and how does it compare with descent on real samples?

One fresh sample per step, squared loss, d = 1000, replicas on one thread and on two. Beside it plain NumPy descent at
the same d that draws each x and updates w: what the chain replaces.
"""

import os
import statistics
import time

import numpy as np
from scipy.special import erf

from rebatch import Setting, simulate

D = 1_000
REPLICAS = 64
ROUNDS = 5
CASES = (
    ("p = k = 1, erf", {"target": "z1", "activation": "erf"}, 100_000),
    ("p = k = 1, relu", {"target": "z1", "activation": "relu"}, 100_000),
    ("p = k = 2, erf", {"target": "z1 + z2", "activation": "erf", "neurons": 2}, 20_000),
    ("p = k = 2, relu", {"target": "z1 + z2", "activation": "relu", "neurons": 2}, 20_000),
    ("p = k = 1, erf, 4 a step", {"target": "z1", "activation": "erf", "batch_size": 4}, 10_000),
    ("p = k = 1, erf, rho", {"target": "z1", "activation": "erf", "rho": 0.1}, 20_000),
    (
        "p = k = 1, tanh, He_3, rho",
        {"target": "He(3, z1)", "activation": "tanh", "rho": 0.1, "loss": "correlation"},
        20_000,
    ),
    ("p = 8, k = 2, erf", {"target": "z1 + z2", "activation": "erf", "neurons": 8}, 5_000),
)


def rate(options: dict[str, object], steps: int, threads: int) -> float:
    """Return replica-steps per second, drawing the samples included."""
    setting = Setting(**options, alpha=1, eta=0.5, steps=steps, record_every=steps, reuse=False)
    start = time.perf_counter()
    simulate(setting, "online", d=D, seed=0, replicas=REPLICAS, threads=threads)
    return REPLICAS * steps / (time.perf_counter() - start)


def rate_numpy(steps: int) -> float:
    """Return steps per second of p = k = 1, erf, with real samples, one at a time."""
    rng = np.random.default_rng(0)
    star, w = np.sqrt(D) * np.linalg.qr(rng.standard_normal((D, 2)))[0].T
    scale = 1 / np.sqrt(D)
    start = time.perf_counter()
    for _ in range(steps):
        x = rng.standard_normal(D)
        h = x @ w * scale
        w = w + 0.5 * scale * (x @ star * scale - erf(h)) * 2 / np.sqrt(np.pi) * np.exp(-(h**2)) * x
    return steps / (time.perf_counter() - start)


def main() -> None:
    """Print a line per case: medians over rounds in which all take turns."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; d = {D}, {REPLICAS} replicas")
    rates: dict[tuple[str, int], list[float]] = {}
    plain = []
    for _ in range(ROUNDS):
        plain.append(rate_numpy(5_000))
        for name, options, steps in CASES:
            for threads in (1, 2):
                rates.setdefault((name, threads), []).append(rate(options, steps, threads))
    print(
        f"{'NumPy, real samples':26} 1 thread  {statistics.median(plain) / 1e6:8.3f} million steps a second"
    )
    for (name, threads), values in rates.items():
        print(
            f"{name:26} {threads} thread{'s' * (threads > 1):1}  {statistics.median(values) / 1e6:8.2f} million"
        )


if __name__ == "__main__":
    main()
