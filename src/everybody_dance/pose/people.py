"""Somebody found in a picture."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from everybody_dance.images import Image
from everybody_dance.keypoints import Array, Keypoints, Pose
from everybody_dance.skeleton import BODY

FASTEST = 15.0
"""Somebody who is farther away than this many of their own heights for each second since is someone else."""

UNKNOWN_CLOTHES = np.full((2, 3), np.nan, np.float32)
"""Of a person of whose clothes nothing was seen."""
UNKNOWN_CLOTHES.flags.writeable = False


@dataclass(frozen=True)
class Person:
    """Somebody found in a picture.

    Attributes:
        pose: in pixels of the picture.
        matte: uint8 (H, W), how much of each pixel is the person, 255 for all of it; None where it was not asked for.
        clothes: float32 (2, 3), colours (CIE L*a*b*) of the upper and the lower part of the body; NaN where unknown.
    """

    pose: Pose
    matte: Image | None = None
    clothes: Array = field(default_factory=lambda: UNKNOWN_CLOTHES)


def jumps(keypoints: Keypoints, cuts: Sequence[int] = ()) -> int:
    """How often the person is suddenly elsewhere: a detector that sees one person may have changed to another.

    Args:
        keypoints: as detected.
        cuts: first frames of new shots, where anybody may be anywhere.
    """
    found = keypoints.found[:, BODY, None]
    body = keypoints.xy[:, BODY]
    centre = (body * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    height = np.ptp(np.where(found[..., 0], body[..., 1], centre[:, None, 1]), axis=1)
    farthest = FASTEST / float(keypoints.fps) * np.maximum(height[1:], height[:-1])
    far = np.linalg.norm(np.diff(centre, axis=0), axis=1) > farthest
    both = keypoints.person_seen[1:] & keypoints.person_seen[:-1]
    both[[cut - 1 for cut in cuts if 0 < cut < len(keypoints)]] = False
    return int((far & both).sum())


def body_centre(pose: Pose) -> Array:
    """(2,): the mean place of the body joints that were found, in pixels."""
    return np.asarray(pose.xy[BODY][pose.found[BODY]].mean(axis=0))


def apart(one: Pose, other: Pose) -> float:
    """Mean distance in pixels over body joints found in both; of their centres where there are none."""
    both = one.found[BODY] & other.found[BODY]
    if both.any():
        return float(np.linalg.norm(one.xy[BODY][both] - other.xy[BODY][both], axis=1).mean())
    return float(np.linalg.norm(body_centre(one) - body_centre(other)))
