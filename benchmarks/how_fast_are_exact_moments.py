"""How fast are exact Gaussian moments of polynomials, against sympy.stats on the same expression?

E[y^m z_r], r = 1, 2, 3, for y = (z1^2 - 1) (z2^3 - 3 z2) + z3 and m = 6 (which vanish by symmetry) and 5. sympy.stats
gets one of the three moments, and at most 60 seconds for it.
"""

import multiprocessing
import statistics
import time

import sympy as sp
from sympy.stats import E, Normal

from rebatch import Target
from rebatch.symbolic.calculus.gaussian import first_moments
from rebatch.symbolic.exact.polynomial import to_polynomial

TEXT = "(z1^2 - 1)*(z2^3 - 3*z2) + z3"
POWERS = (6, 5)
CAP_SECONDS = 60


def ours(power: int) -> list[str]:
    """Return the three moments, from the text on."""
    target = Target(TEXT)
    y = to_polynomial(target.expr, target.coordinates)
    return [str(x) for x in first_moments(y**power, target.k)]


def theirs(power: int, send) -> None:
    """Send E[y^power z3] from sympy.stats and the seconds it took, expanded first, as its users would."""
    z1, z2, z3 = (Normal(f"z{i}", 0, 1) for i in (1, 2, 3))
    start = time.perf_counter()
    y = (z1**2 - 1) * (z2**3 - 3 * z2) + z3
    value = sum(E(term) for term in sp.Add.make_args(sp.expand(y**power * z3)))
    send.send((str(value), time.perf_counter() - start))


def main() -> None:
    """Print both times and their ratio for each power."""
    for power in POWERS:
        compare(power)


def compare(power: int) -> None:
    """Print both times and their ratio."""
    times = []
    for _ in range(20):
        start = time.perf_counter()
        values = ours(power)
        times.append(time.perf_counter() - start)
    median = statistics.median(times)
    print(
        f"rebatch      E[y^{power} z] = ({', '.join(values)}): {1e3 * median:.2f} ms (all three, median of 20)"
    )
    receive, send = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=theirs, args=(power, send))
    process.start()
    if receive.poll(CAP_SECONDS):
        value, seconds = receive.recv()
        print(f"sympy.stats  E[y^{power} z3] = {value}: {1e3 * seconds:.2f} ms (one moment, once)")
        print(f"ratio for one moment: {seconds / (median / 3):.0f}")
        assert value == values[2]
    else:
        process.terminate()
        print(
            f"sympy.stats  not finished after {CAP_SECONDS} s: ratio above {CAP_SECONDS / (median / 3):.0f}"
        )
    process.join()


if __name__ == "__main__":
    main()
