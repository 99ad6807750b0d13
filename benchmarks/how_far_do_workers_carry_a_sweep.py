"""How much faster is a sweep on two workers than on one? A Dask LocalCluster of processes with one thread each."""

import statistics
import tempfile
import time

from dask.distributed import Client, LocalCluster

import rebatch as rb

ROUNDS = 3
SETTINGS = [
    rb.Setting(target="z1 + He(3, z2)", activation="relu", neurons=2, alpha=3, eta=eta, steps=7)
    for eta in (0.05, 0.1, 0.2, 0.4)
]
SEEDS = 8
D = 20_000


def seconds(client: Client) -> float:
    """Return the time of the whole sweep, its files and its reading included."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        rb.sweep(SETTINGS, d=D, seeds=SEEDS, folder=folder, client=client, threads=1)
        return time.perf_counter() - began


def main() -> None:
    """Print medians, with the workers warm, and their ratio."""
    taken: dict[int, list[float]] = {1: [], 2: []}
    clusters = {n: LocalCluster(n_workers=n, threads_per_worker=1, dashboard_address=None) for n in taken}
    clients = {n: Client(cluster) for n, cluster in clusters.items()}
    for client in clients.values():
        seconds(client)  # the first run loads the library in each worker
    for _ in range(ROUNDS):
        for n, client in clients.items():
            taken[n].append(seconds(client))
    one, two = (statistics.median(taken[n]) for n in taken)
    print(f"{len(SETTINGS) * SEEDS} runs at d = {D}: 1 worker {one:.2f} s, 2 workers {two:.2f} s")
    ratios = [a / b for a, b in zip(taken[1], taken[2], strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    for client in clients.values():
        client.close()
    for cluster in clusters.values():
        cluster.close()


if __name__ == "__main__":
    main()
