"""``python -m rebatch`` is the command ``rebatch``."""

from .cli.entry import main

main()
