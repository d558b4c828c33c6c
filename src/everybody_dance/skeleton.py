"""The skeleton: every table of joints, bones and lines.

137 joints in OpenPose's order: 0-24 body (BODY_25), 25-94 face, 95-115 left hand, 116-136 right hand.
Left and right are the person's own.
"""

from enum import IntEnum
from typing import Literal


class Joint(IntEnum):
    """The 25 body joints, in OpenPose's BODY_25 order."""

    NOSE = 0
    NECK = 1
    RIGHT_SHOULDER = 2
    RIGHT_ELBOW = 3
    RIGHT_WRIST = 4
    LEFT_SHOULDER = 5
    LEFT_ELBOW = 6
    LEFT_WRIST = 7
    MID_HIP = 8
    RIGHT_HIP = 9
    RIGHT_KNEE = 10
    RIGHT_ANKLE = 11
    LEFT_HIP = 12
    LEFT_KNEE = 13
    LEFT_ANKLE = 14
    RIGHT_EYE = 15
    LEFT_EYE = 16
    RIGHT_EAR = 17
    LEFT_EAR = 18
    LEFT_BIG_TOE = 19
    LEFT_SMALL_TOE = 20
    LEFT_HEEL = 21
    RIGHT_BIG_TOE = 22
    RIGHT_SMALL_TOE = 23
    RIGHT_HEEL = 24


JOINT_COUNT = 137
SKULL = JOINT_COUNT
"""A joint of our own in the middle of the ears, behind the 137 (``keypoints.with_skull``)."""

Part = Literal["face", "hands"]
PARTS: tuple[Part, ...] = ("face", "hands")
"""Parts of the person that have refiners of their own."""

BODY = slice(0, 25)
FACE = slice(25, 95)
LEFT_HAND = slice(95, 116)
RIGHT_HAND = slice(116, 137)
GROUPS = {"body": BODY, "face": FACE, "left hand": LEFT_HAND, "right hand": RIGHT_HAND}

BODY_BONES: dict[str, tuple[int, int]] = {
    "right hip": (8, 9),
    "left hip": (8, 12),
    "spine": (1, 8),
    "right thigh": (9, 10),
    "right shin": (10, 11),
    "left thigh": (12, 13),
    "left shin": (13, 14),
    "right foot": (11, 22),
    "right toes": (22, 23),
    "right heel": (11, 24),
    "left foot": (14, 19),
    "left toes": (19, 20),
    "left heel": (14, 21),
    "right shoulder": (1, 2),
    "left shoulder": (1, 5),
    "right upper arm": (2, 3),
    "right forearm": (3, 4),
    "left upper arm": (5, 6),
    "left forearm": (6, 7),
    "neck": (1, 0),
    "right eye": (0, 15),
    "left eye": (0, 16),
    "right ear": (15, 17),
    "left ear": (16, 18),
}
"""Bones of the body by name, in the order in which they are drawn."""


BONES = BODY_BONES | {"shoulders": (2, 5), "hips": (9, 12), "head": (int(Joint.NECK), SKULL)}
"""``BODY_BONES`` and three lines that are measured or cut out, but not drawn."""

# One finger is a chain of four bones from the wrist; joints count from the hand's own wrist (0).
FINGERS: dict[str, tuple[int, ...]] = {
    "thumb": (0, 1, 2, 3, 4),
    "index": (0, 5, 6, 7, 8),
    "middle": (0, 9, 10, 11, 12),
    "ring": (0, 13, 14, 15, 16),
    "little": (0, 17, 18, 19, 20),
}

# Lines of the 70-point face (68 points of the iBUG annotation and two pupils); joints count from the face's first.
FACE_LINES: dict[str, tuple[int, ...]] = {
    "jaw": tuple(range(17)),
    "right eyebrow": tuple(range(17, 22)),
    "left eyebrow": tuple(range(22, 27)),
    "nose bridge": tuple(range(27, 31)),
    "nose base": tuple(range(31, 36)),
    "right eye": (*range(36, 42), 36),
    "left eye": (*range(42, 48), 42),
    "outer lips": (*range(48, 60), 48),
    "inner lips": (*range(60, 68), 60),
}
PUPILS = (68, 69)


def _mirror() -> tuple[int, ...]:
    """For each joint the one in its place in a mirror."""
    names = {joint.name: joint.value for joint in Joint}
    sides = {"LEFT": "RIGHT", "RIGHT": "LEFT"}
    body = [names["_".join(sides.get(word, word) for word in joint.name.split("_"))] for joint in Joint]
    # fmt: off
    face = (
        *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),  # jaw, eyebrows, nose
        45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,  # eyes
        *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),  # lips
        69, 68,
    )
    # fmt: on
    hands = (*range(RIGHT_HAND.start, RIGHT_HAND.stop), *range(LEFT_HAND.start, LEFT_HAND.stop))
    return (*body, *(FACE.start + joint for joint in face), *hands)


MIRROR = _mirror()
"""``MIRROR[j]``: the joint in the place of joint j in a mirror image."""

HEAD_JOINTS = [Joint.NOSE, Joint.RIGHT_EYE, Joint.LEFT_EYE, Joint.RIGHT_EAR, Joint.LEFT_EAR]
EARS = [Joint.RIGHT_EAR, Joint.LEFT_EAR]
HIPS = [Joint.RIGHT_HIP, Joint.LEFT_HIP]
KNEES = [Joint.RIGHT_KNEE, Joint.LEFT_KNEE]
ANKLES = [Joint.RIGHT_ANKLE, Joint.LEFT_ANKLE]
FEET = [*ANKLES, Joint.RIGHT_BIG_TOE, Joint.LEFT_BIG_TOE, Joint.RIGHT_HEEL, Joint.LEFT_HEEL]

MIDPOINTS = {
    Joint.NECK: (Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER),
    Joint.MID_HIP: (Joint.RIGHT_HIP, Joint.LEFT_HIP),
}
"""Joints that lie half-way between two others, for detectors that do not find them."""
