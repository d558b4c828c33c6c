"""Decoded frames to pictures as players show them: upright, of one size, in the colours of BT.709."""

from fractions import Fraction

import numpy as np
from av.video.frame import VideoFrame

from everybody_dance.images import Image
from everybody_dance.video.colour import ToRgb
from everybody_dance.video.orientation import Orientation

SAME_SHAPE = 0.01  # proportions that differ by less are not worth a margin


def shown_size(frame: VideoFrame, aspect: Fraction | None, orientation: Orientation) -> tuple[int, int]:
    """(width, height) in square pixels of the upright picture.

    Args:
        frame: as it was decoded.
        aspect: width over height of its pixels; None: square.
        orientation: of the frame.
    """
    width = max(1, round(frame.width * aspect)) if aspect and aspect > 0 else frame.width
    return orientation.size(width, frame.height)


class Pictures:
    """The pictures of one video, all of one size.

    A frame of other proportions than the first one, as in recordings that were joined, is fitted into its size between
    black margins.

    Args:
        shown: ``shown_size`` of the first frame.
        size: (width, height) of the pictures.

    Attributes:
        fitted: whether there was a frame of other proportions.
    """

    def __init__(self, shown: tuple[int, int], size: tuple[int, int]) -> None:
        self._shown, self._size = shown, size
        self._to_rgb = ToRgb()
        self._orientations: dict[tuple[int, int, int], Orientation] = {}
        self.fitted = False

    def picture(self, frame: VideoFrame, aspect: Fraction | None) -> Image:
        """A frame as uint8 (H, W, 3), RGB; ``aspect`` as in ``shown_size``."""
        orientation = self._orientation(frame)
        width, height = self._room(*shown_size(frame, aspect, orientation))
        image = orientation.apply(self._to_rgb(frame, *orientation.size(width, height)))
        if (width, height) == self._size:
            return image
        self.fitted = True
        left, top = (self._size[0] - width) // 2, (self._size[1] - height) // 2
        whole = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        whole[top : top + height, left : left + width] = image
        return whole

    def _orientation(self, frame: VideoFrame) -> Orientation:
        # A frame whose side data is looked at stays in memory until Python collects its garbage, so few are: the first,
        # and those whose size or rotation, which is known without, is another.
        key = (frame.width, frame.height, frame.rotation)
        if key not in self._orientations:
            self._orientations[key] = Orientation.of(frame)
        return self._orientations[key]

    def _room(self, width: int, height: int) -> tuple[int, int]:
        """How large a frame that is shown in this size becomes within the pictures'."""
        across, down = width / self._shown[0], height / self._shown[1]
        if abs(across / down - 1) < SAME_SHAPE:
            return self._size
        largest = max(across, down)
        return max(1, round(self._size[0] * across / largest)), max(1, round(self._size[1] * down / largest))
