"""How long does the limit take to a standard error of 1e-4, and what do more steps and more neurons cost.

Theory 7's reference experiment (relu, p = k = 2, alpha = 3, squared loss), 7 steps, and every schedule of the batch
(theory 8: relu, p = k = 4, alpha = 5, ten steps); each case in its own process.
"""

import multiprocessing
import resource
import statistics
import time

import numpy as np

from rebatch import Setting
from rebatch.numeric.engines.limit import simulate_limit

REPEATS = 3
# How batches come: ten steps of each, or two epochs of single samples.
SCHEDULES = (
    ("full", None),
    ("cyclic", 5),
    ("reshuffled", 5),
    ("with replacement", 5),
    ("with replacement", "single"),
)


def reference(*, neurons: int = 2, steps: int = 7) -> Setting:
    """Return the reference experiment, perhaps with more neurons or steps."""
    return Setting(
        target="tanh(z1 + z2**3 - 3*z2)", activation="relu", neurons=neurons, alpha=3, eta=0.2, steps=steps
    )


def fourth(schedule: str, batches: int | str | None) -> Setting:
    """Return the setting of Fig. 4 of Dandi et al. 2024, four neurons, with this schedule."""
    return Setting(
        target="z1*z2*z3 + He(3, z4)",
        activation="relu",
        neurons=4,
        alpha=5,
        eta=0.2,
        steps=2 if batches == "single" else 10,
        schedule=schedule,
        batches=batches,
    )


def measure(setting: Setting, options: dict[str, int], send) -> None:
    """Send the median seconds, the median of the largest error of M and the peak memory in bytes."""
    seconds, errors = [], []
    for seed in range(REPEATS):
        start = time.perf_counter()
        run = simulate_limit(setting, seed=seed, **options)
        seconds.append(time.perf_counter() - start)
        errors.append(float(np.max(run.data["M_error"])))
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    send.send((statistics.median(seconds), statistics.median(errors), memory))


def report(name: str, setting: Setting, **options: int) -> float:
    """Print one case and return its seconds."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=measure, args=(setting, options, send))
    process.start()
    seconds, error, memory = receive.recv()
    process.join()
    print(f"{name}: {seconds:6.2f} s, largest error of M {error:.1e}, {memory / 1e9:.2f} GB")
    return seconds


def main() -> None:
    """Print the reference experiment, then the cost against steps and neurons."""
    report("reference, 28 scrambles of 2^17", reference(), points=2**17, scrambles=28)
    report("2^20 points, 20 steps          ", reference(steps=20), points=2**20, scrambles=3)
    base = {T: report(f"{T:2} steps", reference(steps=T), points=2**14) for T in (5, 10, 20, 50)}
    print(f"50 steps cost {base[50] / base[5]:.1f} times 5 steps")
    width = {p: report(f"{p} neurons", reference(neurons=p), points=2**14) for p in (1, 2, 4, 8)}
    print(f"8 neurons cost {width[8] / width[1]:.1f} times 1 neuron")
    report("Fig. 4, cyclic, 44 scrambles of 2^19", fourth("cyclic", 5), points=2**19, scrambles=44)
    for schedule, batches in SCHEDULES:
        # Single samples are an extrapolation from 4, 8 and 16 batches an epoch.
        points, scrambles = (2**15, 8) if batches == "single" else (2**17, 16)
        report(
            f"{schedule}, batches {batches or 1}",
            fourth(schedule, batches),
            points=points,
            scrambles=scrambles,
        )


if __name__ == "__main__":
    main()
