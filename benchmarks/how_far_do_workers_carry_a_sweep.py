"""How much faster is a sweep on two workers than on one? Of a Dask LocalCluster, and of a pool; one thread each.

Beside the time, what the workers' processors did: on a machine with other work the time says little, and twice the
quotient of the two says how much faster two free cores would be.
"""

import statistics
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import psutil
from dask.distributed import Client, LocalCluster

import rebatch as rb

ROUNDS = 3
SETTINGS = [
    rb.Setting(target="z1 + He(3, z2)", activation="relu", neurons=2, alpha=3, eta=eta, steps=7)
    for eta in (0.05, 0.1, 0.2, 0.4)
]
SEEDS = 8
D = 20_000


def processors() -> float:
    """Return the seconds that processors have worked for this process and those that it started."""
    here = psutil.Process()
    times = [process.cpu_times() for process in (here, *here.children(recursive=True))]
    return sum(t.user + t.system for t in times)


def taken(client: Any) -> tuple[float, float]:
    """Return the time of the whole sweep, its files and its reading included, and the processors' time."""
    with tempfile.TemporaryDirectory() as folder:
        began, worked = time.perf_counter(), processors()
        rb.sweep(SETTINGS, d=D, seeds=SEEDS, folder=folder, client=client, threads=1)
        return time.perf_counter() - began, processors() - worked


def compare(name: str, one: Any, two: Any) -> None:
    """Print medians over rounds in which both take turns, with the workers warm, and their ratios."""
    for client in (one, two):
        taken(client)  # the first run loads the library in each worker
    rounds = [(taken(one), taken(two)) for _ in range(ROUNDS)]
    wall, wall2 = (statistics.median([r[i][0] for r in rounds]) for i in range(2))
    worked, worked2 = (statistics.median([r[i][1] for r in rounds]) for i in range(2))
    print(f"{name}: {len(SETTINGS) * SEEDS} runs at d = {D}: 1 worker {wall:.2f} s, 2 workers {wall2:.2f} s")
    ratios = [a[0] / b[0] for a, b in rounds]
    print(f"  ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    free = [2 * a[1] / b[1] for a, b in rounds]
    print(
        f"  processors {worked:.2f} s and {worked2:.2f} s: ratio on two free cores {statistics.median(free):.2f} "
        f"({min(free):.2f} to {max(free):.2f})"
    )


def main() -> None:
    """Compare one worker with two."""
    clusters = [LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=None) for n in (1, 2)]
    clients = [Client(cluster) for cluster in clusters]
    compare("Dask LocalCluster", *clients)
    for opened in (*clients, *clusters):
        opened.close()
    with (
        ProcessPoolExecutor(1, get_context("spawn")) as one,
        ProcessPoolExecutor(2, get_context("spawn")) as two,
    ):
        compare("ProcessPoolExecutor", one, two)


if __name__ == "__main__":
    main()
