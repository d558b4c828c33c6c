"""Scene cuts, from small thumbnails of frames as they pass."""

from collections import deque

import cv2
import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (32, 24)
"""(W, H) of the thumbnails that are compared."""

CHANGED = 18.0
"""Mean absolute difference of thumbnails, of 255, that a cut exceeds at least."""

ABOVE_USUAL = 4.0
"""A cut exceeds the usual difference between neighbouring frames around it by at least this factor."""

CHANGED_SHARE = 0.5
"""Share of the thumbnail that must have changed: a caption or a dancer changes less."""

NEIGHBOURS = 0.27
"""Seconds on each side whose differences are the usual ones; at least eight frames."""

PASSING = 0.1
"""A change that is undone within this many seconds was a flash; at least three frames."""


class CutFinder:
    """Feed frames with ``see``, then call ``cuts``. Brief flashes are ignored.

    Args:
        fps: frames a second.
    """

    def __init__(self, fps: float = 30.0) -> None:
        self._neighbours, self._passing = max(round(NEIGHBOURS * fps), 8), max(round(PASSING * fps), 3)
        self._thumbnails: list[NDArray[np.uint8]] = []

    def see(self, frame: NDArray[np.uint8]) -> None:
        """Take in the next frame, uint8 (H, W, 3)."""
        self._thumbnails.append(_thumbnail(frame))

    def cuts(self) -> tuple[int, ...]:
        """First frames of new shots, without 0."""
        if len(self._thumbnails) < 2:
            return ()
        pictures = np.stack(self._thumbnails)
        change = np.zeros(len(pictures))
        share = np.zeros(len(pictures))
        # In pieces: an hour of thumbnails as floats would not be small.
        for first in range(1, len(pictures), 4096):
            piece = slice(first, min(first + 4096, len(pictures)))
            before = slice(piece.start - 1, piece.stop - 1)
            difference = np.abs(pictures[piece].astype(np.int16) - pictures[before]).max(axis=-1)
            change[piece] = difference.mean(axis=(1, 2))
            share[piece] = (difference > CHANGED).mean(axis=(1, 2))
        cuts = []
        for index in np.flatnonzero((change > CHANGED) & (share > CHANGED_SHARE)):
            around = np.r_[
                change[max(index - self._neighbours, 1) : index], change[index + 1 : index + 1 + self._neighbours]
            ]
            if len(around) and change[index] < ABOVE_USUAL * np.median(around):
                continue
            later = pictures[min(index + self._passing, len(pictures) - 1)].astype(np.int16)
            earlier = pictures[[index - 1, max(index - self._passing, 0)]]
            if np.abs(later - earlier).max(axis=-1).mean(axis=(1, 2)).min() > 0.5 * change[index]:
                cuts.append(int(index))
        return tuple(cuts)


class CausalCuts:
    """The causal twin of ``CutFinder``: says at once whether a frame begins a new shot. A flash is one too.

    Args:
        fps: frames a second, about.
    """

    def __init__(self, fps: float = 30.0) -> None:
        self._recent: deque[float] = deque(maxlen=max(round(NEIGHBOURS * fps), 8))  # differences between neighbours
        self._before: NDArray[np.int16] | None = None

    def step(self, frame: NDArray[np.uint8]) -> bool:
        """Whether the next frame, uint8 (H, W, 3), begins a new shot; the first one does not."""
        thumbnail, before = _thumbnail(frame).astype(np.int16), self._before
        self._before = thumbnail
        if before is None or before.shape != thumbnail.shape:
            return False
        difference = np.abs(thumbnail - before).max(axis=-1)
        change, share = float(difference.mean()), float((difference > CHANGED).mean())
        usual = float(np.median(self._recent)) if self._recent else 0.0
        self._recent.append(change)
        return change > CHANGED and share > CHANGED_SHARE and change >= ABOVE_USUAL * usual


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(frame, THUMBNAIL, interpolation=cv2.INTER_AREA), np.uint8)
