"""Square crops around the face and around each hand, for the refiners: from the keypoints alone."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.drawing.window import STRIDE
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import FACE, HEAD_JOINTS, LEFT_HAND, RIGHT_HAND, Joint

Part = Literal["face", "hands"]

PARTS: tuple[Part, ...] = ("face", "hands")

PART_JOINTS: dict[Part, tuple[NDArray[np.int64], ...]] = {
    "face": (np.array([*HEAD_JOINTS, *range(FACE.start, FACE.stop)]),),
    "hands": tuple(np.arange(hand.start, hand.stop) for hand in (LEFT_HAND, RIGHT_HAND)),
}
"""The joints of a part; of the hands in two groups, which trade places in a mirror."""


@dataclass(frozen=True)
class Crop:
    """A square crop, and which group of ``PART_JOINTS`` it is of."""

    box: Box
    group: int


_SIDES: dict[Part, float] = {"face": 0.25, "hands": 0.16}
"""Sides of the crops in fractions of the body height: a head with its hair, an open hand."""

_SMALLEST = 2 * STRIDE


def crop_side(keypoints: Keypoints, part: Part) -> int:
    """The side of a part's crops for this footage, in pixels: a multiple of 16 that fits into the frame."""
    seen = keypoints[keypoints.person_seen]
    height = float(np.percentile(body_height(seen.xy, seen.confidence), 90)) if len(seen) else 0.0
    most = min(keypoints.size) // STRIDE * STRIDE
    return min(max(round(_SIDES[part] * height / STRIDE) * STRIDE, _SMALLEST), most)


def part_crops(
    xy: NDArray[np.float32], confidence: NDArray[np.float32], part: Part, side: int, size: tuple[int, int]
) -> list[Crop]:
    """The crops of a part in one frame; none where it is not seen.

    Args:
        xy: (137, 2), pixels of the frame.
        confidence: (137,) in [0, 1].
        part: whose crops.
        side: of the crops, in pixels; not larger than the frame.
        size: (W, H) of the frame, which the crops never leave.
    """
    if part == "face" and not confidence[Joint.NOSE] > 0:
        return []  # a face that looks away has no nose
    crops = []
    for group, joints in enumerate(PART_JOINTS[part]):
        # The mesh comes and goes near the profile; nose, eyes and ears do not.
        around = np.array(HEAD_JOINTS) if part == "face" else joints
        points = xy[around][confidence[around] > 0]
        if not len(points):
            continue
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        corner = np.clip(np.round(centre - side / 2), 0, np.array(size) - side).astype(int)
        crops.append(Crop(Box(int(corner[0]), int(corner[1]), side, side), group))
    return crops
