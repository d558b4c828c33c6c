"""Camera motion, measured on the background."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.person_mask import person_mask
from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.subject.prepare.light import gain_to, multiplied

LOOKS = 48
"""How many frames are compared, evenly over the footage."""

MOVED = 0.75
"""The camera moves if a fifth of the frames is displaced by more than this, in percent of the frame's height."""

SHAKES = 0.15
"""From this displacement on, measured alike, the frames are moved so that the camera stands still."""

FEATURES = 200
"""Corners of the background that are tracked, at most."""

ELSEWHERE = 24.0, 0.25
"""Where no corner can be tracked, the camera shows something else if this share of the background differs by more than
so much of 255, its brightness made equal. On a bare wall, whose corners are noise, nothing does."""

BLUR = 32
"""That is looked at smoothed, with a standard deviation of the frame's height divided by this."""


@dataclass(frozen=True)
class Stillness:
    """How still the camera is.

    Attributes:
        motion: 80th percentile over frames of the background's displacement, in percent of the frame's height; 100
            stands for frames that show something else altogether.
    """

    motion: float

    @property
    def camera_moves(self) -> bool:
        """Whether the camera moves too much for a clean plate, unless its frames are moved."""
        return self.motion > MOVED

    @property
    def shakes(self) -> bool:
        """Whether the frames are worth moving."""
        return self.motion > SHAKES


def measure_stillness(
    frame: Callable[[int], NDArray[np.uint8]],
    keypoints: Keypoints,
    usable: Sequence[int] | NDArray[np.int64],
    edges: Sequence[int] = (),
    others: Callable[[int], Image | None] = lambda index: None,
) -> Stillness:
    """Compare frames with the middle one: track corners of the background to each.

    Args:
        frame: gives the picture of a frame.
        keypoints: of all frames.
        usable: frames that may be used.
        edges: first frames of clips. What another clip than the middle frame's shows of another place is no motion.
        others: gives where other people are in a frame, uint8 (H, W); None where there is nobody else.
    """

    def background_of(index: int) -> NDArray[np.bool_]:
        besides = others(index)
        background = ~person_mask(keypoints.pose(index), keypoints.size, 0.15)
        return background if besides is None else background & (besides == 0)

    chosen = np.asarray(usable)[np.unique(np.linspace(0, len(usable) - 1, LOOKS).astype(int))]
    middle = int(chosen[len(chosen) // 2])
    middle_frame, background = frame(middle), background_of(middle)
    reference = _grey(middle_frame)
    corners = cv2.goodFeaturesToTrack(reference, FEATURES, 0.005, 5, mask=background.astype(np.uint8))
    height = keypoints.size[1]
    clip = np.searchsorted(edges, np.arange(len(keypoints)), side="right")
    displacements = []
    for index in chosen:
        picture = frame(int(index))
        both = background & background_of(int(index))
        if both.mean() < 0.05:
            continue
        gain = gain_to(middle_frame, picture, both)  # corners are not found again in another light
        picture = _grey(picture if gain is None else multiplied(picture, gain))
        displacement = None if corners is None else _displacement(reference, picture, both, corners)
        if displacement is not None:
            displacements.append(displacement)
        elif corners is not None and clip[index] == clip[middle] and _shows_something_else(reference, picture, both):
            displacements.append(float(height))
    return Stillness(100 * float(np.percentile(displacements, 80)) / height if displacements else 0.0)


def _displacement(
    reference: NDArray[np.uint8], picture: NDArray[np.uint8], both: NDArray[np.bool_], corners: NDArray[Any]
) -> float | None:
    """Median displacement, in pixels, of corners that can be tracked there and back; None if there are too few."""
    follow: Any = cv2.calcOpticalFlowPyrLK  # OpenCV's types do not know that a first guess is optional
    there, found, _ = follow(reference, picture, corners, None, winSize=(21, 21), maxLevel=4)
    back, found_back, _ = follow(picture, reference, there, None, winSize=(21, 21), maxLevel=4)
    sure = (found & found_back).ravel().astype(bool) & (np.linalg.norm(back - corners, axis=-1).ravel() < 1)
    place = np.round(there.reshape(-1, 2)).astype(int)
    inside = ((place >= 0) & (place < np.array(both.shape[::-1]))).all(axis=1)
    sure &= inside
    sure[inside] &= both[place[inside, 1], place[inside, 0]]
    if sure.sum() < 8:
        return None
    return float(np.linalg.norm(np.median((there - corners).reshape(-1, 2)[sure], axis=0)))


def _shows_something_else(reference: NDArray[np.uint8], picture: NDArray[np.uint8], both: NDArray[np.bool_]) -> bool:
    """Whether the background, bool (H, W), is another one: its brightness and its finer grain do not count."""
    smooth, its = (
        cv2.GaussianBlur(grey.astype(np.float32), (0, 0), len(grey) / BLUR)[both] for grey in (reference, picture)
    )
    gain = float(smooth.mean() + 1) / float(its.mean() + 1)
    return float((np.abs(gain * its - smooth) > ELSEWHERE[0]).mean()) > ELSEWHERE[1]


def _grey(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(np.ascontiguousarray(frame), cv2.COLOR_RGB2GRAY), np.uint8)
