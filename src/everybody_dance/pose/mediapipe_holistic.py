"""MediaPipe Holistic to OpenPose's 137 joints. Imported only where a detector is made: it is slow to import."""

import logging
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.keypoints import Pose, is_inside
from everybody_dance.pose.people import Person
from everybody_dance.skeleton import FACE, JOINT_COUNT, LEFT_HAND, MIDPOINTS, RIGHT_HAND, Joint

NAME = "mediapipe-holistic-0.10.21/2"
"""Model, version and the number of this mapping: all that the result depends on."""

VISIBLE = 0.05
"""A body joint less visible than this was not found.

Hidden joints are guessed well, and a limb that comes and goes in the pose image tears the body: what is hardly visible
is kept, with as little confidence.
"""

OUTSIDE = 0.25
"""Confidence of a joint outside the picture, which is always a guess (below ``keypoints.CONFIDENT``).

Nobody sees it, so its visibility says nothing. The guesses are good: where the picture ends anywhere between shins and
hips, the median knee is off by 2 to 7 % of the body's height, and the median ankle by 4 to 15 % (docs/benchmarks.md).
"""

BELOW = 0.8
"""Legs are not guessed where the hips lie outside the picture by more than this many widths of the shoulders (or half
torsos, for who stands sideways): of somebody filmed from the chest up the guesses are crumpled. From the waist up it is
at most 0.7, from the chest up at least 0.9."""

AWAY = 2.0
"""A face is turned from the camera where the nose lies behind the ears by this many times its offset to the side.

That is 63 degrees past the profile: nothing of the face is left to see.
"""

HAND_REACH = 0.35
"""A hand whose wrist is farther than this share of the body's height from the arm's wrist is another hand."""

# Body joint: landmark of MediaPipe's 33.
BODY_LANDMARKS = {
    Joint.NOSE: 0,
    Joint.RIGHT_SHOULDER: 12,
    Joint.RIGHT_ELBOW: 14,
    Joint.RIGHT_WRIST: 16,
    Joint.LEFT_SHOULDER: 11,
    Joint.LEFT_ELBOW: 13,
    Joint.LEFT_WRIST: 15,
    Joint.RIGHT_HIP: 24,
    Joint.RIGHT_KNEE: 26,
    Joint.RIGHT_ANKLE: 28,
    Joint.LEFT_HIP: 23,
    Joint.LEFT_KNEE: 25,
    Joint.LEFT_ANKLE: 27,
    Joint.RIGHT_EYE: 5,
    Joint.LEFT_EYE: 2,
    Joint.RIGHT_EAR: 8,
    Joint.LEFT_EAR: 7,
    Joint.LEFT_BIG_TOE: 31,
    Joint.LEFT_HEEL: 29,
    Joint.RIGHT_BIG_TOE: 32,
    Joint.RIGHT_HEEL: 30,
}
LEGS = [joint for joint in BODY_LANDMARKS if joint.name.endswith(("KNEE", "ANKLE", "TOE", "HEEL"))]
ON_THE_FACE = (Joint.NOSE, Joint.RIGHT_EYE, Joint.LEFT_EYE)

# The 68 points of the iBUG annotation among the 468 of the face mesh, then the pupils (right, left).
# fmt: off
FACE_LANDMARKS = (
    162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389,  # jaw
    70, 63, 105, 66, 107, 336, 296, 334, 293, 300,  # eyebrows
    168, 197, 5, 4, 75, 97, 2, 326, 305,  # nose
    33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380,  # eyes
    61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181, 78, 82, 13, 312, 308, 317, 14, 87,  # lips
    468, 473,
)
# fmt: on

SUPPLIED = np.ones(JOINT_COUNT, bool)
SUPPLIED[[Joint.LEFT_SMALL_TOE, Joint.RIGHT_SMALL_TOE]] = False

Points = NDArray[np.float32]


