"""Square crops around the face and around each hand, for the refiners; chosen from the keypoints alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints, Pose, is_inside
from everybody_dance.skeleton import FACE, HEAD_JOINTS, LEFT_HAND, RIGHT_HAND, Joint, Part

PART_JOINTS: dict[Part, tuple[NDArray[np.int64], ...]] = {
    "face": (np.array([*HEAD_JOINTS, *range(FACE.start, FACE.stop)]),),
    "hands": tuple(np.arange(hand.start, hand.stop) for hand in (LEFT_HAND, RIGHT_HAND)),
}
"""The joints of a part; the hands' are in two groups, which trade places in a mirror."""


@dataclass(frozen=True)
class Crop:
    """A square crop, and which group of ``PART_JOINTS`` it shows."""

    box: Box
    group: int


_SIDES: dict[Part, float] = {"face": 0.25, "hands": 0.16}
"""Sides of the crops in fractions of the body height: a head with its hair, an open hand."""

SIDE_STEP = 16
"""Crop sides are multiples of this, which is a multiple of every refiner's stride."""


def crop_side(keypoints: Keypoints, part: Part) -> int:
    """The side of a part's crops for this footage, in pixels: a multiple of ``SIDE_STEP`` that fits into the frame."""
    seen = keypoints[keypoints.person_seen]
    height = float(np.percentile(body_height(seen.xy, seen.confidence), 90)) if len(seen) else 0.0
    most = min(keypoints.size) // SIDE_STEP * SIDE_STEP
    return min(max(round(_SIDES[part] * height / SIDE_STEP) * SIDE_STEP, 2 * SIDE_STEP), most)


def part_crops(pose: Pose, part: Part, side: int, size: tuple[int, int]) -> list[Crop]:
    """The crops of a part in one frame; none where it is not seen or lies outside the frame.

    Args:
        pose: in pixels of the frame.
        part: face or hands.
        side: of the crops, in pixels; not larger than the frame.
        size: (W, H) of the frame, which the crops never leave.
    """
    found = pose.found & is_inside(pose.xy, size)
    if part == "face" and not found[Joint.NOSE]:
        return []  # a face that looks away has no nose
    crops = []
    for group, joints in enumerate(PART_JOINTS[part]):
        # The mesh comes and goes near the profile; nose, eyes and ears do not.
        around = np.array(HEAD_JOINTS) if part == "face" else joints
        points = pose.xy[around][found[around]]
        if not len(points):
            continue
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        corner = np.clip(np.round(centre - side / 2), 0, np.array(size) - side).astype(int)
        crops.append(Crop(Box(int(corner[0]), int(corner[1]), side, side), group))
    return crops
