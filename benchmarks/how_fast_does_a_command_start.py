"""How fast does a command start: a bare `import sympy`, the help, a slip, and an exact analysis?

Each is a process of its own, in turns; the median of its processor time and its ratio to `import sympy` are printed.
Then analyses in one warm process.
"""

import resource
import statistics
import subprocess
import sys
import time

from rebatch import analyze

ROUNDS = 9
COMMANDS = {
    "import sympy": ["-c", "import sympy"],
    "rebatch --help": ["-m", "rebatch", "--help"],
    "rebatch --version": ["-m", "rebatch", "--version"],
    "rebatch analyze 'z1 + foo(z2)'": ["-m", "rebatch", "analyze", "z1 + foo(z2)"],
    "rebatch analyze z1": ["-m", "rebatch", "analyze", "z1"],
    "rebatch analyze 'z1 + He(3, z2)'": ["-m", "rebatch", "analyze", "z1 + He(3, z2)"],
    "rebatch overlap 'He(3, z1)' -s 'h + h^3'": ["-m", "rebatch", "overlap", "He(3, z1)", "-s", "h + h^3"],
    "rebatch simulate z1 --d 100": [
        *("-m", "rebatch", "simulate", "z1", "-s", "relu", "--alpha", "1", "--eta", "0.1"),
        *("--d", "100", "--steps", "2"),
    ],
}
WARM = ("z1", "He(3, z1)", "z1 + He(3, z2)", "z1*z2", "z1^2*z2", "z1 + z2 + z1*z2", "He(5, z1)*z2")


def processor_time(arguments: list[str]) -> float:
    """Return the processor time of a Python process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, *arguments], capture_output=True, check=False)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def warm(text: str) -> float:
    """Return the median time of an analysis that this process has done before."""
    analyze(text)
    times = []
    for _ in range(ROUNDS):
        start = time.process_time()
        analyze(text)
        times.append(time.process_time() - start)
    return statistics.median(times)


def main() -> None:
    """Print the table."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS + 1):
        for name, arguments in COMMANDS.items():
            times[name].append(processor_time(arguments))
    # The first round fills the cache of files.
    medians = {name: statistics.median(found[1:]) for name, found in times.items()}
    for name, median in medians.items():
        print(f"{name:42} {median:6.3f} s {median / medians['import sympy']:6.2f}")
    for text in WARM:
        print(f"analyze({text!r}) in a warm process {1e3 * warm(text):6.2f} ms")


if __name__ == "__main__":
    main()
