"""Choosing a few pictures that stand for many."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def greedy_cover(distances: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """Choose rows so that every column has a small value in one of them.

    Each choice is the row that lowers the sum over the columns' smallest values most, given those before it. (The rows
    that are most unlike each other would be a worse choice: they are blinks and misplaced joints.)

    Args:
        distances: (N, N), from each candidate to every other; counted as 1 where larger.
        count: rows to choose, at most.

    Returns:
        int (count or N,), indices of rows in the order of choice.
    """
    nearest = np.ones(len(distances))
    chosen: list[int] = []
    for _ in range(min(count, len(distances))):
        gain = np.maximum(nearest - distances, 0).sum(axis=1)
        gain[chosen] = -1
        chosen.append(int(gain.argmax()))
        nearest = np.minimum(nearest, distances[chosen[-1]])
    return np.array(chosen, np.int64)
