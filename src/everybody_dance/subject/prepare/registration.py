"""A camera in somebody's hand, stood still: every frame is moved to where one frame in the middle shows the place.

Features of the background are matched with those of the middle frame, and a homography carries one onto the other. That
is exact for a camera that turns on the spot, and near enough for one that sways by a little.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from everybody_dance import events
from everybody_dance.files import temporary_path
from everybody_dance.images import Image, resized
from everybody_dance.keypoints import Keypoints
from everybody_dance.machine import usable_cores
from everybody_dance.pose.mattes import COVERED, MatteReader, MatteWriter
from everybody_dance.subject.folder import MATTES
from everybody_dance.subject.subject import read_frame, write_frame

ROWS = 360
"""Features are looked for in pictures of at most this height: enough for a tenth of a pixel, and fast."""

FEATURES = 1000
"""Features of a frame, at most."""

CONTRAST = 0.005
"""Least contrast of a feature, of the range: a painted wall has little, and the strongest are taken first anyway."""

AROUND = 0.05
"""Room around the matte in which no features are looked for, of the picture's height."""

CLEARLY = 0.6
"""A match counts if the next best one is farther away by this factor (Lowe 2004)."""

CLOSE = 0.006
"""A match fits a homography within this share of the picture's height: 3 pixels of 512."""

FEWEST = 20
"""Matches that must fit; a frame with fewer cannot be moved."""

RIGID = 0.6
"""Share of the matches that fit in most frames; with fewer the camera travels, and near things move over far ones."""

LOST = 0.1
"""If more than this share of the frames cannot be moved, the footage is not."""


@dataclass(frozen=True)
class Registration:
    """How each frame is moved.

    Attributes:
        matrices: float64 (T, 3, 3), homographies in pixels with centres at whole numbers, as OpenCV has them.
        found: bool (T,), frames that can be moved.
    """

    matrices: NDArray[np.float64]
    found: NDArray[np.bool_]

    def moved(self, image: Image, index: int) -> Image:
        """A frame (H, W, 3) or matte (H, W) where the middle frame shows the place; 0 where nothing of it was seen."""
        return np.asarray(cv2.warpPerspective(image, self.matrices[index], image.shape[1::-1], flags=cv2.INTER_CUBIC))

    def frame(self, given: Callable[[int], Image], index: int) -> Image:
        """The moved frame of what ``given`` gives."""
        return self.moved(given(index), index)

    def covered(self, given: Callable[[int], Image], index: int) -> Image:
        """The moved matte of what ``given`` gives; what the frame does not show counts as covered."""
        moved = self.moved(given(index), index)
        moved[self.unseen((moved.shape[1], moved.shape[0]), index)] = 255
        return moved

    def unseen(self, size: tuple[int, int], index: int) -> NDArray[np.bool_]:
        """bool (H, W): what a moved frame does not show, beyond the edges that it had."""
        inner = np.zeros(size[::-1], np.uint8)
        inner[2:-2, 2:-2] = 1
        seen = cv2.warpPerspective(inner, self.matrices[index], size, flags=cv2.INTER_NEAREST)
        return np.asarray(seen == 0)

    def keypoints_moved(self, keypoints: Keypoints) -> Keypoints:
        """The joints of all frames, moved with them; those of frames that cannot be moved are not found."""
        centres = keypoints.xy.astype(np.float64) - 0.5
        homogeneous = np.concatenate([centres, np.ones((*centres.shape[:2], 1))], axis=2)
        moved = np.einsum("tij,tkj->tki", self.matrices, homogeneous)
        xy = moved[..., :2] / np.where(np.abs(moved[..., 2:]) < 1e-6, 1e-6, moved[..., 2:]) + 0.5
        confidence = keypoints.confidence * self.found[:, None]
        return replace(
            keypoints, xy=np.where(confidence[..., None] > 0, xy, 0).astype(np.float32), confidence=confidence
        )


