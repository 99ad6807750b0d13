"""Who draws: the name of a module of a higher floor, which says so when it is there.

It imports nothing, as the package itself imports it: ``import rebatch`` is to cost nothing.
"""

module = ""


def drawn_by(name: str) -> None:
    """Let a module draw: its function ``draw(answer, ax, **options)``."""
    global module  # noqa: PLW0603 - said once, by the package
    module = name
