"""Gradient flow: eta -> 0 at fixed time eta t, of the population or on one batch (theory, 6.4).

On the population the overlaps are closed: with n = alpha d samples per step,
dM/dt = -lam M + alpha E[g z^T] and dQ/dt = -2 lam Q + alpha (E[g h^T] + E[h g^T]) [SS95]; normalised rows stay on the
sphere by removing the radial part. On a batch the weights themselves flow,
dw_j/dt = -lam w_j + sum_v x_v g_j(v)/sqrt(d). Both by an embedded Runge-Kutta pair with control of the local error.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np

from ...symbolic import checks
from ...symbolic.errors import RebatchError
from ..machine.blocks import Array, thread_count, thread_pool
from ..machine.draws import stream
from ..machine.memory import require
from ..machine.progress import progress
from ..population import population
from ..setting import Setting
from ..start import start
from ..trajectory import Trajectory
from .dense import DenseSide
from .descent import DIVERGED, Record, divergence, interruption

# The integrator takes six evaluations a step: a flow that needs more of them is stiff beyond use, or blows up.
_MOST_EVALUATIONS = 20_000
# A recorded step: its number and two arrays with their heads.
_BYTES_PER_STEP = 500.0


class _Endless(Exception):
    """A step of the flow does not end."""


def simulate_flow(
    setting: Setting,
    *,
    d: int | None = None,
    seed: int = 0,
    threads: int | None = None,
    tolerance: float = 1e-8,
) -> Trajectory:
    """Run gradient flow; step t of the trajectory is the flow at time eta t.

    Parameters
    ----------
    setting : Setting
        ``reuse=False``: the population; ``reuse=True``: one batch of n = alpha d samples, which are stored
        (as in the dense engine, all of X of the law of the inputs).
    d : int, optional
        Needed for a batch, and for a random start, whose overlaps are of order 1/sqrt(d).
    seed : int
    threads : int, optional
        By default one per core.
    tolerance : float
        Relative and absolute local error of the integrator. Expectations have their own error: none beyond rounding
        for polynomials, and for erf on targets that are sums of a polynomial and erf(b . z); that of 65536 Sobol
        points otherwise; attribute ``expectations`` says which.

    Returns
    -------
    Trajectory
        Its training loss is that of the population, or of the batch.

    Raises
    ------
    RebatchError
        If the setting has mini-batches, repeats or a look ahead, none of which a flow has, or d is missing.
    """
    if setting.schedule != "full" or setting.batch_size or setting.repeats != 1 or setting.fresh_at:
        raise RebatchError(
            "a flow has no schedule, batch_size, repeats or fresh_at; allowed are their defaults"
        )
    if setting.rho:
        raise RebatchError(f"rho = {setting.rho:g}; a flow has no look ahead, allowed is 0")
    tolerance = checks.number("tolerance", tolerance, least=1e-13, most=1)
    if d is None and (setting.reuse or setting.start == "random"):
        raise RebatchError("d is missing; a batch and a random start need it")
    if d is not None:
        setting.samples(d)
    if setting.reuse:
        return _batch_flow(setting, int(d or 0), seed, threads, tolerance)
    with thread_pool(threads):  # BLAS has other bits on other threads
        return _population_flow(setting, d, seed, tolerance)


def _population_flow(setting: Setting, d: int | None, seed: int, tolerance: float) -> Trajectory:
    """Integrate dM/dt and dQ/dt of population gradient flow."""
    k, p, alpha, lam = setting.k, setting.neurons, setting.alpha, setting.weight_decay
    weights = start(setting, d or 0, stream(np.random.SeedSequence(seed)))
    fresh = population(setting)

    def unpack(state: Array) -> tuple[Array, Array]:
        Q = state[p * k :].reshape(p, p)
        return state[: p * k].reshape(p, k), (Q + Q.T) / 2

    def rate(_: float, state: Array) -> Array:
        M, Q = unpack(state)
        gz, gh = fresh.moments(M, Q)
        dM = alpha * gz - lam * M
        dQ = alpha * (gh + gh.T) - 2 * lam * Q
        if setting.normalize:
            radial = np.diagonal(dQ) / np.diagonal(Q) / 2
            dM -= radial[:, None] * M
            dQ -= (radial[:, None] + radial) * Q
        return np.concatenate([dM.ravel(), dQ.ravel()])

    state = np.concatenate([weights[:, :k].ravel(), (weights @ weights.T).ravel()])
    record = Record(setting)
    for step, now in _integrate(setting, rate, state, tolerance, record):
        M, Q = unpack(now)
        record.add(step, M.copy(), Q, fresh.loss(M, Q))
    how = "exact" if fresh.exact else "Sobol"
    return record.trajectory(engine="flow", d=d or 0, seed=int(seed), expectations=how)


def _batch_flow(setting: Setting, d: int, seed: int, threads: int | None, tolerance: float) -> Trajectory:
    """Integrate dW/dt of gradient flow on one batch."""
    with thread_pool(threads) as pool:
        side = DenseSide(
            setting, d, np.random.SeedSequence(seed), thread_count(threads), None, None, "float64", None
        )
        side.pool = pool
        weights = side.begin(0, side.start)

        def rate(_: float, state: Array) -> Array:
            W = state.reshape(weights.shape)
            G, _ = side.gradient(W)
            G -= setting.weight_decay * W
            if setting.normalize:
                G -= (np.einsum("ij,ij->i", G, W) / np.einsum("ij,ij->i", W, W))[:, None] * W
            return G.ravel()

        record = Record(setting)
        for step, now in _integrate(setting, rate, weights.ravel(), tolerance, record):
            W = now.reshape(weights.shape)
            record.add(step, *side.overlaps(W), side.loss(W))
    return record.trajectory(engine="flow", d=d, seed=int(seed), expectations="batch")


def _integrate(
    setting: Setting, rate: Callable[[float, Array], Array], state: Array, tolerance: float, record: Record
) -> "list[tuple[int, Array]]":
    """Return (step, state) at the recorded steps, up to a divergence or Ctrl-C; `record` then says so."""
    kept = -(-setting.steps // setting.record_every)
    require(_BYTES_PER_STEP * kept + 16.0 * kept * state.size, f"recording {kept} steps of a flow")
    if not np.isfinite(setting.eta * setting.steps):
        raise RebatchError(
            f"eta = {setting.eta:g} and steps = {setting.steps}; allowed are finite times eta steps of a flow"
        )
    steps = [*range(0, setting.steps, setting.record_every), setting.steps]
    result = [(0, state)]
    evaluations = 0

    def counted(time: float, state: Array) -> Array:
        nonlocal evaluations
        evaluations += 1
        if evaluations > _MOST_EVALUATIONS:
            raise _Endless
        return rate(time, state)

    def room(_: float, state: Array) -> float:
        return DIVERGED - float(np.abs(state).max())

    from scipy.integrate import solve_ivp  # noqa: PLC0415 - half a second that the other engines do without

    setattr(room, "terminal", True)  # noqa: B010 - how SciPy is told
    with progress("gradient flow", setting.steps) as done, np.errstate(all="ignore"):
        for before, step in pairwise(steps):
            times, evaluations = (setting.eta * before, setting.eta * step), 0
            try:
                solution = solve_ivp(
                    counted, times, state, method="RK45", rtol=tolerance, atol=tolerance, t_eval=[times[1]],
                    events=room,
                )  # fmt: skip
            except _Endless:
                record.stopped = (
                    f"step {step} of the flow needs more than {_MOST_EVALUATIONS} evaluations; the steps before are "
                    "kept; a smaller eta or a larger tolerance is needed"
                )
                break
            except KeyboardInterrupt:
                record.stopped = interruption(before)
                break
            if solution.status != 0 or not (np.abs(solution.y) <= DIVERGED).all():
                record.stopped = divergence(step)
                break
            state = solution.y[:, -1]
            result.append((step, state))
            done(step)
    return result
