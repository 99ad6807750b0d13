"""How fast is a complete analysis: every target of the catalog, and three that are larger than any of them?

Each target is analyzed three times; answers are dropped in between, tables of one-dimensional integrals are kept. The
first time and the median are printed.
"""

import statistics
import time

from rebatch import analyze
from rebatch.symbolic.language.catalog import catalog
from rebatch.symbolic.learnability import any_target

REPETITIONS = 3
LARGE = {
    "degree 12 in 3 coordinates": "He(12, z1) + z1^4*z2^4*z3^4 + z1^5*z3^3 + z2",
    "degree 6 in 6 coordinates": "z1*z2*z3*z4*z5*z6 + (z1 + z2)^6 + z3^3*z4^2 + z5^2*z6 + z1*z6",
    "a committee of 4": "relu(z1) + relu(z2) + relu(z3) + relu(z4)",
}


def seconds(text: str) -> tuple[float, float]:
    """Return the first and the median time of an analysis."""
    times = []
    for _ in range(REPETITIONS):
        any_target.forget()
        start = time.perf_counter()
        analyze(text)
        times.append(time.perf_counter() - start)
    return times[0], statistics.median(times)


def main() -> None:
    """Print the table of times, slowest last."""
    print(f"{'target':28} {'first':>10} {'median':>10}")
    named = {entry.name: seconds(entry.text) for entry in catalog()}
    total = tuple(map(sum, zip(*named.values(), strict=True)))
    rows = [*sorted(named.items(), key=lambda item: item[1]), ("the whole catalog", total)]
    rows += [(name, seconds(text)) for name, text in LARGE.items()]
    for name, (first, median) in rows:
        print(f"{name:28} {first:8.3f} s {median:8.3f} s")


if __name__ == "__main__":
    main()
