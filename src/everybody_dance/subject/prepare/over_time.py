"""What pixels of many frames are over time."""

import numpy as np
from numpy.typing import NDArray

BAND = 32
"""Rows that are sorted at a time, which bounds the memory."""


def quantiles(frames: NDArray[np.uint8], counted: NDArray[np.bool_], *shares: float) -> list[NDArray[np.uint8]]:
    """Quantiles of each pixel and colour over the frames that count there.

    Args:
        frames: uint8 (N, h, W, 3).
        counted: bool (N, h, W).
        shares: in [0, 1]; .5 is the median.

    Returns:
        uint8 (h, W, 3) for each share; 0 where no frame counts.
    """
    found = [np.zeros(frames.shape[1:], np.uint8) for _ in shares]
    for top in range(0, frames.shape[1], BAND):
        rows = slice(top, top + BAND)
        count = counted[:, rows].sum(axis=0)[..., None]
        # 256 is sorted behind all real values, so those that count are the first ``count``.
        ordered = np.where(counted[:, rows, :, None], frames[:, rows], np.int16(256)).astype(np.int16)
        ordered.sort(axis=0)
        for picture, share in zip(found, shares, strict=True):
            place = share * np.maximum(count - 1, 0)
            low, high = (
                np.take_along_axis(ordered, rank.astype(np.int64)[None], 0)[0]
                for rank in (np.floor(place), np.ceil(place))
            )
            picture[rows] = np.where(count > 0, (low + high) // 2, 0)
    return found
