"""How a result changes from frame to frame otherwise than the truth does."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box, Image

STILL = 4.0
"""Where the truth changes by less than this, of 255 and averaged over 5 x 5 pixels, nothing moves: noise only."""

NAMES = ("flicker", "flicker_still", "flicker_moving")


class TrueMotion:
    """What moved in the truth from one frame to the next, found once and compared with any number of results.

    Args:
        truth, before: uint8 (H, W, 3), a true frame and the one before.
    """

    def __init__(self, truth: Image, before: Image) -> None:
        self._change = change(truth, before)
        still = cv2.blur(np.abs(self._change).max(axis=2).astype(np.float32), (5, 5)) < STILL
        self.still = np.asarray(still, np.bool_)
        height, width = truth.shape[:2]
        # At half of the size: the paths of shirts and arms, not of threads, in a quarter of the time.
        half = width // 2, height // 2
        grey, grey_before = (cv2.cvtColor(cv2.resize(image, half), cv2.COLOR_RGB2GRAY) for image in (truth, before))
        flow = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST)
        path = flow.calc(grey, grey_before, np.zeros((*grey.shape, 2), np.float32))
        path = cv2.resize(path, (width, height)) * np.array((width / half[0], height / half[1]), np.float32)
        self._origin = path + np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1).astype(np.float32)
        self._change_along = change(truth, self._moved(before))

    def flicker(self, result: Image, before: Image, boxes: Sequence[Box | None]) -> dict[str, list[float]]:
        """How far ``result`` changed otherwise than the truth since ``before``, of 255, averaged over each box.

        0 for whatever moves as the truth does, however it looks. ``flicker`` is the mean of
        \\|(result - before) - (truth - truth before)\\|, and ``flicker_still`` the same where nothing moves.
        ``flicker_moving`` is of what moves: both pictures before are first carried along the truth's optical flow, so
        that what stays on a moving shirt is compared, and not what the shirt uncovers.

        Args:
            result, before: uint8 (H, W, 3), a frame of the result and the one before.
            boxes: inside the frame.

        Returns:
            One value for each box by ``NAMES``; NaN where there is no box, or nothing of the kind in it.
        """
        error = apart(change(result, before), self._change)
        along = apart(change(result, self._moved(before)), self._change_along)
        everywhere = np.ones_like(self.still)
        kinds = ((error, everywhere), (error, self.still), (along, ~self.still))
        return {
            name: [float("nan") if box is None else _mean(values, where, box) for box in boxes]
            for name, (values, where) in zip(NAMES, kinds, strict=True)
        }

    def _moved(self, before: Image) -> Image:
        """The frame before, each pixel fetched from where the truth's came from."""
        fetch: Any = cv2.remap  # OpenCV's types do not know that one map may hold both coordinates
        return np.asarray(fetch(before, self._origin, None, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE))


def change(now: Image, before: Image) -> NDArray[np.int16]:
    """(H, W, 3): how far each colour changed."""
    return np.asarray(cv2.subtract(now, before, dtype=cv2.CV_16S), np.int16)


def apart(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.int16]:
    """(H, W): the sum of |one - other| over the colours."""
    return np.asarray(cv2.transform(cv2.absdiff(one, other), np.ones((1, 3), np.float32)), np.int16)


def _mean(sums: NDArray[np.int16], where: NDArray[np.bool_], box: Box) -> float:
    """The mean over the colours of what ``where`` chooses in the box; NaN of nothing."""
    part = slice(box.y, box.y + box.height), slice(box.x, box.x + box.width)
    chosen = sums[part][where[part]]
    return float(chosen.mean(dtype=float)) / 3 if chosen.size else float("nan")
