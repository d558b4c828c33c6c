"""How the camera of a video moves, followed as the frames pass; and joints as a camera that stands still sees them.

Corners of the background are tracked from a key frame to each frame (Lucas and Kanade), and a similarity carries one
onto the other. A camera that stands still costs little: only every few frames are looked at.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints, Pose, shots

ROWS = 240
"""Height of the pictures that are looked at."""

CORNERS, FEWEST = 200, 8
"""Corners that are tracked at most; and at least, below which nothing can be told."""

AROUND = 0.05
"""Room around people in which there are no corners, in body heights."""

FIT, ENOUGH = 1.0, 0.4
"""A corner fits a motion within so many pixels; this share of the key frame's must, or it is lost."""

WORN = 0.6
"""With less of its corners than this, or less of its picture in view, another key frame takes over."""

SURROUNDINGS = 17
"""Side of the square, in pixels, by whose mean and contrast the light is evened."""

FAINT = 3.0
"""Contrast below which there is only noise."""

TOGETHER = 8
"""Frames of which only the last is looked at while the camera stands still."""

STILL = 0.15
"""Pixels by which it may seem to move then."""

CALM = 4
"""So many times in a row it has to stand still before frames are passed over."""

MOVES = 0.3
"""The camera moves if a fifth of the frames are displaced by more than this, in percent of the height."""

FARTHEST, NEAREST = 3.0, 3.0
"""Frame sizes that it may move by, and how many times nearer or farther it may go; else it was not followed."""

Matrices = NDArray[np.float64]


