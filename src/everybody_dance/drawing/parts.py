"""Square crops around the face and around each hand, for the refiners: from the keypoints alone."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.region import HEAD_JOINTS, body_height
from everybody_dance.drawing.window import STRIDE, Box
from everybody_dance.keypoints import LEFT_HAND, RIGHT_HAND, Joint, Keypoints

Part = Literal["face", "hands"]

PARTS: tuple[Part, ...] = ("face", "hands")

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
) -> list[Box]:
    """The crops of a part in one frame; none where it is not seen.

    Args:
        xy: (137, 2), pixels of the frame.
        confidence: (137,) in [0, 1].
        part: whose crops.
        side: of the crops, in pixels; not larger than the frame.
        size: (W, H) of the frame, which the crops never leave.
    """
    groups: list[NDArray[np.intp]] = []
    if part == "face":
        # A face that looks away has no nose. The mesh comes and goes near the profile; these joints do not.
        if confidence[Joint.NOSE] > 0:
            groups = [np.array(HEAD_JOINTS)]
    else:
        groups = [np.arange(hand.start, hand.stop) for hand in (LEFT_HAND, RIGHT_HAND)]
    boxes = []
    for joints in groups:
        points = xy[joints][confidence[joints] > 0]
        if not len(points):
            continue
        centre = (points.min(axis=0) + points.max(axis=0)) / 2
        corner = np.clip(np.round(centre - side / 2), 0, np.array(size) - side).astype(int)
        boxes.append(Box(int(corner[0]), int(corner[1]), side, side))
    return boxes
