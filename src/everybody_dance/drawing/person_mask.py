"""The person mask: everything within reach of the joints, with hair, hands, shoes and clothes."""

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.pose_image import drawable
from everybody_dance.images import Image
from everybody_dance.keypoints import Array, Pose
from everybody_dance.skeleton import ANKLES, BONES, EARS, FINGERS, HEAD_JOINTS, LEFT_HAND, RIGHT_HAND, Joint

# Half the width of a clothed limb, in fractions of body height.
_HALF_WIDTHS: dict[str, float] = {
    "spine": 0.09,  # a trunk seen from the side
    "shoulders": 0.065,
    "hips": 0.065,
    "right thigh": 0.065,
    "left thigh": 0.065,
    "right shin": 0.045,
    "left shin": 0.045,
    "right upper arm": 0.045,
    "left upper arm": 0.045,
    "neck": 0.045,
    "right forearm": 0.035,
    "left forearm": 0.035,
    "right foot": 0.035,
    "left foot": 0.035,
    "right heel": 0.035,
    "left heel": 0.035,
    "right toes": 0.035,
    "left toes": 0.035,
}
# Where the joint between is missing, the limb is taken as straight.
_STRAIGHT = (
    (Joint.RIGHT_SHOULDER, Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST),
    (Joint.LEFT_SHOULDER, Joint.LEFT_ELBOW, Joint.LEFT_WRIST),
    (Joint.RIGHT_HIP, Joint.RIGHT_KNEE, Joint.RIGHT_ANKLE),
    (Joint.LEFT_HIP, Joint.LEFT_KNEE, Joint.LEFT_ANKLE),
)
_TORSO_CORNERS = [Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
_TORSO_EDGE = 0.045
_HEAD_RADIUS = 0.10  # around the ears, hair included
_FACE_RADIUS = 0.12  # around nose and eyes, where no ear was found
_NECK_RADIUS = 0.05
_HEAD_ABOVE_NECK = 0.11
_HAND_LENGTH = 0.11
_HAND_RADIUS = 0.045
_FINGER_RADIUS = 0.02
_HEEL_RADIUS = 0.06
_FOOT_RADIUS = 0.085  # around the ankle, where no toe was found


def person_mask(pose: Pose, size: tuple[int, int], grow: float) -> NDArray[np.bool_]:
    """Everything within reach of the person: clothed limbs, torso, head with hair, hands and feet found or not.

    Args:
        pose: in pixels of the frame.
        size: (W, H) of the frame.
        grow: margin all around, in fractions of body height.

    Returns:
        bool (H, W); all False where nobody was found.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    found = drawable(pose, size[1])
    if found.any():
        pose = pose.without(~found)
        height = pose.height
        if height == 0:  # no whole bone: as tall as the joints reach
            height = float(np.ptp(pose.xy[found], axis=0).max())
        marker = _Marker(mask, pose.xy, found, height, grow)
        marker.limbs()
        marker.torso()
        marker.head()
        marker.hands()
        marker.feet()
    return mask.astype(bool)


class _Marker:
    """Marks a person's parts in ``mask`` in place."""

    def __init__(self, mask: Image, xy: Array, found: NDArray[np.bool_], height: float, grow: float) -> None:
        self.mask, self.xy, self.found, self.height, self.grow = mask, xy, found, height, grow

    def limbs(self) -> None:
        xy, found = self.xy, self.found
        for bone, radius in _HALF_WIDTHS.items():
            first, second = BONES[bone]
            if found[first] and found[second]:
                self._capsule(xy[first], xy[second], radius)
        for first, between, last in _STRAIGHT:
            if found[first] and found[last] and not found[between]:
                self._capsule(xy[first], xy[last], _HAND_RADIUS)

    def torso(self) -> None:
        xy = self.xy
        if self.found[_TORSO_CORNERS].all():
            # The hull: a twisted torso would fold over itself.
            hull = cv2.convexHull(np.floor(xy[_TORSO_CORNERS]).astype(np.int32))
            cv2.fillConvexPoly(self.mask, hull, (1,))
            self._capsule(xy[Joint.RIGHT_SHOULDER], xy[Joint.RIGHT_HIP], _TORSO_EDGE)
            self._capsule(xy[Joint.LEFT_SHOULDER], xy[Joint.LEFT_HIP], _TORSO_EDGE)

    def head(self) -> None:
        xy, found = self.xy, self.found
        ears = [joint for joint in EARS if found[joint]]
        joints = ears or [joint for joint in HEAD_JOINTS if found[joint]]
        if joints:
            middle = xy[joints].mean(axis=0)
            self._capsule(middle, middle, _HEAD_RADIUS if ears else _FACE_RADIUS)
            if found[Joint.NECK]:
                self._capsule(xy[Joint.NECK], middle, _NECK_RADIUS)
        elif found[Joint.NECK]:
            up = np.array([0, -1], np.float32)
            if found[Joint.MID_HIP]:
                up = _direction(xy[Joint.MID_HIP], xy[Joint.NECK])
            crown = xy[Joint.NECK] + up * np.float32(_HEAD_ABOVE_NECK * self.height)
            self._capsule(xy[Joint.NECK], crown, _HEAD_RADIUS)

    def hands(self) -> None:
        xy, found = self.xy, self.found
        for elbow, wrist, hand in (
            (Joint.LEFT_ELBOW, Joint.LEFT_WRIST, LEFT_HAND),
            (Joint.RIGHT_ELBOW, Joint.RIGHT_WRIST, RIGHT_HAND),
        ):
            if found[wrist]:
                # Without an elbow the hand may point anywhere: a disc around the wrist.
                beyond = _direction(xy[elbow], xy[wrist]) if found[elbow] else np.zeros(2, np.float32)
                radius = _HAND_RADIUS if found[elbow] else _HAND_LENGTH
                self._capsule(xy[wrist], xy[wrist] + beyond * np.float32(_HAND_LENGTH * self.height), radius)
            for finger in FINGERS.values():
                chain = [hand.start + joint for joint in finger if found[hand.start + joint]]
                if chain:
                    points = np.floor(xy[chain]).astype(np.int32)
                    cv2.polylines(self.mask, [points], False, (1,), self._width(_FINGER_RADIUS))

    def feet(self) -> None:
        for ankle, toe in zip(ANKLES, (Joint.RIGHT_BIG_TOE, Joint.LEFT_BIG_TOE), strict=True):
            if self.found[ankle]:
                radius = _HEEL_RADIUS if self.found[toe] else _FOOT_RADIUS
                self._capsule(self.xy[ankle], self.xy[ankle], radius)

    def _capsule(self, first: Array, second: Array, radius: float) -> None:
        ends = np.floor(np.stack([first, second])).astype(int).tolist()
        cv2.line(self.mask, ends[0], ends[1], (1,), self._width(radius))

    def _width(self, radius: float) -> int:
        return max(round(2 * (radius + self.grow) * self.height), 1)


def _direction(first: Array, second: Array) -> Array:
    along = second - first
    return np.asarray(along / max(float(np.hypot(*along)), 1e-6), np.float32)
