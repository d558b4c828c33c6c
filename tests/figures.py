"""Stick people with known measures, for tests: every joint found, standing with arms a little away from the body."""

from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import FACE, JOINT_COUNT, LEFT_HAND, RIGHT_HAND, Joint

FPS = Fraction(30)

# (to the person's left, up), in fractions of the height from ankle to nose; ankles at 0, nose at 1.
_BODY: dict[Joint, tuple[float, float]] = {
    Joint.NOSE: (0, 1),
    Joint.NECK: (0, 0.88),
    Joint.MID_HIP: (0, 0.56),
    Joint.LEFT_SHOULDER: (0.12, 0.88),
    Joint.LEFT_ELBOW: (0.22, 0.70),
    Joint.LEFT_WRIST: (0.29, 0.55),
    Joint.LEFT_HIP: (0.07, 0.56),
    Joint.LEFT_KNEE: (0.08, 0.28),
    Joint.LEFT_ANKLE: (0.09, 0),
    Joint.LEFT_EYE: (0.02, 1.03),
    Joint.LEFT_EAR: (0.05, 1.02),
    Joint.LEFT_BIG_TOE: (0.12, -0.04),
    Joint.LEFT_SMALL_TOE: (0.14, -0.03),
    Joint.LEFT_HEEL: (0.08, -0.03),
}


def _template() -> NDArray[np.float64]:
    points = np.zeros((JOINT_COUNT, 2))
    for joint, (left, up) in _BODY.items():
        points[joint] = left, up
        mirrored = Joint.__members__.get(joint.name.replace("LEFT", "RIGHT"))
        if "LEFT" in joint.name and mirrored is not None:
            points[mirrored] = -left, up
    face = np.zeros((70, 2))
    jaw = np.linspace(-np.pi, 0, 17)
    face[:17] = np.stack([0.05 * np.cos(jaw), 0.05 * np.sin(jaw)], -1)
    for first, side in ((17, -1), (22, 1)):
        face[first : first + 5] = np.stack([side * 0.022 + np.linspace(-0.012, 0.012, 5), np.full(5, 0.04)], -1)
    face[27:31] = np.stack([np.zeros(4), np.linspace(0.025, 0.005, 4)], -1)
    face[31:36] = np.stack([np.linspace(-0.01, 0.01, 5), np.full(5, -0.003)], -1)
    ring = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    for first, side in ((36, -1), (42, 1)):
        face[first : first + 6] = np.stack([side * 0.022 + 0.01 * np.cos(ring), 0.025 + 0.005 * np.sin(ring)], -1)
    for first, count, radius in ((48, 12, 0.02), (60, 8, 0.012)):
        around = np.linspace(0, 2 * np.pi, count, endpoint=False)
        face[first : first + count] = np.stack([radius * np.cos(around), -0.025 + 0.4 * radius * np.sin(around)], -1)
    face[68], face[69] = (-0.022, 0.025), (0.022, 0.025)
    points[FACE] = face + np.array([0, 1])
    hand = np.zeros((21, 2))
    for finger, (angle, length) in enumerate(((1.0, 0.08), (0.35, 0.11), (0.05, 0.12), (-0.2, 0.11), (-0.5, 0.09))):
        steps = np.linspace(0.4, 1, 4) * length
        hand[1 + 4 * finger : 5 + 4 * finger] = np.stack([steps * np.sin(-angle), -steps * np.cos(angle)], -1)
    points[LEFT_HAND] = points[Joint.LEFT_WRIST] + hand
    points[RIGHT_HAND] = points[Joint.RIGHT_WRIST] + hand * [-1, 1]
    return points


TEMPLATE = _template()


def standing(x: float, ankle_y: float, height: float, facing_away: bool = False) -> NDArray[np.float32]:
    """Joints (137, 2) of a person ``height`` pixels from ankle to nose, with the ankles at ``ankle_y``.

    Who faces the camera has their left on the picture's right.
    """
    across = -1 if facing_away else 1
    return (np.array([x, ankle_y]) + height * TEMPLATE * [across, -1]).astype(np.float32)


def clip(
    frames: Sequence[NDArray[np.float32]] | NDArray[np.float32],
    size: tuple[int, int] = (640, 480),
    fps: Fraction = FPS,
) -> Keypoints:
    """A clip in which every joint was found."""
    xy = np.asarray(frames, np.float32)
    return Keypoints(xy, np.ones(xy.shape[:2], np.float32), size, fps)
