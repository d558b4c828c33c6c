"""A camera that moves, stood still: every frame is moved to where one picture of the whole place shows what it shows.

Features of the background are matched with those of key frames, and a homography carries one onto the other. That is
exact for a camera that turns on the spot, and near enough for one that sways by a little.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
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

OVERLAP = 0.7
"""A frame that no key frame shows more of than this becomes a key frame itself."""

AHEAD = 16
"""Frames whose features are found ahead."""

KEYS = 24
"""Key frames, at most: a camera that turns all around has shown everything by then."""

TRIES = 4
"""Key frames that a frame is matched with, at most, until it fits one."""

WIDEST, HIGHEST = 3.0, 2.0
"""The picture of the whole place is at most as much wider and higher than a frame."""

WIDER = 1.05
"""If it has less than this of a frame's area, the camera trembles about one view, which is kept as it is."""

COVERAGE = 0.1
"""Something belongs to the place if more than this share of the frames shows it."""

CELL = 8
"""The place's extent is found in cells of this many pixels."""

LOOKS = 200
"""Frames of which that is found, at most, evenly."""


@dataclass(frozen=True)
class Registration:
    """How each frame is moved.

    Attributes:
        matrices: float64 (T, 3, 3), homographies in pixels with centres at whole numbers, as OpenCV has them.
        found: bool (T,), frames that can be moved.
        size: (W, H) of the picture that they are moved into.
    """

    matrices: NDArray[np.float64]
    found: NDArray[np.bool_]
    size: tuple[int, int]

    def moved(self, image: Image, index: int) -> Image:
        """A frame (h, w, 3) or matte (h, w) where the whole place shows it; 0 where nothing of it was seen."""
        return np.asarray(cv2.warpPerspective(image, self.matrices[index], self.size, flags=cv2.INTER_CUBIC))

    def frame(self, given: Callable[[int], Image], index: int) -> Image:
        """The moved frame of what ``given`` gives."""
        return self.moved(given(index), index)

    def covered(self, given: Callable[[int], Image], index: int) -> Image:
        """The moved matte of what ``given`` gives; what the frame does not show counts as covered."""
        matte = given(index)
        moved = self.moved(matte, index)
        moved[self.unseen((matte.shape[1], matte.shape[0]), index)] = 255
        return moved

    def unseen(self, frame_size: tuple[int, int], index: int) -> NDArray[np.bool_]:
        """bool (H, W): what a moved frame, (w, h) before, does not show, beyond the edges that it had."""
        inner = np.zeros(frame_size[::-1], np.uint8)
        inner[2:-2, 2:-2] = 1
        return np.asarray(cv2.warpPerspective(inner, self.matrices[index], self.size, flags=cv2.INTER_NEAREST) == 0)

    def keypoints_moved(self, keypoints: Keypoints) -> Keypoints:
        """The joints of all frames, moved with them.

        Those of frames that cannot be moved are not found, nor are those that come to lie outside the picture: a
        detector does not find such joints either.
        """
        xy = _apply(self.matrices, keypoints.xy.astype(np.float64) - 0.5) + 0.5
        inside = ((xy >= 0) & (xy <= np.array(self.size))).all(axis=2)
        confidence = keypoints.confidence * (self.found[:, None] & inside)
        return replace(
            keypoints,
            xy=np.where(confidence[..., None] > 0, xy, 0).astype(np.float32),
            confidence=confidence,
            size=self.size,
        )


def register(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    frames: NDArray[np.int64],
    count: int,
    frame_size: tuple[int, int],
) -> Registration | None:
    """How to stand the camera still; None where that cannot be done, since it travels or there is too little to see.

    A camera that trembles is stood still where the frame in the middle was taken. One that pans gets a wide picture of
    all it shows.

    Args:
        frame, matte: give the picture and the person's matte of a frame.
        frames: those that show the place.
        count: of all frames.
        frame_size: (W, H) of the frames.
    """
    middle = len(frames) // 2
    order = np.concatenate([frames[middle:], frames[:middle][::-1]])
    matrices, found, rigid = _located(frame, matte, order, count, _KeyFrames(frame_size, KEYS))
    if found.sum() < (1 - LOST) * len(frames) or np.median(rigid[found]) < RIGID:
        return None
    corner, size = _extent(matrices[found], frame_size)
    return Registration(_moved_by(-corner) @ matrices, found, size)


