"""What a detection lacks, in numbers."""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import GROUPS, Joint


class DetectionReport(BaseModel):
    """What to know of a detection.

    Attributes:
        frames: in all; without_person: of them.
        missed: joints missed in a frame, on average over frames with a person, by group.
        feet_outside, hands_outside: share of the frames with a person in which a foot (a hand) was not found.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    frames: int
    without_person: int
    missed: dict[str, float]
    feet_outside: float
    hands_outside: float


def report(keypoints: Keypoints, supplied: NDArray[np.bool_]) -> DetectionReport:
    """Count what is missing.

    Args:
        keypoints: as detected.
        supplied: bool (137,), the joints that the detector ever gives; others are absent, not missed.
    """
    keypoints = keypoints.inside()
    seen = keypoints.person_seen
    found = keypoints.found[seen]
    missing = ~found & supplied

    def share(joints: list[Joint]) -> float:
        return float((~found[:, joints].all(axis=1)).mean()) if seen.any() else 0.0

    return DetectionReport(
        frames=len(keypoints),
        without_person=int((~seen).sum()),
        missed={
            name: float(missing[:, part].sum(axis=1).mean()) if seen.any() else 0.0 for name, part in GROUPS.items()
        },
        feet_outside=share([Joint.LEFT_ANKLE, Joint.RIGHT_ANKLE]),
        hands_outside=share([Joint.LEFT_WRIST, Joint.RIGHT_WRIST]),
    )
