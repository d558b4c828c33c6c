"""What any performer has to beat: the empty place alone, and the training frame with the closest pose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from everybody_dance.images import Image
from everybody_dance.keypoints import Keypoints
from everybody_dance.retarget.likeness import pose_distances
from everybody_dance.skeleton import Joint

CANDIDATES = 20
"""Training frames that may stand for one query."""

SMOOTHNESS = 0.5
"""How much neighbours that follow each other have to be alike, against how much they have to be like the queries."""

UNREACHABLE = 10.0
"""Body heights: farther than any pose, and finite, so that sums are."""


def background(plate: Image, frames: int) -> Iterator[Image]:
    """The empty place alone, ``frames`` times."""
    return (plate for _ in range(frames))


@dataclass(frozen=True)
class NearestNeighbor:
    """For each frame asked for, the training frame with the closest pose, moved into place by the hips.

    Attributes:
        frames: int (Q,), indices of training frames; -1 where there is none (nobody asked for, or no hips): the plate.
        shifts: int (Q, 2), pixels to the right and down.
        plate: uint8 (H, W, 3), fills the borders that the shift exposes.
        read: gives a frame of the training footage by its index.
    """

    frames: NDArray[np.int64]
    shifts: NDArray[np.int64]
    plate: Image
    read: Callable[[int], Image]

    @classmethod
    def choose(
        cls,
        queries: Keypoints,
        training: Keypoints,
        training_frames: Sequence[int] | NDArray[np.int64],
        plate: Image,
        read: Callable[[int], Image],
        cuts: Sequence[int] = (),
    ) -> "NearestNeighbor":
        """Find the neighbours of all ``queries`` among ``training``: close to them, and to each other over time.

        Args:
            queries: (Q frames), the poses asked for, in the target's frame.
            training: (N frames), the poses of the target's training frames.
            training_frames: (N,), the index by which ``read`` knows each of them.
            plate: uint8 (H, W, 3).
            read: called only for frames that were chosen, as they are needed.
            cuts: of the queries, those that do not follow the one before.
        """
        if not len(training) or not len(queries):
            nothing = np.full(len(queries), -1, np.int64)
            return cls(nothing, np.zeros((len(queries), 2), np.int64), plate, read)
        distances = pose_distances(queries, training)
        reachable = np.isfinite(distances.min(axis=1))
        nearest = _smoothest(distances, training, {*cuts, *np.flatnonzero(~reachable).tolist()})
        shift = queries.xy[:, Joint.MID_HIP] - training.xy[nearest, Joint.MID_HIP]
        return cls(
            np.where(reachable, np.asarray(training_frames, np.int64)[nearest], -1),
            np.where(reachable[:, None], np.round(shift), 0).astype(np.int64),
            plate,
            read,
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Image]:
        read = lru_cache(maxsize=16)(self.read)
        for frame, (x, y) in zip(self.frames.tolist(), self.shifts.tolist(), strict=True):
            yield self.plate if frame < 0 else shifted(read(frame), x, y, self.plate)


def _smoothest(distances: NDArray[np.float64], training: Keypoints, cuts: set[int]) -> NDArray[np.int64]:
    """The path through the ``CANDIDATES`` nearest of each query with the least cost, by dynamic programming.

    The cost is the sum of squared distances of queries to their neighbours, and ``SMOOTHNESS`` times those of
    neighbours to the next: the same measure, so the one weight has no unit.

    Args:
        distances: (Q, N), of queries to training frames.
        training: (N frames).
        cuts: queries before which nothing is remembered.
    """
    count = min(CANDIDATES, distances.shape[1])
    near = np.argpartition(distances, count - 1, axis=1)[:, :count]
    own = np.square(np.minimum(np.take_along_axis(distances, near, axis=1), UNREACHABLE))
    back = np.zeros_like(near)
    total = own[0]
    for query in range(1, len(near)):
        if query in cuts:
            back[query] = total.argmin()
            total = own[query] + total.min()
            continue
        apart = pose_distances(training[near[query]], training[near[query - 1]])
        steps = total + SMOOTHNESS * np.square(np.minimum(apart, UNREACHABLE))
        back[query] = steps.argmin(axis=1)
        total = own[query] + steps.min(axis=1)
    chosen = np.zeros(len(near), np.int64)
    at = int(total.argmin())
    for query in range(len(near) - 1, -1, -1):
        chosen[query] = near[query, at]
        at = int(back[query, at])
    return chosen


def shifted(image: Image, x: int, y: int, behind: Image) -> Image:
    """``image`` moved ``x`` pixels right and ``y`` down, over ``behind`` where that leaves nothing; both (H, W, 3)."""
    height, width = image.shape[:2]
    moved = behind.copy()
    target = moved[max(y, 0) : max(height + min(y, 0), 0), max(x, 0) : max(width + min(x, 0), 0)]
    source = image[max(-y, 0) : max(height - max(y, 0), 0), max(-x, 0) : max(width - max(x, 0), 0)]
    if target.size:
        target[...] = source
    return moved
