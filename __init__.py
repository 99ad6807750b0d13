"""Which functions gradient descent learns in high dimension, how fast, and what reusing a batch changes.

The public names stand in ``__init__.pyi``, where type checkers and editors find them, and load on first use:
``import rebatch`` costs nothing that is not needed.
"""

import logging

import lazy_loader

from .symbolic.exact import painter

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

painter.drawn_by(f"{__name__}.plot")
# What is done and how long it takes goes to the logger "rebatch": unheard until the user sets a handler.
logging.getLogger(__name__).addHandler(logging.NullHandler())
