"""The stick figure over a picture, for previews and comparisons."""

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.pose_image import paint_pose

WIDTHS = 0.7
"""Finer than a pose image, so that the person beneath can be seen."""


def overlay_pose(
    frame: NDArray[np.uint8], xy: NDArray[np.float32], confidence: NDArray[np.float32], dim: float = 0.6
) -> NDArray[np.uint8]:
    """A copy of ``frame`` (H, W, 3) with the stick figure of one pose over it.

    Args:
        frame: uint8 (H, W, 3).
        xy: (137, 2), pixels of the frame.
        confidence: (137,) in [0, 1].
        dim: how much of the picture's brightness is left beneath the figure, in [0, 1].
    """
    picture = np.ascontiguousarray(frame * np.float32(dim), dtype=np.uint8)
    paint_pose(picture, xy, confidence, WIDTHS)
    return picture
