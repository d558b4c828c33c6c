"""How long work tells how far it is."""

from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Called as ``progress(done, total)`` with counts of frames or steps; ``total`` is None where it is not known."""


def ignore_progress(done: int, total: int | None) -> None:
    """The default: nobody is watching."""
