"""Where `rebatch` begins: the signals are taken before the libraries load, which takes half a second."""

import sys

from . import signals


def main() -> None:
    """Run the command."""
    signals.install()
    try:
        from .main import main as run  # noqa: PLC0415 - after the signals are taken
    except KeyboardInterrupt:
        signals.settled()
        print("error: interrupted", file=sys.stderr)
        sys.exit(signals.exit_code())
    run()
