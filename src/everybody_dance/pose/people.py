"""Several people in a frame: the one that continues the track is followed."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import BODY, JOINT_COUNT

Person = tuple[NDArray[np.float32], NDArray[np.float32]]
"""xy (137, 2) and confidence (137,)."""

FARTHEST = 0.5
"""Somebody farther from the last place than this share of their own height, for each frame since, is someone else."""

FORGET = 30
"""Frames without the person after which the biggest one in the picture is followed instead."""


def follow(frames: Iterable[list[Person]]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """One person through all frames.

    The track begins with the biggest person, sure joints counting more. In each next frame the nearest person
    continues it, by the mean distance of joints found in both; who is too far away does not.

    Args:
        frames: for each frame the people in it.

    Returns:
        xy (T, 137, 2) and confidence (T, 137); zeros where the person is not seen.
    """
    places: list[NDArray[np.float32]] = []
    confidences: list[NDArray[np.float32]] = []
    last: Person | None = None
    missing = 0
    for people in frames:
        chosen: Person | None = None
        people = [person for person in people if (person[1][BODY] > 0).sum() >= 3]
        if people and (last is None or missing > FORGET):
            chosen = max(people, key=_size)
        elif people and last is not None:
            distances = [_distance(person, last) for person in people]
            nearest = int(np.argmin(distances))
            if distances[nearest] <= FARTHEST * _height(people[nearest]) * (missing + 1):
                chosen = people[nearest]
        if chosen is None:
            missing += 1
            chosen = np.zeros((JOINT_COUNT, 2), np.float32), np.zeros(JOINT_COUNT, np.float32)
        else:
            missing, last = 0, chosen
        places.append(chosen[0])
        confidences.append(chosen[1])
    if not places:
        return np.zeros((0, JOINT_COUNT, 2), np.float32), np.zeros((0, JOINT_COUNT), np.float32)
    return np.stack(places), np.stack(confidences)


def jumps(keypoints: Keypoints, cuts: Sequence[int] = ()) -> int:
    """How often the person is suddenly elsewhere: a detector that sees one person may have gone over to another.

    Args:
        keypoints: as detected.
        cuts: first frames of new shots, where anybody may be anywhere.
    """
    found = keypoints.found[:, BODY, None]
    body = keypoints.xy[:, BODY]
    centre = (body * found).sum(axis=1) / np.maximum(found.sum(axis=1), 1)
    height = np.ptp(np.where(found[..., 0], body[..., 1], centre[:, None, 1]), axis=1)
    far = np.linalg.norm(np.diff(centre, axis=0), axis=1) > FARTHEST * np.maximum(height[1:], height[:-1])
    both = keypoints.person_seen[1:] & keypoints.person_seen[:-1]
    both[[cut - 1 for cut in cuts if 0 < cut < len(keypoints)]] = False
    return int((far & both).sum())


def _height(person: Person) -> float:
    return float(np.ptp(person[0][BODY][person[1][BODY] > 0][:, 1])) + 1.0


def _size(person: Person) -> float:
    return _height(person) * float(person[1][BODY].sum())


def _distance(one: Person, other: Person) -> float:
    """Mean distance in pixels over body joints found in both; of their centres where there are none."""
    both = (one[1][BODY] > 0) & (other[1][BODY] > 0)
    if both.any():
        return float(np.linalg.norm(one[0][BODY][both] - other[0][BODY][both], axis=1).mean())
    centres = [person[0][BODY][person[1][BODY] > 0].mean(axis=0) for person in (one, other)]
    return float(np.linalg.norm(centres[0] - centres[1]))
