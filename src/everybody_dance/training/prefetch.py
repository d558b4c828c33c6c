"""Samples are made ahead of the training, in threads beside it."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Drawn = TypeVar("Drawn")


def prefetch(draw: Callable[[int], Drawn], steps: Sequence[int], threads: int = 1) -> Iterator[Drawn]:
    """``draw(step)`` for ``steps`` in order, a few ahead.

    Args:
        draw: a pure function of the step, so that the order of threads does not matter.
        steps: in the order in which they are asked for.
        threads: that draw.
    """
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Drawn]] = deque()
        try:
            for step in steps:
                ahead.append(pool.submit(draw, step))
                if len(ahead) > threads + 1:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()
