"""How long does a lazy run take, and how much memory, as the dimension grows?

Theory 7's reference experiment (relu, p = k = 2, alpha = 3, squared loss), 7 steps; each size in its own process.
"""

import multiprocessing
import resource
import time

from rebatch import Setting, simulate

SIZES = (10_000, 50_000, 200_000, 1_000_000)


def measure(d: int, send) -> None:
    """Send the seconds and the peak memory in bytes of one run."""
    setting = Setting(
        target="tanh(z1 + z2**3 - 3*z2)", activation="relu", neurons=2, alpha=3, eta=0.2, steps=7
    )
    start = time.perf_counter()
    simulate(setting, d=d, seed=0)
    seconds = time.perf_counter() - start
    send.send((seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def main() -> None:
    """Print a line per size."""
    for d in SIZES:
        receive, send = multiprocessing.Pipe(duplex=False)
        process = multiprocessing.Process(target=measure, args=(d, send))
        process.start()
        seconds, memory = receive.recv()
        process.join()
        print(
            f"d = {d:>9,}: {seconds:7.2f} s, {memory / 2**30:6.2f} GiB, {1e6 * seconds / d:6.2f} µs per dimension"
        )


if __name__ == "__main__":
    main()
