"""Several people in a frame: the one that continues the track is followed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.keypoints import NOBODY, Keypoints, Pose
from everybody_dance.skeleton import BODY, JOINT_COUNT

FASTEST = 15.0
"""Somebody who is farther away than this many of their own heights for each second since is someone else."""

FORGET = 1.0
"""Seconds without the person after which the biggest one in the picture is followed instead."""


@dataclass(frozen=True)
class Person:
    """Somebody found in a picture.

    Attributes:
        pose: in pixels of the picture.
        matte: uint8 (H, W), how much of each pixel is the person, 255 for all of it; None where it was not asked for.
    """

    pose: Pose
    matte: Image | None = None


def follow(frames: Iterable[list[Person]], fps: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Follow one person through all frames.

    The track begins with the biggest person, where joints count by their confidence. In each next frame the nearest
    person continues it, by the mean distance of joints found in both; a person who is too far away does not.

    Args:
        frames: for each frame the people in it.
        fps: frames a second.

    Returns:
        xy (T, 137, 2) and confidence (T, 137); zeros where the person is not seen.
    """
    poses: list[Pose] = []
    last: Pose | None = None
    missing = 0
    for people in frames:
        chosen: Pose | None = None
        seen = [person.pose for person in people if person.pose.person_seen]
        if seen and (last is None or missing > FORGET * fps):
            chosen = max(seen, key=_size)
        elif seen and last is not None:
            distances = [_distance(pose, last) for pose in seen]
            nearest = int(np.argmin(distances))
            if distances[nearest] <= FASTEST / fps * _height(seen[nearest]) * (missing + 1):
                chosen = seen[nearest]
        missing, last = (missing + 1, last) if chosen is None else (0, chosen)
        poses.append(NOBODY if chosen is None else chosen)
    if not poses:
        return np.zeros((0, JOINT_COUNT, 2), np.float32), np.zeros((0, JOINT_COUNT), np.float32)
    return np.stack([pose.xy for pose in poses]), np.stack([pose.confidence for pose in poses])


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


def _height(pose: Pose) -> float:
    return float(np.ptp(pose.xy[BODY][pose.found[BODY]][:, 1])) + 1.0


def _size(pose: Pose) -> float:
    return _height(pose) * float(pose.confidence[BODY].sum())


def _distance(one: Pose, other: Pose) -> float:
    """Mean distance in pixels over body joints found in both; of their centres where there are none."""
    both = one.found[BODY] & other.found[BODY]
    if both.any():
        return float(np.linalg.norm(one.xy[BODY][both] - other.xy[BODY][both], axis=1).mean())
    centres = [pose.xy[BODY][pose.found[BODY]].mean(axis=0) for pose in (one, other)]
    return float(np.linalg.norm(centres[0] - centres[1]))