class CameraTracker:
    """Feed frames with ``see`` and, later, who is in them with ``locate``; then ask for the ``path``."""

    def __init__(self) -> None:
        self._waiting: deque[Image] = deque()
        self._block: list[tuple[Image, list[Pose]]] = []
        self._found: list[Matrices] = []
        self._last = np.eye(3)
        self._calm = 0
        self._scale = 1.0
        self._key: _Key | None = None
        self._before: tuple[Image, list[Pose], Matrices] | None = None

    def see(self, frame: Image) -> None:
        """Take in the next frame, uint8 (H, W, 3)."""
        self._scale = ROWS / frame.shape[0]
        size = max(round(frame.shape[1] * self._scale), 1), ROWS
        grey = cv2.cvtColor(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        self._waiting.append(np.asarray(grey, np.uint8))

    def locate(self, people: Sequence[Pose], height: int) -> None:
        """Take in who is in the oldest frame of which that is not known, in pixels of a picture of that ``height``."""
        scaled = [Pose(pose.xy * np.float32(ROWS / height), pose.confidence) for pose in people]
        self._block.append((self._waiting.popleft(), scaled))
        if len(self._block) == TOGETHER:
            self._follow()

    def path(self, cuts: Sequence[int]) -> Matrices:
        """float64 (T, 3, 3): for each frame the similarity, in its pixels, to the first frame of its shot."""
        self._follow()
        matrices = np.array(self._found).reshape(-1, 3, 3)
        for shot in shots(len(matrices), cuts):
            matrices[shot] = np.linalg.inv(matrices[shot.start]) @ matrices[shot] if len(matrices) else matrices
        scale = np.diag((self._scale, self._scale, 1.0))
        return np.asarray(np.linalg.inv(scale) @ matrices @ scale)

    def _follow(self) -> None:
        """Find where the frames that wait were taken."""
        block, self._block = self._block, []
        if not block:
            return
        if self._calm >= CALM and self._key is not None:
            found = self._key.track(block[-1][0])
            if found is not None and _apart(found, self._last, block[-1][0].shape) < STILL:
                self._found += [self._last] * len(block)
                return
        before = self._last
        for grey, people in block:
            self._take(grey, people)
        self._calm = self._calm + 1 if _apart(before, self._last, block[-1][0].shape) < STILL else 0

    def _take(self, grey: Image, people: list[Pose]) -> None:
        found = None if self._key is None else self._key.track(grey)
        if found is None and self._before is not None:  # what the key frame showed is gone, or a new shot begins
            self._key = _Key(*self._before)
            found = self._key.track(grey)
        if found is not None:
            self._last = found
        self._found.append(self._last)
        self._before = grey, people, self._last
        if self._key is None or found is None or self._key.worn:
            self._key = _Key(*self._before)


class _Key:
    """A key frame, whose corners are tracked.

    Args:
        grey: uint8 (ROWS, w).
        people: who is seen in it.
        place: (3, 3), where it was taken.
    """

    def __init__(self, grey: Image, people: Sequence[Pose], place: Matrices) -> None:
        self._evened, self._place = _evened(grey), place
        free = np.full(grey.shape, 255, np.uint8)
        for pose in people:
            free[person_mask(pose, (grey.shape[1], grey.shape[0]), AROUND)] = 0
        corners = cv2.goodFeaturesToTrack(grey, CORNERS, 0.002, 5, mask=free)
        self._corners = np.zeros((0, 1, 2), np.float32) if corners is None else np.asarray(corners, np.float32)
        self._there = self._corners
        self.worn = False

    def track(self, grey: Image) -> Matrices | None:
        """Where a frame was taken, (3, 3); None if that cannot be told."""
        if len(self._corners) < FEWEST:
            return None
        follow: Any = cv2.calcOpticalFlowPyrLK  # OpenCV's types do not know all of its arguments
        flags = cv2.OPTFLOW_USE_INITIAL_FLOW
        there, found, _ = follow(
            self._evened, _evened(grey), self._corners, self._there.copy(), winSize=(15, 15), maxLevel=3, flags=flags
        )
        seen = found.ravel() == 1
        if seen.sum() < FEWEST:
            return None
        motion, fits = cv2.estimateAffinePartial2D(self._corners[seen], there[seen], ransacReprojThreshold=FIT)
        if motion is None or fits.sum() < max(FEWEST, ENOUGH * len(self._corners)):
            return None
        self._there = np.asarray(cv2.transform(self._corners, motion), np.float32)
        inside = ((self._there >= 0) & (self._there < grey.shape[::-1])).all(axis=2).mean()
        self.worn = bool(min(fits.sum() / len(self._corners), inside) < WORN)
        return np.asarray(self._place @ np.linalg.inv(np.vstack([motion, (0, 0, 1)])))


def _evened(grey: Image) -> Image:
    """The picture with the same brightness and contrast all over: corners are not found again in another light."""
    picture = grey.astype(np.float32)
    square = SURROUNDINGS, SURROUNDINGS
    apart = picture - cv2.blur(picture, square)
    contrast = np.sqrt(np.maximum(cv2.blur(apart * apart, square), 0))  # running sums of nothing fall below it
    return np.asarray((128 + 40 * apart / (contrast + FAINT)).clip(0, 255), np.uint8)


def stood_still(keypoints: Keypoints, path: Matrices) -> Keypoints | None:
    """The joints as a camera sees them that stays where each shot begins; None where it does so, or was not followed.

    Args:
        keypoints: of all frames, as filmed.
        path: from ``CameraTracker.path``.
    """
    width, height = keypoints.size
    corners = np.array([(0, 0, 1), (width, 0, 1), (0, height, 1), (width, height, 1)], np.float64)
    moved = np.einsum("tij,cj->tci", path, corners)[..., :2] - corners[:, :2]
    far = np.linalg.norm(moved, axis=2).mean(axis=1)
    size = np.hypot(path[:, 0, 0], path[:, 1, 0])
    lost = far.max(initial=0) > FARTHEST * max(width, height) or not (size > 1 / NEAREST).all() or size.max() > NEAREST
    if not len(path) or np.percentile(far, 80) < MOVES / 100 * height or lost:
        return None
    xy = np.einsum("tij,tkj->tki", path[:, :2, :2], keypoints.xy.astype(np.float64) - 0.5)
    return replace(keypoints, xy=(xy + path[:, None, :2, 2] + 0.5).astype(np.float32))


def _apart(one: Matrices, other: Matrices, shape: tuple[int, ...]) -> float:
    """Largest distance of a corner of the picture at one place and at another, in pixels."""
    corners = np.array([(0, 0, 1), (shape[1], 0, 1), (0, shape[0], 1), (shape[1], shape[0], 1)], np.float64)
    return float(np.linalg.norm(((one - other) @ corners.T)[:2], axis=0).max())
