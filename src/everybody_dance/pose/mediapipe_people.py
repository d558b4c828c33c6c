"""MediaPipe's pose landmarker: the bodies of everybody in a picture. It is slow to load."""

import io
from functools import partial
from pathlib import Path
from typing import Any
from zipfile import ZIP_STORED, ZipFile

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Box, Image
from everybody_dance.keypoints import Pose
from everybody_dance.pose.mediapipe_holistic import joints
from everybody_dance.pose.people import UNKNOWN_CLOTHES, Person, apart
from everybody_dance.skeleton import BODY, Joint

NAME = "mediapipe-people-0.10.21/1"
"""Model, version and the number of this way to use it: all that the result depends on."""

MOST = 8
"""People in a square of the picture, at most."""

SURE = 0.4
"""Least score of somebody who is found: arms before a face, or a small picture, make it less sure."""

SAME = 0.25
"""Bodies whose joints lie nearer together than this on average, in body heights, were found twice."""

# Lines along which clothes are looked at: upper and lower part of the body.
_UPPER = [Joint.RIGHT_SHOULDER, Joint.LEFT_SHOULDER, Joint.LEFT_HIP, Joint.RIGHT_HIP]
_LOWER = [(Joint.RIGHT_HIP, Joint.RIGHT_KNEE), (Joint.LEFT_HIP, Joint.LEFT_KNEE)]
_ALONG = np.linspace(0.15, 0.85, 9)


class PeopleDetector:
    """Finds the bodies of all people in a picture.

    The network that finds people sees a square of 224 pixels, in which the dancers of a wide picture are tiny. So it is
    shown squares as large as the picture's shorter side, which overlap by half.
    """

    def __init__(self) -> None:
        import mediapipe
        from mediapipe.tasks.python import BaseOptions
        from mediapipe.tasks.python.vision import PoseLandmarker, PoseLandmarkerOptions

        models = Path(mediapipe.__file__).parent / "modules"
        options = PoseLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=_bundle(models)),
            num_poses=MOST,
            min_pose_detection_confidence=SURE,
        )
        self._model: Any = PoseLandmarker.create_from_options(options)
        self._picture: Any = partial(mediapipe.Image, mediapipe.ImageFormat.SRGB)

    def close(self) -> None:
        """Release the model."""
        self._model.close()

    def people(self, image: Image) -> list[Person]:
        """The people in ``image``, in its pixels."""
        found: list[Pose] = []
        for box in squares(image.shape[1], image.shape[0]):
            part = np.ascontiguousarray(box.cut(image))
            for landmarks in self._model.detect(self._picture(part)).pose_landmarks:
                body = np.array([[mark.x, mark.y, mark.z, mark.visibility] for mark in landmarks], np.float32)
                pose = joints(body, None, None, None, (box.width, box.height)).inside((box.width, box.height))
                found.append(pose.shifted(box.x, box.y))
        return [Person(pose, clothes=clothes(image, pose)) for pose in once(found)]


def squares(width: int, height: int) -> list[Box]:
    """Squares as large as the shorter side that cover a picture, each overlapping the next by half or more."""
    side, long = min(width, height), max(width, height)
    count = int(np.ceil((long - side) / (side / 2))) + 1
    starts = np.linspace(0, long - side, count).round().astype(int).tolist()
    return [Box(start, 0, side, side) if width >= height else Box(0, start, side, side) for start in starts]


def once(found: list[Pose]) -> list[Pose]:
    """The poses of different bodies: what is of one that was found twice is put together, the better seen first."""
    kept: list[Pose] = []
    for pose in sorted((pose for pose in found if pose.person_seen), key=lambda pose: -pose.confidence[BODY].sum()):
        twin = next((place for place, other in enumerate(kept) if _same(pose, other)), None)
        if twin is None:
            kept.append(pose)
        else:  # a square cuts arms off that reach into the next one
            missing = ~kept[twin].found
            xy = np.where(missing[:, None], pose.xy, kept[twin].xy)
            kept[twin] = Pose(xy, np.where(missing, pose.confidence, kept[twin].confidence))
    return kept


def _same(one: Pose, other: Pose) -> bool:
    return apart(one, other) <= SAME * min(one.height, other.height)


def clothes(image: Image, pose: Pose) -> NDArray[np.float32]:
    """float32 (2, 3): the median colours (CIE L*a*b*) of the upper and the lower part of a body; NaN where unseen."""
    colours = UNKNOWN_CLOTHES.copy()
    corners = pose.xy[_UPPER].reshape(2, 2, 2)  # top and bottom, two sides
    if pose.found[_UPPER].all():
        down, across = np.meshgrid(_ALONG, _ALONG, indexing="ij")
        top, bottom = (edge[0] + across[..., None] * (edge[1] - edge[0]) for edge in (corners[0], corners[1][::-1]))
        colours[0] = _median_colour(image, (top + down[..., None] * (bottom - top)).reshape(-1, 2))
    legs = [pose.xy[list(leg)] for leg in _LOWER if pose.found[list(leg)].all()]
    if legs:
        places = [hip + _ALONG[:, None] * (knee - hip) for hip, knee in legs]
        colours[1] = _median_colour(image, np.concatenate(places))
    return colours


def _median_colour(image: Image, places: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
    x, y = places.astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < image.shape[1]) & (y < image.shape[0])
    if not inside.any():
        return np.asarray(UNKNOWN_CLOTHES[0])
    seen = image[y[inside], x[inside]][None].astype(np.float32) / 255
    return np.asarray(np.median(cv2.cvtColor(seen, cv2.COLOR_RGB2LAB)[0], axis=0), np.float32)


def _bundle(models: Path) -> bytes:
    """The landmarker's model file, made of the networks that the package has for its older interface.

    They only lack the range of their input, which the package's own writer adds.
    """
    from mediapipe.tasks.python.metadata.metadata_writers.metadata_writer import MetadataWriter

    bundle = io.BytesIO()
    with ZipFile(bundle, "w", ZIP_STORED) as archive:
        for name, network, mean, spread in (
            ("pose_detector.tflite", "pose_detection/pose_detection.tflite", 127.5, 127.5),
            ("pose_landmarks_detector.tflite", "pose_landmark/pose_landmark_full.tflite", 0.0, 255.0),
        ):
            writer = MetadataWriter.create(bytearray((models / network).read_bytes()))
            writer.add_image_input([mean], [spread])
            archive.writestr(name, bytes(writer.populate()[0]))
    return bundle.getvalue()
