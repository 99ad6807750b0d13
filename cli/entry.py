"""Where `rebatch` begins and ends: signals are taken before the libraries load; no garbage is sought among them.

What the libraries make lives until the end. Python's collector would walk over it again and again while they load,
and once more at the end of the process: a third of what `import sympy` takes.
"""

import gc
import sys

from . import signals

# Containers made before the collector looks among the new ones; Python's 700 are for programs that load little.
_NEW_OBJECTS = 50_000


def main() -> None:
    """Run the command."""
    signals.install()
    gc.set_threshold(_NEW_OBJECTS)
    try:
        from .main import main as run  # noqa: PLC0415 - after the signals are taken
    except KeyboardInterrupt:
        signals.settled()
        print("error: interrupted", file=sys.stderr)
        sys.exit(signals.exit_code())
    try:
        run()
    finally:
        gc.freeze()
