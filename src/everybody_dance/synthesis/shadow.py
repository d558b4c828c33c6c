"""The shadow that a painted person casts on the floor, told from the person and from the old place."""

import cv2
import numpy as np

from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Array, Pose
from everybody_dance.skeleton import FEET

ACROSS, DOWN = 0.35, 0.16
"""How far from a foot a shadow is believed, in body heights; on the way there it fades.

Farther off it is the wall's, or the frame's light differs from the plate's, and the mask's own outline would show.
"""

EDGE = 0.01
"""What is this close to the person, in body heights, has their colours too, and is filled in from farther away."""

SOFT = 0.012
"""Standard deviation by which the shadow is smoothed, in body heights: the floor's grain stays behind."""

NOISE = 0.03
"""The plate is never quite the floor: so little light missing is no shadow."""

DARK = 16
"""Of 255, added to both colours that are compared: in the dark a ratio says nothing."""


def reach_of_shadow(pose: Pose) -> Box:
    """The part of the frame that ``floor_shadow`` looks at; the shadow ends before its edges. Empty without feet."""
    feet, height = pose.xy[FEET][pose.found[FEET]], pose.height
    if not len(feet) or not height:
        return Box(0, 0, 0, 0)
    around = np.array((ACROSS, DOWN)) + 4 * SOFT + 2 * EDGE  # what is smoothed reaches four standard deviations
    low, high = np.floor(feet.min(axis=0) - around * height), np.ceil(feet.max(axis=0) + around * height)
    return Box(*low.astype(int).tolist(), *(high - low).astype(int).tolist())


def floor_shadow(frame: Image, plate: Image, alpha: Image, pose: Pose) -> Array:
    """The share of its light that each pixel of the floor has lost.

    A shadow darkens every colour, so it is measured by the colour that is darkened least: a coloured reflection, or a
    piece of floor that the plate has wrong, is none.

    Args:
        frame: uint8 (H, W, 3), the person in their place.
        plate: uint8 (H, W, 3), the place.
        alpha: uint8 (H, W), how much of each pixel is the person.
        pose: in pixels of the frame; where no foot is found there is no shadow.

    Returns:
        float32 (H, W) in [0, 1].
    """
    shadow = np.zeros(alpha.shape, np.float32)
    feet = pose.xy[FEET][pose.found[FEET]]
    height = pose.height
    if not len(feet) or not height:
        return shadow
    top, bottom = feet[:, 1].min() - DOWN * height, feet[:, 1].max() + DOWN * height
    rows = slice(*np.clip((top, bottom), 0, len(alpha)).astype(int).tolist())
    if rows.start == rows.stop:
        return shadow
    light = (frame[rows].astype(np.float32) + DARK) / (plate[rows].astype(np.float32) + DARK)
    lost = ((1 - NOISE - light.max(axis=2)) / (1 - NOISE)).clip(0, 1)
    reach = 2 * round(EDGE * height) + 1
    beside = (cv2.dilate(alpha[rows], np.ones((reach, reach), np.uint8)) == 0).astype(np.float32)
    smooth, weight = (cv2.GaussianBlur(values, (0, 0), SOFT * height) for values in (lost * beside, beside))
    across = (np.arange(alpha.shape[1]) + 0.5 - feet[:, :1]) / (ACROSS * height)
    down = (np.arange(rows.start, rows.stop) + 0.5 - feet[:, 1:]) / (DOWN * height)
    far = (np.square(across)[:, None] + np.square(down)[..., None]).min(axis=0).clip(0, 1)
    shadow[rows] = smooth / np.maximum(weight, 1e-3) * (1 - np.square(far))
    return shadow
