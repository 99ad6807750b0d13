"""How fast are Gaussian expectations and Hermite coefficients of any target, against SymPy on the same integrals?

sympy.stats gets E[g(Z)], sympy.integrate the integral of g times the density over the line; each in a process of its
own, at most REBATCH_BENCH_CAP (60) seconds. A value is called wrong if it differs from ours by over 1e-9.
"""

import multiprocessing
import os
import statistics
import subprocess
import sys
import time

import sympy as sp
from sympy.stats import E, Normal

from rebatch import Target, hermite_series
from rebatch.symbolic.calculus.gaussian import expectation
from rebatch.symbolic.calculus.line import line_integral
from rebatch.symbolic.language.symbols import coordinate

RUNS = 15
CAP_SECONDS = float(os.environ.get("REBATCH_BENCH_CAP", "60"))
INTEGRANDS = (
    "z1^4*exp(z1)",
    "z1^2*exp(-z1^2)",
    "cos(pi*z1)*z1^2",
    "abs(z1)",
    "relu(z1 - 1/2)",
    "sign(z1)*z1^3",
    "erf(z1)*z1",
    "abs(z1^3 - 3*z1)",
)
SERIES = [(f"{name}(z1)", 31) for name in ("relu", "sign", "exp", "cos", "erf")]
SERIES += [("tanh(z1)", 15), ("tanh(He(3, z1))", 15)]


def stats(text: str, send) -> None:
    """Send E[g] of sympy.stats and its seconds."""
    g, Z = Target(text).expr, Normal("Z", 0, 1)
    start = time.perf_counter()
    value = E(g.subs(coordinate(1), Z))
    send.send((str(value.evalf(15)), time.perf_counter() - start))


def integral(text: str, send) -> None:
    """Send the integral of sympy.integrate and its seconds."""
    g, z = Target(text).expr, coordinate(1)
    start = time.perf_counter()
    value = sp.integrate(g * sp.exp(-(z**2) / 2) / sp.sqrt(2 * sp.pi), (z, -sp.oo, sp.oo))
    send.send((str(value.evalf(15)), time.perf_counter() - start))


def theirs(program, text: str, ours: float, value: float) -> str:
    """Return what a SymPy program did, in words."""
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=program, args=(text, send))
    process.start()
    send.close()
    try:
        answer, seconds = receive.recv() if receive.poll(CAP_SECONDS) else ("", CAP_SECONDS)
    except EOFError:
        answer, seconds = "failed", 0.0
    finally:
        process.kill()
        process.join()
    if not answer:
        return f"not done in {CAP_SECONDS:g} s"
    try:
        right = abs(float(answer) - value) <= 1e-9 * (1 + abs(value))
    except ValueError:
        return f"no number ({seconds:.2f} s)"
    return f"{seconds:.3f} s, {seconds / ours:.0f} times ours" + ("" if right else f", wrong: {answer}")


def median_seconds(compute) -> float:
    """Return the median time of some runs, shared tables emptied before each."""
    times = []
    for _ in range(RUNS):
        line_integral.cache_clear()
        start = time.perf_counter()
        compute()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def main() -> None:
    """Print the comparison, the times of whole series, and of a cold import."""
    expectation("z1")
    for text in INTEGRANDS:
        g = Target(text)  # read before the clock starts, for SymPy too
        seconds = median_seconds(lambda g=g: expectation(g))
        value = expectation(text)
        print(f"E[{text}] = {value}: {1e3 * seconds:.2f} ms")
        for program in (stats, integral):
            print(f"    sympy {program.__name__:9}{theirs(program, text, seconds, float(value))}", flush=True)
    for text, order in SERIES:
        seconds = median_seconds(lambda text=text, order=order: hermite_series(text, order))
        print(f"{order + 1} Hermite coefficients of {text}: {1e3 * seconds:.0f} ms (median of {RUNS})")
    bare, full = (
        median_seconds(lambda code=code: subprocess.run([sys.executable, "-c", code], check=True))
        for code in ("pass", "import rebatch")
    )
    print(f"import rebatch: {1e3 * (full - bare):.0f} ms over a bare interpreter ({1e3 * bare:.0f} ms)")


if __name__ == "__main__":
    main()
