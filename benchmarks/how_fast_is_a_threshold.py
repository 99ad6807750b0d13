"""How fast and how exact is a sharp threshold, against channels integrated by hand in NumPy and SciPy?

Research code writes three channels by hand and integrates them: |z| by its one positive root, z1 z2 by Bessel
functions, sign(z1 z2) by its two values. rebatch is asked the same three from their texts.
"""

import statistics
import time

import numpy as np
from scipy.integrate import quad
from scipy.special import k0, k1

from rebatch import weak_recovery_threshold
from rebatch.symbolic.learnability.reading import forget

ROUNDS = 5
# z1 z2 to ten digits, by mpmath.
TRUTH = {"abs(z1)": 0.5, "z1*z2": 0.5937510982, "sign(z1*z2)": np.pi**2 / 4}


def modulus() -> float:
    """Return alpha_c of |z|."""
    return 1 / quad(lambda y: 2 * (y**2 - 1) ** 2 * np.exp(-(y**2) / 2) / np.sqrt(2 * np.pi), 0, 40)[0]


def product() -> float:
    """Return alpha_c of z1 z2, whose label has the density K_0(|y|)/pi."""

    def integrand(y: float) -> float:
        return ((y * k1(y) / k0(y) - 1) ** 2 + y**2) * k0(y) / np.pi

    return 1 / (2 * (quad(integrand, 0, 1)[0] + quad(integrand, 1, 60)[0]))


def parity() -> float:
    """Return alpha_c of sign(z1 z2)."""
    mean = 2 / np.pi
    return 1 / mean**2


def main() -> None:
    """Print time and error of both."""
    for (text, truth), by_hand in zip(TRUTH.items(), (modulus, product, parity), strict=True):
        for name, ask in (("by hand", by_hand), ("rebatch", lambda text=text: _ours(text))):
            times = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                value = ask()
                times.append(time.perf_counter() - start)
            print(
                f"{text:12} {name}: {1e3 * statistics.median(times):9.2f} ms, error {abs(value - truth):.1e}"
            )


def _ours(text: str) -> float:
    forget()
    return weak_recovery_threshold(text, max_degree=1).alpha_c


if __name__ == "__main__":
    main()
