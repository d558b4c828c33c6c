"""A place of one between two stages of the live show: the newest wins, and nobody waits for the taker."""

import threading
from typing import Generic, TypeVar

Item = TypeVar("Item")

TICK = 0.1
"""Seconds after which every stage that waits looks whether the show is over."""


class Over(Exception):  # noqa: N818 - the end, not an error
    """Nothing more will come."""


class Handover(Generic[Item]):
    """One thread puts, another one takes; what was not taken yet is replaced."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> None:
        """Leave the newest item."""
        with self._changed:
            self._item = item
            self._changed.notify()

    def close(self) -> None:
        """Say that nothing more will come; what lies there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify()

    def take(self, timeout: float) -> Item | None:
        """The newest item, once; None where none came within ``timeout`` seconds.

        Raises:
            Over: nothing more will come.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._item is not None or self._closed, timeout)
            item, self._item = self._item, None
            if item is None and self._closed:
                raise Over
            return item
