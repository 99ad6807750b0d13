"""Where theory meets numbers: predictions held against simulations."""

from typing import TYPE_CHECKING

import lazy_loader

if TYPE_CHECKING:
    from .universality_check import universality as universality

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__, submod_attrs={"universality_check": ["universality"]}
)
