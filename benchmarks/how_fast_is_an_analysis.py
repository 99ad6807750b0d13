"""How fast is a complete analysis: the catalog, larger targets, and ridge polynomials in hidden directions?

Each target is analyzed three times; answers are dropped in between, tables of one-dimensional integrals are kept. The
first time and the median are printed, in seconds of processor time.
"""

import statistics
import time

import numpy as np

from rebatch import analyze
from rebatch.symbolic.language.catalog import catalog
from rebatch.symbolic.learnability.reading import forget

REPETITIONS = 3
LARGE = {
    "degree 12 in 3 coordinates": "He(12, z1) + z1^4*z2^4*z3^4 + z1^5*z3^3 + z2",
    "degree 6 in 6 coordinates": "z1*z2*z3*z4*z5*z6 + (z1 + z2)^6 + z3^3*z4^2 + z5^2*z6 + z1*z6",
    "a committee of 4": "relu(z1) + relu(z2) + relu(z3) + relu(z4)",
    "a plane in 4 coordinates": "He(1, 3*z1-2*z2-2*z4)*He(2, z1-3*z2-3*z3+3*z4) + 3*z1-2*z2-2*z4",
    "symmetric in 4 coordinates": "(z1+z2+z3+z4)^3 - 12*(z1+z2+z3+z4) - 4*(z1^2+z2^2+z3^2+z4^2)",
    "two irrational forms in 4": "relu(z1+sqrt(2)*z2) + relu(z3-sqrt(3)*z4)",
    "two that overlap": "relu(z1+sqrt(2)*z2+z3) + relu(z2-sqrt(3)*z3+z4)",
    "three irrational forms in 4": "relu(z1+sqrt(2)*z2) + relu(z3-sqrt(3)*z4) + relu(z1+z4)",
    "three oblique forms": "relu(z1+2*z2) + relu(z1-z2) + relu(z1+3*z2)",
    "tanh of three forms": "tanh(z1+z2) + tanh(z2+2*z3) + tanh(z1-z3)",
    "tanh in three directions": "tanh(z1+z2*z3+z3^3)",
    "a difference of gelus": "gelu(z1) - gelu(z2)",
    "an oblique plane in 4": "He(2, 2*z1-2*z2)*He(2, 2*z1-3*z2+3*z3+z4) + 2*(2*z1-2*z2)^2",
}
RIDGES = 10


def ridge_polynomial(rng: np.random.Generator) -> str:
    """Return a sum of two products of Hermite polynomials of linear forms, in four to six coordinates."""
    k = int(rng.integers(4, 7))

    def form() -> str:
        entries = rng.integers(-3, 4, k)
        entries[rng.integers(k)] = 1
        return "+".join(f"({x})*z{i}" for i, x in enumerate(entries, start=1) if x)

    def product(factors: int) -> str:
        return "*".join(f"He({rng.integers(1, 3)}, {form()})" for _ in range(factors))

    return f"{product(2)} + {product(1)}"


def seconds(text: str) -> tuple[float, float]:
    """Return the first and the median time of an analysis."""
    times = []
    for _ in range(REPETITIONS):
        forget()
        start = time.process_time()
        analyze(text)
        times.append(time.process_time() - start)
    return times[0], statistics.median(times)


def main() -> None:
    """Print the table of times, slowest last."""
    print(f"{'target':28} {'first':>10} {'median':>10}")
    named = {entry.name: seconds(entry.text) for entry in catalog()}
    total = tuple(map(sum, zip(*named.values(), strict=True)))
    rows = [*sorted(named.items(), key=lambda item: item[1]), ("the whole catalog", total)]
    rows += [(name, seconds(text)) for name, text in LARGE.items()]
    rng = np.random.default_rng(0)
    rows += [(f"ridge polynomial {i}", seconds(ridge_polynomial(rng))) for i in range(1, RIDGES + 1)]
    for name, (first, median) in rows:
        print(f"{name:28} {first:8.3f} s {median:8.3f} s")


if __name__ == "__main__":
    main()
