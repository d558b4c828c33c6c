"""Pictures and boxes in them: uint8 (H, W, 3), RGB; integer boxes that may reach over the edges."""

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

Image: TypeAlias = NDArray[np.uint8]
"""uint8 (H, W, 3), RGB, or uint8 (H, W)."""


@dataclass(frozen=True)
class Box:
    """Pixels [x, x + width) by [y, y + height) of the frame; may reach over the frame's edges."""

    x: int
    y: int
    width: int
    height: int

    @property
    def area(self) -> int:
        """In pixels."""
        return self.width * self.height

    def holds(self, other: "Box") -> bool:
        """Whether all of ``other`` is in this box."""
        right, bottom = self.x + self.width, self.y + self.height
        inside = other.x + other.width <= right and other.y + other.height <= bottom
        return self.x <= other.x and self.y <= other.y and inside

    def cut(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """This part of ``image`` (H, W) or (H, W, C); edge pixels continue where the box reaches over the edge."""
        height, width = image.shape[:2]
        left, top = max(-self.x, 0), max(-self.y, 0)
        right, bottom = max(self.x + self.width - width, 0), max(self.y + self.height - height, 0)
        x0, y0 = min(max(self.x, 0), width - 1), min(max(self.y, 0), height - 1)
        x1, y1 = max(min(self.x + self.width, width), x0 + 1), max(min(self.y + self.height, height), y0 + 1)
        part = image[y0:y1, x0:x1]
        if left or top or right or bottom:
            # A box wholly outside keeps one edge pixel, so the padding is counted from what was cut.
            left, top = min(left, self.width - (x1 - x0)), min(top, self.height - (y1 - y0))
            right, bottom = self.width - (x1 - x0) - left, self.height - (y1 - y0) - top
            return np.asarray(cv2.copyMakeBorder(part, top, bottom, left, right, cv2.BORDER_REPLICATE), np.uint8)
        return part

    def paste(self, patch: NDArray[np.uint8], image: NDArray[np.uint8]) -> None:
        """Write ``patch`` (height, width, C) into ``image`` in place; what lies over the edge is dropped."""
        height, width = image.shape[:2]
        x0, y0 = max(self.x, 0), max(self.y, 0)
        x1, y1 = min(self.x + self.width, width), min(self.y + self.height, height)
        if x0 < x1 and y0 < y1:
            image[y0:y1, x0:x1] = patch[y0 - self.y : y1 - self.y, x0 - self.x : x1 - self.x]


def resized(image: Image, size: tuple[int, int]) -> Image:
    """``image`` at ``size`` (W, H), averaged over areas unless it grows; the image itself where it has that size."""
    if (image.shape[1], image.shape[0]) == size:
        return image
    grows = size[0] > image.shape[1] or size[1] > image.shape[0]
    how = cv2.INTER_LINEAR if grows else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=how), np.uint8)


def decoded(data: bytes, mode: int) -> Image | None:
    """The picture in a file's bytes, as ``cv2.imdecode`` gives it (BGR); None where they hold none that can be read.

    Args:
        data: of a PNG, JPEG, ...
        mode: ``cv2.IMREAD_COLOR`` or another.
    """
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error:  # no bytes at all, or a header that speaks of more than 2^30 pixels
        return None
    return None if image is None else np.asarray(image, np.uint8)
