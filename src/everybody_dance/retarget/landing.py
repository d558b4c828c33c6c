"""A dance moved from where normalization put it to where the user wants it: one similarity for the whole clip.

A similarity of its own for each frame, about that frame's feet, would let the feet slide: steps would grow, and the way
that they cover would not.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from everybody_dance.keypoints import Keypoints, blocks
from everybody_dance.retarget.normalize import in_picture
from everybody_dance.retarget.options import AS_FITTED, Landing
from everybody_dance.retarget.statistics import measure
from everybody_dance.skeleton import BODY


def landed(placed: Keypoints, landing: Landing, cuts: Sequence[int] = ()) -> Keypoints:
    """A dance where the user wants it.

    Args:
        placed: the dance where it was fitted, in the target's frame.
        landing: how it is moved.
        cuts: first frames of new shots.

    Returns:
        The same as ``in_picture`` leaves it; ``placed`` itself where it stays.
    """
    if landing == AS_FITTED or not placed.person_seen.any():
        return placed
    scale, shift = similarity(landing, feet(placed, cuts), placed.size)
    xy, confidence = np.empty_like(placed.xy), np.empty_like(placed.confidence)
    for block in blocks(len(placed)):
        moved = scale * placed.xy[block].astype(np.float64) + shift
        xy[block], confidence[block] = in_picture(moved, placed.confidence[block], placed.size)
    return replace(placed, xy=xy, confidence=confidence)


def feet(placed: Keypoints, cuts: Sequence[int] = ()) -> NDArray[np.float64]:
    """Where a dance usually touches the floor, (2,), in pixels: what stays in place when it is scaled.

    The middle of its stage, at the median of the ground line; of the hips' where no feet are seen, and the picture's
    lower edge where not even those are.

    Raises:
        DanceError: nobody is seen (``no-person``).
    """
    statistics = measure(placed, cuts).statistics
    level = statistics.ground or statistics.hips
    return np.array([statistics.center_x, placed.size[1] if level is None else level.median], np.float64)


def similarity(
    landing: Landing, point: NDArray[np.float64], size: tuple[int, int]
) -> tuple[float, NDArray[np.float64]]:
    """The scale and the shift (2,), in pixels of a frame of ``size`` (W, H), that scale about ``point`` and move."""
    moved = np.array([landing.shift, landing.floor]) * size
    return landing.scale, point - landing.scale * point + moved


@dataclass(frozen=True)
class Outline:
    """Where a dance was fitted, in pixels of the target's frame: what a page needs to show where it may be moved to.

    Attributes:
        size: (W, H) of the frame.
        box: left, top, right and bottom of all the joints of the body that are ever seen.
        feet: x and y, as ``feet``.
    """

    size: tuple[int, int]
    box: tuple[float, float, float, float]
    feet: tuple[float, float]

    @classmethod
    def of(cls, placed: Keypoints, cuts: Sequence[int] = ()) -> Self | None:
        """That of a dance; None where nobody is seen."""
        if not placed.person_seen.any():
            return None
        joints = placed.xy[:, BODY][placed.found[:, BODY]]
        if not len(joints):
            return None
        (left, top), (right, bottom) = joints.min(axis=0).tolist(), joints.max(axis=0).tolist()
        x, y = feet(placed, cuts).tolist()
        return cls(placed.size, (left, top, right, bottom), (x, y))
