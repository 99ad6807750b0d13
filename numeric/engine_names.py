"""The names of the engines, apart from the engines: a command says what is allowed without loading them."""

from typing import Literal

Engine = Literal["lazy", "dense", "online", "flow", "limit"]