class MediaPipeDetector:
    """Finds one person, frame after frame; as ``detectors.Detector``.

    It follows the person from the frame before, so the frames of a video must come in order.

    Args:
        mattes: find the person's matte as well, which the pose network draws together with the joints.
    """

    name = NAME
    supplied = SUPPLIED

    def __init__(self, mattes: bool = True) -> None:
        os.environ.setdefault("GLOG_minloglevel", "3")
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        logging.getLogger("absl").setLevel(logging.ERROR)
        from mediapipe.python.solutions.holistic import Holistic

        self._everybody: Any = None  # loaded when it is needed
        self._model: Any = Holistic(
            model_complexity=1,
            smooth_landmarks=False,
            enable_segmentation=mattes,
            smooth_segmentation=False,  # each matte by itself, as each pose
            refine_face_landmarks=True,
        )

    def reset(self) -> None:
        """Forget the person of the frame before."""
        self._model.reset()

    def close(self) -> None:
        """Release the models."""
        self._model.close()
        if self._everybody is not None:
            self._everybody.close()

    def people(self, image: Image) -> list[Person]:
        """The person in ``image``, if there is one; in its pixels."""
        found = self._model.process(image)
        pose = joints(
            _array(found.pose_landmarks, visibility=True),
            _array(found.face_landmarks),
            _array(found.left_hand_landmarks),
            _array(found.right_hand_landmarks),
            (image.shape[1], image.shape[0]),
        )
        if not pose.found.any():
            return []
        mask = found.segmentation_mask  # float32 (H, W) in [0, 1]
        return [Person(pose, None if mask is None else np.asarray(np.round(255 * mask), np.uint8))]

    def everybody(self, image: Image) -> list[Person]:
        """The bodies of all people in ``image``."""
        if self._everybody is None:
            from everybody_dance.pose.mediapipe_people import PeopleDetector

            self._everybody = PeopleDetector()
        found: list[Person] = self._everybody.people(image)
        return found


def joints(
    body: Points | None, face: Points | None, left: Points | None, right: Points | None, size: tuple[int, int]
) -> Pose:
    """Landmarks as MediaPipe gives them, to 137 joints.

    Args:
        body: (33, 4): x, y in shares of the picture, z, visibility; None: nobody.
        face: (478, 3) or None; left, right: hands (21, 3) or None.
        size: (W, H) of the picture.

    Returns:
        The pose in pixels. Joints outside the picture are guesses, of ``OUTSIDE`` confidence at most; those on a face
        that looks away are not found.
    """
    xy, confidence = np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32)
    if body is None:
        return Pose(xy, confidence)
    places = np.array(list(BODY_LANDMARKS.values()))
    names = np.array(list(BODY_LANDMARKS))
    pixels = body[:, :2] * np.array(size, np.float32)
    xy[names] = pixels[places]
    visibility = np.clip(body[places, 3], 0, 1)
    confidence[names] = np.where(visibility >= VISIBLE, visibility, 0)
    confidence[names] = np.where(is_inside(xy[names], size), confidence[names], OUTSIDE)
    for middle, (one, other) in MIDPOINTS.items():
        xy[middle] = (xy[one] + xy[other]) / 2
        confidence[middle] = min(confidence[one], confidence[other])
    height = float(np.ptp(pixels[:, 1]))
    for hand, wrist, part in ((left, Joint.LEFT_WRIST, LEFT_HAND), (right, Joint.RIGHT_WRIST, RIGHT_HAND)):
        if hand is not None:
            points = hand[:, :2] * np.array(size, np.float32)
            if np.linalg.norm(points[0] - xy[wrist]) < HAND_REACH * height / 2:
                xy[part], confidence[part] = points, 1
    side, depth = nose_offset(body)
    if depth > AWAY * abs(side):
        confidence[list(ON_THE_FACE)] = 0
    elif face is not None and depth < 0:
        xy[FACE] = face[list(FACE_LANDMARKS), :2] * np.array(size, np.float32)
        confidence[FACE] = 1
    inside = is_inside(xy, size)
    if _from_the_chest_up(xy, size):
        confidence[LEGS] *= inside[LEGS]
    return Pose(xy, np.where(inside, confidence, np.minimum(confidence, np.float32(OUTSIDE))))


def _from_the_chest_up(xy: Points, size: tuple[int, int]) -> bool:
    """Whether the hips lie so far outside the picture that nothing is known of the legs; ``xy`` are 137 joints."""
    hips, frame = xy[Joint.MID_HIP], np.array(size, np.float32)
    outside = float(np.linalg.norm(hips - np.clip(hips, 0, frame)))
    shoulders = np.linalg.norm(xy[Joint.RIGHT_SHOULDER] - xy[Joint.LEFT_SHOULDER])
    torso = np.linalg.norm(xy[Joint.NECK] - hips)
    return outside > BELOW * float(max(shoulders, torso / 2))


def nose_offset(body: Points) -> tuple[float, float]:
    """Where the nose lies from the middle of the ears, to the right and away from the camera, in shares of the width.

    MediaPipe reports nose, eyes and mouth as visible from behind too, so their visibility says nothing, and its face
    mesh past the profile is a face seen from the front; this tells where the head looks.
    """
    side, _, depth = body[0, :3] - (body[7, :3] + body[8, :3]) / 2
    return float(side), float(depth)


def _array(landmarks: Any, visibility: bool = False) -> Points | None:
    if landmarks is None:
        return None
    fields = ("x", "y", "z", "visibility") if visibility else ("x", "y", "z")
    return np.array([[getattr(point, field) for field in fields] for point in landmarks.landmark], np.float32)
