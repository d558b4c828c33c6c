"""The registry of detectors: what finds people in pictures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.pose import mediapipe_holistic, mediapipe_people
from everybody_dance.pose.options import DEFAULT_DETECTOR
from everybody_dance.pose.people import Person


class Detector(Protocol):
    """Finds people in the frames of a video, which come in order.

    Attributes:
        name: model, version and the number of the mapping to joints: all that the result depends on.
        supplied: bool (137,), joints that it ever finds; the others are absent, not missed.
    """

    name: str
    supplied: NDArray[np.bool_]

    def people(self, image: Image) -> list[Person]:
        """The people in ``image``, uint8 (H, W, 3), in its pixels."""
        ...

    def everybody(self, image: Image) -> list[Person]:
        """The bodies of all people in ``image``, without faces, hands and mattes; each image by itself."""
        ...

    def reset(self) -> None:
        """Forget the frames before: the next one begins another stretch of video."""
        ...

    def close(self) -> None:
        """Release the model."""
        ...


@dataclass(frozen=True)
class DetectorKind:
    """A kind of detector.

    Attributes:
        name, supplied: as of ``Detector``, known without loading it.
        people_name: as ``name``, of what it finds of everybody.
        load: loads it; told whether the people's mattes are wanted.
    """

    name: str
    supplied: NDArray[np.bool_]
    people_name: str
    load: Callable[[bool], Detector]


DETECTORS = {
    DEFAULT_DETECTOR: DetectorKind(
        mediapipe_holistic.NAME,
        mediapipe_holistic.SUPPLIED,
        mediapipe_people.NAME,
        mediapipe_holistic.MediaPipeDetector,
    )
}
