"""Ctrl-C and SIGTERM while a network is trained: honoured at step boundaries only."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupts:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.requested = False

    def hear(self, number: int, frame: FrameType | None) -> None:
        """Note the first signal; obey a second one at once, in the middle of the step."""
        if self.requested:
            raise KeyboardInterrupt
        self.requested = True


@contextmanager
def deferred() -> Iterator[Interrupts]:
    """Inside the block SIGINT and SIGTERM only set a flag, in the main thread; elsewhere nobody would hear them."""
    interrupts = Interrupts()
    if threading.current_thread() is not threading.main_thread():
        yield interrupts
        return
    before = {number: signal.signal(number, interrupts.hear) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupts
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
