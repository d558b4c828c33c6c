"""The person window: an integer box for each frame, from the keypoints alone.

Training, transfer and live use this one function. All boxes of a video have one size; where a box reaches over the
frame's edge, the picture is continued by its edge pixels. The box moves in whole steps of ``STRIDE`` and only when
the person comes near its edge, so that what stands still in the frame stands still in the window.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import BODY

STRIDE = 16
"""Boxes begin at multiples of this: the total downsampling of the generators, so that texture never crawls."""

SIZE_STEP = 32
"""Box sides are multiples of this."""

MARGIN = 0.1
"""Room around the keypoints in fractions of the person's height: hair, shoes and clothes reach past the joints."""


def whole_frame(size: tuple[int, int]) -> Box:
    """The box of the whole frame, its sides rounded up to what the networks take."""
    width, height = (-(-side // SIZE_STEP) * SIZE_STEP for side in size)
    return Box(0, 0, width, height)


def person_windows(
    keypoints: Keypoints, cuts: Sequence[int] = (), at_least: tuple[int, int] = (SIZE_STEP, SIZE_STEP)
) -> list[Box]:
    """One box for each frame, all of one size, that holds the person with some room.

    The size fits the 99th percentile of the person's extent (with the confident joints of each frame) and is never
    smaller than ``at_least`` (width, height), the performer's own window; it is never larger than the frame needs.

    Args:
        keypoints: in the prepared frame.
        cuts: first frames of new shots; a box may jump there.
        at_least: smallest width and height, in pixels.
    """
    body = keypoints.found.copy()
    body[:, BODY.stop :] &= body[:, BODY].any(axis=1, keepdims=True)
    seen = body.any(axis=1)
    limit = whole_frame(keypoints.size)
    if not seen.any():
        width, height = (min(side, most) for side, most in zip(at_least, (limit.width, limit.height), strict=True))
        return [Box(0, 0, width, height)] * len(keypoints)

    frame = np.array(keypoints.size, np.float32)
    xy = keypoints.xy[seen]
    found = body[seen][..., None]
    low = np.where(found, xy, np.inf).min(axis=1)
    high = np.where(found, xy, -np.inf).max(axis=1)
    margin = MARGIN * np.percentile((high - low)[:, 1], 95)
    low, high = np.clip(low - margin, 0, frame), np.clip(high + margin, 0, frame)
    # Room for one step more than the person needs, or no box whose origin is a multiple of STRIDE might hold them.
    extent = np.percentile(high - low, 99, axis=0) + STRIDE
    sides = [
        min(max(-(-int(np.ceil(need)) // SIZE_STEP) * SIZE_STEP, least), most)
        for need, least, most in zip(extent, at_least, (limit.width, limit.height), strict=True)
    ]

    index = np.maximum.accumulate(np.where(seen, np.cumsum(seen) - 1, 0))
    shots = np.zeros(len(keypoints), bool)
    shots[[cut for cut in cuts if cut < len(keypoints)]] = True
    x = _follow(low[index, 0], high[index, 0], sides[0], keypoints.size[0], shots)
    y = _follow(low[index, 1], high[index, 1], sides[1], keypoints.size[1], shots)
    return [Box(int(left), int(top), sides[0], sides[1]) for left, top in zip(x, y, strict=True)]


def _follow(
    low: NDArray[np.float32], high: NDArray[np.float32], side: int, frame: int, new_shot: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """Origins along one axis, multiples of STRIDE: unchanged while [low, high] is inside, else centred anew."""
    last = max(-(-(frame - side) // STRIDE) * STRIDE, 0)
    centred = np.clip(np.round(((low + high - side) / 2) / STRIDE) * STRIDE, 0, last).astype(np.int64)
    origins = np.empty(len(low), np.int64)
    origin = int(centred[0])
    # Hysteresis depends on the frame before: a loop over frames of scalars, microseconds each.
    for frame_index in range(len(low)):
        outside = low[frame_index] < origin or high[frame_index] > origin + side
        if new_shot[frame_index] or outside:
            origin = int(centred[frame_index])
        origins[frame_index] = origin
    return origins
