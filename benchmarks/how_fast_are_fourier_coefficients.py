"""How fast are all Fourier coefficients of a function on the cube, against boofun, and are they the same numbers?

rebatch reads a formula, goes through all points and keeps integers, so that every coefficient is exact; boofun takes
a truth table (made beforehand, not timed) and answers in floating point. Needs `pip install boofun numba`.
"""

import statistics
import time
import warnings
from collections.abc import Callable

import numpy as np

from rebatch import Target
from rebatch.symbolic.enumeration.spectrum import Spectrum

ROUNDS = 5
NAMES = {
    "majority": lambda k: f"sign({' + '.join(f'z{i}' for i in range(1, k + 1))})",
    "weights 1, 2, 3, ...": lambda k: f"sign(1/2 + {' + '.join(f'{i}*z{i}' for i in range(1, k + 1))})",
    "parity of three": lambda k: f"z1*z2*z{k}",
}
COORDINATES = (9, 11, 13, 15)


def ours(text: str, k: int) -> np.ndarray:
    """Return the coefficients of a text by the bits of their set, z1 the lowest."""
    spectrum = Spectrum(Target(text, k=k, inputs="boolean"))
    coefficients = np.empty(2**k)
    coefficients[spectrum.degrees @ (1 << np.arange(k))] = spectrum.floats
    return coefficients


def truth_table(text: str, k: int) -> np.ndarray:
    """Return 0 where the function is 1 and 1 where it is -1; bit i of the place is 1 where z_(i+1) = -1."""
    bits = np.arange(2**k)[:, None] >> np.arange(k) & 1
    return ((1 - Target(text, k=k, inputs="boolean")(1.0 - 2.0 * bits)) / 2).astype(int)


def seconds(ask: Callable[[], np.ndarray]) -> tuple[float, np.ndarray]:
    """Return the median processor time of a question, and its answer."""
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        answer = ask()
        times.append(time.process_time() - start)
    return statistics.median(times), answer


def main() -> None:
    """Print both times and the largest difference, for each function and size."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import boofun
        except ImportError:
            boofun = None
    for name, text_of in NAMES.items():
        for k in COORDINATES:
            text = text_of(k)
            table = truth_table(text, k)
            time_of_ours, mine = seconds(lambda text=text, k=k: ours(text, k))
            line = f"{name}, k = {k}: rebatch {1e3 * time_of_ours:.1f} ms"
            if boofun is None:
                print(f"{line}; boofun is not installed")
                continue
            time_of_theirs, theirs = seconds(lambda table=table: boofun.create(table).fourier())
            print(
                f"{line}, boofun {1e3 * time_of_theirs:.1f} ms; largest difference "
                f"{np.abs(mine - np.asarray(theirs)).max():.1g}",
                flush=True,
            )


if __name__ == "__main__":
    main()
