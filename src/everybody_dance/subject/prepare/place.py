"""Which frames of a video show the place where the person dances: not titles, fades, black, or other places.

Every frame is looked at as a small grey picture, outside a box around the person. A shot is as those of its frames are
in the median that show the person; a frame is elsewhere if it differs much from its shot, or its shot from the longest
one.
"""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, blocks, shots

ROWS = 24
"""Height of the small pictures."""

AROUND = 0.15
"""Room around the joints that belongs to the person, in their extent's height."""

LOOKS = 64
"""Frames of a shot that its median is taken of, at most, evenly."""

DIFFERENT, SHARE = 24.0, 0.25
"""A frame is elsewhere if this share of its pixels differs by more than so much of 255, its brightness made equal."""

DIMMEST = 0.6
"""A frame is fading if it is darker than this share of its shot, or its shot of it."""

MOVING = 0.5
"""A shot that differs from its own median in more than this share of the frames with the person is filmed by a moving
camera: nothing of it is titles."""

FEWEST = 20
"""Pixels outside the person that can be compared, below which nothing can be told."""

Grey = NDArray[np.float32]


def small_picture(frame: Image) -> Image:
    """uint8 (ROWS, w): a frame as it is looked at here."""
    size = max(round(frame.shape[1] * ROWS / frame.shape[0]), 1), ROWS
    grey = cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8)


def frames_elsewhere(pictures: Image, keypoints: Keypoints, cuts: Sequence[int]) -> NDArray[np.bool_]:
    """bool (T,): the frames that do not show the place.

    Args:
        pictures: uint8 (T, ROWS, w), of all frames.
        keypoints: of the frames.
        cuts: first frames of new shots.
    """
    elsewhere = np.zeros(len(keypoints), bool)
    if not len(keypoints):
        return elsewhere
    parts = shots(len(keypoints), cuts)
    medians = [_median(pictures, keypoints, part) for part in parts]
    for part, median in zip(parts, medians, strict=True):
        unlike = np.concatenate(
            [_differs(_background(pictures, keypoints, block), median) for block in blocks(part.stop, part.start)]
        )
        if unlike[_with_person(keypoints, part) - part.start].mean() <= MOVING:
            elsewhere[part] = unlike
    usable = keypoints.person_seen & ~elsewhere
    longest = max(range(len(parts)), key=lambda index: usable[parts[index]].sum())
    for part, median in zip(parts, medians, strict=True):
        if _differs(median[None], medians[longest])[0]:
            elsewhere[part] = True
    return elsewhere


def _with_person(keypoints: Keypoints, part: slice) -> NDArray[np.int64]:
    """The frames of a shot in which the person is seen; all of them where that is never.

    A title that fades over into the dance is in its shot, and may be longer. And in a dance's median it would lie
    wherever the person always stands, since there the dance itself shows nothing of the place.
    """
    seen = np.flatnonzero(keypoints.person_seen[part])
    return np.asarray(part.start + (seen if len(seen) else np.arange(part.stop - part.start)))


def _background(pictures: Image, keypoints: Keypoints, frames: Any) -> Grey:
    """(N, ROWS, w): the pictures without the person, which is NaN."""
    grey = pictures[frames].astype(np.float32)
    xy, found = keypoints.xy[frames], keypoints.found[frames]
    scale = ROWS / keypoints.size[1]
    low = np.where(found[..., None], xy, np.inf).min(axis=1) * scale
    high = np.where(found[..., None], xy, -np.inf).max(axis=1) * scale
    room = AROUND * np.maximum(high - low, 0)[:, 1:]
    low, high = low - room, high + room
    row, column = np.arange(ROWS) + 0.5, np.arange(grey.shape[2]) + 0.5
    across = (column >= low[:, :1]) & (column <= high[:, :1])  # (N, w)
    down = (row >= low[:, 1:]) & (row <= high[:, 1:])  # (N, ROWS)
    grey[down[:, :, None] & across[:, None, :]] = np.nan
    return np.asarray(grey)


def _median(pictures: Image, keypoints: Keypoints, part: slice) -> Grey:
    """(ROWS, w): what a shot shows, without the person; NaN where they always stand."""
    shown = _with_person(keypoints, part)
    some = shown[np.unique(np.linspace(0, len(shown) - 1, LOOKS).astype(int))]
    background = _background(pictures, keypoints, some)
    ordered = np.sort(background, axis=0)  # NaN comes last
    count = np.isfinite(background).sum(axis=0)
    middle = np.take_along_axis(ordered, np.maximum((count - 1) // 2, 0)[None], axis=0)[0]
    return np.asarray(np.where(count > 0, middle, np.nan), np.float32)


def _differs(pictures: Grey, median: Grey) -> NDArray[np.bool_]:
    """bool (N,): whether pictures (N, ROWS, w) show something else than ``median``."""
    both = np.isfinite(pictures) & np.isfinite(median)
    count = both.sum(axis=(1, 2))
    mine, its = (np.where(both, values, 0).sum(axis=(1, 2)) / np.maximum(count, 1) for values in (pictures, median))
    gain = (its + 1) / (mine + 1)
    error = np.abs(np.where(both, gain[:, None, None] * pictures - median, 0))
    differs = (error > DIFFERENT).sum(axis=(1, 2)) > SHARE * count
    fades = (gain < DIMMEST) | (gain > 1 / DIMMEST)
    return np.asarray((count >= FEWEST) & (differs | fades))
