"""How fast is one full-batch gradient step on a stored X, against NumPy, PyTorch and JAX on the same data?

relu, squared loss, two threads each, from p = 1 and 2 (memory decides) to p = 16 and 64 (arithmetic decides). Beside
them the time of one read of X, for the share of the machine's read bandwidth. The peers are measured in turn
with ours, and the ratio is taken in each round: other load on the machine meets both. PyTorch and JAX are used
where they are installed; rebatch does not depend on them.
"""

import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from threadpoolctl import threadpool_limits

from rebatch.kernels.gradient import gradient
from rebatch.numeric.machine.memory import aligned

THREADS = 2
ROUNDS = 11
FLOAT32, FLOAT64 = np.float32, np.float64
SHAPES = (
    *((30_000, 10_000, p, FLOAT32) for p in (1, 2)),
    *((30_000, 5_000, p, FLOAT32) for p in (4, 16, 64)),
    *((15_000, 5_000, p, FLOAT64) for p in (1, 4, 16, 64)),
)


def peers(X, W, y, a) -> dict[str, Callable[[], object]]:
    """Return one step of each library that is installed."""
    scale = X.dtype.type(1 / np.sqrt(X.shape[1]))

    def step_numpy():
        h = X @ W.T * scale
        g = a * (h > 0) * (y - np.maximum(h, 0) @ a)[:, None]
        return g.T @ X * scale

    result = {"NumPy": step_numpy}
    try:
        import torch

        torch.set_num_threads(THREADS)
        Xt, yt, at = (torch.from_numpy(v) for v in (X, y, a))
        Wt, Wg = torch.from_numpy(W), torch.from_numpy(W.copy()).requires_grad_()

        def step_torch():
            with torch.no_grad():
                h = Xt @ Wt.T * float(scale)
                g = at * (h > 0) * (yt - torch.relu(h) @ at)[:, None]
                return g.T @ Xt * float(scale)

        def step_autograd():
            Wg.grad = None
            ((yt - torch.relu(Xt @ Wg.T * float(scale)) @ at) ** 2).sum().div(2).backward()
            return Wg.grad

        result |= {"PyTorch by hand": step_torch, "PyTorch autograd": step_autograd}
    except ImportError:
        print("PyTorch is not installed")
    try:
        import jax
        import jax.numpy as jnp

        jax.config.update("jax_enable_x64", True)
        Xj, Wj, yj, aj = (jnp.asarray(v) for v in (X, W, y, a))

        @jax.jit
        def step(W, X, y, a):
            h = X @ W.T * scale
            g = a * (h > 0) * (y - jnp.maximum(h, 0) @ a)[:, None]
            return g.T @ X * scale

        result["JAX jit"] = lambda: step(Wj, Xj, yj, aj).block_until_ready()
    except ImportError:
        print("JAX is not installed")
    return result


def measure(n: int, d: int, p: int, dtype: type[np.floating], pool: ThreadPoolExecutor) -> None:
    """Print medians and ratios for one shape."""
    rng = np.random.default_rng(0)
    X, W = rng.standard_normal((n, d), dtype), rng.standard_normal((p, d), dtype)
    y, a = rng.standard_normal(n, dtype), np.full(p, 1 / np.sqrt(p), dtype)
    parts, out = aligned((min(64, max(1, n // (64 * p))), p, d), dtype), np.empty((p, d))
    ours = aligned(W.shape, dtype)
    ours[...] = W
    order, y64, a64, none = np.arange(n), y.astype(float), a.astype(float), np.empty(0)
    flat = X.reshape(-1)
    half = len(flat) // 2

    steps = {
        "read once": lambda: list(pool.map(np.max, (flat[:half], flat[half:]))),
        "rebatch": lambda: gradient(X, order, y64, ours, a64, 0, none, False, parts, out, THREADS),
        **peers(X, W, y, a),
    }
    times: dict[str, list[float]] = {name: [] for name in steps}
    for round_ in range(ROUNDS + 1):
        for name, step in steps.items():
            start = time.perf_counter()
            step()
            if round_:  # the first compiles and warms up
                times[name].append(time.perf_counter() - start)
    print(f"n = {n}, d = {d}, p = {p}, {X.dtype}, {X.nbytes / 1e9:.2f} GB, {ROUNDS} rounds")
    for name, values in times.items():
        ratio = statistics.median(t / own for t, own in zip(values, times["rebatch"], strict=True))
        seconds = statistics.median(values)
        print(
            f"  {name:18}{1e3 * seconds:8.1f} ms  {X.nbytes / seconds / 1e9:6.1f} GB/s  {ratio:6.2f} times ours"
        )


if __name__ == "__main__":
    with threadpool_limits(THREADS, "blas"), ThreadPoolExecutor(THREADS) as pool:
        for shape in SHAPES:
            measure(*shape, pool)
