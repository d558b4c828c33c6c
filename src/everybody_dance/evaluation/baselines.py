"""What any performer has to beat: the empty place alone, and the training frame with the closest pose."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from everybody_dance.drawing.region import body_height
from everybody_dance.keypoints import BODY, Joint, Keypoints

Frame = NDArray[np.uint8]

MISSING = 0.25
"""A joint seen in only one of two poses counts as if it were this far away, in body heights."""


def background(plate: Frame, frames: int) -> Iterator[Frame]:
    """The empty place alone, ``frames`` times."""
    return (plate for _ in range(frames))


def pose_distances(queries: Keypoints, candidates: Keypoints) -> NDArray[np.float64]:
    """How far apart poses are once their hips lie on each other.

    With confidences v and w, positions a and b relative to the hips, body height h and m = ``MISSING``,

        distance^2 = sum_j (v w |a - b|^2 / h^2 + (v - w)^2 m^2) / sum_j (v w + (v - w)^2)

    over the body joints: zero for equal poses, and joints that were missed make nothing closer. h is the median body
    height of the candidates, one for all, so that a pose at the same distance from the camera is closer.

    Args:
        queries: (Q frames).
        candidates: (N frames), at the same scale.

    Returns:
        float64 (Q, N), in body heights; infinite where one of the two has no hips.
    """
    height = max(float(np.median(body_height(candidates.xy, candidates.confidence))), 1.0) if len(candidates) else 1.0
    a, v, a_seen = _aligned(queries, height)
    b, w, b_seen = _aligned(candidates, height)
    # Expanded, so that every sum over joints is a matrix product and nothing of size (Q, N, joints) is made.
    apart = (v * np.square(a).sum(axis=2)) @ w.T + v @ (w * np.square(b).sum(axis=2)).T
    apart -= 2 * sum((v * a[..., axis]) @ (w * b[..., axis]).T for axis in range(2))
    shared = v @ w.T
    missed = np.square(v).sum(axis=1)[:, None] + np.square(w).sum(axis=1)[None] - 2 * shared
    with np.errstate(invalid="ignore", divide="ignore"):
        distance = np.sqrt(np.maximum(apart + MISSING**2 * missed, 0) / (shared + missed))
    return np.where(a_seen[:, None] & b_seen[None], distance, np.inf)


def _aligned(keypoints: Keypoints, height: float) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Body joints relative to the hips in body heights (T, 25, 2), their confidence (T, 25), hips seen (T,)."""
    hips = keypoints.xy[:, Joint.MID_HIP, None].astype(np.float64)
    seen = keypoints.found[:, Joint.MID_HIP] & keypoints.person_seen
    confidence = keypoints.confidence[:, BODY].astype(np.float64)
    return np.where(confidence[..., None] > 0, keypoints.xy[:, BODY] - hips, 0) / height, confidence, seen


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
    plate: Frame
    read: Callable[[int], Frame]

    @classmethod
    def choose(
        cls,
        queries: Keypoints,
        training: Keypoints,
        training_frames: Sequence[int] | NDArray[np.int64],
        plate: Frame,
        read: Callable[[int], Frame],
    ) -> "NearestNeighbor":
        """Find the neighbours of all ``queries`` among ``training``.

        Args:
            queries: (Q frames), the poses asked for, in the target's frame.
            training: (N frames), the poses of the target's training frames.
            training_frames: (N,), the index by which ``read`` knows each of them.
            plate: uint8 (H, W, 3).
            read: called only for frames that were chosen, as they are needed.
        """
        if not len(training):
            nothing = np.full(len(queries), -1, np.int64)
            return cls(nothing, np.zeros((len(queries), 2), np.int64), plate, read)
        distances = pose_distances(queries, training)
        nearest = distances.argmin(axis=1)
        reachable = np.isfinite(distances.min(axis=1))
        shift = queries.xy[:, Joint.MID_HIP] - training.xy[nearest, Joint.MID_HIP]
        return cls(
            np.where(reachable, np.asarray(training_frames, np.int64)[nearest], -1),
            np.where(reachable[:, None], np.round(shift), 0).astype(np.int64),
            plate,
            read,
        )

    def __len__(self) -> int:
        return len(self.frames)

    def __iter__(self) -> Iterator[Frame]:
        read = lru_cache(maxsize=16)(self.read)
        for frame, (x, y) in zip(self.frames.tolist(), self.shifts.tolist(), strict=True):
            yield self.plate if frame < 0 else shifted(read(frame), x, y, self.plate)


def shifted(image: Frame, x: int, y: int, behind: Frame) -> Frame:
    """``image`` moved ``x`` pixels right and ``y`` down, over ``behind`` where that leaves nothing; both (H, W, 3)."""
    height, width = image.shape[:2]
    moved = behind.copy()
    target = moved[max(y, 0) : max(height + min(y, 0), 0), max(x, 0) : max(width + min(x, 0), 0)]
    source = image[max(-y, 0) : max(height - max(y, 0), 0), max(-x, 0) : max(width - max(x, 0), 0)]
    if target.size:
        target[...] = source
    return moved