def register_nearby(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    frames: NDArray[np.int64],
    count: int,
    frame_size: tuple[int, int],
) -> Registration:
    """As ``register``, of a camera that travels: only frames that show what the middle one of ``frames`` shows."""
    order = frames[np.argsort(np.abs(np.arange(len(frames)) - len(frames) // 2), kind="stable")]
    matrices, found, rigid = _located(frame, matte, order, count, _KeyFrames(frame_size, 1))
    return Registration(matrices, found & (rigid >= RIGID), frame_size)


def rewrite(folder: Path, registration: Registration, plate: Image) -> None:
    """Move all frames and mattes of a new subject; what a frame did not show is filled from the plate.

    Args:
        folder: of the new subject.
        registration: of its frames.
        plate: uint8 (H, W, 3), of the moved frames.
    """

    def move(index: int) -> None:
        image = read_frame(folder, index)
        unseen = registration.unseen((image.shape[1], image.shape[0]), index)
        moved = registration.moved(image, index)
        moved[unseen] = plate[unseen]
        write_frame(folder, index, moved)

    count = len(registration.matrices)
    with ThreadPoolExecutor(usable_cores()) as pool:
        for _ in pool.map(move, range(count)):
            events.check_cancelled()
    fresh = temporary_path(folder, ".zip")
    with closing(MatteReader(folder / MATTES)) as mattes, closing(MatteWriter(fresh)) as writer:
        for index in range(count):
            writer.write(registration.moved(mattes.matte(index), index))
    fresh.replace(folder / MATTES)


@dataclass(frozen=True)
class _Features:
    """Places float32 (N, 2) in pixels of the frame, and descriptors float32 (N, 128)."""

    places: NDArray[np.float32]
    descriptors: NDArray[np.float32]


class _KeyFrames:
    """What is known of the place: frames that together show it, each at its homography to the first.

    A frame is matched with the key frame that shows most of the one before it. So one that comes back to where the
    camera was is matched with what was seen there first, and nothing drifts.

    Args:
        size: (W, H) of the frames.
        most: key frames, at most.
    """

    def __init__(self, size: tuple[int, int], most: int) -> None:
        self._most = most
        self._keys: list[tuple[_Features, NDArray[np.float64]]] = []
        self._last = np.eye(3)
        self._height = size[1]
        width, height = size
        self._corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)

    def locate(self, features: _Features) -> tuple[NDArray[np.float64], float] | None:
        """The homography (3, 3) to the first frame, and the share of the matches that fit it; None if there is none."""
        if not self._keys:
            self._keys.append((features, np.eye(3)))
            return np.eye(3), 1.0
        for key, place in sorted(self._keys, key=lambda key: -self._shared(key[1], self._last))[:TRIES]:
            move = _match(features, key, CLOSE * self._height)
            if move is None:
                continue
            matrix = place @ move[0]
            matrix /= matrix[2, 2]
            if not self._upright(matrix):
                continue
            self._last = matrix
            if len(self._keys) < self._most and max(self._shared(other, matrix) for _, other in self._keys) < OVERLAP:
                self._keys.append((features, matrix))
            return matrix, move[1]
        return None

    def _shared(self, key: NDArray[np.float64], other: NDArray[np.float64]) -> float:
        """Share of the frame at ``other`` that the one at ``key`` shows."""
        mine, its = (_apply(matrix[None], self._corners[None])[0].astype(np.float32) for matrix in (key, other))
        return float(cv2.intersectConvexConvex(mine, its)[0]) / max(float(cv2.contourArea(its)), 1.0)

    def _upright(self, matrix: NDArray[np.float64]) -> bool:
        """Whether the frame is moved to a convex quadrangle that is neither mirrored nor of quite another size."""
        there = _apply(matrix[None], self._corners[None])[0].astype(np.float32)
        area = cv2.contourArea(there, oriented=True) / cv2.contourArea(self._corners.astype(np.float32), oriented=True)
        return bool(cv2.isContourConvex(there)) and 0.25 < area < 4


def _located(
    frame: Callable[[int], Image],
    matte: Callable[[int], Image],
    order: NDArray[np.int64],
    count: int,
    place: _KeyFrames,
) -> tuple[NDArray[np.float64], NDArray[np.bool_], NDArray[np.float64]]:
    """Of all ``count`` frames: homographies (T, 3, 3), whether they were found (T,), and shares that fit (T,)."""
    matrices, found, rigid = np.tile(np.eye(3), (count, 1, 1)), np.zeros(count, bool), np.zeros(count)
    with events.stage("Standing the camera still") as stage, ThreadPoolExecutor(usable_cores()) as pool:
        described = _ahead(pool, partial(_features, frame, matte), order.tolist())
        for done, (index, features) in enumerate(zip(order.tolist(), described, strict=True), 1):
            move = None if features is None else place.locate(features)
            if move is not None:
                matrices[index], rigid[index] = move
                found[index] = True
            stage(done, len(order))
    return matrices, found, rigid


def _ahead(
    pool: ThreadPoolExecutor, describe: Callable[[int], _Features | None], order: Iterable[int]
) -> Iterator[_Features | None]:
    """The features of frames in order, a few of which are found ahead: those of an hour do not fit into memory."""
    pending: deque[Future[_Features | None]] = deque()
    for index in order:
        pending.append(pool.submit(describe, index))
        if len(pending) > AHEAD:
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


def _features(frame: Callable[[int], Image], matte: Callable[[int], Image], index: int) -> _Features | None:
    """Features outside the person of a frame; None where there are too few."""
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
    return _Features(((places + 0.5) / scale - 0.5).astype(np.float32), descriptors)


def _match(own: _Features, target: _Features, close: float) -> tuple[NDArray[np.float64], float] | None:
    """The homography to ``target``, and the share of the matches that fit it; None where there are too few.

    Args:
        own, target: features of two frames.
        close: a match that is farther off than this, in pixels, does not fit.
    """
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(own.descriptors, target.descriptors, k=2)
    good = [pair[0] for pair in pairs if len(pair) == 2 and pair[0].distance < CLEARLY * pair[1].distance]
    if len(good) < FEWEST:
        return None
    here, there = own.places[[match.queryIdx for match in good]], target.places[[match.trainIdx for match in good]]
    matrix, fits = cv2.findHomography(here, there, cv2.USAC_MAGSAC, close)
    if matrix is None or fits.sum() < FEWEST:
        return None
    return np.asarray(matrix, np.float64), float(fits.mean())


def _extent(matrices: NDArray[np.float64], frame_size: tuple[int, int]) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Corner (x, y) and size of the place that frames (N, 3, 3) show: the largest rectangle seen often enough."""
    width, height = frame_size
    # Frames, and all they may show around the first of them, in cells.
    across, down = -(-width // CELL), -(-height // CELL)
    left, top = round((WIDEST - 1) * across), round((HIGHEST - 1) * down)
    whole = 2 * left + across, 2 * top + down
    to_cells = np.diag((1 / CELL, 1 / CELL, 1.0))
    to_whole = _moved_by(np.array((left, top))) @ to_cells @ matrices @ np.linalg.inv(to_cells)
    some = to_whole[np.unique(np.linspace(0, len(matrices) - 1, LOOKS).astype(int))]
    frame = np.ones((down, across), np.float32)
    seen = np.mean([cv2.warpPerspective(frame, matrix, whole, flags=cv2.INTER_NEAREST) for matrix in some], axis=0)
    x, y, columns, rows = _largest_rectangle(seen > COVERAGE, round(WIDEST * across))
    if columns * rows < WIDER * across * down:
        return np.zeros(2), frame_size
    return CELL * np.array((x - left, y - top), np.float64), (CELL * columns, CELL * rows)


def _largest_rectangle(known: NDArray[np.bool_], widest: int) -> tuple[int, int, int, int]:
    """Column, row, width and height of the largest rectangle in which everything is known."""
    best = 0, 0, 0, 0
    for top in range(len(known)):
        whole = known[top].copy()
        for bottom in range(top, len(known)):
            whole &= known[bottom]
            starts, stops = np.flatnonzero(np.diff(np.concatenate([[False], whole, [False]]))).reshape(-1, 2).T
            if not len(starts):
                break
            widths = np.minimum(stops - starts, widest)
            longest = int(widths.argmax())
            if widths[longest] * (bottom + 1 - top) > best[2] * best[3]:
                best = int(starts[longest]), top, int(widths[longest]), bottom + 1 - top
    return best


def _apply(matrices: NDArray[np.float64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Points (N, P, 2) where homographies (N, 3, 3) carry them."""
    homogeneous = np.concatenate([points, np.ones((*points.shape[:2], 1))], axis=2)
    moved = np.einsum("nij,npj->npi", matrices, homogeneous)
    return np.asarray(moved[..., :2] / np.where(np.abs(moved[..., 2:]) < 1e-6, 1e-6, moved[..., 2:]))


def _moved_by(way: NDArray[Any]) -> NDArray[np.float64]:
    """The homography that moves everything by ``way``, (x, y)."""
    matrix = np.eye(3)
    matrix[:2, 2] = way
    return matrix
