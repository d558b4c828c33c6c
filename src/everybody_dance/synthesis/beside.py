"""Work that is done in a thread beside the painting: composing, encoding, comparing."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import TypeVar

Item = TypeVar("Item")

MOST_WAITING = 4
"""Items that may wait for the thread: enough to even out frames that take longer, few enough to keep memory flat."""


@contextmanager
def beside(work: Callable[[Item], None]) -> Iterator[Callable[[Item], None]]:
    """Yield what hands an item to ``work``, which is called in one thread, with one item after the other, in order.

    The block ends when all items are done. What ``work`` raises is raised by a later call or at the end of the block;
    then, and where the block itself raises, the items that still wait are dropped. Events reach the block's listener.
    """
    waiting: deque[Future[None]] = deque()
    context = copy_context()

    def hand_over(item: Item) -> None:
        while waiting and (waiting[0].done() or len(waiting) >= MOST_WAITING):
            waiting.popleft().result()
        waiting.append(thread.submit(context.run, work, item))

    with ThreadPoolExecutor(1) as thread:
        try:
            yield hand_over
            while waiting:
                waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