def register(
    frame: Callable[[int], Image], matte: Callable[[int], Image], frames: NDArray[np.int64], count: int
) -> Registration | None:
    """How to stand the camera still; None where that cannot be done, since it travels or there is too little to see.

    Args:
        frame, matte: give the picture and the person's matte of a frame.
        frames: those that show the place.
        count: of all frames.
    """
    middle = int(frames[len(frames) // 2])
    target = _features(frame, matte, middle)
    if target is None:
        return None
    with events.stage("Standing the camera still") as stage, ThreadPoolExecutor(usable_cores()) as pool:
        matrices, found, rigid = np.tile(np.eye(3), (count, 1, 1)), np.zeros(count, bool), []
        moves = pool.map(partial(_move, frame, matte, target), frames.tolist())
        for done, (index, move) in enumerate(zip(frames.tolist(), moves, strict=True), 1):
            if move is not None:
                matrices[index], share = move
                found[index] = True
                rigid.append(share)
            stage(done, len(frames))
    if found.sum() < (1 - LOST) * len(frames) or np.median(rigid) < RIGID:
        return None
    return Registration(matrices, found)


def rewrite(folder: Path, registration: Registration, plate: Image) -> None:
    """Move all frames and mattes of a new subject; what a frame did not show is filled from the plate.

    Args:
        folder: of the new subject.
        registration: of its frames.
        plate: uint8 (H, W, 3), of the moved frames.
    """
    size = plate.shape[1], plate.shape[0]

    def move(index: int) -> None:
        image = registration.moved(read_frame(folder, index), index)
        unseen = registration.unseen(size, index)
        image[unseen] = plate[unseen]
        write_frame(folder, index, image)

    count = len(registration.matrices)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(move, range(count)):
            events.check_cancelled()
    fresh = temporary_path(folder, ".zip")
    with closing(MatteReader(folder / MATTES)) as mattes, closing(MatteWriter(fresh)) as writer:
        for index in range(count):
            writer.write(registration.moved(mattes.matte(index), index))
    fresh.replace(folder / MATTES)


_Features = tuple[NDArray[np.float32], NDArray[np.float32], float]
"""Places (N, 2) in pixels of the frame, descriptors (N, 128), and the frame's height."""


def _features(frame: Callable[[int], Image], matte: Callable[[int], Image], index: int) -> _Features | None:
    image = frame(index)
    height, width = image.shape[:2]
    scale = min(ROWS / height, 1.0)
    size = round(width * scale), round(height * scale)
    grey = cv2.cvtColor(np.ascontiguousarray(resized(image, size)), cv2.COLOR_RGB2GRAY)
    side = 2 * round(AROUND * size[1]) + 1
    person = cv2.dilate((resized(matte(index), size) >= COVERED).astype(np.uint8), np.ones((side, side), np.uint8))
    sift: Any = cv2.SIFT.create(nfeatures=FEATURES, contrastThreshold=CONTRAST)
    points, descriptors = sift.detectAndCompute(grey, 1 - person)
    if descriptors is None or len(points) < FEWEST:
        return None
    places = np.array([point.pt for point in points])
    return ((places + 0.5) / scale - 0.5).astype(np.float32), descriptors, float(height)


def _move(
    frame: Callable[[int], Image], matte: Callable[[int], Image], target: _Features, index: int
) -> tuple[NDArray[np.float64], float] | None:
    """The homography to ``target``, and the share of the matches that fit it; None where there are too few."""
    own = _features(frame, matte, index)
    if own is None:
        return None
    (places, descriptors, height), (there, others, _) = own, target
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(descriptors, others, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < CLEARLY * pair[1].distance]
    if len(good) < FEWEST:
        return None
    here, to = places[[match.queryIdx for match in good]], there[[match.trainIdx for match in good]]
    matrix, fits = cv2.findHomography(here, to, cv2.USAC_MAGSAC, CLOSE * height)
    if matrix is None or fits.sum() < FEWEST:
        return None
    return np.asarray(matrix, np.float64), float(fits.mean())
