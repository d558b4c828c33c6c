"""The person mask: everything within reach of the joints, hair, hands and clothes included."""

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.drawing.pose_image import drawable
from everybody_dance.skeleton import ANKLES, FINGERS, HEAD_JOINTS, LEFT_HAND, RIGHT_HAND, Joint

# Half the width of a clothed limb, in fractions of body height.
_REACH: tuple[tuple[float, tuple[tuple[Joint, Joint], ...]], ...] = (
    (0.09, ((Joint.NECK, Joint.MID_HIP),)),  # a trunk seen from the side
    (
        0.065,
        (
            (Joint.RIGHT_HIP, Joint.RIGHT_KNEE),
            (Joint.LEFT_HIP, Joint.LEFT_KNEE),
            (Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER),
            (Joint.RIGHT_HIP, Joint.LEFT_HIP),
        ),
    ),
    (
        0.045,
        (
            (Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
            (Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
            (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW),
            (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW),
            (Joint.NECK, Joint.NOSE),
        ),
    ),
    (
        0.035,
        (
            (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
            (Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
            (Joint.RIGHT_ANKLE, Joint.RIGHT_BIG_TOE),
            (Joint.RIGHT_ANKLE, Joint.RIGHT_HEEL),
            (Joint.RIGHT_BIG_TOE, Joint.RIGHT_SMALL_TOE),
            (Joint.LEFT_ANKLE, Joint.LEFT_BIG_TOE),
            (Joint.LEFT_ANKLE, Joint.LEFT_HEEL),
            (Joint.LEFT_BIG_TOE, Joint.LEFT_SMALL_TOE),
        ),
    ),
)
# Where the joint between is missing, the limb is taken as straight.
_STRAIGHT = (
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
)
_TORSO_CORNERS = [Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
_HEAD_REACH = 0.10  # around the ears, hair included
_FACE_REACH = 0.12  # around nose and eyes, where no ear was found
_HEAD_ABOVE_NECK = 0.11
_HAND_LENGTH = 0.11
_HAND_REACH = 0.045
_FINGER_REACH = 0.02
_HEEL_REACH = 0.06
_FOOT_REACH = 0.085  # around the ankle, where no toe was found


def person_region(
    xy: NDArray[np.float32], confidence: NDArray[np.float32], size: tuple[int, int], grow: float
) -> NDArray[np.bool_]:
    """Everything within reach of the person: clothed limbs, torso, head with hair, hands and feet found or not.

    Args:
        xy: (137, 2), pixels of the frame.
        confidence: (137,) in [0, 1].
        size: (W, H) of the frame.
        grow: by how much to grow the region all around, in fractions of body height.

    Returns:
        bool (H, W); all False where nobody was found.
    """
    found = drawable(xy, confidence, size[1])
    mask = np.zeros((size[1], size[0]), np.uint8)
    if not found.any():
        return mask.astype(bool)
    height = float(body_height(xy[None], np.where(found, confidence, 0)[None])[0])
    if height == 0:  # no whole bone: as tall as the joints reach
        height = float(np.ptp(xy[found], axis=0).max())

    def capsule(first: NDArray[np.float32], second: NDArray[np.float32], reach: float) -> None:
        ends = np.floor(np.stack([first, second])).astype(int).tolist()
        cv2.line(mask, ends[0], ends[1], (1,), max(round(2 * (reach + grow) * height), 1))

    for reach, bones in _REACH:
        for first, second in bones:
            if found[first] and found[second]:
                capsule(xy[first], xy[second], reach)
    for first, between, last in _STRAIGHT:
        if found[first] and found[last] and not found[between]:
            capsule(xy[first], xy[last], _HAND_REACH)
    if found[_TORSO_CORNERS].all():
        # The hull: a twisted torso would fold over itself.
        cv2.fillConvexPoly(mask, cv2.convexHull(np.floor(xy[_TORSO_CORNERS]).astype(np.int32)), (1,))
        capsule(xy[Joint.RIGHT_SHOULDER], xy[Joint.RIGHT_HIP], 0.045)
        capsule(xy[Joint.LEFT_SHOULDER], xy[Joint.LEFT_HIP], 0.045)

    ears = [joint for joint in (Joint.RIGHT_EAR, Joint.LEFT_EAR) if found[joint]]
    head = ears or [joint for joint in HEAD_JOINTS if found[joint]]
    if head:
        middle = xy[head].mean(axis=0)
        capsule(middle, middle, _HEAD_REACH if ears else _FACE_REACH)
        if found[Joint.NECK]:
            capsule(xy[Joint.NECK], middle, 0.05)
    elif found[Joint.NECK]:
        up = _direction(xy[Joint.MID_HIP], xy[Joint.NECK]) if found[Joint.MID_HIP] else np.array([0, -1], np.float32)
        capsule(xy[Joint.NECK], xy[Joint.NECK] + up * np.float32(_HEAD_ABOVE_NECK * height), _HEAD_REACH)

    for elbow, wrist, hand in (
        (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, LEFT_HAND),
        (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, RIGHT_HAND),
    ):
        if found[wrist]:
            # Without an elbow the hand may point anywhere: a disc around the wrist.
            beyond = _direction(xy[elbow], xy[wrist]) if found[elbow] else np.zeros(2, np.float32)
            reach = _HAND_REACH if found[elbow] else _HAND_LENGTH
            capsule(xy[wrist], xy[wrist] + beyond * np.float32(_HAND_LENGTH * height), reach)
        for finger in FINGERS.values():
            chain = [hand.start + joint for joint in finger if found[hand.start + joint]]
            if chain:
                points = np.floor(xy[chain]).astype(np.int32)
                cv2.polylines(mask, [points], False, (1,), max(round(2 * (_FINGER_REACH + grow) * height), 1))
    for ankle, toe in zip(ANKLES, (Joint.RIGHT_BIG_TOE, Joint.LEFT_BIG_TOE), strict=True):
        if found[ankle]:
            capsule(xy[ankle], xy[ankle], _HEEL_REACH if found[toe] else _FOOT_REACH)
    return mask.astype(bool)


def _direction(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    along = second - first
    return np.asarray(along / max(float(np.hypot(*along)), 1e-6), np.float32)
