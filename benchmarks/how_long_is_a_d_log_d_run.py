"""How long does it take 256 replicas of online descent to find a direction of order 2 at d = 10^5?

They need d log d steps of one fresh sample. The protocol is that of `rebatch scaling "He(2, z)"`: correlation loss, a
random start, until the overlap is 1/2. Beside it d = 10^4, and plain NumPy descent that draws each x and updates w:
the time of one of its steps, times the steps of all replicas.
"""

import math
import os
import time

import numpy as np

from rebatch import simulate
from rebatch.verify.protocol import protocol

REPLICAS = 256
THREADS = 2
SIZES = (10_000, 100_000)


def measured(d: int) -> tuple[float, float, float]:
    """Return the seconds of a run until every replica has found the direction, the median step, and all steps."""
    plan = protocol("He(2, z)")
    start = time.perf_counter()
    run = simulate(
        plan.setting(d),
        "online",
        d=d,
        seed=0,
        replicas=REPLICAS,
        threads=THREADS,
        stop=plan.threshold,
        stop_along=plan.directions.tolist(),
    )
    seconds = time.perf_counter() - start
    steps = run.data["hitting_step"].values
    if (steps < 0).any():
        raise SystemExit(f"{(steps < 0).sum()} of {REPLICAS} replicas did not find it at d = {d}")
    return seconds, float(np.median(steps)), float(steps.sum())


def step_of_numpy(d: int) -> float:
    """Return the seconds of one step on a real sample."""
    rng = np.random.default_rng(0)
    star, w = np.linalg.qr(rng.standard_normal((d, 2)))[0].T
    count = 200
    start = time.perf_counter()
    for _ in range(count):
        x = rng.standard_normal(d)
        w = w + 0.1 / d * ((x @ star) ** 2 - 1) * (x @ w) * x
        w /= math.sqrt(w @ w)
    return (time.perf_counter() - start) / count


def main() -> None:
    """Print a line per dimension, and the ratio of both to d log d."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores; {REPLICAS} replicas, {THREADS} threads")
    medians = []
    for d in SIZES:
        seconds, median, steps = measured(d)
        medians.append(median)
        times = steps * step_of_numpy(d) / THREADS / seconds
        print(
            f"d = {d:7} {seconds:6.1f} s, median {median:9.0f} steps, {steps / seconds / 1e6:5.1f} million "
            f"replica-steps a second; NumPy on {THREADS} cores would take {times:.0f} times as long"
        )
    small, large = SIZES
    law = large * math.log(large) / (small * math.log(small))
    print(f"median steps: ratio {medians[1] / medians[0]:.1f}, of d log d {law:.1f}")


if __name__ == "__main__":
    main()
