"""How long does a lazy run take, and how much memory, as the dimension grows; and against drawing X and NumPy?

Theory 7's reference experiment (relu, p = k = 2, alpha = 3, squared loss), 7 steps; each run in its own process, with
float64 and with float32 storage. Then at d = 5000 against drawing X and descending on it with NumPy (two BLAS
products a step), in turn with ours, of which a round takes the median of a few; the ratio is taken in each round.
"""

import multiprocessing
import os
import resource
import statistics
import time

import numpy as np

from rebatch import Setting, TooLargeError, simulate

SIZES = (10_000, 50_000, 200_000, 1_000_000, 4_000_000)
DENSE = 5_000
ROUNDS = 3
REPEATS = 9
SETTING = Setting(target="tanh(z1 + z2**3 - 3*z2)", activation="relu", neurons=2, alpha=3, eta=0.2, steps=7)


def measure(d: int, storage: str, send) -> None:
    """Send the seconds and the peak memory in bytes of one run, or why it was refused."""
    start = time.perf_counter()
    try:
        simulate(SETTING, d=d, seed=0, storage=storage)
    except TooLargeError as error:
        send.send(str(error))
        return
    seconds = time.perf_counter() - start
    send.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def drawn_and_numpy(d: int, dtype: type) -> np.ndarray:
    """Draw X and descend on it; return the last M."""
    rng = np.random.default_rng(0)
    n, k, p = SETTING.samples(d), SETTING.k, SETTING.neurons
    X = rng.standard_normal((n, d), dtype=dtype)
    basis = np.sqrt(d) * np.linalg.qr(rng.standard_normal((d, k + p)))[0].T.astype(dtype)
    stars, W, a, scale = basis[:k], basis[k:], SETTING.a().astype(dtype), dtype(1 / np.sqrt(d))
    y = SETTING.target(X @ stars.T * scale).astype(dtype)
    for _ in range(SETTING.steps):
        h = X @ W.T * scale
        g = a * (h > 0) * (y - np.maximum(h, 0) @ a)[:, None]
        W = W + dtype(SETTING.eta) * scale * (g.T @ X)
    return W @ stars.T / d


def against_numpy() -> None:
    """Print seconds and ratios at d = 5000."""
    runs = {
        "lazy, float64": lambda: simulate(SETTING, d=DENSE, seed=0),
        "X and NumPy, float64": lambda: drawn_and_numpy(DENSE, np.float64),
        "X and NumPy, float32": lambda: drawn_and_numpy(DENSE, np.float32),
    }
    times: dict[str, list[float]] = {name: [] for name in runs}
    for round_ in range(ROUNDS + 1):
        for name, run in runs.items():
            seconds = []
            for _ in range(
                REPEATS if name.startswith("lazy") else 1
            ):  # the first after NumPy finds cold caches
                start = time.perf_counter()
                run()
                seconds.append(time.perf_counter() - start)
            if round_:  # the first warms up
                times[name].append(statistics.median(seconds))
    for name, values in times.items():
        ratio = statistics.median(t / ours for t, ours in zip(values, times["lazy, float64"], strict=True))
        print(
            f"d = {DENSE}, {name:21} {statistics.median(values):8.3f} s, {ratio:6.1f} times lazy", flush=True
        )


def main() -> None:
    """Print a line per size and storage, and the comparison."""
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    for d in SIZES:
        for storage in ("float64", "float32"):
            receive, send = multiprocessing.Pipe(duplex=False)
            process = multiprocessing.Process(target=measure, args=(d, storage, send))
            process.start()
            answer = receive.recv()
            process.join()
            if isinstance(answer, str):
                print(f"d = {d:>9,}, {storage}: refused: {answer}", flush=True)
                continue
            seconds, memory = answer
            print(
                f"d = {d:>9,}, {storage}: {seconds:7.2f} s, {memory / 2**30:6.2f} GiB, "
                f"{1e6 * seconds / d:6.2f} µs per dimension",
                flush=True,
            )
    against_numpy()


if __name__ == "__main__":
    main()
