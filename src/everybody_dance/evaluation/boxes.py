"""Which part of a frame is measured: the boxes of body, face and hands of the true keypoints."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from everybody_dance.body_height import body_height
from everybody_dance.images import Box
from everybody_dance.keypoints import Keypoints
from everybody_dance.skeleton import FACE, LEFT_HAND, RIGHT_HAND

BODY_MARGIN = 0.1
"""How far the body box reaches past the joints, in fractions of the body height."""

PART_MARGIN = 0.2
"""How far the box of a face or a hand reaches past its points, in fractions of their larger extent: brow, chin."""

POINTS_NEEDED = 10
"""Fewer points than this are no face and no hand."""


def body_boxes(keypoints: Keypoints) -> list[Box | None]:
    """The body box of every frame: around all found joints, grown by 10 % of the body height, clipped to the frame.

    Returns:
        One box for each frame; None where nobody is seen (or only outside the picture).
    """
    margin = BODY_MARGIN * body_height(keypoints.xy, keypoints.confidence)
    return _boxes(keypoints.xy, keypoints.found & keypoints.person_seen[:, None], margin, keypoints.size)


def face_boxes(keypoints: Keypoints) -> list[Box | None]:
    """The face box of every frame: around the found face points, grown by a fifth, clipped to the frame.

    Returns:
        One box for each frame; None where no face is seen.
    """
    return _part_boxes(keypoints, FACE)


def hand_boxes(keypoints: Keypoints) -> list[tuple[Box | None, ...]]:
    """The boxes of the left and the right hand of every frame, as ``face_boxes``."""
    return list(zip(*(_part_boxes(keypoints, hand) for hand in (LEFT_HAND, RIGHT_HAND)), strict=True))


def frame_boxes(keypoints: Keypoints) -> list[Box | None]:
    """The whole frame, for every frame."""
    return [Box(0, 0, *keypoints.size)] * len(keypoints)


def _part_boxes(keypoints: Keypoints, part: slice) -> list[Box | None]:
    found = keypoints.found[:, part] & keypoints.person_seen[:, None]
    found &= found.sum(axis=1, keepdims=True) >= POINTS_NEEDED
    low, high = _extent(keypoints.xy[:, part], found)
    with np.errstate(invalid="ignore"):
        margin = PART_MARGIN * (high - low).max(axis=1)
    return _boxes(keypoints.xy[:, part], found, margin, keypoints.size)


def _extent(xy: NDArray[np.float32], found: NDArray[np.bool_]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Lowest and highest coordinates (T, 2) of the found joints; infinite where there are none."""
    low = np.where(found[..., None], xy, np.float32(np.inf)).min(axis=1)
    high = np.where(found[..., None], xy, np.float32(-np.inf)).max(axis=1)
    return low, high


def _boxes(
    xy: NDArray[np.float32], found: NDArray[np.bool_], margin: NDArray[np.floating[Any]], size: tuple[int, int]
) -> list[Box | None]:
    """Integer boxes that hold the found joints with ``margin`` (T,) pixels around them, clipped to ``size``."""
    some = found.any(axis=1)
    low, high = _extent(xy, found)
    low, high = np.where(some[:, None], low, 0), np.where(some[:, None], high, 0)
    around = np.where(some, margin, 0)[:, None]
    first = np.clip(np.floor(low - around), 0, size).astype(int)
    last = np.clip(np.ceil(high + around), 0, size).astype(int)
    return [
        Box(x0, y0, x1 - x0, y1 - y0) if here and x1 > x0 and y1 > y0 else None
        for here, (x0, y0), (x1, y1) in zip(some.tolist(), first.tolist(), last.tolist(), strict=True)
    ]
