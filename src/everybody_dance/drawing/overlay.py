"""The stick figure over a picture, for previews and comparisons."""

import numpy as np

from everybody_dance.drawing.pose_image import paint_pose
from everybody_dance.images import Image
from everybody_dance.keypoints import Pose

WIDTHS = 0.7
"""Lines are thinner than in a pose image, so that the person beneath can be seen."""


def overlay_pose(frame: Image, pose: Pose, dim: float = 0.6) -> Image:
    """A copy of ``frame`` with the stick figure of ``pose`` over it.

    Args:
        frame: uint8 (H, W, 3).
        pose: in pixels of the frame.
        dim: share of the picture's brightness that is left beneath the figure, in [0, 1].
    """
    picture = np.ascontiguousarray(frame * np.float32(dim), dtype=np.uint8)
    paint_pose(picture, pose, WIDTHS)
    return picture
